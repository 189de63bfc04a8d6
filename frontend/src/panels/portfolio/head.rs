//! Which portfolio, counted how and as of when; and what all of it is worth and earned.

use api_types::portfolios::{BalanceRow, PerformanceRow, PortfolioRequest, PortfolioRow};
use chrono::{Days, NaiveDate};
use eframe::egui::{Align2, Button, Color32, FontId, Key, Pos2, RichText, Role, Sense, TextEdit, Ui, WidgetInfo, vec2};
use rust_decimal::Decimal;

use super::{Part, Portfolio, Waiting, refused, unanswered, weak, words};
use crate::{
    format,
    panels::{Command, Scene},
    state::{
        Refusal,
        portfolio::{Done, Order, Topic},
    },
    theme::{BODY, Palette, SMALL},
    widgets::choice::choice,
};

const CURRENCIES: [&str; 5] = ["USD", "EUR", "USDT", "BTC", "ETH"];
const METHODS: [&str; 4] = ["fifo", "lifo", "hifo", "average"];
/// Transactions that do not count of which the reason is told under the pointer.
const REASONS: usize = 12;

/// What is written into the head.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    /// The end of which day is meant, as it is written; empty for now.
    day: String,
    /// The last day that was written whole.
    meant: Option<NaiveDate>,
    /// A currency that is none of those that are offered.
    other: Option<String>,
    naming: Option<Naming>,
    is_deleting: bool,
    waiting: Waiting,
    refusal: Option<Refusal>,
}

/// A name that is written.
#[derive(Debug, Clone)]
struct Naming {
    text: String,
    /// The portfolio that gets it; a new one where there is none.
    of: Option<i64>,
    /// The cursor is wanted.
    focus: bool,
}

impl Head {
    /// The end of which day is meant, if not now.
    pub(super) fn day(&self) -> Option<NaiveDate> {
        self.meant
    }

    /// One field and a button, for whoever has no portfolio yet.
    pub(super) fn first(&mut self, ui: &mut Ui, commands: &mut Vec<Command>) {
        self.naming.get_or_insert_with(|| Naming { text: String::new(), of: None, focus: false });
        self.name(ui, commands, false);
    }

    /// The field for a name, and what can be done with it.
    fn name(&mut self, ui: &mut Ui, commands: &mut Vec<Command>, can_cancel: bool) {
        let Some(naming) = &mut self.naming else { return };
        let mut goes_on = true;
        ui.horizontal_wrapped(|ui| {
            let label = ui.label(RichText::new("Name of the portfolio").color(Palette::of(ui).weak));
            let edit = TextEdit::singleline(&mut naming.text).desired_width(150.0).hint_text("savings");
            let field = ui.add(edit).labelled_by(label.id);
            if std::mem::take(&mut naming.focus) {
                field.request_focus();
            }
            let enter = field.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
            let name = naming.text.trim();
            let words = if naming.of.is_some() { "Rename it" } else { "Make it" };
            let can = !name.is_empty() && !self.waiting.is_on();
            let clicked = ui.add_enabled(can, Button::new(words)).clicked();
            if can && (clicked || enter) {
                let what = PortfolioRequest { name: Some(name.to_owned()), ..PortfolioRequest::default() };
                let order = naming.of.map_or_else(|| Order::Make(what.clone()), |id| Order::Change(id, what.clone()));
                self.waiting.order(order, commands);
                self.refusal = None;
            }
            let escape = can_cancel && field.lost_focus() && ui.input(|input| input.key_pressed(Key::Escape));
            if escape || can_cancel && ui.button("Cancel").clicked() {
                goes_on = false;
            }
            if self.waiting.is_on() {
                weak(ui, "Asking the API …");
            } else if let Some(refusal) = &self.refusal {
                refused(ui, refusal);
            }
        });
        if !goes_on {
            (self.naming, self.refusal) = (None, None);
        }
    }

    fn begin(&mut self, of: Option<i64>, text: String) {
        self.naming = Some(Naming { text, of, focus: true });
        (self.refusal, self.is_deleting) = (None, false);
    }

