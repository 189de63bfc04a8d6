//! What every answer gets, whatever made it: a limit, headers, a problem where it failed, and a place in the metrics.

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
    rt, web,
};

use crate::{
    auth,
    connection::Connection,
    data_route,
    encoding::Encoding,
    error::{Code, Failure, PROBLEM_JSON},
    meter,
    rate_limit::Standing,
    routes,
    server::State,
};

/// Prices are public: any web page may read them. What belongs to an account is given to whoever sends its token, which no browser
/// does by itself.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
    (
        header::ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("content-disposition, etag, link, ratelimit, ratelimit-policy, retry-after"),
    ),
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
    let state = request.app_data::<web::Data<State>>().cloned();
    let (counted, standing) = match state.as_ref().and_then(|state| limit(state, &request)) {
        Some((counted, standing)) => (counted, Some(standing)),
        None => (Ok(()), None),
    };
    let has_body = has_body(&request);
    let sender = has_body.then(|| Connection::of(request.request())).flatten();
    let mut early =
        counted.err().map(|failure| failure.error_response()).or_else(|| answered_early(&request, has_body));
    let is_closed = state.as_ref().is_some_and(|state| state.require_auth);
    if early.is_none() && is_closed && !is_open(request.path()) {
        early = auth::bearer(request.request().clone()).await.err().map(|failure| failure.error_response());
    }
    let mut route = None;
    let mut response = match (early, state) {
        (Some(response), _) => request.into_response(response),
        (None, Some(state)) => match data_route::kept(&state, &request) {
            Some(kept) => {
                route = Some(kept.pattern);
                let response = kept.response(request.headers());
                request.into_response(response)
            }
            None => next.call(request).await?.map_into_boxed_body(),
        },
        (None, None) => next.call(request).await?.map_into_boxed_body(),
    };
    // Who fails may have left the body where it was.
    if let Some(sender) = sender.filter(|_| failed(response.status())) {
        end_soon(sender);
    }
    // A few routes fail in a form of their own, which is JSON too.
    let is_ours = is(response.headers(), PROBLEM_JSON) || is(response.headers(), "application/json");
    if failed(response.status()) && !is_ours {
        response = as_problem(response);
    }
    if !response.headers().contains_key(header::ETAG) {
        response = compressed(response);
    }
    let headers = response.headers_mut();
    for (name, value) in HEADERS.into_iter().chain(standing.into_iter().flat_map(|standing| standing.headers())) {
        headers.insert(name, value);
    }
    if is_closed && headers.get(header::CACHE_CONTROL).is_some_and(|kept| kept.as_bytes().starts_with(b"public")) {
        // Whoever stands between must not tell it to strangers.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    if !headers.contains_key(header::CACHE_CONTROL) && is(headers, "application/json") {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    meter::count(route, &response, started);
    Ok(response)
}

/// Counts a request of its address. Those of whoever watches over the process are not counted.
fn limit(state: &State, request: &ServiceRequest) -> Option<(Result<(), Failure>, Standing)> {
    let limit = state.rate_limit.as_ref()?;
    let path = request.path();
    let watched = path.starts_with("/health/") || path == "/metrics";
    (!watched).then(|| limit.count(request))
}

/// What is told to strangers even where accounts are required: how to log in, whether all is well, and what failures mean.
fn is_open(path: &str) -> bool {
    let path = path.strip_suffix('/').unwrap_or(path);
    matches!(
        path,
        "" | "/docs" | "/openapi.json" | "/metrics" | "/problems" | "/api/token" | "/api/token/refresh" | "/account"
    ) || ["/docs/", "/health/", "/problems/"].iter().any(|begin| path.starts_with(begin))
}

/// A browser asks whether it may ask; and few routes take a body.
fn answered_early(request: &ServiceRequest, has_body: bool) -> Option<HttpResponse> {
    let changes = || routes::changes(request.path());
    if request.method() == Method::OPTIONS {
        let allowed = format!("{}, OPTIONS", changes().unwrap_or("GET, HEAD"));
        return Some(
            HttpResponse::NoContent()
                .insert_header((header::ALLOW, allowed.as_str()))
                .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, allowed.as_str()))
                // The star is not for this one.
                .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "*, authorization"))
                .insert_header((header::ACCESS_CONTROL_MAX_AGE, "86400"))
                .finish(),
        );
    }
    (has_body && changes().is_none())
        .then(|| Failure::new(Code::BodyNotAllowed, "this route takes no body").error_response())
}

/// Whether a body is announced.
fn has_body(request: &ServiceRequest) -> bool {
    let headers = request.headers();
    let length = headers.get(header::CONTENT_LENGTH);
    headers.contains_key(header::TRANSFER_ENCODING) || length.is_some_and(|length| length != "0")
}

/// The server would wait for a body that is announced and never comes; so the connection ends when the answer has had
/// time to arrive.
fn end_soon(connection: Connection) {
    rt::spawn(async move {
        tokio::time::sleep(Duration::from_secs(1)).await;
        connection.cut();
    });
}

fn failed(status: StatusCode) -> bool {
    status.is_client_error() || status.is_server_error()
}

fn is(headers: &HeaderMap, kind: &str) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|header| header.as_bytes().starts_with(kind.as_bytes()))
}

/// Answers of the framework, which are text or nothing.
fn as_problem(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let (request, response) = response.into_parts();
    let answer = Failure::of_status(response.status()).error_response();
    ServiceResponse::new(request, answer)
}

/// Compresses what is no data, such as the documentation; data are when they come.
fn compressed(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let asked = response.request().headers().contains_key(header::ACCEPT_ENCODING);
    if !asked || response.status() != StatusCode::OK || is(response.headers(), "image/") {
        return response;
    }
    let (request, response) = response.into_parts();
    let encoding = match Encoding::accepted(&request) {
        Ok(encoding) => encoding,
        Err(failure) => return ServiceResponse::new(request, failure.error_response()),
    };
    let (response, body) = response.into_parts();
    let (body, header) = match body.try_into_bytes() {
        Ok(body) => encoding.apply(body),
        Err(streaming) => return ServiceResponse::new(request, response.set_body(streaming)),
    };
    let mut response = response.set_body(body).map_into_boxed_body();
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(header) = header {
        response.headers_mut().insert(header::CONTENT_ENCODING, header);
    }
    ServiceResponse::new(request, response)
}
