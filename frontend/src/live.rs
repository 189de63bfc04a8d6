//! What the live feed said since it was last looked at, folded together.
//!
//! However many messages come between two looks, a batch holds one entry a ticker and one a feed, so that a window
//! that is busy or hidden costs no memory and catches up at once. Nothing that was traded is lost by the folding.

use std::collections::BTreeMap;

use api_types::{
    FeedRow,
    live::{LiveEvent, LiveMinute, LivePrice},
};
use smol_str::SmolStr;

use crate::state::TickerKey;

/// Minutes kept of one ticker while nobody looks. An hour later the API's candles tell it better.
const MINUTES_KEPT: usize = 60;

/// News of the live feed, folded together.
#[derive(Debug, Default)]
pub(crate) struct LiveBatch {
    /// The newest price of each ticker, with all that was traded.
    pub prices: BTreeMap<TickerKey, LivePrice>,
    /// The newest report of each feed.
    pub feeds: BTreeMap<SmolStr, FeedRow>,
    /// Messages that this is made of.
    pub messages: u64,
    /// Whether it says more than that feeds go on as they did.
    pub is_news: bool,
}

impl LiveBatch {
    /// Whether there is no news.
    pub(crate) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// Folds in one message.
    pub(crate) fn add(&mut self, event: LiveEvent) {
        self.messages += 1;
        match event {
            LiveEvent::Feed(row) => {
                self.feeds.insert(row.exchange.as_str().into(), row);
            }
            LiveEvent::Price(price) => {
                self.is_news = true;
                let key = TickerKey::new(&price.exchange, &price.ticker);
                match self.prices.get_mut(&key) {
                    Some(known) => fold(known, price),
                    None => {
                        self.prices.insert(key, price);
                    }
                }
            }
        }
    }
}

fn fold(known: &mut LivePrice, mut news: LivePrice) {
    for minute in std::mem::take(&mut news.minutes) {
        match known.minutes.iter_mut().find(|known| known.open_time == minute.open_time) {
            Some(known) => fold_minute(known, &minute),
            None => known.minutes.push(minute),
        }
    }
    known.minutes.sort_by_key(|minute| minute.open_time);
    let surplus = known.minutes.len().saturating_sub(MINUTES_KEPT);
    known.minutes.drain(..surplus);
    if news.time >= known.time {
        *known = LivePrice { minutes: std::mem::take(&mut known.minutes), ..news };
    }
}

fn fold_minute(known: &mut LiveMinute, news: &LiveMinute) {
    known.high = known.high.max(news.high);
    known.low = known.low.min(news.low);
    known.close = news.close;
    known.volume += news.volume;
    known.quote_volume += news.quote_volume;
    known.trades += news.trades;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::{at, decimal, live, minute};

    #[test]
    fn many_messages_become_one_entry_a_ticker_and_lose_nothing() {
        let mut batch = LiveBatch::default();
        assert!(batch.is_empty());
        batch.add(live("BTCUSDT", "12:00:01", "100", vec![minute("12:00", ["100", "101", "99", "100"], "1")]));
        batch.add(live("BTCUSDT", "12:00:30", "103", vec![minute("12:00", ["102", "104", "102", "103"], "2")]));
        batch.add(live("BTCUSDT", "12:01:00", "90", vec![minute("12:01", ["90", "90", "90", "90"], "3")]));
        batch.add(live("ETHUSDT", "12:00:01", "10", vec![]));
        assert_eq!((batch.messages, batch.prices.len()), (4, 2));
        let btc = &batch.prices[&TickerKey::new("binance", "BTCUSDT")];
        assert_eq!(btc.price, decimal("90"));
        assert_eq!(btc.minutes.len(), 2);
        let first = &btc.minutes[0];
        assert_eq!(
            (first.open, first.high, first.low, first.close, first.volume),
            (decimal("100"), decimal("104"), decimal("99"), decimal("103"), decimal("3"))
        );
    }

    #[test]
    fn a_late_message_adds_its_trades_but_not_its_price() {
        let mut batch = LiveBatch::default();
        batch.add(live("BTCUSDT", "12:01:10", "100", vec![minute("12:01", ["100", "100", "100", "100"], "1")]));
        batch.add(live("BTCUSDT", "12:00:50", "80", vec![minute("12:00", ["80", "80", "80", "80"], "5")]));
        let btc = &batch.prices[&TickerKey::new("binance", "BTCUSDT")];
        assert_eq!((btc.price, btc.time), (decimal("100"), at("12:01:10")));
        assert_eq!(
            btc.minutes.iter().map(|minute| minute.open_time).collect::<Vec<_>>(),
            [at("12:00:00"), at("12:01:00")]
        );
    }
}
