//! What the user chose, kept from one run to the next. Choices only: never data.
//!
//! What holds for the whole window is here; what holds for one pane is with the pane, in [`crate::desk`].

pub(crate) mod chart;
pub(crate) mod drawings;
pub(crate) mod lists;

use serde::{Deserialize, Serialize};

pub(crate) use self::{
    chart::{ChartChoices, ChartStyle, ScaleChoice},
    drawings::{Drawing, Drawings},
    lists::{FAVOURITES, Lists},
};
use crate::{
    settings::{RendererChoice, ThemeChoice},
    theme::Hues,
    zone::Zone,
};

/// How news comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) enum Refresh {
    /// By the live feed, as it happens.
    #[default]
    Live,
    /// By asking every so many seconds.
    Every(u64),
}

impl Refresh {
    /// Shortest and longest time between two questions, in seconds.
    pub(crate) const SECONDS: std::ops::RangeInclusive<u64> = 1..=60;
}

/// What is told by a notification of the desktop, beside the levels that ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notify {
    /// The connection to the API is lost, or back.
    pub api: bool,
    /// An exchange's feed is lost, or back.
    pub feeds: bool,
    /// An alert of the account fired.
    pub alerts: bool,
    /// Whether the desktop is asked to make a sound with it.
    pub sound: bool,
}

/// All choices that hold for the whole window. Fields that an older version did not write get their defaults.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Choices {
    /// The theme.
    pub theme: ThemeChoice,
    /// How rising and falling are coloured.
    pub hues: Hues,
    /// How large everything is, where it is not as the desktop says.
    pub zoom: Option<f32>,
    /// The clocks on which times are told.
    pub zone: Zone,
    /// What draws the window, from its next start on.
    pub renderer: RendererChoice,
    /// How news comes.
    pub refresh: Refresh,
    /// Another API than the one that the window was told of when it started.
    pub api: Option<String>,
    /// What the desktop is told of.
    pub notify: Notify,
    /// Tickers that belong together.
    pub lists: Lists,
    /// What was drawn into the charts.
    pub drawings: Drawings,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{panels::DrawingChange, state::TickerKey};

    #[test]
    fn choices_read_back_and_unknown_ones_do_no_harm() {
        let mut choices =
            Choices { zone: Zone::Local, refresh: Refresh::Every(7), zoom: Some(1.25), ..Choices::default() };
        let ticker = TickerKey::new("binance", "BTCUSDT");
        choices.lists.turn(FAVOURITES, &ticker);
        let level = Drawing::Level { price: "64000.5".parse().unwrap(), bell: true };
        choices.drawings.obey(&ticker, DrawingChange::Add(level));
        let json = serde_json::to_string(&choices).unwrap();
        assert_eq!(serde_json::from_str::<Choices>(&json).unwrap(), choices);
        let older: Choices = serde_json::from_str(r#"{"gone":1}"#).unwrap();
        assert_eq!(older, Choices::default());
    }
}
