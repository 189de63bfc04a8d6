//! The account, its rules, and what they fired for.

use std::collections::{BTreeSet, VecDeque};

use api_types::alerts::{AlertPreview, AlertRequest, AlertRow, AlertSays, FiringRow};
use rust_decimal::Decimal;

use super::{TickerKey, Update};
use crate::{client::Standing, format, remote::Remote};

/// Firings that are kept; the list shows no more.
const KEPT: usize = 500;

/// What is to be done with the account's rules.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Order {
    /// Make one.
    Make(AlertRequest),
    /// Say what it would have fired for.
    Try(AlertRequest),
    /// Change the one with this number.
    Change(i64, AlertRequest),
    /// Delete it.
    Delete(i64),
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Done {
    /// It is as it says.
    Rule(Box<AlertRow>),
    /// It would have fired for this.
    Tried(AlertPreview),
    /// It is deleted.
    Deleted,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// In a sentence.
    pub words: String,
    /// The field at fault, where one is.
    pub parameter: Option<String>,
}

/// What became of the last order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// The order's number.
    pub number: u64,
    /// What was done, or why not.
    pub outcome: Result<Done, Refusal>,
}

/// All that is known of the account.
#[derive(Debug, Default)]
pub(crate) struct Alerts {
    /// Who is logged in.
    pub standing: Standing,
    /// Why the last log-in failed, until there is another.
    pub refused: Option<String>,
    /// The rules, newest first.
    pub rules: Remote<Vec<AlertRow>>,
    /// What became of the last order.
    pub answer: Option<Answer>,
    firings: VecDeque<FiringRow>,
    fresh: Vec<FiringRow>,
}

impl Alerts {
    /// Takes in one piece of news, and returns what the user is to be told of it.
    pub(super) fn apply(&mut self, update: Update) -> Option<String> {
        match update {
            Update::Account(standing) => return self.apply_standing(standing),
            Update::LogInFailed(words) => self.refused = Some(words),
            Update::LogOutFailed(words) => {
                return Some(format!("Logged out here, but the API could not be told: {words}"));
            }
            Update::Rules(outcome) => self.rules.settle(outcome, |_, rules| rules),
            Update::Firings { rows, are_news } => {
                // Another worker begins from the start again.
                let newest = self.firings.front().map(|row| row.id);
                for row in rows.into_iter().rev().filter(|row| newest.is_none_or(|newest| row.id > newest)) {
                    if are_news || newest.is_some() {
                        self.fresh.push(row.clone());
                    }
                    self.firings.push_front(row);
                }
                self.firings.truncate(KEPT);
            }
            Update::Answered { number, order, outcome } => {
                let words = told(&order, &outcome);
                self.take_in(&order, &outcome);
                self.answer = Some(Answer { number, outcome });
                return words;
            }
            _ => {}
        }
        None
    }

    fn apply_standing(&mut self, standing: Standing) -> Option<String> {
        let who = |standing: &Standing| standing.login.as_ref().map(|login| login.username.clone());
        let (before, now) = (who(&self.standing), who(&standing));
        let has_ended = standing.has_ended && !self.standing.has_ended;
        self.standing = standing;
        if before == now {
            return None;
        }
        // What is one account's is not shown to another.
        *self = Self { standing: std::mem::take(&mut self.standing), ..Self::default() };
        match now {
            Some(name) => Some(format!("Logged in as {name}")),
            None if has_ended => Some("The session has ended: log in again".to_owned()),
            None => Some("Logged out".to_owned()),
        }
    }

    /// What was done is seen at once, without asking for all rules again.
    fn take_in(&mut self, order: &Order, outcome: &Result<Done, Refusal>) {
        let Some(rules) = self.rules.value_mut() else { return };
        match (order, outcome) {
            (Order::Make(_), Ok(Done::Rule(rule))) => rules.insert(0, (**rule).clone()),
            (Order::Change(id, _), Ok(Done::Rule(rule))) => {
                if let Some(known) = rules.iter_mut().find(|known| known.id == *id) {
                    *known = (**rule).clone();
                }
            }
            (Order::Delete(id), Ok(Done::Deleted)) => rules.retain(|known| known.id != *id),
            _ => {}
        }
    }

    /// Who is logged in.
    pub(crate) fn username(&self) -> Option<&str> {
        self.standing.login.as_ref().map(|login| login.username.as_str())
    }

    /// Whether a log-in is what helps: nothing is told without one, or the last session was ended.
    pub(crate) fn wants_log_in(&self) -> bool {
        self.standing.login.is_none() && (self.standing.is_needed || self.standing.has_ended)
    }

    /// What was fired for, newest first.
    pub(crate) fn firings(&self) -> &VecDeque<FiringRow> {
        &self.firings
    }

    /// What was fired for since this was last asked for, oldest first.
    pub(crate) fn take_fresh(&mut self) -> Vec<FiringRow> {
        std::mem::take(&mut self.fresh)
    }

    /// The rule with this number.
    pub(crate) fn rule(&self, id: i64) -> Option<&AlertRow> {
        self.rules.value()?.iter().find(|rule| rule.id == id)
    }

