//! Which panes there are, where, and what each of them follows.
//!
//! A desk has several workspaces, one of which is shown. A workspace is a tree of panes that split and tab; panes of
//! the same group show the same ticker. All of it is kept from one run to the next.

mod layouts;
mod pane;

use std::collections::{BTreeMap, BTreeSet};

use egui_tiles::{Container, Linear, LinearDir, Tile, TileId, Tree};
use serde::{Deserialize, Serialize};

pub(crate) use self::pane::{Content, Group, Kind, Pane};
use crate::{
    panels::{Command, chart::Chart},
    state::{Period, SeriesKey, State, TickerKey, portfolio::Topic},
};

/// Workspaces kept; more could not be reached by a key.
pub(crate) const WORKSPACES: usize = 9;

/// What is to become of the panes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DeskChange {
    /// One more pane, beside the one that is named, or else wherever there is room.
    Add {
        /// What it shows.
        kind: Kind,
        /// Which pane it is put to.
        beside: Option<TileId>,
        /// On which side of it.
        side: Side,
    },
    /// A pane of this kind, which may be there already.
    Open(Kind),
    /// The pane goes.
    Close(TileId),
    /// The pane follows a group, or nobody.
    Group(TileId, Option<Group>),
    /// Another workspace is shown.
    Show(usize),
    /// One more workspace.
    New,
    /// The shown workspace gets a name.
    Rename(String),
    /// The shown workspace goes, unless it is the last.
    Remove,
    /// All workspaces become as they were at first.
    Reset,
}

/// Where a new pane is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Into the same place, as a tab.
    Tab,
    /// To the right.
    Right,
    /// Below.
    Below,
}

/// All workspaces.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Desk {
    workspaces: Vec<Workspace>,
    shown: usize,
}

/// One arrangement of panes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Workspace {
    /// What its user calls it.
    pub name: String,
    /// The panes.
    pub tree: Tree<Pane>,
    /// What was chosen for each group.
    groups: BTreeMap<Group, TickerKey>,
    /// What each group shows: the same, or something else while that is not listed.
    #[serde(skip)]
    shown: BTreeMap<Group, TickerKey>,
    /// The pane that the keys are meant for.
    active: Option<TileId>,
}

impl Default for Desk {
    fn default() -> Self {
        Self { workspaces: layouts::all(), shown: 0 }
    }
}

impl Desk {
    /// The workspace that is shown.
    pub(crate) fn current(&self) -> &Workspace {
        // There is always one, and `shown` is one of them: see `whole`.
        &self.workspaces[self.shown]
    }

    /// The same, to be changed.
    pub(crate) fn current_mut(&mut self) -> &mut Workspace {
        &mut self.workspaces[self.shown]
    }

    /// Names of all workspaces, in order.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.workspaces.iter().map(|workspace| workspace.name.as_str())
    }

    /// Which of them is shown.
    pub(crate) fn shown(&self) -> usize {
        self.shown
    }

    /// Itself, if it can be shown; what was kept by hand or by another version may be anything.
    pub(crate) fn whole(mut self) -> Option<Self> {
        self.shown = self.shown.min(self.workspaces.len().checked_sub(1)?);
        self.workspaces.iter().all(Workspace::is_whole).then_some(self)
    }

    /// Does what is wanted.
    pub(crate) fn obey(&mut self, change: DeskChange) {
        match change {
            DeskChange::Show(number) if number < self.workspaces.len() => self.shown = number,
            DeskChange::New if self.workspaces.len() < WORKSPACES => {
                let name = format!("Workspace {}", self.workspaces.len() + 1);
                self.workspaces.push(layouts::plain(name));
                self.shown = self.workspaces.len() - 1;
            }
            DeskChange::Remove if self.workspaces.len() > 1 => {
                self.workspaces.remove(self.shown);
                self.shown = self.shown.min(self.workspaces.len() - 1);
            }
            DeskChange::Rename(name) if !name.trim().is_empty() => {
                self.current_mut().name = name.trim().chars().take(40).collect();
            }
            DeskChange::Reset => *self = Self::default(),
            DeskChange::Add { kind, beside, side } => self.current_mut().add(kind, beside, side),
            DeskChange::Open(kind) => self.current_mut().open(kind),
            DeskChange::Close(tile) => self.current_mut().close(tile),
            DeskChange::Group(tile, group) => self.current_mut().join(tile, group),
            DeskChange::Show(_) | DeskChange::New | DeskChange::Remove | DeskChange::Rename(_) => {}
        }
    }

    /// Sees that every group and every chart has a ticker that is listed, if any is.
    pub(crate) fn choose_missing(&mut self, state: &State) {
        let listed = |ticker: &TickerKey| state.ticker(ticker).is_some();
        let workspace = self.current_mut();
        for group in Group::ALL {
            // The choice stays: its market may be listed again, or by another API. What stands in for it, or for no
            // choice, stays too: another one may be busier in the next minute.
            let candidates = [workspace.groups.get(&group), workspace.shown.get(&group)];
            let chosen = candidates.into_iter().flatten().find(|one| listed(one)).or_else(|| state.busiest());
            if let Some(chosen) = chosen.cloned() {
                workspace.shown.insert(group, chosen);
            }
        }
    }
}

