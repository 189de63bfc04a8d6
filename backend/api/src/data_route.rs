//! Around every route of data: the answer that is kept, or a new one, compressed and tagged.

use std::{borrow::Cow, sync::Arc};

use actix_web::{
    Error, HttpMessage as _, HttpRequest, ResponseError as _,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::StatusCode,
    middleware::Next,
    web,
};

use crate::{
    cache::{Maker, Question, Turn},
    encoding::Encoding,
    format::Format,
    kept::Kept,
    middleware::Label,
    server::State,
};

/// Answers a request to the route of this pattern.
pub(crate) async fn serve(
    pattern: &'static str,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    request.extensions_mut().insert(Label(pattern));
    let Some(state) = request.app_data::<web::Data<State>>().cloned() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let asked =
        Format::asked(request.query_string(), &request).and_then(|format| Ok((format, Encoding::accepted(&request)?)));
    let (format, encoding) = match asked {
        Ok(asked) => asked,
        Err(failure) => return Ok(request.into_response(failure.error_response())),
    };
    let cache = &state.cache;
    if !cache.is_on() {
        return make(None, encoding, &state, request, next).await;
    }
    let http = request.request().clone();
    let question = Question { target: target(&http), format, encoding };
    if let Some(kept) = cache.find(&question) {
        return Ok(request.into_response(kept.response(&http)));
    }
    match cache.turn(question).await {
        Turn::Have(kept) => Ok(request.into_response(kept.response(&http))),
        Turn::Make(maker) => make(Some(maker), encoding, &state, request, next).await,
        Turn::Alone => make(None, encoding, &state, request, next).await,
    }
}

async fn make(
    maker: Option<Maker<'_>>,
    encoding: Encoding,
    state: &State,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let reading = maker.as_ref().map_or_else(|| state.cache.reading(), |maker| maker.reading);
    let answered = next.call(request).await?.map_into_boxed_body();
    let (http, response) = answered.into_parts();
    let kept = if response.status() == StatusCode::OK {
        Kept::of(response, encoding, reading)
    } else {
        Err(Box::new(response))
    };
    match kept {
        Ok(kept) => {
            let kept = Arc::new(kept);
            if let Some(maker) = maker {
                maker.made(kept.clone());
            }
            let response = kept.response(&http);
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

/// Path and parameters in a form that is the same for the same question: sorted, without the format, which is known
/// beside it. Most questions have that form already.
fn target(request: &HttpRequest) -> Cow<'_, str> {
    let query = request.query_string();
    if !query.contains('&') && !query.contains('%') && !query.contains(Format::PARAMETER) {
        return Cow::Borrowed(request.uri().path_and_query().map_or("/", |target| target.as_str()));
    }
    let Ok(pairs) = web::Query::<Vec<(String, String)>>::from_query(query) else {
        return Cow::Borrowed(request.uri().path_and_query().map_or("/", |target| target.as_str()));
    };
    let mut pairs = pairs.into_inner();
    // Only the first: a second one makes the question a mistake.
    if let Some(index) = pairs.iter().position(|(name, _)| name == Format::PARAMETER) {
        pairs.remove(index);
    }
    pairs.sort();
    let mut target = request.uri().path().to_owned();
    for (name, value) in pairs {
        // No value that is taken holds a control character.
        target.extend(["\0", &name, "\0", &value]);
    }
    Cow::Owned(target)
}
