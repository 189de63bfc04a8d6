//! What the market does as a whole: what trades most, what rose and fell most.

use std::{cmp::Reverse, collections::BTreeMap};

use eframe::egui::{RichText, Ui};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::{
    Command, Scene,
    settled::Settled,
    table::{self, Cell},
};
use crate::{
    format,
    state::{Ticker, TickerKey},
    theme::{Palette, SMALL},
    widgets::choice::choice,
};

/// Rows of each half of the movers.
const MOVERS: usize = 50;

/// Tickers by what changed hands in a day.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Top {
    /// Units of what are counted; volumes in different units cannot be ranked. None: those that most tickers have.
    quote: Option<String>,
    #[serde(skip)]
    rows: Settled<Option<String>>,
}

impl Top {
    /// Shows it.
    pub(crate) fn show(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        chosen: Option<&TickerKey>,
        commands: &mut Vec<Command>,
    ) {
        let Some(tickers) = listed(ui, scene) else { return };
        let quotes = quotes(tickers);
        let quote = self.quote.clone().filter(|quote| quotes.contains(quote)).or_else(|| quotes.first().cloned());
        if quotes.len() > 1 {
            ui.horizontal(|ui| {
                ui.label(RichText::new("By volume in").size(SMALL + 0.5).color(Palette::of(ui).weak));
                choice(ui, "Unit of the volumes", 60.0, quote.clone().unwrap_or_default(), |ui| {
                    for name in &quotes {
                        if ui.selectable_label(quote.as_ref() == Some(name), name).clicked() {
                            self.quote = Some(name.clone());
                        }
                    }
                });
            });
        }
        self.rows.renew(ui, scene.now, quote, |quote| {
            let wanted = |ticker: &Ticker| quote.as_ref().is_none_or(|quote| *quote == ticker.quote);
            Some(by(tickers, wanted, |ticker| Some(Reverse(ticker.quote_volume_24h))))
        });
        if scene.is_old() {
            ui.multiply_opacity(0.6);
        }
        let wanted =
            [Cell::Rank, Cell::Market, Cell::Last, Cell::Change, Cell::High, Cell::Low, Cell::Volume, Cell::Age];
        let cells = Cell::that_fit(&wanted, ui.available_width());
        let shown = table::show(ui, "top", &cells, self.rows.rows().into(), scene, chosen);
        self.rows.put(Some(shown.body));
        commands.extend(shown.clicked.map(Command::Select));
    }
}

/// Tickers that rose most, and those that fell most.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Movers {
    #[serde(skip)]
    risers: Settled<()>,
    #[serde(skip)]
    fallers: Settled<()>,
}

impl Movers {
    /// Shows it.
    pub(crate) fn show(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        chosen: Option<&TickerKey>,
        commands: &mut Vec<Command>,
    ) {
        let Some(tickers) = listed(ui, scene) else { return };
        self.risers.renew(ui, scene.now, (), |()| {
            let rose = |ticker: &Ticker| ticker.change_24h.is_some_and(|change| change > Decimal::ZERO);
            let mut rows = by(tickers, rose, |ticker| ticker.change_24h.map(Reverse));
            rows.truncate(MOVERS);
            Some(rows)
        });
        self.fallers.renew(ui, scene.now, (), |()| {
            let fell = |ticker: &Ticker| ticker.change_24h.is_some_and(|change| change < Decimal::ZERO);
            let mut rows = by(tickers, fell, |ticker| ticker.change_24h);
            rows.truncate(MOVERS);
            Some(rows)
        });
        if scene.is_old() {
            ui.multiply_opacity(0.6);
        }
        ui.columns(2, |columns| {
            let halves = [
                ("Rose most in 24 hours", "risers", &mut self.risers, "Nothing rose."),
                ("Fell most in 24 hours", "fallers", &mut self.fallers, "Nothing fell."),
            ];
            for (ui, (title, name, rows, nothing)) in columns.iter_mut().zip(halves) {
                ui.label(RichText::new(title).size(SMALL + 0.5).color(Palette::of(ui).weak));
                if rows.rows().is_empty() {
                    ui.label(RichText::new(nothing).color(Palette::of(ui).weak));
                    rows.put(None);
                    continue;
                }
                let cells = Cell::that_fit(&[Cell::Market, Cell::Last, Cell::Change, Cell::Age], ui.available_width());
                let shown = table::show(ui, name, &cells, rows.rows().into(), scene, chosen);
                rows.put(Some(shown.body));
                commands.extend(shown.clicked.map(Command::Select));
            }
        });
    }
}

/// All tickers; where there are none to show, says why.
pub(super) fn listed<'a>(ui: &mut Ui, scene: &Scene<'a>) -> Option<&'a BTreeMap<TickerKey, Ticker>> {
    let words = match (scene.state.tickers.value(), scene.state.tickers.failure()) {
        (Some(tickers), _) if !tickers.is_empty() => return Some(tickers),
        (Some(_), _) => "No markets yet. They appear as soon as an exchange delivers a first price.".to_owned(),
        (None, Some(failure)) => {
            let next = format::countdown(failure.retry_at - scene.now);
            format!("Cannot load the markets: {}. Next try {next}.", failure.cause)
        }
        (None, None) => "Loading the markets …".to_owned(),
    };
    ui.label(RichText::new(words).color(Palette::of(ui).weak));
    None
}

