//! What Binance exports.

use super::*;

pub(super) const TRADES: &str = "\
Date(UTC),Pair,Side,Price,Executed,Amount,Fee
2024-03-01 10:15:30,BTCUSDT,BUY,\"64,120.5000000000\",0.0100000000BTC,641.20500000USDT,0.0012000000BNB
2024-03-02 11:00:00,ETHUSDT,BUY,3400.0000000000,1.0000000000ETH,\"3,400.00000000USDT\",0.0010000000ETH
2024-03-03 12:00:00,BTCUSDT,SELL,65000,0.005BTC,325USDT,0.32500000USDT
24-03-04 13:00:00,1INCHUSDT,BUY,0.5,10.00000000001INCH,5.0000USDT,0.01000000001INCH
2024-03-05 14:00:00,ETHBTC,SELL,0.05,2ETH,0.1BTC,0.0020ETH
2024-03-06 15:00:00,SOL/EUR,buy,100,1 SOL,100 EUR,0
";

pub(super) const NEWEST: &str = "\
Date(UTC),Pair,Base Asset,Quote Asset,Type,Price,Amount,Total,Fee,Fee Coin
2025-12-25 14:00:15,BTC/USDT,BTC,USDT,BUY,\"80,000.00\",0.00100,80.00000,0.0001,BNB
2025-12-26 14:00:15,1INCH/USDT,1INCH,USDT,BUY,0.5,\"1,000\",500,1,1INCH
2025-12-27 14:00:15,SOL/EUR,SOL,EUR,SELL,100,1,100,0.1,EUR
25-12-28 14:00:15,ETH/BTC,ETH,BTC,BUY,0.05,20,1,0.002,BTC
2025-12-29 14:00:15,EUR/USDT,EUR,USDT,SELL,1.1,100,110,0.11,USDT
";

pub(super) const OLDER: &str = "\
Date(UTC),Market,Type,Price,Amount,Total,Fee,Fee Coin
2018-02-03 04:05:06,TRXBTC,SELL,0.0000089,299,0.0026611,0.00081795,BNB
2018-02-04 04:05:06,BTCUSDT,BUY,\"11,426.2\",0.05,\"571.31\",0.00005,BTC
2018-02-05 04:05:06,USDTTRY,BUY,4,10,40,0,
2018-02-06 04:05:06,BNBFDUSD,BUY,300,1,300,0.3,FDUSD
";

pub(super) const STATEMENT: &str = "\
User_ID,UTC_Time,Account,Operation,Coin,Change,Remark
12345678,2024-01-10 08:00:00,Spot,Deposit,BTC,0.25000000,
12345678,2024-01-11 08:00:00,Spot,Buy,BTC,0.02000000,\"\"
12345678,2024-01-11 08:00:00,Spot,Fee,BNB,-0.00100000,\"\"
12345678,24-01-12 09:30:00,Spot,Withdraw,ETH,-1.50000000,Withdraw fee is included
12345678,2024-01-13 08:00:00,Spot,Binance Convert,BTC,-0.01000000,\"\"
12345678,2024-01-13 08:00:00,Spot,Binance Convert,ETH,0.18000000,\"\"
12345678,2024-01-14 08:00:00,Spot,Small assets exchange BNB,TRX,-37.02000000,TRX to BNB
12345678,2024-01-14 08:00:00,Spot,Small assets exchange BNB,BNB,0.01370000,TRX to BNB
12345678,2024-01-15 08:00:00,Spot,Large OTC trading,USDT,-500.00000000,\"\"
12345678,2024-01-15 08:00:00,Spot,Large OTC trading,SOL,5.00000000,\"\"
12345678,2024-01-16 08:00:00,Spot,Simple Earn Flexible Interest,DOT,0.00100000,Binance Earn
12345678,2024-01-17 08:00:00,Spot,Simple Earn Flexible Subscription,DOT,-10.00000000,Binance Earn
12345678,2024-01-18 08:00:00,Spot,Fiat Deposit,EUR,100.00000000,\"\"
12345678,2024-01-19 08:00:00,Spot,Fiat Withdraw,EUR,-50.00000000,\"\"
12345678,2024-01-20 08:00:00,Spot,Token Swap - Distribution,AAVE,1.00000000,\"\"
12345678,2024-01-21 08:00:00,Spot,Distribution,LEND,-100.00000000,\"\"
12345678,2024-01-22 08:00:00,Earn,Staking Rewards,ADA,0.00000000,\"\"
";

