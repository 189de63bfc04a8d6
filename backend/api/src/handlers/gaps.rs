//! `/gaps`

use actix_web::web;
use api_types::{GapRow, Page};
use database::gaps::{GapFilter, StoredGap, list_gaps};
use utoipa::IntoParams;

use crate::{
    error::Failure,
    lookup,
    openapi::Failures,
    paging::Paging,
    parameters::{Asked, FromQuery, Query},
    reply::{Answer, Reply},
    server::State,
};

/// So many are read for a page behind the first.
const MOST_READ: i64 = 10_000;

/// Which gaps are wanted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Only in what this exchange sent.
    #[param(example = "binance")]
    exchange: Option<String>,
    /// Only in this pair, as the exchange writes it.
    #[param(example = "BTCUSDT")]
    ticker: Option<String>,
    /// `true`: only those about which something is still to be done; `false`: only those that are closed.
    open: Option<bool>,
    /// `true`: only those of which trades are missing still, whether they are asked for or cannot be had; `false`: only the
    /// others.
    missing: Option<bool>,
    /// How many. 100 where not said.
    #[param(value_type = Option<i64>, minimum = 1, maximum = 1000, example = 100)]
    limit: usize,
    /// `next_cursor` of the page before. Behind the 10,000th gap it is refused: narrow the question down, to a pair for
    /// instance.
    #[param(value_type = Option<String>)]
    cursor: Option<String>,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["exchange", "ticker", "open", "missing", "limit", "cursor"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        let Paging { limit, cursor } = Paging::from_query(query)?;
        Ok(Self {
            exchange: query.text("exchange")?.map(str::to_owned),
            ticker: query.text("ticker")?.map(str::to_owned),
            open: query.flag("open")?,
            missing: query.flag("missing")?,
            limit: limit.unwrap_or(100),
            cursor,
        })
    }
}

/// The gap ledger: trades that did not come when they should have, and what became of them, newest first
#[utoipa::path(
    get,
    path = "/gaps",
    tag = "prices",
    params(Wanted),
    responses((status = 200, description = "The gaps", body = Page<GapRow>), Failures)
)]
pub(crate) async fn list(Asked(wanted): Asked<Wanted>, state: web::Data<State>) -> Answer<Vec<GapRow>> {
    let paging = Paging { limit: Some(wanted.limit), cursor: wanted.cursor };
    let found = state.reader.read(async |client| {
        let exchange = lookup::optional_exchange(client, wanted.exchange.as_deref()).await?;
        let ticker = match (&exchange, &wanted.ticker) {
            (_, None) => None,
            (Some(exchange), Some(name)) => Some(lookup::ticker(client, exchange, name).await?.ticker),
            (None, Some(name)) => Some(lookup::ticker_anywhere(client, name).await?.ticker),
        };
        let filter = GapFilter {
            exchange: exchange.map(|exchange| exchange.name),
            ticker,
            open: wanted.open,
            missing: wanted.missing,
        };
        Ok(list_gaps(client, &filter, paging.rows_to_read(MOST_READ + 1)).await?)
    });
    let name = |gap: &StoredGap| format!("{} {} {}", gap.exchange, gap.ticker, gap.first_trade_id);
    let found = found.await?;
    let are_more = found.len() as i64 > MOST_READ;
    let (gaps, next) = paging.cut(found, name)?;
    if are_more && next.is_none() {
        let value = paging.cursor.as_deref().unwrap_or_default();
        let detail = format!("pages reach no further than {MOST_READ} gaps, and there are more");
        let allowed = "a question narrowed down by exchange, ticker, open or missing";
        return Err(Failure::parameter("cursor", value, detail, allowed));
    }
    Ok(Reply::of(gaps.into_iter().map(row).collect::<Vec<_>>()).page(next))
}

fn row(gap: StoredGap) -> GapRow {
    let numbered = |number: i64| (!gap.by_time).then_some(number);
    GapRow {
        exchange: gap.exchange,
        ticker: gap.ticker,
        first_trade_id: numbered(gap.first_trade_id),
        last_trade_id: numbered(gap.last_trade_id),
        trades: numbered(gap.last_trade_id - gap.first_trade_id + 1),
        missing: numbered(gap.missing),
        cause: gap.cause,
        state: gap.state,
        from: gap.from,
        to: gap.to,
        attempts: gap.attempts,
        detail: gap.detail,
        found_at: gap.found_at,
        updated_at: gap.updated_at,
        by_time: gap.by_time,
    }
}
