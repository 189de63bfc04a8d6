//! The market: its pace, its determinism, its numbers.

use std::time::Duration;

use rust_decimal::Decimal;
use simulator::{Settings, Simulator, SimulatorError};

use crate::client::{quiet, quiet_settings, until};

#[tokio::test]
async fn the_same_seed_gives_the_same_prices() {
    let prices = async |seed| {
        let simulator = Simulator::start(Settings { seed, ..quiet_settings() }).await.unwrap();
        assert_eq!(simulator.emit(50).await, 500);
        let trades: Vec<_> = simulator.tickers().iter().flat_map(|ticker| simulator.published(ticker)).collect();
        simulator.stop().await;
        trades.into_iter().map(|trade| (trade.price, trade.quantity, trade.buyer_is_maker)).collect::<Vec<_>>()
    };
    let first = prices(7).await;
    assert_eq!(first.len(), 500);
    assert_eq!(prices(7).await, first);
    assert_ne!(prices(8).await, first);
}

#[tokio::test]
async fn a_restart_uses_no_number_again() {
    let before = quiet().await;
    before.emit(1_000).await;
    let last = before.published("BTCUSDT").last().unwrap().id;
    before.stop().await;
    let after = quiet().await;
    after.emit(1).await;
    assert!(after.published("BTCUSDT")[0].id > last);

    let chosen = Simulator::start(Settings { first_trade_id: Some(5), ..quiet_settings() }).await.unwrap();
    chosen.emit(3).await;
    let ids: Vec<i64> = chosen.published("ETHUSDT").iter().map(|trade| trade.id).collect();
    assert_eq!(ids, [5, 6, 7]);
}

/// Times of all trades so far in milliseconds, in order.
fn times(simulator: &Simulator) -> Vec<i64> {
    let all = simulator.tickers().into_iter().flat_map(|ticker| simulator.published(&ticker));
    let mut times: Vec<i64> = all.map(|trade| trade.time.timestamp_millis()).collect();
    times.sort_unstable();
    times
}

#[tokio::test]
async fn the_pace_is_steady_and_does_not_drift() {
    let simulator = Simulator::start(Settings { trades_per_second: 2_000.0, ..Settings::default() }).await.unwrap();
    until("a thousand trades", || times(&simulator).len() >= 1_000).await;
    simulator.pause();
    let times = times(&simulator);
    let took = times[999] - times[0];
    // Trades are dated when they were due. A machine that stalls may date some later, never earlier.
    assert!((490..2_000).contains(&took), "1,000 trades at 2,000 a second took {took} ms");
}

#[tokio::test]
async fn fifty_thousand_a_second_are_not_too_many() {
    let settings = Settings { trades_per_second: 50_000.0, retained_trades: 10, ..Settings::default() };
    let simulator = Simulator::start(settings).await.unwrap();
    let bitcoin = || simulator.published("BTCUSDT").last().map_or(0, |trade| trade.id);
    until("the first trade", || bitcoin() > 0).await;
    let start = bitcoin();
    // Bitcoin has 5 of the 22.5 shares.
    until("ten thousand trades of Bitcoin alone", || bitcoin() > start + 10_000).await;
}

#[tokio::test]
async fn a_pause_takes_effect_and_ends() {
    let simulator = Simulator::start(Settings { trades_per_second: 5_000.0, ..quiet_settings() }).await.unwrap();
    assert!(times(&simulator).is_empty());
    simulator.resume();
    until("trades", || times(&simulator).len() > 100).await;
    simulator.pause();
    // The walk runs on this test's own thread, so no trade is under way.
    let count = times(&simulator).len();
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert_eq!(times(&simulator).len(), count, "a hundred trades would have been due");
    assert_eq!(simulator.emit(2).await, 20, "a pause does not stop what is asked for");
    assert_eq!(times(&simulator).len(), count + 20);
    simulator.resume();
    until("trades again", || times(&simulator).len() > count + 100).await;
}

#[tokio::test]
async fn what_is_retained_is_bounded() {
    let simulator = Simulator::start(Settings { retained_trades: 10, ..quiet_settings() }).await.unwrap();
    simulator.emit(25).await;
    let trades = simulator.published("BTCUSDT");
    assert_eq!(trades.len(), 10);
    assert!(trades.windows(2).all(|pair| pair[1].id == pair[0].id + 1 && pair[1].time >= pair[0].time));
    assert!(trades.iter().all(|trade| trade.price > Decimal::ZERO));
    assert!(simulator.published("NOTHING").is_empty());
}

#[tokio::test]
async fn a_halted_symbol_is_listed_and_never_trades() {
    let mut settings = quiet_settings();
    settings.symbols[0].trading = false;
    let simulator = Simulator::start(settings).await.unwrap();
    assert_eq!(simulator.emit(2).await, 18);
    assert!(simulator.published("BTCUSDT").is_empty());
    let info = crate::client::fetch(&simulator, "/api/v3/exchangeInfo?symbol=BTCUSDT").await;
    assert_eq!(info["symbols"][0]["status"], "BREAK");
}

#[tokio::test]
async fn a_port_that_is_taken_and_a_senseless_setting_are_refused() {
    let simulator = quiet().await;
    let taken = simulator.rest_url().trim_start_matches("http://").parse().unwrap();
    let error = Simulator::start(Settings { bind: taken, ..quiet_settings() }).await.err().unwrap();
    assert!(matches!(&error, SimulatorError::Bind { address, .. } if *address == taken), "{error}");
    simulator.stop().await;
    let again = Simulator::start(Settings { bind: taken, ..quiet_settings() }).await.expect("the port is free again");
    again.stop().await;

    let error = Simulator::start(Settings { trades_per_second: -1.0, ..quiet_settings() }).await.err().unwrap();
    assert!(error.to_string().contains("trades_per_second"), "{error}");
}
