//! What a portfolio is worth at a moment, and what was earned by selling.

use std::{collections::BTreeMap, sync::Arc};

use actix_web::{HttpResponse, http::StatusCode, web};
use api_types::{
    Data,
    portfolios::{BalanceRow, DisposalRow, InvalidRow, PositionRow, UnpricedRow},
};
use chrono::{DateTime, Datelike as _, SubsecRound as _, Utc};
use database::portfolios::{Portfolio, worths};
use domain::{
    portfolio::{Balance, Disposal, Method, Prices, Profits, TooLarge, balance, profits, ratio},
    usd::UsdPrice,
};
use rust_decimal::Decimal;
use smol_str::SmolStr;
use utoipa::IntoParams;

use crate::{
    apart::apart,
    auth::Reading,
    books::Book,
    error::Failure,
    handlers::portfolios::{currency, method, of_account},
    openapi::{AccountFailures, Failures},
    parameters::{Asked, FromQuery, Own, Query},
    server::State,
    table::write_csv,
};

/// How many transactions that count nowhere are told.
const MOST_INVALID: usize = 100;

/// As of when, and counted how.
#[derive(IntoParams, Default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Moments {
    /// Transactions until then count. Now where not said.
    #[param(value_type = Option<String>)]
    pub(crate) at: Option<DateTime<Utc>>,
    /// Prices of then, or the newest before. As `at` where not said.
    #[param(value_type = Option<String>)]
    pub(crate) prices_at: Option<DateTime<Utc>>,
    /// The code of a currency or coin. The portfolio's where not said.
    #[param(value_type = Option<String>, example = "USD")]
    pub(crate) currency: Option<String>,
    /// Which coins are sold first: fifo, lifo, hifo or average. The portfolio's where not said.
    #[param(value_type = Option<String>, example = "fifo", pattern = "^(fifo|lifo|hifo|average)$")]
    pub(crate) method: Option<Method>,
}

impl FromQuery for Moments {
    const NAMES: &'static [&'static str] = &["at", "prices_at", "currency", "method"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        Ok(Self {
            at: query.moment("at")?,
            prices_at: query.moment("prices_at")?,
            currency: currency("currency", query.text("currency")?)?,
            method: method(query.text("method")?)?,
        })
    }
}

