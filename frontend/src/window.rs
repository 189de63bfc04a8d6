//! Opens the window, or says in words why there is none.
//!
//! The libraries that draw are loaded at run time, and some of their wrappers panic where one is missing; that panic
//! is caught here and told as an error. Any other panic stays one.

use std::{
    any::Any,
    env,
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    time::Instant,
};

use eframe::{
    Renderer,
    egui::{Vec2, ViewportBuilder},
};
use tokio_util::sync::CancellationToken;

use crate::{
    app::App,
    error::DashboardError,
    screen::Screen,
    settings::{RendererChoice, Settings},
    store::Store,
};

/// Names the window to the desktop: its `.desktop` file and its icon are called like this.
const APP_ID: &str = "crypto-tracker-dashboard";
const ICON: &[u8] = include_bytes!("../desktop/crypto-tracker-dashboard.png");

/// Shows the window until it is closed, by its user or by `closed`.
pub(crate) fn open(settings: &Settings, closed: &CancellationToken) -> Result<(), DashboardError> {
    if !has_display(|name| env::var_os(name).is_some_and(|value| !value.is_empty())) {
        return Err(DashboardError::NoDisplay);
    }
    let store = Store::of(&settings.window);
    let (mut choices, desk) = store.choices();
    choices.theme = settings.window.theme.unwrap_or(choices.theme);
    choices.zone = settings.window.time_zone.unwrap_or(choices.zone);
    choices.renderer = settings.window.renderer.unwrap_or(choices.renderer);
    let [first, second] = renderers(choices.renderer);
    let attempt = |renderer| {
        let screen = Screen::new(choices.clone(), desk.clone());
        open_with(renderer, settings, screen, store.clone(), closed.clone())
    };
    match attempt(first) {
        // Another has no other display and no other libraries.
        Err(DashboardError::Window(error)) if !closed.is_cancelled() => {
            tracing::warn!(%error, ?first, ?second, "cannot draw like this; trying the other way");
            attempt(second)
        }
        outcome => outcome,
    }
}

/// The one to be tried first, and the one that steps in.
fn renderers(choice: RendererChoice) -> [Renderer; 2] {
    let glow_first = match choice {
        RendererChoice::Auto => cfg!(all(unix, not(target_os = "macos"))),
        RendererChoice::Glow => true,
        RendererChoice::Wgpu => false,
    };
    if glow_first { [Renderer::Glow, Renderer::Wgpu] } else { [Renderer::Wgpu, Renderer::Glow] }
}

fn open_with(
    renderer: Renderer,
    settings: &Settings,
    screen: Screen,
    store: Store,
    closed: CancellationToken,
) -> Result<(), DashboardError> {
    let asked_at = Instant::now();
    let mut viewport = ViewportBuilder::default()
        .with_title("crypto-tracker")
        .with_app_id(APP_ID)
        .with_inner_size(Vec2::new(1280.0, 800.0))
        .with_min_inner_size(Vec2::new(640.0, 420.0));
    if let Ok(icon) = eframe::icon_data::from_png_bytes(ICON) {
        viewport = viewport.with_icon(icon);
    }
    let options = eframe::NativeOptions {
        renderer,
        viewport,
        // There are hardly any gradients, and where no graphics card helps it is a good part of each frame.
        dithering: false,
        persistence_path: store.window(),
        ..eframe::NativeOptions::default()
    };
    let settings = settings.clone();
    let create: eframe::AppCreator<'_> = Box::new(move |creation| {
        let app = App::new(creation, &settings, screen, store, closed, asked_at)?;
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
    fn the_icon_can_be_read_and_each_renderer_has_another_behind_it() {
        assert!(eframe::icon_data::from_png_bytes(ICON).is_ok());
        for choice in [RendererChoice::Auto, RendererChoice::Glow, RendererChoice::Wgpu] {
            let [first, second] = renderers(choice);
            assert_ne!(first.to_string(), second.to_string());
        }
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
