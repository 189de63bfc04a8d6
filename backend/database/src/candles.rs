//! Reading candles.
//!
//! A candle of any width is put together from the widest stored ones that fit into it, and, where those are not folded yet,
//! from narrower ones. What is read is bounded by what the wanted candles can hold, so that a small question stays cheap over
//! any amount of history.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use deadpool_postgres::GenericClient;
use domain::{Level, Width};
use rust_decimal::Decimal;
use tokio_postgres::Row;

use crate::{Context as _, Error, Result};

/// Open, high, low, close and volume of one interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCandle {
    /// Where the interval begins.
    pub open_time: DateTime<Utc>,
    /// First price.
    pub open: Decimal,
    /// Highest price.
    pub high: Decimal,
    /// Lowest price.
    pub low: Decimal,
    /// Last price.
    pub close: Decimal,
    /// Units of the base that changed hands.
    pub volume: Decimal,
    /// Units of the quote that changed hands.
    pub quote_volume: Decimal,
    /// Number of trades; the least there were, where minutes are `untold`.
    pub trades: i64,
    /// Of how many of its minutes the exchange does not tell how many trades they had.
    pub untold: i64,
    /// Number of the prices that `price_sum` adds up; never zero.
    pub ticks: i64,
    /// Sum of its prices.
    pub price_sum: Decimal,
    /// How many of its minutes have prices.
    pub minutes: i64,
    /// How often it was corrected: by trades that were fetched afterwards, or by the exchange's own candle.
    pub revision: i64,
    /// Whether a part of it is the exchange's own candle.
    pub from_exchange: bool,
}

impl StoredCandle {
    /// Where it comes from, in the words of the view `candles`; of a wider one, the first that is true of a part of it.
    pub fn origin(&self) -> &'static str {
        if self.from_exchange {
            "exchange"
        } else if self.trades == 0 {
            "polls"
        } else if self.revision > 0 {
            "backfill"
        } else {
            "stream"
        }
    }
}

/// Which candles are wanted. Every bound must be a place where a candle of the wanted width opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The last ones that open before this moment.
    Until(DateTime<Utc>),
    /// The first ones that open at or after `from` and before `to`.
    Since {
        /// Where the first one may open.
        from: DateTime<Utc>,
        /// Where none may open any more.
        to: DateTime<Utc>,
    },
}

/// What the prices of some minutes add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceSum {
    /// Where they begin.
    pub open_time: DateTime<Utc>,
    /// Sum of its prices.
    pub price_sum: Decimal,
    /// How many there are; never zero.
    pub ticks: i64,
}

/// Which rows a statement puts together, and how it groups them.
#[derive(Debug, Clone, Copy)]
enum Grouping {
    /// By a fixed length, the last ones before `$2`.
    LastBefore,
    /// By a fixed length, the first ones from `$2` on.
    FirstSince,
    /// By the calendar: between the bounds in the array `$2`, each of which opens a candle but the last, which closes one.
    Between,
}

/// Where each level ends and a narrower one must step in, since what came lately is not folded yet.
const CUT: &str = "
    SELECT five, date_bin('1 hour', five, '2001-01-01 00:00:00Z') AS hour,
           date_bin('1 day', five, '2001-01-01 00:00:00Z') AS day
    FROM (SELECT rolled_until() AS five) AS rolled";

