//! What was bought and sold, what it is worth, and what it earned, by HTTP.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accounts::{log_in, send, with},
    server::TestServer,
};

pub(crate) const NONE: Value = Value::Null;

/// Days of candles: of BTCUSDT 100, 110, 99 and 198 at the ends of the last four days, of ETHUSDT always 10; a euro was two dollars.
const DAYS: &str = "
    INSERT INTO candle (open_time, first_time, last_time, first_trade_id, last_trade_id, trades, ticks, ticker_id, width, open, high,
                        low, close, volume, quote_volume, price_sum, square_sum)
    SELECT day, day, day + interval '23 hours', 1, 2, 1, 1, ticker_id, '1d', close, close, close, close, 1, close, close, close
    FROM (VALUES (4, 2, 100), (3, 2, 110), (2, 2, 99), (1, 2, 198), (4, 3, 10), (3, 3, 10), (2, 3, 10), (1, 3, 10))
             AS told (ago, ticker_id, close),
         LATERAL (SELECT date_trunc('day', now(), 'UTC') - ago * interval '1 day' AS day) AS days;
    INSERT INTO fiat_rate (base, quote, day, rate, source) SELECT 'EUR', 'USD', (now() AT TIME ZONE 'UTC')::date - 40, 2, 'test'";

/// The end of the day so many days ago.
fn end(days_ago: i64) -> DateTime<Utc> {
    let today = Utc::now().date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
    today + TimeDelta::days(1 - days_ago)
}

pub(crate) async fn server() -> (TestServer, String) {
    let server = with(&["ada"]).await;
    server.sql(DAYS).await;
    let (token, _) = log_in(&server, "ada").await;
    let (status, made) = send(&server, Method::POST, "/portfolios", &token, json!({"name": " savings "})).await;
    assert_eq!((status, &made["data"]["id"], &made["data"]["name"]), (201, &json!(1), &json!("savings")), "{made}");
    assert_eq!((&made["data"]["currency"], &made["data"]["method"]), (&json!("USD"), &json!("fifo")));
    (server, token)
}

pub(crate) async fn get(server: &TestServer, token: &str, path: &str) -> Value {
    let (status, mut answer) = send(server, Method::GET, path, token, NONE).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer["data"].take()
}

pub(crate) async fn add(server: &TestServer, token: &str, body: Value) -> Value {
    let (status, mut answer) = send(server, Method::POST, "/portfolios/1/transactions", token, body.clone()).await;
    assert_eq!(status, 201, "{body}: {answer}");
    answer["data"].take()
}

pub(crate) fn told(row: &Value, names: &[&str]) -> Vec<String> {
    names.iter().map(|name| row[*name].as_str().map_or_else(|| row[*name].to_string(), ToOwned::to_owned)).collect()
}

