//! The REST API, asked.
//!
//! Every failure is told in words for people; the window shows them as they are.

mod alerts;
mod portfolios;
mod session;

use std::{error::Error, io, sync::Arc, time::Duration};

use api_types::{CandleRow, Data, FeedRow, GapRow, LatestPrice, Problem, Sparkline, VolatilityRow};
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::{RequestBuilder, Response, StatusCode, Url, header::RETRY_AFTER};
use serde::de::DeserializeOwned;

use self::session::{For, Session};
pub(crate) use self::session::{Login, Secret, Standing};
use crate::{
    settings::ApiAddress,
    state::{Period, SeriesKey},
};

/// Candles asked for at once, to show the newest of them.
const NEWEST_CANDLES: usize = 500;
/// Candles asked for at once, to go back or to write them to a file: as many as the API gives.
const CANDLES_A_PAGE: usize = 1_000;

/// How often one question is asked that comes too often, and how long is waited between two times at most.
const MOST_TRIES: u32 = 5;
const LONGEST_WAIT_SECONDS: u64 = 10;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(15);

/// A question that got no good answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody answered.
    #[error("{0}")]
    Unreachable(String),
    /// The API answered with a failure.
    #[error("the API says: {} ({})", .0.detail, .0.code)]
    Refused(Box<Problem>),
    /// It is a question of an account, and nobody is logged in.
    #[error("nobody is logged in")]
    LoggedOut,
    /// Something answered that is not our API.
    #[error("unexpected answer: {0}")]
    Unexpected(String),
}

/// Asks the REST API.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    api: ApiAddress,
    session: Arc<Session>,
}

impl Client {
    /// For the API at this address, and whoever was logged in there before.
    pub(crate) fn new(api: ApiAddress, login: Option<Login>) -> Result<Self, ClientError> {
        // Another part of the process may have installed one already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .user_agent(concat!("crypto-tracker-dashboard/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_WITHIN)
            .timeout(ANSWER_WITHIN)
            // The live feed knows no proxy either: both go the same way, or neither does.
            .no_proxy()
            .build()
            .map_err(|error| ClientError::Unreachable(root_cause(&error)))?;
        Ok(Self { http, api, session: Arc::new(Session::new(login)) })
    }

    /// The newest price of every ticker.
    pub(crate) async fn list_prices(&self) -> Result<Vec<LatestPrice>, ClientError> {
        self.get(self.api.route(&["prices"])).await
    }

    /// Every feed.
    pub(crate) async fn list_feeds(&self) -> Result<Vec<FeedRow>, ClientError> {
        self.get(self.api.route(&["feeds"])).await
    }

    /// Every hole of which trades are missing, the newest of them if there are very many.
    pub(crate) async fn list_holes(&self) -> Result<Vec<GapRow>, ClientError> {
        let mut url = self.api.route(&["gaps"]);
        url.query_pairs_mut().append_pair("missing", "true").append_pair("limit", "1000");
        self.get(url).await
    }

    /// The newest candles of a series, or the newest before a time. Oldest first.
    pub(crate) async fn list_candles(
        &self,
        series: &SeriesKey,
        before: Option<DateTime<Utc>>,
    ) -> Result<Vec<CandleRow>, ClientError> {
        let mut url = self.api.route(&["candles", &series.ticker.exchange, &series.ticker.ticker]);
        url.query_pairs_mut()
            .append_pair("interval", series.interval.as_str())
            .append_pair("limit", &if before.is_some() { CANDLES_A_PAGE } else { NEWEST_CANDLES }.to_string());
        if let Some(before) = before {
            url.query_pairs_mut().append_pair("to", &moment(before));
        }
        self.get(url).await
    }

