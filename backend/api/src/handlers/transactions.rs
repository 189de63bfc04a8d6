//! What was bought and sold, one by one.

use actix_web::{HttpResponse, web};
use api_types::{
    Data,
    portfolios::{TransactionPage, TransactionRequest, TransactionRow},
};
use chrono::{DateTime, SubsecRound as _, Utc};
use database::{
    Client,
    portfolios::{self, Filter, Portfolio, Refused, Transaction, Unknown},
};
use domain::portfolio::{Entry, Kind, Mistake, Order};
use rust_decimal::Decimal;
use smol_str::SmolStr;
use utoipa::IntoParams;

use crate::{
    auth::{Reading, Writing},
    body::Body,
    error::{Code, Failure},
    handlers::portfolios::{self as portfolio_handlers, of_account},
    openapi::{AccountFailures, Failures},
    parameters::{Asked, FromQuery, Own, Query},
    server::State,
};

/// How often a change is tried that others forestall.
const TRIES: usize = 5;

/// Which transactions are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Only those of this coin.
    #[param(value_type = Option<String>, example = "BTC")]
    symbol: Option<String>,
    /// Only these: TRADE, DEPOSIT or WITHDRAWAL.
    #[param(rename = "type", value_type = Option<String>, example = "TRADE", pattern = "^(TRADE|DEPOSIT|WITHDRAWAL)$")]
    kind: Option<Kind>,
    /// Those from this moment on.
    #[param(value_type = Option<String>)]
    from: Option<DateTime<Utc>>,
    /// Those before this moment.
    #[param(value_type = Option<String>)]
    to: Option<DateTime<Utc>>,
    /// Which page. 1 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1_000_000, example = 1)]
    page: i64,
    /// How many on a page. 10 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 100, example = 10)]
    page_size: i64,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["symbol", "type", "from", "to", "page", "page_size"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let kind = query.text("type")?;
        let unknown =
            |word: &str| Failure::parameter("type", word, "there is no such type", "TRADE, DEPOSIT, WITHDRAWAL");
        Ok(Self {
            symbol: query.text("symbol")?.map(str::to_uppercase),
            kind: kind.map(|word| Kind::parse(word).ok_or_else(|| unknown(word))).transpose()?,
            from: query.moment("from")?,
            to: query.moment("to")?,
            page: query.number("page", 1..=1_000_000)?.unwrap_or(1),
            page_size: query.number("page_size", 1..=100)?.unwrap_or(10),
        })
    }
}

/// The transactions of a portfolio, newest first
#[utoipa::path(
    get,
    path = "/portfolios/{id}/transactions",
    tag = "portfolios",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The portfolio's number", example = "1"), Wanted),
    responses((status = 200, description = "A page of them", body = TransactionPage), AccountFailures, Failures)
)]
pub(crate) async fn list(
    Reading(bearer): Reading,
    id: web::Path<String>,
    Asked(Own(wanted)): Asked<Own<Wanted>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let Wanted { symbol, kind, from, to, page, page_size } = wanted;
    let offset = (page - 1) * page_size;
    let filter = Filter { id: None, symbol: symbol.clone(), kind, from, to };
    let found = state.reader.read(async |client| {
        let portfolio = of_account(client, bearer.account.id, &id).await?;
        Ok(portfolios::list_transactions(client, portfolio.id, &filter, (offset, page_size)).await?)
    });
    let (count, found) = found.await?;
    let address = |page: i64| {
        let moment = |name: &str, moment: Option<DateTime<Utc>>| {
            let text = |moment: DateTime<Utc>| moment.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
            moment.map(|moment| format!("&{name}={}", text(moment))).unwrap_or_default()
        };
        // Codes may be in any script.
        let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
        let symbol = symbol.as_deref().map(|symbol| format!("&symbol={}", encoded(symbol))).unwrap_or_default();
        let kind = kind.map(|kind| format!("&type={}", kind.as_str())).unwrap_or_default();
        let (from, to) = (moment("from", from), moment("to", to));
        format!("/portfolios/{id}/transactions?page={page}&page_size={page_size}{symbol}{kind}{from}{to}")
    };
    Ok(HttpResponse::Ok().json(TransactionPage {
        count,
        next: (offset + page_size < count).then(|| address(page + 1)),
        previous: (page > 1).then(|| address(page - 1)),
        results: found.into_iter().map(row).collect(),
    }))
}

/// Write a transaction down
#[utoipa::path(
    post,
    path = "/portfolios/{id}/transactions",
    tag = "portfolios",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The portfolio's number", example = "1")),
    request_body = TransactionRequest,
    responses((status = 201, description = "The transaction", body = Data<TransactionRow>), AccountFailures, Failures)
)]
pub(crate) async fn add(
    Writing(bearer): Writing,
    id: web::Path<String>,
    state: web::Data<State>,
    Body(request): Body<TransactionRequest>,
) -> Result<HttpResponse, Failure> {
    let account_id = bearer.account.id;
    let added = state.reader.read(async |client| {
        let portfolio = of_account(client, account_id, &id).await?;
        let entry = entry(&request, None, &portfolio.currency)?;
        written(client, portfolio.id, &entry).await
    });
    let data = row(added.await?);
    let address = format!("/portfolios/{id}/transactions/{}", data.id);
    Ok(HttpResponse::Created().insert_header(("Location", address)).json(Data { data, as_of: None }))
}

