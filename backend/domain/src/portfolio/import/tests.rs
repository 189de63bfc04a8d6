//! Files as people have them, though nobody's.

mod binance;
mod coinbase;
mod kraken;
mod money;
mod own;

use proptest::prelude::*;
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::*;
use crate::portfolio::{Kind, Order};

fn moment(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc()
}

fn now() -> DateTime<Utc> {
    moment("2026-10-01T00:00:00Z")
}

fn number(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn lines(format: Format, text: &str) -> Vec<Line> {
    read(format, text, "USD", now()).unwrap()
}

/// The entries of a file in which all lines can be read or are skipped.
fn entries(format: Format, text: &str) -> Vec<Entry> {
    let of_line = |line: Line| match line.outcome {
        Outcome::Entries(entries) => entries,
        Outcome::Skipped(_) => Vec::new(),
        Outcome::Mistakes(mistakes) => panic!("line {}: {mistakes:?}", line.number),
    };
    lines(format, text).into_iter().flat_map(of_line).collect()
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.source_id.as_deref().unwrap()).collect()
}

/// The same without made-up names, each of which must look like one.
fn unnamed(entries: Vec<Entry>) -> Vec<Entry> {
    let unnamed = |entry: Entry| {
        let name = entry.source_id.as_deref().unwrap();
        assert!(name.len() >= 16 && name[..16].bytes().all(|byte| byte.is_ascii_hexdigit()), "{name}");
        Entry { source_id: None, ..entry }
    };
    entries.into_iter().map(unnamed).collect()
}

/// What is wrong in a line: column, and what stands there.
fn mistakes(line: &Line) -> Vec<(&str, &str)> {
    let Outcome::Mistakes(mistakes) = &line.outcome else { panic!("line {} has no mistakes: {line:?}", line.number) };
    mistakes.iter().map(|mistake| (mistake.field.as_str(), mistake.value.as_str())).collect()
}

fn first_mistake(line: &Line) -> &LineMistake {
    let Outcome::Mistakes(mistakes) = &line.outcome else { panic!("line {} has no mistakes: {line:?}", line.number) };
    &mistakes[0]
}

/// A trade without price, fee and note.
fn trade(at: &str, order: Order, volume: &str, symbol: &str, value: &str, currency: &str) -> Entry {
    Entry {
        at: moment(at),
        symbol: symbol.into(),
        kind: Kind::Trade,
        order,
        volume: number(volume),
        price: None,
        value: Some(number(value)),
        currency: currency.into(),
        fee: Decimal::ZERO,
        fee_currency: None,
        source: String::new(),
        source_id: None,
        note: None,
    }
}

fn transfer(at: &str, kind: Kind, volume: &str, symbol: &str, currency: &str) -> Entry {
    Entry { kind, value: None, ..trade(at, Order::None, volume, symbol, "0", currency) }
}

fn with_fee(entry: Entry, fee: &str, currency: &str) -> Entry {
    Entry { fee: number(fee), fee_currency: Some(SmolStr::new(currency)), ..entry }
}

fn with_price(entry: Entry, price: &str) -> Entry {
    Entry { price: Some(number(price)), ..entry }
}

fn with_note(entry: Entry, note: &str) -> Entry {
    Entry { note: Some(note.to_owned()), ..entry }
}

fn of(entry: Entry, source: &str) -> Entry {
    Entry { source: source.to_owned(), ..entry }
}

fn named(entry: Entry, name: &str) -> Entry {
    Entry { source_id: Some(name.to_owned()), ..entry }
}

const SAMPLES: [(Format, &str); 8] = [
    (Format::Own, own::SAMPLE),
    (Format::Binance, binance::TRADES),
    (Format::Binance, binance::NEWEST),
    (Format::Binance, binance::OLDER),
    (Format::Binance, binance::STATEMENT),
    (Format::Coinbase, coinbase::SAMPLE),
    (Format::Kraken, kraken::TRADES),
    (Format::Kraken, kraken::LEDGER),
];

