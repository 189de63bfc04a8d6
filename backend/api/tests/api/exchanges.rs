use serde_json::json;

use crate::server::start;

#[tokio::test]
async fn exchanges_are_listed_by_name() {
    let server = start().await;
    assert_eq!(
        server.data("/exchanges").await,
        json!([
            {"exchange": "binance", "country": "malta"},
            {"exchange": "kraken", "country": "usa"},
            {"exchange": "simulated", "country": null},
        ])
    );
}
