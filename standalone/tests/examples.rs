//! What README.md and docs/ tell people to type is typed here, against one running demo, and answers as is shown there: with the same
//! members or columns, if other values. What cannot run here is listed with the reason; an example that is neither fails.
//!
//! docs/QUERIES.md has its own test, which compares values too.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    collections::BTreeMap,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use testbed::servers::lasting_port;

const SOON: Duration = Duration::from_secs(60);

/// Examples that cannot run here, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("cargo run --release -- demo", "it is what answers here"),
    ("crypto-tracker demo", "the same"),
    ("cargo run --release", "follows Binance"),
    (
        "BINANCE_REST_URL=https://data-api.binance.vision BINANCE_STREAM_URL=wss://data-stream.binance.vision cargo run --release",
        "Binance",
    ),
    (
        "EXCHANGES=binance,coinbase,kraken,okx,bybit,bitfinex,bitstamp cargo run --release",
        "the exchanges themselves; tests/venues.rs of the tracker follows three protocols of the simulator",
    ),
    (
        "cargo run --release -- backfill --ticker BTCUSDT --from 2026-01-01",
        "asks Binance; tests/backfill.rs asks the simulator",
    ),
    ("crypto-tracker backfill --ticker BTCUSDT --from 2026-01-01", "the same"),
    ("crypto-tracker backfill --exchange newex", "an exchange that is to be added"),
    ("crypto-tracker record --exchange newex --out newex.txt", "the same"),
    (
        "cargo run --release -- record --exchange kraken --out kraken.txt.gz --tickers BTC/USD,ETH/USD",
        "Kraken; tests/replay.rs records the simulator",
    ),
    (
        "cargo run --release -- replay kraken.txt.gz --exchange kraken --speed 20",
        "a second program; tests/replay.rs has it",
    ),
    (
        "crypto-tracker record --exchange kraken --out kraken.txt.gz --tickers BTC/USD,ETH/USD --seconds 3600",
        "the same",
    ),
    ("crypto-tracker replay kraken.txt.gz kraken.2.txt.gz --exchange kraken --speed 20", "the same"),
    ("crypto-tracker replay binance.txt.gz kraken.txt.gz bitstamp=old.gz", "the same"),
    (
        "crypto-tracker export --ticker BTCUSDT --what candles --interval 1m --from 2026-01-01 --output btc.parquet",
        "of Binance, which a demo does not record; README's is of the demo",
    ),
    (
        "DATABASE_URL=postgres://user:password@host:5432/name cargo run --release",
        "a server by that name; tests/services.rs has one",
    ),
    ("cargo run --release -p tracker", "Binance; tests/services.rs runs the services"),
    ("cargo run --release -p dashboard", "a window; window-test opens it"),
    ("cargo run --release -p dashboard -- --api http://tracker.example:5001", "a window, and a machine by that name"),
    ("cargo run --release -- demo --headless --bind 127.0.0.1:5010", "a second demo on fixed ports"),
    (
        "BINANCE_NAME=simulated BINANCE_REST_URL=http://127.0.0.1:5010 BINANCE_STREAM_URL=ws://127.0.0.1:5010 cargo run --release -p tracker",
        "fixed ports; tests/services.rs does the same",
    ),
    (
        r#"curl --data-binary @transactions.csv -H 'Content-Type: text/csv' -H "Authorization: Bearer $ACCESS" "http://localhost:5001/portfolios/1/import?preview=true""#,
        "a file; tests/api/portfolios.rs of the API takes some over",
    ),
    (
        r#"curl --data-binary @transactions.csv -H 'Content-Type: text/csv' -H "Authorization: Bearer $ACCESS" http://localhost:5001/portfolios/1/import"#,
        "the same",
    ),
    ("cargo xtask test", "runs this test"),
    (
        "cargo xtask bench --history-pairs 500 --history-days 365 --history-minute-days 150 --history-ticks 50000000",
        "takes an hour and 50 GB",
    ),
    ("cargo xtask bench --api-only", "measures a release build"),
    ("cargo bench -p tracker --bench parsing", "the same"),
    ("cp .env.example .env", "for Docker"),
    ("docker compose up --build", "Docker"),
    ("curl http://localhost:5001/tickers/bitcoin/binance", "of Binance, in Docker"),
    ("curl http://127.0.0.1:5003/health/ready", "the db-handler's, which is not a program of its own here"),
    ("crypto-tracker dead-letters show 7", "needs such a dead letter; tests/program.rs has some"),
    ("crypto-tracker dead-letters replay 7", "the same"),
    (
        "crypto-tracker user add ada --admin --email ada@example.org",
        "asks for a password; this test makes her beforehand",
    ),
    ("cargo install --path frontend", "changes the machine"),
    (
        "install -Dm644 frontend/desktop/crypto-tracker-dashboard.desktop -t ~/.local/share/applications",
        "changes the machine",
    ),
    (
        "install -Dm644 frontend/desktop/crypto-tracker-dashboard.png -t ~/.local/share/icons/hicolor/256x256/apps",
        "changes the machine",
    ),
    (
        "pg_dump --format=custom --file=crypto-tracker.dump --dbname=postgres://user:password@host:5432/name",
        "a server by that name; the database's tests back up and restore",
    ),
    ("createdb --host=host --username=user name", "the same"),
    ("psql --dbname=postgres://user:password@host:5432/name --command='CREATE ROLE analyst'", "the same"),
    (
        "pg_restore --exit-on-error --jobs=2 --dbname=postgres://user:password@host:5432/name crypto-tracker.dump",
        "the same",
    ),
    ("docker compose exec -T db pg_dump --username=postgres --format=custom postgres > crypto-tracker.dump", "Docker"),
    ("docker compose stop db-handler notifier api", "Docker"),
    ("docker compose exec -T db dropdb --username=postgres --maintenance-db=template1 --force postgres", "Docker"),
    ("docker compose exec -T db createdb --username=postgres --maintenance-db=template1 postgres", "Docker"),
    ("docker compose exec -T db psql --username=postgres --command='CREATE ROLE analyst'", "Docker"),
    (
        "docker compose exec -T db pg_restore --username=postgres --exit-on-error --dbname=postgres < crypto-tracker.dump",
        "Docker",
    ),
    ("docker compose up --detach", "Docker"),
];

