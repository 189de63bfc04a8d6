//! How long questions about the market take over years of it: a generated history, and the statements that the API asks.
//!
//! Prices are waves, the same in every run; candles are written as they would stand after folding, in the order of time, so that
//! a pair's rows lie as far apart as recording leaves them.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use chrono::{DateTime, DurationRound as _, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use clap::Args;
use database::{
    Client, DatabaseSettings, Pool,
    candles::{Span, list_candles},
    prices::{PriceFilter, list_day_statistics, list_newest_prices, list_prices_at},
    snapshot::{Markets, list_pairs_at},
    statistics::list_statistics,
};
use domain::Width;
use testbed::database::TestDatabase;

/// How much history.
#[derive(Debug, Args)]
pub(crate) struct History {
    /// Generate a history of so many pairs, ask what the API asks, and measure nothing else
    #[arg(long, value_name = "COUNT")]
    history_pairs: Option<u32>,
    /// Days of hours and days of each pair
    #[arg(long, value_name = "COUNT", default_value_t = 365)]
    history_days: i64,
    /// Days of minutes and five minutes of each pair: 390 MB a day for 500 pairs
    #[arg(long, value_name = "COUNT", default_value_t = 30)]
    history_minute_days: i64,
    /// Ticks, spread over all days and twenty pairs
    #[arg(long, value_name = "COUNT", default_value_t = 50_000_000)]
    history_ticks: i64,
    /// Ask a database that was generated before instead
    #[arg(long, value_name = "URL")]
    history_database: Option<String>,
}

/// How often each question is asked; the median counts.
const ROUNDS: usize = 21;

/// The market: forty in every hundred pairs are priced in BTC, the others in USDT.
const MARKET: &str = "
    INSERT INTO exchange (name) VALUES ('binance');
    INSERT INTO symbol (code, name) VALUES ('USDT', 'tether'), ('BTC', 'bitcoin');
    INSERT INTO symbol (code, name) SELECT 'C' || n, 'c' || n FROM generate_series(1, $PAIRS - 1) AS n;
    INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status, first_tick_at)
    VALUES (1, 'BTCUSDT', 2, 1, 'trading', now());
    INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status, first_tick_at)
    SELECT 1, 'C' || n || quote.code, base.id, quote.id, 'trading', now()
    FROM generate_series(1, $PAIRS - 1) AS n
    JOIN symbol base ON base.code = 'C' || n JOIN symbol quote ON quote.id = CASE WHEN n % 10 < 4 THEN 2 ELSE 1 END;
    CREATE TABLE wave AS SELECT id, CASE WHEN id = 1 THEN 60000 ELSE 5000 / power(id, 1.3) END::float8 AS base FROM ticker;
    CREATE FUNCTION wave_price(base float8, id integer, minute float8) RETURNS numeric LANGUAGE sql IMMUTABLE AS $$
        SELECT round((base * (1 + 0.2 * sin(minute / 50000 + id) + 0.02 * sin(minute / 97 + id * 3)
                                + 0.001 * sin(minute * 1.7 + id)))::numeric, CASE WHEN base > 10 THEN 2 ELSE 6 END) $$;";

/// A day of one width, into the table that holds it. Without triggers: nothing is to be folded, and every ticker exists.
const CANDLES: &str = "
    SET session_replication_role = replica;
    INSERT INTO $TABLE (open_time, first_time, last_time, first_trade_id, last_trade_id, trades, ticks, ticker_id, width, open,
                        high, low, close, volume, quote_volume, price_sum, square_sum, minutes, changes, change_sum,
                        change_square_sum)
    SELECT t, t + interval '123 ms', t + interval '$MINUTES minutes' - interval '770 ms', minute * 40, minute * 40 + 39,
           40 * $MINUTES, 40 * $MINUTES, id, '$WIDTH', open, greatest(open, close) * 1.0004, least(open, close) * 0.9996, close,
           volume, round(volume * open, 8), open * 40 * $MINUTES, round(open * open, 12) * 40 * $MINUTES, wide, wide,
           wide * 0 + round(close / open - 1, 12), wide * 0 + round((close / open - 1) ^ 2, 18)
    FROM generate_series(timestamptz '$DAY 00:00Z', timestamptz '$DAY 00:00Z' + interval '1439 minutes', interval '$MINUTES minutes') AS t
    CROSS JOIN LATERAL (SELECT extract(epoch FROM t)::bigint / 60 - 29000000) AS m (minute)
    CROSS JOIN wave
    CROSS JOIN LATERAL (
        SELECT wave_price(base, id, minute), wave_price(base, id, minute + $MINUTES),
               round((60000 / base * (0.2 + abs(sin(minute / 31.0 + id))) * $MINUTES)::numeric, 5),
               CASE WHEN $MINUTES > 1 THEN $MINUTES END) AS v (open, close, volume, wide)
    ORDER BY t, id;
    RESET session_replication_role";

