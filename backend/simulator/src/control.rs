//! What a client may ask over its WebSocket: SUBSCRIBE, UNSUBSCRIBE, LIST_SUBSCRIPTIONS, and the property `combined`.
//!
//! A refusal is an answer, not the end of the connection, and carries the request's id where it had a usable one. As on
//! the real exchange, a stream that does not exist is acknowledged and stays silent.

use serde_json::{Value, json};

use crate::{faults::Lasting, hub::Hub};

#[derive(Debug, PartialEq)]
struct Refused {
    code: i32,
    msg: String,
}

fn invalid(what: impl std::fmt::Display) -> Refused {
    Refused { code: 2, msg: format!("Invalid request: {what}") }
}

/// Carries out a request of this client and returns the answer to send.
pub(crate) fn answer(hub: &Hub, faults: &Lasting, client: u64, text: &str) -> String {
    let (id, outcome) = match serde_json::from_str::<Value>(text) {
        Err(error) => (Value::Null, Err(Refused { code: 3, msg: format!("Invalid JSON: {error}") })),
        Ok(request) => match id(&request) {
            Ok(id) => (id, carry_out(hub, faults, client, &request)),
            Err(refused) => (Value::Null, Err(refused)),
        },
    };
    match outcome {
        Ok(result) => json!({"result": result, "id": id}),
        Err(Refused { code, msg }) => json!({"error": {"code": code, "msg": msg}, "id": id}),
    }
    .to_string()
}

/// A 64-bit integer, up to 36 letters and digits, or null.
fn id(request: &Value) -> Result<Value, Refused> {
    match request.get("id") {
        Some(id) if id.is_i64() || id.is_u64() || id.is_null() => Ok(id.clone()),
        Some(Value::String(id)) if id.len() <= 36 && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') => {
            Ok(json!(id))
        }
        None if !request.is_object() => Err(invalid("expected an object")),
        _ => Err(invalid("request ID must be an unsigned integer")),
    }
}

fn carry_out(hub: &Hub, faults: &Lasting, client: u64, request: &Value) -> Result<Value, Refused> {
    let method = request.get("method").ok_or_else(|| invalid("missing field `method`"))?;
    match method.as_str() {
        Some("SUBSCRIBE") => {
            let streams = streams(request)?;
            if faults.refuses_subscription() {
                return Err(invalid("the subscription is refused"));
            }
            hub.subscribe(client, &streams).map_err(|_| invalid("too many parameters"))?;
            Ok(Value::Null)
        }
        Some("UNSUBSCRIBE") => {
            hub.unsubscribe(client, &streams(request)?);
            Ok(Value::Null)
        }
        Some("LIST_SUBSCRIPTIONS") => Ok(json!(hub.subscriptions(client))),
        Some("GET_PROPERTY") => {
            property(request)?;
            Ok(json!(hub.combined(client)))
        }
        Some("SET_PROPERTY") => {
            let value = property(request)?
                .ok_or_else(|| Refused { code: 1, msg: "Invalid value type: expected Boolean".to_owned() })?;
            hub.set_combined(client, value);
            Ok(Value::Null)
        }
        _ => Err(invalid(format_args!(
            "unknown variant {method}, expected one of `SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, \
             `SET_PROPERTY`, `GET_PROPERTY`"
        ))),
    }
}

fn streams(request: &Value) -> Result<Vec<String>, Refused> {
    let params = request.get("params").ok_or_else(|| invalid("missing field `params`"))?;
    let names = params.as_array().ok_or_else(|| invalid("params must be an array of stream names"))?;
    names
        .iter()
        // A name becomes part of every combined frame as it is.
        .map(|name| name.as_str().filter(|name| is_stream_name(name)).map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| invalid("stream name must be a string of letters, digits and @ ! _ : + - ."))
}

/// Whether the text may be the name of a stream, known or not.
pub(crate) fn is_stream_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 128 && name.chars().all(|c| c.is_alphanumeric() || "@!_:+-.".contains(c))
}

