//! What the account's rules fired for.

use api_types::alerts::FiringRow;
use eframe::egui::{Label, RichText, Role, ScrollArea, Sense, Ui, WidgetInfo};

use crate::{
    format,
    panels::{Command, Scene},
    state::market_of,
    theme::{Palette, SMALL},
    zone::Zone,
};

const ROW_HEIGHT: f32 = 19.0;

/// Shows them; a click shows the market.
pub(super) fn show(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    let palette = Palette::of(ui);
    let firings = scene.state.alerts.firings();
    if firings.is_empty() {
        ui.label(RichText::new("Nothing has fired yet.").color(palette.weak));
        return;
    }
    ScrollArea::vertical().id_salt("firings").auto_shrink(false).show_rows(
        ui,
        ROW_HEIGHT,
        firings.len(),
        |ui, range| {
            for row in range.filter_map(|number| firings.get(number)) {
                let market = scene.state.alerts.rule(row.alert).and_then(|rule| market_of(&rule.says));
                let response = ui.horizontal(|ui| {
                    ui.set_height(ROW_HEIGHT - 4.0);
                    let time = format::moment(row.happened_at, scene.choices.zone);
                    ui.add(Label::new(RichText::new(time).monospace().size(SMALL).color(palette.weak)));
                    if row.late {
                        ui.add(Label::new(RichText::new("late").size(SMALL).color(palette.warn)));
                    }
                    ui.add(Label::new(RichText::new(&row.said).size(SMALL + 1.5)).truncate());
                });
                let response =
                    response.response.interact(if market.is_some() { Sense::click() } else { Sense::hover() });
                let words = words(row, scene.choices.zone);
                response.widget_info(|| WidgetInfo::labeled(Role::Button, market.is_some(), &words));
                if let Some(market) = market.filter(|_| response.clicked()) {
                    commands.push(Command::Select(market));
                }
            }
        },
    );
}

/// One in a sentence, with its time: `12:00:01 UTC: … (late: told at 12:05:00)`.
pub(crate) fn words(row: &FiringRow, zone: Zone) -> String {
    let time = |at| zone.of(at).format("%H:%M:%S");
    let late = if row.late { format!(" (late: noticed at {})", time(row.noticed_at)) } else { String::new() };
    format!("{} {}{late}", time(row.happened_at), row.said)
}
