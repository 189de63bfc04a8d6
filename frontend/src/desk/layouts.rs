//! The workspaces that a new user finds.

use domain::Interval;
use egui_tiles::{Linear, LinearDir, TileId, Tiles, Tree};

use super::{
    Workspace,
    pane::{Kind, Pane},
};
use crate::panels::chart::Chart;

/// All of them.
pub(super) fn all() -> Vec<Workspace> {
    vec![market(), four_charts(), overview()]
}

/// One market, for a workspace that its user makes.
pub(super) fn plain(name: String) -> Workspace {
    Workspace { name, ..market() }
}

/// All tickers, the chart of one, and below it what the market does.
fn market() -> Workspace {
    workspace("Market", |tiles| {
        let kinds =
            [Kind::Top, Kind::Movers, Kind::Volatility, Kind::Compare, Kind::Alerts, Kind::Portfolio, Kind::Health];
        let below = tabs(tiles, &kinds);
        let chart = tabs(tiles, &[Kind::Chart]);
        let right = split(tiles, LinearDir::Vertical, [chart, below], 0.71);
        let left = tabs(tiles, &[Kind::Markets]);
        split(tiles, LinearDir::Horizontal, [left, right], 0.26)
    })
}

/// One ticker in four widths.
fn four_charts() -> Workspace {
    workspace("Four charts", |tiles| {
        let charts =
            [Interval::OneMinute, Interval::FifteenMinutes, Interval::OneHour, Interval::OneDay].map(|interval| {
                let mut pane = Pane::new(Kind::Chart);
                if let Some(chart) = pane.chart_mut() {
                    *chart = Chart::of(interval);
                }
                let pane = tiles.insert_pane(pane);
                tiles.insert_tab_tile(vec![pane])
            });
        let [first, second, third, fourth] = charts;
        let top = split(tiles, LinearDir::Horizontal, [first, second], 0.5);
        let bottom = split(tiles, LinearDir::Horizontal, [third, fourth], 0.5);
        let right = split(tiles, LinearDir::Vertical, [top, bottom], 0.5);
        let left = tabs(tiles, &[Kind::Markets]);
        split(tiles, LinearDir::Horizontal, [left, right], 0.22)
    })
}

/// The whole market at once.
fn overview() -> Workspace {
    workspace("Overview", |tiles| {
        let top = tabs(tiles, &[Kind::Top]);
        let movers = tabs(tiles, &[Kind::Movers]);
        let compare = tabs(tiles, &[Kind::Compare]);
        let health = tabs(tiles, &[Kind::Health]);
        let left = split(tiles, LinearDir::Vertical, [top, health], 0.6);
        let right = split(tiles, LinearDir::Vertical, [movers, compare], 0.4);
        split(tiles, LinearDir::Horizontal, [left, right], 0.5)
    })
}

fn workspace(name: &str, build: impl FnOnce(&mut Tiles<Pane>) -> TileId) -> Workspace {
    let mut tiles = Tiles::default();
    let root = build(&mut tiles);
    // Two trees are never in the window at once, but egui remembers scroll places by this.
    let tree = Tree::new(eframe::egui::Id::unique(("desk", name)), root, tiles);
    Workspace { name: name.to_owned(), tree, groups: [].into(), shown: [].into(), active: None }
}

fn tabs(tiles: &mut Tiles<Pane>, kinds: &[Kind]) -> TileId {
    let panes: Vec<TileId> = kinds.iter().map(|kind| tiles.insert_pane(Pane::new(*kind))).collect();
    tiles.insert_tab_tile(panes)
}

fn split(tiles: &mut Tiles<Pane>, direction: LinearDir, children: [TileId; 2], share: f32) -> TileId {
    tiles.insert_container(Linear::new_binary(direction, children, share))
}
