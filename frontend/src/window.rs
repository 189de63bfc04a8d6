//! Opens the window, or says in words why there is none.
//!
//! The libraries that draw are loaded at run time, and some of their wrappers panic where one is missing; that panic
//! is caught here and told as an error. Any other panic stays one.

use std::{
    any::Any,
    env,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
};

use eframe::egui::{Vec2, ViewportBuilder};
use tokio_util::sync::CancellationToken;

use crate::{app::App, error::DashboardError, settings::Settings};

/// Names the folder in which the choices are kept.
const APP_ID: &str = "crypto-tracker-dashboard";

/// Shows the window until it is closed, by its user or by `closed`.
pub(crate) fn open(settings: Settings, closed: CancellationToken) -> Result<(), DashboardError> {
    if !has_display(|name| env::var_os(name).is_some_and(|value| !value.is_empty())) {
        return Err(DashboardError::NoDisplay);
    }
    let options = eframe::NativeOptions {
        renderer: eframe::Renderer::Glow,
        viewport: ViewportBuilder::default()
            .with_title("crypto-tracker")
            .with_app_id(APP_ID)
            .with_inner_size(Vec2::new(1280.0, 800.0))
            .with_min_inner_size(Vec2::new(760.0, 480.0)),
        ..eframe::NativeOptions::default()
    };
    let create: eframe::AppCreator<'_> = Box::new(move |creation| {
        let app = App::new(creation, &settings, closed)?;
        Ok(Box::new(app))
    });
    match quiet_about_libraries(|| eframe::run_native(APP_ID, options, create)) {
        Ok(outcome) => outcome.map_err(DashboardError::from),
        Err(panic) => match missing_library(panic.as_ref()) {
            Some(what) => Err(DashboardError::MissingLibrary { what }),
            None => panic::resume_unwind(panic),
        },
    }
}

/// Linux draws on X11 or Wayland and finds neither without its variable; other systems always have a display.
fn has_display(is_set: impl Fn(&str) -> bool) -> bool {
    let needs_variable = cfg!(all(unix, not(target_os = "macos")));
    !needs_variable || ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"].into_iter().any(is_set)
}

/// Catches a panic; that of a missing library is not printed, since it becomes an error with words of its own.
fn quiet_about_libraries<T>(open: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    let usual = Arc::new(panic::take_hook());
    let hook = Arc::clone(&usual);
    panic::set_hook(Box::new(move |info| {
        if missing_library(info.payload()).is_none() {
            hook(info);
        }
    }));
    let outcome = panic::catch_unwind(AssertUnwindSafe(open));
    panic::set_hook(Box::new(move |info| usual(info)));
    outcome
}

/// What could not be loaded, if that is what the panic is about.
fn missing_library(panic: &(dyn Any + Send)) -> Option<String> {
    let words = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied())?;
    (words.contains("could not be loaded") || words.contains("Could not load"))
        .then(|| words.trim_end_matches('.').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_becomes_an_error_that_names_the_packages() {
        let panicked = quiet_about_libraries(|| {
            panic!("Library libxkbcommon-x11.so could not be loaded.");
        });
        let what = missing_library(panicked.unwrap_err().as_ref()).unwrap();
        let error = DashboardError::MissingLibrary { what }.to_string();
        assert!(error.contains("libxkbcommon-x11.so could not be loaded. On Debian"), "{error}");
        assert!(error.contains("libxkbcommon-x11-0"), "{error}");
        assert_eq!(missing_library(&"index out of bounds"), None);
    }

    #[test]
    fn without_a_display_that_is_what_is_said() {
        assert!(has_display(|name| name == "WAYLAND_DISPLAY"));
        if cfg!(target_os = "linux") {
            assert!(!has_display(|_| false));
        }
        assert!(DashboardError::NoDisplay.to_string().starts_with("no display found (DISPLAY/WAYLAND_DISPLAY unset)"));
    }
}
