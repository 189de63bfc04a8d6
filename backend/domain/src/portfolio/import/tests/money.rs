//! What trades do to both things that change hands.

use super::*;

const NEWEST: &str = "Date(UTC),Pair,Base Asset,Quote Asset,Type,Price,Amount,Total,Fee,Fee Coin\n";
const NEWER: &str = "Date(UTC),Pair,Side,Price,Executed,Amount,Fee\n";
const OLDER: &str = "Date(UTC),Market,Type,Price,Amount,Total,Fee,Fee Coin\n";
const KRAKEN: &str = "txid,ordertxid,pair,time,type,ordertype,price,cost,fee,vol,margin,misc,ledgers\n";

/// The same in each layout that has the code of the fee's coin.
fn of_binance(base: &str, quote: &str, order: &str, fee: &str, fee_coin: &str) -> [String; 3] {
    let at = "2024-03-01 10:00:00";
    [
        format!("{NEWEST}{at},{base}/{quote},{base},{quote},{order},0.05,20,1,{fee},{fee_coin}\n"),
        format!("{NEWER}{at},{base}{quote},{order},0.05,20{base},1{quote},{fee}{fee_coin}\n"),
        format!("{OLDER}{at},{base}{quote},{order},0.05,20,1,{fee},{fee_coin}\n"),
    ]
}

fn of_kraken(pair: &str, order: &str, cost: &str, fee: &str) -> String {
    format!("{KRAKEN}T1,O1,{pair},2024-03-01 10:00:00,{order},limit,0.05,{cost},{fee},20,0,,\n")
}

/// Both sides, or as many as there are; each with how its name ends.
fn sides(format: Format, text: &str) -> Vec<(String, Entry)> {
    let sides = entries(format, text).into_iter().map(|entry| {
        let name = entry.source_id.clone().unwrap();
        let (_, end) = name.split_once('-').unwrap_or_default();
        (end.to_owned(), Entry { source_id: None, source: String::new(), ..entry })
    });
    sides.collect()
}

#[test]
fn a_coin_that_is_called_like_a_currency_is_one_where_it_is_traded() {
    let [newest, ..] = of_binance("RON", "USDT", "BUY", "0", "USDT");
    let told: Vec<(String, SmolStr)> =
        sides(Format::Binance, &newest).into_iter().map(|(name, entry)| (name, entry.symbol)).collect();
    assert_eq!(told, [(String::new(), "RON".into())]);
}

fn side(name: &str, order: Order, volume: &str, symbol: &str, value: &str, currency: &str) -> (String, Entry) {
    (name.to_owned(), trade("2024-03-01T10:00:00Z", order, volume, symbol, value, currency))
}

