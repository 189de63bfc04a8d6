//! How the compared tickers stand to the first of them.

use eframe::egui::{Grid, RichText, ScrollArea, Ui};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::Member;
use crate::{
    format,
    panels::{Command, Scene},
    state::{Freshness, TickerKey},
    theme::{Palette, SMALL},
};

pub(super) const ROW_HEIGHT: f32 = 24.0;

/// Shows it; says which one shall go.
pub(super) fn show(
    ui: &mut Ui,
    scene: &Scene<'_>,
    members: &[Member<'_>],
    removable: bool,
    commands: &mut Vec<Command>,
) -> Option<TickerKey> {
    let palette = Palette::of(ui);
    let mut gone = None;
    ScrollArea::both().id_salt("compared").auto_shrink(false).show(ui, |ui| {
        Grid::new("compared").num_columns(7).spacing([16.0, 3.0]).show(ui, |ui| {
            for title in ["Market", "Last", "Since the left edge", "Spread to the first", "Premium", "Age", ""] {
                ui.label(RichText::new(title).size(SMALL + 0.5).color(palette.weak));
            }
            ui.end_row();
            let first = members.first();
            for (number, member) in members.iter().enumerate() {
                let name = format!("{} · {}", scene.name_of(member.key), member.key.exchange);
                let colour = palette.compared[number % palette.compared.len()];
                if ui.link(RichText::new(name).color(colour)).clicked() {
                    commands.push(Command::Select(member.key.clone()));
                }
                let figure = |ui: &mut Ui, text: String| {
                    ui.label(RichText::new(text).monospace());
                };
                let decimals = member.ticker.map_or(2, |ticker| ticker.decimals);
                figure(ui, member.ticker.map_or_else(unknown, |ticker| format::price(ticker.price, decimals)));
                let change = member.change();
                let words = change.map_or_else(unknown, format::percent_f64);
                ui.label(RichText::new(words).monospace().color(palette.of_change(change)));
                let spread = first.filter(|_| number > 0).and_then(|first| member.spread_to(first));
                figure(ui, spread.map_or_else(unknown, |spread| format::signed(spread.0, decimals)));
                figure(ui, spread.map_or_else(unknown, |spread| format::percent(spread.1)));
                let (age, colour) = member.ticker.map_or_else(
                    || (unknown(), palette.weak),
                    |ticker| {
                        let age = format::age(scene.server_time() - ticker.time);
                        match ticker.freshness(scene.server_time()) {
                            Freshness::Fresh => (age, palette.weak),
                            Freshness::Late => (age, palette.warn),
                            Freshness::Stale => (format!("STALE {age}"), palette.warn),
                        }
                    },
                );
                ui.label(RichText::new(age).size(SMALL + 0.5).color(colour));
                if removable && members.len() > 1 && ui.small_button("Remove").clicked() {
                    gone = Some(member.key.clone());
                }
                ui.end_row();
            }
        });
    });
    gone
}

fn unknown() -> String {
    format::UNKNOWN.to_owned()
}

impl Member<'_> {
    /// Change of its last close since the left edge, in percent.
    fn change(&self) -> Option<f64> {
        let last = self.series?.bars().last()?.close;
        self.base.map(|base| (last / base - 1.0) * 100.0)
    }

    /// How much more it costs than the other, in the quote that both have, and in percent of it.
    fn spread_to(&self, other: &Self) -> Option<(Decimal, Option<Decimal>)> {
        let (own, other) = (self.ticker?, other.ticker?);
        // Two coins, or one coin in two units, have no spread.
        if own.base != other.base || own.quote != other.quote {
            return None;
        }
        let spread = own.price - other.price;
        let premium = (!other.price.is_zero()).then(|| spread / other.price * Decimal::ONE_HUNDRED);
        Some((spread, premium.filter(|premium| premium.to_f64().is_some())))
    }
}
