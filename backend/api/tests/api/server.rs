//! A server for each test: its own database, its own port, its own live feed.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use api::{Server, Settings};
use broker::{Live, Message, RabbitMqSettings};
use database::{DatabaseSettings, Pool};
use process::{Health, Shutdown};
use reqwest::{StatusCode, header::HeaderName};
use serde_json::Value;
use testbed::database::TestDatabase;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::broadcast,
    task::JoinHandle,
};

/// Three exchanges; bitcoin on all of them, ethereum on one; BTCUSDT and ETHUSDT of binance are recorded.
const CATALOGUE: &str = "
    INSERT INTO exchange (name, country) VALUES ('simulated', NULL), ('binance', 'malta'), ('kraken', 'usa');
    INSERT INTO symbol (code, name) VALUES
        ('BTC', 'bitcoin'), ('ETH', 'ethereum'), ('USDT', 'tether'), ('EUR', 'euro'), ('BITCOIN', 'bitcoin-token');
    INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status, first_tick_at) VALUES
        (1, 'BTCUSDT', 1, 3, 'trading', NULL),
        (2, 'BTCUSDT', 1, 3, 'trading', now()),
        (2, 'ETHUSDT', 2, 3, 'trading', now()),
        (2, 'BTCEUR', 1, 4, 'halted', NULL),
        (3, 'XBT/EUR', 1, 4, 'trading', NULL);
    SELECT create_price_partition((now() AT TIME ZONE 'utc')::date + day) FROM generate_series(-3, 1) AS day;";

/// Keys of the recorded pairs.
pub(crate) const SIMULATED_BTCUSDT: i32 = 1;
pub(crate) const BTCUSDT: i32 = 2;
pub(crate) const ETHUSDT: i32 = 3;

pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) pool: Pool,
    pub(crate) live: broadcast::Sender<Arc<Message>>,
    pub(crate) database: TestDatabase,
    pub(crate) shutdown: Shutdown,
    pub(crate) task: JoinHandle<Result<(), api::Error>>,
    http: reqwest::Client,
}

/// The usual settings, except that nothing is kept from what a test changes by SQL, and that it may ask at any rate.
pub(crate) fn settings() -> Settings {
    Settings { api_drain_seconds: 1, api_cache_ms: 0, api_rate_limit: 0, ..Settings::default() }
}

/// Starts one with these settings.
pub(crate) async fn start() -> TestServer {
    start_with(settings(), 4).await
}

pub(crate) async fn start_with(settings: Settings, connections: usize) -> TestServer {
    let live = broadcast::channel(1_024).0;
    let feed = Live::local(live.clone());
    start_hearing(settings, connections, live, feed).await
}

/// Starts one that hears nothing: its RabbitMQ is away.
pub(crate) async fn start_deaf(settings: Settings) -> TestServer {
    let nowhere = RabbitMqSettings::at("amqp://127.0.0.1:1").unwrap();
    start_hearing(settings, 4, broadcast::channel(1).0, Live::rabbitmq(nowhere)).await
}

async fn start_hearing(
    settings: Settings,
    connections: usize,
    live: broadcast::Sender<Arc<Message>>,
    feed: Live,
) -> TestServer {
    process::telemetry::metrics_handle();
    process::tls::install();
    let database = TestDatabase::create(&database::migrate::fingerprint(), async |url| {
        let pool = database::connect(&DatabaseSettings::at(url))?;
        database::migrate(&pool).await?;
        pool.close();
        anyhow::Ok(())
    })
    .await;
    let pool = pool(&database, connections);
    pool.get().await.unwrap().batch_execute(CATALOGUE).await.unwrap();
    let settings = Settings { api_bind: SocketAddr::from(([127, 0, 0, 1], 0)), ..settings };
    let shutdown = Shutdown::new();
    let server = Server::bind(&settings, pool.clone(), feed, Health::new(), shutdown.clone()).unwrap();
    let address = server.address();
    let task = tokio::spawn(server.run());
    let http = reqwest::Client::builder().no_proxy().no_gzip().timeout(Duration::from_secs(20)).build().unwrap();
    TestServer { address, pool, live, database, shutdown, task, http }
}

