//! Which of the coins that were bought are sold, what that earned, and what the others cost.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, VecDeque},
};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::{Direction, TooLarge, Trade};

/// Which coins are sold first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Method {
    /// Those that were bought first.
    #[default]
    Fifo,
    /// Those that were bought last.
    Lifo,
    /// Those that cost most; of equal ones the oldest.
    Hifo,
    /// All alike, at their mean cost.
    Average,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 4] = [Self::Fifo, Self::Lifo, Self::Hifo, Self::Average];

    /// The word used in JSON and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fifo => "fifo",
            Self::Lifo => "lifo",
            Self::Hifo => "hifo",
            Self::Average => "average",
        }
    }

    /// The method of this word, however it is capitalised.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(word))
    }
}

/// Coins that were bought together and not sold yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot {
    /// The trade that bought them; of several put together, the first one.
    pub trade_id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// How many are left.
    pub volume: Decimal,
    /// What these cost, with their part of the fee.
    pub cost: Decimal,
}

/// Coins that were sold, all of one lot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disposal {
    /// Code of the coin.
    pub symbol: SmolStr,
    /// The trade that sold them.
    pub trade_id: i64,
    /// When.
    pub at: DateTime<Utc>,
    /// The trade that had bought them, and when; `None` where more was sold than had been bought, and by [`Method::Average`], which
    /// does not tell coins apart.
    pub bought: Option<(i64, DateTime<Utc>)>,
    /// How many.
    pub volume: Decimal,
    /// What they had cost, with their part of the fee. Coins that nothing is known of had cost nothing.
    pub cost: Decimal,
    /// What they brought, without their part of the fee.
    pub proceeds: Decimal,
    /// Whether they had been bought at all.
    pub is_covered: bool,
}

impl Disposal {
    /// What that earned; below 0 what it lost.
    pub fn gain(&self) -> Decimal {
        self.proceeds.saturating_sub(self.cost)
    }
}

/// What is left of a coin, and what was earned with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Profits {
    /// What is left, oldest first.
    pub lots: Vec<Lot>,
    /// What was sold, in order.
    pub disposals: Vec<Disposal>,
    /// All fees, of buying and of selling.
    pub fees: Decimal,
}

impl Profits {
    /// Whether every sum of it is a number.
    fn can_be_added_up(&self) -> Option<()> {
        let (mut volume, mut cost) = (Decimal::ZERO, Decimal::ZERO);
        for lot in &self.lots {
            (volume, cost) = (volume.checked_add(lot.volume)?, cost.checked_add(lot.cost)?);
        }
        let (mut sold, mut realised, mut lost) = (Decimal::ZERO, Decimal::ZERO, Decimal::ZERO);
        for disposal in &self.disposals {
            let gain = disposal.proceeds.checked_sub(disposal.cost)?;
            sold = sold.checked_add(disposal.volume)?;
            // Whatever order they are added in.
            (realised, lost) =
                (realised.checked_add(gain.max(Decimal::ZERO))?, lost.checked_add(gain.min(Decimal::ZERO))?);
        }
        Some(())
    }

    /// Units that are left.
    pub fn volume(&self) -> Decimal {
        self.lots.iter().map(|lot| lot.volume).sum()
    }

    /// What those cost.
    pub fn cost(&self) -> Decimal {
        self.lots.iter().map(|lot| lot.cost).sum()
    }

    /// What selling earned.
    pub fn realised(&self) -> Decimal {
        self.disposals.iter().map(Disposal::gain).sum()
    }

    /// Units that were sold without having been bought.
    pub fn uncovered(&self) -> Decimal {
        self.disposals.iter().filter(|disposal| !disposal.is_covered).map(|disposal| disposal.volume).sum()
    }
}

/// Goes through trades in their order ([`Trade::order`]), of each coin by itself.
///
/// # Errors
/// When numbers become too large.
pub fn profits<'a>(
    trades: impl IntoIterator<Item = &'a Trade>,
    method: Method,
) -> Result<BTreeMap<SmolStr, Profits>, TooLarge> {
    let mut books: BTreeMap<SmolStr, (Book, Profits)> = BTreeMap::new();
    for trade in trades {
        let (book, profits) = match books.get_mut(&trade.symbol) {
            Some(known) => known,
            None => books.entry(trade.symbol.clone()).or_insert_with(|| (Book::of(method), Profits::default())),
        };
        profits.fees = profits.fees.checked_add(trade.fee).ok_or(TooLarge)?;
        match trade.direction {
            Direction::Buy => book.buy(trade),
            Direction::Sell => book.sell(trade, &mut profits.disposals),
        }
        .ok_or(TooLarge)?;
    }
    let ended = books.into_iter().map(|(symbol, (book, profits))| {
        let profits = Profits { lots: book.lots(), ..profits };
        profits.can_be_added_up().ok_or(TooLarge)?;
        Ok((symbol, profits))
    });
    ended.collect()
}

