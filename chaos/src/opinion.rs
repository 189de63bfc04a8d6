//! What the exchange's own candles say of ours, by every protocol.

use std::{
    fmt,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{Protocol, Stage};

/// What the exchange's own candles say of ours, over the whole run.
#[derive(Debug, Clone, Copy)]
pub struct SecondOpinion {
    /// Minutes of pairs that were compared, of all exchanges together.
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
    let pairs = (tickers.len() * Protocol::ALL.len()) as i64;
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
