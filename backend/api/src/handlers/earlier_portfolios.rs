//! Transactions and balance in the forms of an earlier system, of the account's first portfolio.

use std::collections::{BTreeMap, HashMap};

use actix_web::{HttpResponse, web};
use api_types::{
    alerts::Amount,
    earlier_portfolios::{EarlierBalance, EarlierSymbolValue, EarlierTransaction, EarlierTransactionRequest},
    portfolios::TransactionRequest,
};
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use database::{
    Client,
    accounts::Account,
    portfolios::{self, Filter, Portfolio, Transaction},
};
use domain::portfolio::{Kind, Method, Trade, ratio};
use rust_decimal::Decimal;

use crate::{
    auth::{Reading, Writing},
    body::Body,
    error::{Code, Failure},
    handlers::{
        balance::{Computed, Moments, computed, told},
        transactions,
    },
    openapi::{AccountFailures, Failures},
    parameters::moment,
    server::State,
};

/// How many transactions are told.
const MOST: i64 = 10_000;
/// What the first portfolio is called.
const FIRST: &str = "main";

/// Your transactions, oldest first, in the form of an earlier system
#[utoipa::path(
    get,
    path = "/api/v1/transactions/{id}",
    tag = "earlier",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Your number or name", example = "ada")),
    responses((status = 200, description = "The newest ten thousand", body = Vec<EarlierTransaction>), AccountFailures, Failures)
)]
pub(crate) async fn list(
    Reading(bearer): Reading,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let account = own(&bearer.account, &id)?;
    let found = state.reader.read(async |client| match first(client, account.id).await? {
        Some(portfolio) => all(client, &portfolio).await,
        None => Ok(Vec::new()),
    });
    let rows: Vec<EarlierTransaction> = found.await?.into_iter().map(|one| row(one, account.id)).collect();
    Ok(HttpResponse::Ok().json(rows))
}

/// Write a transaction down, in the form of an earlier system
#[utoipa::path(
    post,
    path = "/api/v1/transaction",
    tag = "earlier",
    security(("bearer" = [])),
    request_body = EarlierTransactionRequest,
    responses((status = 201, description = "The transaction", body = EarlierTransaction), AccountFailures, Failures)
)]
pub(crate) async fn add(
    Writing(bearer): Writing,
    state: web::Data<State>,
    Body(request): Body<EarlierTransactionRequest>,
) -> Result<HttpResponse, Failure> {
    let account = meant(&bearer.account, &request)?;
    let asked = asked(request, &account.currency)?;
    let added = state.reader.read(async |client| {
        let portfolio = portfolio_of(client, account).await?;
        let entry = transactions::entry(&asked, None, &account.currency)?;
        transactions::written(client, portfolio, &entry).await
    });
    Ok(HttpResponse::Created().json(row(added.await?, account.id)))
}

/// Change a transaction, in the form of an earlier system
#[utoipa::path(
    put,
    path = "/api/v1/transaction",
    tag = "earlier",
    security(("bearer" = [])),
    request_body = EarlierTransactionRequest,
    responses((status = 200, description = "The transaction as it is now", body = EarlierTransaction), AccountFailures, Failures)
)]
pub(crate) async fn change(
    Writing(bearer): Writing,
    state: web::Data<State>,
    Body(request): Body<EarlierTransactionRequest>,
) -> Result<HttpResponse, Failure> {
    let account = meant(&bearer.account, &request)?;
    let missing = || Failure::parameter("id", "", "this field is missing", "the number of a transaction");
    let number = request.id.ok_or_else(missing)?.to_string();
    let asked = asked(request, &account.currency)?;
    let changed = state.reader.read(async |client| {
        let unknown = || transactions::unknown(&number);
        let portfolio = first(client, account.id).await?.ok_or_else(unknown)?;
        transactions::changed(client, &portfolio, &number, &asked).await
    });
    Ok(HttpResponse::Ok().json(row(changed.await?, account.id)))
}

