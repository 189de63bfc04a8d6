//! How a message is sent, by each kind of channel.

mod console;
mod discord;
mod email;
mod pagerduty;
mod slack;
mod telegram;
mod webhook;

use async_trait::async_trait;
use domain::notification::ChannelSettings;
use reqwest::Url;

use crate::{Settings, failure::Failure, http::Http, message::Message};
pub(crate) use email::Mailer;

/// Where a message can be sent.
#[async_trait]
pub(crate) trait Channel: Send + Sync {
    /// Sends it. Where that is not known to have worked, it is sent again with the same id.
    async fn send(&self, message: &Message) -> Result<(), Failure>;
}

/// What channels send by.
pub(crate) struct Means {
    http: Http,
    mailer: Option<Mailer>,
    telegram: Url,
    pagerduty: Url,
}

impl Means {
    pub(crate) fn new(settings: &Settings) -> Result<Self, crate::Error> {
        Ok(Self {
            http: Http::new(settings).map_err(crate::Error::Http)?,
            mailer: Mailer::new(&settings.mail)?,
            telegram: settings.notifier_telegram_url.clone(),
            pagerduty: settings.notifier_pagerduty_url.clone(),
        })
    }

    /// The channel of these settings; `None` where the API delivers it, and nothing is sent. `mail` is the owner's own address.
    pub(crate) fn channel(&self, settings: ChannelSettings, mail: Option<&str>) -> Option<Box<dyn Channel>> {
        let http = self.http.clone();
        Some(match settings {
            ChannelSettings::Desktop {} => return None,
            ChannelSettings::Email { address } => {
                let to = address.or_else(|| mail.map(str::to_owned));
                Box::new(email::Email { mailer: self.mailer.clone(), to })
            }
            ChannelSettings::Webhook { url, secret } => Box::new(webhook::Webhook { http, url, secret }),
            ChannelSettings::Slack { url } => Box::new(slack::Slack { http, url }),
            ChannelSettings::Discord { url } => Box::new(discord::Discord { http, url }),
            ChannelSettings::Telegram { token, chat_id } => {
                Box::new(telegram::Telegram { http, base: self.telegram.clone(), token, chat_id })
            }
            ChannelSettings::Pagerduty { routing_key, severity } => {
                Box::new(pagerduty::Pagerduty { http, base: self.pagerduty.clone(), routing_key, severity })
            }
            ChannelSettings::Console {} => Box::new(console::Console),
        })
    }
}

/// Subject and text as one, without saying the same twice.
fn whole(message: &Message) -> String {
    if message.text.starts_with(&message.subject) {
        message.text.clone()
    } else {
        format!("{}\n{}", message.subject, message.text)
    }
}

/// By which a receiver knows what it got before.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
