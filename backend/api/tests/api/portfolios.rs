//! What was bought and sold, what it is worth, and what it earned, by HTTP.

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accounts::{log_in, send, with},
    server::TestServer,
};

const NONE: Value = Value::Null;

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

async fn server() -> (TestServer, String) {
    let server = with(&["ada"]).await;
    server.sql(DAYS).await;
    let (token, _) = log_in(&server, "ada").await;
    let (status, made) = send(&server, Method::POST, "/portfolios", &token, json!({"name": " savings "})).await;
    assert_eq!((status, &made["data"]["id"], &made["data"]["name"]), (201, &json!(1), &json!("savings")), "{made}");
    assert_eq!((&made["data"]["currency"], &made["data"]["method"]), (&json!("USD"), &json!("fifo")));
    (server, token)
}

async fn get(server: &TestServer, token: &str, path: &str) -> Value {
    let (status, mut answer) = send(server, Method::GET, path, token, NONE).await;
    assert_eq!(status, 200, "{path}: {answer}");
    answer["data"].take()
}

async fn add(server: &TestServer, token: &str, body: Value) -> Value {
    let (status, mut answer) = send(server, Method::POST, "/portfolios/1/transactions", token, body.clone()).await;
    assert_eq!(status, 201, "{body}: {answer}");
    answer["data"].take()
}

