//! How notifications are sent.

use std::{fmt, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use ipnet::IpNet;
use reqwest::Url;

use crate::guard::Names;

/// What is sent how.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Notifying")]
#[group(id = "notifying")]
pub struct Settings {
    /// Channels that are served at the same time
    #[arg(long, env = "NOTIFIER_CHANNELS", value_name = "COUNT", default_value_t = 32,
          value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub notifier_channels: u16,
    /// How often a message is tried before it is given up
    #[arg(long, env = "NOTIFIER_ATTEMPTS", value_name = "COUNT", default_value_t = 8,
          value_parser = clap::value_parser!(u32).range(1..=100))]
    pub notifier_attempts: u32,
    /// Networks to which users may have messages sent by http and on any port, separated by commas: 192.168.1.0/24,127.0.0.1/32.
    /// Without it, only addresses of the internet, by https on the ports 443 and 8443
    #[arg(long, env = "NOTIFIER_ALLOW_NETWORKS", value_name = "NETWORKS", value_delimiter = ',')]
    pub notifier_allow_networks: Vec<IpNet>,
    /// Where Telegram's bots are asked to send
    #[arg(long, env = "NOTIFIER_TELEGRAM_URL", value_name = "URL", default_value = "https://api.telegram.org")]
    pub notifier_telegram_url: Url,
    /// Where PagerDuty takes events
    #[arg(long, env = "NOTIFIER_PAGERDUTY_URL", value_name = "URL", default_value = "https://events.pagerduty.com")]
    pub notifier_pagerduty_url: Url,
    /// By which server mail goes.
    #[command(flatten)]
    pub mail: MailSettings,
    /// How long is waited between looks and tries.
    #[arg(skip)]
    pub delays: Delays,
    /// Who is asked what names mean.
    #[arg(skip)]
    pub names: Names,
}

/// How long is waited.
#[derive(Debug, Clone, Copy)]
pub struct Delays {
    /// Between two looks for what is due.
    pub poll: Duration,
    /// Before a message is tried for the second time; each time three times as long, and jittered.
    pub first: Duration,
    /// Before a message is tried again, at most.
    pub longest: Duration,
}

impl Default for Delays {
    fn default() -> Self {
        Self { poll: Duration::from_millis(250), first: Duration::from_secs(2), longest: Duration::from_secs(600) }
    }
}

/// How mail is protected on its way to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum MailTls {
    /// The server is asked to encrypt, and left where it cannot.
    Starttls,
    /// Encrypted from the beginning.
    Tls,
    /// Not at all: for a server on the same machine.
    None,
}

/// By which server mail goes.
#[derive(Clone, Args)]
#[command(next_help_heading = "Mail")]
#[group(id = "mail")]
pub struct MailSettings {
    /// Server that takes mail; without it, none is sent
    #[arg(long, env = "NOTIFIER_SMTP_HOST", value_name = "HOST")]
    pub notifier_smtp_host: Option<String>,
    /// Its port; without it, 587, with --notifier-smtp-tls=tls 465, with none 25
    #[arg(long, env = "NOTIFIER_SMTP_PORT", value_name = "PORT")]
    pub notifier_smtp_port: Option<u16>,
    /// How mail is encrypted on its way there
    #[arg(long, env = "NOTIFIER_SMTP_TLS", value_name = "HOW", default_value = "starttls")]
    pub notifier_smtp_tls: MailTls,
    /// Certificates, in PEM, of authorities that are believed about that server besides those that the system knows
    #[arg(long, env = "NOTIFIER_SMTP_CA_FILE", value_name = "FILE")]
    pub notifier_smtp_ca_file: Option<PathBuf>,
    /// User to log in as; without it, nobody does
    #[arg(long, env = "NOTIFIER_SMTP_USER", value_name = "NAME")]
    pub notifier_smtp_user: Option<String>,
    /// That user's password
    #[arg(long, env = "NOTIFIER_SMTP_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub notifier_smtp_password: Option<String>,
    /// Whom mail comes from: crypto-tracker@example.org, or Prices <crypto-tracker@example.org>
    #[arg(long, env = "NOTIFIER_MAIL_FROM", value_name = "ADDRESS")]
    pub notifier_mail_from: Option<String>,
}

impl MailSettings {
    /// The server. An empty setting names none.
    pub(crate) fn host(&self) -> Option<&str> {
        self.notifier_smtp_host.as_deref().filter(|host| !host.is_empty())
    }

    /// The server's port.
    pub(crate) fn port(&self) -> u16 {
        self.notifier_smtp_port.unwrap_or(match self.notifier_smtp_tls {
            MailTls::Starttls => 587,
            MailTls::Tls => 465,
            MailTls::None => 25,
        })
    }

