//! `cargo xtask bench`: real servers for the package `bench`, which does the measuring.
//!
//! It is a package of its own so that this one stays small.

use std::process::ExitCode;

use anyhow::Result;
use testbed::servers::{Servers, Tuning};

use crate::cargo;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Passed to the package `bench`; `--help` shows what it takes.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    testbed::install::install_missing()?;
    // Nothing else may run while it measures, so compiling comes first.
    if !cargo::run(&mut cargo::command(&["build", "--release", "--locked", "-p", "bench"]))?.success() {
        return Ok(ExitCode::FAILURE);
    }
    let mut servers = Servers::launch(Tuning::Benchmark)?;
    servers.wait_until_ready()?;
    let mut command = cargo::command(&["run", "--release", "--quiet", "--locked", "-p", "bench", "--"]);
    command.args(&arguments.arguments).envs(servers.environment());
    let succeeded = cargo::run(&mut command)?.success();
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
