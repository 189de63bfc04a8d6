//! What each kind of channel needs to be told.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::Mistake;

/// Longest address of a receiver.
const LONGEST_URL: usize = 2_000;

/// How bad PagerDuty takes it for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// For the record.
    Info,
    /// Somebody should look.
    #[default]
    Warning,
    /// Something is wrong.
    Error,
    /// Somebody must get up.
    Critical,
}

/// Address and secrets of a channel.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ChannelSettings {
    /// Mail, by the operator's server.
    Email {
        /// To whom; without it, to the account's own address.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// JSON to an address of one's own, signed.
    Webhook {
        /// Where to.
        url: String,
        /// The key of the signature.
        secret: String,
    },
    /// An incoming webhook of Slack, or of what understands the same.
    Slack {
        /// The webhook's address, which is all that opens it.
        url: String,
    },
    /// A message of a bot of Telegram's.
    Telegram {
        /// The bot's token, as BotFather told it.
        token: String,
        /// The chat's number, or the name of a public channel: @name.
        chat_id: String,
    },
    /// A webhook of Discord, or of what understands the same.
    Discord {
        /// The webhook's address, which is all that opens it.
        url: String,
    },
    /// An event of PagerDuty's (Events API v2).
    Pagerduty {
        /// The integration's key.
        routing_key: String,
        /// How bad it is taken for.
        #[serde(default)]
        severity: Severity,
    },
    /// The dashboard's own notifications, which the API delivers.
    Desktop {},
    /// The output of the program that sends, for trying.
    Console {},
}

impl ChannelSettings {
    /// The word of its kind, in JSON and in the database.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Email { .. } => "email",
            Self::Webhook { .. } => "webhook",
            Self::Slack { .. } => "slack",
            Self::Telegram { .. } => "telegram",
            Self::Discord { .. } => "discord",
            Self::Pagerduty { .. } => "pagerduty",
            Self::Desktop {} => "desktop",
            Self::Console {} => "console",
        }
    }

    /// From what is stored: the kind apart from the rest. `None` where the two do not fit together.
    pub fn from_stored(kind: &str, settings: &Value) -> Option<Self> {
        let mut whole = settings.as_object()?.clone();
        whole.insert("kind".to_owned(), kind.into());
        Self::deserialize(Value::Object(whole)).ok()
    }

    /// What is stored beside the kind.
    pub fn to_stored(&self) -> Value {
        let mut whole = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = whole.as_object_mut() {
            fields.remove("kind");
        }
        whole
    }

    /// What cannot be meant. Whether an address may be sent to at all is known to who sends.
    pub fn mistake(&self) -> Option<Mistake> {
        match self {
            Self::Email { address } => address.as_deref().and_then(mistake_of_mail),
            Self::Webhook { url, secret } => mistake_of_url(url).or_else(|| mistake_of_secret(secret)),
            Self::Slack { url } | Self::Discord { url } => mistake_of_url(url),
            Self::Telegram { token, chat_id } => mistake_of_token(token).or_else(|| mistake_of_chat(chat_id)),
            Self::Pagerduty { routing_key, .. } => mistake_of_key(routing_key),
            Self::Desktop {} | Self::Console {} => None,
        }
    }

    /// The same without secrets, to be shown: of addresses only whose they are.
    #[must_use]
    pub fn redacted(&self) -> Self {
        let hidden = || HIDDEN.to_owned();
        match self {
            Self::Webhook { url, .. } => Self::Webhook { url: shown(url), secret: hidden() },
            Self::Slack { url } => Self::Slack { url: shown(url) },
            Self::Discord { url } => Self::Discord { url: shown(url) },
            Self::Telegram { chat_id, .. } => Self::Telegram { token: hidden(), chat_id: chat_id.clone() },
            Self::Pagerduty { severity, .. } => Self::Pagerduty { routing_key: hidden(), severity: *severity },
            Self::Email { .. } | Self::Desktop {} | Self::Console {} => self.clone(),
        }
    }
}

impl fmt::Debug for ChannelSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.redacted().to_stored())
    }
}

/// What stands in the place of a secret.
const HIDDEN: &str = "…";

fn shown(url: &str) -> String {
    let origin = Url::parse(url).ok().map(|url| url.origin().ascii_serialization());
    origin.map_or_else(|| HIDDEN.to_owned(), |origin| format!("{origin}/{HIDDEN}"))
}

fn mistake_of_url(text: &str) -> Option<Mistake> {
    let refuse = |told: String| Some(Mistake::new("url", told));
    if text.len() > LONGEST_URL {
        return refuse(format!("has {} characters; write {LONGEST_URL} or fewer", text.len()));
    }
    // The value is not repeated: what stands in an address may be what opens it.
    let Ok(url) = Url::parse(text) else {
        return refuse("cannot be read; write an address such as https://example.org/hook".to_owned());
    };
    if !matches!(url.scheme(), "https" | "http") {
        return refuse(format!("begins with {:?}; write an address that begins with https://", url.scheme()));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return refuse("names no host; write an address such as https://example.org/hook".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            "holds a user or password before the host; leave them out, the signature proves who sends".into(),
        );
    }
    None
}

fn mistake_of_mail(text: &str) -> Option<Mistake> {
    let is_plain = |text: &str| {
        !text.is_empty()
            && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "@<>,;:\"()[]\\".contains(c))
    };
    let fits = text.len() <= 254 && text.split_once('@').is_some_and(|(local, host)| is_plain(local) && is_plain(host));
    (!fits).then(|| Mistake::new("address", format!("{text:?} is no mail address; write one such as ada@example.org")))
}

