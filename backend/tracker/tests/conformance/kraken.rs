//! Kraken spot, the second version of its streams. Most of what was recorded is of the first, which is not spoken.

use serde_json::Value;
use tracker::{
    exchange::Exchange as _,
    exchanges::{Connect as _, kraken::Kraken},
};

use crate::{Venue, answers::serve, recording, settings};

pub(crate) const VENUE: Venue = Venue {
    name: "kraken",
    readers: || crate::readers_of(&Kraken::connect(&settings().addresses.kraken).unwrap()),
    is_recorded_in: |name| {
        let file = name.rsplit('/').next().unwrap_or(name);
        file.starts_with("kraken") && (file.contains(".ws.") || file.ends_with(".jsonl"))
            || name.contains("/kraken/testdata/ws")
            || name.contains("/kraken/test_data/ws_")
    },
    is_foreign: |frame| {
        let contains = |words: &[&str]| words.iter().any(|word| frame.contains(word));
        if contains(&["\"feed\"", "\"krakenF"]) {
            return Some("futures");
        }
        if frame.starts_with('[') || contains(&["\"event\""]) && !contains(&["\"channel\""]) {
            return Some("the first version");
        }
        if contains(&["\"add_order\"", "\"amend_order\"", "\"batch_add\""]) {
            return Some("orders");
        }
        (!contains(&["\"channel\"", "\"method\""])).then_some("an answer of REST, or of a client's tests")
    },
    least_trades: 2,
};

#[tokio::test]
async fn every_recorded_pair_is_listed_as_the_streams_call_it() {
    let Some(mut files) = recording::all() else { return };
    files.retain(|file| {
        let name = file.name.rsplit('/').next().unwrap_or_default();
        name == "KRAKEN.0" || name.starts_with("http_asset_pairs")
    });
    assert!(files.len() >= 3);
    for file in files {
        let text = file.text();
        // What else was recorded stands behind it.
        let mut values = serde_json::Deserializer::from_str(&text[text.find('{').unwrap()..]).into_iter::<Value>();
        let recorded = values.next().unwrap().unwrap();
        let names = recorded["result"].as_object().unwrap().values().filter_map(|pair| pair["wsname"].as_str());
        let coin = |name: &str| name.replace("XBT", "BTC").replace("XDG", "DOGE");
        let mut expected: Vec<String> = names.map(coin).collect();
        let mut settings = settings();
        settings.addresses.kraken.kraken_rest_url = serve(recorded.to_string());
        let listed = Kraken::connect(&settings.addresses.kraken).unwrap().catalogue().await.unwrap();
        let mut tickers: Vec<String> = listed.iter().map(|pair| pair.ticker.to_string()).collect();
        expected.sort();
        tickers.sort();
        assert_eq!(tickers, expected, "{}", file.name);
        for pair in listed {
            assert_eq!(pair.ticker, format!("{}/{}", pair.base, pair.quote));
            assert!(pair.steps.price.is_some() && pair.steps.quantity.is_some(), "{pair:?}");
        }
    }
}
