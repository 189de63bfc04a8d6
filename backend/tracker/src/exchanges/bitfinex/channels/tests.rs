use domain::{Side, Tick};
use proptest::prelude::*;

use super::*;

const SUBSCRIBED: &str = r#"{"event":"subscribed","channel":"trades","chanId":17,"symbol":"tBTCUSD","pair":"BTCUSD"}"#;
const EXECUTED: &str = r#"[17,"te",[401597395,1795176000123,-0.0012,64250.01],5,1795176000150]"#;

fn received_at() -> DateTime<Utc> {
    "2026-11-20T12:00:00.200Z".parse().unwrap()
}

/// What the last of these messages is, and the trades of all.
fn read(texts: &[&str]) -> (Result<Frame, UnreadableFrame>, Vec<Tick>) {
    let (mut channels, mut found) = (Channels::default(), Found::default());
    let mut outcome = Ok(Frame::Other("nothing"));
    for text in texts {
        outcome = channels.read(text, received_at(), &mut found);
    }
    (outcome, found.ticks)
}

#[test]
fn a_trade_is_read_exactly_with_a_number_and_a_time_or_without() {
    let bare = r#"[17,"te",[401597395,1795176000123,-0.0012,64250.01]]"#;
    for text in [EXECUTED, bare, &EXECUTED.replace(",5,1795176000150", ",1795176000150,5"), &format!(" {bare}")] {
        let (frame, ticks) = read(&[SUBSCRIBED, text]);
        assert_eq!(frame, Ok(Frame::Trades), "{text}");
        assert_eq!(
            ticks,
            [Tick {
                ticker: "BTCUSD".into(),
                trade_id: Some(401_597_395),
                price: "64250.01".parse().unwrap(),
                quantity: Some("0.0012".parse().unwrap()),
                taker_side: Some(Side::Sell),
                exchange_time: Some("2026-11-20T12:00:00.123Z".parse().unwrap()),
                received_at: received_at(),
            }]
        );
    }
    let (_, ticks) = read(&[SUBSCRIBED, &EXECUTED.replace("-0.0012", "4.9e-7")]);
    assert_eq!(ticks[0].quantity, Some("0.00000049".parse().unwrap()));
    assert_eq!(ticks[0].taker_side, Some(Side::Buy));
}

#[test]
fn the_trades_before_an_acknowledgement_are_given_in_order_as_far_as_they_are_recent() {
    let snapshot = "[17,[[3,1795176000000,1,10],[2,1795175000000,-1,11],[1,1695176000000,1,12]],1]";
    let (frame, ticks) = read(&[SUBSCRIBED, snapshot]);
    assert_eq!(frame, Ok(Frame::Trades));
    assert_eq!(ticks.iter().map(|tick| tick.trade_id).collect::<Vec<_>>(), [Some(2), Some(3)]);
    for text in ["[17,[[1,1695176000000,1,12]],1]", "[17,[],1]"] {
        assert_eq!(read(&[SUBSCRIBED, text]), (Ok(Frame::Other("snapshot")), Vec::new()), "{text}");
    }
    let (frame, ticks) = read(&[SUBSCRIBED, &snapshot.replace("1795176000000", "\"noon\"")]);
    assert!(frame.unwrap_err().to_string().contains("MTS"));
    assert_eq!(ticks.len(), 1);
}

