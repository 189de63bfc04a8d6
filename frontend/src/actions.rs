//! Everything that can be done without pointing: one list for the keys, for their explanation and for the search.

use domain::Interval;
use eframe::egui::{Context, Event, Key, KeyboardShortcut, Modifiers, Popup, Theme};

use crate::{
    choices::{ChartStyle, FAVOURITES, ScaleChoice},
    desk::{Desk, DeskChange, Kind, Side},
    indicators::Indicator,
    panels::{ChartChange, Command, Scene, chart::Tool},
    settings::ThemeChoice,
};

/// Least and largest size of everything.
const ZOOM: (f32, f32) = (0.5, 3.0);

/// One thing that can be done.
#[derive(Debug, Clone)]
pub(crate) struct Action {
    /// What it does.
    pub name: String,
    /// What does it.
    pub key: Option<(Modifiers, Key)>,
    /// What is then wanted.
    pub command: Command,
}

const INTERVAL_KEYS: [Key; 8] =
    [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8];
const WORKSPACE_KEYS: [Key; 9] =
    [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5, Key::Num6, Key::Num7, Key::Num8, Key::Num9];

impl Action {
    fn new(name: impl Into<String>, command: Command) -> Self {
        Self { name: name.into(), key: None, command }
    }

    fn on(self, key: Key) -> Self {
        Self { key: Some((Modifiers::NONE, key)), ..self }
    }

    fn with(self, modifiers: Modifiers, key: Key) -> Self {
        Self { key: Some((modifiers, key)), ..self }
    }

    /// The key's name on this machine's keyboard.
    pub(crate) fn key_words(&self, context: &Context) -> Option<String> {
        let (modifiers, key) = self.key?;
        let shortcut = context.format_shortcut(&KeyboardShortcut::new(modifiers, key));
        let name = match key {
            Key::ArrowUp => "↑".to_owned(),
            Key::ArrowDown => "↓".to_owned(),
            key => shortcut.replace(key.name(), key.symbol_or_name()),
        };
        Some(name)
    }
}

/// All of them, as they stand now.
pub(crate) fn all(context: &Context, scene: &Scene<'_>, desk: &Desk) -> Vec<Action> {
    let mut actions = vec![
        Action::new("Search markets and commands", Command::Find).with(Modifiers::COMMAND, Key::K),
        Action::new("Next market in the list", Command::Step(1)).on(Key::ArrowDown),
        Action::new("Previous market in the list", Command::Step(-1)).on(Key::ArrowUp),
    ];
    charts(&mut actions, desk);
    if let Some((_, Some(ticker))) = desk.current().chart() {
        let list = Command::List(FAVOURITES.to_owned(), ticker.clone());
        actions.push(Action::new("Favourite, or no longer", list).on(Key::F));
    }
    panes(&mut actions, desk);
    let (theme, other) = match context.theme() {
        Theme::Dark => ("Light theme", ThemeChoice::Light),
        Theme::Light => ("Dark theme", ThemeChoice::Dark),
    };
    actions.push(Action::new(theme, Command::Theme(other)).on(Key::T));
    let mut hues = scene.choices.hues;
    hues.colour_blind = !hues.colour_blind;
    let words =
        if hues.colour_blind { "Rising and falling in blue and orange" } else { "Rising and falling in green and red" };
    actions.push(Action::new(words, Command::Hues(hues)));
    let size = scene.choices.zoom.unwrap_or(1.0);
    let sized = |by: f32| Command::Zoom(Some((size + by).clamp(ZOOM.0, ZOOM.1)));
    actions.push(Action::new("Everything larger", sized(0.1)).with(Modifiers::COMMAND, Key::Plus));
    actions.push(Action::new("Everything smaller", sized(-0.1)).with(Modifiers::COMMAND, Key::Minus));
    actions.push(Action::new("Size as the desktop", Command::Zoom(None)).with(Modifiers::COMMAND, Key::Num0));
    actions.push(Action::new("Try the API again now", Command::Retry));
    let account = match scene.state.alerts.username() {
        Some(name) => format!("Log out, or see who is logged in ({name})"),
        None => "Log in".to_owned(),
    };
    actions.push(Action::new(account, Command::Account));
    actions.push(Action::new("Settings", Command::Preferences).with(Modifiers::COMMAND, Key::Comma));
    actions.push(Action::new("All keys", Command::Help).on(Key::F1));
    actions
}

