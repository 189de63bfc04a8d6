//! How faults are made, and how they are mended.

use std::time::Duration;

use anyhow::Context as _;
use chrono::Utc;
use simulator::Refusal;
use testbed::management;
use tokio::{
    task::block_in_place,
    time::{Instant, sleep},
};

use crate::{Fault, Stage, fault::MAY_NOT_MOUNT, proxy::Network, service};

/// How long something may take to come to the point at which a fault strikes.
const PATIENCE: Duration = Duration::from_secs(60);

impl Fault {
    /// Breaks it.
    ///
    /// # Errors
    /// When it cannot be broken.
    pub async fn strike(self, stage: &mut Stage) -> anyhow::Result<()> {
        match self {
            Self::Nothing => {}
            Self::TrackerKilled => stage.tracker.kill(),
            Self::HandlersKilled => stage.handlers.iter_mut().for_each(service::Service::kill),
            Self::OneHandlerKilled => {
                stage.handlers[0].kill();
                sleep(Duration::from_secs(2)).await;
                stage.handlers[0].start_again()?;
                sleep(Duration::from_secs(2)).await;
                stage.handlers[1].kill();
            }
            Self::NotifiersKilled => stage.notifiers.iter_mut().for_each(service::Service::kill),
            Self::FollowerKilled => stage.keeper.kill(),
            Self::ReceiverUnreachable => stage.to_receiver.set(Network::Cut),
            Self::ReceiverStalled => stage.to_receiver.set(Network::Stalled),
            Self::HandlersKilledMidway => {
                let client = stage.client().await?;
                client.batch_execute("BEGIN; LOCK TABLE candle IN ACCESS EXCLUSIVE MODE").await?;
                stage.holding = Some(client);
                // Prices are copied by then, and folding them waits.
                let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity
                                              WHERE application_name = 'crypto-tracker' AND wait_event_type = 'Lock')";
                until(stage, "one is in the middle of a transaction", waiting).await?;
                stage.handlers.iter_mut().for_each(service::Service::kill);
                stage.holding = None;
            }
            Self::TrackerKilledWithHole => {
                limit(stage, Refusal::TooManyRequests, PATIENCE);
                let open = "SELECT EXISTS (SELECT FROM gap WHERE state IN ('open', 'filling'))";
                until(stage, "a hole is open", open).await?;
                stage.tracker.kill();
            }
            Self::TrackerStopped => stage.tracker.signal("TERM"),
            Self::HandlersStopped => stage.handlers.iter().for_each(|handler| handler.signal("TERM")),
            Self::RabbitMqKilled => block_in_place(|| stage.rabbitmq.crash()),
            Self::PostgresKilled => block_in_place(|| stage.postgres.crash()),
            Self::RabbitMqAlarmed => block_in_place(|| stage.rabbitmq.limit_memory(1))?,
            Self::RabbitMqFrozen => stage.rabbitmq.freeze(),
            Self::PostgresFrozen => signal_postgres(stage, "STOP"),
            Self::TrackerFrozen => stage.tracker.signal("STOP"),
            Self::HandlersFrozen => stage.handlers.iter().for_each(|handler| handler.signal("STOP")),
            Self::ExchangeUnreachable => stage.to_exchange.set(Network::Cut),
            Self::ExchangeStalled => stage.to_exchange.set(Network::Stalled),
            Self::ExchangeHalfClosed => stage.to_exchange.set(Network::HalfClosed),
            Self::ExchangeFar => stage.to_exchange.set(Network::Slow(Duration::from_millis(300))),
            Self::TrackerCutOff => stage.tracker_to_rabbitmq.set(Network::Cut),
            Self::TrackerStalled => stage.tracker_to_rabbitmq.set(Network::Stalled),
            Self::HandlersCutOff => stage.handlers_to_rabbitmq.set(Network::Cut),
            Self::HandlersStalled => stage.handlers_to_rabbitmq.set(Network::Stalled),
            Self::PostgresCutOff => stage.to_postgres.set(Network::Cut),
            Self::PostgresStalled => stage.to_postgres.set(Network::Stalled),
            Self::PostgresHalfClosed => stage.to_postgres.set(Network::HalfClosed),
            Self::PostgresRefuses => {
                ask(stage, "CREATE DATABASE door").await?;
                ask_in(stage, "door", "ALTER DATABASE postgres ALLOW_CONNECTIONS false").await?;
                ask_in(stage, "door", END_SESSIONS).await?;
            }
            Self::PostgresReadOnly => {
                ask(stage, "ALTER DATABASE postgres SET default_transaction_read_only = on").await?;
                ask(stage, END_SESSIONS).await?;
            }
            Self::PostgresDiskFull => stage.database_disk.as_ref().context(MAY_NOT_MOUNT)?.fill()?,
            Self::TrackerDiskFull => {
                let before = stage.tracker.logged(QUEUE_REFUSED)?;
                stage.tracker_to_rabbitmq.set(Network::Cut);
                stage.queue_disk.as_ref().context(MAY_NOT_MOUNT)?.fill()?;
                // The file has room of its own that is used up first.
                let clock = Instant::now();
                while stage.tracker.logged(QUEUE_REFUSED)? == before {
                    anyhow::ensure!(clock.elapsed() < PATIENCE, "the queue goes on although its disk is full");
                    sleep(Duration::from_millis(100)).await;
                }
            }
            Self::PostgresSessionsEnded => {
                let ended = stage.client().await?.query(END_SESSIONS, &[]).await?.len();
                anyhow::ensure!(ended > 0, "there was no session to end");
            }
            Self::ExchangeDisconnects => stage.exchange.inject(simulator::Fault::Disconnect),
            // It ends by being mended, and not before it was looked whether it is seen.
            Self::ExchangeSilent => stage.exchange.inject(simulator::Fault::Silence(2 * self.lasts())),
            Self::ExchangeDoubles => stage.exchange.inject(simulator::Fault::Duplicate(200)),
            Self::ExchangeReorders => stage.exchange.inject(simulator::Fault::Reorder(20)),
            Self::ExchangeClockAhead => {
                stage.exchange.inject(simulator::Fault::ClockAhead(Duration::from_secs(90)));
            }
            Self::ExchangeSkips => stage.exchange.inject(simulator::Fault::Gap(200)),
            Self::ExchangeGarbage => {
                for text in ["", "{", "{\"e\":\"trade\"}", "[[[[", "null", "{\"stream\":\"btcusdt@trade\",\"data\":7}"]
                {
                    stage.exchange.inject(simulator::Fault::Garbage(text.to_owned()));
                }
            }
            Self::ExchangeLimits => limit(stage, Refusal::TooManyRequests, self.lasts()),
            Self::ExchangeBans => limit(stage, Refusal::Banned, self.lasts()),
            Self::ExchangeShutsDown => stage.exchange.inject(simulator::Fault::ServerShutdown),
            Self::Poison => block_in_place(|| poison(stage))?,
            Self::StandaloneKilled => anyhow::bail!("it is tried apart from the others"),
        }
        Ok(())
    }

    /// Mends it.
    ///
    /// # Errors
    /// When it cannot be mended.
    pub async fn mend(self, stage: &mut Stage) -> anyhow::Result<()> {
        match self {
            Self::TrackerKilled | Self::TrackerStopped | Self::TrackerKilledWithHole => stage.tracker.start_again()?,
            Self::HandlersKilled | Self::HandlersStopped | Self::HandlersKilledMidway => {
                for handler in &mut stage.handlers {
                    handler.start_again()?;
                }
            }
            Self::OneHandlerKilled => stage.handlers[1].start_again()?,
            Self::NotifiersKilled => {
                for notifier in &mut stage.notifiers {
                    notifier.start_again()?;
                }
            }
            Self::FollowerKilled => stage.keeper.start_again()?,
            Self::RabbitMqKilled => block_in_place(|| stage.rabbitmq.start_again())?,
            Self::PostgresKilled => block_in_place(|| stage.postgres.start_again())?,
            Self::RabbitMqAlarmed => block_in_place(|| stage.rabbitmq.limit_memory(2_048))?,
            Self::RabbitMqFrozen => stage.rabbitmq.thaw(),
            Self::PostgresFrozen => signal_postgres(stage, "CONT"),
            Self::TrackerFrozen => stage.tracker.signal("CONT"),
            Self::HandlersFrozen => stage.handlers.iter().for_each(|handler| handler.signal("CONT")),
            Self::PostgresRefuses => {
                ask_in(stage, "door", "ALTER DATABASE postgres ALLOW_CONNECTIONS true").await?;
                ask(stage, "DROP DATABASE door WITH (FORCE)").await?;
            }
            Self::PostgresReadOnly => {
                let client = stage.client().await?;
                client.batch_execute("SET default_transaction_read_only = off").await?;
                client.batch_execute("ALTER DATABASE postgres RESET default_transaction_read_only").await?;
                drop(client);
                ask(stage, END_SESSIONS).await?;
            }
            Self::ExchangeClockAhead => {
                stage.exchange.inject(simulator::Fault::Recover);
                // Set back, it dates trades alike until time has caught up with it.
                let dated = |ticker: &String| stage.exchange.published(ticker).last().map(|trade| trade.time);
                let ahead = stage.exchange.tickers().iter().filter_map(dated).max();
                while ahead.is_some_and(|ahead| ahead > Utc::now()) {
                    sleep(Duration::from_millis(100)).await;
                }
            }
            Self::PostgresDiskFull | Self::TrackerDiskFull => {
                for disk in [&stage.database_disk, &stage.queue_disk].into_iter().flatten() {
                    disk.empty()?;
                }
            }
            _ => {}
        }
        // What is left of trades to be withheld, doubled or refused is not the next fault's.
        stage.exchange.inject(simulator::Fault::Recover);
        let brokers = [&stage.tracker_to_rabbitmq, &stage.handlers_to_rabbitmq];
        for proxy in [&stage.to_exchange, &stage.to_postgres, &stage.to_receiver].into_iter().chain(brokers) {
            proxy.set(Network::Up);
        }
        Ok(())
    }
}

