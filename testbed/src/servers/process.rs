//! One server process: started in a process group of its own so that Ctrl-C in the terminal reaches us first, stopped by
//! the process id we were given, never by name.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::guard::ServerFolder;

/// How long a stopped process may take to end before it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(20);

/// A running server; dropping it stops it the fast way.
#[derive(Debug)]
pub(super) struct ServerProcess {
    name: &'static str,
    child: Child,
    /// Tells the guard about this process; exists as long as the process is ours.
    note: PathBuf,
    log: PathBuf,
    /// The signal on which it ends at once without leaving anything in the system.
    fast_stop: &'static str,
}

impl ServerProcess {
    /// Starts `command` with its output in `<name>.log` in the folder.
    pub(super) fn launch(
        name: &'static str,
        mut command: Command,
        fast_stop: &'static str,
        folder: &ServerFolder,
    ) -> Result<Self> {
        let log = folder.path().join(format!("{name}.log"));
        let output = File::options().create(true).append(true).open(&log);
        let output = output.with_context(|| format!("opening {}", log.display()))?;
        let mut child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().context("sharing a log file")?)
            .stderr(output)
            .process_group(0)
            .spawn()
            .with_context(|| format!("starting {name} ({})", command.get_program().display()))?;
        match folder.note(name, fast_stop, child.id()) {
            Ok(note) => Ok(Self { name, child, note, log, fast_stop }),
            Err(error) => {
                // Without its note nobody would stop it if we were killed.
                let _ = child.kill();
                let _ = child.wait();
                Err(error)
            }
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Polls `ready` until it says so.
    ///
    /// # Errors
    /// When the process ends first or `patience` is over; the error shows the end of the log.
    pub(super) fn wait_until(&mut self, patience: Duration, mut ready: impl FnMut() -> bool) -> Result<()> {
        let begin = Instant::now();
        while !ready() {
            if let Some(status) = self.child.try_wait().context("asking for a server's status")? {
                bail!("{} ended with {status} instead of starting; its log:\n{}", self.name, self.log_end());
            }
            if begin.elapsed() > patience {
                bail!("{} did not answer within {patience:?}; its log:\n{}", self.name, self.log_end());
            }
            sleep(POLL);
        }
        Ok(())
    }

    /// Sends `signal` to the process alone and waits for its end; kills it when that takes too long.
    pub(super) fn stop(&mut self, signal: &str) {
        send_signal(signal, &self.child.id().to_string());
        let begin = Instant::now();
        while !self.has_ended() && begin.elapsed() < STOP_PATIENCE {
            sleep(POLL);
        }
        self.kill();
    }

    /// As if the machine had taken it away.
    pub(super) fn kill(&mut self) {
        // After `wait` the id is no longer ours; a group whose leader has ended may still have members.
        send_signal("KILL", &format!("-{}", self.child.id()));
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(&self.note);
    }

    /// Like [`ServerProcess::kill`], for a server whose sessions are processes in groups of their own: left alive, one of
    /// them could still answer a query before it notices.
    pub(super) fn kill_with_children(&mut self) {
        // Stopped, it makes no more of them.
        self.signal_group("STOP");
        for child in children(self.child.id()) {
            send_signal("KILL", &child);
        }
        self.kill();
    }

    /// Signals the whole process group.
    pub(super) fn signal_group(&self, signal: &str) {
        send_signal(signal, &format!("-{}", self.child.id()));
    }

    fn log_end(&self) -> String {
        let text = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Already stopped: its id is no longer ours to signal.
        if self.note.exists() {
            self.stop(self.fast_stop);
        }
    }
}

/// Process ids of a process's children: from the kernel where it tells, else from `ps`.
fn children(parent: u32) -> Vec<String> {
    if let Ok(list) = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")) {
        return list.split_whitespace().map(str::to_owned).collect();
    }
    let table = run(Command::new("ps").args(["-A", "-o", "pid=,ppid="])).unwrap_or_default();
    let pairs = table.lines().filter_map(|line| line.trim().split_once(' '));
    pairs.filter(|(_, of)| of.trim() == parent.to_string()).map(|(child, _)| child.to_owned()).collect()
}

/// `kill` as the shell has it: the standard library sends only SIGKILL and only to one process.
fn send_signal(signal: &str, target: &str) {
    // A process that has already ended is where we want it.
    let _ = Command::new("sh")
        .args(["-c", r#"kill -s "$1" -- "$2""#, "sh", signal, target])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
}

/// Ports on loopback that were free a moment ago, all different. The listeners are closed on return; the system hands
/// out others before it hands out these again.
pub(super) fn free_ports<const N: usize>() -> Result<[u16; N]> {
    let mut listeners = Vec::with_capacity(N);
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("looking for a free port")?;
        *port = listener.local_addr().context("looking for a free port")?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

/// A port of loopback that is free and stays so while nothing listens on it: the system gives those from 32768 on to
/// connections, and this is below.
///
/// # Errors
/// When none is free.
pub fn lasting_port() -> Result<u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    for _ in 0..12_000 {
        let number = std::process::id().wrapping_mul(13).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = 20_000 + u16::try_from(number % 12_000).unwrap_or_default();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port between 20000 and 32000 is free")
}

/// Whether somebody listens on this port of loopback.
pub(super) fn answers(port: u16) -> bool {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// Runs a command that is to succeed and returns what it printed.
pub(super) fn run(command: &mut Command) -> Result<String> {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("running {program}"))?;
    if !output.status.success() {
        bail!("{program} failed with {}:\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}
