//! Tokens and keys: random numbers, told once and stored as digests. Nothing can be read from one, so there is nothing to forge.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use database::sessions::Digest;
use sha2::{Digest as _, Sha256};

use crate::error::{Code, Failure};

/// What a token is for; it begins so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Borne by requests, for minutes.
    Access,
    /// Exchanged for access tokens, for days.
    Refresh,
    /// Borne by scripts.
    Key,
}

/// A token that was just made. It is not shown in logs.
pub(crate) struct Token(String);

impl Kind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Access => "cta_",
            Self::Refresh => "ctr_",
            Self::Key => "ctk_",
        }
    }

    /// Whether a text is of this kind.
    pub(crate) fn is(self, text: &str) -> bool {
        text.starts_with(self.prefix())
    }
}

impl Token {
    /// A new one, of 256 random bits.
    pub(crate) fn new(kind: Kind) -> Result<Self, Failure> {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| {
            tracing::error!(%error, "the system has no random numbers");
            Failure::new(Code::Internal, "no token can be made; the server's log says why")
        })?;
        Ok(Self(format!("{}{}", kind.prefix(), BASE64_URL_SAFE_NO_PAD.encode(random))))
    }

    /// The token itself, for the answer.
    pub(crate) fn tell(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub(crate) fn digest(&self) -> Digest {
        digest(&self.0)
    }

    /// Its last four characters.
    pub(crate) fn hint(&self) -> &str {
        self.0.get(self.0.len().saturating_sub(4)..).unwrap_or_default()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What is stored of a token.
pub(crate) fn digest(token: &str) -> Digest {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_long_and_never_the_same_and_no_log_shows_one() {
        let (one, other) = (Token::new(Kind::Access).unwrap(), Token::new(Kind::Access).unwrap());
        assert!(Kind::Access.is(one.tell()) && !Kind::Refresh.is(one.tell()) && one.tell().len() == 47);
        assert!(one.tell() != other.tell() && one.digest() != other.digest());
        assert!(one.tell().ends_with(one.hint()) && !format!("{one:?}").contains(one.hint()));
    }
}
