//! Asking Bitfinex by REST: at a pace that every one of its paths allows, and with what its refusals mean.
//!
//! A refusal is `["error",10020,"limit: invalid"]`, mostly with HTTP 500; that one asked too often is `{"error":"ERR_RATE_LIMIT"}` or
//! `["error",11010,"ratelimit: error"]`.

use std::{num::NonZeroU32, time::Duration};

use chrono::{SubsecRound as _, Utc};
use domain::Tick;
use serde_json::value::RawValue;
use smol_str::SmolStr;

use super::{Bitfinex, market, messages::List, parse};
use crate::{
    exchange::UnreadableFrame,
    rest::{RestError, Terms},
};

/// Each path has its own allowance, of which sources say 10 to 90 requests in a minute: this many for all.
pub(super) const TERMS: Terms = Terms {
    weight: None,
    pace: match NonZeroU32::new(30) {
        Some(count) => Some((count, Duration::from_secs(60))),
        None => None,
    },
    closing: &[(429, PENALTY)],
};
/// It blocks for ten to sixty seconds who asked too often.
const PENALTY: Duration = Duration::from_secs(60);
/// In the body of an answer: too many requests.
const TOO_MANY: [&str; 3] = ["ERR_RATE_LIMIT", "ratelimit", "11010"];
/// In the body of an answer: there is maintenance.
const MAINTENANCE: &str = "20060";
/// In the body of an answer: a parameter, or a pair, that it does not know.
const OURS: [&str; 3] = ["10020", "10001", "invalid"];
/// Above this many pairs all are asked for, which costs no more.
const MOST_SYMBOLS_ASKED_BY_NAME: usize = 50;

const TICKERS: &str = "/tickers";

impl Bitfinex {
    /// Asks something that cannot wait.
    pub(super) async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Box<RawValue>, RestError> {
        self.understand(self.rest.get(path, query).await)
    }

    /// Asks something that can wait.
    pub(super) async fn ask_when_spare(&self, path: &str, query: &[(&str, &str)]) -> Result<Box<RawValue>, RestError> {
        self.understand(self.rest.get_when_spare(path, query).await)
    }

    /// What an answer means that is perhaps a refusal, whatever its status.
    fn understand(&self, answer: Result<Box<RawValue>, RestError>) -> Result<Box<RawValue>, RestError> {
        let refusal = match &answer {
            Ok(body) => body.get(),
            Err(RestError::Refused { body, .. }) => body,
            Err(_) => return answer,
        };
        let start = refusal.trim_start();
        if !(start.starts_with(r#"["error""#) || start.starts_with(r#"{"error""#)) {
            return answer;
        }
        Err(if TOO_MANY.iter().any(|said| refusal.contains(said)) {
            self.rest.limited(429, PENALTY)
        } else {
            // Only what is wrong with the question stays wrong.
            let is_ours = !refusal.contains(MAINTENANCE) && OURS.iter().any(|code| refusal.contains(code));
            let status = if is_ours { 400 } else { 503 };
            self.rest.refused(status, refusal)
        })
    }

    /// The elements of an answer that is a list, each read by `read`. One that cannot be read is a mistake in the answer.
    pub(super) fn each<T>(
        &self,
        answer: &RawValue,
        read: impl Fn(&str) -> Result<T, UnreadableFrame>,
    ) -> Result<Vec<T>, RestError> {
        let list = List::parse(answer.get()).and_then(|list| list.behind(0).map(read).collect());
        list.map_err(|error| self.rest.unreadable(error.to_string()))
    }

    /// The last price of each pair.
    pub(super) async fn last_prices(&self, tickers: &[SmolStr]) -> Result<Vec<Tick>, RestError> {
        let symbols = if tickers.len() <= MOST_SYMBOLS_ASKED_BY_NAME {
            tickers.iter().map(|ticker| parse::symbol(ticker)).collect::<Vec<_>>().join(",")
        } else {
            market::ALL.to_owned()
        };
        let answer = self.ask(TICKERS, &[("symbols", &symbols)]).await?;
        let received_at = Utc::now().trunc_subsecs(6);
        let prices = self.each(&answer, |row| Ok(market::price(row, received_at)))?;
        Ok(prices.into_iter().flatten().filter(|price| tickers.contains(&price.ticker)).collect())
    }

    /// The whole market.
    pub(super) async fn day(&self) -> Result<Vec<domain::MarketRow>, RestError> {
        let answer = self.ask_when_spare(TICKERS, &[("symbols", market::ALL)]).await?;
        let received_at = Utc::now().trunc_subsecs(6);
        let rows = self.each(&answer, |row| Ok(market::row(row, received_at)))?;
        Ok(rows.into_iter().flatten().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_told_from_an_answer_whatever_its_status() {
        use crate::exchanges::Connect as _;
        process::tls::install();
        let settings = super::super::Settings {
            bitfinex_rest_url: "http://127.0.0.1:1".into(),
            bitfinex_stream_url: "ws://127.0.0.1:1".into(),
        };
        let bitfinex = Bitfinex::connect(&settings).unwrap();
        let raw = |text: &str| RawValue::from_string(text.to_owned()).unwrap();
        assert_eq!(bitfinex.understand(Ok(raw("[[1]]"))).unwrap().get(), "[[1]]");
        for (body, expected) in [
            (r#"["error",10020,"limit: invalid"]"#, Some(400)),
            (r#"["error",20060,"maintenance"]"#, Some(503)),
            (r#"["error",11010,"ratelimit: error"]"#, None),
            (r#"{"error":"ERR_RATE_LIMIT"}"#, None),
        ] {
            let with_status = RestError::Refused { host: "host".into(), status: 500, body: body.into() };
            for answer in [Ok(raw(body)), Err(with_status)] {
                match (bitfinex.understand(answer).unwrap_err(), expected) {
                    (RestError::Refused { status, .. }, Some(meant)) => assert_eq!(status, meant, "{body}"),
                    (RestError::Limited { wait, .. }, None) => assert_eq!(wait, PENALTY),
                    (error, _) => panic!("{body}: {error}"),
                }
            }
        }
    }
}
