//! How a request fails: one type, one shape of body (problem details, RFC 9457).
//!
//! What always holds: what a client sent never makes a 500, the body of a 500 says nothing about our insides, and
//! whatever may pass soon is a 429 or 503 that says when to come again.

use std::fmt;

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use api_types::Problem;
use domain::portfolio::TooLarge;

pub(crate) use crate::problems::Code;

/// The content type of a failure.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Longer values are not repeated in full: the answer must not grow with what was sent.
const SHOWN: usize = 100;

/// Why a request is not answered. Boxed, because most requests are.
#[derive(Debug)]
pub(crate) struct Failure(Box<Parts>);

#[derive(Debug)]
struct Parts {
    code: Code,
    detail: String,
    parameter: Option<String>,
    value: Option<String>,
    allowed: Option<String>,
    retry_after: Option<u64>,
}

impl Failure {
    /// A failure, with a sentence for people.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after = match code {
            Code::TooManyClients | Code::TooManyExports | Code::TooManyImports => Some(5),
            code if code.status() == StatusCode::SERVICE_UNAVAILABLE => Some(1),
            _ => None,
        };
        let detail = detail.into();
        Self(Box::new(Parts { code, detail, parameter: None, value: None, allowed: None, retry_after }))
    }

    /// A parameter that cannot be used, and what could be.
    pub(crate) fn parameter(name: &str, value: &str, detail: impl Into<String>, allowed: impl Into<String>) -> Self {
        Self::new(Code::InvalidParameter, detail).at(name, value).allowed(allowed)
    }

    /// Names the parameter at fault and the value it had.
    pub(crate) fn at(mut self, parameter: &str, value: &str) -> Self {
        self.0.parameter = Some(shortened(parameter));
        self.0.value = Some(shortened(value));
        self
    }

    /// Says what is allowed instead.
    pub(crate) fn allowed(mut self, allowed: impl Into<String>) -> Self {
        self.0.allowed = Some(allowed.into());
        self
    }

    /// Says in how many seconds it can help to come again.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// Whether trying again can help.
    pub(crate) fn may_pass(&self) -> bool {
        self.0.code.status() == StatusCode::SERVICE_UNAVAILABLE
    }

    /// The failure that stands behind a bare status, such as the framework's own answers.
    pub(crate) fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::new(Code::UnknownRoute, "there is nothing here; / lists what there is"),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(Code::MethodNotAllowed, "this method is not understood here"),
            status if status.is_client_error() => Self::new(Code::BadRequest, "the request cannot be understood"),
            _ => Self::new(Code::Internal, "something went wrong here; the server's log says what"),
        }
    }

    /// What is said of it.
    pub(crate) fn problem(&self) -> Problem {
        let Parts { code, detail, parameter, value, allowed, .. } = &*self.0;
        Problem {
            kind: format!("/problems/{}", code.word()),
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            detail: detail.clone(),
            code: code.word().to_owned(),
            parameter: parameter.clone(),
            value: value.clone(),
            allowed: allowed.clone(),
        }
    }

    /// The answer with this body, which must be the problem, perhaps with more in it.
    pub(crate) fn response(&self, body: &impl serde::Serialize) -> HttpResponse {
        let mut response = HttpResponse::build(self.0.code.status());
        response.insert_header((header::CACHE_CONTROL, "no-store"));
        if let Some(seconds) = self.0.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds));
        }
        match self.0.code {
            Code::MethodNotAllowed => {
                let allowed = self.0.allowed.as_deref().unwrap_or("GET, HEAD");
                response.insert_header((header::ALLOW, allowed));
            }
            Code::NotLoggedIn | Code::InvalidToken => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            Code::WebSocketExpected => {
                response.insert_header((header::UPGRADE, "websocket"));
            }
            _ => {}
        }
        // An error cannot happen: what is written are texts and numbers.
        response.content_type(PROBLEM_JSON).body(serde_json::to_vec(body).unwrap_or_default())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code.word(), self.0.detail)
    }
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        self.0.code.status()
    }

    fn error_response(&self) -> HttpResponse {
        self.response(&self.problem())
    }
}

/// What the database says, sorted by whose fault it is.
impl From<TooLarge> for Failure {
    fn from(error: TooLarge) -> Self {
        Self::new(Code::AmountsTooLarge, error.to_string())
    }
}

impl From<database::Error> for Failure {
    fn from(error: database::Error) -> Self {
        let state = error.sql_state().map(|state| state.code().to_owned());
        match (&error, state.as_deref()) {
            // Cancelled by a statement timeout.
            (_, Some("57014")) => Self::query_timeout(),
            // No such table or function: the db-handler has not made the schema yet.
            (_, Some("42P01" | "42883" | "42704" | "3F000")) => {
                Self::new(Code::DatabaseUnavailable, "the database has no schema yet; the db-handler makes it")
            }
            // Values that PostgreSQL cannot hold. Each should have been refused by name before; none is our fault.
            (_, Some(state)) if state.starts_with("22") => {
                tracing::warn!(%error, "a parameter was refused by the database only");
                Self::new(Code::BadRequest, "a parameter holds a value that cannot be looked for")
            }
            // Serialization, resources, an operator's intervention.
            (_, Some(state)) if ["08", "25", "28", "3D", "40", "53", "55", "57", "58"].contains(&&state[..2]) => {
                Self::unavailable(&error)
            }
            (database::Error::TooManyCoins { .. }, _) => Self::new(Code::TooManyCoins, error.to_string()),
            (database::Error::Pool(_), _) | (database::Error::Query { .. }, None) => Self::unavailable(&error),
            _ => {
                tracing::error!(%error, "a query failed");
                Self::of_status(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }
}

impl Failure {
    /// A query took too long and was given up.
    pub(crate) fn query_timeout() -> Self {
        Self::new(Code::QueryTimeout, "the database took too long; ask for less, or again later")
    }

    fn unavailable(error: &database::Error) -> Self {
        // Said once by the check in the background; not again for every request.
        tracing::debug!(%error, "the database cannot be asked");
        Self::new(Code::DatabaseUnavailable, "the database cannot be reached just now")
    }
}

fn shortened(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_parameter_and_what_is_allowed() {
        let failure = Failure::parameter("limit", "abc", "limit must be a whole number", "1 to 1000");
        assert_eq!(
            serde_json::to_string(&failure.problem()).unwrap(),
            r#"{"type":"/problems/invalid_parameter","title":"A parameter cannot be used","status":400,"detail":"limit must be a whole number","code":"invalid_parameter","parameter":"limit","value":"abc","allowed":"1 to 1000"}"#
        );
        assert!(failure.error_response().headers().get(header::RETRY_AFTER).is_none());
    }

    #[test]
    fn what_may_pass_says_when_to_come_again_and_long_values_are_cut() {
        let busy = Failure::new(Code::DatabaseBusy, "busy").error_response();
        assert_eq!(busy.status(), 503);
        assert_eq!(busy.headers().get(header::RETRY_AFTER).unwrap(), "1");
        let long = Failure::parameter("x", &"ä".repeat(5_000), "too long", "less").problem();
        assert_eq!(long.value.unwrap().chars().count(), SHOWN + 1);
    }
}
