//! How an answer is compressed, as the client accepts it. Short answers are not: it costs more than it saves.

use std::io::Write as _;

use actix_web::{
    HttpMessage,
    http::header::{self, AcceptEncoding, Encoding as Known, Header as _, HeaderValue},
};
use bytes::Bytes;

use crate::error::{Code, Failure};

/// What is not longer is sent as it is, in bytes.
const SHORT: usize = 1_024;

/// Of zstd's levels, the one that it takes for the usual.
const ZSTD_LEVEL: i32 = 3;

/// How an answer is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Encoding {
    /// Not at all.
    Identity,
    /// gzip
    Gzip,
    /// Zstandard
    Zstd,
}

impl Encoding {
    /// What the client likes best of what we have.
    ///
    /// # Errors
    /// When it refuses all of it.
    pub(crate) fn accepted(message: &impl HttpMessage) -> Result<Self, Failure> {
        if !message.headers().contains_key(header::ACCEPT_ENCODING) {
            return Ok(Self::Identity);
        }
        let Ok(accepted) = AcceptEncoding::parse(message) else { return Ok(Self::Identity) };
        match accepted.negotiate([Known::zstd(), Known::gzip(), Known::identity()].iter()) {
            Some(encoding) if encoding == Known::zstd() => Ok(Self::Zstd),
            Some(encoding) if encoding == Known::gzip() => Ok(Self::Gzip),
            Some(_) => Ok(Self::Identity),
            None => Err(Failure::new(Code::NotAcceptable, "none of the accepted encodings is spoken here")
                .allowed("zstd, gzip, identity")),
        }
    }

    /// The body, compressed where that is worth it, and the header that says so.
    pub(crate) fn apply(self, body: Bytes) -> (Bytes, Option<HeaderValue>) {
        if body.len() <= SHORT {
            return (body, None);
        }
        let compressed = match self {
            Self::Identity => return (body, None),
            Self::Gzip => gzip(&body).map(|bytes| (bytes, "gzip")),
            Self::Zstd => zstd::bulk::compress(&body, ZSTD_LEVEL).map(|bytes| (bytes, "zstd")),
        };
        // Writing to memory does not fail; if it did, the answer is still good as it is.
        match compressed {
            Ok((bytes, name)) => (bytes.into(), Some(HeaderValue::from_static(name))),
            Err(_) => (body, None),
        }
    }
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::default());
    encoder.write_all(body)?;
    encoder.finish()
}
