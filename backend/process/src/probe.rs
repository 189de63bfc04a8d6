//! Health, as one list of named dependencies, and the small HTTP server that tells it.
//!
//! Live means that the process turns; it never depends on anything outside. Ready means that every dependency works,
//! and each is named, so that an operator sees at once which does not.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use actix_web::{App, HttpResponse, HttpServer, Responder, get, web};
use serde::Serialize;

use crate::{Shutdown, telemetry};

/// The dependencies of a process and how they do. Cheap to clone; all clones are one list.
#[derive(Debug, Clone, Default)]
pub struct Health(Arc<Mutex<BTreeMap<String, Result<(), String>>>>);

/// One dependency.
#[derive(Debug, Clone)]
pub struct Check {
    health: Health,
    name: String,
}

/// How one dependency does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Which it is.
    pub name: String,
    /// Whether it works.
    pub ok: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl Health {
    /// A list without dependencies.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a dependency, not working until it says so.
    pub fn register(&self, name: impl Into<String>) -> Check {
        let check = Check { health: self.clone(), name: name.into() };
        check.failed("not tried yet");
        check
    }

    /// How every dependency does, by name.
    pub fn report(&self) -> Vec<CheckReport> {
        let report = |(name, outcome): (&String, &Result<(), String>)| CheckReport {
            name: name.clone(),
            ok: outcome.is_ok(),
            detail: outcome.as_ref().err().cloned(),
        };
        self.lock().iter().map(report).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Result<(), String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Check {
    /// It works.
    pub fn ok(&self) {
        self.health.lock().insert(self.name.clone(), Ok(()));
    }

    /// It works, or it does not, and why.
    pub fn tell(&self, how: Result<(), String>) {
        match how {
            Ok(()) => self.ok(),
            Err(detail) => self.failed(detail),
        }
    }

    /// It does not.
    pub fn failed(&self, detail: impl Into<String>) {
        self.health.lock().insert(self.name.clone(), Err(detail.into()));
    }
}

/// Serves `/health/live`, `/health/ready` and `/metrics` until asked to stop.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(bind: SocketAddr, health: Health, shutdown: Shutdown) -> std::io::Result<()> {
    let server = HttpServer::new(move || {
        App::new().app_data(web::Data::new(health.clone())).service(live).service(ready).service(render_metrics)
    })
    .workers(1)
    .disable_signals()
    .shutdown_timeout(1)
    .bind(bind)
    .map_err(|error| {
        let told = format!(
            "cannot serve health and metrics on {bind}: {error}; stop what listens there, or choose another address by \
             the setting that ends in PROBE_BIND"
        );
        std::io::Error::new(error.kind(), told)
    })?
    .run();
    let handle = server.handle();
    tokio::spawn(async move {
        shutdown.cancelled().await;
        handle.stop(true).await;
    });
    server.await
}

/// [`serve`], beside everything else. When the address cannot be bound the whole process is asked to stop, and the
/// error waits in the handle.
pub fn spawn(bind: SocketAddr, health: Health, shutdown: Shutdown) -> tokio::task::JoinHandle<std::io::Result<()>> {
    tokio::spawn(async move {
        let outcome = serve(bind, health, shutdown.clone()).await;
        if let Err(error) = &outcome {
            tracing::error!(%error, "stopping");
            shutdown.cancel();
        }
        outcome
    })
}

#[get("/health/live")]
async fn live() -> impl Responder {
    HttpResponse::Ok().json(serde_json::json!({ "status": "live" }))
}

#[get("/health/ready")]
async fn ready(health: web::Data<Health>) -> impl Responder {
    let checks = health.report();
    let ready = checks.iter().all(|check| check.ok);
    let body = serde_json::json!({ "status": if ready { "ready" } else { "not ready" }, "checks": checks });
    if ready { HttpResponse::Ok().json(body) } else { HttpResponse::ServiceUnavailable().json(body) }
}

#[get("/metrics")]
async fn render_metrics() -> impl Responder {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(telemetry::metrics_handle().render())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dependency_is_named_and_starts_as_not_tried() {
        let health = Health::new();
        let database = health.register("database");
        health.register("broker").failed("connection refused");
        assert_eq!(health.report()[1].detail.as_deref(), Some("not tried yet"));
        database.ok();
        assert_eq!(
            health.report(),
            [
                CheckReport { name: "broker".into(), ok: false, detail: Some("connection refused".into()) },
                CheckReport { name: "database".into(), ok: true, detail: None },
            ]
        );
    }
}
