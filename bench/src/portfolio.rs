//! What a large portfolio costs: 100,000 transactions over five years, taken over from a file, and asked what they were worth.
//!
//! Beside it, what PostgreSQL needs to hand out the same rows, and to add them up: less than that nothing that reads them can take.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use api::{Server, Settings};
use broker::Live;
use chrono::{DateTime, TimeDelta, Utc};
use database::{
    DatabaseSettings,
    accounts::{Change, Role},
};
use process::{Health, Shutdown};
use reqwest::Client;
use serde_json::{Value, json};
use testbed::database::TestDatabase;

/// Transactions.
const TRANSACTIONS: usize = 100_000;
/// Over so many days.
const DAYS: i64 = 1_826;
/// Of so many coins.
const COINS: usize = 20;
/// How often a balance is asked for.
const BALANCES: usize = 50;
/// How often the days are.
const SERIES: usize = 10;
const PASSWORD: &str = "correct horse battery";

/// Twenty coins on two exchanges, with the candles of each day, and what a euro was worth.
const SEED: &str = "
    INSERT INTO exchange (name) VALUES ('binance'), ('kraken');
    INSERT INTO symbol (code, name) VALUES ('USDT', 'tether'), ('USD', 'us-dollar'), ('BTC', 'bitcoin');
    INSERT INTO symbol (code, name) SELECT 'C' || n, 'c' || n FROM generate_series(2, 20) AS n;
    INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status, first_tick_at)
    SELECT 1, code || 'USDT', id, 1, 'trading', now() FROM symbol WHERE code NOT IN ('USD', 'USDT') ORDER BY id;
    INSERT INTO ticker (exchange_id, ticker, base_id, quote_id, status, first_tick_at)
    SELECT 2, code || '/USD', id, 2, 'trading', now() FROM symbol WHERE code <> 'USD' ORDER BY id;
    INSERT INTO candle (open_time, first_time, last_time, first_trade_id, last_trade_id, trades, ticks, ticker_id, width, open, high,
                        low, close, volume, quote_volume, price_sum, square_sum)
    SELECT day, day, day + interval '86399 seconds', 1, 2, 1, 1, ticker.id, '1d', price, price, price, price, 1, price, price, price
    FROM ticker, generate_series(0, 1826) AS ago,
         LATERAL (SELECT date_trunc('day', now(), 'UTC') - ago * interval '1 day' AS day) AS days,
         LATERAL (SELECT CASE WHEN base_id = 1 THEN 1 ELSE round(ticker.base_id * 100 * (2 + sin(ago * 0.01 * base_id))::numeric, 4)
                         END AS price) AS prices;
    INSERT INTO fiat_rate (base, quote, day, rate, source)
    SELECT 'EUR', 'USD', (now() AT TIME ZONE 'UTC')::date - ago, round((1.1 + 0.1 * sin(ago * 0.01))::numeric, 4), 'bench'
    FROM generate_series(0, 1826) AS ago;
    ANALYZE";

