//! Rules that look at prices: what fires is what an evaluation of the stored prices says, whatever comes twice, late, at the same time,
//! or across a gap.

use chrono::{TimeDelta, Utc};
use database::{
    alerts::{
        Alerts,
        rules::{self, Definition, Refused},
    },
    gaps, market,
};
use domain::{
    Gap, GapCause, GapReport, GapState, MarketReport, MarketRow, Tick, TickSource,
    alert::{Condition, Direction, Frequency, Unit},
};
use rust_decimal::Decimal;

use crate::bench::{Bench, at, crosses, rule, trade};

#[tokio::test]
async fn a_price_that_crosses_a_level_fires_once_and_is_told_by_every_channel() {
    let mut bench = Bench::start().await;
    let channel = "INSERT INTO alert.channel (account_id, kind, name, settings, is_active)
                   SELECT $1, 'console', 'c' || number, '{}', number < 3 FROM generate_series(1, 3) AS number";
    bench.client.execute(channel, &[&bench.account]).await.unwrap();
    bench.stream(&[trade(1, 99, at(0))]).await;
    let up = bench.add(&rule(bench.pair, crosses(100, Direction::Up))).await;
    let down = bench.add(&rule(bench.pair, crosses(100, Direction::Down))).await;
    let far = bench.add(&rule(bench.pair, crosses(500, Direction::Either))).await;
    // It comes to the level itself, from a price that was stored before there was a rule.
    let stored =
        bench.stream(&[trade(2, Decimal::new(9_999, 2), at(10)), trade(3, 100, at(20)), trade(4, 101, at(30))]).await;
    assert_eq!((stored.alerts.fired, stored.alerts.lost), (1, 0));
    // The same again, and more.
    let again = bench.stream(&[trade(3, 100, at(20)), trade(4, 101, at(30)), trade(5, 102, at(40))]).await;
    assert_eq!((again.duplicates, again.alerts.fired), (2, 0));
    let fired = bench.fired().await;
    assert_eq!(fired.len(), 1);
    assert_eq!((fired[0].rule_id, fired[0].trade_id, fired[0].happened_at), (up, Some(3), at(20)));
    assert_eq!(fired[0].said, "BTCUSDT (binance) rose through 100: 100");
    assert!(!fired[0].is_late);
    assert_eq!(bench.state(up).await, "triggered");
    assert_eq!((bench.state(down).await.as_str(), bench.state(far).await.as_str()), ("created", "created"));
    let told = bench.client.query_one("SELECT count(*) FROM alert.notification WHERE firing_id IS NOT NULL", &[]).await;
    assert_eq!(told.unwrap().get::<_, i64>(0), 2);
    let history = rules::history(&bench.client, bench.account, up).await.unwrap();
    assert_eq!(history.iter().map(|(_, state)| state.as_str()).collect::<Vec<_>>(), ["created", "triggered"]);
}

#[tokio::test]
async fn what_an_owner_changes_counts_from_the_next_transaction_on() {
    let mut bench = Bench::start().await;
    let (pair, account) = (bench.pair, bench.account);
    bench.stream(&[trade(1, 99, at(0))]).await;
    let paused = bench.add(&rule(pair, crosses(100, Direction::Up))).await;
    let deleted = bench.add(&rule(pair, crosses(100, Direction::Up))).await;
    let moved = bench.add(&rule(pair, crosses(100, Direction::Up))).await;
    let expired = bench.add(&Definition { expires_at: Some(at(5)), ..rule(pair, crosses(100, Direction::Up)) }).await;
    bench.stream(&[trade(2, 99, at(1))]).await;
    let client = &mut bench.client;
    rules::set_state(client, account, paused, "paused").await.unwrap().unwrap();
    rules::set_state(client, account, deleted, "deleted").await.unwrap().unwrap();
    rules::change(client, account, moved, &rule(pair, crosses(101, Direction::Up))).await.unwrap().unwrap();
    bench.stream(&[trade(3, 100, at(10))]).await;
    assert_eq!(bench.fired().await.len(), 0);
    rules::set_state(&mut bench.client, account, paused, "created").await.unwrap().unwrap();
    bench.stream(&[trade(4, 99, at(20)), trade(5, 102, at(30))]).await;
    let fired = bench.fired().await;
    assert_eq!(fired.iter().map(|firing| firing.rule_id).collect::<Vec<_>>(), [paused, moved]);
    assert_eq!(rules::expire(&mut bench.client).await.unwrap(), u64::from(at(5) <= Utc::now()));
    // A deleted rule is never changed again, and another's is unknown.
    let other = crate::bench::account(&bench.client, "eve").await;
    for (of, id) in [(account, deleted), (other, moved), (account, 4_711)] {
        let refused = rules::set_state(&mut bench.client, of, id, "paused").await.unwrap();
        assert_eq!(refused, Err(Refused::Unknown));
        let refused = rules::change(&mut bench.client, of, id, &rule(pair, crosses(1, Direction::Up))).await.unwrap();
        assert_eq!(refused, Err(Refused::Unknown));
    }
    assert!(rules::find(&bench.client, other, moved).await.unwrap().is_none());
    let _ = expired;
}

