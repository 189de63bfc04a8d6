//! The line at the bottom: how the API and each feed are doing, how much comes in, how old the newest of it is.

use eframe::egui::{Align, Color32, Layout, RichText, Sense, TextWrapMode, Ui, Vec2};

use super::Scene;
use crate::{
    choices::Refresh,
    format,
    state::{Connection, Feed},
    theme::{Palette, SMALL},
};

/// Shows it.
pub(crate) fn show(ui: &mut Ui, scene: &Scene<'_>) {
    let palette = Palette::of(ui);
    let row = Vec2::new(ui.available_width(), 18.0);
    // From the right: figures keep their place, and words that have no room are cut.
    ui.allocate_ui_with_layout(row, Layout::right_to_left(Align::Center), |ui| {
        let weak = |text: String| RichText::new(text).size(SMALL + 0.5).color(palette.weak);
        ui.label(weak(format::clock(scene.now, scene.choices.zone)));
        ui.separator();
        ui.label(weak(format!("v{}", env!("CARGO_PKG_VERSION"))));
        ui.separator();
        ui.label(weak(newest(scene))).on_hover_text("How long ago the newest of all prices was made");
        ui.separator();
        if let Some(lag) = scene.state.lag(scene.now) {
            ui.label(weak(format!("lag {}", format::short(lag))))
                .on_hover_text("How old the newest price was when it came here, as far as the clocks agree");
            ui.separator();
        }
        ui.label(weak(format!("{:.1} msg/s", scene.state.messages_per_second(scene.now))))
            .on_hover_text("Messages of the live feed, mean of five seconds");
        ui.separator();
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            ui.style_mut().wrap_mode = Some(TextWrapMode::Truncate);
            let (colour, words) = api(scene, palette);
            light(ui, colour, &words, &format!("API at {}", scene.api));
            for (name, feed) in scene.feeds() {
                ui.separator();
                let (colour, words) = feed_words(name, feed, scene, palette);
                light(ui, colour, &words, &feed_detail(feed, scene));
            }
        });
    });
}

/// A coloured point and the words that say the same.
fn light(ui: &mut Ui, colour: Color32, words: &str, hover: &str) {
    let (place, _) = ui.allocate_exact_size(Vec2::new(8.0, 12.0), Sense::hover());
    ui.painter().circle_filled(place.center(), 3.5, colour);
    ui.spacing_mut().item_spacing.x = 6.0;
    let text = RichText::new(words).size(SMALL + 0.5).color(Palette::of(ui).text);
    ui.label(text).on_hover_text(hover);
}

fn api(scene: &Scene<'_>, palette: &Palette) -> (Color32, String) {
    match &scene.state.connection {
        Connection::Connecting => (palette.weak, "API connecting".to_owned()),
        Connection::Connected => match scene.choices.refresh {
            Refresh::Live => (palette.up, "API connected".to_owned()),
            Refresh::Every(seconds) => (palette.up, format!("API asked every {seconds} s")),
        },
        Connection::Away { cause, next_try_at, .. } => {
            let next = format::countdown(*next_try_at - scene.now);
            (palette.down, format!("API reconnecting {next}: {cause}"))
        }
    }
}

fn feed_words(name: &str, feed: &Feed, scene: &Scene<'_>, palette: &Palette) -> (Color32, String) {
    let server_time = scene.server_time();
    let state = feed.state(server_time);
    // What the API last said about a feed is old news once the API is away.
    if scene.state.connection.is_away() {
        return (palette.weak, format!("{name} unknown"));
    }
    let mut words = format!("{name} {state}");
    if !feed.delivers(server_time) {
        if let Some(cause) = feed.cause(server_time) {
            words = format!("{words}: {cause}");
        }
        if let Some(at) = feed.next_try_at(server_time) {
            words = format!("{words}, next try {}", format::countdown(at - server_time));
        }
    }
    let colour = match state {
        "streaming" => palette.up,
        "polling" | "connecting" | "waiting" => palette.warn,
        _ => palette.down,
    };
    (colour, words)
}

fn feed_detail(feed: &Feed, scene: &Scene<'_>) -> String {
    let row = feed.row();
    let detail = row.detail.as_deref().map(|detail| format!("\n{detail}")).unwrap_or_default();
    format!(
        "{} since {}\n{} ticks, {} refused, {} reconnections since the tracker started{detail}",
        row.state,
        format::moment(row.since, scene.choices.zone),
        row.ticks,
        row.rejected,
        row.reconnects,
    )
}

fn newest(scene: &Scene<'_>) -> String {
    match scene.state.newest_price_at() {
        None => format!("newest {}", format::UNKNOWN),
        Some(at) => format!("newest {}", format::ago(scene.server_time() - at)),
    }
}

#[cfg(test)]
mod tests {
    use egui_kittest::{Harness, kittest::Queryable};

    use super::*;
    use crate::{
        choices::Choices,
        state::{
            State, Update,
            tests::{at, feed, with_prices},
        },
    };

    fn shown(state: State, now: &'static str) -> Harness<'static> {
        let choices = Choices::default();
        let mut harness = Harness::builder()
            .with_context_setup(crate::theme::install)
            .with_size([1400.0, 40.0])
            .build_ui(move |ui| {
                let scene = Scene { state: &state, choices: &choices, api: "http://localhost:5001", now: at(now) };
                show(ui, &scene);
            });
        harness.run();
        harness
    }

    #[test]
    fn it_tells_how_everything_is_doing() {
        let mut state = with_prices();
        state.apply(Update::Connection(Connection::Connected), at("12:00:00"));
        let rows = vec![feed("binance", "waiting", "12:00:00"), feed("kraken", "streaming", "12:00:00")];
        state.apply(Update::Feeds(Ok(rows)), at("12:00:00"));
        let harness = shown(state, "12:00:08");
        harness.get_by_label("API connected");
        harness.get_by_label("binance waiting: DNS lookup failed, next try in 12 s");
        harness.get_by_label("kraken streaming");
        harness.get_by_label("newest 8s ago");
        harness.get_by_label("0.0 msg/s");
        harness.get_by_label("2026-11-20 12:00 UTC");
    }

    #[test]
    fn when_the_api_is_away_no_feed_is_called_healthy() {
        let mut state = with_prices();
        state.apply(Update::Feeds(Ok(vec![feed("kraken", "streaming", "12:00:00")])), at("12:00:00"));
        let away =
            Connection::Away { cause: "connection refused".into(), since: at("12:00:01"), next_try_at: at("12:00:05") };
        state.apply(Update::Connection(away), at("12:00:01"));
        let harness = shown(state, "12:00:02");
        harness.get_by_label("API reconnecting in 3 s: connection refused");
        harness.get_by_label("kraken unknown");
    }

    #[test]
    fn nothing_known_is_no_zero() {
        shown(State::default(), "12:00:00").get_by_label("newest —");
    }
}
