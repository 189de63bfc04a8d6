//! The account's part of the worker, against the real API over a real database.

use std::time::Instant;

use api_types::{
    alerts::{AlertRequest, AlertRow, Amount, FiringRow},
    portfolios::{PortfolioRequest, TransactionRequest},
};
use broker::Live;
use database::{
    DatabaseSettings, Pool,
    accounts::{Change, Role},
    alerts::Alerts,
    ingest::{self, NewPrice},
};
use domain::{Tick, TickSource};
use process::{Health, Shutdown};
use testbed::database::TestDatabase;

use super::{
    portfolio::{Counted, Told, Topic, Which},
    tests::TIMING,
    *,
};
use crate::{
    client::{Secret, Standing},
    state::{Connection, Done, Refusal},
};

const PASSWORD: &str = "correct horse battery";
const BTCUSDT: i32 = 1;
const CATALOGUE: &str = "
    INSERT INTO exchange (name) VALUES ('binance');
    INSERT INTO symbol (code, name) VALUES ('BTC', 'bitcoin'), ('USDT', 'tether');
    INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status, first_tick_at) VALUES
        (1, 'BTCUSDT', 1, 2, 'trading', now());
    SELECT create_price_partition((now() AT TIME ZONE 'utc')::date + day) FROM generate_series(-1, 1) AS day;";

/// The API, with an account.
struct Api {
    runtime: runtime::Runtime,
    address: ApiAddress,
    pool: Pool,
    _live: tokio::sync::broadcast::Sender<Arc<broker::Message>>,
    _database: TestDatabase,
}

impl Api {
    fn start(requires_auth: bool) -> Self {
        let runtime = runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (address, pool, live, database) = runtime.block_on(async {
            process::telemetry::metrics_handle();
            process::tls::install();
            let database = TestDatabase::create(&database::migrate::fingerprint(), async |url| {
                let pool = database::connect(&DatabaseSettings::at(url))?;
                database::migrate(&pool).await?;
                pool.close();
                anyhow::Ok(())
            })
            .await;
            let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
            let client = pool.get().await.unwrap();
            client.batch_execute(CATALOGUE).await.unwrap();
            let password_hash = api::password::hash(PASSWORD).unwrap();
            let add = Change::Add { username: "ada".into(), role: Role::User, email: None, password_hash };
            add.carry_out(&client).await.unwrap();
            let live = tokio::sync::broadcast::channel(16).0;
            let settings = api::Settings {
                api_bind: "127.0.0.1:0".parse().unwrap(),
                api_require_auth: requires_auth,
                ..api::Settings::default()
            };
            let feed = Live::local(live.clone());
            let server = api::Server::bind(&settings, pool.clone(), feed, Health::new(), Shutdown::new()).unwrap();
            let address = server.address().to_string().parse().unwrap();
            tokio::spawn(server.run());
            (address, pool, live, database)
        });
        Self { runtime, address, pool, _live: live, _database: database }
    }

    fn sql(&self, sql: &str) {
        self.runtime.block_on(async { self.pool.get().await.unwrap().batch_execute(sql).await.unwrap() });
    }

    /// Stores a trade at this price, so many seconds ago.
    fn trade(&self, trade_id: i64, price: &str, seconds_ago: i64) {
        let time = Utc::now() - chrono::TimeDelta::seconds(seconds_ago);
        let tick = Tick {
            ticker: "BTCUSDT".into(),
            trade_id: Some(trade_id),
            price: price.parse().unwrap(),
            quantity: Some(1.into()),
            taker_side: None,
            exchange_time: Some(time),
            received_at: time,
        };
        self.runtime.block_on(async {
            let mut client = self.pool.get().await.unwrap();
            let price = NewPrice { ticker_id: BTCUSDT, source: TickSource::Stream, tick: &tick };
            ingest::store(&mut client, vec![price], &[], false, &Alerts::default().turn()).await.unwrap();
        });
    }

