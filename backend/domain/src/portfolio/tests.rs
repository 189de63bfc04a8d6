use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use proptest::prelude::*;
use rust_decimal::Decimal;
use smol_str::SmolStr;

use super::*;

fn at(days: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::days(days)
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn trade(id: i64, direction: Direction, symbol: &str, volume: &str, value: &str) -> Trade {
    let (volume, value) = (decimal(volume), decimal(value));
    Trade { id, at: at(id), symbol: symbol.into(), direction, volume, value, fee: Decimal::ZERO }
}

fn prices(prices: &[(&str, &str)]) -> Prices {
    prices.iter().map(|(symbol, price)| (SmolStr::new(symbol), decimal(price))).collect()
}

/// What an earlier system was tested with: prices XTZ 2 and ADA 3.
#[test]
fn the_vectors_of_the_earlier_system_hold() {
    let of_both = prices(&[("XTZ", "2"), ("ADA", "3")]);
    let bought = [trade(1, Direction::Buy, "XTZ", "30", "31.182"), trade(2, Direction::Buy, "ADA", "20", "40")];
    let found = balance(&bought, &of_both).unwrap();
    assert_eq!(found.holdings["ADA"].worth.roi(), Some(decimal("0.5")));
    assert_eq!(found.total.converted_value, decimal("120"));
    assert_eq!(found.total.value_bought, decimal("71.182"));
    assert_eq!(found.total.roi(), Some(((decimal("120") - decimal("71.182")) / decimal("71.182")).round_dp(12)));

    // The deposit that is among these is no trade.
    let traded = [
        trade(1, Direction::Buy, "ADA", "30", "50"),
        trade(2, Direction::Sell, "ADA", "20", "40"),
        trade(3, Direction::Buy, "ADA", "10", "40"),
    ];
    let found = balance(&traded, &of_both).unwrap();
    assert_eq!(found.holdings["ADA"].volume, decimal("20"));
    assert_eq!(found.holdings["ADA"].worth.roi(), Some(decimal("0.2")));

    let sold = [trade(1, Direction::Buy, "XTZ", "30", "10"), trade(2, Direction::Sell, "XTZ", "20", "10")];
    assert_eq!(balance(&sold, &of_both).unwrap().holdings["XTZ"].volume, decimal("10"));
}

#[test]
fn a_cost_of_zero_is_said_and_a_coin_without_a_price_is_left_out_and_told() {
    let trades = [
        trade(1, Direction::Buy, "ADA", "2", "0"),
        trade(2, Direction::Buy, "LUNA9", "7", "3"),
        trade(3, Direction::Buy, "LUNA9", "7", "3"),
    ];
    let found = balance(&trades, &prices(&[("ADA", "3")])).unwrap();
    assert_eq!((found.holdings["ADA"].worth.roi(), found.total.roi()), (None, None));
    assert_eq!(found.total.converted_value, decimal("6"));
    assert_eq!(found.unpriced.into_iter().collect::<Vec<_>>(), [(SmolStr::new("LUNA9"), 2)]);
}

#[test]
fn each_method_sells_other_coins() {
    let mut trades = vec![
        trade(1, Direction::Buy, "BTC", "1", "100"),
        trade(2, Direction::Buy, "BTC", "1", "300"),
        trade(3, Direction::Buy, "BTC", "2", "400"),
        trade(4, Direction::Sell, "BTC", "1.5", "600"),
    ];
    trades[0].fee = decimal("2");
    trades[3].fee = decimal("3");
    for (method, costs, bought) in [
        (Method::Fifo, vec!["102", "150"], vec![Some(1), Some(2)]),
        (Method::Lifo, vec!["300"], vec![Some(3)]),
        (Method::Hifo, vec!["300", "100"], vec![Some(2), Some(3)]),
        // A quarter of 802 for each coin.
        (Method::Average, vec!["300.75"], vec![None]),
    ] {
        let found = profits(&trades, method).unwrap().remove("BTC").unwrap();
        let told: Vec<Decimal> = found.disposals.iter().map(|disposal| disposal.cost).collect();
        assert_eq!(told, costs.into_iter().map(decimal).collect::<Vec<_>>(), "{method:?}");
        let ids: Vec<Option<i64>> = found.disposals.iter().map(|one| one.bought.map(|(id, _)| id)).collect();
        assert_eq!(ids, bought, "{method:?}");
        assert_eq!(found.disposals.iter().map(|one| one.proceeds).sum::<Decimal>(), decimal("597"), "{method:?}");
        assert_eq!((found.volume(), found.fees), (decimal("2.5"), decimal("5")), "{method:?}");
        assert_eq!(found.realised() - found.cost(), decimal("597") - decimal("802"), "{method:?}");
    }
}

/// The rows of the table of the document that begins with this head.
fn table(head: &str) -> Vec<Vec<String>> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/PORTFOLIO.md");
    let document = std::fs::read_to_string(path).unwrap();
    let behind = document.split_once(head).unwrap_or_else(|| panic!("no table begins with {head:?}")).1;
    let rows = behind.lines().skip(2).take_while(|line| line.starts_with('|'));
    rows.map(|row| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()).collect()
}