#[test]
fn a_number_that_is_left_out_is_a_frame_that_was_lost() {
    let beat = r#"[17,"hb",7,1795176000150]"#;
    let (frame, ticks) = read(&[SUBSCRIBED, EXECUTED, beat]);
    assert_eq!((frame, ticks.len()), (Ok(Frame::Lost("frames 6 to 6 did not come".into())), 1));
    for beat in [r#"[17,"hb",6]"#, r#"[17,"hb"]"#, r#"[17,"hb",1]"#, r#"[17,"hb",1795176000150]"#, r#"[17,"hb",null]"#]
    {
        assert_eq!(read(&[SUBSCRIBED, EXECUTED, beat]).0, Ok(Frame::Other("heartbeat")), "{beat}");
    }
    let (frame, ticks) = read(&[SUBSCRIBED, EXECUTED, &EXECUTED.replace(",5,", ",9,")]);
    assert_eq!((frame, ticks.len()), (Ok(Frame::Lost("frames 6 to 8 did not come".into())), 1), "it is asked for too");
}

#[test]
fn answers_and_notices_are_told_apart() {
    for (text, expected) in [
        (SUBSCRIBED, Frame::Acknowledged),
        (r#"{"event":"conf","status":"OK","flags":98304}"#, Frame::Acknowledged),
        (r#"{"event":"conf","status":"FAILED"}"#, Frame::Refused("numbered frames: FAILED".into())),
        (
            r#"{"event":"error","msg":"symbol: invalid","code":10300,"channel":"trades","symbol":"tXXX"}"#,
            Frame::Refused("symbol: invalid (code 10300), of tXXX".into()),
        ),
        (r#"{"event":"info","version":2,"serverId":"a","platform":{"status":1}}"#, Frame::Other("info")),
        (r#"{"event":"info","version":2,"platform":{"status":0}}"#, Frame::Other("maintenance")),
        (r#"{"event":"info","code":20051,"msg":"Stop/Restart"}"#, Frame::Closing),
        (r#"{"event":"info","code":20060,"msg":"Maintenance"}"#, Frame::Other("maintenance")),
        (
            r#"{"event":"info","code":20061,"msg":"Maintenance ended"}"#,
            Frame::Lost("maintenance is over; everything is to be asked for anew".to_owned()),
        ),
        (r#"{"event":"unsubscribed","status":"OK","chanId":17}"#, Frame::Other("unsubscribed")),
        (r#"{"event":"pong","ts":1795176000150,"cid":1}"#, Frame::Other("pong")),
        (r#"[17,"tu",[401597395,1795176000123,-0.0012,64250.01],6]"#, Frame::Other("trade update")),
        (r#"[17,"ftu",[401597395,1795176000123,-0.0012,0.1,30],6]"#, Frame::Other("funding")),
    ] {
        assert_eq!(read(&[SUBSCRIBED, text]), (Ok(expected), Vec::new()), "{text}");
    }
    for (channel, symbol, kind) in [
        ("ticker", "tBTCUSD", "ticker"),
        ("book", "tBTCUSD", "book"),
        ("candles", "", "candle"),
        ("status", "", "status"),
        ("trades", "fUSD", "funding"),
    ] {
        let subscribed = SUBSCRIBED.replace("trades", channel).replace("tBTCUSD", symbol);
        assert_eq!(read(&[&subscribed, "[17,[1,2,3],1]"]).0, Ok(Frame::Other(kind)), "{channel}");
    }
}

#[test]
fn garbage_is_an_error_that_says_what_is_wrong() {
    for (text, said) in [
        ("", "EOF"),
        ("{}", "missing field `event`"),
        ("[]", "CHANNEL_ID is missing"),
        ("[17]", "channel 17 carries nothing"),
        (r#"[18,"te",[1,1795176000123,1,1]]"#, "channel 18 was not acknowledged"),
        (r#"[17,"te"]"#, "carries nothing"),
        (r#"[17,"xx",[1,1795176000123,1,1]]"#, "not documented"),
        (r#"[17,"te",[1,1795176000123,1]]"#, "PRICE is missing"),
        (r#"[17,"te",[1.5,1795176000123,1,1]]"#, "ID"),
        (r#"[17,"te",[1,1795176000123,true,1]]"#, "AMOUNT"),
        (r#"[17,"te",[1,9223372036854775807,1,1]]"#, "no time"),
        (r#"{"event":"sneezegasm"}"#, "sneezegasm"),
        (r#"{"event":"info","version":1.1}"#, "is not spoken"),
        (r#"{"event":"info","code":7}"#, "info 7"),
        (r#"{"event":"subscribed","channel":"moons","chanId":3}"#, "moons"),
    ] {
        let (frame, ticks) = read(&[SUBSCRIBED, text]);
        let error = frame.unwrap_err().to_string();
        assert!(error.contains(said), "{text}: {error}");
        assert_eq!(ticks, []);
    }
}

proptest! {
    #[test]
    fn no_mutation_of_a_message_is_a_panic(which in 0usize..5, cut in 0usize..120, at in 0usize..120, byte in any::<u8>()) {
        let messages = [SUBSCRIBED, EXECUTED, "[17,[[3,1795176000000,1,10]],1]", r#"[17,"hb",7]"#, r#"{"event":"info","code":20051}"#];
        let mut bytes = messages[which].as_bytes().to_vec();
        if let Some(changed) = bytes.get_mut(at) {
            *changed = byte;
        }
        bytes.truncate(cut);
        let _ = read(&[SUBSCRIBED, &String::from_utf8_lossy(&bytes), EXECUTED]);
    }
}
