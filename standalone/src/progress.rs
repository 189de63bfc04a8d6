//! How far a long command has got: a bar where somebody looks at a terminal, a line now and then elsewhere.

#![allow(clippy::print_stdout, reason = "the output of a command line is what it prints")]

use std::{cell::Cell, io::IsTerminal as _, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

/// Between two lines.
const PACE: Duration = Duration::from_secs(10);

/// The way from one moment to another, later or earlier.
pub(crate) struct Progress {
    from: DateTime<Utc>,
    /// Where it ends, if it does by itself.
    to: Option<DateTime<Utc>>,
    bar: Option<ProgressBar>,
    told_at: Cell<Instant>,
}

impl Progress {
    pub(crate) fn new(from: DateTime<Utc>, to: DateTime<Utc>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new((to - from).num_minutes().unsigned_abs());
            // A template that is refused leaves the bar as it is.
            if let Ok(style) = ProgressStyle::with_template("{bar:40} {percent:>3} %  {msg}  {eta} left") {
                bar.set_style(style);
            }
            bar.set_message(day(from));
            bar
        });
        Self { from, to: Some(to), bar, told_at: Cell::new(Instant::now()) }
    }

    /// A way that is gone from now on, so many seconds or until it is broken off. What is done on it is said by
    /// [`tell`](Self::tell).
    pub(crate) fn from_now(seconds: Option<u32>) -> Self {
        let from = Utc::now();
        let bar = std::io::stderr().is_terminal().then(|| {
            let (bar, template) = match seconds {
                Some(seconds) => (ProgressBar::new(seconds.into()), "{bar:40} {percent:>3} %  {msg}"),
                None => (ProgressBar::no_length(), "{elapsed}  {msg}"),
            };
            // A template that is refused leaves the bar as it is.
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar
        });
        let to = seconds.map(|seconds| from + TimeDelta::seconds(seconds.into()));
        Self { from, to, bar, told_at: Cell::new(Instant::now()) }
    }

    /// What is done so far.
    pub(crate) fn tell(&self, done: &str) {
        let elapsed = (Utc::now() - self.from).num_seconds();
        if let Some(bar) = &self.bar {
            bar.set_position(elapsed.unsigned_abs());
            bar.set_message(done.to_owned());
        } else if self.told_at.get().elapsed() >= PACE {
            self.told_at.set(Instant::now());
            match self.to {
                Some(to) => println!("{done} ({} %)", elapsed * 100 / (to - self.from).num_seconds().max(1)),
                None => println!("{done}"),
            }
        }
    }

    /// Everything before this moment is done.
    pub(crate) fn reached(&self, time: DateTime<Utc>) {
        let all = self.to.map_or(0, |to| (to - self.from).num_minutes().abs());
        let done = (time - self.from).num_minutes().abs();
        if let Some(bar) = &self.bar {
            bar.set_position(done.unsigned_abs());
            bar.set_message(day(time));
        } else if self.told_at.get().elapsed() >= PACE {
            self.told_at.set(Instant::now());
            println!("{} ({} %)", day(time), done * 100 / all.max(1));
        }
    }

    /// Something to be read, above the bar.
    pub(crate) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            None => println!("{text}"),
        }
    }

    /// The bar stays as it is.
    pub(crate) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.abandon();
        }
    }
}

fn day(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M").to_string()
}
