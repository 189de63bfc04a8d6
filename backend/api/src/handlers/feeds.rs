//! `/feeds`

use actix_web::web;
use api_types::{Data, FeedRow};
use chrono::Utc;

use crate::{
    openapi::Failures,
    parameters::{Asked, Nothing},
    reply::{Answer, Reply},
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
    Ok(Reply::of(state.hub.feeds()).read_at(Utc::now()))
}
