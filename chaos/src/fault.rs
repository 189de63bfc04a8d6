//! What can break, how it is broken, and how it is mended.

use std::time::Duration;

use anyhow::Context as _;
use simulator::Refusal;
use testbed::management;
use tokio::{task::block_in_place, time::sleep};

use crate::{Stage, proxy::Network, service};

/// One way to break something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; for comparison.
    Nothing,
    /// kill -9, and a start three seconds later.
    TrackerKilled,
    /// kill -9 of both, and a start three seconds later.
    HandlersKilled,
    /// kill -9 of one; the other goes on alone.
    OneHandlerKilled,
    /// kill -9 of both while each is in the middle of a transaction.
    HandlersKilledMidway,
    /// kill -9 while trades are missing that the exchange does not give yet.
    TrackerKilledWithHole,
    /// SIGTERM, and a start two seconds later.
    TrackerStopped,
    /// SIGTERM of both, and a start two seconds later.
    HandlersStopped,
    /// kill -9 of the server.
    RabbitMqKilled,
    /// kill -9 of the server and every backend.
    PostgresKilled,
    /// It has less memory than it needs, and takes nothing from publishers.
    RabbitMqAlarmed,
    /// SIGSTOP, longer than the heartbeat.
    RabbitMqFrozen,
    /// SIGSTOP of the server and every backend.
    PostgresFrozen,
    /// SIGSTOP.
    TrackerFrozen,
    /// SIGSTOP of both, longer than the heartbeat.
    HandlersFrozen,
    /// Every connection to the exchange.
    ExchangeUnreachable,
    /// Connections to the exchange stand, and nothing passes.
    ExchangeStalled,
    /// The exchange's side of connections is at its end.
    ExchangeHalfClosed,
    /// Everything to and from the exchange comes late.
    ExchangeFar,
    /// Between tracker and RabbitMQ.
    TrackerCutOff,
    /// Between tracker and RabbitMQ.
    TrackerStalled,
    /// Between db-handlers and RabbitMQ.
    HandlersCutOff,
    /// Between db-handlers and RabbitMQ.
    HandlersStalled,
    /// Between db-handlers and PostgreSQL.
    PostgresCutOff,
    /// Between db-handlers and PostgreSQL.
    PostgresStalled,
    /// Between db-handlers and PostgreSQL.
    PostgresHalfClosed,
    /// It takes no connection.
    PostgresRefuses,
    /// It takes no changes.
    PostgresReadOnly,
    /// The disk with our tables is full.
    PostgresDiskFull,
    /// The disk with the tracker's queue is full, while RabbitMQ takes nothing from it.
    TrackerDiskFull,
    /// Every backend of ours is ended.
    PostgresSessionsEnded,
    /// All sockets are closed.
    ExchangeDisconnects,
    /// Sockets stay open, and nothing comes.
    ExchangeSilent,
    /// Trades are sent twice.
    ExchangeDoubles,
    /// Trades come in the wrong order.
    ExchangeReorders,
    /// Its clock is 90 seconds ahead of ours.
    ExchangeClockAhead,
    /// Trades are left out of the stream.
    ExchangeSkips,
    /// What comes is none of what is documented.
    ExchangeGarbage,
    /// 429, while trades are missing.
    ExchangeLimits,
    /// 418, while trades are missing.
    ExchangeBans,
    /// The exchange says that it will close, and does.
    ExchangeShutsDown,
    /// A message that can never be stored, among good ones.
    Poison,
    /// kill -9 of `crypto-tracker`, with the database and the queue in its process; it is compared by itself.
    StandaloneKilled,
}

impl Fault {
    /// Every fault, in the order of a full run.
    pub const ALL: [Self; 43] = [
        Self::Nothing,
        Self::TrackerKilled,
        Self::HandlersKilled,
        Self::OneHandlerKilled,
        Self::HandlersKilledMidway,
        Self::TrackerKilledWithHole,
        Self::TrackerStopped,
        Self::HandlersStopped,
        Self::RabbitMqKilled,
        Self::PostgresKilled,
        Self::StandaloneKilled,
        Self::RabbitMqAlarmed,
        Self::RabbitMqFrozen,
        Self::PostgresFrozen,
        Self::TrackerFrozen,
        Self::HandlersFrozen,
        Self::ExchangeUnreachable,
        Self::ExchangeStalled,
        Self::ExchangeHalfClosed,
        Self::ExchangeFar,
        Self::TrackerCutOff,
        Self::TrackerStalled,
        Self::HandlersCutOff,
        Self::HandlersStalled,
        Self::PostgresCutOff,
        Self::PostgresStalled,
        Self::PostgresHalfClosed,
        Self::PostgresRefuses,
        Self::PostgresReadOnly,
        Self::PostgresDiskFull,
        Self::TrackerDiskFull,
        Self::PostgresSessionsEnded,
        Self::ExchangeDisconnects,
        Self::ExchangeSilent,
        Self::ExchangeDoubles,
        Self::ExchangeReorders,
        Self::ExchangeClockAhead,
        Self::ExchangeSkips,
        Self::ExchangeGarbage,
        Self::ExchangeLimits,
        Self::ExchangeBans,
        Self::ExchangeShutsDown,
        Self::Poison,
    ];

