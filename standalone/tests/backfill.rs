//! `crypto-tracker backfill`, run as its users run it: beside the running program, against an exchange that has a past.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fmt::Write as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use rust_decimal::Decimal;
use simulator::{Fault, Refusal, Simulator, Source};
use tempfile::TempDir;
use testbed::servers::lasting_port;

const SOON: Duration = Duration::from_secs(60);
/// Between two trades of a pair.
const EVERY: TimeDelta = TimeDelta::minutes(7);

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crypto-tracker"));
    // Nothing of the machine's own settings, and no `.env` of the project's.
    command.env_clear().env("HOME", std::env::temp_dir()).env("PATH", std::env::var("PATH").unwrap_or_default());
    command.current_dir(std::env::temp_dir());
    command
}

/// An exchange on which these pairs were traded every few minutes from a moment on, until an hour ago.
async fn with_a_past(tickers: &[&str], from: DateTime<Utc>, folder: &Path) -> Simulator {
    let path = folder.join("recording");
    let mut recording = String::new();
    let (mut moment, mut id) = (from, 1);
    while moment < Utc::now() - TimeDelta::hours(1) {
        let (time, price) = (moment.timestamp_millis(), 1_000 + id % 97);
        for ticker in tickers {
            let lower = ticker.to_lowercase();
            writeln!(
                recording,
                r#"{}: {{"stream":"{lower}@trade","data":{{"e":"trade","E":{time},"s":"{ticker}","t":{id},"p":"{price}.5","q":"0.1","T":{time},"m":true,"M":true}}}}"#,
                moment.timestamp()
            )
            .unwrap();
        }
        (moment, id) = (moment + EVERY, id + 1);
    }
    std::fs::write(&path, recording).unwrap();
    let source = Source::Replay { path, speed: 0.0, shift_times: false };
    let exchange = Simulator::start(simulator::Settings { source, ..Default::default() }).await.unwrap();
    while !exchange.replay_ended() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    exchange
}

/// The running program, killed when dropped.
struct Program {
    child: Child,
    sql: u16,
    exchange: Simulator,
    name: &'static str,
    /// Where the exchange is.
    address: Vec<String>,
}

impl Program {
    /// Follows one of the pairs; the others are only listed.
    fn start(exchange: Simulator, folder: &Path) -> Self {
        let rest =
            ["--binance-name".to_owned(), "simulated".to_owned(), "--binance-rest-url".to_owned(), exchange.rest_url()];
        let stream = ["--binance-stream-url".to_owned(), exchange.stream_url()];
        Self::start_at(exchange, folder, "simulated", rest.to_vec(), &stream)
    }

    /// The same by Coinbase's protocol.
    fn start_with_coinbase(exchange: Simulator, folder: &Path) -> Self {
        let rest = ["--coinbase-rest-url".to_owned(), exchange.coinbase_rest_url()];
        let stream =
            ["--exchanges", "coinbase", "--coinbase-stream-url", &exchange.coinbase_stream_url()].map(str::to_owned);
        Self::start_at(exchange, folder, "coinbase", rest.to_vec(), &stream)
    }

