//! Of what the portfolio is made: a bar for each coin.

use api_types::portfolios::BalanceRow;
use eframe::egui::{Align2, CornerRadius, FontId, Pos2, Rect, RichText, Role, Sense, Ui, WidgetInfo, vec2};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::{gap, words};
use crate::theme::{Palette, SMALL};

/// Coins with a bar of their own.
const MOST: usize = 8;
const HEIGHT: f32 = 17.0;

/// Shows them, the largest first.
pub(super) fn show(ui: &mut Ui, balance: &BalanceRow) {
    let bars = bars(balance);
    if bars.is_empty() {
        return;
    }
    let palette = Palette::of(ui);
    ui.label(RichText::new("Allocation").size(SMALL + 0.5).color(palette.weak));
    let font = FontId::proportional(SMALL + 0.5);
    let name_width = |name: &str| ui.painter().layout_no_wrap(name.to_owned(), font.clone(), palette.text).size().x;
    let names = bars.iter().map(|(name, _)| name_width(name)).fold(30.0, f32::max) + 10.0;
    let largest = bars.iter().map(|(_, share)| *share).max().unwrap_or(Decimal::ONE);
    ui.spacing_mut().item_spacing.y = 2.0;
    for (number, (name, share)) in bars.iter().enumerate() {
        let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), HEIGHT), Sense::hover());
        let told = words::share(Some(*share));
        response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name} is {told} of the whole")));
        let (painter, middle) = (ui.painter(), rect.center().y);
        painter.text(Pos2::new(rect.left(), middle), Align2::LEFT_CENTER, name, font.clone(), palette.text);
        let (from, to) = (rect.left() + names, rect.right() - 54.0);
        let part = (share.checked_div(largest)).and_then(|part| part.to_f32()).unwrap_or_default();
        let width = ((to - from) * part).max(2.0);
        let bar = Rect::from_min_max(Pos2::new(from, middle - 4.5), Pos2::new(from + width, middle + 4.5));
        let colour = if number < MOST { palette.compared[number % palette.compared.len()] } else { palette.weak };
        painter.rect_filled(bar, CornerRadius::same(2), colour);
        let figures = FontId::monospace(SMALL + 0.5);
        painter.text(Pos2::new(rect.right(), middle), Align2::RIGHT_CENTER, told, figures, palette.text);
    }
    gap(ui);
}

/// Names and shares, the smallest together.
fn bars(balance: &BalanceRow) -> Vec<(String, Decimal)> {
    let shares = balance.positions.iter().filter_map(|row| Some((row.symbol.clone(), row.share?)));
    let mut bars: Vec<(String, Decimal)> = shares.filter(|(_, share)| *share > Decimal::ZERO).collect();
    bars.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
    if bars.len() > MOST + 1 {
        let rest = bars.split_off(MOST);
        bars.push((format!("{} others", rest.len()), rest.iter().map(|(_, share)| *share).sum()));
    }
    bars
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::portfolio::tests::{balance, position};

    #[test]
    fn the_largest_come_first_and_the_smallest_together() {
        let mut row = balance();
        row.positions = (1..=12).map(|number| position(&format!("C{number:02}"), &format!("0.{number:02}"))).collect();
        row.positions.push(position("SOLD", "0"));
        let bars = bars(&row);
        assert_eq!((bars.len(), bars[0].0.as_str(), bars[MOST].0.as_str()), (MOST + 1, "C12", "4 others"));
        assert_eq!(bars[MOST].1, "0.10".parse().unwrap());
    }
}
