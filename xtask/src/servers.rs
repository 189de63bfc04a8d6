//! `cargo xtask servers`: both servers in the foreground, for work with one crate at a time.

use std::io::Write;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use testbed::servers::{Servers, Tuning};

/// How to start them.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Sync every commit to disk and use more memory, as `cargo xtask bench` does.
    #[arg(long)]
    benchmark: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    testbed::install::install_missing()?;
    eprintln!("Starting PostgreSQL and RabbitMQ …");
    let mut servers = Servers::launch(if arguments.benchmark { Tuning::Benchmark } else { Tuning::Tests })?;
    servers.wait_until_ready()?;
    for (name, value) in servers.environment() {
        println!("export {name}={value}");
    }
    std::io::stdout().flush().context("printing")?;
    eprintln!("Both answer. Ctrl-C stops them and removes their data.");
    // Ctrl-C ends this process, and the servers' guards do the rest.
    loop {
        sleep(Duration::from_secs(1));
        if let Some(ended) = servers.ended() {
            bail!("{ended} has ended by itself; see above");
        }
    }
}
