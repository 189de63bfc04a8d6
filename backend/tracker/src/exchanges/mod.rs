//! The registry: the only list of exchanges. A new one is a folder here and a line below.

use std::sync::Arc;

use crate::{Error, Settings, exchange::Exchange};

/// A connector, made of its own settings.
pub trait Connect: Exchange + Sized {
    /// What may be set of it, each with its own environment variable.
    type Settings: clap::Args + Clone + std::fmt::Debug;

    /// The exchange at the addresses that the settings name.
    ///
    /// # Errors
    /// When a setting cannot be used; the error names it, its value and a remedy.
    fn connect(settings: &Self::Settings) -> Result<Self, Error>;
}

macro_rules! exchanges {
    ($($name:ident: $connector:ty),+ $(,)?) => {
        /// Every exchange that can be followed.
        pub const KNOWN: &[&str] = &[$(stringify!($name)),+];

        /// Where the exchanges are.
        #[derive(Debug, Clone, clap::Args)]
        pub struct Addresses {
            $(
                #[doc = concat!("Of ", stringify!($name), ".")]
                #[command(flatten)]
                pub $name: <$connector as Connect>::Settings,
            )+
        }

        fn create(name: &str, addresses: &Addresses) -> Result<Arc<dyn Exchange>, Error> {
            match name {
                $(stringify!($name) => Ok(Arc::new(<$connector>::connect(&addresses.$name)?)),)+
                unknown => Err(Error(format!(
                    "{unknown:?} is not an exchange that can be followed; known are: {}",
                    KNOWN.join(", ")
                ))),
            }
        }
    };
}

#[cfg(test)]
mod answering;
pub mod binance;
pub mod bitfinex;
pub mod bitstamp;
pub mod bybit;
pub mod coinbase;
pub mod kraken;
pub mod okx;

exchanges! {
    binance: binance::Binance,
    binance_us: binance::us::BinanceUs,
    bitfinex: bitfinex::Bitfinex,
    bitstamp: bitstamp::Bitstamp,
    bybit: bybit::Bybit,
    coinbase: coinbase::Coinbase,
    kraken: kraken::Kraken,
    okx: okx::Okx,
}

/// The exchange of this name, which a flag called `flag` names.
///
/// # Errors
/// When it is not known, or its settings cannot be used.
pub fn named(flag: &str, name: &str, addresses: &Addresses) -> Result<Arc<dyn Exchange>, Error> {
    create(&name.trim().to_lowercase(), addresses).map_err(|Error(said)| Error(format!("{flag}: {said}")))
}

/// The exchange whose prices are kept under this name.
///
/// # Errors
/// When there is none, or its settings cannot be used.
pub fn find(name: &str, addresses: &Addresses) -> Result<Arc<dyn Exchange>, Error> {
    let mut names = Vec::with_capacity(KNOWN.len());
    for known in KNOWN {
        let exchange = create(known, addresses)?;
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
/// When one is not known or its settings cannot be used, or two are kept under one name.
pub fn chosen(settings: &Settings) -> Result<Vec<Arc<dyn Exchange>>, Error> {
    let mut names: Vec<String> = settings.exchanges.iter().map(|name| name.trim().to_lowercase()).collect();
    names.sort_unstable();
    names.dedup();
    names.retain(|name| !name.is_empty());
    if names.is_empty() {
        return Err(Error(format!("EXCHANGES is empty; known are: {}", KNOWN.join(", "))));
    }
    let exchanges: Vec<_> =
        names.iter().map(|name| named("EXCHANGES", name, &settings.addresses)).collect::<Result<_, _>>()?;
    let mut kept = std::collections::HashSet::new();
    match exchanges.iter().map(|exchange| exchange.identity().name).find(|name| !kept.insert(name.clone())) {
        None => Ok(exchanges),
        Some(name) => {
            Err(Error(format!("EXCHANGES: two exchanges are kept under the name {name:?}; name one of them otherwise")))
        }
    }
}
