//! The program itself, run as its users run it: started, asked, killed, started again, stopped.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use broker::{LocalQueue, LocalQueueSettings, Message, Publisher};
use chrono::{TimeDelta, Utc};
use domain::{Catalogue, Exchange, Instrument, InstrumentStatus, Tick, TickBatch, TickSource};
use rust_decimal::Decimal;
use serde_json::Value;
use tempfile::TempDir;
use testbed::servers::lasting_port;

const SOON: Duration = Duration::from_secs(60);

/// The running program, killed when dropped.
struct Program {
    child: Child,
    api: u16,
    sql: u16,
    exchange: u16,
}

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crypto-tracker"));
    // Nothing of the machine's own settings, and no `.env` of the project's.
    command.env_clear().env("HOME", std::env::temp_dir()).env("PATH", std::env::var("PATH").unwrap_or_default());
    command.current_dir(std::env::temp_dir());
    command
}

impl Program {
    fn demo(folder: &Path) -> Self {
        Self::demo_with(folder, &[])
    }

    fn demo_with(folder: &Path, arguments: &[&str]) -> Self {
        let (api, sql, exchange) = (lasting_port().unwrap(), lasting_port().unwrap(), lasting_port().unwrap());
        let child = command()
            .args(["demo", "--headless", "--trades-per-second", "200", "--data-folder"])
            .arg(folder)
            .args(["--api-bind", &format!("127.0.0.1:{api}"), "--sql-bind", &format!("127.0.0.1:{sql}")])
            .args(["--bind", &format!("127.0.0.1:{exchange}")])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, api, sql, exchange }
    }

    fn get(&self, path: &str) -> Option<Value> {
        get(self.api, path)
    }

    fn sql(&self, query: &str) -> String {
        let output =
            command().args(["sql", "--csv", "--sql-bind", &format!("127.0.0.1:{}", self.sql), query]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().skip(1).collect::<Vec<_>>().join("\n")
    }

    fn count(&self) -> u64 {
        self.sql("SELECT count(*) FROM price").parse().unwrap()
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A GET without a library: the program is tested from outside.
fn get(port: u16, path: &str) -> Option<Value> {
    use std::io::Write as _;
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(SOON)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nAccept-Encoding: identity\r\n\r\n")
        .ok()?;
    let mut reader = BufReader::new(stream);
    let (mut line, mut chunked) = (String::new(), false);
    reader.read_line(&mut line).ok()?;
    if !line.contains(" 200 ") {
        return None;
    }
    loop {
        line.clear();
        reader.read_line(&mut line).ok()?;
        chunked |= line.to_lowercase().starts_with("transfer-encoding: chunked");
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = String::new();
    if chunked {
        loop {
            line.clear();
            reader.read_line(&mut line).ok()?;
            let mut chunk = vec![0; usize::from_str_radix(line.trim(), 16).ok()?];
            reader.read_exact(&mut chunk).ok()?;
            body.push_str(std::str::from_utf8(&chunk).ok()?);
            reader.read_line(&mut line).ok()?;
            if chunk.is_empty() {
                break;
            }
        }
    } else {
        reader.read_to_string(&mut body).ok()?;
    }
    serde_json::from_str(&body).ok()
}

fn wait<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = found() {
            return found;
        }
        assert!(begin.elapsed() < SOON, "{what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Waits until trades of bitcoin are stored, more than `more_than` in all.
fn wait_for_prices(program: &Program, more_than: u64) -> u64 {
    wait("the API answers", || {
        program.get("/tickers/bitcoin/simulated").filter(|answer| answer["data"][0].is_object())
    });
    wait("prices are stored", || Some(program.count()).filter(|count| *count > more_than))
}

#[test]
fn a_demo_outlives_kill_9_and_stops_cleanly() {
    let folder = TempDir::new().unwrap();
    let mut program = Program::demo(folder.path());
    wait_for_prices(&program, 500);
    let bitcoin = program.get("/tickers/bitcoin/simulated").unwrap();
    assert_eq!(bitcoin["data"][0]["ticker"], "BTCUSDT");
    let history = program.get("/price-history-minutes/120%20minute/BTCUSDT").unwrap();
    assert!(history["data"][0]["price"].as_str().unwrap().parse::<Decimal>().unwrap() > Decimal::ZERO);
    // A question that would hold up the recording is refused, and one that would change something too.
    for (question, said) in [
        ("SELECT count(*) FROM generate_series(1, 1000000000000)", "too long"),
        ("SELECT count(*) FROM price a, price b, price c, price d", "too long"),
        ("WITH RECURSIVE n AS (SELECT 1 UNION ALL SELECT * FROM n) SELECT count(*) FROM n", "too long"),
        ("SELECT 1; SELECT pg_sleep(100)", "multiple commands"),
        ("DELETE FROM price", "read-only"),
        ("ANALYZE DELETE FROM price", "syntax error"),
        ("(ANALYZE) DELETE FROM price", "syntax error"),
        ("SELECT nothing FROM nowhere", "nowhere"),
    ] {
        let bind = format!("127.0.0.1:{}", program.sql);
        let refused = command().args(["sql", "--sql-bind", &bind, question]).output().unwrap();
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && text.contains(said), "{question}: {text}");
    }
    // What a question threw away is prepared again.
    program.sql("DEALLOCATE ALL");
    let before = wait_for_prices(&program, program.count());
    program.signal("-KILL");
    program.child.wait().unwrap();

    let mut program = Program::demo(folder.path());
    let after = wait_for_prices(&program, before);
    assert!(after > before, "what was stored is still there");
    // Candles agree with the rows they were folded from, whatever was delivered again.
    let disagreeing = program.sql(
        "SELECT count(*) FROM candle JOIN (
             SELECT ticker_id, date_trunc('minute', time) AS open_time, count(*) AS trades, sum(quantity) AS volume
             FROM price WHERE source <> 'poll' GROUP BY 1, 2) AS rows USING (ticker_id, open_time)
         WHERE candle.width = '1m' AND (candle.trades, candle.volume) IS DISTINCT FROM (rows.trades, rows.volume)",
    );
    assert_eq!(disagreeing, "0");

    let stopping = Instant::now();
    program.signal("-TERM");
    let status = program.child.wait().unwrap();
    assert!(status.success(), "{status}");
    assert!(stopping.elapsed() < Duration::from_secs(10), "{:?}", stopping.elapsed());
}

/// The backup that docs/OPERATIONS.md tells for the embedded database.
#[test]
fn a_copy_of_the_stopped_folder_is_a_backup() {
    let place = TempDir::new().unwrap();
    let (recorded, copied) = (place.path().join("recorded"), place.path().join("copied"));
    let mut program = Program::demo(&recorded);
    wait_for_prices(&program, 300);
    // Its one connection stores batch after batch, so that what one moment and those before it stored does not change any more.
    let until = program.sql("SELECT max(stored_at) FROM price");
    let sums =
        format!("SELECT count(*), sum(price), sum(quantity), max(trade_id) FROM price WHERE stored_at <= '{until}'");
    wait_for_prices(&program, program.count() + 200);
    let before = program.sql(&sums);
    program.signal("-TERM");
    assert!(program.child.wait().unwrap().success());
    assert!(Command::new("cp").arg("-a").arg(&recorded).arg(&copied).status().unwrap().success());
    std::fs::remove_dir_all(&recorded).unwrap();

    let restored = Program::demo(&copied);
    wait_for_prices(&restored, 500);
    assert_eq!(restored.sql(&sums), before);
}

#[test]
fn an_operator_looks_through_the_dead_letters_and_decides() {
    let folder = TempDir::new().unwrap();
    let publishing = async {
        let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await.unwrap();
        for number in 0..4 {
            queue.publish("ticks.poison".to_owned(), format!("poison {number}").into(), Vec::new()).await.unwrap();
        }
        queue.close().await;
    };
    tokio::runtime::Runtime::new().unwrap().block_on(publishing);
    let program = Program::demo(folder.path());
    wait_for_prices(&program, 0);
    let bind = format!("127.0.0.1:{}", program.sql);
    let run = |arguments: &[&str]| {
        let output = command().arg("dead-letters").args(arguments).args(["--sql-bind", &bind]).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, error) = (text(&output.stdout), text(&output.stderr));
        assert!(!error.contains("Usage:"), "{error}");
        (output.status.success(), out, error)
    };
    let list = || run(&["list", "--csv"]).1.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    wait("they are moved into the table", || (list().len() == 4).then_some(()));
    let line = list().pop().unwrap();
    assert!(line.starts_with("1,") && line.contains("ticks.poison,8,unreadable message"), "{line}");
    assert_eq!(run(&["show", "1", "--body"]).1, "poison 0");
    let shown = run(&["show", "1"]).1;
    assert!(shown.contains("unreadable message") && shown.contains("8 bytes:\npoison 0\n"), "{shown}");

    assert_eq!(run(&["drop", "1"]).1, "dead letter 1 is deleted\n");
    let (replayed, said, _) = run(&["replay", "2", "3"]);
    assert!(replayed && said.contains("dead letter 3 is back in the queue"), "{said}");
    wait("refused once more, they are listed anew", || (list().len() == 3).then_some(()));
    assert!(list().iter().all(|line| !line.starts_with("2,") && !line.starts_with("3,")), "{:?}", list());
    for gone in [["show", "1"], ["drop", "1"], ["replay", "1"]] {
        let (success, _, said) = run(&gone);
        assert!(!success && said.contains("there is no dead letter 1"), "{said}");
    }
    // One that is gone holds up none of the others.
    let (success, done, said) = run(&["drop", "1", "4"]);
    assert!(!success && done == "dead letter 4 is deleted\n" && said.contains("no dead letter 1"), "{done} {said}");
    assert!(run(&["drop", "--all"]).0);
    assert_eq!((list().len(), run(&["replay", "--all"]).1.as_str()), (0, "there are no dead letters\n"));
}

#[test]
fn old_ticks_go_from_the_embedded_database_too_and_the_report_says_so() {
    let folder = TempDir::new().unwrap();
    let midnight = (Utc::now() - TimeDelta::days(10)).date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let ticks: Vec<Tick> = (0..500)
        .map(|number| Tick {
            ticker: "BTCUSDT".into(),
            trade_id: Some(number),
            price: Decimal::new(6_400_000 + number, 2),
            quantity: Some(Decimal::new(number + 1, 4)),
            taker_side: None,
            exchange_time: Some(midnight + TimeDelta::seconds(number * 100)),
            received_at: midnight + TimeDelta::seconds(number * 100),
        })
        .collect();
    let status = InstrumentStatus::Trading;
    let instruments = vec![Instrument {
        ticker: "BTCUSDT".into(),
        base: "BTC".into(),
        quote: "USDT".into(),
        status,
        steps: domain::Steps::default(),
    }];
    let exchange = Exchange { name: "simulated".into(), country: None };
    let publishing = async {
        let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await.unwrap();
        let publisher = Publisher::new(queue.clone());
        publisher
            .publish(Message::Catalogue(Catalogue {
                exchange,
                instruments,
                taken_at: Some(midnight),
                numbers_trades: true,
            }))
            .await
            .unwrap();
        let batch = TickBatch::new("simulated", TickSource::Stream, ticks);
        publisher.publish(Message::Ticks(batch)).await.unwrap();
        queue.close().await;
    };
    tokio::runtime::Runtime::new().unwrap().block_on(publishing);
    let mut program = Program::demo(folder.path());
    wait_for_prices(&program, 500);
    let old = format!("SELECT count(*) FROM price WHERE time < '{}'", midnight + TimeDelta::days(1));
    let day = format!(
        "SELECT open, high, low, close, volume, trades, minutes FROM candle WHERE width = '1d' AND open_time = '{midnight}'"
    );
    wait("everything is folded, and no hole is open", || {
        let unsettled = "SELECT (SELECT count(*) FROM stale_candle WHERE open_time < now() - interval '1 day')
                              + (SELECT count(*) FROM gap WHERE state IN ('open', 'filling'))";
        (program.sql(&old) == "500" && !program.sql(&day).is_empty() && program.sql(unsettled) == "0").then_some(())
    });
    let candle = program.sql(&day);
    program.signal("-INT");
    assert!(program.child.wait().unwrap().success());

    let program = Program::demo_with(folder.path(), &["--keep-ticks-days", "3"]);
    let report = |arguments: &[&str]| {
        let bind = format!("127.0.0.1:{}", program.sql);
        let output = command().arg("storage").args(arguments).args(["--sql-bind", &bind]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    };
    let told: Value = wait("the day is dropped", || {
        let report: Value = serde_json::from_str(&report(&["--json"])?).unwrap();
        (!report["dropped"].as_array()?.is_empty()).then_some(report)
    });
    assert_eq!((&told["dropped"][0]["rows"], &told["dropped"][0]["why"]), (&500.into(), &"KEEP_TICKS_DAYS=3".into()));
    assert!(told["free_bytes"].as_i64().unwrap() > 0);
    assert_eq!((program.sql(&old).as_str(), program.sql(&day)), ("0", candle));
    let table = report(&[]).unwrap();
    for line in [
        format!("ticks of {}: 500 rows", midnight.date_naive()),
        "ticks for 3 days".to_owned(),
        "budget       none".to_owned(),
    ] {
        assert!(table.contains(&line), "{line}: {table}");
    }
    let served = wait("the API tells the same", || program.get("/storage"));
    assert_eq!(served["data"]["dropped"][0]["rows"], 500);
}

#[test]
fn every_trade_of_the_simulated_exchange_is_stored_once_to_the_last_digit() {
    let folder = TempDir::new().unwrap();
    let program = Program::demo(folder.path());
    wait_for_prices(&program, 300);
    // The exchange itself tells what it published; the tracker saw everything after its first trade.
    let stored = program.sql("SELECT min(trade_id) FROM prices WHERE ticker = 'BTCUSDT'");
    let path = format!("/api/v3/historicalTrades?symbol=BTCUSDT&limit=1000&fromId={stored}");
    let published = get(program.exchange, &path).unwrap();
    let published = published.as_array().unwrap();
    let newest = published.last().unwrap()["id"].as_i64().unwrap();
    wait("the newest of them is stored", || {
        let found = program.sql("SELECT max(trade_id) FROM prices WHERE ticker = 'BTCUSDT'").parse::<i64>().ok()?;
        (found >= newest).then_some(())
    });
    let rows = program.sql(&format!(
        "SELECT trade_id, price, quantity FROM prices WHERE ticker = 'BTCUSDT' AND trade_id <= {newest} ORDER BY trade_id"
    ));
    let decimal = |text: &str| text.parse::<Decimal>().unwrap();
    let found: Vec<(i64, Decimal, Decimal)> = rows
        .lines()
        .map(|row| {
            let cells: Vec<&str> = row.split(',').collect();
            (cells[0].parse().unwrap(), decimal(cells[1]), decimal(cells[2]))
        })
        .collect();
    let expected: Vec<(i64, Decimal, Decimal)> = published
        .iter()
        .map(|trade| {
            let text = |field: &str| trade[field].as_str().unwrap();
            (trade["id"].as_i64().unwrap(), decimal(text("price")), decimal(text("qty")))
        })
        .collect();
    assert!(expected.len() > 20);
    assert_eq!(found, expected);
}

#[test]
fn mistakes_at_the_start_are_named_with_a_remedy() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    let data = folder.path().join("data");
    let data = data.to_str().unwrap();
    for (arguments, said) in [
        (vec!["demo", "--headless", "--data-folder", file], vec!["data folder", file, "--data-folder"]),
        (vec!["demo", "--headless", "--data-folder", data, "--api-bind", &taken], vec![&taken, "--api-bind"]),
        // Found when the database, the queue and the API run already.
        (
            vec!["--headless", "--data-folder", data, "--api-bind", "127.0.0.1:0", "--sql-bind", &taken],
            vec![&taken, "--sql-bind"],
        ),
        (
            vec![
                "demo",
                "--headless",
                "--data-folder",
                data,
                "--api-bind",
                "127.0.0.1:0",
                "--sql-bind",
                "127.0.0.1:0",
                "--bind",
                &taken,
            ],
            vec!["simulated market", &taken],
        ),
        (vec!["--headless", "--data-folder", data, "--exchanges", "mtgox"], vec!["EXCHANGES", "mtgox", "binance"]),
        (vec!["--headless", "--data-folder", data, "--log-level", "loud=very"], vec!["LOG_LEVEL", "loud=very", "info"]),
        (vec!["--headless", "--tracker-waiting-time", "soon"], vec!["--tracker-waiting-time", "soon"]),
        (vec!["--headless", "--storage-budget", "20MB"], vec!["--storage-budget", "20MB", "or more"]),
        (vec!["--headless", "--storage-budget", "much"], vec!["--storage-budget", "much", "50GB"]),
        (vec!["--headless", "--keep-ticks-days", "1"], vec!["--keep-ticks-days", "3"]),
        (
            vec!["--headless", "--data-folder", data, "--keep-minutes-days", "30"],
            vec!["KEEP_MINUTES_DAYS", "30", "KEEP_TICKS_DAYS"],
        ),
        (vec!["sql", "SELECT 1", "--sql-bind", "127.0.0.1:9"], vec!["127.0.0.1:9", "start crypto-tracker"]),
    ] {
        let output = command().args(&arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{arguments:?}: {text}");
        for word in said {
            assert!(text.contains(word), "{arguments:?} says {text}, not {word}");
        }
        assert!(!text.contains("panicked"), "{text}");
    }
}

#[test]
fn an_exchange_that_cannot_be_reached_is_said_with_cause_and_next_try() {
    let folder = TempDir::new().unwrap();
    let (api, sql) = (lasting_port().unwrap(), lasting_port().unwrap());
    let child = command()
        .args(["--headless", "--data-folder", folder.path().to_str().unwrap()])
        .args(["--api-bind", &format!("127.0.0.1:{api}"), "--sql-bind", &format!("127.0.0.1:{sql}")])
        .args(["--binance-rest-url", "http://127.0.0.1:9", "--binance-stream-url", "ws://127.0.0.1:9"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut program = Program { child, api, sql, exchange: 9 };
    let feed = wait("the feed waits", || {
        program.get("/feeds")?["data"].as_array()?.first().cloned().filter(|feed| feed["state"] == "waiting")
    });
    assert!(feed["detail"].as_str().unwrap().contains("Connection refused"), "{feed}");
    assert!(feed["next_try_at"].is_string(), "{feed}");
    let stderr = BufReader::new(program.child.stderr.take().unwrap());
    // What the console says, up to the hint.
    let mut log = String::new();
    for line in stderr.lines().map_while(Result::ok) {
        log.push_str(&line);
        if line.contains("crypto-tracker demo") {
            break;
        }
    }
    program.signal("-INT");
    assert!(program.child.wait().unwrap().success());
    assert!(log.contains("Connection refused") && log.contains("crypto-tracker demo"), "{log}");
}
