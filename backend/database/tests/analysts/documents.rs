//! Documents that say what the database says: compared with it, and written anew by `cargo xtask schema`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Set by `cargo xtask schema`: documents are written instead of compared.
const WRITE: &str = "WRITE_DOCUMENTS";

/// A file of the workspace.
pub(crate) fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file)
}

/// What stands in a file of the workspace.
pub(crate) fn read(file: &str) -> String {
    fs::read_to_string(path(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// Fails where the file is not what it should be, or makes it so.
pub(crate) fn expect(file: &str, text: &str) {
    if std::env::var_os(WRITE).is_some() {
        fs::write(path(file), text).unwrap();
        return;
    }
    let present = read(file);
    if present == text {
        return;
    }
    let same = present.lines().zip(text.lines()).take_while(|(present, wanted)| present == wanted).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(its end)").to_owned();
    panic!(
        "{file} is not what the database says, from line {}:\n  it says   {}\n  should be {}\n\
         `cargo xtask schema` writes it anew; look at what it changed.",
        same + 1,
        line(&present),
        line(text)
    );
}

/// One of PostgreSQL's programs: psql, pg_dump, …
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(testbed::install::postgres_programs().unwrap().join(name));
    // Nothing of this machine's own settings.
    command.env_remove("PGOPTIONS").env_remove("PGTZ").env_remove("PGDATESTYLE").env("LC_ALL", "C.UTF-8");
    command
}

/// Runs it to its end and returns what it printed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}: {said}", output.status);
    assert!(said.is_empty(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}
