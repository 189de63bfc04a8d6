//! What Coinbase exports.

use super::*;

pub(super) const SAMPLE: &str = "\n\
Transactions
User,Somebody Invented,00000000-1111-2222-3333-444444444444
ID,Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,Price at Transaction,Subtotal,Total (inclusive of fees and/or spread),Fees and/or Spread,Notes
a01,2024-05-01 10:00:00 UTC,Buy,BTC,0.02,USD,\"$60,000.00\",\"$1,200.00\",\"$1,217.88\",$17.88,Bought 0.02 BTC for 1217.88 USD
a02,2024-05-02 10:00:00 UTC,Advanced Trade Buy,SOL,3.5,EUR,€140.12345678901234567890123456789012,€490.43,€493.37,€2.94,\"Bought 3.5 SOL, on SOL-EUR\"
a03,2024-05-03 10:00:00 UTC,Sell,BTC,-0.01,USD,$61000.00,-$610.00,-$600.90,$9.10,
a04,2024-05-04 10:00:00 UTC,Advanced Trade Sell,SOL,-1,EUR,€150,€150,€149,,Sold 1 SOL
a05,2024-05-05 10:00:00 UTC,Receive,ETH,0.5,CAD,CA$4000,CA$2000,CA$2000,CA$0.00,Received from outside
a06,2024-05-06 10:00:00 UTC,Deposit,USD,1000,USD,$1,$1000,$1000,$0.00,
a07,2024-05-07 10:00:00 UTC,Send,ETH,-0.25,USD,$3000,-$750.00,-$753.20,-$3.20,Sent
a08,2024-05-08 10:00:00 UTC,Withdrawal,USD,-100,USD,$1,-$100,-$100,$0.00,
a09,2024-05-09 10:00:00 UTC,Staking Income,ETH,0.0001,USD,$3000,$0.30,$0.40,$0.10,
a10,2024-05-10 10:00:00 UTC,Reward Income,USDC,0.5,USD,$1,$0.50,$0.50,$0.00,
a11,2024-05-11 10:00:00 UTC,Rewards Income,XTZ,0.03,USD,$2,$0.06,$0.06,$0.00,
a12,2024-05-12 10:00:00 UTC,Learning Reward,GRT,4,USD,$0.25,$1.00,$1.00,$0.00,
a13,2024-05-13 10:00:00 UTC,Inflation Reward,ALGO,0.1,USD,$0.20,$0.02,$0.02,$0.00,
a14,2024-05-14 10:00:00 UTC,Coinbase Earn,XLM,9,USD,,,,,Received 9 XLM from Coinbase Earn
a15,2024-05-15 10:00:00 UTC,Convert,BTC,-0.1,USD,$60000,$5940,$6000,$60,Converted 0.1 BTC to 2.05 ETH
a16,2024-05-16 10:00:00 UTC,Advance Trade Buy,SOL,2,EUR,€150,€300,€303,€3,
a17,2024-05-17 10:00:00 UTC,Advance Trade Sell,SOL,-2,EUR,€160,€320,€317,€3,
a18,2024-05-18 10:00:00 UTC,Incentives Rewards Payout,BTC,0.00001,USD,$60000,$0.60,$0.60,$0.00,
a19,2024-05-19 10:00:00 UTC,Interest payout,USDC,0.1,USD,$1,$0.10,$0.10,$0.00,
a20,2024-05-20 10:00:00 UTC,Subscription Rebate,BTC,0.00002,USD,$60000,$1.20,$1.20,$0.00,
a21,2024-05-21 10:00:00 UTC,Subscription Rebates (24 Hours),BTC,0.00003,USD,$60000,$1.80,$1.80,$0.00,
";

