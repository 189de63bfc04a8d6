//! The pane, asked by the names that it has for assistive technology, and looked at in pictures
//! (`frontend/tests/snapshots`; `UPDATE_SNAPSHOTS=1` makes them anew).

use api_types::portfolios::{ImportProgress, TransactionPage, TransactionRow};
use eframe::egui::{Event, Key, Modifiers, Theme};
use egui_kittest::{Harness, SnapshotOptions, kittest::Queryable};

use super::*;
use crate::{
    choices::Choices,
    client::Standing,
    remote::Failure,
    state::{
        Update, alert_tests,
        portfolio::{
            CsvFile, Told, Which,
            tests::{balance, import, performance, portfolio, transaction, values},
        },
        tests::{at, with_prices},
    },
    theme,
};

struct Shown {
    state: State,
    pane: Portfolio,
    commands: Vec<Command>,
}

fn shown_in(theme: Theme, size: [f32; 2], state: State) -> Harness<'static, Shown> {
    let shown = Shown { state, pane: Portfolio::default(), commands: Vec::new() };
    let builder = Harness::builder().with_context_setup(theme::install).with_theme(theme).with_size(size);
    let mut harness = builder.build_ui_state(
        |ui, shown: &mut Shown| {
            ui.painter().rect_filled(ui.ctx().content_rect(), 0.0, Palette::of(ui).panel);
            // As the window does before each frame.
            let topics = shown.pane.topics(&shown.state);
            shown.state.portfolios.show(topics);
            let choices = Choices::default();
            let scene = Scene { state: &shown.state, choices: &choices, api: "http://api", now: at("12:00:02") };
            shown.pane.show(ui, &scene, &mut shown.commands);
        },
        shown,
    );
    harness.run();
    harness
}

fn account() -> State {
    let mut state = with_prices();
    alert_tests::logged_in(&mut state, at("12:00"));
    state
}

fn rows() -> Vec<TransactionRow> {
    let mut rows = vec![
        transaction(5, "2026-11-18T09:30:00Z", "SELL", "BTC", "0.1", "6400"),
        transaction(4, "2026-10-02T18:00:00Z", "BUY", "XYZ", "1200", "60"),
        transaction(3, "2026-08-11T07:15:00Z", "BUY", "DOGE", "4051.8638", "480"),
        transaction(2, "2026-03-20T12:00:00Z", "BUY", "ETH", "2", "4100.5"),
        transaction(1, "2026-01-02T10:00:00Z", "BUY", "BTC", "0.5", "30000"),
    ];
    (rows[1].is_valid, rows[1].invalid_reason) = (false, "what XYZ was worth in USD is not known".into());
    rows[1].fee = rust_decimal::Decimal::ZERO;
    (rows[3].source, rows[3].source_id) = ("binance".into(), Some("771".into()));
    rows[4].note = Some("for the bicycle".into());
    rows
}

/// Answers all that the pane asks.
fn feed(harness: &mut Harness<'static, Shown>) {
    for _ in 0..3 {
        let shown = harness.state_mut();
        for topic in shown.pane.topics(&shown.state) {
            let told = match &topic {
                Topic::List => Told::List(vec![portfolio(1, "savings"), portfolio(2, "play")]),
                Topic::Balance(_) => Told::Balance(Box::new(balance())),
                Topic::Values(_) => Told::Values(values(200)),
                Topic::Performance(_) => Told::Performance(Box::new(performance())),
                Topic::Transactions(..) => {
                    let next = Some("/portfolios/1/transactions?page=2&page_size=25".to_owned());
                    Told::Transactions(TransactionPage { count: 60, next, previous: None, results: rows() })
                }
            };
            shown.state.apply(Update::Portfolio { topic, outcome: Ok(told) }, at("12:00"));
        }
        harness.run();
    }
}

fn filled(theme: Theme, size: [f32; 2]) -> Harness<'static, Shown> {
    let mut harness = shown_in(theme, size, account());
    feed(&mut harness);
    harness
}

fn shown() -> Harness<'static, Shown> {
    filled(Theme::Dark, [640.0, 460.0])
}

