//! Mail, by the operator's server: text, the same as HTML, and a picture of the last hours where there is one.

use std::time::Duration;

use async_trait::async_trait;
use lettre::{
    AsyncSmtpTransport, AsyncTransport as _, Message as Mail, Tokio1Executor,
    message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType},
    transport::smtp::{
        authentication::Credentials,
        client::{Tls, TlsParameters},
    },
};

use super::Channel;
use crate::{
    Error,
    failure::Failure,
    message::Message,
    settings::{MailSettings, MailTls},
};

/// How long the server may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// By which the HTML names the picture.
const CHART: &str = "chart";

/// The operator's mail server.
#[derive(Clone)]
pub(crate) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// `None` where no server is named.
    pub(crate) fn new(settings: &MailSettings) -> Result<Option<Self>, Error> {
        let (Some(host), Some(from)) = (settings.host(), settings.from()) else { return Ok(None) };
        let from =
            from.parse().map_err(|error| Error::Settings(format!("NOTIFIER_MAIL_FROM cannot be used: {error}")))?;
        let encryption = || TlsParameters::new(host.to_owned()).map_err(Error::MailTls);
        let tls = match settings.notifier_smtp_tls {
            MailTls::None => Tls::None,
            MailTls::Starttls => Tls::Required(encryption()?),
            MailTls::Tls => Tls::Wrapper(encryption()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(settings.port())
            .tls(tls)
            .timeout(Some(TIMEOUT));
        if let Some((user, password)) = settings.login() {
            builder = builder.credentials(Credentials::new(user.to_owned(), password.to_owned()));
        }
        Ok(Some(Self { transport: builder.build(), from }))
    }
}

pub(super) struct Email {
    pub(super) mailer: Option<Mailer>,
    pub(super) to: Option<String>,
}

#[async_trait]
impl Channel for Email {
    async fn send(&self, message: &Message) -> Result<(), Failure> {
        let Some(mailer) = &self.mailer else {
            return Err(Failure::permanent(
                "no mail is sent from here: the operator has named no server (NOTIFIER_SMTP_HOST)",
            ));
        };
        let Some(to) = &self.to else {
            return Err(Failure::permanent(
                "neither the channel nor the account has a mail address; give one of them one",
            ));
        };
        let to: Mailbox =
            to.parse().map_err(|_| Failure::permanent("the mail address cannot be used; give another"))?;
        let mail = written(message, mailer.from.clone(), to)
            .map_err(|error| Failure::permanent(format!("the mail cannot be written: {error}")))?;
        // A server that takes each answer's time would take longer than the channel is ours.
        match tokio::time::timeout(TIMEOUT * 2, mailer.transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(refused(&error)),
            Err(_) => Err(Failure::transient("the mail server did not answer in time")),
        }
    }
}

/// What the server says stays out of it, but for its number: it may be anything.
fn refused(error: &lettre::transport::smtp::Error) -> Failure {
    if let Some(code) = error.status() {
        let reason = format!("the mail server answered {code}");
        return if error.is_permanent() { Failure::permanent(reason) } else { Failure::transient(reason) };
    }
    let cause = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    if error.is_timeout() {
        Failure::transient("the mail server did not answer in time")
    } else if error.is_client() {
        // It cannot encrypt, or log in in no way that we know.
        Failure::permanent(format!(
            "the mail server cannot be used as NOTIFIER_SMTP_TLS and NOTIFIER_SMTP_USER say: {cause}"
        ))
    } else {
        Failure::transient(format!("the mail server cannot be reached: {cause}"))
    }
}

fn written(message: &Message, from: Mailbox, to: Mailbox) -> Result<Mail, lettre::error::Error> {
    let id = format!("<{}@{}>", message.id, from.email.domain());
    let html = SinglePart::html(html(message));
    let shown = match &message.chart {
        None => MultiPart::alternative().singlepart(SinglePart::plain(message.text.clone())).singlepart(html),
        Some(chart) => {
            let png = ContentType::parse("image/png").unwrap_or(ContentType::TEXT_PLAIN);
            let picture = Attachment::new_inline(CHART.to_owned()).body(chart.clone(), png);
            MultiPart::alternative()
                .singlepart(SinglePart::plain(message.text.clone()))
                .multipart(MultiPart::related().singlepart(html).singlepart(picture))
        }
    };
    Mail::builder().from(from).to(to).subject(message.subject.clone()).message_id(Some(id)).date_now().multipart(shown)
}

fn html(message: &Message) -> String {
    let escaped =
        |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let picture = match &message.chart {
        Some(_) => format!(
            "<p><img src=\"cid:{CHART}\" width=\"600\" height=\"200\" alt=\"The last hours\" style=\"max-width:100%;height:auto\"></p>"
        ),
        None => String::new(),
    };
    format!(
        "<!doctype html><html><head><meta charset=\"utf-8\"></head>\
         <body style=\"font-family:system-ui,sans-serif;font-size:15px;line-height:1.5;color:#1f2430\">\
         <p style=\"white-space:pre-line\">{}</p>{picture}\
         <p style=\"font-size:12px;color:#6b7280\">crypto-tracker</p></body></html>",
        escaped(&message.text)
    )
}