/// Your balance, in the form of an earlier system
#[utoipa::path(
    get,
    path = "/api/v1/balance/{id}",
    tag = "earlier",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "Your number or name", example = "ada")),
    responses((status = 200, description = "The balance", body = EarlierBalance), AccountFailures, Failures)
)]
pub(crate) async fn balance(
    Reading(bearer): Reading,
    id: web::Path<String>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let account = own(&bearer.account, &id)?;
    let read = state.reader.read(async |client| match first(client, account.id).await? {
        Some(portfolio) => Ok(Some((all(client, &portfolio).await?, portfolio))),
        None => Ok(None),
    });
    let Some((transactions, portfolio)) = read.await? else {
        return Ok(HttpResponse::Ok().json(nothing(account)));
    };
    let moments = Moments { currency: Some(account.currency.clone()), ..Moments::default() };
    let computed = computed(&state, account.id, &portfolio.id.to_string(), moments).await?;
    Ok(HttpResponse::Ok().json(balanced(account.id, transactions, &computed)))
}

/// Whoever asks, where they ask for themselves.
pub(crate) fn own<'a>(account: &'a Account, id: &str) -> Result<&'a Account, Failure> {
    let is_own = account.id.to_string() == id || account.username.eq_ignore_ascii_case(id);
    let unknown = || Failure::new(Code::UnknownPortfolio, "this is not your number or name").at("id", id);
    if is_own { Ok(account) } else { Err(unknown()) }
}

fn meant<'a>(account: &'a Account, request: &EarlierTransactionRequest) -> Result<&'a Account, Failure> {
    request.user_id.map_or(Ok(account), |id| own(account, &id.to_string()))
}

async fn first(client: &Client, account_id: i64) -> Result<Option<Portfolio>, Failure> {
    Ok(portfolios::list(client, account_id, None).await?.into_iter().next())
}

/// The number of the first portfolio, which is made where there is none.
pub(crate) async fn portfolio_of(client: &Client, account: &Account) -> Result<i64, Failure> {
    match first(client, account.id).await? {
        Some(portfolio) => Ok(portfolio.id),
        None => made(client, account).await,
    }
}

/// Makes the first portfolio, unless somebody does at the same moment.
async fn made(client: &Client, account: &Account) -> Result<i64, Failure> {
    let made = portfolios::write(client, account.id, None, (FIRST, &account.currency, Method::Fifo)).await?;
    let found = match made {
        Ok(id) => Some(id),
        Err(_) => first(client, account.id).await?.map(|portfolio| portfolio.id),
    };
    found.ok_or_else(|| Failure::new(Code::UnknownPortfolio, "the first portfolio was taken away just now; try again"))
}

/// The newest, oldest first.
async fn all(client: &Client, portfolio: &Portfolio) -> Result<Vec<Transaction>, Failure> {
    let (_, mut found) = portfolios::list_transactions(client, portfolio.id, &Filter::default(), (0, MOST)).await?;
    found.reverse();
    Ok(found)
}

/// A moment, or the beginning of a day.
pub(crate) fn date(name: &str, text: &str) -> Result<DateTime<Utc>, Failure> {
    let day = || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc());
    let zoneless = || Some(text.parse::<NaiveDateTime>().ok()?.and_utc());
    let wrong =
        || Failure::parameter(name, text, "this is no moment", "RFC 3339 such as 2026-11-20T12:00:00Z, or a day");
    moment(text).or_else(day).or_else(zoneless).ok_or_else(wrong)
}

fn asked(request: EarlierTransactionRequest, currency: &str) -> Result<TransactionRequest, Failure> {
    let date = request.date.as_deref().map(|text| date("date", text));
    Ok(TransactionRequest {
        date: date.transpose()?,
        kind: request.kind,
        order_type: request.order_type,
        symbol: request.symbol,
        volume: request.volume,
        price: request.price.map(Some),
        value: request.value.map(Some),
        currency: request.currency.or_else(|| request.id.is_none().then(|| currency.to_owned())),
        source: request.source,
        source_id: request.source_id.map(|id| Some(id).filter(|id| !id.is_empty())),
        ..TransactionRequest::default()
    })
}

fn row(transaction: Transaction, user_id: i64) -> EarlierTransaction {
    let row = transactions::row(transaction);
    EarlierTransaction {
        id: row.id,
        user_id,
        volume: Some(Amount(row.volume)),
        symbol: row.symbol,
        value: row.value.map(Amount),
        price: row.price.map(Amount),
        date: row.date,
        source: row.source,
        source_id: row.source_id,
        currency: row.currency,
        order_type: row.order_type,
        kind: row.kind,
        is_valid: row.is_valid,
        invalid_reason: row.invalid_reason,
        converted_value: None,
        roi: None,
    }
}

