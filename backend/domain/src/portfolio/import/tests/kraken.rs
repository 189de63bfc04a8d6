//! What Kraken exports.

use super::*;

pub(super) const TRADES: &str = r#""txid","ordertxid","pair","time","type","ordertype","price","cost","fee","vol","margin","misc","ledgers"
"TAAAA1-BBBBB-CCCCC1","OAAAA1-BBBBB-CCCCC1","XXBTZUSD","2023-04-05 06:07:08.1234","buy","limit",28000.10000,280.00100,0.72800,0.01000000,0.00000,"","LA1,LA2"
"TAAAA1-BBBBB-CCCCC2","OAAAA1-BBBBB-CCCCC2","XETHZEUR","2023-04-06 06:07:08","sell","market",1700.00000,850.00000,1.36000,0.50000000,0.00000,"","LA3,LA4"
"TAAAA1-BBBBB-CCCCC3","OAAAA1-BBBBB-CCCCC3","BTC/USD","2023-04-07 06:07:08","buy","limit",28000,28000,0,1,0,"",""
"TAAAA1-BBBBB-CCCCC4","OAAAA1-BBBBB-CCCCC4","XXBTZUSD","2023-04-08 06:07:08","buy","limit",28000,28000,10,1,5600.00000,"",""
"TAAAA1-BBBBB-CCCCC5","OAAAA1-BBBBB-CCCCC5","XXBTZUSD","2023-04-09 06:07:08","sell","limit",28000,28000,10,1,0.00000,"closing",""
"#;

pub(super) const LEDGER: &str = r#""txid","refid","time","type","subtype","aclass","asset","amount","fee","balance"
"","QAAAA1-BBBBB-CCCCC1","2023-05-01 06:00:00","deposit","","currency","XXBT",0.5000000000,0.0000000000,""
"LAAAA1-BBBBB-CCCCC1","QAAAA1-BBBBB-CCCCC1","2023-05-01 06:30:00","deposit","","currency","XXBT",0.5000000000,0.0000000000,0.5000000000
"LAAAA1-BBBBB-CCCCC2","TAAAA1-BBBBB-CCCCC1","2023-05-02 06:00:00","trade","","currency","ZEUR",-100.0000,0.1600,0.0000
"LAAAA1-BBBBB-CCCCC3","SAAAA1-BBBBB-CCCCC1","2023-05-03 06:00:00","staking","","currency","DOT28.S",0.1000000000,0.0100000000,0.0900000000
"LAAAA1-BBBBB-CCCCC4","EAAAA1-BBBBB-CCCCC1","2023-05-04 06:00:00","earn","reward","currency","ETH2.S",0.0020000000,0.0000000000,1.0000000000
"LAAAA1-BBBBB-CCCCC5","EAAAA1-BBBBB-CCCCC2","2023-05-05 06:00:00","earn","allocation","currency","DOT",-1.0000000000,0.0000000000,0.0000000000
"LAAAA1-BBBBB-CCCCC6","TAAAA1-BBBBB-CCCCC2","2023-05-06 06:00:00","spend","","currency","ZUSD",-10.0000,0.1000,0.0000
"LAAAA1-BBBBB-CCCCC7","RAAAA1-BBBBB-CCCCC1","2023-05-07 06:00:00","rollover","","currency","ZUSD",0.0000,0.1000,0.0000
"LAAAA1-BBBBB-CCCCC8","AAAAA1-BBBBB-CCCCC1","2023-05-08 06:00:00","withdrawal","","currency","XXDG",-100.0000000000,5.0000000000,1.0000000000
"#;