#[test]
fn trades_are_read() {
    let kept = |fee: &str, coin: &str, of: &str| format!("{fee} {coin} of {of} were kept as the fee");
    let buy = trade("2024-03-01T10:15:30Z", Order::Buy, "0.01", "BTC", "641.205", "USDT");
    let less = trade("2024-03-02T11:00:00Z", Order::Buy, "0.999", "ETH", "3400", "USDT");
    let sale = trade("2024-03-03T12:00:00Z", Order::Sell, "0.005", "BTC", "325", "USDT");
    let digits = trade("2024-03-04T13:00:00Z", Order::Buy, "9.99", "1INCH", "5", "USDT");
    let pair = trade("2024-03-05T14:00:00Z", Order::Sell, "2", "ETH", "0.1", "BTC");
    let other = trade("2024-03-05T14:00:00Z", Order::Buy, "0.1", "BTC", "0.1", "BTC");
    let apart = trade("2024-03-06T15:00:00Z", Order::Buy, "1", "SOL", "100", "EUR");
    let expected = [
        with_price(with_fee(buy, "0.0012", "BNB"), "64120.5"),
        with_price(with_note(less, &kept("0.001", "ETH", "1")), "3400"),
        with_price(with_fee(sale, "0.325", "USDT"), "65000"),
        with_price(with_note(digits, &kept("0.01", "1INCH", "10")), "0.5"),
        with_price(with_fee(pair, "0.002", "ETH"), "0.05"),
        other,
        with_price(apart, "100"),
    ];
    assert_eq!(unnamed(entries(Format::Binance, TRADES)), expected.map(|entry| of(entry, "binance")));
}

#[test]
fn the_newest_trades_are_read() {
    let buy = trade("2025-12-25T14:00:15Z", Order::Buy, "0.001", "BTC", "80", "USDT");
    let less = trade("2025-12-26T14:00:15Z", Order::Buy, "999", "1INCH", "500", "USDT");
    let sale = trade("2025-12-27T14:00:15Z", Order::Sell, "1", "SOL", "100", "EUR");
    let given = trade("2025-12-28T14:00:15Z", Order::Sell, "1.002", "BTC", "1.002", "BTC");
    let pair = trade("2025-12-28T14:00:15Z", Order::Buy, "20", "ETH", "1", "BTC");
    let expected = [
        with_price(with_fee(buy, "0.0001", "BNB"), "80000"),
        with_price(with_note(less, "1 1INCH of 1000 were kept as the fee"), "0.5"),
        with_price(with_fee(sale, "0.1", "EUR"), "100"),
        given,
        with_price(with_fee(pair, "0.002", "BTC"), "0.05"),
    ];
    assert_eq!(unnamed(entries(Format::Binance, NEWEST)), expected.map(|entry| of(entry, "binance")));
    let without_pair: String = NEWEST
        .lines()
        .map(|line| {
            let (date, rest) = line.split_once(',').unwrap();
            format!("{date},{}\n", rest.split_once(',').unwrap().1)
        })
        .collect();
    assert_eq!(unnamed(entries(Format::Binance, &without_pair)), unnamed(entries(Format::Binance, NEWEST)));
}

#[test]
fn older_trades_are_read() {
    let sale = trade("2018-02-03T04:05:06Z", Order::Sell, "299", "TRX", "0.0026611", "BTC");
    let other = trade("2018-02-03T04:05:06Z", Order::Buy, "0.0026611", "BTC", "0.0026611", "BTC");
    let less = trade("2018-02-04T04:05:06Z", Order::Buy, "0.04995", "BTC", "571.31", "USDT");
    let long = trade("2018-02-06T04:05:06Z", Order::Buy, "1", "BNB", "300", "FDUSD");
    let expected = [
        with_price(with_fee(sale, "0.00081795", "BNB"), "0.0000089"),
        other,
        with_price(with_note(less, "0.00005 BTC of 0.05 were kept as the fee"), "11426.2"),
        with_price(with_fee(long, "0.3", "FDUSD"), "300"),
    ];
    assert_eq!(unnamed(entries(Format::Binance, OLDER)), expected.map(|entry| of(entry, "binance")));
}

