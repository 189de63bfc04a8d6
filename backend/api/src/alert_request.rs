//! From what somebody wrote to a rule: what its kind takes, what it lacks, and what cannot be.

use api_types::alerts::{AlertRequest, Amount};
use chrono::{TimeDelta, Utc};
use database::{
    Client,
    alerts::rules::{About, Definition, Evaluate},
};
use domain::{
    Interval,
    alert::{Condition, Direction, Frequency, Unit, Way},
};
use rust_decimal::Decimal;

use crate::{error::Failure, lookup};

/// How long a note may be.
const LONGEST_NOTE: usize = 1_000;

/// How many digits a level may have behind the point.
const MOST_DECIMALS: u32 = 18;

const KINDS: &str = "crosses, reaches, channel, moves, closes, volume, volatility, spread, stale, exchange_down, gap";

/// What a kind takes beside what all kinds take.
fn fields(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "crosses" => &["level", "target_price", "direction", "hysteresis", "evaluate"],
        "reaches" => &["level", "target_price", "hysteresis", "evaluate"],
        "channel" => &["lower", "upper", "direction", "hysteresis", "evaluate"],
        "moves" => &["change", "unit", "direction", "window_minutes", "hysteresis"],
        "closes" => &["level", "target_price", "direction", "bar"],
        "volume" | "volatility" => &["threshold", "window_minutes", "hysteresis"],
        "spread" => &["change", "unit", "hysteresis", "other_exchange", "other_ticker"],
        "stale" | "exchange_down" => &["seconds"],
        "gap" => &[],
        _ => return None,
    })
}

/// What a rule is about.
///
/// # Errors
/// When what it is to be about is not named, not known, or nothing for its kind.
pub(crate) async fn about(client: &Client, request: &AlertRequest) -> Result<About, Failure> {
    let AlertRequest { kind, exchange, ticker, coin, other_exchange, other_ticker, .. } = request;
    let kind = kind.as_deref().unwrap_or_default();
    if let Some(coin) = coin.as_deref().filter(|_| ticker.is_none()) {
        if !matches!(kind, "crosses" | "reaches" | "channel" | "moves") {
            let detail = "the price of a coin over all markets can be crossed, reached, leave a channel, or move; for everything else name a pair";
            return Err(Failure::parameter("coin", coin, detail, "exchange and ticker"));
        }
        return Ok(About::Coin(lookup::coin(client, coin).await?.id));
    }
    if kind == "exchange_down" {
        let name = exchange.as_deref().ok_or_else(|| missing("exchange", "the exchange that is watched"))?;
        return Ok(About::Exchange(lookup::exchange(client, name).await?.id));
    }
    let one = pair(client, ("exchange", exchange.as_deref()), ("ticker", ticker.as_deref())).await?;
    if kind != "spread" {
        return Ok(About::Pair(one));
    }
    let names = (("other_exchange", other_exchange.as_deref()), ("other_ticker", other_ticker.as_deref()));
    let other = pair(client, names.0, names.1).await?;
    if one == other {
        let detail = "a pair does not differ from itself";
        return Err(Failure::parameter(
            "other_ticker",
            other_ticker.as_deref().unwrap_or_default(),
            detail,
            "another pair",
        ));
    }
    Ok(About::Pairs(one, other))
}

