//! What the messages of one connection mean.
//!
//! A channel has a number that its acknowledgement tells and that holds for this connection. Behind what a frame carries stand,
//! since we asked for them, its number and its time. A number that was left out is a frame that was lost.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use smol_str::SmolStr;

use super::{
    messages::{Event, List},
    parse,
};
use crate::exchange::{Found, Frame, Reader, UnreadableFrame};

/// It speaks of its second version.
const VERSION: &str = "2";
/// The exchange asks for another connection.
const RECONNECT: i64 = 20_051;
/// It is back after maintenance, and forgot the subscriptions.
const RETURNED: i64 = 20_061;
/// Maintenance begins.
const MAINTENANCE: i64 = 20_060;
/// Trades of an acknowledged channel that are older are none that could have been missed: a pair that is hardly traded shows those of
/// years.
const RECENT: TimeDelta = TimeDelta::days(1);
/// A number below is a frame's; from here on it is milliseconds since 1970.
const LEAST_TIME: i64 = 1_000_000_000_000;

/// Stands where a frame carries something, of a channel that has nothing to tell.
const HEARTBEAT: &str = r#""hb""#;

/// The channels of one connection.
#[derive(Debug, Default)]
pub(super) struct Channels {
    open: HashMap<i64, Channel>,
    /// The number of the last frame that had one.
    sequence: Option<i64>,
}

/// What a channel carries.
#[derive(Debug, Clone)]
enum Channel {
    /// Trades of a pair.
    Trades(SmolStr),
    /// Something that is not followed.
    Other(&'static str),
}

impl Reader for Channels {
    fn read(&mut self, text: &str, received_at: DateTime<Utc>, found: &mut Found) -> Result<Frame, UnreadableFrame> {
        if !text.trim_start().starts_with('[') {
            return self.event(&serde_json::from_str(text)?);
        }
        let list = List::parse(text)?;
        // Where a word tells what it is, that comes behind it; a sign of life carries nothing.
        let word = list.raw(1).unwrap_or_default();
        let carried = if word.starts_with('"') && word != HEARTBEAT { 2 } else { 1 };
        let lost = self.skipped(list.behind(carried + 1));
        match lost {
            // What this one holds too is asked for again: it comes behind what was lost.
            Some(reason) => Ok(Frame::Lost(reason)),
            None => self.frame(&list, carried, received_at, found),
        }
    }
}

impl Channels {
    /// What is wrong with a frame's number, if it has one. Some frames may have none, and some servers may give none.
    fn skipped<'a>(&mut self, mut extra: impl Iterator<Item = &'a str>) -> Option<String> {
        let number = extra.find_map(|raw| raw.parse::<i64>().ok().filter(|number| (0..LEAST_TIME).contains(number)))?;
        let before = self.sequence.replace(number)?;
        (number > before + 1).then(|| format!("frames {} to {} did not come", before + 1, number - 1))
    }

    fn frame(
        &self,
        list: &List<'_>,
        carried: usize,
        received_at: DateTime<Utc>,
        found: &mut Found,
    ) -> Result<Frame, UnreadableFrame> {
        let id: i64 = list.get(0, "CHANNEL_ID")?;
        let word = list.raw(1).ok_or_else(|| UnreadableFrame::new(format!("channel {id} carries nothing")))?;
        if word == HEARTBEAT {
            return Ok(Frame::Other("heartbeat"));
        }
        let ticker = match self.open.get(&id) {
            Some(Channel::Trades(ticker)) => ticker,
            Some(Channel::Other(kind)) => return Ok(Frame::Other(kind)),
            None => return Err(UnreadableFrame::new(format!("channel {id} was not acknowledged"))),
        };
        let carried = list.raw(carried).ok_or_else(|| UnreadableFrame::new(format!("{word} carries nothing")))?;
        match word {
            r#""te""# => {
                found.ticks.push(parse::tick(ticker, carried, received_at)?);
                Ok(Frame::Trades)
            }
            // The same trade once more, a second later.
            r#""tu""# => Ok(Frame::Other("trade update")),
            r#""fte""# | r#""ftu""# => Ok(Frame::Other("funding")),
            word if word.starts_with('[') => {
                let (mut ticks, unreadable) = parse::ticks(ticker, carried, received_at)?;
                ticks.retain(|tick| received_at - tick.time() <= RECENT);
                let frame = if ticks.is_empty() { Frame::Other("snapshot") } else { Frame::Trades };
                found.ticks.append(&mut ticks);
                unreadable.map_or(Ok(frame), Err)
            }
            word => Err(UnreadableFrame::new(format!("{word} on a channel of trades is not documented"))),
        }
    }

    fn event(&mut self, event: &Event<'_>) -> Result<Frame, UnreadableFrame> {
        match &*event.event {
            "subscribed" => self.subscribed(event),
            "info" => info(event),
            "conf" if event.status.as_deref() == Some("OK") => Ok(Frame::Acknowledged),
            "conf" => Ok(Frame::Refused(format!("numbered frames: {}", event.status.as_deref().unwrap_or("no word")))),
            "error" => {
                let said = event.msg.as_deref().unwrap_or("no word");
                let code = event.code.map(|code| format!(" (code {code})")).unwrap_or_default();
                let of = event.symbol.as_deref().map(|symbol| format!(", of {symbol}")).unwrap_or_default();
                Ok(Frame::Refused(format!("{said}{code}{of}")))
            }
            "unsubscribed" => Ok(Frame::Other("unsubscribed")),
            "pong" => Ok(Frame::Other("pong")),
            other => Err(UnreadableFrame::new(format!("event {other:?} is not documented"))),
        }
    }

    fn subscribed(&mut self, event: &Event<'_>) -> Result<Frame, UnreadableFrame> {
        let id = event.channel_id.ok_or_else(|| UnreadableFrame::new("an acknowledgement without chanId"))?;
        // Those of currencies, which are lent, begin with f.
        let pair = event.symbol.as_deref().and_then(|symbol| symbol.strip_prefix('t'));
        let channel = match event.channel.as_deref() {
            Some("trades") => pair.map_or(Channel::Other("funding"), |pair| Channel::Trades(pair.into())),
            Some("ticker") => Channel::Other("ticker"),
            Some("book") => Channel::Other("book"),
            Some("candles") => Channel::Other("candle"),
            Some("status") => Channel::Other("status"),
            other => return Err(UnreadableFrame::new(format!("channel {other:?} is not documented"))),
        };
        self.open.insert(id, channel);
        Ok(Frame::Acknowledged)
    }
}

fn info(event: &Event<'_>) -> Result<Frame, UnreadableFrame> {
    match (event.code, event.version.map(serde_json::value::RawValue::get)) {
        (Some(RECONNECT), _) => Ok(Frame::Closing),
        (Some(RETURNED), _) => Ok(Frame::Lost("maintenance is over; everything is to be asked for anew".to_owned())),
        (Some(MAINTENANCE), _) => Ok(Frame::Other("maintenance")),
        (Some(code), _) => Err(UnreadableFrame::new(format!("info {code} is not documented"))),
        (None, Some(VERSION)) => {
            let is_at_work = event.platform.as_ref().is_none_or(|platform| platform.status != 0);
            Ok(Frame::Other(if is_at_work { "info" } else { "maintenance" }))
        }
        (None, version) => Err(UnreadableFrame::new(format!("version {version:?} is not spoken"))),
    }
}

#[cfg(test)]
mod tests;
