//! How many requests the API answers, next to what the framework answers with a constant.
//!
//! Both servers have the same number of workers and get the same load: connections that are kept, one request at a time on
//! each. The API reads from a real PostgreSQL with all that stands around an answer, into which a thousand ticks a second are
//! stored meanwhile, each commit told to the API.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context as _, ensure};
use broker::{Message, Stored};
use chrono::Utc;
use database::{DatabaseSettings, Pool, ingest::NewPrice};
use domain::{Tick, TickSource};
use process::{Health, Shutdown};
use rust_decimal::Decimal;
use testbed::database::TestDatabase;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// Threads of each server.
const WORKERS: usize = 2;

/// Connections that ask at the same time.
const CONNECTIONS: usize = 200;

/// How often each is measured; the median counts.
const ROUNDS: usize = 5;

/// What is asked of the API, and how much of a constant's rate it should reach, in percent.
const PATHS: [(&str, u32); 4] = [
    ("/prices/binance/BTCUSDT", 50),
    ("/tickers/bitcoin/binance", 50),
    ("/volatility?limit=20", 10),
    ("/top?limit=200", 10),
];

/// Pairs that are traded.
const PAIRS: i32 = 200;

const SEED: &str = "
    INSERT INTO exchange (name) VALUES ('binance');
    INSERT INTO symbol (code, name) VALUES ('USDT', 'tether'), ('BTC', 'bitcoin');
    INSERT INTO symbol (code, name) SELECT 'C' || n, 'c' || n FROM generate_series(2, 200) AS n;
    INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status, first_tick_at)
    SELECT 1, code || 'USDT', id, 1, 'trading', now() FROM symbol WHERE code <> 'USDT' ORDER BY id;
    SELECT create_price_partition((now() AT TIME ZONE 'utc')::date + day) FROM generate_series(0, 1) AS day;";

/// Commits a second, and ticks in each.
const COMMITS: u32 = 50;
const TICKS: i64 = 20;

/// Measures, and prints requests a second and the ratios.
pub(crate) async fn measure(seconds: u64) -> anyhow::Result<()> {
    let database = TestDatabase::empty().await;
    let pool = database::connect(&DatabaseSettings::at(database.url()))?;
    database::migrate(&pool).await?;
    pool.get().await?.batch_execute(SEED).await?;
    let live = tokio::sync::broadcast::channel(1_024).0;
    let storing = tokio::spawn(store(pool.clone(), live.clone()));
    let (api, stop) = start_api(pool, live)?;
    let (bare, handle) = start_bare()?;
    let span = Duration::from_secs(seconds);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        // One behind the other, so that the machine's moods meet all of them.
        let mut round = vec![load(bare, "/", span).await?];
        for (path, _) in PATHS {
            round.push(load(api, path, span).await?);
        }
        rounds.push(round);
    }
    ensure!(!storing.is_finished(), "ticks can no longer be stored: {:?}", storing.await);
    storing.abort();
    let rate = |index: usize| middle(rounds.iter().map(|round| round[index].rate));
    let p99 = |index: usize| middle(rounds.iter().map(|round| round[index].p99_ms));
    println!("{CONNECTIONS} connections, {} ticks stored a second, median of {ROUNDS}", i64::from(COMMITS) * TICKS);
    println!("{:>12.0} requests/s, p99 {:>5.1} ms  bare actix with a constant", rate(0), p99(0));
    for (index, (path, aim)) in PATHS.iter().enumerate() {
        let ratio = middle(rounds.iter().map(|round| round[index + 1].rate / round[0].rate));
        println!(
            "{:>12.0} requests/s, p99 {:>5.1} ms  {path}: {:.0} % of it (aim: {aim} or better; p99 under 50 ms)",
            rate(index + 1),
            p99(index + 1),
            100.0 * ratio
        );
    }
    handle.stop(false).await;
    stop.cancel();
    Ok(())
}

