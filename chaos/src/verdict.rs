//! What a fault did: the exchange's own record against the tables.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use simulator::PublishedTrade;
use tokio::time::sleep;

use crate::{Fault, Stage};

/// How long everything may take to be stored after the fault is mended.
const DRAIN: Duration = Duration::from_secs(120);

/// What one fault did.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Which one.
    pub fault: Fault,
    /// Trades that the exchange published from the beginning of the fault until everything was stored.
    pub published: usize,
    /// Those of them that are stored, exactly as published.
    pub stored: usize,
    /// Rows that there are twice.
    pub doubled: usize,
    /// Trades that are not stored.
    pub missing: usize,
    /// Rows that the exchange did not publish, or not so.
    pub wrong: usize,
    /// Minutes whose candle says something else than their trades.
    pub candles_wrong: i64,
    /// Trades that went through the gap ledger.
    pub in_ledger: i64,
    /// Holes that the ledger does not call filled.
    pub not_filled: i64,
    /// Messages among the dead letters.
    pub dead_letters: u64,
    /// From mending the fault until a trade made after that was stored.
    pub recovered: Option<Duration>,
}

impl Verdict {
    /// Whether nothing was lost, doubled or falsified.
    pub fn is_good(&self) -> bool {
        self.stored == self.published
            && (self.doubled, self.missing, self.wrong) == (0, 0, 0)
            && (self.candles_wrong, self.not_filled) == (0, 0)
            && self.dead_letters == self.fault.dead_letters()
            && self.recovered.is_some()
            // A fault that did nothing shows nothing.
            && (self.in_ledger > 0 || !self.fault.loses_trades())
    }

    /// The head of the table.
    pub const HEAD: &'static str = "fault                          published   stored  doubled  missing  wrong  candles wrong  in ledger  open holes  dead letters  recovered";
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recovered = match self.recovered {
            Some(took) => format!("{:.1} s", took.as_secs_f64()),
            None => "never".to_owned(),
        };
        write!(
            f,
            "{:<30} {:>9} {:>8} {:>8} {:>8} {:>6} {:>14} {:>10} {:>11} {:>13} {:>10}{}",
            self.fault.name(),
            self.published,
            self.stored,
            self.doubled,
            self.missing,
            self.wrong,
            self.candles_wrong,
            self.in_ledger,
            self.not_filled,
            self.dead_letters,
            recovered,
            if self.is_good() { "" } else { "   BAD" }
        )
    }
}

/// What one trade is made of.
type Trade = (Decimal, Decimal, bool, DateTime<Utc>);

/// Lets a fault strike while trades flow, mends it, waits until everything is stored, and compares.
///
/// # Errors
/// When the fault cannot be made or mended, or the tables cannot be read; what it did is in the verdict.
pub async fn try_fault(stage: &mut Stage, fault: Fault) -> anyhow::Result<Verdict> {
    let begin = Utc::now();
    let dead_before = dead_letters(&stage.client().await?).await?;
    // Trades flow before, during and after.
    sleep(Duration::from_secs(1)).await;
    fault.strike(stage).await?;
    sleep(fault.lasts()).await;
    fault.mend(stage).await?;
    let recovered = recover(stage).await;
    stage.exchange.pause();
    drain(stage, begin, dead_before + fault.dead_letters()).await?;
    let verdict = compare(stage, fault, begin, recovered, dead_before).await;
    stage.exchange.resume();
    verdict
}

