//! Events of PagerDuty's (Events API v2).

use async_trait::async_trait;
use domain::notification::{Severity, template::shortened};
use reqwest::Url;
use serde_json::json;

use super::{Channel, IDEMPOTENCY_KEY};
use crate::{
    failure::Failure,
    http::{self, Http},
    message::Message,
};

/// Longest summary that PagerDuty takes.
const LONGEST: usize = 1_024;

pub(super) struct Pagerduty {
    pub(super) http: Http,
    pub(super) base: Url,
    pub(super) routing_key: String,
    pub(super) severity: Severity,
}

#[async_trait]
impl Channel for Pagerduty {
    async fn send(&self, message: &Message) -> Result<(), Failure> {
        // Of several the text is enough: PagerDuty takes 512 KB.
        let notifications = (message.count == 1).then_some(&message.notifications);
        let body = json!({
            "routing_key": self.routing_key,
            "event_action": "trigger",
            "dedup_key": message.id,
            "client": "crypto-tracker",
            "payload": {
                "summary": shortened(&message.subject, LONGEST),
                "source": "crypto-tracker",
                "severity": self.severity,
                "timestamp": message.happened_at,
                "custom_details": { "text": message.text, "notifications": notifications },
            },
        });
        let request = self.http.to_operator(&self.base, "v2/enqueue");
        http::send(request.header(IDEMPOTENCY_KEY, message.id.to_string()).json(&body)).await
    }
}
