//! OKX spot, version 5 of its interface.
//!
//! Live trades come from the channel `trades-all`: one row for every fill, as its history has them. The channel `trades` tells
//! several fills of one order at one price as one; were it followed, what is asked for after an interruption would be
//! counted twice. Numbers of trades are not promised to follow each other. The whole market is asked for by REST.
//! Documentation: <https://www.okx.com/docs-v5/en/>.

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
use client::{Client, PENALTY};
use messages::{Listed, ServerTime, Ticker};

/// The channel of trades, one fill a row.
const TRADES: &str = "trades-all";
/// How many pairs one connection carries: what it is asked for may have 64 KB in all, and an argument 130 bytes.
const PAIRS_PER_CONNECTION: usize = 480;
/// How many one message asks for: some clients found messages above 4 KB refused.
const PAIRS_PER_SUBSCRIPTION: usize = 60;
/// A connection on which nothing is said for 30 s is cut.
const KEEP_ALIVE: (&str, Duration) = ("ping", Duration::from_secs(20));
/// Its answer comes at once; a connection that is silent for longer is dead.
const IDLE: Duration = Duration::from_secs(30);
/// Three connections may be opened in a second.
const CONNECT_EVERY: Duration = Duration::from_millis(400);
/// How many requests may be made in [`PACE_TIME`]: what the strictest endpoint allows.
const PACE: u32 = 20;
const PACE_TIME: Duration = Duration::from_secs(2);

/// OKX spot.
#[derive(Debug)]
pub struct Okx {
    client: Client,
    stream_url: String,
}

/// Where OKX is.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Address of OKX's REST API: https://eea.okx.com in Europe, https://us.okx.com in the United States
    #[arg(long, env = "OKX_REST_URL", value_name = "URL", default_value = "https://www.okx.com")]
    pub okx_rest_url: String,
    /// Address of OKX's streams, without /public or /business: wss://wseea.okx.com:8443/ws/v5 in Europe
    #[arg(long, env = "OKX_STREAM_URL", value_name = "URL", default_value = "wss://ws.okx.com:8443/ws/v5")]
    pub okx_stream_url: String,
}

impl Connect for Okx {
    type Settings = Settings;

    fn connect(settings: &Settings) -> Result<Self, Error> {
        let pace = NonZeroU32::new(PACE).map(|count| (count, PACE_TIME));
        let terms = Terms { weight: None, pace, closing: &[(429, PENALTY)] };
        Ok(Self {
            client: Client(address::of_rest("OKX_REST_URL", &settings.okx_rest_url, terms)?),
            stream_url: address::of_streams("OKX_STREAM_URL", &settings.okx_stream_url)?,
        })
    }
}

impl Exchange for Okx {
    fn identity(&self) -> domain::Exchange {
        domain::Exchange { name: "okx".into(), country: Some("seychelles".to_owned()) }
    }

    fn manners(&self) -> Manners {
        Manners { connect_every: CONNECT_EVERY, idle: IDLE, keep_alive: Some(KEEP_ALIVE), ..Manners::default() }
    }

