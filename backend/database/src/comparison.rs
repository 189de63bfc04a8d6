//! Our candles against the exchange's own.

use deadpool_postgres::GenericClient;
use domain::MinuteReport;
use rust_decimal::Decimal;

use crate::{Client, Context as _, Result};

/// How a span compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Compared {
    /// Minutes in which something was traded, here or there.
    pub minutes: i32,
    /// How many of them are different.
    pub different: i32,
}

/// Whether a minute of ours (`candle`) says what the exchange's says. Some exchanges round each trade's share of the quote
/// volume to the eighth decimal; some add volumes up in floating point; some tell of a minute neither how many trades it has
/// nor, then, perhaps the quote volume; some tell the average price, to as many digits as prices have, in its place: where theirs
/// has few digits, one in the last is no difference.
macro_rules! same {
    () => {
        "coalesce(candle.trades, 0)
             = CASE WHEN theirs.trades > 0 OR theirs.volume = 0 THEN theirs.trades ELSE greatest(candle.trades, 1) END
         AND (theirs.volume = 0
              OR (candle.open, candle.high, candle.low, candle.close) = (theirs.open, theirs.high, theirs.low, theirs.close)
                 AND abs(candle.volume - theirs.volume) <= theirs.volume * 0.0000000001
                 AND (theirs.trades = 0 AND theirs.quote_volume = 0
                      OR abs(candle.quote_volume - theirs.quote_volume)
                         <= candle.trades * 0.00000001
                            + theirs.volume
                              * power(10.0, -scale(trim_scale(theirs.quote_volume / nullif(theirs.volume, 0))))))"
    };
}

const COMPARE: &str = concat!(
    "WITH told AS (
        SELECT * FROM unnest($4::timestamptz[], $5::numeric[], $6::numeric[], $7::numeric[], $8::numeric[], $9::numeric[],
                             $10::numeric[], $11::bigint[])
            AS told (open_time, open, high, low, close, volume, quote_volume, trades)
    ), ours AS (
        SELECT * FROM candle
        WHERE ticker_id = $1 AND width = '1m' AND trades > 0 AND open_time >= $2 AND open_time < $3
    ), theirs AS (
        SELECT * FROM told
        UNION ALL
        SELECT open_time, NULL, NULL, NULL, NULL, 0, 0, 0 FROM ours WHERE open_time NOT IN (SELECT open_time FROM told)
    ), compared AS (
        SELECT theirs.*, coalesce(candle.trades, 0) AS our_trades, coalesce(candle.volume, 0) AS our_volume, ",
    same!(),
    " AS same
        FROM theirs LEFT JOIN ours AS candle USING (open_time)
    ), found AS (
        INSERT INTO difference (ticker_id, open_time, our_trades, our_volume, trades, open, high, low, close, volume,
                                quote_volume)
        SELECT $1, open_time, our_trades, our_volume, trades, open, high, low, close, volume, quote_volume
        FROM compared WHERE NOT same AND open_time + interval '1 minute' <= now()
        ON CONFLICT DO NOTHING
    )
    INSERT INTO comparison (ticker_id, from_time, to_time, minutes, different)
    SELECT $1, $2, $3, count(*), count(*) FILTER (WHERE NOT same) FROM compared
    ON CONFLICT (ticker_id, from_time) DO UPDATE
    SET to_time = excluded.to_time, compared_at = now(), minutes = excluded.minutes, different = excluded.different
    RETURNING minutes, different"
);

/// Compares a span, and writes down what is different. `None` when no catalogue of the exchange has listed the pair.
///
/// # Errors
/// When the database refuses.
pub async fn store(client: &mut Client, report: &MinuteReport) -> Result<Option<Compared>> {
    let doing = "comparing candles";
    let ids = crate::catalogue::ticker_ids(client, &report.exchange).await?;
    let Some(ticker_id) = ids.get(&report.ticker) else { return Ok(None) };
    let statement = client.prepare_cached(COMPARE).await.context(doing)?;
    let minutes = &report.minutes;
    let each = |part: fn(&domain::ExchangeMinute) -> Decimal| minutes.iter().map(part).collect::<Vec<_>>();
    let row = client
        .query_one(
            &statement,
            &[
                ticker_id,
                &report.from,
                &report.to,
                &minutes.iter().map(|minute| minute.open_time).collect::<Vec<_>>(),
                &each(|minute| minute.open),
                &each(|minute| minute.high),
                &each(|minute| minute.low),
                &each(|minute| minute.close),
                &each(|minute| minute.volume),
                &each(|minute| minute.quote_volume),
                &minutes.iter().map(|minute| minute.trades).collect::<Vec<_>>(),
            ],
        )
        .await
        .context(doing)?;
    Ok(Some(Compared { minutes: row.get(0), different: row.get(1) }))
}

