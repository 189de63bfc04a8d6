use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

use crate::{
    live::connect,
    server::{settings, start_with},
};

#[tokio::test]
async fn a_server_that_stops_says_goodbye_and_is_gone_soon() {
    let server = start_with(settings(), 2).await;
    let mut socket = connect(&server, "/live").await;
    let mut events = server.response("/live/events").await;
    server.data("/symbols").await;
    let asked = Instant::now();
    server.shutdown.cancel();
    let goodbye = loop {
        match socket.next().await {
            Some(Ok(Message::Close(frame))) => break frame,
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(goodbye.unwrap().code, CloseCode::Away);
    while let Ok(Some(_)) = events.chunk().await {}
    server.task.await.unwrap().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(6), "{:?}", asked.elapsed());
    assert!(tokio::net::TcpStream::connect(server.address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn an_address_that_is_taken_is_told_with_what_to_do() {
    let server = start_with(settings(), 1).await;
    let settings = api::Settings { api_bind: server.address, ..settings() };
    let live = broker::Live::local(server.live.clone());
    let error =
        api::Server::bind(&settings, server.pool.clone(), live, process::Health::new(), process::Shutdown::new());
    let error = error.err().unwrap().to_string();
    assert!(error.contains(&server.address.to_string()) && error.contains("API_BIND"), "{error}");
}
