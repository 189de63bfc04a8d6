//! Developer commands, `cargo xtask <command>`. What can be done by a plain `cargo` command has no command here.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the output of a command line is what it prints")]

mod benchmark;
mod cargo;
mod chaos;
mod check;
mod schema;
mod schemathesis;
mod servers;
mod steps;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer commands of this workspace.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every test against a real PostgreSQL and a real RabbitMQ.
    ///
    /// Installs the two where they are missing and that is allowed (Debian or Ubuntu, as root or with sudo), starts them
    /// on free loopback ports in private folders, runs the documentation's tests and then all others, and stops them.
    Test(test::Arguments),
    /// Start both servers, print how tests find them, and keep them until Ctrl-C.
    ///
    /// For `cargo test -p <crate>`, a debugger or psql in another terminal: paste the printed lines there first.
    Servers(servers::Arguments),
    /// Check formatting, lints and documentation, as .ci/run does before it tests.
    Check,
    /// Write docs/SCHEMA.md, and the answers in docs/QUERIES.md, from a freshly migrated database.
    ///
    /// What stands in them comes from the migrations' comments, docs/schema/ and the sample data of the tests.
    Schema,
    /// Measure the pipeline in release mode, against servers that sync every commit to disk.
    ///
    /// Runs the package `bench` with the arguments given.
    Bench(benchmark::Arguments),
    /// Break the real parts while trades flow, and compare what was published with what is stored.
    ///
    /// Runs the package `chaos` with the arguments given.
    Chaos(chaos::Arguments),
    /// Ask the API all that its description allows, and much that it does not, and compare.
    ///
    /// Installs schemathesis into target/schemathesis, with Python's venv and pip, and starts `crypto-tracker demo`.
    Schemathesis(schemathesis::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Test(arguments) => test::run(&arguments),
        Command::Servers(arguments) => servers::run(&arguments),
        Command::Check => check::run(),
        Command::Schema => schema::run(),
        Command::Bench(arguments) => benchmark::run(&arguments),
        Command::Chaos(arguments) => chaos::run(&arguments),
        Command::Schemathesis(arguments) => schemathesis::run(&arguments),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}
