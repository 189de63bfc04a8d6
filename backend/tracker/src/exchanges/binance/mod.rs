//! Binance spot, and whatever speaks its protocol: its market-data hosts, Binance US, the simulator.
//!
//! Live trades come from `<symbol>@trade`: one message a trade, with ids that are contiguous per symbol. News of the whole
//! market come from `!miniTicker@arr`: once a second, of the symbols that changed.
//! Documentation: <https://developers.binance.com/docs/binance-spot-api-docs>.

mod market;
mod messages;
mod parse;
pub mod us;

use chrono::{DateTime, SubsecRound as _, Utc};
use clap::Args;
use domain::{ExchangeMinute, Instrument, MarketRow, Tick};
use futures_util::{FutureExt as _, future::BoxFuture};
use smol_str::SmolStr;

use crate::{
    Error, address,
    exchange::{Exchange, History, Market, Minutes, Reader, StreamRequest, Subscription},
    exchanges::Connect,
    rest::{Rest, RestError, Terms},
};
use messages::{Day, DayStatistics, ExchangeInfo, HistoricalTrade, Kline, RateLimit, ServerTime, TickerPrice};

/// How many streams one connection may carry.
const STREAMS_PER_CONNECTION: usize = 1_024;
/// How many streams one subscription names: long messages are refused.
const STREAMS_PER_SUBSCRIPTION: usize = 100;
/// Above this many symbols all prices are asked for, which costs no more weight.
const MOST_SYMBOLS_ASKED_BY_NAME: usize = 100;

/// How many trades one request for old ones may ask for.
const MOST_HISTORICAL_TRADES: usize = 1_000;
/// How many candles one request may ask for.
const MOST_KLINES: usize = 1_000;
/// In this header of every answer it tells the weight of what was asked for in this minute.
const WEIGHT_HEADER: &str = "x-mbx-used-weight-1m";
/// What may be asked for in a minute, until the exchange has said so itself: the least that one of them allows.
const WEIGHT_LIMIT: u64 = 1_200;

const DAYS: &str = "/api/v3/ticker/24hr";
const PRICES: &str = "/api/v3/ticker/price";

/// Binance spot.
#[derive(Debug)]
pub struct Binance {
    name: SmolStr,
    rest: Rest,
    stream_url: String,
}

/// Where Binance is, and what its prices are called.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Name under which prices from the Binance connector are kept: binance_us for Binance US, simulated for a simulator
    #[arg(long, env = "BINANCE_NAME", value_name = "NAME", default_value = "binance")]
    pub binance_name: String,
    /// Address of Binance's REST API: https://data-api.binance.vision for market data only
    #[arg(long, env = "BINANCE_REST_URL", value_name = "URL", default_value = "https://api.binance.com")]
    pub binance_rest_url: String,
    /// Address of Binance's streams: wss://data-stream.binance.vision for market data only
    #[arg(long, env = "BINANCE_STREAM_URL", value_name = "URL", default_value = "wss://stream.binance.com:9443")]
    pub binance_stream_url: String,
}

impl Connect for Binance {
    type Settings = Settings;

    fn connect(settings: &Settings) -> Result<Self, Error> {
        let name = settings.binance_name.trim();
        if !domain::exchange::is_name(name) {
            return Err(Error(format!(
                "BINANCE_NAME {name:?} cannot be an exchange's name; write 1 to 32 of a-z, 0-9 and _"
            )));
        }
        Self::at(
            name,
            ("BINANCE_REST_URL", &settings.binance_rest_url),
            ("BINANCE_STREAM_URL", &settings.binance_stream_url),
        )
    }
}

impl Binance {
    /// Binance under this name; addresses with the settings that name them.
    fn at(name: &str, rest: (&str, &str), streams: (&str, &str)) -> Result<Self, Error> {
        let stream_url = address::of_streams(streams.0, streams.1)?;
        let terms = Terms { weight: Some((WEIGHT_HEADER, WEIGHT_LIMIT)), ..Terms::default() };
        Ok(Self { name: name.into(), rest: address::of_rest(rest.0, rest.1, terms)?, stream_url })
    }