/// What became of differences that were settled, and how many are still open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Trades that came later made them equal.
    pub agreed: u64,
    /// The exchange's candle was taken over.
    pub taken: u64,
    /// Ours was kept.
    pub kept: u64,
    /// Those about which nothing was decided.
    pub open: i64,
}

/// Looks at those that had time to settle by themselves and that no hole can touch which is being filled, or was lately;
/// a hole of which nothing was said for an hour is nobody's any more. Where the exchange then counts more trades than we do
/// (more volume, where it does not tell how many trades there were), its candle is taken over, since the trades cannot be had; otherwise ours is made of trades that we can show, and stays. The
/// order is the one in which candles are folded, so that nobody waits in a circle.
const SETTLE: &str = concat!(
    "WITH busy AS MATERIALIZED (
        SELECT ticker_id, from_time, to_time FROM gap
        WHERE updated_at > now() - interval '1 hour' AND state IN ('open', 'filling')
           OR updated_at > now() - make_interval(secs => $1)
    ), looked AS (
        SELECT theirs.*, coalesce(candle.trades, 0) AS trades_here, coalesce(candle.volume, 0) AS volume_here,
               CASE WHEN ",
    same!(),
    " THEN 'agreed' WHEN theirs.volume > 0
                 AND counts_more((theirs.trades = 0)::integer, theirs.trades, theirs.volume, coalesce(candle.untold, 0),
                                 coalesce(candle.trades, 0), coalesce(candle.volume, 0)) THEN 'taken'
                 ELSE 'kept' END AS outcome
        FROM difference AS theirs
        LEFT JOIN candle ON candle.ticker_id = theirs.ticker_id AND candle.width = '1m'
                        AND candle.open_time = theirs.open_time
        WHERE theirs.state = 'open' AND theirs.found_at <= now() - make_interval(secs => $1)
          AND NOT EXISTS (
              SELECT FROM busy
              WHERE busy.ticker_id = theirs.ticker_id
                AND coalesce(busy.from_time, '-infinity') < theirs.open_time + interval '1 minute'
                AND coalesce(busy.to_time, 'infinity') >= theirs.open_time)
        ORDER BY (theirs.open_time AT TIME ZONE 'UTC')::date, theirs.ticker_id, theirs.open_time
        LIMIT 1000
        FOR UPDATE OF theirs SKIP LOCKED
    ), taken AS (
        INSERT INTO candle AS old (ticker_id, width, open_time, open, high, low, close, volume, quote_volume, trades, ticks,
                                   price_sum, square_sum, untold, first_time, first_trade_id, last_time, last_trade_id,
                                   revision, from_exchange)
        SELECT ticker_id, '1m', open_time, open, high, low, close, volume, made.quote_volume, made.trades, made.trades,
               made.price_sum, made.square_sum, made.untold, open_time, -1, open_time + interval '59.999999 s', -1, 1, true
        FROM looked CROSS JOIN LATERAL exchange_minute(open, high, low, close, volume, looked.quote_volume, looked.trades) AS made
        WHERE outcome = 'taken'
        ORDER BY (open_time AT TIME ZONE 'UTC')::date, ticker_id, open_time
        ON CONFLICT (ticker_id, width, open_time) DO UPDATE
        SET open = excluded.open, high = excluded.high, low = excluded.low, close = excluded.close,
            volume = excluded.volume, quote_volume = excluded.quote_volume, trades = excluded.trades,
            ticks = excluded.ticks, price_sum = excluded.price_sum, square_sum = excluded.square_sum, untold = excluded.untold,
            first_time = excluded.first_time, first_trade_id = -1, last_time = excluded.last_time, last_trade_id = -1,
            revision = old.revision + 1, from_exchange = true, updated_at = now()
        WHERE counts_more(excluded.untold, excluded.trades, excluded.volume, old.untold, old.trades, old.volume)
    )
    UPDATE difference
    SET state = looked.outcome, our_trades = looked.trades_here, our_volume = looked.volume_here, settled_at = now()
    FROM looked
    WHERE difference.ticker_id = looked.ticker_id AND difference.open_time = looked.open_time
    RETURNING looked.outcome"
);

/// Settles what can be settled of the differences that were found more than `seconds` ago.
///
/// # Errors
/// When the database refuses.
pub async fn settle(client: &Client, seconds: f64) -> Result<Settled> {
    let doing = "settling differences of candles";
    let statement = client.prepare_cached(SETTLE).await.context(doing)?;
    let mut settled = Settled::default();
    for row in client.query(&statement, &[&seconds]).await.context(doing)? {
        match row.get(0) {
            "agreed" => settled.agreed += 1,
            "taken" => settled.taken += 1,
            _ => settled.kept += 1,
        }
    }
    let open = client.query_one("SELECT count(*) FROM difference WHERE state = 'open'", &[]).await.context(doing)?;
    settled.open = open.get(0);
    Ok(settled)
}