fn charts(actions: &mut Vec<Action>, desk: &Desk) {
    let Some((chart, _)) = desk.current().chart() else { return };
    let choices = &chart.choices;
    let mut add = |name: String, change: ChartChange, key: Option<Key>| {
        let action = Action::new(name, Command::Chart(change));
        actions.push(match key {
            Some(key) => action.on(key),
            None => action,
        });
    };
    for (interval, key) in Interval::ALL.into_iter().zip(INTERVAL_KEYS) {
        add(format!("Candles of {interval}"), ChartChange::Interval(interval), Some(key));
    }
    let next = choices.style.next();
    for (style, name) in ChartStyle::ALL {
        let key = (style == next).then_some(Key::S);
        add(format!("Draw as {}", name.to_lowercase()), ChartChange::Style(style), key);
    }
    for (scale, name, key) in
        [(ScaleChoice::Logarithmic, "Logarithmic scale", Key::L), (ScaleChoice::Percent, "Scale in percent", Key::P)]
    {
        let wanted = if choices.scale == scale { ScaleChoice::Linear } else { scale };
        add(format!("{name}, or linear"), ChartChange::Scale(wanted), Some(key));
    }
    add("Volumes, or none".to_owned(), ChartChange::Volume(!choices.volume), Some(Key::V));
    for indicator in Indicator::ALL {
        let verb = if choices.indicators.contains(&indicator) { "Hide" } else { "Show" };
        add(format!("{verb} {}", indicator.name()), ChartChange::Indicator(indicator), None);
    }
    add("Fewer candles".to_owned(), ChartChange::Zoom(1.5), Some(Key::Plus));
    add("More candles".to_owned(), ChartChange::Zoom(1.0 / 1.5), Some(Key::Minus));
    add("Newest candle".to_owned(), ChartChange::Newest, Some(Key::End));
    add("Oldest candle that is known".to_owned(), ChartChange::Oldest, Some(Key::Home));
    add("Chart as at first".to_owned(), ChartChange::Reset, Some(Key::R));
    add("Alert at the price under the pointer".to_owned(), ChartChange::LevelHere, Some(Key::A));
    for (tool, name, key) in [
        (Tool::Level, "Draw a level", Key::D),
        (Tool::Trend, "Draw a trend line", Key::N),
        (Tool::Ruler, "Measure", Key::M),
    ] {
        add(name.to_owned(), ChartChange::Tool(tool), Some(key));
    }
    add("Save the picture of the chart as PNG".to_owned(), ChartChange::ExportPicture, None);
    add("Save the candles in view as CSV".to_owned(), ChartChange::ExportCandles, None);
}

fn panes(actions: &mut Vec<Action>, desk: &Desk) {
    for (number, (name, key)) in desk.names().zip(WORKSPACE_KEYS).enumerate() {
        let show = Command::Desk(DeskChange::Show(number));
        actions.push(Action::new(format!("Workspace {name}"), show).with(Modifiers::COMMAND, key));
    }
    actions.push(Action::new("New workspace", Command::Desk(DeskChange::New)));
    actions.push(Action::new("Remove this workspace", Command::Desk(DeskChange::Remove)));
    actions.push(Action::new("All workspaces as at first", Command::Desk(DeskChange::Reset)));
    for kind in Kind::ALL {
        let open = match kind {
            Kind::Chart => DeskChange::Add { kind, beside: None, side: Side::Right },
            other => DeskChange::Open(other),
        };
        let action = Action::new(format!("Open pane: {}", kind.name()), Command::Desk(open));
        actions.push(if kind == Kind::Health { action.on(Key::H) } else { action });
    }
}

/// What the pressed keys ask for.
pub(crate) fn pressed(context: &Context, scene: &Scene<'_>, desk: &Desk) -> Vec<Command> {
    let any = context.input(|input| input.events.iter().any(|event| matches!(event, Event::Key { .. })));
    if !any {
        return Vec::new();
    }
    let writing = context.text_edit_focused();
    if !writing {
        // A key that is held goes on walking and stretching, and turns nothing on and off.
        let goes_on = |key: Key| matches!(key, Key::ArrowUp | Key::ArrowDown | Key::Plus | Key::Minus | Key::Equals);
        context.input_mut(|input| {
            input.events.retain(|event| !matches!(event, Event::Key { key, repeat: true, .. } if !goes_on(*key)));
        });
    }
    let mut commands = Vec::new();
    for action in all(context, scene, desk) {
        let Some((modifiers, key)) = action.key else { continue };
        // Who writes means letters, not keys; arrows walk the list also while its filter is written, and no list that
        // is open somewhere else.
        let free = match action.command {
            Command::Step(_) => !Popup::is_any_open(context) && (!writing || desk.current().is_filter_written()),
            Command::Help => true,
            _ => !writing || modifiers != Modifiers::NONE,
        };
        // The key for more stands with or without Shift, or beside the figures.
        let also = if key == Key::Plus { Some(Key::Equals) } else { None };
        let consume = |modifiers, key| context.input_mut(|input| input.consume_key(modifiers, key));
        if free
            && (consume(modifiers, key)
                || also.is_some_and(|key| consume(Modifiers::NONE, key) || consume(Modifiers::SHIFT, key)))
        {
            commands.push(action.command);
        }
    }
    commands
}
