//! Where nothing is sent.

use std::{
    fs::File,
    net::IpAddr,
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use notifier::{
    Settings,
    guard::{Looking, Lookup, Names},
};
use serde_json::json;

use crate::{
    bench::{Bench, settings},
    http_sink::{Answer, Sink},
};

#[tokio::test]
async fn loopback_is_refused_where_it_is_not_permitted() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let account_id = bench.account("ada").await;
    let port = sink.address.port();
    let mut ids = Vec::new();
    for (kind, url) in [
        ("webhook", format!("http://127.0.0.1:{port}/")),
        ("slack", format!("https://127.0.0.1:{port}/")),
        ("discord", format!("http://localhost:{port}/")),
        ("slack", format!("http://2130706433:{port}/")),
        ("slack", format!("http://[::ffff:127.0.0.1]:{port}/")),
    ] {
        let given =
            if kind == "webhook" { json!({"url": url, "secret": "0123456789abcdef"}) } else { json!({"url": url}) };
        let channel_id = bench.channel(account_id, kind, given).await;
        ids.push(bench.fire(account_id, channel_id, 1).await[0]);
    }
    let _running = bench.start(Settings { notifier_allow_networks: Vec::new(), ..settings(&[]) });
    for id in ids {
        let outcome = bench.until(id, "failed").await;
        let error = outcome.error.unwrap();
        assert!(error.contains("not permitted") && outcome.attempts == 1, "{error}");
    }
    assert_eq!(sink.requests().len(), 0);
}

#[tokio::test]
async fn no_log_tells_what_opens_a_channel() {
    let (bench, sink) = (Bench::new().await, Sink::start().await);
    let account_id = bench.account("ada").await;
    let nobody = "http://127.0.0.1:9/geheim";
    let mut ids = Vec::new();
    for (kind, given) in [
        ("slack", json!({"url": nobody})),
        ("discord", json!({"url": format!("{}/geheim", sink.url())})),
        ("webhook", json!({"url": nobody, "secret": "geheim-geheim-geheim"})),
        ("telegram", json!({"token": "42:geheim-geheim-geheim-geheim", "chat_id": "1"})),
        ("pagerduty", json!({"routing_key": "geheimgeheimgeheimgeheimgeheim00"})),
    ] {
        let channel_id = bench.channel(account_id, kind, given).await;
        ids.push(bench.fire(account_id, channel_id, 1).await[0]);
    }
    sink.answer((0..3).map(|_| Answer::status(400)));
    let folder = std::env::temp_dir().join(format!("notifier-log-{}", ids[0]));
    let mut program = Command::new(env!("CARGO_BIN_EXE_notifier"))
        .env("DATABASE_URL", bench.database.url())
        .env("NOTIFIER_ALLOW_NETWORKS", "127.0.0.1/32")
        .env("NOTIFIER_PROBE_BIND", "127.0.0.1:0")
        .env("NOTIFIER_ATTEMPTS", "1")
        .env("NOTIFIER_TELEGRAM_URL", sink.base())
        .env("NOTIFIER_PAGERDUTY_URL", sink.base())
        .env("LOG_LEVEL", "debug")
        .stdout(Stdio::null())
        .stderr(File::create(&folder).unwrap())
        .spawn()
        .unwrap();
    let mut errors = String::new();
    for id in ids {
        errors += &bench.until(id, "failed").await.error.unwrap();
    }
    program.kill().unwrap();
    program.wait().unwrap();
    let log = std::fs::read_to_string(&folder).unwrap();
    std::fs::remove_file(&folder).unwrap();
    assert!(log.contains("a message is given up"), "{log}");
    for line in log.lines().chain([errors.as_str()]) {
        assert!(!line.contains("geheim"), "{line}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (bench, sink, elsewhere) = (Bench::new().await, Sink::start().await, Sink::start().await);
    let (account_id, channel_id) = bench.with_webhook(&sink.url()).await;
    sink.answer([Answer(307, format!("location: {}\r\n", elsewhere.url()), String::new())]);
    let id = bench.fire(account_id, channel_id, 1).await[0];
    let _running = bench.start(settings(&[]));
    let error = bench.until(id, "failed").await.error.unwrap();
    assert!(error.contains("307") && error.contains("not followed"), "{error}");
    assert_eq!((sink.requests().len(), elsewhere.requests().len()), (1, 0));
}

/// Says something else each time it is asked.
struct Rebinding(AtomicUsize, Vec<Vec<IpAddr>>);

impl Lookup for Rebinding {
    fn addresses(&self, name: String) -> Looking {
        assert_eq!(name, "rebinding.example");
        let time = self.0.fetch_add(1, Ordering::SeqCst);
        let answer = self.1[time.min(self.1.len() - 1)].clone();
        Box::pin(async move { Ok(answer) })
    }
}

#[tokio::test]
async fn a_name_is_asked_for_once_and_only_what_is_permitted_is_connected_to() {
    let (bench, inside) = (Bench::new().await, Sink::start().await);
    let permitted = Sink::start_on(&format!("127.0.0.2:{}", inside.address.port())).await;
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let answers = vec![
        vec![ip("127.0.0.2")],
        vec![ip("127.0.0.1")],
        vec![ip("127.0.0.1"), ip("127.0.0.2")],
        vec![ip("::ffff:127.0.0.1"), ip("169.254.169.254")],
    ];
    let names = Arc::new(Rebinding(AtomicUsize::new(0), answers));
    let url = format!("http://rebinding.example:{}/hook", inside.address.port());
    let (account_id, channel_id) = bench.with_webhook(&url).await;
    let _running = bench.start(Settings {
        notifier_allow_networks: vec!["127.0.0.2/32".parse().unwrap()],
        names: Names(names.clone()),
        ..settings(&[])
    });
    for (time, state) in ["sent", "failed", "sent", "failed"].into_iter().enumerate() {
        let id = bench.fire(account_id, channel_id, 1).await[0];
        let outcome = bench.until(id, state).await;
        assert_eq!(outcome.attempts, 1, "{outcome:?}");
        assert_eq!(names.0.load(Ordering::SeqCst), time + 1);
    }
    assert_eq!((permitted.requests().len(), inside.requests().len()), (2, 0));
}