#[test]
fn words_and_headers_tell_the_format() {
    for format in Format::ALL {
        assert_eq!(Format::parse(&format.as_str().to_uppercase()), Some(format));
    }
    assert_eq!(Format::parse("bitstamp"), None);
    for (format, sample) in SAMPLES {
        assert_eq!(Format::recognise(sample), Some(format), "{sample}");
    }
    for (format, header) in [
        (Format::Own, "\u{feff}VOLUME, symbol ,Date,\"type\""),
        (Format::Binance, "\"Date(UTC)\",\"Pair\",\"Side\",\"Price\",\"Executed\",\"Amount\",\"Fee\""),
        (Format::Binance, "User ID,Time,Account,Operation,Coin,Change,Remark"),
        (
            Format::Coinbase,
            "Timestamp,Transaction Type,Asset,Quantity Transacted,Spot Price Currency,Spot Price at Transaction,Subtotal,Total (inclusive of fees),Fees,Notes",
        ),
        (
            Format::Kraken,
            r#""txid","refid","time","type","subtype","aclass","subclass","asset","wallet","amount","fee","balance""#,
        ),
    ] {
        assert_eq!(Format::recognise(header), Some(format), "{header}");
    }
    for header in ["", "\n\n", "date,type,symbol", "time,type,symbol,volume", "Pair,Side,Price"] {
        assert_eq!(Format::recognise(header), None, "{header}");
    }
}

#[test]
fn how_a_file_is_saved_does_not_matter() {
    for (format, sample) in SAMPLES {
        let expected = lines(format, sample);
        assert!(expected.len() > 2);
        let without_end = sample.trim_end_matches('\n');
        for saved in [
            format!("\u{feff}{sample}"),
            sample.replace('\n', "\r\n"),
            sample.replace('\n', "\r"),
            without_end.to_owned(),
        ] {
            assert_eq!(lines(format, &saved), expected, "{saved:?}");
        }
        let with_gaps = lines(format, &sample.replace('\n', "\n\n,,,\n"));
        assert_eq!(with_gaps.len(), expected.len());
        for (line, expected) in with_gaps.iter().zip(&expected) {
            assert_eq!((line.number, &line.outcome), (3 * expected.number - 2, &expected.outcome));
        }
    }
}

#[test]
fn names_do_not_depend_on_the_order_of_lines_or_on_what_else_there_is() {
    for (format, sample) in SAMPLES {
        let begin = sample.lines().position(|line| Format::recognise(line).is_some()).unwrap() + 1;
        let (above, records): (Vec<&str>, Vec<&str>) =
            (sample.lines().take(begin).collect(), sample.lines().skip(begin).collect());
        let of = |records: &[&str]| {
            let read = entries(format, &format!("{}\n{}\n", above.join("\n"), records.join("\n")));
            let mut names: Vec<String> = names(&read).into_iter().map(str::to_owned).collect();
            names.sort_unstable();
            names
        };
        let all = of(&records);
        let mut different = all.clone();
        different.dedup();
        assert_eq!(all, different);
        assert_eq!(of(&records), all);
        assert_eq!(of(&records.iter().rev().copied().collect::<Vec<_>>()), all);
        let earlier = of(&records[..records.len() / 2]);
        assert!(!earlier.is_empty() && earlier.len() < all.len());
        assert!(earlier.iter().all(|name| all.contains(name)), "{earlier:?} {all:?}");
    }
}

#[test]
fn records_that_say_the_same_are_told_apart() {
    let header = "Date(UTC),Pair,Side,Price,Executed,Amount,Fee\n";
    let line = "2024-03-01 10:00:00,BTCUSDT,BUY,60000,0.1BTC,6000USDT,0BNB\n";
    let thrice = entries(Format::Binance, &[header, line, line, line].concat());
    // Written down here so that names stay the same from version to version.
    assert_eq!(names(&thrice), ["41d8cbef18208cfa", "41d8cbef18208cfa-2", "41d8cbef18208cfa-3"]);
    let spaced = entries(Format::Binance, &[header, &line.replace(',', " , ")].concat());
    assert_eq!(names(&spaced), ["41d8cbef18208cfa"]);
    let others = "Fee,Amount,Executed,Price,Side,Pair,Date(UTC),Order\n0BNB,6000USDT,0.1BTC,60000,BUY,BTCUSDT,2024-03-01 10:00:00,7\n";
    assert_eq!(names(&entries(Format::Binance, others)), ["41d8cbef18208cfa"]);
}

