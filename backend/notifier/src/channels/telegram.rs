//! Messages of a bot of Telegram's (<https://core.telegram.org/bots/api#sendmessage>).

use async_trait::async_trait;
use domain::notification::template::shortened;
use reqwest::Url;
use serde_json::json;

use super::{Channel, IDEMPOTENCY_KEY};
use crate::{
    failure::Failure,
    http::{self, Http},
    message::Message,
};

/// Longest text that Telegram takes, counted as it counts.
const LONGEST: usize = 4_096;

pub(super) struct Telegram {
    pub(super) http: Http,
    pub(super) base: Url,
    pub(super) token: String,
    pub(super) chat_id: String,
}

#[async_trait]
impl Channel for Telegram {
    async fn send(&self, message: &Message) -> Result<(), Failure> {
        // No parse mode: what somebody wrote is shown as it is.
        let body = json!({
            "chat_id": self.chat_id, "text": shortened_utf16(&super::whole(message)),
            "link_preview_options": { "is_disabled": true },
        });
        let request = self.http.to_operator(&self.base, &format!("bot{}/sendMessage", self.token));
        http::send(request.header(IDEMPOTENCY_KEY, message.id.to_string()).json(&body)).await
    }
}

/// Telegram counts a character beyond the first 65,536 twice.
fn shortened_utf16(text: &str) -> String {
    let mut units = 0;
    let count = text.chars().take_while(|c| {
        units += c.len_utf16();
        units <= LONGEST
    });
    shortened(text, count.count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_as_telegram_counts() {
        assert_eq!(shortened_utf16("kurz"), "kurz");
        for text in ["x".repeat(5_000), "🚀".repeat(3_000)] {
            let cut = shortened_utf16(&text);
            assert!(cut.encode_utf16().count() <= LONGEST && cut.ends_with('…'));
        }
    }
}
