//! Alerts: rules, what they fire for, and who looks at prices for them.

pub mod clock;
pub mod firings;
mod forget;
pub mod past;
pub mod rules;
pub mod turns;
pub mod watching;

pub use clock::Clock;
pub use firings::Written;
pub use forget::forget;
pub(crate) use turns::Looking;
pub use turns::{Alerts, Turn};
pub use watching::Watchers;
