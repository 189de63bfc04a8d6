//! What a client may ask over its WebSocket: to subscribe and to unsubscribe. The answer lists all that it listens to then.
//!
//! A request is carried out as a whole or refused as a whole. Who has just subscribed to matches or tickers is told the
//! last of them after the answer; since it listens already, a trade that happens meanwhile may come twice and is never
//! missed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Deserialize;

use crate::{listings::Listed, venue::Venue};

use super::{CHANNELS, MATCHES, TICKER, TICKER_BATCH, channel_and_product, find, frames, stream_name, ticker};

#[derive(Deserialize)]
struct Request {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    product_ids: Vec<String>,
    #[serde(default)]
    channels: Vec<Channel>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Channel {
    Named(String),
    WithProducts {
        name: String,
        #[serde(default)]
        product_ids: Vec<String>,
    },
}

/// Carries out a request of this client and sends the answers.
pub(crate) fn answer(venue: &Venue, client: u64, text: &str) {
    let reply = |text| venue.hub.reply(client, text);
    let Ok(request) = serde_json::from_str::<Request>(text) else {
        return reply(frames::error("Malformed JSON", None));
    };
    match request.kind.as_str() {
        "subscribe" => match subscribe(venue, client, &request) {
            Ok(new) => {
                new.iter().filter_map(|(channel, listed)| first_frame(venue, channel, listed)).for_each(reply);
            }
            Err(reason) => reply(frames::error("Failed to subscribe", Some(&reason))),
        },
        "unsubscribe" => {
            unsubscribe(venue, client, &request);
            reply(subscriptions(&venue.hub.subscriptions(client).into_iter().collect()));
        }
        _ => reply(frames::error("Type has to be either subscribe or unsubscribe", None)),
    }
}

/// What is asked for: each channel with its own products, or with those of the whole request.
fn asked(request: &Request) -> impl Iterator<Item = (&str, &[String])> {
    request.channels.iter().map(|channel| match channel {
        Channel::WithProducts { name, product_ids } if !product_ids.is_empty() => (name.as_str(), &product_ids[..]),
        Channel::Named(name) | Channel::WithProducts { name, .. } => (name.as_str(), &request.product_ids[..]),
    })
}

/// Sends the answer, and returns what the client did not listen to before.
fn subscribe(venue: &Venue, client: u64, request: &Request) -> Result<Vec<(&'static str, Arc<Listed>)>, String> {
    let before = venue.hub.subscriptions(client);
    let (mut streams, mut new) = (Vec::new(), Vec::new());
    for (name, products) in asked(request) {
        let channel = CHANNELS.into_iter().find(|channel| *channel == name);
        let channel = channel.ok_or_else(|| format!("{name} is not a valid channel"))?;
        if products.is_empty() {
            return Err(format!("{name} needs product_ids"));
        }
        for product in products {
            let listed = find(venue, product).ok_or_else(|| format!("{product} is not a valid product"))?;
            let stream = stream_name(channel, product);
            if !before.contains(&stream) && !streams.contains(&stream) {
                streams.push(stream);
                new.push((channel, listed));
            }
        }
    }
    if request.channels.is_empty() {
        return Err("no channels provided".to_owned());
    }
    if venue.faults.refuses_subscription() {
        return Err("the subscription is refused".to_owned());
    }
    let done = venue.hub.subscribe_acknowledged(client, &streams, subscriptions);
    done.map_err(|_| "too many subscriptions".to_owned())?;
    Ok(new)
}

/// A channel without products is left for all of them.
fn unsubscribe(venue: &Venue, client: u64, request: &Request) {
    let gone = |stream: &String| {
        channel_and_product(stream).is_some_and(|(channel, product)| {
            asked(request).any(|(name, products)| {
                name == channel && (products.is_empty() || products.iter().any(|named| named == product))
            })
        })
    };
    let streams: Vec<String> = venue.hub.subscriptions(client).into_iter().filter(gone).collect();
    venue.hub.unsubscribe(client, &streams);
}

/// The answer, of what a client listens to.
fn subscriptions(streams: &BTreeSet<String>) -> String {
    let mut channels: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (channel, product) in streams.iter().filter_map(|stream| channel_and_product(stream)) {
        channels.entry(channel).or_default().push(product);
    }
    frames::subscriptions(&channels)
}

/// What a new listener is told at once: nothing before the first trade, or while nothing may be sent.
fn first_frame(venue: &Venue, channel: &str, listed: &Listed) -> Option<String> {
    if venue.faults.silent() {
        return None;
    }
    let last = listed.ledger().last().cloned()?;
    match channel {
        MATCHES => Some(frames::matched("last_match", &listed.coinbase.product, &last)),
        TICKER | TICKER_BATCH => Some(ticker(venue, listed, &last)),
        _ => None,
    }
}