const TICKS: &str = "
    SET session_replication_role = replica;
    INSERT INTO $TABLE (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
    SELECT t, t + interval '40 ms', n, id, 'stream', (CASE WHEN n % 2 = 0 THEN 'buy' ELSE 'sell' END)::side,
           wave_price(base, id, extract(epoch FROM t)::float8 / 60 - 29000000), (n % 97 + 1) / 1000.0
    FROM generate_series(1, $COUNT) AS n
    CROSS JOIN LATERAL (SELECT timestamptz '$DAY 00:00Z' + n * (interval '24 hours' / ($COUNT + 1))) AS m (t)
    CROSS JOIN (SELECT * FROM wave ORDER BY id LIMIT 20) AS wave
    ORDER BY t, id;
    RESET session_replication_role";

/// Generates, unless there is a database already, and measures. `false` when nothing of this is wanted.
pub(crate) async fn measure(history: &History) -> anyhow::Result<bool> {
    let generated;
    let url = match (&history.history_database, history.history_pairs) {
        (Some(url), _) => url.clone(),
        (None, None) => return Ok(false),
        (None, Some(pairs)) => {
            generated = TestDatabase::empty().await;
            generate(&generated.url(), pairs, history).await?;
            generated.url()
        }
    };
    let pool = database::connect(&DatabaseSettings::at(url))?;
    let mut client = pool.get().await?;
    sizes(&client).await?;
    // As the db-handler does whenever five minutes are over.
    let began = Instant::now();
    let mut after = Some(i32::MIN);
    while let Some(key) = after {
        after = database::day_sums::round(&mut client, key, 200).await?;
    }
    println!("the last 24 hours of all pairs added up in {:.0} ms", began.elapsed().as_secs_f64() * 1_000.0);
    questions(&client).await?;
    Ok(true)
}

async fn generate(url: &str, pairs: u32, history: &History) -> anyhow::Result<()> {
    let pool: Pool = database::connect(&DatabaseSettings::at(url.to_owned()))?;
    database::migrate(&pool).await?;
    let client = pool.get().await?;
    client.batch_execute("SET statement_timeout = 0").await?;
    client.batch_execute(&MARKET.replace("$PAIRS", &pairs.to_string())).await.context("making a market")?;
    // Until midnight, so that the current minute is there whenever it is asked for.
    let today = Utc::now().date_naive();
    let first = today - TimeDelta::days(history.history_days - 1);
    let began = Instant::now();
    for (number, day) in first.iter_days().take_while(|day| *day <= today).enumerate() {
        let of_minutes = (today - day).num_days() < history.history_minute_days;
        candles(&client, day, "1d", 1_440, "candle_1d").await?;
        candles(&client, day, "1h", 60, "candle_1h").await?;
        if of_minutes {
            client.execute("SELECT create_candle_partition($1)", &[&day]).await?;
            candles(&client, day, "5m", 5, "candle_5m").await?;
            candles(&client, day, "1m", 1, &day.format("candle_1m_%Y_%m").to_string()).await?;
        }
        client.execute("SELECT create_price_partition($1)", &[&day]).await?;
        let count = (history.history_ticks / history.history_days / 20).max(1).to_string();
        let table = day.format("price_%Y_%m_%d").to_string();
        let ticks = TICKS.replace("$TABLE", &table).replace("$COUNT", &count).replace("$DAY", &day.to_string());
        client.batch_execute(&ticks).await.context("generating ticks")?;
        if number % 30 == 29 {
            println!("generated up to {day} in {:.0} s", began.elapsed().as_secs_f64());
        }
    }
    client.batch_execute("VACUUM ANALYZE").await.context("analyzing")?;
    Ok(())
}

async fn candles(client: &Client, day: NaiveDate, width: &str, minutes: u32, table: &str) -> anyhow::Result<()> {
    let sql = CANDLES.replace("$TABLE", table).replace("$WIDTH", width).replace("$DAY", &day.to_string());
    client
        .batch_execute(&sql.replace("$MINUTES", &minutes.to_string()))
        .await
        .with_context(|| format!("candles of {width}"))
}

async fn sizes(client: &Client) -> anyhow::Result<()> {
    let rows = client
        .query(
            "SELECT regexp_replace(relname, '(price|candle_1m)_.*', '\\1'), sum(reltuples)::bigint, sum(pg_total_relation_size(oid))::bigint
             FROM pg_class WHERE relkind = 'r' AND relname ~ '^(price|candle)_' GROUP BY 1 ORDER BY 1",
            &[],
        )
        .await?;
    println!("{:<12} {:>14} {:>12} {:>8}", "table", "rows", "MB", "B/row");
    for row in rows {
        let (name, count, bytes): (String, i64, i64) = (row.get(0), row.get(1), row.get(2));
        println!("{name:<12} {count:>14} {:>12} {:>8}", bytes / 1_000_000, bytes / count.max(1));
    }
    println!();
    Ok(())
}

/// How often tables with history were read from one end to the other.
async fn sequential_scans(client: &Client) -> anyhow::Result<i64> {
    // What this session did is told when it is idle.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let sql = "SELECT coalesce(sum(seq_scan), 0)::bigint FROM pg_stat_user_tables WHERE relname ~ '^(price|candle)_'";
    Ok(client.query_one(sql, &[]).await?.get(0))
}

async fn questions(client: &Client) -> anyhow::Result<()> {
    let ids: Vec<i32> =
        client.query("SELECT id FROM ticker ORDER BY id", &[]).await?.iter().map(|row| row.get(0)).collect();
    let minute = Utc::now().duration_trunc(TimeDelta::minutes(1))?;
    let past = minute - TimeDelta::days(9) - TimeDelta::minutes(427);
    let day = |end: DateTime<Utc>| (end - TimeDelta::hours(24), end);
    let before = sequential_scans(client).await?;
    println!("{:<64} {:>10} {:>10}", "question", "median ms", "p95 ms");
    ask("newest prices of all pairs", async || Ok(list_newest_prices(client, PriceFilter::default()).await?.len()))
        .await?;
    ask("prices of all pairs at a past minute", async || {
        Ok(list_prices_at(client, past, PriceFilter::default()).await?.len())
    })
    .await?;
    ask("24 hours of all pairs, until now", async || Ok(list_day_statistics(client, &ids, None).await?.len())).await?;
    let (from, to) = day(minute);
    ask("volatility of all pairs over 24 hours, until now", async || {
        Ok(list_statistics(client, &ids, from, to).await?.len())
    })
    .await?;
    let (from, to) = day(past);
    ask("volatility of all pairs over 24 hours, until a past minute", async || {
        Ok(list_statistics(client, &ids, from, to).await?.len())
    })
    .await?;
    ask("top list now", async || Ok(list_pairs_at(client, minute, Markets::Real).await?.len())).await?;
    ask("top list at a past minute", async || Ok(list_pairs_at(client, past, Markets::Real).await?.len())).await?;
    ask("statistics of one pair over all of its history", async || {
        Ok(list_statistics(client, &ids[..1], minute - TimeDelta::days(3_650), minute).await?.len())
    })
    .await?;
    for width in Width::ALL {
        let span = Span::Until(width.next(width.open_time(minute, Tz::UTC), Tz::UTC));
        ask(&format!("1,000 candles of {width}"), async || {
            Ok(list_candles(client, ids[0], width, Tz::UTC, span, 1_000).await?.len())
        })
        .await?;
    }
    for (width, name) in [("1d", "days"), ("1M", "months")] {
        let width: Width = width.parse()?;
        let zone = Tz::Europe__Berlin;
        let span = Span::Until(width.next(width.open_time(minute, zone), zone));
        ask(&format!("1,000 {name} of Berlin"), async || {
            Ok(list_candles(client, ids[0], width, zone, span, 1_000).await?.len())
        })
        .await?;
    }
    println!();
    println!("sequential scans over history meanwhile: {}", sequential_scans(client).await? - before);
    Ok(())
}

async fn ask(what: &str, question: impl AsyncFn() -> database::Result<usize>) -> anyhow::Result<()> {
    let mut times = Vec::new();
    let mut rows = 0;
    // The first ones are planned anew each time.
    for round in 0..ROUNDS + 6 {
        let began = Instant::now();
        rows = question().await?;
        if round >= 6 {
            times.push(began.elapsed().as_secs_f64() * 1_000.0);
        }
    }
    times.sort_by(f64::total_cmp);
    println!("{:<64} {:>10.1} {:>10.1}", format!("{what} ({rows} rows)"), times[ROUNDS / 2], times[ROUNDS * 19 / 20]);
    Ok(())
}
