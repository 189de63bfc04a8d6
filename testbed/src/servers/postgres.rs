//! A PostgreSQL server with a data folder of its own.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::Tuning;
use super::guard::ServerFolder;
use super::process::{ServerProcess, free_ports, run};
use crate::address::ServerAddress;
use crate::{install, random};

/// Recovery after a crash under a benchmark's load takes longest.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long the system may take to clear killed sessions away.
const SESSIONS_END: Duration = Duration::from_secs(20);

/// A running PostgreSQL server; dropping it stops it and removes its data.
#[derive(Debug)]
pub struct PostgresServer {
    process: Option<ServerProcess>,
    programs: PathBuf,
    address: ServerAddress,
    tuning: Tuning,
    account: Option<Account>,
    folder: ServerFolder,
}

/// PostgreSQL refuses to run as root, so a server started by root runs as this user.
#[derive(Clone, Copy, Debug)]
struct Account {
    user: u32,
    group: u32,
}

impl PostgresServer {
    /// Starts a server and waits until it answers.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or did not start; the error shows the end of its log.
    pub fn start(tuning: Tuning) -> Result<Self> {
        let mut server = Self::launch(tuning)?;
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Makes the data folder and starts a server without waiting until it answers.
    ///
    /// # Errors
    /// When PostgreSQL is not installed, or its data folder cannot be made.
    pub fn launch(tuning: Tuning) -> Result<Self> {
        let programs = install::postgres_programs()?;
        let [port] = free_ports()?;
        let address = ServerAddress::on_loopback("postgres", port, &random::hex());
        let folder = ServerFolder::create("postgres", tuning)?;
        let mut server = Self { process: None, programs, address, tuning, account: Account::for_root()?, folder };
        server.make_data_folder()?;
        server.launch_again()?;
        Ok(server)
    }

    /// Where it listens, with the login of a superuser.
    #[must_use]
    pub fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// URL of its maintenance database.
    #[must_use]
    pub fn url(&self) -> String {
        self.address.url("postgres")
    }

    /// Id of the server's main process, while it runs.
    #[must_use]
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(ServerProcess::id)
    }

    /// Whether it is not running, stopped by us or by itself.
    pub fn has_ended(&mut self) -> bool {
        self.process.as_mut().is_none_or(ServerProcess::has_ended)
    }

    /// Ends it in order, keeping its data: sessions are closed, a last checkpoint is written.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.stop("INT");
        }
    }

    /// Ends it as a power switch would, keeping its data: the next start has to recover.
    pub fn crash(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill_with_children();
        }
    }

    /// Starts it again after [`PostgresServer::stop`] or [`PostgresServer::crash`], on the same port and data.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&mut self) -> Result<()> {
        let begin = Instant::now();
        loop {
            self.launch_again()?;
            match self.wait_until_ready() {
                // Killed sessions are gone a moment later; until then their shared memory is in the way.
                Err(error) if begin.elapsed() < SESSIONS_END && error.to_string().contains("shared memory block") => {
                    self.process = None;
                }
                outcome => return outcome,
            }
        }
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// When it ends or takes too long instead.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        // The server writes its state there once it accepts connections: nothing else has to be installed to ask.
        let state_file = self.data().join("postmaster.pid");
        let Some(process) = &mut self.process else { anyhow::bail!("the PostgreSQL server was stopped") };
        let id = process.id().to_string();
        process.wait_until(PATIENCE, || {
            let state = fs::read_to_string(&state_file).unwrap_or_default();
            let mut lines = state.lines();
            lines.next() == Some(&id) && lines.nth(6).is_some_and(|line| line.trim() == "ready")
        })
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn make_data_folder(&self) -> Result<()> {
        let data = self.data();
        fs::create_dir(&data).with_context(|| format!("making {}", data.display()))?;
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).context("closing the data folder to others")?;
        let password_file = self.folder.path().join("password");
        fs::write(&password_file, &self.address.password).context("writing the password file")?;
        if let Some(Account { user, group }) = self.account {
            for path in [&data, &password_file] {
                chown(path, Some(user), Some(group)).with_context(|| format!("giving away {}", path.display()))?;
            }
        }
        // Passwords in clear, over loopback: hashing them takes a debug build longer than most tests.
        let mut initdb = self.command("initdb");
        initdb.args(["--encoding=UTF8", "--locale=C", "--auth=password", "--no-sync", "--no-instructions"]);
        initdb.arg("--username").arg(&self.address.user).arg("--pwfile").arg(&password_file).arg("-D").arg(&data);
        run(&mut initdb).context("making PostgreSQL's data folder")?;
        fs::remove_file(&password_file).context("removing the password file")
    }

    fn launch_again(&mut self) -> Result<()> {
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.address.port.to_string(), "-h", "127.0.0.1"]);
        for setting in settings(self.tuning) {
            command.args(["-c", setting]);
        }
        // SIGQUIT: at once, but it still frees its shared memory.
        self.process = Some(ServerProcess::launch("postgres", command, "QUIT", &self.folder)?);
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir(self.data()).env("LC_ALL", "C");
        if let Some(Account { user, group }) = self.account {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Account {
    fn for_root() -> Result<Option<Self>> {
        if !install::is_root() {
            return Ok(None);
        }
        let number = |option: &str, user: &str| -> Result<u32> {
            run(Command::new("id").args([option, user]))?.parse().context("reading what `id` printed")
        };
        let user = if Path::new("/var/lib/postgresql").exists() { "postgres" } else { "nobody" };
        Ok(Some(Self { user: number("-u", user)?, group: number("-g", user)? }))
    }
}

fn settings(tuning: Tuning) -> &'static [&'static str] {
    match tuning {
        Tuning::Tests => &[
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=128MB",
            // The log is in memory too.
            "max_wal_size=256MB",
            "log_min_messages=warning",
            "wal_level=minimal",
            "max_wal_senders=0",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            // A test that ends while it connects leaves a connection that never says its password, and until that is
            // given up no database can be dropped.
            "authentication_timeout=5s",
        ],
        Tuning::Benchmark => &[
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=1GB",
            "max_wal_size=8GB",
            "wal_compression=lz4",
            "fsync=on",
            "synchronous_commit=on",
            "jit=off",
            "log_min_messages=warning",
            "log_checkpoints=on",
            // The moment of each commit, for latencies.
            "track_commit_timestamp=on",
        ],
    }
}
