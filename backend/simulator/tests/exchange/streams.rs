//! The WebSocket: what is streamed, how it is asked for, and how a connection lives and ends.

use std::time::Duration;

use serde_json::{Value, json};
use simulator::{PublishedTrade, Settings, Simulator};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Socket, ids, quiet, quiet_settings, until};

fn is_of(frame: &Value, trade: &PublishedTrade) {
    let decimal = |value: &Value| value.as_str().unwrap().parse().unwrap();
    assert_eq!(frame["t"], trade.id);
    assert_eq!((trade.price, trade.quantity), (decimal(&frame["p"]), decimal(&frame["q"])));
    assert_eq!(frame["T"], trade.time.timestamp_millis());
    assert_eq!(frame["m"], trade.buyer_is_maker);
    assert_eq!(frame["M"], true);
}

#[tokio::test]
async fn a_raw_stream_is_every_trade_in_order() {
    let simulator = quiet().await;
    let mut socket = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    simulator.emit(2_000).await;
    let frames = socket.json_of(2_000).await;
    let published = simulator.published("BTCUSDT");
    for (frame, trade) in frames.iter().zip(&published) {
        assert_eq!((&frame["e"], &frame["s"]), (&json!("trade"), &json!("BTCUSDT")));
        is_of(frame, trade);
    }
    assert!(ids(&frames).windows(2).all(|pair| pair[1] == pair[0] + 1), "numbers are contiguous");
}

#[tokio::test]
async fn a_combined_stream_wraps_and_a_raw_one_does_not() {
    let simulator = quiet().await;
    let mut combined = Socket::open(&simulator, "/stream?streams=btcusdt@trade/ethusdt@aggTrade").await;
    let mut raw = Socket::open(&simulator, "/ws/btcusdt@trade/ethusdt@aggTrade").await;
    simulator.emit(1).await;
    let (wrapped, plain) = (combined.json_of(2).await, raw.json_of(2).await);
    assert_eq!(wrapped[0]["stream"], "btcusdt@trade");
    assert_eq!(wrapped[1]["stream"], "ethusdt@aggTrade");
    assert_eq!([&wrapped[0]["data"], &wrapped[1]["data"]], [&plain[0], &plain[1]]);
    let trade = &simulator.published("ETHUSDT")[0];
    assert_eq!((&plain[1]["e"], &plain[1]["a"]), (&json!("aggTrade"), &json!(trade.id)));
    assert_eq!((&plain[1]["f"], &plain[1]["l"]), (&json!(trade.id), &json!(trade.id)));
}

#[tokio::test]
async fn subscriptions_come_and_go_and_are_acknowledged() {
    let simulator = quiet().await;
    let mut socket = Socket::open(&simulator, "/ws").await;
    let subscribe = json!({"method": "SUBSCRIBE", "params": ["btcusdt@trade", "ethusdt@trade"], "id": 1});
    assert_eq!(socket.ask(subscribe).await, json!({"result": null, "id": 1}));
    let list = socket.ask(json!({"method": "LIST_SUBSCRIPTIONS", "id": "a"})).await;
    assert_eq!(list, json!({"result": ["btcusdt@trade", "ethusdt@trade"], "id": "a"}));
    simulator.emit(1).await;
    assert_eq!(socket.json().await["s"], "BTCUSDT");
    assert_eq!(socket.json().await["s"], "ETHUSDT");
    let unsubscribe = json!({"method": "UNSUBSCRIBE", "params": ["btcusdt@trade"], "id": 2});
    assert_eq!(socket.ask(unsubscribe).await, json!({"result": null, "id": 2}));
    simulator.emit(1).await;
    assert_eq!(socket.json().await["s"], "ETHUSDT");
    let refused = socket.ask(json!({"method": "SHOUT", "id": 3})).await;
    assert_eq!((&refused["error"]["code"], &refused["id"]), (&json!(2), &json!(3)));
    socket.send("{").await;
    assert_eq!(socket.json().await["error"]["code"], 3, "and the connection is still there");
}

#[tokio::test]
async fn microseconds_are_sent_to_who_asks_for_them() {
    let simulator = quiet().await;
    let mut socket = Socket::open(&simulator, "/stream?streams=btcusdt@trade&timeUnit=MICROSECOND").await;
    simulator.emit(1).await;
    let time = simulator.published("BTCUSDT")[0].time;
    assert_eq!(socket.json().await["data"]["T"], time.timestamp_micros());
}

#[tokio::test]
async fn a_bad_address_is_no_stream() {
    let simulator = quiet().await;
    let many = (0..1_025).map(|n| format!("{n}@trade")).collect::<Vec<_>>().join("/");
    for path in [format!("/stream?streams={many}"), "/ws/a%22b".to_owned(), "/ws?timeUnit=FORTNIGHT".to_owned()] {
        let error = tokio_tungstenite::connect_async(format!("{}{path}", simulator.stream_url())).await.unwrap_err();
        assert!(error.to_string().contains("400"), "{error}");
    }
}

