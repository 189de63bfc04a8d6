//! Why there is no window.

/// The window did not open, or it ended badly.
#[derive(Debug, thiserror::Error)]
pub enum DashboardError {
    /// Nothing to draw on.
    #[error(
        "no display found (DISPLAY/WAYLAND_DISPLAY unset): the dashboard needs a desktop session. \
         Everything else works without one; over ssh, try `ssh -X`"
    )]
    NoDisplay,
    /// The display that is named does not answer.
    #[error("the display named by DISPLAY or WAYLAND_DISPLAY does not answer: is the desktop session still running?")]
    DisplayAway,
    /// A library that is loaded when the window opens is not installed.
    #[error("cannot open a window: {what}. {PACKAGES}")]
    MissingLibrary {
        /// What could not be loaded.
        what: String,
    },
    /// The display or the graphics driver refused.
    #[error("cannot open a window: {0}. {PACKAGES}")]
    Window(String),
    /// What the window needs around it could not be started.
    #[error("cannot start the dashboard: {0}")]
    Start(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Everything but libc is loaded at run time, so that the linker tells nobody what is missing.
const PACKAGES: &str = "On Debian or Ubuntu: apt-get install libxcursor1 libxi6 libxkbcommon-x11-0 libgl1 \
                        libgl1-mesa-dri libegl1";

impl From<eframe::Error> for DashboardError {
    fn from(error: eframe::Error) -> Self {
        // The others hold raw handles, which may not leave this thread; their words may.
        let words = error.to_string();
        match error {
            eframe::Error::AppCreation(cause) => Self::Start(cause),
            eframe::Error::NoGlutinConfigs(..) => Self::Window("no OpenGL was found".to_owned()),
            _ if words.contains("Failed to open connection to X server") => Self::DisplayAway,
            _ if words.contains("Failed to load one of xlib's shared libraries") => {
                Self::MissingLibrary { what: "one of the X11 libraries could not be loaded".to_owned() }
            }
            _ => Self::Window(words),
        }
    }
}