impl Workspace {
    /// Whether there is a pane, and no container within itself.
    fn is_whole(&self) -> bool {
        let mut seen = BTreeSet::new();
        let mut next: Vec<TileId> = self.tree.root().into_iter().collect();
        let mut panes = 0;
        while let Some(tile) = next.pop() {
            if !seen.insert(tile.0) {
                return false;
            }
            match self.tree.tiles.get(tile) {
                Some(Tile::Pane(_)) => panes += 1,
                Some(Tile::Container(container)) => next.extend(container.children().copied()),
                None => {}
            }
        }
        panes > 0
    }

    /// The ticker that the pane shows.
    pub(crate) fn ticker_of<'a>(&'a self, pane: &'a Pane) -> Option<&'a TickerKey> {
        match pane.group {
            Some(group) => self.shown.get(&group).or_else(|| self.groups.get(&group)),
            None => pane.ticker.as_ref(),
        }
    }

    /// What each group shows.
    pub(crate) fn groups(&self) -> BTreeMap<Group, TickerKey> {
        let mut groups = self.groups.clone();
        groups.extend(self.shown.clone());
        groups
    }

    fn choose(&mut self, group: Group, ticker: TickerKey) {
        self.shown.insert(group, ticker.clone());
        self.groups.insert(group, ticker);
    }

    /// The chart that keys are meant for: the one last touched, or else the first.
    pub(crate) fn active_chart(&self) -> Option<TileId> {
        let visible: Vec<TileId> =
            self.visible().filter(|(_, pane)| pane.chart().is_some()).map(|(id, _)| id).collect();
        self.active.filter(|active| visible.contains(active)).or_else(|| visible.first().copied())
    }

    /// The pane that was last touched.
    pub(crate) fn touch(&mut self, tile: TileId) {
        self.active = Some(tile);
    }

    /// The pane.
    pub(crate) fn pane(&self, tile: TileId) -> Option<&Pane> {
        match self.tree.tiles.get(tile) {
            Some(Tile::Pane(pane)) => Some(pane),
            _ => None,
        }
    }

    fn pane_mut(&mut self, tile: TileId) -> Option<&mut Pane> {
        match self.tree.tiles.get_mut(tile) {
            Some(Tile::Pane(pane)) => Some(pane),
            _ => None,
        }
    }

    /// The panes that are not behind another tab, in the order in which they were made.
    pub(crate) fn visible(&self) -> impl Iterator<Item = (TileId, &Pane)> {
        let mut tiles = self.tree.active_tiles();
        tiles.sort_unstable_by_key(|tile| tile.0);
        tiles.into_iter().filter_map(|tile| Some((tile, self.pane(tile)?)))
    }

    /// The active chart, and which ticker it shows.
    pub(crate) fn chart(&self) -> Option<(&Chart, Option<&TickerKey>)> {
        let pane = self.pane(self.active_chart()?)?;
        Some((pane.chart()?, self.ticker_of(pane)))
    }

    /// The same, to be changed; with a tile, the chart in it.
    pub(crate) fn chart_mut(&mut self, tile: Option<TileId>) -> Option<&mut Chart> {
        let tile = tile.filter(|tile| self.pane(*tile).is_some_and(|pane| pane.chart().is_some()));
        let tile = tile.or_else(|| self.active_chart())?;
        self.pane_mut(tile)?.chart_mut()
    }

    /// All series that visible panes show.
    pub(crate) fn series(&self, state: &State) -> BTreeSet<SeriesKey> {
        self.visible().flat_map(|(_, pane)| pane.content.series(self.ticker_of(pane), state)).collect()
    }

    /// All spans over which visible panes show how much prices moved.
    pub(crate) fn periods(&self) -> BTreeSet<Period> {
        self.visible().filter_map(|(_, pane)| pane.content.period()).collect()
    }

    /// All that visible panes show of the account's portfolios.
    pub(crate) fn topics(&self, state: &State) -> BTreeSet<Topic> {
        self.visible().flat_map(|(_, pane)| pane.content.topics(state)).collect()
    }

    /// Shows this ticker in the group of the pane that wants it; where that is alone, in the active chart.
    pub(crate) fn select(&mut self, from: Option<TileId>, ticker: TickerKey) {
        let active = self.active_chart();
        let group = from.and_then(|tile| self.pane(tile)).map_or_else(
            || active.and_then(|tile| self.pane(tile)).map_or(Some(Group::default()), |pane| pane.group),
            |pane| pane.group,
        );
        if let Some(group) = group {
            self.choose(group, ticker);
            return;
        }
        let own = from.filter(|tile| self.pane(*tile).is_some_and(|pane| pane.chart().is_some()));
        let Some(tile) = own.or(active) else { return };
        match self.pane(tile).and_then(|pane| pane.group) {
            Some(group) => self.choose(group, ticker),
            None => {
                if let Some(pane) = self.pane_mut(tile) {
                    pane.ticker = Some(ticker);
                }
            }
        }
    }

