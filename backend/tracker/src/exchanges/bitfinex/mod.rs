//! Bitfinex, version 2 of its API.
//!
//! Live trades come from channels, each with a number that holds for one connection. Frames are numbered too, so that a lost one
//! shows. Numbers of trades are shared by all pairs: what is missing is asked for by time.
//! Documentation: <https://docs.bitfinex.com/docs>.

mod channels;
mod listed;
mod market;
mod messages;
mod parse;
mod past;
mod rest;

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use domain::{Instrument, Tick};
use futures_util::{FutureExt as _, future::BoxFuture};
use serde_json::json;
use smol_str::SmolStr;

use crate::{
    Error, address,
    exchange::{Exchange, Manners, Market, Minutes, Reader, Recent, StreamRequest, Subscription},
    exchanges::Connect,
    rest::{Rest, RestError},
};

/// How many channels one connection may carry.
const CHANNELS_PER_CONNECTION: usize = 25;
/// Asks for a number and a time in every frame.
const FLAGS: u32 = TIMESTAMP + SEQUENCE;
const TIMESTAMP: u32 = 32_768;
const SEQUENCE: u32 = 65_536;
/// It lets twenty connections be opened in a minute.
const CONNECT_EVERY: Duration = Duration::from_secs(4);
/// No limit is documented; what is not sent delays what is read.
const SEND_EVERY: Duration = Duration::from_millis(20);
/// Each channel shows about every fifteen seconds that it lives.
const IDLE: Duration = Duration::from_secs(60);

/// Bitfinex.
#[derive(Debug)]
pub struct Bitfinex {
    rest: Rest,
    stream_url: String,
}

/// Where Bitfinex is.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Address of Bitfinex's REST API
    #[arg(long, env = "BITFINEX_REST_URL", value_name = "URL", default_value = "https://api-pub.bitfinex.com/v2")]
    pub bitfinex_rest_url: String,
    /// Address of Bitfinex's streams
    #[arg(long, env = "BITFINEX_STREAM_URL", value_name = "URL", default_value = "wss://api-pub.bitfinex.com/ws/2")]
    pub bitfinex_stream_url: String,
}

impl Connect for Bitfinex {
    type Settings = Settings;

    fn connect(settings: &Settings) -> Result<Self, Error> {
        let stream_url = address::of_streams("BITFINEX_STREAM_URL", &settings.bitfinex_stream_url)?;
        let rest = address::of_rest("BITFINEX_REST_URL", &settings.bitfinex_rest_url, rest::TERMS)?;
        Ok(Self { rest, stream_url })
    }
}

impl Exchange for Bitfinex {
    fn identity(&self) -> domain::Exchange {
        domain::Exchange { name: "bitfinex".into(), country: Some("british virgin islands".to_owned()) }
    }

    fn manners(&self) -> Manners {
        Manners { connect_every: CONNECT_EVERY, send_every: SEND_EVERY, idle: IDLE, keep_alive: None }
    }

    fn catalogue(&self) -> BoxFuture<'_, Result<Vec<Instrument>, RestError>> {
        self.listed().boxed()
    }

    fn streams(&self, tickers: &[SmolStr]) -> Vec<StreamRequest> {
        let subscription = |ticker: &SmolStr| {
            let symbol = parse::symbol(ticker);
            Subscription::new(&json!({ "event": "subscribe", "channel": "trades", "symbol": symbol }), 1)
        };
        let flags = Subscription::new(&json!({ "event": "conf", "flags": FLAGS }), 1);
        tickers
            .chunks(CHANNELS_PER_CONNECTION)
            .map(|tickers| StreamRequest {
                url: self.stream_url.clone(),
                subscriptions: std::iter::once(flags.clone()).chain(tickers.iter().map(subscription)).collect(),
            })
            .collect()
    }

    fn reader(&self) -> Box<dyn Reader> {
        Box::new(channels::Channels::default())
    }

    fn prices<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<Tick>, RestError>> {
        self.last_prices(tickers).boxed()
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
