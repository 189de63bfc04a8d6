//! `/health`
//!
//! Live never depends on anything outside the process; ready names every dependency.

use actix_web::{HttpResponse, web};
use api_types::{Data, FeedRow, Problem};
use process::probe::CheckReport;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::{Code, Failure},
    server::State,
};

/// What keeps requests from being answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct NotReady {
    #[serde(flatten)]
    problem: Problem,
    data: Checks,
}

/// Everything that is needed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Checks {
    /// `ready` or `not ready`.
    #[schema(example = "ready")]
    status: &'static str,
    checks: Vec<CheckRow>,
    /// How the feed of each exchange does. One that is away keeps nothing from being answered.
    feeds: Vec<FeedRow>,
}

/// How one dependency does.
#[derive(Serialize, ToSchema)]
pub(crate) struct CheckRow {
    /// Which it is.
    #[schema(example = "database")]
    name: String,
    /// Whether it works.
    ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// That the process turns.
#[derive(Serialize, ToSchema)]
pub(crate) struct Live {
    #[schema(example = "live")]
    status: &'static str,
}

/// Whether the process turns
#[utoipa::path(
    get,
    path = "/health/live",
    tag = "operation",
    responses((status = 200, description = "It does", body = Data<Live>))
)]
pub(crate) async fn live() -> web::Json<Data<Live>> {
    web::Json(Data { data: Live { status: "live" }, as_of: None })
}

/// Whether everything works that answers need
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "operation",
    responses(
        (status = 200, description = "It does", body = Data<Checks>),
        (status = 503, description = "Something does not, and `detail` and `data` say what: `not_ready`", body = NotReady,
            content_type = "application/problem+json")
    )
)]
pub(crate) async fn ready(state: web::Data<State>) -> HttpResponse {
    let checks = state.health.report();
    let broken: Vec<String> = checks.iter().filter(|check| !check.ok).map(sentence).collect();
    let feeds = state.hub.feeds();
    let checks = checks.into_iter().map(|CheckReport { name, ok, detail }| CheckRow { name, ok, detail }).collect();
    if broken.is_empty() {
        return HttpResponse::Ok().json(Data { data: Checks { status: "ready", checks, feeds }, as_of: None });
    }
    let failure = Failure::new(Code::NotReady, broken.join("; "));
    failure.response(&NotReady { problem: failure.problem(), data: Checks { status: "not ready", checks, feeds } })
}

fn sentence(check: &CheckReport) -> String {
    format!("{}: {}", check.name, check.detail.as_deref().unwrap_or("not working"))
}
