//! What the window is told from outside: flags and environment variables.

use std::{path::PathBuf, str::FromStr};

use clap::{Args, Parser, ValueEnum};
use reqwest::Url;
use serde::{Deserialize, Serialize};

pub use crate::theme::ThemeChoice;
use crate::zone::Zone;

/// What draws the window. Each of them steps in for the other where that cannot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum RendererChoice {
    /// What suits this system best: OpenGL on Linux, elsewhere its own.
    #[default]
    Auto,
    /// OpenGL.
    Glow,
    /// Vulkan, Metal or Direct3D.
    Wgpu,
}

/// Shows the recorded markets live, in a window of its own.
#[derive(Debug, Clone, Parser)]
#[command(name = "dashboard", version, about)]
pub struct Settings {
    /// Where the REST API listens; `http://` may be left out. Without it, the one chosen last in the window, at first
    /// http://localhost:5001.
    #[arg(long, env = "API_HOST", value_name = "URL")]
    pub api: Option<ApiAddress>,

    /// How the window looks and where it keeps things.
    #[command(flatten)]
    pub window: WindowSettings,
}

/// How the window looks and where it keeps things.
#[derive(Debug, Clone, Default, Args)]
#[group(id = "window")]
pub struct WindowSettings {
    /// Theme for this and later runs; without it, the one chosen last, at first the desktop's.
    #[arg(long, env = "DASHBOARD_THEME", value_name = "THEME")]
    pub theme: Option<ThemeChoice>,

    /// Clocks on which the window tells times, for this and later runs: UTC, local, or an IANA name like
    /// Europe/Berlin. Without it, those chosen last, at first UTC.
    #[arg(long, env = "DASHBOARD_TIME_ZONE", value_name = "ZONE")]
    pub time_zone: Option<Zone>,

    /// What draws the window, for this and later runs; without it, what was chosen last, at first what suits the system.
    #[arg(long, env = "DASHBOARD_RENDERER", value_name = "RENDERER")]
    pub renderer: Option<RendererChoice>,

    /// Folder in which the window keeps choices and its last picture; without it, where this system keeps such things.
    #[arg(long, env = "DASHBOARD_FOLDER", value_name = "FOLDER")]
    pub dashboard_folder: Option<PathBuf>,

    /// Folder into which pictures and candles are saved from the window; without it, the one for downloads.
    #[arg(long, env = "DASHBOARD_EXPORT_FOLDER", value_name = "FOLDER")]
    pub export_folder: Option<PathBuf>,
}

impl Settings {
    /// For the API at `api`, whatever was chosen in the window.
    #[must_use]
    pub fn new(api: ApiAddress, window: WindowSettings) -> Self {
        Self { api: Some(api), window }
    }
}

/// Where the API listens: `http://` or `https://`, a host, and perhaps a port and a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAddress {
    base: Url,
}

/// The text is no address of an API.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadApiAddress {
    /// It cannot be read as a URL.
    #[error("{0:?} is no address ({1}); write for example http://localhost:5001")]
    Unreadable(String, String),
    /// It is a URL of another kind.
    #[error("the API speaks http or https, not {0}; write for example http://localhost:5001")]
    Scheme(String),
}

impl ApiAddress {
    /// The URL of a route, its segments escaped.
    #[must_use]
    pub fn route(&self, segments: &[&str]) -> Url {
        let mut url = self.base.clone();
        // Only a URL that cannot have a path refuses; those with a host can.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The URL of the live feed's WebSocket.
    pub(crate) fn live(&self) -> Url {
        let mut url = self.route(&["live"]);
        // http to ws and https to wss are always allowed.
        let _ = url.set_scheme(if url.scheme() == "https" { "wss" } else { "ws" });
        url
    }
}

impl Default for ApiAddress {
    /// Where the API listens unless it is told otherwise.
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "a constant, which a test reads")]
        let base = "http://localhost:5001".parse().expect("an address");
        Self { base }
    }
}

impl ApiAddress {
    /// As it was written, with its password if it has one: to be kept, not to be shown.
    pub(crate) fn to_text(&self) -> String {
        self.base.as_str().to_owned()
    }
}

impl FromStr for ApiAddress {
    type Err = BadApiAddress;

    fn from_str(text: &str) -> Result<Self, BadApiAddress> {
        let trimmed = text.trim();
        let full = if trimmed.contains("://") { trimmed.to_owned() } else { format!("http://{trimmed}") };
        let base: Url = full.parse().map_err(|error| BadApiAddress::Unreadable(text.to_owned(), format!("{error}")))?;
        match base.scheme() {
            "http" | "https" => Ok(Self { base }),
            other => Err(BadApiAddress::Scheme(other.to_owned())),
        }
    }
}

impl std::fmt::Display for ApiAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = self.base.clone();
        // A password in the address is for the server, not for the screen.
        let _ = shown.set_password(None);
        f.write_str(shown.as_str().trim_end_matches('/'))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn an_address_needs_no_scheme() {
        let api: ApiAddress = "localhost:5001".parse().unwrap();
        assert_eq!(api.to_string(), "http://localhost:5001");
        assert_eq!(api.live().as_str(), "ws://localhost:5001/live");
        assert_eq!(
            api.route(&["candles", "kraken", "XBT/USD"]).as_str(),
            "http://localhost:5001/candles/kraken/XBT%2FUSD"
        );
        let api: ApiAddress = "https://me:secret@prices.example/api/".parse().unwrap();
        assert_eq!(api.live().as_str(), "wss://me:secret@prices.example/api/live");
        assert!(!api.to_string().contains("secret"));
    }

    #[test]
    fn at_first_the_api_is_on_this_machine() {
        assert_eq!(ApiAddress::default(), "localhost:5001".parse().unwrap());
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for text in ["", "ftp://host", "http://", "ht tp://x"] {
            let error = text.parse::<ApiAddress>().unwrap_err().to_string();
            assert!(error.contains("http://localhost:5001"), "{error}");
        }
    }

    #[test]
    fn help_names_every_variable() {
        let help = Settings::command().render_long_help().to_string();
        for word in [
            "--api",
            "API_HOST",
            "--theme",
            "DASHBOARD_THEME",
            "http://localhost:5001",
            "--time-zone",
            "DASHBOARD_TIME_ZONE",
            "--renderer",
            "DASHBOARD_RENDERER",
            "DASHBOARD_FOLDER",
            "DASHBOARD_EXPORT_FOLDER",
        ] {
            assert!(help.contains(word), "{word} is not in:\n{help}");
        }
    }
}
