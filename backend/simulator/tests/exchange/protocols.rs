//! One market, whatever the protocol in which it is told.

use serde_json::{Value, json};

use crate::client::{Socket, fetch, quiet};

/// A client of each protocol that listens to the trades of Bitcoin, and has read the answers.
async fn of_each(simulator: &simulator::Simulator) -> [Socket; 3] {
    let binance = Socket::open(simulator, "/ws/btcusdt@trade").await;
    let mut coinbase = Socket::open(simulator, "/coinbase").await;
    coinbase.ask(json!({"type": "subscribe", "product_ids": ["BTC-USDT"], "channels": ["matches"]})).await;
    let mut kraken = Socket::open(simulator, "/kraken/v2").await;
    assert_eq!(kraken.json().await["channel"], "status");
    kraken.ask(json!({"method": "subscribe", "params": {"channel": "trade", "symbol": ["BTC/USDT"]}})).await;
    [binance, coinbase, kraken]
}

#[tokio::test]
async fn all_protocols_tell_the_same_trade() {
    let simulator = quiet().await;
    let mut clients = of_each(&simulator).await;
    simulator.emit(1).await;
    let [trade] = &simulator.published("BTCUSDT")[..] else { panic!("one trade") };
    let [binance, coinbase, kraken] = &mut clients;
    assert_eq!(binance.json().await["t"], trade.id);
    assert_eq!(coinbase.json().await["trade_id"], trade.id);
    let mut frame = kraken.json().await;
    while frame["channel"] == "heartbeat" {
        frame = kraken.json().await;
    }
    assert_eq!(frame["data"][0]["trade_id"], trade.id);
}

#[tokio::test]
async fn a_disconnection_ends_the_sockets_of_all() {
    let simulator = quiet().await;
    let clients = of_each(&simulator).await;
    simulator.inject(simulator::Fault::Disconnect);
    for client in clients {
        assert_eq!(client.end().await, None);
    }
}

#[tokio::test]
async fn a_pair_that_is_listed_or_renamed_is_known_by_its_new_name_to_all() {
    let simulator = quiet().await;
    simulator.list("BTCEUR", "BTC", "EUR", "60000.0".parse().unwrap()).unwrap();
    simulator.rename("ETHUSDT", "ETH2USDT").unwrap();
    let pairs = &fetch(&simulator, "/kraken/0/public/AssetPairs").await["result"];
    assert_eq!((&pairs["XBTEUR"]["wsname"], &pairs["XBTEUR"]["quote"]), (&json!("XBT/EUR"), &json!("ZEUR")));
    assert_eq!((pairs.get("ETHUSDT"), &pairs["ETH2USDT"]["wsname"]), (None, &json!("ETH2/USDT")));
    let products = fetch(&simulator, "/coinbase/products").await;
    let ids: Vec<&Value> = products.as_array().unwrap().iter().map(|product| &product["id"]).collect();
    assert!(ids.contains(&&json!("ETH2-USDT")) && ids.contains(&&json!("BTC-EUR")), "{ids:?}");
    assert!(!ids.contains(&&json!("ETH-USDT")), "{ids:?}");
    let mut socket = Socket::open(&simulator, "/coinbase").await;
    socket.ask(json!({"type": "subscribe", "product_ids": ["BTC-EUR"], "channels": ["matches"]})).await;
    simulator.delist("BTCEUR").unwrap();
    assert_eq!(simulator.emit(1).await, 10, "it trades no more");
    let refused = socket.ask(json!({"type": "subscribe", "product_ids": ["BTC-EUR"], "channels": ["ticker"]})).await;
    assert_eq!(refused["reason"], "BTC-EUR is not a valid product");
}