    /// The day as of which all is told: written, or stepped to.
    fn as_of(&mut self, ui: &mut Ui, today: NaiveDate) {
        let palette = Palette::of(ui);
        let label = ui.label(RichText::new("As of").size(SMALL + 0.5).color(palette.weak));
        if small(ui, "‹", "A day earlier").clicked() {
            self.mean(self.meant.unwrap_or(today).checked_sub_days(Days::new(1)), today);
        }
        let edit = TextEdit::singleline(&mut self.day).desired_width(82.0).hint_text("now");
        if ui.add(edit).labelled_by(label.id).on_hover_text("The end of a day of UTC, such as 2026-06-30").changed() {
            // What was asked for last stays in view while another day is being written.
            self.meant = parsed(&self.day, today).unwrap_or(self.meant);
        }
        if ui.add_enabled_ui(self.meant.is_some(), |ui| small(ui, "›", "A day later")).inner.clicked() {
            self.mean(self.meant.and_then(|day| day.checked_add_days(Days::new(1))), today);
        }
        if (self.meant.is_some() || !self.day.is_empty()) && small(ui, "Now", "As of now").clicked() {
            self.mean(None, today);
        }
        if let Err(why) = parsed(&self.day, today) {
            ui.label(RichText::new(why).size(SMALL + 0.5).color(palette.warn));
        }
    }

    fn mean(&mut self, day: Option<NaiveDate>, today: NaiveDate) {
        self.meant = day.filter(|day| *day < today);
        self.day = self.meant.map(|day| day.to_string()).unwrap_or_default();
    }
}

/// The day that is written; none for now, and for today, which is not over.
fn parsed(text: &str, today: NaiveDate) -> Result<Option<NaiveDate>, &'static str> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    let day = text.parse::<NaiveDate>().ok().filter(|_| text.len() == 10);
    match day.ok_or("write a day, such as 2026-06-30")? {
        day if day > today => Err("that day is still to come"),
        day => Ok(Some(day).filter(|day| *day < today)),
    }
}

impl Portfolio {
    /// What became of a portfolio that was made, renamed or deleted.
    pub(super) fn hear_of_portfolios(&mut self, scene: &Scene<'_>) {
        match self.head.waiting.hear(scene) {
            Some(Ok(Done::Portfolio(row))) => {
                self.id = Some(row.id);
                self.head.naming = None;
            }
            Some(Err(refusal)) => self.head.refusal = Some(refusal),
            Some(Ok(_)) | None => {}
        }
    }

    pub(super) fn show_head(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        list: &[PortfolioRow],
        row: &PortfolioRow,
        commands: &mut Vec<Command>,
    ) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing.x = 5.0;
            choice(ui, "Portfolio", 120.0, &row.name, |ui| {
                for one in list {
                    if ui.selectable_label(one.id == row.id, &one.name).clicked() {
                        self.id = Some(one.id);
                        self.transactions.begin_anew();
                        self.import = super::Import::default();
                    }
                }
            });
            if small(ui, "New", "New portfolio").clicked() {
                self.head.begin(None, String::new());
            }
            if small(ui, "Rename", "Rename this portfolio").clicked() {
                self.head.begin(Some(row.id), row.name.clone());
            }
            if small(ui, "Delete", "Delete this portfolio").clicked() {
                (self.head.is_deleting, self.head.naming) = (true, None);
            }
            ui.separator();
            self.choose_currency(ui, row);
            let method = self.method.clone().unwrap_or_else(|| row.method.clone());
            choice(ui, "Sold first", 72.0, &method, |ui| {
                for one in METHODS {
                    if ui.selectable_label(one == method, one).clicked() {
                        self.method = Some(one.to_owned()).filter(|one| *one != row.method);
                    }
                }
            })
            .on_hover_text("Which coins are sold first: this decides what was realised");
            ui.separator();
            self.head.as_of(ui, scene.server_time().date_naive());
        });
        if self.head.naming.is_some() {
            self.head.name(ui, commands, true);
        }
        if self.head.is_deleting {
            self.delete(ui, row, commands);
        }
        let (counted, days) = (self.counted(row), self.days(row));
        unanswered(ui, scene, &Topic::Balance(counted.clone()), "the balance");
        if scene.state.portfolios.failure(&Topic::Balance(counted.clone())).is_none() {
            unanswered(ui, scene, &Topic::Performance(days.clone()), "what it earned");
        }
        match scene.state.portfolios.balance(&counted) {
            Some(balance) => figures(ui, scene, balance, scene.state.portfolios.performance(&days)),
            None if scene.state.portfolios.failure(&Topic::Balance(counted)).is_none() => {
                weak(ui, "Loading the balance …");
            }
            None => {}
        }
        self.choose_part(ui, row);
    }

    fn choose_currency(&mut self, ui: &mut Ui, row: &PortfolioRow) {
        let chosen = self.shown_currency(row).to_owned();
        choice(ui, "Counted in", 62.0, &chosen, |ui| {
            let own = [row.currency.as_str()].into_iter().filter(|own| !CURRENCIES.contains(own));
            for one in own.chain(CURRENCIES) {
                if ui.selectable_label(one == chosen, one).clicked() {
                    self.currency = Some(one.to_owned()).filter(|one| *one != row.currency);
                    self.head.other = None;
                }
            }
            if ui.selectable_label(self.head.other.is_some(), "another …").clicked() {
                self.head.other = Some(String::new());
            }
        });
        let Some(other) = &mut self.head.other else { return };
        let field = ui.add(TextEdit::singleline(other).desired_width(54.0).hint_text("SOL").char_limit(20));
        field.widget_info(|| WidgetInfo::labeled(Role::TextInput, true, "Another currency or coin"));
        let code = other.trim().to_uppercase();
        let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let (enter, escape) = ui.input(|input| (input.key_pressed(Key::Enter), input.key_pressed(Key::Escape)));
        if field.lost_focus() && enter && is_code {
            self.currency = Some(code).filter(|code| *code != row.currency);
            self.head.other = None;
        } else if field.lost_focus() && escape {
            self.head.other = None;
        }
    }

    fn delete(&mut self, ui: &mut Ui, row: &PortfolioRow, commands: &mut Vec<Command>) {
        ui.horizontal_wrapped(|ui| {
            let words = format!("Delete {} with its transactions ({})?", row.name, row.transactions);
            ui.label(RichText::new(words).color(Palette::of(ui).warn));
            if small(ui, "Delete it", "Delete it").clicked() {
                self.head.waiting.order(Order::Delete(row.id), commands);
                self.head.is_deleting = false;
            }
            if small(ui, "Keep it", "Keep it").clicked() {
                self.head.is_deleting = false;
            }
        });
    }

    fn choose_part(&mut self, ui: &mut Ui, row: &PortfolioRow) {
        ui.horizontal_wrapped(|ui| {
            let transactions = format!("Transactions ({})", row.transactions);
            for (part, name) in
                [(Part::Overview, "Overview"), (Part::Transactions, transactions.as_str()), (Part::Import, "Import")]
            {
                let is_chosen = self.part == part;
                let response = ui.selectable_label(is_chosen, RichText::new(name).size(SMALL + 0.5));
                response.widget_info(|| WidgetInfo::selected(Role::RadioButton, true, is_chosen, name));
                if response.clicked() {
                    self.part = part;
                }
            }
        });
    }
}

