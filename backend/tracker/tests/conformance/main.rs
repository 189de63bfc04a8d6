//! What exchanges really sent is read: every recorded frame of a stream is known, and every trade is the one that another
//! program, in another language, finds in the same file.
//!
//! The recordings are not part of the project. `RECORDINGS_DIR` names the folder that holds them; without it the checks
//! are skipped, and say so. A venue is a file here, with the same in Python beside it, and a line in [`VENUES`].

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "a test fails by panicking")]

mod answers;
mod binance;
mod bitfinex;
mod bitstamp;
mod bybit;
mod coinbase;
mod independent;
mod kraken;
mod mutated;
mod okx;
mod recording;
mod table;

use std::collections::BTreeMap;

use chrono::Utc;
use tracker::exchange::{Found, Frame, Reader};

use crate::{
    independent::Trade,
    recording::{Event, Recording},
    table::Row,
};

/// A venue whose recorded streams are read.
struct Venue {
    /// Its name, which its file and its Python file have too.
    name: &'static str,
    /// Who reads a connection that carries trades, and one that carries news of the market.
    readers: fn() -> [Box<dyn Reader>; 2],
    /// Whether a file, by its path below the recordings in lower case, holds its streams.
    is_recorded_in: fn(&str) -> bool,
    /// Why a frame is none of the protocol that is spoken: another version, derivatives.
    is_foreign: fn(&str) -> Option<&'static str>,
    /// How many trades there are at least in all of its files: a check that finds none proves nothing.
    least_trades: usize,
}

const VENUES: [Venue; 7] =
    [binance::VENUE, bitfinex::VENUE, bitstamp::VENUE, bybit::VENUE, coinbase::VENUE, kraken::VENUE, okx::VENUE];

/// Settings as they are without any being set.
fn settings() -> tracker::Settings {
    use clap::Parser as _;
    #[derive(clap::Parser)]
    struct Arguments {
        #[command(flatten)]
        settings: tracker::Settings,
    }
    process::tls::install();
    Arguments::parse_from(["tracker"]).settings
}

/// The readers of an exchange as it is followed by default.
fn readers_of(exchange: &dyn tracker::exchange::Exchange) -> [Box<dyn Reader>; 2] {
    [exchange.reader(), exchange.market().map_or_else(|| exchange.reader(), |market| market.news_reader())]
}

/// Reads a file as the venue's connector does. Returns what its frames were, and its trades.
fn read(venue: &Venue, file: &Recording) -> (Row, Vec<Trade>) {
    let mut row = Row::new(venue.name, &file.name);
    let mut trades = Vec::new();
    let [mut reader, mut news] = (venue.readers)();
    for event in file.events() {
        let Event::Frame(text) = event else {
            // A new connection remembers nothing.
            [reader, news] = (venue.readers)();
            continue;
        };
        if let Some(reason) = (venue.is_foreign)(&text) {
            row.foreign(reason);
            continue;
        }
        let (mut found, mut told) = (Found::default(), Found::default());
        let outcome = reader.read(&text, Utc::now(), &mut found);
        // What it cannot read, it need not: the other one says so.
        let _ = news.read(&text, Utc::now(), &mut told);
        assert_eq!(outcome == Ok(Frame::Trades), !found.ticks.is_empty(), "{}: {text}", file.name);
        row.count(outcome, &text, found.ticks.len(), told.rows.len());
        trades.extend(found.ticks.iter().map(Trade::of));
    }
    (row, trades)
}

#[test]
fn every_recorded_frame_is_known_and_every_trade_is_the_one_that_another_program_finds() {
    let Some(files) = recording::all() else { return };
    let mut rows = Vec::new();
    let mut differences = BTreeMap::new();
    for venue in &VENUES {
        let mut sum = 0;
        let of_venue: Vec<_> = files.iter().filter(|file| (venue.is_recorded_in)(&file.name.to_lowercase())).collect();
        assert!(!of_venue.is_empty(), "nothing is recorded of {}", venue.name);
        let expected = independent::read(venue.name, &of_venue);
        for (file, expected) in of_venue.into_iter().zip(expected) {
            let (row, trades) = read(venue, file);
            sum += trades.len();
            if trades != expected {
                let at = trades.iter().zip(&expected).position(|(ours, theirs)| ours != theirs);
                let at = at.unwrap_or(trades.len().min(expected.len()));
                let said = format!(
                    "{} trades, not {}; number {at} is {:?}, not {:?}",
                    trades.len(),
                    expected.len(),
                    trades.get(at),
                    expected.get(at)
                );
                differences.insert(format!("{} {}", venue.name, file.name), said);
            }
            rows.push(row);
        }
        assert!(sum >= venue.least_trades, "{}: {sum} trades", venue.name);
    }
    eprintln!("{}", table::text(&rows));
    assert!(differences.is_empty(), "{differences:#?}");
    let unknown: Vec<&Row> = rows.iter().filter(|row| row.has_errors()).collect();
    assert!(unknown.is_empty(), "frames that are not known: {unknown:#?}");
}
