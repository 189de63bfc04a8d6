//! What the test itself asks of the API and of the simulated exchange. Both are asked from outside, without a library.

use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

use rust_decimal::Decimal;
use serde_json::{Value, json};

/// The API, by its port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Api(pub(crate) u16);

/// The simulated exchange, by its port.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exchange(pub(crate) u16);

impl Api {
    /// What it tells for the pair that is watched; none where it does not answer.
    pub(crate) fn price(self) -> Option<Decimal> {
        let answer = ask(self.0, "GET", "/prices/simulated/BTCUSDT", "")?;
        answer["data"]["price"].as_str()?.parse().ok()
    }
}

impl Exchange {
    /// It stays connected and sends nothing; neither does it answer.
    pub(crate) fn falls_silent(self) {
        self.command(&json!({"fault": "silence", "seconds": 3600}));
        self.command(&json!({"fault": "slow", "seconds": 3600}));
    }

    /// All is as before.
    pub(crate) fn recovers(self) {
        self.command(&json!({"fault": "recover"}));
    }

    fn command(self, fault: &Value) {
        assert!(ask(self.0, "POST", "/simulator/faults", &fault.to_string()).is_some(), "{fault} is not obeyed");
    }
}

/// The JSON of an answer that is good.
fn ask(port: u16, method: &str, path: &str, body: &str) -> Option<Value> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let length = body.len();
    // To a client of the old version the answer comes in one piece, and ends with the connection.
    write!(stream, "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n{body}").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let is_good = head.split(' ').nth(1)?.starts_with('2');
    serde_json::from_str(body).ok().filter(|_| is_good)
}