#[tokio::test]
async fn what_is_written_down_is_told_changed_and_taken_away_digit_for_digit() {
    let (server, token) = server().await;
    let body = json!({"date": "2026-01-02T03:04:05Z", "order_type": "buy", "symbol": "btc", "volume": "0.123456789012345678",
                      "price": "64000.10", "fee": "1.5", "source": "binance", "source_id": "7", "note": "first"});
    let made = add(&server, &token, body.clone()).await;
    let names = ["date", "type", "order_type", "symbol", "volume", "price", "value", "currency", "fee", "fee_currency"];
    let expected = [
        "2026-01-02T03:04:05Z",
        "TRADE",
        "BUY",
        "BTC",
        "0.123456789012345678",
        "64000.1",
        "7901.246842469024626568",
        "USD",
        "1.5",
        "USD",
    ];
    assert_eq!(told(&made, &names), expected.map(str::to_owned), "{made}");
    assert_eq!((&made["is_valid"], &made["invalid_reason"]), (&json!(true), &json!("")));
    // The same source calls nothing the same twice; without a name it is another one.
    let (status, again) = send(&server, Method::POST, "/portfolios/1/transactions", &token, body).await;
    assert_eq!((status, &again["code"]), (409, &json!("transaction_known")));
    let strange = add(&server, &token, json!({"type": "DEPOSIT", "symbol": "nowhere9", "volume": 5})).await;
    assert_eq!((&strange["is_valid"], &strange["order_type"]), (&json!(false), &json!("NONE")));
    assert!(strange["invalid_reason"].as_str().unwrap().contains("NOWHERE9"));

    // What it was paid in is as unknown; what the portfolio is counted in needs no rate.
    let paid = json!({"order_type": "BUY", "symbol": "BTC", "volume": 1, "value": 5, "currency": "nowhere8"});
    let paid = add(&server, &token, paid).await;
    let reason = "currency does not exist: no market or rate is known of NOWHERE8";
    assert_eq!((&paid["is_valid"], &paid["invalid_reason"]), (&json!(false), &json!(reason)), "{paid}");
    assert_eq!(
        send(&server, Method::DELETE, &format!("/portfolios/1/transactions/{}", paid["id"]), &token, NONE).await.0,
        204
    );

    let path = format!("/portfolios/1/transactions/{}", made["id"]);
    let (status, changed) = send(&server, Method::PATCH, &path, &token, json!({"volume": "2", "note": null})).await;
    assert_eq!(
        (status, &changed["data"]["value"], &changed["data"]["note"]),
        (200, &json!("128000.2"), &NONE),
        "{changed}"
    );
    let (status, page) =
        send(&server, Method::GET, "/portfolios/1/transactions?page_size=1&symbol=btc", &token, NONE).await;
    assert_eq!((status, &page["count"], &page["results"][0]["id"]), (200, &json!(1), &made["id"]));
    let (_, page) = send(&server, Method::GET, "/portfolios/1/transactions?page_size=1", &token, NONE).await;
    assert_eq!((&page["count"], &page["results"][0]["id"]), (&json!(2), &strange["id"]), "newest first");
    let (_, next) = send(&server, Method::GET, page["next"].as_str().unwrap(), &token, NONE).await;
    assert_eq!((&next["results"][0]["id"], &next["next"]), (&made["id"], &NONE));
    assert_eq!(send(&server, Method::DELETE, &path, &token, NONE).await.0, 204);
    let (status, gone) = send(&server, Method::GET, &path, &token, NONE).await;
    assert_eq!((status, &gone["code"]), (404, &json!("unknown_transaction")));
    assert_eq!(send(&server, Method::DELETE, "/portfolios/1", &token, NONE).await.0, 204);
    assert_eq!(send(&server, Method::GET, "/portfolios/1/balance", &token, NONE).await.0, 404);
}

#[tokio::test]
async fn what_cannot_be_is_refused_by_name() {
    let (server, token) = server().await;
    for (change, parameter) in [
        (json!({"order_type": "NONE"}), "order_type"),
        (json!({"order_type": "HOLD"}), "order_type"),
        (json!({"type": "GIFT"}), "type"),
        (json!({"symbol": "B T C"}), "symbol"),
        (json!({"symbol": ""}), "symbol"),
        (json!({"volume": 0}), "volume"),
        (json!({"volume": "-1"}), "volume"),
        (json!({"volume": "0.1234567890123456789"}), "volume"),
        (json!({"value": null}), "value"),
        (json!({"value": "1e16"}), "value"),
        (json!({"fee": -1}), "fee"),
        (json!({"currency": ""}), "currency"),
        (json!({"date": "2001-01-01T00:00:00Z"}), "date"),
        (json!({"date": "2200-01-01T00:00:00Z"}), "date"),
        (json!({"note": "n".repeat(1_001)}), "note"),
    ] {
        let mut body = json!({"symbol": "BTC", "order_type": "BUY", "volume": 1, "value": 5});
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, answer) = send(&server, Method::POST, "/portfolios/1/transactions", &token, body).await;
        assert_eq!((status, &answer["parameter"]), (400, &json!(parameter)), "{change}: {answer}");
        assert!(!answer["allowed"].as_str().unwrap().is_empty());
    }
    for (path, parameter) in [
        ("balance?method=random", "method"),
        ("balance?currency=U.S.", "currency"),
        ("balance?at=noon", "at"),
        ("values?from=2026-01-32", "from"),
        ("values?from=2026-01-02&to=2026-01-01", "from"),
        ("values?to=2100-01-01", "to"),
        ("disposals?year=1999", "year"),
        ("disposals?format=pdf", "format"),
        ("performance?benchmark=-", "benchmark"),
        ("transactions?type=GIFT", "type"),
    ] {
        let (status, answer) = send(&server, Method::GET, &format!("/portfolios/1/{path}"), &token, NONE).await;
        assert_eq!((status, &answer["parameter"]), (400, &json!(parameter)), "{path}: {answer}");
    }
    let (status, taken) = send(&server, Method::POST, "/portfolios", &token, json!({"name": "savings"})).await;
    assert_eq!((status, &taken["code"]), (409, &json!("name_taken")));
    let odd = json!({"name": "odd", "currency": "€"});
    let (status, refused) = send(&server, Method::POST, "/portfolios", &token, odd).await;
    assert_eq!((status, &refused["parameter"]), (400, &json!("currency")));
}

