use super::*;
use crate::exchanges::answering;

fn settings() -> Settings {
    use clap::Parser;
    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: Settings,
    }
    Arguments::parse_from(["tracker"]).settings
}

/// Bitfinex at an address where a path and query get this answer.
fn bitfinex_that_answers(answer: impl Fn(&str) -> String + Send + 'static) -> Bitfinex {
    process::tls::install();
    let bitfinex_rest_url = format!("{}/v2", answering::serve(answer));
    Bitfinex::connect(&Settings { bitfinex_rest_url, ..settings() }).unwrap()
}

#[test]
fn each_connection_asks_for_numbered_frames_and_carries_twenty_five_channels() {
    process::tls::install();
    let bitfinex = Bitfinex::connect(&settings()).unwrap();
    let tickers: Vec<SmolStr> = (0..30).map(|number| format!("COIN{number}:USD").into()).collect();
    let streams = bitfinex.streams(&tickers);
    assert_eq!(streams.iter().map(|stream| stream.subscriptions.len()).collect::<Vec<_>>(), [26, 6]);
    assert_eq!(streams[1].url, "wss://api-pub.bitfinex.com/ws/2");
    for stream in &streams {
        assert_eq!(stream.subscriptions[0].text, r#"{"event":"conf","flags":98304}"#);
        assert!(stream.subscriptions.iter().all(|subscription| subscription.answers == 1));
    }
    assert!(streams[0].subscriptions[1].text.contains(r#""symbol":"tCOIN0:USD""#));
}

#[test]
fn a_broken_setting_is_named_with_its_value_and_a_remedy() {
    process::tls::install();
    for (broken, setting) in [
        (Settings { bitfinex_rest_url: "bitfinex".into(), ..settings() }, "BITFINEX_REST_URL"),
        (Settings { bitfinex_stream_url: "https://x".into(), ..settings() }, "BITFINEX_STREAM_URL"),
    ] {
        let error = Bitfinex::connect(&broken).unwrap_err().to_string();
        assert!(error.contains(setting) && error.contains("write "), "{error}");
    }
}

#[tokio::test]
async fn what_is_listed_is_asked_for_with_the_names_of_coins() {
    let bitfinex = bitfinex_that_answers(|target| {
        match target {
            "/v2/conf/pub:list:pair:exchange" => r#"[["BTCUST","DUSK:USD","BTCF0:USTF0"]]"#,
            "/v2/conf/pub:map:currency:sym" => r#"[[["UST","USDt"]]]"#,
            other => panic!("{other}"),
        }
        .to_owned()
    });
    let listed = bitfinex.catalogue().await.unwrap();
    let told: Vec<_> = listed.iter().map(|one| (&*one.ticker, &*one.base, &*one.quote)).collect();
    assert_eq!(told, [("BTCUST", "BTC", "USDT"), ("DUSK:USD", "DUSK", "USD")]);
}

#[tokio::test]
async fn missing_trades_are_asked_for_by_time_and_prices_by_name() {
    let bitfinex = bitfinex_that_answers(|target| {
        if target.starts_with("/v2/trades/tDUSK:USD/hist?") {
            let asked = |name| answering::parameter(target, name).unwrap();
            assert_eq!(["start", "end", "limit", "sort"].map(asked), ["1795175999999", "1795176060001", "10000", "1"]);
            return "[[7,1795176000000,-1,2],[8,1795176060001,1,2]]".to_owned();
        }
        assert_eq!(target, "/v2/tickers?symbols=tDUSK%3AUSD");
        r#"[["tDUSK:USD",1,1,1,1,0,0,2.5,0,0,0],["tOTHER:USD",1,1,1,1,0,0,2,0,0,0]]"#.to_owned()
    });
    let ticker: SmolStr = "DUSK:USD".into();
    let (from, to) = ("2026-11-20T12:00:00Z".parse().unwrap(), "2026-11-20T12:01:00Z".parse().unwrap());
    let span = bitfinex.recent().unwrap().trades(&ticker, from, to).await.unwrap();
    assert_eq!((span.ticks.len(), span.covers), (1, Some((from, to))));
    let prices = bitfinex.prices(std::slice::from_ref(&ticker)).await.unwrap();
    let told: Vec<_> = prices.iter().map(|price| (&*price.ticker, price.price.to_string())).collect();
    assert_eq!(told, [("DUSK:USD", "2.5".to_owned())]);
}

#[tokio::test]
async fn minutes_are_asked_for_from_the_oldest_on() {
    let bitfinex = bitfinex_that_answers(|target| {
        assert!(target.starts_with("/v2/candles/trade:1m:tBTCUSD/hist?"), "{target}");
        assert_eq!(answering::parameter(target, "sort").as_deref(), Some("1"));
        if let Some(start) = answering::parameter(target, "start") {
            assert_eq!(start, "1795176000000");
            assert_eq!(answering::parameter(target, "end").as_deref(), Some("1795176119999"));
        }
        "[[1795176000000,10,11,12,9.5,3.25],[1795176120000,10,11,12,9.5,3.25]]".to_owned()
    });
    let ticker: SmolStr = "BTCUSD".into();
    let (from, to) = ("2026-11-20T12:00:00Z".parse().unwrap(), "2026-11-20T12:02:00Z".parse().unwrap());
    let minutes = Exchange::minutes(&bitfinex).unwrap();
    let told = minutes.minutes(&ticker, from, to).await.unwrap();
    assert_eq!(told.iter().map(|minute| minute.open_time).collect::<Vec<_>>(), [from]);
    assert_eq!(minutes.first(&ticker).await.unwrap(), Some(from));
}
