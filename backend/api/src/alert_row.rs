//! From a rule to what its owner sees and changes.

use api_types::alerts::{AlertRequest, AlertRow, AlertSays, Amount};
use database::alerts::rules::{Definition, Evaluate, Record};
use domain::alert::{Condition, Direction, Frequency, Way};
use rust_decimal::Decimal;

use crate::error::Failure;

/// What a rule says, with what is asked for in its place. What it is about stays; another kind begins from nothing.
pub(crate) fn merged(record: &Record, request: &AlertRequest) -> Result<AlertRequest, Failure> {
    let subject = [
        ("exchange", &request.exchange),
        ("ticker", &request.ticker),
        ("coin", &request.coin),
        ("other_exchange", &request.other_exchange),
        ("other_ticker", &request.other_ticker),
    ];
    for (name, value) in subject {
        if let Some(value) = value {
            let detail = "what an alert is about cannot be changed; make another one";
            return Err(Failure::parameter(name, value, detail, "nothing"));
        }
    }
    let now = says(record);
    if let Some(kind) = request.kind.as_ref().filter(|kind| Some(*kind) != now.kind.as_ref()) {
        let detail = "the kind of an alert cannot be changed; make another one";
        return Err(Failure::parameter("kind", kind, detail, now.kind.unwrap_or_default()));
    }
    let request = request.clone();
    Ok(AlertRequest {
        kind: now.kind,
        direction: request.direction.or(now.direction),
        level: request.level.or(request.target_price).or(now.level),
        lower: request.lower.or(now.lower),
        upper: request.upper.or(now.upper),
        change: request.change.or(now.change),
        unit: request.unit.or(now.unit),
        window_minutes: request.window_minutes.or(now.window_minutes),
        threshold: request.threshold.or(now.threshold),
        seconds: request.seconds.or(now.seconds),
        bar: request.bar.or(now.bar),
        evaluate: request.evaluate.or(now.evaluate),
        frequency: request.frequency.or(now.frequency),
        cooldown_seconds: request.cooldown_seconds.or(now.cooldown_seconds),
        hysteresis: request.hysteresis.or(now.hysteresis),
        late: request.late.or(now.late),
        expires_at: request.expires_at.or(now.expires_at),
        note: request.note.or(now.note),
        channels: request.channels.or(now.channels),
        ..AlertRequest::default()
    })
}

/// A rule as a request that would make it, without what it is about.
pub(crate) fn says(record: &Record) -> AlertRequest {
    let AlertSays {
        kind,
        direction,
        level,
        lower,
        upper,
        change,
        unit,
        window_minutes,
        threshold,
        seconds,
        bar,
        evaluate,
        frequency,
        cooldown_seconds,
        hysteresis,
        late,
        expires_at,
        note,
        channels,
        ..
    } = described(record);
    AlertRequest {
        kind: Some(kind),
        direction,
        level: level.map(Amount),
        lower: lower.map(Amount),
        upper: upper.map(Amount),
        change: change.map(Amount),
        unit,
        window_minutes,
        threshold: threshold.map(Amount),
        seconds,
        bar,
        evaluate: Some(evaluate),
        frequency: Some(frequency),
        cooldown_seconds,
        hysteresis: hysteresis.map(Amount),
        late: Some(late),
        expires_at: Some(expires_at),
        note: Some(note),
        channels: Some(channels),
        ..AlertRequest::default()
    }
}

/// What a rule says, in words and numbers.
fn described(record: &Record) -> AlertSays {
    let Definition { condition, evaluate, frequency, hysteresis, tell_late, expires_at, note, channel_ids, .. } =
        &record.definition;
    let pair = |pair: &Option<(String, String)>| pair.clone().unzip();
    let (exchange, ticker) = pair(&record.pair);
    let (other_exchange, other_ticker) = pair(&record.other_pair);
    let mut says = AlertSays {
        kind: condition.kind().to_owned(),
        exchange: exchange.or_else(|| record.exchange.clone()),
        ticker,
        other_exchange,
        other_ticker,
        evaluate: "tick".to_owned(),
        frequency: frequency.as_str().to_owned(),
        hysteresis: (!hysteresis.is_zero()).then(|| hysteresis.normalize()),
        late: *tell_late,
        expires_at: *expires_at,
        note: note.clone(),
        channels: channel_ids.clone(),
        ..AlertSays::default()
    };
    let some = |amount: &Decimal| Some(amount.normalize());
    let word = |direction: &Direction| {
        let word = match direction {
            Direction::Up => "up",
            Direction::Down => "down",
            Direction::Either => "either",
        };
        Some(word.to_owned())
    };
    match condition {
        Condition::Crosses { level, direction } => (says.level, says.direction) = (some(level), word(direction)),
        Condition::Reaches { level } => says.level = some(level),
        Condition::Channel { lower, upper, way } => {
            (says.lower, says.upper) = (some(lower), some(upper));
            says.direction = Some(if *way == Way::Enter { "enter" } else { "leave" }.to_owned());
        }
        Condition::Moves { change, unit, direction, minutes } => {
            (says.change, says.unit) = (some(change), Some(unit.as_str().to_owned()));
            (says.direction, says.window_minutes) = (word(direction), Some(i64::from(*minutes)));
        }
        Condition::Closes { level, direction, bar } => {
            (says.level, says.direction) = (some(level), word(direction));
            says.bar = Some(bar.as_str().to_owned());
        }
        Condition::Volume { threshold, minutes } | Condition::Volatility { threshold, minutes } => {
            (says.threshold, says.window_minutes) = (some(threshold), Some(i64::from(*minutes)));
        }
        Condition::Spread { change, unit } => {
            (says.change, says.unit) = (some(change), Some(unit.as_str().to_owned()));
        }
        Condition::Stale { seconds } | Condition::ExchangeDown { seconds } => says.seconds = Some(i64::from(*seconds)),
        Condition::Gap => {}
    }
    if let Evaluate::Close(bar) = evaluate {
        (says.evaluate, says.bar) = ("close".to_owned(), Some(bar.as_str().to_owned()));
    }
    match frequency {
        Frequency::Once => {}
        Frequency::OncePerBar(bar) => says.bar = Some(bar.as_str().to_owned()),
        Frequency::EveryTime(cooldown) => says.cooldown_seconds = Some(cooldown.num_seconds()),
    }
    says
}

/// A rule, as its owner sees it.
pub(crate) fn row(record: Record) -> AlertRow {
    let says = described(&record);
    AlertRow {
        id: record.id,
        coin: says.ticker.as_ref().map(|ticker| ticker.to_lowercase()).or_else(|| record.coin.clone()),
        target_price: says.level.map(Amount),
        status: record.state,
        says,
        armed: record.standing.is_armed,
        last_fired_at: record.standing.last_fired_at,
        fired_count: i64::try_from(record.standing.fired).unwrap_or(i64::MAX),
        created_at: record.created_at,
        updated_at: record.updated_at,
    }
}