#[test]
fn of_the_statement_what_is_no_trade_of_an_order_is_read() {
    let transfer = |at, kind, volume, symbol| transfer(at, kind, volume, symbol, "USD");
    let converted =
        |at, order, volume, symbol| with_note(trade(at, order, volume, symbol, volume, symbol), "Binance Convert");
    let dust = |order, volume, symbol| {
        let dust = trade("2024-01-14T08:00:00Z", order, volume, symbol, volume, symbol);
        with_note(dust, "Small assets exchange BNB: TRX to BNB")
    };
    let interest = trade("2024-01-16T08:00:00Z", Order::Buy, "0.001", "DOT", "0", "USD");
    let expected = [
        transfer("2024-01-10T08:00:00Z", Kind::Deposit, "0.25", "BTC"),
        with_note(transfer("2024-01-12T09:30:00Z", Kind::Withdrawal, "1.5", "ETH"), "Withdraw fee is included"),
        converted("2024-01-13T08:00:00Z", Order::Sell, "0.01", "BTC"),
        converted("2024-01-13T08:00:00Z", Order::Buy, "0.18", "ETH"),
        dust(Order::Sell, "37.02", "TRX"),
        dust(Order::Buy, "0.0137", "BNB"),
        with_note(trade("2024-01-15T08:00:00Z", Order::Buy, "5", "SOL", "5", "SOL"), "Large OTC trading"),
        with_note(interest, "Simple Earn Flexible Interest: Binance Earn"),
        transfer("2024-01-18T08:00:00Z", Kind::Deposit, "100", "EUR"),
        transfer("2024-01-19T08:00:00Z", Kind::Withdrawal, "50", "EUR"),
    ];
    assert_eq!(unnamed(entries(Format::Binance, STATEMENT)), expected.map(|entry| of(entry, "binance")));
    let newer = STATEMENT.replace("User_ID,UTC_Time", "User ID,Time");
    assert_eq!(entries(Format::Binance, &newer), entries(Format::Binance, STATEMENT));
}

fn reasons(text: &str) -> Vec<(u64, &'static str)> {
    let skipped = lines(Format::Binance, text).into_iter().filter_map(|line| match line.outcome {
        Outcome::Skipped(reason) => Some((line.number, reason)),
        _ => None,
    });
    skipped.collect()
}

#[test]
fn what_of_the_statement_is_left_out_says_why() {
    let expected = [
        (3, "come from the history of spot trades"),
        (4, "come from the history of spot trades"),
        (10, "money of a conversion"),
        (13, "changed their place"),
        (16, "by hand"),
        (17, "taken away again"),
        (18, "changes nothing"),
    ];
    let reasons = reasons(STATEMENT);
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for ((number, reason), (expected_number, part)) in reasons.into_iter().zip(expected) {
        assert_eq!(number, expected_number, "{reason}");
        assert!(reason.contains(part), "{reason}");
    }
}

fn statement(account: &str, operation: &str, change: &str) -> String {
    format!(
        "User_ID,UTC_Time,Account,Operation,Coin,Change,Remark\n1,2024-01-10 08:00:00,{account},{operation},BTC,{change},\n"
    )
}

#[test]
fn operations_are_known_however_they_are_capitalised() {
    for operation in [
        "Cash Voucher distribution",
        "Cash Voucher Distribution",
        "ETH 2.0 Staking Rewards",
        "Launchpool Interest",
        "Referral Commission",
        "Airdrop Assets",
        "Simple Earn Locked Rewards",
    ] {
        let income = entries(Format::Binance, &statement("Spot", operation, "0.5")).remove(0);
        assert_eq!((income.order, income.volume, income.value), (Order::Buy, number("0.5"), Some(Decimal::ZERO)));
        assert_eq!((income.note.as_deref(), income.currency.as_str()), (Some(operation), "USD"));
    }
    for operation in ["Small Assets Exchange BNB", "Small assets exchange BNB (Spot)", "LARGE OTC TRADING"] {
        let sale = entries(Format::Binance, &statement("Spot", operation, "-0.5")).remove(0);
        assert_eq!((sale.order, sale.volume, sale.value), (Order::Sell, number("0.5"), Some(number("0.5"))));
        assert_eq!((sale.note.as_deref(), sale.currency.as_str()), (Some(operation), "BTC"));
    }
    for (account, operation, part) in [
        ("Spot", "Transaction Revenue", "come from the history of spot trades"),
        ("", "Fee", "come from the history of spot trades"),
        ("USD-M Futures", "Fee", "by hand"),
        ("Spot", "Auto-Invest Transaction", "by hand"),
        ("Spot", "", "by hand"),
        ("Spot", "Transfer Between Main and Funding Wallet", "changed their place"),
        ("Funding", "transfer between spot and funding", "changed their place"),
        ("Spot", "Savings Principal redemption", "changed their place"),
        ("Spot", "Überweisung zwischen Konten", "by hand"),
    ] {
        let reasons = reasons(&statement(account, operation, "-0.5"));
        assert!(matches!(reasons[..], [(2, reason)] if reason.contains(part)), "{operation}: {reasons:?}");
    }
}