fn click(harness: &mut Harness<'static, Shown>, name: &str) {
    harness.get_by_label(name).click();
    harness.run();
}

fn order(harness: &Harness<'static, Shown>) -> (u64, Order) {
    match harness.state().commands.last() {
        Some(Command::Portfolio(number, order)) => (*number, (**order).clone()),
        other => panic!("{other:?}"),
    }
}

fn json(harness: &Harness<'static, Shown>) -> String {
    match order(harness).1 {
        Order::Make(what) | Order::Change(_, what) => serde_json::to_string(&what).unwrap(),
        Order::Add(_, what) | Order::Edit(_, _, what) => serde_json::to_string(&what).unwrap(),
        other => panic!("{other:?}"),
    }
}

fn answer(harness: &mut Harness<'static, Shown>, outcome: Result<Done, Refusal>) {
    let (number, order) = order(harness);
    let update = Update::PortfolioAnswered { number, order: Box::new(order), outcome };
    harness.state_mut().state.apply(update, at("12:00"));
    harness.run();
}

fn write(harness: &mut Harness<'static, Shown>, field: &str, text: &str) {
    harness.get_by_label(field).focus();
    harness.run();
    harness.key_press_modifiers(Modifiers::COMMAND, Key::A);
    harness.event(Event::Text(text.to_owned()));
    harness.run();
}

fn picture(harness: &mut Harness<'static, Shown>, name: &str) {
    let options = SnapshotOptions::new().threshold(1.5).max_failed_pixels(400);
    harness.snapshot_options(name, &options);
}

#[test]
fn without_an_account_it_offers_the_log_in() {
    let mut harness = shown_in(Theme::Dark, [640.0, 200.0], with_prices());
    click(&mut harness, "Log in");
    assert_eq!(harness.state().commands, [Command::Account]);
    let ended = Standing { has_ended: true, ..Standing::default() };
    harness.state_mut().state.apply(Update::Account(ended), at("12:00"));
    harness.run();
    harness.get_by_label("The session has ended.");
}

