//! What holds for the whole window: the API, how it looks, what it tells.

use eframe::egui::{Checkbox, DragValue, Grid, Key, Modifiers, RichText, TextEdit, Ui};

use super::{Command, Scene, over_all};
use crate::{
    choices::Refresh,
    settings::{ApiAddress, RendererChoice, ThemeChoice},
    theme::Palette,
    widgets::choice::choice,
    zone::Zone,
};

/// Whether it is shown, and what is being written.
#[derive(Debug, Default)]
pub(crate) struct Preferences {
    open: bool,
    api: Option<String>,
    zone: Option<String>,
}

impl Preferences {
    /// Shows it, or hides it.
    pub(crate) fn turn(&mut self) {
        self.open = !self.open;
        (self.api, self.zone) = (None, None);
    }

    /// Shows it, if it is wanted.
    pub(crate) fn show(&mut self, ui: &Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        if self.open && !ui.ctx().text_edit_focused() {
            self.open = !ui.ctx().input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape));
        }
        let mut open = self.open;
        over_all(ui, "Settings").open(&mut open).show(ui.ctx(), |ui| {
            Grid::new("settings").num_columns(2).spacing([18.0, 9.0]).show(ui, |ui| {
                self.api(ui, scene, commands);
                refresh(ui, scene, commands);
                looks(ui, scene, commands);
                self.zone(ui, scene, commands);
                renderer(ui, scene, commands);
                notify(ui, scene, commands);
            });
        });
        self.open = open;
    }

    fn api(&mut self, ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        let palette = Palette::of(ui);
        let label = ui.label("API");
        ui.vertical(|ui| {
            ui.horizontal(|ui| {
                let text = self.api.get_or_insert_with(|| scene.api.to_owned());
                let edit = TextEdit::singleline(text).desired_width(230.0);
                ui.add(edit).labelled_by(label.id);
                let address = text.parse::<ApiAddress>();
                let other = *text != scene.api;
                if ui.add_enabled(other && address.is_ok(), eframe::egui::Button::new("Use it")).clicked()
                    && let Ok(address) = address
                {
                    commands.push(Command::Api(address));
                    self.api = None;
                }
            });
            if let Some(Err(error)) = self.api.as_ref().map(|text| text.parse::<ApiAddress>()) {
                ui.label(RichText::new(error.to_string()).color(palette.warn));
            }
        });
        ui.end_row();
    }

    fn zone(&mut self, ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        let palette = Palette::of(ui);
        let label = ui.label("Time zone");
        ui.vertical(|ui| {
            let text = self.zone.get_or_insert_with(|| scene.choices.zone.to_string());
            let edit = TextEdit::singleline(text).hint_text("UTC, local, Europe/Berlin …").desired_width(230.0);
            let response = ui.add(edit).labelled_by(label.id);
            match text.parse::<Zone>() {
                Ok(zone) if zone != scene.choices.zone => commands.push(Command::Zone(zone)),
                Ok(_) => {}
                Err(error) => {
                    ui.label(RichText::new(error.to_string()).color(palette.warn));
                    let wanted = text.to_lowercase();
                    let found = chrono_tz::TZ_VARIANTS.iter().map(|tz| tz.name());
                    let found = found.filter(|name| !wanted.is_empty() && name.to_lowercase().contains(&wanted));
                    for name in found.take(5).map(str::to_owned).collect::<Vec<_>>() {
                        if ui.link(&name).clicked() {
                            self.zone = Some(name);
                            response.request_focus();
                        }
                    }
                }
            }
        });
        ui.end_row();
    }
}

