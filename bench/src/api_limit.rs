//! How many requests the API answers, next to what the framework answers with a constant.
//!
//! Both servers have the same number of workers and get the same load: connections that are kept, one request at a time on
//! each. The API reads from a real PostgreSQL with all that stands around an answer.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context as _, ensure};
use database::{DatabaseSettings, Pool};
use process::{Health, Shutdown};
use testbed::database::TestDatabase;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// Threads of each server.
const WORKERS: usize = 2;

/// Connections that ask at the same time.
const CONNECTIONS: usize = 64;

/// How often each is measured; the median counts.
const ROUNDS: usize = 5;

/// What is asked of the API.
const PATHS: [&str; 2] = ["/prices/binance/BTCUSDT", "/tickers/bitcoin/binance"];

const SEED: &str = "
    INSERT INTO exchange (name) VALUES ('binance');
    INSERT INTO symbol (code, name) VALUES ('BTC', 'bitcoin'), ('USDT', 'tether');
    INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status, first_tick_at)
    VALUES (1, 'BTCUSDT', 1, 2, 'trading', now());
    SELECT create_price_partition((now() AT TIME ZONE 'utc')::date);
    INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
    VALUES (now(), now(), 1, 1, 'stream', 'buy', 64250.01, 0.5);";

/// Measures, and prints requests a second and the ratios.
pub(crate) async fn measure(seconds: u64) -> anyhow::Result<()> {
    let database = TestDatabase::empty().await;
    let pool = database::connect(&DatabaseSettings::at(database.url()))?;
    database::migrate(&pool).await?;
    pool.get().await?.batch_execute(SEED).await?;
    let (api, stop) = start_api(pool)?;
    let (bare, handle) = start_bare()?;
    let span = Duration::from_secs(seconds);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        // One behind the other, so that the machine's moods meet all of them.
        let mut round = vec![load(bare, "/", span).await?];
        for path in PATHS {
            round.push(load(api, path, span).await?);
        }
        rounds.push(round);
    }
    let constant = middle(rounds.iter().map(|round| round[0]));
    println!("{constant:>12.0} requests/s  bare actix with a constant");
    for (index, path) in PATHS.iter().enumerate() {
        let rate = middle(rounds.iter().map(|round| round[index + 1]));
        let ratio = middle(rounds.iter().map(|round| round[index + 1] / round[0]));
        println!("{rate:>12.0} requests/s  {path}: {:.0} % of it (aim: 50 or better)", 100.0 * ratio);
    }
    handle.stop(false).await;
    stop.cancel();
    Ok(())
}

fn start_api(pool: Pool) -> anyhow::Result<(SocketAddr, Shutdown)> {
    let settings = api::Settings {
        api_bind: SocketAddr::from(([127, 0, 0, 1], 0)),
        api_workers: WORKERS,
        // Never reached, but counted.
        api_rate_limit: 1_000_000,
        ..api::Settings::default()
    };
    process::telemetry::metrics_handle();
    let stop = Shutdown::new();
    let live = broker::Live::local(tokio::sync::broadcast::channel(16).0);
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

/// Requests a second, from all connections together.
async fn load(address: SocketAddr, path: &str, span: Duration) -> anyhow::Result<f64> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: bench\r\n\r\n");
    let begin = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..CONNECTIONS {
        asking.spawn(ask(address, request.clone(), begin + span));
    }
    let mut answers = 0;
    while let Some(asked) = asking.join_next().await {
        answers += asked??;
    }
    Ok(answers as f64 / begin.elapsed().as_secs_f64())
}

async fn ask(address: SocketAddr, request: String, end: Instant) -> anyhow::Result<u64> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut answers, mut buffer) = (0, vec![0; 16 * 1024]);
    while Instant::now() < end {
        stream.write_all(request.as_bytes()).await?;
        let mut length = 0;
        while !is_whole(&buffer[..length])? {
            let read = stream.read(&mut buffer[length..]).await?;
            ensure!(read > 0, "the server cut the connection");
            length += read;
        }
        answers += 1;
    }
    Ok(answers)
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
