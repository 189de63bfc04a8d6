//! `cargo xtask test`: the one command that runs every test.

use std::process::{Command, ExitCode, ExitStatus};

use anyhow::Result;
use testbed::servers::{Servers, Tuning};

use crate::cargo;
use crate::steps::Steps;

/// Environment variable that names the folder of recorded exchange traffic.
const RECORDINGS_VARIABLE: &str = "RECORDINGS_DIR";

/// What to test.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed to `cargo nextest run` (to `cargo test` where nextest is not installed): `-p broker`, a test's name, …
    ///
    /// Without any, the whole workspace and its documentation's examples are tested.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let extra: Vec<&str> = arguments.arguments.iter().map(String::as_str).collect();
    let mut steps = Steps::new();
    steps.take("install what is missing", Result::is_ok, testbed::install::install_missing)?;

    // They boot while cargo compiles.
    let mut servers = steps.take("launch PostgreSQL and RabbitMQ", Result::is_ok, || Servers::launch(Tuning::Tests))?;
    let nextest = cargo::has_nextest();
    let build = tests(nextest, &extra, true);
    let built = steps.take("compile the tests", succeeded, || cargo::run(&mut cargo::command(&build)))?;
    if !built.success() {
        return Ok(steps.summarize());
    }
    steps.take("wait for the servers", Result::is_ok, || servers.wait_until_ready())?;

    let mut with_servers = |name: &str, words: &[&str]| {
        let mut command = cargo::command(words);
        command.envs(servers.environment());
        name_recordings(&mut command);
        steps.take(name, succeeded, || cargo::run(&mut command))
    };
    if extra.is_empty() {
        with_servers("examples in the documentation", &["test", "--workspace", "--doc", "--locked"])?;
    }
    with_servers("tests", &tests(nextest, &extra, false))?;

    steps.take("stop the servers", |()| true, || drop(servers));
    Ok(steps.summarize())
}

/// The words of the cargo command that compiles the tests, or compiles and runs them.
fn tests<'a>(nextest: bool, extra: &[&'a str], only_compile: bool) -> Vec<&'a str> {
    let mut words = if nextest { vec!["nextest", "run"] } else { vec!["test"] };
    if !extra.iter().any(|word| word.starts_with("-p") || word.starts_with("--package")) {
        words.push("--workspace");
    }
    if !nextest {
        words.extend(["--all-targets", "--no-fail-fast"]);
    }
    words.push("--locked");
    if only_compile {
        words.push("--no-run");
    } else if nextest {
        words.push("--no-fail-fast");
    }
    words.extend(extra);
    words
}

/// Tests that replay recorded traffic look there; without recordings they use the few that are in the repository.
fn name_recordings(command: &mut Command) {
    let recordings = cargo::workspace().join("../shared/recordings");
    if std::env::var_os(RECORDINGS_VARIABLE).is_none()
        && let Ok(recordings) = recordings.canonicalize()
    {
        command.env(RECORDINGS_VARIABLE, recordings);
    }
}

fn succeeded(status: &Result<ExitStatus>) -> bool {
    status.as_ref().is_ok_and(ExitStatus::success)
}
