//! What a fault did: the exchange's own record against the tables, for each protocol by which it is followed.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, Instant},
};

use chrono::{TimeDelta, Utc};
use tokio::time::sleep;

use crate::{
    Fault, Protocol, Stage,
    effect::Effect,
    record::{Begin, Comparison, LATE, rows, wrong_candles},
    watch::{Told, Watch},
};

/// How long everything may take to be stored after the fault is mended.
const DRAIN: Duration = Duration::from_secs(120);

/// What one fault did to what came by one protocol.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Which one.
    pub fault: Fault,
    /// By which one.
    pub protocol: Protocol,
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
    /// Messages among the dead letters, of whichever exchange.
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
            && (self.in_ledger > 0 || !self.fault.loses_trades(self.protocol))
    }

    /// The head of the table.
    pub const HEAD: &'static str = "fault                          exchange   published   stored  doubled  missing  wrong  candles wrong  in ledger  open holes  dead letters  recovered";
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recovered = match self.recovered {
            Some(took) => format!("{:.1} s", took.as_secs_f64()),
            None => "never".to_owned(),
        };
        write!(
            f,
            "{:<30} {:<10} {:>9} {:>8} {:>8} {:>8} {:>6} {:>14} {:>10} {:>11} {:>13} {:>10}{}",
            self.fault.name(),
            self.protocol.exchange(),
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

/// Lets a fault strike while trades flow and rules watch them, mends it, waits until everything is stored, and compares. What became
/// of the rules is absent where they do not watch what the fault strikes.
///
/// # Errors
/// When the fault cannot be made or mended, or the tables cannot be read; what it did is in the verdicts.
pub async fn try_fault(stage: &mut Stage, fault: Fault) -> anyhow::Result<(Vec<Verdict>, Option<Told>)> {
    if fault == Fault::StandaloneKilled {
        return Ok((vec![crate::standalone::try_kill(stage).await?], None));
    }
    stage.exchange.pause();
    drain(stage, &Begin::now(&stage.exchange), 0).await?;
    let watch = Watch::begin(stage).await;
    stage.exchange.resume();
    let watch = watch?;
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
    let verdicts = compare_all(stage, fault, &begin, &recovered, dead_before).await;
    let told = watch.end(stage).await;
    stage.exchange.resume();
    let verdicts = verdicts?.into_iter().map(|verdict| Verdict { struck, ..verdict }).collect();
    Ok((verdicts, Some(told?)))
}

/// Waits until a trade that is made from now on is stored, by each protocol. Those by which none was are absent.
async fn recover(stage: &Stage) -> HashMap<Protocol, Duration> {
    let (clock, mut recovered) = (Instant::now(), HashMap::new());
    let Some(ticker) = stage.exchange.tickers().into_iter().next() else { return recovered };
    let newest = stage.exchange.published(&ticker).last().map_or(-1, |trade| trade.id);
    let since = Utc::now() - TimeDelta::minutes(1);
    while clock.elapsed() < DRAIN && recovered.len() < Protocol::ALL.len() {
        if let Ok(client) = stage.client().await {
            for protocol in Protocol::ALL {
                if recovered.contains_key(&protocol) {
                    continue;
                }
                let newer = "SELECT EXISTS (SELECT FROM prices
                                            WHERE ticker = $1 AND trade_id > $2 AND time > $3 AND source = 'stream')";
                let asked = client.query_one(newer, &[&protocol.spelled(&ticker), &newest, &since]).await;
                if asked.is_ok_and(|row| row.get(0)) {
                    recovered.insert(protocol, clock.elapsed());
                }
            }
        }
        sleep(Duration::from_millis(50)).await;
    }
    recovered
}

/// Waits until as many trades are stored as were published, and every hole is closed; what is missing then, is missing.
async fn drain(stage: &Stage, begin: &Begin, dead: u64) -> anyhow::Result<()> {
    // What was published last is on its way.
    sleep(Duration::from_millis(500)).await;
    let expected: usize =
        Protocol::ALL.into_iter().map(|protocol| count(&begin.published(&stage.exchange, protocol))).sum();
    let client = stage.client().await?;
    let done =
        "SELECT (SELECT count(*) FROM prices JOIN unnest($1::text[], $2::bigint[]) AS begin (ticker, id) USING (ticker)
                        WHERE trade_id > begin.id AND time >= $3) >= $4
                   AND NOT EXISTS (SELECT FROM gap WHERE state IN ('open', 'filling'))";
    let (tickers, ids) = begin.by_all_names();
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

/// How many trades these are.
pub(crate) fn count<T>(published: &HashMap<String, HashMap<i64, T>>) -> usize {
    published.values().map(HashMap::len).sum()
}

async fn compare_all(
    stage: &Stage,
    fault: Fault,
    begin: &Begin,
    recovered: &HashMap<Protocol, Duration>,
    dead_before: u64,
) -> anyhow::Result<Vec<Verdict>> {
    let client = stage.client().await?;
    let mut verdicts = Vec::new();
    for protocol in Protocol::ALL {
        let published = begin.published(&stage.exchange, protocol);
        let count = count(&published);
        let Comparison { stored, doubled, missing, wrong } =
            Comparison::of(published, rows(&client, begin, protocol).await?);
        let candles = wrong_candles(begin.time - TimeDelta::minutes(1), protocol);
        let ledger = client.query_one(LEDGER, &[&begin.time, &protocol.exchange()]).await?;
        verdicts.push(Verdict {
            fault,
            protocol,
            published: count,
            stored,
            doubled,
            missing,
            wrong,
            candles_wrong: client.query_one(&candles, &[]).await?.get(0),
            in_ledger: ledger.get(0),
            not_filled: ledger.get(1),
            dead_letters: dead_letters(&client).await?.saturating_sub(dead_before),
            recovered: recovered.get(&protocol).copied(),
            struck: true,
        });
    }
    Ok(verdicts)
}

const LEDGER: &str = "
    SELECT coalesce(sum(last_trade_id - first_trade_id + 1), 0)::bigint, count(*) FILTER (WHERE state <> 'filled')
    FROM gap JOIN ticker ON ticker.id = gap.ticker_id JOIN exchange ON exchange.id = ticker.exchange_id
    WHERE found_at >= $1 AND exchange.name = $2";

async fn dead_letters(client: &tokio_postgres::Client) -> anyhow::Result<u64> {
    let count: i64 = client.query_one("SELECT count(*) FROM dead_letter", &[]).await?.get(0);
    Ok(count.unsigned_abs())
}

/// Everything that was published since the beginning of the run against everything that is stored, and how much was published,
/// for each protocol: also what came between two faults, and what came late.
///
/// # Errors
/// When the tables cannot be read.
pub async fn whole_run(stage: &Stage, begin: &Begin) -> anyhow::Result<Vec<(Protocol, Comparison, usize)>> {
    stage.exchange.pause();
    drain(stage, begin, 0).await?;
    let client = stage.client().await?;
    let mut whole = Vec::new();
    for protocol in Protocol::ALL {
        let published = begin.published(&stage.exchange, protocol);
        let count = count(&published);
        whole.push((protocol, Comparison::of(published, rows(&client, begin, protocol).await?), count));
    }
    Ok(whole)
}
