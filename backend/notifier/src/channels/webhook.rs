//! JSON to an address of the user's own, signed so that the receiver knows whom it is from and that it is new.

use async_trait::async_trait;
use chrono::Utc;
use hmac::{Hmac, Mac as _};
use reqwest::header::CONTENT_TYPE;
use serde_json::json;
use sha2::Sha256;

use super::{Channel, IDEMPOTENCY_KEY};
use crate::{
    failure::Failure,
    http::{self, Http},
    message::Message,
};

pub(super) struct Webhook {
    pub(super) http: Http,
    pub(super) url: String,
    pub(super) secret: String,
}

#[async_trait]
impl Channel for Webhook {
    async fn send(&self, message: &Message) -> Result<(), Failure> {
        let body = json!({
            "id": message.id, "kind": message.sort, "subject": message.subject, "text": message.text, "count": message.count,
            "happened_at": message.happened_at, "notifications": message.notifications,
        })
        .to_string();
        let timestamp = Utc::now().timestamp().to_string();
        let signature = signature(&self.secret, &timestamp, &body);
        let id = message.id.to_string();
        let request = self
            .http
            .to_user(&self.url)?
            .header(CONTENT_TYPE, "application/json")
            .header(IDEMPOTENCY_KEY, &id)
            .header("x-crypto-tracker-delivery", &id)
            .header("x-crypto-tracker-timestamp", &timestamp)
            .header("x-crypto-tracker-signature", format!("sha256={signature}"))
            .body(body);
        http::send(request).await
    }
}

/// HMAC-SHA256 of `timestamp.body`, in hexadecimal digits.
fn signature(secret: &str, timestamp: &str, body: &str) -> String {
    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    for part in [timestamp, ".", body] {
        mac.update(part.as_bytes());
    }
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
    #[test]
    fn a_signature_is_what_others_compute() {
        let ours = signature("0123456789abcdef", "1700000000", r#"{"a":1}"#);
        assert_eq!(ours, "9eb18f493f8ec135d9eb2dad817c369bb4e9cbfa818657897a7437c1cd8c3a23");
    }
}