/// Four trades are missing behind the first one.
fn gap(state: GapState) -> Gap {
    Gap {
        ticker: "BTCUSDT".into(),
        first_trade_id: 2,
        last_trade_id: 5,
        from: Some(at(0)),
        to: Some(at(1_000)),
        cause: GapCause::Disconnected,
        state,
        missing: 4,
        by_time: false,
        attempts: 0,
        detail: None,
        found_at: at(1_000),
        updated_at: at(1_000),
        revision: if state == GapState::Open { 1 } else { 2 },
    }
}

#[tokio::test]
async fn nothing_fires_across_a_gap_and_what_is_fetched_fires_late_where_that_is_wanted() {
    let mut bench = Bench::start().await;
    let pair = bench.pair;
    bench.stream(&[trade(1, 99, at(0))]).await;
    let late = bench.add(&rule(pair, crosses(100, Direction::Up))).await;
    let live = bench.add(&Definition { tell_late: false, ..rule(pair, crosses(100, Direction::Up)) }).await;
    let peak = bench.add(&rule(pair, Condition::Reaches { level: 150.into() })).await;
    bench.rules_are_old().await;
    let report = GapReport { exchange: "binance".into(), gaps: vec![gap(GapState::Open)] };
    gaps::store(&mut bench.client, &report).await.unwrap();
    bench.stream(&[trade(6, 101, at(1_000)), trade(7, 102, at(1_100))]).await;
    assert_eq!(bench.fired().await, []);
    // What was missing, in two parts, the newer one first.
    bench.store(&[trade(4, 150, at(300)), trade(5, 101, at(400))], TickSource::Backfill).await;
    let fired = bench.fired().await;
    assert_eq!(fired.len(), 0, "{fired:?}");
    bench.store(&[trade(2, 99, at(100)), trade(3, 120, at(200))], TickSource::Backfill).await;
    let fired = bench.fired().await;
    let told: Vec<_> = fired.iter().map(|one| (one.rule_id, one.trade_id, one.is_late)).collect();
    assert_eq!(told, [(late, Some(3), true), (peak, Some(4), true)]);
    assert_eq!(bench.state(live).await, "created");
    // The way down and up again is live.
    bench.stream(&[trade(8, 98, at(1_200)), trade(9, 100, at(1_300))]).await;
    assert_eq!(bench.fired().await.last().map(|one| (one.rule_id, one.trade_id)), Some((live, Some(9))));
}