#[test]
fn mistakes_name_column_and_remedy() {
    let text = "Date(UTC),Pair,Side,Price,Executed,Amount,Fee\n\
                01/03/2024 10:15,BTCUSDT,HOLD,\"1,2\",0.01,641,0.1\n\
                2024-03-01 10:15:30,ETHUSDT,BUY,60000,0.01BTC,641USDT,0BNB\n\
                2024-03-01 10:15:30,BTCUSDT,BUY,60000,0.01BTC,641USDT,0.02BTC\n\
                2024-03-01 10:15:30,BTCUSDT,BUY,60000,0.01BTC,\"6,41USDT\",0BNB\n\
                2024-03-01 10:15:30,BTCUSDT,BUY,60000,0.01BTC,641USDT,-0.1BNB\n\
                2008-03-01 10:15:30,BTCUSDT,BUY,60000,0.01BTC,641USDT,0BNB\n";
    let lines = lines(Format::Binance, text);
    assert_eq!(
        mistakes(&lines[0]),
        [
            ("Date(UTC)", "01/03/2024 10:15"),
            ("Side", "HOLD"),
            ("Price", "1,2"),
            ("Executed", "0.01"),
            ("Amount", "641"),
            ("Fee", "0.1"),
        ]
    );
    let others: Vec<_> = lines[1..].iter().flat_map(mistakes).collect();
    assert_eq!(
        others,
        [
            ("Pair", "ETHUSDT"),
            ("Executed", "-0.01"),
            ("Amount", "6,41USDT"),
            ("Fee", "-0.1"),
            ("Date(UTC)", "2008-03-01T10:15:30+00:00"),
        ]
    );
    assert!(first_mistake(&lines[0]).allowed.contains("a spreadsheet may have changed"));
    assert!(first_mistake(&lines[1]).allowed.contains("BTCUSDT"));
    assert_eq!(lines[5].number, 7);
}

#[test]
fn mistakes_in_other_layouts() {
    let newest = "Date(UTC),Pair,Base Asset,Quote Asset,Type,Price,Amount,Total,Fee,Fee Coin\n\
                  soon,BTC/USDT,,,HOLD,x,\"1,00\",,0.1,\n\
                  2025-12-25 14:00:15,BTC/USDT,BTC,USDT,BUY,1,0,1,0,\n";
    let newest = lines(Format::Binance, newest);
    assert_eq!(
        mistakes(&newest[0]),
        [
            ("Base Asset", ""),
            ("Quote Asset", ""),
            ("Date(UTC)", "soon"),
            ("Type", "HOLD"),
            ("Amount", "1,00"),
            ("Total", ""),
            ("Price", "x"),
            ("Fee Coin", ""),
        ]
    );
    assert_eq!(mistakes(&newest[1]), [("Amount", "0")]);
    let older = "Date(UTC),Market,Type,Price,Amount,Total,Fee,Fee Coin\n\
                 2018-02-03 04:05:06,BTCXYZ,SELL,1,,x,0.1,\n\
                 2018-02-03 04:05:06,USDT,SELL,1,1,1,0.1,BNB\n";
    let older = lines(Format::Binance, older);
    assert_eq!(mistakes(&older[0]), [("Market", "BTCXYZ"), ("Amount", ""), ("Total", "x"), ("Fee Coin", "")]);
    assert_eq!(mistakes(&older[1]), [("Market", "USDT")]);
    assert!(first_mistake(&older[1]).allowed.contains("FDUSD, USDT"));
    let statement = "User_ID,UTC_Time,Account,Operation,Coin,Change,Remark\n\
                     1,2024-01-10 08:00:00,Spot,Deposit,BTC,-1,\n\
                     1,2024-01-10,Spot,Withdraw,,1,\n\
                     1,never,Spot,Withdraw,BTC,-x,\n\
                     1,never,Spot,Binance Convert,,x,\n\
                     1,never,Spot,Distribution,,x,\n";
    let statement: Vec<Line> = lines(Format::Binance, statement);
    for line in &statement[3..] {
        assert_eq!(mistakes(line), [("UTC_Time", "never"), ("Coin", ""), ("Change", "x")]);
    }
    assert_eq!(mistakes(&statement[0]), [("Change", "-1")]);
    assert_eq!(mistakes(&statement[1]), [("Coin", ""), ("Change", "1")]);
    assert_eq!(mistakes(&statement[2]), [("UTC_Time", "never"), ("Change", "-x")]);
}
