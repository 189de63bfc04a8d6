//! `cargo xtask schema`: writes what the documents say of the database anew, from a freshly migrated one.
//!
//! The tests that compare the documents write them when they are told to, so that there is one way to make them.

use std::process::ExitCode;

use anyhow::Result;
use testbed::POSTGRES_VARIABLE;
use testbed::servers::{PostgresServer, Tuning};

use crate::cargo;

pub(crate) fn run() -> Result<ExitCode> {
    testbed::install::install_missing()?;
    let server = PostgresServer::start(Tuning::Tests)?;
    let mut command = cargo::command(&["test", "--quiet", "--locked", "-p", "database", "--test", "analysts", "--"]);
    command.args(["schema::", "queries::"]).env("WRITE_DOCUMENTS", "1").env(POSTGRES_VARIABLE, server.url());
    let succeeded = cargo::run(&mut command)?.success();
    if succeeded {
        eprintln!(
            "docs/SCHEMA.md and the answers in docs/QUERIES.md are as the database has them; `git diff docs` shows what changed."
        );
    }
    Ok(if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
