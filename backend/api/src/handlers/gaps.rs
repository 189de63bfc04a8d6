//! `/gaps`

use actix_web::web;
use api_types::GapRow;
use database::gaps::{GapFilter, StoredGap, list_gaps};
use utoipa::IntoParams;

use crate::{
    error::Failure,
    handlers::{Answer, answer},
    lookup,
    openapi::Failures,
    parameters::{Asked, FromQuery, Query},
    server::State,
};

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
    limit: i64,
}

impl FromQuery for Wanted {
    const NAMES: &'static [&'static str] = &["exchange", "ticker", "open", "missing", "limit"];

    fn from_query(query: &Query) -> Result<Self, Failure> {
        Ok(Self {
            exchange: query.text("exchange")?.map(str::to_owned),
            ticker: query.text("ticker")?.map(str::to_owned),
            open: query.flag("open")?,
            missing: query.flag("missing")?,
            limit: query.number("limit", 1..=1000)?.unwrap_or(100),
        })
    }
}

/// The gap ledger: trades that did not come when they should have, and what became of them, newest first
#[utoipa::path(
    get,
    path = "/gaps",
    tag = "prices",
    params(Wanted),
    responses((status = 200, description = "The gaps", body = api_types::Data<Vec<GapRow>>), Failures)
)]
pub(crate) async fn list(Asked(wanted): Asked<Wanted>, state: web::Data<State>) -> Answer<Vec<GapRow>> {
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
        Ok(list_gaps(client, &filter, wanted.limit).await?)
    });
    answer(found.await?.into_iter().map(row).collect())
}

fn row(gap: StoredGap) -> GapRow {
    GapRow {
        exchange: gap.exchange,
        ticker: gap.ticker,
        first_trade_id: gap.first_trade_id,
        last_trade_id: gap.last_trade_id,
        trades: gap.last_trade_id - gap.first_trade_id + 1,
        missing: gap.missing,
        cause: gap.cause,
        state: gap.state,
        from: gap.from,
        to: gap.to,
        attempts: gap.attempts,
        detail: gap.detail,
        found_at: gap.found_at,
        updated_at: gap.updated_at,
    }
}