/// The boolean given for `combined`, the one property there is.
fn property(request: &Value) -> Result<Option<bool>, Refused> {
    match request.get("params").and_then(Value::as_array).map(Vec::as_slice) {
        Some([Value::String(name), rest @ ..]) if name == "combined" => Ok(rest.first().and_then(Value::as_bool)),
        Some([Value::String(_), ..]) => Err(Refused { code: 0, msg: "Unknown property".to_owned() }),
        _ => Err(invalid("property name must be a string")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;

    #[test]
    fn requests_are_acknowledged_with_their_id() {
        let hub = Hub::new(8);
        let client = hub.join(Protocol::RAW);
        for (request, reply) in [
            (r#"{"method":"SUBSCRIBE","params":["b@trade","a@trade"],"id":1}"#, r#"{"id":1,"result":null}"#),
            (r#"{"method":"LIST_SUBSCRIPTIONS","id":"x7"}"#, r#"{"id":"x7","result":["a@trade","b@trade"]}"#),
            (r#"{"method":"UNSUBSCRIBE","params":["b@trade","c@trade"],"id":null}"#, r#"{"id":null,"result":null}"#),
            (r#"{"method":"LIST_SUBSCRIPTIONS","id":-3}"#, r#"{"id":-3,"result":["a@trade"]}"#),
            (r#"{"method":"SET_PROPERTY","params":["combined",true],"id":4}"#, r#"{"id":4,"result":null}"#),
            (r#"{"method":"GET_PROPERTY","params":["combined"],"id":5}"#, r#"{"id":5,"result":true}"#),
        ] {
            let (given, wanted): (Value, Value) = (
                serde_json::from_str(&answer(&hub, &Lasting::default(), client.id, request)).unwrap(),
                serde_json::from_str(reply).unwrap(),
            );
            assert_eq!(given, wanted, "{request}");
        }
    }

    #[test]
    fn a_bad_request_is_told_what_is_wrong() {
        let hub = Hub::new(8);
        let client = hub.join(Protocol::RAW);
        let many = json!({"method": "SUBSCRIBE", "id": 9, "params": (0..1_025).map(|n| format!("{n}@trade")).collect::<Vec<_>>()});
        for (request, code, id, says) in [
            ("{", 3, Value::Null, "Invalid JSON"),
            ("[]", 2, Value::Null, "object"),
            (r#"{"method":"SUBSCRIBE","params":["a@trade"]}"#, 2, Value::Null, "request ID"),
            (r#"{"method":"SUBSCRIBE","params":["a@trade"],"id":1.5}"#, 2, Value::Null, "request ID"),
            (r#"{"id":1}"#, 2, json!(1), "missing field `method`"),
            (r#"{"method":"SHOUT","id":2}"#, 2, json!(2), "unknown variant \"SHOUT\""),
            (r#"{"method":"SUBSCRIBE","id":3}"#, 2, json!(3), "missing field `params`"),
            (r#"{"method":"SUBSCRIBE","params":[7],"id":4}"#, 2, json!(4), "stream name"),
            (r#"{"method":"SUBSCRIBE","params":["a\"b"],"id":4}"#, 2, json!(4), "stream name"),
            (r#"{"method":"GET_PROPERTY","params":["colour"],"id":5}"#, 0, json!(5), "Unknown property"),
            (r#"{"method":"SET_PROPERTY","params":["combined",1],"id":6}"#, 1, json!(6), "expected Boolean"),
            (r#"{"method":"SET_PROPERTY","params":[],"id":7}"#, 2, json!(7), "must be a string"),
            (many.to_string().as_str(), 2, json!(9), "too many parameters"),
        ] {
            let reply: Value = serde_json::from_str(&answer(&hub, &Lasting::default(), client.id, request)).unwrap();
            assert_eq!(reply["error"]["code"], code, "{reply}");
            assert_eq!(reply["id"], id, "{reply}");
            assert!(reply["error"]["msg"].as_str().unwrap().contains(says), "{reply}");
        }
        assert!(hub.subscriptions(client.id).is_empty());
    }
}
