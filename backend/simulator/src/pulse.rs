//! What is streamed by the clock and not by the trade: mini tickers and candles, heartbeats.
//!
//! Once a second. A candle's last frame says that it is closed, and since the ledger was sealed before it was made, no
//! later trade changes it.

use std::{collections::HashMap, sync::Arc, time::Duration};

use domain::Interval;
use tokio::time::{MissedTickBehavior, interval};

use crate::{
    coinbase, frames,
    kline::{Kline, open_ms},
    kraken,
    listings::Listed,
    protocol::Protocol,
    venue::Venue,
};

const EVERY: Duration = Duration::from_secs(1);
const ALL_MINI_TICKERS: &str = "!miniTicker@arr";

/// Streams for ever; the caller stops it.
pub(crate) async fn run(venue: &Venue) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut sent_ids = HashMap::new();
    let mut open_times = HashMap::new();
    let mut coinbase = coinbase::Pulse::default();
    loop {
        ticks.tick().await;
        if venue.faults.silent() {
            continue;
        }
        mini_tickers(venue, &mut sent_ids);
        candles(venue, &mut open_times);
        coinbase.beat(venue);
        venue.hub.break_silence(Protocol::Kraken, kraken::frames::HEARTBEAT);
    }
}

/// Of the symbols that traded since the last time. `sent_ids` holds the trade up to which each was told.
fn mini_tickers(venue: &Venue, sent_ids: &mut HashMap<usize, i64>) {
    let now = venue.now_ms();
    let all = venue.hub.listeners(ALL_MINI_TICKERS) > 0;
    let mut changed: Vec<(Arc<Listed>, Kline)> = Vec::new();
    for (index, listed) in venue.listings.all() {
        let name = format!("{}@miniTicker", listed.lower);
        let wanted = venue.hub.listeners(&name) > 0;
        if !wanted && !all {
            continue;
        }
        let day = {
            let mut ledger = listed.ledger();
            ledger.seal(now);
            ledger.day(now)
        };
        let Some(day) = day.filter(|day| sent_ids.get(&index).is_none_or(|sent| day.last_id > *sent)) else {
            continue;
        };
        sent_ids.insert(index, day.last_id);
        venue.hub.publish(&name, |unit| frames::mini_ticker(&listed.symbol.ticker, &day, now, unit));
        changed.push((listed, day));
    }
    if !changed.is_empty() {
        venue.hub.publish(ALL_MINI_TICKERS, |unit| {
            let rows: Vec<String> = changed
                .iter()
                .map(|(listed, day)| frames::mini_ticker(&listed.symbol.ticker, day, now, unit))
                .collect();
            format!("[{}]", rows.join(","))
        });
    }
}

/// `open_times` holds the candle that each stream was last about.
fn candles(venue: &Venue, open_times: &mut HashMap<String, i64>) {
    let streams = venue.hub.streams(|stream| stream.contains("@kline_"));
    open_times.retain(|stream, _| streams.contains(stream));
    let now = venue.now_ms();
    for stream in streams {
        let Some((listed, interval)) = named(venue, &stream) else {
            continue;
        };
        let open = open_ms(interval, now);
        let before = open_times.insert(stream.clone(), open).filter(|before| *before < open);
        for (open_time, closed) in before.map(|before| (before, true)).into_iter().chain([(open, false)]) {
            let klines = {
                let mut ledger = listed.ledger();
                ledger.seal(now);
                ledger.klines(interval, Some(open_time), Some(open_time), 1)
            };
            for kline in klines {
                venue
                    .hub
                    .publish(&stream, |unit| frames::kline(&listed.symbol.ticker, interval, &kline, closed, now, unit));
            }
        }
    }
}

fn named(venue: &Venue, stream: &str) -> Option<(Arc<Listed>, Interval)> {
    let (symbol, interval) = stream.split_once("@kline_")?;
    let (_, listed) = venue.listings.all().into_iter().find(|(_, listed)| listed.lower == symbol)?;
    Some((listed, interval.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use rust_decimal::Decimal;

    use super::*;
    use crate::venue::now_ms;
    use crate::{PublishedTrade, Settings, hub::Membership, market::Step};

    fn venue_with_a_trade_at(ms: i64) -> Venue {
        let settings = Settings::default();
        let venue = Venue::new(&settings, settings.symbols.clone(), 1, tokio::sync::mpsc::channel(1).0);
        let time = DateTime::from_timestamp_millis(ms).unwrap();
        let (price, quantity) = (Decimal::TEN, Decimal::ONE);
        venue.publish(0, &PublishedTrade { id: 1, price, quantity, time, buyer_is_maker: true });
        venue
    }

    fn listener(venue: &Venue, stream: &str) -> Membership {
        let member = venue.hub.join(Protocol::RAW);
        venue.hub.subscribe(member.id, &[stream.to_owned()]).unwrap();
        member
    }

    fn frames(member: &mut Membership) -> Vec<serde_json::Value> {
        std::iter::from_fn(|| member.queue.try_recv().ok())
            .map(|frame| serde_json::from_slice(&frame).unwrap())
            .collect()
    }

    #[test]
    fn a_candle_is_closed_once_and_stays_as_it_was() {
        let now = now_ms();
        let minute = open_ms(Interval::OneMinute, now - 60_000);
        let venue = venue_with_a_trade_at(minute + 59_999);
        let mut member = listener(&venue, "btcusdt@kline_1m");
        let mut open_times = HashMap::from([("btcusdt@kline_1m".to_owned(), minute)]);
        candles(&venue, &mut open_times);
        candles(&venue, &mut open_times);
        let frames = frames(&mut member);
        assert_eq!(frames.len(), 1, "nothing is traded in the minute after: {frames:?}");
        assert_eq!(frames[0]["k"]["x"], true);
        assert_eq!(frames[0]["k"]["t"], minute);
        assert_eq!(frames[0]["k"]["n"], 1);
        let step = Step { price: Decimal::ONE, quantity: Decimal::ONE, buyer_is_maker: true };
        assert!(venue.at(0).ledger().append(step, minute + 59_999).time.timestamp_millis() >= now);
    }

    #[test]
    fn only_what_changed_is_in_the_array() {
        let venue = venue_with_a_trade_at(now_ms());
        let mut member = listener(&venue, ALL_MINI_TICKERS);
        let mut sent = HashMap::new();
        mini_tickers(&venue, &mut sent);
        mini_tickers(&venue, &mut sent);
        let frames = frames(&mut member);
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].as_array().map(Vec::len), Some(1));
        assert_eq!(frames[0][0]["s"], "BTCUSDT");
    }
}