/// What tickers are priced in, the most frequent first.
fn quotes(tickers: &BTreeMap<TickerKey, Ticker>) -> Vec<String> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for ticker in tickers.values() {
        *counts.entry(&ticker.quote).or_default() += 1;
    }
    let mut quotes: Vec<(usize, &str)> = counts.into_iter().map(|(quote, count)| (count, quote)).collect();
    quotes.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
    quotes.into_iter().map(|(_, quote)| quote.to_owned()).collect()
}

/// Those that are wanted, by what `rank` says of them, then by name.
fn by<R: Ord>(
    tickers: &BTreeMap<TickerKey, Ticker>,
    wanted: impl Fn(&Ticker) -> bool,
    rank: impl Fn(&Ticker) -> R,
) -> Vec<TickerKey> {
    let mut rows: Vec<(R, &TickerKey)> =
        tickers.iter().filter(|(_, ticker)| wanted(ticker)).map(|(key, ticker)| (rank(ticker), key)).collect();
    rows.sort();
    rows.into_iter().map(|(_, key)| key.clone()).collect()
}

#[cfg(test)]
mod tests {
    use egui_kittest::{Harness, kittest::Queryable};

    use super::*;
    use crate::{
        choices::Choices,
        remote::Failure,
        state::{
            State, Update,
            tests::{at, price, with_prices},
        },
    };

    fn shown(state: State, panel: impl FnMut(&mut Ui, &Scene<'_>) + 'static) -> Harness<'static> {
        shown_at(state, "12:00:02", panel)
    }

    fn shown_at(
        state: State,
        now: &'static str,
        mut panel: impl FnMut(&mut Ui, &Scene<'_>) + 'static,
    ) -> Harness<'static> {
        let choices = Choices::default();
        let mut harness = Harness::builder()
            .with_context_setup(crate::theme::install)
            .with_size([900.0, 260.0])
            .build_ui(move |ui| panel(ui, &Scene { state: &state, choices: &choices, api: "", now: at(now) }));
        harness.run();
        harness
    }

    fn top(state: State) -> Harness<'static> {
        let mut top = Top::default();
        shown(state, move |ui, scene| top.show(ui, scene, None, &mut Vec::new()))
    }

    #[test]
    fn the_top_list_is_by_volume_in_one_unit() {
        let harness = top(with_prices());
        harness.get_by_label_contains("1. BTC/USDT on binance, last 64,250.01, +1.82% in 24 hours, volume 9.00M");
        harness.get_by_label_contains("2. ETH/USDT");
        let mut state = with_prices();
        let mut other = price("ETHBTC", "0.05", None, "999999999");
        (other.base, other.quote) = ("ETH".into(), "BTC".into());
        let mut rows = vec![other];
        rows.push(price("BTCUSDT", "64250.01", Some("1.82"), "9000000"));
        rows.push(price("ETHUSDT", "2500", Some("1.82"), "4000000"));
        state.apply(Update::Prices(Ok(rows)), at("12:00:00"));
        let harness = top(state);
        harness.get_by_label_contains("1. BTC/USDT");
        assert!(harness.query_by_label_contains("ETH/BTC").is_none());
    }

    #[test]
    fn what_is_stale_says_so() {
        let mut top = Top::default();
        let harness = shown_at(with_prices(), "12:05:00", move |ui, scene| top.show(ui, scene, None, &mut Vec::new()));
        harness.get_by_label_contains(
            "1. BTC/USDT on binance, last 64,250.01, +1.82% in 24 hours, volume 9.00M, 5m ago, stale",
        );
    }

    #[test]
    fn movers_are_those_that_rose_and_fell_most() {
        let mut movers = Movers::default();
        let harness = shown(with_prices(), move |ui, scene| movers.show(ui, scene, None, &mut Vec::new()));
        harness.get_by_label_contains("1. ETH/USDT");
        harness.get_by_label_contains("2. BTC/USDT");
        harness.get_by_label_contains("1. PEPE/USDT");
        assert!(harness.query_by_label_contains("NEW/USDT").is_none());
    }

    #[test]
    fn without_markets_it_says_why() {
        top(State::default()).get_by_label("Loading the markets …");
        let mut state = State::default();
        let failure = Failure { cause: "connection refused".into(), retry_at: at("12:00:09") };
        state.apply(Update::Prices(Err(failure)), at("12:00:00"));
        top(state).get_by_label("Cannot load the markets: connection refused. Next try in 7 s.");
        let mut state = State::default();
        state.apply(Update::Prices(Ok(vec![])), at("12:00:00"));
        top(state).get_by_label_contains("No markets yet.");
    }
}