/// `$1` the pair, `$2` the bound or bounds, `$3` how many candles; for fixed lengths also `$4` the seconds of one, `$5` how many
/// rows of the level they can hold, `$6` before when all must open.
///
/// The rows of the level are bounded on one side only where there is a limit: for a span, PostgreSQL's plan for all values of
/// its parameters guesses that few rows lie in it, and then reads and sorts all of them instead of stopping at the limit. If
/// they do not suffice for all wanted candles, each row that belongs to one was read; a candle cut in two is always one too many
/// and falls away. Rows are sorted once, as the
/// candles are to come and within each by time, so that arrays have them in that order; to sort within each candle takes longer.
fn statement(level: Level, grouping: Grouping) -> String {
    const BOUNDS: &str = "$2::timestamptz[]";
    let (lower, upper) = match grouping {
        Grouping::LastBefore => (String::new(), "AND open_time < $2".to_owned()),
        Grouping::FirstSince => ("AND open_time >= $2".to_owned(), String::new()),
        Grouping::Between => {
            (format!("AND open_time >= ({BOUNDS})[1]"), format!("AND open_time < ({BOUNDS})[cardinality({BOUNDS})]"))
        }
    };
    let cut = |name: &str| format!("(SELECT {name} FROM cut)");
    let own = stored(level);
    let own_end = match level {
        Level::OneMinute => "'infinity'".to_owned(),
        Level::FiveMinutes => cut("five"),
        Level::OneHour => cut("hour"),
        Level::OneDay => cut("day"),
    };
    let mut parts = vec![match grouping {
        Grouping::LastBefore => format!("({own} {upper} AND open_time < {own_end} ORDER BY open_time DESC LIMIT $5)"),
        Grouping::FirstSince => {
            format!("(SELECT * FROM ({own} {lower} ORDER BY open_time LIMIT $5) AS own WHERE open_time < {own_end})")
        }
        Grouping::Between => format!("({own} {lower} {upper} AND open_time < {own_end})"),
    }];
    for (wider, narrower, from, to) in [
        (Level::OneDay, Level::OneHour, "day", Some("hour")),
        (Level::OneHour, Level::FiveMinutes, "hour", Some("five")),
        (Level::FiveMinutes, Level::OneMinute, "five", None),
    ] {
        if level >= wider {
            let until = to.map(|to| format!("AND open_time < {}", cut(to))).unwrap_or_default();
            parts.push(format!("({} {lower} {upper} AND open_time >= {} {until})", stored(narrower), cut(from)));
        }
    }
    let parts = parts.join(" UNION ALL ");
    let fixed = "date_bin(make_interval(secs => $4), open_time, '2001-01-01 00:00:00Z')";
    let (key, within, order) = match grouping {
        Grouping::LastBefore => (fixed.to_owned(), "open_time < $6", "DESC"),
        Grouping::FirstSince => (fixed.to_owned(), "open_time < $6", "ASC"),
        Grouping::Between => (format!("({BOUNDS})[width_bucket(open_time, {BOUNDS})]"), "true", "DESC"),
    };
    format!(
        "WITH cut AS MATERIALIZED ({CUT})
        SELECT key, (array_agg(open))[1], max(high), min(low), (array_agg(close))[count(*)], sum(volume), sum(quote_volume),
               sum(trades)::bigint, sum(ticks)::bigint, sum(price_sum), sum(minutes)::bigint, sum(revision)::bigint,
               bool_or(from_exchange), sum(untold)::bigint
        FROM (SELECT {key} AS key, part.* FROM ({parts}) AS part WHERE {within} ORDER BY 1 {order}, open_time) AS in_order
        GROUP BY 1 ORDER BY 1 {order} LIMIT $3"
    )
}

/// The stored candles of one width, as every part of a statement has them.
fn stored(level: Level) -> String {
    let minutes = if level == Level::OneMinute { "1" } else { "minutes" };
    format!(
        "SELECT open_time, open, high, low, close, volume, quote_volume, trades, ticks, price_sum, {minutes} AS minutes, revision,
                from_exchange, untold
         FROM candle WHERE ticker_id = $1 AND width = '{}'",
        level.as_str()
    )
}

/// Candles within the span, oldest first, at most `limit` of them; days, weeks and months on the clocks of `zone`. One without
/// prices is left out.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_candles(
    client: &impl GenericClient,
    ticker_id: i32,
    width: Width,
    zone: Tz,
    span: Span,
    limit: i64,
) -> Result<Vec<StoredCandle>> {
    let doing = "listing candles";
    let mut candles = match width.fixed_seconds() {
        None => list_of_calendar(client, ticker_id, width, zone, span, limit).await?,
        Some(seconds) => {
            let (bound, end, grouping) = match span {
                Span::Until(to) => (to, to, Grouping::LastBefore),
                Span::Since { from, to } => (from, to, Grouping::FirstSince),
            };
            let level = width.level(zone, bound, end);
            let statement = client.prepare_cached(&statement(level, grouping)).await.context(doing)?;
            let rows = limit.saturating_mul(seconds / level.seconds());
            let found = client.query(&statement, &[&ticker_id, &bound, &limit, &(seconds as f64), &rows, &end]).await;
            found.context(doing)?.iter().map(StoredCandle::try_from).collect::<Result<Vec<_>>>()?
        }
    };
    candles.sort_unstable_by_key(|candle| candle.open_time);
    Ok(candles)
}

/// Where there are prices next to a moment. Hours outlive their minutes.
const NEWEST_BEFORE: &str = "
    SELECT greatest(
        (SELECT open_time FROM candle WHERE ticker_id = $1 AND width = '1m' AND open_time < $2 ORDER BY open_time DESC LIMIT 1),
        (SELECT open_time FROM candle WHERE ticker_id = $1 AND width = '1h' AND open_time < $2 ORDER BY open_time DESC LIMIT 1))";
