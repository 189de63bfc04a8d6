//! The rules of one pair, and which of them its prices meet.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{Condition, Direction, Extremes, Frequency, Rule, Seen, Step, Unit};

/// How a rule stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// Whether it fires when it is met; not after it fired, until what it fired for has passed.
    pub is_armed: bool,
    /// When that happened which it last fired for.
    pub last_fired_at: Option<DateTime<Utc>>,
    /// How often it fired.
    pub fired: u64,
    /// It fired, and was to fire once.
    pub is_over: bool,
}

impl Default for State {
    fn default() -> Self {
        Self { is_armed: true, last_fired_at: None, fired: 0, is_over: false }
    }
}

/// A rule fired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Firing {
    /// The rule.
    pub rule_id: i64,
    /// The price that fired it.
    pub at: Seen,
    /// What that was compared with: the price before, or the extreme of the window.
    pub reference: Decimal,
    /// It was fetched, or stored, long after it happened.
    pub is_late: bool,
}

/// What prices were found to mean.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// What fired, in the order of prices.
    pub firings: Vec<Firing>,
    /// How the rules stand that changed.
    pub states: HashMap<i64, State>,
    /// When that happened which each rule fired for, among these; and what is known of before and behind, where prices come late.
    pub times: HashMap<i64, Vec<DateTime<Utc>>>,
    /// Something fired between two prices of which numbers do not say that they follow each other, and no known gap lies between.
    pub is_doubtful: bool,
}

/// A span in which trades are missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap {
    /// The last price before it.
    pub from: DateTime<Utc>,
    /// The first behind it.
    pub to: DateTime<Utc>,
    /// The first and the last number of what is missing; `None` where trades have no numbers of which one follows the other.
    pub trades: Option<(i64, i64)>,
}

impl Gap {
    /// Whether trades are missing between these two prices.
    fn lies_between(&self, before: &Seen, after: &Seen) -> bool {
        match (self.trades, before.trade_id, after.trade_id) {
            (Some((first, last)), Some(before), Some(after)) => before < last && first < after,
            _ => self.from < after.time && before.time < self.to,
        }
    }
}

/// Prices that follow each other.
#[derive(Debug, Clone, Copy)]
pub struct Sequence<'a> {
    /// The price before the first of them.
    pub before: Option<Seen>,
    /// They, and of each whether it comes late.
    pub prices: &'a [(Seen, bool)],
    /// Where they come behind prices that were looked at: the newest of these. `None` where they come in order.
    pub behind: Option<Decimal>,
    /// Where trades are missing.
    pub gaps: &'a [Gap],
}

/// Rules that wait for something to grow to a threshold.
#[derive(Debug, Clone, Default)]
struct Thresholds {
    /// Of those that are armed: the threshold.
    armed: BTreeSet<(Decimal, i64)>,
    /// Of the others: below what they are armed again.
    disarmed: BTreeSet<(Decimal, i64)>,
}

/// What a window is looked at for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Signal {
    minutes: u16,
    unit: Unit,
    direction: Direction,
}

/// The rules of one pair that every price may meet.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    rules: HashMap<i64, Rule>,
    levels: BTreeSet<(Decimal, i64)>,
    moves: Vec<(Signal, Thresholds)>,
    extremes: Extremes,
}

impl Watched {
    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// A rule, where it is at work.
    pub fn rule(&self, id: i64) -> Option<&Rule> {
        self.rules.get(&id)
    }

    /// How many minutes back its rules look; 0 where none does.
    pub fn longest_window(&self) -> u16 {
        self.moves.iter().map(|(signal, _)| signal.minutes).max().unwrap_or_default()
    }

    /// Whether what is known of the last minutes reaches as far back as its rules look.
    pub fn knows_its_window(&self) -> bool {
        self.extremes.longest() >= self.longest_window()
    }

    /// Tells it the last minutes anew.
    pub fn set_extremes(&mut self, extremes: Extremes) {
        self.extremes = extremes;
    }

    /// What was looked at is stored.
    pub fn confirm(&mut self) {
        self.extremes.confirm();
    }

    /// What was looked at since the last confirmation is looked at anew.
    pub fn rewind(&mut self) {
        self.extremes.rewind();
    }