    fn worker(&self, login: Option<Login>) -> Worker {
        Worker::start(self.address.clone(), login, Refresh::Live, TIMING, Box::new(|_| {})).unwrap()
    }
}

/// The next update of the kind that is looked for.
fn next<T>(worker: &mut Worker, wanted: impl Fn(Update) -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        assert!(started.elapsed() < Duration::from_secs(30), "it does not come");
        if let Some(found) = wanted(worker.wait_for_update().expect("the worker ended")) {
            return found;
        }
    }
}

fn log_in(worker: &mut Worker, password: &str) {
    let password = Secret::new(password.to_owned());
    assert!(worker.log(SessionOrder::LogIn { username: " Ada ".into(), password, stays: true }));
}

fn standing(worker: &mut Worker, wanted: impl Fn(&Standing) -> bool) -> Standing {
    next(worker, |update| match update {
        Update::Account(standing) if wanted(&standing) => Some(standing),
        _ => None,
    })
}

fn logged_in(worker: &mut Worker) -> Login {
    log_in(worker, PASSWORD);
    standing(worker, |standing| standing.login.is_some()).login.unwrap()
}

fn answer(worker: &mut Worker, order: Order) -> Result<Done, Refusal> {
    let number = fastrand::u64(1..);
    assert!(worker.order(number, order));
    next(worker, |update| match update {
        Update::Answered { number: of, outcome, .. } if of == number => Some(outcome),
        _ => None,
    })
}

fn made(worker: &mut Worker, level: &str) -> AlertRow {
    match answer(worker, Order::Make(crosses(level))) {
        Ok(Done::Rule(rule)) => *rule,
        other => panic!("{other:?}"),
    }
}

fn firings(worker: &mut Worker) -> (Vec<FiringRow>, bool) {
    next(worker, |update| match update {
        Update::Firings { rows, are_news } => Some((rows, are_news)),
        _ => None,
    })
}

fn crosses(level: &str) -> AlertRequest {
    AlertRequest {
        kind: Some("crosses".into()),
        exchange: Some("binance".into()),
        ticker: Some("BTCUSDT".into()),
        level: Some(Amount(level.parse().unwrap())),
        frequency: Some("every_time".into()),
        cooldown_seconds: Some(1),
        ..AlertRequest::default()
    }
}

#[test]
fn who_logs_in_is_told_and_who_writes_a_wrong_password_is_told_why_not() {
    let api = Api::start(false);
    let mut worker = api.worker(None);
    assert_eq!(standing(&mut worker, |_| true), Standing::default());
    log_in(&mut worker, "wrong horse battery");
    let words = next(&mut worker, |update| match update {
        Update::LogInFailed(words) => Some(words),
        _ => None,
    });
    assert!(words.contains("password") && !words.contains("horse"), "{words}");
    let refusal = answer(&mut worker, Order::Delete(1)).unwrap_err();
    assert_eq!(refusal.words, "nobody is logged in");
    let login = logged_in(&mut worker);
    assert_eq!((login.username.as_str(), login.stays), ("ada", true));
    assert!(worker.log(SessionOrder::LogOut));
    assert_eq!(standing(&mut worker, |standing| standing.login.is_none()), Standing::default());
    // The API has heard of it: with that token nobody goes on.
    let mut later = api.worker(Some(login));
    standing(&mut later, |standing| standing.has_ended && standing.login.is_none());
}

