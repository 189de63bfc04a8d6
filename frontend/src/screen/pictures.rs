//! A few pictures of the whole window, with a fixed clock and a fixed market, next to how they were when somebody looked
//! at them last (`frontend/tests/snapshots`). `UPDATE_SNAPSHOTS=1 cargo test -p dashboard pictures` makes them anew.

use eframe::egui::Theme;
use egui_kittest::{Harness, SnapshotOptions};
use rust_decimal::Decimal;

use super::*;
use crate::{
    choices::Drawing,
    client::Standing,
    desk::{DeskChange, Kind, Side},
    indicators::Indicator,
    panels::{ChartChange, DrawingChange, alerts::firings},
    state::{
        Connection, Part, TickerKey, Update, alert_tests,
        portfolio::{Told, Topic, tests as rows},
        tests::{at, candles, decimal, feed, gap, price},
    },
    theme::{self, Hues},
    zone::Zone,
};

struct Shown {
    screen: Screen,
    state: State,
    now: DateTime<Utc>,
}

/// A market whose prices go up and down.
fn market() -> State {
    let mut state = State::default();
    state.apply(Update::Connection(Connection::Connected), at("12:00:00"));
    let rows = [
        ("BTCUSDT", "64250.01", Some("1.82"), "9000000"),
        ("ETHUSDT", "2500.5", Some("3.1"), "4000000"),
        ("PEPEUSDT", "0.00001234", Some("-5"), "1000"),
        ("NEWUSDT", "7", None, "0"),
    ];
    let rows = rows.map(|(ticker, last, change, volume)| price(ticker, last, change, volume)).into();
    state.apply(Update::Prices(Ok(rows)), at("12:00:00"));
    let feeds = vec![feed("binance", "streaming", "12:00:00"), feed("kraken", "waiting", "12:00:00")];
    state.apply(Update::Feeds(Ok(feeds)), at("12:00:00"));
    state.apply(Update::Holes(Ok(vec![gap("11:10", "11:25", "open")])), at("12:00:00"));
    state
}

fn picture(theme: Theme, name: &str, change: impl FnOnce(&mut Screen, &mut State)) {
    let mut state = market();
    let mut screen = Screen::default();
    change(&mut screen, &mut state);
    screen.desk.choose_missing(&state);
    let series = screen.desk.current().series(&state);
    state.show(series.clone());
    for series in series {
        let mut rows = candles("08:00", 240);
        // In the measure of the market's own price.
        let last = state.ticker(&series.ticker).map_or(Decimal::ONE, |ticker| ticker.price);
        let unit = last / decimal("64250");
        let mut open = decimal("64100") * unit;
        for (number, row) in rows.iter_mut().enumerate() {
            row.open_time = at("12:00:00") - series.interval.duration() * (240 - number as i32);
            let wave = ((number * number) % 41) as i64 - 20 + if number % 90 < 45 { 4 } else { -4 };
            row.open = open;
            open += Decimal::from(wave) * unit;
            row.close = open;
            row.high = row.open.max(row.close) + Decimal::from(9) * unit;
            row.low = row.open.min(row.close) - Decimal::from(7) * unit;
            row.volume = decimal(&(5 + number % 13).to_string());
            if (200..210).contains(&number) {
                row.origin = "backfill".to_owned();
            }
        }
        state.apply(Update::Candles { series, part: Part::Newest, outcome: Ok(rows) }, at("12:00:00"));
    }
    let hues = screen.choices.hues;
    let builder = Harness::builder()
        .with_context_setup(move |context: &eframe::egui::Context| {
            theme::install(context);
            theme::wear(context, hues);
        })
        .with_theme(theme)
        .with_size([1280.0, 800.0]);
    let mut harness = builder.build_ui_state(
        |ui, shown: &mut Shown| {
            // As the window begins each frame.
            ui.painter().rect_filled(ui.ctx().content_rect(), 0.0, theme::ground(ui.visuals()));
            drop(shown.screen.show(ui, &shown.state, "http://localhost:5001", shown.now));
        },
        Shown { screen, state, now: at("12:00:02") },
    );
    harness.run();
    // Another version of the software that draws rounds a few edges otherwise.
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(400);
    harness.snapshot_options(name, &options);
}

