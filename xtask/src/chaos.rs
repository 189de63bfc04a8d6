//! `cargo xtask chaos`: the package `chaos`, and the programs that it breaks.

use std::process::ExitCode;

use anyhow::Result;

use crate::cargo;

/// What to break.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed to the package `chaos`; `--help` shows what it takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    testbed::install::install_missing()?;
    let build = [
        "build",
        "--locked",
        "-p",
        "chaos",
        "-p",
        "tracker",
        "-p",
        "db-handler",
        "-p",
        "notifier",
        "-p",
        "follower",
        "-p",
        "standalone",
    ];
    if !cargo::run(&mut cargo::command(&build))?.success() {
        return Ok(ExitCode::FAILURE);
    }
    let mut command = cargo::command(&["run", "--quiet", "--locked", "-p", "chaos", "--"]);
    let succeeded = cargo::run(command.args(&arguments.arguments))?.success();
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
