//! What a fault did: the exchange's own record against the tables.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use simulator::{PublishedTrade, Simulator};
use tokio::time::sleep;

use crate::{Fault, Stage, effect::Effect};

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
    /// Whether it did what it was to do: a fault that did nothing shows nothing.
    pub struck: bool,
}

impl Verdict {
    /// Whether nothing was lost, doubled or falsified.
    pub fn is_good(&self) -> bool {
        self.stored == self.published
            && (self.doubled, self.missing, self.wrong) == (0, 0, 0)
            && (self.candles_wrong, self.not_filled) == (0, 0)
            && self.dead_letters == self.fault.dead_letters()
            && self.recovered.is_some()
            && self.struck
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
            match (self.is_good(), self.struck) {
                (true, _) => "",
                (false, true) => "   BAD",
                (false, false) => "   BAD: the fault did nothing",
            }
        )
    }
}

/// What one trade is made of: price, quantity, whether the taker sold, and when.
pub type Trade = (Decimal, Decimal, bool, DateTime<Utc>);

/// Lets a fault strike while trades flow, mends it, waits until everything is stored, and compares.
///
/// # Errors
/// When the fault cannot be made or mended, or the tables cannot be read; what it did is in the verdict.
pub async fn try_fault(stage: &mut Stage, fault: Fault) -> anyhow::Result<Verdict> {
    if fault == Fault::StandaloneKilled {
        return crate::standalone::try_kill(stage).await;
    }
    let begin = Begin::now(&stage.exchange);
    let dead_before = dead_letters(&stage.client().await?).await?;
    let effect = Effect::before(stage, fault).await?;
    // Trades flow before, during and after.
    sleep(Duration::from_secs(1)).await;
    let struck = fault.strike(stage).await;
    let lasts = if fault == Fault::Nothing { stage.nothing_lasts } else { fault.lasts() };
    sleep(lasts).await;
    let seen = effect.is_seen(stage, lasts).await;
    fault.mend(stage).await?;
    struck?;
    let struck = seen?;
    let recovered = recover(stage).await;
    stage.exchange.pause();
    drain(stage, &begin, dead_before + fault.dead_letters()).await?;
    let verdict = compare(stage, fault, &begin, recovered, dead_before).await;
    stage.exchange.resume();
    Ok(Verdict { struck, ..verdict? })
}

/// Where a fault's share of the exchange's record begins.
pub struct Begin {
    time: DateTime<Utc>,
    /// The newest trade of each pair until then.
    after: HashMap<String, i64>,
}

/// How far a trade may be dated before the moment in which it appears.
const LATE: TimeDelta = TimeDelta::seconds(10);

impl Begin {
    /// Here and now.
    pub fn now(exchange: &Simulator) -> Self {
        let newest = |ticker: String| {
            let id = exchange.published(&ticker).last().map_or(-1, |trade| trade.id);
            (ticker, id)
        };
        Self { time: Utc::now(), after: exchange.tickers().into_iter().map(newest).collect() }
    }

    /// What the exchange published since, by ticker and number.
    pub fn published(&self, exchange: &Simulator) -> HashMap<String, HashMap<i64, Trade>> {
        let trade = |trade: PublishedTrade| (trade.id, (trade.price, trade.quantity, trade.buyer_is_maker, trade.time));
        let of = |(ticker, after): (&String, &i64)| {
            let trades = exchange.published(ticker).into_iter().filter(|trade| trade.id > *after);
            (ticker.clone(), trades.map(trade).collect())
        };
        self.after.iter().map(of).collect()
    }
}

