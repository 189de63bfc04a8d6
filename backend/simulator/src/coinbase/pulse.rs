//! What is streamed by the clock: a heartbeat each second, and a ticker every five where something was traded.

use std::collections::HashMap;

use crate::venue::Venue;

use super::{HEARTBEAT, TICKER_BATCH, frames, stream_name, ticker};

const SECONDS_PER_BATCH: u64 = 5;

/// What was streamed so far.
#[derive(Default)]
pub(crate) struct Pulse {
    seconds: u64,
    /// The trade up to which each symbol's batch was told, by place.
    sent_ids: HashMap<usize, i64>,
}

impl Pulse {
    /// Streams what is due; to be called each second.
    pub(crate) fn beat(&mut self, venue: &Venue) {
        let now = venue.now_ms();
        self.seconds += 1;
        let batch_due = self.seconds.is_multiple_of(SECONDS_PER_BATCH);
        for (place, listed) in venue.listings.all() {
            let product = &listed.coinbase.product;
            let heartbeat = stream_name(HEARTBEAT, product);
            if venue.hub.listeners(&heartbeat) > 0 {
                let last = listed.ledger().last().cloned();
                venue.hub.publish(&heartbeat, |_| frames::heartbeat(product, last.as_ref(), now));
            }
            let batch = stream_name(TICKER_BATCH, product);
            if !batch_due || venue.hub.listeners(&batch) == 0 {
                continue;
            }
            let last = listed.ledger().last().cloned();
            let Some(last) = last.filter(|last| self.sent_ids.insert(place, last.id) != Some(last.id)) else {
                continue;
            };
            let frame = ticker(venue, &listed, &last);
            venue.hub.publish(&batch, |_| frame.clone());
        }
    }
}
