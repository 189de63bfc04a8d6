//! What a portfolio was worth from day to day, and what it earned.

use std::{collections::BTreeSet, sync::Arc};

use actix_web::{HttpResponse, web};
use api_types::{
    Data,
    portfolios::{BenchmarkRow, CoinReturn, DayReturn, PerformanceRow, ValueRow},
};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use database::worth::{self, Daily};
use domain::portfolio::{
    Closes, Day, Method, Money, Prices, Profits, TooLarge, money_weighted, profits, ratio, series,
};
use rust_decimal::Decimal;
use smol_str::SmolStr;
use tokio::sync::Semaphore;
use utoipa::IntoParams;

use crate::{
    apart::apart,
    auth::Reading,
    books::Book,
    error::Failure,
    handlers::{
        balance::told,
        portfolios::{currency, of_account},
    },
    openapi::{AccountFailures, Failures},
    parameters::{Asked, FromQuery, Own, Query},
    server::State,
};

/// Which days, counted how.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// The first day (UTC). The day before the first trade where not said.
    #[param(value_type = Option<String>, example = "2026-01-01")]
    from: Option<NaiveDate>,
    /// The last day. Today where not said.
    #[param(value_type = Option<String>, example = "2026-11-20")]
    to: Option<NaiveDate>,
    /// The code of a currency or coin. The portfolio's where not said.
    #[param(value_type = Option<String>, example = "USD")]
    currency: Option<String>,
}

impl FromQuery for Span {
    const NAMES: &'static [&'static str] = &["from", "to", "currency"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let (from, to) = (query.day("from")?, query.day("to")?);
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            let allowed = format!("a day before {to}");
            return Err(Failure::parameter("from", &from.to_string(), "from must be earlier than to", allowed));
        }
        Ok(Self { from, to, currency: currency("currency", query.text("currency")?)? })
    }
}

/// The other coin.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Benchmark {
    /// A coin in which the same money could have been.
    #[param(value_type = Option<String>, example = "BTC")]
    benchmark: Option<String>,
}

impl FromQuery for Benchmark {
    const NAMES: &'static [&'static str] = &["benchmark"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        Ok(Self { benchmark: currency("benchmark", query.text("benchmark")?)? })
    }
}

/// How many are walked through at the same time; others wait, before they hold anything.
static SEATS: Semaphore = Semaphore::const_new(4);

/// A portfolio from day to day.
struct Walked {
    currency: String,
    book: Arc<Book>,
    /// From the day of the first trade on, or the day before it.
    days: Vec<(NaiveDate, Day)>,
    daily: Arc<Daily>,
    now: DateTime<Utc>,
}

async fn walked(
    state: &State,
    account_id: i64,
    id: &str,
    span: &Span,
    further: Option<&str>,
) -> Result<Walked, Failure> {
    let seat = SEATS.acquire().await;
    let now = Utc::now();
    let to = span.to.unwrap_or_else(|| now.date_naive());
    let read = state.reader.read_at_length(async |client| {
        let portfolio = of_account(client, account_id, id).await?;
        let currency = span.currency.clone().unwrap_or(portfolio.currency);
        let book = state.books.find(client, portfolio.id, &currency).await?;
        let Some(first) = book.valued.trades.first().map(|trade| trade.at.date_naive()) else {
            return Ok((currency, book, to, Daily::default()));
        };
        let first = first.pred_opt().unwrap_or(first).min(to);
        let mut codes: BTreeSet<&str> = book.valued.trades.iter().map(|trade| trade.symbol.as_str()).collect();
        codes.extend(further);
        let codes: Vec<&str> = codes.into_iter().collect();
        let mut daily = worth::daily(client, &codes, &currency, (first, to)).await?;
        if to == now.date_naive() {
            // Its candle is some minutes old, or not there yet.
            let codes: Vec<&str> = codes.iter().copied().chain([currency.as_str()]).collect();
            daily.set_last(&worth::at(client, &codes, now).await?, &currency);
        }
        Ok((currency, book, first, daily))
    });
    let (currency, book, first, daily) = read.await?;
    let daily = Arc::new(daily);
    let counted = {
        let (book, daily) = (book.clone(), daily.clone());
        apart(move || {
            // Whoever goes away gives the seat up when this is done, not before.
            let _seat = seat;
            let symbols: BTreeSet<&SmolStr> = book.valued.trades.iter().map(|trade| &trade.symbol).collect();
            let days: Vec<NaiveDate> = first.iter_days().take_while(|day| *day <= to).collect();
            let closes: Vec<Closes> = days.iter().map(|day| closes(*day, &symbols, &daily, now)).collect();
            let series = series(&book.valued.trades, &closes)?;
            Ok(days.into_iter().zip(series).collect())
        })
    };
    Ok(Walked { currency, book, days: counted.await?, daily, now })
}

