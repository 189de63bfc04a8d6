//! What the tests of alerts stand on.

use chrono::{DateTime, TimeDelta, Utc};
use database::{
    Client, DatabaseSettings, Pool,
    accounts::{self, Change, Role},
    alerts::{
        Alerts,
        firings::{self, FiringRow},
        rules::{self, About, Definition, Evaluate},
    },
    catalogue,
    ingest::{self, NewPrice, Stored},
    migrate, partitions,
};
use domain::{
    Catalogue, Exchange, Instrument, InstrumentStatus, Interval, Tick, TickSource,
    alert::{Condition, Direction, Frequency},
};
use rust_decimal::Decimal;
use testbed::database::TestDatabase;

/// A database in which binance lists BTCUSDT, and somebody has an account.
pub(crate) struct Bench {
    pub(crate) pool: Pool,
    pub(crate) client: Client,
    pub(crate) alerts: Alerts,
    pub(crate) pair: i32,
    pub(crate) account: i64,
    _database: TestDatabase,
}

/// A minute ago but one, so that nothing is late, and a whole minute.
pub(crate) fn begin() -> DateTime<Utc> {
    static BEGIN: std::sync::LazyLock<DateTime<Utc>> =
        std::sync::LazyLock::new(|| Interval::OneMinute.open_time(Utc::now()));
    *BEGIN
}

pub(crate) fn at(milliseconds: i64) -> DateTime<Utc> {
    begin() + TimeDelta::milliseconds(milliseconds)
}

pub(crate) fn trade(id: i64, price: impl Into<Decimal>, time: DateTime<Utc>) -> Tick {
    Tick {
        ticker: "BTCUSDT".into(),
        trade_id: Some(id),
        price: price.into(),
        quantity: Some(Decimal::ONE),
        taker_side: None,
        exchange_time: Some(time),
        received_at: time,
    }
}

/// A rule that fires once, on the pair of the bench.
pub(crate) fn rule(pair: i32, condition: Condition) -> Definition {
    Definition {
        about: About::Pair(pair),
        condition,
        evaluate: Evaluate::Tick,
        frequency: Frequency::Once,
        hysteresis: Decimal::ZERO,
        tell_late: true,
        expires_at: None,
        note: None,
        channel_ids: None,
    }
}

pub(crate) fn crosses(level: i64, direction: Direction) -> Condition {
    Condition::Crosses { level: level.into(), direction }
}

impl Bench {
    pub(crate) async fn start() -> Self {
        let database = TestDatabase::create(&migrate::fingerprint(), |url| async move {
            let pool = database::connect(&DatabaseSettings::at(url))?;
            let outcome = migrate(&pool).await;
            pool.close();
            outcome
        })
        .await;
        let pool = database::connect(&DatabaseSettings::at(database.url())).unwrap();
        let mut client = pool.get().await.unwrap();
        let instrument = Instrument {
            ticker: "BTCUSDT".into(),
            base: "BTC".into(),
            quote: "USDT".into(),
            status: InstrumentStatus::Trading,
            steps: domain::Steps::default(),
        };
        let exchange = Exchange { name: "binance".into(), country: None };
        let catalogue = Catalogue { exchange, instruments: vec![instrument], taken_at: None, numbers_trades: true };
        catalogue::store(&mut client, &catalogue).await.unwrap();
        let pair = catalogue::ticker_ids(&client, "binance").await.unwrap()["BTCUSDT"];
        for days in -2..2 {
            partitions::create(&client, (begin() + TimeDelta::days(days)).date_naive()).await.unwrap();
        }
        let account = account(&client, "ada").await;
        Self { pool, client, alerts: Alerts::default(), pair, account, _database: database }
    }

    pub(crate) async fn add(&mut self, definition: &Definition) -> i64 {
        rules::add(&mut self.client, self.account, definition).await.unwrap().unwrap()
    }

    /// Makes all rules as if they had been made before the beginning.
    pub(crate) async fn rules_are_old(&self) {
        self.client.execute("UPDATE alert.rule SET updated_at = $1", &[&at(-1)]).await.unwrap();
    }

    pub(crate) async fn store(&mut self, ticks: &[Tick], source: TickSource) -> Stored {
        let alerts = self.alerts.clone();
        self.store_by(&alerts, ticks, source).await
    }

    pub(crate) async fn store_by(&mut self, alerts: &Alerts, ticks: &[Tick], source: TickSource) -> Stored {
        let prices = ticks.iter().map(|tick| NewPrice { ticker_id: self.pair, source, tick }).collect();
        ingest::store(&mut self.client, prices, &[self.pair], false, &alerts.turn()).await.unwrap()
    }

    pub(crate) async fn stream(&mut self, ticks: &[Tick]) -> Stored {
        self.store(ticks, TickSource::Stream).await
    }

    pub(crate) async fn fired(&self) -> Vec<FiringRow> {
        let mut fired = firings::list(&self.client, self.account, None, None, 100_000).await.unwrap();
        fired.reverse();
        fired
    }

    pub(crate) async fn state(&self, rule: i64) -> String {
        rules::find(&self.client, self.account, rule).await.unwrap().unwrap().state
    }
}

pub(crate) async fn account(client: &Client, username: &str) -> i64 {
    let change = Change::Add {
        username: username.to_owned(),
        role: Role::User,
        email: None,
        password_hash: "$argon2id$".to_owned(),
    };
    change.carry_out(client).await.unwrap();
    accounts::find_for_login(client, username).await.unwrap().unwrap().0.id
}
