//! The rules of [`State`], and the fixtures that tests of panels share.

use api_types::{
    FeedRow, GapRow, StatisticsRow, VolatilityRow,
    live::{LiveEvent, LiveMinute, LivePrice},
};
use rust_decimal::Decimal;

use super::*;

pub(crate) fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A time of 20 November 2026: `12:00:01` or `12:00`.
pub(crate) fn at(time: &str) -> DateTime<Utc> {
    let seconds = if time.len() == 5 { ":00" } else { "" };
    format!("2026-11-20T{time}{seconds}Z").parse().unwrap()
}

pub(crate) fn price(ticker: &str, price: &str, change: Option<&str>, volume: &str) -> LatestPrice {
    let base = ticker.trim_end_matches("USDT");
    LatestPrice {
        exchange: "binance".into(),
        ticker: ticker.into(),
        base: base.into(),
        quote: "USDT".into(),
        coin: match base {
            "BTC" => "bitcoin".into(),
            other => other.to_lowercase(),
        },
        price: decimal(price),
        exchange_time: Some(at("12:00:00")),
        received_at: at("12:00:00"),
        age_ms: 0,
        stale: false,
        source: "stream".into(),
        open_24h: None,
        change_24h_percent: change.map(decimal),
        high_24h: None,
        low_24h: None,
        quote_volume_24h: decimal(volume),
        volume_24h: Decimal::ZERO,
        told_24h_by: None,
    }
}

/// Four tickers, one of them without a known change, as of 12:00:00.
pub(crate) fn with_prices() -> State {
    let mut state = State::default();
    let rows = vec![
        price("BTCUSDT", "64250.01", Some("1.82"), "9000000"),
        price("ETHUSDT", "2500.5", Some("3.1"), "4000000"),
        price("PEPEUSDT", "0.00001234", Some("-5"), "1000"),
        price("NEWUSDT", "7", None, "0"),
    ];
    state.apply(Update::Prices(Ok(rows)), at("12:00:00"));
    state
}

pub(crate) fn feed(exchange: &str, state: &str, reported_at: &str) -> FeedRow {
    let waiting = state == "waiting";
    FeedRow {
        exchange: exchange.into(),
        state: state.into(),
        since: at(reported_at),
        reported_at: at(reported_at),
        detail: waiting.then(|| "DNS lookup failed".into()),
        next_try_at: waiting.then(|| at(reported_at) + TimeDelta::seconds(20)),
        last_tick_at: None,
        reconnects: 0,
        ticks: 0,
        ticks_last_minute: 0,
        rejected: 0,
        clock_ahead_ms: None,
        queued: None,
    }
}

pub(crate) fn gap(from: &str, to: &str, state: &str) -> GapRow {
    GapRow {
        exchange: "binance".into(),
        ticker: "BTCUSDT".into(),
        first_trade_id: Some(11),
        last_trade_id: Some(30),
        trades: Some(20),
        missing: Some(20),
        cause: "disconnected".into(),
        state: state.into(),
        from: Some(at(from)),
        to: Some(at(to)),
        attempts: 0,
        detail: None,
        found_at: at(to),
        updated_at: at(to),
        by_time: false,
    }
}

pub(crate) fn sparkline(ticker: &str) -> Sparkline {
    Sparkline {
        exchange: "binance".into(),
        ticker: ticker.into(),
        from: at("11:00"),
        step_seconds: 3_600,
        closes: vec![Some(decimal("64000")), None, Some(decimal("64250"))],
    }
}

/// How much a pair moved in a day.
pub(crate) fn volatility(ticker: &str, deviation_percent: Option<&str>) -> VolatilityRow {
    let price = decimal("64250");
    let statistics = StatisticsRow {
        exchange: "binance".into(),
        ticker: ticker.into(),
        from: at("11:00"),
        to: at("12:00"),
        count: 60,
        trades: 60,
        open: price,
        max: price,
        min: price,
        close: price,
        change_percent: Some(decimal("1.82")),
        mean: price,
        deviation: None,
        deviation_percent: deviation_percent.map(decimal),
        vwap: None,
        volume: Decimal::ONE,
        quote_volume: price,
        minutes: 60,
        returns: 59,
        return_deviation: Some(decimal("0.000412")),
        remark: None,
        untold_minutes: 0,
    };
    VolatilityRow { rank: 1, statistics }
}

