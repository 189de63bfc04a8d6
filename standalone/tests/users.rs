//! `crypto-tracker user`, run as an operator runs it, beside the running program.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    io::Write as _,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

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

fn said(output: &Output) -> String {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains("panicked"), "{text}");
    text
}

/// The running program with its own database, killed when dropped.
struct Program {
    child: Child,
    api: String,
    sql: String,
}

impl Program {
    fn start(folder: &TempDir) -> Self {
        let [api, sql] = [lasting_port(), lasting_port()].map(|port| format!("127.0.0.1:{}", port.unwrap()));
        let child = command()
            .args(["demo", "--headless", "--api-bind", &api, "--sql-bind", &sql, "--data-folder"])
            .arg(folder.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, api, sql }
    }

    fn user(&self, arguments: &[&str], password: &str) -> Output {
        let mut user = command();
        user.arg("user").args(arguments).args(["--sql-bind", &self.sql]);
        let mut child = user.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // One that is refused at once does not read it.
        let _ = child.stdin.take().unwrap().write_all(format!("{password}\n").as_bytes());
        child.wait_with_output().unwrap()
    }

    fn sql(&self, query: &str) -> Output {
        command().args(["sql", "--csv", "--sql-bind", &self.sql, query]).output().unwrap()
    }

    async fn log_in(&self, password: &str) -> u16 {
        let body = serde_json::json!({"username": "ada", "password": password}).to_string();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.post(format!("http://{}/api/token", self.api)).header("content-type", "application/json");
        request.body(body).send().await.unwrap().status().as_u16()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_makes_accounts_and_nobody_who_asks_in_sql_sees_what_proves_them() {
    process_tls();
    let folder = TempDir::new().unwrap();
    let program = Program::start(&folder);
    let begin = Instant::now();
    while !program.sql("SELECT 1 FROM prices LIMIT 1").status.success() {
        assert!(begin.elapsed() < SOON, "it answers");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for (arguments, password, expected) in [
        (vec!["add", "No Name"], "correct horse", "cannot be a name; write 1 to 64"),
        (vec!["add", "ada"], "too short", "10 to 256 characters; this one has 9"),
        (vec!["add", "ada", "--email", "nowhere"], "correct horse", "--email is no address of mail"),
        (vec!["password", "ada"], "correct horse", "no account of this name"),
    ] {
        let output = program.user(&arguments, password);
        assert!(!output.status.success() && said(&output).contains(expected), "{arguments:?}: {}", said(&output));
    }
    let output = program.user(&["add", "Ada", "--admin", "--email", "ada@example.org"], "correct horse");
    assert!(output.status.success() && said(&output).contains("ada may log in"), "{}", said(&output));
    let again = program.user(&["add", "ada"], "correct horse");
    assert!(!again.status.success() && said(&again).contains("an account of this name already"), "{}", said(&again));
    assert_eq!((program.log_in("correct horse").await, program.log_in("wrong horse!").await), (200, 401));
    assert!(program.user(&["password", "ada"], "staple battery").status.success());
    assert_eq!((program.log_in("correct horse").await, program.log_in("staple battery").await), (401, 200));
    assert!(program.user(&["disable", "ada"], "").status.success());
    assert_eq!(program.log_in("staple battery").await, 401);
    assert!(program.user(&["enable", "ada"], "").status.success());
    assert_eq!(program.log_in("staple battery").await, 200);
    // Who asks in SQL has an analyst's rights.
    for query in ["SELECT * FROM secret.account", "SELECT * FROM secret.session", "SELECT * FROM secret.accounts"] {
        let output = program.sql(query);
        assert!(!output.status.success() && said(&output).contains("permission denied"), "{query}: {}", said(&output));
    }
    let role = program.sql("SELECT current_user");
    assert!(role.status.success() && said(&role).contains("analyst"), "{}", said(&role));
}

/// The client wants to know how it would encrypt, though it does not.
fn process_tls() {
    process::tls::install();
}
