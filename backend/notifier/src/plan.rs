//! What is done about what is due: whether it goes now, alone or together, or is held back until when.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use database::notifications::{Goes, Head, Taken};
use domain::notification::{QuietHours, pace};
use uuid::Uuid;

/// What is done next about a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Plan {
    /// This is sent, and the channel's messages are paid for until then.
    Send(Goes, Option<DateTime<Utc>>),
    /// All of it waits until then.
    Hold(DateTime<Utc>),
}

/// A test goes whenever it is asked for; everything else waits for the end of quiet hours, and for its turn.
pub(crate) fn plan(head: &Head, channel: &Taken) -> Plan {
    if head.is_test {
        return Plan::Send(Goes::Alone(head.id), None);
    }
    let zone = channel.time_zone.parse().unwrap_or(Tz::UTC);
    let quiet = channel.quiet.and_then(|(from, to)| QuietHours { from, to }.until(head.now, zone));
    if let Some(until) = quiet {
        return Plan::Hold(until);
    }
    let paid = match pace::pay(head.paid_until, head.now, channel.messages_per_minute) {
        Ok(paid) => paid,
        Err(at) => return Plan::Hold(at),
    };
    let goes = match head.message_id {
        Some(message_id) => Goes::Again(message_id),
        None if head.goes_together => Goes::Together(Uuid::new_v4()),
        None => Goes::Alone(head.id),
    };
    Plan::Send(goes, Some(paid))
}