pub(crate) fn hole(from: i64, to: i64) -> Hole {
    let mut hole = holes::by_ticker(vec![gap("11:30", "11:31", "open")]).into_values().flatten().next().unwrap();
    (hole.from, hole.to) = (from, to);
    hole
}

/// So many candles of one minute, from this minute on, each of volume 1, closing at 64,250.
pub(crate) fn candles(from: &str, count: i64) -> Vec<CandleRow> {
    let candle = |n: i64| CandleRow {
        open_time: at(from) + TimeDelta::minutes(n),
        open: decimal("64240"),
        high: decimal("64260"),
        low: decimal("64230"),
        close: decimal("64250"),
        volume: decimal("1"),
        quote_volume: decimal("64250"),
        trades: 1,
        is_final: true,
        revision: 0,
        origin: "stream".to_owned(),
        untold_minutes: 0,
    };
    (0..count).map(candle).collect()
}

pub(crate) fn minute(open_time: &str, [open, high, low, close]: [&str; 4], volume: &str) -> LiveMinute {
    LiveMinute {
        open_time: at(open_time),
        open: decimal(open),
        high: decimal(high),
        low: decimal(low),
        close: decimal(close),
        volume: decimal(volume),
        quote_volume: decimal(volume),
        trades: 1,
    }
}

pub(crate) fn live(ticker: &str, time: &str, price: &str, minutes: Vec<LiveMinute>) -> LiveEvent {
    LiveEvent::Price(LivePrice {
        exchange: "binance".into(),
        ticker: ticker.into(),
        price: decimal(price),
        time: at(time),
        received_at: at(time),
        source: "stream".into(),
        minutes,
    })
}

/// News of one price.
pub(crate) fn live_batch(ticker: &str, time: &str, price: &str) -> LiveBatch {
    let mut batch = LiveBatch::default();
    batch.add(live(ticker, time, price, vec![]));
    batch
}

fn batch(events: impl IntoIterator<Item = LiveEvent>) -> Update {
    let mut batch = LiveBatch::default();
    events.into_iter().for_each(|event| batch.add(event));
    Update::Live(batch)
}

fn key(interval: Interval) -> SeriesKey {
    SeriesKey { ticker: TickerKey::new("binance", "BTCUSDT"), interval }
}

fn newest(series: SeriesKey, rows: Vec<CandleRow>) -> Update {
    Update::Candles { series, part: Part::Newest, outcome: Ok(rows) }
}

fn bars(state: &State, interval: Interval) -> Vec<Bar> {
    state.series(&key(interval)).unwrap().value().unwrap().bars().to_vec()
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-9
}

fn ticker<'a>(state: &'a State, name: &str) -> &'a Ticker {
    state.ticker(&TickerKey::new("binance", name)).unwrap()
}

#[test]
fn live_minutes_fold_into_candles_of_any_width() {
    for interval in Interval::ALL {
        let mut state = with_prices();
        state.show([key(interval)].into());
        let open_time = interval.open_time(at("12:00"));
        let mut rows = candles("12:00", 1);
        rows[0].open_time = open_time;
        state.apply(newest(key(interval), rows), at("12:00:30"));
        let news = [
            live("BTCUSDT", "12:00:40", "64300", vec![minute("12:00", ["64255", "64300", "64255", "64300"], "2")]),
            live("BTCUSDT", "12:01:05", "64100", vec![minute("12:01", ["64200", "64200", "64100", "64100"], "3")]),
        ];
        state.apply(batch(news), at("12:01:05"));
        let bars = bars(&state, interval);
        let last = bars.last().unwrap();
        assert!(near(last.close, 64_100.0) && near(last.low, 64_100.0), "{interval}: {last:?}");
        if interval == Interval::OneMinute {
            assert_eq!(bars.len(), 2);
            assert!(near(bars[0].high, 64_300.0) && near(bars[0].volume, 3.0) && near(bars[0].close, 64_300.0));
            assert!(near(last.open, 64_200.0) && near(last.volume, 3.0));
        } else {
            assert_eq!(bars.len(), 1, "{interval}");
            assert!(near(last.open, 64_240.0) && near(last.volume, 6.0), "{interval}: {last:?}");
        }
    }
}