#[test]
fn names_do_not_depend_on_spelling() {
    let header = "Date(UTC),Pair,Side,Price,Executed,Amount,Fee\n";
    let of = |line: &str| names(&entries(Format::Binance, &format!("{header}{line}\n")))[0].to_owned();
    let name = of("2024-03-04 10:00:00,BTCUSDT,BUY,64120.5,0.01BTC,6412.05USDT,0.001BNB");
    for same in [
        "24-03-04 10:00:00,BTCUSDT,BUY,64120.5,0.01BTC,6412.05USDT,0.001BNB",
        "2024-03-04T10:00:00Z,BTCUSDT,BUY,64120.50,0.01BTC,6412.05USDT,0.001BNB",
        "2024-03-04 10:00,BTCUSDT,BUY,\"64,120.5\",0.01BTC,\"6,412.05USDT\",0.001BNB",
        "2024-03-04 10:00:00.000,BTCUSDT,BUY,\"64,120.5000000000\",0.0100000000BTC,6412.05000000USDT,.0010BNB",
    ] {
        assert_eq!(of(same), name, "{same}");
    }
    for other in [
        "2024-03-04 10:00:01,BTCUSDT,BUY,64120.5,0.01BTC,6412.05USDT,0.001BNB",
        "2024-03-04 10:00:00.001,BTCUSDT,BUY,64120.5,0.01BTC,6412.05USDT,0.001BNB",
        "2024-03-04 10:00:00,BTCUSDT,SELL,64120.5,0.01BTC,6412.05USDT,0.001BNB",
        "2024-03-04 10:00:00,BTCUSDT,BUY,64120.51,0.01BTC,6412.05USDT,0.001BNB",
        "2024-03-04 10:00:00,BTCUSDT,BUY,64120.5,0.1BTC,6412.05USDT,0.001BNB",
        "2024-03-04 10:00:00,BTCUSDT,BUY,64120.5,0.01BTC,6412.05USDT,0.001BTC",
    ] {
        assert_ne!(of(other), name, "{other}");
    }
    let own = |line: &str| {
        let text = format!("date,type,symbol,volume,order_type,value,note\n{line}\n");
        names(&entries(Format::Own, &text))[0].to_owned()
    };
    assert_eq!(own("2024-03-04,TRADE,BTC,1e-2,BUY,500,"), own("2024-03-04T01:00:00+01:00,TRADE,BTC,0.010,BUY,500.0,"));
    // Words stay as they are.
    assert_ne!(own("2024-03-04,TRADE,BTC,1,BUY,5,Buy"), own("2024-03-04,TRADE,BTC,1,BUY,5,buy"));
    assert_ne!(own("2024-03-04,TRADE,BTC,1,BUY,5,\"1,5\""), own("2024-03-04,TRADE,BTC,1,BUY,5,15"));
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let why = |format, text: &str| read(format, text, "USD", now()).unwrap_err().to_string();
    for text in ["", "\u{feff}", " \r\n\n"] {
        assert_eq!(why(Format::Own, text), "the file is empty");
    }
    assert_eq!(
        why(Format::Own, "Date,Symbol,Volume\n"),
        "the file has no header of the format own: the column type is missing"
    );
    let cut = "Date(UTC),Pair,Side,Price,Executed\n2024-03-01 10:00:00,BTCUSDT,BUY,60000,0.1BTC\n";
    assert_eq!(
        why(Format::Binance, cut),
        "the file has no header of the format binance: the columns Amount, Fee are missing"
    );
    let other = why(Format::Coinbase, kraken::LEDGER);
    assert!(other.ends_with("are missing; it is a file of the format kraken"), "{other}");
    let divided = why(Format::Own, "date;type;symbol;volume\n2024-03-01;TRADE;BTC;1\n");
    assert!(divided.ends_with("; its cells are divided by semicolons: save it with commas"), "{divided}");
    let divided = why(Format::Own, "date\ttype\tsymbol\tvolume\n");
    assert!(divided.ends_with("; its cells are divided by tabs: save it with commas"), "{divided}");
    assert_eq!(read(Format::Own, "date,type,symbol,volume\n", "USD", now()), Ok(Vec::new()));
}

#[test]
fn a_file_has_an_end() {
    let mut text = String::from("Time,Operation,Coin,Change\n");
    text.push_str(&",Fee,,\n".repeat(MOST_RECORDS));
    assert_eq!(lines(Format::Binance, &text).len(), MOST_RECORDS);
    text.push_str(",Fee,,\n");
    assert_eq!(read(Format::Binance, &text, "USD", now()), Err(Unreadable::TooMany));
}