#[test]
fn rules_are_made_changed_tried_refused_and_deleted() {
    let api = Api::start(false);
    for (trade, price) in [(1, "64000"), (2, "64400"), (3, "64000")] {
        api.trade(trade, price, 30 - trade);
    }
    let mut worker = api.worker(None);
    logged_in(&mut worker);
    let listed = |worker: &mut Worker| {
        next(worker, |update| match update {
            Update::Rules(outcome) => Some(outcome.unwrap()),
            _ => None,
        })
    };
    assert_eq!(listed(&mut worker), []);
    let Ok(Done::Tried(preview)) = answer(&mut worker, Order::Try(crosses("64300"))) else { panic!("not tried") };
    assert_eq!((preview.count, preview.firings.len(), preview.resolution.as_str()), (2, 2, "tick"));
    let rule = made(&mut worker, "64300");
    assert_eq!(listed(&mut worker), std::slice::from_ref(&rule));
    let pause = AlertRequest { status: Some("paused".into()), ..AlertRequest::default() };
    let Ok(Done::Rule(paused)) = answer(&mut worker, Order::Change(rule.id, pause)) else { panic!("not paused") };
    assert_eq!(paused.status, "paused");
    let refused = answer(&mut worker, Order::Make(AlertRequest { bar: Some("3d".into()), ..crosses("1") }));
    let refusal = refused.unwrap_err();
    assert_eq!(refusal.parameter.as_deref(), Some("bar"), "{refusal:?}");
    assert!(refusal.words.contains("; allowed: 1m, 5m"), "{refusal:?}");
    assert_eq!(answer(&mut worker, Order::Delete(rule.id)), Ok(Done::Deleted));
    assert_eq!(listed(&mut worker), []);
    assert_eq!(answer(&mut worker, Order::Delete(rule.id)).unwrap_err().parameter.as_deref(), Some("id"));
}

#[test]
fn a_portfolio_is_valued_at_recorded_prices_now_and_as_of_a_day() {
    let api = Api::start(false);
    api.trade(1, "64000", 10);
    let mut worker = api.worker(None);
    logged_in(&mut worker);
    let done = |worker: &mut Worker, number: u64, order| {
        assert!(worker.order_portfolio(number, order));
        next(worker, |update| match update {
            Update::PortfolioAnswered { number: of, outcome, .. } if of == number => Some(outcome),
            _ => None,
        })
    };
    let savings = PortfolioRequest { name: Some("savings".into()), ..PortfolioRequest::default() };
    let Ok(portfolio::Done::Portfolio(made)) = done(&mut worker, 1, portfolio::Order::Make(savings)) else {
        panic!("not made")
    };
    let buy = TransactionRequest {
        order_type: Some("BUY".into()),
        symbol: Some("BTC".into()),
        volume: Some(Amount("0.5".parse().unwrap())),
        value: Some(Some(Amount("30000".parse().unwrap()))),
        ..TransactionRequest::default()
    };
    let worthless = TransactionRequest { volume: Some(Amount(0.into())), ..buy.clone() };
    assert!(done(&mut worker, 2, portfolio::Order::Add(made.id, buy)).is_ok());
    let refusal = done(&mut worker, 3, portfolio::Order::Add(made.id, worthless)).unwrap_err();
    assert_eq!(refusal.parameter.as_deref(), Some("volume"), "{refusal:?}");
    let now = Counted { portfolio: made.id, currency: Some("USDT".into()), method: Some("lifo".into()), day: None };
    let past = Counted { day: "2020-06-30".parse().ok(), ..now.clone() };
    let topics = [
        Topic::Balance(now.clone()),
        Topic::Balance(past.clone()),
        Topic::Values(now.clone()),
        Topic::Performance(now.clone()),
        Topic::Transactions(made.id, Which::default()),
    ];
    worker.account_for(&topics.clone().into());
    let mut told = std::collections::BTreeMap::new();
    while told.len() < topics.len() {
        let (topic, answer) = next(&mut worker, |update| match update {
            Update::Portfolio { topic, outcome } => Some((topic, outcome.unwrap())),
            _ => None,
        });
        told.insert(topic, answer);
    }
    let Told::Balance(balance) = &told[&Topic::Balance(now)] else { panic!("{told:?}") };
    assert_eq!((balance.converted_value, balance.method.as_str()), (32_000.into(), "lifo"));
    let Told::Balance(balance) = &told[&Topic::Balance(past)] else { panic!("{told:?}") };
    assert_eq!((balance.positions.len(), balance.at.to_string().as_str()), (0, "2020-06-30 23:59:59.999999 UTC"));
    let Told::Transactions(page) = &told[&Topic::Transactions(made.id, Which::default())] else { panic!("{told:?}") };
    assert_eq!((page.count, page.results[0].symbol.as_str()), (1, "BTC"));
}