/// Waits until a trade that was made from now on is stored.
async fn recover(stage: &Stage) -> Option<Duration> {
    let (mended, clock) = (Utc::now(), Instant::now());
    while clock.elapsed() < DRAIN {
        if let Ok(client) = stage.client().await {
            let newest = "SELECT EXISTS (SELECT FROM price WHERE source = 'stream' AND time > $1)";
            if client.query_one(newest, &[&mended]).await.is_ok_and(|row| row.get(0)) {
                return Some(clock.elapsed());
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    None
}

/// Waits until as many trades are stored as were published, and every hole is closed; what is missing then, is missing.
async fn drain(stage: &Stage, begin: DateTime<Utc>, dead: u64) -> anyhow::Result<()> {
    // What was published last is on its way.
    sleep(Duration::from_millis(500)).await;
    let expected: usize = published(stage, begin).values().map(HashMap::len).sum();
    let client = stage.client().await?;
    let done = "SELECT (SELECT count(*) FROM price WHERE trade_id IS NOT NULL AND time >= $1) >= $2
                   AND NOT EXISTS (SELECT FROM gap WHERE state IN ('open', 'filling'))";
    let clock = Instant::now();
    while clock.elapsed() < DRAIN {
        let stored: bool = client.query_one(done, &[&begin, &(expected as i64)]).await?.get(0);
        if stored && stage.host.queue_depth("crypto-prices") == Some(0) && dead_letters(&client).await? >= dead {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

/// What the exchange published since, by ticker and number.
fn published(stage: &Stage, begin: DateTime<Utc>) -> HashMap<String, HashMap<i64, Trade>> {
    let trade = |trade: PublishedTrade| (trade.id, (trade.price, trade.quantity, trade.buyer_is_maker, trade.time));
    let of = |ticker: String| {
        let trades = stage.exchange.published(&ticker).into_iter().filter(|trade| trade.time >= begin);
        (ticker, trades.map(trade).collect())
    };
    stage.exchange.tickers().into_iter().map(of).collect()
}

async fn compare(
    stage: &Stage,
    fault: Fault,
    begin: DateTime<Utc>,
    recovered: Option<Duration>,
    dead_before: u64,
) -> anyhow::Result<Verdict> {
    let mut expected = published(stage, begin);
    let published = expected.values().map(HashMap::len).sum();
    let client = stage.client().await?;
    let rows = client
        .query(
            "SELECT ticker, trade_id, price, quantity, taker_side = 'sell', time FROM prices
             WHERE trade_id IS NOT NULL AND time >= $1",
            &[&begin],
        )
        .await?;
    let (mut stored, mut doubled, mut wrong) = (0, 0, 0);
    let mut seen: HashMap<(String, i64), u32> = HashMap::new();
    for row in &rows {
        let (ticker, id): (String, i64) = (row.get(0), row.get(1));
        let times = seen.entry((ticker.clone(), id)).or_default();
        *times += 1;
        if *times > 1 {
            doubled += 1;
            continue;
        }
        let trade: Trade = (row.get(2), row.get(3), row.get(4), row.get(5));
        match expected.get_mut(&ticker).and_then(|trades| trades.remove(&id)) {
            Some(published) if published == trade => stored += 1,
            _ => wrong += 1,
        }
    }
    let missing = expected.values().map(HashMap::len).sum();
    let since = begin - TimeDelta::minutes(1);
    let candles_wrong = client.query_one(CANDLES, &[&since]).await?.get(0);
    let ledger = client
        .query_one(
            "SELECT coalesce(sum(last_trade_id - first_trade_id + 1), 0)::bigint, count(*) FILTER (WHERE state <> 'filled')
             FROM gap WHERE found_at >= $1",
            &[&begin],
        )
        .await?;
    Ok(Verdict {
        fault,
        published,
        stored,
        doubled,
        missing,
        wrong,
        candles_wrong,
        in_ledger: ledger.get(0),
        not_filled: ledger.get(1),
        dead_letters: dead_letters(&client).await?.saturating_sub(dead_before),
        recovered,
    })
}

/// Minutes in which a candle and its trades differ. A minute that holds a trade counts trades alone.
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
        SELECT * FROM candle WHERE trades > 0 AND open_time >= date_trunc('minute', $1::timestamptz)) AS candle
    USING (ticker_id, open_time)
    WHERE (of_trades.trades, of_trades.volume, of_trades.quote_volume, of_trades.high, of_trades.low, of_trades.open,
           of_trades.close)
        IS DISTINCT FROM (candle.trades, candle.volume, candle.quote_volume, candle.high, candle.low, candle.open, candle.close)";

async fn dead_letters(client: &tokio_postgres::Client) -> anyhow::Result<u64> {
    let count: i64 = client.query_one("SELECT count(*) FROM dead_letter", &[]).await?.get(0);
    Ok(count.unsigned_abs())
}

/// What the exchange's own candles say of ours, over the whole run.
#[derive(Debug, Clone, Copy)]
pub struct SecondOpinion {
    /// Minutes of pairs that were compared.
    pub minutes: i64,
    /// Those that were different when they were compared.
    pub different: i64,
    /// Those of them that trades which came later made equal.
    pub agreed: i64,
    /// Those that are different still.
    pub open: i64,
}

impl SecondOpinion {
    /// Whether every candle says what the exchange's says.
    pub fn is_good(&self) -> bool {
        self.agreed == self.different && self.open == 0
    }
}

impl fmt::Display for SecondOpinion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minutes, different, agreed, open } = self;
        write!(
            f,
            "{minutes} candles compared with the exchange's own; {different} differed at first, {agreed} of these agree now, \
             {open} do not yet, {} were settled otherwise",
            different - agreed - open
        )
    }
}

/// Waits until no candle differs from the exchange's, and says how many did.
///
/// # Errors
/// When the tables cannot be read.
pub async fn second_opinion(stage: &Stage) -> anyhow::Result<SecondOpinion> {
    let client = stage.client().await?;
    let clock = Instant::now();
    loop {
        let row = client
            .query_one(
                "SELECT (SELECT coalesce(sum(minutes), 0) FROM comparison)::bigint, count(*),
                        count(*) FILTER (WHERE state = 'agreed'), count(*) FILTER (WHERE state = 'open')
                 FROM difference",
                &[],
            )
            .await?;
        let opinion =
            SecondOpinion { minutes: row.get(0), different: row.get(1), agreed: row.get(2), open: row.get(3) };
        if (opinion.minutes > 0 && opinion.open == 0) || clock.elapsed() > DRAIN {
            return Ok(opinion);
        }
        sleep(Duration::from_millis(500)).await;
    }
}