async fn pair(
    client: &Client,
    (_, exchange): (&'static str, Option<&str>),
    (field, ticker): (&'static str, Option<&str>),
) -> Result<i32, Failure> {
    let ticker = ticker.ok_or_else(|| missing(field, "a pair, as its exchange spells it; /tickers lists all"))?;
    match exchange {
        Some(name) => {
            let exchange = lookup::exchange(client, name).await?;
            Ok(lookup::ticker(client, &exchange, ticker).await?.id)
        }
        None => Ok(lookup::ticker_anywhere(client, ticker).await?.id),
    }
}

fn missing(field: &str, allowed: &str) -> Failure {
    Failure::parameter(field, "", "this field is missing", allowed)
}

/// Reads what a rule says.
///
/// # Errors
/// A field that is missing, not of its kind, or out of bounds.
pub(crate) fn definition(about: About, request: &AlertRequest) -> Result<Definition, Failure> {
    let kind = request.kind.as_deref().ok_or_else(|| missing("kind", KINDS))?;
    let taken =
        fields(kind).ok_or_else(|| Failure::parameter("kind", kind, "there is no such kind of alert", KINDS))?;
    refuse_others(kind, taken, request)?;
    let bar: Option<Interval> = match request.bar.as_deref() {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            Failure::parameter("bar", text, "there are no candles of this width", "1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w")
        })?),
    };
    let needed_bar = || bar.ok_or_else(|| missing("bar", "1m, 5m, 15m, 30m, 1h, 4h, 1d, 1w"));
    let condition = condition(kind, request, &needed_bar)?;
    let evaluate = match request.evaluate.as_deref() {
        None | Some("tick") => Evaluate::Tick,
        Some("close") if matches!(about, About::Coin(_)) => {
            let detail = "the price of a coin over all markets has no candles";
            return Err(Failure::parameter("evaluate", "close", detail, "tick"));
        }
        Some("close") => Evaluate::Close(needed_bar()?),
        Some(other) => return Err(Failure::parameter("evaluate", other, "there is nothing else", "tick, close")),
    };
    let cooldown = bounded("cooldown_seconds", request.cooldown_seconds.unwrap_or(300), 1, 2_592_000)?;
    let frequency = match request.frequency.as_deref() {
        None | Some("once") => Frequency::Once,
        Some("once_per_bar") => Frequency::OncePerBar(needed_bar()?),
        Some("every_time") => Frequency::EveryTime(TimeDelta::seconds(cooldown)),
        Some(other) => {
            return Err(Failure::parameter(
                "frequency",
                other,
                "there is nothing else",
                "once, once_per_bar, every_time",
            ));
        }
    };
    let hysteresis = request.hysteresis.map_or(Decimal::ZERO, |Amount(amount)| amount);
    if hysteresis < Decimal::ZERO || hysteresis.scale() > MOST_DECIMALS {
        return Err(Failure::parameter(
            "hysteresis",
            &hysteresis.to_string(),
            "it cannot be less than nothing",
            "0 or more",
        ));
    }
    if let Some(level) = lowest_level(&condition)
        && hysteresis >= level
    {
        let detail = "so far away the price can never come from here";
        return Err(Failure::parameter("hysteresis", &hysteresis.to_string(), detail, format!("less than {level}")));
    }
    let expires_at = request.expires_at.flatten();
    if let Some(end) = expires_at.filter(|end| *end <= Utc::now()) {
        return Err(Failure::parameter(
            "expires_at",
            &end.to_rfc3339(),
            "this is over already",
            "a moment to come, or null",
        ));
    }
    let note = request.note.clone().flatten();
    if let Some(note) = note
        .as_deref()
        .filter(|note| note.chars().count() > LONGEST_NOTE || note.chars().any(|c| c.is_control() && c != '\n'))
    {
        let shown: String = note.chars().take(40).collect();
        return Err(Failure::parameter("note", &shown, "this is no note", "at most 1000 characters that can be seen"));
    }
    let channel_ids = request.channels.clone().flatten();
    if channel_ids.as_ref().is_some_and(|ids| ids.len() > 50) {
        return Err(Failure::parameter("channels", "", "these are too many", "50 at most, or null for all"));
    }
    let tell_late = request.late.unwrap_or(true);
    Ok(Definition { about, condition, evaluate, frequency, hysteresis, tell_late, expires_at, note, channel_ids })
}