/// A hole that the exchange was asked about, so that its end is a number and no moment.
#[tokio::test]
async fn what_is_fetched_of_a_gap_in_parts_fires_nothing_across_what_is_still_missing() {
    let mut bench = Bench::start().await;
    bench.stream(&[trade(1, 99, at(0))]).await;
    let up = bench.add(&rule(bench.pair, crosses(100, Direction::Up))).await;
    bench.rules_are_old().await;
    let gap = Gap { to: None, ..gap(GapState::Open) };
    gaps::store(&mut bench.client, &GapReport { exchange: "binance".into(), gaps: vec![gap] }).await.unwrap();
    bench.stream(&[trade(6, 101, at(2_000)), trade(7, 102, at(2_100))]).await;
    bench.store(&[trade(2, 99, at(1_100)), trade(3, 98, at(1_200))], TickSource::Backfill).await;
    assert_eq!(bench.fired().await, []);
    bench.store(&[trade(4, 120, at(1_300)), trade(5, 121, at(1_400))], TickSource::Backfill).await;
    let told: Vec<_> = bench.fired().await.iter().map(|one| (one.rule_id, one.trade_id, one.is_late)).collect();
    assert_eq!(told, [(up, Some(4), true)]);
}

/// While the stream is down prices are asked for, and its trades are fetched later, some before and some behind such a price.
#[tokio::test]
async fn trades_that_are_fetched_are_compared_with_trades_whatever_was_asked_for_meanwhile() {
    let mut bench = Bench::start().await;
    bench.stream(&[trade(1, 99, at(0))]).await;
    let frequency = Frequency::EveryTime(TimeDelta::seconds(3));
    let up = bench.add(&Definition { frequency, ..rule(bench.pair, crosses(100, Direction::Up)) }).await;
    let down = bench.add(&rule(bench.pair, crosses(100, Direction::Down))).await;
    bench.rules_are_old().await;
    let asked = |price: i64, milliseconds| Tick { trade_id: None, quantity: None, ..trade(0, price, at(milliseconds)) };
    bench.store(&[asked(101, 5_000)], TickSource::Poll).await;
    let report = GapReport { exchange: "binance".into(), gaps: vec![Gap { to: None, ..gap(GapState::Open) }] };
    gaps::store(&mut bench.client, &report).await.unwrap();
    // The fourth is late, and comes behind nothing that was looked at; the step to the fifth is one of trades all the same.
    let first = [trade(2, 101, at(1_000)), trade(3, 99, at(1_500)), trade(4, 101, at(4_900))];
    bench.store(&first, TickSource::Backfill).await;
    bench.store(&[trade(5, 99, at(5_100))], TickSource::Backfill).await;
    let told: Vec<_> = bench.fired().await.iter().map(|one| (one.rule_id, one.trade_id)).collect();
    // What was asked for fired it first; the second trade is farther from that than three seconds, the fourth is not.
    assert_eq!(told, [(up, None), (up, Some(2)), (down, Some(3))]);
}

/// One late price may not fire, and the next one then might, were it not for a firing behind it.
#[tokio::test]
async fn late_firings_keep_their_distance_from_those_on_either_side() {
    let mut bench = Bench::start().await;
    bench.stream(&[trade(1, 99, at(0))]).await;
    let frequency = Frequency::EveryTime(TimeDelta::seconds(5));
    let up = bench.add(&Definition { frequency, ..rule(bench.pair, crosses(100, Direction::Up)) }).await;
    bench.rules_are_old().await;
    bench.stream(&[trade(10, 101, at(8_000)), trade(11, 99, at(8_500))]).await;
    bench.stream(&[trade(20, 101, at(17_000)), trade(21, 99, at(17_500)), trade(30, 101, at(40_000))]).await;
    let late =
        [trade(12, 101, at(10_000)), trade(13, 99, at(11_000)), trade(14, 101, at(13_000)), trade(15, 99, at(13_500))];
    bench.store(&late, TickSource::Backfill).await;
    bench.store(&[trade(22, 101, at(25_000))], TickSource::Backfill).await;
    let told: Vec<_> = bench.fired().await.iter().map(|one| (one.rule_id, one.trade_id)).collect();
    assert_eq!(told, [(up, Some(10)), (up, Some(20)), (up, Some(30)), (up, Some(22))]);
}

