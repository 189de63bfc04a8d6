use serde_json::json;

use crate::server::start;

#[tokio::test]
async fn coins_are_listed_by_name() {
    let server = start().await;
    assert_eq!(
        server.data("/symbols").await,
        json!([
            {"coin": "bitcoin", "symbol": "BTC"},
            {"coin": "bitcoin-token", "symbol": "BITCOIN"},
            {"coin": "ethereum", "symbol": "ETH"},
            {"coin": "euro", "symbol": "EUR"},
            {"coin": "tether", "symbol": "USDT"},
        ])
    );
}