#[test]
fn a_line_has_as_many_cells_as_the_header() {
    let text = "Date(UTC),Pair,Side,Price,Executed,Amount,Fee\n\
                2024-03-01 10:00:00,BTCUSDT,BUY,60,000.00,0.1BTC,6000USDT,0BNB\n\
                2024-03-01 10:00:00,BTCUSDT,BUY,60000,0.1BTC,6000USDT\n\
                2024-03-01 10:00:00,BTCUSDT,BUY,60000,0.1BTC,6000USDT,0BNB, ,\n";
    let lines = lines(Format::Binance, text);
    assert_eq!(mistakes(&lines[0]), [("Fee", "0BNB")]);
    assert!(first_mistake(&lines[0]).allowed.contains("in quotes"));
    assert_eq!(mistakes(&lines[1]), [("Fee", "")]);
    assert_eq!(first_mistake(&lines[1]).detail, "the line ends before this column");
    assert!(matches!(&lines[2].outcome, Outcome::Entries(entries) if entries.len() == 1), "{:?}", lines[2]);
}

#[test]
fn lines_are_counted_as_an_editor_counts_them() {
    let text = "\n\ndate,type,symbol,volume,order_type,value,note\r\n\
                2024-01-01,TRADE,BTC,1,BUY,1,\"first\r\nsecond\"\r\n\
                \r\n\
                2024-01-01,TRADE,BTC,x,BUY,1,\n\
                \"2024-01-01\",TRADE,BTC,y,BUY,1,\r\
                2024-01-01,TRADE,BTC,z,BUY,1,";
    let numbers: Vec<u64> = lines(Format::Own, text).iter().map(|line| line.number).collect();
    assert_eq!(numbers, [4, 7, 8, 9]);
}

#[test]
fn long_cells_are_told_in_part() {
    let line = &lines(Format::Own, &format!("date,type,symbol,volume\n{},,BTC,1\n", "ä".repeat(1_000)))[0];
    assert_eq!(first_mistake(line).value, format!("{}…", "ä".repeat(200)));
}

proptest! {
    // Each asks for headers hundreds of times.
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn no_text_brings_reading_down(text in "\\PC{0,40}", more in "[-0-9A-Za-z,.\"'\n\r€$ +/:;\t]{0,100}") {
        for format in Format::ALL {
            for text in [&text, &more] {
                prop_assert_eq!(read(format, text, "USD", now()).is_ok(), Format::recognise(text) == Some(format));
            }
        }
    }
}

proptest! {
    #[test]
    fn whatever_stands_below_a_header_is_told_of(
        sample in 0..SAMPLES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), prop_oneof![
            "[-+]?[0-9]{1,29}(\\.[0-9]{0,27})?(e-?[0-9]{1,3})?[A-Z]{0,4}",
            "20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}",
            "BUY|SELL|TRADE|DEPOSIT|deposit|withdrawal|staking|Deposit|Withdraw|Buy|Sell|Convert|Send",
            "Binance Convert|Distribution|Fiat Deposit|Retail Staking Transfer",
            "BTCUSDT|XXBTZUSD|BTC|USDT|ETH/EUR|ETH/BTC|USDC/USD|Converted 1 BTC to [0-9,.]{1,9} ETH",
            "Converted 2.05 ETH to 0.1 BTC|Bought 0.02 BTC for [0-9,.]{1,9} ETH on BTC-ETH|Sold 1 SOL for 2 ETH on SOL-ETH",
            "[^\"]{0,12}",
        ], any::<bool>()), 0..40),
    ) {
        let (format, sample) = SAMPLES[sample];
        let begin = sample.lines().position(|line| Format::recognise(line).is_some()).unwrap() + 1;
        let records: Vec<&str> = sample.lines().skip(begin).collect();
        let mut text = sample.to_owned();
        for (record, place, cell, is_cut) in &changes {
            let mut cells: Vec<&str> = record.get(&records).split(',').collect();
            let place = place.index(cells.len());
            cells[place] = cell;
            let end = if *is_cut { place + 1 } else { cells.len() };
            text.push_str(&cells[..end].join(","));
            text.push('\n');
        }
        let lines = lines(format, &text);
        let known = self::lines(format, sample);
        prop_assert_eq!(&lines[..known.len()], &known[..]);
        prop_assert!(lines.windows(2).all(|pair| pair[0].number < pair[1].number));
        prop_assert!(lines.last().unwrap().number <= text.split(['\n', '\r']).count() as u64);
        for line in &lines {
            match &line.outcome {
                Outcome::Entries(entries) => {
                    prop_assert!((1..=2).contains(&entries.len()));
                    for entry in entries {
                        prop_assert_eq!(entry.clone().checked(now()), Ok(entry.clone()));
                    }
                }
                Outcome::Skipped(reason) => prop_assert!(!reason.is_empty()),
                Outcome::Mistakes(mistakes) => prop_assert!(!mistakes.is_empty()),
            }
        }
    }
}
