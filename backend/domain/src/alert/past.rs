//! What a rule would have fired for: the same rules, on prices and candles of the past.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;

use crate::Interval;

use super::{Condition, Direction, Extremes, Firing, Found, Gap, Rule, Seen, Sequence, State, Step, Watched};

/// A candle of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bar {
    /// When it ended.
    pub end: DateTime<Utc>,
    /// Its last price.
    pub close: Decimal,
    /// What changed hands.
    pub volume: Decimal,
}

/// What a rule that waits for a level or a move fires for, on prices that follow each other.
pub fn replay(rule: Rule, before: Option<Seen>, prices: &[Seen], gaps: &[Gap]) -> Vec<Firing> {
    let mut watched = Watched::default();
    watched.set(rule);
    watched.set_extremes(Extremes::new(watched.longest_window(), []));
    let prices: Vec<(Seen, bool)> = prices.iter().map(|seen| (*seen, false)).collect();
    let mut found = Found::default();
    watched.evaluate(&Sequence { before, prices: &prices, behind: None, gaps }, &mut found);
    found.firings
}

/// The four prices of a minute, in the likelier order: it went first where it did not end.
pub fn likely_prices(open_time: DateTime<Utc>, [open, high, low, close]: [Decimal; 4]) -> [Seen; 4] {
    let (second, third) = if close >= open { (low, high) } else { (high, low) };
    let at = |seconds, price| Seen { time: open_time + TimeDelta::seconds(seconds), trade_id: None, price };
    [at(0, open), at(20, second), at(40, third), at(59, close)]
}

/// Wider candles out of minutes, of which come when they opened, their close and their volume, oldest first; one that is not over
/// is none.
pub fn bars(
    minutes: impl IntoIterator<Item = (DateTime<Utc>, Decimal, Decimal)>,
    width: Interval,
    now: DateTime<Utc>,
) -> Vec<Bar> {
    let mut bars: Vec<Bar> = Vec::new();
    for (open_time, close, volume) in minutes {
        let end = width.open_time(open_time) + width.duration();
        match bars.last_mut() {
            Some(bar) if bar.end == end => (bar.close, bar.volume) = (close, bar.volume.saturating_add(volume)),
            _ => bars.push(Bar { end, close, volume }),
        }
    }
    bars.retain(|bar| bar.end <= now);
    bars
}

/// Looks at one candle after another: what a rule that waits for their closes fires for.
///
/// Of the rule, what it waits for, how often it fires and how it stands count. `before` is the close before the candle.
pub fn on_close(rule: &Rule, state: State, before: Option<Decimal>, bar: &Bar) -> (State, Option<Firing>) {
    let step = match &rule.condition {
        Condition::Closes { level, direction, .. } => {
            let is_beyond = match direction {
                Direction::Down => bar.close < *level,
                Direction::Up | Direction::Either => bar.close > *level,
            };
            let step = if is_beyond { Step::Meets } else { Step::Nothing };
            return fire(rule, state, step, *level, bar);
        }
        condition => match before {
            Some(before) => condition.step(state.is_armed, rule.hysteresis, before, bar.close),
            None => Step::Nothing,
        },
    };
    fire(rule, state, step, before.unwrap_or(bar.close), bar)
}

/// Looks at a value that grows and shrinks: whether a rule that waits for a threshold fires for it. It is armed anew when the value
/// is below the threshold by more than the hysteresis.
pub fn on_value(
    rule: &Rule,
    state: State,
    threshold: Decimal,
    value: Decimal,
    time: DateTime<Utc>,
) -> (State, Option<Firing>) {
    let is_met = value >= threshold;
    if !state.is_armed {
        let is_armed = value < threshold.saturating_sub(rule.hysteresis);
        return (State { is_armed, ..state }, None);
    }
    let step = if is_met { Step::Meets } else { Step::Nothing };
    let (state, firing) = fire(rule, state, step, threshold, &Bar { end: time, close: value, volume: Decimal::ZERO });
    (State { is_armed: firing.is_none(), ..state }, firing)
}

fn fire(rule: &Rule, state: State, step: Step, reference: Decimal, bar: &Bar) -> (State, Option<Firing>) {
    match step {
        Step::Nothing => (state, None),
        Step::Rearms => (State { is_armed: true, ..state }, None),
        Step::Meets if state.is_over || !rule.frequency.allows(state.last_fired_at, bar.end) => (state, None),
        Step::Meets => {
            let is_over = rule.frequency == super::Frequency::Once;
            let is_armed = !is_over
                && (matches!(rule.condition, Condition::Closes { .. })
                    || rule.condition.step(false, rule.hysteresis, reference, bar.close) == Step::Rearms);
            let at = Seen { time: bar.end, trade_id: None, price: bar.close };
            let fired = State { is_armed, last_fired_at: Some(bar.end), fired: state.fired + 1, is_over };
            (fired, Some(Firing { rule_id: rule.id, at, reference, is_late: false }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Frequency;

    fn rule(condition: Condition, frequency: Frequency) -> Rule {
        Rule {
            id: 1,
            condition,
            frequency,
            hysteresis: Decimal::ZERO,
            tell_late: true,
            since: DateTime::UNIX_EPOCH,
            expires_at: None,
            state: State::default(),
        }
    }

    #[test]
    fn closes_count_one_by_one() {
        let beyond = Condition::Closes { level: 100.into(), direction: Direction::Up, bar: Interval::OneMinute };
        let crosses = Condition::Crosses { level: 100.into(), direction: Direction::Up };
        let closes = [99, 101, 102, 98, 103];
        let fired = |condition: &Condition| {
            let rule = rule(condition.clone(), Frequency::EveryTime(TimeDelta::seconds(1)));
            let (mut state, mut before, mut fired) = (rule.state, None, Vec::new());
            for (minute, close) in (1..).zip(closes) {
                let end = DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
                let bar = Bar { end, close: close.into(), volume: Decimal::ZERO };
                let (after, firing) = on_close(&rule, state, before, &bar);
                fired.extend(firing.map(|_| minute));
                (state, before) = (after, Some(bar.close));
            }
            fired
        };
        assert_eq!(fired(&beyond), [2, 3, 5]);
        assert_eq!(fired(&crosses), [2, 5]);
    }

    #[test]
    fn a_value_fires_when_it_reaches_the_threshold_and_again_after_it_was_below() {
        let rule = rule(Condition::Gap, Frequency::EveryTime(TimeDelta::seconds(1)));
        let rule = Rule { hysteresis: 2.into(), ..rule };
        let (mut state, mut fired) = (State::default(), Vec::new());
        for (second, value) in (0..).zip([9, 10, 11, 8, 12, 7, 10]) {
            let time = DateTime::UNIX_EPOCH + TimeDelta::seconds(second);
            let (after, firing) = on_value(&rule, state, 10.into(), value.into(), time);
            state = after;
            fired.extend(firing.map(|_| second));
        }
        assert_eq!(fired, [1, 6]);
    }
}