/// A small button with a name of its own.
pub(super) fn small(ui: &mut Ui, words: &str, name: &str) -> eframe::egui::Response {
    let response = ui.add(Button::new(RichText::new(words).size(SMALL + 0.5)));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, name));
    response
}

/// What all of it is worth, and what it earned.
fn figures(ui: &mut Ui, scene: &Scene<'_>, balance: &BalanceRow, performance: Option<&PerformanceRow>) {
    let palette = Palette::of(ui);
    let currency = balance.currency.as_str();
    let gain = |value| (words::gain(value, currency), words::colour(palette, Some(value)));
    let part = |part| (words::percent(part), words::colour(palette, part));
    let time_weighted = performance.and_then(|row| row.time_weighted);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 2.0);
        let worth = (format!("{} {currency}", words::money(balance.converted_value, currency)), palette.text);
        let told = format!("At prices of {}", format::moment(balance.prices_at, scene.choices.zone));
        figure(ui, "Worth", worth, &told);
        figure(ui, "ROI", part(balance.roi), "What it is worth, and what was paid for it less what came, without fees");
        figure(ui, "Unrealised", gain(balance.unrealised), "What selling everything would earn, fees so far included");
        figure(ui, "Realised", gain(balance.realised), "What was earned by selling");
        figure(ui, "Time-weighted", part(time_weighted), &returns(performance));
        if let Some((title, rate)) = performance.and_then(money_weighted) {
            let words = "The rate at which what was paid in, each on its day, would have become what is there";
            figure(ui, title, part(Some(rate)), words);
        }
        if let Some(held) = performance.and_then(|row| row.benchmark.as_ref()).filter(|held| held.symbol != currency) {
            let words = format!("What would be there if the same money had gone into {}, each on its day", held.symbol);
            let value = (words::money(held.value_end, currency), palette.text);
            figure(ui, &format!("Had it been {}", held.symbol), value, &words);
        }
        let count = balance.invalid_count;
        if count > 0 {
            let words = if count == 1 { "1 transaction".to_owned() } else { format!("{count} transactions") };
            figure(ui, "Does not count", (format!("! {words}"), palette.warn), &reasons(scene, balance));
        }
    });
}