    /// Candles that open between two moments, both included, in milliseconds since 1970: the oldest of them.
    async fn klines(&self, ticker: &str, start: i64, end: i64, limit: usize) -> Result<Vec<Kline>, RestError> {
        let (start, end, limit) = (start.to_string(), end.to_string(), limit.to_string());
        let query =
            [("symbol", ticker), ("interval", "1m"), ("startTime", &start), ("endTime", &end), ("limit", &limit)];
        self.rest.get_when_spare("/api/v3/klines", &query).await
    }
}

impl Exchange for Binance {
    fn identity(&self) -> domain::Exchange {
        let country = match self.name.as_str() {
            "binance" => Some("united arab emirates".to_owned()),
            "binance_us" => Some("united states".to_owned()),
            _ => None,
        };
        domain::Exchange { name: self.name.clone(), country }
    }

    fn catalogue(&self) -> BoxFuture<'_, Result<Vec<Instrument>, RestError>> {
        async {
            let info: ExchangeInfo = self.rest.get("/api/v3/exchangeInfo", &[]).await?;
            let weight =
                |limit: &&RateLimit| (limit.kind.as_str(), limit.interval.as_str()) == ("REQUEST_WEIGHT", "MINUTE");
            if let Some(limit) = info.rate_limits.iter().find(weight) {
                self.rest.allow(limit.limit);
            }
            Ok(info.symbols.into_iter().map(parse::instrument).collect())
        }
        .boxed()
    }

    fn streams(&self, tickers: &[SmolStr]) -> Vec<StreamRequest> {
        let subscription = |(index, tickers): (usize, &[SmolStr])| {
            let params: Vec<String> = tickers.iter().map(|ticker| format!("{}@trade", ticker.to_lowercase())).collect();
            let message = serde_json::json!({ "method": "SUBSCRIBE", "params": params, "id": index + 1 });
            Subscription::new(&message, 1)
        };
        tickers
            .chunks(STREAMS_PER_CONNECTION)
            .map(|tickers| StreamRequest {
                url: format!("{}/stream", self.stream_url),
                subscriptions: tickers.chunks(STREAMS_PER_SUBSCRIPTION).enumerate().map(subscription).collect(),
            })
            .collect()
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(parse::frame)
    }

    fn clock(&self) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, RestError>> {
        async {
            let now: ServerTime = self.rest.get("/api/v3/time", &[]).await?;
            Ok(DateTime::from_timestamp_millis(now.server_time))
        }
        .boxed()
    }

    fn history(&self) -> Option<&dyn History> {
        Some(self)
    }

    fn minutes(&self) -> Option<&dyn Minutes> {
        Some(self)
    }

    fn market(&self) -> Option<&dyn Market> {
        Some(self)
    }

    fn prices<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<Tick>, RestError>> {
        async move {
            let symbols = symbols(tickers);
            let by_name = [("symbols", symbols.as_str())];
            let query: &[_] = if tickers.len() <= MOST_SYMBOLS_ASKED_BY_NAME { &by_name } else { &[] };
            let prices: Vec<TickerPrice> = match self.rest.get(PRICES, query).await {
                // One that is no longer listed makes the exchange refuse the others with it.
                Err(RestError::Refused { status: 400, .. }) => self.rest.get(PRICES, &[]).await?,
                asked => asked?,
            };
            let received_at = Utc::now().trunc_subsecs(6);
            let asked: std::collections::HashSet<&SmolStr> = tickers.iter().collect();
            Ok(prices
                .into_iter()
                .filter(|price| asked.contains(&price.symbol))
                .map(|price| parse::polled(price, received_at))
                .collect())
        }
        .boxed()
    }
}

impl History for Binance {
    fn trades<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from_id: i64,
        _: Option<DateTime<Utc>>,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Tick>, RestError>> {
        async move {
            let (from_id, limit) = (from_id.to_string(), most.clamp(1, MOST_HISTORICAL_TRADES).to_string());
            let query = [("symbol", ticker.as_str()), ("fromId", &from_id), ("limit", &limit)];
            let trades: Vec<HistoricalTrade> = self.rest.get_when_spare("/api/v3/historicalTrades", &query).await?;
            let received_at = Utc::now().trunc_subsecs(6);
            Ok(trades.iter().filter_map(|trade| parse::historical(ticker, trade, received_at)).collect())
        }
        .boxed()
    }