/// Writes one entry down, and reads it back.
pub(crate) async fn written(client: &Client, portfolio_id: i64, entry: &Entry) -> Result<Transaction, Failure> {
    let added = portfolios::add(client, portfolio_id, entry).await?;
    let added = added.map_err(|why| not_added(why, portfolio_id))?;
    let Some(number) = added.ids.first() else { return Err(known(entry)) };
    find(client, portfolio_id, &number.to_string()).await
}

/// One transaction
#[utoipa::path(
    get,
    path = "/portfolios/{id}/transactions/{number}",
    tag = "portfolios",
    security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The portfolio's number", example = "1"),
        ("number" = String, Path, description = "The transaction's number", example = "1")
    ),
    responses((status = 200, description = "The transaction", body = Data<TransactionRow>), AccountFailures, Failures)
)]
pub(crate) async fn show(
    Reading(bearer): Reading,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let (id, number) = path.into_inner();
    let found = state.reader.read(async |client| {
        let portfolio = of_account(client, bearer.account.id, &id).await?;
        find(client, portfolio.id, &number).await
    });
    Ok(HttpResponse::Ok().json(Data { data: row(found.await?), as_of: None }))
}

/// Change a transaction
#[utoipa::path(
    patch,
    path = "/portfolios/{id}/transactions/{number}",
    tag = "portfolios",
    security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The portfolio's number", example = "1"),
        ("number" = String, Path, description = "The transaction's number", example = "1")
    ),
    request_body = TransactionRequest,
    responses((status = 200, description = "The transaction as it is now", body = Data<TransactionRow>), AccountFailures, Failures)
)]
pub(crate) async fn change(
    Writing(bearer): Writing,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
    Body(request): Body<TransactionRequest>,
) -> Result<HttpResponse, Failure> {
    let (id, number) = path.into_inner();
    let account_id = bearer.account.id;
    let read = state.reader.read(async |client| {
        let portfolio = of_account(client, account_id, &id).await?;
        changed(client, &portfolio, &number, &request).await
    });
    Ok(HttpResponse::Ok().json(Data { data: row(read.await?), as_of: None }))
}

/// Changes a transaction, and reads it back.
pub(crate) async fn changed(
    client: &Client,
    portfolio: &Portfolio,
    number: &str,
    request: &TransactionRequest,
) -> Result<Transaction, Failure> {
    // What somebody else changes meanwhile is not undone.
    for _ in 0..TRIES {
        let before = find(client, portfolio.id, number).await?;
        let entry = entry(request, Some(&before.entry), &portfolio.currency)?;
        match portfolios::change(client, portfolio.id, (before.id, before.updated_at), &entry).await? {
            Ok(true) => return find(client, portfolio.id, number).await,
            Ok(false) => {}
            Err(_) => return Err(known(&entry)),
        }
    }
    Err(Failure::new(Code::DatabaseBusy, "others change this transaction all the time; try again"))
}

/// Take a transaction away
#[utoipa::path(
    delete,
    path = "/portfolios/{id}/transactions/{number}",
    tag = "portfolios",
    security(("bearer" = [])),
    params(
        ("id" = String, Path, description = "The portfolio's number", example = "1"),
        ("number" = String, Path, description = "The transaction's number", example = "1")
    ),
    responses((status = 204, description = "It is gone"), AccountFailures, Failures)
)]
pub(crate) async fn delete(
    Writing(bearer): Writing,
    path: web::Path<(String, String)>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let (id, number) = path.into_inner();
    let account_id = bearer.account.id;
    let removed = state.reader.read(async |client| {
        let portfolio = of_account(client, account_id, &id).await?;
        let number: i64 = number.parse().map_err(|_| unknown(&number))?;
        Ok(portfolios::remove(client, portfolio.id, number).await?)
    });
    if !removed.await? {
        return Err(unknown(&number));
    }
    Ok(HttpResponse::NoContent().finish())
}

/// The transaction that a path names.
pub(crate) async fn find(client: &Client, portfolio_id: i64, number: &str) -> Result<Transaction, Failure> {
    let id: i64 = number.parse().map_err(|_| unknown(number))?;
    let filter = Filter { id: Some(id), ..Filter::default() };
    let (_, mut found) = portfolios::list_transactions(client, portfolio_id, &filter, (0, 1)).await?;
    found.pop().ok_or_else(|| unknown(number))
}

pub(crate) fn unknown(number: &str) -> Failure {
    Failure::new(Code::UnknownTransaction, "the portfolio has no such transaction").at("number", number)
}