#[tokio::test]
async fn the_state_of_a_market_serves_pairs_whose_trades_are_not_recorded() {
    let mut bench = Bench::start().await;
    let alerts = Alerts::default();
    let row = |price: i64, milliseconds| {
        let row = MarketRow {
            ticker: "BTCUSDT".into(),
            exchange_time: Some(at(milliseconds)),
            received_at: at(milliseconds),
            price: price.into(),
            open_24h: None,
            high_24h: None,
            low_24h: None,
            volume_24h: None,
            quote_volume_24h: None,
        };
        MarketReport::new("binance", vec![row])
    };
    let up = bench.add(&rule(bench.pair, crosses(100, Direction::Up))).await;
    for (price, milliseconds) in [(99, 0), (101, 1_000), (99, 500)] {
        market::store(&mut bench.client, &row(price, milliseconds), &alerts.turn()).await.unwrap();
    }
    let fired = bench.fired().await;
    assert_eq!(fired.iter().map(|one| (one.rule_id, one.happened_at)).collect::<Vec<_>>(), [(up, at(1_000))]);
    // With trades, it is they that count.
    let again = bench.add(&rule(bench.pair, crosses(100, Direction::Either))).await;
    bench.stream(&[trade(1, 102, at(2_000))]).await;
    market::store(&mut bench.client, &row(90, 3_000), &alerts.turn()).await.unwrap();
    assert_eq!(bench.fired().await.len(), 1);
    bench.stream(&[trade(2, 95, at(4_000))]).await;
    assert_eq!(bench.fired().await.last().map(|one| (one.rule_id, one.price)), Some((again, Some(95.into()))));
}

#[tokio::test]
async fn two_processes_that_take_turns_look_as_one_does() {
    let mut bench = Bench::start().await;
    let (one, other) = (Alerts::default(), Alerts::default());
    bench.store_by(&one, &[trade(1, 100, at(0))], TickSource::Stream).await;
    let (unit, direction) = (Unit::Percent, Direction::Up);
    let moves = Condition::Moves { change: 10.into(), unit, direction, minutes: 5 };
    let moves = bench.add(&rule(bench.pair, moves)).await;
    let up = bench.add(&rule(bench.pair, crosses(101, Direction::Up))).await;
    for (id, price) in [(2, 100), (3, 95), (4, 102), (5, 96), (6, 105)] {
        let alerts = if id % 2 == 0 { &one } else { &other };
        bench.store_by(alerts, &[trade(id, price, at(id * 100))], TickSource::Stream).await;
    }
    let fired: Vec<_> = bench.fired().await.iter().map(|one| (one.rule_id, one.trade_id, one.reference)).collect();
    // The lowest price was seen by the other one.
    assert_eq!(fired, [(up, Some(4), Some(95.into())), (moves, Some(6), Some(95.into()))]);
}

#[tokio::test]
async fn an_account_has_so_many_rules_at_most_and_channels_of_its_own() {
    let mut bench = Bench::start().await;
    let fill = "INSERT INTO alert.rule (account_id, exchange_id, kind) SELECT $1, exchange.id, 'exchange_down'
                FROM exchange, generate_series(1, $2) WHERE exchange.name = 'binance'";
    bench.client.execute(fill, &[&bench.account, &(rules::MOST_RULES as i32 - 1)]).await.unwrap();
    let definition = rule(bench.pair, crosses(1, Direction::Up));
    let last = bench.add(&definition).await;
    let more = rules::add(&mut bench.client, bench.account, &definition).await.unwrap();
    assert_eq!(more, Err(Refused::TooMany));
    rules::set_state(&mut bench.client, bench.account, last, "deleted").await.unwrap().unwrap();
    let stranger = Definition { channel_ids: Some(vec![1]), ..definition };
    assert_eq!(rules::add(&mut bench.client, bench.account, &stranger).await.unwrap(), Err(Refused::UnknownChannel));
    let (count, page) = rules::list(&bench.client, bench.account, Some("deleted"), 0, 10).await.unwrap();
    assert_eq!((count, page.len()), (1, 1));
    let (count, page) = rules::list(&bench.client, bench.account, None, 1_995, 10).await.unwrap();
    assert_eq!((count, page.len()), (1_999, 4));
}
