//! `cargo xtask check`: what a change must pass before it is tested.

use std::process::{ExitCode, ExitStatus};

use anyhow::Result;

use crate::cargo;
use crate::steps::Steps;

pub(crate) fn run() -> Result<ExitCode> {
    let mut steps = Steps::new();
    let checks: [(&str, &[&str]); 3] = [
        ("formatting", &["fmt", "--all", "--check"]),
        ("lints", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
        ("documentation", &["doc", "--workspace", "--no-deps", "--locked"]),
    ];
    for (name, words) in checks {
        let mut command = cargo::command(words);
        command.env("RUSTDOCFLAGS", "-D warnings");
        let succeeded = |status: &Result<ExitStatus>| status.as_ref().is_ok_and(ExitStatus::success);
        steps.take(name, succeeded, || cargo::run(&mut command))?;
    }
    Ok(steps.summarize())
}
