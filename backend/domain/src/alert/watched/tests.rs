//! Against an evaluation that knows no index: every rule looks at every price.

use chrono::TimeDelta;
use proptest::prelude::*;

use super::*;
use crate::{Interval, alert::Way};

/// One rule, price by price.
fn by_hand(rule: &Rule, prices: &[Seen], gaps: &[Gap]) -> Vec<Firing> {
    let (mut armed, mut last, mut firings) = (true, None::<DateTime<Utc>>, Vec::new());
    for (place, at) in prices.iter().enumerate() {
        let (is_met, has_passed, reference) = match &rule.condition {
            Condition::Moves { change, unit, direction, minutes } => {
                let begin = Interval::OneMinute.open_time(at.time) - TimeDelta::minutes(i64::from(*minutes));
                let window = || prices[..=place].iter().filter(|seen| seen.time >= begin).map(|seen| seen.price);
                let (low, high) = (window().min().unwrap(), window().max().unwrap());
                let up = (unit.difference(low, at.price).unwrap(), low);
                let down = (-unit.difference(high, at.price).unwrap(), high);
                let (size, reference) = match direction {
                    Direction::Up => up,
                    Direction::Down => down,
                    Direction::Either => {
                        if up.0 > down.0 {
                            up
                        } else {
                            down
                        }
                    }
                };
                (size >= *change, size < change - rule.hysteresis, reference)
            }
            condition => {
                let Some(before) = place.checked_sub(1).map(|place| prices[place]) else { continue };
                let across =
                    !before.is_followed_by(at) && gaps.iter().any(|gap| gap.from < at.time && before.time < gap.to);
                let step = |armed| condition.step(armed, rule.hysteresis, before.price, at.price);
                (step(true) == Step::Meets && !across, step(false) == Step::Rearms, before.price)
            }
        };
        if !armed {
            armed = has_passed;
        } else if is_met && rule.frequency.allows(last, at.time) && rule.expires_at.is_none_or(|end| at.time < end) {
            firings.push(Firing { rule_id: rule.id, at: *at, reference, is_late: false });
            last = Some(at.time);
            armed = has_passed && signal(&rule.condition).is_none();
            if rule.frequency == Frequency::Once {
                break;
            }
        }
    }
    firings
}

fn conditions() -> impl Strategy<Value = Condition> {
    let direction = || prop_oneof![Just(Direction::Up), Just(Direction::Down), Just(Direction::Either)];
    let level = || (90i64..111).prop_map(Decimal::from);
    prop_oneof![
        (level(), direction()).prop_map(|(level, direction)| Condition::Crosses { level, direction }),
        level().prop_map(|level| Condition::Reaches { level }),
        (level(), 0i64..8, any::<bool>()).prop_map(|(lower, width, leaves)| {
            let way = if leaves { Way::Leave } else { Way::Enter };
            Condition::Channel { lower, upper: lower + Decimal::from(width), way }
        }),
        (1i64..9, any::<bool>(), direction(), 1u16..5).prop_map(|(change, percent, direction, minutes)| {
            let unit = if percent { Unit::Percent } else { Unit::Price };
            Condition::Moves { change: change.into(), unit, direction, minutes }
        }),
    ]
}

fn rules() -> impl Strategy<Value = Vec<Rule>> {
    let frequency = prop_oneof![
        Just(Frequency::Once),
        Just(Frequency::OncePerBar(Interval::OneMinute)),
        (1i64..100).prop_map(|seconds| Frequency::EveryTime(TimeDelta::seconds(seconds))),
    ];
    let rule = (conditions(), frequency, 0i64..3, prop::option::of(0i64..3_000));
    prop::collection::vec(rule, 1..12).prop_map(|rules| {
        let rule = |(id, (condition, frequency, hysteresis, ends)): (i64, (_, _, i64, Option<i64>))| Rule {
            id,
            condition,
            frequency,
            hysteresis: hysteresis.into(),
            tell_late: true,
            since: begin(),
            expires_at: ends.map(|seconds| begin() + TimeDelta::seconds(seconds)),
            state: State::default(),
        };
        (1..).zip(rules).map(rule).collect()
    })
}

fn begin() -> DateTime<Utc> {
    DateTime::from_timestamp(1_000_000_020, 0).unwrap()
}

/// Prices, where batches end, and spans without trades.
fn prices() -> impl Strategy<Value = (Vec<Seen>, Vec<bool>, Vec<Gap>)> {
    prop::collection::vec((0i64..40, 88i64..113, 1i64..3, prop::bool::weighted(0.2)), 1..120).prop_map(|steps| {
        let (mut time, mut number, mut seen, mut gaps) = (begin(), 0, Vec::new(), Vec::new());
        for (seconds, price, numbers, _) in &steps {
            let (before, first) = (time, number + 1);
            time += TimeDelta::seconds(*seconds);
            number += numbers;
            if *numbers > 1 && seconds % 3 == 0 && *seconds > 0 {
                let trades = (seconds % 2 == 0).then_some((first, number - 1));
                gaps.push(Gap { from: before, to: time, trades });
            }
            seen.push(Seen { time, trade_id: Some(number), price: Decimal::from(*price) });
        }
        (seen, steps.into_iter().map(|(_, _, _, ends)| ends).collect(), gaps)
    })
}