    /// Takes a rule in, in the place of what it was before.
    pub fn set(&mut self, rule: Rule) {
        self.take_out(rule.id);
        let State { is_armed, .. } = rule.state;
        for level in rule.condition.levels(is_armed, rule.hysteresis) {
            self.levels.insert((level, rule.id));
        }
        if let (Condition::Moves { change, .. }, Some(signal)) = (&rule.condition, signal(&rule.condition)) {
            let (change, entry) = (*change, (rearmed_below(&rule, *change), rule.id));
            let thresholds = self.thresholds(signal);
            if is_armed {
                thresholds.armed.insert((change, rule.id))
            } else {
                thresholds.disarmed.insert(entry)
            };
        }
        self.rules.insert(rule.id, rule);
    }

    /// Notes how a rule stands now; one that is over is forgotten.
    pub fn set_state(&mut self, id: i64, state: State) {
        let Some(rule) = self.rules.get(&id) else { return };
        if state.is_over {
            self.remove(id);
        } else if rule.state.is_armed == state.is_armed {
            // Where it is looked for stays.
            self.rules.entry(id).and_modify(|rule| rule.state = state);
        } else {
            let rule = Rule { state, ..rule.clone() };
            self.set(rule);
        }
    }

    /// Forgets a rule.
    pub fn remove(&mut self, id: i64) {
        self.take_out(id);
        if self.moves.is_empty() {
            // From here on nothing is added: what is known grows old.
            self.extremes = Extremes::default();
        }
    }

    fn take_out(&mut self, id: i64) {
        let Some(rule) = self.rules.remove(&id) else { return };
        for level in rule.condition.levels(rule.state.is_armed, rule.hysteresis) {
            self.levels.remove(&(level, id));
        }
        if let (Condition::Moves { change, .. }, Some(signal)) = (&rule.condition, signal(&rule.condition)) {
            let thresholds = self.thresholds(signal);
            thresholds.armed.remove(&(*change, id));
            thresholds.disarmed.remove(&(rearmed_below(&rule, *change), id));
            self.moves.retain(|(_, thresholds)| !thresholds.armed.is_empty() || !thresholds.disarmed.is_empty());
        }
    }

    fn thresholds(&mut self, of: Signal) -> &mut Thresholds {
        let place = self.moves.iter().position(|(signal, _)| *signal == of).unwrap_or_else(|| {
            self.moves.push((of, Thresholds::default()));
            self.moves.len() - 1
        });
        &mut self.moves[place].1
    }

    /// The places of those windows in which these prices may mean something: most of the time none.
    fn signals_in_reach(&mut self, prices: &[(Seen, bool)]) -> Vec<usize> {
        let (Some((first, _)), false) = (prices.first(), self.moves.is_empty()) else { return Vec::new() };
        let all = || prices.iter().map(|(seen, _)| seen.price);
        let (lowest, highest) = (all().min().unwrap_or(first.price), all().max().unwrap_or(first.price));
        let mut places = Vec::new();
        for (place, (signal, thresholds)) in self.moves.iter().enumerate() {
            let before = self.extremes.of(signal.minutes, first.time);
            let window = before.map_or((lowest, highest), |(low, high)| (low.min(lowest), high.max(highest)));
            let least = thresholds.armed.first().map(|(change, _)| *change);
            let is_in_reach = |least| signal.reaches(least, window, highest) || signal.reaches(least, window, lowest);
            if !thresholds.disarmed.is_empty() || least.is_some_and(is_in_reach) {
                places.push(place);
            }
        }
        places
    }

