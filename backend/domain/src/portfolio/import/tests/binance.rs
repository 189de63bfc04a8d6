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
";

#[test]
fn trades_are_read() {
    let kept = |fee: &str, coin: &str, of: &str| format!("{fee} {coin} of {of} were kept as the fee");
    let buy = trade("2024-03-01T10:15:30Z", Order::Buy, "0.01", "BTC", "641.205", "USDT");
    let less = trade("2024-03-02T11:00:00Z", Order::Buy, "0.999", "ETH", "3400", "USDT");
    let sale = trade("2024-03-03T12:00:00Z", Order::Sell, "0.005", "BTC", "325", "USDT");
    let digits = trade("2024-03-04T13:00:00Z", Order::Buy, "9.99", "1INCH", "5", "USDT");
    let pair = trade("2024-03-05T14:00:00Z", Order::Sell, "2", "ETH", "0.1", "BTC");
    let apart = trade("2024-03-06T15:00:00Z", Order::Buy, "1", "SOL", "100", "EUR");
    let expected = [
        with_price(with_fee(buy, "0.0012", "BNB"), "64120.5"),
        with_price(with_note(less, &kept("0.001", "ETH", "1")), "3400"),
        with_price(with_fee(sale, "0.325", "USDT"), "65000"),
        with_price(with_note(digits, &kept("0.01", "1INCH", "10")), "0.5"),
        with_price(with_fee(pair, "0.002", "ETH"), "0.05"),
        with_price(apart, "100"),
    ];
    assert_eq!(unnamed(entries(Format::Binance, TRADES)), expected.map(|entry| of(entry, "binance")));
}

#[test]
fn older_trades_are_read() {
    let sale = trade("2018-02-03T04:05:06Z", Order::Sell, "299", "TRX", "0.0026611", "BTC");
    let less = trade("2018-02-04T04:05:06Z", Order::Buy, "0.04995", "BTC", "571.31", "USDT");
    let money = trade("2018-02-05T04:05:06Z", Order::Buy, "10", "USDT", "40", "TRY");
    let long = trade("2018-02-06T04:05:06Z", Order::Buy, "1", "BNB", "300", "FDUSD");
    let expected = [
        with_price(with_fee(sale, "0.00081795", "BNB"), "0.0000089"),
        with_price(with_note(less, "0.00005 BTC of 0.05 were kept as the fee"), "11426.2"),
        with_price(money, "4"),
        with_price(with_fee(long, "0.3", "FDUSD"), "300"),
    ];
    assert_eq!(unnamed(entries(Format::Binance, OLDER)), expected.map(|entry| of(entry, "binance")));
}

#[test]
fn of_the_statement_only_transfers_are_read() {
    let deposit = transfer("2024-01-10T08:00:00Z", Kind::Deposit, "0.25", "BTC", "USD");
    let withdrawal = transfer("2024-01-12T09:30:00Z", Kind::Withdrawal, "1.5", "ETH", "USD");
    let expected = [deposit, with_note(withdrawal, "Withdraw fee is included")].map(|entry| of(entry, "binance"));
    assert_eq!(unnamed(entries(Format::Binance, STATEMENT)), expected);
    let newer = STATEMENT.replace("User_ID,UTC_Time", "User ID,Time");
    assert_eq!(entries(Format::Binance, &newer), entries(Format::Binance, STATEMENT));
    let skipped: Vec<_> = lines(Format::Binance, STATEMENT)
        .into_iter()
        .filter_map(|line| match line.outcome {
            Outcome::Skipped(reason) => Some((line.number, reason)),
            _ => None,
        })
        .collect();
    assert_eq!(skipped.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [3, 4]);
    assert!(skipped.iter().all(|(_, reason)| reason.contains("history of spot trades")), "{skipped:?}");
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
fn mistakes_in_older_trades_and_in_the_statement() {
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
                     1,never,Spot,Withdraw,BTC,-x,\n";
    let statement: Vec<Line> = lines(Format::Binance, statement);
    assert_eq!(mistakes(&statement[0]), [("Change", "-1")]);
    assert_eq!(mistakes(&statement[1]), [("Coin", ""), ("Change", "1")]);
    assert_eq!(mistakes(&statement[2]), [("UTC_Time", "never"), ("Change", "-x")]);
}
