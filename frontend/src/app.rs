//! Between the window and the worker: news goes into the state, wishes go out.
//!
//! [`App::logic`] also runs while the window is hidden, so that news is taken, levels ring and a call to close is heard
//! then too. Nothing here waits.

use std::time::{Duration, Instant};

use chrono::{DateTime, Timelike, Utc};
use eframe::egui::{Context, ThemePreference, Ui, ViewportCommand, Visuals};
use tokio_util::sync::CancellationToken;

use crate::{
    client::Login,
    desktop::Desktop,
    exports::Exports,
    panels::Command,
    panels::alerts::firings,
    remote::Remote,
    screen::Screen,
    settings::{ApiAddress, Settings},
    state::{State, Update},
    store::Store,
    theme,
    watch::Watch,
    worker::{Export, Timing, Worker},
};

/// The window's application.
pub(crate) struct App {
    state: State,
    screen: Screen,
    worker: Worker,
    api: ApiAddress,
    /// The same, for people.
    api_words: String,
    watch: Watch,
    desktop: Desktop,
    store: Store,
    exports: Exports,
    /// The session that later runs go on with.
    kept: Option<Login>,
    closed: CancellationToken,
    /// When the window was asked for, until it has been painted.
    asked_at: Option<Instant>,
}

impl App {
    /// Starts the worker and dresses the window as it was left.
    pub(crate) fn new(
        creation: &eframe::CreationContext<'_>,
        settings: &Settings,
        screen: Screen,
        store: Store,
        closed: CancellationToken,
        asked_at: Instant,
    ) -> std::io::Result<Self> {
        let context = &creation.egui_ctx;
        theme::install(context);
        theme::wear(context, screen.choices.hues);
        context.set_theme(ThemePreference::from(screen.choices.theme));
        // What was chosen in the window counts unless it is told of another API.
        let chosen = || screen.choices.api.as_ref().and_then(|api| api.parse().ok());
        let api: ApiAddress = settings.api.clone().or_else(chosen).unwrap_or_default();
        let api_words = api.to_string();
        let kept = store.session(&api_words);
        let worker = start(context, &api, kept.clone(), &screen)?;
        let state = store.picture(&api_words).map(State::recall).unwrap_or_default();
        let app = Self {
            state,
            screen,
            worker,
            api,
            api_words,
            watch: Watch::default(),
            desktop: Desktop::new()?,
            store,
            exports: Exports::into(&settings.window),
            kept,
            closed,
            asked_at: Some(asked_at),
        };
        app.size(context);
        Ok(app)
    }

    /// Takes the news, and sees that what is shown is on its way.
    fn catch_up(&mut self, now: DateTime<Utc>) {
        while let Some(update) = self.worker.next_update() {
            if let Update::Account(standing) = &update {
                let stays = standing.login.clone().filter(|login| login.stays);
                if stays != self.kept {
                    self.store.keep_session(&self.api_words, stays.as_ref());
                    self.kept = stays;
                }
            }
            self.state.apply(update, now);
        }
        self.screen.desk.choose_missing(&self.state);
        let series = self.screen.desk.current().series(&self.state);
        self.worker.follow(&series);
        self.state.show(series);
        self.worker.rank(&self.screen.desk.current().periods());
        let topics = self.screen.desk.current().topics(&self.state);
        self.worker.account_for(&topics);
        self.state.portfolios.show(topics);
        for words in self.state.take_news().into_iter().chain(self.exports.take_news()) {
            self.screen.notices.say(words, now);
        }
        for event in self.watch.look(&mut self.state, &self.screen.choices, now) {
            self.screen.notices.say(format!("{}. {}", event.title, event.words), now);
            self.desktop.tell(&event.title, &event.words, false);
            if let Some((ticker, level)) = event.rang {
                self.screen.choices.drawings.silence(&ticker, level);
            }
        }
        self.tell_firings(now);
        if let Some(cause) = self.desktop.failure() {
            self.screen.notices.say(format!("The desktop takes no notifications: {cause}"), now);
        }
    }

    /// Tells what the account's rules fired for; of very many at once, the desktop hears of the newest and how many.
    fn tell_firings(&mut self, now: DateTime<Utc>) {
        let fresh = self.state.alerts.take_fresh();
        let notify = self.screen.choices.notify;
        for row in &fresh {
            self.screen.notices.say(firings::words(row, self.screen.choices.zone), now);
        }
        if let Some(newest) = fresh.last().filter(|_| notify.alerts) {
            let title = if fresh.len() == 1 { "Alert".to_owned() } else { format!("{} alerts", fresh.len()) };
            self.desktop.tell(&title, &firings::words(newest, self.screen.choices.zone), notify.sound);
        }
    }

    fn export(&mut self, export: Export, now: DateTime<Utc>) {
        if !self.worker.export(export) {
            self.screen.notices.say("Several files are being written; try again in a moment".to_owned(), now);
        }
    }