#[tokio::test]
async fn a_balance_is_that_of_its_moment_with_prices_of_another_and_costs_at_the_rate_of_their_day() {
    let (server, token) = server().await;
    // A bitcoin for a hundred dollars, one for fifty euros, half of one sold; some of a coin that nobody knows; a deposit.
    for body in [
        json!({"date": end(4), "order_type": "BUY", "symbol": "BTC", "volume": 1, "value": 100, "fee": 1}),
        json!({"date": end(3), "order_type": "BUY", "symbol": "BTC", "volume": 1, "value": 50, "currency": "EUR"}),
        json!({"date": end(2), "order_type": "SELL", "symbol": "BTC", "volume": "0.5", "value": "60", "fee": "2"}),
        json!({"date": end(2), "order_type": "BUY", "symbol": "ETH", "volume": 10, "price": 9, "currency": "USDT"}),
        json!({"date": end(2), "order_type": "BUY", "symbol": "NOWHERE9", "volume": 10, "value": 5}),
        json!({"date": end(2), "order_type": "BUY", "symbol": "BTC", "volume": 1, "value": 5, "currency": "XXX"}),
        json!({"date": end(2), "type": "DEPOSIT", "symbol": "BTC", "volume": 100}),
    ] {
        add(&server, &token, body).await;
    }
    let balance = get(&server, &token, "/portfolios/1/balance").await;
    let names = ["currency", "converted_value", "transaction_value", "roi", "cost", "realised", "unrealised", "fees"];
    // 1.5 × 198 + 10 × 10 for 100 + 100 − 60 + 90; the first half cost 50.50.
    let expected = ["USD", "397", "230", "0.726086956522", "240.5", "7.5", "156.5", "3"];
    assert_eq!(told(&balance, &names), expected.map(str::to_owned), "{balance}");
    let position = &balance["positions"][0];
    let names =
        ["symbol", "volume", "price", "price_path", "value_bought", "converted_value", "roi", "share", "uncovered"];
    let path = "binance:BTCUSDT 198 × USDT 1 (assumed)";
    let expected = ["BTC", "1.5", "198", path, "140", "297", "1.121428571429", "0.748110831234", "0"];
    assert_eq!(told(position, &names), expected.map(str::to_owned), "{position}");
    assert!(position["price_age_seconds"].as_i64().unwrap() >= 3_600 && position["price_time"].is_string());
    assert_eq!((&balance["transfers"], &balance["invalid_count"]), (&json!(1), &json!(2)));
    let reasons: Vec<&str> =
        balance["invalid"].as_array().unwrap().iter().map(|row| row["reason"].as_str().unwrap()).collect();
    assert!(reasons[0].contains("NOWHERE9") && reasons[1].contains("XXX"), "{reasons:?}");

    let moment = |moment: DateTime<Utc>| moment.timestamp();
    // Behind the first buy alone; at the prices of then, of a day later, and of before anything was known.
    let path = format!("/portfolios/1/balance?at={}", moment(end(4)));
    let then = get(&server, &token, &path).await;
    assert_eq!((&then["converted_value"], &then["transaction_value"]), (&json!("100"), &json!("100")), "{then}");
    let then = get(&server, &token, &format!("{path}&prices_at={}", moment(end(3)))).await;
    assert_eq!((&then["converted_value"], &then["roi"]), (&json!("110"), &json!("0.1")));
    let then = get(&server, &token, &format!("{path}&prices_at={}", moment(end(10)))).await;
    assert_eq!((&then["converted_value"], &then["roi"], &then["invalid_count"]), (&json!("0"), &NONE, &json!(1)));
    // In euros everything is half as much; in bitcoin it is what it is.
    let euros = get(&server, &token, "/portfolios/1/balance?currency=eur").await;
    assert_eq!(told(&euros, &["currency", "converted_value", "transaction_value"]), ["EUR", "198.5", "115"]);
    let bitcoin = get(&server, &token, "/portfolios/1/balance?currency=BTC").await;
    assert_eq!(bitcoin["positions"][0]["price"], json!("1"), "{bitcoin}");
    let latest = get(&server, &token, "/portfolios/1/balance?method=LIFO").await;
    assert_eq!(told(&latest, &["method", "realised", "cost"]), ["lifo", "8", "241"], "{latest}");
    // What is changed is seen at once.
    let body = json!({"date": end(1), "order_type": "BUY", "symbol": "ETH", "volume": 1, "value": 10});
    add(&server, &token, body).await;
    assert_eq!(get(&server, &token, "/portfolios/1/balance").await["converted_value"], json!("407"));
}

