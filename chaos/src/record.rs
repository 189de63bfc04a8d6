//! The exchange's own record against rows.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use simulator::{PublishedTrade, Simulator};

use crate::Protocol;

/// What one trade is made of: price, quantity, whether the taker sold, and when.
pub type Trade = (Decimal, Decimal, bool, DateTime<Utc>);

/// Where a fault's share of the exchange's record begins.
pub struct Begin {
    pub(crate) time: DateTime<Utc>,
    /// The newest trade of each pair until then.
    after: HashMap<String, i64>,
}

/// How far a trade may be dated before the moment in which it appears.
pub(crate) const LATE: TimeDelta = TimeDelta::seconds(10);

impl Begin {
    /// Here and now.
    pub fn now(exchange: &Simulator) -> Self {
        let newest = |ticker: String| {
            let id = exchange.published(&ticker).last().map_or(-1, |trade| trade.id);
            (ticker, id)
        };
        Self { time: Utc::now(), after: exchange.tickers().into_iter().map(newest).collect() }
    }

    /// The newest trade of each pair until then, by the names that all protocols have for the pairs.
    pub(crate) fn by_all_names(&self) -> (Vec<String>, Vec<i64>) {
        let by_name = |protocol: Protocol| self.after.iter().map(move |(ticker, id)| (protocol.spelled(ticker), *id));
        Protocol::ALL.into_iter().flat_map(by_name).unzip()
    }

    /// What the exchange published since, by number and by what this protocol calls the pair.
    pub fn published(&self, exchange: &Simulator, protocol: Protocol) -> HashMap<String, HashMap<i64, Trade>> {
        let trade = |trade: PublishedTrade| (trade.id, (trade.price, trade.quantity, trade.buyer_is_maker, trade.time));
        let of = |(ticker, after): (&String, &i64)| {
            let trades = exchange.published(ticker).into_iter().filter(|trade| trade.id > *after);
            (protocol.spelled(ticker), trades.map(trade).collect())
        };
        self.after.iter().map(of).collect()
    }
}

/// How rows compare with what was published.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Rows exactly as published.
    pub stored: usize,
    /// Rows that there are twice.
    pub doubled: usize,
    /// Trades without a row.
    pub missing: usize,
    /// Rows that were not published, or not so.
    pub wrong: usize,
}

impl Comparison {
    /// Compares rows (ticker, number, trade) with what was published.
    pub fn of(
        mut published: HashMap<String, HashMap<i64, Trade>>,
        rows: impl IntoIterator<Item = (String, i64, Trade)>,
    ) -> Self {
        let mut comparison = Self::default();
        let mut seen = HashSet::new();
        for (ticker, id, trade) in rows {
            let expected = published.get_mut(&ticker).and_then(|trades| trades.remove(&id));
            if !seen.insert((ticker, id)) {
                comparison.doubled += 1;
            } else if expected == Some(trade) {
                comparison.stored += 1;
            } else {
                comparison.wrong += 1;
            }
        }
        comparison.missing = published.values().map(HashMap::len).sum();
        comparison
    }
}

/// Everything that is stored since, of this protocol's exchange: ticker, number, trade.
pub(crate) async fn rows(
    client: &tokio_postgres::Client,
    begin: &Begin,
    protocol: Protocol,
) -> anyhow::Result<Vec<(String, i64, Trade)>> {
    let rows = client
        .query(
            "SELECT ticker, trade_id, price, quantity, taker_side = 'sell', time FROM prices
             WHERE trade_id IS NOT NULL AND time >= $1 AND exchange = $2",
            &[&(begin.time - LATE), &protocol.exchange()],
        )
        .await?;
    let rows = rows.iter().map(|row| {
        let trade: Trade = (row.get(2), row.get(3), row.get(4), row.get(5));
        (row.get::<_, String>(0), row.get::<_, i64>(1), trade)
    });
    let after: HashMap<String, i64> = begin.after.iter().map(|(ticker, id)| (protocol.spelled(ticker), *id)).collect();
    Ok(rows.filter(|(ticker, id, _)| after.get(ticker).is_none_or(|after| id > after)).collect())
}

/// Counts minutes of the exchange `$2` since `$1` in which a candle and its trades differ. A minute that holds a trade counts
/// trades alone.
const CANDLES: &str = "
    WITH of_trades AS (
        SELECT ticker_id, date_trunc('minute', time) AS open_time, count(*) AS trades, sum(quantity) AS volume,
               sum(price * quantity) AS quote_volume, max(price) AS high, min(price) AS low,
               (array_agg(price ORDER BY time, trade_id))[1] AS open,
               (array_agg(price ORDER BY time DESC, trade_id DESC))[1] AS close
        FROM price WHERE trade_id IS NOT NULL AND time >= date_trunc('minute', $1::timestamptz)
        GROUP BY 1, 2
    )
    SELECT count(*)
    FROM of_trades FULL JOIN (
        SELECT * FROM candle WHERE width = '1m' AND trades > 0 AND open_time >= date_trunc('minute', $1::timestamptz)) AS candle
    USING (ticker_id, open_time)
    WHERE ticker_id IN (SELECT ticker.id FROM ticker JOIN exchange ON exchange.id = exchange_id WHERE exchange.name = $2)
      AND (of_trades.trades, of_trades.volume, of_trades.quote_volume, of_trades.high, of_trades.low, of_trades.open,
           of_trades.close)
        IS DISTINCT FROM (candle.trades, candle.volume, candle.quote_volume, candle.high, candle.low, candle.open, candle.close)";

/// Asks how many minutes of an exchange since then have a candle that differs from its trades.
pub(crate) fn wrong_candles(since: DateTime<Utc>, protocol: Protocol) -> String {
    let since = format!("'{}'", since.to_rfc3339());
    CANDLES.replace("$1", &since).replace("$2", &format!("'{}'", protocol.exchange()))
}