/// Why transactions are not written down.
pub(crate) fn not_added(why: Refused, portfolio_id: i64) -> Failure {
    match why {
        // It was deleted meanwhile.
        Refused::Unknown => portfolio_handlers::unknown(&portfolio_id.to_string()),
        Refused::TooMany | Refused::Taken => {
            let most = portfolios::MOST_TRANSACTIONS;
            Failure::new(Code::TooManyTransactions, format!("a portfolio has {most} transactions at most"))
        }
    }
}

fn known(entry: &Entry) -> Failure {
    let detail = format!("source {:?} has a transaction of this source_id already", entry.source);
    Failure::new(Code::TransactionKnown, detail).at("source_id", entry.source_id.as_deref().unwrap_or_default())
}

/// A field that cannot be.
pub(crate) fn mistaken(mistake: &Mistake) -> Failure {
    Failure::parameter(mistake.field, &mistake.value, mistake.detail, mistake.allowed)
}

/// What is asked for, with what was before where nothing is said.
pub(crate) fn entry(request: &TransactionRequest, before: Option<&Entry>, currency: &str) -> Result<Entry, Failure> {
    let missing = |name: &str, allowed: &str| Failure::parameter(name, "", "this field is missing", allowed);
    let kinds = "TRADE, DEPOSIT, WITHDRAWAL";
    let kind = match (request.kind.as_deref(), before) {
        (Some(word), _) => {
            Kind::parse(word).ok_or_else(|| Failure::parameter("type", word, "there is no such type", kinds))?
        }
        (None, before) => before.map_or(Kind::Trade, |before| before.kind),
    };
    let order = match (request.order_type.as_deref(), before) {
        (Some(word), _) => {
            let unknown = || Failure::parameter("order_type", word, "there is no such order", "BUY, SELL, NONE");
            Order::parse(word).ok_or_else(unknown)?
        }
        (None, before) => before.map_or(Order::None, |before| before.order),
    };
    let symbol = match (&request.symbol, before) {
        (Some(symbol), _) => SmolStr::new(symbol),
        (None, Some(before)) => before.symbol.clone(),
        (None, None) => return Err(missing("symbol", "the code of a coin, such as BTC")),
    };
    let volume = match (request.volume, before) {
        (Some(amount), _) => amount.0,
        (None, Some(before)) => before.volume,
        (None, None) => return Err(missing("volume", "units of the coin, more than 0")),
    };
    let of_before = before;
    let price = request.price.map_or(of_before.and_then(|before| before.price), |price| price.map(|price| price.0));
    let value = match request.value {
        Some(value) => value.map(|value| value.0),
        // A value that was made of the price is made of it anew.
        None if request.price.is_some() || request.volume.is_some() => {
            of_before.filter(|before| before.price.is_none()).and_then(|before| before.value)
        }
        None => of_before.and_then(|before| before.value),
    };
    let text = |asked: &Option<Option<String>>, before: Option<&String>| match asked {
        Some(asked) => asked.clone(),
        None => before.cloned(),
    };
    let entry = Entry {
        at: request.date.or(of_before.map(|before| before.at)).unwrap_or_else(|| Utc::now().trunc_subsecs(3)),
        symbol,
        kind,
        order,
        volume,
        price,
        value,
        currency: match (&request.currency, of_before) {
            (Some(code), _) => SmolStr::new(code),
            (None, Some(before)) => before.currency.clone(),
            (None, None) => SmolStr::new(currency),
        },
        fee: request.fee.map(|fee| fee.0).or(of_before.map(|before| before.fee)).unwrap_or(Decimal::ZERO),
        fee_currency: match &request.fee_currency {
            Some(code) => code.as_deref().map(SmolStr::new),
            None => of_before.and_then(|before| before.fee_currency.clone()),
        },
        source: request.source.clone().or(of_before.map(|before| before.source.clone())).unwrap_or_default(),
        source_id: text(&request.source_id, of_before.and_then(|before| before.source_id.as_ref())),
        note: text(&request.note, of_before.and_then(|before| before.note.as_ref())),
    };
    entry.checked(Utc::now()).map_err(|mistake| mistaken(&mistake))
}

pub(crate) fn row(transaction: Transaction) -> TransactionRow {
    let Transaction { id, created_at, updated_at, unknown, entry, .. } = transaction;
    let is_valid = unknown.is_none();
    let reason =
        |unknown: Unknown| format!("{} does not exist: no market or rate is known of {}", unknown.field, unknown.code);
    let invalid_reason = unknown.map(reason).unwrap_or_default();
    TransactionRow {
        id,
        date: entry.at,
        kind: entry.kind.as_str().to_owned(),
        order_type: entry.order.as_str().to_owned(),
        symbol: entry.symbol.to_string(),
        volume: entry.volume,
        price: entry.price,
        value: entry.value,
        currency: entry.currency.to_string(),
        fee: entry.fee,
        fee_currency: entry.fee_currency.map(|code| code.to_string()),
        source: entry.source,
        source_id: entry.source_id,
        note: entry.note,
        is_valid,
        invalid_reason,
        created_at,
        updated_at,
    }
}
