//! Requests to receivers: no redirects, no proxies, five seconds, and of the answer no more than is needed.

use std::time::Duration;

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header, redirect};

use crate::{
    Settings,
    failure::Failure,
    guard::{Door, Guard},
};

/// How long a receiver has to answer.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How much of an answer is read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The doors to the outside.
#[derive(Clone)]
pub(crate) struct Http {
    guard: Guard,
    internet: Client,
    permitted: Client,
    /// To where the operator says: it is not guarded.
    operator: Client,
}

impl Http {
    pub(crate) fn new(settings: &Settings) -> Result<Self, reqwest::Error> {
        let guard = Guard::new(&settings.notifier_allow_networks, settings.names.clone());
        let client = || {
            Client::builder()
                .redirect(redirect::Policy::none())
                .referer(false)
                .no_proxy()
                .gzip(false)
                .timeout(TIMEOUT)
                .connect_timeout(TIMEOUT)
                .pool_max_idle_per_host(1)
                .pool_idle_timeout(Duration::from_secs(30))
                .user_agent(concat!("crypto-tracker/", env!("CARGO_PKG_VERSION")))
        };
        Ok(Self {
            internet: client().dns_resolver(guard.resolver(Door::Internet)).build()?,
            permitted: client().dns_resolver(guard.resolver(Door::Permitted)).build()?,
            operator: client().build()?,
            guard,
        })
    }

    /// A message to an address that a user gave.
    pub(crate) fn to_user(&self, url: &str) -> Result<RequestBuilder, Failure> {
        let url =
            Url::parse(url).map_err(|_| Failure::permanent("the channel's address cannot be read; set it anew"))?;
        let door = self.guard.door(&url).map_err(|forbidden| Failure::permanent(forbidden.to_string()))?;
        let client = if door == Door::Internet { &self.internet } else { &self.permitted };
        Ok(client.post(url))
    }

    /// A message to an address of the operator's, with a path behind it.
    pub(crate) fn to_operator(&self, base: &Url, path: &str) -> RequestBuilder {
        self.operator.post(format!("{}/{path}", base.as_str().trim_end_matches('/')))
    }
}

/// Sends it.
pub(crate) async fn send(request: RequestBuilder) -> Result<(), Failure> {
    let response = request.send().await.map_err(Failure::of_request)?;
    let status = response.status();
    if status.is_success() {
        // Read, so that the connection serves again.
        read(response).await;
        return Ok(());
    }
    let rest = retry_after(&response);
    let body = read(response).await;
    let rest = rest.or_else(|| (status == StatusCode::TOO_MANY_REQUESTS).then(|| rest_in(&body)).flatten());
    Err(Failure::of_status(status, rest))
}

fn retry_after(response: &Response) -> Option<Duration> {
    let text = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    (moment.to_utc() - chrono::Utc::now()).to_std().ok()
}

/// Where Telegram (`parameters.retry_after`) and Discord (`retry_after`) write it, in seconds.
fn rest_in(body: &[u8]) -> Option<Duration> {
    let answer: serde_json::Value = serde_json::from_slice(body).ok()?;
    let told = answer.get("retry_after").or_else(|| answer.pointer("/parameters/retry_after"))?;
    Duration::try_from_secs_f64(told.as_f64()?).ok()
}

/// What is needed of an answer; a longer one, or one that breaks off, is cut.
async fn read(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = LONGEST_ANSWER - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() >= LONGEST_ANSWER {
            break;
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_write_when_to_come_again_into_their_answers() {
        let telegram = br#"{"ok":false,"error_code":429,"parameters":{"retry_after":7}}"#;
        assert_eq!(rest_in(telegram), Some(Duration::from_secs(7)));
        let discord = br#"{"message":"You are being rate limited.","retry_after":0.25,"global":false}"#;
        assert_eq!(rest_in(discord), Some(Duration::from_millis(250)));
        for other in [&b"slow down"[..], b"{}", br#"{"retry_after":-1}"#, br#"{"retry_after":"soon"}"#] {
            assert_eq!(rest_in(other), None);
        }
    }
}
