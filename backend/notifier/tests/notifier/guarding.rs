//! Where nothing is sent.

use std::{
    net::IpAddr,
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