proptest! {
    #[test]
    fn it_fires_what_looking_at_every_rule_fires((prices, ends, gaps) in prices(), rules in rules()) {
        let mut watched = Watched::default();
        for rule in &rules {
            watched.set(rule.clone());
        }
        watched.set_extremes(Extremes::new(watched.longest_window(), []));
        let (mut firings, mut before, mut place) = (Vec::new(), None, 0);
        let lengths = ends.split_inclusive(|end| *end).map(<[bool]>::len);
        for length in lengths {
            let batch: Vec<(Seen, bool)> = prices[place..place + length].iter().map(|seen| (*seen, false)).collect();
            place += length;
            let sequence = Sequence { before, prices: &batch, behind: None, gaps: &gaps };
            let mut found = Found::default();
            watched.evaluate(&sequence, &mut found);
            // The same once more finds the same.
            watched.rewind();
            let mut again = Found::default();
            watched.evaluate(&sequence, &mut again);
            prop_assert_eq!(&found, &again);
            watched.confirm();
            for (id, state) in &found.states {
                watched.set_state(*id, *state);
            }
            firings.extend(found.firings);
            before = batch.last().map(|(seen, _)| *seen);
        }
        for rule in &rules {
            let fired: Vec<&Firing> = firings.iter().filter(|firing| firing.rule_id == rule.id).collect();
            let expected = by_hand(rule, &prices, &gaps);
            prop_assert_eq!(fired, expected.iter().collect::<Vec<_>>(), "{:?}", rule);
        }
    }
}

fn at(second: i64, price: i64) -> Seen {
    Seen { time: begin() + TimeDelta::seconds(second), trade_id: None, price: price.into() }
}

#[test]
fn late_prices_neither_arm_what_fired_since_nor_disarm_what_has_passed() {
    let condition = Condition::Crosses { level: 100.into(), direction: Direction::Up };
    let rule = Rule {
        id: 1,
        condition,
        frequency: Frequency::EveryTime(TimeDelta::seconds(1)),
        hysteresis: 1.into(),
        tell_late: true,
        since: begin(),
        expires_at: None,
        state: State { is_armed: false, last_fired_at: Some(at(100, 0).time), fired: 1, is_over: false },
    };
    let late = |watched: &mut Watched, prices: &[Seen], newest: i64| {
        let prices: Vec<(Seen, bool)> = prices.iter().map(|seen| (*seen, true)).collect();
        let newest = Some(newest.into());
        let mut found = Found::default();
        watched.evaluate(&Sequence { before: Some(at(1, 99)), prices: &prices, behind: newest, gaps: &[] }, &mut found);
        found
    };
    let mut rests = Watched::default();
    rests.set(rule.clone());
    assert_eq!(late(&mut rests, &[at(10, 98), at(20, 95)], 101), Found::default());
    let rule_without =
        Rule { hysteresis: Decimal::ZERO, frequency: Frequency::EveryTime(TimeDelta::seconds(10)), ..rule.clone() };
    let mut often = Watched::default();
    often.set(Rule { state: State { is_armed: true, ..rule.state }, ..rule_without });
    let found = late(&mut often, &[at(2, 101), at(3, 99), at(4, 101), at(5, 99), at(12, 101)], 101);
    assert_eq!(found.firings.iter().map(|firing| firing.at).collect::<Vec<_>>(), [at(2, 101), at(12, 101)]);
    let mut armed = Watched::default();
    armed.set(Rule { state: State::default(), ..rule });
    let found = late(&mut armed, &[at(10, 101)], 95);
    assert!(found.firings.len() == 1 && found.states[&1].is_armed, "it has passed since: {found:?}");
}

#[test]
fn without_rules_that_look_back_nothing_is_known_of_the_past() {
    let change = Decimal::ONE;
    let moves = Condition::Moves { change, unit: Unit::Percent, direction: Direction::Up, minutes: 5 };
    let rule = Rule {
        id: 1,
        condition: moves,
        frequency: Frequency::Once,
        hysteresis: Decimal::ZERO,
        tell_late: true,
        since: begin(),
        expires_at: None,
        state: State::default(),
    };
    let mut watched = Watched::default();
    watched.set(rule.clone());
    assert!(!watched.knows_its_window());
    watched.set_extremes(Extremes::new(5, []));
    assert!(watched.knows_its_window());
    watched.remove(1);
    watched.set(rule);
    assert!(!watched.knows_its_window());
}