    /// Shows the ticker so many rows below the one that the first list of markets marks.
    pub(crate) fn step(&mut self, by: isize) {
        let Some(tile) = self.first(Kind::Markets) else { return };
        let chosen = self.pane(tile).and_then(|pane| self.ticker_of(pane)).cloned();
        let list = self.pane_mut(tile).and_then(Pane::watchlist_mut);
        if let Some(ticker) = list.and_then(|list| list.step(by, chosen.as_ref())) {
            self.select(Some(tile), ticker);
        }
    }

    /// Puts the cursor into the filter of the first list of markets.
    pub(crate) fn focus_filter(&mut self) {
        if let Some(list) = self.first(Kind::Markets).and_then(|tile| self.pane_mut(tile)).and_then(Pane::watchlist_mut)
        {
            list.focus_filter();
        }
    }

    /// Whether the cursor is in the filter of the first list of markets.
    pub(crate) fn is_filter_written(&self) -> bool {
        let list = self.first(Kind::Markets).and_then(|tile| self.pane(tile));
        matches!(list.map(|pane| &pane.content), Some(Content::Markets(list)) if list.is_filter_written())
    }

    /// The first pane of this kind that is seen.
    fn first(&self, kind: Kind) -> Option<TileId> {
        self.visible().find(|(_, pane)| pane.content.kind() == kind).map(|(tile, _)| tile)
    }

    /// Shows a pane of this kind: the one that there is, or else a new one.
    fn open(&mut self, kind: Kind) {
        let is_it = |tile: &Tile<Pane>| matches!(tile, Tile::Pane(pane) if pane.content.kind() == kind);
        let there = self.tree.tiles.iter().find(|(_, tile)| is_it(tile)).map(|(id, _)| *id);
        match there {
            Some(tile) => {
                self.tree.make_active(|id, _| id == tile);
            }
            None => self.add(kind, None, Side::Tab),
        }
    }

    fn join(&mut self, tile: TileId, group: Option<Group>) {
        let shown = self.pane(tile).and_then(|pane| self.ticker_of(pane)).cloned();
        if let Some(pane) = self.pane_mut(tile) {
            // Who leaves a group goes on with what it showed.
            pane.ticker = shown;
            pane.group = group;
        }
    }

    fn close(&mut self, tile: TileId) {
        let panes = self.tree.tiles.tiles().filter(|tile| tile.is_pane()).count();
        // An empty window would leave its user with nothing to click.
        if panes > 1 {
            self.tree.remove_recursively(tile);
        }
    }

    fn add(&mut self, kind: Kind, beside: Option<TileId>, side: Side) {
        let beside = beside.or_else(|| self.active_chart()).or_else(|| self.visible().map(|(tile, _)| tile).next());
        let like = beside.and_then(|tile| self.pane(tile)).filter(|pane| pane.content.kind() == kind).cloned();
        let pane = like.unwrap_or_else(|| Pane::new(kind));
        let tiles = &mut self.tree.tiles;
        let new = tiles.insert_pane(pane);
        // Every pane lies in tabs; where one does not yet, its own place counts.
        let place = beside.map(|tile| match tiles.parent_of(tile) {
            Some(parent) if matches!(tiles.get_container(parent), Some(Container::Tabs(_))) => parent,
            _ => tile,
        });
        match (place, side) {
            (None, _) => self.tree.root = Some(new),
            (Some(place), Side::Tab) if matches!(tiles.get_container(place), Some(Container::Tabs(_))) => {
                if let Some(Tile::Container(Container::Tabs(tabs))) = tiles.get_mut(place) {
                    tabs.add_child(new);
                    tabs.set_active(new);
                }
            }
            (Some(place), side) => {
                let parent = tiles.parent_of(place);
                let direction = if side == Side::Below { LinearDir::Vertical } else { LinearDir::Horizontal };
                let split = match side {
                    Side::Tab => tiles.insert_tab_tile(vec![place, new]),
                    Side::Right | Side::Below => {
                        let new = tiles.insert_tab_tile(vec![new]);
                        tiles.insert_container(Linear::new_binary(direction, [place, new], 0.5))
                    }
                };
                let replaced = match parent.and_then(|parent| tiles.get_mut(parent)) {
                    Some(Tile::Container(container)) => container.replace_child(place, split).is_some(),
                    _ => false,
                };
                if !replaced {
                    self.tree.root = Some(split);
                }
            }
        }
        self.active = Some(new);
    }
}

/// A command, and the pane that it comes from, if it comes from one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wish {
    /// The pane.
    pub from: Option<TileId>,
    /// What is wanted.
    pub command: Command,
}

#[cfg(test)]
mod tests;
