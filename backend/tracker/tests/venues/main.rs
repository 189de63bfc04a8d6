//! The tracker against the simulated exchange by Coinbase's and by Kraken's protocol, and by all three at once.
//!
//! What holds whatever the protocol is one test, run once for each of them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod beside;
mod following;
mod missing;
mod together;
mod trades;
mod venue;

/// Makes of each of these functions one test by Coinbase's protocol and one by Kraken's.
macro_rules! by_each_protocol {
    ($($test:ident),+ $(,)?) => {
        mod coinbase {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::venue::Venue::Coinbase).await;
            })+
        }

        mod kraken {
            $(#[tokio::test]
            async fn $test() {
                super::$test(crate::venue::Venue::Kraken).await;
            })+
        }
    };
}

use by_each_protocol;