#[test]
fn trades_are_read() {
    let buy = trade("2023-04-05T06:07:08.1234Z", Order::Buy, "0.01", "BTC", "280.001", "USD");
    let sale = trade("2023-04-06T06:07:08Z", Order::Sell, "0.5", "ETH", "850", "EUR");
    let newer = trade("2023-04-07T06:07:08Z", Order::Buy, "1", "BTC", "28000", "USD");
    let expected = [
        named(with_price(with_fee(buy, "0.728", "USD"), "28000.1"), "TAAAA1-BBBBB-CCCCC1"),
        named(with_price(with_fee(sale, "1.36", "EUR"), "1700"), "TAAAA1-BBBBB-CCCCC2"),
        named(with_price(newer, "28000"), "TAAAA1-BBBBB-CCCCC3"),
    ];
    assert_eq!(entries(Format::Kraken, TRADES), expected.map(|entry| of(entry, "kraken")));
    let lines = lines(Format::Kraken, TRADES);
    for line in &lines[3..] {
        assert!(matches!(line.outcome, Outcome::Skipped(reason) if reason.contains("margin")), "{line:?}");
    }
    assert_eq!(lines.len(), 5);
}

#[test]
fn pairs_and_codes_are_translated() {
    for (pair, base, quote) in [
        ("XXBTZUSD", "BTC", "USD"),
        ("XBTUSDT", "BTC", "USDT"),
        ("XETHXXBT", "ETH", "BTC"),
        ("XETCXETH", "ETC", "ETH"),
        ("ADAEUR", "ADA", "EUR"),
        ("XTZEUR", "XTZ", "EUR"),
        ("XTZXBT", "XTZ", "BTC"),
        ("AVAXXBT", "AVAX", "BTC"),
        ("TRXXBT", "TRX", "BTC"),
        ("TRXETH", "TRX", "ETH"),
        ("XDGUSD", "DOGE", "USD"),
        ("XXDGXXBT", "DOGE", "BTC"),
        ("TUSD", "T", "USD"),
        ("XZECZEUR", "ZEC", "EUR"),
        ("ZETAUSD", "ZETA", "USD"),
        ("XBT/EUR", "BTC", "EUR"),
        ("ZEUS/BTC", "ZEUS", "BTC"),
        ("ada/usd", "ADA", "USD"),
    ] {
        let text = TRADES.replacen("XXBTZUSD", pair, 1);
        let Outcome::Entries(entries) = lines(Format::Kraken, &text).remove(0).outcome else { panic!("{pair}") };
        let entry = entries.last().unwrap();
        assert_eq!((entry.symbol.as_str(), entry.currency.as_str()), (base, quote), "{pair}");
        assert_eq!(entry.fee_currency.as_deref(), Some(quote), "{pair}");
    }
    for (code, usual) in [
        ("XXBT", "BTC"),
        ("XBT.M", "BTC"),
        ("XBT.F", "BTC"),
        ("XXDG", "DOGE"),
        ("ZEUR", "EUR"),
        ("EUR.HOLD", "EUR"),
        ("DOT.S", "DOT"),
        ("DOT28.S", "DOT"),
        ("ETH2", "ETH"),
        ("ETH2.S", "ETH"),
        ("USDC.M", "USDC"),
        ("XTZ.S", "XTZ"),
        ("ZETA", "ZETA"),
        ("C98", "C98"),
        ("42.S", "42.S"),
    ] {
        let text = LEDGER.replacen("0.5000000000\n", "0.5\n", 1).replace("\"XXBT\"", &format!("\"{code}\""));
        assert_eq!(entries(Format::Kraken, &text)[0].symbol, usual, "{code}");
    }
}

