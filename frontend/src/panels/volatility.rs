//! Whose price moves most, as the API ranks it. It is asked for only while this is shown.

use eframe::egui::{RichText, Role, Ui, WidgetInfo};
use serde::{Deserialize, Serialize};

use super::{
    Command, Scene,
    market::listed,
    settled::Settled,
    table::{self, Cell, Rows},
};
use crate::{
    format,
    remote::Remote,
    state::{Period, Ranking, TickerKey},
    theme::{Palette, SMALL},
};

/// Tickers by the deviation of their prices in percent of the mean.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Volatility {
    period: Period,
    #[serde(skip)]
    rows: Settled<Period>,
}

impl Volatility {
    /// Over how long.
    pub(crate) fn period(&self) -> Period {
        self.period
    }

    /// Shows it.
    pub(crate) fn show(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        chosen: Option<&TickerKey>,
        commands: &mut Vec<Command>,
    ) {
        let Some(tickers) = listed(ui, scene) else { return };
        self.choose(ui);
        let remote = scene.state.volatility(self.period);
        let Some(ranking) = ranked(ui, scene, self.period, remote) else {
            self.rows.put(None);
            return;
        };
        self.rows.renew(ui, scene.now, self.period, |_| {
            Some(ranking.order.iter().filter(|key| tickers.contains_key(*key)).cloned().collect())
        });
        if scene.is_old() || remote.is_some_and(|remote| remote.failure().is_some()) {
            ui.multiply_opacity(0.6);
        }
        let wanted = [Cell::Rank, Cell::Market, Cell::Last, Cell::Deviation, Cell::Returns, Cell::Moved];
        let cells = Cell::that_fit(&wanted, ui.available_width());
        let rows = Rows { keys: self.rows.rows(), moved: Some((ranking, self.period.words())) };
        let shown = table::show(ui, "volatility", &cells, rows, scene, chosen);
        self.rows.put(Some(shown.body));
        commands.extend(shown.clicked.map(Command::Select));
    }

    fn choose(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            ui.label(RichText::new("How much prices moved in").size(SMALL + 0.5).color(Palette::of(ui).weak));
            for period in Period::ALL {
                let is_chosen = self.period == period;
                let response = ui.selectable_label(is_chosen, RichText::new(period.name()).size(SMALL + 0.5));
                response.widget_info(|| {
                    let name = format!("Volatility of {}", period.words());
                    WidgetInfo::selected(Role::RadioButton, true, is_chosen, name)
                });
                if response.clicked() {
                    self.period = period;
                }
            }
        });
    }
}

/// The ranking; where there is none to show, says why.
fn ranked<'a>(
    ui: &mut Ui,
    scene: &Scene<'a>,
    period: Period,
    remote: Option<&'a Remote<Ranking>>,
) -> Option<&'a Ranking> {
    let words = match (remote.and_then(Remote::value), remote.and_then(Remote::failure)) {
        (Some(ranking), _) if !ranking.order.is_empty() => return Some(ranking),
        (Some(_), _) => format!("No prices in {}.", period.words()),
        (None, Some(failure)) => {
            let next = format::countdown(failure.retry_at - scene.now);
            format!("Cannot load the volatility: {}. Next try {next}.", failure.cause)
        }
        (None, None) => "Loading the volatility …".to_owned(),
    };
    ui.label(RichText::new(words).color(Palette::of(ui).weak));
    None
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, rc::Rc};

    use egui_kittest::{Harness, kittest::Queryable};

    use super::*;
    use crate::{
        choices::Choices,
        remote::Failure,
        state::{
            State, Update,
            tests::{at, volatility, with_prices},
        },
    };

    type Told = Rc<RefCell<Vec<Command>>>;

    fn shown(state: State) -> (Harness<'static>, Told) {
        let (mut panel, choices, told) = (Volatility::default(), Choices::default(), Told::default());
        let commands = Rc::clone(&told);
        let mut harness = Harness::builder()
            .with_context_setup(crate::theme::install)
            .with_size([900.0, 260.0])
            .build_ui(move |ui| {
                let scene = Scene { state: &state, choices: &choices, api: "", now: at("12:00:02") };
                panel.show(ui, &scene, None, &mut commands.borrow_mut());
            });
        harness.run();
        (harness, told)
    }

    fn with(period: Period, outcome: Result<&[(&str, Option<&str>)], Failure>) -> State {
        let mut state = with_prices();
        let outcome = outcome.map(|rows| rows.iter().map(|(ticker, share)| volatility(ticker, *share)).collect());
        state.apply(Update::Volatility { period, outcome }, at("12:00:00"));
        state
    }

    #[test]
    fn they_stand_as_the_api_ranks_them_and_a_click_selects() {
        let rows = [("PEPEUSDT", Some("12.5")), ("BTCUSDT", Some("0.6306")), ("NEWUSDT", None)];
        let (mut harness, told) = shown(with(Period::Day, Ok(&rows)));
        harness.get_by_label(
            "1. PEPE/USDT on binance, deviation 12.5000%, of one-minute returns 0.0412%, +1.82% in 24 hours",
        );
        harness.get_by_label_contains("3. NEW/USDT on binance, deviation —");
        harness.get_by_label_contains("2. BTC/USDT on binance, deviation 0.6306%").click();
        harness.run();
        let told = told.borrow();
        assert!(matches!(&told[..], [Command::Select(key)] if key.ticker == "BTCUSDT"), "{told:?}");
    }

    #[test]
    fn another_window_has_another_ranking() {
        let mut state = with(Period::Day, Ok(&[("BTCUSDT", Some("1"))]));
        let outcome = Ok(vec![volatility("ETHUSDT", Some("2"))]);
        state.apply(Update::Volatility { period: Period::Hour, outcome }, at("12:00:00"));
        let (mut harness, _) = shown(state);
        harness.get_by_label_contains("1. BTC/USDT");
        harness.get_by_label("Volatility of an hour").click();
        harness.run();
        harness.get_by_label_contains("1. ETH/USDT on binance, deviation 2.0000%");
        assert!(harness.query_by_label_contains("BTC/USDT").is_none());
        harness.get_by_label("Volatility of 7 days").click();
        harness.run();
        harness.get_by_label("Loading the volatility …");
    }

    #[test]
    fn without_a_ranking_it_says_why() {
        let failure = Failure { cause: "connection refused".into(), retry_at: at("12:00:09") };
        let (harness, _) = shown(with(Period::Day, Err(failure)));
        harness.get_by_label("Cannot load the volatility: connection refused. Next try in 7 s.");
        shown(with(Period::Day, Ok(&[]))).0.get_by_label("No prices in 24 hours.");
        shown(State::default()).0.get_by_label("Loading the markets …");
    }
}