pub(crate) fn pool(database: &TestDatabase, connections: usize) -> Pool {
    let mut settings = DatabaseSettings::at(database.url());
    settings.database_pool_size = connections;
    database::connect(&settings).unwrap()
}

impl TestServer {
    pub(crate) async fn sql(&self, sql: &str) {
        self.pool.get().await.unwrap().batch_execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Asks and reads the JSON.
    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        let response = self.response(path).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}")))
    }

    /// Asks for what must be there.
    pub(crate) async fn data(&self, path: &str) -> Value {
        let (status, mut body) = self.get(path).await;
        assert_eq!(status, 200, "{path}: {body}");
        body["data"].take()
    }

    /// Asks for what must be refused.
    pub(crate) async fn error(&self, path: &str, status: u16) -> Value {
        let (was, body) = self.get(path).await;
        assert_eq!(was, status, "{path}: {body}");
        body
    }

    pub(crate) async fn response(&self, path: &str) -> reqwest::Response {
        self.http.get(self.url(path)).send().await.unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    pub(crate) async fn response_to(&self, path: &str, headers: &[(HeaderName, &str)]) -> reqwest::Response {
        let mut request = self.http.get(self.url(path));
        for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(name, *value);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn request(&self, method: reqwest::Method, path: &str) -> reqwest::Response {
        self.http.request(method, self.url(path)).send().await.unwrap()
    }

    /// Sends a request with these headers and perhaps a body of JSON. Returns the status and the text that came.
    pub(crate) async fn send(
        &self,
        method: reqwest::Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<Value>,
    ) -> (u16, String) {
        let mut request = self.http.request(method, self.url(path));
        if let Some(body) = body {
            let is_told = headers.iter().any(|(name, _)| *name == "content-type");
            let kind = (!is_told).then_some(("content-type", "application/json"));
            request = kind.into_iter().fold(request, |request, (name, kind)| request.header(name, kind));
            request = request.body(body.to_string());
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Sends a file of text, with a token. Returns the status and the JSON that came.
    pub(crate) async fn send_file(&self, path: &str, token: &str, file: impl Into<reqwest::Body>) -> (u16, Value) {
        let (status, lines) = self.send_file_for_lines(path, token, file).await;
        (status, lines[0].clone())
    }

    /// The same, answered by lines of JSON.
    pub(crate) async fn send_file_for_lines(
        &self,
        path: &str,
        token: &str,
        file: impl Into<reqwest::Body>,
    ) -> (u16, Vec<Value>) {
        let request = self.http.post(self.url(path)).bearer_auth(token).header("content-type", "text/csv").body(file);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (status, text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends exactly these bytes after `GET `, and reads status and body: no client's corrections in between.
    pub(crate) async fn raw(&self, target_and_headers: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let parts = [b"GET ", target_and_headers, b"\r\nhost: test\r\nconnection: close\r\n\r\n"];
        stream.write_all(&parts.concat()).await.unwrap();
        let mut answer = Vec::new();
        // A server that refuses may reset the connection behind its answer.
        let _ = stream.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or_default();
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default();
        (status, body)
    }

    /// Stores a candle for each `(minutes ago, open, high, low, close)`.
    pub(crate) async fn minutes_ago(&self, ticker_id: i32, candles: &[(i32, &str, &str, &str, &str)]) {
        for (ago, open, high, low, close) in candles {
            self.sql(&format!(
                "SELECT create_candle_partition((now() - interval '{ago} minutes')::date);
                 INSERT INTO candle (ticker_id, width, open_time, open, high, low, close, volume, quote_volume, trades,
                                     ticks, price_sum, square_sum, first_time, first_trade_id, last_time, last_trade_id)
                 SELECT {ticker_id}, '1m', t, {open}, {high}, {low}, {close}, 2, 2 * {close}, 2, 2, {open} + {close},
                        {open}::numeric * {open} + {close}::numeric * {close}, t, 1, t + interval '30 seconds', 2
                 FROM date_trunc('minute', now() - interval '{ago} minutes') AS t"
            ))
            .await;
        }
        self.fold_candles().await;
    }

    /// Folds candles into wider ones, as a db-handler does all the time.
    pub(crate) async fn fold_candles(&self) {
        let mut client = self.pool.get().await.unwrap();
        while database::rollup::round(&mut client, 1_000).await.unwrap() == 1_000 {}
    }
}
