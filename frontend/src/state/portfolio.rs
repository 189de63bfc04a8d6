//! The account's portfolios, as far as somebody looks at them.
//!
//! Everything that can be asked is a [`Topic`]: panes say which of them they show, the worker keeps those fresh, and the
//! answers are kept here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::{fmt, path::PathBuf, sync::Arc};

use api_types::portfolios::{
    BalanceRow, ImportProgress, ImportRow, PerformanceRow, PortfolioRequest, PortfolioRow, TransactionPage,
    TransactionRequest, TransactionRow, ValueRow,
};
use chrono::{DateTime, NaiveDate, Utc};

use super::Refusal;
use crate::remote::{Failure, Remote};

/// Transactions on a page.
pub(crate) const TRANSACTIONS_A_PAGE: u32 = 25;

/// Answers kept of what is not looked at any more, so that going back shows the old picture at once.
const KEPT: usize = 16;
/// Outcomes of orders that are kept until whoever gave them looks.
const ANSWERS: usize = 16;
/// Of these, how many may have a file with them.
const FILES: usize = 2;

/// A portfolio as of a day, counted in some way; as of now, and in the portfolio's own way, where that is not said.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Counted {
    /// The portfolio's number.
    pub portfolio: i64,
    /// The code of a currency or coin.
    pub currency: Option<String>,
    /// Which coins are sold first.
    pub method: Option<String>,
    /// The end of this day.
    pub day: Option<NaiveDate>,
}

/// Which transactions are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Which {
    /// Of this coin; of all where not said.
    pub coin: Option<String>,
    /// Of this type; of all where not said.
    pub kind: Option<&'static str>,
    /// Pages before this one.
    pub before: u32,
}

/// What can be asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Topic {
    /// Which portfolios there are.
    List,
    /// What one is worth.
    Balance(Counted),
    /// What it was worth from day to day.
    Values(Counted),
    /// What it earned.
    Performance(Counted),
    /// Some of what was bought and sold in that portfolio.
    Transactions(i64, Which),
}

/// What was answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Told {
    /// The portfolios, oldest first.
    List(Vec<PortfolioRow>),
    /// What one is worth.
    Balance(Box<BalanceRow>),
    /// What it was worth from day to day, oldest first.
    Values(Vec<ValueRow>),
    /// What it earned.
    Performance(Box<PerformanceRow>),
    /// What was bought and sold, newest first.
    Transactions(TransactionPage),
}

/// A file that was read, so that what is imported is what was looked at.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct CsvFile {
    /// Where it was.
    pub path: PathBuf,
    /// What was in it.
    pub content: Arc<[u8]>,
}

impl fmt::Debug for CsvFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CsvFile").field("path", &self.path).field("bytes", &self.content.len()).finish()
    }
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Order {
    /// Make a portfolio.
    Make(PortfolioRequest),
    /// Change the one with this number.
    Change(i64, PortfolioRequest),
    /// Delete it.
    Delete(i64),
    /// Write a transaction down in the portfolio with this number.
    Add(i64, TransactionRequest),
    /// Change the one with the second number.
    Edit(i64, i64, TransactionRequest),
    /// Delete it.
    Remove(i64, i64),
    /// Read a file, and say what would come of it.
    Preview(i64, PathBuf),
    /// Write down what it says, and leave its wrong lines out where that is wanted.
    Import {
        /// Into this portfolio.
        portfolio: i64,
        /// The file.
        file: CsvFile,
        /// Whether the rest is imported where some lines are wrong.
        skip_mistakes: bool,
    },
}

/// What was done.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Done {
    /// The portfolio is as it says.
    Portfolio(Box<PortfolioRow>),
    /// The transaction is as it says.
    Transaction(Box<TransactionRow>),
    /// It is deleted.
    Deleted,
    /// This would come of that file.
    Previewed(ImportRow, CsvFile),
    /// This came of it.
    Imported(ImportRow),
}

impl Done {
    fn has_file(&self) -> bool {
        matches!(self, Self::Previewed(..))
    }
}

/// What became of an order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    /// Its number.
    pub number: u64,
    /// What was done, or why not.
    pub outcome: Result<Done, Refusal>,
}

/// An answer, and when it came.
#[derive(Debug, Default)]
struct Known {
    remote: Remote<Told>,
    told_at: Option<DateTime<Utc>>,
}

/// All that is known of the portfolios.
#[derive(Debug, Default)]
pub(crate) struct Portfolios {
    known: BTreeMap<Topic, Known>,
    shown: BTreeSet<Topic>,
    /// What was shown before, the newest at the back.
    unseen: VecDeque<Topic>,
    answers: VecDeque<Answer>,
    /// The order that a file is being imported by, and how far that is.
    importing: Option<(u64, ImportProgress)>,
}

impl Portfolios {
    /// These are looked at from now on.
    pub(crate) fn show(&mut self, topics: BTreeSet<Topic>) {
        if self.shown == topics {
            return;
        }
        let before = std::mem::replace(&mut self.shown, topics);
        self.unseen.extend(before.difference(&self.shown).cloned());
        self.unseen.retain(|topic| !self.shown.contains(topic));
        let surplus = self.unseen.len().saturating_sub(KEPT);
        for topic in self.unseen.drain(..surplus) {
            self.known.remove(&topic);
        }
        for topic in &self.shown {
            self.known.entry(topic.clone()).or_default();
        }
    }

    /// Somebody else is logged in, or nobody: what was known is not theirs.
    pub(super) fn forget(&mut self) {
        let known = self.shown.iter().map(|topic| (topic.clone(), Known::default())).collect();
        *self = Self { known, shown: std::mem::take(&mut self.shown), ..Self::default() };
    }

