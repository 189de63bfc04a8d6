//! Tickers with their newest price, and how old that may be before it is called old.

use std::collections::BTreeMap;

use api_types::{LatestPrice, live::LivePrice};
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::TickerKey;
use crate::format;

/// How current a price is, measured by how often its ticker usually has news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Freshness {
    /// As it should be.
    Fresh,
    /// News is overdue.
    Late,
    /// So long overdue that the price should not be relied on.
    Stale,
}

/// A pair on an exchange, with its newest price.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Ticker {
    /// Code of the coin that is bought and sold.
    pub base: String,
    /// Code of what it is priced in.
    pub quote: String,
    /// Name of the coin that is bought and sold.
    pub coin: String,
    /// The newest price.
    pub price: Decimal,
    /// The price before that, and when it changed: what a change of digits is shown by.
    #[serde(skip)]
    pub previous: Option<(Decimal, DateTime<Utc>)>,
    /// When the newest price was made.
    pub time: DateTime<Utc>,
    /// The price a day ago.
    pub open_24h: Option<Decimal>,
    /// Change since then in percent.
    pub change_24h: Option<Decimal>,
    /// Highest price of a day.
    pub high_24h: Option<Decimal>,
    /// Lowest price of a day.
    pub low_24h: Option<Decimal>,
    /// Units of the quote that changed hands in a day.
    pub quote_volume_24h: Decimal,
    /// Decimals that its prices need.
    pub decimals: u32,
    /// How far apart its news usually are.
    #[serde(skip, default = "TimeDelta::zero")]
    cadence: TimeDelta,
    /// Lowest and highest price since somebody last took them: see [`Ticker::take_swing`].
    #[serde(skip)]
    swing: Option<(Decimal, Decimal)>,
}

impl Ticker {
    fn of(row: LatestPrice) -> (TickerKey, Self) {
        let key = TickerKey::new(&row.exchange, &row.ticker);
        let decimals = format::decimals_of(row.price).max(row.open_24h.map_or(0, format::decimals_of));
        let ticker = Self {
            time: time_of(&row),
            // Until it shows its own: streams of traded pairs have news within seconds, polls each minute or so.
            cadence: TimeDelta::seconds(if row.source == "poll" { 60 } else { 10 }),
            base: row.base,
            quote: row.quote,
            coin: row.coin,
            price: row.price,
            previous: None,
            open_24h: row.open_24h,
            change_24h: row.change_24h_percent,
            high_24h: row.high_24h,
            low_24h: row.low_24h,
            swing: None,
            quote_volume_24h: row.quote_volume_24h,
            decimals,
        };
        (key, ticker)
    }

    /// Its name for people: `BTC/USDT`.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.base, self.quote)
    }

    /// How current its price is at this time of the server.
    pub(crate) fn freshness(&self, server_time: DateTime<Utc>) -> Freshness {
        let age = server_time - self.time;
        if age > (self.cadence * 10).max(TimeDelta::seconds(30)) {
            Freshness::Stale
        } else if age > (self.cadence * 3).max(TimeDelta::seconds(10)) {
            Freshness::Late
        } else {
            Freshness::Fresh
        }
    }

    /// Takes in live news that came at `now`.
    pub(super) fn absorb(&mut self, live: &LivePrice, now: DateTime<Utc>) {
        for minute in &live.minutes {
            self.reach(minute.low, minute.high);
        }
        self.reach(live.price, live.price);
        self.quote_volume_24h += live.minutes.iter().map(|minute| minute.quote_volume).sum::<Decimal>();
        if live.time < self.time {
            return;
        }
        self.beat(live.time - self.time);
        self.time = live.time;
        self.decimals = self.decimals.max(format::decimals_of(live.price));
        if live.price != self.price {
            self.previous = Some((self.price, now));
            self.price = live.price;
        }
        if let Some(open) = self.open_24h.filter(|open| !open.is_zero()) {
            self.change_24h = Some((self.price / open - Decimal::ONE) * Decimal::ONE_HUNDRED);
        }
    }

    /// Prices from the one to the other were paid.
    fn reach(&mut self, low: Decimal, high: Decimal) {
        self.high_24h = self.high_24h.map(|known| known.max(high));
        self.low_24h = self.low_24h.map(|known| known.min(low));
        let (lowest, highest) = self.swing.unwrap_or((low, high));
        self.swing = Some((lowest.min(low), highest.max(high)));
    }

    /// The lowest and the highest price of the live news since this was last asked for.
    pub(super) fn take_swing(&mut self) -> Option<(Decimal, Decimal)> {
        self.swing.take()
    }

    /// News came this long after the last: a moving mean in which one outage counts for little.
    fn beat(&mut self, gap: TimeDelta) {
        let gap = gap.min(self.cadence * 4);
        self.cadence = (self.cadence * 7 + gap) / 8;
        self.cadence = self.cadence.clamp(TimeDelta::seconds(1), TimeDelta::minutes(10));
    }
}

/// When the price was made: the exchange's time, or else ours.
pub(super) fn time_of(row: &LatestPrice) -> DateTime<Utc> {
    row.exchange_time.unwrap_or(row.received_at)
}

/// The answer replaces what was known; live news that is newer than it stays, and so does each ticker's cadence.
pub(super) fn merge(old: Option<BTreeMap<TickerKey, Ticker>>, rows: Vec<LatestPrice>) -> BTreeMap<TickerKey, Ticker> {
    let mut old = old.unwrap_or_default();
    rows.into_iter()
        .map(Ticker::of)
        .map(|(key, mut ticker)| {
            if let Some(known) = old.remove(&key) {
                ticker.cadence = known.cadence;
                // Where there is no live feed, this is how news comes.
                if ticker.time > known.time {
                    ticker.beat(ticker.time - known.time);
                }
                ticker.decimals = ticker.decimals.max(known.decimals);
                if known.time > ticker.time {
                    ticker.time = known.time;
                    ticker.price = known.price;
                    ticker.change_24h = known.change_24h;
                }
                ticker.previous = known.previous;
                ticker.swing = known.swing;
            }
            (key, ticker)
        })
        .collect()
}
