use domain::Interval;
use eframe::egui::{Key, Modifiers, Role, Theme};
use egui_kittest::{Harness, kittest::Queryable};

use super::*;
use crate::{
    choices::{ChartStyle, FAVOURITES, ScaleChoice},
    client::{Secret, Standing},
    desk::{Group, Kind},
    settings::ThemeChoice,
    state::{
        Part, TickerKey, Update, alert_tests,
        tests::{at, candles, with_prices},
    },
    theme::{self, Hues},
    worker::SessionOrder,
};

struct Shown {
    screen: Screen,
    state: State,
    commands: Vec<Command>,
}

fn shown_in(theme: Theme, size: [f32; 2]) -> Harness<'static, Shown> {
    let mut state = with_prices();
    let mut screen = Screen::default();
    screen.desk.choose_missing(&state);
    let series = screen.desk.current().series(&state);
    state.show(series.clone());
    for series in series {
        let outcome = Ok(candles("03:00", 500));
        state.apply(Update::Candles { series, part: Part::Newest, outcome }, at("12:00:00"));
    }
    let builder = Harness::builder().with_context_setup(theme::install).with_theme(theme).with_size(size);
    let mut harness = builder.build_ui_state(
        |ui, shown: &mut Shown| {
            shown.screen.desk.choose_missing(&shown.state);
            let wanted = shown.screen.show(ui, &shown.state, "http://api", at("12:00:02"));
            shown.commands.extend(wanted);
        },
        Shown { screen, state, commands: Vec::new() },
    );
    harness.run();
    harness
}

fn shown(theme: Theme) -> Harness<'static, Shown> {
    shown_in(theme, [1280.0, 800.0])
}

fn ticker(harness: &Harness<'static, Shown>) -> String {
    let (_, ticker) = harness.state().screen.desk.current().chart().unwrap();
    ticker.unwrap().ticker.to_string()
}

#[test]
fn both_themes_and_every_size_show_all_parts() {
    for theme in [Theme::Dark, Theme::Light] {
        for size in [[1280.0, 800.0], [640.0, 420.0], [2560.0, 1440.0]] {
            let harness = shown_in(theme, size);
            harness.get_by_label_contains("ETH/USDT on binance, last 2,500.5, +3.10% in 24 hours, updated");
            harness.get_by_label_contains("Chart of BTC/USDT on binance, 5");
            harness.get_by_label("API connecting");
            harness.get_by_label("Settings");
        }
    }
}

#[test]
fn news_costs_one_frame_and_no_news_none() {
    let mut harness = shown(Theme::Dark);
    for second in 3..8 {
        let news = crate::state::tests::live_batch("BTCUSDT", &format!("12:00:{second:02}"), "64251");
        harness.state_mut().state.apply(Update::Live(news), at("12:00:02"));
        // The one in which it settles, and the one that finds that nothing is asked for any more.
        assert_eq!(harness.run(), 1, "after {second} seconds");
    }
}

#[test]
fn an_api_that_is_away_is_told_once_over_every_workspace() {
    let mut harness = shown(Theme::Dark);
    let away = crate::state::Connection::Away {
        cause: "connection refused".into(),
        since: at("12:00:01"),
        next_try_at: at("12:00:09"),
    };
    harness.state_mut().state.apply(Update::Connection(away), at("12:00:01"));
    for key in [Key::Num1, Key::Num2, Key::Num3] {
        harness.key_press_modifiers(Modifiers::COMMAND, key);
        harness.run();
        harness.get_by_label("No connection to the API at http://api");
    }
}

#[test]
fn a_key_that_is_meant_for_a_field_or_is_held_does_nothing_else() {
    let mut harness = shown(Theme::Dark);
    let volume =
        |harness: &Harness<'static, Shown>| harness.state().screen.desk.current().chart().unwrap().0.choices.volume;
    for _ in 0..3 {
        harness.key_down(Key::V);
        harness.run();
        assert!(!volume(&harness), "once, however long it is held");
    }
    harness.key_up(Key::V);
    harness.get_by_label("Change the workspaces").click();
    harness.run();
    harness.get_by_label("Name of this workspace").click();
    harness.run();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.event(Event::Text("Vivid".to_owned()));
    harness.key_press(Key::V);
    harness.key_press(Key::ArrowDown);
    harness.run();
    assert_eq!(harness.state().screen.desk.current().name, "Vivid");
    assert!(!volume(&harness));
    assert_eq!(ticker(&harness), "BTCUSDT");
}