#[test]
fn the_worked_examples_of_the_document_are_right() {
    let trades: Vec<Trade> = (1..)
        .zip(table("| order | volume | value | fee |"))
        .map(|(id, row)| {
            let direction = if row[0] == "BUY" { Direction::Buy } else { Direction::Sell };
            Trade { fee: decimal(&row[3]), ..trade(id, direction, "BTC", &row[1], &row[2]) }
        })
        .collect();
    let rows = table("| method | cost of what was sold | realised | cost of what is left | unrealised |");
    assert_eq!((trades.len(), rows.len()), (4, 4));
    for row in rows {
        let method = Method::parse(&row[0]).unwrap();
        let found = profits(&trades, method).unwrap().remove("BTC").unwrap();
        let sold: Decimal = found.disposals.iter().map(|disposal| disposal.cost).sum();
        let unrealised = found.volume() * decimal("250") - found.cost();
        let told = [sold, found.realised(), found.cost(), unrealised].map(|amount| amount.normalize().to_string());
        assert_eq!(told, row[1..], "{method:?}");
    }
    // The trades stand in words there.
    let closes = |day: i64, price: &str| Closes { at: at(day), prices: prices(&[("BTC", price)]) };
    let days = [closes(0, "100"), closes(1, "110"), closes(2, "99"), closes(3, "198")];
    let first = Trade { at: at(0), ..trade(1, Direction::Buy, "BTC", "1", "100") };
    let more = Trade { at: at(1), ..trade(2, Direction::Buy, "BTC", "50", "5500") };
    let less = Trade { at: at(2), ..trade(3, Direction::Sell, "BTC", "40", "3960") };
    let dear = Trade { fee: decimal("100"), ..first.clone() };
    let earned = [vec![first.clone()], vec![first, more, less], vec![dear]].map(|trades| {
        let growth = series(&trades, &days).unwrap().last().unwrap().growth;
        (growth - Decimal::ONE).round_dp(15).normalize().to_string().replace('-', "−")
    });
    let returns: Vec<String> = table("| trades | time-weighted |").into_iter().map(|mut row| row.remove(1)).collect();
    assert_eq!(returns, earned);
    let rows = table("| on day 0 | on day 182 | there on day 365 | money-weighted |");
    assert_eq!(rows.len(), 4);
    for row in rows {
        let [begin, halfway, end, rate] = [0, 1, 2, 3].map(|place| decimal(&row[place].replace('−', "-")));
        let day = |number: u64| NaiveDate::from_ymd_opt(2025, 1, 1).unwrap() + chrono::Days::new(number);
        let money = [Money { on: day(0), amount: begin }, Money { on: day(182), amount: halfway }];
        let earned = money_weighted(&money, end, day(365)).unwrap();
        assert_eq!((earned.over_all.round_dp(4).normalize(), earned.yearly), (rate, Some(earned.over_all)), "{row:?}");
    }
}