/// What a portfolio is worth, now or as of a moment: by coin and together, with what was paid, earned, and could be
#[utoipa::path(
    get,
    path = "/portfolios/{id}/balance",
    tag = "portfolios",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The portfolio's number", example = "1"), Moments),
    responses((status = 200, description = "The balance", body = Data<BalanceRow>), AccountFailures, Failures)
)]
pub(crate) async fn show(
    Reading(bearer): Reading,
    id: web::Path<String>,
    Asked(Own(moments)): Asked<Own<Moments>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let data = computed(&state, bearer.account.id, &id, moments).await?.row()?;
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

/// A balance, and what it is made of.
pub(crate) struct Computed {
    pub(crate) at: DateTime<Utc>,
    pub(crate) prices_at: DateTime<Utc>,
    pub(crate) currency: String,
    pub(crate) book: Arc<Book>,
    pub(crate) balance: Balance,
    method: Method,
    worths: BTreeMap<SmolStr, UsdPrice>,
    profits: BTreeMap<SmolStr, Profits>,
}

/// Computes a balance of one of an account's portfolios.
pub(crate) async fn computed(state: &State, account_id: i64, id: &str, moments: Moments) -> Result<Computed, Failure> {
    let at = moments.at.unwrap_or_else(|| Utc::now().trunc_subsecs(6));
    let prices_at = moments.prices_at.unwrap_or(at);
    let read = state.reader.read_at_length(async |client| {
        let Portfolio { id, currency, method, .. } = of_account(client, account_id, id).await?;
        let currency = moments.currency.unwrap_or(currency);
        let book = state.books.find(client, id, &currency).await?;
        let worths = worths(client, book.valued.until(at), &currency, prices_at).await?;
        Ok((currency, moments.method.unwrap_or(method), book, worths))
    });
    let (currency, method, book, worths) = read.await?;
    let prices: Prices = worths.iter().map(|(symbol, worth)| (symbol.clone(), worth.price)).collect();
    let counted = {
        let book = book.clone();
        apart(move || {
            let trades = book.valued.until(at);
            Ok((balance(trades, &prices)?, profits(trades, method)?))
        })
    };
    let (balance, profits) = counted.await?;
    Ok(Computed { at, prices_at, currency, book, balance, method, worths, profits })
}

impl Computed {
    /// Transactions until the moment that count nowhere, and why, in order of time.
    pub(crate) fn invalid(&self) -> Vec<InvalidRow> {
        let unvalued = self.book.valued.unvalued.iter().filter(|unvalued| unvalued.at <= self.at);
        let mut invalid: Vec<InvalidRow> = unvalued
            .map(|unvalued| InvalidRow {
                transaction_id: unvalued.id,
                date: unvalued.at,
                symbol: unvalued.symbol.to_string(),
                reason: unvalued.reason.clone(),
            })
            .collect();
        if !self.balance.unpriced.is_empty() {
            let trades = self.book.valued.until(self.at).iter();
            invalid.extend(trades.filter(|trade| self.balance.unpriced.contains_key(&trade.symbol)).map(|trade| {
                InvalidRow {
                    transaction_id: trade.id,
                    date: trade.at,
                    symbol: trade.symbol.to_string(),
                    reason: format!("no price of {} in {} is known", trade.symbol, self.currency),
                }
            }));
            invalid.sort_by_key(|row| (row.date, row.transaction_id));
        }
        invalid
    }

    fn row(&self) -> Result<BalanceRow, TooLarge> {
        let total = self.balance.total;
        let mut positions: Vec<PositionRow> =
            self.balance.holdings.keys().map(|symbol| self.position(symbol)).collect();
        positions.sort_by_key(|position| std::cmp::Reverse(position.converted_value));
        let sum = |of: fn(&PositionRow) -> Decimal| {
            let sum = positions.iter().map(of).try_fold(Decimal::ZERO, |sum, amount| sum.checked_add(amount));
            sum.map(told).ok_or(TooLarge)
        };
        // What was sold earned what it earned, whatever the rest is worth now.
        let of_all = |of: fn(&Profits) -> Decimal| {
            let sum = self.profits.values().map(of).try_fold(Decimal::ZERO, |sum, amount| sum.checked_add(amount));
            sum.map(told).ok_or(TooLarge)
        };
        let mut invalid = self.invalid();
        let invalid_count = invalid.len();
        invalid.truncate(MOST_INVALID);
        Ok(BalanceRow {
            currency: self.currency.clone(),
            at: self.at,
            prices_at: self.prices_at,
            method: self.method.as_str().to_owned(),
            converted_value: told(total.converted_value),
            transaction_value: told(total.value_bought),
            roi: total.roi(),
            cost: sum(|position| position.cost)?,
            unrealised: sum(|position| position.unrealised)?,
            realised: of_all(Profits::realised)?,
            fees: of_all(|profits| profits.fees)?,
            positions,
            unpriced: self.balance.unpriced.iter().map(|(symbol, count)| self.unpriced(symbol, *count)).collect(),
            invalid,
            invalid_count,
            transfers: self.book.transfers.iter().filter(|moment| **moment <= self.at).count(),
        })
    }

    fn unpriced(&self, symbol: &SmolStr, transactions: usize) -> UnpricedRow {
        let profits = self.profits.get(symbol);
        UnpricedRow {
            symbol: symbol.to_string(),
            volume: profits.map(|profits| profits.volume().normalize()).unwrap_or_default(),
            cost: profits.map(|profits| told(profits.cost())).unwrap_or_default(),
            realised: profits.map(|profits| told(profits.realised())).unwrap_or_default(),
            transactions,
        }
    }

    fn position(&self, symbol: &SmolStr) -> PositionRow {
        let (none, worthless) = (Profits::default(), domain::portfolio::Holding::default());
        let holding = self.balance.holdings.get(symbol).unwrap_or(&worthless);
        let profits = self.profits.get(symbol).unwrap_or(&none);
        let worth = self.worths.get(symbol);
        let time = worth.and_then(|worth| worth.time);
        let cost = profits.cost();
        let left = profits.volume().checked_mul(holding.price).unwrap_or_default();
        PositionRow {
            symbol: symbol.to_string(),
            volume: holding.volume.normalize(),
            price: holding.price.normalize(),
            price_time: time,
            price_age_seconds: time.map(|time| (self.prices_at - time).num_seconds()),
            price_path: worth.map(|worth| worth.path.clone()).unwrap_or_default(),
            value_bought: told(holding.worth.value_bought),
            converted_value: told(holding.worth.converted_value),
            roi: holding.worth.roi(),
            share: ratio(holding.worth.converted_value, self.balance.total.converted_value),
            cost: told(cost),
            unrealised: told(left.saturating_sub(cost)),
            realised: told(profits.realised()),
            fees: told(profits.fees),
            uncovered: profits.uncovered().normalize(),
        }
    }
}

/// An amount as it is told: to twelve decimals, since shares may have no end.
pub(crate) fn told(amount: Decimal) -> Decimal {
    amount.round_dp(12).normalize()
}

/// Which sales are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Sales {
    /// Those of this year (UTC). All where not said.
    #[param(value_type = Option<i64>, minimum = 2009, maximum = 2262, example = 2026)]
    year: Option<i32>,
    /// The code of a currency or coin. The portfolio's where not said.
    #[param(value_type = Option<String>, example = "USD")]
    currency: Option<String>,
    /// Which coins are sold first: fifo, lifo, hifo or average. The portfolio's where not said.
    #[param(value_type = Option<String>, example = "fifo", pattern = "^(fifo|lifo|hifo|average)$")]
    method: Option<Method>,
    /// json or csv. json where not said.
    #[param(value_type = Option<String>, example = "csv", pattern = "^(json|csv)$")]
    is_csv: bool,
}

