//! The pipeline as it runs: frames read and inspected, batched, put in the queue on disk, published and confirmed,
//! taken from RabbitMQ, stored with candles, committed, acknowledged.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use broker::{LocalQueue, LocalQueueSettings, Message, Publisher, Source};
use chrono::Utc;
use domain::TickSource;
use process::{Health, Shutdown};
use tempfile::TempDir;
use tokio::sync::mpsc;
use tracker::{
    exchange::{Found, Reader},
    gaps::Ledger,
    inspect::Inspector,
    publish::{Batcher, CHANNEL, Passed},
};

use crate::{Rate, Servers, market};

/// Everything between a frame and its row.
struct Pipeline {
    servers: Servers,
    reader: Box<dyn Reader>,
    found: Found,
    inspector: Arc<Inspector>,
    ticks: mpsc::Sender<Passed>,
    stop: Shutdown,
    tasks: tokio::task::JoinSet<()>,
    _folder: TempDir,
}

impl Pipeline {
    async fn start() -> anyhow::Result<Self> {
        let servers = Servers::prepare().await?;
        // Beside the project: a folder for temporary files may be in memory, where syncing costs nothing.
        let folder = tempfile::tempdir_in(".")?;
        let queue = LocalQueue::open(LocalQueueSettings::at(folder.path().join("queue.redb"))).await?;
        let publisher = Publisher::new(queue);
        let stop = Shutdown::new();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(broker::forward(publisher.clone(), servers.rabbitmq.clone(), stop.clone(), |_| ()));
        let source = Source::RabbitMq(servers.rabbitmq.clone());
        let handling =
            db_handler::run(db_handler::Settings::default(), source, servers.pool.clone(), Health::new(), stop.clone());
        tasks.spawn(async { drop(handling.await) });
        publisher.publish(Message::Catalogue(market::catalogue())).await?;
        let (ticks, received) = mpsc::channel(CHANNEL);
        let ledger = Some(Ledger::new("bench".into(), false, &[]));
        let linger = Duration::from_millis(3);
        let batcher = Batcher { exchange: "bench".into(), publisher, ledger, batch_ticks: 500, linger };
        tasks.spawn(async { drop(batcher.run(received).await) });
        let tickers = (0..market::SYMBOLS).map(|number| market::ticker(number).into());
        let inspector = Arc::new(Inspector::new("bench".into(), tickers));
        let (reader, found) = (market::reader()?, Found::default());
        let pipeline = Self { servers, reader, found, inspector, ticks, stop, tasks, _folder: folder };
        // Warm: the catalogue is stored, connections and statements stand.
        pipeline.wait_for("SELECT count(*) FROM ticker", market::SYMBOLS as i64).await?;
        Ok(pipeline)
    }

    /// Has so many rules watch the market: most of them wait for prices that do not come; of a thousand one fires once, one each time after
    /// a rest, and ten wait for moves.
    async fn add_rules(&self, rules: usize) -> anyhow::Result<()> {
        const ADD: &str = "
            WITH owner AS (
                INSERT INTO secret.account (username, password_hash) VALUES ('bench', '') RETURNING id
            ), pair AS (
                SELECT id, row_number() OVER (ORDER BY id) - 1 AS place, count(*) OVER () AS pairs FROM ticker
            )
            INSERT INTO alert.rule (account_id, ticker_id, kind, direction, level, change, unit, window_minutes, frequency)
            SELECT owner.id, pair.id,
                   CASE WHEN number % 100 = 0 THEN 'moves' ELSE 'crosses' END, 'either',
                   CASE WHEN number % 100 = 0 THEN NULL
                        WHEN number % 1000 IN (1, 2) THEN 60000 + number / 1000 % 4000
                        WHEN number % 2 = 0 THEN 30000 + number % 29990
                        ELSE 64010 + number % 50000 END,
                   CASE WHEN number % 100 = 0 THEN 10 + number % 90 END, CASE WHEN number % 100 = 0 THEN 'percent' END,
                   CASE WHEN number % 100 = 0 THEN 60 END,
                   CASE WHEN number % 1000 = 2 THEN 'every_time' ELSE 'once' END
            FROM generate_series(1, $1) AS number JOIN pair ON pair.place = (number / 1000 + number) % pair.pairs CROSS JOIN owner";
        let client = self.servers.pool.get().await?;
        client.execute(ADD, &[&i32::try_from(rules)?]).await.context("making rules")?;
        client.batch_execute("VACUUM ANALYZE alert.rule, alert.watch").await.context("making rules")?;
        Ok(())
    }

