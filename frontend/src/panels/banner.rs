//! Says above the panes why nothing new comes, and what is being done about it.

use eframe::egui::{Frame, Margin, RichText, Stroke, Ui};

use super::{Command, Scene};
use crate::{format, state::Connection, theme::Palette};

/// What a banner says.
#[derive(Debug, PartialEq)]
struct Words {
    title: String,
    /// What stands between backquotes is a command.
    detail: String,
    /// What helps, where that is in our hands.
    button: Option<(&'static str, Command)>,
}

const TRY_NOW: Option<(&str, Command)> = Some(("Try now", Command::Retry));

/// Whether there is something to say.
pub(crate) fn is_needed(scene: &Scene<'_>) -> bool {
    words(scene).is_some()
}

/// Shows the banner, if there is something to say.
pub(crate) fn show(ui: &mut Ui, scene: &Scene<'_>, commands: &mut Vec<Command>) {
    let Some(words) = words(scene) else { return };
    let palette = Palette::of(ui);
    Frame::new()
        .fill(palette.warn_ground)
        .stroke(Stroke::new(1.0, palette.warn))
        .corner_radius(4)
        .inner_margin(Margin::symmetric(10, 7))
        .show(ui, |ui| {
            ui.horizontal_wrapped(|ui| {
                ui.label(RichText::new(&words.title).color(palette.warn).strong());
                ui.spacing_mut().item_spacing.x = 4.0;
                for (index, part) in words.detail.split('`').enumerate() {
                    let text = RichText::new(part).color(palette.text);
                    ui.label(if index % 2 == 1 { text.monospace() } else { text });
                }
                if let Some((name, command)) = words.button
                    && ui.button(name).clicked()
                {
                    commands.push(command);
                }
            });
        });
}

fn words(scene: &Scene<'_>) -> Option<Words> {
    log_in_is_needed(scene)
        .or_else(|| api_is_away(scene))
        .or_else(|| not_answered_yet(scene))
        .or_else(|| every_feed_is_down(scene))
        .or_else(|| no_feed_reports(scene))
}

fn log_in_is_needed(scene: &Scene<'_>) -> Option<Words> {
    let standing = &scene.state.alerts.standing;
    (standing.is_needed && standing.login.is_none()).then(|| Words {
        title: format!("The API at {} tells its prices to accounts only", scene.api),
        detail: if standing.has_ended { "The session has ended." } else { "Nobody is logged in." }.to_owned(),
        button: Some(("Log in", Command::Account)),
    })
}

fn api_is_away(scene: &Scene<'_>) -> Option<Words> {
    let Connection::Away { cause, since, next_try_at } = &scene.state.connection else {
        return None;
    };
    // Where questions are answered and only the live feed is away, it is younger.
    let answered = scene.state.answered_at().filter(|at| at > since);
    let kept = if scene.state.tickers.value().is_some() {
        let as_of = scene.state.recalled_at().or(answered).unwrap_or(*since);
        format!(" What is shown is as of {}.", format::moment(as_of, scene.choices.zone))
    } else {
        String::new()
    };
    let what = if answered.is_some() { "live feed of the API" } else { "API" };
    Some(Words {
        title: format!("No connection to the {what} at {}", scene.api),
        detail: format!("{cause}. Next try {}.{kept}", format::countdown(*next_try_at - scene.now)),
        button: TRY_NOW,
    })
}

fn not_answered_yet(scene: &Scene<'_>) -> Option<Words> {
    let at = scene.state.recalled_at()?;
    let age = format::ago(scene.now - at);
    Some(Words {
        title: format!("As it was at {}, {age}", format::moment(at, scene.choices.zone)),
        detail: format!("Waiting for the API at {}.", scene.api),
        button: TRY_NOW,
    })
}

fn every_feed_is_down(scene: &Scene<'_>) -> Option<Words> {
    let server_time = scene.server_time();
    let all_down = scene.feeds().all(|(_, feed)| feed.is_down(server_time));
    // Of several feeds that are down the first to be tried again says most.
    let (name, feed) = scene
        .feeds()
        .min_by_key(|(_, feed)| (feed.next_try_at(server_time).is_none(), feed.next_try_at(server_time)))
        .filter(|_| all_down)?;
    let cause = feed.cause(server_time).unwrap_or("no cause was given");
    let next = feed
        .next_try_at(server_time)
        .map(|at| format!(" Next try {}.", format::countdown(at - server_time)))
        .unwrap_or_default();
    Some(Words {
        title: format!("No new prices: {name} is {}", feed.state(server_time)),
        detail: format!("{cause}.{next} Without internet, `crypto-tracker demo` shows a simulated market."),
        button: None,
    })
}

fn no_feed_reports(scene: &Scene<'_>) -> Option<Words> {
    let feeds = scene.state.feeds.value()?;
    feeds.is_empty().then(|| Words {
        title: "No exchange is connected yet".to_owned(),
        detail: "The tracker has not reported; is it running? `crypto-tracker demo` runs everything at once, with a \
                 simulated market."
            .to_owned(),
        button: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        choices::Choices,
        state::{
            State, Update,
            tests::{at, feed, with_prices},
        },
    };

    fn words_of(state: &State, now: &str) -> Option<Words> {
        let choices = Choices::default();
        words(&Scene { state, choices: &choices, api: "http://localhost:5001", now: at(now) })
    }

    #[test]
    fn while_one_feed_delivers_there_is_no_banner() {
        let mut state = with_prices();
        let rows = vec![feed("binance", "streaming", "12:00:00"), feed("kraken", "waiting", "12:00:00")];
        state.apply(Update::Feeds(Ok(rows)), at("12:00:00"));
        assert_eq!(words_of(&state, "12:00:01"), None);
    }

    #[test]
    fn when_every_feed_waits_the_banner_says_why_until_when_and_what_else() {
        let mut state = with_prices();
        state.apply(Update::Feeds(Ok(vec![feed("binance", "waiting", "12:00:00")])), at("12:00:00"));
        let words = words_of(&state, "12:00:08").unwrap();
        assert_eq!(words.title, "No new prices: binance is waiting");
        assert!(words.detail.starts_with("DNS lookup failed. Next try in 12 s."), "{}", words.detail);
        assert!(words.detail.contains("crypto-tracker demo"));
        let silent = words_of(&state, "12:00:30").unwrap();
        assert_eq!(silent.title, "No new prices: binance is silent");
        assert!(silent.detail.starts_with("the tracker does not report."), "{}", silent.detail);
    }

    #[test]
    fn an_api_that_is_away_comes_before_everything_else() {
        let mut state = with_prices();
        state.apply(Update::Feeds(Ok(vec![])), at("12:00:00"));
        assert_eq!(words_of(&state, "12:00:01").unwrap().title, "No exchange is connected yet");
        let away =
            Connection::Away { cause: "connection refused".into(), since: at("12:00:02"), next_try_at: at("12:00:06") };
        state.apply(Update::Connection(away), at("12:00:02"));
        let words = words_of(&state, "12:00:03").unwrap();
        assert_eq!(words.title, "No connection to the API at http://localhost:5001");
        let row = crate::state::tests::price("BTCUSDT", "1", None, "1");
        state.apply(Update::Prices(Ok(vec![row])), at("12:00:33"));
        let live_alone = words_of(&state, "12:00:34").unwrap();
        assert_eq!(live_alone.title, "No connection to the live feed of the API at http://localhost:5001");
        assert!(live_alone.detail.ends_with("as of 2026-11-20 12:00:33 UTC."), "{}", live_alone.detail);
        assert_eq!(
            words.detail,
            "connection refused. Next try in 3 s. What is shown is as of 2026-11-20 12:00:02 UTC."
        );
    }

    #[test]
    fn until_the_api_answers_it_is_said_how_old_the_picture_is() {
        let state = State::recall(with_prices().picture(at("12:00:00")).unwrap());
        let words = words_of(&state, "15:00:00").unwrap();
        assert_eq!(words.title, "As it was at 2026-11-20 12:00:00 UTC, 3h ago");
        assert_eq!(words.detail, "Waiting for the API at http://localhost:5001.");
    }
}
