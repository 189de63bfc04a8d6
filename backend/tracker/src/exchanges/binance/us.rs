//! Binance US: the same protocol at another address, with other pairs.

use chrono::{DateTime, Utc};
use clap::Args;
use domain::{Instrument, Tick};
use futures_util::future::BoxFuture;
use smol_str::SmolStr;

use super::Binance;
use crate::{
    Error,
    exchange::{Exchange, History, Market, Minutes, Reader, StreamRequest},
    exchanges::Connect,
    rest::RestError,
};

/// Where Binance US is.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub struct Settings {
    /// Address of Binance US's REST API
    #[arg(long, env = "BINANCE_US_REST_URL", value_name = "URL", default_value = "https://api.binance.us")]
    pub binance_us_rest_url: String,
    /// Address of Binance US's streams
    #[arg(long, env = "BINANCE_US_STREAM_URL", value_name = "URL", default_value = "wss://stream.binance.us:9443")]
    pub binance_us_stream_url: String,
}

/// Binance US.
#[derive(Debug)]
pub struct BinanceUs(Binance);

impl Connect for BinanceUs {
    type Settings = Settings;

    fn connect(settings: &Settings) -> Result<Self, Error> {
        Binance::at(
            "binance_us",
            ("BINANCE_US_REST_URL", &settings.binance_us_rest_url),
            ("BINANCE_US_STREAM_URL", &settings.binance_us_stream_url),
        )
        .map(Self)
    }
}

impl Exchange for BinanceUs {
    fn identity(&self) -> domain::Exchange {
        self.0.identity()
    }

    fn catalogue(&self) -> BoxFuture<'_, Result<Vec<Instrument>, RestError>> {
        self.0.catalogue()
    }

    fn streams(&self, tickers: &[SmolStr]) -> Vec<StreamRequest> {
        self.0.streams(tickers)
    }

    fn reader(&self) -> Box<dyn Reader> {
        self.0.reader()
    }

    fn prices<'a>(&'a self, tickers: &'a [SmolStr]) -> BoxFuture<'a, Result<Vec<Tick>, RestError>> {
        self.0.prices(tickers)
    }

    fn clock(&self) -> BoxFuture<'_, Result<Option<DateTime<Utc>>, RestError>> {
        self.0.clock()
    }

    fn history(&self) -> Option<&dyn History> {
        self.0.history()
    }

    fn minutes(&self) -> Option<&dyn Minutes> {
        Exchange::minutes(&self.0)
    }

    fn market(&self) -> Option<&dyn Market> {
        self.0.market()
    }
}
