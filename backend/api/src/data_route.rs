//! Around every route of data, whether it answers in our formats or in a form of its own: the answer that is kept, or a new one,
//! compressed and tagged.

use std::{borrow::Cow, sync::Arc};

use actix_web::{
    Error, HttpRequest, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{Method, StatusCode},
    middleware::Next,
    web,
};

use crate::{
    cache::{Maker, Question, Turn},
    encoding::Encoding,
    error::Failure,
    format::Format,
    kept::{Form, Kept},
    server::State,
};

/// The answer that is kept and fresh, if there is one. Asked before anything looks for a route, which would cost more than
/// all the rest.
pub(crate) fn kept(state: &State, request: &ServiceRequest) -> Option<Arc<Kept>> {
    if !state.cache.is_on() || !matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    state.cache.find(&question(request.request()).ok()?)
}

/// Answers a request to the route of this pattern.
pub(crate) async fn serve(
    pattern: &'static str,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(state) = request.app_data::<web::Data<State>>().cloned() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let http = request.request().clone();
    let question = match question(&http) {
        Ok(question) => question,
        Err(failure) => return Ok(request.into_response(failure.error_response())),
    };
    let form = Form { pattern, encoding: question.encoding };
    if !state.cache.is_on() {
        return make(None, form, &state, request, next).await;
    }
    match state.cache.turn(question).await {
        Turn::Have(kept) => Ok(request.into_response(kept.response(http.headers()))),
        Turn::Make(maker) => make(Some(maker), form, &state, request, next).await,
        Turn::Alone => make(None, form, &state, request, next).await,
    }
}

/// A format that is none of ours is refused by the handler, or means something to one that answers in a form of its own.
fn question(request: &HttpRequest) -> Result<Question<'_>, Failure> {
    let format = Format::asked(request.query_string(), request).unwrap_or(Format::Json);
    Ok(Question { target: target(request), format, encoding: Encoding::accepted(request)? })
}

async fn make(
    maker: Option<Maker<'_>>,
    form: Form,
    state: &State,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let reading = maker.as_ref().map_or_else(|| state.cache.reading(), |maker| maker.reading);
    let answered = next.call(request).await?.map_into_boxed_body();
    let (http, response) = answered.into_parts();
    let kept =
        if response.status() == StatusCode::OK { Kept::of(response, form, reading) } else { Err(Box::new(response)) };
    match kept {
        Ok(kept) => {
            let kept = Arc::new(kept);
            if let Some(maker) = maker {
                maker.made(kept.clone());
            }
            let response = kept.response(http.headers());
            Ok(ServiceResponse::new(http, response))
        }
        Err(response) => {
            if let Some(maker) = maker {
                maker.failed();
            }
            Ok(ServiceResponse::new(http, *response))
        }
    }
}

/// Path and parameters in a form that is the same for the same question: decoded and sorted. Most questions have just one
/// form, and are taken as they are.
fn target(request: &HttpRequest) -> Cow<'_, str> {
    let as_it_is = || Cow::Borrowed(request.uri().path_and_query().map_or("/", |target| target.as_str()));
    let query = request.query_string();
    if !query.contains('&') && !query.contains('%') {
        return as_it_is();
    }
    let Ok(pairs) = web::Query::<Vec<(String, String)>>::from_query(query) else { return as_it_is() };
    let mut pairs = pairs.into_inner();
    // It parts names and values below, so that nothing that is asked for may hold it.
    if pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        return as_it_is();
    }
    pairs.sort();
    let mut target = request.uri().path().to_owned();
    for (name, value) in pairs {
        target.extend(["\0", &name, "\0", &value]);
    }
    Cow::Owned(target)
}
