use egui_kittest::{Harness, kittest::Queryable};

use super::*;
use crate::{
    choices::Choices,
    remote::Failure,
    state::{
        Part, Update,
        tests::{at, candles, price, with_prices},
    },
};

struct Shown {
    state: State,
    choices: Choices,
    compare: Compare,
    commands: Vec<Command>,
}

fn shown(state: State, compare: Compare) -> Harness<'static, Shown> {
    let mut harness =
        Harness::builder().with_context_setup(crate::theme::install).with_size([900.0, 500.0]).build_ui_state(
            |ui, shown: &mut Shown| {
                let scene = Scene { state: &shown.state, choices: &shown.choices, api: "", now: at("12:00:02") };
                let ticker = TickerKey::new("binance", "BTCUSDT");
                shown.compare.show(ui, &scene, Some(&ticker), &mut shown.commands);
            },
            Shown { state, choices: Choices::default(), compare, commands: Vec::new() },
        );
    harness.run();
    harness
}

/// BTC/USDT and ETH/USDT with candles that close at so much.
fn state(closes: [(&str, &str); 2]) -> State {
    let mut state = with_prices();
    for (ticker, close) in closes {
        let series = SeriesKey { ticker: TickerKey::new("binance", ticker), interval: Interval::OneMinute };
        state.show([series.clone()].into());
        let mut rows = candles("11:00", 60);
        rows[59].close = close.parse().unwrap();
        rows[59].high = rows[59].high.max(rows[59].close);
        state.apply(Update::Candles { series, part: Part::Newest, outcome: Ok(rows) }, at("11:59:30"));
    }
    state
}

fn chosen(tickers: &[&str]) -> Compare {
    let tickers = tickers.iter().map(|ticker| TickerKey::new("binance", ticker)).collect();
    Compare { compared: Compared::Chosen(tickers), ..Compare::default() }
}

#[test]
fn lines_are_told_in_percent_of_what_they_were() {
    let harness = shown(state([("BTCUSDT", "64250"), ("ETHUSDT", "64250")]), chosen(&["BTCUSDT", "ETHUSDT"]));
    // The price of now is folded into the last candle.
    harness
        .get_by_label_contains("Comparison since the left edge: BTC/USDT on binance +0.02%, ETH/USDT on binance −96");
    harness.get_by_label("+0.02%");
}

#[test]
fn only_the_same_pair_has_a_spread() {
    let mut state = with_prices();
    let mut rows: Vec<_> = ["64250.01", "64314.26"].map(|text| price("BTCUSDT", text, None, "9")).into();
    rows[1].exchange = "kraken".into();
    rows.push(price("ETHUSDT", "2500", None, "1"));
    state.apply(Update::Prices(Ok(rows)), at("12:00:00"));
    let mut compare = chosen(&["BTCUSDT", "ETHUSDT"]);
    let Compared::Chosen(tickers) = &mut compare.compared else { unreachable!() };
    tickers.insert(1, TickerKey::new("kraken", "BTCUSDT"));
    let harness = shown(state, compare);
    harness.get_by_label("+64.25");
    harness.get_by_label("+0.10%");
}

#[test]
fn the_same_coin_is_found_on_every_exchange() {
    let mut state = with_prices();
    let mut other = price("XBTUSDT", "64251", None, "1");
    (other.exchange, other.base) = ("kraken".into(), "BTC".into());
    let rows = vec![price("BTCUSDT", "64250.01", None, "9"), price("ETHUSDT", "1", None, "8"), other];
    state.apply(Update::Prices(Ok(rows)), at("12:00:00"));
    let compare = Compare { compared: Compared::Coin, ..Compare::default() };
    let found = compare.series(Some(&TickerKey::new("binance", "BTCUSDT")), &state);
    let exchanges: Vec<_> = found.iter().map(|series| series.ticker.exchange.as_str()).collect();
    assert_eq!(exchanges, ["binance", "kraken"]);
}

#[test]
fn a_market_is_taken_away_and_loading_and_failure_are_told() {
    let mut harness = shown(state([("BTCUSDT", "64250"), ("ETHUSDT", "64250")]), chosen(&["BTCUSDT", "ETHUSDT"]));
    harness.get_all_by_label("Remove").last().unwrap().click();
    harness.run();
    assert_eq!(harness.state().compare.compared, Compared::Chosen(vec![TickerKey::new("binance", "BTCUSDT")]));

    shown(with_prices(), chosen(&["BTCUSDT"])).get_by_label("Loading the candles …");
    let mut state = with_prices();
    let series = SeriesKey { ticker: TickerKey::new("binance", "BTCUSDT"), interval: Interval::OneMinute };
    state.show([series.clone()].into());
    let failure = Failure { cause: "connection refused".into(), retry_at: at("12:00:09") };
    state.apply(Update::Candles { series, part: Part::Newest, outcome: Err(failure) }, at("12:00:00"));
    let harness = shown(state, chosen(&["BTCUSDT"]));
    harness.get_by_label("Cannot load the candles: connection refused. Next try in 7 s.");
    shown(State::default(), Compare::default()).get_by_label("Loading the markets …");
}
