//! Which pairs of an exchange are meant: by its own spelling, by anybody's, or by a coin.

use domain::{Instrument, InstrumentStatus};
use smol_str::SmolStr;

use crate::exchanges::KNOWN;

/// What a coin is priced in, where only the coin is named: the first of these that the exchange lists.
const QUOTES: [&str; 4] = ["USD", "USDT", "USDC", "EUR"];
/// What exchanges put between the two coins of a pair.
const SEPARATORS: [char; 4] = ['-', '/', '_', ':'];

/// What was meant by a list of pairs, on one exchange.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// The pairs, each once, in the order in which they were named.
    pub tickers: Vec<SmolStr>,
    /// What names no pair that the exchange lists.
    pub unlisted: Vec<SmolStr>,
    /// Coins that the exchange trades in none of the usual currencies.
    pub absent_coins: Vec<SmolStr>,
}

/// Finds the pairs that `wanted` names among those that `exchange` lists. A pair is written as the exchange does, in any case, or with
/// or without a mark between its coins (`BTCUSDT`, `BTC-USDT`, `BTC/USDT`); a coin alone (`BTC`) means its pair in dollars; `kraken:BTC/EUR`
/// speaks of one exchange only.
pub fn select(exchange: &str, wanted: &[SmolStr], listed: &[Instrument]) -> Selection {
    let mut selection = Selection::default();
    for wanted in wanted {
        let wanted = wanted.trim();
        let is_exchange = |of: &str| of == exchange || KNOWN.contains(&of);
        let name = match wanted.split_once(':').filter(|(of, _)| is_exchange(of)) {
            Some((of, name)) if of == exchange => name,
            Some(_) => continue,
            None => wanted,
        };
        if name.is_empty() {
            continue;
        }
        match find(name, listed) {
            Some(found) if !selection.tickers.contains(&found.ticker) => selection.tickers.push(found.ticker.clone()),
            Some(_) => {}
            None if is_coin(name) => selection.absent_coins.push(name.into()),
            None => selection.unlisted.push(name.into()),
        }
    }
    selection
}

/// The pairs that `exchange` lists of those that are wanted. Others are named in the log, and the rest goes on without them.
pub(crate) fn to_follow(exchange: &str, wanted: &[SmolStr], listed: &[Instrument]) -> Vec<SmolStr> {
    let selection = select(exchange, wanted, listed);
    for wanted in &selection.unlisted {
        tracing::error!(%exchange, "TRACKER_SYMBOLS: {wanted:?} is not listed; write BTCUSDT, or BTC for a coin in dollars");
    }
    for coin in &selection.absent_coins {
        tracing::info!(%exchange, %coin, "TRACKER_SYMBOLS: the exchange does not trade it in dollars");
    }
    let is_halted =
        |one: &&Instrument| one.status == InstrumentStatus::Halted && selection.tickers.contains(&one.ticker);
    for halted in listed.iter().filter(is_halted) {
        tracing::warn!(%exchange, ticker = %halted.ticker, "trading is halted; it is followed all the same");
    }
    selection.tickers
}

fn find<'a>(name: &str, listed: &'a [Instrument]) -> Option<&'a Instrument> {
    let as_written = || listed.iter().find(|one| one.ticker == name);
    let in_any_case = || listed.iter().find(|one| one.ticker.eq_ignore_ascii_case(name));
    let coins = name.replace(SEPARATORS, "").to_uppercase();
    let by_coins = || {
        let same = listed.iter().filter(|one| format!("{}{}", one.base, one.quote).eq_ignore_ascii_case(&coins));
        // One of several may be left over from before.
        same.max_by_key(|one| one.status == InstrumentStatus::Trading)
    };
    let by_coin = || {
        let in_quote = |quote: &&str| {
            listed.iter().find(|one| {
                one.base.eq_ignore_ascii_case(name) && one.quote == **quote && one.status == InstrumentStatus::Trading
            })
        };
        QUOTES.iter().find_map(in_quote)
    };
    as_written().or_else(in_any_case).or_else(by_coins).or_else(by_coin)
}

/// Whether a name looks like that of a coin: a word of few letters.
fn is_coin(name: &str) -> bool {
    name.len() <= 5 && name.chars().all(|letter| letter.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(pairs: &[(&str, &str, &str)]) -> Vec<Instrument> {
        let instrument = |(ticker, base, quote): &(&str, &str, &str)| Instrument {
            ticker: (*ticker).into(),
            base: (*base).into(),
            quote: (*quote).into(),
            status: InstrumentStatus::Trading,
            steps: domain::Steps::default(),
        };
        pairs.iter().map(instrument).collect()
    }

    fn names(words: &str) -> Vec<SmolStr> {
        words.split(',').map(SmolStr::new).collect()
    }

    #[test]
    fn a_pair_is_found_however_it_is_written() {
        let kraken = listed(&[("BTC/USD", "BTC", "USD"), ("ETH/BTC", "ETH", "BTC")]);
        for written in ["BTC/USD", "btc/usd", "BTCUSD", "BTC-USD", "btc_usd", "kraken:BTC/USD", "BTC", " btc "] {
            assert_eq!(select("kraken", &names(written), &kraken).tickers, ["BTC/USD"], "{written}");
        }
        assert_eq!(select("kraken", &names("BTC,BTCUSD,kraken:BTC/USD"), &kraken).tickers, ["BTC/USD"], "each once");
        let bitfinex = listed(&[("BTCUST", "BTC", "USDT"), ("DUSK:USD", "DUSK", "USD")]);
        assert_eq!(select("bitfinex", &names("BTCUSDT,DUSKUSD,dusk:usd"), &bitfinex).tickers, ["BTCUST", "DUSK:USD"]);
    }

    #[test]
    fn a_coin_alone_is_its_pair_in_dollars() {
        let both = listed(&[("BTCUSDT", "BTC", "USDT"), ("BTCUSD", "BTC", "USD"), ("SOLEUR", "SOL", "EUR")]);
        assert_eq!(select("x", &names("BTC,SOL"), &both).tickers, ["BTCUSD", "SOLEUR"]);
        let binance = listed(&[("BTCUSDC", "BTC", "USDC"), ("BTCUSDT", "BTC", "USDT")]);
        assert_eq!(select("binance", &names("BTC"), &binance).tickers, ["BTCUSDT"]);
    }

    #[test]
    fn what_is_not_listed_is_told_and_what_is_meant_for_others_is_not() {
        let binance = listed(&[("BTCUSDT", "BTC", "USDT")]);
        let wanted = names("kraken:BTC/USD,NOSUCHPAIR,BNB,binance:,,BTCUSDT,krakne:BTC/EUR");
        let selection = select("binance", &wanted, &binance);
        let expected = Selection {
            tickers: names("BTCUSDT"),
            unlisted: names("NOSUCHPAIR,krakne:BTC/EUR"),
            absent_coins: names("BNB"),
        };
        assert_eq!(selection, expected);
    }
}
