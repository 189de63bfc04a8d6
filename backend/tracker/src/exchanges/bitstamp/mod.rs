//! Bitstamp, version 2 of its API.
//!
//! Live trades come from `live_trades_<pair>`, to the microsecond. Numbers of trades are shared by all pairs: what is missing is
//! asked for by time, of the last day at most. There is no stream of the market: it is asked for by REST.
//! Documentation: <https://www.bitstamp.net/api/> and <https://www.bitstamp.net/websocket/v2/>.

mod candles;
mod known;
mod market;
mod messages;
mod parse;
mod recent;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use chrono::{DateTime, SubsecRound as _, Utc};
use clap::Args;
use domain::{Instrument, Tick};
use futures_util::{FutureExt as _, future::BoxFuture};
use serde::de::DeserializeOwned;
use serde_json::json;
use smol_str::SmolStr;

use crate::{
    Error, address,
    exchange::{Exchange, Manners, Market, Minutes, Reader, Recent, StreamRequest, Subscription},
    exchanges::Connect,
    rest::{Rest, RestError, Terms},
};
use known::Known;
use messages::{Day, Pair};

/// No limit is documented; this many are known to work.
const CHANNELS_PER_CONNECTION: usize = 100;
/// No limit is documented either; what is not sent delays what is read.
const SEND_EVERY: Duration = Duration::from_millis(20);
/// Asks for a sign of life.
const HEARTBEAT: (&str, Duration) = (r#"{"event":"bts:heartbeat"}"#, Duration::from_secs(15));
/// Three of them unanswered.
const IDLE: Duration = Duration::from_secs(45);
/// Of 10,000 requests in ten minutes (8,000 in older words) this many are used.
const TERMS: Terms = Terms {
    weight: None,
    pace: match NonZeroU32::new(10) {
        Some(count) => Some((count, Duration::from_secs(1))),
        None => None,
    },
    closing: &[(429, PENALTY)],
};
/// How long to stay away after too many requests; it does not say.
const PENALTY: Duration = Duration::from_secs(60);
/// In the body of an answer: too many requests, of everybody, of a client, of a market.
const TOO_MANY: [&str; 3] = ["400.002", "400.067", "400.068"];

const PAIRS: &str = "/trading-pairs-info/";
const TICKERS: &str = "/ticker/";

/// Bitstamp.
#[derive(Debug)]
pub struct Bitstamp {
    rest: Rest,
    stream_url: String,
    known: Arc<Known>,
}

/// Where Bitstamp is.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Address of Bitstamp's REST API
    #[arg(long, env = "BITSTAMP_REST_URL", value_name = "URL", default_value = "https://www.bitstamp.net/api/v2")]
    pub bitstamp_rest_url: String,
    /// Address of Bitstamp's streams
    #[arg(long, env = "BITSTAMP_STREAM_URL", value_name = "URL", default_value = "wss://ws.bitstamp.net")]
    pub bitstamp_stream_url: String,
}

impl Connect for Bitstamp {
    type Settings = Settings;

    fn connect(settings: &Settings) -> Result<Self, Error> {
        let stream_url = address::of_streams("BITSTAMP_STREAM_URL", &settings.bitstamp_stream_url)?;
        let rest = address::of_rest("BITSTAMP_REST_URL", &settings.bitstamp_rest_url, TERMS)?;
        Ok(Self { rest, stream_url, known: Arc::new(Known::since(Utc::now())) })
    }
}

impl Bitstamp {
    /// Asks something that cannot wait.
    async fn ask<T: DeserializeOwned>(&self, path: &str) -> Result<T, RestError> {
        self.rest.get(path, &[]).await.map_err(|error| self.understand(error))
    }

    /// Asks something that can wait.
    async fn ask_when_spare<T: DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T, RestError> {
        self.rest.get_when_spare(path, query).await.map_err(|error| self.understand(error))
    }

    /// What a refusal means: `{"status":"error","reason":"…","code":"400.002"}`, `response_code` in newer words.
    fn understand(&self, error: RestError) -> RestError {
        match error {
            RestError::Refused { body, .. } if TOO_MANY.iter().any(|code| body.contains(code)) => {
                self.rest.limited(429, PENALTY)
            }
            other => other,
        }
    }
}

impl Exchange for Bitstamp {
    fn identity(&self) -> domain::Exchange {
        domain::Exchange { name: "bitstamp".into(), country: Some("luxembourg".to_owned()) }
    }

    fn manners(&self) -> Manners {
        Manners { send_every: SEND_EVERY, idle: IDLE, keep_alive: Some(HEARTBEAT), ..Manners::default() }
    }

    fn catalogue(&self) -> BoxFuture<'_, Result<Vec<Instrument>, RestError>> {
        async {
            let pairs: Vec<Pair> = self.rest.readable(&self.ask::<Vec<_>>(PAIRS).await?)?;
            Ok(pairs.into_iter().filter_map(parse::instrument).collect())
        }
        .boxed()
    }

    fn streams(&self, tickers: &[SmolStr]) -> Vec<StreamRequest> {
        let subscription = |ticker: &SmolStr| {
            let channel = format!("{}{ticker}", parse::TRADES);
            Subscription::new(&json!({ "event": "bts:subscribe", "data": { "channel": channel } }), 1)
        };
        tickers
            .chunks(CHANNELS_PER_CONNECTION)
            .map(|tickers| StreamRequest {
                url: self.stream_url.clone(),
                subscriptions: tickers.iter().map(subscription).collect(),
            })
            .collect()
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(known::Remembering::new(self.known.clone()))
    }

    fn prices<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<Tick>, RestError>> {
        async move {
            let days: Vec<Day> = self.rest.readable(&self.ask::<Vec<_>>(TICKERS).await?)?;
            let received_at = Utc::now().trunc_subsecs(6);
            let prices = days.iter().filter_map(|day| market::price(day, received_at));
            Ok(prices.filter(|price| tickers.contains(&price.ticker)).collect())
        }
        .boxed()
    }

    fn clock(&self) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, RestError>> {
        async { Ok(None) }.boxed()
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

#[cfg(test)]
mod tests;
