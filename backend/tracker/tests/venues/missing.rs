//! What did not come by the stream is found, fetched, and written down as filled.

use std::time::Duration;

use chrono::TimeDelta;
use domain::{GapCause, GapState};
use simulator::{Fault, Refusal};

use crate::{
    by_each_protocol,
    following::{COINS, Following},
    venue::Venue,
};

/// More than Kraken tells with the subscription.
const MANY: u64 = 80;

by_each_protocol!(
    a_dropped_connection_is_opened_again_and_what_was_missed_is_fetched,
    trades_that_the_stream_left_out_are_found_and_fetched,
    trades_made_while_the_tracker_was_stopped_are_fetched_even_if_none_follows,
    many_small_holes_of_a_pair_are_filled_together,
    who_was_asked_too_often_is_left_alone,
);

impl Following {
    /// A few trades that come.
    async fn warmed_up(&mut self, venue: Venue) {
        self.exchange.emit(10).await;
        let all = |following: &Self| COINS.iter().all(|coin| following.trades(venue, coin).len() == 10);
        self.until("the first trades came", all).await;
    }

    /// That there were gaps of both pairs, each filled, and all of this cause.
    fn assert_filled(&self, venue: Venue, cause: GapCause) {
        let gaps = self.gaps();
        for coin in COINS {
            assert!(gaps.iter().any(|gap| gap.ticker == venue.ticker(coin)), "{coin}: {gaps:#?}");
        }
        for gap in gaps {
            assert_eq!((gap.cause, gap.state, gap.missing), (cause, GapState::Filled, 0), "{gap:#?}");
        }
    }
}

async fn a_dropped_connection_is_opened_again_and_what_was_missed_is_fetched(venue: Venue) {
    let mut following = Following::start(venue).await;
    following.warmed_up(venue).await;
    following.exchange.inject(Fault::Disconnect);
    following.exchange.emit(MANY).await;
    following.listening(&[venue]).await;
    following.exchange.emit(10).await;
    following.until_complete(venue).await;
    following.assert_filled(venue, GapCause::Disconnected);
    let reconnected =
        |following: &Following| following.feeds.get(venue.name()).is_some_and(|feed| feed.reconnects == 1);
    following.until("it is told", reconnected).await;
    following.stop().await;
}

async fn trades_that_the_stream_left_out_are_found_and_fetched(venue: Venue) {
    let mut following = Following::start(venue).await;
    following.warmed_up(venue).await;
    following.exchange.inject(Fault::Gap(1_200));
    // Coinbase tells which trade is the newest, so that none need follow.
    let (follow, cause) = match venue {
        Venue::Coinbase => (0, GapCause::Silence),
        Venue::Kraken | Venue::Binance => (20, GapCause::Skipped),
    };
    following.exchange.emit(1_200 + follow).await;
    following.until_complete(venue).await;
    let missing = |coin: &str| {
        let of_coin = following.gaps().into_iter().filter(|gap| gap.ticker == venue.ticker(coin)).collect::<Vec<_>>();
        of_coin.iter().map(|gap| gap.last_trade_id - gap.first_trade_id + 1).sum::<i64>()
    };
    assert_eq!(COINS.map(missing), [1_200; 2]);
    following.assert_filled(venue, cause);
    following.stop().await;
}

async fn trades_made_while_the_tracker_was_stopped_are_fetched_even_if_none_follows(venue: Venue) {
    let mut following = Following::start(venue).await;
    following.warmed_up(venue).await;
    let mut following = following.restarted(MANY).await;
    following.until_complete(venue).await;
    following.assert_filled(venue, GapCause::TrackerStopped);
    following.stop().await;
}

async fn many_small_holes_of_a_pair_are_filled_together(venue: Venue) {
    const HOLES: u32 = 60;
    let mut following = Following::start(venue).await;
    following.warmed_up(venue).await;
    // Of each two that come in the wrong order, the first is missing for a moment. Kraken may be asked every other second.
    following.exchange.inject(Fault::Reorder(HOLES));
    following.exchange.emit(u64::from(2 * HOLES)).await;
    following.until_complete(venue).await;
    assert_eq!(following.gaps().len(), COINS.len() * HOLES as usize);
    following.assert_filled(venue, GapCause::Skipped);
    following.stop().await;
}

async fn who_was_asked_too_often_is_left_alone(venue: Venue) {
    let mut following = Following::start(venue).await;
    following.warmed_up(venue).await;
    following.exchange.inject(Fault::Gap(20));
    // Long enough for the first question; after that it would answer.
    let retry_after = Duration::from_secs(4);
    following.exchange.inject(Fault::RateLimited { status: Refusal::TooManyRequests, retry_after });
    following.exchange.emit(40).await;
    following.until_complete(venue).await;
    following.assert_filled(venue, GapCause::Skipped);
    let gaps = following.gaps();
    let penalty = TimeDelta::from_std(venue.penalty()).unwrap();
    assert!(gaps.iter().all(|gap| gap.updated_at - gap.found_at >= penalty), "nobody asked: {gaps:#?}");
    assert!(gaps.iter().map(|gap| gap.attempts).sum::<u32>() <= 1, "it refused once: {gaps:#?}");
    following.stop().await;
}
