//! Bodies of requests: JSON, small, with no field that is not known; and files.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    error::{JsonPayloadError, PayloadError},
    web,
};
use serde::de::DeserializeOwned;

use crate::error::{Code, Failure};

/// The largest body, in bytes.
const LARGEST: usize = 64 << 10;
/// How long it may take to arrive.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hands a route its body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = Failure;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Failure>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = web::JsonBody::<T>::new(request, payload, None, true).limit(LARGEST);
        Box::pin(async {
            let late = || Failure::new(Code::BodyLate, format!("a body must arrive within {PATIENCE:?}"));
            let arrived = tokio::time::timeout(PATIENCE, body).await.map_err(|_| late())?;
            arrived.map(Self).map_err(failure)
        })
    }
}

/// The largest file, in bytes.
const LARGEST_FILE: usize = 32 << 20;
/// How long it may take to arrive.
const FILE_PATIENCE: Duration = Duration::from_secs(60);

/// A file of text, once whoever sends it may.
///
/// # Errors
/// When it is too large, comes too slowly, or is no text.
pub(crate) async fn text(payload: web::Payload) -> Result<String, Failure> {
    let late = || Failure::new(Code::BodyLate, format!("a file must arrive within {FILE_PATIENCE:?}"));
    let arrived = tokio::time::timeout(FILE_PATIENCE, payload.to_bytes_limited(LARGEST_FILE)).await;
    let bytes = arrived
        .map_err(|_| late())?
        .map_err(|_| Failure::new(Code::BodyTooLarge, format!("a file has at most {LARGEST_FILE} bytes here")))?
        .map_err(|_| Failure::new(Code::InvalidBody, "the body did not come in one piece"))?;
    let text = String::from_utf8(bytes.into());
    text.map_err(|_| Failure::new(Code::UnreadableFile, "it is no text in UTF-8; save it as such"))
}

fn failure(error: JsonPayloadError) -> Failure {
    let invalid = |detail: String| Failure::new(Code::InvalidBody, detail);
    match error {
        JsonPayloadError::OverflowKnownLength { .. }
        | JsonPayloadError::Overflow { .. }
        | JsonPayloadError::Payload(PayloadError::Overflow) => {
            Failure::new(Code::BodyTooLarge, format!("a body has at most {LARGEST} bytes here"))
        }
        JsonPayloadError::ContentType => {
            invalid("the body is to be JSON: send Content-Type: application/json".to_owned())
        }
        JsonPayloadError::Deserialize(error) => {
            // Whatever came, a password perhaps, is not repeated.
            let said = match error.to_string().split_once(", expected ") {
                Some((unknown, expected)) if unknown.starts_with("unknown field") => {
                    format!("a field is not known here; expected {expected}")
                }
                _ => error.to_string(),
            };
            let is_plain = ["missing field", "a field is not known", "EOF"].iter().any(|begin| said.starts_with(begin));
            let place = format!("line {}, column {}", error.line(), error.column());
            invalid(if is_plain { said } else { format!("the JSON is not what is taken here, at {place}") })
        }
        _ => invalid("the body did not come in one piece".to_owned()),
    }
}
