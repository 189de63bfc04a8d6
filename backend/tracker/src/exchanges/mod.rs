//! The registry: the only list of exchanges. A new one is a folder here and a line in [`create`].

pub mod binance;

use std::sync::Arc;

use crate::{Error, Settings, exchange::Exchange};

/// Every exchange that can be followed.
const KNOWN: [&str; 1] = ["binance"];

fn create(name: &str, settings: &Settings) -> Result<Arc<dyn Exchange>, Error> {
    match name {
        "binance" => Ok(Arc::new(binance::Binance::new(settings)?)),
        unknown => Err(Error(format!(
            "EXCHANGES: {unknown:?} is not an exchange that can be followed; known are: {}",
            KNOWN.join(", ")
        ))),
    }
}

/// The exchange whose prices are kept under this name.
///
/// # Errors
/// When there is none, or its settings cannot be used.
pub fn find(name: &str, settings: &Settings) -> Result<Arc<dyn Exchange>, Error> {
    let mut names = Vec::with_capacity(KNOWN.len());
    for known in KNOWN {
        let exchange = create(known, settings)?;
        let kept = exchange.identity().name;
        if kept == name {
            return Ok(exchange);
        }
        names.push(kept);
    }
    Err(Error(format!("no exchange is kept under the name {name:?}; known are: {}", names.join(", "))))
}

/// The exchanges that the settings name, each once.
///
/// # Errors
/// When one is not known or its settings cannot be used.
pub fn chosen(settings: &Settings) -> Result<Vec<Arc<dyn Exchange>>, Error> {
    let mut names: Vec<String> = settings.exchanges.iter().map(|name| name.trim().to_lowercase()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !name.is_empty());
    if names.is_empty() {
        return Err(Error(format!("EXCHANGES is empty; known are: {}", KNOWN.join(", "))));
    }
    names.iter().map(|name| create(name, settings)).collect()
}
