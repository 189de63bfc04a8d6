//! Whether a fault did what it was to do: one that did nothing shows nothing.

use std::time::Duration;

use anyhow::Context as _;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{Fault, Stage};

/// What is looked at before and while a fault lasts.
pub struct Effect {
    fault: Fault,
    /// A counter of the tracker that must rise, and what it said before.
    counter: Option<(&'static str, f64)>,
}

impl Effect {
    /// Before the fault strikes.
    ///
    /// # Errors
    /// When the tracker does not tell its metrics.
    pub async fn before(stage: &Stage, fault: Fault) -> anyhow::Result<Self> {
        let counter = match fault {
            Fault::ExchangeDoubles => "ticks_repeated_total",
            Fault::ExchangeGarbage => "ticks_rejected_total",
            Fault::ExchangeShutsDown => "feed_rotations_total",
            _ => return Ok(Self { fault, counter: None }),
        };
        Ok(Self { fault, counter: Some((counter, metric(stage, counter).await?)) })
    }

    /// Whether it is seen, at the end of a fault that has lasted so long.
    ///
    /// # Errors
    /// When that cannot be asked.
    pub async fn is_seen(&self, stage: &Stage, lasted: Duration) -> anyhow::Result<bool> {
        if let Some((counter, before)) = self.counter {
            return Ok(metric(stage, counter).await? > before);
        }
        match self.fault {
            Fault::PostgresKilled | Fault::PostgresFrozen => Ok(has_stopped(stage, lasted).await.unwrap_or(true)),
            Fault::PostgresRefuses => {
                // Nobody may ask there, so that it is asked from next door.
                let sessions = "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = 'postgres'";
                Ok(stage.client_of("door").await?.query_one(sessions, &[]).await?.get(0))
            }
            Fault::ExchangeClockAhead => {
                let ahead = "SELECT EXISTS (SELECT FROM price WHERE time > received_at + interval '60 seconds')";
                Ok(stage.client().await?.query_one(ahead, &[]).await?.get(0))
            }
            fault if fault.stops_storing() => has_stopped(stage, lasted).await,
            _ => Ok(true),
        }
    }
}

/// Whether nothing was stored in the second half of the fault.
async fn has_stopped(stage: &Stage, lasted: Duration) -> anyhow::Result<bool> {
    let seconds = lasted.as_secs_f64() / 2.0;
    let asked = async {
        let stored = "SELECT EXISTS (SELECT FROM price
                                     WHERE source = 'stream' AND stored_at > now() - make_interval(secs => $1))";
        anyhow::Ok(!stage.client().await?.query_one(stored, &[&seconds]).await?.get::<_, bool>(0))
    };
    timeout(Duration::from_secs(2), asked).await.context("PostgreSQL does not answer")?
}

/// The sum of a counter of the tracker; zero before it first counts.
async fn metric(stage: &Stage, name: &str) -> anyhow::Result<f64> {
    let mut stream = TcpStream::connect(("127.0.0.1", stage.tracker_probe)).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let of_name = |line: &&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let values = answer.lines().filter(of_name).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
    Ok(values.sum())
}