#[test]
fn keys_do_what_they_should() {
    let mut harness = shown(Theme::Dark);
    let press = |harness: &mut Harness<'static, Shown>, key| {
        harness.key_press(key);
        harness.run();
    };
    for key in [Key::Num5, Key::S, Key::L, Key::V] {
        press(&mut harness, key);
    }
    let (chart, _) = harness.state().screen.desk.current().chart().unwrap();
    let choices = &chart.choices;
    assert_eq!((choices.interval, choices.style), (Interval::OneHour, ChartStyle::Line));
    assert_eq!((choices.scale, choices.volume), (ScaleChoice::Logarithmic, false));
    press(&mut harness, Key::ArrowDown);
    assert_eq!(ticker(&harness), "ETHUSDT");
    press(&mut harness, Key::ArrowUp);
    assert_eq!(ticker(&harness), "BTCUSDT");
    press(&mut harness, Key::F);
    let favourite = TickerKey::new("binance", "BTCUSDT");
    assert!(harness.state().screen.choices.lists.has(FAVOURITES, &favourite));
    press(&mut harness, Key::H);
    harness.get_by_label("Missing trades");
    press(&mut harness, Key::T);
    assert_eq!(harness.state().commands, [Command::Theme(ThemeChoice::Light)]);
}

#[test]
fn every_key_stands_for_one_thing() {
    let state = with_prices();
    let mut desk = Desk::default();
    desk.choose_missing(&state);
    let choices = Choices::default();
    let scene = Scene { state: &state, choices: &choices, api: "", now: at("12:00:00") };
    let actions = actions::all(&eframe::egui::Context::default(), &scene, &desk);
    let mut keys: Vec<_> = actions.iter().filter_map(|action| action.key).map(|key| format!("{key:?}")).collect();
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count);
    assert!(count > 30, "{count}");
}

#[test]
fn f1_lists_the_keys_and_escape_puts_the_list_away() {
    let mut harness = shown(Theme::Dark);
    harness.key_press(Key::F1);
    harness.run();
    harness.get_by_label("Candles of 15m");
    harness.get_by_label("Measures price, share, candles and time");
    harness.key_press(Key::Escape);
    harness.run();
    assert!(harness.query_by_label("Candles of 15m").is_none());
}

#[test]
fn a_slash_leads_to_the_filter_and_is_not_written_there() {
    let mut harness = shown(Theme::Dark);
    harness.event(Event::Text("/".to_owned()));
    harness.run();
    // Letters are text now, not keys.
    harness.event(Event::Text("t".to_owned()));
    harness.key_press(Key::T);
    harness.run();
    assert_eq!(harness.state().commands, []);
    harness.event(Event::Text("zzz".to_owned()));
    harness.run();
    harness.get_by_label("No market is called \"tzzz\". Esc clears the filter.");
    harness.key_press(Key::Escape);
    harness.run();
    harness.get_by_label_contains("BTC/USDT on binance, last 64,250.01, +1.82% in 24 hours, updated");
}

#[test]
fn the_search_finds_markets_and_commands() {
    let mut harness = shown(Theme::Dark);
    let find = |harness: &mut Harness<'static, Shown>, words: &str| {
        harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
        harness.run();
        harness.get_by_label("Search markets and commands");
        harness.event(Event::Text(words.to_owned()));
        harness.run();
        harness.key_press(Key::Enter);
        harness.run();
        assert!(harness.query_by_label("Search markets and commands").is_none());
    };
    find(&mut harness, "pepe");
    assert_eq!(ticker(&harness), "PEPEUSDT");
    find(&mut harness, "rsi");
    let (chart, _) = harness.state().screen.desk.current().chart().unwrap();
    assert!(chart.choices.indicators.contains(&crate::indicators::Indicator::Rsi));
    find(&mut harness, "blue and orange");
    assert_eq!(harness.state().commands, [Command::Hues(Hues { colour_blind: true, red_up: false })]);
    // Arrows walk the results, not the list below them.
    harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    harness.run();
    for _ in 0..2 {
        harness.key_press(Key::ArrowDown);
        harness.run();
    }
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(ticker(&harness), "PEPEUSDT", "the third by volume");
}

#[test]
fn workspaces_change_by_click_and_by_key() {
    let mut harness = shown(Theme::Dark);
    harness.get_by_label("Four charts").click();
    harness.run();
    assert_eq!(harness.query_all_by_label_contains("Loading the candles of BTC/USDT").count(), 3);
    harness.key_press_modifiers(Modifiers::COMMAND, Key::Num3);
    harness.run();
    harness.get_by_label_contains("1. BTC/USDT on binance, last 64,250.01");
    harness.get_by_label_contains("Rose most in 24 hours");
    harness.get_by_label("Change the workspaces").click();
    harness.run();
    harness.get_by_label("New workspace").click();
    harness.run();
    assert_eq!(harness.state().screen.desk.current().name, "Workspace 4");
}