/// With these begins what is an example even within a sentence.
const PROGRAMS: [&str; 4] = ["curl ", "crypto-tracker ", "cargo run ", "psql "];

/// A command that a document shows, and the answer that it shows, if it does.
struct Example {
    place: String,
    command: String,
    shown: String,
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every example of every document, in their order. What holds an ellipsis is a form to be filled in.
fn examples() -> Vec<Example> {
    let docs = std::fs::read_dir(top().join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = docs.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect();
    files.push(top().join("README.md"));
    files.sort();
    let mut found = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let mut prose = String::new();
        for (number, part) in text.split("\n```").enumerate() {
            if number % 2 == 0 {
                prose.push_str(part);
                continue;
            }
            let (language, block) = part.split_once('\n').unwrap_or((part, ""));
            if ["console", "sh", "bash", "shell"].contains(&language.trim()) {
                of_block(&name, block, &mut found);
            }
        }
        for span in prose.split('`').skip(1).step_by(2) {
            if PROGRAMS.iter().any(|program| span.starts_with(program)) {
                found.push(Example { place: name.clone(), command: span.replace('\n', " "), shown: String::new() });
            }
        }
    }
    found.retain(|example| !example.command.contains('…'));
    found
}

/// A block shows what is typed behind `$` with its answers, or nothing but what is typed.
fn of_block(place: &str, block: &str, found: &mut Vec<Example>) {
    let has_answers = block.lines().any(|line| line.starts_with("$ "));
    let first = found.len();
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        match line.strip_prefix("$ ").or_else(|| (!has_answers).then_some(line)) {
            Some(command) => {
                // What stands behind a wide gap is a remark.
                let command = command.split("  #").next().unwrap().trim().to_owned();
                found.push(Example { place: place.to_owned(), command, shown: String::new() });
            }
            None if found.len() > first => {
                let shown = &mut found.last_mut().unwrap().shown;
                shown.push_str(line);
                shown.push('\n');
            }
            None => panic!("{place}: {line:?} answers nothing"),
        }
    }
}

/// The words of a command as a shell takes them, with quotes.
fn words(command: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some('"'), '\\') => word.extend(letters.next()),
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, ' ') => words.push(std::mem::take(&mut word)),
            _ => word.push(letter),
        }
    }
    assert!(quote.is_none(), "{command}: a quote is not closed");
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

/// The password that the documents have.
const PASSWORD: &str = "correct horse battery";

/// The running demo, killed when dropped.
struct Program {
    child: Child,
    api: u16,
    sql: u16,
    folder: TempDir,
    http: reqwest::Client,
    /// What `$ACCESS` and the other words of this kind stand for.
    known: BTreeMap<&'static str, String>,
}

