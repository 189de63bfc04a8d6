//! RabbitMQ's HTTP management API, with as little HTTP as it takes: one request per connection, blocking, loopback.
//!
//! `rabbitmqctl` does the same in two seconds a call; an HTTP library would be the largest dependency of this crate.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::address::ServerAddress;

const TIMEOUT: Duration = Duration::from_secs(20);

/// Sends a request and returns the body of its answer.
///
/// # Errors
/// When the server does not answer, or answers with anything but success.
pub fn request(server: &ServerAddress, method: &str, path: &str, body: &str) -> Result<String> {
    let (status, body) =
        exchange(server, method, path, body).with_context(|| format!("RabbitMQ's management: {method} {path}"))?;
    if !(200..300).contains(&status) {
        bail!("RabbitMQ's management answered {status} to {method} {path}: {body}");
    }
    Ok(body)
}

fn exchange(server: &ServerAddress, method: &str, path: &str, body: &str) -> Result<(u16, String)> {
    let ServerAddress { host, port, user, password, .. } = server;
    let mut stream = TcpStream::connect((host.as_str(), *port)).context("connecting")?;
    stream.set_read_timeout(Some(TIMEOUT)).context("setting a timeout")?;
    let login = base64(format!("{user}:{password}").as_bytes());
    // HTTP/1.0: the answer ends where the connection ends and never comes in chunks.
    let request = format!(
        "{method} {path} HTTP/1.0\r\nHost: {host}:{port}\r\nAuthorization: Basic {login}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).context("sending")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).context("reading the answer")?;
    let answer = String::from_utf8(answer).context("reading the answer")?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no head")?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("the answer has no status")?;
    Ok((status, body.to_owned()))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let bits = chunk.iter().fold(0, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn base64_pads_every_length() {
        let pairs =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="), ("a:?>", "YTo/Pg==")];
        for (text, encoded) in pairs {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }
}