#[tokio::test]
async fn days_returns_and_sales_are_told() {
    let (server, token) = server().await;
    for body in [
        json!({"date": end(4) - TimeDelta::hours(1), "order_type": "BUY", "symbol": "BTC", "volume": 1, "value": 100}),
        json!({"date": end(3), "order_type": "BUY", "symbol": "BTC", "volume": 10, "value": 1100}),
        json!({"date": end(2), "order_type": "SELL", "symbol": "BTC", "volume": 10, "value": 990}),
    ] {
        add(&server, &token, body).await;
    }
    let days = get(&server, &token, "/portfolios/1/values").await;
    let rows: Vec<Vec<String>> =
        days.as_array().unwrap().iter().map(|row| told(row, &["value", "paid_in", "growth"])).collect();
    let today = vec!["198", "210", "1.98"];
    let expected = [
        vec!["0", "0", "1"],
        vec!["100", "100", "1"],
        vec!["110", "100", "1.1"],
        vec!["1089", "1200", "0.99"],
        vec!["198", "210", "1.98"],
        today,
    ];
    assert_eq!(rows, expected, "{days}");
    assert_eq!(days[0]["day"], json!((end(6)).date_naive().to_string()));

    // Today is worth what it is worth now.
    server
        .sql(
            "INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
              VALUES (now(), now(), 1, 2, 'stream', 'buy', 300, 1)",
        )
        .await;
    let today = get(&server, &token, "/portfolios/1/values").await;
    assert_eq!(today[5]["value"], json!("300"), "{today}");
    server.sql("DELETE FROM price").await;

    let earned = get(&server, &token, "/portfolios/1/performance?benchmark=ETH").await;
    let names = ["value_begin", "value_end", "paid_in", "gain", "time_weighted"];
    assert_eq!(told(&earned, &names), ["0", "198", "210", "-12", "0.98"], "{earned}");
    assert_eq!(told(&earned["best_day"], &["day", "return"]), [(end(2)).date_naive().to_string(), "1".to_owned()]);
    assert_eq!(told(&earned["worst_day"], &["return"]), ["-0.1"]);
    assert_eq!(told(&earned["best_coin"], &["symbol"]), ["BTC"]);
    // Ether stayed what it was: what is left is what was paid in.
    assert_eq!(told(&earned["benchmark"], &["symbol", "return", "value_end"]), ["ETH", "0", "210"]);
    assert!(earned["money_weighted_yearly"].as_str().unwrap().starts_with('-'));
    let from = (end(3)).date_naive();
    let since = get(&server, &token, &format!("/portfolios/1/performance?from={from}")).await;
    assert_eq!(
        told(&since, &["value_begin", "paid_in", "gain", "time_weighted"]),
        ["1089", "-990", "99", "1"],
        "{since}"
    );

    let sold = get(&server, &token, "/portfolios/1/disposals").await;
    let names = ["symbol", "volume", "proceeds", "cost", "gain", "days_held", "covered"];
    assert_eq!(told(&sold[0], &names), ["BTC", "1", "99", "100", "-1", "2", "true"], "{sold}");
    assert_eq!(told(&sold[1], &names), ["BTC", "9", "891", "990", "-99", "1", "true"]);
    let year = end(2).format("%Y");
    let path = format!("/portfolios/1/disposals?format=csv&year={year}");
    let (status, csv) = server.send(Method::GET, &path, &[("authorization", &format!("Bearer {token}"))], None).await;
    assert_eq!((status, csv.lines().count()), (200, 3), "{csv}");
    assert!(csv.starts_with("sold_at,bought_at,days_held,symbol,volume,proceeds,cost,gain,currency,"), "{csv}");
    assert_eq!(get(&server, &token, "/portfolios/1/disposals?year=2010").await, json!([]));
}

