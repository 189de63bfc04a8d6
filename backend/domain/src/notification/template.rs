//! The words of a notification: templates with placeholders, and what is put in their places.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;

use super::Mistake;

/// What can stand in braces.
pub const PLACEHOLDERS: [&str; 10] =
    ["what", "exchange", "ticker", "coin", "price", "reference", "level", "note", "time", "late"];

/// The subject where nobody wrote another.
pub const SUBJECT: &str = "{what}";
/// The text where nobody wrote another.
pub const BODY: &str = "{what}\n{note}\n\n{time}\n{late}";

/// Longest subject, as template and as text, in characters.
pub const LONGEST_SUBJECT: usize = 200;
/// Longest template of a text, in characters.
pub const LONGEST_BODY: usize = 4_000;

/// Later than so long after it happened is late.
const LATE: TimeDelta = TimeDelta::minutes(1);

/// What is told. A line of a text in which nothing but such placeholders stand as are empty is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What happened, in a sentence.
    pub what: String,
    /// The exchange's name.
    pub exchange: Option<String>,
    /// The exchange's own spelling of the pair.
    pub ticker: Option<String>,
    /// Name of the coin.
    pub coin: Option<String>,
    /// The price, or what else was measured.
    pub price: Option<Decimal>,
    /// What that was compared with.
    pub reference: Option<Decimal>,
    /// The level that was set.
    pub level: Option<Decimal>,
    /// What the owner wrote to it.
    pub note: Option<String>,
    /// When it happened.
    pub happened_at: DateTime<Utc>,
    /// When it was noticed.
    pub noticed_at: DateTime<Utc>,
    /// Whether it was learnt afterwards.
    pub is_late: bool,
    /// On whose clocks times are told.
    pub zone: Tz,
}

impl Told {
    /// Something made up, to show what a template makes of it.
    pub fn example(now: DateTime<Utc>, zone: Tz) -> Self {
        Self {
            what: "BTCUSDT (binance) rose through 65000: 65000.01".to_owned(),
            exchange: Some("binance".to_owned()),
            ticker: Some("BTCUSDT".to_owned()),
            coin: Some("bitcoin".to_owned()),
            price: Some(Decimal::new(6_500_001, 2)),
            reference: Some(Decimal::new(6_499_998, 2)),
            level: Some(Decimal::new(65_000, 0)),
            note: Some("Sell a tenth".to_owned()),
            happened_at: now,
            noticed_at: now,
            is_late: false,
            zone,
        }
    }

    /// When it happened, on the owner's clocks.
    pub fn time(&self) -> String {
        self.happened_at.with_timezone(&self.zone).format("%Y-%m-%d %H:%M:%S %Z").to_string()
    }

    /// How late it is told; empty where it is not.
    pub fn late(&self) -> String {
        let delay = self.noticed_at - self.happened_at;
        match (self.is_late, delay >= LATE) {
            (false, false) => String::new(),
            (true, false) => "Late: it was learnt afterwards.".to_owned(),
            (_, true) => format!("Late: it was noticed {} after it happened.", words(delay)),
        }
    }

    fn value(&self, placeholder: &str) -> String {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let number = |number: &Option<Decimal>| number.map(|number| number.to_string()).unwrap_or_default();
        match placeholder {
            "what" => self.what.clone(),
            "exchange" => text(&self.exchange),
            "ticker" => text(&self.ticker),
            "coin" => text(&self.coin),
            "price" => number(&self.price),
            "reference" => number(&self.reference),
            "level" => number(&self.level),
            "note" => text(&self.note),
            "time" => self.time(),
            _ => self.late(),
        }
    }
}

/// A span of time in its widest unit.
fn words(span: TimeDelta) -> String {
    let (count, unit) = match span {
        span if span.num_days() >= 2 => (span.num_days(), "days"),
        span if span.num_hours() >= 2 => (span.num_hours(), "hours"),
        span if span.num_minutes() >= 2 => (span.num_minutes(), "minutes"),
        span => (span.num_seconds(), "seconds"),
    };
    format!("{count} {unit}")
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Placeholder(&'static str),
}

/// A text with placeholders: `{ticker} is at {price}`. `{{` and `}}` are braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

impl Template {
    /// Reads a template of subjects.
    ///
    /// # Errors
    /// When it is too long, or something stands in braces that is no placeholder.
    pub fn subject(text: &str) -> Result<Self, Mistake> {
        Self::parse("subject", text, LONGEST_SUBJECT)
    }

    /// Reads a template of texts.
    ///
    /// # Errors
    /// When it is too long, or something stands in braces that is no placeholder.
    pub fn body(text: &str) -> Result<Self, Mistake> {
        Self::parse("body", text, LONGEST_BODY)
    }

    fn parse(field: &'static str, text: &str, longest: usize) -> Result<Self, Mistake> {
        let length = text.chars().count();
        if length > longest {
            return Err(Mistake::new(field, format!("has {length} characters; write {longest} or fewer")));
        }
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            plain.push_str(before);
            if from.starts_with("{{") || from.starts_with("}}") {
                plain.push_str(&from[..1]);
                rest = &from[2..];
            } else if let Some(behind) = from.strip_prefix('}') {
                plain.push('}');
                rest = behind;
            } else {
                let Some((word, behind)) = from[1..].split_once('}') else {
                    let told = format!("has a {{ without a }} behind {before:?}; write {{{{ for a brace");
                    return Err(Mistake::new(field, told));
                };
                let known = PLACEHOLDERS.into_iter().find(|known| *known == word).ok_or_else(|| {
                    let known = PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(", ");
                    Mistake::new(field, format!("holds {{{word}}}, which is no placeholder; there are {known}"))
                })?;
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
                pieces.push(Piece::Placeholder(known));
                rest = behind;
            }
        }
        plain.push_str(rest);
        pieces.push(Piece::Text(plain));
        Ok(Self(pieces))
    }

    /// The text, with every value in its place.
    pub fn render(&self, told: &Told) -> String {
        let mut lines = vec![Line::default()];
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => {
                    for (number, part) in text.split('\n').enumerate() {
                        if number > 0 {
                            lines.push(Line::default());
                        }
                        if let Some(line) = lines.last_mut() {
                            line.add(part, false);
                        }
                    }
                }
                Piece::Placeholder(name) => {
                    if let Some(line) = lines.last_mut() {
                        line.add(&told.value(name), true);
                    }
                }
            }
        }
        let kept: Vec<&str> =
            lines.iter().filter(|line| !line.is_left_out()).map(|line| line.text.trim_end()).collect();
        kept.join("\n").trim().chars().filter(|c| !c.is_control() || *c == '\n').collect()
    }

    /// The same in one line, not longer than a subject may be.
    pub fn render_line(&self, told: &Told) -> String {
        one_line(&self.render(told), LONGEST_SUBJECT)
    }
}

