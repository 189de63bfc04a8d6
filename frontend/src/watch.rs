//! What happened since the last look: what notifications tell.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use smol_str::SmolStr;

use crate::{
    choices::Choices,
    format,
    state::{Connection, State, TickerKey},
};

/// An outage shorter than this is told nobody: connections are made again within seconds.
const SHORT: TimeDelta = TimeDelta::seconds(10);

/// Something that the user asked to hear of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// In a few words.
    pub title: String,
    /// In a sentence.
    pub words: String,
    /// The level that rang and does so no more, if one did.
    pub rang: Option<(TickerKey, Decimal)>,
}

/// What was so at the last look.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    api_is_lost: bool,
    feeds_down_since: BTreeMap<SmolStr, DateTime<Utc>>,
    feeds_lost: BTreeMap<SmolStr, bool>,
    prices: BTreeMap<TickerKey, Decimal>,
}

impl Watch {
    /// What happened, of what the user wants to hear.
    pub(crate) fn look(&mut self, state: &mut State, choices: &Choices, now: DateTime<Utc>) -> Vec<Event> {
        let mut events = self.levels(state, choices);
        let api = self.api(state, now);
        let feeds = self.feeds(state, now);
        events.extend(api.filter(|_| choices.notify.api));
        events.extend(feeds.into_iter().filter(|_| choices.notify.feeds));
        events
    }

    /// Levels that the price came to or went through, even if it went back between two looks.
    fn levels(&mut self, state: &mut State, choices: &Choices) -> Vec<Event> {
        let mut events = Vec::new();
        let mut levels: BTreeMap<&TickerKey, Vec<Decimal>> = BTreeMap::new();
        for (ticker, level) in choices.drawings.bells() {
            levels.entry(ticker).or_default().push(level);
        }
        self.prices.retain(|ticker, _| levels.contains_key(ticker));
        for (key, levels) in levels {
            let swing = state.take_swing(key);
            if state.tickers.is_recalled() {
                continue;
            }
            let Some(ticker) = state.ticker(key) else { continue };
            let Some(before) = self.prices.insert(key.clone(), ticker.price) else { continue };
            let (low, high) = swing.unwrap_or((ticker.price, ticker.price));
            let (low, high) = (low.min(ticker.price), high.max(ticker.price));
            for level in levels {
                let crossed = (before < level && high >= level) || (before > level && low <= level);
                if crossed {
                    let way = if before < level { "rose to" } else { "fell to" };
                    let level_words = format::price(level, ticker.decimals);
                    events.push(Event {
                        title: format!("{} {way} {level_words}", ticker.name()),
                        words: format!("Last {} on {}", format::price(ticker.price, ticker.decimals), key.exchange),
                        rang: Some((key.clone(), level)),
                    });
                }
            }
        }
        events
    }

    fn api(&mut self, state: &State, now: DateTime<Utc>) -> Option<Event> {
        let event = |title: &str, words: String| Some(Event { title: title.to_owned(), words, rang: None });
        match &state.connection {
            Connection::Away { cause, since, .. } if !self.api_is_lost && now - *since >= SHORT => {
                self.api_is_lost = true;
                event("The API is away", cause.clone())
            }
            Connection::Connected if self.api_is_lost => {
                self.api_is_lost = false;
                event("The API is back", "Prices are live again".to_owned())
            }
            _ => None,
        }
    }

    fn feeds(&mut self, state: &State, now: DateTime<Utc>) -> Vec<Event> {
        // What was last heard of feeds says nothing once the API is away.
        if state.connection != Connection::Connected {
            self.feeds_down_since.clear();
            return Vec::new();
        }
        let mut events = Vec::new();
        let server_time = state.server_time(now);
        for (name, feed) in state.feeds.value().into_iter().flatten() {
            let lost = self.feeds_lost.entry(name.clone()).or_default();
            if feed.is_down(server_time) {
                let since = *self.feeds_down_since.entry(name.clone()).or_insert(now);
                if !*lost && now - since >= SHORT {
                    *lost = true;
                    let cause = feed.cause(server_time).unwrap_or("no cause was given");
                    let title = format!("{name} is {}", feed.state(server_time));
                    events.push(Event { title, words: format!("No new prices: {cause}"), rang: None });
                }
            } else {
                self.feeds_down_since.remove(name);
                if feed.delivers(server_time) && std::mem::take(lost) {
                    let title = format!("{name} delivers again");
                    events.push(Event { title, words: "Prices are live again".to_owned(), rang: None });
                }
            }
        }
        events
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        choices::{Drawing, Notify},
        panels::DrawingChange,
        state::{
            Update,
            tests::{at, feed, live_batch, with_prices},
        },
    };