    /// The candles of a series from one moment to before another, the first of them if there are very many. Oldest
    /// first.
    pub(crate) async fn list_candles_between(
        &self,
        series: &SeriesKey,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<CandleRow>, ClientError> {
        let mut url = self.api.route(&["candles", &series.ticker.exchange, &series.ticker.ticker]);
        url.query_pairs_mut()
            .append_pair("interval", series.interval.as_str())
            .append_pair("limit", &CANDLES_A_PAGE.to_string())
            .append_pair("from", &moment(from))
            .append_pair("to", &moment(to));
        self.get(url).await
    }

    /// The last day's closes of every ticker.
    pub(crate) async fn list_sparklines(&self) -> Result<Vec<Sparkline>, ClientError> {
        self.get(self.api.route(&["sparklines"])).await
    }

    /// Tickers by how much their prices moved, the first of them if there are very many.
    pub(crate) async fn list_volatility(&self, period: Period) -> Result<Vec<VolatilityRow>, ClientError> {
        let mut url = self.api.route(&["volatility"]);
        url.query_pairs_mut().append_pair("window", period.name()).append_pair("limit", "1000");
        self.get(url).await
    }

    /// What to open the live feed with, where it is for accounts only: waits until somebody has logged in.
    pub(crate) async fn live_token(&self) -> Result<Option<String>, ClientError> {
        self.token_for(For::Anybody).await
    }

    /// The live feed was refused to whoever bears this token, or to everybody without one.
    pub(crate) async fn live_refused(&self, token: Option<&str>) {
        match token {
            // Whether there is another is seen at the next try.
            Some(_) => drop(self.access(token).await),
            None => self.need_account(),
        }
    }

    /// Asks, and again where the API says that this was too often (writing a year of minutes to a file takes hundreds of
    /// pages), that an account is needed, or that the token does not serve any more.
    async fn ask(&self, request: RequestBuilder, whose: For) -> Result<Response, ClientError> {
        let request = request.build().map_err(|error| unreachable_because(&error))?;
        let mut refused: Option<String> = None;
        let mut tries = 1;
        loop {
            let token = match &refused {
                Some(token) => Some(self.access(Some(token)).await),
                None => self.token_for(whose).await.transpose(),
            };
            let token = match token.transpose() {
                Err(ClientError::LoggedOut) if whose == For::Anybody => {
                    refused = None;
                    continue;
                }
                other => other?,
            };
            // Only a stream could not be sent twice.
            let Some(again) = request.try_clone() else { return Err(ClientError::Unexpected("no request".to_owned())) };
            let again = RequestBuilder::from_parts(self.http.clone(), again);
            let again = token.iter().fold(again, |request, token| request.bearer_auth(token));
            let response = again.send().await.map_err(|error| unreachable_because(&error))?;
            if response.status() == StatusCode::UNAUTHORIZED && refused.is_none() {
                if token.is_none() {
                    let error = refusal(request.url().path(), response).await;
                    match &error {
                        ClientError::Refused(problem) if problem.code == "not_logged_in" => self.need_account(),
                        _ => return Err(error),
                    }
                }
                refused = token;
                continue;
            }
            match asked_too_often(&response).filter(|_| tries < MOST_TRIES) {
                Some(seconds) => tokio::time::sleep(Duration::from_secs(seconds)).await,
                None => return Ok(response),
            }
            tries += 1;
        }
    }

    async fn get<T: DeserializeOwned>(&self, url: Url) -> Result<T, ClientError> {
        let path = url.path().to_owned();
        let response = self.ask(self.http.get(url), For::Anybody).await?;
        read::<Data<T>>(&path, response).await.map(|answer| answer.data)
    }

    /// Asks what only the account may.
    async fn own<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, ClientError> {
        let response = self.ask(request, For::Account).await?;
        let path = response.url().path().to_owned();
        read(&path, response).await
    }

    /// The same, answered by a file.
    async fn own_file(&self, request: RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let response = successful(self.ask(request, For::Account).await?).await?;
        response.bytes().await.map(Into::into).map_err(|error| unreachable_because(&error))
    }

    /// The same, answered line by line.
    async fn own_lines(&self, request: RequestBuilder) -> Result<Lines, ClientError> {
        let response = successful(self.ask(request, For::Account).await?).await?;
        Ok(Lines { response, rest: Vec::new() })
    }

    /// Takes something of the account away.
    async fn own_away(&self, request: RequestBuilder) -> Result<(), ClientError> {
        successful(self.ask(request, For::Account).await?).await.map(drop)
    }
}

/// An answer that comes in lines of JSON.
struct Lines {
    response: Response,
    rest: Vec<u8>,
}

impl Lines {
    /// The next one. There must be one.
    async fn next<T: DeserializeOwned>(&mut self) -> Result<T, ClientError> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                let path = self.response.url().path();
                let unread = |error| ClientError::Unexpected(format!("{path}: {error}"));
                return serde_json::from_slice(&line).map_err(unread);
            }
            match self.response.chunk().await.map_err(|error| unreachable_because(&error))? {
                Some(chunk) => self.rest.extend_from_slice(&chunk),
                None => return Err(ClientError::Unexpected("the answer broke off".to_owned())),
            }
        }
    }
}

async fn successful(response: Response) -> Result<Response, ClientError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let path = response.url().path().to_owned();
    Err(refusal(&path, response).await)
}

async fn read<T: DeserializeOwned>(path: &str, response: Response) -> Result<T, ClientError> {
    let response = successful(response).await?;
    let body = response.bytes().await.map_err(|error| unreachable_because(&error))?;
    serde_json::from_slice(&body).map_err(|error| ClientError::Unexpected(format!("{path}: {error}")))
}

/// In how many seconds the API wants to be asked again, where it was asked too often.
fn asked_too_often(response: &Response) -> Option<u64> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse::<u64>().ok()?;
    (response.status() == StatusCode::TOO_MANY_REQUESTS).then_some(seconds.min(LONGEST_WAIT_SECONDS))
}

fn moment(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

async fn refusal(path: &str, response: Response) -> ClientError {
    let status = response.status();
    match response.json::<Problem>().await {
        Ok(problem) => ClientError::Refused(Box::new(problem)),
        Err(_) => ClientError::Unexpected(format!("{path}: HTTP {status}")),
    }
}

fn unreachable_because(error: &reqwest::Error) -> ClientError {
    ClientError::Unreachable(if error.is_timeout() { "no answer in time".to_owned() } else { root_cause(error) })
}

/// The innermost cause, which is the one that a person can do something about.
pub(crate) fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    loop {
        if let Some(error) = innermost.downcast_ref::<io::Error>()
            && let Some(words) = io_words(error)
        {
            return words.to_owned();
        }
        match innermost.source() {
            Some(source) => innermost = source,
            None => return innermost.to_string(),
        }
    }
}

fn io_words(error: &io::Error) -> Option<&'static str> {
    Some(match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused: nothing listens there",
        io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            "the connection was cut"
        }
        io::ErrorKind::TimedOut => "no answer in time",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "the host cannot be reached",
        _ => return None,
    })
}
