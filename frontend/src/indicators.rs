//! What is computed from a series of bars and drawn over it.
//!
//! Every indicator has one value for each bar, or none where it has too little to go by. It begins anew behind each
//! hole in the data: what is missing would be in it.

use serde::{Deserialize, Serialize};

use crate::state::{Bar, Hole};

/// A day, in seconds.
const DAY: i64 = 86_400;

/// Bars before the first one in view that are computed too: as many as the slowest indicator remembers.
pub(crate) const WARM_UP: usize = 1_500;

/// What can be drawn over a chart or below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Indicator {
    /// Mean of the last 20 closes.
    Sma,
    /// Exponential mean of the closes, over 50 bars.
    Ema,
    /// Mean of the last 20 closes, and two standard deviations above and below.
    Bollinger,
    /// Mean price of the UTC day so far, weighted by volume.
    Vwap,
    /// Relative strength of rises against falls, over 14 bars.
    Rsi,
    /// Difference of two exponential means, over 12 and 26 bars, and its own mean over 9.
    Macd,
}

/// One value a bar.
pub(crate) type Line = Vec<Option<f64>>;

impl Indicator {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [Self::Sma, Self::Ema, Self::Bollinger, Self::Vwap, Self::Rsi, Self::Macd];

    /// Which of [`ALL`](Self::ALL) it is: this is also its colour.
    pub(crate) fn number(self) -> usize {
        self as usize
    }

    /// Whether it has a scale of its own and is drawn below the prices.
    pub(crate) fn is_below(self) -> bool {
        matches!(self, Self::Rsi | Self::Macd)
    }

    /// Its name, short enough for a legend.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sma => "SMA 20",
            Self::Ema => "EMA 50",
            Self::Bollinger => "Bollinger 20, 2",
            Self::Vwap => "VWAP",
            Self::Rsi => "RSI 14",
            Self::Macd => "MACD 12, 26, 9",
        }
    }

    /// What it is, in a sentence.
    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::Sma => "Mean of the last 20 closes",
            Self::Ema => "Exponential mean of the closes, over 50 candles",
            Self::Bollinger => "Mean of the last 20 closes, and two standard deviations above and below",
            Self::Vwap => "Mean price of the UTC day so far, weighted by volume",
            Self::Rsi => "Wilder's relative strength of rises against falls, over 14 candles, from 0 to 100",
            Self::Macd => "Exponential mean of 12 closes less that of 26, and the mean of that over 9",
        }
    }

    /// Its lines, the one that a legend tells first.
    pub(crate) fn lines(self, bars: &[Bar], width: i64, holes: &[Hole]) -> Vec<Line> {
        let mut lines: Vec<Line> = Vec::new();
        for run in runs(bars, width, holes) {
            let of_run = match self {
                Self::Sma => vec![mean_and_deviation(run, 20).0],
                Self::Ema => vec![ema(&closes(run), 50)],
                Self::Vwap => vec![vwap(run)],
                Self::Bollinger => bollinger(run),
                Self::Rsi => vec![rsi(run)],
                Self::Macd => macd(run),
            };
            lines.resize_with(of_run.len(), Line::new);
            for (whole, part) in lines.iter_mut().zip(of_run) {
                let begin = whole.len();
                whole.extend(part);
                // So that no line is drawn over the hole.
                if let Some(first) = whole.get_mut(begin).filter(|_| begin > 0) {
                    *first = None;
                }
            }
        }
        lines
    }
}

fn closes(bars: &[Bar]) -> Line {
    bars.iter().map(|bar| Some(bar.close)).collect()
}

fn bollinger(bars: &[Bar]) -> Vec<Line> {
    let (means, deviations) = mean_and_deviation(bars, 20);
    let band = |by: f64| {
        let at = |(mean, deviation): (&Option<f64>, &Option<f64>)| Some((*mean)? + by * (*deviation)?);
        means.iter().zip(&deviations).map(at).collect()
    };
    let (upper, lower) = (band(2.0), band(-2.0));
    vec![means, upper, lower]
}

