//! Short news in a corner of the window, which go by themselves.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use eframe::egui::{Align2, Area, Color32, Frame, Id, Order, RichText, Stroke, Ui, Vec2};

use crate::theme::Palette;

/// Shown at once.
const AT_ONCE: usize = 5;
/// How long one stays.
const STAYS: TimeDelta = TimeDelta::seconds(8);
/// What was said is not said again for this long; then for twice as long, up to the second.
const AGAIN_AFTER: (TimeDelta, TimeDelta) = (TimeDelta::seconds(30), TimeDelta::seconds(300));
/// What was said and is remembered.
const REMEMBERED: usize = 50;

#[derive(Debug)]
struct Said {
    words: String,
    at: DateTime<Utc>,
    quiet_for: TimeDelta,
}

/// What is shown, and what was.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    shown: VecDeque<(String, DateTime<Utc>)>,
    said: VecDeque<Said>,
}

impl Notices {
    /// Says it, unless it was said a short while ago.
    pub(crate) fn say(&mut self, words: String, now: DateTime<Utc>) {
        match self.said.iter_mut().find(|said| said.words == words) {
            Some(said) if now - said.at < said.quiet_for => return,
            Some(said) => {
                said.at = now;
                said.quiet_for = (said.quiet_for * 2).min(AGAIN_AFTER.1);
            }
            None => self.said.push_back(Said { words: words.clone(), at: now, quiet_for: AGAIN_AFTER.0 }),
        }
        if self.said.len() > REMEMBERED {
            self.said.pop_front();
        }
        self.shown.push_back((words, now));
        if self.shown.len() > AT_ONCE {
            self.shown.pop_front();
        }
    }

    /// Whether there are any, which will go by themselves.
    pub(crate) fn is_shown(&self) -> bool {
        !self.shown.is_empty()
    }

    /// Shows them; a click takes one away.
    pub(crate) fn show(&mut self, ui: &Ui, now: DateTime<Utc>) {
        self.shown.retain(|(_, since)| now - *since < STAYS && now >= *since);
        if self.shown.is_empty() {
            return;
        }
        let palette = Palette::of(ui);
        let area = Area::new(Id::unique("notices"))
            .order(Order::Tooltip)
            .anchor(Align2::RIGHT_BOTTOM, Vec2::new(-14.0, -40.0));
        let mut gone = None;
        area.show(ui.ctx(), |ui| {
            for (number, (words, _)) in self.shown.iter().enumerate() {
                let frame = Frame::popup(ui.style()).fill(palette.chosen).stroke(Stroke::new(1.0, palette.accent));
                frame.show(ui, |ui| {
                    ui.set_max_width(360.0);
                    ui.horizontal(|ui| {
                        ui.add(eframe::egui::Label::new(RichText::new(words).color(palette.text)).wrap());
                        let close = eframe::egui::Button::new("×").fill(Color32::TRANSPARENT).frame(false);
                        if ui.add(close).on_hover_text("Away with it").clicked() {
                            gone = Some(number);
                        }
                    });
                });
                ui.add_space(4.0);
            }
        });
        if let Some(number) = gone {
            self.shown.remove(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::at;

    #[test]
    fn what_is_said_again_and_again_is_said_less_and_less() {
        let mut notices = Notices::default();
        let mut shown = 0;
        for second in 0..600 {
            let now = at("12:00:00") + TimeDelta::seconds(second);
            notices.shown.clear();
            notices.say("the same".to_owned(), now);
            shown += notices.shown.len();
        }
        assert_eq!(shown, 5, "at once, after 30, 90, 210 and 450 seconds");
    }

    #[test]
    fn they_are_bounded() {
        let mut notices = Notices::default();
        for number in 0..1_000 {
            notices.say(format!("news {number}"), at("12:00:00"));
        }
        assert_eq!((notices.shown.len(), notices.said.len()), (AT_ONCE, REMEMBERED));
    }
}