    /// Takes an answer in. Nobody waits any more for one that is not kept.
    pub(super) fn take_in(&mut self, topic: &Topic, outcome: Result<Told, Failure>, now: DateTime<Utc>) {
        let Some(known) = self.known.get_mut(topic) else { return };
        if outcome.is_ok() {
            known.told_at = Some(now);
        }
        known.remote.settle(outcome, |_, told| told);
    }

    /// Takes in how far an import is.
    pub(super) fn imports(&mut self, number: u64, progress: ImportProgress) {
        self.importing = Some((number, progress));
    }

    /// How far the import with this number is, while it goes on.
    pub(crate) fn progress(&self, number: u64) -> Option<&ImportProgress> {
        self.importing.as_ref().filter(|(of, _)| *of == number).map(|(_, progress)| progress)
    }

    /// Takes the outcome of an order in, and returns what the user is to be told of it.
    pub(super) fn answered(&mut self, number: u64, order: &Order, outcome: Result<Done, Refusal>) -> Option<String> {
        let words = news(order, &outcome);
        self.importing.take_if(|(of, _)| *of == number);
        self.see_at_once(order, &outcome);
        if outcome.as_ref().is_ok_and(Done::has_file) {
            let files = |answer: &Answer| answer.outcome.as_ref().is_ok_and(Done::has_file);
            let surplus = self.answers.iter().filter(|answer| files(answer)).count() >= FILES;
            let oldest = self.answers.iter().position(files).filter(|_| surplus);
            oldest.map(|place| self.answers.remove(place));
        }
        self.answers.push_back(Answer { number, outcome });
        if self.answers.len() > ANSWERS {
            self.answers.pop_front();
        }
        words
    }

    /// The list changes without being asked for again.
    fn see_at_once(&mut self, order: &Order, outcome: &Result<Done, Refusal>) {
        let list = self.known.get_mut(&Topic::List).and_then(|known| known.remote.value_mut());
        let Some(Told::List(list)) = list else { return };
        match (order, outcome) {
            (Order::Make(_), Ok(Done::Portfolio(made))) => list.push((**made).clone()),
            (Order::Change(id, _), Ok(Done::Portfolio(changed))) => {
                if let Some(known) = list.iter_mut().find(|known| known.id == *id) {
                    *known = (**changed).clone();
                }
            }
            (Order::Delete(id), Ok(Done::Deleted)) => list.retain(|known| known.id != *id),
            _ => {}
        }
    }

    /// What became of the order with this number, once that is known.
    pub(crate) fn answer(&self, number: u64) -> Option<&Result<Done, Refusal>> {
        self.answers.iter().find(|answer| answer.number == number).map(|answer| &answer.outcome)
    }

    /// The portfolios, once they are known.
    pub(crate) fn list(&self) -> Option<&[PortfolioRow]> {
        match self.value(&Topic::List) {
            Some(Told::List(list)) => Some(list),
            _ => None,
        }
    }

    /// What one is worth.
    pub(crate) fn balance(&self, counted: &Counted) -> Option<&BalanceRow> {
        match self.value(&Topic::Balance(counted.clone())) {
            Some(Told::Balance(balance)) => Some(balance),
            _ => None,
        }
    }

    /// What it was worth from day to day.
    pub(crate) fn values(&self, counted: &Counted) -> Option<&[ValueRow]> {
        match self.value(&Topic::Values(counted.clone())) {
            Some(Told::Values(values)) => Some(values),
            _ => None,
        }
    }

    /// What it earned.
    pub(crate) fn performance(&self, counted: &Counted) -> Option<&PerformanceRow> {
        match self.value(&Topic::Performance(counted.clone())) {
            Some(Told::Performance(performance)) => Some(performance),
            _ => None,
        }
    }

    /// Some of what was bought and sold.
    pub(crate) fn transactions(&self, portfolio: i64, which: &Which) -> Option<&TransactionPage> {
        match self.value(&Topic::Transactions(portfolio, which.clone())) {
            Some(Told::Transactions(page)) => Some(page),
            _ => None,
        }
    }

    /// Why there is no newer answer, and when the one came that there is.
    pub(crate) fn failure(&self, topic: &Topic) -> Option<(&Failure, Option<DateTime<Utc>>)> {
        let known = self.known.get(topic)?;
        Some((known.remote.failure()?, known.told_at))
    }

    /// Whether something that is shown was not answered.
    pub(super) fn has_failed(&self) -> bool {
        self.shown.iter().any(|topic| self.failure(topic).is_some())
    }

    fn value(&self, topic: &Topic) -> Option<&Told> {
        self.known.get(topic)?.remote.value()
    }
}

/// What the user is to be told of an order besides what its form shows.
fn news(order: &Order, outcome: &Result<Done, Refusal>) -> Option<String> {
    match (order, outcome) {
        (Order::Import { .. }, Ok(Done::Imported(row))) => {
            let rows = if row.added == 1 { "transaction was" } else { "transactions were" };
            Some(format!("{} {rows} imported; {} known already, {} wrong", row.added, row.known, row.mistakes))
        }
        (Order::Delete(_), Ok(Done::Deleted)) => Some("The portfolio is deleted".to_owned()),
        (Order::Delete(_), Err(refusal)) => Some(format!("The portfolio was not deleted: {}", refusal.words)),
        (Order::Change(..), Err(refusal)) => Some(format!("The portfolio was not changed: {}", refusal.words)),
        (Order::Remove(..), Err(refusal)) => Some(format!("The transaction was not deleted: {}", refusal.words)),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) mod tests;
