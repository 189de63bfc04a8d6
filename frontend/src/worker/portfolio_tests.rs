//! The portfolios' part of the worker, against a server that speaks just enough HTTP.

use api_types::portfolios::{PortfolioRequest, TransactionPage, TransactionRequest};
use serde_json::json;

use super::{
    portfolio::{Counted, Done, Order, Told, Topic, Which, tests as rows},
    tests::{Server, TIMING, next},
    *,
};
use crate::state::{Exported, Refusal, alert_tests};

/// What the server answers to `METHOD path body`.
pub(super) fn answer(asked: &str) -> (&'static str, String) {
    let data = |row: serde_json::Value| ("200 OK", json!({ "data": row }).to_string());
    let (method, rest) = asked.split_once(' ').unwrap();
    let path = rest.split([' ', '?']).next().unwrap();
    let transaction = rows::transaction(7, "2026-01-02T10:00:00Z", "BUY", "BTC", "0.5", "30000");
    match (method, path) {
        ("POST", "/api/token/refresh") => {
            ("200 OK", json!({ "access": "cta_x", "access_expires_at": "2099-01-01T00:00:00Z" }).to_string())
        }
        ("GET", "/portfolios") => data(json!([rows::portfolio(1, "savings")])),
        ("POST", "/portfolios") | ("PATCH", "/portfolios/1") => data(json!(rows::portfolio(2, "play"))),
        ("DELETE", _) => ("204 No Content", String::new()),
        ("GET", "/portfolios/1/balance") => data(json!(rows::balance())),
        ("GET", "/portfolios/1/values") => data(json!(rows::values(3))),
        ("GET", "/portfolios/1/performance") => data(json!(rows::performance())),
        ("GET", "/portfolios/1/transactions") => {
            let page = TransactionPage { count: 1, next: None, previous: None, results: vec![transaction] };
            ("200 OK", json!(page).to_string())
        }
        ("POST", "/portfolios/1/transactions") if rest.contains("NOPE") => (
            "400 Bad Request",
            r#"{"type":"/problems/bad_parameter","title":"Bad parameter","status":400,"detail":"there is no such coin","code":"bad_parameter","parameter":"symbol","allowed":"a coin of /symbols"}"#
                .to_owned(),
        ),
        ("POST" | "PATCH", path) if path.starts_with("/portfolios/1/transactions") => data(json!(transaction)),
        ("POST", "/portfolios/1/import") if rest.contains("progress=true") => {
            let writing = json!({"progress": {"stage": "writing", "done": 4, "of": 9}});
            ("200 OK", format!("{writing}\n{}\n", json!({ "data": rows::import(1) })))
        }
        ("POST", "/portfolios/1/import") => data(json!(rows::import(1))),
        ("GET", "/portfolios/1/export") => ("200 OK", "date,symbol\n2026-01-02,BTC\n".to_owned()),
        _ => ("404 Not Found", "{}".to_owned()),
    }
}

fn start(login: Option<Login>) -> (Server, Worker) {
    let server = Server::start("127.0.0.1:0", Vec::new());
    let api = server.address.to_string().parse().unwrap();
    let worker = Worker::start(api, login, Refresh::Live, TIMING, Box::new(|_| {})).unwrap();
    (server, worker)
}

fn told(worker: &mut Worker) -> (Topic, Told) {
    next(worker, |update| match update {
        Update::Portfolio { topic, outcome } => Some((topic, outcome.unwrap())),
        _ => None,
    })
}

fn done(worker: &mut Worker, order: Order) -> Result<Done, Refusal> {
    let number = fastrand::u64(1..);
    assert!(worker.order_portfolio(number, order));
    next(worker, |update| match update {
        Update::PortfolioAnswered { number: of, outcome, .. } if of == number => Some(outcome),
        _ => None,
    })
}

fn own(server: &Server) -> Vec<String> {
    server.asked.all().into_iter().filter(|asked| asked.contains(" /portfolios")).collect()
}

