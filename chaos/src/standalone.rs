//! `crypto-tracker` killed, with the database and the queue that live in its process.
//!
//! It follows the same exchange as the services, by Binance's protocol, with a folder of its own, and is compared by itself.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use testbed::servers::lasting_port;
use tokio::time::sleep;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::{
    Fault, Protocol, Stage, Verdict,
    record::{Begin, Comparison, Trade, wrong_candles},
    service::Service,
    verdict::count,
};

/// By which it follows.
const PROTOCOL: Protocol = Protocol::Binance;

/// How long the program may take to start, and to store everything.
const PATIENCE: Duration = Duration::from_secs(120);

/// Starts it, lets it record, kills it, starts it again, and compares.
///
/// # Errors
/// When it does not start or does not answer.
pub async fn try_kill(stage: &mut Stage) -> anyhow::Result<Verdict> {
    let folder = tempfile::tempdir()?;
    let (sql, api) = (lasting_port()?, lasting_port()?);
    let exchange = stage.to_exchange.address();
    let mut settings = vec![
        ("HOME", folder.path().display().to_string()),
        ("HEADLESS", "true".to_owned()),
        ("DATA_FOLDER", folder.path().join("data").display().to_string()),
        ("SQL_BIND", format!("127.0.0.1:{sql}")),
        ("API_BIND", format!("127.0.0.1:{api}")),
        ("TRACKER_SYMBOLS", stage.exchange.tickers().join(",")),
    ];
    settings.extend(PROTOCOL.settings(exchange));
    let mut program = Service::start("crypto-tracker", 1, settings, stage.logs())?;
    let door = Door(sql);
    door.stored_after("every pair is recorded", &stage.exchange.tickers(), -1).await?;
    let begin = Begin::now(&stage.exchange);
    sleep(Duration::from_secs(3)).await;
    program.kill();
    sleep(Duration::from_secs(3)).await;
    program.start_again()?;
    let mended = Instant::now();
    let first = stage.exchange.tickers().into_iter().take(1).collect::<Vec<_>>();
    let newest = first.iter().filter_map(|ticker| stage.exchange.published(ticker).pop()).map(|trade| trade.id).max();
    door.stored_after("it records again", &first, newest.unwrap_or_default()).await?;
    let recovered = Some(mended.elapsed());
    stage.exchange.pause();
    let verdict = door.compare(stage, &begin).await;
    stage.exchange.resume();
    Ok(Verdict { recovered, ..verdict? })
}

/// Where the program answers questions in SQL.
struct Door(u16);

impl Door {
    async fn client(&self) -> anyhow::Result<Client> {
        let url = format!("postgres://reader@127.0.0.1:{}/postgres", self.0);
        let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }

    async fn ask(&self, query: &str) -> anyhow::Result<Vec<Vec<String>>> {
        let answers = self.client().await?.simple_query(query).await?;
        let cells = |message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned()).collect())
            }
            _ => None,
        };
        Ok(answers.into_iter().filter_map(cells).collect())
    }

    async fn number(&self, query: &str) -> anyhow::Result<i64> {
        let rows = self.ask(query).await?;
        Ok(rows.first().and_then(|row| row.first()).context("no answer")?.parse()?)
    }

    /// Waits until a trade of each of these pairs is stored that came live and has a higher number.
    async fn stored_after(&self, what: &str, tickers: &[String], id: i64) -> anyhow::Result<()> {
        let names = tickers.iter().map(|ticker| format!("'{ticker}'")).collect::<Vec<_>>().join(",");
        let query = format!(
            "SELECT count(DISTINCT ticker) FROM prices WHERE ticker IN ({names}) AND trade_id > {id} AND source = 'stream'"
        );
        let begin = Instant::now();
        while self.number(&query).await.unwrap_or(0) < tickers.len() as i64 {
            anyhow::ensure!(begin.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
            sleep(Duration::from_millis(100)).await;
        }
        Ok(())
    }

    async fn compare(&self, stage: &Stage, begin: &Begin) -> anyhow::Result<Verdict> {
        let published = begin.published(&stage.exchange, PROTOCOL);
        let count = count(&published);
        let conditions = published.iter().filter_map(|(ticker, trades)| {
            let first = trades.keys().min()?;
            Some(format!("(ticker = '{ticker}' AND trade_id >= {first})"))
        });
        let conditions = conditions.collect::<Vec<_>>().join(" OR ");
        let counted = format!("SELECT count(*) FROM prices WHERE {conditions}");
        let open = "SELECT count(*) FROM gap WHERE state IN ('open', 'filling')";
        let waiting = Instant::now();
        while self.number(&counted).await? < count as i64 || self.number(open).await? > 0 {
            if waiting.elapsed() > PATIENCE {
                break;
            }
            sleep(Duration::from_millis(200)).await;
        }
        let query = format!(
            "SELECT ticker, trade_id, price, quantity, taker_side, (extract(epoch FROM time) * 1000000)::bigint
             FROM prices WHERE {conditions}"
        );
        let rows = self.ask(&query).await?;
        let row = |row: Vec<String>| {
            let [ticker, id, price, quantity, side, micros] = <[String; 6]>::try_from(row).ok()?;
            let time = chrono::DateTime::from_timestamp_micros(micros.parse().ok()?)?;
            let trade: Trade = (price.parse().ok()?, quantity.parse().ok()?, side == "sell", time);
            Some((ticker, id.parse().ok()?, trade))
        };
        let rows = rows.into_iter().map(|cells| row(cells).context("a row that cannot be read"));
        let Comparison { stored, doubled, missing, wrong } =
            Comparison::of(published, rows.collect::<anyhow::Result<Vec<_>>>()?);
        Ok(Verdict {
            fault: Fault::StandaloneKilled,
            protocol: PROTOCOL,
            published: count,
            stored,
            doubled,
            missing,
            wrong,
            candles_wrong: self.number(&wrong_candles(chrono::DateTime::UNIX_EPOCH, PROTOCOL)).await?,
            in_ledger: self.number("SELECT coalesce(sum(last_trade_id - first_trade_id + 1), 0) FROM gap").await?,
            not_filled: self.number("SELECT count(*) FROM gap WHERE state <> 'filled'").await?,
            dead_letters: self.number("SELECT count(*) FROM dead_letter").await?.unsigned_abs(),
            recovered: None,
            struck: true,
        })
    }
}
