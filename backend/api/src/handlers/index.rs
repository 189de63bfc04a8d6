//! `/`: what there is, for whoever comes by with curl or a browser.

use actix_web::{HttpRequest, HttpResponse, Responder as _, http::header, web};
use api_types::Data;

use crate::{handlers::top, routes, server::State};

/// Every route; but for who asks for a top list as an earlier system had it here, that list.
pub(crate) async fn show(request: HttpRequest, state: web::Data<State>) -> HttpResponse {
    if ["limit", "datetime", "format"].iter().any(|name| request.query_string().contains(name)) {
        return top::list(request, state).await;
    }
    let mut paths = routes::paths();
    paths.push("/docs");
    web::Json(Data { data: paths, as_of: None }).respond_to(&request).map_into_boxed_body()
}

/// To the documentation that can be tried out.
pub(crate) async fn docs() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}
