//! How OKX is asked by REST: every answer is an envelope with a code of its own, whatever the status of HTTP.

use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use super::messages::Answer;
use crate::rest::{Rest, RestError};

/// How long it is left alone when it has had enough: it counts over two seconds.
pub(super) const PENALTY: Duration = Duration::from_secs(10);

/// OKX's REST API.
#[derive(Debug)]
pub(super) struct Client(pub(super) Rest);

impl Client {
    /// Asks what cannot wait.
    pub(super) async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Result<Rows<'_>, RestError> {
        self.open(self.0.get(path, query).await?)
    }

    /// Asks what can.
    pub(super) async fn ask_when_spare(&self, path: &str, query: &[(&str, &str)]) -> Result<Rows<'_>, RestError> {
        self.open(self.0.get_when_spare(path, query).await?)
    }

    fn open(&self, answer: Answer) -> Result<Rows<'_>, RestError> {
        let Answer { code, msg, data } = answer;
        match code.as_str() {
            "0" => {
                let data = data.ok_or_else(|| self.0.unreadable("it has no data".to_owned()))?;
                let rows = serde_json::from_str(data.get()).map_err(|error| self.0.unreadable(error.to_string()))?;
                Ok(Rows { rest: &self.0, rows })
            }
            "50011" => Err(self.0.limited(429, PENALTY)),
            // Those of 51000 and above mean what was asked, such as a pair that is not listed; the others the service itself.
            code => {
                let status = if code.starts_with("51") { 400 } else { 503 };
                Err(self.0.refused(status, &format!("{msg} (code {code})")))
            }
        }
    }
}

/// What an answer holds.
#[derive(Debug)]
pub(super) struct Rows<'a> {
    rest: &'a Rest,
    rows: Vec<Box<RawValue>>,
}

impl Rows<'_> {
    /// All of it: where one part cannot be read, the whole cannot.
    pub(super) fn all<T: DeserializeOwned>(self) -> Result<Vec<T>, RestError> {
        let read = self.rows.iter().map(|row| serde_json::from_str(row.get())).collect::<Result<_, _>>();
        read.map_err(|error| self.rest.unreadable(error.to_string()))
    }

    /// What can be read of it; an error where nothing can.
    pub(super) fn readable<T: DeserializeOwned>(self) -> Result<Vec<T>, RestError> {
        self.rest.readable(&self.rows)
    }

    /// As they are, for those who read them themselves.
    pub(super) fn raw(&self) -> impl Iterator<Item = &RawValue> {
        self.rows.iter().map(AsRef::as_ref)
    }

    /// That one of them cannot be read.
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
        assert_eq!(opened(r#"{"code":"0","msg":"","data":[1,"x",3]}"#).unwrap(), [1, 3]);
        assert!(opened(r#"{"code":"0","msg":"","data":[]}"#).unwrap().is_empty());
        for (body, said) in [
            (r#"{"code":"50011","msg":"Too Many Requests","data":[]}"#, "HTTP 429"),
            (r#"{"code":"51001","msg":"Instrument ID does not exist","data":[]}"#, "HTTP 400: Instrument ID"),
            (r#"{"code":"50001","msg":"Service temporarily unavailable","data":{}}"#, "HTTP 503"),
            (r#"{"code":"0","msg":""}"#, "no data"),
            (r#"{"code":"0","msg":"","data":["x"]}"#, "unreadable"),
        ] {
            let error = opened(body).unwrap_err().to_string();
            assert!(error.contains(said), "{body}: {error}");
        }
    }
}
