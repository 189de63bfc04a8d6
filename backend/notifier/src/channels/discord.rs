//! Webhooks of Discord.

use async_trait::async_trait;
use domain::notification::template::shortened;
use serde_json::json;

use super::{Channel, IDEMPOTENCY_KEY};
use crate::{
    failure::Failure,
    http::{self, Http},
    message::Message,
};

/// Longest text that Discord takes.
const LONGEST: usize = 2_000;

pub(super) struct Discord {
    pub(super) http: Http,
    pub(super) url: String,
}

#[async_trait]
impl Channel for Discord {
    async fn send(&self, message: &Message) -> Result<(), Failure> {
        let body = json!({
            "content": shortened(&super::whole(message), LONGEST),
            // Whatever somebody wrote into a note calls nobody.
            "allowed_mentions": { "parse": [] },
        });
        let request = self.http.to_user(&self.url)?.header(IDEMPOTENCY_KEY, message.id.to_string()).json(&body);
        http::send(request).await
    }
}
