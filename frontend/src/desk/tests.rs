use domain::Interval;

use super::*;
use crate::state::tests::with_prices;

fn btc() -> TickerKey {
    TickerKey::new("binance", "BTCUSDT")
}

fn eth() -> TickerKey {
    TickerKey::new("binance", "ETHUSDT")
}

fn desk() -> Desk {
    let mut desk = Desk::default();
    desk.choose_missing(&with_prices());
    desk
}

fn tile(desk: &Desk, kind: Kind) -> TileId {
    desk.current().visible().find(|(_, pane)| pane.content.kind() == kind).map(|(tile, _)| tile).unwrap()
}

fn tickers_shown(desk: &Desk) -> Vec<TickerKey> {
    desk.current().series(&with_prices()).into_iter().map(|series| series.ticker).collect()
}

#[test]
fn at_first_the_busiest_ticker_is_shown_and_one_that_went_away_is_replaced() {
    let mut desk = desk();
    assert_eq!(tickers_shown(&desk), [btc()]);
    desk.current_mut().select(None, TickerKey::new("binance", "GONE"));
    desk.choose_missing(&State::default());
    assert_eq!(tickers_shown(&desk), [TickerKey::new("binance", "GONE")], "nothing is known, nothing is changed");
    desk.choose_missing(&with_prices());
    assert_eq!(tickers_shown(&desk), [btc()]);
    let json = serde_json::to_string(&desk).unwrap();
    assert!(json.contains("GONE"), "the choice is kept: {json}");
}

#[test]
fn who_chose_nothing_does_not_see_the_market_change_with_the_volumes() {
    let mut desk = desk();
    let mut state = with_prices();
    let busy = crate::state::tests::price("ETHUSDT", "2500", None, "99000000");
    let rows = vec![busy, crate::state::tests::price("BTCUSDT", "64250", None, "1")];
    state.apply(crate::state::Update::Prices(Ok(rows)), crate::state::tests::at("12:00:10"));
    desk.choose_missing(&state);
    assert_eq!(tickers_shown(&desk), [btc()]);
}

#[test]
fn panes_of_a_group_follow_one_ticker_and_others_do_not() {
    let mut desk = desk();
    let (markets, chart) = (tile(&desk, Kind::Markets), tile(&desk, Kind::Chart));
    desk.current_mut().select(Some(markets), eth());
    assert_eq!(tickers_shown(&desk), [eth()]);
    desk.obey(DeskChange::Group(chart, None));
    desk.current_mut().select(Some(markets), btc());
    assert_eq!(tickers_shown(&desk), [eth()], "the chart is on its own and keeps what it showed");
    desk.current_mut().select(Some(chart), btc());
    assert_eq!(tickers_shown(&desk), [btc()]);
    desk.obey(DeskChange::Group(chart, Some(Group::B)));
    desk.current_mut().select(None, eth());
    assert_eq!(desk.current().groups()[&Group::B], eth(), "from nowhere it is meant for the active chart");
    assert_eq!(desk.current().groups()[&Group::A], btc());
}

#[test]
fn panes_are_added_on_every_side_and_closed_but_not_the_last() {
    let mut desk = desk();
    let chart = tile(&desk, Kind::Chart);
    for (side, count) in [(Side::Right, 2), (Side::Below, 3), (Side::Tab, 3)] {
        desk.obey(DeskChange::Add { kind: Kind::Chart, beside: Some(chart), side });
        let charts = desk.current().visible().filter(|(_, pane)| pane.chart().is_some()).count();
        assert_eq!(charts, count, "{side:?}");
    }
    desk.obey(DeskChange::Add { kind: Kind::Health, beside: None, side: Side::Right });
    tile(&desk, Kind::Health);
    let all: Vec<TileId> =
        desk.current().tree.tiles.iter().filter(|(_, tile)| tile.is_pane()).map(|(id, _)| *id).collect();
    for tile in all {
        desk.obey(DeskChange::Close(tile));
    }
    assert_eq!(desk.current().tree.tiles.tiles().filter(|tile| tile.is_pane()).count(), 1);
}

#[test]
fn a_chart_that_is_split_off_is_drawn_like_the_other() {
    let mut desk = desk();
    let chart = tile(&desk, Kind::Chart);
    desk.current_mut().chart_mut(Some(chart)).unwrap().choices.interval = Interval::OneDay;
    desk.obey(DeskChange::Add { kind: Kind::Chart, beside: Some(chart), side: Side::Right });
    assert!(desk.current().series(&with_prices()).iter().all(|series| series.interval == Interval::OneDay));
    assert_ne!(desk.current().active_chart(), Some(chart));
}

#[test]
fn workspaces_are_made_named_and_taken_away_and_all_can_be_as_at_first() {
    let mut desk = desk();
    let before: Vec<String> = desk.names().map(str::to_owned).collect();
    desk.obey(DeskChange::New);
    desk.obey(DeskChange::Rename("  Mine ".into()));
    assert_eq!((desk.current().name.as_str(), desk.shown()), ("Mine", before.len()));
    desk.obey(DeskChange::Rename(" ".into()));
    desk.obey(DeskChange::Show(99));
    assert_eq!(desk.current().name, "Mine");
    for _ in 0..20 {
        desk.obey(DeskChange::New);
    }
    assert_eq!(desk.names().count(), WORKSPACES);
    for _ in 0..20 {
        desk.obey(DeskChange::Remove);
    }
    assert_eq!(desk.names().count(), 1);
    desk.obey(DeskChange::Reset);
    assert_eq!(desk.names().collect::<Vec<_>>(), before);
}

#[test]
fn what_was_arranged_reads_back_and_what_is_broken_is_noticed() {
    let mut desk = desk();
    desk.current_mut().select(None, eth());
    desk.obey(DeskChange::Add { kind: Kind::Compare, beside: None, side: Side::Right });
    desk.obey(DeskChange::Show(1));
    let json = serde_json::to_string(&desk).unwrap();
    let read = serde_json::from_str::<Desk>(&json).unwrap().whole().unwrap();
    assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::to_value(&desk).unwrap());
    let beyond = json.replace("\"shown\":1", "\"shown\":7");
    assert_eq!(serde_json::from_str::<Desk>(&beyond).unwrap().whole().unwrap().shown(), 2);
    let root = desk.current().tree.root().unwrap().0;
    let empty = json.replace(&format!("\"root\":{root}"), "\"root\":null");
    assert!(serde_json::from_str::<Desk>(&empty).unwrap().whole().is_none());
    let mut within_itself = desk.clone();
    let root = TileId(root);
    if let Some(Tile::Container(container)) = within_itself.current_mut().tree.tiles.get_mut(root) {
        container.add_child(root);
    }
    assert!(within_itself.whole().is_none());
}
