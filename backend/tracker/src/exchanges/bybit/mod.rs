//! Bybit spot, version 5 of its interface.
//!
//! Live trades come from the topics `publicTrade.<pair>`. Numbers of trades are not promised to follow each other, and in
//! places are none. The whole market is asked for by REST.
//! Documentation: <https://bybit-exchange.github.io/docs/v5/intro>.

mod client;
mod market;
mod messages;
mod minutes;
mod parse;
mod trades;

use std::{num::NonZeroU32, time::Duration};

use chrono::{DateTime, SubsecRound as _, Utc};
use clap::Args;
use domain::{Instrument, MarketRow, Tick};
use futures_util::{FutureExt as _, future::BoxFuture};
use smol_str::SmolStr;

use crate::{
    Error, address,
    exchange::{Exchange, Manners, Market, Minutes, Reader, Recent, StreamRequest, Subscription},
    exchanges::Connect,
    rest::{RestError, Terms},
};
use client::{BLOCKED, Client, Rows};
use messages::{Listed, Ticker};

/// How many topics one message may ask for.
const TOPICS_PER_SUBSCRIPTION: usize = 10;
/// Up to so many messages are sent rather than more topics in one.
const FEW: usize = 25;
/// How many one connection carries: all together may have 21,000 characters, and a topic about 80.
const TOPICS_PER_CONNECTION: usize = 250;
/// Without a ping it cuts the connection sooner or later.
const KEEP_ALIVE: (&str, Duration) = (r#"{"op":"ping"}"#, Duration::from_secs(20));
/// Two pings without an answer: the connection is dead.
const IDLE: Duration = Duration::from_secs(45);
/// Between two messages: there are many, and no limit is told.
const SEND_EVERY: Duration = Duration::from_millis(100);
/// How many requests are made in a second: it allows 120, of everything at this address.
const PACE: u32 = 50;
/// An answer after which nothing may be asked for ten minutes; what this country may not see is answered so too.
const CLOSING: &[(u16, Duration)] = &[(403, BLOCKED), (429, Duration::from_secs(60))];
/// How many pages a catalogue may have. Today it has one, and no limit.
const MOST_PAGES: usize = 20;

/// Bybit spot.
#[derive(Debug)]
pub struct Bybit {
    client: Client,
    stream_url: String,
}

/// Where Bybit is.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Address of Bybit's REST API
    #[arg(long, env = "BYBIT_REST_URL", value_name = "URL", default_value = "https://api.bybit.com")]
    pub bybit_rest_url: String,
    /// Address of Bybit's streams of spot pairs
    #[arg(long, env = "BYBIT_STREAM_URL", value_name = "URL", default_value = "wss://stream.bybit.com/v5/public/spot")]
    pub bybit_stream_url: String,
}

impl Connect for Bybit {
    type Settings = Settings;

    fn connect(settings: &Settings) -> Result<Self, Error> {
        let pace = NonZeroU32::new(PACE).map(|count| (count, Duration::from_secs(1)));
        let terms = Terms { weight: None, pace, closing: CLOSING };
        Ok(Self {
            client: Client(address::of_rest("BYBIT_REST_URL", &settings.bybit_rest_url, terms)?),
            stream_url: address::of_streams("BYBIT_STREAM_URL", &settings.bybit_stream_url)?,
        })
    }
}

impl Exchange for Bybit {
    fn identity(&self) -> domain::Exchange {
        domain::Exchange { name: "bybit".into(), country: Some("united arab emirates".to_owned()) }
    }

    fn manners(&self) -> Manners {
        Manners { send_every: SEND_EVERY, idle: IDLE, keep_alive: Some(KEEP_ALIVE), ..Manners::default() }
    }