#[test]
fn what_fires_arrives_and_what_fired_before_is_no_news() {
    let api = Api::start(false);
    let mut first = api.worker(None);
    logged_in(&mut first);
    let rule = made(&mut first, "64300");
    api.trade(1, "64000", 10);
    api.trade(2, "64301", 8);
    let (rows, _) = firings(&mut first);
    assert_eq!((rows[0].alert, rows[0].price, rows[0].late), (rule.id, Some("64301".parse().unwrap()), false));
    let mut second = api.worker(None);
    logged_in(&mut second);
    let (rows, are_news) = firings(&mut second);
    assert_eq!((rows.len(), are_news), (1, false));
    api.trade(3, "64000", 2);
    let (rows, are_news) = firings(&mut second);
    assert_eq!((rows.len(), are_news), (1, true));
    assert!(rows[0].said.contains("fell through 64300"), "{}", rows[0].said);
    // More at once than are asked for at once.
    api.sql(
        "INSERT INTO alert.firing (rule_id, happened_at, said)
         SELECT rule_id, now() + number * interval '1 s', 'again'
         FROM alert.firing, generate_series(1, 45) AS number WHERE id = 1",
    );
    let mut rest = 45;
    while rest > 0 {
        let (rows, _) = firings(&mut second);
        assert!(rows.is_sorted_by(|a, b| a.id > b.id));
        rest -= rows.len();
    }
}

#[test]
fn a_token_that_is_over_is_renewed_and_a_session_that_is_over_is_told() {
    let api = Api::start(false);
    let mut worker = api.worker(None);
    let login = logged_in(&mut worker);
    made(&mut worker, "64300");
    api.sql("UPDATE secret.access_token SET expires_at = now()");
    made(&mut worker, "64400");
    // A later run goes on with it.
    drop(worker);
    let mut worker = api.worker(Some(login.clone()));
    assert_eq!(standing(&mut worker, |_| true).login, Some(login));
    made(&mut worker, "64500");
    api.sql("UPDATE secret.session SET expires_at = now(); UPDATE secret.access_token SET expires_at = now()");
    let ended = standing(&mut worker, |standing| standing.login.is_none());
    assert_eq!(ended, Standing { has_ended: true, ..Standing::default() });
    assert_eq!(answer(&mut worker, Order::Delete(1)).unwrap_err().words, "nobody is logged in");
}

#[test]
fn an_api_for_accounts_only_is_not_an_error_but_asks_for_the_log_in() {
    let api = Api::start(true);
    api.trade(1, "64000", 1);
    let mut worker = api.worker(None);
    let failed = |update: &Update| {
        matches!(
            update,
            Update::Prices(Err(_)) | Update::Feeds(Err(_)) | Update::Holes(Err(_)) | Update::Sparklines(Err(_))
        ) || matches!(update, Update::Connection(connection) if connection.is_away())
    };
    next(&mut worker, |update| {
        assert!(!failed(&update), "{update:?}");
        matches!(update, Update::Account(standing) if standing.is_needed).then_some(())
    });
    log_in(&mut worker, PASSWORD);
    let (mut prices, mut is_live) = (0, false);
    while prices == 0 || !is_live {
        let update = worker.wait_for_update().unwrap();
        assert!(!failed(&update), "{update:?}");
        match update {
            Update::Prices(Ok(rows)) => prices = rows.len(),
            Update::Connection(Connection::Connected) => is_live = true,
            _ => {}
        }
    }
    // Nothing is asked in vain after the log-out, and all goes on with the next log-in.
    assert!(worker.log(SessionOrder::LogOut));
    standing(&mut worker, |standing| standing.login.is_none());
    log_in(&mut worker, PASSWORD);
    next(&mut worker, |update| {
        assert!(!failed(&update), "{update:?}");
        matches!(update, Update::Connection(Connection::Connected)).then_some(())
    });
}