/// The end of a day, or now where it is not over.
fn end_of(day: NaiveDate, now: DateTime<Utc>) -> DateTime<Utc> {
    Daily::end_of(day).min(now)
}

/// The last moment of a day, or now. A trade at the very end of a day belongs to the next.
fn last_of(day: NaiveDate, now: DateTime<Utc>) -> DateTime<Utc> {
    (Daily::end_of(day) - TimeDelta::microseconds(1)).min(now)
}

fn closes(day: NaiveDate, symbols: &BTreeSet<&SmolStr>, daily: &Daily, now: DateTime<Utc>) -> Closes {
    let price = |symbol: &&SmolStr| Some(((*symbol).clone(), daily.price(symbol, day)?));
    let prices: Prices = symbols.iter().filter_map(price).collect();
    Closes { at: last_of(day, now), prices }
}

/// What a portfolio was worth at the end of each day
#[utoipa::path(
    get,
    path = "/portfolios/{id}/values",
    tag = "portfolios",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The portfolio's number", example = "1"), Span),
    responses((status = 200, description = "The days, oldest first", body = Data<Vec<ValueRow>>), AccountFailures, Failures)
)]
pub(crate) async fn values(
    Reading(bearer): Reading,
    id: web::Path<String>,
    Asked(Own(span)): Asked<Own<Span>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let walked = walked(&state, bearer.account.id, &id, &span, None).await?;
    let wanted = walked.days.into_iter().filter(|(day, _)| span.from.is_none_or(|from| *day >= from));
    let row = |(day, stood): (NaiveDate, Day)| ValueRow {
        day,
        at: end_of(day, walked.now),
        value: told(stood.value),
        paid_in: told(stood.paid_in),
        growth: told(stood.growth),
        unpriced: stood.unpriced.iter().map(ToString::to_string).collect(),
    };
    Ok(HttpResponse::Ok().json(Data { data: wanted.map(row).collect::<Vec<_>>(), as_of: None }))
}

/// What a portfolio earned in a span: of itself (time-weighted) and for its owner (money-weighted), its best and worst, and what
/// the same money would be in another coin
#[utoipa::path(
    get,
    path = "/portfolios/{id}/performance",
    tag = "portfolios",
    security(("bearer" = [])),
    params(("id" = String, Path, description = "The portfolio's number", example = "1"), Span, Benchmark),
    responses((status = 200, description = "What it earned", body = Data<PerformanceRow>), AccountFailures, Failures)
)]
pub(crate) async fn show(
    Reading(bearer): Reading,
    id: web::Path<String>,
    Asked(Own(asked)): Asked<Own<(Span, Benchmark)>>,
    state: web::Data<State>,
) -> Result<HttpResponse, Failure> {
    let (span, Benchmark { benchmark }) = asked;
    let walked = walked(&state, bearer.account.id, &id, &span, benchmark.as_deref()).await?;
    let data = apart(move || Ok(performance(&walked, &span, benchmark.as_deref())?)).await?;
    Ok(HttpResponse::Ok().json(Data { data, as_of: None }))
}