/// Wilder's, who smooths by a fourteenth and begins with the plain mean.
fn rsi(bars: &[Bar]) -> Line {
    const COUNT: usize = 14;
    let mut line = vec![None; bars.len()];
    let (mut rise, mut fall) = (0.0, 0.0);
    for (place, pair) in bars.windows(2).enumerate() {
        let change = pair[1].close - pair[0].close;
        let (up, down) = (change.max(0.0), (-change).max(0.0));
        let count = COUNT as f64;
        if place < COUNT {
            rise += up / count;
            fall += down / count;
        } else {
            rise = (rise * (count - 1.0) + up) / count;
            fall = (fall * (count - 1.0) + down) / count;
        }
        if place + 1 >= COUNT {
            // A market that stands still neither rises nor falls.
            line[place + 1] = Some(if rise + fall > 0.0 { 100.0 * rise / (rise + fall) } else { 50.0 });
        }
    }
    line
}

/// The difference, its mean, and what is between the two.
fn macd(bars: &[Bar]) -> Vec<Line> {
    let closes = closes(bars);
    let between = |one: &Line, other: &Line| -> Line {
        one.iter().zip(other).map(|(one, other)| Some((*one)? - (*other)?)).collect()
    };
    let difference = between(&ema(&closes, 12), &ema(&closes, 26));
    let signal = ema(&difference, 9);
    let histogram = between(&difference, &signal);
    vec![difference, signal, histogram]
}

/// The bars, cut wherever trades are missing between two of them or in one.
fn runs<'a>(bars: &'a [Bar], width: i64, holes: &[Hole]) -> Vec<&'a [Bar]> {
    // Whether a run begins with this bar.
    let mut begins = vec![false; bars.len()];
    for hole in holes {
        let first = bars.partition_point(|bar| bar.open_time + width < hole.from);
        let last = bars.partition_point(|bar| bar.open_time <= hole.to);
        for begin in begins.iter_mut().take(last + 1).skip(first) {
            *begin = true;
        }
    }
    let (mut runs, mut rest, mut length) = (Vec::new(), bars, 0);
    for begin in begins {
        if begin && length > 0 {
            let (run, after) = rest.split_at(length);
            runs.push(run);
            (rest, length) = (after, 0);
        }
        length += 1;
    }
    runs.push(rest);
    runs
}

/// Mean and standard deviation (of all `count`, not of a sample) of the last closes.
fn mean_and_deviation(bars: &[Bar], count: usize) -> (Line, Line) {
    let of = |window: &[Bar]| {
        let mean = window.iter().map(|bar| bar.close).sum::<f64>() / count as f64;
        let variance = window.iter().map(|bar| (bar.close - mean).powi(2)).sum::<f64>() / count as f64;
        (Some(mean), Some(variance.sqrt()))
    };
    let missing = bars.len().min(count - 1);
    let begin = std::iter::repeat_n((None, None), missing);
    begin.chain(bars.windows(count).map(of)).unzip()
}

/// Begins with the mean of the first `count` values, as is usual.
fn ema(values: &Line, count: usize) -> Line {
    let weight = 2.0 / (count as f64 + 1.0);
    let begin = values.iter().take_while(|value| value.is_none()).count();
    let mut line = vec![None; values.len()];
    let (mut mean, mut seen) = (0.0, 0);
    for (place, value) in values.iter().enumerate().skip(begin) {
        let Some(value) = value else { continue };
        seen += 1;
        if seen <= count {
            mean += value / count as f64;
        } else {
            mean += weight * (value - mean);
        }
        if seen >= count {
            line[place] = Some(mean);
        }
    }
    line
}

