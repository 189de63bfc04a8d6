//! The workspace that is shown: its panes, their tabs, and what can be done with them.

use std::collections::BTreeMap;

use eframe::egui::{
    self, Button, Color32, Frame, Margin, RichText, Stroke, Ui, Visuals, WidgetText, containers::menu::MenuButton,
};
use egui_tiles::{Behavior, SimplificationOptions, TabState, TileId, Tiles, UiResponse};

use super::{Command, Scene, health};
use crate::{
    desk::{Content, DeskChange, Group, Kind, Pane, Side, Wish, Workspace},
    state::TickerKey,
    theme::{Palette, SMALL},
};

/// Shows the panes, and says what the user wants.
pub(crate) fn show(ui: &mut Ui, scene: &Scene<'_>, workspace: &mut Workspace) -> Vec<Wish> {
    let active = workspace.active_chart();
    let several = workspace.visible().filter(|(_, pane)| pane.chart().is_some()).count() > 1;
    let groups = workspace.groups();
    let mut view = View {
        scene,
        groups: &groups,
        palette: Palette::of(ui),
        active: active.filter(|_| several),
        touched: None,
        wishes: Vec::new(),
    };
    workspace.tree.ui(&mut view, ui);
    let View { touched, wishes, .. } = view;
    if let Some(tile) = touched {
        workspace.touch(tile);
    }
    wishes
}

struct View<'a> {
    scene: &'a Scene<'a>,
    groups: &'a BTreeMap<Group, TickerKey>,
    palette: &'static Palette,
    /// The chart that keys are meant for, where there are several.
    active: Option<TileId>,
    touched: Option<TileId>,
    wishes: Vec<Wish>,
}

impl View<'_> {
    fn ticker_of<'b>(&'b self, pane: &'b Pane) -> Option<&'b TickerKey> {
        match pane.group {
            Some(group) => self.groups.get(&group),
            None => pane.ticker.as_ref(),
        }
    }

    fn wish(&mut self, change: DeskChange) {
        self.wishes.push(Wish { from: None, command: Command::Desk(change) });
    }

    fn title(&self, pane: &Pane) -> String {
        let name = |key: &TickerKey| self.scene.name_of(key);
        match (&pane.content, self.ticker_of(pane)) {
            (Content::Chart(chart), Some(ticker)) => format!("{} {}", name(ticker), chart.choices.interval),
            (content, _) => content.kind().name().to_owned(),
        }
    }

    fn group_menu(&mut self, ui: &mut Ui, tile: TileId, pane: &Pane) {
        let words = pane.group.map_or("–", Group::letter);
        let colour = pane.group.map_or(self.palette.weak, |group| self.palette.lines[group.number()]);
        let button = Button::new(RichText::new(words).size(SMALL + 0.5).strong().color(colour)).frame(false);
        let (response, _) = MenuButton::from_button(button).ui(ui, |ui| {
            ui.label(RichText::new("Panes of a group show the same market").color(self.palette.weak));
            for group in Group::ALL {
                let shown = self.groups.get(&group).map(|ticker| self.scene.name_of(ticker)).unwrap_or_default();
                let text =
                    RichText::new(format!("{}   {shown}", group.letter())).color(self.palette.lines[group.number()]);
                if ui.selectable_label(pane.group == Some(group), text).clicked() {
                    self.wish(DeskChange::Group(tile, Some(group)));
                }
            }
            if ui.selectable_label(pane.group.is_none(), "On its own").clicked() {
                self.wish(DeskChange::Group(tile, None));
            }
        });
        let said = pane.group.map_or_else(|| "in no group".to_owned(), |group| format!("in group {}", group.letter()));
        let name = format!("{}, {said}", self.title(pane));
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
        response.on_hover_text("Which panes this one goes with");
    }

    fn pane_menu(&mut self, ui: &mut Ui, tile: TileId, pane: &Pane) {
        let button = Button::new(RichText::new("…").strong()).frame(false);
        let (response, _) = MenuButton::from_button(button).ui(ui, |ui| {
            let kind = pane.content.kind();
            for (words, side) in [("Split to the right", Side::Right), ("Split below", Side::Below)] {
                if ui.button(words).clicked() {
                    self.wish(DeskChange::Add { kind, beside: Some(tile), side });
                }
            }
            ui.separator();
            for kind in Kind::ALL {
                if ui.button(format!("Add a tab: {}", kind.name())).clicked() {
                    self.wish(DeskChange::Add { kind, beside: Some(tile), side: Side::Tab });
                }
            }
            ui.separator();
            if ui.button("Close this pane").clicked() {
                self.wish(DeskChange::Close(tile));
            }
        });
        let name = format!("{}, more", self.title(pane));
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Button, true, &name));
        response.on_hover_text("Split, add, close");
    }
}

