//! What the live feed says of one pair, and how two such sayings become one.
//!
//! Merging keeps the newest price and joins candles minute by minute with [`domain::Candle::merge`], so that a client
//! that is told less often is told the same in the end.

use std::{
    cmp::Ordering,
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use api_types::{
    FeedRow,
    live::{LiveEvent, LiveMinute, LivePrice},
};
use chrono::{DateTime, Utc};
use domain::{Candle, Interval, Moment, Tick, TickSource};
use rust_decimal::Decimal;
use smol_str::SmolStr;

/// So many minutes of one pair are kept for a client that does not take them. Live prices touch one or two; only a gap
/// that is being filled touches more, and what is lost here stands in the database.
const MOST_MINUTES: usize = 120;

/// A pair on an exchange.
#[derive(Debug)]
pub(crate) struct Market {
    /// The exchange's name.
    pub(crate) exchange: SmolStr,
    /// The exchange's spelling of the pair.
    pub(crate) ticker: SmolStr,
    /// `binance:btcusdt`, for comparing with what clients write.
    qualified: String,
}

impl Market {
    pub(crate) fn new(exchange: &str, ticker: &str) -> Self {
        let qualified = format!("{exchange}:{ticker}").to_lowercase();
        Self { exchange: exchange.into(), ticker: ticker.into(), qualified }
    }

    /// `binance:btcusdt`
    pub(crate) fn qualified(&self) -> &str {
        &self.qualified
    }

    /// `btcusdt`
    pub(crate) fn bare(&self) -> &str {
        self.qualified.split_once(':').map_or("", |(_, ticker)| ticker)
    }

    fn key(&self) -> (&str, &str) {
        (&self.exchange, &self.ticker)
    }
}

impl PartialEq for Market {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Market {}

impl std::hash::Hash for Market {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialOrd for Market {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Market {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// The newest price of a pair, and what its minutes gained.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    market: Arc<Market>,
    newest: Newest,
    minutes: BTreeMap<DateTime<Utc>, Candle>,
    /// The JSON, made once for all clients that are sent the same.
    text: OnceLock<Arc<str>>,
}

#[derive(Debug, Clone, Copy)]
struct Newest {
    moment: Moment,
    price: Decimal,
    received_at: DateTime<Utc>,
    source: TickSource,
}

impl Update {
    /// What one tick says; nothing where its amounts do not fit.
    pub(crate) fn of(market: &Arc<Market>, source: TickSource, tick: &Tick) -> Option<Self> {
        let candle = Candle::of(tick, Interval::OneMinute).ok()?;
        let newest = Newest { moment: candle.last, price: tick.price, received_at: tick.received_at, source };
        Some(Self {
            market: market.clone(),
            newest,
            minutes: BTreeMap::from([(candle.open_time, candle)]),
            text: OnceLock::new(),
        })
    }

    /// Takes in what another update of the same pair says.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.text = OnceLock::new();
        if other.newest.moment >= self.newest.moment {
            self.newest = other.newest;
        }
        for (open_time, candle) in &other.minutes {
            match self.minutes.get_mut(open_time) {
                // A sum that no longer fits 28 digits keeps what it had; no market trades that much in a minute.
                // A sum that no longer fits is left as it is: the candle in the database is the true one.
                Some(mine) => drop(mine.merge(candle)),
                None => drop(self.minutes.insert(*open_time, candle.clone())),
            }
        }
        while self.minutes.len() > MOST_MINUTES {
            self.minutes.pop_first();
        }
    }

    /// The same, with the other's price if that is newer.
    pub(crate) fn not_older_than(mut self, other: &Self) -> Self {
        if other.newest.moment > self.newest.moment {
            self.newest = other.newest;
            self.text = OnceLock::new();
        }
        self
    }

    /// Only the newest price: what a client that comes later needs to know.
    pub(crate) fn without_minutes(&self) -> Self {
        Self { market: self.market.clone(), newest: self.newest, minutes: BTreeMap::new(), text: OnceLock::new() }
    }

    fn text(&self) -> &str {
        self.text.get_or_init(|| text(&LiveEvent::Price(self.price())).into())
    }

    fn price(&self) -> LivePrice {
        let Newest { moment, price, received_at, source } = self.newest;
        LivePrice {
            exchange: self.market.exchange.to_string(),
            ticker: self.market.ticker.to_string(),
            price,
            time: moment.time,
            received_at,
            source: source.as_str().to_owned(),
            minutes: self.minutes.values().map(minute).collect(),
        }
    }
}

fn minute(candle: &Candle) -> LiveMinute {
    LiveMinute {
        open_time: candle.open_time,
        open: candle.open,
        high: candle.high,
        low: candle.low,
        close: candle.close,
        volume: candle.volume,
        quote_volume: candle.quote_volume,
        trades: candle.trades,
    }
}

/// One message to a client.
#[derive(Debug)]
pub(crate) enum News {
    /// Of a pair.
    Price(Arc<Update>),
    /// Of an exchange's feed, written already.
    Feed(Arc<str>),
}

impl News {
    /// Writes what is said of a feed.
    pub(crate) fn feed_text(row: FeedRow) -> String {
        text(&LiveEvent::Feed(row))
    }

    /// The JSON.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Price(update) => update.text(),
            Self::Feed(text) => text,
        }
    }

    /// The word that names its kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Price(_) => "price",
            Self::Feed(_) => "feed",
        }
    }
}