#[test]
fn the_first_portfolio_is_one_field_and_a_button() {
    let mut harness = shown_in(Theme::Dark, [640.0, 200.0], account());
    harness.get_by_label("Loading the portfolios …");
    let topic = Topic::List;
    let failure = Failure { cause: "connection refused".into(), retry_at: at("12:00:09") };
    harness.state_mut().state.apply(Update::Portfolio { topic: topic.clone(), outcome: Err(failure) }, at("12:00"));
    harness.run();
    harness.get_by_label("Cannot load the portfolios: connection refused. Next try in 7 s.");
    harness.state_mut().state.apply(Update::Portfolio { topic, outcome: Ok(Told::List(vec![])) }, at("12:00"));
    harness.run();
    harness.get_by_label("No portfolio yet.");
    write(&mut harness, "Name of the portfolio", "savings");
    picture(&mut harness, "portfolio_first");
    click(&mut harness, "Make it");
    assert_eq!(json(&harness), r#"{"name":"savings"}"#);
    let refusal = Refusal { words: "you have a portfolio of this name".into(), parameter: Some("name".into()) };
    answer(&mut harness, Err(refusal));
    harness.get_by_label("name: you have a portfolio of this name");
    click(&mut harness, "Make it");
    answer(&mut harness, Ok(Done::Portfolio(Box::new(portfolio(1, "savings")))));
    harness.get_by_label("Loading the balance …");
}

#[test]
fn it_tells_what_all_is_worth_and_every_coin() {
    let harness = shown();
    for words in [
        "Worth: 10,000.56 USD",
        "ROI: +25.01%",
        "Unrealised: +1,900.26",
        "Realised: +83.00",
        "Time-weighted: +31.24%",
        "Does not count: ! 1 transaction",
        "BTC is 64.2% of the whole",
        "XYZ: no price, so it is worth nothing here; 7 that cost 21.00 USD; realised 0.00",
    ] {
        harness.get_by_label(words);
    }
    let places = ["BTC: 0.1 at", "ETH: 1.2 at", "DOGE: 4,051.8638 at 0.1419", "XYZ: no price"]
        .map(|words| harness.get_by_label_contains(words).rect().top());
    assert!(places.is_sorted(), "{places:?}");
    harness.get_by_label_contains("the price is 3d old");
    harness.get_by_label_contains("10 of 200 days have coins without a market price");
    harness.get_by_label_contains("Value of 200 days:");
}

#[test]
fn a_narrow_pane_can_be_read() {
    let mut narrow = filled(Theme::Dark, [420.0, 640.0]);
    picture(&mut narrow, "portfolio_narrow");
}

#[test]
fn a_low_pane_can_be_read() {
    let mut low = filled(Theme::Dark, [930.0, 230.0]);
    picture(&mut low, "portfolio_low");
}

/// A file as the desktop drops it.
#[derive(Debug)]
struct Dropped(std::path::PathBuf);

impl eframe::egui::DroppedFile for Dropped {
    fn path(&self) -> &std::path::Path {
        &self.0
    }

    fn bytes(&self) -> Result<Vec<u8>, String> {
        Err("the worker reads it, not the window".to_owned())
    }
}

#[test]
fn a_file_that_is_dropped_is_looked_at() {
    let mut harness = shown();
    let file = Dropped("/home/ada/trades.csv".into());
    harness.input_mut().dropped_files.push(std::sync::Arc::new(file));
    harness.run();
    assert_eq!(order(&harness).1, Order::Preview(1, "/home/ada/trades.csv".into()));
    harness.get_by_label("Asking the API …");
}

#[test]
fn where_there_is_room_the_positions_stand_beside_the_value() {
    let mut harness = filled(Theme::Light, [1240.0, 420.0]);
    let table = harness.get_by_label_contains("BTC: 0.1 at").rect();
    let plot = harness.get_by_label_contains("Value of 200 days:").rect();
    assert!(plot.left() > table.right(), "{table:?} {plot:?}");
    picture(&mut harness, "portfolio_wide_light");
}

#[test]
fn what_is_old_says_so_where_no_newer_answer_comes() {
    let mut harness = shown();
    let shown = harness.state_mut();
    let failure = Failure { cause: "no answer in time".into(), retry_at: at("12:00:32") };
    for topic in shown.pane.topics(&shown.state) {
        shown.state.apply(Update::Portfolio { topic, outcome: Err(failure.clone()) }, at("12:00:02"));
    }
    harness.run();
    let words = "Cannot load the balance: no answer in time. What is shown is 2s old. Next try in 30 s.";
    harness.get_by_label(words);
    harness.get_by_label("Worth: 10,000.56 USD");
}

#[test]
fn it_is_counted_in_another_currency_by_another_method_and_as_of_another_day() {
    let mut harness = shown();
    click(&mut harness, "Counted in");
    click(&mut harness, "BTC");
    click(&mut harness, "Sold first");
    click(&mut harness, "hifo");
    write(&mut harness, "As of", "2026-06-3");
    harness.get_by_label("write a day, such as 2026-06-30");
    write(&mut harness, "As of", "2026-06-30");
    assert!(harness.query_by_label("write a day, such as 2026-06-30").is_none());
    let asked = |harness: &Harness<'static, Shown>| {
        let shown = harness.state();
        let topics = shown.pane.topics(&shown.state);
        topics.into_iter().find_map(|topic| if let Topic::Balance(counted) = topic { Some(counted) } else { None })
    };
    let mut counted = asked(&harness).unwrap();
    assert_eq!((counted.currency.as_deref(), counted.method.as_deref()), (Some("BTC"), Some("hifo")));
    assert_eq!(counted.day.unwrap().to_string(), "2026-06-30");
    harness.get_by_label("Loading the balance …");
    feed(&mut harness);
    click(&mut harness, "A day earlier");
    counted = asked(&harness).unwrap();
    assert_eq!(counted.day.unwrap().to_string(), "2026-06-29");
    click(&mut harness, "As of now");
    click(&mut harness, "Counted in");
    click(&mut harness, "another …");
    write(&mut harness, "Another currency or coin", "sol");
    harness.key_press(Key::Enter);
    harness.run();
    counted = asked(&harness).unwrap();
    assert_eq!((counted.currency.as_deref(), counted.day), (Some("SOL"), None));
}

