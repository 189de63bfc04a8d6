//! The parts of the window.
//!
//! A panel draws what it is shown and says what the user wants as [`Command`]s; it changes nothing but what is its own:
//! its scroll positions, its text fields, what is chosen for it alone. Time comes from the [`Scene`], so that a test
//! decides what time it is.

pub(crate) mod account;
pub(crate) mod alerts;
pub(crate) mod banner;
pub(crate) mod chart;
pub(crate) mod compare;
pub(crate) mod desk;
pub(crate) mod finder;
pub(crate) mod health;
pub(crate) mod help;
pub(crate) mod market;
pub(crate) mod notices;
pub(crate) mod portfolio;
pub(crate) mod preferences;
pub(crate) mod settled;
pub(crate) mod status;
pub(crate) mod table;
pub(crate) mod top_bar;
pub(crate) mod volatility;
pub(crate) mod watchlist;

use chrono::{DateTime, Utc};
use domain::Interval;
use eframe::egui::{Align2, Frame, Margin, RichText, Ui, Window};

use crate::{
    choices::{ChartStyle, Choices, Drawing, Notify, Refresh, ScaleChoice},
    desk::DeskChange,
    indicators::Indicator,
    settings::{ApiAddress, RendererChoice, ThemeChoice},
    state::{Feed, Order, SeriesKey, State, TickerKey, portfolio as books},
    theme::{BODY, Hues},
    worker::SessionOrder,
    zone::Zone,
};

/// What all panels look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    /// All that is known.
    pub state: &'a State,
    /// What was chosen for the whole window.
    pub choices: &'a Choices,
    /// Where the API listens, for people.
    pub api: &'a str,
    /// The time on our clock.
    pub now: DateTime<Utc>,
}

impl<'a> Scene<'a> {
    /// The time on the server's clock.
    pub(crate) fn server_time(&self) -> DateTime<Utc> {
        self.state.server_time(self.now)
    }

    /// The feeds, by name.
    pub(crate) fn feeds(&self) -> impl Iterator<Item = (&'a str, &'a Feed)> {
        let feeds = self.state.feeds.value().into_iter().flatten();
        feeds.map(|(name, feed)| (name.as_str(), feed))
    }

    /// Whether what is known is not as of now: the API is away, or has not answered yet in this run.
    pub(crate) fn is_old(&self) -> bool {
        self.state.connection.is_away() || self.state.recalled_at().is_some()
    }

    /// The ticker's name for people, or the exchange's word for it while it is not listed.
    pub(crate) fn name_of(&self, ticker: &TickerKey) -> String {
        self.state.ticker(ticker).map_or_else(|| ticker.ticker.to_string(), |known| known.name())
    }
}

/// A window over everything else, in the middle at first.
fn over_all<'a>(ui: &Ui, title: &str) -> Window<'a> {
    let middle = ui.ctx().content_rect().center();
    let frame = Frame::window(ui.style()).inner_margin(Margin::same(14));
    Window::new(RichText::new(title).size(BODY + 1.0).strong())
        .frame(frame)
        .pivot(Align2::CENTER_CENTER)
        .default_pos(middle)
        .resizable(false)
        .collapsible(false)
}

/// What the user wants.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Command {
    /// This ticker in the group of the pane that says so, or in the active chart.
    Select(TickerKey),
    /// The next ticker in the list, or so many before it.
    Step(isize),
    /// The cursor in the list's filter.
    FocusFilter,
    /// The chart drawn otherwise.
    Chart(ChartChange),
    /// The panes otherwise.
    Desk(DeskChange),
    /// This ticker in the list of that name, or no longer.
    List(String, TickerKey),
    /// No list of that name any more.
    RemoveList(String),
    /// This ticker's charts drawn on otherwise.
    Draw(TickerKey, DrawingChange),
    /// This theme.
    Theme(ThemeChoice),
    /// Rising and falling coloured like this.
    Hues(Hues),
    /// Everything so large; as the desktop says, where that is not said.
    Zoom(Option<f32>),
    /// Times told on these clocks.
    Zone(Zone),
    /// The window drawn by this, when it opens next.
    Renderer(RendererChoice),
    /// News to come like this.
    Refresh(Refresh),
    /// The desktop told of this.
    Notify(Notify),
    /// Another API.
    Api(ApiAddress),
    /// Candles before the first one.
    LoadOlder(SeriesKey, DateTime<Utc>),
    /// The series' candles between two moments in a file.
    ExportCandles(SeriesKey, DateTime<Utc>, DateTime<Utc>),
    /// All transactions of the portfolio with this number and name in a file.
    ExportTransactions(i64, String),
    /// What is in this part of the window, in points, in a file with this in its name.
    ExportPicture(eframe::egui::Rect, String),
    /// To log in or out.
    Session(SessionOrder),
    /// This done with the account's rules; the answer has this number.
    Alert(u64, Box<Order>),
    /// This done with the account's portfolios; the answer has this number.
    Portfolio(u64, Box<books::Order>),
    /// To try now what would be tried later.
    Retry,
    /// The search for everything.
    Find,
    /// The list of keys, shown or hidden.
    Help,
    /// What holds for the whole window, shown or hidden.
    Preferences,
    /// The log-in, shown or hidden.
    Account,
}

/// How a chart is to be drawn otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum ChartChange {
    /// Candles this wide.
    Interval(Interval),
    /// Prices drawn like this.
    Style(ChartStyle),
    /// Prices on this scale.
    Scale(ScaleChoice),
    /// This drawn over the prices or below them, or no longer.
    Indicator(Indicator),
    /// Volumes, or none.
    Volume(bool),
    /// So many times fewer candles in view.
    Zoom(f64),
    /// The newest candle in view.
    Newest,
    /// The oldest candle that is known in view.
    Oldest,
    /// As at first.
    Reset,
    /// What the pointer draws.
    Tool(chart::Tool),
    /// An alert at the price where the pointer is: a rule of the account, or without one a level that rings.
    LevelHere,
    /// What is in view, in a file: its candles.
    ExportCandles,
    /// What is in view, in a file: a picture.
    ExportPicture,
}

/// How the drawings of a ticker become others.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DrawingChange {
    /// One more.
    Add(Drawing),
    /// Another in that place.
    Replace(usize, Drawing),
    /// None in that place.
    Remove(usize),
    /// None at all.
    Clear,
}