const OLDEST_SINCE: &str = "
    SELECT least(
        (SELECT open_time FROM candle WHERE ticker_id = $1 AND width = '1m' AND open_time >= $2 ORDER BY open_time LIMIT 1),
        (SELECT open_time FROM candle WHERE ticker_id = $1 AND width = '1h' AND open_time >= $2 ORDER BY open_time LIMIT 1))";

/// How often it is looked on the other side of a hole.
const LOOKS: usize = 10;

/// The calendar says where candles open, so that their bounds are known before any is read.
async fn list_of_calendar(
    client: &impl GenericClient,
    ticker_id: i32,
    width: Width,
    zone: Tz,
    span: Span,
    limit: i64,
) -> Result<Vec<StoredCandle>> {
    let doing = "listing candles";
    let mut candles: Vec<StoredCandle> = Vec::new();
    let (search, mut edge) = match span {
        Span::Until(to) => (client.prepare_cached(NEWEST_BEFORE).await.context(doing)?, to),
        Span::Since { from, .. } => (client.prepare_cached(OLDEST_SINCE).await.context(doing)?, from),
    };
    for _ in 0..LOOKS {
        let left = limit - candles.len() as i64;
        let there: Option<DateTime<Utc>> = client.query_one(&search, &[&ticker_id, &edge]).await.context(doing)?.get(0);
        let Some(first) = there.map(|there| width.open_time(there, zone)) else { break };
        let mut bounds = vec![first];
        match span {
            Span::Until(_) => {
                bounds.insert(0, width.next(first, zone));
                while bounds.len() as i64 <= left {
                    bounds.push(width.previous(bounds[bounds.len() - 1], zone));
                }
                bounds.reverse();
                edge = bounds[0];
            }
            Span::Since { to, .. } => {
                while bounds.len() as i64 <= left && bounds[bounds.len() - 1] < to {
                    bounds.push(width.next(bounds[bounds.len() - 1], zone));
                }
                edge = bounds[bounds.len() - 1];
            }
        }
        if bounds.len() > 1 {
            let level = width.level(zone, bounds[0], bounds[bounds.len() - 1]);
            let statement = client.prepare_cached(&statement(level, Grouping::Between)).await.context(doing)?;
            let found = client.query(&statement, &[&ticker_id, &bounds, &left]).await.context(doing)?;
            candles.extend(found.iter().map(StoredCandle::try_from).collect::<Result<Vec<_>>>()?);
        }
        if candles.len() as i64 >= limit || matches!(span, Span::Since { to, .. } if edge >= to) {
            break;
        }
    }
    Ok(candles)
}

const SUMS: &str = "
    SELECT date_bin(make_interval(mins => $3), open_time, '2001-01-01 00:00:00Z'), sum(price_sum), sum(ticks)::bigint
    FROM candle
    WHERE ticker_id = $1 AND width = '1m' AND open_time >= $2
    GROUP BY 1 ORDER BY 1 DESC";

/// What the prices of every so many minutes since `from` add up to, newest first. Reads every minute.
///
/// # Errors
/// When the database cannot be asked.
pub async fn list_sums(
    client: &impl GenericClient,
    ticker_id: i32,
    from: DateTime<Utc>,
    minutes: i32,
) -> Result<Vec<PriceSum>> {
    let doing = "listing sums of prices";
    let statement = client.prepare_cached(SUMS).await.context(doing)?;
    let rows = client.query(&statement, &[&ticker_id, &from, &minutes]).await.context(doing)?;
    let read = |row: &Row| {
        Ok(PriceSum {
            open_time: row.try_get(0).context(doing)?,
            price_sum: row.try_get(1).context(doing)?,
            ticks: row.try_get(2).context(doing)?,
        })
    };
    rows.iter().map(read).collect()
}

impl TryFrom<&Row> for StoredCandle {
    type Error = Error;

    fn try_from(row: &Row) -> Result<Self> {
        let decimal = |column: usize| {
            row.try_get::<_, Decimal>(column).map(|value| value.normalize()).context("reading a candle")
        };
        Ok(Self {
            open_time: row.try_get(0).context("reading a candle")?,
            open: decimal(1)?,
            high: decimal(2)?,
            low: decimal(3)?,
            close: decimal(4)?,
            volume: decimal(5)?,
            quote_volume: decimal(6)?,
            trades: row.try_get(7).context("reading a candle")?,
            ticks: row.try_get(8).context("reading a candle")?,
            price_sum: decimal(9)?,
            minutes: row.try_get(10).context("reading a candle")?,
            revision: row.try_get(11).context("reading a candle")?,
            from_exchange: row.try_get(12).context("reading a candle")?,
            untold: row.try_get(13).context("reading a candle")?,
        })
    }
}
