//! One of the project's programs, as a process that can be killed, frozen and started again.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use anyhow::Context as _;

/// A program with its settings.
pub struct Service {
    name: &'static str,
    program: PathBuf,
    settings: Vec<(&'static str, String)>,
    log: PathBuf,
    process: Option<Child>,
}

impl Service {
    /// Starts it. What it logs is in `folder`.
    ///
    /// # Errors
    /// When the program is not built or does not start.
    pub fn start(
        name: &'static str,
        number: usize,
        settings: Vec<(&'static str, String)>,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let program = program(name)?;
        let log = folder.join(format!("{name}-{number}.log"));
        let mut service = Self { name, program, settings, log, process: None };
        service.start_again()?;
        Ok(service)
    }

    /// Starts it once more.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start_again(&mut self) -> anyhow::Result<()> {
        self.kill();
        let log = File::options().create(true).append(true).open(&self.log)?;
        let mut command = Command::new(&self.program);
        command.env_clear().envs(self.settings.iter().map(|(key, value)| (key, value)));
        command.current_dir(self.log.parent().unwrap_or(Path::new(".")));
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        self.process = Some(command.spawn().with_context(|| format!("starting {}", self.name))?);
        Ok(())
    }

    /// Ends it as a power switch would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // An error means that it has ended already.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// How often it has logged these words.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn logged(&self, words: &str) -> anyhow::Result<usize> {
        let log = std::fs::read(&self.log).with_context(|| format!("reading {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&log).matches(words).count())
    }

    /// Sends it a signal by name: `STOP`, `CONT`, `TERM`.
    pub fn signal(&self, signal: &str) {
        if let Some(process) = &self.process {
            send(signal, process.id());
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal to a process.
pub fn send(signal: &str, process: u32) {
    // The shell's own `kill`: the program of that name is not everywhere. An error means that it has ended.
    let _ = Command::new("sh").arg("-c").arg(format!("kill -s {signal} {process}")).status();
}

/// The processes that a process has started.
pub fn children(parent: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    numbers.filter(|process| parent_of(*process) == Some(parent)).collect()
}

fn parent_of(process: u32) -> Option<u32> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:")?.trim().parse().ok())
}

/// The program lies beside this one, or, for a test, one folder above.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let folders = here.ancestors().skip(1).take(2);
    let mut found = folders.map(|folder| folder.join(name)).filter(|program| program.is_file());
    found.next().with_context(|| format!("{name} is not built; `cargo build -p {name}` builds it"))
}