#[test]
fn the_market_in_the_dark() {
    picture(Theme::Dark, "market_dark", |screen, _| {
        screen.desk.choose_missing(&market());
        let chart = screen.desk.current_mut().chart_mut(None).unwrap();
        for indicator in [Indicator::Bollinger, Indicator::Rsi] {
            chart.obey(ChartChange::Indicator(indicator));
        }
        let level = Drawing::Level { price: decimal("64300"), bell: true };
        screen.choices.drawings.obey(&TickerKey::new("binance", "BTCUSDT"), DrawingChange::Add(level));
    });
}

#[test]
fn the_market_in_the_light_with_the_api_away() {
    picture(Theme::Light, "market_light_away", |screen, state| {
        screen.choices.hues = Hues { colour_blind: true, red_up: false };
        let away = Connection::Away {
            cause: "connection refused: nothing listens there".into(),
            since: at("12:00:00"),
            next_try_at: at("12:00:07"),
        };
        state.apply(Update::Connection(away), at("12:00:00"));
    });
}

#[test]
fn alerts_beside_the_chart_and_in_it() {
    picture(Theme::Dark, "market_alerts", |screen, state| {
        screen.desk.obey(DeskChange::Open(Kind::Alerts));
        alert_tests::logged_in(state, at("12:00"));
        let mut rules = vec![alert_tests::rule(2), alert_tests::rule(1)];
        (rules[0].says.level, rules[0].says.direction) = (Some(decimal("64150")), Some("either".into()));
        (rules[0].says.frequency, rules[0].says.cooldown_seconds) = ("every_time".into(), Some(300));
        (rules[0].fired_count, rules[0].last_fired_at) = (2, Some(at("11:29:30")));
        (rules[1].says.kind, rules[1].says.level) = ("reaches".into(), Some(decimal("64300")));
        (rules[1].status, rules[1].fired_count) = ("triggered".into(), 1);
        rules[1].last_fired_at = Some(at("11:48:10"));
        state.apply(Update::Rules(Ok(rules)), at("12:00"));
        let mut rows = vec![
            alert_tests::firing(3, 1, "11:48:10", "64300.2"),
            alert_tests::firing(2, 2, "11:29:30", "64150"),
            alert_tests::firing(1, 2, "10:43:20", "64150"),
        ];
        for (row, said) in rows.iter_mut().zip(["reached 64300", "rose through 64150", "fell through 64150"]) {
            row.said = format!("BTCUSDT (binance) {said}: {}", row.price.unwrap());
        }
        screen.notices.say(firings::words(&rows[0], Zone::Utc), at("12:00:01"));
        state.apply(Update::Firings { rows, are_news: true }, at("12:00"));
    });
}

#[test]
fn the_portfolio() {
    picture(Theme::Dark, "market_portfolio", |screen, state| {
        screen.desk.obey(DeskChange::New);
        let charts = screen.desk.current().active_chart();
        screen.desk.obey(DeskChange::Add { kind: Kind::Portfolio, beside: charts, side: Side::Tab });
        screen.desk.current_mut().name = "Portfolio".to_owned();
        alert_tests::logged_in(state, at("12:00"));
        for _ in 0..2 {
            let topics = screen.desk.current().topics(state);
            state.portfolios.show(topics.clone());
            for topic in topics {
                let told = match &topic {
                    Topic::List => Told::List(vec![rows::portfolio(1, "savings")]),
                    Topic::Balance(_) => Told::Balance(Box::new(rows::balance())),
                    Topic::Values(_) => Told::Values(rows::values(200)),
                    Topic::Performance(_) => Told::Performance(Box::new(rows::performance())),
                    Topic::Transactions(..) => continue,
                };
                state.apply(Update::Portfolio { topic, outcome: Ok(told) }, at("12:00"));
            }
        }
    });
}

#[test]
fn the_log_in_of_an_api_for_accounts_only() {
    picture(Theme::Light, "log_in_light", |_, state| {
        let standing = Standing { is_needed: true, ..Standing::default() };
        state.apply(Update::Account(standing), at("12:00"));
        state.apply(Update::LogInFailed("This name and this password do not belong together".into()), at("12:00"));
    });
}

#[test]
fn the_overview() {
    picture(Theme::Dark, "overview_dark", |screen, _| screen.desk.obey(DeskChange::Show(2)));
}