fn performance(walked: &Walked, span: &Span, benchmark: Option<&str>) -> Result<PerformanceRow, TooLarge> {
    let today = walked.now.date_naive();
    let first = walked.days.first().map_or(today, |(day, _)| *day);
    let to = walked.days.last().map_or(today, |(day, _)| *day);
    let from = span.from.unwrap_or(first).min(to);
    let nothing = Day {
        at: walked.now,
        value: Decimal::ZERO,
        paid_in: Decimal::ZERO,
        growth: Decimal::ONE,
        unpriced: Vec::new(),
    };
    let on =
        |wanted: NaiveDate| walked.days.iter().find(|(day, _)| *day == wanted).map_or(&nothing, |(_, stood)| stood);
    let (begin, end) = (on(from), on(to));
    let paid_in = end.paid_in.checked_sub(begin.paid_in).ok_or(TooLarge)?;
    let gain = end.value.checked_sub(begin.value).and_then(|gain| gain.checked_sub(paid_in)).ok_or(TooLarge)?;
    let money = money(walked, (from, to), begin)?;
    let was_held = walked.days.iter().any(|(day, stood)| *day >= from && *day <= to && stood.value > Decimal::ZERO);
    let time_weighted =
        end.growth.checked_div(begin.growth).filter(|_| was_held).map(|growth| told(growth - Decimal::ONE));
    let in_span = || walked.days.windows(2).filter(|days| days[1].0 > from);
    let day_return = |days: &[(NaiveDate, Day)]| {
        let growth = days[1].1.growth.checked_div(days[0].1.growth)?;
        Some(DayReturn { day: days[1].0, gain: told(growth - Decimal::ONE) })
    };
    let days = || in_span().filter_map(day_return);
    let coins = coins(walked, to)?;
    let earned = money_weighted(&money, end.value, to);
    Ok(PerformanceRow {
        currency: walked.currency.clone(),
        from,
        to,
        value_begin: told(begin.value),
        value_end: told(end.value),
        paid_in: told(paid_in),
        gain: told(gain),
        time_weighted,
        money_weighted: earned.map(|earned| earned.over_all),
        money_weighted_yearly: earned.and_then(|earned| earned.yearly),
        best_day: days().max_by_key(|day| day.gain),
        worst_day: days().min_by_key(|day| day.gain),
        best_coin: coins.iter().max_by_key(|coin| coin.gain).cloned(),
        worst_coin: coins.iter().min_by_key(|coin| coin.gain).cloned(),
        benchmark: benchmark.and_then(|symbol| held_instead(walked, symbol, from, to, &money)),
        unpriced: end.unpriced.iter().map(ToString::to_string).collect(),
    })
}

/// What came in and went out, by day, first of all what was there in the beginning; counted as what is told of every day.
fn money(walked: &Walked, (from, to): (NaiveDate, NaiveDate), begin: &Day) -> Result<Vec<Money>, TooLarge> {
    let mut money = vec![Money { on: from, amount: begin.value }];
    let mut before = begin.paid_in;
    for (day, stood) in walked.days.iter().filter(|(day, _)| *day > from && *day <= to) {
        let amount = stood.paid_in.checked_sub(before).ok_or(TooLarge)?;
        if !amount.is_zero() {
            money.push(Money { on: *day, amount });
        }
        before = stood.paid_in;
    }
    if money.len() > 1 && begin.value.is_zero() {
        money.remove(0);
    }
    Ok(money)
}

/// The coins that are held at the end of a day, each with what it earned of what it cost.
fn coins(walked: &Walked, to: NaiveDate) -> Result<Vec<CoinReturn>, TooLarge> {
    let profits = profits(walked.book.valued.until(last_of(to, walked.now)), Method::Average)?;
    let coin = |(symbol, profits): (&SmolStr, &Profits)| {
        let price = walked.daily.price(symbol, to)?;
        let (volume, cost) = (profits.volume(), profits.cost());
        let gain = ratio(volume.checked_mul(price)?.checked_sub(cost)?, cost)?;
        Some(CoinReturn { symbol: symbol.to_string(), gain })
    };
    Ok(profits.iter().filter_map(coin).collect())
}

fn held_instead(
    walked: &Walked,
    symbol: &str,
    from: NaiveDate,
    to: NaiveDate,
    money: &[Money],
) -> Option<BenchmarkRow> {
    let price = |day: NaiveDate| walked.daily.price(symbol, day);
    let (begin, end) = (price(money.first()?.on.max(from))?, price(to)?);
    let volume = money
        .iter()
        .try_fold(Decimal::ZERO, |volume, money| volume.checked_add(money.amount.checked_div(price(money.on)?)?))?;
    Some(BenchmarkRow {
        symbol: symbol.to_owned(),
        gain: ratio(end.checked_sub(begin)?, begin)?,
        value_end: told(volume.checked_mul(end)?),
    })
}
