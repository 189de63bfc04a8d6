//! Tickers in rows and columns. Only the rows in view are laid out.

use eframe::egui::{Align2, Color32, FontId, Pos2, Rect, Role, Sense, Ui, WidgetInfo};
use egui_extras::{Column, TableBuilder};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::Scene;
use crate::{
    format,
    state::{Freshness, Moved, Ranking, Ticker, TickerKey},
    theme::{BODY, Palette, SMALL},
};

const ROW_HEIGHT: f32 = 21.0;
const INSET: f32 = 6.0;

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    /// The row's number.
    Rank,
    /// Name, coin and exchange.
    Market,
    /// Newest price.
    Last,
    /// Change in a day.
    Change,
    /// Highest price of a day.
    High,
    /// Lowest price of a day.
    Low,
    /// Units of the quote that changed hands in a day.
    Volume,
    /// How old the price is.
    Age,
    /// Deviation of the prices in percent of their mean.
    Deviation,
    /// Deviation of the one-minute returns.
    Returns,
    /// Change over the span of the other two.
    Moved,
}

/// Which rows there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// Whose, from above.
    pub keys: &'a [TickerKey],
    /// How much each moved, and over how long, in words; where that is what the rows are about.
    pub moved: Option<(&'a Ranking, &'static str)>,
}

impl<'a> From<&'a [TickerKey]> for Rows<'a> {
    fn from(keys: &'a [TickerKey]) -> Self {
        Self { keys, moved: None }
    }
}

impl Rows<'_> {
    fn moved(&self, key: &TickerKey) -> Option<&Moved> {
        self.moved.and_then(|(ranking, _)| ranking.moved(key))
    }
}

impl Cell {
    fn title(self) -> &'static str {
        match self {
            Self::Rank => "#",
            Self::Market => "Market",
            Self::Last => "Last",
            Self::Change => "24h",
            Self::High => "High",
            Self::Low => "Low",
            Self::Volume => "Volume",
            Self::Age => "Age",
            Self::Deviation => "Deviation",
            Self::Returns => "1m returns",
            Self::Moved => "Change",
        }
    }

    fn column(self) -> Column {
        match self {
            Self::Rank => Column::exact(34.0),
            Self::Market => Column::remainder().at_least(110.0).clip(true),
            Self::Last | Self::High | Self::Low => Column::exact(96.0),
            Self::Change | Self::Deviation | Self::Returns | Self::Moved => Column::exact(80.0),
            Self::Volume => Column::exact(70.0),
            Self::Age => Column::exact(52.0),
        }
    }

    fn is_left(self) -> bool {
        self == Self::Market
    }

    /// Of what is wanted, what has room. Those that say most stay longest; the two ends of a day's range go together.
    pub(crate) fn that_fit(wanted: &[Self], width: f32) -> Vec<Self> {
        let least = |cells: &[Self]| -> f32 {
            let of = |cell: &Self| match cell {
                Self::Rank => 34.0,
                Self::Market => 110.0,
                Self::Last | Self::High | Self::Low => 96.0,
                Self::Change | Self::Deviation | Self::Returns | Self::Moved => 80.0,
                Self::Volume => 70.0,
                Self::Age => 52.0,
            };
            cells.iter().map(|cell| of(cell) + 8.0).sum()
        };
        let order: [&[Self]; 10] = [
            &[Self::Market],
            &[Self::Deviation],
            &[Self::Change],
            &[Self::Moved],
            &[Self::Returns],
            &[Self::Last],
            &[Self::Volume],
            &[Self::Rank],
            &[Self::Age],
            &[Self::High, Self::Low],
        ];
        let mut left = width;
        let mut kept: Vec<Self> = Vec::new();
        for cells in order.into_iter().filter(|cells| cells.iter().all(|cell| wanted.contains(cell))) {
            left -= least(cells);
            if left < 0.0 && !kept.is_empty() {
                break;
            }
            kept.extend(cells);
        }
        wanted.iter().copied().filter(|cell| kept.contains(cell)).collect()
    }
}

/// What came of showing a table.
#[derive(Debug)]
pub(crate) struct Shown {
    /// Where its rows are.
    pub body: Rect,
    /// The row that was clicked.
    pub clicked: Option<TickerKey>,
}

/// Shows these rows, the chosen one marked.
pub(crate) fn show(
    ui: &mut Ui,
    name: &str,
    cells: &[Cell],
    rows: Rows<'_>,
    scene: &Scene<'_>,
    chosen: Option<&TickerKey>,
) -> Shown {
    let palette = Palette::of(ui);
    ui.spacing_mut().item_spacing.y = 0.0;
    let mut clicked = None;
    let mut table = TableBuilder::new(ui).id_salt(name).sense(Sense::click()).auto_shrink(false);
    for cell in cells {
        table = table.column(cell.column());
    }
    let table = table.header(18.0, |mut header| {
        for cell in cells {
            header.col(|ui| paint(ui, *cell, cell.title().to_owned(), FontId::proportional(SMALL), palette.weak));
        }
    });
    let output = table.body(|body| {
        body.rows(ROW_HEIGHT, rows.keys.len(), |mut row| {
            let number = row.index();
            let Some(key) = rows.keys.get(number) else { return };
            let is_chosen = chosen == Some(key);
            row.set_selected(is_chosen);
            let ticker = scene.state.ticker(key);
            for cell in cells {
                row.col(|ui| {
                    if let Some(ticker) = ticker {
                        fill(ui, *cell, number, (key, ticker, rows.moved(key)), scene);
                    }
                });
            }
            let response = row.response();
            if let Some(ticker) = ticker {
                response.widget_info(|| {
                    let words = match (rows.moved(key), rows.moved) {
                        (Some(moved), Some((_, period))) => movement(number, key, ticker, moved, period),
                        _ => sentence(number, key, ticker, scene),
                    };
                    WidgetInfo::selected(Role::Row, true, is_chosen, words)
                });
            }
            if response.clicked() {
                clicked = Some(key.clone());
            }
        });
    });
    Shown { body: output.inner_rect, clicked }
}