fn told(row: &Value, names: &[&str]) -> Vec<String> {
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

const FILE: &str = "date,type,order_type,symbol,volume,price,value,currency,fee,fee_currency,source,source_id,note
2026-01-02 03:04:05,TRADE,BUY,btc,0.5,,32000,USD,1.5,USD,bank,7,\"first, and best\"
2026-01-03,DEPOSIT,,ETH,2,,,,,,,,
";

#[tokio::test]
async fn a_file_is_tried_taken_over_once_and_given_back() {
    let (server, token) = server().await;
    let path = "/portfolios/1/import";
    let (status, tried) = server.send_file(&format!("{path}?preview=true"), &token, FILE).await;
    assert_eq!(status, 200, "{tried}");
    let numbers = |answer: &Value| told(&answer["data"], &["format", "read", "added", "known", "mistakes"]);
    assert_eq!(numbers(&tried), ["own", "2", "2", "0", "0"]);
    assert_eq!(tried["data"]["lines"][0]["says"], json!("2026-01-02 03:04:05 BUY 0.5 BTC for 32000 USD, fee 1.5 USD"));
    let (_, page) = send(&server, Method::GET, "/portfolios/1/transactions", &token, NONE).await;
    assert_eq!(page["count"], json!(0), "it was only tried");
    assert_eq!(numbers(&server.send_file(path, &token, FILE).await.1), ["own", "2", "2", "0", "0"]);
    assert_eq!(numbers(&server.send_file(path, &token, FILE).await.1), ["own", "2", "0", "2", "0"]);
    let (_, tried) = server.send_file(&format!("{path}?preview=true"), &token, FILE).await;
    assert_eq!(numbers(&tried), ["own", "2", "0", "2", "0"]);

    let bearer = format!("Bearer {token}");
    let export = async || server.send(Method::GET, "/portfolios/1/export", &[("authorization", &bearer)], None).await;
    let (status, file) = export().await;
    assert_eq!((status, file.lines().count()), (200, 3), "{file}");
    // Elsewhere it is the same.
    send(&server, Method::POST, "/portfolios", &token, json!({"name": "other"})).await;
    assert_eq!(numbers(&server.send_file("/portfolios/2/import?format=own", &token, file.clone()).await.1)[2], "2");
    let (_, again) = server.send(Method::GET, "/portfolios/2/export", &[("authorization", &bearer)], None).await;
    assert_eq!(again, file);
}

#[tokio::test]
async fn how_far_an_import_is_is_told_line_by_line() {
    let (server, token) = server().await;
    let row = |number: u32| format!("2026-01-02,TRADE,BUY,BTC,1,,64000,USD,,,bank,{number},\n");
    let file = FILE.lines().next().unwrap().to_owned() + "\n" + &(0..25_000).map(row).collect::<String>();
    let import = async |parameters: &str, file: String| {
        let path = format!("/portfolios/1/import?progress=true{parameters}");
        let (status, lines) = server.send_file_for_lines(&path, &token, file).await;
        assert_eq!(status, 200, "{lines:?}");
        lines
    };
    let told = import("", file.clone()).await;
    let stage =
        |stage: &str, done: usize, of: Option<usize>| json!({"progress": {"stage": stage, "done": done, "of": of}});
    assert_eq!(told[..2], [stage("waiting", 0, None), stage("reading", 0, None)]);
    let writing = [0, 10_000, 20_000].map(|done| stage("writing", done, Some(25_000)));
    assert_eq!(told[2..5], writing);
    assert_eq!((told.len(), &told[5]["data"]["added"]), (6, &json!(25_000)), "{}", told[5]);
    let again = import("&preview=true", file).await;
    assert_eq!(again.last().unwrap()["data"]["known"], json!(25_000));
    let wrong = import("", format!("{FILE}2026-01-04,TRADE,BUY,ADA,many,,5,,,,,,\n")).await;
    assert_eq!(wrong.last().unwrap()["error"]["code"], json!("unreadable_file"), "{wrong:?}");
    assert_eq!(wrong.last().unwrap()["error"]["status"], json!(400));
    // What is asked for wrongly is refused as ever.
    assert_eq!(server.send_file("/portfolios/9/import?progress=true", &token, FILE).await.0, 404);
}

#[tokio::test]
async fn lines_that_are_wrong_are_told_and_nothing_is_written_unless_they_are_to_be_left_out() {
    let (server, token) = server().await;
    let wrong = format!("{FILE}2026-01-04,TRADE,BUY,ADA,many,,5,,,,,,\n");
    let path = "/portfolios/1/import";
    let (status, refused) = server.send_file(path, &token, wrong.clone()).await;
    assert_eq!(
        (status, &refused["code"], &refused["value"]),
        (400, &json!("unreadable_file"), &json!("many")),
        "{refused}"
    );
    assert!(refused["detail"].as_str().unwrap().contains("line 4, volume"), "{refused}");
    let (_, page) = send(&server, Method::GET, "/portfolios/1/transactions", &token, NONE).await;
    assert_eq!(page["count"], json!(0));
    let (_, tried) = server.send_file(&format!("{path}?preview=true"), &token, wrong.clone()).await;
    let first = &tried["data"]["lines"][0];
    assert_eq!(
        (&tried["data"]["mistakes"], &first["line"], &first["mistakes"][0]["field"]),
        (&json!(1), &json!(4), &json!("volume"))
    );
    let (status, taken) = server.send_file(&format!("{path}?skip_mistakes=true"), &token, wrong).await;
    assert_eq!((status, &taken["data"]["added"], &taken["data"]["mistakes"]), (200, &json!(2), &json!(1)));
    for (file, words) in [(b"".to_vec(), "header"), (b"a,b\n1,2\n".to_vec(), "header"), (vec![0xff, 0xfe], "UTF-8")] {
        let (status, refused) = server.send_file(path, &token, file).await;
        assert_eq!((status, &refused["code"]), (400, &json!("unreadable_file")), "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains(words), "{refused}");
    }
    let (status, refused) = server.send_file(&format!("{path}?format=binance"), &token, FILE).await;
    assert_eq!((status, &refused["code"]), (400, &json!("unreadable_file")), "{refused}");
    let (status, refused) = server.send_file(&format!("{path}?format=excel"), &token, FILE).await;
    assert_eq!((status, &refused["parameter"]), (400, &json!("format")));
}

/// Prices ADA 3: bought 30 for 50, sold 20 for 40, bought 10 for 40, and a deposit.
#[tokio::test]
async fn scripts_of_an_earlier_system_find_what_they_know() {
    let server = with(&["ada", "grace"]).await;
    server
        .sql(
            "INSERT INTO symbol (code, name) VALUES ('ADA', 'cardano');
             INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status, first_tick_at) VALUES (2, 'ADAEUR', 6, 4, 'trading', now());
             INSERT INTO price (time, received_at, trade_id, ticker_id, source, taker_side, price, quantity)
             VALUES (now() - interval '1 minute', now(), 1, 6, 'stream', 'buy', 3, 1)",
        )
        .await;
    let (token, _) = log_in(&server, "ada").await;
    let (status, _) = send(&server, Method::PATCH, "/account", &token, json!({"currency": "eur"})).await;
    assert_eq!(status, 200);
    let (status, empty) = send(&server, Method::GET, "/api/v1/balance/ada", &token, NONE).await;
    assert_eq!((status, &empty["converted_value"], &empty["roi"]), (200, &json!(0), &NONE));
    let transaction = |kind: &str, order: &str, volume: i64, value: i64, id: &str| {
        json!({"user_id": empty["user_id"], "volume": volume, "symbol": "ADA", "value": value, "price": 1.5, "date": "2026-01-02",
               "source": "kraken", "source_id": id, "type": kind, "order_type": order})
    };
    for body in [
        transaction("TRADE", "BUY", 30, 50, "1"),
        transaction("TRADE", "SELL", 20, 40, "2"),
        transaction("TRADE", "BUY", 10, 41, ""),
        transaction("DEPOSIT", "BUY", 10, 40, ""),
    ] {
        let (status, made) = send(&server, Method::POST, "/api/v1/transaction", &token, body).await;
        assert_eq!((status, &made["currency"]), (201, &json!("EUR")), "{made}");
    }
    let change = json!({"id": 3, "user_id": empty["user_id"], "value": 40});
    let (status, changed) = send(&server, Method::PUT, "/api/v1/transaction", &token, change).await;
    assert_eq!((status, &changed["value"], &changed["source_id"]), (200, &json!(40), &NONE), "{changed}");
    let (_, balance) = send(&server, Method::GET, "/api/v1/balance/ADA", &token, NONE).await;
    let ada = &balance["user_grouped_symbol_values"]["ADA"];
    assert_eq!(
        (&ada["volume"], &ada["price"], &ada["value_bought"], &ada["roi"]),
        (&json!(20), &json!(3), &json!(50), &json!(0.2)),
        "{balance}"
    );
    assert_eq!((&balance["converted_currency"], &balance["converted_value"]), (&json!("EUR"), &json!(60)));
    assert_eq!(ada["user_symbol_values"].as_array().unwrap().len(), 3);
    let first = &balance["transactions"][0];
    assert_eq!((&first["converted_value"], &first["roi"], &first["is_valid"]), (&json!(90), &json!(0.8), &json!(true)));
    let id = &empty["user_id"];
    let (_, listed) = send(&server, Method::GET, &format!("/api/v1/transactions/{id}"), &token, NONE).await;
    assert_eq!(listed.as_array().unwrap().len(), 4);
    let (grace, _) = log_in(&server, "grace").await;
    for path in [format!("/api/v1/transactions/{id}"), "/api/v1/balance/ada".to_owned()] {
        assert_eq!(send(&server, Method::GET, &path, &grace, NONE).await.0, 404);
    }
    let (status, _) =
        send(&server, Method::POST, "/api/v1/transaction", &grace, transaction("TRADE", "BUY", 1, 1, "")).await;
    assert_eq!(status, 404, "hers is another number");
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
    let computed = database::schedules::compute_due(&mut client, &[]).await.unwrap().unwrap();
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