/// The typical price of a bar stands for those of its trades.
fn vwap(bars: &[Bar]) -> Line {
    let (mut day, mut paid, mut volume) = (i64::MIN, 0.0, 0.0);
    let mut line = Line::with_capacity(bars.len());
    for bar in bars {
        if bar.open_time.div_euclid(DAY) != day {
            (day, paid, volume) = (bar.open_time.div_euclid(DAY), 0.0, 0.0);
        }
        paid += (bar.high + bar.low + bar.close) / 3.0 * bar.volume;
        volume += bar.volume;
        line.push((volume > 0.0).then(|| paid / volume));
    }
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::state::{Origin, tests::hole};

    fn bar(minute: i64, close: f64, volume: f64) -> Bar {
        Bar {
            open_time: minute * 60,
            open: close,
            high: close + 1.0,
            low: close - 1.0,
            close,
            volume,
            origin: Origin::Stream,
        }
    }

    fn rising(count: i64) -> Vec<Bar> {
        (0..count).map(|minute| bar(minute, 100.0 + minute as f64, 2.0)).collect()
    }

    fn near(a: Option<f64>, b: f64) -> bool {
        a.is_some_and(|a| (a - b).abs() < 1e-9)
    }

    #[test]
    fn values_are_those_of_the_textbook() {
        let bars = rising(60);
        let line = |indicator: Indicator| indicator.lines(&bars, 60, &[]);
        let sma = &line(Indicator::Sma)[0];
        assert_eq!((sma.len(), sma[18]), (60, None));
        assert!(near(sma[19], 109.5) && near(sma[59], 149.5));
        let ema = &line(Indicator::Ema)[0];
        assert!(ema[48].is_none() && near(ema[49], 124.5) && near(ema[50], 124.5 + 2.0 / 51.0 * (150.0 - 124.5)));
        let bands = line(Indicator::Bollinger);
        // Of 0 to 19 the standard deviation is the root of 33.25.
        assert!(
            near(bands[1][19], 109.5 + 2.0 * 33.25_f64.sqrt()) && near(bands[2][19], 109.5 - 2.0 * 33.25_f64.sqrt())
        );
        let vwap = &line(Indicator::Vwap)[0];
        assert!(near(vwap[0], 100.0) && near(vwap[2], 101.0));
        let rsi = &line(Indicator::Rsi)[0];
        assert!(rsi[13].is_none() && near(rsi[14], 100.0) && near(rsi[59], 100.0));
        // What rises by one a bar has means that lag by half their widths: (26 − 12) / 2.
        let macd = line(Indicator::Macd);
        assert!(macd[0][24].is_none() && near(macd[0][25], 7.0) && near(macd[0][59], 7.0));
        assert!(macd[1][32].is_none() && near(macd[1][33], 7.0) && near(macd[2][59], 0.0));
    }

    #[test]
    fn the_relative_strength_is_that_of_wilders_own_example() {
        let closes = [
            44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931, 46.0328,
            45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439,
        ];
        let bars: Vec<Bar> = closes.iter().enumerate().map(|(minute, close)| bar(minute as i64, *close, 1.0)).collect();
        let rsi = &Indicator::Rsi.lines(&bars, 60, &[])[0];
        let round = |place: usize| rsi[place].map(|value| (value * 100.0).round() / 100.0);
        assert_eq!([round(14), round(15), round(19)], [Some(70.53), Some(66.32), Some(57.97)]);
    }

    #[test]
    fn a_new_day_and_a_hole_begin_anew() {
        let mut bars = rising(60);
        bars.push(bar(1_440, 500.0, 1.0));
        assert!(near(Indicator::Vwap.lines(&bars, 60, &[])[0][60], 500.0));
        // Between the thirtieth minute and the next.
        let holes = [hole(29 * 60 + 30, 29 * 60 + 40)];
        let sma = &Indicator::Sma.lines(&bars, 60, &holes)[0];
        assert!(sma[28].is_some() && sma[30].is_none() && sma[60].is_some());
        assert_eq!(sma.iter().position(Option::is_some), Some(19));
        let vwap = &Indicator::Vwap.lines(&bars, 60, &holes)[0];
        assert!(vwap[28].is_some() && vwap[30].is_none() && vwap[31].is_some());
        assert!(Indicator::ALL.iter().all(|indicator| indicator.lines(&[], 60, &holes).iter().all(Vec::is_empty)));
    }

    proptest! {
        #[test]
        fn every_line_has_a_finite_value_or_none_for_each_bar(
            closes in prop::collection::vec(0.000_001_f64..1e9, 0..200),
            from in 0_i64..12_000,
        ) {
            let bars: Vec<Bar> =
                closes.iter().enumerate().map(|(minute, close)| bar(minute as i64, *close, *close % 3.0)).collect();
            for indicator in Indicator::ALL {
                for line in indicator.lines(&bars, 60, &[hole(from, from + 90)]) {
                    prop_assert_eq!(line.len(), bars.len());
                    prop_assert!(line.iter().flatten().all(|value| value.is_finite()));
                }
            }
        }
    }
}