fn refresh(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    ui.label("News");
    ui.horizontal(|ui| {
        let how = scene.choices.refresh;
        if ui.radio(how == Refresh::Live, "live").clicked() {
            commands.push(Command::Refresh(Refresh::Live));
        }
        let mut seconds = match how {
            Refresh::Every(seconds) => seconds,
            Refresh::Live => 5,
        };
        let asked = ui.radio(how != Refresh::Live, "asked for every");
        if asked.clicked() {
            commands.push(Command::Refresh(Refresh::Every(seconds)));
        }
        let drag = DragValue::new(&mut seconds).range(Refresh::SECONDS).suffix(" s");
        let response = ui.add_enabled(how != Refresh::Live, drag).labelled_by(asked.id);
        // While it is dragged each step would begin anew.
        if (response.drag_stopped() || response.lost_focus() || (response.changed() && !response.dragged()))
            && how != Refresh::Every(seconds)
        {
            commands.push(Command::Refresh(Refresh::Every(seconds)));
        }
    });
    ui.end_row();
}

fn looks(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    ui.label("Theme");
    ui.horizontal(|ui| {
        for (choice, name) in
            [(ThemeChoice::Dark, "dark"), (ThemeChoice::Light, "light"), (ThemeChoice::System, "as the desktop")]
        {
            if ui.radio(scene.choices.theme == choice, name).clicked() {
                commands.push(Command::Theme(choice));
            }
        }
    });
    ui.end_row();
    ui.label("Colours");
    ui.vertical(|ui| {
        let mut hues = scene.choices.hues;
        let blind = "Blue and orange, which nearly everybody can tell apart";
        let changed = ui.checkbox(&mut hues.colour_blind, "Blue and orange").on_hover_text(blind).changed()
            | ui.checkbox(&mut hues.red_up, "Rising in the colour of falling").changed();
        if changed {
            commands.push(Command::Hues(hues));
        }
    });
    ui.end_row();
    ui.label("Size");
    ui.horizontal(|ui| {
        if ui.radio(scene.choices.zoom.is_none(), "as the desktop").clicked() {
            commands.push(Command::Zoom(None));
        }
        for zoom in [0.8_f32, 1.0, 1.25, 1.5, 2.0] {
            let is_it = scene.choices.zoom.is_some_and(|chosen| (chosen - zoom).abs() < 0.01);
            if ui.radio(is_it, format!("{:.0}%", zoom * 100.0)).clicked() {
                commands.push(Command::Zoom(Some(zoom)));
            }
        }
        if let Some(zoom) = scene.choices.zoom {
            ui.label(RichText::new(format!("now {:.0}%", zoom * 100.0)).color(Palette::of(ui).weak));
        }
    });
    ui.end_row();
}

fn renderer(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    ui.label("Drawn by");
    ui.horizontal(|ui| {
        let name = |choice| match choice {
            RendererChoice::Auto => "what suits the system",
            RendererChoice::Glow => "OpenGL",
            RendererChoice::Wgpu => "Vulkan, Metal or Direct3D",
        };
        choice(ui, "Drawn by", 190.0, name(scene.choices.renderer), |ui| {
            for choice in [RendererChoice::Auto, RendererChoice::Glow, RendererChoice::Wgpu] {
                if ui.selectable_label(scene.choices.renderer == choice, name(choice)).clicked() {
                    commands.push(Command::Renderer(choice));
                }
            }
        });
        ui.label(RichText::new("from the next start on").color(Palette::of(ui).weak));
    });
    ui.end_row();
}

fn notify(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    ui.label("Notifications");
    ui.vertical(|ui| {
        let mut notify = scene.choices.notify;
        let changed = ui.checkbox(&mut notify.api, "The API is lost, or back").changed()
            | ui.checkbox(&mut notify.feeds, "An exchange's feed is lost, or back").changed()
            | ui.checkbox(&mut notify.alerts, "An alert of the account fired").changed()
            | ui.add_enabled(notify.alerts, Checkbox::new(&mut notify.sound, "with a sound of the desktop")).changed();
        if changed {
            commands.push(Command::Notify(notify));
        }
        ui.label(RichText::new("Levels that ring are drawn into a chart (A).").color(Palette::of(ui).weak));
    });
    ui.end_row();
}
