//! What is written into the form, and the rule that it says. No egui here.

use std::collections::BTreeMap;

use api_types::alerts::{AlertRequest, AlertSays, Amount};
use domain::decimal_text::without_commas;
use rust_decimal::Decimal;

use crate::state::{Refusal, Ticker, TickerKey};

/// One thing that a rule says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Field {
    Exchange,
    Ticker,
    OtherExchange,
    OtherTicker,
    Direction,
    Way,
    Side,
    Level,
    Lower,
    Upper,
    Change,
    Unit,
    Window,
    Threshold,
    Seconds,
    Bar,
    Frequency,
    Cooldown,
    Note,
}

/// What can be waited for: the API's word, ours, and what is said of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    pub(super) word: &'static str,
    pub(super) name: &'static str,
    fields: &'static [Field],
}

const fn kind(word: &'static str, name: &'static str, fields: &'static [Field]) -> Kind {
    Kind { word, name, fields }
}

/// All kinds, those wanted most first.
pub(super) const KINDS: [Kind; 11] = [
    kind("crosses", "the price crosses a level", &[Field::Level, Field::Direction]),
    kind("reaches", "the price reaches a level", &[Field::Level]),
    kind("channel", "the price leaves or enters a channel", &[Field::Lower, Field::Upper, Field::Way]),
    kind("moves", "the price moves", &[Field::Change, Field::Unit, Field::Window, Field::Direction]),
    kind("closes", "a candle closes beyond a level", &[Field::Level, Field::Side, Field::Bar]),
    kind("volume", "much is traded", &[Field::Threshold, Field::Window]),
    kind("volatility", "prices deviate much", &[Field::Threshold, Field::Window]),
    kind("spread", "two markets differ", &[Field::OtherExchange, Field::OtherTicker, Field::Change, Field::Unit]),
    kind("stale", "no trade comes", &[Field::Seconds]),
    kind("exchange_down", "an exchange tells nothing", &[Field::Seconds]),
    kind("gap", "trades are missing", &[]),
];

/// Values that are chosen, with their names.
type Choices = &'static [(&'static str, &'static str)];

const BARS: Choices = &[
    ("1m", "1m"),
    ("5m", "5m"),
    ("15m", "15m"),
    ("30m", "30m"),
    ("1h", "1h"),
    ("4h", "4h"),
    ("1d", "1d"),
    ("1w", "1w"),
];

impl Field {
    /// As the API calls it.
    pub(super) fn parameter(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::Ticker => "ticker",
            Self::OtherExchange => "other_exchange",
            Self::OtherTicker => "other_ticker",
            Self::Direction | Self::Way | Self::Side => "direction",
            Self::Level => "level",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Change => "change",
            Self::Unit => "unit",
            Self::Window => "window_minutes",
            Self::Threshold => "threshold",
            Self::Seconds => "seconds",
            Self::Bar => "bar",
            Self::Frequency => "frequency",
            Self::Cooldown => "cooldown_seconds",
            Self::Note => "note",
        }
    }

    /// As people call it.
    pub(super) fn name(self, kind: Kind) -> &'static str {
        match self {
            Self::Exchange => "Exchange",
            Self::Ticker => "Pair",
            Self::OtherExchange => "The other's exchange",
            Self::OtherTicker => "The other pair",
            Self::Direction | Self::Way | Self::Side => "Direction",
            Self::Level => "Level",
            Self::Lower => "Lower edge",
            Self::Upper => "Upper edge",
            Self::Change => "By",
            Self::Unit => "In",
            Self::Window => "Within minutes",
            Self::Threshold if kind.word == "volatility" => "Percent of the mean",
            Self::Threshold => "Units of the coin",
            Self::Seconds => "For seconds",
            Self::Bar => "Candles of",
            Self::Frequency => "Fires",
            Self::Cooldown => "Then rests, in seconds",
            Self::Note => "Note",
        }
    }

    /// What it is one of, where it is chosen.
    pub(super) fn choices(self) -> Option<Choices> {
        Some(match self {
            Self::Direction => &[("either", "either way"), ("up", "up"), ("down", "down")],
            Self::Way => &[("leave", "leaves"), ("enter", "enters")],
            Self::Side => &[("up", "above"), ("down", "below")],
            Self::Unit => &[("percent", "percent"), ("price", "price")],
            Self::Bar => BARS,
            Self::Frequency => {
                &[("once", "once"), ("once_per_bar", "once in each candle"), ("every_time", "every time")]
            }
            _ => return None,
        })
    }

    fn at_first(self) -> &'static str {
        match self {
            Self::Change => "5",
            Self::Window => "60",
            Self::Threshold => "100",
            Self::Seconds => "60",
            Self::Bar => "1h",
            Self::Cooldown => "300",
            field => field.choices().and_then(|choices| choices.first()).map_or("", |(value, _)| value),
        }
    }
}