    fn newest_ids<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<(SmolStr, i64)>, RestError>> {
        async move {
            let mut ids = Vec::with_capacity(tickers.len());
            for tickers in tickers.chunks(MOST_SYMBOLS_ASKED_BY_NAME) {
                let symbols = symbols(tickers);
                let query = [("symbols", symbols.as_str())];
                let days: Vec<Day> = match self.rest.get_when_spare(DAYS, &query).await {
                    // One that is no longer listed makes the exchange refuse the others with it.
                    Err(RestError::Refused { status: 400, .. }) => {
                        let mut days: Vec<Day> = self.rest.get_when_spare(DAYS, &[]).await?;
                        days.retain(|day| tickers.contains(&day.symbol));
                        days
                    }
                    asked => asked?,
                };
                ids.extend(days.into_iter().filter(|day| day.last_id >= 0).map(|day| (day.symbol, day.last_id)));
            }
            Ok(ids)
        }
        .boxed()
    }
}

impl Minutes for Binance {
    fn minutes<'a>(
        &'a self,
        ticker: &'a SmolStr,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<Vec<ExchangeMinute>, RestError>> {
        async move {
            let klines = self.klines(ticker, from.timestamp_millis(), to.timestamp_millis() - 1, MOST_KLINES).await?;
            Ok(klines.iter().filter_map(parse::minute).collect())
        }
        .boxed()
    }

    fn first<'a>(&'a self, ticker: &'a SmolStr) -> BoxFuture<'a, Result<Option<DateTime<Utc>>, RestError>> {
        async move {
            let klines = self.klines(ticker, 0, Utc::now().timestamp_millis(), 1).await?;
            Ok(klines.first().and_then(|kline| DateTime::from_timestamp_millis(kline.0)))
        }
        .boxed()
    }
}

impl Market for Binance {
    fn connections(&self, _: &[Instrument]) -> Vec<StreamRequest> {
        let message = serde_json::json!({ "method": "SUBSCRIBE", "params": [market::STREAM], "id": 1 });
        vec![StreamRequest {
            url: format!("{}/stream", self.stream_url),
            subscriptions: vec![Subscription::new(&message, 1)],
        }]
    }

    fn news_reader(&self) -> Box<dyn Reader> {
        Box::new(market::frame)
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<MarketRow>, RestError>> {
        async {
            let days: Vec<DayStatistics> = self.rest.get_when_spare(DAYS, &[]).await?;
            let received_at = Utc::now().trunc_subsecs(6);
            Ok(days.into_iter().filter_map(|day| market::row(day, received_at)).collect())
        }
        .boxed()
    }
}

/// A list of symbols, as a parameter.
fn symbols(tickers: &[SmolStr]) -> String {
    let quoted: Vec<String> = tickers.iter().map(|ticker| format!("{ticker:?}")).collect();
    format!("[{}]", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        use clap::Parser;
        #[derive(Parser)]
        struct Arguments {
            #[command(flatten)]
            settings: Settings,
        }
        Arguments::parse_from(["tracker"]).settings
    }

    #[test]
    fn many_tickers_are_spread_over_subscriptions_and_connections() {
        process::tls::install();
        let binance = Binance::connect(&settings()).unwrap();
        let tickers: Vec<SmolStr> = (0..1_500).map(|number| format!("COIN{number}USDT").into()).collect();
        let streams = binance.streams(&tickers);
        assert_eq!(streams.len(), 2);
        assert_eq!(streams[0].url, "wss://stream.binance.com:9443/stream");
        assert_eq!(streams.iter().map(|stream| stream.subscriptions.len()).collect::<Vec<_>>(), [11, 5]);
        assert!(streams[0].subscriptions[0].text.contains(r#""coin0usdt@trade""#));
    }

    #[test]
    fn a_broken_setting_is_named_with_its_value_and_a_remedy() {
        process::tls::install();
        for (broken, setting) in [
            (Settings { binance_name: "Binance Spot".into(), ..settings() }, "BINANCE_NAME"),
            (Settings { binance_rest_url: "api.binance.com".into(), ..settings() }, "BINANCE_REST_URL"),
            (Settings { binance_stream_url: "https://x".into(), ..settings() }, "BINANCE_STREAM_URL"),
        ] {
            let error = Binance::connect(&broken).unwrap_err().to_string();
            assert!(error.contains(setting) && error.contains("write "), "{error}");
        }
    }
}