/// The lots of one coin, in the order in which they are sold.
enum Book {
    Queue {
        lots: VecDeque<Lot>,
        newest_first: bool,
    },
    /// By what one unit cost, and of equal ones the number of the buy, backwards: the last is sold first.
    Dearest(BTreeMap<(Decimal, Reverse<u64>), Lot>, u64),
    Pool(Option<Lot>),
}

impl Book {
    fn of(method: Method) -> Self {
        match method {
            Method::Fifo => Self::Queue { lots: VecDeque::new(), newest_first: false },
            Method::Lifo => Self::Queue { lots: VecDeque::new(), newest_first: true },
            Method::Hifo => Self::Dearest(BTreeMap::new(), 0),
            Method::Average => Self::Pool(None),
        }
    }

    fn lots(self) -> Vec<Lot> {
        match self {
            Self::Queue { lots, .. } => lots.into(),
            Self::Dearest(lots, _) => {
                let by_number = lots.into_iter().map(|((_, Reverse(number)), lot)| (number, lot));
                by_number.collect::<BTreeMap<_, _>>().into_values().collect()
            }
            Self::Pool(lot) => lot.into_iter().collect(),
        }
    }

    fn buy(&mut self, trade: &Trade) -> Option<()> {
        let lot = Lot { trade_id: trade.id, at: trade.at, volume: trade.volume, cost: trade.money()? };
        match self {
            Self::Queue { lots, .. } => lots.push_back(lot),
            Self::Dearest(lots, number) => {
                *number += 1;
                lots.insert((lot.cost.checked_div(lot.volume)?, Reverse(*number)), lot);
            }
            Self::Pool(Some(pool)) => {
                pool.volume = pool.volume.checked_add(lot.volume)?;
                pool.cost = pool.cost.checked_add(lot.cost)?;
            }
            Self::Pool(pool) => *pool = Some(lot),
        }
        Some(())
    }

    /// Takes as much as there is of the lot that is sold first, but no more than `volume`.
    fn take(&mut self, volume: Decimal) -> Option<Lot> {
        match self {
            Self::Queue { lots, newest_first } => {
                let lot = if *newest_first { lots.back_mut()? } else { lots.front_mut()? };
                let part = split(lot, volume)?;
                if lot.volume.is_zero() {
                    if *newest_first {
                        lots.pop_back()
                    } else {
                        lots.pop_front()
                    };
                }
                Some(part)
            }
            Self::Dearest(lots, _) => {
                let mut dearest = lots.last_entry()?;
                let part = split(dearest.get_mut(), volume)?;
                if dearest.get().volume.is_zero() {
                    dearest.remove();
                }
                Some(part)
            }
            Self::Pool(pool) => {
                let part = split(pool.as_mut()?, volume)?;
                if pool.as_ref().is_some_and(|pool| pool.volume.is_zero()) {
                    *pool = None;
                }
                Some(part)
            }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Queue { lots, .. } => lots.is_empty(),
            Self::Dearest(lots, _) => lots.is_empty(),
            Self::Pool(pool) => pool.is_none(),
        }
    }

    fn sell(&mut self, trade: &Trade, disposals: &mut Vec<Disposal>) -> Option<()> {
        let (mut left, mut money) = (trade.volume, trade.money()?);
        while left > Decimal::ZERO {
            let is_covered = !self.is_empty();
            let lot = match is_covered {
                true => self.take(left)?,
                false => Lot { trade_id: trade.id, at: trade.at, volume: left, cost: Decimal::ZERO },
            };
            // The last part takes what is left, so that the parts make the whole.
            let proceeds = if lot.volume == left { money } else { part(money, lot.volume, left)? };
            let is_known = is_covered && !matches!(self, Self::Pool(_));
            disposals.push(Disposal {
                symbol: trade.symbol.clone(),
                trade_id: trade.id,
                at: trade.at,
                bought: is_known.then_some((lot.trade_id, lot.at)),
                volume: lot.volume,
                cost: lot.cost,
                proceeds,
                is_covered,
            });
            left = left.checked_sub(lot.volume)?;
            money = money.checked_sub(proceeds)?;
        }
        Some(())
    }
}

/// Takes `volume` out of a lot, or all of it. What is taken and what stays make up what there was.
fn split(lot: &mut Lot, volume: Decimal) -> Option<Lot> {
    if volume >= lot.volume {
        let whole = lot.clone();
        (lot.volume, lot.cost) = (Decimal::ZERO, Decimal::ZERO);
        return Some(whole);
    }
    let cost = part(lot.cost, volume, lot.volume)?;
    lot.volume = lot.volume.checked_sub(volume)?;
    lot.cost = lot.cost.checked_sub(cost)?;
    Some(Lot { volume, cost, ..*lot })
}

/// The part of an amount that belongs to `volume` of `all`.
fn part(amount: Decimal, volume: Decimal, all: Decimal) -> Option<Decimal> {
    match amount.checked_mul(volume) {
        Some(product) => product.checked_div(all),
        None => volume.checked_div(all)?.checked_mul(amount),
    }
}
