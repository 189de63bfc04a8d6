//! What a handler of data returns, and how it becomes an answer in the form that was asked for.
//!
//! A handler says what there is; form, headers and the link to the next page are made here, alike for every route.

use actix_web::{
    HttpRequest, HttpResponse, Responder, ResponseError as _,
    body::BoxBody,
    http::header::{self, HeaderValue},
};
use chrono::{DateTime, Utc};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{Code, Failure},
    format::Format,
    table::write_csv,
};

/// What a handler of data returns: `Answer<Vec<SymbolRow>>`, or `Answer<One<LatestPrice>>`.
pub(crate) type Answer<T> = Result<Reply<T>, Failure>;

/// An answer that is all there is to say.
pub(crate) fn answer<T: Table>(data: T) -> Answer<T> {
    Ok(Reply::of(data))
}

/// What was asked for.
pub(crate) trait Table: Serialize {
    /// What a line of CSV tells.
    type Row: Serialize + DeserializeOwned;

    /// All of it.
    fn rows(&self) -> &[Self::Row];
}

impl<R: Serialize + DeserializeOwned> Table for Vec<R> {
    type Row = R;

    fn rows(&self) -> &[R] {
        self
    }
}

/// A single thing, no list.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct One<R>(pub(crate) R);

impl<R: Serialize + DeserializeOwned> Table for One<R> {
    type Row = R;

    fn rows(&self) -> &[R] {
        std::slice::from_ref(&self.0)
    }
}

/// For how long whoever keeps an answer may take it for true.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lasting {
    /// It changes at any moment: ask whether it still holds (`If-None-Match`).
    Changing,
    /// What exchanges list: it changes every few minutes.
    Catalogue,
    /// A span of time that is over.
    Over,
}

impl Lasting {
    /// Of prices until this moment: what is older than an hour seldom changes.
    pub(crate) fn until(to: DateTime<Utc>) -> Self {
        if to < Utc::now() - chrono::TimeDelta::hours(1) { Self::Over } else { Self::Changing }
    }

    fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Changing => "no-cache",
            Self::Catalogue => "public, max-age=10",
            Self::Over => "public, max-age=60",
        })
    }
}

/// Data, and what is to be said about it.
pub(crate) struct Reply<T> {
    data: T,
    as_of: Option<DateTime<Utc>>,
    next_cursor: Option<Option<String>>,
    lasting: Lasting,
}

impl<T: Table> Reply<T> {
    /// Data that changes at any moment.
    pub(crate) fn of(data: T) -> Self {
        Self { data, as_of: None, next_cursor: None, lasting: Lasting::Changing }
    }

    /// Says when it was read, where it is about now.
    pub(crate) fn read_at(mut self, moment: DateTime<Utc>) -> Self {
        self.as_of = Some(moment);
        self
    }

    /// Says that it is a page, and where the next one begins.
    pub(crate) fn page(mut self, next_cursor: Option<String>) -> Self {
        self.next_cursor = Some(next_cursor);
        self
    }

    /// Says how long it lasts.
    pub(crate) fn lasting(mut self, lasting: Lasting) -> Self {
        self.lasting = lasting;
        self
    }

    fn body(&self, format: Format) -> Result<Vec<u8>, serde_json::Error> {
        #[derive(Serialize)]
        struct Envelope<'a, T> {
            data: &'a T,
            #[serde(skip_serializing_if = "Option::is_none")]
            as_of: Option<DateTime<Utc>>,
            #[serde(skip_serializing_if = "Option::is_none")]
            next_cursor: &'a Option<Option<String>>,
        }
        match format {
            Format::Json => {
                let Self { data, as_of, next_cursor, .. } = self;
                serde_json::to_vec(&Envelope { data, as_of: *as_of, next_cursor })
            }
            Format::Csv => write_csv(self.data.rows()),
            Format::Jsonl => {
                let mut lines = Vec::new();
                for row in self.data.rows() {
                    serde_json::to_writer(&mut lines, row)?;
                    lines.push(b'\n');
                }
                Ok(lines)
            }
        }
    }
}

impl<T: Table> Responder for Reply<T> {
    type Body = BoxBody;

    fn respond_to(self, request: &HttpRequest) -> HttpResponse {
        let rendered = Format::asked(request.query_string(), request).and_then(|format| {
            let body = self.body(format).map_err(|error| {
                tracing::error!(%error, path = request.path(), "an answer cannot be written");
                Failure::new(Code::Internal, "the answer cannot be written; the server's log says why")
            })?;
            Ok((format, body))
        });
        let (format, body) = match rendered {
            Ok(rendered) => rendered,
            Err(failure) => return failure.error_response(),
        };
        let mut response = HttpResponse::Ok();
        response.content_type(format.content_type()).insert_header((header::CACHE_CONTROL, self.lasting.header()));
        if let Some(cursor) = self.next_cursor.flatten() {
            response.insert_header((header::LINK, next_page(request, &cursor)));
        }
        response.body(body)
    }
}

/// This address, with another cursor.
fn next_page(request: &HttpRequest, cursor: &str) -> String {
    let mut address = format!("<{}?", request.uri().path());
    for pair in request.query_string().split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("cursor=")) {
        address.push_str(pair);
        address.push('&');
    }
    address.push_str("cursor=");
    address.push_str(cursor);
    address.push_str(">; rel=\"next\"");
    address
}