fn text(event: &LiveEvent) -> String {
    // Strings, numbers and dates always become JSON.
    serde_json::to_string(event).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(second: i64, trade_id: i64, price: i64) -> Tick {
        let open: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let time = open + chrono::TimeDelta::seconds(second);
        Tick {
            ticker: "BTCUSDT".into(),
            trade_id: Some(trade_id),
            price: price.into(),
            quantity: Some(2.into()),
            taker_side: None,
            exchange_time: Some(time),
            received_at: time,
        }
    }

    fn update(second: i64, trade_id: i64, price: i64) -> Update {
        let market = Arc::new(Market::new("binance", "BTCUSDT"));
        Update::of(&market, TickSource::Stream, &tick(second, trade_id, price)).unwrap()
    }

    #[test]
    fn merging_folds_minutes_and_keeps_the_newest_price() {
        let mut all = update(61, 4, 70);
        assert!(all.text().contains(r#""price":"70""#));
        all.merge(&update(5, 1, 40));
        all.merge(&update(62, 5, 90));
        all.merge(&update(62, 3, 80));
        let price = all.price();
        assert_eq!(price.price, 90.into());
        assert!(all.text().contains(r#""price":"90""#), "an old text is not told again");
        let minutes: Vec<_> = price.minutes.iter().map(|m| (m.open, m.close, m.low, m.volume, m.trades)).collect();
        let number = Decimal::from;
        assert_eq!(
            minutes,
            [(number(40), number(40), number(40), number(2), 1), (number(70), number(90), number(70), number(6), 3),]
        );
    }

    #[test]
    fn a_late_tick_does_not_turn_the_newest_price_back() {
        let late = update(5, 1, 40).not_older_than(&update(61, 4, 70));
        assert_eq!(late.price().price, 70.into());
        assert_eq!(late.price().minutes[0].close, 40.into());
        assert!(late.without_minutes().price().minutes.is_empty());
    }

    #[test]
    fn minutes_are_bounded_and_the_oldest_go_first() {
        let mut all = update(0, 0, 1);
        for minute in 1..=(MOST_MINUTES as i64) {
            all.merge(&update(minute * 60, minute, 1));
        }
        assert_eq!(all.minutes.len(), MOST_MINUTES);
        assert_eq!(all.minutes.first_key_value().unwrap().1.first.trade_id, 1);
    }
}
