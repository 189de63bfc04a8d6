use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use api::Settings;
use api_types::live::{LiveEvent, LivePrice};
use broker::Message as News;
use chrono::{DateTime, TimeDelta, Utc};
use domain::{FeedState, Tick, TickBatch, TickSource};
use futures_util::{SinkExt as _, StreamExt as _};
use rust_decimal::Decimal;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, protocol::frame::coding::CloseCode},
};

use crate::{
    feeds::status,
    health::wait_until,
    server::{TestServer, settings, start, start_with},
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub(crate) async fn connect(server: &TestServer, path: &str) -> Socket {
    connect_async(format!("ws://{}{path}", server.address)).await.unwrap().0
}

fn minute() -> DateTime<Utc> {
    domain::Interval::OneMinute.open_time(Utc::now()) - TimeDelta::minutes(5)
}

fn trade(ticker: &str, trade_id: i64, seconds: i64, price: i64) -> Tick {
    let time = minute() + TimeDelta::seconds(seconds);
    Tick {
        ticker: ticker.into(),
        trade_id: Some(trade_id),
        price: price.into(),
        quantity: Some(Decimal::new(5, 1)),
        taker_side: None,
        exchange_time: Some(time),
        received_at: time,
    }
}

fn batch(exchange: &str, ticks: Vec<Tick>) -> Arc<News> {
    Arc::new(News::Ticks(TickBatch::new(exchange, TickSource::Stream, ticks)))
}

/// The next event, past pings.
async fn event(socket: &mut Socket) -> LiveEvent {
    let wait = async {
        loop {
            match socket.next().await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(5), wait).await.expect("an event")
}

async fn price(socket: &mut Socket) -> LivePrice {
    loop {
        if let LiveEvent::Price(price) = event(socket).await {
            return price;
        }
    }
}

async fn closed(socket: &mut Socket) -> Option<CloseCode> {
    let wait = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), wait).await.expect("an end")
}

/// The hub listens from its first second; what is sent before is lost.
async fn ready(server: &TestServer) {
    wait_until(server, 200).await;
}

#[tokio::test]
async fn ticks_are_folded_and_what_was_told_is_not_told_again() {
    let server = start().await;
    ready(&server).await;
    let mut socket = connect(&server, "/live").await;
    let ticks = vec![trade("BTCUSDT", 1, 0, 10), trade("BTCUSDT", 3, 61, 30), trade("BTCUSDT", 2, 59, 8)];
    server.live.send(batch("binance", ticks)).unwrap();
    let first = price(&mut socket).await;
    assert_eq!((first.exchange.as_str(), first.ticker.as_str(), first.price), ("binance", "BTCUSDT", 30.into()));
    let minutes: Vec<_> = first.minutes.iter().map(|m| (m.open, m.high, m.low, m.close, m.trades)).collect();
    let n = |number: i64| Decimal::from(number);
    assert_eq!(minutes, [(n(10), n(10), n(8), n(8), 2), (n(30), n(30), n(30), n(30), 1)]);
    assert_eq!((first.minutes[0].volume, first.minutes[0].quote_volume), (n(1), n(9)));
    server.live.send(batch("binance", vec![trade("BTCUSDT", 4, 62, 31)])).unwrap();
    let second = price(&mut socket).await;
    assert_eq!((second.minutes.len(), second.minutes[0].trades, second.price), (1, 1, n(31)));
}

#[tokio::test]
async fn who_comes_later_gets_the_newest_prices_and_feeds_at_once() {
    let server = start().await;
    ready(&server).await;
    server.live.send(status("binance", FeedState::Streaming)).unwrap();
    server.live.send(batch("binance", vec![trade("BTCUSDT", 1, 60, 10), trade("ETHUSDT", 1, 0, 20)])).unwrap();
    // A late tick, such as one fetched to fill a gap, is not the newest price.
    server.live.send(batch("binance", vec![trade("BTCUSDT", 0, 0, 7)])).unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut socket = connect(&server, "/live").await;
    let LiveEvent::Feed(feed) = event(&mut socket).await else { panic!("feeds come first") };
    assert_eq!((feed.exchange.as_str(), feed.state.as_str()), ("binance", "streaming"));
    let (one, two) = (price(&mut socket).await, price(&mut socket).await);
    assert_eq!((one.ticker.as_str(), one.price, two.ticker.as_str()), ("BTCUSDT", 10.into(), "ETHUSDT"));
    assert!(one.minutes.is_empty() && two.minutes.is_empty());
}

