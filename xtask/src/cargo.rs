//! Calls of cargo, always from the workspace's top folder.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use anyhow::{Context, Result};

/// The workspace's top folder.
pub(crate) fn workspace() -> PathBuf {
    // `xtask` is one folder below; the path is that of the checkout it was compiled in.
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}

/// A cargo command of the toolchain that runs us.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(workspace());
    // What `cargo run` tells xtask about xtask. Build scripts look at some of it (ring's does), and would be run again by
    // every change between `cargo xtask test` and plain `cargo test`.
    for (name, _) in std::env::vars_os() {
        let about_xtask = name.to_str().is_some_and(|name| {
            name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") || name == "CARGO_CRATE_NAME"
        });
        if about_xtask {
            command.env_remove(name);
        }
    }
    command
}

/// Prints the command and runs it; its output goes where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<ExitStatus> {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    eprintln!("==> cargo {}", words.join(" "));
    command.status().context("starting cargo")
}

/// Whether cargo-nextest is installed.
pub(crate) fn has_nextest() -> bool {
    let mut command = command(&["nextest", "--version"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