    fn start_at(
        exchange: Simulator,
        folder: &Path,
        name: &'static str,
        address: Vec<String>,
        others: &[String],
    ) -> Self {
        let (api, sql) = (lasting_port().unwrap(), lasting_port().unwrap());
        let child = command()
            .args(["--headless", "--data-folder", folder.to_str().unwrap()])
            .args(["--api-bind", &format!("127.0.0.1:{api}"), "--sql-bind", &format!("127.0.0.1:{sql}")])
            .args(&address)
            .args(others)
            .args(["--tracker-symbols", "BTCUSDT", "--tracker-market", "false"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, sql, exchange, name, address }
    }

    fn sql(&self, query: &str) -> Option<String> {
        let output =
            command().args(["sql", "--csv", "--sql-bind", &format!("127.0.0.1:{}", self.sql), query]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| text.lines().skip(1).collect::<Vec<_>>().join("\n"))
    }

    fn backfill(&self, arguments: &[&str]) -> Command {
        let mut backfill = command();
        backfill
            .args(["backfill", "--exchange", self.name])
            .args(&self.address)
            .args(["--sql-bind", &format!("127.0.0.1:{}", self.sql)])
            .args(arguments);
        backfill
    }

    /// Candles of a pair that say what its trades say, since a moment.
    fn is_complete(&self, ticker: &str, since: DateTime<Utc>) {
        let trades = self.exchange.published(&ticker.replace('-', "")).into_iter().filter(|trade| trade.time >= since);
        let expected: Vec<(String, Decimal, i64)> = trades
            .map(|trade| {
                let minute = trade.time.duration_trunc(TimeDelta::minutes(1)).unwrap();
                (minute.format("%Y-%m-%d %H:%M").to_string(), trade.price, 1)
            })
            .collect();
        let found = self.sql(&format!(
            "SELECT to_char(open_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), close, trades FROM candles
             WHERE ticker = '{ticker}' AND width = '1m' AND origin = 'exchange' AND revision = 0 ORDER BY open_time"
        ));
        let row = |row: &str| {
            let cells: Vec<&str> = row.split(',').collect();
            (cells[0].to_owned(), cells[1].parse::<Decimal>().unwrap(), cells[2].parse::<i64>().unwrap())
        };
        let found: Vec<(String, Decimal, i64)> = found.unwrap().lines().map(row).collect();
        assert!(expected.len() > 100);
        assert!(found == expected, "{ticker}: {} candles, not {}", found.len(), expected.len());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn said(output: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("panicked"), "{text}");
    text
}

fn day(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d").to_string()
}

async fn until<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begin.elapsed() < SOON, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn candles_of_the_past_are_fetched_once_and_what_was_stopped_goes_on() {
    let folder = TempDir::new().unwrap();
    let begin = (Utc::now() - TimeDelta::days(4)).duration_trunc(TimeDelta::days(1)).unwrap();
    let exchange = with_a_past(&["BTCUSDT", "ETHUSDT", "SOLUSDT"], begin, folder.path()).await;
    let program = Program::start(exchange, &folder.path().join("data"));
    let from = day(begin + TimeDelta::days(1));

    // Before there is anything to store into.
    let output =
        command().args(["backfill", "--ticker", "BTCUSDT", "--from", &from, "--sql-bind", "127.0.0.1:9"]).output();
    let text = said(&output.unwrap());
    assert!(text.contains("127.0.0.1:9") && text.contains("start crypto-tracker"), "{text}");
    let listed = || program.sql("SELECT count(*) FROM tickers").filter(|count| count == "3");
    until("the catalogue is stored", listed).await;

    for (arguments, expected) in [
        (vec!["--ticker", "NOSUCH", "--from", &from], vec!["no pair \"NOSUCH\"", "BTCUSDT", "crypto-tracker sql"]),
        (vec!["--ticker", "it's", "--from", &from], vec!["no pair \"it's\""]),
        (
            vec!["--ticker", "ETHUSDT", "--from", &from, "--to", &from],
            vec!["--from", "not before", "choose an earlier"],
        ),
        (vec!["--ticker", "ETHUSDT", "--from", "2999-01-01"], vec!["--from", "not before", "(now)"]),
        (vec!["--ticker", "ETHUSDT", "--from", "yesterday"], vec!["yesterday", "2026-01-31"]),
        (vec!["--ticker", "ETHUSDT", "--from", "2001-01-01", "--to", "2001-02-01"], vec!["no candles", "2001-02-01"]),
    ] {
        let output = program.backfill(&arguments).output().unwrap();
        let text = said(&output);
        assert!(!output.status.success() && expected.iter().all(|word| text.contains(word)), "{arguments:?}: {text}");
    }
    let mut nowhere = command();
    let bind = format!("127.0.0.1:{}", program.sql);
    nowhere.args(["backfill", "--exchange", "mtgox", "--ticker", "BTCUSDT", "--from", &from, "--sql-bind", &bind]);
    let text = said(&nowhere.output().unwrap());
    assert!(text.contains("mtgox") && text.contains("known are: binance"), "{text}");
    let mut unknown = command();
    unknown.args(["backfill", "--ticker", "BTCUSDT", "--from", &from, "--sql-bind", &bind]);
    let text = said(&unknown.output().unwrap());
    assert!(text.contains("nothing is known of binance yet"), "{text}");
    let mut away = command();
    away.args(["backfill", "--exchange", "simulated", "--binance-name", "simulated", "--ticker", "ETHUSDT"]);
    let away = away.args(["--from", &from, "--sql-bind", &bind, "--binance-rest-url", "http://127.0.0.1:9"]).output();
    let text = said(&away.unwrap());
    assert!(text.contains("simulated cannot be asked") && text.contains("Connection refused"), "{text}");

    let output = program.backfill(&["--ticker", "ethusdt", "--from", &from]).output().unwrap();
    let text = said(&output);
    assert!(output.status.success() && text.contains("begins at") && text.contains("candles fetched"), "{text}");
    program.is_complete("ETHUSDT", begin + TimeDelta::days(1));
    let again = said(&program.backfill(&["--ticker", "ETHUSDT", "--from", &from]).output().unwrap());
    assert!(
        again.contains("goes on at") && again.contains(": 0 candles") || again.contains("is stored already"),
        "{again}"
    );
    let ended =
        said(&program.backfill(&["--ticker", "ETHUSDT", "--from", &from, "--to", &day(Utc::now())]).output().unwrap());
    assert!(ended.contains("is stored already"), "{ended}");

    // Stopped in the middle, it goes on there; a pair that was listed later begins where it was.
    program.exchange.inject(Fault::Slow(Duration::from_millis(700)));
    let mut stopped = program.backfill(&["--ticker", "SOLUSDT", "--from", "2020-01-01"]);
    let stopped = stopped.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let some = "SELECT count(*) FROM backfill JOIN ticker ON ticker.id = ticker_id WHERE ticker = 'SOLUSDT'";
    until("a page is stored", || program.sql(some).filter(|count| count == "1")).await;
    assert!(Command::new("kill").args(["-INT", &stopped.id().to_string()]).status().unwrap().success());
    let output = stopped.wait_with_output().unwrap();
    let text = said(&output);
    assert!(!output.status.success() && text.contains("the same command goes on from there"), "{text}");
    assert!(text.contains(&format!("begins at {}", begin.format("%Y-%m-%dT%H:%M"))), "{text}");
    program.exchange.inject(Fault::Recover);
    // An exchange that asks to be left alone for a moment is.
    program
        .exchange
        .inject(Fault::RateLimited { status: Refusal::TooManyRequests, retry_after: Duration::from_secs(1) });
    let output = program.backfill(&["--ticker", "SOLUSDT", "--from", "2020-01-01"]).output().unwrap();
    let text = said(&output);
    assert!(output.status.success() && text.contains("goes on at"), "{text}");
    assert!(text.contains("refuses further requests"), "{text}");
    program.is_complete("SOLUSDT", begin);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_counts_no_trades_has_a_past_too() {
    let folder = TempDir::new().unwrap();
    let begin = (Utc::now() - TimeDelta::days(2)).duration_trunc(TimeDelta::days(1)).unwrap();
    let exchange = with_a_past(&["BTCUSDT", "ETHUSDT"], begin, folder.path()).await;
    let program = Program::start_with_coinbase(exchange, &folder.path().join("data"));
    let listed = || program.sql("SELECT count(*) FROM tickers").filter(|count| count == "2");
    until("the catalogue is stored", listed).await;
    let output = program.backfill(&["--ticker", "ETH-USDT", "--from", &day(begin)]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    program.is_complete("ETH-USDT", begin);
    let told = "SELECT count(*) = sum(untold) AND count(*) = count(*) FILTER (WHERE quote_volume = close * volume)
                FROM candles_1m WHERE ticker = 'ETH-USDT'";
    assert_eq!(program.sql(told).as_deref(), Some("t"));
}
