//! Mail on its way to the server: read by nobody else, and given to no other server.

use std::{
    fs::File,
    process::{Command, Stdio},
};

use serde_json::json;
use uuid::Uuid;

use crate::{
    authority::Authority,
    bench::Bench,
    mail::by,
    smtp_sink::{Encryption, MailSink},
};

const LOGIN: [&str; 4] = ["--notifier-smtp-user", "ada", "--notifier-smtp-password", "geheim"];
/// The log-in as it is sent: a zero byte before each of the two, in Base64.
const SENT_LOGIN: &str = "AGFkYQBnZWhlaW0=";

/// A mail that waits.
async fn mail(bench: &Bench) -> Uuid {
    let account_id = bench.account("ada").await;
    let channel_id = bench.channel(account_id, "email", json!({})).await;
    bench.fire(account_id, channel_id, 1).await[0]
}

#[tokio::test]
async fn mail_and_password_are_sent_when_it_is_encrypted() {
    let authority = Authority::new("own");
    let acceptor = authority.acceptor("127.0.0.1");
    for (tls, encryption, in_plain) in [
        ("starttls", Encryption::WhenAsked(acceptor.clone()), &["EHLO [127.0.0.1]", "STARTTLS"][..]),
        ("tls", Encryption::FromTheBeginning(acceptor), &[]),
    ] {
        let (bench, sink) = (Bench::new().await, MailSink::encrypting(encryption).await);
        let id = mail(&bench).await;
        let trusting = ["--notifier-smtp-ca-file", authority.path().to_str().unwrap()];
        let _running = bench.start(by(&sink, tls, &[&LOGIN[..], &trusting].concat()));
        assert_eq!(bench.until(id, "sent").await.attempts, 1);
        assert!(sink.mails()[0].text.contains("\r\nSell <a> tenth & rest\r\n"));
        let (encrypted, plain): (Vec<_>, Vec<_>) =
            sink.heard().into_iter().partition(|(is_encrypted, _)| *is_encrypted);
        assert_eq!(plain.iter().map(|(_, line)| line.as_str()).collect::<Vec<_>>(), in_plain, "{tls}");
        let begin: Vec<_> = encrypted.iter().take(3).map(|(_, line)| line.as_str()).collect();
        let login = format!("AUTH PLAIN {SENT_LOGIN}");
        assert_eq!(begin, ["EHLO [127.0.0.1]", &login, "MAIL FROM:<prices@example.org>"], "{tls}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_encrypt_gets_neither_mail_nor_password() {
    let (bench, sink) = (Bench::new().await, MailSink::start().await);
    let id = mail(&bench).await;
    let _running = bench.start(by(&sink, "starttls", &LOGIN));
    let outcome = bench.until(id, "failed").await;
    let error = outcome.error.unwrap();
    assert!(error.contains("STARTTLS") && error.contains("NOTIFIER_SMTP_TLS"), "{error}");
    assert_eq!((outcome.attempts, sink.mails().len()), (1, 0));
    assert_eq!(sink.heard(), [(false, "EHLO [127.0.0.1]".to_owned())]);
}

#[tokio::test]
async fn a_server_with_the_certificate_of_somebody_else_gets_neither_mail_nor_password() {
    let (own, other) = (Authority::new("own"), Authority::new("other"));
    let trusting = ["--notifier-smtp-ca-file", own.path().to_str().unwrap(), "--notifier-attempts", "1"];
    for (acceptor, cause) in [
        (other.acceptor("127.0.0.1"), "UnknownIssuer"),
        (own.acceptor("mail.example.org"), "certificate not valid for name \"127.0.0.1\""),
    ] {
        for (tls, encryption) in [
            ("starttls", Encryption::WhenAsked(acceptor.clone())),
            ("tls", Encryption::FromTheBeginning(acceptor.clone())),
        ] {
            let (bench, sink) = (Bench::new().await, MailSink::encrypting(encryption).await);
            let id = mail(&bench).await;
            let _running = bench.start(by(&sink, tls, &[&LOGIN[..], &trusting].concat()));
            let error = bench.until(id, "failed").await.error.unwrap();
            assert!(error.contains(cause) && error.contains("NOTIFIER_SMTP_CA_FILE"), "{error}");
            assert!(!sink.heard().iter().any(|(is_encrypted, line)| *is_encrypted || line.starts_with("AUTH")));
        }
    }
}

#[tokio::test]
async fn the_password_is_in_no_failure_and_no_log() {
    let (bench, authority) = (Bench::new().await, Authority::new("own"));
    let sink = MailSink::encrypting(Encryption::WhenAsked(authority.acceptor("127.0.0.1"))).await;
    sink.answer(["535 AGFkYQBnZWhlaW0= and geheim are wrong"]);
    let (id, log) = (mail(&bench).await, tempfile::NamedTempFile::new().unwrap());
    let mut program = Command::new(env!("CARGO_BIN_EXE_notifier"))
        .env("DATABASE_URL", bench.database.url())
        .env("NOTIFIER_PROBE_BIND", "127.0.0.1:0")
        .env("NOTIFIER_SMTP_HOST", "127.0.0.1")
        .env("NOTIFIER_SMTP_PORT", sink.address.port().to_string())
        .env("NOTIFIER_SMTP_CA_FILE", authority.path())
        .env("NOTIFIER_SMTP_USER", "ada")
        .env("NOTIFIER_SMTP_PASSWORD", "geheim")
        .env("NOTIFIER_MAIL_FROM", "prices@example.org")
        .env("LOG_LEVEL", "trace")
        .stdout(Stdio::null())
        .stderr(File::create(log.path()).unwrap())
        .spawn()
        .unwrap();
    let error = bench.until(id, "failed").await.error.unwrap();
    // It says so when it has written it down.
    let begin = std::time::Instant::now();
    while !std::fs::read_to_string(log.path()).unwrap().contains("a message is given up") {
        assert!(begin.elapsed() < std::time::Duration::from_secs(60), "it says nothing");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    program.kill().unwrap();
    program.wait().unwrap();
    assert_eq!(error, "the mail server answered 535");
    assert!(sink.heard().iter().any(|(_, line)| line.contains(SENT_LOGIN)));
    let log = std::fs::read_to_string(log.path()).unwrap();
    let secret = log.lines().find(|line| line.contains("geheim") || line.contains(SENT_LOGIN));
    assert_eq!(secret, None);
}
