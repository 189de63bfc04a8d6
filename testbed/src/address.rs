//! Where a server listens and who may log in. The environment variables carry exactly these, as URLs.

use std::fmt;

use anyhow::{Context, Result};

/// URL of the shared PostgreSQL server.
pub const POSTGRES_VARIABLE: &str = "TESTBED_POSTGRES_URL";
/// URL of the shared RabbitMQ server.
pub const RABBITMQ_VARIABLE: &str = "TESTBED_RABBITMQ_URL";
/// URL of the HTTP management API of the shared RabbitMQ server.
pub const RABBITMQ_MANAGEMENT_VARIABLE: &str = "TESTBED_RABBITMQ_MANAGEMENT_URL";

/// Address and login of one server, `scheme://user:password@host:port`.
///
/// Passwords here are made by [`crate::servers`] for one run on loopback: printing them gives nothing away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAddress {
    /// `postgres`, `amqp` or `http`.
    pub scheme: String,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Login; a superuser of PostgreSQL, an administrator of RabbitMQ.
    pub user: String,
    /// Its password.
    pub password: String,
}

impl ServerAddress {
    /// URL of `path` (a database, a virtual host) on this server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{self}/{path}")
    }

    /// Reads what [`fmt::Display`] writes; a path behind it is ignored.
    ///
    /// # Errors
    /// When a part is missing.
    pub fn parse(url: &str) -> Result<Self> {
        let parts = || {
            let (scheme, rest) = url.split_once("://")?;
            let (login, rest) = rest.split_once('@')?;
            let (user, password) = login.split_once(':')?;
            let (host, port) = rest.split('/').next()?.rsplit_once(':')?;
            let owned = |text: &str| text.to_owned();
            let port = port.parse().ok()?;
            Some(Self { scheme: owned(scheme), host: owned(host), port, user: owned(user), password: owned(password) })
        };
        parts().with_context(|| format!("expected scheme://user:password@host:port, got {url:?}"))
    }

    /// On loopback, with the login that every server of [`crate::servers`] is given.
    pub(crate) fn on_loopback(scheme: &str, port: u16, password: &str) -> Self {
        let (host, user) = ("127.0.0.1".to_owned(), "testbed".to_owned());
        Self { scheme: scheme.to_owned(), host, port, user, password: password.to_owned() }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scheme, host, port, user, password } = self;
        write!(formatter, "{scheme}://{user}:{password}@{host}:{port}")
    }
}

/// The two doors of a RabbitMQ server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RabbitMqAddress {
    /// Where clients connect; a virtual host's URL is `amqp.url("name")`.
    pub amqp: ServerAddress,
    /// The HTTP management API.
    pub management: ServerAddress,
}

#[cfg(test)]
mod tests {
    use super::ServerAddress;

    #[test]
    fn what_is_printed_is_read_back() {
        let address = ServerAddress::on_loopback("postgres", 5432, "secret");
        assert_eq!(ServerAddress::parse(&address.to_string()).unwrap(), address);
        assert_eq!(ServerAddress::parse(&address.url("postgres")).unwrap(), address);
        assert_eq!(address.url("x"), "postgres://testbed:secret@127.0.0.1:5432/x");
    }

    #[test]
    fn a_missing_part_is_an_error_that_shows_the_text() {
        let error = ServerAddress::parse("postgres://127.0.0.1:5432").unwrap_err();
        assert!(error.to_string().contains("postgres://127.0.0.1:5432"), "{error}");
    }
}
