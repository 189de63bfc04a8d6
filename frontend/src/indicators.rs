//! What is computed from a series of bars and drawn over it.
//!
//! Every indicator has one value for each bar, or none where it has too little to go by. It begins anew behind each
//! hole in the data: what is missing would be in it.

use serde::{Deserialize, Serialize};

use crate::state::{Bar, Hole};

/// A day, in seconds.
const DAY: i64 = 86_400;

/// What can be drawn over a chart.
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
}

/// One value a bar.
pub(crate) type Line = Vec<Option<f64>>;

impl Indicator {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Sma, Self::Ema, Self::Bollinger, Self::Vwap];

    /// Which of [`ALL`](Self::ALL) it is: this is also its colour.
    pub(crate) fn number(self) -> usize {
        self as usize
    }

    /// Its name, short enough for a legend.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sma => "SMA 20",
            Self::Ema => "EMA 50",
            Self::Bollinger => "Bollinger 20, 2",
            Self::Vwap => "VWAP",
        }
    }

    /// What it is, in a sentence.
    pub(crate) fn explanation(self) -> &'static str {
        match self {
            Self::Sma => "Mean of the last 20 closes",
            Self::Ema => "Exponential mean of the closes, over 50 candles",
            Self::Bollinger => "Mean of the last 20 closes, and two standard deviations above and below",
            Self::Vwap => "Mean price of the UTC day so far, weighted by volume",
        }
    }

    /// Its lines, the one that a legend tells first.
    pub(crate) fn lines(self, bars: &[Bar], width: i64, holes: &[Hole]) -> Vec<Line> {
        let runs = runs(bars, width, holes);
        let of = |line: fn(&[Bar]) -> Line| -> Line {
            let mut whole = Line::with_capacity(bars.len());
            for run in &runs {
                let begin = whole.len();
                whole.extend(line(run));
                // So that no line is drawn over the hole.
                if begin > 0 {
                    whole[begin] = None;
                }
            }
            whole
        };
        match self {
            Self::Sma => vec![of(|run| mean_and_deviation(run, 20).0)],
            Self::Ema => vec![of(|run| ema(run, 50))],
            Self::Vwap => vec![of(vwap)],
            Self::Bollinger => {
                let (mut middle, mut upper, mut lower) = (Line::new(), Line::new(), Line::new());
                for run in runs {
                    let (means, deviations) = mean_and_deviation(run, 20);
                    for (mean, deviation) in means.iter().zip(deviations) {
                        let band = mean.zip(deviation);
                        upper.push(band.map(|(mean, deviation)| mean + 2.0 * deviation));
                        lower.push(band.map(|(mean, deviation)| mean - 2.0 * deviation));
                    }
                    middle.extend(means);
                }
                vec![middle, upper, lower]
            }
        }
    }
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

/// Begins with the mean of the first `count` closes, as is usual.
fn ema(bars: &[Bar], count: usize) -> Line {
    let weight = 2.0 / (count as f64 + 1.0);
    let mut value: Option<f64> = None;
    let mut line = Line::with_capacity(bars.len());
    for (place, bar) in bars.iter().enumerate() {
        value = match value {
            Some(value) => Some(value + weight * (bar.close - value)),
            None if place + 1 == count => Some(bars[..count].iter().map(|bar| bar.close).sum::<f64>() / count as f64),
            None => None,
        };
        line.push(value);
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
