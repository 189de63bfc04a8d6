//! Real servers for tests: nothing here imitates PostgreSQL or RabbitMQ.
//!
//! `cargo xtask test` starts one of each for the whole run and announces them through environment variables; a test
//! takes a database ([`database::TestDatabase`]) or a virtual host ([`rabbitmq::VirtualHost`]) of its own from them, so
//! tests run in parallel and leave nothing behind. A test that wants to kill a server starts one for itself
//! ([`servers`]). A missing server is a panic that says what to run, never a skipped test.

mod address;
#[cfg(feature = "clients")]
pub mod database;
pub mod install;
pub mod management;
#[cfg(feature = "clients")]
pub mod rabbitmq;
mod random;
pub mod servers;

pub use address::{POSTGRES_VARIABLE, RABBITMQ_MANAGEMENT_VARIABLE, RABBITMQ_VARIABLE, RabbitMqAddress, ServerAddress};

/// The PostgreSQL server of this test run.
///
/// # Panics
/// When no server is announced.
#[must_use]
pub fn postgres() -> ServerAddress {
    announced(POSTGRES_VARIABLE)
}

/// The RabbitMQ server of this test run.
///
/// # Panics
/// When no server is announced.
#[must_use]
pub fn rabbitmq() -> RabbitMqAddress {
    RabbitMqAddress { amqp: announced(RABBITMQ_VARIABLE), management: announced(RABBITMQ_MANAGEMENT_VARIABLE) }
}

fn announced(variable: &str) -> ServerAddress {
    let url = std::env::var(variable).unwrap_or_else(|_| {
        panic!(
            "{variable} is not set: this test needs a real server. Run `cargo xtask test` (`cargo xtask test -p <crate>` \
             for one crate), or `cargo xtask servers` in another terminal and paste the `export` lines it prints."
        )
    });
    ServerAddress::parse(&url).unwrap_or_else(|error| panic!("{variable}: {error:#}"))
}
