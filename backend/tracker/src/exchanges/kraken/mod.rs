//! Kraken spot, by the second version of its streams.
//!
//! Live trades come from the channel `trade`, with ids that are contiguous per pair; with the subscription come the newest ones, which
//! shows what was missed. News of the whole market come from `ticker`, of each pair when it is traded. Both write numbers as numbers
//! of JSON. A pair has one name on the streams, which is its ticker here, and another by REST (`names.rs`).
//! Documentation: <https://docs.kraken.com/api/>.

mod market;
mod messages;
mod names;
mod parse;
mod past;

use std::{
    num::NonZeroU32,
    sync::{Mutex, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use clap::Args;
use domain::{Instrument, InstrumentStatus, MarketRow, Tick};
use futures_util::{FutureExt as _, future::BoxFuture};
use serde::de::DeserializeOwned;
use smol_str::SmolStr;

use crate::{
    Error, address,
    exchange::{Exchange, History, Manners, Market, Minutes, Reader, StreamRequest, Subscription},
    exchanges::Connect,
    rest::{Rest, RestError, Terms},
};
use messages::{Answer, AssetPairs, ServerTime, Tickers};
use names::Names;
use past::Ends;

/// How many pairs one connection carries.
const PAIRS_PER_CONNECTION: usize = 500;
/// How many pairs one subscription names.
const PAIRS_PER_SUBSCRIPTION: usize = 50;
/// Above this many pairs all prices are asked for, which is one request too.
const MOST_PAIRS_ASKED_BY_NAME: usize = 50;
/// How often may be asked: about once a second.
const PACE: (NonZeroU32, Duration) = (NonZeroU32::MIN, Duration::from_secs(1));
/// For how long the exchange is left alone when it was asked too often: it forgets a request a second or so.
const PENALTY: Duration = Duration::from_secs(15);

const TICKERS: &str = "/0/public/Ticker";

/// Kraken spot.
#[derive(Debug)]
pub struct Kraken {
    rest: Rest,
    stream_url: String,
    names: RwLock<Names>,
    /// Where pages of old trades ended.
    ends: Mutex<Ends>,
}

/// Where Kraken is.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Address of Kraken's REST API
    #[arg(long, env = "KRAKEN_REST_URL", value_name = "URL", default_value = "https://api.kraken.com")]
    pub kraken_rest_url: String,
    /// Address of Kraken's streams, the second version
    #[arg(long, env = "KRAKEN_STREAM_URL", value_name = "URL", default_value = "wss://ws.kraken.com/v2")]
    pub kraken_stream_url: String,
}

impl Connect for Kraken {
    type Settings = Settings;

    fn connect(settings: &Settings) -> Result<Self, Error> {
        let terms = Terms { pace: Some(PACE), ..Terms::default() };
        Ok(Self {
            rest: address::of_rest("KRAKEN_REST_URL", &settings.kraken_rest_url, terms)?,
            stream_url: address::of_streams("KRAKEN_STREAM_URL", &settings.kraken_stream_url)?,
            names: RwLock::default(),
            ends: Mutex::default(),
        })
    }
}

impl Kraken {
    async fn ask<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, RestError> {
        self.result(self.rest.get(path, query).await?)
    }

    async fn ask_when_spare<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, RestError> {
        self.result(self.rest.get_when_spare(path, query).await?)
    }

    /// What was asked for, unless the answer says why not.
    fn result<T: DeserializeOwned>(&self, answer: Answer) -> Result<T, RestError> {
        let errors = match answer.error {
            serde_json::Value::Array(errors) => errors,
            serde_json::Value::Null => Vec::new(),
            one => vec![one],
        };
        let words = errors.iter().map(|error| error.as_str().map_or_else(|| error.to_string(), str::to_owned));
        // The others are warnings.
        if let Some(error) = words.into_iter().find(|error| !error.starts_with('W')) {
            let too_often = ["Rate limit exceeded", "Too many requests", "Throttled"];
            if too_often.iter().any(|words| error.contains(words)) {
                return Err(self.rest.limited(429, PENALTY));
            }
            let is_ours = !error.starts_with("EService") && !error.contains("Internal error");
            return Err(self.rest.refused(if is_ours { 400 } else { 503 }, &error));
        }
        let result = answer.result.ok_or_else(|| self.rest.unreadable("neither a result nor an error".to_owned()))?;
        serde_json::from_str(result.get()).map_err(|error| self.rest.unreadable(error.to_string()))
    }

    /// All pairs, whose names are remembered.
    async fn pairs(&self) -> Result<AssetPairs, RestError> {
        let pairs: AssetPairs = self.rest.readable_by_name(self.ask("/0/public/AssetPairs", &[]).await?)?;
        *self.names.write().unwrap_or_else(PoisonError::into_inner) = Names::of(&pairs);
        Ok(pairs)
    }

    /// Asks for the names, unless they are known.
    async fn learn_names(&self) -> Result<(), RestError> {
        if self.names.read().unwrap_or_else(PoisonError::into_inner).is_empty() {
            self.pairs().await?;
        }
        Ok(())
    }

    /// What REST calls a pair.
    async fn name(&self, ticker: &SmolStr) -> Result<SmolStr, RestError> {
        self.learn_names().await?;
        let known = self.names.read().unwrap_or_else(PoisonError::into_inner).in_rest(ticker).cloned();
        known.ok_or_else(|| self.rest.refused(404, &format!("no pair is listed as {ticker}")))
    }

    /// What an answer tells of each pair, by their tickers.
    fn by_ticker<T>(&self, told: impl IntoIterator<Item = (SmolStr, T)>) -> Vec<(SmolStr, T)> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        told.into_iter().filter_map(|(name, told)| Some((names.ticker(&name)?.clone(), told))).collect()
    }

    /// The connections that carry a channel of these pairs.
    fn connections_of(&self, channel: &str, tickers: &[SmolStr]) -> Vec<StreamRequest> {
        let subscription = |(index, symbols): (usize, &[SmolStr])| {
            let params = serde_json::json!({ "channel": channel, "symbol": symbols, "snapshot": true });
            let message = serde_json::json!({ "method": "subscribe", "params": params, "req_id": index + 1 });
            // Each pair is acknowledged or refused by itself.
            Subscription::new(&message, symbols.len())
        };
        tickers
            .chunks(PAIRS_PER_CONNECTION)
            .map(|tickers| StreamRequest {
                url: self.stream_url.clone(),
                subscriptions: tickers.chunks(PAIRS_PER_SUBSCRIPTION).enumerate().map(subscription).collect(),
            })
            .collect()
    }
}