#[tokio::test]
async fn mini_tickers_and_candles_come_by_the_clock() {
    let simulator = quiet().await;
    simulator.emit(10).await;
    let mut all = Socket::open(&simulator, "/ws/!miniTicker@arr").await;
    let mut one = Socket::open(&simulator, "/stream?streams=btcusdt@miniTicker/btcusdt@kline_1d").await;
    // Trades go on, for what did not change is not sent.
    let published = || simulator.published("BTCUSDT").len();
    simulator.resume();
    until("a trade", || published() > 10).await;
    let rows = all.json().await;
    let bitcoin = rows.as_array().unwrap().iter().find(|row| row["s"] == "BTCUSDT").unwrap().clone();
    assert_eq!(bitcoin["e"], "24hrMiniTicker");
    let opened = simulator.published("BTCUSDT")[0].price;
    assert_eq!(bitcoin["o"].as_str().unwrap().parse::<rust_decimal::Decimal>().unwrap(), opened);
    let mut seen = Vec::new();
    while seen.len() < 2 {
        let frame = one.json().await;
        let stream = frame["stream"].as_str().unwrap().to_owned();
        if stream.ends_with("kline_1d") {
            assert_eq!((&frame["data"]["k"]["i"], &frame["data"]["k"]["x"]), (&json!("1d"), &json!(false)));
            assert!(frame["data"]["k"]["n"].as_i64().unwrap() >= 1);
        }
        if !seen.contains(&stream) {
            seen.push(stream);
        }
    }
}

#[tokio::test]
async fn pings_come_and_are_answered() {
    let settings = Settings { ping_interval: Duration::from_millis(400), ..quiet_settings() };
    let simulator = Simulator::start(settings).await.unwrap();
    let mut socket = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    // The client answers each by itself, and so outlives three intervals.
    for _ in 0..5 {
        assert!(matches!(socket.frame().await, Some(Message::Ping(payload)) if !payload.is_empty()));
    }
    socket.send_frame(Message::Ping("hello".into())).await;
    loop {
        match socket.frame().await.expect("still connected") {
            Message::Pong(payload) => break assert_eq!(&payload[..], b"hello"),
            other => assert!(other.is_ping(), "{other}"),
        }
    }
    assert_eq!(simulator.listeners("btcusdt@trade"), 1);
}

/// A client that shakes hands and then does nothing by itself.
async fn mute(simulator: &Simulator, stream: &str) -> TcpStream {
    let address = simulator.rest_url().trim_start_matches("http://").to_owned();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut connection = socket.connect(address.parse().unwrap()).await.unwrap();
    let request = format!(
        "GET /ws/{stream} HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).await.unwrap();
    until("subscribed", || simulator.listeners(stream) == 1).await;
    connection
}

#[tokio::test]
async fn a_client_that_answers_no_ping_is_cut() {
    let settings = Settings { ping_interval: Duration::from_millis(30), ..quiet_settings() };
    let simulator = Simulator::start(settings).await.unwrap();
    let mut connection = mute(&simulator, "btcusdt@trade").await;
    // An unasked pong (masked, empty) does not help.
    connection.write_all(&[0x8a, 0x80, 1, 2, 3, 4]).await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(10), connection.read_to_end(&mut rest))
        .await
        .expect("cut in time")
        .unwrap();
    assert_eq!(simulator.listeners("btcusdt@trade"), 0);
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_and_others_are_not() {
    let settings = Settings { trades_per_second: 20_000.0, client_queue: 1_024, ..quiet_settings() };
    let simulator = Simulator::start(settings).await.unwrap();
    let _connection = mute(&simulator, "btcusdt@trade").await;
    let mut reader = Socket::open(&simulator, "/ws/shibusdt@trade").await;
    simulator.resume();
    until("cut", || simulator.listeners("btcusdt@trade") == 0).await;
    simulator.pause();
    assert_eq!(reader.json().await["s"], "SHIBUSDT");
    assert_eq!(simulator.listeners("shibusdt@trade"), 1);
}

#[tokio::test]
async fn a_client_that_sends_too_much_is_told_and_closed() {
    let simulator = quiet().await;
    let mut socket = Socket::open(&simulator, "/ws").await;
    for _ in 0..6 {
        socket.send(r#"{"method":"LIST_SUBSCRIPTIONS","id":1}"#).await;
    }
    assert_eq!(socket.end().await, Some(1_008));
}

#[tokio::test]
async fn a_stop_ends_every_connection() {
    let simulator = quiet().await;
    let socket = Socket::open(&simulator, "/ws/btcusdt@trade").await;
    simulator.stop().await;
    assert_eq!(socket.end().await, None);
}
