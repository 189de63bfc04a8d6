//! What somebody writes down: a trade, or coins brought in or taken out.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::{Direction, Trade};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Coins were bought or sold.
    Trade,
    /// Coins were brought in from elsewhere.
    Deposit,
    /// Coins were taken elsewhere.
    Withdrawal,
}

/// Which way a trade went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Order {
    /// Coins were bought.
    Buy,
    /// Coins were sold.
    Sell,
    /// It was no trade.
    None,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Trade, Self::Deposit, Self::Withdrawal];

    /// The word used in JSON, in files and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trade => "TRADE",
            Self::Deposit => "DEPOSIT",
            Self::Withdrawal => "WITHDRAWAL",
        }
    }

    /// The kind of this word, however it is capitalised.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str().eq_ignore_ascii_case(word))
    }
}

impl Order {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Buy, Self::Sell, Self::None];

    /// The word used in JSON, in files and in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Buy => "BUY",
            Self::Sell => "SELL",
            Self::None => "NONE",
        }
    }

    /// The one of this word, however it is capitalised.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|order| order.as_str().eq_ignore_ascii_case(word))
    }
}

/// One line of somebody's accounts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Code of the coin, in upper-case. No market may know it.
    pub symbol: SmolStr,
    /// What happened.
    pub kind: Kind,
    /// Which way.
    pub order: Order,
    /// Units of the coin.
    pub volume: Decimal,
    /// What one unit cost, where it was told.
    pub price: Option<Decimal>,
    /// What all of it cost or brought, without the fee; of a trade always told.
    pub value: Option<Decimal>,
    /// In what price and value are counted.
    pub currency: SmolStr,
    /// What was paid for it.
    pub fee: Decimal,
    /// In what; told where there was a fee.
    pub fee_currency: Option<SmolStr>,
    /// Where it was written down first; empty for by hand.
    pub source: String,
    /// How it is called there.
    pub source_id: Option<String>,
    /// What its owner wrote to it.
    pub note: Option<String>,
}

/// Something in an entry that cannot be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Which field, as JSON and files call it.
    pub field: &'static str,
    /// What it says.
    pub value: String,
    /// Why that cannot be.
    pub detail: &'static str,
    /// What can be.
    pub allowed: &'static str,
}

/// Amounts stay below this.
const LARGEST: Decimal = Decimal::from_parts(0xA4C6_8000, 0x0003_8D7E, 0, false, 0);
/// And have no more digits behind the dot.
const DECIMALS: u32 = 18;
const AMOUNTS: &str = "a number from 0 to 1000000000000000 with at most 18 decimals";
const CODES: &str = "1 to 40 letters, digits and signs without spaces";

impl Entry {
    /// What cannot be, if anything; `now` tells which moments lie ahead. A value that is missing is that of the price.
    ///
    /// # Errors
    /// The first mistake.
    pub fn checked(mut self, now: DateTime<Utc>) -> Result<Self, Mistake> {
        let mistake = |field, value: &dyn ToString, detail, allowed| {
            Err(Mistake { field, value: value.to_string(), detail, allowed })
        };
        self.symbol = SmolStr::new(self.symbol.trim().to_uppercase());
        self.currency = SmolStr::new(self.currency.trim().to_uppercase());
        self.fee_currency = self.fee_currency.map(|code| SmolStr::new(code.trim().to_uppercase()));
        for (field, code) in [
            ("symbol", Some(&self.symbol)),
            ("currency", Some(&self.currency)),
            ("fee_currency", self.fee_currency.as_ref()),
        ] {
            if let Some(code) = code.filter(|code| !is_code(code)) {
                return mistake(field, code, "this is no code of a coin or currency", CODES);
            }
        }
        if self.volume.is_zero() {
            return mistake("volume", &self.volume, "nothing is no transaction", "more than 0");
        }
        let amounts =
            [("volume", Some(&mut self.volume)), ("price", self.price.as_mut()), ("value", self.value.as_mut())];
        for (field, amount) in amounts.into_iter().chain([("fee", Some(&mut self.fee))]) {
            let Some(amount) = amount else { continue };
            *amount = amount.normalize();
            if *amount < Decimal::ZERO || *amount > LARGEST || amount.scale() > DECIMALS {
                return mistake(field, amount, "this amount cannot be", AMOUNTS);
            }
        }
        if self.kind == Kind::Trade {
            if self.order == Order::None {
                let detail = "a trade goes one way or the other";
                return mistake(
                    "order_type",
                    &self.order.as_str(),
                    detail,
                    "BUY or SELL; NONE for DEPOSIT and WITHDRAWAL",
                );
            }
            if self.value.is_none() {
                let value = self.price.and_then(|price| price.checked_mul(self.volume));
                let value = value.map(|value| value.round_dp(DECIMALS).normalize());
                let Some(value) = value.filter(|value| *value <= LARGEST) else {
                    return mistake("value", &"", "a trade needs a value, or a price", AMOUNTS);
                };
                self.value = Some(value);
            }
        }
        if !self.fee.is_zero() && self.fee_currency.is_none() {
            self.fee_currency = Some(self.currency.clone());
        }
        // Before the first coin nobody traded one.
        let first = DateTime::from_timestamp(1_230_940_800, 0).unwrap_or_default();
        if self.at < first || self.at > now + TimeDelta::days(1) {
            let detail = "this moment cannot be";
            return mistake("date", &self.at.to_rfc3339(), detail, "from 2009-01-03 until now");
        }
        for (field, text, most) in [
            ("source", Some(&self.source), 100),
            ("source_id", self.source_id.as_ref(), 200),
            ("note", self.note.as_ref(), 1_000),
        ] {
            let is_too_long = |text: &&String| text.chars().count() > most || text.contains('\0');
            if let Some(text) = text.filter(is_too_long) {
                return mistake(
                    field,
                    text,
                    "this text cannot be kept",
                    "100, 200 and 1000 characters for source, source_id and note",
                );
            }
        }
        self.source_id = self.source_id.filter(|id| !id.is_empty());
        Ok(self)
    }

    /// The trade, in the currency of which one unit of its own is worth `rate`, and one unit of the fee's `fee_rate`. `None` where it is
    /// no trade, or where that becomes too large.
    pub fn trade(&self, id: i64, rate: Decimal, fee_rate: Decimal) -> Option<Trade> {
        let direction = match (self.kind, self.order) {
            (Kind::Trade, Order::Buy) => Direction::Buy,
            (Kind::Trade, Order::Sell) => Direction::Sell,
            _ => return None,
        };
        let converted = |amount: Decimal, rate: Decimal| {
            if rate == Decimal::ONE { Some(amount) } else { amount.checked_mul(rate) }
        };
        Some(Trade {
            id,
            at: self.at,
            symbol: self.symbol.clone(),
            direction,
            volume: self.volume,
            value: converted(self.value?, rate)?,
            fee: converted(self.fee, fee_rate)?,
        })
    }
}

fn is_code(code: &str) -> bool {
    (1..=40).contains(&code.chars().count())
        && !code.chars().any(|letter| letter.is_whitespace() || letter.is_control())
}