#[test]
fn panes_are_split_closed_and_put_into_groups_by_their_menus() {
    let mut harness = shown(Theme::Dark);
    harness.get_by_label("BTC/USDT 1m, more").click();
    harness.run();
    harness.get_by_label("Split to the right").click();
    harness.run();
    let charts = |harness: &Harness<'static, Shown>| {
        let desk = &harness.state().screen.desk;
        desk.current().visible().filter(|(_, pane)| pane.content.kind() == Kind::Chart).count()
    };
    assert_eq!(charts(&harness), 2);
    harness.get_all_by_label("BTC/USDT 1m, in group A").next().unwrap().click();
    harness.run();
    harness.get_by_label_contains("B   ").click();
    harness.run();
    let groups: Vec<_> = {
        let desk = &harness.state().screen.desk;
        desk.current().visible().filter(|(_, pane)| pane.chart().is_some()).map(|(_, pane)| pane.group).collect()
    };
    assert!(groups.contains(&Some(Group::B)) && groups.contains(&Some(Group::A)), "{groups:?}");
    harness.get_all_by_label("BTC/USDT 1m, more").next().unwrap().click();
    harness.run();
    harness.get_by_label("Close this pane").click();
    harness.run();
    assert_eq!(charts(&harness), 1);
}

#[test]
fn who_is_asked_for_an_account_logs_in_by_the_keyboard_and_out_by_the_search() {
    let mut harness = shown(Theme::Dark);
    let standing = |harness: &mut Harness<'static, Shown>, name: Option<&str>| {
        let login = name.map(alert_tests::login);
        let standing = Standing { login, is_needed: true, has_ended: false };
        harness.state_mut().state.apply(Update::Account(standing), at("12:00:02"));
        harness.run();
    };
    standing(&mut harness, None);
    harness.get_by_label("The API at http://api tells its prices to accounts only");
    harness.get_by_label("This API tells its prices to accounts only.");
    let write = |harness: &mut Harness<'static, Shown>, words: &str, key| {
        harness.event(Event::Text(words.to_owned()));
        harness.run();
        harness.key_press(key);
        harness.run();
    };
    write(&mut harness, "ada", Key::Tab);
    write(&mut harness, "correct horse battery", Key::Enter);
    let password = Secret::new("correct horse battery".to_owned());
    let log_in = SessionOrder::LogIn { username: "ada".to_owned(), password, stays: false };
    assert_eq!(harness.state().commands, [Command::Session(log_in)]);
    assert!(!format!("{:?}", harness.state().commands).contains("horse"));
    harness.state_mut().state.apply(Update::LogInFailed("They do not belong together".to_owned()), at("12:00:02"));
    harness.run();
    harness.get_by_label("They do not belong together");
    standing(&mut harness, Some("ada"));
    assert!(harness.query_by_label("Password").is_none() && harness.query_by_label_contains("The API at").is_none());
    harness.get_by_label("Account of ada");
    harness.key_press_modifiers(Modifiers::COMMAND, Key::K);
    harness.run();
    write(&mut harness, "log out", Key::Enter);
    harness.get_by_label("Log out").click();
    harness.run();
    assert_eq!(harness.state().commands.last(), Some(&Command::Session(SessionOrder::LogOut)));
}

#[test]
fn settings_are_chosen_in_a_window() {
    let mut harness = shown(Theme::Dark);
    harness.get_by_label("Settings").click();
    harness.run();
    harness.get_by_label("light").click();
    harness.run();
    harness.get_by_role_and_label(Role::RadioButton, "asked for every").click();
    harness.run();
    harness.get_by_label("An exchange's feed is lost, or back").click();
    harness.run();
    let shown = harness.state();
    let refresh = Command::Refresh(crate::choices::Refresh::Every(5));
    assert_eq!(shown.commands, [Command::Theme(ThemeChoice::Light), refresh]);
    assert!(shown.screen.choices.notify.feeds);
    let zone = harness.get_by_label("Time zone");
    zone.focus();
    harness.run();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.event(Event::Text("europe/ber".to_owned()));
    harness.run();
    harness.get_by_label("Europe/Berlin").click();
    harness.run();
    assert_eq!(harness.state().screen.choices.zone.to_string(), "Europe/Berlin");
    harness.get_by_label("2026-11-20 13:00 CET");
}