fn mistake_of_secret(text: &str) -> Option<Mistake> {
    let fits = (16..=200).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    let told = || format!("has {} characters; write 16 to 200 letters, digits and signs, without spaces", text.len());
    (!fits).then(|| Mistake::new("secret", told()))
}

fn mistake_of_token(text: &str) -> Option<Mistake> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    let fits = text.split_once(':').is_some_and(|(number, word)| {
        (1..=20).contains(&number.len())
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && (20..=100).contains(&word.len())
            && word.bytes().all(is_word)
    });
    (!fits).then(|| Mistake::new("token", "is no bot's token; write it as BotFather told it: 123456:ABC-DEF…"))
}

fn mistake_of_chat(text: &str) -> Option<Mistake> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = (1..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = text.strip_prefix('@').is_some_and(|name| {
        (1..=64).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    let told =
        || format!("{text:?} is no chat; write its number, such as -1001234567890, or @name of a public channel");
    (!is_number && !is_name).then(|| Mistake::new("chat_id", told()))
}

fn mistake_of_key(text: &str) -> Option<Mistake> {
    let fits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let told = || format!("has {} characters; write the integration key, 32 letters and digits", text.chars().count());
    (!fits).then(|| Mistake::new("routing_key", told()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn all() -> Vec<Value> {
        vec![
            json!({"kind": "email", "address": "ada@example.org"}),
            json!({"kind": "email"}),
            json!({"kind": "webhook", "url": "https://example.org/geheim", "secret": "geheim-geheim-geheim"}),
            json!({"kind": "slack", "url": "https://hooks.slack.com/services/geheim"}),
            json!({"kind": "telegram", "token": "123:geheim-geheim-geheim-geheim", "chat_id": "-1001"}),
            json!({"kind": "discord", "url": "https://discord.com/api/webhooks/geheim"}),
            json!({"kind": "pagerduty", "routing_key": "geheimgeheimgeheimgeheimgeheim00", "severity": "critical"}),
            json!({"kind": "desktop"}),
            json!({"kind": "console"}),
        ]
    }

    #[test]
    fn every_kind_is_read_stored_and_read_again() {
        for value in all() {
            let settings = ChannelSettings::deserialize(&value).unwrap();
            assert_eq!(settings.kind(), value["kind"]);
            assert_eq!(settings.mistake(), None, "{value}");
            let stored = settings.to_stored();
            assert!(stored.get("kind").is_none());
            assert_eq!(ChannelSettings::from_stored(settings.kind(), &stored).as_ref(), Some(&settings));
        }
        assert_eq!(ChannelSettings::from_stored("slack", &json!({"routing_key": "x"})), None);
        assert_eq!(ChannelSettings::from_stored("slack", &json!("x")), None);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for mut value in all() {
            value.as_object_mut().unwrap().insert("colour".into(), "red".into());
            let error = ChannelSettings::deserialize(&value).unwrap_err().to_string();
            assert!(error.contains("colour"), "{error}");
        }
        assert!(ChannelSettings::deserialize(json!({"kind": "fax"})).is_err());
    }

    #[test]
    fn secrets_are_never_shown() {
        for value in all() {
            let settings = ChannelSettings::deserialize(&value).unwrap();
            let shown = format!("{settings:?} {}", serde_json::to_string(&settings.redacted()).unwrap());
            assert!(!shown.contains("geheim"), "{shown}");
        }
        let slack = ChannelSettings::Slack { url: "https://hooks.slack.com/services/geheim".into() };
        assert_eq!(slack.redacted(), ChannelSettings::Slack { url: "https://hooks.slack.com/…".into() });
    }

    #[test]
    fn mistakes_name_the_field_and_the_remedy_and_tell_no_secret() {
        let cases = [
            (json!({"kind": "email", "address": "ada"}), "address", "ada@example.org"),
            (json!({"kind": "email", "address": "a@b\r\nBcc: c@d"}), "address", "ada@example.org"),
            (json!({"kind": "webhook", "url": "ftp://example.org", "secret": "0123456789abcdef"}), "url", "https://"),
            (
                json!({"kind": "webhook", "url": "https://u:geheim@example.org", "secret": "0123456789abcdef"}),
                "url",
                "leave",
            ),
            (json!({"kind": "webhook", "url": "https://example.org", "secret": "geheim"}), "secret", "16 to 200"),
            (json!({"kind": "slack", "url": "geheim"}), "url", "https://"),
            (json!({"kind": "discord", "url": format!("https://e.org/{}", "x".repeat(2_000))}), "url", "2000"),
            (json!({"kind": "telegram", "token": "geheim", "chat_id": "1"}), "token", "BotFather"),
            (json!({"kind": "telegram", "token": "1:geheimgeheimgeheimgeheim", "chat_id": "x y"}), "chat_id", "@name"),
            (json!({"kind": "pagerduty", "routing_key": "geheim"}), "routing_key", "32"),
        ];
        for (value, field, remedy) in cases {
            let mistake = ChannelSettings::deserialize(&value).unwrap().mistake().unwrap();
            assert_eq!(mistake.field, field, "{value}");
            let told = mistake.to_string();
            assert!(told.contains(remedy) && !told.contains("geheim"), "{told}");
        }
    }
}
