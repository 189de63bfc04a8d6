//! All three protocols in one tracker: one that is away touches no other.

use std::time::Duration;

use domain::FeedState;
use simulator::Fault;

use crate::{
    following::{COINS, Following, quiet_exchange, settings},
    venue::Venue,
};

fn state(following: &Following, venue: Venue) -> Option<FeedState> {
    following.feeds.get(venue.name()).map(|feed| feed.state)
}

#[tokio::test]
async fn three_exchanges_are_recorded_side_by_side_each_whole() {
    let exchange = quiet_exchange().await;
    let settings = settings(&exchange, &Venue::ALL);
    let mut following = Following::track(exchange, settings).await;
    following.listening(&Venue::ALL).await;
    following.exchange.emit(300).await;
    for venue in Venue::ALL {
        following.until_complete(venue).await;
        let streaming = |following: &Following| state(following, venue) == Some(FeedState::Streaming);
        following.until("every feed says that it streams", streaming).await;
        for coin in COINS {
            assert_eq!(following.trades(venue, coin), following.published(coin), "{venue:?} {coin}");
        }
    }
    following.stop().await;
}

#[tokio::test]
async fn an_exchange_at_a_wrong_address_is_named_and_the_others_are_recorded() {
    for away in Venue::ALL {
        let exchange = quiet_exchange().await;
        let mut settings = settings(&exchange, &Venue::ALL);
        let nowhere = "http://127.0.0.1:9".to_owned();
        match away {
            Venue::Binance => settings.addresses.binance.binance_rest_url = nowhere,
            Venue::Coinbase => settings.addresses.coinbase.coinbase_rest_url = nowhere,
            Venue::Kraken => settings.addresses.kraken.kraken_rest_url = nowhere,
        }
        let mut following = Following::track(exchange, settings).await;
        let others: Vec<Venue> = Venue::ALL.into_iter().filter(|venue| *venue != away).collect();
        following.listening(&others).await;
        following.exchange.emit(100).await;
        for other in &others {
            following.until_complete(*other).await;
            let streaming = |following: &Following| state(following, *other) == Some(FeedState::Streaming);
            following.until("the others stream", streaming).await;
        }
        let waiting = |following: &Following| state(following, away) == Some(FeedState::Waiting);
        following.until("the one that is away is told", waiting).await;
        let detail = following.feeds[away.name()].detail.clone().unwrap();
        assert!(detail.contains("127.0.0.1: Connection refused"), "{detail}");
        assert!(COINS.iter().all(|coin| following.trades(away, coin).is_empty()));
        following.stop().await;
    }
}

#[tokio::test]
async fn an_exchange_that_goes_away_and_comes_back_is_made_whole_and_no_other_is_touched() {
    let (lone, exchange) = (quiet_exchange().await, quiet_exchange().await);
    let mut settings = settings(&exchange, &Venue::ALL);
    Venue::Coinbase.point(&mut settings, &lone);
    let mut following = Following::track(exchange, settings).await;
    let others = [Venue::Binance, Venue::Kraken];
    following.listening(&others).await;
    let listens = |_: &simulator::Simulator| COINS.iter().all(|coin| Venue::Coinbase.listeners(&lone, coin) > 0);
    following.until_listening(listens).await;
    lone.emit(10).await;
    following.exchange.emit(10).await;
    let begun = |following: &Following| following.trades(Venue::Coinbase, "ETH").len() == 10;
    following.until("it streams", begun).await;
    lone.inject(Fault::RefuseConnections(Duration::from_secs(3)));
    let down = |following: &Following| {
        let feed = following.feeds.get("coinbase");
        feed.is_some_and(|feed| feed.state == FeedState::Waiting && feed.detail.is_some())
    };
    following.until("it is down, and says why", down).await;
    lone.emit(40).await;
    following.exchange.emit(40).await;
    for other in others {
        following.until_complete(other).await;
        let untouched = |following: &Following| {
            let feed = following.feeds.get(other.name());
            feed.is_some_and(|feed| feed.state == FeedState::Streaming && feed.ticks == 100)
        };
        following.until("the others go on", untouched).await;
        assert_eq!(following.feeds[other.name()].reconnects, 0);
    }
    following.until_listening(listens).await;
    lone.emit(10).await;
    let whole = |following: &Following| {
        COINS
            .iter()
            .all(|coin| following.recorded(Venue::Coinbase, coin) == lone.published(&Venue::Binance.ticker(coin)))
            && following.gaps().iter().all(|gap| gap.state.is_closed())
            && state(following, Venue::Coinbase) == Some(FeedState::Streaming)
    };
    following.until("it is made whole", whole).await;
    assert!(following.gaps().iter().all(|gap| gap.ticker.contains('-')), "{:#?}", following.gaps());
    following.stop().await;
}
