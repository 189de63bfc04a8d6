//! How Bybit is asked by REST: every answer is an envelope with a code of its own, whatever the status of HTTP.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::messages::{Answer, Listing};
use crate::rest::{Rest, RestError};

/// How long it is left alone when it has had enough: it counts over five seconds.
const PENALTY: Duration = Duration::from_secs(10);
/// How long when it has blocked us: it asks for ten minutes without any request.
pub(super) const BLOCKED: Duration = Duration::from_secs(600);

/// Bybit's REST API.
#[derive(Debug)]
pub(super) struct Client(pub(super) Rest);

/// What an answer holds.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    rest: &'a Rest,
    rows: Vec<Box<RawValue>>,
    /// Where the next page begins; empty where there is none.
    pub(super) cursor: String,
    /// When it was given.
    pub(super) time: Option<DateTime<Utc>>,
}

impl Client {
    /// Asks what cannot wait.
    pub(super) async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Rows<'_>, RestError> {
        self.open(self.0.get(path, query).await?)
    }

    /// Asks what can.
    pub(super) async fn ask_when_spare(&self, path: &str, query: &[(&str, &str)]) -> Result<Rows<'_>, RestError> {
        self.open(self.0.get_when_spare(path, query).await?)
    }

    /// Asks what time it is there.
    pub(super) async fn time(&self) -> Result<Option<DateTime<Utc>>, RestError> {
        let answer: Answer = self.0.get("/v5/market/time", &[]).await?;
        let time = answer.time;
        self.check(answer)?;
        Ok(time.and_then(DateTime::from_timestamp_millis))
    }

    fn open(&self, answer: Answer) -> Result<Rows<'_>, RestError> {
        let time = answer.time.and_then(DateTime::from_timestamp_millis);
        let listing: Listing =
            serde_json::from_str(self.check(answer)?.get()).map_err(|error| self.0.unreadable(error.to_string()))?;
        Ok(Rows { rest: &self.0, rows: listing.list, cursor: listing.next_page_cursor, time })
    }

    /// What it answers; an error where it refuses.
    fn check(&self, answer: Answer) -> Result<Box<RawValue>, RestError> {
        let Answer { ret_code, ret_msg, result, .. } = answer;
        match ret_code {
            0 => result.ok_or_else(|| self.0.unreadable("it has no result".to_owned())),
            10_006 => Err(self.0.limited(429, PENALTY)),
            // The limit of an address, which it otherwise tells by HTTP 403.
            10_018 => Err(self.0.limited(403, BLOCKED)),
            // What was asked is wrong, such as a pair that is not listed; the others mean the service itself.
            code => {
                let status = if code == 10_001 { 400 } else { 503 };
                Err(self.0.refused(status, &format!("{ret_msg} (code {code})")))
            }
        }
    }
}

impl Rows<'_> {
    /// All of it: where one part cannot be read, the whole cannot.
    pub(super) fn all<T: DeserializeOwned>(&self) -> Result<Vec<T>, RestError> {
        let read = self.rows.iter().map(|row| serde_json::from_str(row.get())).collect::<Result<_, _>>();
        read.map_err(|error| self.unreadable(&error))
    }

    /// What can be read of it; an error where nothing can.
    pub(super) fn readable<T: DeserializeOwned>(&self) -> Result<Vec<T>, RestError> {
        self.rest.readable(&self.rows)
    }

    /// That a part of it is none that is documented.
    pub(super) fn unreadable(&self, reason: &dyn std::fmt::Display) -> RestError {
        self.rest.unreadable(reason.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rest::Terms;

    fn opened(body: &str) -> Result<Vec<u8>, RestError> {
        process::tls::install();
        let client = Client(Rest::new("http://127.0.0.1:1", Terms::default()).unwrap());
        client.open(serde_json::from_str(body).unwrap())?.readable()
    }

    #[test]
    fn the_code_in_the_envelope_says_what_became_of_it() {
        assert_eq!(opened(r#"{"retCode":0,"retMsg":"OK","result":{"list":[1,"x",3]},"time":1}"#).unwrap(), [1, 3]);
        assert!(opened(r#"{"retCode":0,"retMsg":"OK","result":{"list":[]}}"#).unwrap().is_empty());
        for (body, said) in [
            (r#"{"retCode":10006,"retMsg":"Too many visits!","result":{}}"#, "for 10 s (HTTP 429)"),
            (r#"{"retCode":10018,"retMsg":"Exceeded the IP Rate Limit","result":{}}"#, "for 600 s (HTTP 403)"),
            (r#"{"retCode":10001,"retMsg":"Not supported symbols","result":{}}"#, "HTTP 400: Not supported"),
            (r#"{"retCode":10016,"retMsg":"Service error","result":{}}"#, "HTTP 503"),
            (r#"{"retCode":0,"retMsg":"OK"}"#, "no result"),
            (r#"{"retCode":0,"result":{"list":["x"]}}"#, "unreadable"),
        ] {
            let error = opened(body).unwrap_err().to_string();
            assert!(error.contains(said), "{body}: {error}");
        }
    }
}