impl Exchange for Kraken {
    fn identity(&self) -> domain::Exchange {
        domain::Exchange { name: "kraken".into(), country: Some("united states".to_owned()) }
    }

    fn manners(&self) -> Manners {
        Manners {
            connect_every: Duration::from_secs(2),
            // Twenty a second are known to be taken.
            send_every: Duration::from_millis(200),
            // A heartbeat comes every second when nothing else does.
            idle: Duration::from_secs(15),
            keep_alive: None,
        }
    }

    fn catalogue(&self) -> BoxFuture<'_, Result<Vec<Instrument>, RestError>> {
        async { Ok(self.pairs().await?.values().filter_map(names::instrument).collect()) }.boxed()
    }

    fn streams(&self, tickers: &[SmolStr]) -> Vec<StreamRequest> {
        self.connections_of("trade", tickers)
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(parse::frame)
    }

    fn prices<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<Tick>, RestError>> {
        async move {
            let mut names = Vec::with_capacity(tickers.len());
            for ticker in tickers {
                match self.name(ticker).await {
                    Err(RestError::Refused { status: 404, .. }) => {}
                    name => names.push(name?),
                }
            }
            let names = names.join(",");
            let by_name = [("pair", names.as_str())];
            let query: &[_] = if tickers.len() <= MOST_PAIRS_ASKED_BY_NAME { &by_name } else { &[] };
            let told = match self.ask(TICKERS, query).await {
                // One that is no longer listed makes the exchange refuse the others with it.
                Err(RestError::Refused { status: 400, .. }) => self.ask(TICKERS, &[]).await?,
                asked => asked?,
            };
            let told: Tickers = self.rest.readable_by_name(told)?;
            let received_at = Utc::now().trunc_subsecs(6);
            let asked: std::collections::HashSet<&SmolStr> = tickers.iter().collect();
            let told = self.by_ticker(told).into_iter().filter(|(ticker, _)| asked.contains(ticker));
            let tick = |(ticker, info): (SmolStr, messages::TickerInfo)| Tick {
                ticker,
                trade_id: None,
                price: info.last.0.0,
                quantity: None,
                taker_side: None,
                exchange_time: None,
                received_at,
            };
            Ok(told.map(tick).collect())
        }
        .boxed()
    }

    fn clock(&self) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, RestError>> {
        async {
            let now: ServerTime = self.ask("/0/public/Time", &[]).await?;
            // It tells whole seconds: half of one is wrong by as little as can be.
            Ok(DateTime::from_timestamp(now.unixtime, 0).map(|second| second + TimeDelta::milliseconds(500)))
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

impl Market for Kraken {
    fn connections(&self, listed: &[Instrument]) -> Vec<StreamRequest> {
        // Of what is halted nothing comes but, now and then, a refusal.
        let trading = listed.iter().filter(|pair| pair.status == InstrumentStatus::Trading);
        self.connections_of(market::CHANNEL, &trading.map(|pair| pair.ticker.clone()).collect::<Vec<_>>())
    }

    fn news_reader(&self) -> Box<dyn Reader> {
        Box::new(market::frame)
    }

    fn all(&self) -> BoxFuture<'_, Result<Vec<MarketRow>, RestError>> {
        async {
            self.learn_names().await?;
            let told: Tickers = self.rest.readable_by_name(self.ask_when_spare(TICKERS, &[]).await?)?;
            let received_at = Utc::now().trunc_subsecs(6);
            let told = self.by_ticker(told);
            Ok(told.into_iter().filter_map(|(ticker, info)| market::row(ticker, &info, received_at)).collect())
        }
        .boxed()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::{super::answering, *};

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

    /// Kraken as a host tells it; of pairs it lists one.
    pub(super) fn told(answer: impl Fn(&str) -> String + Send + 'static) -> Kraken {
        let rest_url = answering::serve(move |target| match target {
            "/0/public/AssetPairs" => {
                // One of them is told in a way that we do not know.
                r#"{"error":[],"result":{"XXBTZUSD":{"altname":"XBTUSD","wsname":"XBT\/USD","status":"online"},"NEW":{"altname":7}}}"#
                    .to_owned()
            }
            other => answer(other),
        });
        let kraken = Kraken::connect(&settings()).unwrap();
        // As fast as it can, so that tests need not wait.
        Kraken { rest: Rest::new(&rest_url, Terms::default()).unwrap(), ..kraken }
    }

    #[test]
    fn many_pairs_are_spread_over_subscriptions_and_connections_and_each_is_answered() {
        let kraken = Kraken::connect(&settings()).unwrap();
        let tickers: Vec<SmolStr> = (0..530).map(|number| format!("COIN{number}/USD").into()).collect();
        let streams = kraken.streams(&tickers);
        assert_eq!(streams.iter().map(|stream| stream.subscriptions.len()).collect::<Vec<_>>(), [10, 1]);
        assert_eq!(streams[0].url, "wss://ws.kraken.com/v2");
        assert_eq!(streams[1].subscriptions[0].answers, 30);
        assert_eq!(
            kraken.streams(&tickers[..1])[0].subscriptions[0].text,
            r#"{"method":"subscribe","params":{"channel":"trade","snapshot":true,"symbol":["COIN0/USD"]},"req_id":1}"#
        );
    }

    #[test]
    fn a_broken_setting_is_named_with_its_value_and_a_remedy() {
        for (broken, setting) in [
            (Settings { kraken_rest_url: "api.kraken.com".into(), ..settings() }, "KRAKEN_REST_URL"),
            (Settings { kraken_stream_url: "https://x".into(), ..settings() }, "KRAKEN_STREAM_URL"),
        ] {
            let error = Kraken::connect(&broken).unwrap_err().to_string();
            assert!(error.contains(setting) && error.contains("write "), "{error}");
        }
    }

    #[tokio::test]
    async fn prices_are_told_under_the_names_of_the_streams() {
        let kraken = told(|target| {
            assert_eq!(target, "/0/public/Ticker?pair=XXBTZUSD");
            r#"{"error":[],"result":{"XXBTZUSD":{"c":["64250.010","0.01"],"v":["1","2"],"p":["1","2"],"t":[1,2],"l":["1","2"],"h":["1","2"],"o":"1"}}}"#.to_owned()
        });
        let prices = kraken.prices(&["BTC/USD".into(), "GONE/USD".into()]).await.unwrap();
        assert_eq!(
            prices.iter().map(|tick| (tick.ticker.as_str(), tick.price.to_string())).collect::<Vec<_>>(),
            [("BTC/USD", "64250.01".into())]
        );
    }

    #[test]
    fn what_an_answer_refuses_is_told_apart() {
        let kraken = Kraken::connect(&settings()).unwrap();
        let result = |json: &str| kraken.result::<ServerTime>(serde_json::from_str(json).unwrap());
        assert_eq!(result(r#"{"error":[],"result":{"unixtime":17}}"#).unwrap().unixtime, 17);
        assert_eq!(result(r#"{"error":["WGeneral:Danger"],"result":{"unixtime":17}}"#).unwrap().unixtime, 17);
        for (json, status) in [
            (r#"{"error":["EQuery:Unknown asset pair"],"result":{}}"#, 400),
            (r#"{"error":"EService:Unavailable"}"#, 503),
            (r#"{"error":[69420]}"#, 400),
        ] {
            assert!(matches!(result(json), Err(RestError::Refused { status: told, .. }) if told == status), "{json}");
        }
        for json in [r#"{"error":["EAPI:Rate limit exceeded"]}"#, r#"{"error":["EGeneral:Too many requests"]}"#] {
            assert!(matches!(result(json), Err(RestError::Limited { .. })), "{json}");
        }
        assert!(matches!(result(r#"{"error":[]}"#), Err(RestError::Unreadable { .. })));
    }
}