    fn obey(&mut self, command: Command, context: &Context, now: DateTime<Utc>) {
        let choices = &mut self.screen.choices;
        match command {
            Command::Theme(choice) => {
                choices.theme = choice;
                context.set_theme(ThemePreference::from(choice));
            }
            Command::Hues(hues) => {
                choices.hues = hues;
                theme::wear(context, hues);
            }
            Command::Zoom(zoom) => {
                choices.zoom = zoom;
                self.size(context);
            }
            Command::Refresh(refresh) => {
                choices.refresh = refresh;
                let login = self.state.alerts.standing.login.clone();
                self.begin_anew(context, login, now);
            }
            Command::Api(api) => {
                choices.api = Some(api.to_text());
                self.api_words = api.to_string();
                self.api = api;
                self.state = self.store.picture(&self.api_words).map(State::recall).unwrap_or_default();
                self.watch = Watch::default();
                self.kept = self.store.session(&self.api_words);
                self.begin_anew(context, self.kept.clone(), now);
            }
            Command::LoadOlder(series, before) => {
                // Two panes may look at the same series.
                let wanted = self.state.series(&series).and_then(Remote::value).is_some_and(|one| one.wants_older(now));
                if wanted && self.worker.load_older(series.clone(), before) {
                    self.state.older_requested(&series);
                }
            }
            Command::ExportCandles(series, from, to) => {
                self.export(self.exports.candles(series, from, to, now), now);
            }
            Command::ExportTransactions(portfolio, name) => {
                self.export(self.exports.transactions(portfolio, &name, now), now);
            }
            Command::ExportPicture(part, name) => {
                let file = self.exports.picture(&name, now);
                let part = part.intersect(context.content_rect());
                let (pixels, woken) = (context.pixels_per_point(), context.clone());
                context.request_screenshot(move |image| {
                    file.write(image.region(&part, Some(pixels)), move || woken.request_repaint());
                });
            }
            Command::Session(order) => {
                self.state.alerts.refused = None;
                if !self.worker.log(order) {
                    self.screen.notices.say("The API does not answer; try again in a moment".to_owned(), now);
                }
            }
            Command::Alert(number, order) => {
                if !self.worker.order(number, *order) {
                    self.screen.notices.say("The API does not answer; try again in a moment".to_owned(), now);
                }
            }
            Command::Portfolio(number, order) => {
                if !self.worker.order_portfolio(number, *order) {
                    self.screen.notices.say("The API does not answer; try again in a moment".to_owned(), now);
                }
            }
            Command::Retry => self.worker.hurry(),
            other => debug_assert!(false, "the screen obeys {other:?} itself"),
        }
    }

    /// With another worker, since what it was told at its start has changed.
    fn begin_anew(&mut self, context: &Context, login: Option<Login>, now: DateTime<Utc>) {
        match start(context, &self.api, login, &self.screen) {
            Ok(worker) => {
                if self.worker.is_exporting() {
                    self.screen.notices.say("A file that was being written was given up".to_owned(), now);
                }
                self.worker = worker;
                self.state.begin_anew();
            }
            Err(error) => self.screen.notices.say(format!("No thread can be started: {error}"), now),
        }
    }

    /// How long what is shown stays true without news: a second where something is told in seconds, which counts from
    /// the last frame, so that news once a second costs one frame a second; otherwise until the clock shows another
    /// minute.
    fn rest(&self, now: DateTime<Utc>) -> Duration {
        if self.state.moves_each_second(now) || self.screen.notices.is_shown() {
            return Duration::from_secs(1);
        }
        let in_minute = u64::from(now.second()) * 1_000 + u64::from(now.timestamp_subsec_millis());
        Duration::from_millis(60_000 - in_minute.min(59_999))
    }

    fn size(&self, context: &Context) {
        context.set_zoom_factor(self.screen.choices.zoom.unwrap_or(1.0));
    }
}

fn start(context: &Context, api: &ApiAddress, login: Option<Login>, screen: &Screen) -> std::io::Result<Worker> {
    let context = context.clone();
    let wake = Box::new(move |soon: Duration| context.request_repaint_after(soon));
    Worker::start(api.clone(), login, screen.choices.refresh, Timing::default(), wake)
}

impl eframe::App for App {
    fn logic(&mut self, context: &Context, _frame: &mut eframe::Frame) {
        let now = Utc::now();
        if self.closed.is_cancelled() {
            context.send_viewport_cmd(ViewportCommand::Close);
            return;
        }
        self.catch_up(now);
        context.request_repaint_after(self.rest(now));
    }

    fn ui(&mut self, ui: &mut Ui, _frame: &mut eframe::Frame) {
        let now = Utc::now();
        let context = ui.ctx().clone();
        let commands = self.screen.show(ui, &self.state, &self.api_words, now);
        if let Some(asked_at) = self.asked_at.take() {
            tracing::info!(after_ms = asked_at.elapsed().as_millis(), "the window shows its first picture");
        }
        if !commands.is_empty() {
            // What was wanted is seen in the next frame.
            context.request_repaint();
        }
        for command in commands {
            self.obey(command, &context, now);
        }
    }

    fn clear_color(&self, visuals: &Visuals) -> [f32; 4] {
        theme::ground(visuals).to_normalized_gamma_f32()
    }

    fn save(&mut self, _storage: &mut dyn eframe::Storage) {
        self.store.keep_choices(&self.screen.choices, &self.screen.desk);
        if let Some(picture) = self.state.picture(Utc::now()) {
            self.store.keep_picture(&self.api_words, picture);
        }
    }

    fn auto_save_interval(&self) -> Duration {
        Duration::from_secs(60)
    }
}
