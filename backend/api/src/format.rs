//! In which form rows are answered: what was asked for by `format=` or by `Accept`, the parameter first.

use actix_web::{
    HttpMessage,
    http::header::{self, Accept, Header as _},
    web,
};
use utoipa::ToSchema;

use crate::error::Failure;

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum Format {
    /// `{"data": …}`
    Json,
    /// A line of column names, then a line for each row.
    Csv,
    /// A JSON object on a line for each row.
    Jsonl,
}

impl Format {
    /// Every form, by its name in `format=`.
    pub(crate) const ALL: [(&'static str, Self); 3] =
        [("json", Self::Json), ("csv", Self::Csv), ("jsonl", Self::Jsonl)];

    /// The parameter's name.
    pub(crate) const PARAMETER: &'static str = "format";

    /// What a request asks for. Where it accepts nothing that we have, JSON.
    ///
    /// # Errors
    /// When `format` names none of ours.
    pub(crate) fn asked(query: &str, message: &impl HttpMessage) -> Result<Self, Failure> {
        match named(query) {
            Some(name) => Self::parse(&name),
            None => Ok(Self::accepted(message)),
        }
    }

    /// By its name.
    ///
    /// # Errors
    /// When it is none of ours.
    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        let known = Self::ALL.iter().find(|(known, _)| *known == name);
        known.map(|(_, format)| *format).ok_or_else(|| {
            let allowed = Self::ALL.map(|(name, _)| name).join(", ");
            Failure::parameter(Self::PARAMETER, name, "answers are not written in this format", allowed)
        })
    }

    fn accepted(message: &impl HttpMessage) -> Self {
        // What curl and most programs send, read without parsing.
        if message.headers().get(header::ACCEPT).is_none_or(|accept| accept == "*/*" || accept == "application/json") {
            return Self::Json;
        }
        let Ok(accept) = Accept::parse(message) else { return Self::Json };
        let known =
            accept.ranked().into_iter().find_map(|range| match (range.type_().as_str(), range.subtype().as_str()) {
                ("application", "jsonl" | "x-ndjson") => Some(Self::Jsonl),
                ("text", "csv") => Some(Self::Csv),
                ("*" | "application", "json" | "*") => Some(Self::Json),
                _ => None,
            });
        known.unwrap_or(Self::Json)
    }

    /// What is said of the body.
    pub(crate) fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Jsonl => "application/jsonl",
        }
    }
}

/// The value of `format` behind the question mark.
fn named(query: &str) -> Option<String> {
    if !query.contains(Format::PARAMETER) && !query.contains('%') {
        return None;
    }
    let pairs = web::Query::<Vec<(String, String)>>::from_query(query).ok()?.into_inner();
    pairs.into_iter().find(|(name, _)| name == Format::PARAMETER).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_parameter_outranks_the_header_and_what_we_do_not_have_is_json() {
        for (query, accept, expected) in [
            ("", "", Some(Format::Json)),
            ("", "*/*", Some(Format::Json)),
            ("", "text/csv", Some(Format::Csv)),
            ("", "application/x-ndjson", Some(Format::Jsonl)),
            ("", "application/jsonl, text/csv;q=0.5", Some(Format::Jsonl)),
            ("", "text/csv;q=0.5, application/json", Some(Format::Json)),
            ("", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(Format::Json)),
            ("", "image/png", Some(Format::Json)),
            ("", "text/csv;;;=", Some(Format::Json)),
            ("a=1&format=csv", "application/json", Some(Format::Csv)),
            ("form%61t=jsonl", "", Some(Format::Jsonl)),
            ("exchange=format", "text/csv", Some(Format::Csv)),
            ("format=xml", "text/csv", None),
            ("format=", "", None),
        ] {
            let request = TestRequest::default().insert_header((header::ACCEPT, accept)).to_http_request();
            assert_eq!(Format::asked(query, &request).ok(), expected, "{query} {accept}");
        }
    }
}