#[tokio::test]
async fn what_has_no_price_is_in_sight_with_what_it_earned_and_what_was_brought_in_is_no_loss() {
    let (server, token) = server().await;
    for (symbol, order, volume, value, fee) in
        [("LUNA9", "BUY", 3, 90, 1), ("LUNA9", "SELL", 1, 50, 2), ("LUNA8", "BUY", 7, 21, 0)]
    {
        let body = json!({"date": end(4), "order_type": order, "symbol": symbol, "volume": volume, "value": value, "fee": fee});
        add(&server, &token, body).await;
    }
    let balance = get(&server, &token, "/portfolios/1/balance").await;
    let names = ["symbol", "volume", "cost", "realised", "transactions"];
    let unpriced: Vec<Vec<String>> =
        balance["unpriced"].as_array().unwrap().iter().map(|row| told(row, &names)).collect();
    // A third of 91 was sold for 48.
    let rest = ["2", "60.666666666667", "17.666666666667", "2"];
    assert_eq!(unpriced, [vec!["LUNA8", "7", "21", "0", "1"], [&["LUNA9"], &rest[..]].concat()], "{balance}");
    assert_eq!(told(&balance, &["converted_value", "cost", "realised", "fees"]), ["0", "0", "17.666666666667", "3"]);
    assert_eq!(balance["invalid_count"], json!(3));
    // So many coins there are nowhere.
    server
        .sql(
            "INSERT INTO portfolio.transaction (portfolio_id, at, symbol, type, order_type, volume, value, currency)
             SELECT 1, now(), 'JUNK' || number, 'TRADE', 'BUY', 1, 1, 'USD' FROM generate_series(1, 5000) AS number",
        )
        .await;
    server.sql("UPDATE portfolio.portfolio SET version = version + 1").await;
    for path in ["values", "performance"] {
        let (status, refused) = send(&server, Method::GET, &format!("/portfolios/1/{path}"), &token, NONE).await;
        assert_eq!((status, &refused["code"]), (409, &json!("too_many_coins")), "{refused}");
    }
    server.sql("DELETE FROM portfolio.transaction WHERE symbol LIKE 'JUNK%'").await;

    // Ether is bought; a bitcoin that came from elsewhere is sold, for more: that is neither a gain nor money that was taken out.
    for (symbol, order, volume, value, day) in [("ETH", "BUY", 30, 300, 4), ("BTC", "SELL", 1, 110, 3)] {
        let date = end(day) - TimeDelta::hours(1);
        add(
            &server,
            &token,
            json!({"date": date, "order_type": order, "symbol": symbol, "volume": volume, "value": value}),
        )
        .await;
    }
    let (from, to) = (end(4).date_naive(), end(2).date_naive());
    let path = format!("/portfolios/1/performance?from={from}&to={to}&benchmark=ETH");
    let earned = get(&server, &token, &path).await;
    let names = ["paid_in", "gain", "money_weighted", "money_weighted_yearly"];
    assert_eq!(told(&earned, &names), ["0", "0", "0", "0"], "{earned}");
    assert_eq!(earned["benchmark"]["value_end"], earned["value_begin"], "{earned}");
}

#[tokio::test]
async fn what_things_were_worth_is_told_for_several_at_once_and_compared() {
    let server = with(&[]).await;
    server.sql(DAYS).await;
    let (at, past) = (end(1).timestamp(), end(4).timestamp());
    let worth = server.data(&format!("/worth?symbols=btc,eur,usd,nowhere9&at={at}&past={past}")).await;
    let names = ["symbol", "price", "past_price", "change", "growth"];
    assert_eq!(told(&worth[0], &names), ["BTC", "198", "100", "0.494949494949", "0.98"], "{worth}");
    assert_eq!(told(&worth[1], &names), ["EUR", "2", "2", "0", "0"]);
    assert_eq!(told(&worth[2], &["symbol", "price", "path"]), ["USD", "1", ""]);
    assert_eq!(told(&worth[3], &["symbol", "price", "path"]), ["NOWHERE9", "null", "null"]);
    let euros = server.data("/worth?symbols=BTC&currency=eur").await;
    assert_eq!(
        told(&euros[0], &["price", "path"]),
        ["99", "binance:BTCUSDT 198 × USDT 1 (assumed) / (test:EURUSD 2)"],
        "{euros}"
    );
    assert_eq!(server.error("/worth", 400).await["parameter"], "symbols");
}