    /// Looks at prices, and puts to `found` what they mean. The rules here stay as they are: what changes is in `found`. After
    /// [`rewind`](Self::rewind) the same can be looked at again.
    pub fn evaluate(&mut self, sequence: &Sequence<'_>, found: &mut Found) {
        // Whatever is armed otherwise now than the indices say is looked at with each price.
        let mut moved: BTreeSet<i64> = BTreeSet::new();
        for (id, state) in &found.states {
            if self.rules.get(id).is_some_and(|rule| rule.state.is_armed != state.is_armed) {
                moved.insert(*id);
            }
        }
        let mut near: Vec<i64> = Vec::new();
        let signals = self.signals_in_reach(sequence.prices);
        let mut quiet: Option<(Option<Decimal>, Option<Decimal>)> = None;
        let mut before = sequence.before;
        // The last price that was one of a trade: between two that follow each other nothing counts.
        let mut last_trade = sequence.before.filter(|before| before.trade_id.is_some());
        for (seen, is_late) in sequence.prices {
            if let Some(trade) = last_trade.filter(|trade| Some(*trade) != before && trade.is_followed_by(seen)) {
                (before, quiet) = (Some(trade), None);
            }
            // Those that move at this price are looked at again with the next.
            let earlier = moved.clone();
            let mut met = Met { at: *seen, is_late: *is_late, sequence, before, found: &mut *found, moved: &mut moved };
            if let Some(before) = before {
                let is_quiet = quiet.is_some_and(|(lower, upper)| {
                    lower.is_none_or(|lower| lower < seen.price) && upper.is_none_or(|upper| seen.price < upper)
                });
                if !is_quiet {
                    let (low, high) = (before.price.min(seen.price), before.price.max(seen.price));
                    near.clear();
                    near.extend(self.levels.range((low, i64::MIN)..=(high, i64::MAX)).map(|(_, id)| *id));
                    // A rule may have several levels.
                    near.sort_unstable();
                    near.dedup();
                    for id in near.iter().filter(|id| !earlier.contains(id)) {
                        met.step(&self.rules[id], before);
                    }
                    let lower = self.levels.range(..=(seen.price, i64::MAX)).next_back();
                    let upper = self.levels.range((seen.price, i64::MIN)..).next();
                    quiet = Some((lower.map(|(level, _)| *level), upper.map(|(level, _)| *level)));
                }
            }
            if !self.moves.is_empty() {
                self.extremes.add(seen.time, seen.price);
            }
            if sequence.behind.is_none() {
                for (signal, thresholds) in signals.iter().map(|place| &self.moves[*place]) {
                    let Some(window) = self.extremes.of(signal.minutes, seen.time) else { continue };
                    let least = thresholds.armed.first().map(|(change, _)| *change);
                    if thresholds.disarmed.is_empty()
                        && least.is_none_or(|least| !signal.reaches(least, window, seen.price))
                    {
                        continue;
                    }
                    let Some((size, reference)) = signal.size(window, seen) else { continue };
                    let armed = thresholds.armed.range(..=(size, i64::MAX));
                    let passed = thresholds.disarmed.range((size, i64::MAX)..);
                    for (_, id) in armed.chain(passed) {
                        if !earlier.contains(id) {
                            met.grown(&self.rules[id], size, reference);
                        }
                    }
                }
            }
            for id in &earlier {
                let rule = &self.rules[id];
                match signal(&rule.condition) {
                    None => {
                        if let Some(before) = before {
                            met.step(rule, before);
                        }
                    }
                    Some(signal) if sequence.behind.is_none() => {
                        let window = self.extremes.of(signal.minutes, seen.time);
                        if let Some((size, reference)) = window.and_then(|window| signal.size(window, seen)) {
                            met.grown(rule, size, reference);
                        }
                    }
                    Some(_) => {}
                }
            }
            before = Some(*seen);
            last_trade = before.filter(|before| before.trade_id.is_some()).or(last_trade);
        }
    }
}

/// What a rule that waits for a move looks at.
fn signal(condition: &Condition) -> Option<Signal> {
    match condition {
        Condition::Moves { unit, direction, minutes, .. } => {
            Some(Signal { minutes: *minutes, unit: *unit, direction: *direction })
        }
        _ => None,
    }
}

/// Below what it is armed again.
fn rearmed_below(rule: &Rule, change: Decimal) -> Decimal {
    change.saturating_sub(rule.hysteresis)
}

impl Signal {
    /// How far the price has moved from the lowest and the highest of the window, and from where.
    fn size(self, (low, high): (Decimal, Decimal), seen: &Seen) -> Option<(Decimal, Decimal)> {
        let rise = || Some((self.unit.difference(low, seen.price)?, low));
        let fall = || Some((-self.unit.difference(high, seen.price)?, high));
        match self.direction {
            Direction::Up => rise(),
            Direction::Down => fall(),
            Direction::Either => rise().into_iter().chain(fall()).max_by_key(|(size, _)| *size),
        }
    }

