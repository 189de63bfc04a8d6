//! The views: true, and read through indexes.

use database::Client;
use rust_decimal::Decimal;

use crate::sample;

async fn text(client: &Client, query: &str) -> Vec<String> {
    let rows = client.query(&format!("SELECT answer::text FROM ({query}) AS answer"), &[]).await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test]
async fn a_price_at_a_moment_is_the_last_one_until_then() {
    let (_database, pool) = sample::stored().await;
    let client = pool.get().await.unwrap();
    let at = async |moment: &str| {
        text(
            &client,
            &format!(
                "SELECT price_at.price = price.price AS same, price_at.time, age
                                FROM price_at('Binance', 'BTCUSDT', '{moment}') JOIN price
                                  ON price.ticker_id = pair_id('binance', 'BTCUSDT') AND price.time = price_at.time"
            ),
        )
        .await
    };
    assert_eq!(at("2025-03-25 05:00Z").await, ["(t,\"2025-03-25 04:00:00+00\",01:00:00)"]);
    // At the very moment of a trade it is that trade's.
    assert_eq!(at("2025-03-25 04:00Z").await, ["(t,\"2025-03-25 04:00:00+00\",00:00:00)"]);
    assert!(at("2025-03-23 23:59Z").await.is_empty(), "nothing was known before the first trade");

    let kept = "SELECT * FROM price_at('binance', 'BTCUSDT', '2025-03-25 05:00Z')";
    let before = text(&client, kept).await;
    client.batch_execute("DROP TABLE price_2025_03_24, price_2025_03_25").await.unwrap();
    assert_eq!(text(&client, kept).await, before, "where ticks are gone, the candle of the minute tells");

    let error = client.query("SELECT * FROM price_at('binance', 'BTCUSD', now())", &[]).await.unwrap_err();
    assert_eq!(error.as_db_error().unwrap().message(), "exchange \"binance\" lists no ticker \"BTCUSD\"");
}

#[tokio::test]
async fn a_return_is_told_against_the_day_right_before_only() {
    let (_database, pool) = sample::stored().await;
    let client = pool.get().await.unwrap();
    client.batch_execute("DELETE FROM candle WHERE width = '1d' AND open_time = '2025-03-28Z'").await.unwrap();
    let days = text(
        &client,
        "SELECT day, close_before IS NULL AS first, return IS NULL AND log_return IS NULL AS unknown,
                round(exp(log_return) - 1 - return, 9) = 0 AS agree
         FROM daily_returns WHERE exchange = 'binance' AND ticker = 'BTCUSDT' AND day BETWEEN '2025-03-26' AND '2025-03-30' ORDER BY day",
    )
    .await;
    assert_eq!(days, ["(2025-03-26,f,f,t)", "(2025-03-27,f,f,t)", "(2025-03-29,t,t,)", "(2025-03-30,f,f,t)"]);
}

#[tokio::test]
async fn coverage_tells_of_days_without_any_price_and_of_what_is_missing() {
    let (_database, pool) = sample::at_noon().await;
    let client = pool.get().await.unwrap();
    client
        .batch_execute("DELETE FROM candle WHERE open_time >= '2025-03-28Z' AND open_time < '2025-03-29Z'")
        .await
        .unwrap();
    let days = text(
        &client,
        "SELECT ticker, day, minutes, minutes_expected, percent, trades_missing FROM coverage
         WHERE exchange = 'binance' AND (day = '2025-03-24' OR day BETWEEN '2025-03-27' AND '2025-03-28' OR day >= '2025-04-02')
         ORDER BY ticker, day",
    )
    .await;
    assert_eq!(
        days,
        [
            "(BTCUSDT,2025-03-24,6,1440,0.42,0)",
            "(BTCUSDT,2025-03-27,6,1440,0.42,0)",
            "(BTCUSDT,2025-03-28,0,1440,0.00,0)",
            "(BTCUSDT,2025-04-02,121,720,16.81,4)",
            "(ETHUSDT,2025-03-24,6,1440,0.42,0)",
            "(ETHUSDT,2025-03-27,4,1440,0.28,2)",
            "(ETHUSDT,2025-03-28,0,1440,0.00,0)",
            "(ETHUSDT,2025-04-02,123,720,17.08,0)",
        ]
    );
    let delisting = "UPDATE ticker SET status = 'delisted', delisted_at = '2025-04-01 12:00Z' WHERE ticker = 'ETHUSDT'";
    client.batch_execute(delisting).await.unwrap();
    let last = "SELECT day, minutes_expected FROM coverage WHERE exchange = 'binance' AND ticker = 'ETHUSDT' ORDER BY day DESC LIMIT 1";
    assert_eq!(
        text(&client, last).await,
        ["(2025-04-01,720)"],
        "nothing is expected of a pair that is no longer listed"
    );
}

