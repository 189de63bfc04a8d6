//! Accounts, tokens and keys.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// What somebody logs in with.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    /// The name, in any case.
    #[schema(example = "ada")]
    pub username: String,
    /// The password.
    #[schema(example = "correct horse battery")]
    pub password: String,
}

/// An account to be made.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// The name to log in with: 1 to 64 of a-z, 0-9, dot, underscore and hyphen, the first a letter or digit.
    #[schema(example = "ada")]
    pub username: String,
    /// 10 to 256 characters.
    #[schema(example = "correct horse battery")]
    pub password: String,
    /// Where mail goes.
    #[serde(default)]
    #[schema(example = "ada@example.org")]
    pub email: Option<String>,
}

/// The tokens of a session.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct Tokens {
    /// Sent as `Authorization: Bearer …`.
    #[schema(example = "cta_bU9wq3…")]
    pub access: String,
    /// Exchanged for access tokens.
    #[schema(example = "ctr_1Xk2vQ…")]
    pub refresh: String,
    /// Until when the access token serves.
    pub access_expires_at: DateTime<Utc>,
    /// Until when the refresh token does.
    pub refresh_expires_at: DateTime<Utc>,
}

/// A refresh token to be exchanged.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// It.
    #[schema(example = "ctr_1Xk2vQ…")]
    pub refresh: String,
}

/// One more access token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct AccessToken {
    /// Sent as `Authorization: Bearer …`.
    #[schema(example = "cta_bU9wq3…")]
    pub access: String,
    /// Until when it serves.
    pub access_expires_at: DateTime<Utc>,
}

/// An account, as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccountRow {
    /// The name to log in with.
    #[schema(example = "ada")]
    pub username: String,
    /// `user` or `administrator`.
    #[schema(example = "user")]
    pub role: String,
    /// Where mail goes; null for nowhere.
    #[schema(example = "ada@example.org")]
    pub email: Option<String>,
    /// On whose clocks their days are.
    #[schema(example = "Europe/London")]
    pub time_zone: String,
    /// In what they count where nothing else is said: the code of a currency or coin.
    #[schema(example = "USD")]
    pub currency: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What is to be different about an account; what is left out stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AccountChange {
    /// Where mail goes; null for nowhere.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "ada@example.org")]
    pub email: Option<Option<String>>,
    /// On whose clocks their days are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Europe/London")]
    pub time_zone: Option<String>,
    /// In what they count where nothing else is said: the code of a currency or coin.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "EUR")]
    pub currency: Option<String>,
}

/// Null is something else than nothing.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Another password.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The one until now.
    #[schema(example = "correct horse battery")]
    pub current_password: String,
    /// The one from now on: 10 to 256 characters.
    #[schema(example = "staple correct horse")]
    pub new_password: String,
}

/// An API key, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiKeyRow {
    /// Its number.
    #[schema(example = 7)]
    pub id: i64,
    /// What its owner calls it.
    #[schema(example = "backup script")]
    pub name: String,
    /// `read`: may look at what is its owner's; `write`: may change it, too.
    #[schema(example = "read")]
    pub scope: String,
    /// Its last four characters.
    #[schema(example = "x7Qa")]
    pub hint: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it serves; null for as long as it is there.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was last used, to about a minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A key to be made.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What its owner calls it: 1 to 100 characters.
    #[schema(example = "backup script")]
    pub name: String,
    /// `read` or `write`.
    #[schema(example = "read")]
    pub scope: String,
    /// Until when it serves; left out, as long as it is there.
    #[serde(default)]
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key that was just made. The key itself is told this once.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct MadeApiKey {
    /// What `GET /api-keys` tells of it.
    #[serde(flatten)]
    pub row: ApiKeyRow,
    /// Sent as `Authorization: Bearer …`.
    #[schema(example = "ctk_Zm9vYm…")]
    pub key: String,
}