    /// Whether it may have moved by so much: the same without dividing, where nearly every price is done with.
    fn reaches(self, change: Decimal, (low, high): (Decimal, Decimal), price: Decimal) -> bool {
        let reaches = |from: Decimal, by: Decimal| match self.unit {
            Unit::Price => by >= change,
            Unit::Percent => {
                let sides = by.checked_mul(Decimal::ONE_HUNDRED).zip(change.checked_mul(from));
                sides.is_none_or(|(moved, needed)| moved >= needed)
            }
        };
        let rises = || reaches(low, price.saturating_sub(low));
        let falls = || reaches(high, high.saturating_sub(price));
        match self.direction {
            Direction::Up => rises(),
            Direction::Down => falls(),
            Direction::Either => rises() || falls(),
        }
    }
}

/// What one price does.
struct Met<'a, 'b> {
    at: Seen,
    is_late: bool,
    sequence: &'a Sequence<'b>,
    before: Option<Seen>,
    found: &'a mut Found,
    moved: &'a mut BTreeSet<i64>,
}

impl Met<'_, '_> {
    fn state(&self, rule: &Rule) -> State {
        self.found.states.get(&rule.id).copied().unwrap_or(rule.state)
    }

    /// A step from the price before to this one, to a rule that waits for a level.
    fn step(&mut self, rule: &Rule, before: Seen) {
        let state = self.state(rule);
        match rule.condition.step(state.is_armed, rule.hysteresis, before.price, self.at.price) {
            Step::Nothing => {}
            // What was before it fired arms nothing.
            Step::Rearms if self.sequence.behind.is_some() && Some(self.at.time) < state.last_fired_at => {}
            Step::Rearms => self.rearm(rule, state),
            Step::Meets => {
                if self.may_fire(rule, state) && !self.is_across_a_gap() {
                    // Where it stands now counts, not where a late price stood.
                    let now = self.sequence.behind.unwrap_or(self.at.price);
                    let is_armed = rule.condition.step(false, rule.hysteresis, before.price, now) == Step::Rearms;
                    self.fire(rule, state, before.price, is_armed);
                }
            }
        }
    }

    /// So large is what a rule waits for, that waits for a move.
    fn grown(&mut self, rule: &Rule, size: Decimal, reference: Decimal) {
        let state = self.state(rule);
        let Condition::Moves { change, .. } = rule.condition else { return };
        if !state.is_armed && size < rearmed_below(rule, change) {
            self.rearm(rule, state);
        } else if state.is_armed && size >= change && self.may_fire(rule, state) {
            self.fire(rule, state, reference, false);
        }
    }

    fn may_fire(&self, rule: &Rule, state: State) -> bool {
        !state.is_over
            && (rule.tell_late || !self.is_late)
            && (self.sequence.behind.is_none() || rule.since <= self.at.time)
            && rule.expires_at.is_none_or(|end| self.at.time < end)
            && rule.frequency.allows(state.last_fired_at, self.at.time)
            // Late ones leave the time of a later firing as it was.
            && self.found.times.get(&rule.id).is_none_or(|times| {
                times.iter().all(|time| rule.frequency.allows(Some(*time), self.at.time))
            })
    }

    /// Whether trades are missing between the price before and this one.
    fn is_across_a_gap(&mut self) -> bool {
        let Some(before) = self.before.filter(|before| !before.is_followed_by(&self.at)) else { return false };
        let is_across = self.sequence.gaps.iter().any(|gap| gap.lies_between(&before, &self.at));
        self.found.is_doubtful |= !is_across;
        is_across
    }

    fn fire(&mut self, rule: &Rule, state: State, reference: Decimal, is_armed: bool) {
        let is_over = rule.frequency == Frequency::Once;
        let last_fired_at = state.last_fired_at.max(Some(self.at.time));
        let after = State { is_armed: is_armed && !is_over, last_fired_at, fired: state.fired + 1, is_over };
        self.found.times.entry(rule.id).or_default().push(self.at.time);
        self.found.firings.push(Firing { rule_id: rule.id, at: self.at, reference, is_late: self.is_late });
        self.change(rule, after);
    }

    fn rearm(&mut self, rule: &Rule, state: State) {
        if !state.is_over {
            self.change(rule, State { is_armed: true, ..state });
        }
    }

    fn change(&mut self, rule: &Rule, state: State) {
        self.found.states.insert(rule.id, state);
        if state.is_armed == rule.state.is_armed || state.is_over {
            self.moved.remove(&rule.id);
        } else {
            self.moved.insert(rule.id);
        }
    }
}

#[cfg(test)]
mod tests;
