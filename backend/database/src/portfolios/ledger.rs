//! All of a portfolio's transactions, and the trades among them, counted in one currency.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use deadpool_postgres::GenericClient;
use domain::{
    portfolio::{Balance, Entry, Kind, TooLarge, Trade, balance},
    usd::UsdPrice,
};
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::transactions::entry;
use crate::{
    Context as _, Result,
    apart::apart,
    worth::{self, Daily},
};

/// What a ledger was read of: the portfolio's own version, and that of the rates of currencies, by which it is counted.
pub type LedgerVersion = (i64, i64);

/// Every transaction of a portfolio, in order of time, as of one version of it.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// The version.
    pub version: LedgerVersion,
    /// Their keys, and what they say.
    pub entries: Vec<(i64, Entry)>,
}

/// A transaction that counts nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unvalued {
    /// Its key.
    pub id: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// Code of its coin.
    pub symbol: SmolStr,
    /// Why.
    pub reason: String,
}

/// The trades of a ledger, counted in one currency, each at the rate of its time.
#[derive(Debug, Clone, Default)]
pub struct Valued {
    /// In the order in which they count.
    pub trades: Vec<Trade>,
    /// Those whose cost is not known in that currency.
    pub unvalued: Vec<Unvalued>,
}

/// The ledger of a portfolio; `None` where it is at that version still. One that was taken away meanwhile is empty.
///
/// # Errors
/// When the database cannot be asked.
pub async fn find_ledger(
    client: &impl GenericClient,
    portfolio_id: i64,
    known: Option<LedgerVersion>,
) -> Result<Option<Ledger>> {
    let doing = "reading a ledger";
    // The version first: what is read behind it may be newer, and is then read once more.
    let query = "SELECT portfolio.version, rates.version FROM portfolio.portfolio, portfolio.rates_version AS rates WHERE portfolio.id = $1";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let row = client.query_opt(&statement, &[&portfolio_id]).await.context(doing)?;
    let Some(version) = row.map(|row| (row.get(0), row.get(1))) else { return Ok(Some(Ledger::default())) };
    if known == Some(version) {
        return Ok(None);
    }
    let query = "SELECT id, at, symbol, type, order_type, volume, price, value, currency, fee, fee_currency, source, source_id, note
                 FROM portfolio.transaction WHERE portfolio_id = $1 ORDER BY at, id";
    let statement = client.prepare_cached(query).await.context(doing)?;
    let rows = client.query(&statement, &[&portfolio_id]).await.context(doing)?;
    let read = |row: &tokio_postgres::Row| Ok((row.try_get(0)?, entry(row, 1)?));
    let entries = rows.iter().map(read).collect::<std::result::Result<_, _>>().context(doing)?;
    Ok(Some(Ledger { version, entries }))
}

/// What a portfolio is worth at two moments, the earlier one first.
///
/// # Errors
/// When the database cannot be asked. The inner error is that its amounts are too large.
pub async fn balances_at(
    client: &impl GenericClient,
    portfolio_id: i64,
    currency: &str,
    (begin, end): (DateTime<Utc>, DateTime<Utc>),
) -> Result<std::result::Result<(Balance, Balance), TooLarge>> {
    let ledger = find_ledger(client, portfolio_id, None).await?.unwrap_or_default();
    let valued = ledger.valued(client, currency).await?;
    let before = valued.balance_at(client, currency, begin).await?;
    let now = valued.balance_at(client, currency, end).await?;
    Ok(before.and_then(|before| Ok((before, now?))))
}

/// What one unit of each coin of these trades was worth at a moment; those of which that is not known are absent.
///
/// # Errors
/// When the database cannot be asked.
pub async fn worths(
    client: &impl GenericClient,
    trades: &[Trade],
    currency: &str,
    at: DateTime<Utc>,
) -> Result<BTreeMap<SmolStr, UsdPrice>> {
    let symbols: BTreeSet<&SmolStr> = trades.iter().map(|trade| &trade.symbol).collect();
    let codes: Vec<&str> = symbols.iter().map(|symbol| symbol.as_str()).chain([currency]).collect();
    let usd = worth::at(client, &codes, at).await?;
    let worth = |symbol: &SmolStr| Some((symbol.clone(), usd.of_in(symbol, currency)?));
    Ok(symbols.into_iter().filter_map(worth).collect())
}

impl Valued {
    /// The trades until a moment.
    pub fn until(&self, at: DateTime<Utc>) -> &[Trade] {
        &self.trades[..self.trades.partition_point(|trade| trade.at <= at)]
    }

    async fn balance_at(
        &self,
        client: &impl GenericClient,
        currency: &str,
        at: DateTime<Utc>,
    ) -> Result<std::result::Result<Balance, TooLarge>> {
        let trades = self.until(at);
        let worths = worths(client, trades, currency, at).await?;
        let prices = worths.into_iter().map(|(symbol, worth)| (symbol, worth.price)).collect();
        Ok(balance(trades, &prices))
    }
}

impl Ledger {
    /// Counts its trades in a currency.
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub async fn valued(self, client: &impl GenericClient, currency: &str) -> Result<Valued> {
        let trades = || self.entries.iter().filter(|(_, entry)| entry.kind == Kind::Trade);
        let mut codes: BTreeSet<&str> = BTreeSet::new();
        let mut days = Vec::new();
        for (_, entry) in trades() {
            let of_fee = entry.fee_currency.as_deref().filter(|_| !entry.fee.is_zero());
            for code in [Some(entry.currency.as_str()), of_fee].into_iter().flatten().filter(|code| *code != currency) {
                codes.insert(code);
                days.push(entry.at.date_naive());
            }
        }
        let daily = match (days.iter().min(), days.iter().max()) {
            (Some(first), Some(last)) => {
                let codes: Vec<&str> = codes.into_iter().collect();
                worth::daily(client, &codes, currency, (first.pred_opt().unwrap_or(*first), *last)).await?
            }
            _ => Daily::default(),
        };
        let currency = currency.to_owned();
        Ok(apart(move || self.counted(&currency, &daily)).await)
    }

    fn counted(&self, currency: &str, daily: &Daily) -> Valued {
        let mut valued = Valued::default();
        for (id, entry) in self.entries.iter().filter(|(_, entry)| entry.kind == Kind::Trade) {
            match trade(*id, entry, currency, daily) {
                Ok(trade) => valued.trades.push(trade),
                Err(reason) => {
                    valued.unvalued.push(Unvalued { id: *id, at: entry.at, symbol: entry.symbol.clone(), reason });
                }
            }
        }
        valued.trades.sort_by(|one, other| one.order().cmp(&other.order()));
        valued
    }
}

fn trade(id: i64, entry: &Entry, currency: &str, daily: &Daily) -> std::result::Result<Trade, String> {
    let rate = |code: &SmolStr| {
        let known = if code == currency { Some(Decimal::ONE) } else { daily.rate(code, entry.at) };
        known.ok_or_else(|| {
            format!("what {code} was worth in {currency} on {} is not known", entry.at.format("%Y-%m-%d"))
        })
    };
    let fee_rate = match &entry.fee_currency {
        Some(code) if !entry.fee.is_zero() => rate(code)?,
        _ => Decimal::ONE,
    };
    let trade = entry.trade(id, rate(&entry.currency)?, fee_rate);
    trade.ok_or_else(|| "its amounts are too large to be counted with".to_owned())
}
