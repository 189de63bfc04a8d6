//! Coinbase Exchange.
//!
//! Live trades come from the channel `matches`, with ids that are contiguous per product; `heartbeat` tells every second which one is
//! the newest, so that a match that was dropped is known at once. News of the whole market come from `ticker_batch`, every five
//! seconds, and by REST from `/products/stats`, which is not documented; should it be refused, the channel goes on alone.
//! Documentation: <https://docs.cdp.coinbase.com/exchange>.

mod market;
mod messages;
mod parse;
mod past;

use std::{num::NonZeroU32, time::Duration};

use chrono::{DateTime, SubsecRound as _, Utc};
use clap::Args;
use domain::{Instrument, InstrumentStatus, MarketRow, Tick};
use futures_util::{FutureExt as _, future::BoxFuture};
use smol_str::SmolStr;

use crate::{
    Error, address,
    exchange::{Exchange, History, Manners, Market, Minutes, Reader, StreamRequest, Subscription},
    exchanges::Connect,
    rest::{Rest, RestError, Terms},
    wire,
};
use messages::{AllStatistics, LastTrade, Product, ServerTime};

/// How many products the trades of one connection are of: each has a heartbeat every second.
const PRODUCTS_PER_CONNECTION: usize = 100;
/// How many messages subscribe to the trades of a connection: one for each product where that is possible, since one that cannot be
/// subscribed makes the exchange refuse the others with it.
const SUBSCRIPTIONS_PER_CONNECTION: usize = 20;
/// How many products of the market one subscription names.
const MARKET_PRODUCTS_PER_SUBSCRIPTION: usize = 50;
/// Above this many products all prices are asked for at once.
const MOST_PRODUCTS_ASKED_BY_NAME: usize = 10;
/// How often may be asked: ten times a second; eight leaves some to others at the same address.
const PACE: (NonZeroU32, Duration) = (NonZeroU32::MIN.saturating_add(7), Duration::from_secs(1));
/// For how long the exchange is left alone when it was asked too often. It bans nobody.
const PENALTY: Duration = Duration::from_secs(5);

const STATISTICS: &str = "/products/stats";

/// Coinbase Exchange.
#[derive(Debug)]
pub struct Coinbase {
    rest: Rest,
    stream_url: String,
}

/// Where Coinbase Exchange is.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Address of Coinbase Exchange's REST API
    #[arg(long, env = "COINBASE_REST_URL", value_name = "URL", default_value = "https://api.exchange.coinbase.com")]
    pub coinbase_rest_url: String,
    /// Address of Coinbase Exchange's streams
    #[arg(
        long,
        env = "COINBASE_STREAM_URL",
        value_name = "URL",
        default_value = "wss://ws-feed.exchange.coinbase.com"
    )]
    pub coinbase_stream_url: String,
}

impl Connect for Coinbase {
    type Settings = Settings;

    fn connect(settings: &Settings) -> Result<Self, Error> {
        let terms = Terms { pace: Some(PACE), closing: &[(429, PENALTY)], ..Terms::default() };
        Ok(Self {
            rest: address::of_rest("COINBASE_REST_URL", &settings.coinbase_rest_url, terms)?,
            stream_url: address::of_streams("COINBASE_STREAM_URL", &settings.coinbase_stream_url)?,
        })
    }
}

impl Coinbase {
    /// The last price of one product.
    async fn price(&self, ticker: &SmolStr) -> Result<Tick, RestError> {
        let last: LastTrade = self.rest.get(&format!("/products/{ticker}/ticker"), &[]).await?;
        Ok(parse::polled(ticker.clone(), last.price.0, Utc::now().trunc_subsecs(6)))
    }

    /// The last prices of these products, asked for all at once.
    async fn prices_of_many(&self, tickers: &[SmolStr]) -> Result<Vec<Tick>, RestError> {
        let mut all: AllStatistics = self.rest.readable_by_name(self.rest.get(STATISTICS, &[]).await?)?;
        let received_at = Utc::now().trunc_subsecs(6);
        let price = |ticker: &SmolStr| all.remove(ticker)?.day?.last.positive().map(|price| (ticker.clone(), price));
        let prices = tickers.iter().filter_map(price);
        Ok(prices.map(|(ticker, price)| parse::polled(ticker, price, received_at)).collect())
    }
}

