//! A message did not arrive: whether trying again can help, and why in words that hold no secret.

use std::time::Duration;

use reqwest::StatusCode;

use crate::guard::Forbidden;

/// Longest time that a receiver is obeyed who asks to be left alone.
pub(crate) const LONGEST_REST: Duration = Duration::from_secs(600);

/// Why a message did not arrive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// It may pass.
    #[error("{reason}")]
    Transient {
        /// What went wrong.
        reason: String,
        /// For how long the receiver wants to be left alone.
        rest: Option<Duration>,
    },
    /// The same would be refused again.
    #[error("{reason}")]
    Permanent {
        /// What went wrong.
        reason: String,
    },
}

impl Failure {
    pub(crate) fn transient(reason: impl Into<String>) -> Self {
        Self::Transient { reason: reason.into(), rest: None }
    }

    pub(crate) fn permanent(reason: impl Into<String>) -> Self {
        Self::Permanent { reason: reason.into() }
    }

    /// What an answer means that is no success. What it says is not told: it may be anything.
    pub(crate) fn of_status(status: StatusCode, rest: Option<Duration>) -> Self {
        let reason = format!("the receiver answered {}", status.as_u16());
        let may_pass =
            matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS);
        if status.is_redirection() {
            return Self::permanent(format!(
                "{reason}, which leads elsewhere and is not followed; give the final address"
            ));
        }
        if status.is_client_error() && !may_pass {
            return Self::permanent(reason);
        }
        Self::Transient { reason, rest: rest.map(|rest| rest.min(LONGEST_REST)) }
    }

    /// Why there is no answer. The address stays out of it: who knows the address of a webhook can use it.
    pub(crate) fn of_request(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        let mut deepest = String::new();
        while let Some(inner) = cause {
            if let Some(forbidden) = inner.downcast_ref::<Forbidden>() {
                return Self::permanent(forbidden.to_string());
            }
            deepest = inner.to_string();
            cause = inner.source();
        }
        let reason = if error.is_timeout() {
            "the receiver did not answer in time".to_owned()
        } else if error.is_connect() {
            format!("the receiver cannot be reached: {deepest}")
        } else {
            format!("the receiver was lost before it answered: {deepest}")
        };
        if error.is_builder() {
            Self::permanent(format!("the request cannot be made: {deepest}"))
        } else {
            Self::transient(reason)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_final_or_may_pass() {
        let is_final = |status: u16| {
            matches!(Failure::of_status(StatusCode::from_u16(status).unwrap(), None), Failure::Permanent { .. })
        };
        for status in [301, 302, 307, 308, 400, 401, 403, 404, 405, 410, 413, 422] {
            assert!(is_final(status), "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert!(!is_final(status), "{status}");
        }
    }

    #[test]
    fn who_asks_to_be_left_alone_is_but_not_for_ever() {
        for (asked, granted) in [(30, 30), (1_000_000, 600)] {
            let failure = Failure::of_status(StatusCode::TOO_MANY_REQUESTS, Some(Duration::from_secs(asked)));
            let Failure::Transient { rest, .. } = failure else { panic!("{failure}") };
            assert_eq!(rest, Some(Duration::from_secs(granted)));
        }
    }
}
