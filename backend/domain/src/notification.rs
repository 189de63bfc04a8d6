//! How somebody is told: where, in which words, when, and how often.
//!
//! Pure rules, for who sends (the notifier) and for who shows and changes them (the API). Secrets in the settings of channels show in
//! no `Debug` and in no mistake.

pub mod channel;
pub mod pace;
pub mod quiet;
pub mod schedule;
pub mod template;

pub use channel::{ChannelSettings, Severity};
pub use quiet::QuietHours;
pub use template::{Template, Told};

/// What cannot be meant: which field it is in, what is wrong with its value, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} {told}")]
pub struct Mistake {
    /// The field.
    pub field: &'static str,
    /// Its value (of a secret only its length) and the remedy.
    pub told: String,
}

impl Mistake {
    fn new(field: &'static str, told: impl Into<String>) -> Self {
        Self { field, told: told.into() }
    }
}