    fn catalogue(&self) -> BoxFuture<'_, Result<Vec<Instrument>, RestError>> {
        async {
            let (mut listed, mut cursor) = (Vec::new(), String::new());
            for _ in 0..MOST_PAGES {
                let mut query = vec![("category", "spot")];
                if !cursor.is_empty() {
                    query.push(("cursor", cursor.as_str()));
                }
                let mut rows = self.client.ask("/v5/market/instruments-info", &query).await?;
                listed.extend(rows.readable::<Listed>()?.into_iter().map(parse::instrument));
                let next = std::mem::take(&mut rows.cursor);
                // Where pages are not known, a cursor leads to the same.
                if next.is_empty() || next == cursor {
                    break;
                }
                cursor = next;
            }
            let mut known = std::collections::HashSet::new();
            listed.retain(|instrument| known.insert(instrument.ticker.clone()));
            Ok(listed)
        }
        .boxed()
    }

    fn streams(&self, tickers: &[SmolStr]) -> Vec<StreamRequest> {
        let subscription = |(index, tickers): (usize, &[SmolStr])| {
            let topics: Vec<String> = tickers.iter().map(|ticker| format!("{}.{ticker}", parse::TRADES)).collect();
            let id = (index + 1).to_string();
            Subscription::new(&serde_json::json!({ "req_id": id, "op": "subscribe", "args": topics }), 1)
        };
        tickers
            .chunks(TOPICS_PER_CONNECTION)
            .map(|tickers| StreamRequest {
                url: self.stream_url.clone(),
                // One that is refused may take those of its message with it: few pairs have a message each.
                subscriptions: tickers
                    .chunks(tickers.len().div_ceil(FEW).clamp(1, TOPICS_PER_SUBSCRIPTION))
                    .enumerate()
                    .map(subscription)
                    .collect(),
            })
            .collect()
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(parse::frame)
    }

    fn prices<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<Tick>, RestError>> {
        async move {
            let rows = self.client.ask("/v5/market/tickers", &[("category", "spot")]).await?;
            let received_at = Utc::now().trunc_subsecs(6);
            let asked: std::collections::HashSet<&SmolStr> = tickers.iter().collect();
            let told = rows.readable::<Ticker>()?.into_iter().filter(|ticker| asked.contains(&ticker.symbol));
            Ok(told.filter_map(|ticker| parse::polled(ticker, received_at)).collect())
        }
        .boxed()
    }

    fn clock(&self) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, RestError>> {
        self.client.time().boxed()
    }

    fn recent(&self) -> Option<&dyn Recent> {
        Some(self)
    }

    fn minutes(&self) -> Option<&dyn Minutes> {
        Some(self)
    }

    fn market(&self) -> Option<&dyn Market> {
        Some(self)
    }
}

impl Market for Bybit {
    fn connections(&self, _: &[Instrument]) -> Vec<StreamRequest> {
        Vec::new()
    }