fn expected() -> Vec<Entry> {
    let at = |day: u32| format!("2024-05-{day:02}T10:00:00Z");
    let income = |day: u32, volume: &str, symbol: &str, note: &str| {
        with_note(trade(&at(day), Order::Buy, volume, symbol, "0", "USD"), note)
    };
    let buy = trade(&at(1), Order::Buy, "0.02", "BTC", "1200", "USD");
    let advanced = with_price(trade(&at(2), Order::Buy, "3.5", "SOL", "490.43", "EUR"), "140.123456789012345679");
    let sale = with_price(trade(&at(3), Order::Sell, "0.01", "BTC", "610", "USD"), "61000");
    let advanced_sale = with_price(trade(&at(4), Order::Sell, "1", "SOL", "150", "EUR"), "150");
    let send = transfer(&at(7), Kind::Withdrawal, "0.25", "ETH", "USD");
    let converted = |entry| with_note(entry, "Converted 0.1 BTC to 2.05 ETH");
    let given = with_price(trade(&at(15), Order::Sell, "0.1", "BTC", "6000", "USD"), "60000");
    let advance = trade(&at(16), Order::Buy, "2", "SOL", "300", "EUR");
    let advance_sale = trade(&at(17), Order::Sell, "2", "SOL", "320", "EUR");
    [
        named(with_note(with_price(with_fee(buy, "17.88", "USD"), "60000"), "Bought 0.02 BTC for 1217.88 USD"), "a01"),
        named(with_note(with_fee(advanced, "2.94", "EUR"), "Bought 3.5 SOL, on SOL-EUR"), "a02"),
        named(with_fee(sale, "9.1", "USD"), "a03"),
        named(with_note(with_fee(advanced_sale, "1", "EUR"), "Sold 1 SOL"), "a04"),
        named(with_note(transfer(&at(5), Kind::Deposit, "0.5", "ETH", "CAD"), "Received from outside"), "a05"),
        named(transfer(&at(6), Kind::Deposit, "1000", "USD", "USD"), "a06"),
        named(with_note(with_fee(send, "3.2", "USD"), "Sent"), "a07"),
        named(transfer(&at(8), Kind::Withdrawal, "100", "USD", "USD"), "a08"),
        named(income(9, "0.0001", "ETH", "Staking Income, worth 0.3 USD then"), "a09"),
        named(income(10, "0.5", "USDC", "Reward Income, worth 0.5 USD then"), "a10"),
        named(income(11, "0.03", "XTZ", "Rewards Income, worth 0.06 USD then"), "a11"),
        named(income(12, "4", "GRT", "Learning Reward, worth 1 USD then"), "a12"),
        named(income(13, "0.1", "ALGO", "Inflation Reward, worth 0.02 USD then"), "a13"),
        named(income(14, "9", "XLM", "Coinbase Earn: Received 9 XLM from Coinbase Earn"), "a14"),
        named(converted(with_fee(given, "60", "USD")), "a15-sale"),
        named(converted(trade(&at(15), Order::Buy, "2.05", "ETH", "5940", "USD")), "a15-purchase"),
        named(with_price(with_fee(advance, "3", "EUR"), "150"), "a16"),
        named(with_price(with_fee(advance_sale, "3", "EUR"), "160"), "a17"),
        named(income(18, "0.00001", "BTC", "Incentives Rewards Payout, worth 0.6 USD then"), "a18"),
        named(income(19, "0.1", "USDC", "Interest payout, worth 0.1 USD then"), "a19"),
        named(income(20, "0.00002", "BTC", "Subscription Rebate, worth 1.2 USD then"), "a20"),
        named(income(21, "0.00003", "BTC", "Subscription Rebates (24 Hours), worth 1.8 USD then"), "a21"),
    ]
    .map(|entry| of(entry, "coinbase"))
    .to_vec()
}

#[test]
fn every_type_is_read() {
    let lines = lines(Format::Coinbase, SAMPLE);
    assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), (5..26).collect::<Vec<_>>());
    assert_eq!(entries(Format::Coinbase, SAMPLE), expected());
}