const END_SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

/// Nothing, no JSON, a version of the future, a kind that is none, a tick that is none, a hole that is none.
pub(crate) const POISON: [&str; 6] = [
    "",
    "{\\\"version\\\":1",
    "{\\\"version\\\":2,\\\"kind\\\":\\\"ticks\\\",\\\"body\\\":{}}",
    "{\\\"version\\\":1,\\\"kind\\\":\\\"tocks\\\",\\\"body\\\":{}}",
    "{\\\"version\\\":1,\\\"kind\\\":\\\"ticks\\\",\\\"body\\\":{\\\"exchange\\\":\\\"simulated\\\",\\\"source\\\":\\\"stream\\\",\\\"ticks\\\":[[\\\"BTCUSDT\\\",1,\\\"-1\\\",\\\"1\\\",null,null,1795176000000000]]}}",
    "{\\\"version\\\":1,\\\"kind\\\":\\\"gaps\\\",\\\"body\\\":{\\\"exchange\\\":\\\"simulated\\\",\\\"gaps\\\":[7]}}",
];

fn poison(stage: &Stage) -> anyhow::Result<()> {
    let path = format!("/api/exchanges/{}/crypto-market/publish", stage.host.vhost());
    for body in POISON {
        // Without a name, the same poison once more would be the same message.
        let name = fastrand::u64(..);
        let message = format!(
            r#"{{"properties":{{"delivery_mode":2,"message_id":"poison-{name}"}},"routing_key":"market.ticks.poison","payload":"{body}","payload_encoding":"string"}}"#
        );
        management::request(&stage.rabbitmq.address().management, "POST", &path, &message)?;
    }
    Ok(())
}