/// A message that subscribes to these channels of these products. Each channel names its products: where they stood beside the
/// channels, they were refused at times.
fn subscription(channels: &[&str], products: &[SmolStr]) -> Subscription {
    let channels: Vec<_> =
        channels.iter().map(|channel| serde_json::json!({ "name": channel, "product_ids": products })).collect();
    Subscription::new(&serde_json::json!({ "type": "subscribe", "channels": channels }), 1)
}

impl Exchange for Coinbase {
    fn identity(&self) -> domain::Exchange {
        domain::Exchange { name: "coinbase".into(), country: Some("united states".to_owned()) }
    }

    fn manners(&self) -> Manners {
        Manners {
            // Eight a second may be, and twenty at once.
            connect_every: Duration::from_millis(500),
            // A hundred a second may be; all must be sent before the first answers are waited for too long.
            send_every: Duration::from_millis(125),
            // Heartbeats come every second.
            idle: Duration::from_secs(15),
            keep_alive: None,
        }
    }

    fn catalogue(&self) -> BoxFuture<'_, Result<Vec<Instrument>, RestError>> {
        async {
            let products: Vec<Product> = self.rest.readable(&self.rest.get::<Vec<_>>("/products", &[]).await?)?;
            Ok(products.into_iter().map(parse::instrument).collect())
        }
        .boxed()
    }

    fn streams(&self, tickers: &[SmolStr]) -> Vec<StreamRequest> {
        tickers
            .chunks(PRODUCTS_PER_CONNECTION)
            .map(|tickers| StreamRequest {
                url: self.stream_url.clone(),
                subscriptions: tickers
                    .chunks(tickers.len().div_ceil(SUBSCRIPTIONS_PER_CONNECTION))
                    .map(|products| subscription(&["matches", "heartbeat"], products))
                    .collect(),
            })
            .collect()
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(parse::frame)
    }

    fn prices<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<Tick>, RestError>> {
        async move {
            if tickers.len() > MOST_PRODUCTS_ASKED_BY_NAME {
                match self.prices_of_many(tickers).await {
                    // It is not documented, and may be gone one day.
                    Err(RestError::Refused { status: 400..500, .. }) => {}
                    asked => return asked,
                }
            }
            let mut prices = Vec::with_capacity(tickers.len());
            for ticker in tickers {
                match self.price(ticker).await {
                    // It is no longer listed, or was never traded.
                    Err(RestError::Refused { status: 400..500, .. }) => {}
                    asked => prices.push(asked?),
                }
            }
            Ok(prices)
        }
        .boxed()
    }

    fn clock(&self) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, RestError>> {
        async {
            let now: ServerTime = self.rest.get("/time", &[]).await?;
            wire::from_rfc3339("iso", &now.iso).map(Some).map_err(|error| self.rest.unreadable(error.reason))
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
}

impl Market for Coinbase {
    fn connections(&self, listed: &[Instrument]) -> Vec<StreamRequest> {
        // Of what is halted nothing comes, and of what is no longer listed a refusal.
        let trading = listed.iter().filter(|product| product.status == InstrumentStatus::Trading);
        let products: Vec<SmolStr> = trading.map(|product| product.ticker.clone()).collect();
        let Some(first) = products.get(..1) else { return Vec::new() };
        let mut subscriptions = vec![subscription(&["heartbeat"], first)];
        let chunks = products.chunks(MARKET_PRODUCTS_PER_SUBSCRIPTION);
        subscriptions.extend(chunks.map(|products| subscription(&[market::CHANNEL], products)));
        vec![StreamRequest { url: self.stream_url.clone(), subscriptions }]
    }

    fn news_reader(&self) -> Box<dyn Reader> {
        Box::new(market::frame)
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<MarketRow>, RestError>> {
        async {
            let all: AllStatistics = match self.rest.get_when_spare(STATISTICS, &[]).await {
                // It is not documented, and may be gone one day: then the stream tells all there is.
                Err(RestError::Refused { status: 404, .. }) => return Ok(Vec::new()),
                asked => self.rest.readable_by_name(asked?)?,
            };
            let received_at = Utc::now().trunc_subsecs(6);
            Ok(all.into_iter().filter_map(|(ticker, day)| market::row(ticker, day, received_at)).collect())
        }
        .boxed()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(super) fn settings() -> Settings {
        use clap::Parser;
        #[derive(Parser)]
        struct Arguments {
            #[command(flatten)]
            settings: Settings,
        }
        process::tls::install();
        Arguments::parse_from(["tracker"]).settings
    }

    pub(super) fn at(rest_url: &str) -> Coinbase {
        let coinbase = Coinbase::connect(&settings()).unwrap();
        // As fast as it can, so that tests need not wait.
        Coinbase { rest: Rest::new(rest_url, Terms::default()).unwrap(), ..coinbase }
    }

    #[test]
    fn many_products_are_spread_over_connections_and_few_have_a_subscription_each() {
        let coinbase = Coinbase::connect(&settings()).unwrap();
        let tickers: Vec<SmolStr> = (0..130).map(|number| format!("COIN{number}-USD").into()).collect();
        let streams = coinbase.streams(&tickers);
        let count =
            |streams: &[StreamRequest]| streams.iter().map(|stream| stream.subscriptions.len()).collect::<Vec<_>>();
        assert_eq!(count(&streams), [20, 15]);
        assert_eq!(streams[0].url, "wss://ws-feed.exchange.coinbase.com");
        assert!(coinbase.streams(&[]).is_empty());
        let streams = coinbase.streams(&tickers[..2]);
        assert_eq!(count(&streams), [2]);
        assert_eq!(
            streams[0].subscriptions[0],
            Subscription {
                text: r#"{"channels":[{"name":"matches","product_ids":["COIN0-USD"]},{"name":"heartbeat","product_ids":["COIN0-USD"]}],"type":"subscribe"}"#.into(),
                answers: 1,
            }
        );
    }

    #[test]
    fn the_market_is_of_what_is_traded_and_its_connection_has_a_heartbeat() {
        let coinbase = Coinbase::connect(&settings()).unwrap();
        let product = |number: i32, status| Instrument {
            ticker: format!("COIN{number}-USD").into(),
            base: "COIN".into(),
            quote: "USD".into(),
            status,
            steps: domain::Steps::default(),
        };
        let mut listed = vec![product(0, InstrumentStatus::Halted)];
        assert!(coinbase.connections(&listed).is_empty());
        listed.extend((1..=60).map(|number| product(number, InstrumentStatus::Trading)));
        let [stream] = &coinbase.connections(&listed)[..] else { panic!("one connection") };
        let texts: Vec<&str> = stream.subscriptions.iter().map(|subscription| subscription.text.as_str()).collect();
        assert_eq!(texts.len(), 3);
        assert!(texts[0].contains(r#"{"name":"heartbeat","product_ids":["COIN1-USD"]}"#), "{texts:?}");
        assert!(texts[2].contains("ticker_batch") && texts[2].contains("COIN60-USD"), "{texts:?}");
        assert!(!texts.iter().any(|text| text.contains("COIN0-USD")), "{texts:?}");
    }

    #[test]
    fn a_broken_setting_is_named_with_its_value_and_a_remedy() {
        for (broken, setting) in [
            (Settings { coinbase_rest_url: "api.exchange.coinbase.com".into(), ..settings() }, "COINBASE_REST_URL"),
            (Settings { coinbase_stream_url: "https://x".into(), ..settings() }, "COINBASE_STREAM_URL"),
        ] {
            let error = Coinbase::connect(&broken).unwrap_err().to_string();
            assert!(error.contains(setting) && error.contains("write "), "{error}");
        }
    }
}
