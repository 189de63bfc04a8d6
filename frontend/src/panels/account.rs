//! Logging in and out.

use std::net::IpAddr;

use eframe::egui::{Button, Grid, Key, Modifiers, RichText, TextEdit, Ui};

use super::{Command, Scene, over_all};
use crate::{client::Secret, theme::Palette, worker::SessionOrder};

/// Whether it is shown, and what is being written.
#[derive(Debug, Default)]
pub(crate) struct Account {
    open: bool,
    /// It opened by itself, since nothing goes on without a log-in; who closes it is not asked again.
    asked: bool,
    /// The cursor is wanted where something is missing.
    focus: bool,
    username: String,
    password: Password,
    stays: bool,
    sent: bool,
    /// Whether somebody was logged in at the last look: who just has been has nothing more to do here.
    logged_in: bool,
}

/// What is being written is for nobody else either.
#[derive(Default)]
struct Password(String);

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(secret)")
    }
}

impl Account {
    /// Shows it, or hides it.
    pub(crate) fn turn(&mut self) {
        *self = Self { open: !self.open, asked: self.asked, logged_in: self.logged_in, focus: true, ..Self::default() };
    }

    /// Shows it, if it is wanted, or needed.
    pub(crate) fn show(&mut self, ui: &Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        let alerts = &scene.state.alerts;
        let wanted = alerts.wants_log_in();
        if wanted && !self.asked {
            *self = Self { open: true, focus: true, ..Self::default() };
        }
        self.asked = wanted;
        let is_logged_in = alerts.username().is_some();
        if is_logged_in && !self.logged_in {
            *self = Self::default();
        }
        self.logged_in = is_logged_in;
        if self.sent && alerts.refused.is_some() {
            (self.sent, self.focus) = (false, true);
        }
        if self.open && ui.ctx().input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
            self.open = false;
        }
        let mut open = self.open;
        over_all(ui, "Account").open(&mut open).show(ui.ctx(), |ui| match alerts.username() {
            Some(name) => self.whose(ui, scene, name, commands),
            None => self.form(ui, scene, commands),
        });
        self.open &= open;
    }

    fn whose(&mut self, ui: &mut Ui, scene: &Scene<'_>, name: &str, commands: &mut Vec<Command>) {
        ui.horizontal(|ui| {
            ui.label("Logged in as");
            ui.label(RichText::new(name).strong());
        });
        ui.label(RichText::new(format!("At {}", scene.api)).color(Palette::of(ui).weak));
        ui.add_space(6.0);
        if ui.button("Log out").clicked() {
            commands.push(Command::Session(SessionOrder::LogOut));
            self.open = false;
        }
    }

    fn form(&mut self, ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
        let palette = Palette::of(ui);
        let alerts = &scene.state.alerts;
        let why = if alerts.standing.has_ended {
            "The session has ended: log in again."
        } else if alerts.standing.is_needed {
            "This API tells its prices to accounts only."
        } else {
            "Alerts and portfolios belong to an account; prices are told to everybody."
        };
        ui.label(why);
        ui.label(RichText::new(format!("At {}", scene.api)).color(palette.weak));
        ui.add_space(6.0);
        let mut enter = false;
        Grid::new("log in").num_columns(2).spacing([12.0, 6.0]).show(ui, |ui| {
            let label = ui.label("Name");
            let name = ui.add(TextEdit::singleline(&mut self.username).desired_width(220.0)).labelled_by(label.id);
            ui.end_row();
            let label = ui.label("Password");
            let edit = TextEdit::singleline(&mut self.password.0).password(true).desired_width(220.0);
            let password = ui.add(edit).labelled_by(label.id);
            ui.end_row();
            ui.label("");
            ui.checkbox(&mut self.stays, "Stay logged in")
                .on_hover_text("Keeps a token, never the password, in a file that only you can read");
            ui.end_row();
            if std::mem::take(&mut self.focus) {
                if self.username.is_empty() { name.request_focus() } else { password.request_focus() }
            }
            let pressed = ui.input(|input| input.key_pressed(Key::Enter));
            enter = pressed && (name.lost_focus() || password.lost_focus());
        });
        if is_in_the_open(scene.api) {
            let words = "Not encrypted: whoever is on the way can read the password.";
            ui.label(RichText::new(words).color(palette.warn));
        }
        if let Some(words) = alerts.refused.as_ref().filter(|_| !self.sent) {
            ui.label(RichText::new(words).color(palette.warn));
        }
        ui.add_space(4.0);
        ui.horizontal(|ui| {
            let whole = !self.username.trim().is_empty() && !self.password.0.is_empty() && !self.sent;
            let clicked = ui.add_enabled(whole, Button::new("Log in")).clicked();
            if whole && (clicked || enter) {
                let (username, stays) = (self.username.clone(), self.stays);
                let password = Secret::new(std::mem::take(&mut self.password.0));
                commands.push(Command::Session(SessionOrder::LogIn { username, password, stays }));
                self.sent = true;
            }
            if self.sent {
                ui.label(RichText::new("Asking the API …").color(palette.weak));
            }
        });
    }
}

/// Whether a password would go over a network as it is.
fn is_in_the_open(api: &str) -> bool {
    let Some(rest) = api.strip_prefix("http://") else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let name = host.strip_prefix('[').and_then(|host| host.split(']').next());
    let name = name.unwrap_or_else(|| host.split(':').next().unwrap_or_default());
    !(name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_on_this_machine_or_under_tls_is_not_in_the_open() {
        for (api, is_open) in [
            ("http://localhost:5001", false),
            ("http://127.0.0.1:5001/api", false),
            ("http://[::1]:5001", false),
            ("https://prices.example", false),
            ("http://prices.example:5001", true),
            ("http://me@127.example", true),
        ] {
            assert_eq!(is_in_the_open(api), is_open, "{api}");
        }
    }

    #[test]
    fn what_is_written_is_not_told() {
        let account = Account { password: Password("correct horse".into()), ..Account::default() };
        assert!(!format!("{account:?}").contains("horse"));
    }
}