impl Program {
    fn start() -> Self {
        let (api, sql, folder) = (lasting_port().unwrap(), lasting_port().unwrap(), TempDir::new().unwrap());
        // As the European Central Bank publishes them.
        let rates = "Date,USD,CHF,CYP,\n2026-11-20,1.1592,0.9312,N/A,\n2026-11-19,1.1570,0.9310,N/A,\n";
        std::fs::write(folder.path().join("eurofxref-hist.csv"), rates).unwrap();
        let child = Self::command(folder.path())
            .args(["demo", "--headless", "--trades-per-second", "200", "--data-folder", "data"])
            .args(["--api-bind", &format!("127.0.0.1:{api}"), "--sql-bind", &format!("127.0.0.1:{sql}")])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, api, sql, folder, http: reqwest::Client::new(), known: BTreeMap::new() }
    }

    /// Makes the account that the documents use.
    async fn make_account(&self) {
        let begin = Instant::now();
        loop {
            let mut command = Self::command(self.folder.path());
            command.args(["user", "add", "ada", "--admin", "--email", "ada@example.org"]);
            command.env("SQL_BIND", format!("127.0.0.1:{}", self.sql));
            command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            let _ = input.write_all(format!("{PASSWORD}\n").as_bytes());
            drop(input);
            if child.wait().unwrap().success() {
                return;
            }
            assert!(begin.elapsed() < SOON, "nobody has an account");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// With nothing of the machine's own settings.
    fn command(folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_crypto-tracker"));
        command.env_clear().env("HOME", folder).current_dir(folder);
        command
    }

    /// Runs an example. Returns the status and what it answers.
    async fn run(&mut self, example: &Example) -> Result<(bool, String), String> {
        let words = words(&example.command);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["curl", options @ .., url] => self.ask(url, options, example.shown.contains("\"status\":4")).await,
            ["cargo", "run", "--release", "--", arguments @ ..] | ["crypto-tracker", arguments @ ..] => {
                let mut command = Self::command(self.folder.path());
                command.env("SQL_BIND", format!("127.0.0.1:{}", self.sql));
                command.env("API_HOST", format!("127.0.0.1:{}", self.api));
                Ok(said(command.args(arguments)))
            }
            ["psql", arguments @ ..] => {
                let mut psql = Command::new(testbed::install::postgres_programs().unwrap().join("psql"));
                let port = self.sql.to_string();
                let arguments = arguments.iter().map(|word| if *word == "5433" { port.as_str() } else { *word });
                Ok(said(psql.arg("--no-psqlrc").args(arguments).env("PGSSLMODE", "disable")))
            }
            _ => Err("is neither run by this test nor listed in ELSEWHERE with the reason".to_owned()),
        }
    }

    async fn ask(&mut self, url: &str, options: &[&str], may_fail: bool) -> Result<(bool, String), String> {
        let path = url.strip_prefix("http://localhost:5001").ok_or("asks another address than the API's")?;
        let mut request = Request { method: None, headers: Vec::new(), body: None, is_endless: false };
        let mut options = options.iter();
        while let Some(option) = options.next() {
            let mut value = || options.next().map(|value| self.with_known(value)).ok_or("an option lacks its value");
            match *option {
                "-N" => request.is_endless = true,
                "-X" => request.method = Some(value()?),
                "-d" => request.body = Some(value()?),
                "-H" => request.headers.push(value()?),
                other => return Err(format!("has an option that is not known here: {other}")),
            }
        }
        // Whoever needs a token has logged in before.
        if !self.known.contains_key("ACCESS") && request.headers.iter().any(|header| header.contains("$ACCESS")) {
            return Err("bears a token that no example before it got".to_owned());
        }
        let by_default = if request.body.is_some() { "POST" } else { "GET" };
        let method = request.method.as_deref().unwrap_or(by_default).parse().unwrap();
        let mut asked = self.http.request(method, format!("http://127.0.0.1:{}{path}", self.api));
        for header in &request.headers {
            let (name, value) = header.split_once(": ").ok_or("a header has no colon")?;
            asked = asked.header(name, value);
        }
        if let Some(body) = request.body {
            asked = asked.body(body);
        }
        let Ok(mut answer) = asked.send().await else { return Ok((false, "nobody answers".to_owned())) };
        let success = if may_fail { answer.status().is_client_error() } else { answer.status().is_success() };
        let body = match request.is_endless {
            // It has begun when something came.
            true => answer.chunk().await.unwrap().map(|chunk| String::from_utf8_lossy(&chunk).into_owned()),
            false => answer.text().await.ok(),
        };
        let body = body.unwrap_or_default();
        if path == "/api/token" && success {
            self.learn(&body);
        }
        if path == "/api/logout" && success {
            // The examples behind it are of another day.
            let login = serde_json::json!({"username": "ada", "password": PASSWORD}).to_string();
            let asked = self.http.post(format!("http://127.0.0.1:{}/api/token", self.api));
            let answer = asked.header("content-type", "application/json").body(login).send().await.unwrap();
            self.learn(&answer.text().await.unwrap());
        }
        Ok((success, body))
    }

    /// The tokens of a log-in.
    fn learn(&mut self, tokens: &str) {
        let tokens: Value = serde_json::from_str(tokens).unwrap();
        for (name, field) in [("ACCESS", "access"), ("REFRESH", "refresh")] {
            self.known.insert(name, tokens[field].as_str().unwrap().to_owned());
        }
    }

    /// A word with what stands for it in the places of `$ACCESS` and the like.
    fn with_known(&self, word: &str) -> String {
        self.known.iter().fold(word.to_owned(), |word, (name, value)| word.replace(&format!("${name}"), value))
    }
}

