//! What every answer gets, whatever made it: headers, a JSON body where it failed, and a place in the metrics.

use std::time::{Duration, Instant};

use actix_web::{
    Error, HttpResponse, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    rt,
};

use crate::{
    connection::Connection,
    error::{Code, Failure},
};

/// Prices are public: any web page may read them, none can send anything.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
];

/// Outermost of all.
pub(crate) async fn finish(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let method = request.method().clone();
    let mut response = match answered_early(&request) {
        Some(response) => request.into_response(response),
        None => next.call(request).await?.map_into_boxed_body(),
    };
    if failed(response.status()) && !is_json(response.headers()) {
        response = as_json(response);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    if is_json(headers) && !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    // Set only to keep an answer from being compressed; a header that says "nothing was done" is not sent.
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding == "identity") {
        headers.remove(header::CONTENT_ENCODING);
    }
    count(&method, &response, started);
    Ok(response)
}

/// A browser asks whether it may ask; and nothing here takes a body.
fn answered_early(request: &ServiceRequest) -> Option<HttpResponse> {
    if request.method() == Method::OPTIONS {
        return Some(
            HttpResponse::NoContent()
                .insert_header((header::ALLOW, "GET, HEAD, OPTIONS"))
                .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, OPTIONS"))
                .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "*"))
                .insert_header((header::ACCESS_CONTROL_MAX_AGE, "86400"))
                .finish(),
        );
    }
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH);
    let has_body = headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0");
    has_body.then(|| {
        end_soon(request);
        Failure::new(Code::BodyNotAllowed, "no request here takes a body").error_response()
    })
}

/// The server would wait for a body that is announced and never comes; so the connection ends when the answer has had
/// time to arrive.
fn end_soon(request: &ServiceRequest) {
    if let Some(connection) = Connection::of(request.request()) {
        rt::spawn(async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            connection.cut();
        });
    }
}

fn failed(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn is_json(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
}

/// Answers of the framework, which are text or nothing.
fn as_json(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let (request, response) = response.into_parts();
    let answer = Failure::of_status(response.status()).error_response();
    ServiceResponse::new(request, answer)
}

fn count(method: &Method, response: &ServiceResponse<BoxBody>, started: Instant) {
    let route = response.request().match_pattern().unwrap_or_else(|| "none".to_owned());
    // Anyone can invent methods; each label costs memory.
    let method = [Method::GET, Method::HEAD, Method::OPTIONS].into_iter().find(|known| known == method);
    let method = method.as_ref().map_or("OTHER", Method::as_str).to_owned();
    let status = response.status().as_u16().to_string();
    metrics::histogram!("api_request_seconds", "route" => route.clone()).record(started.elapsed().as_secs_f64());
    metrics::counter!("api_requests_total", "method" => method, "route" => route, "status" => status).increment(1);
}
