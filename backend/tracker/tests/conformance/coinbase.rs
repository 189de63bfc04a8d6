//! Coinbase Exchange, once called Coinbase Pro.

use domain::InstrumentStatus;
use serde_json::Value;
use tracker::{
    exchange::Exchange as _,
    exchanges::{Connect as _, coinbase::Coinbase},
};

use crate::{Venue, answers::serve, recording, settings};

pub(crate) const VENUE: Venue = Venue {
    name: "coinbase",
    readers: || crate::readers_of(&Coinbase::connect(&settings().addresses.coinbase).unwrap()),
    is_recorded_in: |name| {
        let file = name.rsplit('/').next().unwrap_or(name);
        file.contains("coinbase") && (file.contains(".ws.") || file.ends_with(".jsonl"))
            || name.contains("/coinbase/test_data/ws_")
    },
    is_foreign: |frame| {
        if frame.contains("\"sequence_num\"") {
            return Some("Advanced Trade, another protocol");
        }
        (!frame.contains("\"type\"")).then_some("an answer of REST")
    },
    least_trades: 100,
};

#[tokio::test]
async fn every_recorded_product_is_listed() {
    let Some(mut files) = recording::all() else { return };
    files.retain(|file| file.name.ends_with("/COINBASE.0"));
    assert!(!files.is_empty());
    for file in files {
        let text = file.text();
        // What else was recorded stands behind it.
        let mut values = serde_json::Deserializer::from_str(&text[text.find('[').unwrap()..]).into_iter::<Vec<Value>>();
        let products = values.next().unwrap().unwrap();
        let mut settings = settings();
        settings.addresses.coinbase.coinbase_rest_url = serve(Value::from(products.clone()).to_string());
        let listed = Coinbase::connect(&settings.addresses.coinbase).unwrap().catalogue().await.unwrap();
        assert_eq!(listed.len(), products.len());
        for (listed, product) in listed.iter().zip(&products) {
            let told = ["id", "base_currency", "quote_currency"].map(|field| product[field].as_str().unwrap());
            assert_eq!([&listed.ticker, &listed.base, &listed.quote], told);
            let trades = product["status"] == "online" && product["trading_disabled"] == false;
            assert_eq!(listed.status == InstrumentStatus::Trading, trades, "{product}");
        }
    }
}