fn sentence(number: usize, key: &TickerKey, ticker: &Ticker, scene: &Scene<'_>) -> String {
    format!(
        "{}. {} on {}, last {}, {} in 24 hours, volume {}, {}{}",
        number + 1,
        ticker.name(),
        key.exchange,
        format::price(ticker.price, ticker.decimals),
        format::percent(ticker.change_24h),
        volume(ticker),
        format::ago(scene.server_time() - ticker.time),
        if ticker.freshness(scene.server_time()) == Freshness::Stale { ", stale" } else { "" },
    )
}

fn movement(number: usize, key: &TickerKey, ticker: &Ticker, moved: &Moved, period: &str) -> String {
    format!(
        "{}. {} on {}, deviation {}, of one-minute returns {}, {} in {period}",
        number + 1,
        ticker.name(),
        key.exchange,
        format::share(moved.deviation),
        format::share(moved.return_deviation),
        format::percent(moved.change),
    )
}

/// What a ranking tells.
fn figure(ui: &Ui, cell: Cell, moved: Option<&Moved>) {
    let palette = Palette::of(ui);
    let change = moved.and_then(|moved| moved.change);
    let (words, colour) = match cell {
        Cell::Deviation => (format::share(moved.and_then(|moved| moved.deviation)), palette.text),
        Cell::Returns => (format::share(moved.and_then(|moved| moved.return_deviation)), palette.weak),
        _ => (format::percent(change), palette.of_change(change.and_then(|change| change.to_f64()))),
    };
    paint(ui, cell, words, FontId::monospace(BODY - 1.0), colour);
}

fn volume(ticker: &Ticker) -> String {
    ticker.quote_volume_24h.to_f64().map_or_else(|| format::UNKNOWN.to_owned(), format::amount)
}

type Row<'a> = (&'a TickerKey, &'a Ticker, Option<&'a Moved>);

fn fill(ui: &Ui, cell: Cell, number: usize, (key, ticker, moved): Row<'_>, scene: &Scene<'_>) {
    let palette = Palette::of(ui);
    let freshness = ticker.freshness(scene.server_time());
    let faded = |colour: Color32| if freshness == Freshness::Stale { palette.faded } else { colour };
    let price = |price: Option<Decimal>| {
        price.map_or_else(|| format::UNKNOWN.to_owned(), |price| format::price(price, ticker.decimals))
    };
    let figures = FontId::monospace(BODY - 1.0);
    let small = FontId::proportional(SMALL + 0.5);
    match cell {
        Cell::Rank => paint(ui, cell, format!("{}", number + 1), small, palette.weak),
        Cell::Market => market(ui, key, ticker, faded(palette.text), palette),
        Cell::Last => paint(ui, cell, price(Some(ticker.price)), figures, faded(palette.text)),
        Cell::Change => {
            let colour = palette.of_change(ticker.change_24h.and_then(|change| change.to_f64()));
            paint(ui, cell, format::percent(ticker.change_24h), figures, faded(colour));
        }
        Cell::High => paint(ui, cell, price(ticker.high_24h), figures, faded(palette.weak)),
        Cell::Low => paint(ui, cell, price(ticker.low_24h), figures, faded(palette.weak)),
        Cell::Volume => paint(ui, cell, volume(ticker), figures, faded(palette.weak)),
        Cell::Age => {
            let colour = if freshness == Freshness::Fresh { palette.weak } else { palette.warn };
            let age = format::age(scene.server_time() - ticker.time);
            let words = if freshness == Freshness::Stale { format!("! {age}") } else { age };
            paint(ui, cell, words, small, colour);
        }
        Cell::Deviation | Cell::Returns | Cell::Moved => figure(ui, cell, moved),
    }
}

fn market(ui: &Ui, key: &TickerKey, ticker: &Ticker, colour: Color32, palette: &Palette) {
    let place = ui.max_rect();
    let painter = ui.painter();
    let at = Pos2::new(place.left() + INSET, place.center().y);
    let base = painter.text(at, Align2::LEFT_CENTER, ticker.name(), FontId::proportional(BODY - 0.5), colour);
    let at = Pos2::new(base.right() + 6.0, place.center().y);
    let about = format!("{} · {}", key.exchange, ticker.coin);
    painter.text(at, Align2::LEFT_CENTER, about, FontId::proportional(SMALL), palette.weak);
}

fn paint(ui: &Ui, cell: Cell, text: String, font: FontId, colour: Color32) {
    let place = ui.max_rect();
    let (x, anchor) = if cell.is_left() {
        (place.left() + INSET, Align2::LEFT_CENTER)
    } else {
        (place.right() - INSET, Align2::RIGHT_CENTER)
    };
    ui.painter().text(Pos2::new(x, place.center().y), anchor, text, font, colour);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_table_keeps_what_says_most() {
        use Cell::{Change, High, Last, Low, Market, Rank};
        let wanted = [Rank, Market, Last, Change, High, Low];
        assert_eq!(Cell::that_fit(&wanted, 2_000.0), wanted);
        assert_eq!(Cell::that_fit(&wanted, 500.0), [Rank, Market, Last, Change]);
        assert_eq!(Cell::that_fit(&wanted, 320.0), [Market, Last, Change]);
        assert_eq!(Cell::that_fit(&wanted, 250.0), [Market, Change]);
        assert_eq!(Cell::that_fit(&wanted, 50.0), [Market]);
    }
}
