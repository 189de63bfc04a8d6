//! Asks the REST API: at the start, after each reconnection, and every so often in between, so that whatever the
//! live feed does not carry, or lost, is put right.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use tokio::{
    sync::{Notify, mpsc, watch},
    task,
    time::sleep,
};
use tokio_util::task::AbortOnDropHandle;

use super::{Timing, backoff::Backoff, outbox::Outbox};
use crate::{
    client::{Client, ClientError},
    remote::Failure,
    state::{Connection, Part, Period, SeriesKey, Update},
};

/// What makes a question worth asking again.
#[derive(Clone)]
pub(super) struct Again {
    pub(super) reconnected: watch::Receiver<()>,
    pub(super) hurry: Arc<Notify>,
    pub(super) timing: Timing,
}

impl Again {
    fn backoff(&self) -> Backoff {
        // A REST question costs more than a connection that is refused: twice as patient.
        Backoff::new(self.timing.backoff_min * 2, self.timing.backoff_max * 2)
    }

    /// How long an answer is good for.
    fn wait<T>(&self, answer: &Result<Vec<T>, ClientError>, backoff: &mut Backoff) -> std::time::Duration {
        match answer {
            Err(_) => backoff.next_wait(),
            Ok(rows) => {
                backoff.reset();
                if rows.is_empty() { self.timing.refresh_empty } else { self.timing.refresh }
            }
        }
    }

    async fn asked(&mut self, wait: std::time::Duration) {
        tokio::select! {
            () = sleep(wait) => {}
            () = self.hurry.notified() => {}
            _ = self.reconnected.changed() => {}
        }
    }
}

/// Keeps all prices fresh until the window is gone.
pub(super) async fn prices(client: &Client, outbox: &Outbox, again: Again) {
    poll(outbox, again, || client.list_prices(), Update::Prices).await;
}

/// Keeps all prices fresh where there is no live feed: whether they come is then what the connection is.
pub(super) async fn prices_alone(client: &Client, outbox: &Outbox, mut again: Again) {
    let mut backoff = again.backoff();
    let mut lost_at = None;
    loop {
        let answer = client.list_prices().await;
        let wait = again.wait(&answer, &mut backoff);
        let connection = match &answer {
            Ok(_) => {
                lost_at = None;
                Connection::Connected
            }
            Err(error) => {
                let now = Utc::now();
                let since = *lost_at.get_or_insert(now);
                Connection::Away { cause: error.to_string(), since, next_try_at: now + wait }
            }
        };
        let told = outbox.put(Update::Connection(connection)).await;
        if told.is_err() || outbox.put(Update::Prices(settled(answer, wait))).await.is_err() {
            return;
        }
        again.asked(wait).await;
    }
}

/// Keeps the last day's closes fresh until the window is gone.
pub(super) async fn sparklines(client: &Client, outbox: &Outbox, mut again: Again) {
    again.timing.refresh = again.timing.refresh_sparklines;
    poll(outbox, again, || client.list_sparklines(), Update::Sparklines).await;
}

/// Keeps the holes fresh until the window is gone. That there are none is an answer like any other.
pub(super) async fn holes(client: &Client, outbox: &Outbox, mut again: Again) {
    (again.timing.refresh, again.timing.refresh_empty) = (again.timing.refresh_holes, again.timing.refresh_holes);
    poll(outbox, again, || client.list_holes(), Update::Holes).await;
}

/// Keeps all feeds fresh until the window is gone. A feed that is not heard of for long counts as silent: where there is
/// no live feed, prices may be asked for seldom, but feeds may not.
pub(super) async fn feeds(client: &Client, outbox: &Outbox, mut again: Again) {
    again.timing.refresh = again.timing.refresh.min(again.timing.refresh_feeds);
    poll(outbox, again, || client.list_feeds(), Update::Feeds).await;
}

