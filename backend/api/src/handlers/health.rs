//! `/health`
//!
//! Live never depends on anything outside the process; ready names every dependency.

use actix_web::{HttpResponse, http::StatusCode, web};
use api_types::{Data, ErrorDetail};
use process::probe::CheckReport;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    error::{Code, Failure},
    server::State,
};

/// Whether requests can be answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    data: Checks,
    /// Only where something is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorDetail>,
}

/// Everything that is needed.
#[derive(Serialize, ToSchema)]
pub(crate) struct Checks {
    /// `ready` or `not ready`.
    #[schema(example = "ready")]
    status: &'static str,
    checks: Vec<CheckRow>,
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
    web::Json(Data { data: Live { status: "live" } })
}

/// Whether everything works that answers need
#[utoipa::path(
    get,
    path = "/health/ready",
    tag = "operation",
    responses(
        (status = 200, description = "It does", body = Readiness),
        (status = 503, description = "Something does not, and `error` and `data` say what", body = Readiness)
    )
)]
pub(crate) async fn ready(state: web::Data<State>) -> HttpResponse {
    let checks = state.health.report();
    let broken: Vec<String> = checks.iter().filter(|check| !check.ok).map(sentence).collect();
    let error = (!broken.is_empty()).then(|| Failure::new(Code::NotReady, broken.join("; ")).detail());
    let (status, word) =
        if error.is_none() { (StatusCode::OK, "ready") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready") };
    let checks = checks.into_iter().map(|CheckReport { name, ok, detail }| CheckRow { name, ok, detail }).collect();
    HttpResponse::build(status).json(Readiness { data: Checks { status: word, checks }, error })
}

fn sentence(check: &CheckReport) -> String {
    format!("{}: {}", check.name, check.detail.as_deref().unwrap_or("not working"))
}