impl FromQuery for Sales {
    const NAMES: &'static [&'static str] = &["year", "currency", "method", "format"];
    const HAS_FORMAT: bool = false;

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let format = query.text("format")?.unwrap_or("json");
        if !["json", "csv"].contains(&format) {
            return Err(Failure::parameter("format", format, "there is no such format", "json, csv"));
        }
        Ok(Self {
            year: query.number("year", 2009..=2262)?.and_then(|year| i32::try_from(year).ok()),
            currency: currency("currency", query.text("currency")?)?,
            method: method(query.text("method")?)?,
            is_csv: format == "csv",
        })
    }
}

/// What was sold, of which coins that had been bought when, and what that earned: for a tax return, as CSV too
#[utoipa::path(
    get,
    path = "/portfolios/{id}/disposals",
    tag = "portfolios",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The portfolio's number", example = "1"), Sales),
    responses((status = 200, description = "The sales, oldest first", body = Data<Vec<DisposalRow>>), AccountFailures, Failures)
)]
pub(crate) async fn disposals(
    Reading(bearer): Reading,
    id: web::Path<String>,
    Asked(Own(sales)): Asked<Own<Sales>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let account_id = bearer.account.id;
    let read = state.reader.read_at_length(async |client| {
        let portfolio = of_account(client, account_id, &id).await?;
        let currency = sales.currency.clone().unwrap_or(portfolio.currency);
        let book = state.books.find(client, portfolio.id, &currency).await?;
        Ok((currency, sales.method.unwrap_or(portfolio.method), book))
    });
    let (currency, method, book) = read.await?;
    let of_year = apart(move || {
        let all = profits(&book.valued.trades, method)?;
        let disposals = all.into_values().flat_map(|profits| profits.disposals);
        let wanted = disposals.filter(|disposal| sales.year.is_none_or(|year| disposal.at.year() == year));
        let mut rows: Vec<DisposalRow> = wanted.map(|disposal| row(&disposal, &currency)).collect();
        rows.sort_by_key(|row| (row.sold_at, row.sell_id, row.buy_id));
        Ok(rows)
    });
    let rows = of_year.await?;
    if !sales.is_csv {
        return Ok(HttpResponse::Ok().json(Data { data: rows, as_of: None }));
    }
    let name = sales.year.map_or_else(|| "disposals.csv".to_owned(), |year| format!("disposals-{year}.csv"));
    let csv = write_csv(&rows).map_err(|_| Failure::of_status(StatusCode::INTERNAL_SERVER_ERROR))?;
    Ok(HttpResponse::Ok()
        .content_type("text/csv; charset=utf-8")
        .insert_header(("Content-Disposition", format!("attachment; filename=\"{name}\"")))
        .body(csv))
}

fn row(disposal: &Disposal, currency: &str) -> DisposalRow {
    let gain = told(disposal.gain());
    let bought_at = disposal.bought.map(|(_, at)| at);
    DisposalRow {
        sold_at: disposal.at,
        bought_at,
        days_held: bought_at.map(|bought| (disposal.at - bought).num_days()),
        symbol: disposal.symbol.to_string(),
        volume: disposal.volume.normalize(),
        proceeds: told(disposal.proceeds),
        cost: told(disposal.cost),
        gain,
        currency: currency.to_owned(),
        sell_id: disposal.trade_id,
        buy_id: disposal.bought.map(|(id, _)| id),
        covered: disposal.is_covered,
    }
}