fn limit(stage: &Stage, status: Refusal, retry_after: Duration) {
    stage.exchange.inject(simulator::Fault::RateLimited { status, retry_after });
    stage.exchange.inject(simulator::Fault::Gap(200));
}

/// What the tracker says when its queue cannot be written.
const QUEUE_REFUSED: &str = "the local queue cannot be written";

/// Waits until PostgreSQL says that it is so.
async fn until(stage: &Stage, what: &str, sql: &str) -> anyhow::Result<()> {
    let client = stage.client().await?;
    let clock = Instant::now();
    while !client.query_one(sql, &[]).await?.get::<_, bool>(0) {
        anyhow::ensure!(clock.elapsed() < PATIENCE, "{what}: not within {} s", PATIENCE.as_secs());
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn ask(stage: &Stage, sql: &str) -> anyhow::Result<()> {
    ask_in(stage, "postgres", sql).await
}

async fn ask_in(stage: &Stage, database: &str, sql: &str) -> anyhow::Result<()> {
    stage.client_of(database).await?.batch_execute(sql).await.context("asking PostgreSQL")
}

/// Its backends are groups of their own.
fn signal_postgres(stage: &Stage, signal: &str) {
    if let Some(server) = stage.postgres.process_id() {
        service::children(server).into_iter().chain([server]).for_each(|process| service::send(signal, process));
    }
}
