//! What was done, how it ended and how long it took, printed as a table at the end.

use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The steps of one command so far.
pub(crate) struct Steps {
    begin: Instant,
    done: Vec<(String, Duration, bool)>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self { begin: Instant::now(), done: Vec::new() }
    }

    /// Does a step and takes its time; `succeeded` reads its outcome.
    pub(crate) fn take<T>(&mut self, name: &str, succeeded: impl FnOnce(&T) -> bool, step: impl FnOnce() -> T) -> T {
        let begin = Instant::now();
        let outcome = step();
        self.done.push((name.to_owned(), begin.elapsed(), succeeded(&outcome)));
        outcome
    }

    /// Prints the table; success when every step succeeded.
    pub(crate) fn summarize(&self) -> ExitCode {
        eprintln!();
        for (name, time, succeeded) in &self.done {
            eprintln!("{} {:>8.1} s  {name}", if *succeeded { "ok    " } else { "FAILED" }, time.as_secs_f64());
        }
        let succeeded = self.done.iter().all(|(_, _, succeeded)| *succeeded);
        let verdict = if succeeded { "ok    " } else { "FAILED" };
        eprintln!("{verdict} {:>8.1} s  in all", self.begin.elapsed().as_secs_f64());
        if succeeded { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}