    /// What rules about this market fired for at a price, newest first.
    pub(crate) fn firings_of<'a>(&'a self, ticker: &'a TickerKey) -> impl Iterator<Item = (&'a FiringRow, Decimal)> {
        let prices = |row: &&AlertRow| {
            matches!(row.says.kind.as_str(), "crosses" | "reaches" | "channel" | "moves" | "closes")
                && is_about(&row.says, ticker)
        };
        let rules = self.rules.value().into_iter().flatten();
        let ids: BTreeSet<i64> = rules.filter(prices).map(|row| row.id).collect();
        let told = move |row: &'a FiringRow| Some((row, row.price.filter(|_| ids.contains(&row.alert))?));
        self.firings.iter().filter_map(told)
    }

    /// The levels that rules at work wait for in this market.
    pub(crate) fn levels<'a>(&'a self, ticker: &'a TickerKey) -> impl Iterator<Item = Decimal> + 'a {
        let at_work = |row: &&AlertRow| row.status == "created" && is_about(&row.says, ticker);
        let rules = self.rules.value().into_iter().flatten().filter(at_work);
        rules.flat_map(|row| [row.says.level, row.says.lower, row.says.upper]).flatten()
    }
}

/// What the user is to be told of an order besides what the form shows.
fn told(order: &Order, outcome: &Result<Done, Refusal>) -> Option<String> {
    match (order, outcome) {
        (Order::Try(_), _) => None,
        (Order::Make(_), Ok(Done::Rule(rule))) => {
            let about = rule.says.ticker.as_ref().or(rule.says.exchange.as_ref()).or(rule.coin.as_ref());
            let about = about.map_or(format::UNKNOWN, String::as_str);
            Some(format!("Alert made: {about} {}", rule_words(&rule.says)))
        }
        (Order::Make(_), Err(refusal)) => Some(format!("The alert was not made: {}", refusal.words)),
        (Order::Change(..), Err(refusal)) => Some(format!("The alert was not changed: {}", refusal.words)),
        (Order::Delete(_), Err(refusal)) => Some(format!("The alert was not deleted: {}", refusal.words)),
        _ => None,
    }
}

/// The market that a rule is about, where it is about one.
pub(crate) fn market_of(says: &AlertSays) -> Option<TickerKey> {
    Some(TickerKey::new(says.exchange.as_deref()?, says.ticker.as_deref()?))
}

fn is_about(says: &AlertSays, ticker: &TickerKey) -> bool {
    says.ticker.as_deref() == Some(ticker.ticker.as_str()) && says.exchange.as_deref() == Some(ticker.exchange.as_str())
}

/// The state of a rule in words.
pub(crate) fn state_words(state: &str) -> &str {
    match state {
        "created" => "at work",
        other => other,
    }
}

/// What a rule waits for, without the market: `rises through 70,000`.
pub(crate) fn rule_words(says: &AlertSays) -> String {
    let number = |value: Option<Decimal>| {
        value.map_or_else(|| format::UNKNOWN.to_owned(), |value| format::price(value, format::decimals_of(value)))
    };
    let up_or_down = |up: &str, down: &str, either: &str| {
        match says.direction.as_deref() {
            Some("up") => up,
            Some("down") => down,
            _ => either,
        }
        .to_owned()
    };
    let unit = if says.unit.as_deref() == Some("price") { "" } else { "%" };
    let change = format!("{}{unit}", number(says.change));
    let window = span(says.window_minutes.unwrap_or_default() * 60);
    let seconds = span(says.seconds.unwrap_or_default());
    match says.kind.as_str() {
        "crosses" => {
            format!("{} {}", up_or_down("rises through", "falls through", "crosses"), number(says.level))
        }
        "reaches" => format!("reaches {}", number(says.level)),
        "channel" => {
            let way = if says.direction.as_deref() == Some("enter") { "enters" } else { "leaves" };
            format!("{way} {} to {}", number(says.lower), number(says.upper))
        }
        "moves" => format!("{} {change} within {window}", up_or_down("rises", "falls", "moves")),
        "closes" => {
            let bar = says.bar.as_deref().unwrap_or("?");
            format!("closes {} {} ({bar})", up_or_down("above", "below", "beyond"), number(says.level))
        }
        "volume" => format!("{} units traded within {window}", number(says.threshold)),
        "volatility" => format!("deviates {}% within {window}", number(says.threshold)),
        "spread" => {
            let (ticker, exchange) = (says.other_ticker.as_deref(), says.other_exchange.as_deref());
            format!("differs {change} from {} on {}", ticker.unwrap_or("?"), exchange.unwrap_or("?"))
        }
        "stale" => format!("has no trade for {seconds}"),
        "exchange_down" => format!("tells nothing for {seconds}"),
        "gap" => "has trades missing".to_owned(),
        other => other.to_owned(),
    }
}

/// `90 s`, `5 min`, `2 h`: the widest unit that tells it whole.
pub(crate) fn span(seconds: i64) -> String {
    match seconds {
        s if s > 0 && s % 86_400 == 0 => format!("{} d", s / 86_400),
        s if s > 0 && s % 3_600 == 0 => format!("{} h", s / 3_600),
        s if s > 0 && s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

#[cfg(test)]
pub(crate) mod tests;
