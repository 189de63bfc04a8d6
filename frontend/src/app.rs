//! Between the window and the worker: news goes into the state, wishes go out.
//!
//! [`App::logic`] also runs while the window is hidden, so that news is taken and a call to close is heard then too.
//! Nothing here waits.

use std::time::Duration;

use chrono::{DateTime, Utc};
use eframe::egui::{Context, ThemePreference, Ui, ViewportCommand};
use tokio_util::sync::CancellationToken;

use crate::{
    choices::Choices,
    panels::Command,
    screen::Screen,
    settings::Settings,
    state::State,
    theme,
    worker::{Timing, Worker},
};

/// Where the choices are kept in eframe's storage.
const CHOICES: &str = "choices";

/// The window's application.
pub(crate) struct App {
    state: State,
    screen: Screen,
    worker: Worker,
    api: String,
    closed: CancellationToken,
}

impl App {
    /// Starts the worker and dresses the window as it was left.
    pub(crate) fn new(
        creation: &eframe::CreationContext<'_>,
        settings: &Settings,
        closed: CancellationToken,
    ) -> std::io::Result<Self> {
        let context = creation.egui_ctx.clone();
        let kept = creation.storage.and_then(|storage| eframe::get_value::<Choices>(storage, CHOICES));
        let mut choices = kept.unwrap_or_default();
        if let Some(theme) = settings.theme {
            choices.theme = theme;
        }
        theme::install(&context);
        theme::wear(&context, choices.hues);
        context.set_theme(ThemePreference::from(choices.theme));
        let wake = Box::new(move |soon: Duration| context.request_repaint_after(soon));
        let worker = Worker::start(settings.api.clone(), Timing::default(), wake)?;
        let api = settings.api.to_string();
        Ok(Self { state: State::default(), screen: Screen::new(choices), worker, api, closed })
    }

    /// Takes the news, and sees that the chosen series is on its way.
    fn catch_up(&mut self, now: DateTime<Utc>) {
        while let Some(update) = self.worker.next_update() {
            self.state.apply(update, now);
        }
        let choices = &mut self.screen.choices;
        let listed = self.state.tickers.value();
        let chosen_is_gone = match (&choices.ticker, listed) {
            (Some(chosen), Some(listed)) => !listed.is_empty() && !listed.contains_key(chosen),
            (Some(_), None) => false,
            (None, _) => true,
        };
        if chosen_is_gone {
            choices.ticker = self.state.busiest().cloned().or(choices.ticker.take());
        }
        if let Some(series) = choices.series() {
            self.state.show(&series);
            self.worker.follow(&series);
        }
    }

    fn obey(&mut self, command: Command, context: &Context) {
        let choices = &mut self.screen.choices;
        match command {
            Command::Select(ticker) => choices.ticker = Some(ticker),
            Command::Interval(interval) => choices.interval = interval,
            Command::Style(style) => choices.style = style,
            Command::Scale(scale) => choices.scale = scale,
            Command::Indicator(indicator) => {
                if !choices.indicators.remove(&indicator) {
                    choices.indicators.insert(indicator);
                }
            }
            Command::Order(order) => choices.order = order,
            Command::Favourite(ticker) => {
                if !choices.favourites.remove(&ticker) {
                    choices.favourites.insert(ticker);
                }
            }
            Command::FavouritesOnly(only) => choices.favourites_only = only,
            Command::Health(shown) => choices.health = shown,
            Command::Theme(choice) => {
                choices.theme = choice;
                context.set_theme(ThemePreference::from(choice));
            }
            Command::Hues(hues) => {
                choices.hues = hues;
                theme::wear(context, hues);
            }
            Command::LoadOlder(series, before) => {
                if self.worker.load_older(series.clone(), before) {
                    self.state.older_requested(&series);
                }
            }
            Command::Retry => self.worker.hurry(),
        }
        // What was wanted is seen in the next frame.
        context.request_repaint();
    }
}

impl eframe::App for App {
    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        let now = Utc::now();
        if self.closed.is_cancelled() {
            context.send_viewport_cmd(ViewportCommand::Close);
            return;
        }
        self.catch_up(now);
        // Ages, countdowns and the clock move on with each second, when it begins.
        let rest = 1_000 - u64::from(now.timestamp_subsec_millis()).min(999);
        context.request_repaint_after(Duration::from_millis(rest));
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let commands = self.screen.show(ui, &self.state, &self.api, Utc::now());
        for command in commands {
            self.obey(command, &ui.ctx().clone());
        }
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        eframe::set_value(storage, CHOICES, &self.screen.choices);
    }
}
