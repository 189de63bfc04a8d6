//! The display, the program with its API and its market, and the window.

use std::{
    path::Path,
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;
use testbed::servers::lasting_port;

use crate::{
    glass::{Glass, Picture, Shown},
    program::{PATIENCE, POLL, Program},
    services::{Api, Exchange},
};

/// Built beside it is the program that it needs.
const WINDOW: &str = env!("CARGO_BIN_EXE_window-test");
/// For people: the window as it was when it was last photographed, at the latest when a test failed.
const PICTURE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/window.png");

/// All that runs. Dropped from the first to the last.
pub(crate) struct Stage {
    pub(crate) api: Api,
    pub(crate) exchange: Exchange,
    pub(crate) glass: Glass,
    window: Program,
    /// API, database and market in one.
    tracker: Program,
    _display: Program,
    _folder: TempDir,
}

impl Stage {
    /// Starts everything. It returns when the window can be looked into.
    pub(crate) fn build() -> Self {
        let folder = TempDir::new().unwrap();
        let own = folder.path();
        let [api, sql, exchange, glass] = [(); 4].map(|()| lasting_port().unwrap());

        let tracker = Program::start(&Path::new(WINDOW).with_file_name("crypto-tracker"), own, |command| {
            command.args(["demo", "--headless"]);
            for (flag, port) in [("--api-bind", api), ("--sql-bind", sql), ("--bind", exchange)] {
                command.args([flag, &format!("127.0.0.1:{port}")]);
            }
            command.arg("--data-folder").arg(own.join("data"));
        });

        let mut display = Program::start(Path::new("Xvfb"), own, |command| {
            command.args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-ac", "-noreset"]);
        });
        let number = display.wait("Xvfb tells the number of a free display", |display| {
            let log = display.log();
            let mut lines = log.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
            lines.find_map(|line| line.parse::<u32>().ok())
        });

        let mut window = Program::start(Path::new(WINDOW), own, |command| {
            command.env("DISPLAY", format!(":{number}")).env("EGUI_INSPECTION", format!("127.0.0.1:{glass}"));
            command.args(["--api", &format!("http://127.0.0.1:{api}")]);
            command.arg("--dashboard-folder").arg(own.join("dashboard"));
        });
        let glass = window.wait("the window can be looked into", |_| Glass::connect(glass));
        let (api, exchange) = (Api(api), Exchange(exchange));
        Self { api, exchange, glass, window, tracker, _display: display, _folder: folder }
    }

    /// Looks until something is found in the window.
    pub(crate) fn wait<T>(&mut self, what: &str, mut found: impl FnMut(&Shown) -> Option<T>) -> T {
        let begin = Instant::now();
        loop {
            let shown = self.glass.look();
            if let Some(found) = shown.as_ref().and_then(&mut found) {
                return found;
            }
            let ended = self.window.has_ended() || self.tracker.has_ended();
            if ended || begin.elapsed() > PATIENCE {
                self.fail(what, begin.elapsed(), shown);
            }
            sleep(POLL);
        }
    }

    /// What is painted now.
    pub(crate) fn picture(&self) -> Option<Picture> {
        let picture = self.glass.picture()?;
        std::fs::write(PICTURE, picture.png()).unwrap();
        Some(picture)
    }

    /// All in one process, gone as if the machine had taken it away.
    pub(crate) fn kill_api(&mut self) {
        self.tracker.kill();
    }

    /// Where it was, with what it had.
    pub(crate) fn start_api_again(&mut self) {
        self.tracker.start_again();
    }

    fn fail(&self, what: &str, after: Duration, shown: Option<Shown>) -> ! {
        let painted = self.picture().map_or("none could be taken", |_| PICTURE);
        let words = shown.map_or("nothing".to_owned(), |shown| shown.words());
        let (window, tracker) = (self.window.log(), self.tracker.log());
        panic!(
            "not seen after {after:?}: {what}.\nA picture: {painted}.\nThe window says:\n{words}\nIts log:\n{window}\n\
             crypto-tracker's:\n{tracker}"
        );
    }
}
