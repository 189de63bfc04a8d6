use serde_json::json;

use crate::server::start;

#[tokio::test]
async fn a_coin_is_found_by_name_and_by_code_in_any_case() {
    let server = start().await;
    let expected = json!([
        {"ticker": "BTCEUR", "exchange": "binance", "coin": "bitcoin", "status": "halted", "price_step": null, "quantity_step": null},
        {"ticker": "BTCUSDT", "exchange": "binance", "coin": "bitcoin", "status": "trading", "price_step": null, "quantity_step": null},
    ]);
    for path in ["/tickers/bitcoin/binance", "/tickers/BTC/binance", "/tickers/btc/Binance", "/tickers/Bitcoin/BINANCE"]
    {
        assert_eq!(server.data(path).await, expected, "{path}");
    }
    let kraken = server.data("/tickers/bitcoin/kraken").await;
    assert_eq!(
        kraken,
        json!([{"ticker": "XBT/EUR", "exchange": "kraken", "coin": "bitcoin", "status": "trading", "price_step": null, "quantity_step": null}])
    );
}

#[tokio::test]
async fn a_coin_that_an_exchange_does_not_trade_is_an_empty_list() {
    let server = start().await;
    assert_eq!(server.data("/tickers/ethereum/kraken").await, json!([]));
}

#[tokio::test]
async fn what_does_not_exist_is_404_and_says_what_does() {
    let server = start().await;
    let coin = server.error("/tickers/bitcion/binance", 404).await;
    assert_eq!(
        (&coin["code"], &coin["parameter"], &coin["value"]),
        (&json!("unknown_coin"), &json!("coin"), &json!("bitcion"))
    );
    assert!(coin["allowed"].as_str().unwrap().contains("bitcoin"), "{coin}");
    let exchange = server.error("/tickers/bitcoin/binanse", 404).await;
    assert_eq!((&exchange["code"], &exchange["parameter"]), (&json!("unknown_exchange"), &json!("exchange")));
    assert_eq!(exchange["allowed"], "binance, kraken, simulated");
}

#[tokio::test]
async fn all_pairs_can_be_filtered() {
    let server = start().await;
    assert_eq!(server.data("/tickers").await.as_array().unwrap().len(), 5);
    assert_eq!(server.data("/tickers?exchange=KRAKEN").await.as_array().unwrap().len(), 1);
    let recorded = json!([
        {"ticker": "BTCUSDT", "exchange": "binance", "coin": "bitcoin", "status": "trading", "price_step": null, "quantity_step": null},
        {"ticker": "ETHUSDT", "exchange": "binance", "coin": "ethereum", "status": "trading", "price_step": null, "quantity_step": null},
    ]);
    assert_eq!(server.data("/tickers?recorded=true").await, recorded);
    assert_eq!(server.data("/tickers?exchange=binance&recorded=false").await.as_array().unwrap().len(), 1);
    assert_eq!(server.error("/tickers?exchange=nyse", 404).await["code"], "unknown_exchange");
    assert_eq!(server.error("/tickers?recorded=yes", 400).await["allowed"], "true, false");
}