#[test]
fn portfolios_are_chosen_renamed_and_deleted_after_a_second_question() {
    let mut harness = shown();
    click(&mut harness, "Portfolio");
    click(&mut harness, "play");
    feed(&mut harness);
    click(&mut harness, "Rename this portfolio");
    write(&mut harness, "Name of the portfolio", "games");
    click(&mut harness, "Rename it");
    assert!(matches!(order(&harness).1, Order::Change(2, _)));
    answer(&mut harness, Ok(Done::Portfolio(Box::new(portfolio(2, "games")))));
    assert!(harness.query_by_label("Name of the portfolio").is_none());
    let given = harness.state().commands.len();
    click(&mut harness, "Delete this portfolio");
    harness.get_by_label("Delete games with its transactions (60)?");
    click(&mut harness, "Keep it");
    click(&mut harness, "Delete this portfolio");
    assert_eq!(harness.state().commands.len(), given, "asked first");
    click(&mut harness, "Delete it");
    assert_eq!(order(&harness).1, Order::Delete(2));
    answer(&mut harness, Ok(Done::Deleted));
    assert_eq!(harness.state().pane.chosen(&harness.state().state).unwrap().id, 1);
    click(&mut harness, "New portfolio");
    write(&mut harness, "Name of the portfolio", "third");
    harness.key_press(Key::Enter);
    harness.run();
    assert_eq!(json(&harness), r#"{"name":"third"}"#);
}

#[test]
fn a_transaction_is_written_down_and_what_is_refused_is_told_beside_the_form() {
    let mut harness = shown();
    click(&mut harness, "Transactions (60)");
    feed(&mut harness);
    harness.get_by_label("1 to 5 of 60");
    harness.get_by_label_contains("does not count: what XYZ was worth in USD is not known");
    picture(&mut harness, "portfolio_transactions");
    click(&mut harness, "Add a transaction");
    write(&mut harness, "Coin", "btc");
    write(&mut harness, "Volume", "much");
    harness.key_press(Key::Enter);
    harness.run();
    harness.get_by_label("Volume: write a number with a dot before the decimals and no commas, such as 0.5");
    write(&mut harness, "Volume", "0.1");
    click(&mut harness, "Write it down");
    assert!(matches!(order(&harness).1, Order::Add(1, _)));
    assert_eq!(json(&harness), r#"{"type":"TRADE","order_type":"BUY","symbol":"BTC","volume":"0.1"}"#);
    let words = "a trade needs a price or a value; allowed: a number of 0 or more";
    answer(&mut harness, Err(Refusal { words: words.into(), parameter: Some("value".into()) }));
    harness.get_by_label(&format!("Value of all: {words}"));
    picture(&mut harness, "portfolio_refused");
    write(&mut harness, "Value of all", "6400");
    assert!(harness.query_by_label(&format!("Value of all: {words}")).is_none(), "that was of something else");
    harness.key_press(Key::Enter);
    harness.run();
    assert!(json(&harness).contains(r#""value":"6400""#));
    answer(&mut harness, Ok(Done::Transaction(Box::new(rows()[0].clone()))));
    assert!(harness.query_by_label("Write it down").is_none());
}

#[test]
fn a_transaction_is_changed_in_its_place_and_deleted_with_a_second_click() {
    let mut harness = shown();
    click(&mut harness, "Transactions (60)");
    feed(&mut harness);
    click(&mut harness, "Edit transaction 2");
    write(&mut harness, "Volume", "2.5");
    harness.key_press(Key::Escape);
    harness.run();
    assert!(harness.query_by_label("Volume").is_none(), "given up");
    assert!(harness.state().commands.is_empty());
    click(&mut harness, "Edit transaction 2");
    write(&mut harness, "Volume", "2.5");
    harness.key_press(Key::Enter);
    harness.run();
    assert!(matches!(order(&harness).1, Order::Edit(1, 2, _)));
    assert_eq!(json(&harness), r#"{"volume":"2.5"}"#);
    answer(&mut harness, Ok(Done::Transaction(Box::new(rows()[3].clone()))));
    assert!(harness.query_by_label("Save transaction 2").is_none());
    click(&mut harness, "Remove transaction 3");
    harness.get_by_label("Delete it?");
    click(&mut harness, "Delete transaction 3");
    assert_eq!(order(&harness).1, Order::Remove(1, 3));
    click(&mut harness, "Export all transactions");
    assert_eq!(harness.state().commands.last(), Some(&Command::ExportTransactions(1, "portfolio-savings".into())));
    click(&mut harness, "Older transactions");
    let shown = harness.state();
    assert!(shown.pane.topics(&shown.state).contains(&Topic::Transactions(1, Which { before: 1, ..Which::default() })));
    harness.get_by_label("Loading the transactions …");
}

#[test]
fn transactions_of_one_coin_and_type_are_shown_from_the_first_page_on() {
    let mut harness = shown();
    click(&mut harness, "Transactions (60)");
    feed(&mut harness);
    click(&mut harness, "Older transactions");
    feed(&mut harness);
    write(&mut harness, "Coin of the transactions", "eth");
    harness.key_press(Key::Enter);
    harness.run();
    click(&mut harness, "Type of the transactions");
    click(&mut harness, "DEPOSIT");
    let asked = |harness: &Harness<'static, Shown>| harness.state().pane.topics(&harness.state().state);
    let which = Which { coin: Some("ETH".into()), kind: Some("DEPOSIT"), before: 0 };
    assert!(asked(&harness).contains(&Topic::Transactions(1, which.clone())), "{:?}", asked(&harness));
    let shown = harness.state_mut();
    let none = TransactionPage { count: 0, next: None, previous: None, results: Vec::new() };
    let outcome = Ok(Told::Transactions(none));
    shown.state.apply(Update::Portfolio { topic: Topic::Transactions(1, which), outcome }, at("12:00"));
    harness.run();
    harness.get_by_label("None of these.");
    write(&mut harness, "Coin of the transactions", " ");
    harness.key_press(Key::Enter);
    harness.run();
    let all = Which { kind: Some("DEPOSIT"), ..Which::default() };
    assert!(asked(&harness).contains(&Topic::Transactions(1, all)), "{:?}", asked(&harness));
}

#[test]
fn a_file_is_looked_at_and_imported_without_its_wrong_lines() {
    let mut harness = shown();
    click(&mut harness, "Import");
    write(&mut harness, "File", "/home/ada/trades.csv");
    click(&mut harness, "Look at it");
    assert_eq!(order(&harness).1, Order::Preview(1, "/home/ada/trades.csv".into()));
    harness.get_by_label("Asking the API …");
    let unreadable = "/home/ada/trades.csv cannot be read: No such file or directory";
    answer(&mut harness, Err(Refusal { words: unreadable.into(), parameter: None }));
    harness.get_by_label(unreadable);
    click(&mut harness, "Look at it");
    let file = CsvFile { path: "/home/ada/trades.csv".into(), content: Vec::from(b"a,b").into() };
    answer(&mut harness, Ok(Done::Previewed(import(2), file.clone())));
    harness.get_by_label("trades.csv, read as binance: 12 read; 9 new, 3 known already, 2 wrong");
    harness.get_by_label("line 4: ! volume \"much\": this is no number; allowed: a number above 0");
    picture(&mut harness, "portfolio_import");
    let given = harness.state().commands.len();
    click(&mut harness, "Import 9 transactions");
    assert_eq!(harness.state().commands.len(), given, "some lines are wrong");
    click(&mut harness, "Leave out the wrong lines");
    click(&mut harness, "Import 9 transactions");
    let (number, ordered) = order(&harness);
    assert_eq!(ordered, Order::Import { portfolio: 1, file, skip_mistakes: true });
    let progress = ImportProgress { stage: "writing".into(), done: 6, of: Some(9) };
    harness.state_mut().state.apply(Update::PortfolioImport { number, progress }, at("12:00"));
    harness.run();
    harness.get_by_label("6 of 9 transactions are written");
    answer(&mut harness, Ok(Done::Imported(import(2))));
    harness.get_by_label("Imported: 12 read; 9 new, 3 known already, 2 wrong");
    assert_eq!(harness.state_mut().state.take_news(), ["9 transactions were imported; 3 known already, 2 wrong"]);
}
