//! What is told beside the trades: the market's rows and the exchange's own candles.

use std::collections::BTreeMap;

use broker::Message;
use chrono::{DurationRound as _, TimeDelta};
use domain::MarketRow;
use rust_decimal::Decimal;
use simulator::{PublishedTrade, Simulator};

use crate::{
    by_each_protocol,
    following::{COINS, Following, quiet_exchange, settings},
    venue::Venue,
};

by_each_protocol!(
    of_every_pair_the_market_is_told,
    prices_and_quantities_go_by_the_steps_that_the_catalogue_tells,
    the_exchange_s_own_minutes_add_up_to_the_trades,
);

fn volume(trades: &[PublishedTrade]) -> Decimal {
    trades.iter().map(|trade| trade.quantity).sum()
}

fn quote_volume(trades: &[PublishedTrade]) -> Decimal {
    trades.iter().map(|trade| trade.price * trade.quantity).sum()
}

/// Whether they are the same, but for the eight decimals of an average price.
fn is_about(told: Decimal, exact: Decimal, volume: Decimal) -> bool {
    (told - exact).abs() <= volume * Decimal::new(1, 8)
}

/// Whether this is what these trades say, as far as the exchange tells it.
fn is_true(venue: Venue, row: &MarketRow, trades: &[PublishedTrade]) -> bool {
    let prices = || trades.iter().map(|trade| trade.price);
    let quote_is_true = match (venue, row.quote_volume_24h) {
        (Venue::Coinbase, told) => told.is_none(),
        (_, told) => told.is_some_and(|told| is_about(told, quote_volume(trades), volume(trades))),
    };
    Some(row.price) == prices().next_back()
        && (row.open_24h, row.high_24h, row.low_24h) == (prices().next(), prices().max(), prices().min())
        && row.volume_24h == Some(volume(trades))
        && quote_is_true
}

async fn of_every_pair_the_market_is_told(venue: Venue) {
    let exchange = quiet_exchange().await;
    let mut settings = settings(&exchange, &[venue]);
    settings.tracker_market = true;
    let mut following = Following::track(exchange, settings).await;
    following.until_listening(|exchange| venue.market_listeners(exchange, "SHIB") > 0).await;
    following.listening(&[venue]).await;
    for _ in 0..2 {
        following.exchange.emit(20).await;
        let all_true = |following: &Following| {
            let mut market: BTreeMap<&str, &MarketRow> = BTreeMap::new();
            for message in &following.told {
                if let Message::Market(report) = message {
                    market.extend(report.rows.iter().map(|row| (row.ticker.as_str(), row)));
                }
            }
            following.exchange.tickers().iter().all(|ticker| {
                let told = market.get(venue.ticker(ticker.trim_end_matches("USDT")).as_str());
                told.is_some_and(|row| is_true(venue, row, &following.exchange.published(ticker)))
            })
        };
        following.until("the last word is the exchange's", all_true).await;
    }
    following.until_complete(venue).await;
    following.stop().await;
}

#[tokio::test]
async fn a_pair_listed_anew_is_subscribed_to_where_each_pair_must_be() {
    let venue = Venue::Coinbase;
    let exchange = quiet_exchange().await;
    let mut settings = settings(&exchange, &[venue]);
    settings.tracker_market = true;
    settings.tracker_silence_seconds = 1;
    let mut following = Following::track(exchange, settings).await;
    following.until_listening(|exchange| venue.market_listeners(exchange, "SHIB") > 0).await;
    following.exchange.list("NEWUSDT", "NEW", "USDT", Decimal::new(125, 2)).unwrap();
    following.exchange.emit(5).await;
    // While the stream is silent all is asked for, and something is told of a pair that nobody lists.
    following.until_listening(|exchange| venue.market_listeners(exchange, "NEW") > 0).await;
    following.exchange.emit(5).await;
    let told = |following: &Following| {
        following.told.iter().any(|message| match message {
            Message::Market(report) => report.rows.iter().any(|row| row.ticker == "NEW-USDT"),
            _ => false,
        })
    };
    following.until("it is told of", told).await;
    following.stop().await;
}

async fn prices_and_quantities_go_by_the_steps_that_the_catalogue_tells(venue: Venue) {
    let exchange = quiet_exchange().await;
    exchange.emit(500).await;
    let connector = tracker::exchanges::find(venue.name(), &settings(&exchange, &[venue]).addresses).unwrap();
    let listed = connector.catalogue().await.unwrap();
    for coin in COINS {
        let pair = listed.iter().find(|pair| pair.ticker == venue.ticker(coin)).unwrap();
        let (price, quantity) = (pair.steps.price.unwrap(), pair.steps.quantity.unwrap());
        let trades = exchange.published(&format!("{coin}USDT"));
        assert!(trades.len() > 10 && trades.iter().any(|trade| !(trade.price % (price * Decimal::TEN)).is_zero()));
        for trade in trades {
            assert!((trade.price % price).is_zero() && (trade.quantity % quantity).is_zero(), "{trade:?} {pair:?}");
        }
    }
}

async fn the_exchange_s_own_minutes_add_up_to_the_trades(venue: Venue) {
    // Coinbase's numbers begin at one, by which its first trade is found.
    let numbered = simulator::Settings { trades_per_second: 0.0, first_trade_id: Some(1), ..Default::default() };
    let exchange = Simulator::start(numbered).await.unwrap();
    exchange.emit(500).await;
    let settings = settings(&exchange, &[venue]);
    let trades = exchange.published("BTCUSDT");
    let from = trades[0].time.duration_trunc(TimeDelta::minutes(1)).unwrap();
    let connector = tracker::exchanges::find(venue.name(), &settings.addresses).unwrap();
    let minutes = connector.minutes().unwrap();
    let asked = minutes.minutes(&venue.ticker("BTC").into(), from, from + TimeDelta::minutes(2)).await.unwrap();
    assert!(asked.iter().all(|minute| minute.is_sound()), "{asked:#?}");
    assert_eq!((asked[0].open_time, asked[0].open), (from, trades[0].price));
    assert_eq!(asked.last().unwrap().close, trades.last().unwrap().price);
    assert_eq!(asked.iter().map(|minute| minute.high).max(), trades.iter().map(|trade| trade.price).max());
    assert_eq!(asked.iter().map(|minute| minute.low).min(), trades.iter().map(|trade| trade.price).min());
    assert_eq!(asked.iter().map(|minute| minute.volume).sum::<Decimal>(), volume(&trades));
    let counted = asked.iter().map(|minute| minute.trades).sum::<i64>();
    let quote = asked.iter().map(|minute| minute.quote_volume).sum::<Decimal>();
    if venue.counts_trades() {
        assert_eq!(counted, trades.len() as i64);
        assert!(is_about(quote, quote_volume(&trades), volume(&trades)), "{quote}");
    } else {
        assert_eq!((counted, quote), (0, Decimal::ZERO));
    }
    let first = minutes.first(&venue.ticker("BTC").into()).await.unwrap();
    assert_eq!(first, Some(from));
}