fn nothing(account: &Account) -> EarlierBalance {
    let now = Utc::now();
    EarlierBalance {
        user_id: account.id,
        converted_currency: account.currency.clone(),
        converted_value: Some(Amount(Decimal::ZERO)),
        transaction_value: Some(Amount(Decimal::ZERO)),
        roi: None,
        date_time_calculated: now,
        max_transaction_date: now,
        max_symbol_date: now,
        transactions: Vec::new(),
        user_grouped_symbol_values: BTreeMap::new(),
    }
}

fn balanced(user_id: i64, transactions: Vec<Transaction>, computed: &Computed) -> EarlierBalance {
    let trades: HashMap<i64, &Trade> =
        computed.book.valued.until(computed.at).iter().map(|trade| (trade.id, trade)).collect();
    let reasons: HashMap<i64, String> =
        computed.invalid().into_iter().map(|row| (row.transaction_id, row.reason)).collect();
    let valued = |transaction: Transaction| valued(transaction, user_id, &trades, &reasons, computed);
    let transactions: Vec<EarlierTransaction> =
        transactions.into_iter().filter(|one| one.entry.at <= computed.at).map(valued).collect();
    let symbol = |(symbol, holding): (&smol_str::SmolStr, &domain::portfolio::Holding)| {
        let of_symbol = |one: &&EarlierTransaction| one.symbol == *symbol && one.kind == Kind::Trade.as_str();
        let value = EarlierSymbolValue {
            volume: Some(Amount(holding.volume)),
            price: Some(Amount(holding.price)),
            value_bought: Some(Amount(told(holding.worth.value_bought))),
            converted_value: Some(Amount(told(holding.worth.converted_value))),
            roi: holding.worth.roi().map(Amount),
            user_symbol_values: transactions.iter().filter(of_symbol).cloned().collect(),
        };
        (symbol.to_string(), value)
    };
    let total = computed.balance.total;
    EarlierBalance {
        user_id,
        converted_currency: computed.currency.clone(),
        converted_value: Some(Amount(told(total.converted_value))),
        transaction_value: Some(Amount(told(total.value_bought))),
        roi: total.roi().map(Amount),
        date_time_calculated: Utc::now(),
        max_transaction_date: computed.at,
        max_symbol_date: computed.prices_at,
        user_grouped_symbol_values: computed.balance.holdings.iter().map(symbol).collect(),
        transactions,
    }
}

/// A transaction with what it is worth, or why that is not known.
fn valued(
    transaction: Transaction,
    user_id: i64,
    trades: &HashMap<i64, &Trade>,
    reasons: &HashMap<i64, String>,
    computed: &Computed,
) -> EarlierTransaction {
    let mut row = row(transaction, user_id);
    if let Some(reason) = reasons.get(&row.id) {
        (row.is_valid, row.invalid_reason) = (false, reason.clone());
    } else if let Some(trade) = trades.get(&row.id) {
        let price = computed.balance.holdings.get(&trade.symbol).map(|holding| holding.price);
        let present = price.and_then(|price| price.checked_mul(trade.volume)).map(told);
        row.converted_value = present.map(Amount);
        let roi = present.and_then(|present| ratio(present.checked_sub(trade.value)?, trade.value));
        row.roi = roi.map(Amount);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_moments_or_days() {
        let at = |text: &str| {
            let request =
                EarlierTransactionRequest { date: Some(text.to_owned()), ..EarlierTransactionRequest::default() };
            asked(request, "EUR").ok().and_then(|asked| asked.date).map(|date| date.to_rfc3339())
        };
        assert_eq!(at("2026-01-02").as_deref(), Some("2026-01-02T00:00:00+00:00"));
        assert_eq!(at("2026-01-02T03:04:05").as_deref(), Some("2026-01-02T03:04:05+00:00"));
        assert_eq!(at("2026-01-02T03:04:05+01:00").as_deref(), Some("2026-01-02T02:04:05+00:00"));
        assert_eq!(at("yesterday"), None);
    }
}
