//! From names in a URL to rows, however they are capitalised; what does not exist is a 404 that says what does.

use database::{
    Client, exchanges, exchanges::StoredExchange, symbols, symbols::StoredSymbol, tickers, tickers::StoredTicker,
    tickers::TickerFilter,
};

use crate::{
    closest::closest,
    error::{Code, Failure},
    parameters::checked,
};

/// The exchange of this name.
pub(crate) async fn exchange(client: &Client, name: &str) -> Result<StoredExchange, Failure> {
    checked("exchange", name)?;
    if let Some(exchange) = exchanges::find_exchange(client, name).await? {
        return Ok(exchange);
    }
    let known = exchanges::list_exchanges(client).await?;
    let names: Vec<&str> = known.iter().map(|exchange| exchange.name.as_str()).collect();
    let failure = Failure::new(Code::UnknownExchange, "no exchange of this name is known; /exchanges lists them");
    Err(suggesting(failure.at("exchange", name), &names))
}

/// The exchange of this name, where one is named.
pub(crate) async fn optional_exchange(client: &Client, name: Option<&str>) -> Result<Option<StoredExchange>, Failure> {
    match name {
        Some(name) => exchange(client, name).await.map(Some),
        None => Ok(None),
    }
}

/// The coin of this name or code.
pub(crate) async fn coin(client: &Client, name: &str) -> Result<StoredSymbol, Failure> {
    checked("coin", name)?;
    if let Some(symbol) = symbols::find_symbol(client, name).await? {
        return Ok(symbol);
    }
    let known = symbols::list_symbols(client).await?;
    let names = known.iter().flat_map(|symbol| [symbol.name.as_str(), symbol.code.as_str()]);
    let failure = Failure::new(Code::UnknownCoin, "no coin of this name or code is known; /symbols lists them");
    Err(suggesting(failure.at("coin", name), &closest(name, names)))
}

/// The pair of this exchange.
pub(crate) async fn ticker(client: &Client, exchange: &StoredExchange, name: &str) -> Result<StoredTicker, Failure> {
    checked("ticker", name)?;
    if let Some(ticker) = tickers::find_ticker(client, exchange.id, name).await? {
        return Ok(ticker);
    }
    let message = format!("{0} lists no such pair; /tickers?exchange={0} lists those it does", exchange.name);
    Err(unknown_ticker(client, Some(exchange.id), name, message).await?)
}

/// The pair that is meant where no exchange is named: see [`tickers::find_ticker_anywhere`].
pub(crate) async fn ticker_anywhere(client: &Client, name: &str) -> Result<StoredTicker, Failure> {
    checked("ticker", name)?;
    if let Some(ticker) = tickers::find_ticker_anywhere(client, name).await? {
        return Ok(ticker);
    }
    let message = "no exchange lists such a pair; /tickers lists those that are known".to_owned();
    Err(unknown_ticker(client, None, name, message).await?)
}

async fn unknown_ticker(
    client: &Client,
    exchange_id: Option<i16>,
    name: &str,
    message: String,
) -> Result<Failure, Failure> {
    let known = tickers::list_tickers(client, TickerFilter { exchange_id, ..TickerFilter::default() }).await?;
    let names = known.iter().map(|ticker| ticker.ticker.as_str());
    Ok(suggesting(Failure::new(Code::UnknownTicker, message).at("ticker", name), &closest(name, names)))
}

fn suggesting(failure: Failure, names: &[&str]) -> Failure {
    if names.is_empty() { failure } else { failure.allowed(names.join(", ")) }
}
