//! The whole window: where its parts are, and what the keys do.
//!
//! It knows egui but neither the worker nor eframe, so that a test can show it as it is.

use chrono::{DateTime, Utc};
use eframe::egui::{CentralPanel, Event, Frame, Margin, Panel, Ui};

use crate::{
    actions,
    choices::Choices,
    desk::{Desk, Wish},
    panels::{
        Command, Scene, account::Account, banner, desk, finder::Finder, help::Help, notices::Notices,
        preferences::Preferences, status, top_bar::TopBar,
    },
    state::State,
    theme::Palette,
};

/// The window's parts and the user's choices.
#[derive(Debug, Default)]
pub(crate) struct Screen {
    /// What the user chose for the whole window.
    pub choices: Choices,
    /// The panes.
    pub desk: Desk,
    /// Short news.
    pub notices: Notices,
    top_bar: TopBar,
    finder: Finder,
    help: Help,
    preferences: Preferences,
    account: Account,
}

impl Screen {
    /// As it was left.
    pub(crate) fn new(choices: Choices, desk: Desk) -> Self {
        Self { choices, desk, ..Self::default() }
    }

    /// Shows it, does what concerns itself alone, and says what else the user wants.
    pub(crate) fn show(&mut self, ui: &mut Ui, state: &State, api: &str, now: DateTime<Utc>) -> Vec<Command> {
        let scene = Scene { state, choices: &self.choices, api, now };
        let palette = Palette::of(ui);
        let bar = Frame::new().fill(palette.panel).inner_margin(Margin::symmetric(10, 4));
        let context = ui.ctx().clone();
        let mut wishes = Vec::new();

        // What lies over the rest hears the keys first.
        let desk = &self.desk;
        self.finder.show(ui, &scene, || actions::all(&context, &scene, desk), &mut wishes);
        self.help.show(ui, || actions::all(&context, &scene, desk));
        let mut commands = Vec::new();
        self.preferences.show(ui, &scene, &mut commands);
        self.account.show(ui, &scene, &mut commands);
        commands.extend(actions::pressed(&context, &scene, &self.desk));
        // By what was written, not by which key: on many keyboards it is Shift and a digit. The filter must not get it.
        let is_slash = |event: &Event| matches!(event, Event::Text(text) if text == "/");
        if !context.text_edit_focused() && context.input(|input| input.events.iter().any(is_slash)) {
            context.input_mut(|input| input.events.retain(|event| !is_slash(event)));
            commands.push(Command::FocusFilter);
        }
        wishes.extend(commands.into_iter().map(|command| Wish { from: None, command }));

        Panel::top("top").frame(bar).show(ui, |ui| self.top_bar.show(ui, &scene, &self.desk, &mut wishes));
        Panel::bottom("status").frame(bar).show(ui, |ui| status::show(ui, &scene));
        let mut commands = Vec::new();
        if banner::is_needed(&scene) {
            Panel::top("banner").frame(bar).show(ui, |ui| banner::show(ui, &scene, &mut commands));
        }
        wishes.extend(commands.into_iter().map(|command| Wish { from: None, command }));
        CentralPanel::no_frame().show(ui, |ui| {
            wishes.extend(desk::show(ui, &scene, self.desk.current_mut()));
        });
        self.notices.show(ui, now);
        wishes.into_iter().filter_map(|wish| self.obey(wish)).collect()
    }

    /// Does what concerns the window alone; the rest is for others.
    fn obey(&mut self, Wish { from, command }: Wish) -> Option<Command> {
        let workspace = self.desk.current_mut();
        match command {
            Command::Select(ticker) => workspace.select(from, ticker),
            Command::Step(by) => workspace.step(by),
            Command::FocusFilter => workspace.focus_filter(),
            Command::Chart(change) => {
                if let Some(chart) = workspace.chart_mut(from) {
                    chart.obey(change);
                }
            }
            Command::Desk(change) => self.desk.obey(change),
            Command::List(name, ticker) => self.choices.lists.turn(&name, &ticker),
            Command::RemoveList(name) => self.choices.lists.remove(&name),
            Command::Draw(ticker, change) => self.choices.drawings.obey(&ticker, change),
            Command::Zone(zone) => self.choices.zone = zone,
            Command::Renderer(renderer) => self.choices.renderer = renderer,
            Command::Notify(notify) => self.choices.notify = notify,
            Command::Find => self.finder.open(),
            Command::Help => self.help.turn(),
            Command::Preferences => self.preferences.turn(),
            Command::Account => self.account.turn(),
            other => return Some(other),
        }
        None
    }
}

#[cfg(test)]
mod pictures;
#[cfg(test)]
mod tests;