/// A text in one line of so many characters at most.
pub fn one_line(text: &str, longest: usize) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty()).collect();
    shortened(&words.join(" "), longest)
}

/// A text of so many characters at most, with … in the place of what is too much.
pub fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some(_) => text.chars().take(longest.saturating_sub(1)).chain(['…']).collect(),
    }
}

#[derive(Default)]
struct Line {
    text: String,
    has_placeholder: bool,
    has_words: bool,
}

impl Line {
    fn add(&mut self, text: &str, is_value: bool) {
        self.text.push_str(text);
        self.has_placeholder |= is_value;
        self.has_words |= !text.trim().is_empty();
    }

    fn is_left_out(&self) -> bool {
        self.has_placeholder && !self.has_words
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told() -> Told {
        Told::example("2026-07-01T10:00:05Z".parse().unwrap(), Tz::Europe__Berlin)
    }

    #[test]
    fn ours_are_short_and_say_when_by_the_owners_clocks() {
        let (subject, body) = (Template::subject(SUBJECT).unwrap(), Template::body(BODY).unwrap());
        assert_eq!(subject.render_line(&told()), "BTCUSDT (binance) rose through 65000: 65000.01");
        assert_eq!(
            body.render(&told()),
            "BTCUSDT (binance) rose through 65000: 65000.01\nSell a tenth\n\n2026-07-01 12:00:05 CEST"
        );
        let late =
            Told { note: None, noticed_at: told().happened_at + TimeDelta::minutes(12), is_late: true, ..told() };
        assert_eq!(
            body.render(&late),
            "BTCUSDT (binance) rose through 65000: 65000.01\n\n2026-07-01 12:00:05 CEST\n\
             Late: it was noticed 12 minutes after it happened."
        );
    }

    #[test]
    fn every_placeholder_has_its_value_and_braces_can_be_written() {
        let all: String = PLACEHOLDERS.iter().map(|name| format!("{name}={{{name}}};")).collect();
        let late = Told { is_late: true, ..told() };
        assert_eq!(
            Template::body(&format!("{{{{x}}}} {all}")).unwrap().render(&late),
            "{x} what=BTCUSDT (binance) rose through 65000: 65000.01;exchange=binance;ticker=BTCUSDT;coin=bitcoin;\
             price=65000.01;reference=64999.98;level=65000;note=Sell a tenth;time=2026-07-01 12:00:05 CEST;\
             late=Late: it was learnt afterwards.;"
        );
    }

    #[test]
    fn a_mistake_names_what_is_not_known_and_lists_what_is() {
        let told = Template::subject("{price} {prize}").unwrap_err().to_string();
        assert!(told.contains("subject") && told.contains("{prize}"), "{told}");
        assert!(PLACEHOLDERS.iter().all(|name| told.contains(&format!("{{{name}}}"))), "{told}");
        assert!(Template::body("is {price").unwrap_err().to_string().contains("{{"));
        assert!(Template::subject(&"x".repeat(201)).unwrap_err().to_string().contains("200"));
        assert!(Template::body(&"ä".repeat(4_000)).is_ok());
    }

    #[test]
    fn a_subject_is_one_line_whatever_is_put_in() {
        let told = Told { note: Some("a\r\nBcc: x@y\n".repeat(50)), ..told() };
        let subject = Template::subject("{note}").unwrap().render_line(&told);
        assert!(!subject.contains(['\r', '\n']) && subject.chars().count() == LONGEST_SUBJECT, "{subject:?}");
    }

    proptest! {
        #[test]
        fn what_stands_in_no_braces_stays(text in "[^{}\\p{Cc}]{0,100}") {
            prop_assert_eq!(Template::body(&text).unwrap().render(&told()), text.trim());
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[{}a-z\n ]{0,60}") {
            if let Ok(template) = Template::subject(&text) {
                prop_assert!(!template.render_line(&told()).contains('\n'));
            }
        }
    }
}
