//! Accounts: who may log in, and what an operator does about that.

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;

use crate::{Context as _, Error, Result};

/// What somebody may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sees and changes what is their own.
    User,
    /// Looks after the accounts of others, too.
    Administrator,
}

/// Somebody who may log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Key.
    pub id: i64,
    /// The name to log in with.
    pub username: String,
    /// What they may do.
    pub role: Role,
    /// Where mail goes.
    pub email: Option<String>,
    /// On whose clocks their days are.
    pub time_zone: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// In what they count: the code of a currency or coin.
    pub currency: String,
}

impl Role {
    /// The word in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Administrator => "administrator",
        }
    }
}

/// The columns that [`read`] reads, in order.
pub(crate) const COLUMNS: &str =
    "account.id, account.username, account.role, account.email, account.time_zone, account.created_at,
     account.currency";

/// Reads an account that a row begins with.
pub(crate) fn read(row: &Row) -> std::result::Result<Account, tokio_postgres::Error> {
    let role: &str = row.try_get(2)?;
    Ok(Account {
        id: row.try_get(0)?,
        username: row.try_get(1)?,
        role: if role == Role::Administrator.as_str() { Role::Administrator } else { Role::User },
        email: row.try_get(3)?,
        time_zone: row.try_get(4)?,
        created_at: row.try_get(5)?,
        currency: row.try_get(6)?,
    })
}

/// An account that may log in, by its name, and the hash of its password.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_for_login(client: &impl GenericClient, username: &str) -> Result<Option<(Account, String)>> {
    let doing = "looking for an account";
    let query =
        format!("SELECT {COLUMNS}, password_hash FROM secret.account WHERE username = $1 AND disabled_at IS NULL");
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let row = client.query_opt(&statement, &[&username]).await.context(doing)?;
    let read = |row: &Row| Ok((read(row)?, row.try_get(7)?));
    row.as_ref().map(read).transpose().context(doing)
}

/// Changes what is told of an account; what is `None` stays.
///
/// # Errors
/// When the database refuses.
pub async fn change(
    client: &impl GenericClient,
    id: i64,
    email: Option<Option<&str>>,
    time_zone: Option<&str>,
    currency: Option<&str>,
) -> Result<Account> {
    let doing = "changing an account";
    let query = format!(
        "UPDATE secret.account
         SET email = CASE WHEN $2 THEN $3 ELSE email END, time_zone = coalesce($4, time_zone),
             currency = coalesce($5, currency)
         WHERE id = $1 RETURNING {COLUMNS}"
    );
    let statement = client.prepare_cached(&query).await.context(doing)?;
    let row = client
        .query_one(&statement, &[&id, &email.is_some(), &email.flatten(), &time_zone, &currency])
        .await
        .context(doing)?;
    read(&row).context(doing)
}

/// What an operator does about an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub enum Change {
    /// Makes one.
    Add {
        /// The name to log in with.
        username: String,
        /// What they may do.
        role: Role,
        /// Where mail goes.
        email: Option<String>,
        /// The hash of the password.
        password_hash: String,
    },
    /// Sets another password, and ends all sessions.
    SetPassword {
        /// Whose.
        username: String,
        /// The hash of the password.
        password_hash: String,
    },
    /// Ends all sessions, takes the keys away, and lets nobody log in.
    Disable {
        /// Whose.
        username: String,
    },
    /// Lets them log in again.
    Enable {
        /// Whose.
        username: String,
    },
}

/// Whether a text can be a name to log in with: 1 to 64 of a-z, 0-9, dot, underscore and hyphen, the first a letter or digit.
pub fn is_username(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    (1..=64).contains(&text.len())
        && text.bytes().enumerate().all(|(place, byte)| is_plain(byte) || place > 0 && b"._-".contains(&byte))
}

impl Change {
    /// The change that a statement asks for, if it is exactly that: `CALL secret.change_account($${…}$$)`.
    pub fn parse(statement: &str) -> Option<Self> {
        crate::minutes::json_of_call(statement, "secret.change_account")
    }

    /// The statement that asks for it.
    ///
    /// # Errors
    /// Never in practice: every part of it can be written as JSON.
    pub fn statement(&self) -> Result<String> {
        let json = serde_json::to_string(self).map_err(|error| Error::Encode(error.into()))?;
        // In a string of JSON a dollar may be written so too; as it is, it could end the text around it.
        Ok(format!("CALL secret.change_account($${}$$)", json.replace('$', "\\u0024")))
    }

    /// Carries it out.
    ///
    /// # Errors
    /// When the database refuses; SQLSTATE 23505 where the name is taken, P0002 where there is no such account.
    pub async fn carry_out(&self, client: &impl GenericClient) -> Result<()> {
        client.batch_execute(&self.statement()?).await.context("changing an account")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_survives_its_statement_and_nothing_else_is_one() {
        let change = Change::Add {
            username: "ada".into(),
            role: Role::Administrator,
            email: Some("ada@example.org".into()),
            password_hash: "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA".into(),
        };
        let statement = change.statement().unwrap();
        assert_eq!(Change::parse(&statement), Some(change));
        for other in [
            statement.replace("change_account", "drop_account"),
            format!("{statement}; DROP SCHEMA secret"),
            statement.replace(r#""do":"add""#, r#""do":"sing""#),
            statement.replace(r#""role""#, r#""rank":1,"role""#),
        ] {
            assert_eq!(Change::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn names_are_plain() {
        for name in ["a", "ada.lovelace", "x_1-2", "0"] {
            assert!(is_username(name), "{name}");
        }
        for name in ["", "Ada", ".a", "a b", "a$", "ä", &"a".repeat(65)] {
            assert!(!is_username(name), "{name}");
        }
    }
}
