//! `/`: what there is, for whoever comes by with curl or a browser.

use actix_web::{HttpResponse, http::header, web};
use api_types::Data;

use crate::routes;

/// Every route.
pub(crate) async fn show() -> web::Json<Data<Vec<&'static str>>> {
    let mut paths = routes::paths();
    paths.push("/docs");
    web::Json(Data { data: paths, as_of: None })
}

/// To the documentation that can be tried out.
pub(crate) async fn docs() -> HttpResponse {
    HttpResponse::PermanentRedirect().insert_header((header::LOCATION, "/docs/")).finish()
}
