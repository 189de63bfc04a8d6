//! Reading recordings of Binance's stream: lines of a receive time and a raw frame.
//!
//! Two recorders' formats are read, both plain or gzipped: cryptofeed's `1618677408.49: {…}` and hftbacktest's
//! `1721347021080838061 {…}`. Whatever is not a trade with a price and a quantity is passed over: other events, answers
//! to requests, connection notes, and the last line of a recording that was cut off.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use chrono::DateTime;
use flate2::read::MultiGzDecoder;
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::{ledger::PublishedTrade, settings::SimulatedSymbol};

/// Quotes by which a ticker is split into base and quote; the longer ones first.
const QUOTES: [&str; 14] =
    ["FDUSD", "USDT", "USDC", "BUSD", "TUSD", "USD", "BTC", "ETH", "BNB", "EUR", "TRY", "BRL", "RUB", "JPY"];

/// A trade as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Recorded {
    /// When the recorder received it, in microseconds since 1970.
    pub(crate) received_us: i64,
    pub(crate) ticker: String,
    pub(crate) aggregated: bool,
    pub(crate) trade: PublishedTrade,
}

/// What a recording holds.
pub(crate) struct Contents {
    pub(crate) symbols: Vec<SimulatedSymbol>,
    /// Time of the first trade, in milliseconds since 1970.
    pub(crate) first_ms: i64,
    /// Whether the symbol is replayed from its aggregates, having no single trades; in the order of `symbols`.
    pub(crate) aggregated: Vec<bool>,
}

impl Contents {
    /// Whether this trade is one of those that are replayed, and of which symbol.
    pub(crate) fn index(&self, recorded: &Recorded) -> Option<usize> {
        let index = self.symbols.binary_search_by(|symbol| symbol.ticker.as_str().cmp(&recorded.ticker)).ok()?;
        (self.aggregated[index] == recorded.aggregated).then_some(index)
    }
}

/// The trades of the recording, in its order.
pub(crate) fn trades(path: &Path) -> io::Result<impl Iterator<Item = Recorded> + use<>> {
    let file = File::open(path)?;
    let reader: Box<dyn Read + Send> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    // A recording may end in the middle of a line or of a gzip block: what was read until then counts.
    Ok(BufReader::new(reader).lines().map_while(Result::ok).filter_map(|line| parse(&line)))
}

/// Reads the recording once to learn what it holds.
pub(crate) fn scan(path: &Path) -> io::Result<Contents> {
    let mut first_ms = None;
    let mut seen: HashMap<String, (bool, PublishedTrade, u32, u32)> = HashMap::new();
    for Recorded { ticker, aggregated, trade, .. } in trades(path)? {
        first_ms.get_or_insert(trade.time.timestamp_millis());
        let (price, quantity) = (trade.price.scale(), trade.quantity.scale());
        let (all_aggregated, _, price_scale, quantity_scale) = seen.entry(ticker).or_insert((true, trade, 0, 0));
        *all_aggregated &= aggregated;
        *price_scale = (*price_scale).max(price);
        *quantity_scale = (*quantity_scale).max(quantity);
    }
    let first_ms = first_ms.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it holds no Binance trades"))?;
    let mut seen: Vec<_> = seen.into_iter().collect();
    seen.sort_by(|(a, _), (b, _)| a.cmp(b));
    let aggregated = seen.iter().map(|(_, (aggregated, ..))| *aggregated).collect();
    let symbols = seen.into_iter().map(|(ticker, (_, first, price_scale, quantity_scale))| {
        let (base, quote) = split(&ticker);
        SimulatedSymbol {
            base: base.to_owned(),
            quote: quote.to_owned(),
            ticker,
            start_price: first.price,
            tick_size: Decimal::new(1, price_scale),
            lot_size: Decimal::new(1, quantity_scale),
            typical_notional: first.price * first.quantity,
            daily_volatility: 0.0,
            activity: 1.0,
            trading: true,
        }
    });
    Ok(Contents { symbols: symbols.collect(), first_ms, aggregated })
}

fn split(ticker: &str) -> (&str, &str) {
    let quote = QUOTES.iter().find(|quote| ticker.len() > quote.len() && ticker.ends_with(*quote));
    match quote {
        Some(quote) => ticker.split_at(ticker.len() - quote.len()),
        None => (ticker, "UNKNOWN"),
    }
}

#[derive(Deserialize)]
struct Wrapped<'a> {
    #[serde(borrow)]
    data: Event<'a>,
}

#[derive(Deserialize)]
struct Event<'a> {
    e: &'a str,
    s: String,
    p: &'a str,
    q: &'a str,
    #[serde(rename = "T")]
    time_ms: i64,
    m: bool,
    t: Option<i64>,
    /// In an `aggTrade` its number; in a `trade` of older days the seller's order.
    a: Option<i64>,
}