/// Measures, and prints times and ratios.
pub(crate) async fn measure() -> anyhow::Result<()> {
    let database = TestDatabase::empty().await;
    let pool = database::connect(&DatabaseSettings::at(database.url()))?;
    database::migrate(&pool).await?;
    let client = pool.get().await?;
    client.batch_execute(SEED).await?;
    let password_hash = api::password::hash(PASSWORD).map_err(anyhow::Error::msg)?;
    let add = Change::Add { username: "ada".to_owned(), role: Role::User, email: None, password_hash };
    add.carry_out(&client).await?;

    let settings = Settings { api_bind: ([127, 0, 0, 1], 0).into(), api_rate_limit: 0, ..Settings::default() };
    let shutdown = Shutdown::new();
    let live = tokio::sync::broadcast::channel(16).0;
    let server = Server::bind(&settings, pool.clone(), Live::local(live), Health::new(), shutdown.clone())?;
    let owner = Owner { http: Client::new(), base: format!("http://{}", server.address()), token: String::new() };
    let serving = tokio::spawn(server.run());
    let owner = owner.logged_in().await?;

    let file = file();
    println!("{TRANSACTIONS} transactions of {COINS} coins over {DAYS} days, a file of {} MB", file.len() / 1_000_000);
    owner.post("/portfolios", json!({"name": "savings"})).await?;
    let begin = Instant::now();
    let taken = owner.import("preview=true", file.clone()).await?;
    println!("{:>9.2} s   tried", begin.elapsed().as_secs_f64());
    ensure!(taken["data"]["read"] == TRANSACTIONS && taken["data"]["mistakes"] == 0, "{taken}");
    let begin = Instant::now();
    let taken = owner.import("", file).await?;
    println!("{:>9.2} s   taken over (aim: 10 s)", begin.elapsed().as_secs_f64());
    ensure!(taken["data"]["added"] == TRANSACTIONS, "{taken}");

    let rows = "SELECT id, at, symbol, type, order_type, volume, price, value, currency, fee, fee_currency, source, source_id, note
                FROM portfolio.transaction";
    let reading = middle(5, async || Ok(client.query(rows, &[]).await.map(drop)?)).await?;
    println!("{:>9.1} ms  PostgreSQL hands all of them out", milliseconds(reading));
    let sums = "SELECT symbol, sum(CASE order_type WHEN 'BUY' THEN volume ELSE -volume END), sum(value) FROM portfolio.transaction GROUP BY 1";
    let adding = middle(5, async || Ok(client.query(sums, &[]).await.map(drop)?)).await?;
    println!("{:>9.1} ms  PostgreSQL adds them up", milliseconds(adding));

    let begin = Instant::now();
    let balance = owner.get("/portfolios/1/balance").await?;
    println!("{:>9.1} ms  the first balance, which reads them", milliseconds(begin.elapsed()));
    ensure!(balance["data"]["positions"].as_array().is_some_and(|rows| rows.len() == COINS), "{balance}");
    let mut random = fastrand::Rng::with_seed(7);
    let mut times = Vec::new();
    for _ in 0..BALANCES {
        let at = Utc::now() - TimeDelta::minutes(random.i64(0..DAYS * 1_440));
        let begin = Instant::now();
        owner.get(&format!("/portfolios/1/balance?at={}", at.timestamp())).await?;
        times.push(begin.elapsed());
    }
    times.sort_unstable();
    let (median, p95) = (times[BALANCES / 2], times[BALANCES * 95 / 100]);
    println!(
        "{:>9.1} ms  a balance as of any moment, p95 {:.1} ms (aim: 50 ms); {:.1} times adding up",
        milliseconds(median),
        milliseconds(p95),
        median.as_secs_f64() / adding.as_secs_f64()
    );
    let values = middle(SERIES, async || owner.get("/portfolios/1/values").await.map(drop)).await?;
    println!("{:>9.1} ms  the value of every day (aim: 500 ms)", milliseconds(values));
    let earned = middle(SERIES, async || owner.get("/portfolios/1/performance?benchmark=BTC").await.map(drop)).await?;
    println!("{:>9.1} ms  what was earned", milliseconds(earned));
    shutdown.cancel();
    serving.await??;
    Ok(())
}

/// Whoever asks.
struct Owner {
    http: Client,
    base: String,
    token: String,
}

impl Owner {
    async fn logged_in(self) -> anyhow::Result<Self> {
        let answer = self.post("/api/token", json!({"username": "ada", "password": PASSWORD})).await?;
        let token = answer["access"].as_str().context("no token")?.to_owned();
        Ok(Self { token, ..self })
    }

    async fn answer(&self, request: reqwest::RequestBuilder) -> anyhow::Result<Value> {
        let request = if self.token.is_empty() { request } else { request.bearer_auth(&self.token) };
        let response = request.send().await?;
        let status = response.status();
        let text = response.text().await?;
        ensure!(status.is_success(), "{status}: {text}");
        Ok(serde_json::from_str(&text)?)
    }

    async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.answer(self.http.get(format!("{}{path}", self.base))).await
    }

    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        let request = self.http.post(format!("{}{path}", self.base)).header("content-type", "application/json");
        self.answer(request.body(body.to_string())).await
    }

    async fn import(&self, query: &str, file: String) -> anyhow::Result<Value> {
        let url = format!("{}/portfolios/1/import?{query}", self.base);
        self.answer(self.http.post(url).header("content-type", "text/csv").body(file)).await
    }
}

/// Transactions of all coins, a third of them sales, a fifth of them in euros.
fn file() -> String {
    let mut random = fastrand::Rng::with_seed(5);
    let mut text = "date,type,order_type,symbol,volume,value,currency,fee,source,source_id\n".to_owned();
    let begin: DateTime<Utc> = Utc::now() - TimeDelta::days(DAYS);
    for number in 0..TRANSACTIONS {
        let at = begin + TimeDelta::seconds(DAYS * 86_400 / TRANSACTIONS as i64 * number as i64);
        let order = if random.u8(..3) == 0 { "SELL" } else { "BUY" };
        let coin = match random.usize(1..=COINS) {
            1 => "BTC".to_owned(),
            other => format!("C{other}"),
        };
        let (volume, value) = (random.u32(1..1_000_000), random.u32(1..100_000_000));
        let currency = if random.u8(..5) == 0 { "EUR" } else { "USDT" };
        let at = at.format("%Y-%m-%d %H:%M:%S");
        text.push_str(&format!(
            "{at},TRADE,{order},{coin},{}.{:06},{}.{:02},{currency},0.1,bench,{number}\n",
            volume / 1_000_000,
            volume % 1_000_000,
            value / 100,
            value % 100
        ));
    }
    text
}

async fn middle(times: usize, run: impl AsyncFn() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let mut taken = Vec::new();
    for _ in 0..times {
        let begin = Instant::now();
        run().await?;
        taken.push(begin.elapsed());
    }
    taken.sort_unstable();
    Ok(taken[taken.len() / 2])
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
