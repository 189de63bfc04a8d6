//! `/problems` and `/problems/{code}`

use actix_web::web;
use api_types::{Data, ProblemRow};

use crate::{
    closest::closest,
    error::{Code, Failure},
    openapi::Failures,
    parameters::{Asked, Nothing},
    reply::{Answer, Lasting, One, Reply},
};

/// Every way in which a request can fail
#[utoipa::path(
    get,
    path = "/problems",
    tag = "operation",
    responses((status = 200, description = "All kinds of failures", body = Data<Vec<ProblemRow>>), Failures)
)]
pub(crate) async fn list(_: Asked<Nothing>) -> Answer<Vec<ProblemRow>> {
    let rows: Vec<ProblemRow> = Code::ALL.iter().map(|code| code.row()).collect();
    Ok(Reply::of(rows).lasting(Lasting::Catalogue))
}

/// What a failure means, why it happens, and what helps
#[utoipa::path(
    get,
    path = "/problems/{code}",
    tag = "operation",
    params(("code" = String, Path, description = "The word in the failure's `code`", example = "unknown_ticker")),
    responses((status = 200, description = "What it means", body = Data<ProblemRow>), Failures)
)]
pub(crate) async fn find(code: web::Path<String>, _: Asked<Nothing>) -> Answer<One<ProblemRow>> {
    let Some(known) = Code::ALL.iter().find(|known| known.word() == *code) else {
        let failure = Failure::new(Code::UnknownProblem, "no failure has this code; /problems lists those that do");
        let alike = closest(&code, Code::ALL.iter().map(|code| code.word()));
        return Err(failure.at("code", &code).allowed(alike.join(", ")));
    };
    Ok(Reply::of(One(known.row())).lasting(Lasting::Catalogue))
}