#[test]
fn a_late_minute_changes_its_bar_but_not_the_close_of_the_newest() {
    let mut state = with_prices();
    state.show([key(Interval::FiveMinutes)].into());
    let mut rows = candles("12:00", 1);
    rows[0].open_time = at("12:00");
    state.apply(newest(key(Interval::FiveMinutes), rows), at("12:00:00"));
    state
        .apply(batch([live("BTCUSDT", "12:02:00", "64280", vec![minute("12:02", ["64280"; 4], "1")])]), at("12:02:00"));
    state
        .apply(batch([live("BTCUSDT", "12:01:50", "64000", vec![minute("12:01", ["64000"; 4], "1")])]), at("12:02:01"));
    let bar = bars(&state, Interval::FiveMinutes)[0];
    assert!(near(bar.low, 64_000.0) && near(bar.close, 64_280.0) && near(bar.volume, 3.0), "{bar:?}");
    assert_eq!(ticker(&state, "BTCUSDT").price, decimal("64280"));
}

#[test]
fn the_apis_candles_put_volumes_right_and_keep_newer_bars() {
    let mut state = with_prices();
    state.show([key(Interval::OneMinute)].into());
    state.apply(newest(key(Interval::OneMinute), candles("11:50", 10)), at("11:59:59"));
    state.apply(
        batch([
            live("BTCUSDT", "12:00:10", "64300", vec![minute("12:00", ["64300"; 4], "99")]),
            live("BTCUSDT", "12:01:10", "64310", vec![minute("12:01", ["64310"; 4], "1")]),
        ]),
        at("12:01:10"),
    );
    state.apply(newest(key(Interval::OneMinute), candles("11:55", 6)), at("12:01:11"));
    let bars = bars(&state, Interval::OneMinute);
    assert_eq!(bars.len(), 12);
    assert!(bars.is_sorted_by(|a, b| a.open_time < b.open_time));
    assert!(near(bars[10].volume, 1.0), "the API's volume of 12:00 counts");
    assert!(near(bars[11].close, 64_310.0), "12:01 is newer than the API's answer");
}

#[test]
fn a_hole_left_by_an_outage_is_not_drawn_over() {
    let mut state = with_prices();
    state.show([key(Interval::OneMinute)].into());
    state.apply(newest(key(Interval::OneMinute), candles("03:00", 10)), at("03:10:00"));
    state.apply(newest(key(Interval::OneMinute), candles("11:00", 10)), at("11:10:00"));
    let first = bars(&state, Interval::OneMinute)[0];
    assert_eq!(first.open_time, at("11:00").timestamp());
}

#[test]
fn older_candles_are_put_before_ours_until_there_are_none() {
    let mut state = with_prices();
    let one = key(Interval::OneMinute);
    state.show([one.clone()].into());
    state.apply(newest(one.clone(), candles("11:50", 10)), at("11:59:59"));
    state.older_requested(&one);
    let older = |state: &State| state.series(&one).unwrap().value().unwrap().older.clone();
    assert_eq!(older(&state), Older::Loading);
    let part_before =
        |before, outcome| Update::Candles { series: one.clone(), part: Part::OlderThan(at(before)), outcome };
    state.apply(part_before("11:40", Ok(candles("11:30", 7))), at("12:00:00"));
    assert_eq!(older(&state), Older::Loading, "that one was asked for before something else was joined");
    state.apply(part_before("11:50", Ok(candles("11:45", 7))), at("12:00:00"));
    let part = |outcome| part_before("11:45", outcome);
    // Five that are older, ten, and the one that the newest price opened.
    assert_eq!(bars(&state, Interval::OneMinute).len(), 16);
    assert_eq!(older(&state), Older::Unknown);
    let failure = Failure { cause: "gone".into(), retry_at: at("12:00:05") };
    state.older_requested(&one);
    state.apply(part(Err(failure.clone())), at("12:00:00"));
    assert_eq!(older(&state), Older::Failed(failure));
    state.apply(part(Ok(vec![])), at("12:00:00"));
    assert!(matches!(older(&state), Older::Failed(_)), "nobody waits for that answer");
    state.older_requested(&one);
    state.apply(part(Ok(vec![])), at("12:00:00"));
    assert_eq!(older(&state), Older::Exhausted);
}

