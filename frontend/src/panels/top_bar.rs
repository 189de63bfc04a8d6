//! The line at the top: the workspaces, and what holds for the whole window.

use eframe::egui::{
    Align, Button, Key, Layout, Modifiers, PopupCloseBehavior, RichText, TextEdit, Theme, Ui, Vec2,
    containers::menu::{MenuButton, MenuConfig},
};

use super::{Command, Scene};
use crate::{
    desk::{Desk, DeskChange, Wish},
    settings::ThemeChoice,
    theme::{Palette, SMALL},
};

/// What it remembers from frame to frame.
#[derive(Debug, Default)]
pub(crate) struct TopBar {
    /// The name that is being written for the workspace.
    name: Option<String>,
}

impl TopBar {
    /// Shows it.
    pub(crate) fn show(&mut self, ui: &mut Ui, scene: &Scene<'_>, desk: &Desk, wishes: &mut Vec<Wish>) {
        let mut commands = Vec::new();
        let row = Vec2::new(ui.available_width(), 22.0);
        ui.allocate_ui_with_layout(row, Layout::right_to_left(Align::Center), |ui| {
            ui.spacing_mut().item_spacing.x = 4.0;
            if ui.button("Settings").clicked() {
                commands.push(Command::Preferences);
            }
            account_button(ui, scene, &mut commands);
            theme_button(ui, &mut commands);
            let keys = ui.ctx().format_shortcut(&eframe::egui::KeyboardShortcut::new(Modifiers::COMMAND, Key::K));
            let words = RichText::new(format!("Search   {keys}")).color(Palette::of(ui).weak);
            if ui.add(Button::new(words).min_size(Vec2::new(150.0, 0.0))).clicked() {
                commands.push(Command::Find);
            }
            ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                ui.label(RichText::new("crypto-tracker").strong());
                ui.add_space(8.0);
                self.workspaces(ui, desk, &mut commands);
            });
        });
        wishes.extend(commands.into_iter().map(|command| Wish { from: None, command }));
    }

    fn workspaces(&mut self, ui: &mut Ui, desk: &Desk, commands: &mut Vec<Command>) {
        for (number, name) in desk.names().enumerate() {
            let shown = number == desk.shown();
            let response = ui.selectable_label(shown, RichText::new(name).size(SMALL + 1.5));
            if response.on_hover_text("A workspace: an arrangement of panes").clicked() && !shown {
                commands.push(Command::Desk(DeskChange::Show(number)));
            }
        }
        // Who clicks into the name means to write it.
        let stays = MenuConfig::new().close_behavior(PopupCloseBehavior::CloseOnClickOutside);
        let (response, _) = MenuButton::from_button(Button::new("▼").frame(false)).config(stays).ui(ui, |ui| {
            let name = self.name.get_or_insert_with(|| desk.current().name.clone());
            let label = ui.label("Name of this workspace");
            let written = ui.add(TextEdit::singleline(name).desired_width(150.0)).labelled_by(label.id);
            if written.changed() {
                commands.push(Command::Desk(DeskChange::Rename(name.clone())));
            }
            ui.separator();
            for (words, change) in [
                ("New workspace", DeskChange::New),
                ("Remove this workspace", DeskChange::Remove),
                ("All workspaces as at first", DeskChange::Reset),
            ] {
                if ui.button(words).clicked() {
                    commands.push(Command::Desk(change));
                    self.name = None;
                    ui.close();
                }
            }
        });
        if !eframe::egui::Popup::is_id_open(ui.ctx(), eframe::egui::Popup::default_response_id(&response)) {
            self.name = None;
        }
        response.widget_info(|| {
            eframe::egui::WidgetInfo::labeled(eframe::egui::Role::Button, true, "Change the workspaces")
        });
    }
}

fn account_button(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    let (words, hover) = match scene.state.alerts.username() {
        Some(name) => (name, "Your account: log out"),
        None => ("Log in", "For alerts that are looked at where prices are stored"),
    };
    let response = ui.add(Button::new(words).truncate()).on_hover_text(hover);
    if scene.state.alerts.username().is_some() {
        response.widget_info(|| {
            eframe::egui::WidgetInfo::labeled(eframe::egui::Role::Button, true, format!("Account of {words}"))
        });
    }
    if response.clicked() {
        commands.push(Command::Account);
    }
}

fn theme_button(ui: &mut Ui, commands: &mut Vec<Command>) {
    let (words, choice) = match ui.ctx().theme() {
        Theme::Dark => ("Light theme (T)", ThemeChoice::Light),
        Theme::Light => ("Dark theme (T)", ThemeChoice::Dark),
    };
    let response = ui.button("◐").on_hover_text(words);
    response.widget_info(|| eframe::egui::WidgetInfo::labeled(eframe::egui::Role::Button, true, words));
    if response.clicked() {
        commands.push(Command::Theme(choice));
    }
}
