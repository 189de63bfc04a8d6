//! `crypto-tracker export`, run as its users run it: files of a running demo, read back and compared with what its API says.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs::File,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use parquet::{
    basic::{Compression, LogicalType},
    file::reader::{FileReader as _, SerializedFileReader},
    record::Field,
};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use tempfile::TempDir;
use testbed::servers::lasting_port;

const SOON: Duration = Duration::from_secs(60);

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_crypto-tracker"));
    // Nothing of the machine's own settings, and no `.env` of the project's.
    command.env_clear().env("HOME", std::env::temp_dir()).env("PATH", std::env::var("PATH").unwrap_or_default());
    command.current_dir(std::env::temp_dir());
    command
}

/// The running program, killed when dropped.
struct Program {
    child: Child,
    api: String,
}

impl Program {
    fn demo(folder: &Path) -> Self {
        let (api, sql) = (lasting_port().unwrap(), lasting_port().unwrap());
        let child = command()
            .args(["demo", "--headless", "--trades-per-second", "200", "--data-folder", folder.to_str().unwrap()])
            .args(["--api-bind", &format!("127.0.0.1:{api}"), "--sql-bind", &format!("127.0.0.1:{sql}")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, api: format!("http://127.0.0.1:{api}") }
    }

    async fn text(&self, path: &str) -> Option<String> {
        let answer = reqwest::get(format!("{}{path}", self.api)).await.ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    }

    /// The rows that a route tells in one page.
    async fn rows(&self, path: &str) -> Vec<Value> {
        let mut page: Value = serde_json::from_str(&self.text(path).await.unwrap()).unwrap();
        assert!(page["next_cursor"].is_null() || path.starts_with("/candles"), "{path} needs more than a page");
        std::mem::take(page["data"].as_array_mut().unwrap())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the program says, and whether it succeeds.
fn export(api: &str, output: &Path, arguments: &[&str]) -> (bool, String) {
    let mut export = command();
    export.args(["export", "--api", api, "--exchange", "simulated", "--output", output.to_str().unwrap()]);
    let output = export.args(arguments).output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("panicked"), "{text}");
    (output.status.success(), text)
}

/// The rows of a file as the API would write them, and the type of each column.
fn read(file: &Path) -> (Vec<Value>, Vec<(String, Option<LogicalType>)>) {
    let reader = SerializedFileReader::new(File::open(file).unwrap()).unwrap();
    let schema = reader.metadata().file_metadata().schema_descr_ptr();
    let types = schema.columns().iter().map(|column| (column.name().to_owned(), column.logical_type_ref().cloned()));
    assert!(matches!(reader.metadata().row_group(0).column(0).compression(), Compression::ZSTD(_)));
    let row = |row: parquet::record::Row| {
        let cells = row.get_column_iter().map(|(name, field)| (name.clone(), json(field)));
        Value::Object(cells.collect::<Map<_, _>>())
    };
    (reader.get_row_iter(None).unwrap().map(|found| row(found.unwrap())).collect(), types.collect())
}

fn json(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(value) => (*value).into(),
        Field::Long(value) => (*value).into(),
        Field::Str(value) => value.clone().into(),
        Field::TimestampMicros(micros) => {
            serde_json::to_value(DateTime::<Utc>::from_timestamp_micros(*micros).unwrap()).unwrap()
        }
        Field::Decimal(value) => {
            assert_eq!((value.precision(), value.scale()), (38, 18));
            let units = i128::from_be_bytes(value.data().try_into().unwrap());
            Decimal::from_i128_with_scale(units, 18).normalize().to_string().into()
        }
        other => panic!("{other:?} is not written"),
    }
}

/// Text of a decimal without zeros at its end, which the API may or may not write.
fn plain(mut rows: Vec<Value>) -> Vec<Value> {
    let decimals = ["price", "quantity", "open", "high", "low", "close", "volume", "quote_volume"];
    for (name, cell) in rows.iter_mut().flat_map(|row| row.as_object_mut().unwrap().iter_mut()) {
        if let (true, Some(text)) = (decimals.contains(&name.as_str()), cell.as_str()) {
            *cell = text.parse::<Decimal>().unwrap().normalize().to_string().into();
        }
    }
    rows
}

/// A span of five seconds that is over, in which bitcoin was traded and of which everything is stored.
async fn settled(program: &Program) -> (String, String) {
    let begin = Instant::now();
    loop {
        let newest = program.text("/ticks/simulated/BTCUSDT?limit=1").await;
        let newest = newest.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        let newest = newest.and_then(|page| page["data"][0]["exchange_time"].as_str()?.parse::<DateTime<Utc>>().ok());
        let first = program.text("/export/ticks/simulated/BTCUSDT?format=jsonl").await;
        let first = first.and_then(|text| serde_json::from_str::<Value>(text.lines().last()?).ok());
        let first = first.and_then(|row| row["exchange_time"].as_str()?.parse::<DateTime<Utc>>().ok());
        if let (Some(newest), Some(first)) = (newest, first)
            && newest - first > chrono::TimeDelta::seconds(9)
        {
            let text = |seconds| (newest - chrono::TimeDelta::seconds(seconds)).to_rfc3339().replace("+00:00", "Z");
            return (text(8), text(3));
        }
        assert!(begin.elapsed() < SOON, "prices are stored");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_says_what_the_api_says() {
    process::tls::install();
    let folder = TempDir::new().unwrap();
    let program = Program::demo(&folder.path().join("data"));
    let (from, to) = settled(&program).await;
    let file = |name: &str| folder.path().join(name);

    let ticks = file("ticks.parquet");
    let span = ["--ticker", "BTCUSDT", "--what", "ticks", "--from", &from, "--to", &to];
    let (success, said) = export(&program.api, &ticks, &span);
    let expected = program.rows(&format!("/ticks/simulated/BTCUSDT?from={from}&to={to}&limit=1000")).await;
    assert!(success && said.contains(&format!(": {} ticks of BTCUSDT", expected.len())), "{said}");
    assert!(said.contains("rows/s") && expected.len() > 50, "{said}");
    let (rows, types) = read(&ticks);
    assert_eq!(rows, plain(expected));
    let kind = |wanted: &str| types.iter().find(|(name, _)| name == wanted).unwrap().1.clone();
    assert!(matches!(kind("price"), Some(LogicalType::Decimal(_))), "{types:?}");
    assert!(matches!(kind("exchange_time"), Some(LogicalType::Timestamp(_))), "{types:?}");
    assert_eq!(kind("source"), Some(LogicalType::String));

    // Minutes that are over; the one that is not changes all the time.
    let minutes = |output: &str| {
        let arguments = ["--ticker", "ethusdt", "--what", "candles", "--from", "2026-01-01", "--to", &to];
        export(&program.api, &file(output), &arguments)
    };
    let (success, said) = minutes("candles.parquet");
    assert!(success, "{said}");
    let path = format!("/candles/simulated/ETHUSDT?from=2026-01-01T00:00:00Z&to={to}&limit=1000");
    let (mut rows, mut told) = (read(&file("candles.parquet")).0, plain(program.rows(&path).await));
    rows.retain(|row| row["final"] == true);
    told.retain(|row| rows.iter().any(|known| known["open_time"] == row["open_time"]));
    assert_eq!(rows, told);

    for ending in ["csv", "jsonl"] {
        let output = file("ticks").with_extension(ending);
        let (success, said) = export(&program.api, &output, &span);
        assert!(success && said.contains(&format!(": {} ticks", read(&ticks).0.len())), "{said}");
        let path = format!("/export/ticks/simulated/BTCUSDT?format={ending}&from={from}&to={to}");
        assert_eq!(std::fs::read_to_string(&output).unwrap(), program.text(&path).await.unwrap());
    }

    // What is there stays, unless it is to go.
    let (success, said) = export(&program.api, &ticks, &span);
    assert!(!success && said.contains("is there already") && said.contains("--force"), "{said}");
    let (success, said) = export(&program.api, &ticks, &[&span[..], &["--force", "--format", "csv"]].concat());
    assert!(success && std::fs::read_to_string(&ticks).unwrap().starts_with("trade_id,price"), "{said}");

    for (name, arguments, expected) in [
        ("x.parquet", vec!["--ticker", "NOSUCH", "--what", "ticks", "--from", &from], vec!["no such pair", "/tickers"]),
        ("x.xlsx", span.to_vec(), vec!["x.xlsx", ".parquet, .csv or .jsonl", "--format"]),
        ("x.csv", [&span[..], &["--interval", "5m"]].concat(), vec!["--interval", "--what candles"]),
        (
            "x.csv",
            vec!["--ticker", "BTCUSDT", "--what", "candles", "--from", &from, "--interval", "7m"],
            vec!["1m, 3m"],
        ),
        ("x.csv", vec!["--ticker", "BTCUSDT", "--what", "ticks", "--from", &to, "--to", &from], vec!["not before"]),
        ("no/folder/x.csv", span.to_vec(), vec!["no/folder/x.csv.part", "--output"]),
    ] {
        let (success, said) = export(&program.api, &file(name), &arguments);
        assert!(!success && expected.iter().all(|word| said.contains(word)), "{arguments:?}: {said}");
        assert!(!file(name).exists(), "{arguments:?}");
    }
    let (success, said) = export("http://127.0.0.1:9", &file("x.csv"), &span);
    assert!(!success && said.contains("http://127.0.0.1:9") && said.contains("start crypto-tracker"), "{said}");
    let left = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert!(left.into_iter().all(|name| !name.ends_with(".part")));
}

#[test]
fn a_stream_that_breaks_off_leaves_no_file() {
    let folder = TempDir::new().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        for answer in [
            // Cut within a chunk; then ended in order, but within a line.
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\ntrade_id,price\n1,5\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\ntrade_id,price\n1,5",
            "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n",
            "HTTP/1.1 500 Oh\r\nContent-Length: 5\r\n\r\nhello",
        ] {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let span = ["--ticker", "BTCUSDT", "--what", "ticks", "--from", "2026-01-01"];
    for (name, expected) in [
        ("a.csv", "the API broke off after 1 rows"),
        ("b.csv", "the API broke off after 0 rows"),
        ("c.parquet", "the API sends what is no row: hello"),
        ("d.csv", "HTTP 500"),
    ] {
        let (success, said) = export(&api, &folder.path().join(name), &span);
        assert!(!success && said.contains(expected), "{name}: {said}");
    }
    server.join().unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