#[tokio::test]
async fn a_client_gets_what_it_asked_for_only() {
    let server = start().await;
    ready(&server).await;
    let mut socket = connect(&server, "/live?tickers=binance:ethusdt,kraken:XBT/EUR").await;
    server.live.send(status("simulated", FeedState::Streaming)).unwrap();
    let ticks = |price| vec![trade("BTCUSDT", 1, 0, 10), trade("ETHUSDT", 1, 0, price)];
    server.live.send(batch("simulated", ticks(1))).unwrap();
    server.live.send(batch("binance", ticks(20))).unwrap();
    let LiveEvent::Price(only) = event(&mut socket).await else { panic!("no other exchange's feed") };
    assert_eq!((only.exchange.as_str(), only.ticker.as_str(), only.price), ("binance", "ETHUSDT", 20.into()));
    let error = server.error("/live/events?tickers=binance:A,,B", 400).await;
    assert_eq!(error["parameter"], "tickers");
    assert_eq!(server.error("/live/events?symbols=A", 400).await["allowed"], "tickers, exchange");
}

#[tokio::test]
async fn prices_that_are_not_credible_are_not_shown() {
    let server = start().await;
    ready(&server).await;
    let mut socket = connect(&server, "/live").await;
    let absurd = Tick { price: Decimal::MAX, ..trade("BTCUSDT", 2, 1, 1) };
    let negative = Tick { price: Decimal::NEGATIVE_ONE, ..trade("BTCUSDT", 3, 2, 1) };
    server.live.send(batch("binance", vec![trade("BTCUSDT", 1, 0, 10), absurd, negative])).unwrap();
    let told = price(&mut socket).await;
    assert!(told.price == 10.into() || told.price == Decimal::MAX, "{told:?}");
    assert_eq!(told.minutes[0].low, 10.into());
}

#[tokio::test]
async fn events_come_as_server_sent_events_too() {
    let settings = Settings { api_live_ping_ms: 200, ..settings() };
    let server = start_with(settings, 2).await;
    ready(&server).await;
    let mut response = server.response("/live/events?exchange=binance").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert!(!response.headers().contains_key("content-encoding"));
    server.live.send(status("binance", FeedState::Streaming)).unwrap();
    server.live.send(batch("binance", vec![trade("BTCUSDT", 1, 0, 10)])).unwrap();
    server.live.send(batch("kraken", vec![trade("BTCUSDT", 1, 0, 10)])).unwrap();
    let mut text = String::new();
    let enough = |text: &str| text.contains("event: price") && text.contains("event: feed") && text.contains(": alive");
    while !enough(&text) {
        let chunk = tokio::time::timeout(Duration::from_secs(5), response.chunk()).await.expect("more");
        text.push_str(std::str::from_utf8(&chunk.unwrap().unwrap()).unwrap());
    }
    assert!(text.starts_with("retry: 2000\n\n") && !text.contains("kraken"), "{text}");
    let data = text.split("event: price\ndata: ").nth(1).unwrap().split("\n\n").next().unwrap();
    assert!(matches!(serde_json::from_str(data).unwrap(), LiveEvent::Price(price) if price.price == 10.into()));
}

