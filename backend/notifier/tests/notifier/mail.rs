//! Mail, to a server that keeps it.

use chrono::{TimeDelta, Utc};
use domain::{Tick, TickSource};
use rust_decimal::Decimal;
use serde_json::json;

use crate::{
    bench::{Bench, settings},
    smtp_sink::MailSink,
};

/// Settings by which mail goes there, and further flags.
pub(crate) fn by(sink: &MailSink, tls: &str, more: &[&str]) -> notifier::Settings {
    let port = sink.address.port().to_string();
    let from = "Prices <prices@example.org>";
    let flags = [
        "--notifier-smtp-host",
        "127.0.0.1",
        "--notifier-smtp-port",
        &port,
        "--notifier-smtp-tls",
        tls,
        "--notifier-mail-from",
        from,
    ];
    settings(&[&flags[..], more].concat())
}

/// Prices of the last hours.
async fn trade(bench: &Bench) {
    let mut client = bench.client().await;
    let begin = "2026-07-01T09:00:00Z".parse::<chrono::DateTime<Utc>>().unwrap();
    let ticks: Vec<Tick> = (0..60)
        .map(|minute| Tick {
            ticker: "BTCUSDT".into(),
            trade_id: Some(minute),
            price: Decimal::from(64_950 + minute),
            quantity: Some(Decimal::ONE),
            taker_side: None,
            exchange_time: Some(begin + TimeDelta::minutes(minute)),
            received_at: begin + TimeDelta::minutes(minute),
        })
        .collect();
    database::partitions::create(&client, begin.date_naive()).await.unwrap();
    let prices = ticks
        .iter()
        .map(|tick| database::ingest::NewPrice { ticker_id: bench.ticker_id, source: TickSource::Stream, tick })
        .collect();
    database::ingest::store(
        &mut client,
        prices,
        &[bench.ticker_id],
        false,
        &database::alerts::Alerts::default().turn(),
    )
    .await
    .unwrap();
    while database::rollup::round(&mut client, 1_000).await.unwrap() > 0 {}
}

#[tokio::test]
async fn mail_has_text_html_and_a_picture() {
    let (bench, sink) = (Bench::new().await, MailSink::start().await);
    trade(&bench).await;
    let account_id = bench.account("ada").await;
    let own = bench.channel(account_id, "email", json!({})).await;
    let other = bench.channel(account_id, "email", json!({"address": "desk@example.com"})).await;
    let id = bench.fire(account_id, own, 1).await[0];
    bench.fire(account_id, other, 1).await;
    let _running = bench.start(by(&sink, "none", &[]));
    let mails = sink.until(2).await;
    let to = |whom: &str| mails.iter().find(|mail| mail.to.contains(whom)).unwrap_or_else(|| panic!("{mails:?}"));
    to("<desk@example.com>");
    // Long lines of HTML are broken with an equals sign.
    let text = to("<ada@example.org>").text.replace("=\r\n", "");
    for part in [
        "Subject: BTCUSDT (binance) rose through 65000: 1\r\n",
        "From: Prices <prices@example.org>\r\n",
        &format!("Message-ID: <{id}@example.org>\r\n"),
        "multipart/alternative",
        "multipart/related",
        "\r\nSell <a> tenth & rest\r\n",
        "Sell &lt;a&gt; tenth &amp; rest",
        "cid:chart",
        "Content-ID: <chart>",
        "Content-Type: image/png",
        "iVBORw0KGgo",
    ] {
        assert!(text.contains(part), "{part:?} is missing in {text}");
    }
    assert_eq!(bench.until(id, "sent").await.attempts, 1);
}

#[tokio::test]
async fn a_mail_server_refuses_for_now_or_for_good() {
    let (bench, sink) = (Bench::new().await, MailSink::start().await);
    let account_id = bench.account("ada").await;
    let channel_id = bench.channel(account_id, "email", json!({})).await;
    sink.answer(["451 later", "250 taken", "550 no such box"]);
    let first = bench.fire(account_id, channel_id, 1).await[0];
    let running = bench.start(by(&sink, "none", &[]));
    assert_eq!(bench.until(first, "sent").await.attempts, 2);
    let second = bench.fire(account_id, channel_id, 1).await[0];
    let outcome = bench.until(second, "failed").await;
    assert_eq!((outcome.attempts, outcome.error.as_deref()), (1, Some("the mail server answered 550")));
    let ids: Vec<String> = sink
        .mails()
        .iter()
        .map(|mail| mail.text.lines().find(|line| line.starts_with("Message-ID")).unwrap().to_owned())
        .collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
    running.stop().await;
}

#[tokio::test]
async fn a_mail_arrives_whole_and_once_whatever_stands_in_it_and_however_the_server_takes_leave() {
    let (bench, sink) = (Bench::new().await, MailSink::start().await);
    let account_id = bench.account("ada").await;
    sink.be_rude();
    let words = "INSERT INTO alert.preference (account_id, messages_per_minute, body) SELECT id, 1000, E'{what}\\n.\\n..\\nend' FROM secret.account";
    bench.sql(words).await;
    let channel_id = bench.channel(account_id, "email", json!({})).await;
    let id = bench.fire(account_id, channel_id, 1).await[0];
    let running = bench.start(by(&sink, "none", &[]));
    assert_eq!(bench.until(id, "sent").await.attempts, 1);
    running.stop().await;
    let mails = sink.mails();
    assert_eq!(mails.len(), 1);
    // As it is written where a dot alone would end it.
    assert!(mails[0].text.contains(": 1\r\n..\r\n...\r\nend\r\n"), "{}", mails[0].text);
}

#[tokio::test]
async fn an_address_may_have_letters_of_any_alphabet() {
    let (bench, sink) = (Bench::new().await, MailSink::start().await);
    let account_id = bench.account("ada").await;
    let channel_id = bench.channel(account_id, "email", json!({"address": "jörg@example.com"})).await;
    bench.fire(account_id, channel_id, 1).await;
    let _running = bench.start(by(&sink, "none", &[]));
    let mail = &sink.until(1).await[0];
    assert!(mail.to.contains("<jörg@example.com>") && mail.text.contains("jörg@example.com"), "{mail:?}");
    let begin = "MAIL FROM:<prices@example.org> SMTPUTF8 BODY=8BITMIME".to_owned();
    assert!(sink.heard().contains(&(false, begin)), "{:?}", sink.heard());
    sink.be_old();
    let second = bench.fire(account_id, channel_id, 1).await[0];
    let outcome = bench.until(second, "failed").await;
    assert!(outcome.error.as_deref().is_some_and(|error| error.contains("SMTPUTF8")), "{outcome:?}");
    assert_eq!((outcome.attempts, sink.mails().len()), (1, 1));
}