#[test]
fn prices_age_by_their_own_cadence() {
    let mut state = with_prices();
    let freshness = |state: &State, time: &str| ticker(state, "BTCUSDT").freshness(at(time));
    assert_eq!(freshness(&state, "12:00:20"), Freshness::Fresh);
    assert_eq!(freshness(&state, "12:00:40"), Freshness::Late);
    assert_eq!(freshness(&state, "12:02:00"), Freshness::Stale);
    for second in 1..=40 {
        let time = format!("12:00:{second:02}");
        state.apply(batch([live("BTCUSDT", &time, "64250", vec![])]), at(&time));
    }
    assert_eq!(freshness(&state, "12:00:45"), Freshness::Fresh);
    assert_eq!(freshness(&state, "12:00:55"), Freshness::Late, "it has news every second");
    assert_eq!(freshness(&state, "12:01:20"), Freshness::Stale);
}

#[test]
fn live_prices_move_the_change_and_an_older_answer_does_not_undo_them() {
    let mut state = with_prices();
    let mut row = price("BTCUSDT", "110", Some("10"), "5");
    row.open_24h = Some(decimal("100"));
    state.apply(Update::Prices(Ok(vec![row.clone()])), at("12:00:00"));
    state.apply(batch([live("BTCUSDT", "12:00:05", "120", vec![])]), at("12:00:05"));
    let seen = ticker(&state, "BTCUSDT");
    assert_eq!((seen.price, seen.change_24h), (decimal("120"), Some(decimal("20"))));
    assert_eq!(seen.previous, Some((decimal("110"), at("12:00:05"))));
    row.age_ms = 6_000;
    state.apply(Update::Prices(Ok(vec![row])), at("12:00:06"));
    assert_eq!(ticker(&state, "BTCUSDT").price, decimal("120"));
}

#[test]
fn ages_are_counted_on_the_servers_clock() {
    let mut state = State::default();
    let mut row = price("BTCUSDT", "1", None, "0");
    row.age_ms = 1_000;
    // Our clock is five minutes behind.
    state.apply(Update::Prices(Ok(vec![row.clone()])), at("11:55:01"));
    assert_eq!(state.server_time(at("11:55:01")), at("12:00:01"));
    row.age_ms = 1_500;
    state.apply(Update::Prices(Ok(vec![row])), at("12:00:01"));
    assert_eq!(state.server_time(at("12:00:01")), at("12:00:01"), "half a second is the wire");
}

#[test]
fn feeds_fall_silent_when_nobody_reports() {
    let mut state = State::default();
    state.apply(Update::Feeds(Ok(vec![feed("binance", "streaming", "12:00:00")])), at("12:00:00"));
    let told = |state: &State, time: &str| state.feeds.value().unwrap()["binance"].state(at(time)).to_owned();
    assert_eq!(told(&state, "12:00:10"), "streaming");
    assert_eq!(told(&state, "12:00:30"), "silent");
    state.apply(batch([LiveEvent::Feed(feed("binance", "waiting", "12:00:31"))]), at("12:00:31"));
    assert_eq!(told(&state, "12:00:32"), "waiting");
    // An answer that was on its way meanwhile is older.
    state.apply(Update::Feeds(Ok(vec![feed("binance", "streaming", "12:00:29")])), at("12:00:33"));
    assert_eq!(told(&state, "12:00:33"), "waiting");
}

#[test]
fn only_the_series_shown_last_are_kept() {
    let mut state = with_prices();
    let named =
        |n: usize| SeriesKey { ticker: TickerKey::new("binance", &format!("T{n}")), interval: Interval::OneMinute };
    for n in 0..40 {
        state.show([named(n), named(100), named(101)].into());
        state.show([named(0)].into());
    }
    state.show([named(39)].into());
    assert!([0, 39, 100, 101].iter().all(|n| state.series(&named(*n)).is_some()));
    assert!(state.series(&named(5)).is_none());
    assert_eq!(state.series.len(), SERIES_KEPT + 1, "those that were shown, and the one that is");
}

#[test]
fn the_busiest_ticker_is_shown_to_those_who_chose_none() {
    assert_eq!(with_prices().busiest(), Some(&TickerKey::new("binance", "BTCUSDT")));
    assert_eq!(State::default().busiest(), None);
}

