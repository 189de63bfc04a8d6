//! `/feeds`

use actix_web::web;
use api_types::{Data, FeedRow};

use crate::{
    handlers::{Answer, answer},
    openapi::Failures,
    parameters::{Asked, Nothing},
    server::State,
};

/// How the connection to each exchange does, as its tracker told last
#[utoipa::path(
    get,
    path = "/feeds",
    tag = "live",
    responses(
        (status = 200, description = "Every feed heard of since this server started", body = Data<Vec<FeedRow>>),
        Failures
    )
)]
pub(crate) async fn list(_: Asked<Nothing>, state: web::Data<State>) -> Answer<Vec<FeedRow>> {
    answer(state.hub.feeds())
}