/// What the return of the coins is, and what was best and worst of it.
fn returns(performance: Option<&PerformanceRow>) -> String {
    let mut lines = vec!["The return of the coins, whenever money came and went".to_owned()];
    let Some(row) = performance else { return lines.remove(0) };
    let days = [("Best day", &row.best_day), ("Worst day", &row.worst_day)];
    lines.extend(days.into_iter().filter_map(|(name, day)| {
        let day = day.as_ref()?;
        Some(format!("{name}: {}, {}", day.day, words::percent(Some(day.gain))))
    }));
    let coins = [("Best coin", &row.best_coin), ("Worst coin", &row.worst_coin)];
    lines.extend(coins.into_iter().filter_map(|(name, coin)| {
        let coin = coin.as_ref()?;
        Some(format!("{name}: {}, {} of what it cost", coin.symbol, words::percent(Some(coin.gain))))
    }));
    lines.join("\n")
}

/// The rate that the owner's money earned: a year, or over all where there is none yet.
fn money_weighted(row: &PerformanceRow) -> Option<(&'static str, Decimal)> {
    let is_year = (row.to - row.from).num_days() >= 365;
    let yearly = row.money_weighted_yearly.filter(|_| is_year).map(|rate| ("Money, yearly", rate));
    yearly.or_else(|| row.money_weighted.map(|rate| ("Money-weighted", rate)))
}

fn reasons(scene: &Scene<'_>, balance: &BalanceRow) -> String {
    let one = |row: &api_types::portfolios::InvalidRow| {
        let day = scene.choices.zone.of(row.date).format("%Y-%m-%d");
        format!("{day} {} (number {}): {}", row.symbol, row.transaction_id, row.reason)
    };
    let mut lines: Vec<String> = balance.invalid.iter().take(REASONS).map(one).collect();
    if balance.invalid_count > lines.len() {
        lines.push(format!("and {} more", balance.invalid_count - lines.len()));
    }
    lines.join("\n")
}

/// A figure below its name.
fn figure(ui: &mut Ui, name: &str, (text, colour): (String, Color32), about: &str) {
    let palette = Palette::of(ui);
    let (small, large) = (FontId::proportional(SMALL), FontId::monospace(BODY));
    let width =
        |text: &str, font: &FontId| ui.painter().layout_no_wrap(text.to_owned(), font.clone(), palette.text).size().x;
    let needed = width(name, &small).max(width(&text, &large)) + 12.0;
    let (rect, response) = ui.allocate_exact_size(vec2(needed, 34.0), Sense::hover());
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("{name}: {text}")));
    let at = |y: f32| Pos2::new(rect.left(), rect.top() + y);
    ui.painter().text(at(1.0), Align2::LEFT_TOP, name, small, palette.weak);
    ui.painter().text(at(14.0), Align2::LEFT_TOP, &text, large, colour);
    response.on_hover_text(about);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::portfolio::tests::performance;

    #[test]
    fn the_best_and_the_worst_are_told() {
        assert_eq!(returns(None), "The return of the coins, whenever money came and went");
        let told = returns(Some(&performance()));
        let lines = [
            "Best day: 2026-03-02, +12.50%",
            "Worst day: 2026-05-19, −8.00%",
            "Best coin: BTC, +28.50% of what it cost",
            "Worst coin: DOGE, −10.16% of what it cost",
        ];
        assert_eq!(told.lines().skip(1).collect::<Vec<_>>(), lines);
    }

    #[test]
    fn a_day_is_written_whole_and_is_over() {
        let today: NaiveDate = "2026-11-20".parse().unwrap();
        assert_eq!(parsed(" ", today), Ok(None));
        assert_eq!(parsed("2026-06-30", today), Ok(NaiveDate::from_ymd_opt(2026, 6, 30)));
        assert_eq!(parsed("2026-11-20", today), Ok(None), "today is now");
        for text in ["2026-06-3", "30.06.2026", "2026-02-30"] {
            assert_eq!(parsed(text, today), Err("write a day, such as 2026-06-30"), "{text}");
        }
        assert_eq!(parsed("2026-11-21", today), Err("that day is still to come"));
    }

    #[test]
    fn steps_go_back_from_now_and_forward_to_now() {
        let today: NaiveDate = "2026-11-20".parse().unwrap();
        let mut head = Head::default();
        head.mean(today.pred_opt(), today);
        assert_eq!(head.day, "2026-11-19");
        head.mean(head.meant.and_then(|day| day.succ_opt()), today);
        assert_eq!((head.day.as_str(), head.day()), ("", None));
    }
}
