//! What is listed changes while the exchange runs.

use serde_json::{Value, json};
use simulator::ListingError;

use crate::client::{Socket, fetch, get, post, quiet, until};

fn tickers(answer: &Value) -> Vec<&str> {
    answer.as_array().unwrap().iter().map(|row| row["symbol"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_pair_is_listed_trades_and_is_delisted_again() {
    let simulator = quiet().await;
    let commands = fetch(&simulator, "/simulator/listings").await;
    let [add, remove, _] = &commands["listings"].as_array().unwrap()[..] else { panic!("{commands}") };
    let mut socket = Socket::open(&simulator, "/ws/newusdt@trade/!miniTicker@arr").await;
    assert_eq!(post(&simulator, "/simulator/listings", &add.to_string()).await.0, 202);
    let (status, refused) = post(&simulator, "/simulator/listings", &add.to_string()).await;
    assert_eq!((status, refused["error"].as_str().unwrap()), (400, r#""NEWUSDT" is listed already"#));
    let info = fetch(&simulator, "/api/v3/exchangeInfo?symbol=NEWUSDT").await;
    assert_eq!((&info["symbols"][0]["baseAsset"], &info["symbols"][0]["status"]), (&json!("NEW"), &json!("TRADING")));
    assert_eq!(simulator.emit(3).await, 33);
    let trade = socket.json().await;
    assert_eq!((&trade["s"], &trade["e"]), (&json!("NEWUSDT"), &json!("trade")));
    let day = fetch(&simulator, "/api/v3/ticker/24hr?symbol=NEWUSDT").await;
    assert_eq!((&day["count"], &day["firstId"]), (&json!(3), &trade["t"]));
    assert_eq!(fetch(&simulator, "/api/v3/ticker/24hr").await.as_array().unwrap().len(), 11);
    let mini = loop {
        let frame = socket.json().await;
        if frame.is_array() {
            break frame;
        }
    };
    assert!(mini.as_array().unwrap().iter().any(|row| row["s"] == "NEWUSDT" && row["c"] == day["lastPrice"]), "{mini}");

    assert_eq!(post(&simulator, "/simulator/listings", &remove.to_string()).await.0, 202);
    assert_eq!(simulator.emit(1).await, 10, "it trades no more");
    assert_eq!(get(&simulator, "/api/v3/ticker/24hr?symbol=NEWUSDT").await.body["code"], -1121);
    assert!(!tickers(&fetch(&simulator, "/api/v3/ticker/price").await).contains(&"NEWUSDT"));
    assert_eq!(simulator.delist("NEWUSDT"), Err(ListingError::Unknown("NEWUSDT".to_owned())));
}

#[tokio::test]
async fn a_renamed_pair_goes_on_with_its_trades_under_the_new_name_alone() {
    let simulator = quiet().await;
    simulator.emit(5).await;
    let before = simulator.published("ETHUSDT");
    let mut socket = Socket::open(&simulator, "/ws/eth2usdt@trade/ethusdt@trade").await;
    until("both are listened to", || simulator.listeners("eth2usdt@trade") == 1).await;
    simulator.rename("ETHUSDT", "ETH2USDT").unwrap();
    assert_eq!(simulator.emit(1).await, 10);
    let trade = socket.json().await;
    assert_eq!((&trade["s"], &trade["t"]), (&json!("ETH2USDT"), &json!(before[4].id + 1)));
    assert_eq!(simulator.published("ETH2USDT")[..5], before);
    assert_eq!(simulator.published("ETHUSDT"), []);
    let prices = fetch(&simulator, "/api/v3/ticker/price").await;
    assert!(tickers(&prices).contains(&"ETH2USDT") && !tickers(&prices).contains(&"ETHUSDT"));
    for (senseless, said) in [
        (r#"{"listing":"add","ticker":"A B","base":"A","quote":"B","price":"1"}"#, "letters and digits"),
        (r#"{"listing":"add","ticker":"AB","base":"A","quote":"B","price":"-1"}"#, "above zero"),
        (r#"{"listing":"rename","ticker":"BTCUSDT","to":""}"#, "letters and digits"),
        (r#"{"listing":"rename","ticker":"NOSUCH","to":"A"}"#, r#""NOSUCH" is not listed"#),
        (r#"{"listing":"forget"}"#, "forget"),
    ] {
        let (status, body) = post(&simulator, "/simulator/listings", senseless).await;
        assert!(status == 400 && body["error"].as_str().unwrap().contains(said), "{senseless}: {body}");
    }
}