    /// What a session does with a frame.
    async fn receive(&mut self, frame: &str) -> anyhow::Result<()> {
        self.reader.read(frame, Utc::now(), &mut self.found)?;
        for tick in self.found.ticks.drain(..) {
            if self.inspector.passes(&tick) {
                self.ticks.send(Passed { source: TickSource::Stream, tick, losses: Some(0) }).await?;
            }
        }
        Ok(())
    }

    async fn wait_for(&self, count: &str, expected: i64) -> anyhow::Result<()> {
        let client = self.servers.pool.get().await?;
        for _ in 0..60_000 {
            let found: i64 = client.query_one(count, &[]).await?.get(0);
            if found == expected {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        anyhow::bail!("{count} did not become {expected}")
    }

    /// Every tick stored once, and folded once.
    async fn check(&self, ticks: usize) -> anyhow::Result<()> {
        let client = self.servers.pool.get().await?;
        let row = client
            .query_one(
                "SELECT (SELECT count(*) FROM price), (SELECT sum(trades)::bigint FROM candle WHERE width = '1m')",
                &[],
            )
            .await?;
        let (stored, folded) = (row.get::<_, i64>(0) as usize, row.get::<_, i64>(1) as usize);
        anyhow::ensure!(stored == ticks && folded == ticks, "{stored} stored and {folded} folded of {ticks}");
        Ok(())
    }

    async fn stop(mut self) {
        self.stop.cancel();
        drop(self.ticks);
        while self.tasks.join_next().await.is_some() {}
        self.servers.pool.close();
        drop((self.servers.host, self.servers.database));
    }
}

/// As fast as it goes, watched by so many rules.
pub(crate) async fn saturated(frames: &[String], rules: usize) -> anyhow::Result<Rate> {
    let mut pipeline = Pipeline::start().await?;
    if rules > 0 {
        pipeline.add_rules(rules).await?;
    }
    // Warm: rules are read when the first price of their pair comes.
    let (first, rest) = frames.split_at(frames.len().min(10 * market::SYMBOLS));
    for frame in first {
        pipeline.receive(frame).await?;
    }
    pipeline
        .wait_for("SELECT coalesce(sum(trades), 0)::bigint FROM candle WHERE width = '1m'", first.len() as i64)
        .await?;
    let begin = Instant::now();
    for frame in rest {
        pipeline.receive(frame).await?;
    }
    // Counting rows would cost what it measures: the newest candles know how many ticks were stored.
    pipeline
        .wait_for("SELECT coalesce(sum(trades), 0)::bigint FROM candle WHERE width = '1m'", frames.len() as i64)
        .await?;
    let rate = rest.len() as f64 / begin.elapsed().as_secs_f64();
    pipeline.check(frames.len()).await?;
    pipeline.stop().await;
    Ok(rate)
}

/// How long ticks take from their arrival to their commit.
pub(crate) struct Latency {
    pub(crate) median_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) longest_ms: f64,
    pub(crate) ticks: usize,
}

const LATENCY: &str = "
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY took), percentile_cont(0.99) WITHIN GROUP (ORDER BY took), max(took)
    FROM (SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - received_at)::float8 * 1000 AS took
          FROM price WHERE received_at > (SELECT min(received_at) FROM price) + interval '2 seconds') AS ticks";

/// At a steady pace.
pub(crate) async fn latency(rate: u64, seconds: u64) -> anyhow::Result<Latency> {
    let mut pipeline = Pipeline::start().await?;
    let total = rate * seconds;
    let mut random = fastrand::Rng::with_seed(11);
    let begin = Instant::now();
    let mut sent = 0;
    while sent < total {
        let due = ((begin.elapsed().as_secs_f64() * rate as f64) as u64).min(total);
        while sent < due {
            pipeline.receive(&market::frame(sent as usize, Utc::now(), &mut random)).await?;
            sent += 1;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    pipeline.wait_for("SELECT coalesce(sum(trades), 0)::bigint FROM candle WHERE width = '1m'", total as i64).await?;
    pipeline.check(total as usize).await?;
    let client = pipeline.servers.pool.get().await?;
    let row = client.query_one(LATENCY, &[]).await.context("asking for latencies")?;
    let latency = Latency { median_ms: row.get(0), p99_ms: row.get(1), longest_ms: row.get(2), ticks: total as usize };
    drop(client);
    pipeline.stop().await;
    Ok(latency)
}