#[test]
fn holes_are_told_with_cause_and_end_and_survive_a_failed_question() {
    let mut state = State::default();
    let failure = || Failure { cause: "connection refused".into(), retry_at: at("12:00:09") };
    let rows = vec![gap("11:30", "11:32", "filling"), gap("10:00", "10:01", "unfillable")];
    state.apply(Update::Holes(Ok(rows)), at("12:00:00"));
    state.apply(Update::Holes(Err(failure())), at("12:00:05"));
    let holes = state.holes(&TickerKey::new("binance", "BTCUSDT")).to_vec();
    let words = |holes: &[Hole]| hole_words(&holes.iter().collect::<Vec<_>>()).unwrap_or_default();
    assert_eq!(words(&holes[..1]), "20 trades are missing: the connection was lost; they are being fetched");
    assert_eq!(words(&holes[1..]), "20 trades are missing: the connection was lost; the exchange does not give them");
    assert_eq!(words(&holes), "40 trades are missing: the connection was lost; not all of them can be had");
    assert_eq!(words(&[]), "");
    let at = |time| at(time).timestamp() as f64;
    assert!(holes[0].touches(at("11:31"), at("11:33")) && !holes[0].touches(at("11:33"), at("11:40")));
    assert_eq!(state.holes(&TickerKey::new("binance", "ETHUSDT")), []);
    state.apply(Update::Holes(Ok(vec![])), "2026-11-20T12:00:10Z".parse().unwrap());
    assert_eq!(state.holes(&TickerKey::new("binance", "BTCUSDT")), []);
}

#[test]
fn high_and_low_follow_live_news_and_swings_are_told_once() {
    let mut state = with_prices();
    let mut row = price("BTCUSDT", "100", None, "5");
    (row.high_24h, row.low_24h) = (Some(decimal("110")), Some(decimal("90")));
    state.apply(Update::Prices(Ok(vec![row])), at("12:00:00"));
    let key = TickerKey::new("binance", "BTCUSDT");
    assert_eq!(state.take_swing(&key), None);
    let minutes = vec![minute("12:00", ["100", "120", "99", "101"], "1")];
    state.apply(batch([live("BTCUSDT", "12:00:05", "101", minutes)]), at("12:00:05"));
    let seen = ticker(&state, "BTCUSDT");
    assert_eq!((seen.high_24h, seen.low_24h), (Some(decimal("120")), Some(decimal("90"))));
    assert_eq!(state.take_swing(&key), Some((decimal("99"), decimal("120"))));
    assert_eq!(state.take_swing(&key), None);
}

#[test]
fn a_polled_price_moves_the_chart_on() {
    let mut state = with_prices();
    state.show([key(Interval::OneMinute)].into());
    state.apply(newest(key(Interval::OneMinute), candles("11:50", 10)), at("11:59:59"));
    let mut row = price("BTCUSDT", "64000", None, "5");
    row.exchange_time = Some(at("12:00:30"));
    state.apply(Update::Prices(Ok(vec![row])), at("12:00:31"));
    let bars = bars(&state, Interval::OneMinute);
    assert!(near(bars.last().unwrap().close, 64_000.0) && near(bars.last().unwrap().low, 64_000.0));
}

#[test]
fn a_series_that_nobody_looks_at_does_not_keep_years() {
    let mut state = with_prices();
    let one = key(Interval::OneMinute);
    state.show([one.clone()].into());
    state.apply(newest(one.clone(), candles("00:00", 3_000)), at("12:00:00"));
    state.show(BTreeSet::new());
    let series = state.series(&one).unwrap().value().unwrap();
    assert!(series.bars().len() < 2_100 && series.older == Older::Unknown);
}

#[test]
fn where_nothing_is_new_nothing_moves_each_second() {
    let mut state = State::default();
    assert!(state.moves_each_second(at("12:00:00")), "it is being loaded");
    let mut state_with = |updates: Vec<Update>, time: &str| {
        updates.into_iter().for_each(|update| state.apply(update, at("12:00:00")));
        state.moves_each_second(at(time))
    };
    let prices = Update::Prices(Ok(vec![price("BTCUSDT", "1", None, "1")]));
    assert!(state_with(vec![prices, Update::Connection(Connection::Connected)], "12:00:30"));
    assert!(!state_with(vec![], "12:01:30"), "it is a minute old, and will be so for a minute");
    assert!(state_with(vec![Update::Feeds(Ok(vec![feed("binance", "waiting", "12:00:00")]))], "12:01:30"));
}
