//! Our own format.

use super::*;

pub(super) const SAMPLE: &str = "\
date,type,order_type,symbol,volume,price,value,currency,fee,fee_currency,source,source_id,note
2024-01-31T12:00:00Z,TRADE,BUY,BTC,0.5,42000,21000,EUR,10.5,EUR,binance,a-1,\"first, and best\"
2024-02-01 08:30:15,trade,sell,btc,0.25,44000,,usdt,0.001,bnb,,,
2024-02-02,,BUY,PEPE,1.5e6,1e-6,,,,,,,
2024-02-03T10:00:00+02:00,DEPOSIT,,ETH,2,,,,,,elsewhere,,'=1+1
2024-02-04,WITHDRAWAL,NONE,ETH,1,,,,0.01,ETH,,mine,
";

#[test]
fn every_field_is_read() {
    let read = entries(Format::Own, SAMPLE);
    let made_up: Vec<&str> = [1, 2, 3].map(|place: usize| read[place].source_id.as_deref().unwrap()).to_vec();
    assert!(made_up.iter().all(|name| name.len() == 16), "{made_up:?}");
    let buy = with_price(trade("2024-01-31T12:00:00Z", Order::Buy, "0.5", "BTC", "21000", "EUR"), "42000");
    let buy = with_note(with_fee(buy, "10.5", "EUR"), "first, and best");
    let sale = with_price(trade("2024-02-01T08:30:15Z", Order::Sell, "0.25", "BTC", "11000", "USDT"), "44000");
    let small = with_price(trade("2024-02-02T00:00:00Z", Order::Buy, "1500000", "PEPE", "1.5", "USD"), "0.000001");
    let deposit = with_note(transfer("2024-02-03T08:00:00Z", Kind::Deposit, "2", "ETH", "USD"), "=1+1");
    let withdrawal = with_fee(transfer("2024-02-04T00:00:00Z", Kind::Withdrawal, "1", "ETH", "USD"), "0.01", "ETH");
    assert_eq!(
        read,
        [
            named(of(buy, "binance"), "a-1"),
            named(of(with_fee(sale, "0.001", "BNB"), "csv"), made_up[0]),
            named(of(small, "csv"), made_up[1]),
            named(of(deposit, "elsewhere"), made_up[2]),
            named(withdrawal, "mine"),
        ]
    );
}

#[test]
fn a_header_in_another_order_and_with_fewer_columns_is_enough() {
    let text = "Volume , DATE,Symbol,type,Comment,Order_Type,Value\n1,2024-01-31,BTC,,mine,BUY,42000\n";
    let expected = trade("2024-01-31T00:00:00Z", Order::Buy, "1", "BTC", "42000", "USD");
    assert_eq!(unnamed(entries(Format::Own, text)), [of(expected, "csv")]);
    let short = "date,type,symbol,volume,order_type,value,note\n2024-01-31,DEPOSIT,BTC,1\n";
    assert_eq!(
        unnamed(entries(Format::Own, short)),
        [of(transfer("2024-01-31T00:00:00Z", Kind::Deposit, "1", "BTC", "USD"), "csv")]
    );
}

#[test]
fn all_mistakes_of_a_line_are_told() {
    let text = "date,type,order_type,symbol,volume,price,value,currency,fee\n\
                31.01.2024,GIFT,UP,,\"1,000.5\",x,1_0,EUR,0x1\n\
                2024-01-31,TRADE,,BTC,1,,42000,EUR,\n\
                2024-01-31,TRADE,BUY,BTC,-1,,42000,EUR,\n\
                2024-01-31,TRADE,BUY,BTC,1,,,EUR,\n\
                2027-01-31,TRADE,BUY,BTC,1,,42000,EUR,\n\
                2024-01-31,TRADE,BUY,BTC,,,42000,EUR,\n\
                2024-01-31,TRADE,BUY,B TC,1,,42000,EUR,\n";
    let lines = lines(Format::Own, text);
    assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 3, 4, 5, 6, 7, 8]);
    assert_eq!(
        mistakes(&lines[0]),
        [
            ("date", "31.01.2024"),
            ("type", "GIFT"),
            ("order_type", "UP"),
            ("symbol", ""),
            ("volume", "1,000.5"),
            ("price", "x"),
            ("value", "1_0"),
            ("fee", "0x1"),
        ]
    );
    let Outcome::Mistakes(first) = &lines[0].outcome else { panic!() };
    for (place, remedy) in
        [(0, "2024-01-31 12:00:00"), (1, "DEPOSIT"), (2, "BUY, SELL or NONE"), (4, "no commas between thousands")]
    {
        assert!(first[place].allowed.contains(remedy), "{:?}", first[place]);
    }
    assert_eq!(first[4].detail, "a number with commas may mean one thing or another");
    let others: Vec<_> = lines[1..].iter().flat_map(mistakes).collect();
    assert_eq!(
        others,
        [
            ("order_type", ""),
            ("volume", "-1"),
            ("value", ""),
            ("date", "2027-01-31T00:00:00+00:00"),
            ("volume", ""),
            ("symbol", "B TC"),
        ]
    );
}

