//! All that a user has, at once: the window on a display, the API that it asks, and the market behind it.
//!
//! The window's picture is not compared with one: what it says is read where a screen reader reads it.
//! On Linux alone, where there are displays without a screen.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod glass;
mod program;
mod services;
mod stage;

use std::collections::HashSet;

use crate::{glass::Shown, stage::Stage};

fn is_stale(shown: &Shown) -> Option<[bool; 2]> {
    let (row, chart) = (shown.row()?, shown.chart()?);
    Some([row.words.contains(", stale"), chart.words.contains("STALE")])
}

#[test]
fn the_window_shows_what_the_api_tells_and_says_so_when_nothing_new_comes() {
    let mut stage = Stage::build();
    stage.wait("the API is connected", |shown| shown.find("API connected").map(drop));

    // The price moves while both are asked, so what counts is that the one told what the other did. From a dozen prices the
    // window learns how often they come, and so how soon the next is overdue.
    let (mut seen, mut told) = (HashSet::new(), HashSet::new());
    let (api, what) = (stage.api, "a price that the window shows is one that the API tells");
    stage.wait(what, |shown| {
        seen.extend(shown.price());
        told.extend(api.price());
        (seen.len() > 12 && !seen.is_disjoint(&told)).then_some(())
    });

    // The click is for a place in the list, to which another pair may have come meanwhile.
    let glass = stage.glass.clone();
    let chart = stage.wait("a click on the pair shows its chart", |shown| {
        let chart = shown.chart().filter(|chart| chart.words.contains(" candles of 1m, last ")).cloned();
        if chart.is_none() {
            glass.click(shown.row()?)?;
        }
        chart
    });
    let colourful = stage.picture().expect("the window paints itself").colourful_in(chart.place);
    assert!(colourful > 100, "nothing is drawn: {colourful} pixels of the chart have a colour");

    stage.exchange.falls_silent();
    stage.wait("row and chart are called stale", |shown| (is_stale(shown)? == [true; 2]).then_some(()));
    // Nothing moves any more, so this is no coincidence.
    stage.wait("the row has the very price that the API tells", |shown| (shown.price()? == api.price()?).then_some(()));

    stage.exchange.recovers();
    stage.wait("neither is stale any more", |shown| (is_stale(shown)? == [false; 2]).then_some(()));

    stage.kill_api();
    let last = stage.wait("the API is gone, and the last price is still there", |shown| {
        shown.find("No connection to the API")?;
        shown.price()
    });
    stage.start_api_again();
    stage.wait("the API is back, with another price", |shown| {
        shown.find("API connected")?;
        shown.price().filter(|price| *price != last)
    });
}
