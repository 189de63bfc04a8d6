//! What comes by the stream: all of it, in order and exact; and what becomes of a subscription that is refused.

use std::time::Duration;

use domain::FeedState;
use simulator::Fault;
use tokio::time::{Instant, sleep};

use crate::{
    by_each_protocol,
    following::{COINS, Following, SOON, quiet_exchange, settings},
    venue::Venue,
};

by_each_protocol!(
    every_published_trade_is_in_the_queue_once_and_in_order,
    what_a_connection_and_the_next_in_its_place_bring_is_published_once,
    a_refused_subscription_of_one_pair_lets_the_others_live_and_is_asked_for_again,
);

async fn every_published_trade_is_in_the_queue_once_and_in_order(venue: Venue) {
    let mut following = Following::start(venue).await;
    following.exchange.emit(2_000).await;
    let all = |following: &Following| COINS.iter().all(|coin| following.trades(venue, coin).len() >= 2_000);
    following.until("every trade came", all).await;
    for coin in COINS {
        let published = following.published(coin);
        assert_eq!(published.len(), 2_000);
        assert_eq!(following.trades(venue, coin), published, "{coin}");
    }
    let streaming = |following: &Following| {
        following.feeds.get(venue.name()).is_some_and(|feed| feed.state == FeedState::Streaming && feed.ticks == 4_000)
    };
    following.until("the feed streams", streaming).await;
    let feed = &following.feeds[venue.name()];
    assert_eq!((feed.rejected, feed.reconnects, following.gaps().len()), (0, 0, 0), "{feed:?}");
    following.stop().await;
}

async fn what_a_connection_and_the_next_in_its_place_bring_is_published_once(venue: Venue) {
    let exchange = quiet_exchange().await;
    let mut settings = settings(&exchange, &[venue]);
    settings.tracker_connection_seconds = 1;
    let mut following = Following::track(exchange, settings).await;
    following.listening(&[venue]).await;
    // Twice, since the second stands in the place of one that did so too.
    for listeners in [2, 1, 2, 1] {
        let begin = Instant::now();
        while venue.listeners(&following.exchange, "ETH") != listeners {
            assert!(begin.elapsed() < SOON, "{listeners} connections");
            following.exchange.emit(1).await;
            sleep(Duration::from_millis(5)).await;
        }
    }
    following.until_complete(venue).await;
    for coin in COINS {
        assert_eq!(following.trades(venue, coin), following.published(coin), "{coin}");
    }
    assert_eq!(following.gaps().len(), 0);
    assert!(following.feeds.values().all(|feed| feed.reconnects == 0), "it is no fault");
    following.stop().await;
}

async fn a_refused_subscription_of_one_pair_lets_the_others_live_and_is_asked_for_again(venue: Venue) {
    let exchange = quiet_exchange().await;
    let mut settings = settings(&exchange, &[venue]);
    settings.tracker_silence_seconds = 1;
    exchange.inject(Fault::RefuseSubscriptions(1));
    let mut following = Following::track(exchange, settings).await;
    let [refused, other] = COINS;
    following.until_listening(|exchange| venue.listeners(exchange, other) > 0).await;
    assert_eq!(venue.listeners(&following.exchange, refused), 0);
    following.exchange.emit(10).await;
    following.until("the other pair lives", |following| following.trades(venue, other).len() == 10).await;
    // What is traded from when the exchange was asked on is missed, and found out by asking again.
    let begin = Instant::now();
    while venue.listeners(&following.exchange, refused) == 0 {
        assert!(begin.elapsed() < SOON, "it is subscribed at last");
        following.exchange.emit(1).await;
        sleep(Duration::from_millis(100)).await;
    }
    following.exchange.emit(1).await;
    let last = following.published(refused).pop();
    let came = |following: &Following| {
        following.recorded(venue, refused).last() == last.as_ref()
            && following.recorded(venue, other) == following.published(other)
            && following.gaps().iter().all(|gap| gap.state.is_closed())
    };
    following.until("both live", came).await;
    assert!(following.published(refused).ends_with(&following.recorded(venue, refused)));
    following.stop().await;
}