    fn catalogue(&self) -> BoxFuture<'_, Result<Vec<Instrument>, RestError>> {
        async {
            let rows = self.client.ask("/api/v5/public/instruments", &[("instType", "SPOT")]).await?;
            Ok(rows.readable::<Listed>()?.into_iter().filter_map(parse::instrument).collect())
        }
        .boxed()
    }

    fn streams(&self, tickers: &[SmolStr]) -> Vec<StreamRequest> {
        let subscription = |tickers: &[SmolStr]| {
            let args: Vec<_> =
                tickers.iter().map(|ticker| serde_json::json!({ "channel": TRADES, "instId": ticker })).collect();
            // Each argument is answered by itself.
            Subscription::new(&serde_json::json!({ "op": "subscribe", "args": args }), tickers.len())
        };
        tickers
            .chunks(PAIRS_PER_CONNECTION)
            .map(|tickers| StreamRequest {
                url: format!("{}/business", self.stream_url),
                subscriptions: tickers.chunks(PAIRS_PER_SUBSCRIPTION).map(subscription).collect(),
            })
            .collect()
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(parse::frame)
    }

    fn prices<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<Tick>, RestError>> {
        async move {
            let rows = self.client.ask("/api/v5/market/tickers", &[("instType", "SPOT")]).await?;
            let received_at = Utc::now().trunc_subsecs(6);
            let asked: std::collections::HashSet<&SmolStr> = tickers.iter().collect();
            let told = rows.readable::<Ticker>()?.into_iter().filter(|ticker| asked.contains(&ticker.inst_id));
            Ok(told.filter_map(|ticker| parse::polled(ticker, received_at)).collect())
        }
        .boxed()
    }

    fn clock(&self) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, RestError>> {
        async {
            let times: Vec<ServerTime> = self.client.ask("/api/v5/public/time", &[]).await?.all()?;
            Ok(times.first().and_then(|time| DateTime::from_timestamp_millis(time.ts.0)))
        }
        .boxed()
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

impl Market for Okx {
    fn connections(&self, _: &[Instrument]) -> Vec<StreamRequest> {
        Vec::new()
    }

    fn news_reader(&self) -> Box<dyn Reader> {
        Box::new(parse::frame)
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<MarketRow>, RestError>> {
        async {
            let rows = self.client.ask_when_spare("/api/v5/market/tickers", &[("instType", "SPOT")]).await?;
            let received_at = Utc::now().trunc_subsecs(6);
            Ok(rows.readable()?.into_iter().filter_map(|ticker| market::row(ticker, received_at)).collect())
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

    /// OKX at an address where every question is answered with these rows.
    pub(super) fn okx_that_answers(rows: impl Fn(&HashMap<String, String>) -> Vec<Value> + Send + 'static) -> Okx {
        process::tls::install();
        let okx_rest_url = answering::serve(move |target| {
            let query = target.split_once('?').map_or("", |(_, query)| query);
            let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
            let query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            json!({ "code": "0", "msg": "", "data": rows(&query) }).to_string()
        });
        Okx::connect(&Settings { okx_rest_url, ..settings() }).unwrap()
    }

    #[test]
    fn many_pairs_are_spread_over_messages_and_connections_within_the_limits() {
        process::tls::install();
        let okx = Okx::connect(&settings()).unwrap();
        let tickers: Vec<SmolStr> = (0..500).map(|number| format!("COIN{number}-USDT").into()).collect();
        let streams = okx.streams(&tickers);
        assert_eq!(streams.iter().map(|stream| stream.subscriptions.len()).collect::<Vec<_>>(), [8, 1]);
        assert_eq!(streams[0].url, "wss://ws.okx.com:8443/ws/v5/business");
        let first = &streams[0].subscriptions[0];
        assert!(first.text.contains(r#"{"channel":"trades-all","instId":"COIN0-USDT"}"#), "{}", first.text);
        assert!(first.answers == 60 && first.text.len() < 4_096);
        assert_eq!(streams[1].subscriptions[0].answers, 20);
    }

    #[test]
    fn a_broken_setting_is_named_with_its_value_and_a_remedy() {
        process::tls::install();
        for (broken, setting) in [
            (Settings { okx_rest_url: "www.okx.com".into(), ..settings() }, "OKX_REST_URL"),
            (Settings { okx_stream_url: "https://x".into(), ..settings() }, "OKX_STREAM_URL"),
        ] {
            let error = Okx::connect(&broken).unwrap_err().to_string();
            assert!(error.contains(setting) && error.contains("write "), "{error}");
        }
    }

    #[tokio::test]
    async fn a_hole_is_asked_for_by_time_and_told_oldest_first() {
        let to: DateTime<Utc> = "2026-03-01T00:00:05Z".parse().unwrap();
        let okx = okx_that_answers(move |query| {
            assert_eq!((query["type"].as_str(), query["after"].as_str()), ("2", "1772323205001"));
            let trade = |id: i64, second: i64| {
                let ts = (1_772_323_200_000 + second * 1_000).to_string();
                json!({ "instId": "BTC-USDT", "tradeId": id.to_string(), "px": "1", "sz": "2", "side": "buy", "ts": ts })
            };
            vec![trade(12, 5), trade(11, 3), trade(9, 1)]
        });
        let from = to - chrono::TimeDelta::seconds(3);
        let span = okx.recent().unwrap().trades(&"BTC-USDT".into(), from, to).await.unwrap();
        assert_eq!(span.ticks.iter().filter_map(|tick| tick.trade_id).collect::<Vec<_>>(), [11, 12]);
        assert_eq!((span.covers, span.is_oldest), (Some((from, to)), false));
    }

    #[tokio::test]
    async fn the_catalogue_the_market_the_prices_and_the_clock_are_asked_for() {
        let now = Utc::now().timestamp_millis().to_string();
        let time = now.clone();
        let okx = okx_that_answers(move |query| match query.get("instType") {
            Some(_) => vec![
                json!({ "instType": "SPOT", "instId": "BTC-USDT", "baseCcy": "BTC", "quoteCcy": "USDT", "state": "live",
                        "last": "64250.01", "open24h": "64000", "vol24h": "1", "volCcy24h": "64000", "ts": now }),
                json!({ "instType": "SPOT", "instId": 7 }),
            ],
            None => vec![json!({ "ts": time })],
        });
        assert_eq!(okx.catalogue().await.unwrap().len(), 1);
        let rows = okx.market().unwrap().all().await.unwrap();
        assert_eq!((rows.len(), rows[0].price.to_string().as_str()), (1, "64250.01"));
        assert_eq!(okx.prices(&["BTC-USDT".into(), "X".into()]).await.unwrap().len(), 1);
        assert!(okx.clock().await.unwrap().is_some());
    }
}
