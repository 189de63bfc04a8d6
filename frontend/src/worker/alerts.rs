//! The account's rules and what they fired for: asked for again and again while somebody is logged in, and changed as
//! the window orders.

use std::time::Duration;

use api_types::alerts::FiringRow;
use tokio::{
    sync::{Notify, mpsc},
    time::sleep,
};

use super::{
    Timing,
    backoff::Backoff,
    outbox::{Gone, Outbox},
    refresh::settled,
};
use crate::{
    client::{Client, ClientError},
    state::{Done, Order, Refusal, Update},
};

/// Firings asked for at first, and at once afterwards.
const AT_FIRST: usize = 100;
const AT_ONCE: usize = 20;
/// Pages that are followed back to the newest one known; what lies behind them is left out.
const PAGES: usize = 10;

/// Does as the window orders, one after the other, until it is gone.
pub(super) async fn obey(client: &Client, outbox: &Outbox, mut wanted: mpsc::Receiver<(u64, Order)>, changed: &Notify) {
    while let Some((number, order)) = wanted.recv().await {
        let outcome = match &order {
            Order::Make(rule) => client.make_rule(rule).await.map(|rule| Done::Rule(Box::new(rule))),
            Order::Try(rule) => client.try_rule(rule).await.map(Done::Tried),
            Order::Change(id, change) => client.change_rule(*id, change).await.map(|rule| Done::Rule(Box::new(rule))),
            Order::Delete(id) => client.delete_rule(*id).await.map(|()| Done::Deleted),
        };
        let outcome = outcome.map_err(refusal);
        if outbox.put(Update::Answered { number, order: Box::new(order), outcome }).await.is_err() {
            return;
        }
        changed.notify_one();
    }
}

/// In words, with what would have been right.
pub(super) fn refusal(error: ClientError) -> Refusal {
    match error {
        ClientError::Refused(problem) => {
            let allowed = problem.allowed.map(|allowed| format!("; allowed: {allowed}")).unwrap_or_default();
            Refusal { words: format!("{}{allowed}", problem.detail), parameter: problem.parameter }
        }
        other => Refusal { words: other.to_string(), parameter: None },
    }
}

/// Keeps the rules fresh until the window is gone; `changed` says when they are others.
pub(super) async fn rules(client: &Client, outbox: &Outbox, timing: Timing, changed: &Notify, hurry: &Notify) {
    let keep = async || {
        let mut backoff = Backoff::new(timing.backoff_min * 2, timing.backoff_max * 2);
        let mut known = None;
        loop {
            let answer = client.list_rules().await;
            let wait = rest(answer.is_ok(), timing.refresh_rules, &mut backoff);
            let answered = answer.as_ref().ok().cloned();
            let is_news = answered.is_none() || answered != known;
            known = answered;
            outbox.put_unless_known(Update::Rules(settled(answer, wait)), is_news).await?;
            tokio::select! {
                () = sleep(wait) => {}
                () = changed.notified() => {}
                () = hurry.notified() => {}
            }
        }
    };
    while_logged_in(client, keep).await;
}

/// Tells what the rules fire for until the window is gone, and says when that changed them.
pub(super) async fn firings(client: &Client, outbox: &Outbox, timing: Timing, changed: &Notify, hurry: &Notify) {
    let keep = async || {
        let mut backoff = Backoff::new(timing.backoff_min * 2, timing.backoff_max * 2);
        let mut newest = None;
        loop {
            let answer = since(client, newest).await;
            let wait = rest(answer.is_ok(), timing.refresh_firings, &mut backoff);
            match answer {
                Ok(rows) => {
                    let are_news = newest.is_some();
                    newest = rows.first().map(|row| row.id).or(newest).or(Some(0));
                    if !rows.is_empty() {
                        outbox.put(Update::Firings { rows, are_news }).await?;
                        changed.notify_one();
                    }
                }
                // The rules are asked for as well, and tell why there is no answer.
                Err(error) => tracing::debug!(%error, "no answer"),
            }
            tokio::select! {
                () = sleep(wait) => {}
                () = hurry.notified() => {}
            }
        }
    };
    while_logged_in(client, keep).await;
}

/// Firings behind the newest that is known, newest first.
async fn since(client: &Client, newest: Option<i64>) -> Result<Vec<FiringRow>, ClientError> {
    let Some(newest) = newest else {
        return client.list_firings(None, AT_FIRST).await.map(|(rows, _)| rows);
    };
    let mut found: Vec<FiringRow> = Vec::new();
    for _ in 0..PAGES {
        let (rows, has_more) = client.list_firings(found.last().map(|row| row.id), AT_ONCE).await?;
        let reached = rows.iter().any(|row| row.id <= newest);
        found.extend(rows.into_iter().take_while(|row| row.id > newest));
        if reached || !has_more {
            break;
        }
    }
    Ok(found)
}

/// How long until the next question.
pub(super) fn rest(is_answered: bool, refresh: Duration, backoff: &mut Backoff) -> Duration {
    if is_answered {
        backoff.reset();
        refresh
    } else {
        backoff.next_wait()
    }
}

/// Does this as long as the same account is logged in, and anew when another one is.
pub(super) async fn while_logged_in(client: &Client, keep: impl AsyncFn() -> Result<(), Gone>) {
    let mut standing = client.standing();
    loop {
        let login = standing.borrow_and_update().login.clone();
        let work = async {
            match &login {
                Some(_) => keep().await,
                None => std::future::pending().await,
            }
        };
        let another = standing.wait_for(|now| now.login != login);
        tokio::select! {
            _ = work => return,
            changed = another => if changed.is_err() { return },
        }
    }
}
