//! What can break, and for how long.
//!
//! What breaks at the exchange breaks by all protocols alike, but for the announcement that it will close: Coinbase's has none, and
//! its connections are closed at once. Poison is of the exchange `simulated` alone, and `crypto-tracker` follows only that.

use std::time::Duration;

use crate::{Protocol, Stage, strike};

/// One way to break something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing; for comparison.
    Nothing,
    /// kill -9, and a start three seconds later.
    TrackerKilled,
    /// kill -9 of both, and a start three seconds later.
    HandlersKilled,
    /// kill -9 of one, and when it is back, of the other: one of them was at work, and the other took over.
    OneHandlerKilled,
    /// kill -9 of both while one is in the middle of a transaction.
    HandlersKilledMidway,
    /// kill -9 of both, and a start three seconds later.
    NotifiersKilled,
    /// kill -9 of the program that keeps what accounts change, and a start three seconds later.
    FollowerKilled,
    /// Every connection to whom rules are to tell.
    ReceiverUnreachable,
    /// Connections to whom rules are to tell stand, and nothing passes.
    ReceiverStalled,
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
    /// The exchange says that it will close; a connection that is not replaced by then would be cut.
    ExchangeShutsDown,
    /// A message that can never be stored, among good ones.
    Poison,
    /// kill -9 of `crypto-tracker`, with the database and the queue in its process; it is compared by itself.
    StandaloneKilled,
}

impl Fault {
    /// Every fault, in the order of a full run.
    pub const ALL: [Self; 47] = [
        Self::Nothing,
        Self::TrackerKilled,
        Self::HandlersKilled,
        Self::OneHandlerKilled,
        Self::HandlersKilledMidway,
        Self::NotifiersKilled,
        Self::FollowerKilled,
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
        Self::ReceiverUnreachable,
        Self::ReceiverStalled,
        Self::Poison,
    ];

    /// Those of the short run: a kill of each part, and what an exchange does most.
    pub const SHORT: [Self; 9] = [
        Self::TrackerKilled,
        Self::OneHandlerKilled,
        Self::NotifiersKilled,
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
            Self::NotifiersKilled => "notifiers-killed",
            Self::FollowerKilled => "follower-killed",
            Self::ReceiverUnreachable => "receiver-unreachable",
            Self::ReceiverStalled => "receiver-stalled",
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
            Self::ExchangeShutsDown
            | Self::ReceiverStalled
            | Self::PostgresFrozen
            | Self::PostgresStalled
            | Self::ExchangeStalled
            | Self::ExchangeSilent => 12,
            Self::TrackerFrozen | Self::ExchangeLimits | Self::ExchangeBans | Self::RabbitMqAlarmed => 8,
            Self::PostgresDiskFull | Self::TrackerDiskFull | Self::TrackerKilledWithHole => 6,
            _ => 3,
        };
        Duration::from_secs(seconds)
    }

    /// Whether trades surely do not come by this protocol that have to be fetched then. A short outage costs Kraken's none: it
    /// tells the last fifty of each pair with the subscription.
    pub fn loses_trades(self, protocol: Protocol) -> bool {
        if (self, protocol) == (Self::ExchangeDisconnects, Protocol::Kraken) {
            return false;
        }
        matches!(
            self,
            Self::TrackerKilled
                | Self::TrackerKilledWithHole
                | Self::StandaloneKilled
                | Self::TrackerStopped
                | Self::ExchangeUnreachable
                | Self::ExchangeHalfClosed
                | Self::ExchangeSilent
                | Self::ExchangeDisconnects
                | Self::ExchangeReorders
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
        if self == Self::Poison { strike::POISON.len() as u64 } else { 0 }
    }
}

/// A disk of its own is needed.
pub(crate) const MAY_NOT_MOUNT: &str = "this user may not mount a file system";