#[test]
fn what_is_shown_is_asked_for_and_again_after_a_change() {
    let (server, mut worker) = start(Some(alert_tests::login("ada")));
    let counted = Counted {
        portfolio: 1,
        currency: Some("BTC".into()),
        method: Some("hifo".into()),
        day: "2026-06-30".parse().ok(),
    };
    let days = Counted { method: None, ..counted.clone() };
    let topics = [
        Topic::List,
        Topic::Balance(counted),
        Topic::Values(days.clone()),
        Topic::Performance(days),
        Topic::Transactions(1, Which { coin: Some("BTC".into()), kind: Some("TRADE"), before: 1 }),
    ];
    worker.account_for(&topics.clone().into());
    let mut seen = BTreeSet::new();
    while seen.len() < topics.len() {
        seen.insert(told(&mut worker).0);
    }
    let mut asked = own(&server);
    asked.sort();
    assert_eq!(
        asked,
        [
            "GET /portfolios",
            "GET /portfolios/1/balance?at=2026-06-30T23%3A59%3A59.999999Z&currency=BTC&method=hifo",
            "GET /portfolios/1/performance?to=2026-06-30&currency=BTC&benchmark=BTC",
            "GET /portfolios/1/transactions?symbol=BTC&type=TRADE&page=2&page_size=25",
            "GET /portfolios/1/values?to=2026-06-30&currency=BTC",
        ]
    );
    worker.account_for(&[Topic::List].into());
    let what = PortfolioRequest { name: Some("play".into()), ..PortfolioRequest::default() };
    let made = done(&mut worker, Order::Make(what.clone())).unwrap();
    assert_eq!(made, Done::Portfolio(Box::new(rows::portfolio(2, "play"))));
    assert_eq!(told(&mut worker).0, Topic::List, "the timing says never by itself");
    assert_eq!(done(&mut worker, Order::Delete(1)), Ok(Done::Deleted));
    assert!(matches!(done(&mut worker, Order::Change(1, what)), Ok(Done::Portfolio(_))));
    let asked = own(&server);
    assert!(asked.contains(&r#"POST /portfolios {"name":"play"}"#.to_owned()), "{asked:?}");
    assert!(asked.contains(&"DELETE /portfolios/1".to_owned()), "{asked:?}");
}

#[test]
fn transactions_are_written_down_changed_refused_and_deleted() {
    let (server, mut worker) = start(Some(alert_tests::login("ada")));
    let of = |symbol: &str| TransactionRequest { symbol: Some(symbol.into()), ..TransactionRequest::default() };
    assert!(matches!(done(&mut worker, Order::Add(1, of("BTC"))), Ok(Done::Transaction(row)) if row.id == 7));
    assert!(matches!(done(&mut worker, Order::Edit(1, 7, of("ETH"))), Ok(Done::Transaction(_))));
    assert_eq!(done(&mut worker, Order::Remove(1, 7)), Ok(Done::Deleted));
    let refusal = done(&mut worker, Order::Add(1, of("NOPE"))).unwrap_err();
    let words = "there is no such coin; allowed: a coin of /symbols";
    assert_eq!((refusal.words.as_str(), refusal.parameter.as_deref()), (words, Some("symbol")));
    assert_eq!(
        own(&server),
        [
            r#"POST /portfolios/1/transactions {"symbol":"BTC"}"#,
            r#"PATCH /portfolios/1/transactions/7 {"symbol":"ETH"}"#,
            "DELETE /portfolios/1/transactions/7",
            r#"POST /portfolios/1/transactions {"symbol":"NOPE"}"#,
        ]
    );
}

#[test]
fn what_is_imported_is_what_was_looked_at_and_a_file_that_is_not_there_is_told() {
    let (server, mut worker) = start(Some(alert_tests::login("ada")));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trades.csv");
    let refusal = done(&mut worker, Order::Preview(1, path.clone())).unwrap_err();
    assert!(refusal.words.starts_with(&format!("{} cannot be read: ", path.display())), "{refusal:?}");
    std::fs::write(&path, "date,symbol").unwrap();
    let previewed = done(&mut worker, Order::Preview(1, path.clone()));
    let Ok(Done::Previewed(row, file)) = previewed else { panic!("{previewed:?}") };
    assert_eq!(row, rows::import(1));
    assert!(!format!("{file:?}").contains("symbol"), "a log is no place for it");
    std::fs::write(&path, "something else").unwrap();
    assert!(worker.order_portfolio(8, Order::Import { portfolio: 1, file, skip_mistakes: true }));
    let progress = next(&mut worker, |update| match update {
        Update::PortfolioImport { number: 8, progress } => Some(progress),
        _ => None,
    });
    assert_eq!((progress.stage.as_str(), progress.done, progress.of), ("writing", 4, Some(9)));
    let imported = next(&mut worker, |update| match update {
        Update::PortfolioAnswered { number: 8, outcome, .. } => Some(outcome),
        _ => None,
    });
    assert_eq!(imported, Ok(Done::Imported(rows::import(1))));
    assert_eq!(
        own(&server),
        [
            "POST /portfolios/1/import?preview=true date,symbol",
            "POST /portfolios/1/import?progress=true&skip_mistakes=true date,symbol",
        ]
    );
    let large = std::fs::File::create(&path).unwrap();
    large.set_len(33 * 1024 * 1024).unwrap();
    let refusal = done(&mut worker, Order::Preview(1, path)).unwrap_err();
    assert!(refusal.words.ends_with("it has more than 32 MB"), "{refusal:?}");
}

#[test]
fn all_transactions_are_written_to_a_file_and_none_in_the_place_of_another() {
    let (_server, mut worker) = start(Some(alert_tests::login("ada")));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("savings.csv");
    let export = |portfolio| Export { what: Wanted::Transactions(portfolio), path: path.clone() };
    let outcome = |worker: &mut Worker| {
        next(worker, |update| match update {
            Update::Exported { outcome, .. } => Some(outcome),
            _ => None,
        })
    };
    assert!(worker.export(export(2)));
    assert!(outcome(&mut worker).unwrap_err().contains("404"));
    assert!(worker.export(export(1)));
    assert_eq!(outcome(&mut worker), Ok((1, Exported::Transactions)));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "date,symbol\n2026-01-02,BTC\n");
    assert!(worker.export(export(1)));
    assert!(outcome(&mut worker).is_err(), "what is there is not written over");
}

#[test]
fn without_an_account_nothing_of_it_is_asked() {
    let (server, mut worker) = start(None);
    worker.account_for(&[Topic::List].into());
    let refusal = done(&mut worker, Order::Delete(1)).unwrap_err();
    assert_eq!(refusal.words, "nobody is logged in");
    assert_eq!(own(&server), Vec::<String>::new());
}