    /// Those of the short run: a kill of each part, and what an exchange does most.
    pub const SHORT: [Self; 8] = [
        Self::TrackerKilled,
        Self::OneHandlerKilled,
        Self::PostgresKilled,
        Self::RabbitMqKilled,
        Self::TrackerCutOff,
        Self::ExchangeDisconnects,
        Self::ExchangeSkips,
        Self::Poison,
    ];

    /// Its name, for the table and for choosing it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::TrackerKilled => "tracker-killed",
            Self::HandlersKilled => "db-handlers-killed",
            Self::OneHandlerKilled => "one-db-handler-killed",
            Self::HandlersKilledMidway => "db-handlers-killed-midway",
            Self::TrackerKilledWithHole => "tracker-killed-with-hole",
            Self::TrackerStopped => "tracker-stopped",
            Self::HandlersStopped => "db-handlers-stopped",
            Self::RabbitMqKilled => "rabbitmq-killed",
            Self::PostgresKilled => "postgresql-killed",
            Self::RabbitMqAlarmed => "rabbitmq-alarmed",
            Self::RabbitMqFrozen => "rabbitmq-frozen",
            Self::PostgresFrozen => "postgresql-frozen",
            Self::TrackerFrozen => "tracker-frozen",
            Self::HandlersFrozen => "db-handlers-frozen",
            Self::ExchangeUnreachable => "exchange-unreachable",
            Self::ExchangeStalled => "exchange-stalled",
            Self::ExchangeHalfClosed => "exchange-half-closed",
            Self::ExchangeFar => "exchange-far",
            Self::TrackerCutOff => "tracker-rabbitmq-cut",
            Self::TrackerStalled => "tracker-rabbitmq-stalled",
            Self::HandlersCutOff => "db-handlers-rabbitmq-cut",
            Self::HandlersStalled => "db-handlers-rabbitmq-stalled",
            Self::PostgresCutOff => "postgresql-cut",
            Self::PostgresStalled => "postgresql-stalled",
            Self::PostgresHalfClosed => "postgresql-half-closed",
            Self::PostgresRefuses => "postgresql-refuses",
            Self::PostgresReadOnly => "postgresql-read-only",
            Self::PostgresDiskFull => "postgresql-disk-full",
            Self::TrackerDiskFull => "tracker-disk-full",
            Self::PostgresSessionsEnded => "postgresql-sessions-ended",
            Self::ExchangeDisconnects => "exchange-disconnects",
            Self::ExchangeSilent => "exchange-silent",
            Self::ExchangeDoubles => "exchange-doubles",
            Self::ExchangeReorders => "exchange-reorders",
            Self::ExchangeClockAhead => "exchange-clock-90-s-ahead",
            Self::ExchangeSkips => "exchange-skips",
            Self::ExchangeGarbage => "exchange-garbage",
            Self::ExchangeLimits => "exchange-429",
            Self::ExchangeBans => "exchange-418",
            Self::ExchangeShutsDown => "exchange-shuts-down",
            Self::Poison => "poison",
            Self::StandaloneKilled => "crypto-tracker-killed",
        }
    }

    /// How long it lasts.
    pub fn lasts(self) -> Duration {
        let seconds = match self {
            Self::Nothing | Self::Poison | Self::ExchangeDoubles | Self::ExchangeSkips | Self::ExchangeGarbage => 1,
            Self::PostgresSessionsEnded | Self::ExchangeDisconnects | Self::ExchangeReorders => 1,
            Self::TrackerStopped | Self::HandlersStopped => 2,
            Self::RabbitMqFrozen | Self::HandlersFrozen | Self::TrackerStalled | Self::HandlersStalled => 15,
            Self::PostgresFrozen | Self::PostgresStalled | Self::ExchangeStalled | Self::ExchangeSilent => 12,
            Self::TrackerFrozen | Self::ExchangeLimits | Self::ExchangeBans | Self::RabbitMqAlarmed => 8,
            Self::PostgresDiskFull | Self::TrackerDiskFull | Self::TrackerKilledWithHole => 6,
            _ => 3,
        };
        Duration::from_secs(seconds)
    }

    /// Breaks it.
    ///
    /// # Errors
    /// When it cannot be broken.
    pub async fn strike(self, stage: &mut Stage) -> anyhow::Result<()> {
        match self {
            Self::Nothing => {}
            Self::TrackerKilled => stage.tracker.kill(),
            Self::HandlersKilled => stage.handlers.iter_mut().for_each(service::Service::kill),
            Self::OneHandlerKilled => stage.handlers[0].kill(),
            Self::HandlersKilledMidway => {
                let client = stage.client().await?;
                client.batch_execute("BEGIN; LOCK TABLE candle IN ACCESS EXCLUSIVE MODE").await?;
                stage.holding = Some(client);
                // Prices are copied by then, and folding them waits.
                sleep(Duration::from_secs(1)).await;
                stage.handlers.iter_mut().for_each(service::Service::kill);
                stage.holding = None;
            }
            Self::TrackerKilledWithHole => {
                limit(stage, Refusal::TooManyRequests, self.lasts() + Duration::from_secs(3));
                sleep(Duration::from_secs(3)).await;
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
                stage.queue_disk.as_ref().context(MAY_NOT_MOUNT)?.fill()?;
                stage.tracker_to_rabbitmq.set(Network::Cut);
            }
            Self::PostgresSessionsEnded => ask(stage, END_SESSIONS).await?,
            Self::ExchangeDisconnects => stage.exchange.inject(simulator::Fault::Disconnect),
            Self::ExchangeSilent => stage.exchange.inject(simulator::Fault::Silence(self.lasts())),
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
            Self::OneHandlerKilled => stage.handlers[0].start_again()?,
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
            Self::ExchangeShutsDown => stage.exchange.inject(simulator::Fault::Disconnect),
            Self::ExchangeClockAhead => stage.exchange.inject(simulator::Fault::Recover),
            Self::PostgresDiskFull | Self::TrackerDiskFull => {
                for disk in [&stage.database_disk, &stage.queue_disk].into_iter().flatten() {
                    disk.empty();
                }
            }
            _ => {}
        }
        for proxy in [&stage.to_exchange, &stage.tracker_to_rabbitmq, &stage.handlers_to_rabbitmq, &stage.to_postgres] {
            proxy.set(Network::Up);
        }
        Ok(())
    }

    /// Whether trades surely do not come that have to be fetched then.
    pub fn loses_trades(self) -> bool {
        matches!(
            self,
            Self::TrackerKilled
                | Self::TrackerKilledWithHole
                | Self::StandaloneKilled
                | Self::TrackerStopped
                | Self::ExchangeUnreachable
                | Self::ExchangeHalfClosed
                | Self::ExchangeSilent
                | Self::ExchangeSkips
                | Self::ExchangeLimits
                | Self::ExchangeBans
        )
    }

    /// Whether nothing can be stored as long as it lasts.
    pub fn stops_storing(self) -> bool {
        matches!(
            self,
            Self::TrackerKilled
                | Self::TrackerKilledWithHole
                | Self::HandlersKilled
                | Self::HandlersKilledMidway
                | Self::RabbitMqKilled
                | Self::RabbitMqAlarmed
                | Self::RabbitMqFrozen
                | Self::PostgresKilled
                | Self::PostgresFrozen
                | Self::PostgresCutOff
                | Self::PostgresStalled
                | Self::PostgresHalfClosed
                | Self::PostgresRefuses
                | Self::PostgresReadOnly
                | Self::PostgresDiskFull
                | Self::TrackerDiskFull
                | Self::TrackerFrozen
                | Self::TrackerCutOff
                | Self::TrackerStalled
                | Self::HandlersFrozen
                | Self::HandlersCutOff
                | Self::HandlersStalled
                | Self::ExchangeUnreachable
                | Self::ExchangeStalled
                | Self::ExchangeHalfClosed
                | Self::ExchangeSilent
        )
    }

    /// Why it cannot be injected here, if so.
    pub fn obstacle(self, stage: &Stage) -> Option<&'static str> {
        let disk = match self {
            Self::PostgresDiskFull => &stage.database_disk,
            Self::TrackerDiskFull => &stage.queue_disk,
            _ => return None,
        };
        disk.is_none().then_some(MAY_NOT_MOUNT)
    }

    /// Messages that must be among the dead letters afterwards.
    pub fn dead_letters(self) -> u64 {
        if self == Self::Poison { POISON.len() as u64 } else { 0 }
    }
}

/// A disk of its own is needed.
const MAY_NOT_MOUNT: &str = "this user may not mount a file system";

const END_SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";

/// Nothing, no JSON, a version of the future, a kind that is none, a tick that is none, a hole that is none.
const POISON: [&str; 6] = [
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
        let message = format!(
            r#"{{"properties":{{"delivery_mode":2}},"routing_key":"market.ticks.poison","payload":"{body}","payload_encoding":"string"}}"#
        );
        management::request(&stage.rabbitmq.address().management, "POST", &path, &message)?;
    }
    Ok(())
}

fn limit(stage: &Stage, status: Refusal, retry_after: Duration) {
    stage.exchange.inject(simulator::Fault::RateLimited { status, retry_after });
    stage.exchange.inject(simulator::Fault::Gap(200));
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