fn parse(line: &str) -> Option<Recorded> {
    let (stamp, frame) = line.split_once(' ')?;
    let received_us = received_us(stamp.trim_end_matches(':'))?;
    // Most lines are of the order book, and reading their JSON would take most of the time.
    if !frame.contains("rade\"") {
        return None;
    }
    let wrapped = serde_json::from_str::<Wrapped<'_>>(frame).map(|wrapped| wrapped.data);
    let event = wrapped.or_else(|_| serde_json::from_str::<Event<'_>>(frame)).ok()?;
    let aggregated = event.e == "aggTrade";
    if !aggregated && event.e != "trade" || !event.s.chars().all(char::is_alphanumeric) {
        return None;
    }
    let trade = PublishedTrade {
        id: if aggregated { event.a? } else { event.t? },
        price: domain::decimal_text::parse(event.p).ok()?,
        quantity: domain::decimal_text::parse(event.q).ok()?,
        time: DateTime::from_timestamp_millis(event.time_ms)?,
        buyer_is_maker: event.m,
    };
    let whole = trade.id >= 0 && trade.price > Decimal::ZERO && trade.quantity > Decimal::ZERO;
    whole.then_some(Recorded { received_us, ticker: event.s, aggregated, trade })
}

/// Seconds with or without a fraction, or whole micro- or nanoseconds: which, the size tells.
fn received_us(stamp: &str) -> Option<i64> {
    if let Some((seconds, fraction)) = stamp.split_once('.') {
        let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
        return seconds.parse::<i64>().ok()?.checked_mul(1_000_000)?.checked_add(fraction.parse().ok()?);
    }
    match stamp.parse::<i64>().ok()? {
        seconds @ ..100_000_000_000 => seconds.checked_mul(1_000_000),
        microseconds @ ..100_000_000_000_000_000 => Some(microseconds),
        nanoseconds => Some(nanoseconds / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const TRADE: &str = r#"{"e":"trade","E":1680652700455,"T":1680652700452,"s":"BTCUSDT","t":3535186032,"p":"28145.10","q":"0.002","X":"MARKET","m":true}"#;
    const AGGREGATE: &str = r#"{"e":"aggTrade","E":1618677411210,"s":"ETHBTC","a":30,"p":"0.03750000","q":"1.50000000","f":50,"l":52,"T":1618677411209,"m":false,"M":true}"#;

    #[test]
    fn both_recorders_lines_are_read() {
        for (line, received_us) in [
            (format!("1721347021080838061 {{\"stream\":\"btcusdt@trade\",\"data\":{TRADE}}}"), 1_721_347_021_080_838),
            (format!("1680652700441533 {TRADE}"), 1_680_652_700_441_533),
            (format!("1618677408.49: {{\"stream\": \"btcusdt@trade\", \"data\": {TRADE}}}"), 1_618_677_408_490_000),
            (format!("1618677408.4997441: {TRADE}"), 1_618_677_408_499_744),
            (format!("1618677408: {TRADE}"), 1_618_677_408_000_000),
        ] {
            let recorded = parse(&line).unwrap();
            assert_eq!(recorded.received_us, received_us);
            assert_eq!(
                (recorded.ticker.as_str(), recorded.aggregated, recorded.trade.id),
                ("BTCUSDT", false, 3_535_186_032)
            );
            assert_eq!(recorded.trade.price, Decimal::new(2_814_510, 2));
            assert!(recorded.trade.buyer_is_maker);
        }
        let aggregate = parse(&format!("1618677411.3: {AGGREGATE}")).unwrap();
        assert_eq!((aggregate.aggregated, aggregate.trade.id), (true, 30));
    }

    #[test]
    fn everything_else_is_passed_over() {
        for line in [
            "",
            "wss://stream.binance.com:9443/stream?streams=btcusdt@aggTrade <-> 1618677408.1",
            "configuration: {\"trades\":[\"BTC-USDT\"]}",
            r#"1618677408.499744: {"stream":"bchusdt@depth@100ms","data":{"e":"depthUpdate","s":"BCHUSDT","b":[],"a":[]}}"#,
            r#"1618677408.4: {"result":null,"id":"aggTrade"}"#,
            &format!("1680652700441533 {}", &TRADE[..60]),
            &format!("1680652700441533 {}", TRADE.replace("28145.10", "0")),
        ] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn a_scan_lists_what_can_be_replayed() {
        let mut file = tempfile::Builder::new().suffix(".gz").tempfile().unwrap();
        let mut gzip = flate2::write::GzEncoder::new(&mut file, flate2::Compression::fast());
        writeln!(gzip, "1618677411.3: {AGGREGATE}\n1680652700441533 {TRADE}").unwrap();
        writeln!(gzip, "1680652700441533 {}", AGGREGATE.replace("ETHBTC", "BTCUSDT")).unwrap();
        gzip.finish().unwrap();
        let contents = scan(file.path()).unwrap();
        let names: Vec<_> =
            contents.symbols.iter().map(|symbol| (symbol.ticker.as_str(), symbol.base.as_str())).collect();
        assert_eq!(names, [("BTCUSDT", "BTC"), ("ETHBTC", "ETH")]);
        assert_eq!(contents.aggregated, [false, true]);
        assert_eq!(contents.first_ms, 1_618_677_411_209);
        let replayed: Vec<_> = trades(file.path()).unwrap().map(|recorded| contents.index(&recorded)).collect();
        assert_eq!(replayed, [Some(1), Some(0), None], "single trades leave no use for aggregates");
        assert!(scan(Path::new("/nowhere")).is_err());
    }
}
