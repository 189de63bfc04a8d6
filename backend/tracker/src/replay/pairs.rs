//! Which pairs a recording is of: those that it lists, else those that its messages name.
//!
//! Storing a trade needs to know what was priced in what. Where nobody has written it down, the name must tell.

use std::collections::HashSet;

use broker::{Message, Publisher};
use domain::{Catalogue, Instrument, InstrumentStatus};
use smol_str::SmolStr;

use super::stream::Stream;
use crate::{Error, exchange::Exchange, inspect::Inspector, listing::Listing};

/// So many pairs are told by their names at most; trades of others are refused.
const MOST_NAMED: usize = 10_000;
/// What exchanges put between the two coins of a pair.
const MARKS: [char; 4] = ['-', '/', '_', ':'];
/// What pairs are usually priced in; first those that end as others do.
const QUOTES: [&str; 30] = [
    "FDUSD", "PYUSD", "USDT", "USDC", "BUSD", "TUSD", "USDP", "BIDR", "DAI", "USD", "EUR", "GBP", "JPY", "TRY", "BRL",
    "AUD", "CAD", "CHF", "KRW", "RUB", "UAH", "NGN", "IDR", "ZAR", "BTC", "XBT", "ETH", "BNB", "UST", "TRX",
];

/// What is known of pairs.
pub(super) struct Pairs {
    exchange: domain::Exchange,
    numbers_trades: bool,
    publisher: Publisher,
    listing: Listing,
    met: HashSet<SmolStr>,
}

impl Pairs {
    pub(super) fn new(exchange: &dyn Exchange, name: SmolStr, publisher: Publisher, listing: Listing) -> Self {
        let exchange_is = domain::Exchange { name, country: exchange.identity().country };
        let numbers_trades = exchange.recent().is_none();
        Self { exchange: exchange_is, numbers_trades, publisher, listing, met: HashSet::new() }
    }

    /// Tells of pairs, so that what follows of them can be stored.
    pub(super) async fn list(&mut self, instruments: Vec<Instrument>) -> Result<(), Error> {
        if instruments.is_empty() {
            return Ok(());
        }
        let tickers: Vec<SmolStr> = instruments.iter().map(|one| one.ticker.clone()).collect();
        let catalogue = Catalogue {
            exchange: self.exchange.clone(),
            instruments,
            // What another recording of the same name listed is not delisted by this one.
            taken_at: None,
            numbers_trades: self.numbers_trades,
        };
        let told = self.publisher.publish(Message::Catalogue(catalogue)).await;
        told.map_err(|error| Error(format!("pairs can no longer be queued: {error}")))?;
        for ticker in tickers {
            self.listing.add(ticker.clone());
            self.met.insert(ticker);
        }
        Ok(())
    }

    /// The pairs that what was read names for the first time, where the recording does not list its own. They are to be told of.
    pub(super) fn named(&mut self, stream: &Stream, inspector: &Inspector) -> Vec<Instrument> {
        let mut named = Vec::new();
        if !stream.names_pairs {
            return named;
        }
        for ticker in stream.tickers() {
            if self.met.contains(ticker) || self.met.len() >= MOST_NAMED {
                continue;
            }
            self.met.insert(ticker.clone());
            match instrument(ticker) {
                Some(instrument) => named.push(instrument),
                None => tracing::warn!(
                    "what {ticker:?} is priced in cannot be told by its name, and its trades are refused; a first line \
                     configuration: {{\"instruments\":[{{\"ticker\":\"{ticker}\",\"base\":\"…\",\"quote\":\"…\",\"status\":\"trading\"}}]}} tells it"
                ),
            }
        }
        for one in &named {
            let Instrument { ticker, base, quote, .. } = one;
            tracing::info!("by its name, {ticker} is taken for {base} priced in {quote}");
            inspector.know(ticker.clone());
        }
        named
    }
}

/// A pair by its name.
fn instrument(ticker: &SmolStr) -> Option<Instrument> {
    let (base, quote) = coins(ticker)?;
    let status = InstrumentStatus::Trading;
    Some(Instrument {
        ticker: ticker.clone(),
        base: ours(base),
        quote: ours(quote),
        status,
        steps: domain::Steps::default(),
    })
}

/// The two coins of a pair: apart by a mark between them, or by one at the end that pairs are usually priced in.
fn coins(ticker: &str) -> Option<(&str, &str)> {
    if let Some((base, quote)) = ticker.split_once(MARKS) {
        return (!base.is_empty() && !quote.is_empty() && !quote.contains(MARKS)).then_some((base, quote));
    }
    let ends_so = |quote: &&&str| {
        let start = ticker.len().checked_sub(quote.len()).filter(|start| *start > 0);
        start.and_then(|start| ticker.get(start..)).is_some_and(|end| end.eq_ignore_ascii_case(quote))
    };
    let quote = QUOTES.iter().find(ends_so)?;
    ticker.split_at_checked(ticker.len() - quote.len())
}

/// A coin's code in the project's spelling.
fn ours(code: &str) -> SmolStr {
    match code.to_uppercase().as_str() {
        "XBT" => "BTC".into(),
        "XDG" => "DOGE".into(),
        "UST" => "USDT".into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_is_priced_in_what_or_nothing() {
        for (ticker, expected) in [
            ("BTCUSDT", Some(("BTC", "USDT"))),
            ("btcusd", Some(("BTC", "USD"))),
            ("XBT/EUR", Some(("BTC", "EUR"))),
            ("BTC-USDC", Some(("BTC", "USDC"))),
            ("DUSK:USD", Some(("DUSK", "USD"))),
            ("BTCFDUSD", Some(("BTC", "FDUSD"))),
            ("BTCUST", Some(("BTC", "USDT"))),
            ("币安人生USDT", Some(("币安人生", "USDT"))),
            ("USDT", None),
            ("BTC-USD-210423", None),
            ("FOOBAR", None),
            ("/USD", None),
            ("币", None),
        ] {
            let found = instrument(&ticker.into());
            let found = found.as_ref().map(|one| (one.base.as_str(), one.quote.as_str()));
            assert_eq!(found, expected, "{ticker}");
        }
    }
}