#[test]
fn what_was_never_bought_cost_nothing_and_is_told() {
    let trades = [trade(1, Direction::Buy, "BTC", "1", "100"), trade(2, Direction::Sell, "BTC", "3", "900")];
    let found = profits(&trades, Method::Fifo).unwrap().remove("BTC").unwrap();
    assert_eq!((found.uncovered(), found.volume(), found.realised()), (decimal("2"), Decimal::ZERO, decimal("800")));
    assert_eq!(found.disposals.iter().map(|one| one.is_covered).collect::<Vec<_>>(), [true, false]);
}

#[test]
fn money_that_comes_and_goes_does_not_change_the_time_weighted_return() {
    let closes = |day: i64, price: &str| Closes { at: at(day), prices: prices(&[("BTC", price)]) };
    let days = [closes(0, "100"), closes(1, "110"), closes(2, "99"), closes(3, "198")];
    // A tenth up, a tenth down, doubled.
    let expected = decimal("1.98");
    let early = Trade { at: at(0), ..trade(1, Direction::Buy, "BTC", "1", "100") };
    let growth = |trades: &[Trade]| series(trades, &days).unwrap().last().unwrap().growth.round_dp(15).normalize();
    assert_eq!(growth(std::slice::from_ref(&early)), expected);
    let more = Trade { at: at(1), ..trade(2, Direction::Buy, "BTC", "50", "5500") };
    let less = Trade { at: at(2), ..trade(3, Direction::Sell, "BTC", "40", "3960") };
    assert_eq!(growth(&[early.clone(), more, less]), expected);
    // In between, at another price than the day's.
    let between = Trade { at: at(2) + TimeDelta::hours(1), ..trade(4, Direction::Buy, "BTC", "1", "150") };
    assert_eq!(growth(&[early.clone(), between]), expected);
    // What is next to nothing can be computed with.
    let fallen =
        [closes(0, "1"), closes(1, "0.0000009048034626883279"), closes(2, "0.0000031"), closes(3, "0.0000004")];
    let found = series(std::slice::from_ref(&early), &fallen).unwrap();
    assert!(found.iter().all(|day| day.growth.scale() <= Decimal::MAX_SCALE), "{found:?}");
    // What was lost whole begins anew.
    let gift = Trade { at: at(0), fee: decimal("5"), ..trade(5, Direction::Buy, "BTC", "1", "0") };
    let days = [closes(0, "100"), closes(1, "110")];
    assert_eq!(series(&[gift], &days).unwrap().last().unwrap().growth, decimal("1.1"));
    // A fee is lost by whoever pays it.
    let dear = Trade { fee: decimal("100"), ..early };
    assert_eq!(growth(&[dear]), decimal("0.99"));
}

#[test]
fn what_is_held_without_a_market_counts_at_what_it_was_traded_for() {
    let trades = [trade(1, Direction::Buy, "LUNA9", "7", "21")];
    let day = Closes { at: at(2), prices: Prices::new() };
    let found = series(&trades, std::slice::from_ref(&day)).unwrap();
    assert_eq!((found[0].value, found[0].paid_in), (decimal("21"), decimal("21")));
    assert_eq!(found[0].unpriced, ["LUNA9"]);
}