impl Behavior<Pane> for View<'_> {
    fn pane_ui(&mut self, ui: &mut Ui, tile: TileId, pane: &mut Pane) -> UiResponse {
        let ticker = self.ticker_of(pane).cloned();
        let mut commands = Vec::new();
        // The ground is there already, where the window begins each frame: see `theme::ground`.
        let none = Color32::TRANSPARENT;
        let (fill, margin) = match pane.content.kind() {
            Kind::Markets | Kind::Alerts | Kind::Portfolio | Kind::Health => {
                (self.palette.panel, Margin { left: 8, right: 6, top: 6, bottom: 0 })
            }
            Kind::Chart | Kind::Compare => (none, Margin { left: 10, right: 4, top: 5, bottom: 3 }),
            Kind::Top | Kind::Movers | Kind::Volatility => (none, Margin { left: 8, right: 6, top: 4, bottom: 0 }),
        };
        let scene = self.scene;
        Frame::new().fill(fill).inner_margin(margin).show(ui, |ui| {
            ui.set_min_size(ui.available_size());
            match &mut pane.content {
                Content::Markets(watchlist) => watchlist.show(ui, scene, ticker.as_ref(), &mut commands),
                Content::Chart(chart) => chart.show(ui, scene, ticker.as_ref(), &mut commands),
                Content::Compare(compare) => compare.show(ui, scene, ticker.as_ref(), &mut commands),
                Content::Top(top) => top.show(ui, scene, ticker.as_ref(), &mut commands),
                Content::Movers(movers) => movers.show(ui, scene, ticker.as_ref(), &mut commands),
                Content::Volatility(volatility) => volatility.show(ui, scene, ticker.as_ref(), &mut commands),
                Content::Alerts(alerts) => alerts.show(ui, scene, ticker.as_ref(), &mut commands),
                Content::Portfolio(portfolio) => portfolio.show(ui, scene, &mut commands),
                Content::Health => health::show(ui, scene),
            }
        });
        if ui.rect_contains_pointer(ui.max_rect()) && ui.input(|input| input.pointer.any_pressed()) {
            self.touched = Some(tile);
        }
        if self.active == Some(tile) {
            let top = ui.max_rect().top();
            ui.painter().hline(ui.max_rect().x_range(), top + 0.5, Stroke::new(1.0, self.palette.accent));
        }
        self.wishes.extend(commands.into_iter().map(|command| Wish { from: Some(tile), command }));
        UiResponse::None
    }

    fn tab_title_for_pane(&mut self, pane: &Pane) -> WidgetText {
        RichText::new(self.title(pane)).size(SMALL + 1.0).into()
    }

    fn is_tab_closable(&self, _tiles: &Tiles<Pane>, _tile: TileId) -> bool {
        true
    }

    fn on_tab_close(&mut self, _tiles: &mut Tiles<Pane>, tile: TileId) -> bool {
        // The last pane stays: that is for the workspace to say.
        self.wish(DeskChange::Close(tile));
        false
    }

    fn on_tab_button(&mut self, _tiles: &mut Tiles<Pane>, tile: TileId, response: egui::Response) -> egui::Response {
        if response.clicked() {
            self.touched = Some(tile);
        }
        response
    }

    fn top_bar_right_ui(
        &mut self,
        tiles: &Tiles<Pane>,
        ui: &mut Ui,
        _tile: TileId,
        tabs: &egui_tiles::Tabs,
        _scroll: &mut f32,
    ) {
        let Some((tile, pane)) = tabs.active.and_then(|tile| Some((tile, tiles.get_pane(&tile)?))) else { return };
        ui.spacing_mut().item_spacing.x = 2.0;
        ui.add_space(4.0);
        self.pane_menu(ui, tile, pane);
        if !matches!(pane.content, Content::Portfolio(_) | Content::Health) {
            self.group_menu(ui, tile, pane);
        }
    }

    fn tab_bar_height(&self, _style: &egui::Style) -> f32 {
        22.0
    }

    fn close_button_outer_size(&self) -> f32 {
        10.0
    }

    fn close_button_inner_margin(&self) -> f32 {
        1.5
    }

    fn gap_width(&self, _style: &egui::Style) -> f32 {
        1.0
    }

    fn min_size(&self) -> f32 {
        80.0
    }

    fn simplification_options(&self) -> SimplificationOptions {
        SimplificationOptions { all_panes_must_have_tabs: true, ..SimplificationOptions::default() }
    }

    fn tab_bar_color(&self, _visuals: &Visuals) -> Color32 {
        self.palette.panel
    }

    fn tab_bg_color(&self, _visuals: &Visuals, _tiles: &Tiles<Pane>, _tile: TileId, state: &TabState) -> Color32 {
        if state.active { self.palette.ground } else { Color32::TRANSPARENT }
    }

    fn tab_outline_stroke(&self, _visuals: &Visuals, _tiles: &Tiles<Pane>, _tile: TileId, _state: &TabState) -> Stroke {
        Stroke::NONE
    }

    fn tab_bar_hline_stroke(&self, _visuals: &Visuals) -> Stroke {
        Stroke::new(1.0, self.palette.border)
    }

    fn tab_text_color(&self, _visuals: &Visuals, _tiles: &Tiles<Pane>, _tile: TileId, state: &TabState) -> Color32 {
        if state.active { self.palette.text } else { self.palette.weak }
    }

    fn resize_stroke(&self, _style: &egui::Style, state: egui_tiles::ResizeState) -> Stroke {
        match state {
            egui_tiles::ResizeState::Idle => Stroke::new(1.0, self.palette.border),
            egui_tiles::ResizeState::Hovering | egui_tiles::ResizeState::Dragging => {
                Stroke::new(2.0, self.palette.accent)
            }
        }
    }
}
