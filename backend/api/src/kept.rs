//! An answer as it is kept: ready to be sent again, to whoever has it already too.

use std::time::Instant;

use actix_web::{
    HttpRequest, HttpResponse,
    body::{self, BoxBody, MessageBody as _},
    http::{
        StatusCode,
        header::{self, HeaderName, HeaderValue},
    },
};
use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_128;

use crate::encoding::Encoding;

/// Of the headers that its maker set, those that belong to the answer.
const OF_THE_ANSWER: [HeaderName; 3] = [header::CONTENT_TYPE, header::CACHE_CONTROL, header::LINK];

/// What decides whether it is fresh.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reading {
    /// When reading it began.
    pub(crate) began: Instant,
    /// How many changes were known then.
    pub(crate) changes: u64,
}

/// An answer.
pub(crate) struct Kept {
    pub(crate) reading: Reading,
    /// When it was made.
    pub(crate) made: Instant,
    /// `ETag` among them.
    headers: Vec<(HeaderName, HeaderValue)>,
    tag: HeaderValue,
    encoding: Option<HeaderValue>,
    body: Bytes,
}

impl Kept {
    /// Makes one of what a handler answered. What streams cannot be kept and comes back.
    pub(crate) fn of(
        response: HttpResponse<BoxBody>,
        encoding: Encoding,
        reading: Reading,
    ) -> Result<Self, Box<HttpResponse<BoxBody>>> {
        if !matches!(response.body().size(), body::BodySize::Sized(_) | body::BodySize::None) {
            return Err(Box::new(response));
        }
        let (response, body) = response.into_parts();
        let body = match body.try_into_bytes() {
            Ok(body) => body,
            Err(body) => return Err(Box::new(response.set_body(body))),
        };
        let of_it = OF_THE_ANSWER.iter().filter_map(|name| Some((name.clone(), response.headers().get(name)?.clone())));
        let mut headers: Vec<(HeaderName, HeaderValue)> = of_it.collect();
        let (body, encoding) = encoding.apply(body);
        // An error cannot happen: hexadecimal is always a header.
        let tag = HeaderValue::try_from(format!("\"{:032x}\"", xxh3_128(&body)))
            .unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        headers.push((header::ETAG, tag.clone()));
        headers.push((header::VARY, HeaderValue::from_static("accept, accept-encoding")));
        Ok(Self { reading, made: Instant::now(), headers, tag, encoding, body })
    }

    /// How much memory it takes, in bytes.
    pub(crate) fn size(&self) -> usize {
        /// What stands around a body.
        const AROUND: usize = 768;
        self.body.len() + AROUND
    }

    /// The answer to a request: without the body where the client has it already.
    pub(crate) fn response(&self, request: &HttpRequest) -> HttpResponse {
        if self.is_known(request) {
            let mut response = HttpResponse::new(StatusCode::NOT_MODIFIED);
            for (name, value) in self.headers.iter().filter(|(name, _)| name != header::CONTENT_TYPE) {
                response.headers_mut().insert(name.clone(), value.clone());
            }
            return response;
        }
        let mut response = HttpResponse::with_body(StatusCode::OK, self.body.clone()).map_into_boxed_body();
        let headers = response.headers_mut();
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        if let Some(encoding) = &self.encoding {
            headers.insert(header::CONTENT_ENCODING, encoding.clone());
        }
        response
    }

    fn is_known(&self, request: &HttpRequest) -> bool {
        let mut known = request.headers().get_all(header::IF_NONE_MATCH);
        known.any(|tags| {
            let mut tags = tags.as_bytes().split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            tags.any(|tag| tag == b"*" || tag.strip_prefix(b"W/").unwrap_or(tag) == self.tag.as_bytes())
        })
    }
}