#[test]
fn older_files_say_the_same() {
    let columns = |from: &str, to: &str, text: &str| text.replacen(from, to, 1);
    let older = columns("Price Currency,Price at", "Spot Price Currency,Spot Price at", SAMPLE);
    assert_eq!(entries(Format::Coinbase, &older), expected());
    let oldest = columns("fees and/or spread),Fees and/or Spread", "fees),Fees", &older);
    assert_eq!(entries(Format::Coinbase, &oldest), expected());
    let without_id: String = oldest
        .lines()
        .map(|line| match line.split_once(',') {
            Some((first, rest)) if first == "ID" || first.starts_with('a') => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let expected: Vec<Entry> = expected().into_iter().map(|entry| Entry { source_id: None, ..entry }).collect();
    let read = entries(Format::Coinbase, &without_id.replace(" 10:00:00 UTC", "T10:00:00Z"));
    assert!(names(&read)[14].ends_with("-sale") && names(&read)[15].ends_with("-purchase"), "{:?}", names(&read));
    assert_eq!(unnamed(read), expected);
}

fn with_lines(below: &str) -> Vec<Line> {
    let header = SAMPLE.lines().find(|line| line.starts_with("ID,")).unwrap();
    lines(Format::Coinbase, &format!("Transactions\n{header}\n{below}"))
}

#[test]
fn the_purchase_costs_what_the_sale_brought() {
    // All three occur: a fee in the total alone, none, and an older form in which the total is the smaller one.
    for (amounts, worth, fee) in [
        ("€338.92,€351.66,", "351.66", "12.74"),
        ("€338.92,,", "338.92", "0"),
        ("2.19,1.75,0.44", "2.19", "0.44"),
        ("€10,,€1", "11", "1"),
    ] {
        let line =
            format!("b1,2024-05-15 10:00:00 UTC,Convert,BTC,0.1,EUR,€1,{amounts},Converted 0.1 BTC to 2.05 ETH\n");
        let Outcome::Entries(both) = with_lines(&line).remove(0).outcome else { panic!("{line}") };
        let [sale, purchase] = &both[..] else { panic!("{both:?}") };
        assert_eq!((sale.value, sale.fee), (Some(number(worth)), number(fee)));
        assert_eq!(purchase.value, Some(number(worth) - number(fee)));
        assert_eq!(purchase.fee, Decimal::ZERO);
    }
}

#[test]
fn notes_may_have_commas_before_decimals() {
    for (quantity, note, bought) in [
        ("0.00093652", "Converted 0,00093652 BTC to 0,02823531 ETH", Some("0.02823531")),
        ("0.5", "Converted 0,5 BTC to 1,234 ETH", Some("1.234")),
        ("1234.5", "Converted 1.234,5 BTC to 2 ETH", Some("2")),
        ("1234.5", "Converted 1,234.5 BTC to 1,234 ETH", Some("1234")),
        ("0.5", "Converted 0.5 BTC to 0,5 ETH", None),
        ("0.5", "Converted 0.5 SOL to 0.5 ETH", None),
        ("0.5", "Converted 0.5 BTC", None),
        ("0.5", "Sold 0.5 BTC to 0.5 ETH", None),
    ] {
        let line = format!("b1,2024-05-15 10:00:00 UTC,Convert,BTC,{quantity},EUR,€1,€10,€10,€0,\"{note}\"\n");
        let line = with_lines(&line).remove(0);
        match bought {
            Some(bought) => {
                let Outcome::Entries(both) = line.outcome else { panic!("{note}") };
                assert_eq!((both[0].volume, both[1].volume), (number(quantity), number(bought)), "{note}");
            }
            None => {
                assert_eq!(mistakes(&line), [("Notes", note)]);
                assert!(first_mistake(&line).allowed.starts_with("Converted 0.1 BTC to 1.5 ETH"), "{line:?}");
            }
        }
    }
}

/// What is read from lines below the present header.
fn entries_of(below: &str) -> Vec<Entry> {
    let present = "ID,Timestamp,Transaction Type,Asset,Quantity Transacted,Price Currency,Price at Transaction,Subtotal,Total (inclusive of fees and/or spread),Fees and/or Spread,Notes,Sender Address,Recipient Address";
    entries(Format::Coinbase, &format!("\nTransactions\nUser,Somebody Invented,0\n{present}\n{below}"))
}

fn reason(line: &Line) -> &'static str {
    let Outcome::Skipped(reason) = line.outcome else { panic!("{line:?}") };
    reason
}

fn side(order: Order, volume: &str, symbol: &str, value: &str, name: &str) -> Entry {
    of(named(trade("2026-01-24T22:14:05Z", order, volume, symbol, value, "USD"), name), "coinbase")
}

const AT: &str = "2026-01-24 22:14:05 UTC";

#[test]
fn two_lines_without_notes_tell_one_side_each() {
    let sold = format!("d1,{AT},Convert,BTC,-0.1,USD,$6000,$600.00,$600.00,$0.00,,,\n");
    let bought = format!("d1,{AT},Convert,ETH,0.25,USD,$2320,$580.00,$600.00,$20.00,,,\n");
    let sale = with_price(side(Order::Sell, "0.1", "BTC", "600", "d1-sale"), "6000");
    let purchase = with_price(with_fee(side(Order::Buy, "0.25", "ETH", "580", "d1-purchase"), "20", "USD"), "2320");
    assert_eq!(entries_of(&format!("{sold}{bought}")), [sale.clone(), purchase.clone()]);
    assert_eq!(entries_of(&format!("{bought}{sold}")), [purchase, sale]);
    // Without an ID each line has a name of its own.
    let without_id = entries_of(&format!("{sold}{bought}").replace("d1,", ","));
    let [sale, purchase] = names(&without_id)[..] else { panic!("{without_id:?}") };
    assert!(sale.ends_with("-sale") && purchase.ends_with("-purchase"), "{sale}, {purchase}");
}

#[test]
fn two_lines_with_notes_are_told_by_the_one_of_what_was_sold() {
    for note in ["Converted 0.1 BTC to 0.25 ETH", "converted 0.1 btc to 0.25 eth", "\"Converted 0,1 BTC to 0,25 ETH\""]
    {
        let sold = format!("d1,{AT},Convert,BTC,-0.1,USD,$6000,$580.00,$600.00,$20.00,{note}\n");
        let bought = format!("d1,{AT},Convert,ETH,0.25,USD,$2320,$580.00,$600.00,$20.00,{note}\n");
        for (text, place) in [(format!("{sold}{bought}"), 1), (format!("{bought}{sold}"), 0)] {
            let mut lines = with_lines(&text);
            assert!(reason(&lines.remove(place)).starts_with("the line of what was sold"), "{note}");
            let Outcome::Entries(both) = lines.remove(0).outcome else { panic!("{note}") };
            assert_eq!(names(&both), ["d1-sale", "d1-purchase"]);
            assert_eq!((both[0].volume, both[1].volume), (number("0.1"), number("0.25")));
            assert_eq!((both[0].value, both[0].fee), (Some(number("600")), number("20")));
            assert_eq!((both[1].value, both[1].fee), (Some(number("580")), Decimal::ZERO));
        }
    }
}

#[test]
fn the_same_conversion_has_the_same_names_in_every_export() {
    let named = |text: &str| names(&entries_of(text)).iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let rest = "USD,$1,$580,$600,$20";
    let note = "Converted 0.1 BTC to 0.25 ETH";
    let older = format!("d1,{AT},Convert,BTC,0.1,{rest},{note},,\n");
    let noted = format!("d1,{AT},Convert,ETH,0.25,{rest},{note},,\nd1,{AT},Convert,BTC,-0.1,{rest},{note},,\n");
    let bare = format!("d1,{AT},Convert,BTC,-0.1,{rest},,,\nd1,{AT},Convert,ETH,0.25,{rest},,,\n");
    let expected = ["d1-sale", "d1-purchase"];
    assert_eq!([named(&older), named(&noted), named(&bare)], [expected, expected, expected]);
    // Of all in one file, only these two are written.
    let mut all = named(&format!("{older}{bare}{noted}"));
    all.sort();
    all.dedup();
    assert_eq!(all, ["d1-purchase", "d1-sale"]);
    // Whichever side is missing, the other is called the same.
    let money = |text: &str| text.replace("BTC", "USDC");
    assert_eq!([named(&money(&older)), named(&money(&noted)), named(&money(&bare))], [["d1-purchase"]; 3]);
    let money = |text: &str| text.replace("ETH", "USDC");
    assert_eq!([named(&money(&older)), named(&money(&noted)), named(&money(&bare))], [["d1-sale"]; 3]);
}

#[test]
fn a_note_that_says_nothing_leaves_it_to_the_sign() {
    let line = |quantity: &str, asset: &str, note: &str| {
        let line = format!("d1,{AT},Convert,{asset},{quantity},USD,$6000,$590,$600,$10,{note}\n");
        with_lines(&line).remove(0)
    };
    for note in ["", "Converted BTC to MATIC", "Converted 5 SOL to 6 ETH", "something else"] {
        let Outcome::Entries(sale) = line("-0.1", "BTC", note).outcome else { panic!("{note}") };
        let [sale] = &sale[..] else { panic!("{sale:?}") };
        assert_eq!((sale.order, sale.source_id.as_deref()), (Order::Sell, Some("d1-sale")));
        assert_eq!((sale.volume, sale.value, sale.fee), (number("0.1"), Some(number("600")), number("10")));
        assert!(reason(&line("-100", "USDC", note)).starts_with("money of a conversion"), "{note}");
        // Older exports have no minus before what was sold.
        if !note.is_empty() {
            for asset in ["BTC", "USDC"] {
                let line = line("0.1", asset, note);
                assert_eq!(mistakes(&line), [("Notes", note)]);
                assert!(first_mistake(&line).allowed.ends_with("or nothing, where so much was bought"));
            }
        }
    }
    let Outcome::Entries(purchase) = line("0.1", "BTC", "").outcome else { panic!() };
    assert_eq!(
        (purchase[0].order, purchase[0].value, purchase[0].fee),
        (Order::Buy, Some(number("590")), number("10"))
    );
    assert_eq!(mistakes(&line("0", "BTC", "")), [("Quantity Transacted", "0")]);
    let empty = with_lines(&format!("d1,{AT},Convert,BTC,-0.1,USD,$1,,$1,$0,\n")).remove(0);
    assert_eq!(mistakes(&empty), [("Subtotal", "")]);
    let twice = with_lines(&format!("d1,{AT},Convert,BTC,-0.1,USD,$1,,$1,$0,Converted 0.1 BTC to x ETH\n")).remove(0);
    assert_eq!(mistakes(&twice), [("Subtotal", ""), ("Notes", "Converted 0.1 BTC to x ETH")]);
}

#[test]
fn of_a_conversion_of_money_the_coin_is_counted() {
    let told = |entry: Entry, note: &str| if note.is_empty() { entry } else { with_note(entry, note) };
    // As people show them: what was sold is worth the larger amount, whichever that is.
    for (text, note, volume, value, fee) in [
        (
            "d1,{AT},Convert,USDC,-100,USD,$1.00,$98.90878,$97.08886,-$1.81992152988,Converted 100 USDC to 0.778610688 SOL,,\n",
            "Converted 100 USDC to 0.778610688 SOL",
            "0.778610688",
            "97.08886",
            "1.81992",
        ),
        (
            "d1,{AT},Convert,SOL,0.6,USD,$89.345925,$75.40,$77.58,$2.18,,,\nd1,{AT},Convert,USDC,-77.589329,USD,$1.00,$77.58,$77.58,$0.00,,,\n",
            "",
            "0.6",
            "75.4",
            "2.18",
        ),
    ] {
        let purchase = told(with_fee(side(Order::Buy, volume, "SOL", value, "d1-purchase"), fee, "USD"), note);
        let read = entries_of(&text.replace("{AT}", AT));
        assert_eq!(read.iter().map(|entry| Entry { price: None, ..entry.clone() }).collect::<Vec<_>>(), [purchase]);
    }
    let sold =
        "d1,{AT},Convert,BNB,-0.1,USD,$846.37,$84.62200,$83.77578,-$0.84622,Converted 0.1 BNB to 83.77578 USDC,,\n";
    let sale = with_price(with_fee(side(Order::Sell, "0.1", "BNB", "84.622", "d1-sale"), "0.84622", "USD"), "846.37");
    assert_eq!(entries_of(&sold.replace("{AT}", AT)), [with_note(sale, "Converted 0.1 BNB to 83.77578 USDC")]);
    for note in ["Converted 100 USDC to 92 EUR", ""] {
        let lines = with_lines(&format!(
            "d1,{AT},Convert,USDC,-100,USD,$1,$100,$100,$0,{note}\nd1,{AT},Convert,EUR,92,USD,$1.08,$100,$100,$0,{note}\n"
        ));
        assert!(reason(&lines[0]).starts_with("money") && reason(&lines[1]).contains("conversion"), "{lines:?}");
    }
}

#[test]
fn money_that_is_bought_or_sold_for_money_is_left_out() {
    for word in ["Buy", "Sell", "Advanced Trade Buy", "Advanced Trade Sell", "Advance Trade Buy"] {
        for (asset, currency) in [("USDC", "EUR"), ("usdt", "USD"), ("EURC", "USDC"), ("EUR", "GBP")] {
            let line = format!("d1,{AT},{word},{asset},100,{currency},$1,$100,$101,$1,Bought 100 USDC for 101 EUR\n");
            assert!(reason(&with_lines(&line)[0]).starts_with("money was exchanged for money"), "{line}");
        }
    }
}

#[test]
fn a_coin_that_is_priced_in_a_coin_is_booked_on_both_sides() {
    let of_bitcoin = |entry: Entry| Entry { currency: "BTC".into(), ..entry };
    let buy = format!("d1,{AT},Advanced Trade Buy,ETH,20,BTC,0.05,1,1.002,0.002,,,\n");
    let main = with_fee(with_price(side(Order::Buy, "20", "ETH", "1", "d1-purchase"), "0.05"), "0.002", "BTC");
    let other = side(Order::Sell, "1.002", "BTC", "1.002", "d1-sale");
    assert_eq!(entries_of(&buy), [of_bitcoin(other), of_bitcoin(main)]);
    let sell = format!("d1,{AT},Advanced Trade Sell,ETH,-20,BTC,0.05,-1,-0.998,0.002,,,\n");
    let main = with_fee(with_price(side(Order::Sell, "20", "ETH", "1", "d1-sale"), "0.05"), "0.002", "BTC");
    let other = side(Order::Buy, "0.998", "BTC", "0.998", "d1-purchase");
    assert_eq!(entries_of(&sell), [of_bitcoin(main), of_bitcoin(other)]);
    // Priced in USDC, only the coin counts.
    let buy = format!("d1,{AT},Advanced Trade Buy,ETH,20,USDC,5,100,101,1,,,\n");
    assert_eq!(names(&entries_of(&buy)), ["d1"]);
}

#[test]
fn the_note_tells_for_which_coin_one_was_traded() {
    let noted = "Bought 0.5 ETH for 0.0201 BTC on ETH-BTC at 0.04 BTC/ETH";
    let buy = format!("d1,{AT},Advanced Trade Buy,ETH,0.5,USD,$2000,$1000,$1004,$4,");
    let main = with_fee(with_price(side(Order::Buy, "0.5", "ETH", "1000", "d1"), "2000"), "4", "USD");
    let other = side(Order::Sell, "0.0201", "BTC", "1004", "d1-sale");
    assert_eq!(entries_of(&format!("{buy}{noted},,\n")), [with_note(other, noted), with_note(main.clone(), noted)]);
    let noted_sale = "Sold 0.5 ETH for 0.0199 BTC on ETH-BTC at 0.04 BTC/ETH";
    let sell = format!("d1,{AT},Advanced Trade Sell,ETH,-0.5,USD,$2000,-$1000,-$996,$4,{noted_sale},,\n");
    let sale = with_fee(with_price(side(Order::Sell, "0.5", "ETH", "1000", "d1"), "2000"), "4", "USD");
    let other = side(Order::Buy, "0.0199", "BTC", "996", "d1-purchase");
    assert_eq!(entries_of(&sell), [with_note(sale, noted_sale), with_note(other, noted_sale)]);
    let with_comma = "\"Bought 0,5 ETH for 0,0201 BTC on ETH-BTC\"";
    assert_eq!(entries_of(&format!("{buy}{with_comma},,\n"))[0].volume, number("0.0201"));
    // Without such a note there is only the coin of the line, called the same.
    for note in [
        "",
        "Bought 0.5 ETH for 1004 USDC on ETH-USDC at 2000 USDC/ETH",
        "Bought 0.5 ETH for $1004.00 USD on ETH-BTC",
        "Bought 0.5 ETH for 0.0201 BTC on ETH-EUR",
        "Bought 0.5 SOL for 0.0201 BTC on SOL-BTC",
        "Bought 0.5 ETH for some BTC on ETH-BTC",
        "Bought 0.5 ETH for 0.0 BTC on ETH-BTC",
        "Sold 0.5 ETH for 0.0201 BTC on ETH-BTC",
        "Bought 0.5 ETH for 1004 USD",
    ] {
        let alone = if note.is_empty() { main.clone() } else { with_note(main.clone(), note) };
        assert_eq!(entries_of(&format!("{buy}{note},,\n")), [alone], "{note}");
    }
    let dust = format!("d1,{AT},Advanced Trade Sell,ETH,-0.5,USD,$1,$1,$0,$4,{noted_sale},,\n");
    assert_eq!(entries_of(&dust)[1].value, Some(Decimal::ZERO));
}

#[test]
fn what_is_left_out_says_why() {
    for (word, part) in [
        ("Exchange Deposit", "changed their place"),
        ("Exchange Withdrawal", "changed their place"),
        ("Pro Deposit", "changed their place"),
        ("pro withdrawal", "changed their place"),
        ("Retail Staking Transfer", "changed their place"),
        ("Retail Unstaking Transfer", "changed their place"),
        ("Vault Withdrawal", "changed their place"),
        ("Card Spend", "not known"),
        ("Asset Migration", "not known"),
    ] {
        // What else such a line says does not matter.
        for rest in ["BTC,0.1,USD,$1,$1,$1,$0,", ",x,,,,,,"] {
            let line = with_lines(&format!("c1,2024-05-15 10:00:00 UTC,{word},{rest}\n")).remove(0);
            assert!(matches!(line.outcome, Outcome::Skipped(reason) if reason.contains(part)), "{line:?}");
        }
    }
}

#[test]
fn mistakes_name_column_and_remedy() {
    let lines = with_lines(
        "c1,yesterday,,,x,,$1.2.3,\"1,2\",-,$5\n\
         c3,2024-05-15 10:00:00 UTC,Buy,BTC,0.1,USD,$1,,$1,$0,\n\
         c4,2024-05-15 10:00:00 UTC,Buy,BTC,-0.1,USD,$1,$1,$1,$0,\n",
    );
    assert_eq!(
        mistakes(&lines[0]),
        [
            ("Transaction Type", ""),
            ("Timestamp", "yesterday"),
            ("Asset", ""),
            ("Price Currency", ""),
            ("Quantity Transacted", "x"),
            ("Price at Transaction", "$1.2.3"),
            ("Subtotal", "1,2"),
            ("Total (inclusive of fees and/or spread)", "-"),
        ]
    );
    assert_eq!((lines[1].number, mistakes(&lines[1])), (4, vec![("Subtotal", "")]));
    assert_eq!(mistakes(&lines[2]), [("Quantity Transacted", "-0.1")]);
}
