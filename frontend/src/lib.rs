//! The native market dashboard.
//!
//! It knows the backend only through HTTP: [`run`] opens a window that shows what the REST API tells and what its
//! live feed adds. The window's thread never waits for the network; a worker thread does.

mod actions;
mod app;
mod choices;
mod client;
mod desk;
mod desktop;
mod error;
mod exports;
mod format;
mod indicators;
mod live;
mod observer;
mod panels;
mod rehearsal;
mod remote;
mod screen;
mod search;
mod settings;
mod state;
mod store;
mod theme;
mod watch;
mod widgets;
mod window;
mod worker;
mod zone;

use tokio_util::sync::CancellationToken;

pub use crate::{
    error::DashboardError,
    observer::{Observer, Shown},
    rehearsal::{Drawn, Rehearsal},
    settings::{ApiAddress, BadApiAddress, RendererChoice, Settings, ThemeChoice, WindowSettings},
    zone::{UnknownZone, Zone},
};

/// Shows the window until its user closes it. Must be called on the main thread, which it occupies.
///
/// # Errors
/// When no window can be opened: no display, a library is missing, or the graphics driver refuses.
pub fn run(settings: &Settings) -> Result<(), DashboardError> {
    run_until(settings, &CancellationToken::new())
}

/// Like [`run`], and closes the window when `closed` is cancelled, from any thread.
///
/// # Errors
/// As [`run`].
pub fn run_until(settings: &Settings, closed: &CancellationToken) -> Result<(), DashboardError> {
    window::open(settings, closed)
}
