//! Transactions out of files, and into them.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

use crate::{
    accounts::{log_in, send, with},
    portfolios::{NONE, add, server, told},
};

const FILE: &str = "date,type,order_type,symbol,volume,price,value,currency,fee,fee_currency,source,source_id,note
2026-01-02 03:04:05,TRADE,BUY,btc,0.5,,32000,USD,1.5,USD,bank,7,\"first, and best\"
2026-01-03,DEPOSIT,,ETH,2,,,,,,,,
";

#[tokio::test]
async fn a_file_is_tried_taken_over_once_and_given_back() {
    let (server, token) = server().await;
    let path = "/portfolios/1/import";
    let (status, tried) = server.send_file(&format!("{path}?preview=true"), &token, FILE).await;
    assert_eq!(status, 200, "{tried}");
    let numbers = |answer: &Value| told(&answer["data"], &["format", "read", "added", "known", "mistakes"]);
    assert_eq!(numbers(&tried), ["own", "2", "2", "0", "0"]);
    assert_eq!(tried["data"]["lines"][0]["says"], json!("2026-01-02 03:04:05 BUY 0.5 BTC for 32000 USD, fee 1.5 USD"));
    let (_, page) = send(&server, Method::GET, "/portfolios/1/transactions", &token, NONE).await;
    assert_eq!(page["count"], json!(0), "it was only tried");
    assert_eq!(numbers(&server.send_file(path, &token, FILE).await.1), ["own", "2", "2", "0", "0"]);
    assert_eq!(numbers(&server.send_file(path, &token, FILE).await.1), ["own", "2", "0", "2", "0"]);
    let (_, tried) = server.send_file(&format!("{path}?preview=true"), &token, FILE).await;
    assert_eq!(numbers(&tried), ["own", "2", "0", "2", "0"]);

    let bearer = format!("Bearer {token}");
    let export = async || server.send(Method::GET, "/portfolios/1/export", &[("authorization", &bearer)], None).await;
    let (status, file) = export().await;
    assert_eq!((status, file.lines().count()), (200, 3), "{file}");
    // Elsewhere it is the same.
    send(&server, Method::POST, "/portfolios", &token, json!({"name": "other"})).await;
    assert_eq!(numbers(&server.send_file("/portfolios/2/import?format=own", &token, file.clone()).await.1)[2], "2");
    let (_, again) = server.send(Method::GET, "/portfolios/2/export", &[("authorization", &bearer)], None).await;
    assert_eq!(again, file);
}

#[tokio::test]
async fn how_far_an_import_is_is_told_line_by_line() {
    let (server, token) = server().await;
    let row = |number: u32| format!("2026-01-02,TRADE,BUY,BTC,1,,64000,USD,,,bank,{number},\n");
    let file = FILE.lines().next().unwrap().to_owned() + "\n" + &(0..25_000).map(row).collect::<String>();
    let import = async |parameters: &str, file: String| {
        let path = format!("/portfolios/1/import?progress=true{parameters}");
        let (status, lines) = server.send_file_for_lines(&path, &token, file).await;
        assert_eq!(status, 200, "{lines:?}");
        lines
    };
    let told = import("", file.clone()).await;
    let stage =
        |stage: &str, done: usize, of: Option<usize>| json!({"progress": {"stage": stage, "done": done, "of": of}});
    assert_eq!(told[..2], [stage("waiting", 0, None), stage("reading", 0, None)]);
    let writing = [0, 10_000, 20_000].map(|done| stage("writing", done, Some(25_000)));
    assert_eq!(told[2..5], writing);
    assert_eq!((told.len(), &told[5]["data"]["added"]), (6, &json!(25_000)), "{}", told[5]);
    let again = import("&preview=true", file).await;
    assert_eq!(again.last().unwrap()["data"]["known"], json!(25_000));
    let wrong = import("", format!("{FILE}2026-01-04,TRADE,BUY,ADA,many,,5,,,,,,\n")).await;
    assert_eq!(wrong.last().unwrap()["error"]["code"], json!("unreadable_file"), "{wrong:?}");
    assert_eq!(wrong.last().unwrap()["error"]["status"], json!(400));
    // What is asked for wrongly is refused as ever.
    assert_eq!(server.send_file("/portfolios/9/import?progress=true", &token, FILE).await.0, 404);
}