async fn poll<T, F>(
    outbox: &Outbox,
    mut again: Again,
    ask: impl Fn() -> F,
    news: impl Fn(Result<Vec<T>, Failure>) -> Update,
) where
    F: Future<Output = Result<Vec<T>, ClientError>>,
    T: Clone + PartialEq,
{
    let mut backoff = again.backoff();
    let mut known: Option<Vec<T>> = None;
    loop {
        let answer = ask().await;
        let wait = again.wait(&answer, &mut backoff);
        // The same answer once more is no reason to draw anything.
        let answered = answer.as_ref().ok().cloned();
        let is_news = answered.is_none() || answered != known;
        known = answered;
        if outbox.put_unless_known(news(settled(answer, wait)), is_news).await.is_err() {
            return;
        }
        again.asked(wait).await;
    }
}

/// Keeps the newest candles of the wanted series fresh until the window is gone, each in its own time.
pub(super) async fn candles(
    client: &Client,
    outbox: &Arc<Outbox>,
    again: Again,
    wanted: watch::Receiver<BTreeSet<SeriesKey>>,
) {
    each(wanted, |series| keep(client.clone(), Arc::clone(outbox), again.clone(), series)).await;
}

/// Keeps it known how much prices moved over the wanted spans until the window is gone, each in its own time.
pub(super) async fn volatility(
    client: &Client,
    outbox: &Arc<Outbox>,
    mut again: Again,
    wanted: watch::Receiver<BTreeSet<Period>>,
) {
    again.timing.refresh = again.timing.refresh_volatility;
    let keep = |period| {
        let (client, outbox, again) = (client.clone(), Arc::clone(outbox), again.clone());
        async move {
            let news = |outcome| Update::Volatility { period, outcome };
            poll(&outbox, again, || client.list_volatility(period), news).await;
        }
    };
    each(wanted, keep).await;
}

/// Does this for each that is wanted, as long as it is.
pub(super) async fn each<K, F>(mut wanted: watch::Receiver<BTreeSet<K>>, keep: impl Fn(K) -> F)
where
    K: Ord + Clone,
    F: Future<Output = ()> + Send + 'static,
{
    let mut kept: BTreeMap<K, AbortOnDropHandle<()>> = BTreeMap::new();
    loop {
        let keys = wanted.borrow_and_update().clone();
        // Nobody waits for the answers about the others any more.
        kept.retain(|key, _| keys.contains(key));
        for key in keys {
            kept.entry(key).or_insert_with_key(|key| AbortOnDropHandle::new(task::spawn(keep(key.clone()))));
        }
        if wanted.changed().await.is_err() {
            return;
        }
    }
}

async fn keep(client: Client, outbox: Arc<Outbox>, mut again: Again, series: SeriesKey) {
    let mut backoff = again.backoff();
    loop {
        let answer = client.list_candles(&series, None).await;
        let wait = again.wait(&answer, &mut backoff);
        let update = Update::Candles { series: series.clone(), part: Part::Newest, outcome: settled(answer, wait) };
        if outbox.put(update).await.is_err() {
            return;
        }
        again.asked(wait).await;
    }
}

/// Answers questions for older candles until the window is gone.
pub(super) async fn older(
    client: &Client,
    outbox: &Outbox,
    timing: Timing,
    mut wanted: mpsc::Receiver<(SeriesKey, DateTime<Utc>)>,
) {
    while let Some((series, before)) = wanted.recv().await {
        let answer = client.list_candles(&series, Some(before)).await;
        // The window asks again when this has passed and it still wants them.
        let outcome = settled(answer, timing.refresh_empty);
        if outbox.put(Update::Candles { series, part: Part::OlderThan(before), outcome }).await.is_err() {
            return;
        }
    }
}

pub(super) fn settled<T>(answer: Result<T, ClientError>, retry_in: std::time::Duration) -> Result<T, Failure> {
    answer.map_err(|error| {
        tracing::debug!(%error, "no answer");
        Failure { cause: error.to_string(), retry_at: Utc::now() + retry_in }
    })
}