    fn titles(events: &[Event]) -> Vec<&str> {
        events.iter().map(|event| event.title.as_str()).collect()
    }

    #[test]
    fn a_level_rings_when_the_price_gets_there_from_either_side() {
        let ticker = TickerKey::new("binance", "BTCUSDT");
        let mut choices = Choices::default();
        for level in ["64300", "64200"] {
            let level = Drawing::Level { price: level.parse().unwrap(), bell: true };
            choices.drawings.obey(&ticker, DrawingChange::Add(level));
        }
        let quiet = Drawing::Level { price: "64299".parse().unwrap(), bell: false };
        choices.drawings.obey(&ticker, DrawingChange::Add(quiet));
        let mut state = with_prices();
        let mut watch = Watch::default();
        assert_eq!(watch.look(&mut state, &choices, at("12:00:00")), []);
        state.apply(Update::Live(live_batch("BTCUSDT", "12:00:01", "64299.99")), at("12:00:01"));
        assert_eq!(watch.look(&mut state, &choices, at("12:00:01")), []);
        state.apply(Update::Live(live_batch("BTCUSDT", "12:00:02", "64300")), at("12:00:02"));
        let events = watch.look(&mut state, &choices, at("12:00:02"));
        assert_eq!(titles(&events), ["BTC/USDT rose to 64,300.00"]);
        assert_eq!(events[0].rang, Some((ticker, "64300".parse().unwrap())));
        // There and back between two looks.
        state.apply(Update::Live(live_batch("BTCUSDT", "12:00:03", "64100")), at("12:00:03"));
        state.apply(Update::Live(live_batch("BTCUSDT", "12:00:04", "64300")), at("12:00:04"));
        assert_eq!(titles(&watch.look(&mut state, &choices, at("12:00:04"))), ["BTC/USDT fell to 64,200.00"]);
        assert_eq!(watch.look(&mut state, &choices, at("12:00:05")), []);
    }

    #[test]
    fn an_outage_is_told_once_it_lasts_and_once_it_ends() {
        let choices = Choices { notify: Notify { api: true, feeds: true, ..Notify::default() }, ..Choices::default() };
        let mut state = with_prices();
        let mut watch = Watch::default();
        state.apply(Update::Connection(Connection::Connected), at("12:00:00"));
        let row = |state: &str, time: &str| Update::Feeds(Ok(vec![feed("binance", state, time)]));
        state.apply(row("waiting", "12:00:00"), at("12:00:00"));
        assert_eq!(watch.look(&mut state, &choices, at("12:00:01")), []);
        state.apply(row("waiting", "12:00:11"), at("12:00:11"));
        assert_eq!(titles(&watch.look(&mut state, &choices, at("12:00:12"))), ["binance is waiting"]);
        assert_eq!(watch.look(&mut state, &choices, at("12:00:13")), []);
        state.apply(row("streaming", "12:00:20"), at("12:00:20"));
        assert_eq!(titles(&watch.look(&mut state, &choices, at("12:00:20"))), ["binance delivers again"]);

        let away = Connection::Away { cause: "refused".into(), since: at("12:01:00"), next_try_at: at("12:01:05") };
        state.apply(Update::Connection(away), at("12:01:00"));
        assert_eq!(watch.look(&mut state, &choices, at("12:01:05")), []);
        assert_eq!(titles(&watch.look(&mut state, &choices, at("12:01:10"))), ["The API is away"]);
        state.apply(Update::Connection(Connection::Connected), at("12:02:00"));
        assert_eq!(titles(&watch.look(&mut state, &choices, at("12:02:00"))), ["The API is back"]);
        assert_eq!(watch.look(&mut state, &Choices::default(), at("12:02:01")), []);
    }
}