#[tokio::test]
async fn currencies_that_no_market_trades_are_worth_what_banks_tell() {
    let server = with(&[]).await;
    server.sql(DAYS).await;
    server
        .sql("INSERT INTO fiat_rate (base, quote, day, rate, source) VALUES ('EUR', 'CHF', '2026-01-02', 0.80, 'bank'), ('EUR', 'CHF', '2026-01-05', 0.9, 'bank')")
        .await;
    let worth = server.data("/worth?symbols=CHF,BTC&currency=CHF&at=2026-01-03T12:00:00Z").await;
    assert_eq!(told(&worth[0], &["price"]), ["1"]);
    // Euros were worth nothing that is known on that day; now they are.
    assert_eq!(told(&worth[1], &["price"]), ["null"]);
    let worth = server.data("/worth?symbols=BTC&currency=CHF").await;
    assert_eq!(
        told(&worth[0], &["price", "path"]),
        ["89.1000000001", "binance:BTCUSDT 198 × USDT 1 (assumed) / (1 / bank:EURCHF 0.9 × test:EURUSD 2)"],
        "{worth}"
    );
    let rates = server.data("/rates").await;
    let pair = |row: &Value| told(row, &["base", "quote", "rate", "source"]).join(" ");
    let rows: Vec<String> = rates.as_array().unwrap().iter().map(pair).collect();
    assert!(rows.contains(&"EUR CHF 0.9 bank".to_owned()) && rows.contains(&"EUR USD 2 test".to_owned()), "{rows:?}");
    let older = server.data("/rates?quote=chf&from=2026-01-01&to=2026-01-04").await;
    assert_eq!(older, json!([{"base": "EUR", "quote": "CHF", "day": "2026-01-02", "rate": "0.80", "source": "bank"}]));
    assert_eq!(server.data("/rates?base=EUR&from=2020-01-01&limit=1").await.as_array().unwrap().len(), 1);
    assert_eq!(server.error("/rates?from=yesterday", 400).await["parameter"], "from");
    assert_eq!(server.error("/rates?quote=%24", 400).await["parameter"], "quote");
}

#[tokio::test]
async fn a_balance_is_told_regularly_with_the_numbers_it_is_made_of() {
    let (server, token) = server().await;
    add(&server, &token, json!({"date": end(4), "order_type": "BUY", "symbol": "BTC", "volume": 2, "value": 150}))
        .await;
    send(&server, Method::POST, "/channels", &token, json!({"name": "c", "kind": "console"})).await;
    let wanted = json!({"name": "evening", "kind": "balance", "portfolio": 1, "every": "24:00", "starts_at": end(5)});
    let (status, made) = send(&server, Method::POST, "/schedules", &token, wanted.clone()).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!((&made["data"]["kind"], &made["data"]["portfolio"]), (&json!("balance"), &json!(1)));
    server.sql(&format!("UPDATE alert.schedule SET next_at = '{}'", end(1).to_rfc3339())).await;
    let mut client = server.pool.get().await.unwrap();
    let computed = database::schedules::compute_due(&mut client, &database::schedules::PassedOver::default())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(computed.notifications, 1);
    let results = get(&server, &token, &format!("/schedules/{}/results", made["data"]["id"])).await;
    assert_eq!(results[0]["said"], json!("savings is worth 396 USD: +100.00 % in 1 day"), "{results}");
    let names = ["currency", "converted_value", "before", "transaction_value", "roi"];
    assert_eq!(told(&results[0]["balance"], &names), ["USD", "396", "198", "150", "1.64"]);
    assert_eq!((&results[0]["balance"]["positions"][0]["symbol"], &results[0]["pairs"]), (&json!("BTC"), &NONE));
    // The notification is linked to what it tells, and that to its schedule.
    server
        .sql("SELECT 1 / (count(*) = 1)::int FROM alert.notification JOIN alert.computed ON computed.id = computed_id JOIN alert.schedule ON schedule.id = schedule_id")
        .await;

    for (change, parameter) in [
        (json!({"portfolio": 7}), "portfolio"),
        (json!({"portfolio": null}), "portfolio"),
        (json!({"kind": "worth"}), "kind"),
    ] {
        let mut body = wanted.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, answer) = send(&server, Method::POST, "/schedules", &token, body).await;
        assert_eq!((status, &answer["parameter"]), (400, &json!(parameter)), "{change}: {answer}");
    }
    // It goes with its portfolio.
    send(&server, Method::DELETE, "/portfolios/1", &token, NONE).await;
    assert_eq!(get(&server, &token, "/schedules").await, json!([]));
}
