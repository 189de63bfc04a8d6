//! What reading a trade costs, exchange by exchange, beside `serde_json::Value` reading the same text, which interprets nothing.
//!
//! `cargo bench -p tracker --bench parsing`. Compare the two of one exchange in one run.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a benchmark fails by panicking; criterion's macros write no docs"
)]

use std::hint::black_box;

use chrono::{DateTime, Utc};
use clap::Parser as _;
use criterion::{Criterion, criterion_group, criterion_main};
use tracker::{
    exchange::{Found, Frame},
    exchanges,
};

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    settings: tracker::Settings,
}

/// An exchange, what a connection tells first, and a trade.
const FRAMES: [(&str, &[&str], &str); 7] = [
    (
        "binance",
        &[],
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1795176000140,"s":"BTCUSDT","t":981273,"p":"64250.01000000","q":"0.00120000","T":1795176000123,"m":true,"M":true}}"#,
    ),
    (
        "bitfinex",
        &[r#"{"event":"subscribed","channel":"trades","chanId":17,"symbol":"tBTCUSD","pair":"BTCUSD"}"#],
        r#"[17,"te",[401597395,1795176000123,-0.0012,64250.01]]"#,
    ),
    (
        "bitstamp",
        &[],
        r#"{"data":{"id":158457579,"timestamp":"1795176000","amount":0.0012,"amount_str":"0.00120000","price":64250.01,"price_str":"64250.01","type":1,"microtimestamp":"1795176000123456","buy_order_id":2054201,"sell_order_id":2054202},"channel":"live_trades_btcusd","event":"trade"}"#,
    ),
    (
        "bybit",
        &[],
        r#"{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1795176000125,"data":[{"T":1795176000123,"s":"BTCUSDT","S":"Sell","v":"0.00120000","p":"64250.01","L":"MinusTick","i":"2290000000061666327","BT":false,"RPI":false,"seq":44}]}"#,
    ),
    (
        "coinbase",
        &[],
        r#"{"type":"match","trade_id":981273,"maker_order_id":"ac928c66-ca53-498f-9c13-a110027a60e8","taker_order_id":"132fb6ae-456b-4654-b4e0-d681ac05cea1","side":"buy","size":"0.00120000","price":"64250.01","product_id":"BTC-USD","sequence":50,"time":"2026-11-20T12:00:00.123456Z"}"#,
    ),
    (
        "kraken",
        &[],
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"sell","price":64250.01,"qty":0.00120000,"ord_type":"market","trade_id":981273,"timestamp":"2026-11-20T12:00:00.123456Z"}]}"#,
    ),
    (
        "okx",
        &[],
        r#"{"arg":{"channel":"trades-all","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"981273","px":"64250.01","sz":"0.00120000","side":"sell","ts":"1795176000123"}]}"#,
    ),
];

fn reading(criterion: &mut Criterion) {
    process::tls::install();
    let settings = Arguments::parse_from(["tracker"]).settings;
    let received_at: DateTime<Utc> = "2026-11-20T12:00:00.200Z".parse().unwrap();
    for (name, first, trade) in FRAMES {
        let exchange = exchanges::find(name, &settings.addresses).unwrap();
        let mut reader = exchange.reader();
        let mut found = Found::default();
        for text in first {
            reader.read(text, received_at, &mut found).unwrap();
        }
        assert_eq!(reader.read(trade, received_at, &mut found), Ok(Frame::Trades), "{name}");
        assert_eq!(found.ticks.len(), 1, "{name}");
        let mut group = criterion.benchmark_group(name);
        group.bench_function("trade", |bencher| {
            bencher.iter(|| {
                found.ticks.clear();
                reader.read(black_box(trade), received_at, &mut found).unwrap();
                black_box(found.ticks.len())
            });
        });
        group.bench_function("serde_json::Value", |bencher| {
            bencher.iter(|| serde_json::from_str::<serde_json::Value>(black_box(trade)).unwrap());
        });
        group.finish();
    }
}

criterion_group!(benches, reading);
criterion_main!(benches);