/// What is written.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) kind: Kind,
    texts: BTreeMap<Field, String>,
    /// The market that was filled in, while nobody wrote another.
    filled: Option<TickerKey>,
    /// Whether there is such a rule already: then what it is about stays.
    pub(super) is_change: bool,
}

impl Draft {
    /// For a rule that is to be made.
    pub(super) fn new() -> Self {
        Self { kind: KINDS[0], texts: BTreeMap::new(), filled: None, is_change: false }
    }

    /// For the change of a rule that says this.
    pub(super) fn of(says: &AlertSays) -> Self {
        let kind = KINDS.into_iter().find(|kind| kind.word == says.kind).unwrap_or(KINDS[0]);
        let decimal = |value: Option<Decimal>| value.map(|value| value.normalize().to_string());
        let whole = |value: Option<i64>| value.map(|value| value.to_string());
        let told = [
            (Field::Level, decimal(says.level)),
            (Field::Lower, decimal(says.lower)),
            (Field::Upper, decimal(says.upper)),
            (Field::Change, decimal(says.change)),
            (Field::Threshold, decimal(says.threshold)),
            (Field::Window, whole(says.window_minutes)),
            (Field::Seconds, whole(says.seconds)),
            (Field::Cooldown, whole(says.cooldown_seconds)),
            (Field::Direction, says.direction.clone()),
            (Field::Way, says.direction.clone()),
            (Field::Side, says.direction.clone()),
            (Field::Unit, says.unit.clone()),
            (Field::Bar, says.bar.clone()),
            (Field::Frequency, Some(says.frequency.clone())),
            (Field::Note, says.note.clone()),
        ];
        let texts = told.into_iter().filter_map(|(field, text)| Some((field, text?))).collect();
        Self { kind, texts, filled: None, is_change: true }
    }

    /// Writes in this market and its price, unless somebody wrote another.
    pub(super) fn fill(&mut self, key: &TickerKey, ticker: Option<&Ticker>) {
        let written = [Field::Exchange, Field::Ticker].map(|field| self.texts.get(&field).map(String::as_str));
        let is_ours = match &self.filled {
            Some(filled) => written == [Some(filled.exchange.as_str()), Some(filled.ticker.as_str())],
            None => written == [None, None],
        };
        if self.is_change || !is_ours || self.filled.as_ref() == Some(key) {
            return;
        }
        self.filled = Some(key.clone());
        self.texts.insert(Field::Exchange, key.exchange.to_string());
        self.texts.insert(Field::Ticker, key.ticker.to_string());
        if let Some(ticker) = ticker {
            let share = |percent: i64| {
                let price = ticker.price * Decimal::new(100 + percent, 2);
                price.round_dp(ticker.decimals).normalize().to_string()
            };
            for (field, percent) in [(Field::Level, 0), (Field::Lower, -1), (Field::Upper, 1)] {
                self.texts.insert(field, share(percent));
            }
        }
    }

    /// What there is to write, in this order.
    pub(super) fn fields(&self) -> Vec<Field> {
        let mut fields = Vec::new();
        if !self.is_change {
            fields.push(Field::Exchange);
            fields.extend((self.kind.word != "exchange_down").then_some(Field::Ticker));
        }
        let others = |field: &&Field| !self.is_change || !matches!(field, Field::OtherExchange | Field::OtherTicker);
        fields.extend(self.kind.fields.iter().filter(others));
        fields.push(Field::Frequency);
        match self.text(Field::Frequency) {
            "every_time" => fields.push(Field::Cooldown),
            "once_per_bar" if !fields.contains(&Field::Bar) => fields.push(Field::Bar),
            _ => {}
        }
        fields.push(Field::Note);
        fields
    }

    /// What is written there.
    pub(super) fn text(&self, field: Field) -> &str {
        self.texts.get(&field).map_or(field.at_first(), String::as_str)
    }

    /// The same, to be written on.
    pub(super) fn text_mut(&mut self, field: Field) -> &mut String {
        self.texts.entry(field).or_insert_with(|| field.at_first().to_owned())
    }

    /// The rule that is meant.
    ///
    /// # Errors
    /// Where a number is none.
    pub(super) fn request(&self) -> Result<AlertRequest, Refusal> {
        let mut request = AlertRequest::default();
        if !self.is_change {
            request.kind = Some(self.kind.word.to_owned());
        }
        for field in self.fields() {
            let text = self.text(field).trim();
            let word = || Some(text.to_owned());
            let amount = || decimal(field, text).map(|amount| Some(Amount(amount)));
            match field {
                Field::Exchange => request.exchange = word(),
                Field::Ticker => request.ticker = word(),
                Field::OtherExchange => request.other_exchange = word(),
                Field::OtherTicker => request.other_ticker = word(),
                Field::Direction | Field::Way | Field::Side => request.direction = word(),
                Field::Level => request.level = amount()?,
                Field::Lower => request.lower = amount()?,
                Field::Upper => request.upper = amount()?,
                Field::Change => request.change = amount()?,
                Field::Unit => request.unit = word(),
                Field::Window => request.window_minutes = whole(field, text)?,
                Field::Threshold => request.threshold = amount()?,
                Field::Seconds => request.seconds = whole(field, text)?,
                Field::Bar => request.bar = word(),
                Field::Frequency => request.frequency = word(),
                Field::Cooldown => request.cooldown_seconds = whole(field, text)?,
                Field::Note if text.is_empty() => request.note = self.is_change.then_some(None),
                Field::Note => request.note = Some(word()),
            }
        }
        Ok(request)
    }
}

