//! What the window is told from outside: flags and environment variables.

use std::str::FromStr;

use clap::Parser;
use reqwest::Url;

use crate::theme::ThemeChoice;

/// Shows the recorded markets live, in a window of its own.
#[derive(Debug, Clone, Parser)]
#[command(name = "dashboard", version, about)]
pub struct Settings {
    /// Where the REST API listens; `http://` may be left out.
    #[arg(long, env = "API_HOST", value_name = "URL", default_value = "http://localhost:5001")]
    pub api: ApiAddress,

    /// Theme for this and later runs; without it, the one chosen last, at first the desktop's.
    #[arg(long, env = "DASHBOARD_THEME", value_name = "THEME")]
    pub theme: Option<ThemeChoice>,
}

impl Settings {
    /// For the API at `api`, everything else as it was chosen last.
    #[must_use]
    pub fn new(api: ApiAddress) -> Self {
        Self { api, theme: None }
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
    pub(crate) fn route(&self, segments: &[&str]) -> Url {
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
    fn what_is_no_address_is_refused_with_an_example() {
        for text in ["", "ftp://host", "http://", "ht tp://x"] {
            let error = text.parse::<ApiAddress>().unwrap_err().to_string();
            assert!(error.contains("http://localhost:5001"), "{error}");
        }
    }

    #[test]
    fn help_names_every_variable() {
        let help = Settings::command().render_long_help().to_string();
        for word in ["--api", "API_HOST", "--theme", "DASHBOARD_THEME", "http://localhost:5001"] {
            assert!(help.contains(word), "{word} is not in:\n{help}");
        }
    }
}
