//! Logs in and out, and tells how it stands with the account.

use tokio::sync::mpsc;

use super::outbox::{Gone, Outbox};
use crate::{
    client::{Client, ClientError, Secret},
    state::Update,
};

/// What is to become of the session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SessionOrder {
    /// It begins.
    LogIn {
        /// The account's name.
        username: String,
        /// Its password.
        password: Secret,
        /// Whether later runs are to go on with it.
        stays: bool,
    },
    /// It ends.
    LogOut,
}

/// Runs until the window is gone.
pub(super) async fn obey(client: &Client, outbox: &Outbox, mut wanted: mpsc::Receiver<SessionOrder>) {
    while let Some(order) = wanted.recv().await {
        let outcome = match order {
            SessionOrder::LogIn { username, password, stays } => {
                let outcome = client.log_in(&username, &password, stays).await;
                outcome.map_err(|error| Update::LogInFailed(words(&error)))
            }
            SessionOrder::LogOut => client.log_out().await.map_err(|error| Update::LogOutFailed(error.to_string())),
        };
        if let Err(failed) = outcome
            && outbox.put(failed).await.is_err()
        {
            return;
        }
    }
}

/// Runs until the window is gone.
pub(super) async fn tell(client: &Client, outbox: &Outbox) -> Result<(), Gone> {
    let mut standing = client.standing();
    loop {
        let now = standing.borrow_and_update().clone();
        outbox.put(Update::Account(now)).await?;
        if standing.changed().await.is_err() {
            return Ok(());
        }
    }
}

/// Plainly: who tries to log in wants a sentence, not a code.
fn words(error: &ClientError) -> String {
    match error {
        ClientError::Refused(problem) => {
            let mut detail = problem.detail.clone();
            if let Some(first) = detail.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            detail
        }
        other => format!("The API cannot be asked: {other}"),
    }
}