#[tokio::test]
async fn feeds_are_told_again_every_five_seconds() {
    let server = start().await;
    ready(&server).await;
    server.live.send(status("binance", FeedState::Streaming)).unwrap();
    let mut socket = connect(&server, "/live").await;
    let begun = Instant::now();
    for _ in 0..2 {
        let told = tokio::time::timeout(Duration::from_secs(7), socket.next()).await.expect("a feed");
        assert!(told.unwrap().unwrap().to_text().unwrap().contains(r#""type":"feed""#));
    }
    assert!(begun.elapsed() < Duration::from_secs(7));
}

#[tokio::test]
async fn there_are_only_so_many_places() {
    let server = start_with(Settings { api_live_clients: 2, ..settings() }, 1).await;
    let first = connect(&server, "/live").await;
    let _second = server.response("/live/events").await;
    let refused = connect_async(format!("ws://{}/live", server.address)).await.unwrap_err();
    let tungstenite::Error::Http(refused) = refused else { panic!("{refused:?}") };
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"5".parse().unwrap()));
    assert_eq!(server.error("/live/events", 503).await["code"], "too_many_clients");
    drop(first);
    let mut status = 503;
    for _ in 0..100 {
        status = server.response("/live/events").await.status().as_u16();
        if status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(status, 200, "the place is free again");
}

#[tokio::test]
async fn a_plain_request_is_told_to_speak_websocket() {
    let server = start().await;
    let response = server.response("/live").await;
    assert_eq!((response.status().as_u16(), &response.headers()["upgrade"]), (426, &"websocket".parse().unwrap()));
    assert!(response.text().await.unwrap().contains("websocket_expected"));
}

#[tokio::test]
async fn what_clients_send_is_ignored_until_it_is_too_much() {
    let server = start().await;
    ready(&server).await;
    let mut socket = connect(&server, "/live").await;
    for message in
        [Message::text("{\"subscribe\":1}"), Message::binary(vec![0xff; 100]), Message::text("x".repeat(4_000))]
    {
        socket.send(message).await.unwrap();
    }
    server.live.send(batch("binance", vec![trade("BTCUSDT", 1, 0, 10)])).unwrap();
    assert_eq!(price(&mut socket).await.price, 10.into());
    socket.send(Message::text("x".repeat(5_000))).await.unwrap();
    assert_eq!(closed(&mut socket).await, Some(CloseCode::Size));
}

#[tokio::test]
async fn who_gives_no_sign_of_life_is_cut_off() {
    let settings = Settings { api_live_ping_ms: 200, ..settings() };
    let server = start_with(settings, 1).await;
    let mut lively = connect(&server, "/live").await;
    let mut dead = handshake(&server).await;
    let begun = Instant::now();
    let mut bytes = Vec::new();
    tokio::select! {
        // Reads, but never answers a ping.
        ended = tokio::time::timeout(Duration::from_secs(5), dead.read_to_end(&mut bytes)) => drop(ended.expect("an end")),
        code = closed(&mut lively) => panic!("who answers stays: {code:?}"),
    }
    assert!(begun.elapsed() > Duration::from_millis(500), "{:?}", begun.elapsed());
}

/// A WebSocket by hand, whose receiving side is as narrow as the system allows.
async fn handshake(server: &TestServer) -> TcpStream {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(2_048).unwrap();
    let mut stream = socket.connect(server.address).await.unwrap();
    let request = "GET /live HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
                   sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn who_does_not_read_is_cut_off_and_nobody_else_notices() {
    let settings = Settings { api_live_clients: 2, api_live_send_timeout_ms: 500, ..settings() };
    let server = start_with(settings, 1).await;
    ready(&server).await;
    let mut stuck = handshake(&server).await;
    let mut reader = connect(&server, "/live?tickers=T0").await;
    let begun = Instant::now();
    let mut round = 0;
    let freed = loop {
        round += 1;
        let ticks = (0..3_000).map(|index| trade(&format!("T{index}"), round, round % 60, 10 + round)).collect();
        server.live.send(batch("binance", ticks)).unwrap();
        let sent = Instant::now();
        while price(&mut reader).await.price < (10 + round).into() {}
        assert!(sent.elapsed() < Duration::from_secs(2), "the other client waited {:?}", sent.elapsed());
        let response = server.response("/live/events?tickers=nothing").await;
        if response.status() == 200 {
            break true;
        }
        if begun.elapsed() > Duration::from_secs(20) {
            break false;
        }
    };
    assert!(freed, "its place is free again");
    let mut left = Vec::new();
    // A reset is an end too.
    let _ =
        tokio::time::timeout(Duration::from_secs(10), stuck.read_to_end(&mut left)).await.expect("its connection ends");
}
