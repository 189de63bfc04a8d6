//! A program that the test started, and ends by its id, whatever happens.

use std::{
    fs::File,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long anything may take, on a machine that is busy with other tests.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);
pub(crate) const POLL: Duration = Duration::from_millis(100);

pub(crate) struct Program {
    command: Command,
    log: PathBuf,
    child: Option<Child>,
}

impl Program {
    /// Starts it in this folder, where its log is too, with nothing of the machine's own settings: no display, no `.env`.
    pub(crate) fn start(program: &Path, folder: &Path, prepare: impl FnOnce(&mut Command)) -> Self {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", folder).env("XDG_RUNTIME_DIR", folder).current_dir(folder);
        // Where libraries are found that the window loads while it runs.
        command.envs(["PATH", "LD_LIBRARY_PATH"].into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
        prepare(&mut command);
        let log = folder.join(program.file_name().unwrap()).with_extension("log");
        let mut program = Self { command, log, child: None };
        program.start_again();
        program
    }

    /// The same once more.
    pub(crate) fn start_again(&mut self) {
        self.kill();
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let child = self.command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).spawn();
        let name = self.command.get_program().display();
        self.child = Some(child.unwrap_or_else(|error| {
            panic!("{name} does not start ({error}); `cargo xtask test` installs and builds what is missing")
        }));
    }

    /// Ends it as a power switch would.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // An error means that it has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether it ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_some())
    }

    /// All that it wrote.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    /// Polls until something is found that this program is to bring about.
    pub(crate) fn wait<T>(&mut self, what: &str, mut found: impl FnMut(&Self) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            if let Some(found) = found(self) {
                return found;
            }
            let lives = !self.has_ended() && begin.elapsed() < PATIENCE;
            assert!(lives, "not seen after {:?}: {what}. The log:\n{}", begin.elapsed(), self.log());
            sleep(POLL);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}