    /// User and password.
    pub(crate) fn login(&self) -> Option<(&str, &str)> {
        let user = self.notifier_smtp_user.as_deref().filter(|user| !user.is_empty())?;
        Some((user, self.notifier_smtp_password.as_deref().unwrap_or_default()))
    }

    /// Whom mail comes from.
    pub(crate) fn from(&self) -> Option<&str> {
        self.notifier_mail_from.as_deref().filter(|from| !from.is_empty())
    }

    fn mistake(&self) -> Option<String> {
        let host = self.host()?;
        let Some(from) = self.from() else {
            return Some(format!(
                "NOTIFIER_SMTP_HOST is {host} and NOTIFIER_MAIL_FROM is not set: say whom mail comes from, such as \
                 crypto-tracker@example.org"
            ));
        };
        if let Err(error) = from.parse::<lettre::message::Mailbox>() {
            return Some(format!(
                "NOTIFIER_MAIL_FROM is {from:?}, which is no mail address ({error}); write one such as \
                 crypto-tracker@example.org"
            ));
        }
        let is_near = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        if self.notifier_smtp_tls == MailTls::None && self.login().is_some() && !is_near {
            return Some(format!(
                "NOTIFIER_SMTP_TLS is none, and a password would go to {host} for everybody to read; set it to starttls or tls"
            ));
        }
        None
    }
}

impl Default for MailSettings {
    fn default() -> Self {
        Self {
            notifier_smtp_host: None,
            notifier_smtp_port: None,
            notifier_smtp_tls: MailTls::Starttls,
            notifier_smtp_ca_file: None,
            notifier_smtp_user: None,
            notifier_smtp_password: None,
            notifier_mail_from: None,
        }
    }
}

impl fmt::Debug for MailSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host().unwrap_or("no server");
        write!(f, "MailSettings({host}:{}, {:?}, from {:?})", self.port(), self.notifier_smtp_tls, self.from())
    }
}

impl Settings {
    /// What cannot be meant, in words for whoever set it.
    pub fn mistake(&self) -> Option<String> {
        let bases = [
            ("NOTIFIER_TELEGRAM_URL", &self.notifier_telegram_url),
            ("NOTIFIER_PAGERDUTY_URL", &self.notifier_pagerduty_url),
        ];
        let unusable = bases.into_iter().find(|(_, url)| !matches!(url.scheme(), "http" | "https"));
        unusable
            .map(|(name, url)| {
                format!("{name} begins with {:?}; write an address that begins with https://", url.scheme())
            })
            .or_else(|| self.mail.mistake())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Flags {
        #[command(flatten)]
        settings: Settings,
    }

    fn read(flags: &[&str]) -> Settings {
        Flags::parse_from([&["notifier"], flags].concat()).settings
    }

    #[test]
    fn networks_are_read_from_a_list() {
        let settings = read(&["--notifier-allow-networks", "192.168.1.0/24,127.0.0.1/32,fd00::/8"]);
        assert_eq!(settings.notifier_allow_networks.len(), 3);
        assert!(Flags::try_parse_from(["notifier", "--notifier-allow-networks", "localhost"]).is_err());
    }

    #[test]
    fn what_cannot_be_meant_is_told_with_its_remedy() {
        assert_eq!(read(&[]).mistake(), None);
        let host = ["--notifier-smtp-host", "mail.example.org"];
        let from = ["--notifier-mail-from", "Prices <a@example.org>"];
        let login = ["--notifier-smtp-user", "a", "--notifier-smtp-password", "geheim"];
        assert_eq!(read(&[&host[..], &from, &login].concat()).mistake(), None);
        for (flags, remedy) in [
            (host.to_vec(), "NOTIFIER_MAIL_FROM"),
            ([&host[..], &["--notifier-mail-from", "nobody"]].concat(), "crypto-tracker@example.org"),
            ([&host[..], &from, &login, &["--notifier-smtp-tls", "none"]].concat(), "starttls"),
            (vec!["--notifier-telegram-url", "ftp://example.org"], "https://"),
        ] {
            let mistake = read(&flags).mistake().unwrap();
            assert!(mistake.contains(remedy) && !mistake.contains("geheim"), "{mistake}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        let settings = read(&["--notifier-smtp-host", "mail.example.org", "--notifier-smtp-password", "geheim"]);
        let shown = format!("{settings:?}");
        assert!(shown.contains("mail.example.org:587") && !shown.contains("geheim"), "{shown}");
    }
}
