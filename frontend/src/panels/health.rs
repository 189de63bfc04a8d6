//! How the recording does: each exchange's feed, and where trades are missing.

use chrono::{DateTime, TimeDelta, Utc};
use eframe::egui::{Align, Label, Layout, RichText, ScrollArea, Ui};
use egui_extras::{Column, TableBuilder, TableRow};

use super::Scene;
use crate::{
    format,
    state::{Feed, Hole, TickerKey, hole_words},
    theme::{Palette, SMALL},
};

const ROW_HEIGHT: f32 = 19.0;

/// Shows it.
pub(crate) fn show(ui: &mut Ui, scene: &Scene<'_>) {
    if scene.is_old() {
        ui.multiply_opacity(0.6);
    }
    ScrollArea::horizontal().show(ui, |ui| {
        heading(ui, "Feeds");
        match (scene.state.feeds.value(), scene.state.feeds.failure()) {
            (Some(feeds), _) if !feeds.is_empty() => self::feeds(ui, scene),
            (Some(_), _) => weak(ui, "No tracker has reported yet."),
            (None, Some(failure)) => {
                let next = format::countdown(failure.retry_at - scene.now);
                weak(ui, &format!("The feeds cannot be asked for: {}. Next try {next}.", failure.cause));
            }
            (None, None) => weak(ui, "Loading the feeds …"),
        }
        ui.add_space(6.0);
        heading(ui, "Missing trades");
        let holes: Vec<(&TickerKey, &Hole)> = scene.state.all_holes().collect();
        if holes.is_empty() {
            weak(ui, "None that is known.");
        } else {
            self::holes(ui, scene, &holes);
        }
    });
}

fn heading(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).strong());
}

fn weak(ui: &mut Ui, text: &str) {
    let colour = Palette::of(ui).weak;
    ui.label(RichText::new(text).color(colour));
}

fn feeds(ui: &mut Ui, scene: &Scene<'_>) {
    let titles = [
        "Exchange",
        "State",
        "Since",
        "Last trade",
        "Per second",
        "Trades",
        "Refused",
        "Reconnects",
        "Clock",
        "Holes",
        "Missing",
        "Queue",
    ];
    let table = TableBuilder::new(ui).id_salt("feeds").column(Column::exact(110.0)).column(Column::exact(90.0));
    let table = table.columns(Column::exact(76.0), titles.len() - 2).vscroll(false);
    table.header(ROW_HEIGHT, |mut header| titles.iter().for_each(|title| cell(&mut header, title, true))).body(
        |body| {
            let feeds: Vec<(&str, &Feed)> = scene.feeds().collect();
            body.rows(ROW_HEIGHT, feeds.len(), |mut row| {
                let Some((name, feed)) = feeds.get(row.index()) else { return };
                for text in feed_cells(name, feed, scene) {
                    cell(&mut row, &text, false);
                }
            });
        },
    );
}

fn feed_cells(name: &str, feed: &Feed, scene: &Scene<'_>) -> [String; 12] {
    let told = feed.row();
    let holes = || scene.state.all_holes().filter(|(ticker, _)| ticker.exchange == name);
    let missing: i64 = holes().map(|(_, hole)| hole.missing).sum();
    let known = |number: Option<String>| number.unwrap_or_else(|| format::UNKNOWN.to_owned());
    let ago = |time: DateTime<Utc>| format::age(scene.server_time() - time);
    [
        name.to_owned(),
        feed.state(scene.server_time()).to_owned(),
        ago(told.since),
        told.last_tick_at.map_or_else(|| format::UNKNOWN.to_owned(), ago),
        known(feed.ticks_per_second().map(|rate| format!("{rate:.1}"))),
        told.ticks.to_string(),
        told.rejected.to_string(),
        told.reconnects.to_string(),
        told.clock_ahead_ms.map_or_else(|| format::UNKNOWN.to_owned(), clock),
        holes().count().to_string(),
        missing.to_string(),
        known(told.queued.map(|queued| queued.to_string())),
    ]
}