/// Waits until a trade that is made from now on is stored.
async fn recover(stage: &Stage) -> Option<Duration> {
    let clock = Instant::now();
    let ticker = stage.exchange.tickers().into_iter().next()?;
    let newest = stage.exchange.published(&ticker).last().map_or(-1, |trade| trade.id);
    let since = Utc::now() - TimeDelta::minutes(1);
    while clock.elapsed() < DRAIN {
        if let Ok(client) = stage.client().await {
            let newer = "SELECT EXISTS (SELECT FROM prices
                                        WHERE ticker = $1 AND trade_id > $2 AND time > $3 AND source = 'stream')";
            if client.query_one(newer, &[&ticker, &newest, &since]).await.is_ok_and(|row| row.get(0)) {
                return Some(clock.elapsed());
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    None
}

/// Waits until as many trades are stored as were published, and every hole is closed; what is missing then, is missing.
async fn drain(stage: &Stage, begin: &Begin, dead: u64) -> anyhow::Result<()> {
    // What was published last is on its way.
    sleep(Duration::from_millis(500)).await;
    let expected: usize = begin.published(&stage.exchange).values().map(HashMap::len).sum();
    let client = stage.client().await?;
    let done =
        "SELECT (SELECT count(*) FROM prices JOIN unnest($1::text[], $2::bigint[]) AS begin (ticker, id) USING (ticker)
                        WHERE trade_id > begin.id AND time >= $3) >= $4
                   AND NOT EXISTS (SELECT FROM gap WHERE state IN ('open', 'filling'))";
    let (tickers, ids): (Vec<&String>, Vec<i64>) = begin.after.iter().unzip();
    let clock = Instant::now();
    while clock.elapsed() < DRAIN {
        let stored: bool =
            client.query_one(done, &[&tickers, &ids, &(begin.time - LATE), &(expected as i64)]).await?.get(0);
        if stored && stage.host.queue_depth("crypto-prices") == Some(0) && dead_letters(&client).await? >= dead {
            break;
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
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

async fn compare(
    stage: &Stage,
    fault: Fault,
    begin: &Begin,
    recovered: Option<Duration>,
    dead_before: u64,
) -> anyhow::Result<Verdict> {
    let published = begin.published(&stage.exchange);
    let count = published.values().map(HashMap::len).sum();
    let client = stage.client().await?;
    let rows = rows(&client, begin).await?;
    let Comparison { stored, doubled, missing, wrong } = Comparison::of(published, rows);
    let since = begin.time - TimeDelta::minutes(1);
    let candles = CANDLES.replace("$1", &format!("'{}'", since.to_rfc3339()));
    let ledger = client.query_one(LEDGER, &[&begin.time]).await?;
    Ok(Verdict {
        fault,
        published: count,
        stored,
        doubled,
        missing,
        wrong,
        candles_wrong: client.query_one(&candles, &[]).await?.get(0),
        in_ledger: ledger.get(0),
        not_filled: ledger.get(1),
        dead_letters: dead_letters(&client).await?.saturating_sub(dead_before),
        recovered,
        struck: true,
    })
}

/// Everything that is stored since: ticker, number, trade.
async fn rows(client: &tokio_postgres::Client, begin: &Begin) -> anyhow::Result<Vec<(String, i64, Trade)>> {
    let rows = client
        .query(
            "SELECT ticker, trade_id, price, quantity, taker_side = 'sell', time FROM prices
             WHERE trade_id IS NOT NULL AND time >= $1",
            &[&(begin.time - LATE)],
        )
        .await?;
    let rows = rows.iter().map(|row| {
        let trade: Trade = (row.get(2), row.get(3), row.get(4), row.get(5));
        (row.get::<_, String>(0), row.get::<_, i64>(1), trade)
    });
    Ok(rows.filter(|(ticker, id, _)| begin.after.get(ticker).is_none_or(|after| id > after)).collect())
}

const LEDGER: &str = "
    SELECT coalesce(sum(last_trade_id - first_trade_id + 1), 0)::bigint, count(*) FILTER (WHERE state <> 'filled')
    FROM gap WHERE found_at >= $1";

/// Counts minutes since `$1` in which a candle and its trades differ. A minute that holds a trade counts trades alone.
pub const CANDLES: &str = "
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
    WHERE (of_trades.trades, of_trades.volume, of_trades.quote_volume, of_trades.high, of_trades.low, of_trades.open,
           of_trades.close)
        IS DISTINCT FROM (candle.trades, candle.volume, candle.quote_volume, candle.high, candle.low, candle.open, candle.close)";

async fn dead_letters(client: &tokio_postgres::Client) -> anyhow::Result<u64> {
    let count: i64 = client.query_one("SELECT count(*) FROM dead_letter", &[]).await?.get(0);
    Ok(count.unsigned_abs())
}

/// Everything that was published since the beginning of the run against everything that is stored: also what came between
/// two faults, and what came late.
///
/// # Errors
/// When the tables cannot be read.
pub async fn whole_run(stage: &Stage, begin: &Begin) -> anyhow::Result<(Comparison, usize)> {
    stage.exchange.pause();
    drain(stage, begin, 0).await?;
    let published = begin.published(&stage.exchange);
    let count = published.values().map(HashMap::len).sum();
    Ok((Comparison::of(published, rows(&stage.client().await?, begin).await?), count))
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
    /// Whether every pair was compared up to the end.
    pub complete: bool,
}

impl SecondOpinion {
    /// Whether every candle says what the exchange's says.
    pub fn is_good(&self) -> bool {
        self.complete && self.minutes > 0 && self.agreed == self.different && self.open == 0
    }
}

impl fmt::Display for SecondOpinion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { minutes, different, agreed, open, complete } = self;
        write!(
            f,
            "{minutes} candles compared with the exchange's own{}; {different} differed at first, {agreed} of these agree now, \
             {open} do not yet, {} were settled otherwise",
            if *complete { "" } else { ", NOT ALL" },
            different - agreed - open
        )
    }
}

/// Waits until every pair was compared up to the last trade and no candle differs from the exchange's, and says how many did.
///
/// # Errors
/// When the tables cannot be read.
pub async fn second_opinion(stage: &Stage) -> anyhow::Result<SecondOpinion> {
    /// The last minute must end, and a difference has its time to settle.
    const PATIENCE: Duration = Duration::from_secs(240);
    let client = stage.client().await?;
    let clock = Instant::now();
    let tickers = stage.exchange.tickers();
    let last = tickers.iter().filter_map(|ticker| stage.exchange.published(ticker).pop()).map(|trade| trade.time).max();
    let pairs = tickers.len() as i64;
    loop {
        let row = client
            .query_one(
                "SELECT (SELECT coalesce(sum(minutes), 0) FROM comparison)::bigint, count(*),
                        count(*) FILTER (WHERE state = 'agreed'), count(*) FILTER (WHERE state = 'open'),
                        (SELECT count(DISTINCT ticker_id) FROM comparison WHERE to_time > $1) = $2
                 FROM difference",
                &[&last, &pairs],
            )
            .await?;
        let opinion = SecondOpinion {
            minutes: row.get(0),
            different: row.get(1),
            agreed: row.get(2),
            open: row.get(3),
            complete: row.get(4),
        };
        if (opinion.complete && opinion.open == 0) || clock.elapsed() > PATIENCE {
            return Ok(opinion);
        }
        sleep(Duration::from_millis(500)).await;
    }
}