/// What curl is told to send.
struct Request {
    method: Option<String>,
    headers: Vec<String>,
    body: Option<String>,
    is_endless: bool,
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    if output.status.success() { (true, text) } else { (false, String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// Whether an answer has the shape of what is shown: members, columns; or why not.
fn differs(shown: &str, answer: &str) -> Option<String> {
    if shown.starts_with('{') {
        let shown: Value = serde_json::from_str(&shown.replace(", …", "")).unwrap();
        let Ok(answer) = serde_json::from_str::<Value>(answer) else { return Some("it is no JSON".to_owned()) };
        return members_differ("", &shown, &answer);
    }
    let columns = |text: &str| {
        let first = text.lines().next().unwrap_or_default().to_owned();
        first.split(['|', ',']).map(|name| name.trim().to_owned()).collect::<Vec<_>>()
    };
    (!shown.is_empty() && columns(shown) != columns(answer)).then(|| "its columns are others".to_owned())
}

fn members_differ(at: &str, shown: &Value, answer: &Value) -> Option<String> {
    match (shown, answer) {
        (Value::Object(shown), Value::Object(answer)) => {
            let names = |map: &serde_json::Map<String, Value>| {
                let mut names: Vec<String> = map.keys().cloned().collect();
                names.sort();
                names
            };
            if names(shown) != names(answer) {
                return Some(format!("{at}: shown are {:?}, there are {:?}", names(shown), names(answer)));
            }
            shown.iter().find_map(|(name, value)| members_differ(&format!("{at}/{name}"), value, &answer[name]))
        }
        (Value::Array(shown), Value::Array(answer)) => match (shown.first(), answer.first()) {
            (Some(shown), Some(answer)) => members_differ(&format!("{at}/0"), shown, answer),
            (Some(_), None) => Some(format!("{at}: it is empty")),
            (None, _) => None,
        },
        (Value::Object(_) | Value::Array(_), _) | (_, Value::Object(_) | Value::Array(_)) => {
            Some(format!("{at}: shown is {shown}, there is {answer}"))
        }
        _ => None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_the_documents_answers_as_shown() {
    process::tls::install();
    let examples = examples();
    let mut program = Program::start();
    program.make_account().await;
    let mut run = 0;
    for example in &examples {
        if ELSEWHERE.iter().any(|(command, _)| *command == example.command) {
            continue;
        }
        let begin = Instant::now();
        loop {
            let (success, answer) = match program.run(example).await {
                Ok(answer) => answer,
                Err(why) => panic!("{}: {:?} {why}", example.place, example.command),
            };
            let wrong = if success { differs(&example.shown, &answer) } else { Some("it fails".to_owned()) };
            let Some(wrong) = wrong else { break };
            // At first there are no prices yet.
            let (place, command) = (&example.place, &example.command);
            assert!(begin.elapsed() < SOON, "{place}: {command:?} does not answer as shown: {wrong}; it says {answer}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        run += 1;
    }
    assert!(run >= 10, "only {run} examples were found to run");
    for (command, why) in ELSEWHERE {
        let is_there = examples.iter().any(|example| example.command == *command);
        assert!(is_there, "no document shows {command:?} any more ({why}); take it out of ELSEWHERE");
    }
}

#[test]
fn every_route_is_in_the_table_of_the_readme() {
    let readme = std::fs::read_to_string(top().join("README.md")).unwrap();
    let rows: Vec<&str> = readme.lines().filter(|line| line.starts_with("| `/")).collect();
    for path in api::paths() {
        let is_told = rows.iter().any(|row| row.contains(&format!("`{path}`")) || row.contains(&format!("`{path}?")));
        assert!(is_told, "README.md has no row about {path}");
    }
}