/// How far the exchange's clock is ahead of the tracker's.
fn clock(ahead_ms: i64) -> String {
    let sign = if ahead_ms < 0 { '−' } else { '+' };
    let ahead = TimeDelta::milliseconds(ahead_ms).abs();
    if ahead < TimeDelta::seconds(10) {
        format!("{sign}{} ms", ahead.num_milliseconds())
    } else {
        format!("{sign}{} s", ahead.num_seconds())
    }
}

fn holes(ui: &mut Ui, scene: &Scene<'_>, holes: &[(&TickerKey, &Hole)]) {
    let table = TableBuilder::new(ui).id_salt("holes").column(Column::exact(110.0)).column(Column::exact(90.0));
    let table = table.columns(Column::exact(150.0), 2).column(Column::remainder().at_least(420.0));
    let titles = ["Exchange", "Pair", "From", "To", "What"];
    table.header(ROW_HEIGHT, |mut header| titles.iter().for_each(|title| cell(&mut header, title, true))).body(
        |body| {
            body.rows(ROW_HEIGHT, holes.len(), |mut row| {
                let Some((ticker, hole)) = holes.get(row.index()) else { return };
                let time = |second| {
                    let time = DateTime::<Utc>::from_timestamp(second, 0);
                    time.map(|time| format::moment(time, scene.choices.zone)).unwrap_or_default()
                };
                let words = hole_words(&[hole]).unwrap_or_default();
                for text in [&*ticker.exchange, &*ticker.ticker, &time(hole.from), &time(hole.to), &words] {
                    cell(&mut row, text, false);
                }
            });
        },
    );
}

fn cell(row: &mut TableRow<'_, '_>, text: &str, title: bool) {
    row.col(|ui| {
        let palette = Palette::of(ui);
        let text = RichText::new(text).size(SMALL + 1.0).color(if title { palette.weak } else { palette.text });
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| ui.add(Label::new(text).truncate()));
    });
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
            tests::{at, feed, gap},
        },
    };

    fn shown(state: State) -> Harness<'static, (State, Choices)> {
        let mut harness =
            Harness::builder().with_context_setup(crate::theme::install).with_size([1000.0, 300.0]).build_ui_state(
                |ui, (state, choices): &mut (State, Choices)| {
                    show(ui, &Scene { state, choices, api: "", now: at("12:00:02") });
                },
                (state, Choices::default()),
            );
        harness.run();
        harness
    }

    #[test]
    fn feeds_and_holes_are_told_with_their_figures() {
        let mut state = State::default();
        let mut row = feed("binance", "streaming", "11:59:55");
        (row.ticks, row.reconnects, row.clock_ahead_ms, row.queued) = (1_184, 3, Some(-250), Some(77));
        state.apply(Update::Feeds(Ok(vec![row.clone()])), at("11:59:55"));
        (row.ticks, row.reported_at) = (1_234, at("12:00:00"));
        state.apply(Update::Feeds(Ok(vec![row])), at("12:00:00"));
        state.apply(Update::Holes(Ok(vec![gap("11:30", "11:32", "open")])), at("12:00:00"));
        let harness = shown(state);
        for text in ["streaming", "1234", "10.0", "3", "−250 ms", "20", "77", "2026-11-20 11:30:00 UTC", "BTCUSDT"] {
            harness.get_by_label(text);
        }
        harness.get_by_label("20 trades are missing: the connection was lost; they are being fetched");
    }

    #[test]
    fn what_is_not_known_yet_or_cannot_be_had_is_said() {
        shown(State::default()).get_by_label("Loading the feeds …");
        let mut state = State::default();
        state.apply(Update::Feeds(Ok(vec![])), at("12:00:00"));
        let harness = shown(state);
        harness.get_by_label("No tracker has reported yet.");
        harness.get_by_label("None that is known.");
        let mut state = State::default();
        let failure = Failure { cause: "connection refused".into(), retry_at: at("12:00:09") };
        state.apply(Update::Feeds(Err(failure)), at("12:00:00"));
        shown(state).get_by_label("The feeds cannot be asked for: connection refused. Next try in 7 s.");
    }

    #[test]
    fn a_clock_is_told_in_the_unit_that_fits() {
        assert_eq!([clock(12), clock(-250), clock(90_400)], ["+12 ms", "−250 ms", "+90 s"]);
    }
}
