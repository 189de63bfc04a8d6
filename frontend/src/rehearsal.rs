//! The window without a display: the same screen over the same state, fed by hand. For measurements and long tests.

use api_types::{
    LatestPrice,
    live::{LiveEvent, LiveMinute, LivePrice},
};
use chrono::{DateTime, TimeDelta, Utc};
use domain::Interval;
use eframe::egui::{self, Context, Event, Pos2, RawInput, Rect, Theme, Vec2};
use rust_decimal::Decimal;

use crate::{
    desk::{DeskChange, Kind, Side},
    live::LiveBatch,
    panels::ChartChange,
    screen::Screen,
    state::{Bar, Connection, Origin, Series, State, Update},
    theme,
};

/// A window of a made-up market.
pub struct Rehearsal {
    context: Context,
    screen: Screen,
    state: State,
    size: Vec2,
    began: DateTime<Utc>,
    now: DateTime<Utc>,
    traded: u64,
    events: Vec<Event>,
}

/// What one frame was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// Meshes that would be handed to the graphics card.
    pub meshes: usize,
    /// Their corners.
    pub vertices: usize,
}

impl Rehearsal {
    /// So many points wide and high, with so many markets, at this moment.
    #[must_use]
    pub fn new(size: [f32; 2], markets: usize, now: DateTime<Utc>) -> Self {
        let context = Context::default();
        theme::install(&context);
        context.set_theme(Theme::Dark);
        let mut state = State::default();
        state.apply(Update::Connection(Connection::Connected), now);
        let rows = (0..markets).map(|number| row(number, now)).collect();
        state.apply(Update::Prices(Ok(rows)), now);
        Self {
            context,
            screen: Screen::default(),
            state,
            size: size.into(),
            began: now,
            now,
            traded: 0,
            events: Vec::new(),
        }
    }

    /// Splits the chart until there are so many.
    pub fn open_charts(&mut self, count: usize) {
        for number in 1..count {
            let side = if number % 2 == 0 { Side::Below } else { Side::Right };
            self.screen.desk.obey(DeskChange::Add { kind: Kind::Chart, beside: None, side });
        }
    }

    /// Gives every chart so many candles of a minute.
    pub fn load_candles(&mut self, count: usize) {
        self.screen.desk.choose_missing(&self.state);
        let shown = self.screen.desk.current().series(&self.state);
        let end = Interval::OneMinute.open_time(self.began).timestamp();
        for key in &shown {
            let bars = (0..count).map(|number| bar(end - 60 * (count - number) as i64, number)).collect();
            self.state.put(key.clone(), Series::kept(key.interval, bars));
        }
        self.state.show(shown);
    }

    /// Stretches time in the charts until all candles are in view.
    pub fn show_all_candles(&mut self) {
        if let Some(chart) = self.screen.desk.current_mut().chart_mut(None) {
            chart.obey(ChartChange::Zoom(1e-9));
        }
    }

    /// Puts the pointer there.
    pub fn point(&mut self, x: f32, y: f32) {
        self.events.push(Event::PointerMoved(Pos2::new(x, y)));
    }

    /// Takes in so many live messages, of one market after the other, and lets this much time pass.
    pub fn trade(&mut self, messages: usize, passed: TimeDelta) {
        self.now += passed;
        let markets = self.state.tickers.value().map_or(1, |tickers| tickers.len().max(1));
        let mut batch = LiveBatch::default();
        for _ in 0..messages {
            self.traded += 1;
            batch.add(message(self.traded as usize % markets, self.traded, self.now));
        }
        self.state.apply(Update::Live(batch), self.now);
    }

    /// Draws the next frame, up to what would be handed to the graphics card.
    pub fn frame(&mut self) -> Drawn {
        self.screen.desk.choose_missing(&self.state);
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, self.size)),
            time: Some((self.now - self.began).as_seconds_f64()),
            events: std::mem::take(&mut self.events),
            ..RawInput::default()
        };
        let (screen, state, now) = (&mut self.screen, &self.state, self.now);
        let mut output = self.context.run_ui(input, |ui| {
            screen.show(ui, state, "http://rehearsal", now);
        });
        // There is no graphics card that would take them.
        output.textures_delta.clear();
        let meshes = self.context.tessellate(output.shapes, output.pixels_per_point);
        let vertices = meshes.iter().map(|primitive| match &primitive.primitive {
            egui::epaint::Primitive::Mesh(mesh) => mesh.vertices.len(),
            egui::epaint::Primitive::Callback(_) => 0,
        });
        Drawn { meshes: meshes.len(), vertices: vertices.sum() }
    }

    /// Candles that the first chart has.
    #[must_use]
    pub fn candles(&self) -> usize {
        let shown = self.screen.desk.current().series(&self.state);
        let first = shown.first().and_then(|key| self.state.series(key)).and_then(|remote| remote.value());
        first.map_or(0, |series| series.bars().len())
    }
}

fn row(number: usize, now: DateTime<Utc>) -> LatestPrice {
    let price = Decimal::from(1_000 + number);
    LatestPrice {
        exchange: "rehearsal".to_owned(),
        ticker: format!("C{number:04}USDT"),
        base: format!("C{number:04}"),
        quote: "USDT".to_owned(),
        coin: format!("coin {number}"),
        price,
        exchange_time: Some(now),
        received_at: now,
        age_ms: 0,
        stale: false,
        source: "stream".to_owned(),
        open_24h: Some(price),
        change_24h_percent: Some(Decimal::ZERO),
        high_24h: Some(price),
        low_24h: Some(price),
        quote_volume_24h: Decimal::from(1_000_000 - number),
    }
}

/// A walk that is the same in every run.
fn height(number: usize) -> f64 {
    let x = number as f64;
    1_000.0 + 40.0 * (x * 0.000_9).sin() + 8.0 * (x * 0.031).sin() + 2.0 * (x * 0.7).sin()
}

fn bar(open_time: i64, number: usize) -> Bar {
    let (open, close) = (height(number), height(number + 1));
    Bar {
        open_time,
        open,
        high: open.max(close) + 1.0,
        low: open.min(close) - 1.0,
        close,
        volume: 5.0 + (number % 17) as f64,
        origin: Origin::Stream,
    }
}

fn message(market: usize, traded: u64, now: DateTime<Utc>) -> LiveEvent {
    let price = Decimal::from(1_000 + market) + Decimal::new((traded % 199) as i64 - 99, 2);
    LiveEvent::Price(LivePrice {
        exchange: "rehearsal".to_owned(),
        ticker: format!("C{market:04}USDT"),
        price,
        time: now,
        received_at: now,
        source: "stream".to_owned(),
        minutes: vec![LiveMinute {
            open_time: Interval::OneMinute.open_time(now),
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Decimal::ONE,
            quote_volume: price,
            trades: 1,
        }],
    })
}
