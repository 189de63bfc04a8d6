//! The folder of one server, and a dead man's switch for what runs in it.
//!
//! A shell waits at the other end of a pipe that only our process holds. When we end without cleaning up (Ctrl-C,
//! SIGKILL, a crash) the system closes the pipe, the shell reads its end, stops the process groups noted in the folder
//! and removes it. That needs no signal handler and, unlike a parent-death signal, does not fire when merely the thread
//! that started the server ends.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::process::run;
use super::{FOLDER_VARIABLE, Tuning};

/// `$1` is the folder; each `*.group` file in it holds the signal that stops a process group, and the group.
const GUARD: &str = r#"
trap '' INT TERM HUP
read -r _
each() { for note in "$1"/*.group; do [ -e "$note" ] && read -r signal group < "$note" && kill -s "${2:-$signal}" -- "-$group"; done; }
each "$1"
sleep 2
each "$1" KILL
rm -rf -- "$1"
"#;

/// Linux's file system in memory: a test's database is copied there in 20 ms, on a disk in up to 300.
const MEMORY: &str = "/dev/shm";
/// Two servers need a fraction of it; containers often have 64 MB there, which is too little.
const ROOM_KIB: u64 = 2 * 1024 * 1024;

/// Removed, with whatever still runs in it, when our process ends in whatever way.
#[derive(Debug)]
pub(super) struct ServerFolder {
    folder: TempDir,
    guard: Child,
}

impl ServerFolder {
    pub(super) fn create(server: &str, tuning: Tuning) -> Result<Self> {
        let parent = match std::env::var_os(FOLDER_VARIABLE) {
            Some(folder) => PathBuf::from(folder),
            None if tuning == Tuning::Tests && memory_has_room() => PathBuf::from(MEMORY),
            None => std::env::temp_dir(),
        };
        let folder = tempfile::Builder::new()
            .prefix(&format!("testbed-{server}-"))
            // Another user (PostgreSQL's) must be able to walk through, not to list.
            .permissions(Permissions::from_mode(0o711))
            .tempdir_in(&parent)
            .with_context(|| format!("making a folder for {server} in {}", parent.display()))?;
        let guard = Command::new("sh")
            .args(["-c", GUARD, "sh"])
            .arg(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .current_dir("/")
            .process_group(0)
            .spawn()
            .context("starting the shell that guards a server")?;
        Ok(Self { folder, guard })
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// From now on the guard stops the process group `group` with `signal`, until the returned file is removed.
    pub(super) fn note(&self, name: &str, signal: &str, group: u32) -> Result<PathBuf> {
        let note = self.path().join(format!("{name}.group"));
        fs::write(&note, format!("{signal} {group}\n")).with_context(|| format!("writing {}", note.display()))?;
        Ok(note)
    }
}

impl Drop for ServerFolder {
    fn drop(&mut self) {
        // The servers have been stopped by now (fields are dropped in the order of declaration); without its guard the
        // folder is removed by `TempDir`.
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

fn memory_has_room() -> bool {
    let Ok(table) = run(Command::new("df").args(["-P", "-k", MEMORY])) else {
        return false;
    };
    let free = table.lines().nth(1).and_then(|line| line.split_whitespace().nth(3)?.parse::<u64>().ok());
    free.is_some_and(|free| free >= ROOM_KIB)
}
