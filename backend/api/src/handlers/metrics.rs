//! `/metrics`

use actix_web::{HttpResponse, web};

use crate::server::State;

/// Counters and durations, in Prometheus's text format
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses((status = 200, description = "The process's metrics", body = String, content_type = "text/plain"))
)]
pub(crate) async fn render(state: web::Data<State>) -> HttpResponse {
    let pool = state.reader.pool_use();
    for (kind, count) in [("most", pool.most), ("open", pool.open), ("idle", pool.idle), ("waited_for", pool.waiting)] {
        metrics::gauge!("api_database_connections", "kind" => kind).set(count as f64);
    }
    let (answers, bytes) = state.cache.content();
    metrics::gauge!("api_cache_answers").set(answers as f64);
    metrics::gauge!("api_cache_bytes").set(bytes as f64);
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(process::telemetry::metrics_handle().render())
}
