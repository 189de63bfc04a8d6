//! Mail, by the operator's server: text, the same as HTML, and a picture of the last hours where there is one.

use std::{error::Error as _, io, iter, path::Path, time::Duration};

use async_trait::async_trait;
use lettre::{
    Message as Mail,
    address::Envelope,
    message::{Attachment, Mailbox, MultiPart, SinglePart, header::ContentType},
    transport::smtp::{
        self,
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, Tls, TlsParameters},
        commands,
        extension::{ClientId, Extension, MailBodyParameter, MailParameter},
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
/// How long for saying goodbye.
const FAREWELL: Duration = Duration::from_secs(1);
/// By which the HTML names the picture.
const CHART: &str = "chart";
/// How a certificate begins. lettre takes a file in which none does, and trusts nobody for it.
const MARK: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// The operator's mail server.
#[derive(Clone)]
pub(crate) struct Mailer {
    server: (String, u16),
    tls: Tls,
    login: Option<Credentials>,
    from: Mailbox,
}

impl Mailer {
    /// `None` where no server is named.
    pub(crate) fn new(settings: &MailSettings) -> Result<Option<Self>, Error> {
        let (Some(host), Some(from)) = (settings.host(), settings.from()) else { return Ok(None) };
        let from =
            from.parse().map_err(|error| Error::Settings(format!("NOTIFIER_MAIL_FROM cannot be used: {error}")))?;
        let encryption = || {
            let mut parameters = TlsParameters::builder(host.to_owned());
            if let Some(path) = &settings.notifier_smtp_ca_file {
                parameters = parameters.add_root_certificate(authorities(path)?);
            }
            parameters.build().map_err(Error::MailTls)
        };
        let tls = match settings.notifier_smtp_tls {
            MailTls::None => Tls::None,
            MailTls::Starttls => Tls::Required(encryption()?),
            MailTls::Tls => Tls::Wrapper(encryption()?),
        };
        let login = settings.login().map(|(user, password)| Credentials::new(user.to_owned(), password.to_owned()));
        Ok(Some(Self { server: (host.to_owned(), settings.port()), tls, login, from }))
    }

    /// Hands a mail over. What the server has taken it has taken, whether it says goodbye or not.
    async fn send(&self, mail: &Mail) -> Result<(), Failure> {
        // A server that takes each answer's time would take longer than the channel is ours.
        let Ok(outcome) = tokio::time::timeout(TIMEOUT * 2, self.hand_over(mail)).await else {
            return Err(Failure::transient("the mail server did not answer in time"));
        };
        let mut connection = outcome?;
        let _ = tokio::time::timeout(FAREWELL, connection.abort()).await;
        Ok(())
    }

    async fn hand_over(&self, mail: &Mail) -> Result<AsyncSmtpConnection, Failure> {
        let mut connection = self.connect().await.map_err(|error| refused(&error))?;
        // A line of a dot alone is the end, so each that begins with one has another before it.
        let text = String::from_utf8_lossy(&mail.formatted()).replace("\r\n.", "\r\n..") + "\r\n.\r\n";
        // Addresses alone are written as they are; everything else is encoded.
        let is_international = !text.is_ascii();
        let can = |what| connection.server_info().supports_feature(what);
        if is_international && !(can(Extension::SmtpUtfEight) && can(Extension::EightBitMime)) {
            return Err(Failure::permanent(
                "the mail server takes no addresses with letters beyond English ones (SMTPUTF8); give another address",
            ));
        }
        let parameters = match is_international {
            true => vec![MailParameter::SmtpUtfEight, MailParameter::Body(MailBodyParameter::EightBitMime)],
            false => Vec::new(),
        };
        write(&mut connection, mail.envelope(), parameters, text).await.map_err(|error| refused(&error))?;
        Ok(connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, smtp::Error> {
        let (host, port) = (self.server.0.as_str(), self.server.1);
        let hello = ClientId::default();
        let (at_once, when_asked) = match self.tls.clone() {
            Tls::Wrapper(parameters) => (Some(parameters), None),
            Tls::Required(parameters) => (None, Some(parameters)),
            _ => (None, None),
        };
        let mut connection =
            AsyncSmtpConnection::connect_tokio1((host, port), Some(TIMEOUT), &hello, at_once, None).await?;
        if let Some(parameters) = when_asked {
            connection.starttls(parameters, &hello).await?;
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        Ok(connection)
    }
}

/// lettre's own way, up to 0.11.23, writes the end of a mail apart, which then waits until the server has acknowledged the rest: 40 ms.
async fn write(
    connection: &mut AsyncSmtpConnection,
    envelope: &Envelope,
    parameters: Vec<MailParameter>,
    text: String,
) -> Result<(), smtp::Error> {
    connection.command(commands::Mail::new(envelope.from().cloned(), parameters)).await?;
    for to in envelope.to() {
        connection.command(commands::Rcpt::new(to.clone(), Vec::new())).await?;
    }
    connection.command(commands::Data).await?;
    connection.command(text).await?;
    Ok(())
}

/// The operator's own authorities.
fn authorities(path: &Path) -> Result<Certificate, Error> {
    let unusable = |why: String| Error::Settings(format!("NOTIFIER_SMTP_CA_FILE is {}, {why}", path.display()));
    let pem = std::fs::read(path).map_err(|error| unusable(format!("which cannot be read: {error}")))?;
    let found = Certificate::from_pem(&pem).ok().filter(|_| pem.windows(MARK.len()).any(|part| part == MARK));
    found.ok_or_else(|| unusable("in which no certificate can be read; give one in PEM".to_owned()))
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
        mailer.send(&mail).await
    }
}

/// What the server says stays out of it, but for its number: it may be anything.
fn refused(error: &smtp::Error) -> Failure {
    if let Some(code) = error.status() {
        let reason = format!("the mail server answered {code}");
        return if error.is_permanent() { Failure::permanent(reason) } else { Failure::transient(reason) };
    }
    let causes = || iter::successors(error.source(), |cause| (*cause).source());
    let cause = causes().last().map_or_else(|| error.to_string(), ToString::to_string);
    let is_of_tls = |error: &io::Error| error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    if causes().filter_map(|cause| cause.downcast_ref()).any(is_of_tls) {
        Failure::transient(format!(
            "mail to the server cannot be encrypted as NOTIFIER_SMTP_TLS and NOTIFIER_SMTP_CA_FILE say: {cause}"
        ))
    } else if error.is_timeout() {
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

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn authorities_that_cannot_be_read_are_told_at_the_start() {
        let refusal = |path: &Path| {
            let settings = MailSettings {
                notifier_smtp_host: Some("mail.example.org".to_owned()),
                notifier_mail_from: Some("a@example.org".to_owned()),
                notifier_smtp_ca_file: Some(path.to_owned()),
                ..MailSettings::default()
            };
            Mailer::new(&settings).err().unwrap().to_string()
        };
        assert!(refusal(Path::new("/nowhere/ca.pem")).contains("/nowhere/ca.pem, which cannot be read"));
        for (text, told) in [
            ("no certificate", "give one in PEM"),
            ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "give one in PEM"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "whole"),
        ] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(text.as_bytes()).unwrap();
            let refusal = refusal(file.path());
            assert!(refusal.contains("NOTIFIER_SMTP_CA_FILE") && refusal.contains(told), "{refusal}");
        }
    }
}
