//! Incoming webhooks of Slack, and of what understands the same (Mattermost, Rocket.Chat).

use async_trait::async_trait;
use domain::notification::template::shortened;
use serde_json::json;

use super::{Channel, IDEMPOTENCY_KEY};
use crate::{
    failure::Failure,
    http::{self, Http},
    message::Message,
};

/// Longest text: Slack cuts after 40,000 characters, others earlier.
const LONGEST: usize = 12_000;

pub(super) struct Slack {
    pub(super) http: Http,
    pub(super) url: String,
}

#[async_trait]
impl Channel for Slack {
    async fn send(&self, message: &Message) -> Result<(), Failure> {
        // These three are all that must be written otherwise, and with them nobody is called by name.
        let text = super::whole(message).replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let body = json!({ "text": shortened(&text, LONGEST), "unfurl_links": false });
        let request = self.http.to_user(&self.url)?.header(IDEMPOTENCY_KEY, message.id.to_string()).json(&body);
        http::send(request).await
    }
}