#[test]
fn of_the_ledger_what_is_no_trade_is_read() {
    let deposit = transfer("2023-05-01T06:30:00Z", Kind::Deposit, "0.5", "BTC", "USD");
    let staking = trade("2023-05-03T06:00:00Z", Order::Buy, "0.09", "DOT", "0", "USD");
    let earn = trade("2023-05-04T06:00:00Z", Order::Buy, "0.002", "ETH", "0", "USD");
    let withdrawal = transfer("2023-05-08T06:00:00Z", Kind::Withdrawal, "100", "DOGE", "USD");
    let expected = [
        named(deposit, "LAAAA1-BBBBB-CCCCC1"),
        named(with_note(staking, "staking reward; 0.01 DOT of 0.1 were kept as the fee"), "LAAAA1-BBBBB-CCCCC3"),
        named(with_note(earn, "earn reward"), "LAAAA1-BBBBB-CCCCC4"),
        named(with_fee(withdrawal, "5", "DOGE"), "LAAAA1-BBBBB-CCCCC8"),
    ];
    let expected = expected.map(|entry| of(entry, "kraken"));
    assert_eq!(entries(Format::Kraken, LEDGER), expected);
    let wallets = LEDGER.replace("\"aclass\",\"asset\"", "\"aclass\",\"subclass\",\"asset\",\"wallet\"");
    let wallets: Vec<String> = wallets
        .lines()
        .map(|line| match line.split_once("\"currency\",") {
            Some((before, behind)) => {
                let (asset, behind) = behind.split_once(',').unwrap();
                format!("{before}\"currency\",\"crypto\",{asset},\"spot / main\",{behind}")
            }
            None => line.to_owned(),
        })
        .collect();
    assert_eq!(entries(Format::Kraken, &wallets.join("\n")), expected);
}

#[test]
fn what_is_left_out_says_why() {
    let reasons: Vec<(u64, &str)> = lines(Format::Kraken, LEDGER)
        .iter()
        .filter_map(|line| match line.outcome {
            Outcome::Skipped(reason) => Some((line.number, reason)),
            _ => None,
        })
        .collect();
    let expected =
        [(2, "pending"), (4, "export of trades"), (7, "changed their place"), (8, "by hand"), (9, "only deposits")];
    assert_eq!(reasons.len(), expected.len());
    for ((number, reason), (expected_number, part)) in reasons.into_iter().zip(expected) {
        assert_eq!(number, expected_number);
        assert!(reason.contains(part), "{reason}");
    }
}

#[test]
fn mistakes_name_column_and_remedy() {
    let header = TRADES.lines().next().unwrap();
    let trades = lines(
        Format::Kraken,
        &format!(
            "{header}\n\
             T1,O1,BTCXYZ,soon,hold,limit,x,\"1,000\",,,0,,\n\
             T2,O1,USD,2023-04-05 06:07:08,buy,limit,1,1,0,1,0,,\n\
             T3,O1,/USD,2023-04-05 06:07:08,buy,limit,1,1,0,1,much,,\n\
             T4,O1,BTC/USD,2023-04-05 06:07:08,buy,limit,1,1,0,0,0,,\n"
        ),
    );
    assert_eq!(
        mistakes(&trades[0]),
        [("time", "soon"), ("type", "hold"), ("pair", "BTCXYZ"), ("vol", ""), ("price", "x"), ("cost", "1,000")]
    );
    assert_eq!(mistakes(&trades[1]), [("pair", "USD")]);
    assert_eq!(mistakes(&trades[2]), [("margin", "much"), ("pair", "/USD")]);
    assert_eq!(mistakes(&trades[3]), [("vol", "0")]);
    assert!(first_mistake(&trades[1]).allowed.contains("BTC/USD"));
    assert_eq!(trades[3].number, 5);
    let header = LEDGER.lines().next().unwrap();
    let ledger = lines(
        Format::Kraken,
        &format!(
            "{header}\n\
             L1,Q1,now,deposit,,currency,,-1,x,0\n\
             L2,Q2,2023-05-01 06:30:00,withdrawal,,currency,XXBT,1,0,0\n\
             L3,Q3,2023-05-01 06:30:00,staking,,currency,DOT.S,1,2,0\n"
        ),
    );
    assert_eq!(mistakes(&ledger[0]), [("time", "now"), ("asset", ""), ("amount", "-1"), ("fee", "x")]);
    assert_eq!(mistakes(&ledger[1]), [("amount", "1")]);
    assert_eq!(mistakes(&ledger[2]), [("amount", "-1")]);
    assert!(first_mistake(&ledger[1]).allowed.contains("below 0 for a withdrawal"));
}