#[test]
fn the_money_weighted_rate_is_the_one_that_explains_the_end() {
    let day = |number: u32| NaiveDate::from_ymd_opt(2025, 1, 1).unwrap() + chrono::Days::new(u64::from(number));
    let money = |on: u32, amount: i64| Money { on: day(on), amount: amount.into() };
    let both = |money: &[Money], value: i64, until: u32| money_weighted(money, value.into(), day(until));
    let rate = |money: &[Money], value: i64, until: u32| both(money, value, until)?.yearly;
    assert_eq!(rate(&[money(0, 100)], 110, 365), Some(decimal("0.1")));
    assert_eq!(rate(&[money(0, 100)], 121, 730), Some(decimal("0.1")));
    assert_eq!(rate(&[money(0, 100)], 50, 365), Some(decimal("-0.5")));
    // 100 × 1.1 + 100 × 1.1^(1/2), to the digit that an amount in whole units has.
    let halfway = rate(&[money(0, 100_000), money(182, 100_000)], 214_894, 365).unwrap();
    assert!((halfway - decimal("0.1")).abs() < decimal("0.0005"), "{halfway}");
    // All of it came out again.
    assert_eq!(rate(&[money(0, 100), money(365, -110)], 0, 400), Some(decimal("0.1")));
    assert_eq!(both(&[money(0, 100)], 110, 0), None);
    assert_eq!(both(&[money(0, 100)], 0, 365), None);
    assert_eq!(both(&[], 0, 365), None);
    // Of short spans, and of long ones.
    let over_all = |money: &[Money], value: i64, until: u32| both(money, value, until).map(|both| both.over_all);
    assert_eq!(over_all(&[money(0, 100)], 102, 1), Some(decimal("0.02")));
    assert_eq!(over_all(&[money(0, 100)], 110, 7), Some(decimal("0.1")));
    assert_eq!(over_all(&[money(0, 100)], 60, 7), Some(decimal("-0.4")));
    assert_eq!(over_all(&[money(0, 100)], 100_000, 2), Some(decimal("999")));
    assert_eq!(rate(&[money(0, 100)], 100_000, 2), None, "a year of that is more than can be told");
    assert_eq!(over_all(&[money(0, 1)], 1_000_000, 3_650), Some(decimal("999999")));
    assert_eq!(over_all(&[money(0, 1_000_000)], 1, 3_650), Some(decimal("-0.999999")));
}

/// Trades of few coins, in order; some sell more than there is.
fn trades() -> impl Strategy<Value = Vec<Trade>> {
    let one = (0u8..3, prop::bool::weighted(0.55), 1i64..1_000_000, 0i64..100_000_000, 0i64..10_000, 0i64..3);
    prop::collection::vec(one, 1..60).prop_map(|steps| {
        let mut at = at(0);
        let mut trades: Vec<Trade> = Vec::new();
        for (id, (symbol, buys, volume, value, fee, hours)) in (1..).zip(steps) {
            at += TimeDelta::hours(hours);
            trades.push(Trade {
                id,
                at,
                symbol: ["BTC", "ETH", "ADA"][usize::from(symbol)].into(),
                direction: if buys { Direction::Buy } else { Direction::Sell },
                volume: Decimal::new(volume, 6),
                value: Decimal::new(value, 4),
                fee: Decimal::new(fee, 4),
            });
        }
        trades.sort_by(|one, other| one.order().cmp(&other.order()));
        trades
    })
}

fn close(one: Decimal, other: Decimal) -> bool {
    (one - other).abs() <= Decimal::new(1, 18)
}