    fn news_reader(&self) -> Box<dyn Reader> {
        Box::new(parse::frame)
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<MarketRow>, RestError>> {
        async {
            let rows: Rows<'_> = self.client.ask_when_spare("/v5/market/tickers", &[("category", "spot")]).await?;
            let received_at = Utc::now().trunc_subsecs(6);
            let told = rows.readable::<Ticker>()?.into_iter();
            Ok(told.filter_map(|ticker| market::row(ticker, rows.time, received_at)).collect())
        }
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::exchanges::answering;

    fn settings() -> Settings {
        use clap::Parser;
        #[derive(Parser)]
        struct Arguments {
            #[command(flatten)]
            settings: Settings,
        }
        Arguments::parse_from(["tracker"]).settings
    }

    /// Bybit at an address where the question for a path is answered with these rows.
    pub(super) fn bybit_that_answers(
        rows: impl Fn(&str, &HashMap<String, String>) -> Vec<Value> + Send + 'static,
    ) -> Bybit {
        process::tls::install();
        let bybit_rest_url = answering::serve(move |target| {
            let (path, query) = target.split_once('?').unwrap_or((target, ""));
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let result = json!({ "category": "spot", "list": rows(path, &query), "nextPageCursor": "" });
            let time = Utc::now().timestamp_millis();
            json!({ "retCode": 0, "retMsg": "OK", "result": result, "time": time }).to_string()
        });
        Bybit::connect(&Settings { bybit_rest_url, ..settings() }).unwrap()
    }

    #[test]
    fn many_pairs_are_spread_over_messages_and_connections_within_the_limits() {
        process::tls::install();
        let bybit = Bybit::connect(&settings()).unwrap();
        let tickers: Vec<SmolStr> = (0..255).map(|number| format!("{:A>60}{number:04}", "").into()).collect();
        let streams = bybit.streams(&tickers);
        assert_eq!(streams.iter().map(|stream| stream.subscriptions.len()).collect::<Vec<_>>(), [25, 5]);
        assert_eq!(bybit.streams(&tickers[..10])[0].subscriptions.len(), 10, "a refused one takes no other with it");
        assert_eq!(streams[0].url, "wss://stream.bybit.com/v5/public/spot");
        let asked: Value = serde_json::from_str(&streams[0].subscriptions[0].text).unwrap();
        assert_eq!(asked["args"].as_array().unwrap().len(), 10);
        assert_eq!(asked["args"][0], format!("publicTrade.{}", tickers[0]));
        assert!(streams[0].subscriptions.iter().all(|subscription| subscription.answers == 1));
        let characters: usize = streams[0].subscriptions.iter().map(|subscription| subscription.text.len()).sum();
        assert!(characters <= 21_000, "{characters}");
    }

    #[test]
    fn a_broken_setting_is_named_with_its_value_and_a_remedy() {
        process::tls::install();
        for (broken, setting) in [
            (Settings { bybit_rest_url: "api.bybit.com".into(), ..settings() }, "BYBIT_REST_URL"),
            (Settings { bybit_stream_url: "https://x".into(), ..settings() }, "BYBIT_STREAM_URL"),
        ] {
            let error = Bybit::connect(&broken).unwrap_err().to_string();
            assert!(error.contains(setting) && error.contains("write "), "{error}");
        }
    }

    #[tokio::test]
    async fn a_hole_is_filled_with_what_it_still_tells_oldest_first() {
        let to: DateTime<Utc> = "2026-03-01T00:00:05Z".parse().unwrap();
        let bybit = bybit_that_answers(move |path, query| {
            assert_eq!((path, query["symbol"].as_str()), ("/v5/market/recent-trade", "BTCUSDT"));
            let trade = |id: &str, second: i64, is_block: bool| {
                let time = (1_772_323_200_000 + second * 1_000).to_string();
                json!({ "execId": id, "symbol": "BTCUSDT", "price": "64250.01", "size": "0.0012", "side": "Sell",
                        "time": time, "isBlockTrade": is_block })
            };
            vec![
                trade("14", 6, false),
                trade("13", 5, false),
                trade("12", 5, false),
                trade("11", 4, true),
                trade("10", 1, false),
            ]
        });
        let from = to - chrono::TimeDelta::seconds(3);
        let span = bybit.recent().unwrap().trades(&"BTCUSDT".into(), from, to).await.unwrap();
        assert_eq!(span.ticks.iter().filter_map(|tick| tick.trade_id).collect::<Vec<_>>(), [12, 13]);
        assert_eq!((span.covers, span.is_oldest), (Some((from, to)), false));
        assert_eq!(span.ticks[0].taker_side, Some(domain::Side::Sell));
    }

    #[tokio::test]
    async fn the_catalogue_the_market_the_prices_and_the_clock_are_asked_for() {
        let bybit = bybit_that_answers(|path, _| match path {
            "/v5/market/instruments-info" => vec![
                json!({ "symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "status": "Trading",
                        "priceFilter": { "tickSize": "0.01" }, "lotSizeFilter": { "basePrecision": "0.000001" } }),
                json!({ "symbol": "OLDUSDT", "baseCoin": "OLD", "quoteCoin": "USDT", "status": "Closed" }),
                json!({ "symbol": 7 }),
            ],
            "/v5/market/tickers" => vec![
                json!({ "symbol": "BTCUSDT", "lastPrice": "64250.01", "volume24h": "1", "turnover24h": "64000" }),
                json!({ "symbol": "OLDUSDT", "lastPrice": "1", "volume24h": "0" }),
            ],
            _ => Vec::new(),
        });
        let listed = bybit.catalogue().await.unwrap();
        let status = |place: usize| listed[place].status.as_str();
        assert_eq!((listed.len(), status(0), status(1)), (2, "trading", "halted"));
        assert_eq!((listed[0].base.as_str(), listed[0].quote.as_str()), ("BTC", "USDT"));
        let steps = [listed[0].steps.price, listed[0].steps.quantity].map(|step| step.unwrap().to_string());
        assert_eq!((steps, listed[1].steps), (["0.01".to_owned(), "0.000001".to_owned()], domain::Steps::default()));
        let rows = bybit.market().unwrap().all().await.unwrap();
        assert_eq!((rows.len(), rows[0].price.to_string().as_str()), (1, "64250.01"));
        assert!(rows[0].exchange_time.is_some());
        assert_eq!(bybit.prices(&["BTCUSDT".into(), "X".into()]).await.unwrap().len(), 1);
        assert!(bybit.clock().await.unwrap().is_some());
    }
}