fn condition(
    kind: &str,
    request: &AlertRequest,
    bar: &dyn Fn() -> Result<Interval, Failure>,
) -> Result<Condition, Failure> {
    let level = || positive("level", request.level.or(request.target_price));
    let minutes = || {
        let minutes = request.window_minutes.ok_or_else(|| missing("window_minutes", "1 to 10080"))?;
        bounded("window_minutes", minutes, 1, 10_080).map(|minutes| u16::try_from(minutes).unwrap_or(u16::MAX))
    };
    let seconds = || {
        let seconds = request.seconds.ok_or_else(|| missing("seconds", "5 to 604800"))?;
        bounded("seconds", seconds, 5, 604_800).map(|seconds| u32::try_from(seconds).unwrap_or(u32::MAX))
    };
    let change = || positive("change", request.change);
    let threshold = || positive("threshold", request.threshold);
    let direction = |default: Option<Direction>| match (request.direction.as_deref(), default) {
        (Some("up"), _) => Ok(Direction::Up),
        (Some("down"), _) => Ok(Direction::Down),
        (Some("either"), Some(_)) => Ok(Direction::Either),
        (None, Some(default)) => Ok(default),
        (None, None) => Err(missing("direction", "up (above), down (below)")),
        (Some(other), _) => Err(Failure::parameter("direction", other, "there is no such way", "up, down, either")),
    };
    let unit = || match request.unit.as_deref() {
        None | Some("percent") => Ok(Unit::Percent),
        Some("price") => Ok(Unit::Price),
        Some(other) => Err(Failure::parameter("unit", other, "changes are not told in this", "percent, price")),
    };
    Ok(match kind {
        "crosses" => Condition::Crosses { level: level()?, direction: direction(Some(Direction::Either))? },
        "reaches" => Condition::Reaches { level: level()? },
        "channel" => {
            let (lower, upper) = (positive("lower", request.lower)?, positive("upper", request.upper)?);
            if lower >= upper {
                let detail = "the upper edge is to be above the lower one";
                return Err(Failure::parameter("upper", &upper.to_string(), detail, format!("more than {lower}")));
            }
            let way = match request.direction.as_deref() {
                None | Some("leave") => Way::Leave,
                Some("enter") => Way::Enter,
                Some(other) => {
                    return Err(Failure::parameter("direction", other, "there is no such way", "enter, leave"));
                }
            };
            Condition::Channel { lower, upper, way }
        }
        "moves" => Condition::Moves {
            change: change()?,
            unit: unit()?,
            direction: direction(Some(Direction::Either))?,
            minutes: minutes()?,
        },
        "closes" => Condition::Closes { level: level()?, direction: direction(None)?, bar: bar()? },
        "volume" => Condition::Volume { threshold: threshold()?, minutes: minutes()? },
        "volatility" => Condition::Volatility { threshold: threshold()?, minutes: minutes()? },
        "spread" => Condition::Spread { change: change()?, unit: unit()? },
        "stale" => Condition::Stale { seconds: seconds()? },
        "exchange_down" => Condition::ExchangeDown { seconds: seconds()? },
        _ => Condition::Gap,
    })
}

/// The level below which the hysteresis must not reach down to nothing.
fn lowest_level(condition: &Condition) -> Option<Decimal> {
    match condition {
        Condition::Crosses { level, .. } | Condition::Reaches { level } => Some(*level),
        Condition::Channel { lower, upper, way: Way::Leave } => Some((upper - lower) / Decimal::TWO),
        Condition::Channel { lower, .. } => Some(*lower),
        Condition::Moves { change, .. } | Condition::Spread { change, .. } => Some(*change),
        Condition::Volume { threshold, .. } | Condition::Volatility { threshold, .. } => Some(*threshold),
        _ => None,
    }
}

/// What a kind does not take, it must not be given: it would be ignored.
fn refuse_others(kind: &str, taken: &[&str], request: &AlertRequest) -> Result<(), Failure> {
    let given = [
        ("direction", request.direction.is_some()),
        ("level", request.level.is_some()),
        ("target_price", request.target_price.is_some()),
        ("lower", request.lower.is_some()),
        ("upper", request.upper.is_some()),
        ("change", request.change.is_some()),
        ("unit", request.unit.is_some()),
        ("window_minutes", request.window_minutes.is_some()),
        ("threshold", request.threshold.is_some()),
        ("seconds", request.seconds.is_some()),
        ("evaluate", request.evaluate.as_deref().is_some_and(|evaluate| evaluate != "tick")),
        ("hysteresis", request.hysteresis.is_some_and(|Amount(amount)| !amount.is_zero())),
        ("other_exchange", request.other_exchange.is_some()),
        ("other_ticker", request.other_ticker.is_some()),
    ];
    let Some((name, _)) = given.iter().find(|(name, is_given)| *is_given && !taken.contains(name)) else {
        return Ok(());
    };
    let allowed = if taken.is_empty() { "none of these".to_owned() } else { taken.join(", ") };
    Err(Failure::parameter(name, "", format!("an alert of the kind {kind} takes no such field"), allowed))
}

fn positive(name: &str, amount: Option<Amount>) -> Result<Decimal, Failure> {
    let Some(Amount(amount)) = amount else { return Err(missing(name, "a number above 0")) };
    let amount = amount.normalize();
    if amount <= Decimal::ZERO || amount.scale() > MOST_DECIMALS || amount >= Decimal::from(1_000_000_000_000_000_i64) {
        let allowed = format!("above 0, below 10^15, with at most {MOST_DECIMALS} decimals");
        return Err(Failure::parameter(name, &amount.to_string(), "this number cannot be used", allowed));
    }
    Ok(amount)
}

fn bounded(name: &str, number: i64, least: i64, most: i64) -> Result<i64, Failure> {
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(Failure::parameter(name, &number.to_string(), "this is out of bounds", format!("{least} to {most}")))
}