#[test]
fn formulas_are_written_as_text_and_read_as_they_were() {
    for (text, written) in [
        ("=1+1", "'=1+1"),
        ("-x", "'-x"),
        ("@a", "'@a"),
        ("+b", "'+b"),
        ("\tc", "'\tc"),
        ("\rd", "\"'\rd\""),
        ("\ne", "\"'\ne\""),
        ("＝f", "'＝f"),
        ("＋g", "'＋g"),
        ("－h", "'－h"),
        ("＠i", "'＠i"),
        ("'＝j", "''＝j"),
        ("'=e", "''=e"),
        ("'quoted'", "'quoted'"),
        ("'", "'"),
        (" =f", " =f"),
        ("a=g", "a=g"),
        ("=\"h\",i", "\"'=\"\"h\"\",i\""),
    ] {
        let entry = with_note(named(trade("2024-01-31T12:00:00Z", Order::Buy, "1", "BTC", "5", "EUR"), "1"), text);
        let file = write([&entry]);
        let end = format!(",1,{written}\n");
        assert!(file.ends_with(&end), "{file:?}");
        assert_eq!(entries(Format::Own, &file), [entry]);
    }
    let code = named(trade("2024-01-31T12:00:00Z", Order::Buy, "1", "@BTC", "5", "=EUR"), "-1");
    let code = of(with_fee(code, "1", "+X"), "@home");
    let file = write([&code]);
    assert!(file.ends_with("\n2024-01-31T12:00:00Z,TRADE,BUY,'@BTC,1,,5,'=EUR,1,'+X,'@home,'-1,\n"), "{file:?}");
    assert_eq!(entries(Format::Own, &file), [code]);
}

#[test]
fn nothing_is_written_as_a_header() {
    let header = "date,type,order_type,symbol,volume,price,value,currency,fee,fee_currency,source,source_id,note\n";
    assert_eq!(write([]), header);
    assert_eq!(SAMPLE.lines().next(), Some(header.trim_end()));
}

#[test]
fn what_has_no_name_gets_one_and_keeps_it() {
    let by_hand = trade("2024-01-31T12:00:00Z", Order::Buy, "1", "BTC", "5", "EUR");
    let once = entries(Format::Own, &write([&by_hand, &by_hand, &of(by_hand.clone(), "elsewhere")]));
    assert_eq!(once.iter().map(|entry| entry.source.as_str()).collect::<Vec<_>>(), ["csv", "csv", "elsewhere"]);
    assert_eq!(names(&once)[1], format!("{}-2", names(&once)[0]));
    assert_ne!(names(&once)[2][..16], names(&once)[0][..16]);
    assert_eq!(entries(Format::Own, &write(&once)), once);
}

fn some_text(most: usize) -> impl Strategy<Value = String> {
    let letters = prop::char::range('\u{1}', '\u{2ff}');
    let dangerous = prop::sample::select(vec![
        '=', '+', '-', '@', '＝', '＋', '－', '＠', '\t', '\r', '\n', '\'', '"', ',', ' ', ';', 'é', '\u{feff}',
    ]);
    let letter = prop_oneof![dangerous, letters];
    prop::collection::vec(letter, 1..most)
        .prop_map(String::from_iter)
        .prop_filter("not only spaces", |text| !text.trim().is_empty())
}

fn amount() -> impl Strategy<Value = Decimal> {
    (1i64..1_000_000_000_000_000, 0u32..=18).prop_map(|(digits, scale)| Decimal::new(digits, scale))
}

fn some_entry() -> impl Strategy<Value = Entry> {
    let code = || "[-=+@＝＋－＠'A-Z0-9.é]{1,12}";
    let what = prop::sample::select(vec![
        (Kind::Trade, Order::Buy),
        (Kind::Trade, Order::Sell),
        (Kind::Deposit, Order::None),
        (Kind::Withdrawal, Order::None),
    ]);
    let numbers = (amount(), prop::option::of(amount()), amount(), prop::option::of(amount()));
    let texts = (prop::option::of(some_text(20)), some_text(40), prop::option::of(some_text(60)));
    let at = (1_230_940_800i64..1_790_000_000, prop_oneof![Just(0u32), 0u32..1_000_000_000]);
    (at, what, numbers, (code(), code(), prop::option::of(code())), texts).prop_map(
        |(at, what, numbers, codes, texts)| {
            let entry = Entry {
                at: DateTime::from_timestamp(at.0, at.1).unwrap(),
                symbol: codes.0.into(),
                kind: what.0,
                order: what.1,
                volume: numbers.0,
                price: numbers.1,
                value: Some(numbers.2),
                currency: codes.1.into(),
                fee: numbers.3.unwrap_or_default(),
                fee_currency: codes.2.map(SmolStr::from),
                source: texts.0.unwrap_or_default(),
                source_id: Some(texts.1),
                note: texts.2,
            };
            entry.checked(now()).unwrap()
        },
    )
}

proptest! {
    #[test]
    fn what_was_written_is_read(written in prop::collection::vec(some_entry(), 0..20)) {
        let file = write(&written);
        prop_assert_eq!(entries(Format::Own, &file), written);
        let cells = csv::Reader::from_reader(file.as_bytes()).into_records().map(Result::unwrap);
        for cell in cells.flat_map(|record| record.iter().map(str::to_owned).collect::<Vec<_>>()) {
            prop_assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']), "{:?}", cell);
        }
    }
}
