//! The window that the test in `tests/window` opens and looks at.
//!
//! It is the one that the program `dashboard` opens, by the same call and with the same flags. It exists because Cargo
//! builds the programs of a test's own package together with the test: this one always can be looked into, while a
//! `dashboard` that lies about was perhaps built without that, or long ago.

use std::io;

use clap::Parser;
use dashboard::Settings;
use tracing_subscriber::EnvFilter;

fn main() -> anyhow::Result<()> {
    let settings = Settings::parse();
    tracing_subscriber::fmt().with_env_filter(EnvFilter::new("info")).with_writer(io::stderr).init();
    dashboard::run(&settings)?;
    Ok(())
}
