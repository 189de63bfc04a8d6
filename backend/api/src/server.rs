//! Binds the address, starts what runs beside the requests, and stops in order.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev, middleware::from_fn, web};
use chrono::TimeDelta;
use database::Pool;
use process::{Health, Shutdown};
use tokio::{sync::Semaphore, task::JoinSet};

use crate::{
    Settings,
    attempts::Attempts,
    books::Books,
    cache::Cache,
    connection::Connection,
    export,
    handlers::{earlier_prices::KeptPrices, transaction_files::Present},
    live::Hub,
    middleware,
    rate_limit::RateLimit,
    reader::Reader,
    readiness::DatabaseChecks,
    routes, top_halves,
};

/// The API cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is taken or not ours.
    #[error("cannot serve the API on {address}: {source}; API_BIND chooses another address")]
    Bind {
        /// Where it should have been.
        address: SocketAddr,
        /// What the system says.
        source: std::io::Error,
    },
    /// The server broke while it ran.
    #[error("serving the API: {0}")]
    Serve(#[from] std::io::Error),
}

/// What handlers share.
pub(crate) struct State {
    pub(crate) reader: Reader,
    pub(crate) hub: Hub,
    pub(crate) cache: Cache,
    pub(crate) books: Books,
    pub(crate) present: Present,
    pub(crate) kept_prices: KeptPrices,
    /// Where there is a limit.
    pub(crate) rate_limit: Option<RateLimit>,
    /// One for each export that may run.
    pub(crate) exports: Arc<Semaphore>,
    pub(crate) health: Health,
    pub(crate) shutdown: Shutdown,
    /// From which age on a newest price is stale.
    pub(crate) stale_after: TimeDelta,
    pub(crate) top_sources: top_halves::Sources,
    /// Tries to log in.
    pub(crate) attempts: Attempts,
    /// Whether a proxy says who asks.
    pub(crate) trust_proxy: bool,
    /// Whether every request must say who asks.
    pub(crate) require_auth: bool,
    /// Whether anybody may make an account.
    pub(crate) sign_up: bool,
    /// How long an access token serves.
    pub(crate) access_lasting: TimeDelta,
    /// How long a session lasts.
    pub(crate) refresh_lasting: TimeDelta,
}

/// The API on its address, accepting requests.
pub struct Server {
    address: SocketAddr,
    server: dev::Server,
    beside: JoinSet<()>,
}

impl Server {
    /// Binds the address and begins to serve. Must be called within a tokio runtime. Stops when `shutdown` is
    /// cancelled.
    ///
    /// # Errors
    /// When the address cannot be bound.
    pub fn bind(
        settings: &Settings,
        pool: Pool,
        live: broker::Live,
        health: Health,
        shutdown: Shutdown,
    ) -> Result<Self, Error> {
        let hub = Hub::new(settings.live_limits());
        let database_checks = DatabaseChecks::register(&health);
        let live_check = health.register("live feed");
        let reader = Reader::new(pool.clone(), settings);
        let state = web::Data::new(State {
            reader,
            hub: hub.clone(),
            cache: Cache::new(settings, hub.news()),
            books: Books::default(),
            present: Present::default(),
            kept_prices: KeptPrices::default(),
            rate_limit: RateLimit::new(settings),
            exports: export::seats(settings.api_exports),
            health,
            shutdown: shutdown.clone(),
            stale_after: settings.stale_after(),
            top_sources: top_halves::Sources { prices: settings.api_top_prices, ranks: settings.api_top_ranks },
            attempts: Attempts::new(),
            trust_proxy: settings.api_trust_proxy,
            require_auth: settings.api_require_auth,
            sign_up: settings.api_sign_up,
            access_lasting: TimeDelta::minutes(settings.api_access_minutes.into()),
            refresh_lasting: TimeDelta::days(settings.api_refresh_days.into()),
        });
        let bind = |source| Error::Bind { address: settings.api_bind, source };
        let server = HttpServer::new(move || {
            App::new().app_data(state.clone()).wrap(from_fn(middleware::finish)).configure(routes::configure)
        })
        .workers(settings.api_workers.max(1))
        .client_request_timeout(Duration::from_millis(settings.api_request_timeout_ms))
        .shutdown_timeout(settings.api_drain_seconds)
        .shutdown_signal(shutdown.clone().cancelled_owned())
        .on_connect(Connection::remember)
        .bind(settings.api_bind)
        .map_err(bind)?;
        let address = server.addrs().first().copied().unwrap_or(settings.api_bind);
        let mut beside = JoinSet::new();
        beside.spawn(hub.run(live, live_check, shutdown.clone()));
        beside.spawn(database_checks.watch(pool, shutdown));
        Ok(Self { address, server: server.run(), beside })
    }

    /// Where it serves; the port is the real one where the settings said 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until asked to stop and every request is answered, or given up.
    ///
    /// # Errors
    /// When the server breaks.
    pub async fn run(self) -> Result<(), Error> {
        let Self { address, server, mut beside } = self;
        tracing::info!(%address, "the API serves; /docs describes it");
        let outcome = server.await;
        beside.shutdown().await;
        tracing::info!("the API has stopped");
        Ok(outcome?)
    }
}

/// Serves the API until `shutdown` is cancelled.
///
/// # Errors
/// When the address cannot be bound or the server breaks.
pub async fn run(
    settings: Settings,
    pool: Pool,
    live: broker::Live,
    health: Health,
    shutdown: Shutdown,
) -> Result<(), Error> {
    Server::bind(&settings, pool, live, health, shutdown)?.run().await
}
