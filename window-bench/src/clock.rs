//! How long something takes.

use std::{fs, time::Instant};

use rustix::time::{ClockId, clock_gettime};

/// Times, in milliseconds.
pub(crate) struct Clock {
    taken: Vec<f64>,
    on_cpu: f64,
}

/// What many times come to, in milliseconds.
pub(crate) struct Summary {
    /// The middle one, by the clock on the wall.
    pub(crate) median: f64,
    /// Nineteen of twenty are no longer.
    pub(crate) p95: f64,
    /// The mean of what this thread was on a CPU.
    pub(crate) on_cpu: f64,
}

impl Clock {
    pub(crate) fn new() -> Self {
        Self { taken: Vec::new(), on_cpu: 0.0 }
    }

    /// Does it, and notes how long it took.
    pub(crate) fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (before, begun) = (on_cpu(), Instant::now());
        let outcome = work();
        self.taken.push(begun.elapsed().as_secs_f64() * 1e3);
        self.on_cpu += on_cpu() - before;
        outcome
    }

    pub(crate) fn summary(mut self) -> Summary {
        let count = self.taken.len();
        self.taken.sort_by(f64::total_cmp);
        let at = |share: f64| self.taken.get((count as f64 * share) as usize).copied().unwrap_or(f64::NAN);
        Summary { median: at(0.5), p95: at(0.95), on_cpu: self.on_cpu / count as f64 }
    }
}

/// Milliseconds that this thread has been on a CPU.
fn on_cpu() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Memory of this process that is in use, where the system tells.
pub(crate) fn resident_mebibytes() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    let kibibytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes / 1_024.0)
}
