//! Portfolios, and what is told of them, in the forms of an earlier system.

use reqwest::Method;
use serde_json::json;

use crate::{
    accounts::{log_in, send, with},
    portfolios::NONE,
};

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
