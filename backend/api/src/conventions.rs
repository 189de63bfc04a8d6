//! What every route of data has in common, written into its description: formats, tags, limits.
//!
//! So no handler says it again, and a new route is described in full by itself.

use actix_web::http::header;
use serde_json::json;
use utoipa::{
    Modify,
    openapi::{
        Content, Header, OpenApi, Ref, RefOr, Required, Schema,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn},
        response::Response,
        schema::{ObjectBuilder, Type},
    },
};

use crate::{format::Format, routes};

/// Adds it.
pub(crate) struct Conventions;

impl Modify for Conventions {
    fn modify(&self, document: &mut OpenApi) {
        let data_paths = routes::data_paths();
        for (path, item) in &mut document.paths.paths {
            let watched = path.starts_with("/health/") || path == "/metrics";
            if let Some(operation) = item.get.as_mut().filter(|_| data_paths.contains(&path.as_str())) {
                describe_data(operation);
            }
            let methods = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete];
            methods.into_iter().flatten().filter(|_| !watched).for_each(limited);
        }
    }
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn describe_data(operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    let is_paged = parameters.iter().any(|parameter| matches!(parameter, RefOr::T(one) if one.name == "cursor"));
    let names = Format::ALL.map(|(name, _)| name);
    let format = parameter(Format::PARAMETER, ParameterIn::Query, text().enum_values(Some(names)))
        .description(Some(
            "How the answer is written; it outranks `Accept`. `csv` begins with the names of the columns",
        ))
        .example(Some(json!("csv")));
    let known = parameter(header::IF_NONE_MATCH.as_str(), ParameterIn::Header, text())
        .description(Some("`ETag` of an earlier answer: if it is still the same, 304 comes without a body"))
        .example(Some(json!("\"0123456789abcdef0123456789abcdef\"")));
    parameters.extend([RefOr::T(format.build()), RefOr::T(known.build())]);

    let Some(RefOr::T(answer)) = operation.responses.responses.get_mut("200") else { return };
    for format in [Format::Csv, Format::Jsonl] {
        let kind = format.content_type().split(';').next().unwrap_or_default();
        answer.content.insert(kind.to_owned(), RefOr::T(Content::new(Some(schema(text())))));
    }
    let mut same = Response::new("It is what `If-None-Match` names");
    for response in [answer, &mut same] {
        add_header(response, header::ETAG.as_str(), "Names exactly this answer");
        add_header(response, header::CACHE_CONTROL.as_str(), "For how long it may be taken for true");
        add_header(response, header::VARY.as_str(), "Which headers of the request it depends on");
        if is_paged {
            add_header(
                response,
                header::LINK.as_str(),
                "Address of the next page, as `rel=\"next\"`; not on the last one",
            );
        }
    }
    operation.responses.responses.insert("304".to_owned(), RefOr::T(same));
}

/// Requests of one address are counted, and told how they stand.
fn limited(operation: &mut Operation) {
    let mut refused =
        Response::new("This address asks too often: `rate_limited`; `Retry-After` says when to come again");
    let problem = RefOr::Ref(Ref::from_schema_name("Problem"));
    refused.content.insert("application/problem+json".to_owned(), RefOr::T(Content::new(Some(problem))));
    add_header(&mut refused, header::RETRY_AFTER.as_str(), "Seconds until it helps to ask again");
    operation.responses.responses.insert("429".to_owned(), RefOr::T(refused));
    for response in operation.responses.responses.values_mut() {
        if let RefOr::T(response) = response {
            add_header(response, "RateLimit-Policy", "How often one address may ask: `q` requests in `w` seconds");
            add_header(response, "RateLimit", "What is left of it: `r` requests; all are back in `t` seconds");
        }
    }
}

fn parameter(name: &str, place: ParameterIn, of: ObjectBuilder) -> ParameterBuilder {
    let optional = Parameter::builder().name(name).parameter_in(place).required(Required::False);
    optional.schema(Some(schema(of)))
}

fn schema(of: ObjectBuilder) -> RefOr<Schema> {
    RefOr::T(Schema::from(of))
}

fn add_header(response: &mut Response, name: &str, description: &str) {
    let mut header = Header::new(schema(text()));
    header.description = Some(description.to_owned());
    response.headers.insert(name.to_owned(), RefOr::T(header));
}