fn reason(format: Format, text: &str) -> &'static str {
    match lines(format, text).remove(0).outcome {
        Outcome::Skipped(reason) => reason,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn of_a_coin_for_a_coin_both_are_booked() {
    let main = |order, fee: &str, coin: &str| {
        let name = if order == Order::Buy { "purchase" } else { "sale" };
        let (name, entry) = side(name, order, "20", "ETH", "1", "BTC");
        (name, with_price(with_fee(entry, fee, coin), "0.05"))
    };
    let sale = |volume: &str| side("sale", Order::Sell, volume, "BTC", volume, "BTC");
    let purchase = |volume: &str| side("purchase", Order::Buy, volume, "BTC", volume, "BTC");
    for text in of_binance("ETH", "BTC", "BUY", "0.002", "BTC") {
        assert_eq!(sides(Format::Binance, &text), [sale("1.002"), main(Order::Buy, "0.002", "BTC")], "{text}");
    }
    for text in of_binance("ETH", "BTC", "SELL", "0.002", "BTC") {
        assert_eq!(sides(Format::Binance, &text), [main(Order::Sell, "0.002", "BTC"), purchase("0.998")], "{text}");
    }
    for text in of_binance("ETH", "BTC", "BUY", "0.01", "BNB") {
        assert_eq!(sides(Format::Binance, &text), [sale("1"), main(Order::Buy, "0.01", "BNB")], "{text}");
    }
    for text in of_binance("ETH", "BTC", "SELL", "0.01", "BNB") {
        assert_eq!(sides(Format::Binance, &text), [main(Order::Sell, "0.01", "BNB"), purchase("1")], "{text}");
    }
    for text in of_binance("ETH", "BTC", "BUY", "0.5", "ETH") {
        let (name, arrived) = side("purchase", Order::Buy, "19.5", "ETH", "1", "BTC");
        let arrived = with_price(with_note(arrived, "0.5 ETH of 20 were kept as the fee"), "0.05");
        assert_eq!(sides(Format::Binance, &text), [sale("1"), (name, arrived)], "{text}");
    }
    let buy = of_kraken("XETHXXBT", "buy", "1", "0.002");
    assert_eq!(sides(Format::Kraken, &buy), [sale("1.002"), main(Order::Buy, "0.002", "BTC")]);
    assert_eq!(names(&entries(Format::Kraken, &buy)), ["T1-sale", "T1-purchase"]);
    let sell = of_kraken("ETH/XBT", "sell", "1", "0.002");
    assert_eq!(sides(Format::Kraken, &sell), [main(Order::Sell, "0.002", "BTC"), purchase("0.998")]);
}

#[test]
fn both_sides_have_the_same_made_up_name() {
    for text in of_binance("ETH", "BTC", "SELL", "0", "BTC") {
        let twice = format!("{text}{}\n", text.lines().nth(1).unwrap());
        let read = entries(Format::Binance, &twice);
        let [sale, purchase, second_sale, second_purchase] = names(&read)[..] else { panic!("{read:?}") };
        let name = sale.strip_suffix("-sale").unwrap();
        assert_eq!(purchase, format!("{name}-purchase"));
        assert_eq!([second_sale, second_purchase], [format!("{name}-2-sale"), format!("{name}-2-purchase")]);
    }
}

#[test]
fn coins_are_bought_and_sold_for_money() {
    for money in ["USDT", "EUR", "DAI", "TRY", "FDUSD"] {
        for text in of_binance("ETH", money, "BUY", "0.01", "BNB") {
            let (name, entry) = side("", Order::Buy, "20", "ETH", "1", money);
            assert_eq!(sides(Format::Binance, &text), [(name, with_price(with_fee(entry, "0.01", "BNB"), "0.05"))]);
        }
    }
}

#[test]
fn money_for_money_is_left_out() {
    for (base, quote) in [("EUR", "USDT"), ("USDT", "EUR"), ("USDC", "USDT"), ("USDT", "TRY"), ("TUSD", "BUSD")] {
        for text in of_binance(base, quote, "BUY", "0", "BNB") {
            assert!(reason(Format::Binance, &text).starts_with("money was exchanged for money"), "{text}");
        }
    }
    for pair in ["USDTZUSD", "ZEURZUSD", "USDC/EUR", "usdt/usd", "DAIEUR"] {
        assert!(reason(Format::Kraken, &of_kraken(pair, "sell", "1", "0")).starts_with("money"), "{pair}");
    }
    let wrong = of_kraken("USDC/EUR", "hold", "1", "0");
    assert_eq!(mistakes(&lines(Format::Kraken, &wrong)[0]), [("type", "hold")]);
}

#[test]
fn money_that_is_bought_for_a_coin_is_a_sale_of_the_coin() {
    for text in of_binance("TUSD", "BTC", "BUY", "0.02", "TUSD") {
        let (name, sale) = side("", Order::Sell, "1", "BTC", "20", "TUSD");
        assert_eq!(sides(Format::Binance, &text), [(name, with_fee(sale, "0.02", "TUSD"))], "{text}");
    }
    for text in of_binance("TUSD", "BTC", "SELL", "0.02", "BTC") {
        let (name, purchase) = side("", Order::Buy, "0.98", "BTC", "20", "TUSD");
        let purchase = with_note(purchase, "0.02 BTC of 1 were kept as the fee");
        assert_eq!(sides(Format::Binance, &text), [(name, purchase)], "{text}");
    }
}

#[test]
fn a_side_of_which_nothing_moved_is_left_out() {
    let next_to_nothing = sides(Format::Kraken, &of_kraken("ETH/XBT", "buy", "0", "0"));
    assert_eq!(next_to_nothing.len(), 1);
    assert_eq!((next_to_nothing[0].0.as_str(), next_to_nothing[0].1.order), ("purchase", Order::Buy));
    let nothing_but_the_fee = sides(Format::Kraken, &of_kraken("ETH/XBT", "sell", "0.01", "0.01"));
    assert_eq!(nothing_but_the_fee.len(), 1);
    assert_eq!(nothing_but_the_fee[0].1.order, Order::Sell);
}

#[test]
fn what_is_wrong_with_both_sides_is_told_once() {
    let early = of_kraken("ETH/XBT", "buy", "1", "0.1").replace("2024-", "2008-");
    assert_eq!(mistakes(&lines(Format::Kraken, &early)[0]), [("time", "2008-03-01T10:00:00+00:00")]);
    let negative = of_kraken("ETH/XBT", "buy", "-1", "0.1");
    assert_eq!(mistakes(&lines(Format::Kraken, &negative)[0]), [("cost", "-1")]);
    let largest = Decimal::MAX.to_string();
    let too_large = of_kraken("ETH/XBT", "buy", &largest, "1");
    assert_eq!(mistakes(&lines(Format::Kraken, &too_large)[0]), [("cost", largest.as_str())]);
}

proptest! {
    #[test]
    fn what_the_one_brings_the_other_costs(
        value in 1i64..1_000_000_000_000,
        fee in 0i64..1_000_000_000_000,
        is_purchase: bool,
        fee_coin in prop::sample::select(vec!["BTC", "ETH", "BNB"]),
    ) {
        let (value, fee) = (Decimal::new(value, 8), Decimal::new(fee, 8));
        let order = if is_purchase { "BUY" } else { "SELL" };
        let line = format!("2024-03-01 10:00:00,ETH/BTC,ETH,BTC,{order},1,20000,{value},{fee},{fee_coin}\n");
        let read = entries(Format::Binance, &format!("{NEWEST}{line}"));
        let paid = if fee_coin == "BTC" { fee } else { Decimal::ZERO };
        let moved = if is_purchase { value + paid } else { value - paid };
        let (main, others) = if is_purchase { read.split_last() } else { read.split_first() }.unwrap();
        prop_assert_eq!((main.symbol.as_str(), main.value), ("ETH", Some(value.normalize())));
        if moved > Decimal::ZERO {
            let [other] = others else { panic!("{read:?}") };
            prop_assert_eq!((other.symbol.as_str(), other.currency.as_str()), ("BTC", "BTC"));
            prop_assert_eq!((other.volume, other.value, other.fee), (moved, Some(moved), Decimal::ZERO));
            prop_assert!(other.order != main.order && other.at == main.at);
        } else {
            prop_assert!(others.is_empty());
        }
    }
}
