//! `cargo xtask bench`: real servers for the package `bench`, which measures the pipeline; `cargo xtask bench dashboard`:
//! the package `window-bench`, which measures the window and needs nothing.
//!
//! They are packages of their own so that this one stays small.

use std::process::ExitCode;

use anyhow::Result;
use testbed::servers::{Servers, Tuning};

use crate::cargo;

/// What to measure.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// `dashboard` to measure the window instead of the pipeline; the rest is passed on, `--help` shows what is taken.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    match arguments.arguments.split_first() {
        Some((first, rest)) if first == "dashboard" => measure("window-bench", rest, None),
        _ => {
            testbed::install::install_missing()?;
            measure("bench", &arguments.arguments, Some(Tuning::Benchmark))
        }
    }
}

fn measure(package: &str, arguments: &[String], servers: Option<Tuning>) -> Result<ExitCode> {
    // Nothing else may run while it measures, so compiling comes first.
    if !cargo::run(&mut cargo::command(&["build", "--release", "--locked", "-p", package]))?.success() {
        return Ok(ExitCode::FAILURE);
    }
    let mut command = cargo::command(&["run", "--release", "--quiet", "--locked", "-p", package, "--"]);
    command.args(arguments);
    let mut servers = servers.map(Servers::launch).transpose()?;
    if let Some(servers) = &mut servers {
        servers.wait_until_ready()?;
        command.envs(servers.environment());
    }
    let succeeded = cargo::run(&mut command)?.success();
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
