//! `crypto-tracker record` and `crypto-tracker replay`, run as their users run them: what an exchange published is written down,
//! and is in the database when the recording was replayed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use broker::RabbitMqSettings;
use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use database::DatabaseSettings;
use rust_decimal::Decimal;
use simulator::{PublishedTrade, Simulator};
use tempfile::TempDir;
use testbed::{database::TestDatabase, rabbitmq::VirtualHost, servers::lasting_port};

const SOON: Duration = Duration::from_secs(120);

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crypto-tracker"));
    // Nothing of the machine's own settings, and no `.env` of the project's.
    command.env_clear().env("HOME", std::env::temp_dir()).env("PATH", std::env::var("PATH").unwrap_or_default());
    command.current_dir(std::env::temp_dir());
    command
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The program with a recording, killed when dropped.
struct Replay {
    child: Child,
    sql: u16,
}

impl Replay {
    fn start(exchange: &str, folder: &Path, arguments: &[&str]) -> Self {
        Self::start_all(folder, &[&["--exchange", exchange, "--speed", "0"], arguments].concat())
    }

    fn start_all(folder: &Path, arguments: &[&str]) -> Self {
        let (api, sql) = (lasting_port().unwrap(), lasting_port().unwrap());
        let child = command()
            .args(["replay", "--headless"])
            .args(["--api-bind", &format!("127.0.0.1:{api}"), "--sql-bind", &format!("127.0.0.1:{sql}")])
            .arg("--data-folder")
            .arg(folder)
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, sql }
    }

    fn sql(&self, query: &str) -> Option<String> {
        let output =
            command().args(["sql", "--csv", "--sql-bind", &format!("127.0.0.1:{}", self.sql), query]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        output.status.success().then(|| text.lines().skip(1).collect::<Vec<_>>().join("\n"))
    }

    async fn until_stored(&self, count: usize) {
        let counted = format!("{count}");
        until("everything is stored", || self.sql("SELECT count(*) FROM price").filter(|found| *found == counted))
            .await;
    }

    /// Asks it to end, and returns its log.
    fn stop(mut self) -> String {
        signal(&self.child, "-INT");
        let mut log = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut log).unwrap();
        assert!(self.child.wait().unwrap().success(), "{log}");
        log
    }

    /// Waits until it ends by itself.
    fn ended(mut self) -> (bool, String) {
        let mut log = String::new();
        std::io::Read::read_to_string(&mut self.child.stderr.take().unwrap(), &mut log).unwrap();
        (self.child.wait().unwrap().success(), log)
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
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

/// Open, highest, lowest, close, volume and number of the trades of each minute.
fn candles(trades: &[PublishedTrade]) -> Vec<String> {
    let mut minutes: BTreeMap<DateTime<Utc>, Vec<&PublishedTrade>> = BTreeMap::new();
    for trade in trades {
        minutes.entry(trade.time.duration_trunc(TimeDelta::minutes(1)).unwrap()).or_default().push(trade);
    }
    let candle = |(minute, trades): (&DateTime<Utc>, &Vec<&PublishedTrade>)| {
        let prices = || trades.iter().map(|trade| trade.price);
        let volume: Decimal = trades.iter().map(|trade| trade.quantity).sum();
        let ends = [prices().next(), prices().max(), prices().min(), prices().next_back(), Some(volume)];
        let numbers: Vec<String> = ends.into_iter().flatten().map(|number| number.normalize().to_string()).collect();
        format!("{} {} {}", minute.format("%F %H:%M"), numbers.join(" "), trades.len())
    };
    minutes.iter().map(candle).collect()
}

/// Cells of rows, numbers as short as they can be written.
fn rows(text: &str) -> Vec<String> {
    let cell = |cell: &str| {
        let is_decimal = cell.contains('.') && !cell.contains(':');
        if is_decimal { cell.parse::<Decimal>().unwrap().normalize().to_string() } else { cell.to_owned() }
    };
    text.lines().map(|line| line.split(',').map(cell).collect::<Vec<_>>().join(" ")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_exchange_published_is_in_the_database_when_its_recording_was_replayed() {
    let exchange = simulator::Settings { trades_per_second: 0.0, ..Default::default() };
    let exchange = Simulator::start(exchange).await.unwrap();
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("frames.txt.gz");
    let mut recording = command()
        .args(["record", "--exchange", "binance", "--tickers", "BTCUSDT,ETHUSDT", "--out"])
        .arg(&out)
        .args(["--binance-rest-url", &exchange.rest_url(), "--binance-stream-url", &exchange.stream_url()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    until("it subscribes", || {
        let listens = exchange.listeners("btcusdt@trade") > 0 && exchange.listeners("ethusdt@trade") > 0;
        // One that has ended already says why.
        assert!(listens || recording.try_wait().unwrap().is_none(), "it records");
        listens.then_some(())
    })
    .await;
    exchange.emit(400).await;
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    exchange.emit(400).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    signal(&recording, "-INT");
    let output = recording.wait_with_output().unwrap();
    let text = said(&output);
    assert!(output.status.success() && text.contains("1601 messages, "), "{text}");

    let replay =
        Replay::start("binance", &folder.path().join("replay"), &[out.to_str().unwrap(), "--name", "recorded_market"]);
    replay.until_stored(1_600).await;
    for ticker in ["BTCUSDT", "ETHUSDT"] {
        let published = exchange.published(ticker);
        let expected: Vec<String> = published
            .iter()
            .map(|trade| {
                let side = if trade.buyer_is_maker { "sell" } else { "buy" };
                format!("{} {} {} {side}", trade.id, trade.price.normalize(), trade.quantity.normalize())
            })
            .collect();
        let stored = replay.sql(&format!(
            "SELECT trade_id, price || '', quantity || '', taker_side FROM price JOIN ticker ON ticker.id = ticker_id
             JOIN exchange ON exchange.id = exchange_id
             WHERE exchange.name = 'recorded_market' AND ticker = '{ticker}' AND source = 'stream' ORDER BY trade_id"
        ));
        assert_eq!(rows(&stored.unwrap()), expected, "{ticker}");
        let stored = replay.sql(&format!(
            "SELECT to_char(open_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI'), open, high, low, close, volume, trades
             FROM candles WHERE exchange = 'recorded_market' AND ticker = '{ticker}' AND width = '1m' ORDER BY open_time"
        ));
        assert_eq!(rows(&stored.unwrap()), candles(&published), "{ticker}");
    }
    let log = replay.stop();
    assert!(log.contains("1601 frames, 1600 trades, 0 refused, 0 unreadable, 0 lost in 0 gaps"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_trades_are_stored_once_however_often_they_are_replayed() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("old.txt");
    let mut text = String::new();
    // Three days of 2021 and one of 2013.
    for (id, day) in [(1, 18_700), (2, 18_701), (4, 18_702), (5, 15_900)] {
        let seconds = i64::from(day) * 86_400 + 7;
        writeln!(
            text,
            r#"{seconds}.25: {{"e":"trade","E":{seconds}000,"s":"BTCUSDT","t":{id},"p":"0.00000001","q":"0.5","T":{seconds}000,"m":true,"M":true}}"#
        )
        .unwrap();
    }
    std::fs::write(&file, text).unwrap();
    let data = folder.path().join("data");
    for _ in 0..2 {
        let (success, log) = Replay::start("binance", &data, &[file.to_str().unwrap(), "--exit", "true"]).ended();
        assert!(success && log.contains("4 frames, 4 trades, 0 refused, 0 unreadable, 1 lost in 1 gaps"), "{log}");
        assert!(log.contains("BTCUSDT is taken for BTC priced in USDT"), "{log}");
    }
    let replay = Replay::start("binance", &data, &[file.to_str().unwrap()]);
    let old = "SELECT count(*) || ' ' || min(time AT TIME ZONE 'UTC') || ' ' || min(received_at - time) FROM price";
    let stored = until("it answers", || replay.sql(old)).await;
    assert_eq!(stored, "4 2013-07-14 00:00:07 00:00:00.25");
    let candles =
        "SELECT count(*) || ' ' || min(trades) FROM candles WHERE width = '1m' AND exchange = 'binance_replay'";
    assert_eq!(replay.sql(candles).unwrap(), "4 1");
    replay.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_of_several_exchanges_run_side_by_side() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // Years apart; the second says itself whose it is.
    let binance = r#"1617100000.5: {"e":"trade","E":1617100000000,"s":"BTCUSDT","t":1,"p":"9.5","q":"0.5","T":1617100000000,"m":true,"M":true}"#;
    let kraken = concat!(
        r#"configuration: {"recorder":"crypto-tracker","exchange":"kraken","carries":"trades","#,
        r#""instruments":[{"ticker":"BTC/USD","base":"BTC","quote":"USD","status":"trading"}]}"#,
        "\n",
        r#"1795176000.5: {"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":64250.010,"qty":0.5,"ord_type":"market","trade_id":7,"timestamp":"2026-11-20T12:00:00.123456Z"}]}"#
    );
    std::fs::write(path("one.txt"), binance).unwrap();
    std::fs::write(path("other.txt"), kraken).unwrap();
    let files = [format!("binance={}", path("one.txt")), path("other.txt")];
    let started = Instant::now();
    let data = folder.path().join("data");
    let replay = Replay::start_all(&data, &[&files[0], &files[1], "--speed", "1", "--exit", "true"]);
    let (success, log) = replay.ended();
    assert!(success && log.matches("1 frames, 1 trades, 0 refused, 0 unreadable").count() == 2, "{log}");
    assert!(started.elapsed() < SOON, "neither waits for the years between them");
    let replay = Replay::start_all(&data, &[&files[0], &files[1]]);
    let of_each = "SELECT string_agg(exchange || ' ' || ticker || ' ' || price, ', ' ORDER BY exchange) FROM prices";
    let stored = until("it answers", || replay.sql(of_each)).await;
    assert_eq!(stored, "\"binance_replay BTCUSDT 9.5, kraken_replay BTC/USD 64250.01\"");
    replay.stop();
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_begun() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("empty"), "").unwrap();
    for (arguments, expected) in [
        (vec!["replay", &path("nowhere"), "--exchange", "binance"], "nowhere cannot be read: No such file"),
        (vec!["replay", &path("empty"), "--exchange", "mtgox"], "--exchange: \"mtgox\" is not an exchange"),
        (vec!["replay", &path("empty"), "--exchange", "binance", "--name", "binance"], "the name of the live market"),
        (vec!["replay", &path("empty")], "does not say which exchange it is of; write NAME="),
        (
            vec!["replay", &format!("kraken={}", path("empty")), &format!("okx={}", path("empty")), "--name", "both"],
            "one name for kraken and okx",
        ),
        (vec!["record", "--out", &path("out"), "--exchange", "mtgox"], "--exchange: \"mtgox\" is not an exchange"),
        (vec!["record", "--out", &path("out"), "--exchange", "binance", "--seconds", "0"], "--seconds"),
    ] {
        let data = path("data");
        let output = command().args(&arguments).env("DATA_FOLDER", &data).output().unwrap();
        let text = said(&output);
        assert!(!output.status.success() && text.contains(expected), "{arguments:?}: {text}");
        assert!(!Path::new(&data).exists() && !Path::new(&path("out")).exists());
    }
}

/// Recorded files that hold trades of spot markets, by the ends of their paths, and whose they are.
const RECORDED: [(&str, &str); 4] = [
    ("binance", "spot/btcusdt_20230405.dat.gz"),
    ("bitfinex", "2021-04-17_be4e5c81/BITFINEX.ws.11.0"),
    ("bitstamp", "2021-04-17_be4e5c81/BITSTAMP.ws.19.0"),
    ("coinbase", "2021-04-17_be4e5c81/COINBASE.ws.28.0.gz"),
];

/// The recorded files; `None`, with a word, without recordings.
fn recorded() -> Option<Vec<PathBuf>> {
    let Some(root) = std::env::var_os("RECORDINGS_DIR") else {
        eprintln!("recordings not present, {} checks skipped", RECORDED.len());
        return None;
    };
    let (mut files, mut folders) = (Vec::new(), vec![PathBuf::from(root)]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    Some(files)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_program_finds_in_a_recording_is_stored_when_it_was_replayed() {
    let Some(files) = recorded() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backend/tracker/tests/conformance/reading.py");
    for (exchange, end) in RECORDED {
        let file = files.iter().find(|file| file.ends_with(end)).unwrap_or_else(|| panic!("no {end}"));
        let read = Command::new("python3").arg("-B").arg(&script).arg(exchange).arg(file).output();
        let read = read.expect("python3 reads the recordings too: install it, or unset RECORDINGS_DIR");
        assert!(read.status.success(), "{}", said(&read));
        let text = String::from_utf8(read.stdout).unwrap();
        let trades: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split('\t').collect()).collect();
        assert!(trades.len() > 10, "{exchange}: {}", trades.len());
        let sum = |cell: usize| -> Decimal { trades.iter().map(|cells| cells[cell].parse::<Decimal>().unwrap()).sum() };
        let expected = format!("{} {} {} 0", sum(1).normalize(), sum(2).normalize(), sum(3).normalize());

        let folder = TempDir::new().unwrap();
        let replay = Replay::start(exchange, folder.path(), &[file.to_str().unwrap()]);
        replay.until_stored(trades.len()).await;
        let sums = "SELECT sum(trade_id) || '.0', sum(price) || '', sum(quantity) || '',
                           (SELECT count(*) FROM dead_letter) FROM price";
        assert_eq!(rows(&replay.sql(sums).unwrap()), [expected], "{exchange}");
        let log = replay.stop();
        assert!(log.contains(&format!("{} trades, 0 refused, 0 unreadable", trades.len())), "{exchange}: {log}");
        assert!(!log.contains("can never be stored"), "{exchange}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_through_rabbitmq_ends_when_everything_is_stored() {
    const TRADES: i64 = 20_000;
    let (host, database) = (VirtualHost::create(), TestDatabase::empty().await);
    let rabbitmq = RabbitMqSettings::at(&host.url()).unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("recording.txt");
    let mut text = String::new();
    for id in 0..TRADES {
        let ms = 1_795_176_000_000 + id;
        writeln!(
            text,
            r#"{}.{:03}: {{"e":"trade","E":{ms},"s":"BTCUSDT","t":{id},"p":"9.5","q":"0.5","T":{ms},"m":true,"M":true}}"#,
            ms / 1_000,
            ms % 1_000
        )
        .unwrap();
    }
    std::fs::write(&file, text).unwrap();
    let output = command()
        .args(["replay", "--exchange", "binance", "--headless", "--speed", "0", "--exit", "true"])
        .args(["--api-bind", "127.0.0.1:0", "--data-folder", folder.path().join("data").to_str().unwrap()])
        .env("DATABASE_URL", database.url())
        .env("RABBITMQ_HOST", rabbitmq.rabbitmq_host.unwrap())
        .env("RABBITMQ_PORT", rabbitmq.rabbitmq_port.to_string())
        .env("RABBITMQ_USER", rabbitmq.rabbitmq_user)
        .env("RABBITMQ_PASSWORD", rabbitmq.rabbitmq_password)
        .env("RABBITMQ_VHOST", rabbitmq.rabbitmq_vhost)
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
    let stored = pool.get().await.unwrap().query_one("SELECT count(*) FROM price", &[]).await.unwrap();
    assert_eq!(stored.get::<_, i64>(0), TRADES, "{}", said(&output));
    pool.close();
}