#[tokio::test]
async fn lines_that_are_wrong_are_told_and_nothing_is_written_unless_they_are_to_be_left_out() {
    let (server, token) = server().await;
    let wrong = format!("{FILE}2026-01-04,TRADE,BUY,ADA,many,,5,,,,,,\n");
    let path = "/portfolios/1/import";
    let (status, refused) = server.send_file(path, &token, wrong.clone()).await;
    assert_eq!(
        (status, &refused["code"], &refused["value"]),
        (400, &json!("unreadable_file"), &json!("many")),
        "{refused}"
    );
    assert!(refused["detail"].as_str().unwrap().contains("line 4, volume"), "{refused}");
    let (_, page) = send(&server, Method::GET, "/portfolios/1/transactions", &token, NONE).await;
    assert_eq!(page["count"], json!(0));
    let (_, tried) = server.send_file(&format!("{path}?preview=true"), &token, wrong.clone()).await;
    let first = &tried["data"]["lines"][0];
    assert_eq!(
        (&tried["data"]["mistakes"], &first["line"], &first["mistakes"][0]["field"]),
        (&json!(1), &json!(4), &json!("volume"))
    );
    let (status, taken) = server.send_file(&format!("{path}?skip_mistakes=true"), &token, wrong).await;
    assert_eq!((status, &taken["data"]["added"], &taken["data"]["mistakes"]), (200, &json!(2), &json!(1)));
    for (file, words) in [(b"".to_vec(), "header"), (b"a,b\n1,2\n".to_vec(), "header"), (vec![0xff, 0xfe], "UTF-8")] {
        let (status, refused) = server.send_file(path, &token, file).await;
        assert_eq!((status, &refused["code"]), (400, &json!("unreadable_file")), "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains(words), "{refused}");
    }
    let (status, refused) = server.send_file(&format!("{path}?format=binance"), &token, FILE).await;
    assert_eq!((status, &refused["code"]), (400, &json!("unreadable_file")), "{refused}");
    let (status, refused) = server.send_file(&format!("{path}?format=excel"), &token, FILE).await;
    assert_eq!((status, &refused["parameter"]), (400, &json!("format")));
}

#[tokio::test]
async fn what_was_written_down_by_hand_is_known_again() {
    let (server, token) = server().await;
    let trade = json!({"date": "2026-01-02T03:04:05.123456Z", "order_type": "BUY", "symbol": "BTC", "volume": "0.5", "price": "64000.1",
                       "fee": "0.01", "note": "=first"});
    add(&server, &token, trade.clone()).await;
    // Twice the same is two.
    add(&server, &token, trade).await;
    add(
        &server,
        &token,
        json!({"date": "2026-01-03T00:00:00Z", "type": "DEPOSIT", "symbol": "ETH", "volume": 2, "source": "ledger"}),
    )
    .await;
    let bearer = format!("Bearer {token}");
    let (_, file) = server.send(Method::GET, "/portfolios/1/export", &[("authorization", &bearer)], None).await;
    let numbers = |answer: &Value| told(&answer["data"], &["read", "added", "known", "mistakes"]);
    for path in ["/portfolios/1/import?preview=true", "/portfolios/1/import"] {
        let (_, taken) = server.send_file(path, &token, file.clone()).await;
        assert_eq!(numbers(&taken), ["3", "0", "3", "0"], "{path}: {taken}");
    }
    // A third time the same is another one.
    let line = file.lines().find(|line| line.contains("64000.1")).unwrap();
    let thrice = format!("{file}{line}\n");
    for added in ["1", "0"] {
        let (_, taken) = server.send_file("/portfolios/1/import", &token, thrice.clone()).await;
        assert_eq!(numbers(&taken)[..2], ["4", added], "{taken}");
    }
    // With a name of its own it is another one, too.
    let named = json!({"date": "2026-01-02T03:04:05.123456Z", "order_type": "BUY", "symbol": "BTC", "volume": "0.5", "price": "64000.1",
                       "fee": "0.01", "note": "=first", "source_id": "1"});
    let named = add(&server, &token, named).await;
    let path = format!("/portfolios/1/transactions/{}", named["id"]);
    assert_eq!(send(&server, Method::DELETE, &path, &token, NONE).await.0, 204);
    // What is different is another one.
    let other = file.replace("64000.1", "64000.2");
    assert_eq!(numbers(&server.send_file("/portfolios/1/import", &token, other.clone()).await.1), ["3", "2", "1", "0"]);
    assert_eq!(numbers(&server.send_file("/portfolios/1/import", &token, other).await.1), ["3", "0", "3", "0"]);
    let (_, page) = send(&server, Method::GET, "/portfolios/1/transactions", &token, NONE).await;
    assert_eq!(page["count"], json!(6));
}

#[tokio::test]
async fn a_file_that_comes_slowly_keeps_out_nobody_but_its_sender() {
    let server = with(&["ada", "grace"]).await;
    let (ada, _) = log_in(&server, "ada").await;
    let (grace, _) = log_in(&server, "grace").await;
    for token in [&ada, &grace] {
        assert_eq!(send(&server, Method::POST, "/portfolios", token, json!({"name": "savings"})).await.0, 201);
    }
    let head = format!(
        "POST /portfolios/1/import HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\nauthorization: Bearer {ada}\r\ncontent-length: 1000\r\n\r\n"
    );
    let own = async || server.send_file("/portfolios/1/import", &ada, FILE).await;
    let begun = async {
        loop {
            let mut stream = TcpStream::connect(server.address).await.unwrap();
            stream.write_all(head.as_bytes()).await.unwrap();
            // It may arrive behind the next one, or beside it, and is then the one that is refused.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let (status, answer) = own().await;
            if status != 200 {
                break (stream, (status, answer["code"].clone()));
            }
        }
    };
    let (stream, refused) =
        tokio::time::timeout(Duration::from_secs(30), begun).await.expect("a slow one is being taken");
    assert_eq!(refused, (503, json!("too_many_imports")));
    assert_eq!(server.send_file("/portfolios/2/import", &grace, FILE).await.0, 200);
    drop(stream);
    let again = async {
        while own().await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), again).await.expect("its place is free again");
}