/// Stores ticks of all pairs for ever, and says so.
async fn store(pool: Pool, live: tokio::sync::broadcast::Sender<Arc<Message>>) -> anyhow::Result<()> {
    let mut pace = tokio::time::interval(Duration::from_secs(1) / COMMITS);
    for first in (0..).step_by(TICKS as usize) {
        pace.tick().await;
        let now = Utc::now();
        let ticks: Vec<Tick> = (first..first + TICKS)
            .map(|id| Tick {
                ticker: "".into(),
                trade_id: Some(id),
                price: Decimal::new(6_400_000 + id % 997, 2),
                quantity: Some(Decimal::new(1 + id % 89, 3)),
                taker_side: None,
                exchange_time: Some(now),
                received_at: now,
            })
            .collect();
        let pair = |tick: &Tick| (tick.trade_id.unwrap_or_default() % i64::from(PAIRS)) as i32 + 1;
        let price = |tick| NewPrice { ticker_id: pair(tick), source: TickSource::Stream, tick };
        let prices = ticks.iter().map(price).collect();
        let turn = database::alerts::Alerts::default().turn();
        database::ingest::store(&mut pool.get().await?, prices, &[], false, &turn).await?;
        // Nobody listens before the server is up.
        let _ = live.send(Arc::new(Message::Stored(Stored { exchange: "binance".into(), rows: TICKS as u64 })));
    }
    Ok(())
}

fn start_api(pool: Pool, live: tokio::sync::broadcast::Sender<Arc<Message>>) -> anyhow::Result<(SocketAddr, Shutdown)> {
    let settings = api::Settings {
        api_bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        api_workers: WORKERS,
        // Never reached, but counted.
        api_rate_limit: 1_000_000,
        ..api::Settings::default()
    };
    process::telemetry::metrics_handle();
    let stop = Shutdown::new();
    let live = broker::Live::local(live);
    let server = api::Server::bind(&settings, pool, live, Health::new(), stop.clone())?;
    let address = server.address();
    tokio::spawn(server.run());
    Ok((address, stop))
}

fn start_bare() -> anyhow::Result<(SocketAddr, actix_web::dev::ServerHandle)> {
    /// As long as a newest price.
    const BODY: &str = r#"{"data":{"exchange":"binance","ticker":"BTCUSDT","base":"BTC","quote":"USDT","coin":"bitcoin","price":"64250.01","exchange_time":"2026-11-20T12:00:00Z","received_at":"2026-11-20T12:00:00Z","age_ms":120,"stale":false,"source":"stream","open_24h":null,"change_24h_percent":null,"high_24h":"64250.01","low_24h":"64250.01","quote_volume_24h":"0"},"as_of":"2026-11-20T12:00:00Z"}"#;
    let answer = async || HttpResponse::Ok().content_type("application/json").body(BODY);
    let server = HttpServer::new(move || App::new().route("/", web::get().to(answer)))
        .workers(WORKERS)
        .disable_signals()
        .bind(("127.0.0.1", 0))?;
    let address = *server.addrs().first().context("the framework listens nowhere")?;
    let server = server.run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok((address, handle))
}

fn middle(rates: impl Iterator<Item = f64>) -> f64 {
    let mut rates: Vec<f64> = rates.collect();
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

/// What a load came to.
struct Load {
    /// Requests a second, from all connections together.
    rate: f64,
    /// How long all but one in a hundred took at most.
    p99_ms: f64,
}

async fn load(address: SocketAddr, path: &str, span: Duration) -> anyhow::Result<Load> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
    let begin = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..CONNECTIONS {
        asking.spawn(ask(address, request.clone(), begin + span));
    }
    let mut times = Vec::new();
    while let Some(asked) = asking.join_next().await {
        times.extend(asked??);
    }
    let rate = times.len() as f64 / begin.elapsed().as_secs_f64();
    times.sort_by(f64::total_cmp);
    Ok(Load { rate, p99_ms: times[times.len() * 99 / 100] })
}

/// How long each answer took, in milliseconds.
async fn ask(address: SocketAddr, request: String, end: Instant) -> anyhow::Result<Vec<f64>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut times, mut buffer) = (Vec::new(), vec![0; 256 * 1024]);
    while Instant::now() < end {
        let asked = Instant::now();
        stream.write_all(request.as_bytes()).await?;
        let mut length = 0;
        while !is_whole(&buffer[..length])? {
            let read = stream.read(&mut buffer[length..]).await?;
            ensure!(read > 0, "the server cut the connection");
            length += read;
        }
        times.push(asked.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(times)
}

/// Whether an answer has arrived in full.
fn is_whole(answer: &[u8]) -> anyhow::Result<bool> {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else { return Ok(false) };
    let head = std::str::from_utf8(&answer[..end])?;
    ensure!(head.starts_with("HTTP/1.1 200"), "not answered: {head}");
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.context("an answer without a length")?;
    Ok(answer.len() >= end + 4 + length)
}
