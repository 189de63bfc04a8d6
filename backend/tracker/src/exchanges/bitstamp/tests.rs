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

/// Bitstamp at an address where a path and query get this answer.
fn bitstamp_that_answers(answer: impl Fn(&str) -> String + Send + 'static) -> Bitstamp {
    process::tls::install();
    let bitstamp_rest_url = format!("{}/api/v2", answering::serve(answer));
    Bitstamp::connect(&Settings { bitstamp_rest_url, ..settings() }).unwrap()
}

#[test]
fn each_pair_is_subscribed_to_and_many_are_spread_over_connections() {
    process::tls::install();
    let bitstamp = Bitstamp::connect(&settings()).unwrap();
    let tickers: Vec<SmolStr> = (0..130).map(|number| format!("coin{number}usd").into()).collect();
    let streams = bitstamp.streams(&tickers);
    assert_eq!(streams.iter().map(|stream| stream.subscriptions.len()).collect::<Vec<_>>(), [100, 30]);
    assert_eq!(streams[0].url, "wss://ws.bitstamp.net");
    let Subscription { text, answers } = &streams[0].subscriptions[0];
    assert_eq!(text, r#"{"data":{"channel":"live_trades_coin0usd"},"event":"bts:subscribe"}"#);
    assert_eq!(*answers, 1);
}

#[test]
fn a_broken_setting_is_named_with_its_value_and_a_remedy() {
    process::tls::install();
    for (broken, setting) in [
        (Settings { bitstamp_rest_url: "bitstamp".into(), ..settings() }, "BITSTAMP_REST_URL"),
        (Settings { bitstamp_stream_url: "https://x".into(), ..settings() }, "BITSTAMP_STREAM_URL"),
    ] {
        let error = Bitstamp::connect(&broken).unwrap_err().to_string();
        assert!(error.contains(setting) && error.contains("write "), "{error}");
    }
}

#[test]
fn too_many_requests_are_told_from_other_refusals() {
    process::tls::install();
    let bitstamp = Bitstamp::connect(&settings()).unwrap();
    for (body, is_limit) in [
        (r#"{"status":"error","reason":"Request rejected.","code":"400.002"}"#, true),
        (r#"{"response_code":"400.067","response_explanation":"…"}"#, true),
        (r#"{"status":"error","reason":"Invalid limit","code":"400.011"}"#, false),
    ] {
        let refused = RestError::Refused { host: "host".into(), status: 400, body: body.into() };
        let understood = bitstamp.understand(refused);
        assert_eq!(matches!(understood, RestError::Limited { .. }), is_limit, "{body}: {understood}");
    }
}

#[tokio::test]
async fn missing_trades_have_the_time_under_which_the_stream_brought_them() {
    let now = Utc::now().trunc_subsecs(0);
    let date = now.timestamp() - 30;
    let bitstamp = bitstamp_that_answers(move |target| {
        assert_eq!(target, "/api/v2/transactions/btcusd/?time=hour");
        let trade = |id: i64| format!(r#"{{"date":"{date}","tid":"{id}","price":"10","type":"0","amount":"1"}}"#);
        format!("[{},{}]", trade(8), trade(7))
    });
    let frame = json!({ "event": "trade", "channel": "live_trades_btcusd", "data": {
        "id": 7, "amount_str": "1", "price_str": "10", "type": 0, "microtimestamp": (date * 1_000_000 + 5).to_string(),
    }});
    let mut found = crate::exchange::Found::default();
    bitstamp.reader().read(&frame.to_string(), now, &mut found).unwrap();
    let (from, to) = (now - chrono::TimeDelta::minutes(5), now);
    let ticker = "btcusd".into();
    let span = bitstamp.recent().unwrap().trades(&ticker, from, to).await.unwrap();
    let told: Vec<_> = span.ticks.iter().map(|tick| (tick.trade_id.unwrap(), tick.time().timestamp_micros())).collect();
    assert_eq!(told, [(8, date * 1_000_000), (7, date * 1_000_000 + 5)]);
    let newest = DateTime::from_timestamp(date, 0).unwrap();
    assert_eq!((span.covers, span.is_oldest), (Some((from, newest)), false), "what is newer may not be told yet");
}

#[tokio::test]
async fn what_is_older_than_a_day_cannot_be_had() {
    let bitstamp = bitstamp_that_answers(|target| {
        assert_eq!(target, "/api/v2/transactions/btcusd/?time=day");
        let date = Utc::now().timestamp();
        format!(r#"[{{"date":"{date}","tid":"8","price":"10","type":"0","amount":"1"}}]"#)
    });
    let now = Utc::now();
    let (long_ago, ticker) = (now - chrono::TimeDelta::days(3), "btcusd".into());
    let recent = bitstamp.recent().unwrap();
    let span = recent.trades(&ticker, long_ago, now).await.unwrap();
    let (since, until) = span.covers.unwrap();
    assert!(span.is_oldest && since > long_ago && until <= now, "{span:?}");
    let span = recent.trades(&ticker, long_ago, now - chrono::TimeDelta::days(2)).await.unwrap();
    assert_eq!((span.covers, span.is_oldest), (None, true));
}

#[tokio::test]
async fn minutes_are_those_asked_for_and_the_first_is_looked_for_page_by_page() {
    let day = 86_400;
    let listed = Utc::now().timestamp() / day * day - 1_200 * day;
    let bitstamp = bitstamp_that_answers(move |target| {
        assert!(target.starts_with("/api/v2/ohlc/btcusd/?"), "{target}");
        let asked = |name| answering::parameter(target, name).unwrap().parse::<i64>().unwrap();
        let [step, limit, end] = ["step", "limit", "end"].map(asked);
        // The newest of them, however far back it was to begin.
        let times = (0..limit).map(|back| end - back * step).filter(|time| *time >= listed);
        let candle = |time: i64| {
            let volume = if step == 60 && time < listed + 50_000 { 0 } else { 1 };
            format!(r#"{{"timestamp":"{time}","open":"1","high":"1","low":"1","close":"1","volume":"{volume}"}}"#)
        };
        let candles: Vec<String> = times.map(candle).collect();
        format!(r#"{{"data":{{"pair":"BTC/USD","ohlc":[{}]}}}}"#, candles.join(","))
    });
    let ticker: SmolStr = "btcusd".into();
    let minutes = Exchange::minutes(&bitstamp).unwrap();
    let from = DateTime::from_timestamp(listed + 60_000, 0).unwrap();
    let told = minutes.minutes(&ticker, from, from + chrono::TimeDelta::minutes(3)).await.unwrap();
    let told: Vec<_> = told.iter().map(|minute| (minute.open_time - from).num_minutes()).collect();
    assert_eq!(told, [0, 1, 2]);
    let first = minutes.first(&ticker).await.unwrap().unwrap();
    assert_eq!(first.timestamp(), (listed + 50_000 + 59) / 60 * 60);
}