proptest! {
    #[test]
    fn the_parts_make_the_whole(trades in trades()) {
        let prices = prices(&[("BTC", "64000.12"), ("ETH", "3000.7"), ("ADA", "0.41")]);
        let whole = balance(&trades, &prices).unwrap();
        let sum = |of: fn(&Worth) -> Decimal| whole.holdings.values().map(|holding| of(&holding.worth)).sum::<Decimal>();
        prop_assert_eq!(sum(|worth| worth.converted_value), whole.total.converted_value);
        prop_assert_eq!(sum(|worth| worth.value_bought), whole.total.value_bought);
        // One by one, as an earlier system added them up.
        let mut value = Decimal::ZERO;
        for trade in &trades {
            let present = prices[&trade.symbol] * trade.volume;
            value += if trade.direction == Direction::Buy { present } else { -present };
        }
        prop_assert_eq!(value, whole.total.converted_value);
    }

    #[test]
    fn what_is_brought_in_and_taken_out_changes_nothing(volume in 1i64..1_000_000, value in 0i64..1_000_000, fee in 0i64..1_000, order in 0usize..3) {
        for kind in [Kind::Deposit, Kind::Withdrawal] {
            let moved = Entry {
                at: at(1), symbol: "BTC".into(), kind, order: Order::ALL[order], volume: Decimal::new(volume, 6), price: None,
                value: Some(value.into()), currency: "USD".into(), fee: fee.into(), fee_currency: Some("USD".into()), source: String::new(),
                source_id: None, note: None,
            };
            let checked = moved.checked(at(2)).unwrap();
            prop_assert_eq!(checked.trade(1, Decimal::ONE, Decimal::ONE), None);
        }
    }

    #[test]
    fn lots_conserve_volume_and_money(trades in trades()) {
        for method in Method::ALL {
            for (symbol, found) in profits(&trades, method).unwrap() {
                let symbol = &symbol;
                let of = |direction| trades.iter().filter(move |one| one.symbol == *symbol && one.direction == direction);
                let volume = |direction| of(direction).map(|one| one.volume).sum::<Decimal>();
                let money = |direction| of(direction).map(|one| one.money().unwrap()).sum::<Decimal>();
                let sold: Decimal = found.disposals.iter().map(|one| one.volume).sum();
                prop_assert_eq!(sold, volume(Direction::Sell));
                prop_assert_eq!(found.volume(), volume(Direction::Buy) - sold + found.uncovered());
                let cost: Decimal = found.disposals.iter().map(|one| one.cost).sum();
                prop_assert!(close(cost + found.cost(), money(Direction::Buy)));
                let proceeds: Decimal = found.disposals.iter().map(|one| one.proceeds).sum();
                prop_assert!(close(proceeds, money(Direction::Sell)));
                prop_assert!(found.lots.iter().all(|lot| lot.volume > Decimal::ZERO && lot.cost >= Decimal::ZERO));
                prop_assert!(found.lots.windows(2).all(|lots| lots[0].at <= lots[1].at));
            }
        }
    }

    #[test]
    fn the_order_in_which_trades_are_written_down_does_not_matter(trades in trades(), seed in any::<u64>()) {
        let mut mixed = trades.clone();
        let mut state = seed;
        for place in (1..mixed.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            mixed.swap(place, usize::try_from(state >> 33).unwrap() % (place + 1));
        }
        // Numbers are given as they come.
        for (id, trade) in (1..).zip(&mut mixed) {
            trade.id = id;
        }
        mixed.sort_by(|one, other| one.order().cmp(&other.order()));
        let told = |trades: &[Trade], method| {
            let found = profits(trades, method).unwrap();
            let one = |(symbol, found): (SmolStr, Profits)| (symbol, found.volume(), found.cost(), found.realised(), found.fees);
            found.into_iter().map(one).collect::<Vec<_>>()
        };
        for method in Method::ALL {
            prop_assert_eq!(told(&trades, method), told(&mixed, method));
        }
    }

    #[test]
    fn a_trade_at_the_market_and_back_changes_no_return(trades in trades(), place in 0usize..60, volume in 1i64..1_000_000) {
        let last = trades.last().unwrap().at;
        let market = prices(&[("BTC", "64000.12"), ("ETH", "3000.7"), ("ADA", "0.41")]);
        let days: Vec<Closes> =
            (0..10).map(|day| Closes { at: at(day).max(at(0)), prices: market.clone() }).filter(|day| day.at <= last + TimeDelta::days(1)).collect();
        let begin = series(&trades, &days).unwrap();
        // Behind a close, at its price, and back.
        let Some(day) = days.get(place % days.len()) else { return Ok(()) };
        let held = trades.iter().filter(|trade| trade.at <= day.at).any(|trade| trade.symbol == "BTC");
        prop_assume!(held && trades.iter().all(|trade| trade.at != day.at + TimeDelta::microseconds(1)));
        let volume = Decimal::new(volume, 6);
        let there = Trade {
            id: 1_000, at: day.at + TimeDelta::microseconds(1), symbol: "BTC".into(), direction: Direction::Buy, volume,
            value: volume * market["BTC"], fee: Decimal::ZERO,
        };
        let back = Trade { id: 1_001, direction: Direction::Sell, ..there.clone() };
        let mut more = [trades, vec![there, back]].concat();
        more.sort_by(|one, other| one.order().cmp(&other.order()));
        let end = series(&more, &days).unwrap();
        for (one, other) in begin.iter().zip(&end) {
            prop_assert_eq!(one.value, other.value);
            prop_assert!((one.growth - other.growth).abs() <= one.growth * Decimal::new(1, 15), "{} {}", one.growth, other.growth);
        }
    }
}