#[tokio::test]
async fn volatility_is_what_the_minutes_say() {
    let (_database, pool) = sample::at_noon().await;
    let client = pool.get().await.unwrap();
    let rows = client
        .query(
            "SELECT round(told.deviation, 6), round(ticks.deviation, 6), round(told.return_deviation, 9),
                    round(minutes.deviation, 9), round(told.annual_deviation / told.return_deviation, 3), told.returns, minutes.returns
             FROM volatility AS told
             JOIN LATERAL (
                 SELECT stddev_samp(price) AS deviation FROM prices
                 WHERE prices.exchange = told.exchange AND prices.ticker = told.ticker AND source <> 'poll'
                   AND time >= told.from_time AND time < told.to_time) AS ticks ON true
             JOIN LATERAL (
                 SELECT stddev_samp(change) AS deviation, count(change) AS returns
                 FROM (SELECT close / lag(close) OVER (ORDER BY open_time) - 1 AS change,
                              open_time - lag(open_time) OVER (ORDER BY open_time) AS step
                       FROM candles_1m WHERE candles_1m.exchange = told.exchange AND candles_1m.ticker = told.ticker
                         AND open_time >= told.from_time) AS minute
                 WHERE step = interval '1 minute') AS minutes ON true
             ORDER BY told.exchange, told.ticker",
            &[],
        )
        .await
        .unwrap();
    assert_eq!(rows.len(), 3);
    for row in rows {
        let number = |column: usize| row.get::<_, Decimal>(column);
        assert_eq!(number(0), number(1), "deviation of prices");
        assert_eq!(number(2), number(3), "deviation of returns");
        assert_eq!(number(4), Decimal::new(724_983, 3), "the square root of a year's minutes");
        assert!(row.get::<_, i64>(5) > 100 && row.get::<_, i64>(5) == row.get::<_, i64>(6));
    }
}

/// Whether a condition reaches an index is a question to the planner: with sequential scans made as expensive as can be, one is
/// left only where there is no other way.
#[tokio::test]
async fn conditions_on_pair_and_time_reach_the_indexes() {
    let (_database, pool) = sample::stored().await;
    let client = pool.get().await.unwrap();
    client.batch_execute("SET enable_seqscan = off").await.unwrap();
    let pair = "exchange = 'binance' AND ticker = 'BTCUSDT'";
    let span = |column: &str| format!("{pair} AND {column} >= '2025-03-26Z' AND {column} < '2025-03-27Z'");
    let widths = ["1m", "5m", "1h", "1d"].map(|width| format!("candles_{width} WHERE {}", span("open_time")));
    let questions = [
        format!("prices WHERE {}", span("time")),
        format!("latest_prices WHERE {pair}"),
        format!("daily_returns WHERE {}", span("open_time")),
        format!("volatility WHERE {pair}"),
        format!("coverage WHERE {pair} AND day = '2025-03-26'"),
        "price_at('binance', 'BTCUSDT', '2025-03-26Z')".to_owned(),
    ];
    for question in widths.iter().chain(&questions) {
        let plan: Vec<String> = client
            .query(&format!("EXPLAIN SELECT * FROM {question}"), &[])
            .await
            .unwrap()
            .iter()
            .map(|row| row.get(0))
            .collect();
        let recorded = |line: &&String| {
            ["price", "candle", "gap"].iter().any(|table| line.contains(&format!("Seq Scan on {table}")))
        };
        let whole: Vec<&String> = plan.iter().filter(recorded).collect();
        assert!(whole.is_empty(), "{question}: {whole:?}\n{}", plan.join("\n"));
        if question.contains("time >=") && !question.starts_with("daily_returns") {
            let parts = plan.iter().filter(|line| line.contains(" on price_") || line.contains(" on candle_")).count();
            assert!((1..=2).contains(&parts), "{question} looks at one day or month only:\n{}", plan.join("\n"));
        }
    }
}
