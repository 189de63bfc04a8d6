//! Alerts: rules, what they fire for, and who looks at prices for them.

pub mod firings;
pub mod rules;
pub mod turns;
pub mod watching;

pub use firings::Written;
pub use turns::{Alerts, Turn};
pub use watching::Watchers;
