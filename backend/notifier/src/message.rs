//! What is sent: one notification, or several together, in the owner's words.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use database::{
    notifications::{Begun, Taken},
    notified::{About, Notified},
};
use domain::notification::{Mistake, Template, Told, template};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

/// How many notifications a message tells in words; of the others it tells how many there are.
pub(crate) const TOLD: i64 = 50;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sort {
    /// A rule fired.
    Alert,
    /// A schedule found something.
    Schedule,
    /// A channel is tested.
    Test,
    /// Several together.
    Digest,
}

/// A message, as every channel can write it.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Who gets it twice knows by it. A message that is tried again has the same.
    pub(crate) id: Uuid,
    /// What it is.
    pub(crate) sort: Sort,
    /// One line.
    pub(crate) subject: String,
    /// What happened and when, in lines.
    pub(crate) text: String,
    /// How many notifications are in it.
    pub(crate) count: i64,
    /// When what it tells happened; of several the newest.
    pub(crate) happened_at: DateTime<Utc>,
    /// The notifications, or the first of them, for programs.
    pub(crate) notifications: Vec<Value>,
    /// A picture (PNG) of the last hours.
    pub(crate) chart: Option<Vec<u8>>,
}

/// A notification in the owner's words.
struct Worded {
    told: Told,
    subject: String,
}

impl Message {
    /// Puts it in words.
    pub(crate) fn new(id: Uuid, begun: Begun, channel: &Taken, notified: &[Notified]) -> Self {
        let zone = channel.time_zone.parse().unwrap_or(Tz::UTC);
        let subject = template(channel.subject.as_deref(), Template::subject, template::SUBJECT);
        let body = template(channel.body.as_deref(), Template::body, template::BODY);
        let worded: Vec<Worded> = notified
            .iter()
            .map(|one| {
                let told = told(one, channel, zone);
                let subject = subject.as_ref().map(|template| template.render_line(&told)).unwrap_or_default();
                // A template may leave nothing, where what it names is not there.
                let subject = if subject.is_empty() {
                    template::one_line(&told.what, template::LONGEST_SUBJECT)
                } else {
                    subject
                };
                Worded { told, subject }
            })
            .collect();
        let (sort, subject, text) = match (&worded[..], notified) {
            ([one], [about]) if begun.count == 1 => {
                let text = body.as_ref().map(|template| template.render(&one.told)).unwrap_or_default();
                let text = if text.is_empty() { one.told.what.clone() } else { text };
                (sort(about), one.subject.clone(), text)
            }
            _ => (Sort::Digest, headline(begun.count, &worded), list(begun.count, &worded)),
        };
        let happened_at = worded.iter().map(|one| one.told.happened_at).max().unwrap_or_default();
        let notifications = notified.iter().map(for_programs).collect();
        Self { id, sort, subject, text, count: begun.count, happened_at, notifications, chart: None }
    }
}

/// The owner's template, or ours; that too where theirs cannot be read any more.
fn template(theirs: Option<&str>, read: impl Fn(&str) -> Result<Template, Mistake>, ours: &str) -> Option<Template> {
    theirs.and_then(|text| read(text).ok()).or_else(|| read(ours).ok())
}

fn sort(notified: &Notified) -> Sort {
    match notified.about {
        About::Firing(_) => Sort::Alert,
        About::Computed(_) => Sort::Schedule,
        About::Test => Sort::Test,
    }
}

fn headline(count: i64, worded: &[Worded]) -> String {
    let newest =
        worded.iter().max_by_key(|one| one.told.happened_at).map(|one| one.subject.as_str()).unwrap_or_default();
    template::one_line(&format!("{count} notifications, the newest: {newest}"), template::LONGEST_SUBJECT)
}

fn list(count: i64, worded: &[Worded]) -> String {
    let line = |one: &Worded| {
        let late = one.told.late();
        let late = if late.is_empty() { late } else { format!(" ({late})") };
        format!("{}  {}{late}", one.told.time(), one.subject)
    };
    let mut lines: Vec<String> = worded.iter().map(line).collect();
    let more = count - worded.len() as i64;
    if more > 0 {
        lines.push(format!("… and {more} more"));
    }
    lines.join("\n")
}

fn told(notified: &Notified, channel: &Taken, zone: Tz) -> Told {
    let plain = |what: String, at: DateTime<Utc>, note: Option<String>| Told {
        what,
        exchange: None,
        ticker: None,
        coin: None,
        price: None,
        reference: None,
        level: None,
        note,
        happened_at: at,
        noticed_at: at,
        is_late: false,
        zone,
    };
    match &notified.about {
        About::Firing(fired) => Told {
            exchange: fired.exchange.clone(),
            ticker: fired.ticker.clone(),
            coin: fired.coin.clone(),
            price: fired.price,
            reference: fired.reference,
            level: fired.level,
            noticed_at: fired.noticed_at,
            is_late: fired.is_late,
            ..plain(fired.said.clone(), fired.happened_at, fired.note.clone())
        },
        About::Computed(found) => plain(format!("{}: {}", found.name, found.said), found.at, None),
        About::Test => {
            let note = "Nothing happened: this is how a notification arrives here.".to_owned();
            plain(format!("Test of {}", channel.name), notified.created_at, Some(note))
        }
    }
}

/// Decimals are strings, as everywhere.
fn for_programs(notified: &Notified) -> Value {
    let mut told = match &notified.about {
        About::Firing(fired) => json!({
            "rule_id": fired.rule_id, "rule_kind": fired.rule_kind, "exchange": fired.exchange, "ticker": fired.ticker,
            "coin": fired.coin, "what": fired.said, "note": fired.note, "happened_at": fired.happened_at,
            "noticed_at": fired.noticed_at, "is_late": fired.is_late,
            "price": fired.price.map(|price| price.to_string()),
            "reference": fired.reference.map(|reference| reference.to_string()),
            "level": fired.level.map(|level| level.to_string()),
        }),
        About::Computed(found) => json!({
            "schedule_id": found.schedule_id, "name": found.name, "what": found.said, "happened_at": found.at,
            "pairs": found.result,
        }),
        About::Test => json!({ "happened_at": notified.created_at }),
    };
    told["id"] = json!(notified.id);
    told["kind"] = json!(sort(notified));
    told
}