/// A number as it is written or as it is shown: `64,250.10`.
fn decimal(field: Field, text: &str) -> Result<Decimal, Refusal> {
    let wrong = || no_number(field, "write a number with a dot before the decimals, such as 70000.5");
    without_commas(text).and_then(|text| text.parse().ok()).ok_or_else(wrong)
}

fn whole(field: Field, text: &str) -> Result<Option<i64>, Refusal> {
    text.parse().map(Some).map_err(|_| no_number(field, "write a whole number"))
}

fn no_number(field: Field, words: &str) -> Refusal {
    Refusal { words: words.to_owned(), parameter: Some(field.parameter().to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::tests::{decimal as number, with_prices};

    fn filled() -> Draft {
        let (state, key) = (with_prices(), TickerKey::new("binance", "BTCUSDT"));
        let mut draft = Draft::new();
        draft.fill(&key, state.ticker(&key));
        draft
    }

    #[test]
    fn every_kind_says_what_it_takes_and_nothing_else() {
        let mut draft = filled();
        let mut said = Vec::new();
        for kind in KINDS {
            draft.kind = kind;
            *draft.text_mut(Field::OtherExchange) = "kraken".to_owned();
            *draft.text_mut(Field::OtherTicker) = "XBT/USDT".to_owned();
            said.push(serde_json::to_value(draft.request().unwrap()).unwrap());
        }
        let keys = |place: usize| -> Vec<String> {
            said[place].as_object().unwrap().keys().filter(|key| *key != "frequency").cloned().collect()
        };
        assert_eq!(keys(0), ["direction", "exchange", "kind", "level", "ticker"]);
        assert_eq!(said[0]["level"], "64250.01");
        assert_eq!((&said[2]["lower"], &said[2]["upper"]), (&"63607.51".into(), &"64892.51".into()));
        assert_eq!(keys(3), ["change", "direction", "exchange", "kind", "ticker", "unit", "window_minutes"]);
        assert_eq!(keys(5), ["exchange", "kind", "threshold", "ticker", "window_minutes"]);
        assert_eq!(keys(9), ["exchange", "kind", "seconds"]);
        assert_eq!(keys(10), ["exchange", "kind", "ticker"]);
    }

    #[test]
    fn the_chart_s_market_is_filled_in_until_somebody_writes_another() {
        let (state, mut draft) = (with_prices(), filled());
        let eth = TickerKey::new("binance", "ETHUSDT");
        draft.fill(&eth, state.ticker(&eth));
        assert_eq!((draft.text(Field::Ticker), draft.text(Field::Level)), ("ETHUSDT", "2500.5"));
        *draft.text_mut(Field::Ticker) = "SOLUSDT".to_owned();
        draft.fill(&TickerKey::new("binance", "BTCUSDT"), None);
        assert_eq!(draft.text(Field::Ticker), "SOLUSDT");
    }

    #[test]
    fn what_is_no_number_is_told_beside_its_field() {
        let mut draft = filled();
        *draft.text_mut(Field::Level) = "64,300.5".to_owned();
        assert_eq!(draft.request().unwrap().level, Some(Amount(number("64300.5"))));
        *draft.text_mut(Field::Level) = "much".to_owned();
        assert_eq!(draft.request().unwrap_err().parameter.as_deref(), Some("level"));
        *draft.text_mut(Field::Level) = "1".to_owned();
        *draft.text_mut(Field::Frequency) = "every_time".to_owned();
        *draft.text_mut(Field::Cooldown) = "1.5".to_owned();
        assert_eq!(draft.request().unwrap_err().parameter.as_deref(), Some("cooldown_seconds"));
        *draft.text_mut(Field::Frequency) = "once_per_bar".to_owned();
        assert_eq!(draft.request().unwrap().bar.as_deref(), Some("1h"));
    }

    #[test]
    fn a_change_says_nothing_of_what_stays() {
        let says = AlertSays {
            kind: "crosses".into(),
            level: Some(number("70000")),
            direction: Some("up".into()),
            frequency: "once".into(),
            note: Some("sell".into()),
            ..AlertSays::default()
        };
        let mut draft = Draft::of(&says);
        *draft.text_mut(Field::Note) = " ".to_owned();
        let request = draft.request().unwrap();
        assert_eq!((request.kind, request.exchange, request.ticker), (None, None, None));
        assert_eq!((request.note, request.level), (Some(None), Some(Amount(number("70000")))));
    }
}
