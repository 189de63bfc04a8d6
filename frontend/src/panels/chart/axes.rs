//! Where the grid's lines are and what stands on the axes: round prices, and times that people use.
//!
//! Everything is UTC. Days begin at midnight, weeks on Monday, months on their first.

use chrono::{DateTime, Datelike, Months, NaiveTime, Utc};
use egui_plot::{GridInput, GridMark};

use crate::format;

/// egui_plot's `grid_spacing.min`: what it makes its suggestion of a smallest step from.
pub(crate) const SMALLEST_GRID: f32 = 8.0;
/// Points between two prices, at least.
const PRICE_GAP: f64 = 48.0;
/// Points between two times, at least.
const TIME_GAP: f64 = 96.0;
const DAY: i64 = 86_400;

/// Steps of less than a month, in seconds.
const STEPS: [i64; 16] =
    [60, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 43_200, DAY, 2 * DAY, 3 * DAY, 7 * DAY, 14 * DAY];

/// Round prices: steps of 1, 2 or 5 and zeros.
pub(crate) fn price_marks(input: &GridInput) -> Vec<GridMark> {
    let step = round_step(input.base_step_size / f64::from(SMALLEST_GRID) * PRICE_GAP);
    let (low, high) = ((input.bounds.0 / step).ceil(), (input.bounds.1 / step).floor());
    // At most one a gap; the bound is for a plot without height.
    if !step.is_finite() || step <= 0.0 || high - low > 1_000.0 {
        return Vec::new();
    }
    let count = (high - low).max(-1.0) as usize + 1;
    (0..count).map(|n| GridMark { value: (low + n as f64) * step, step_size: step }).collect()
}

/// A price on the axis, with as many decimals as tell it from its neighbours.
pub(crate) fn price_label(mark: GridMark) -> String {
    let decimals = (-mark.step_size.log10()).ceil().clamp(0.0, 16.0) as u32;
    format::price_f64(mark.value, decimals)
}

fn round_step(least: f64) -> f64 {
    let zeros = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|digit| digit * zeros).find(|step| *step >= least).unwrap_or(10.0 * zeros)
}

/// Round times.
pub(crate) fn time_marks(input: &GridInput) -> Vec<GridMark> {
    let least = input.base_step_size / f64::from(SMALLEST_GRID) * TIME_GAP;
    if !least.is_finite() || least <= 0.0 || input.bounds.1 - input.bounds.0 > least * 1_000.0 {
        return Vec::new();
    }
    match STEPS.into_iter().find(|step| *step as f64 >= least) {
        Some(step) => {
            // The epoch was a Thursday.
            let offset = if step % (7 * DAY) == 0 { 4 * DAY } else { 0 };
            let (low, high) = (input.bounds.0 as i64 - offset, input.bounds.1 as i64 - offset);
            (low.div_euclid(step) + 1..=high.div_euclid(step))
                .map(|n| GridMark { value: (n * step + offset) as f64, step_size: step as f64 })
                .collect()
        }
        None => month_marks(input, least),
    }
}

fn month_marks(input: &GridInput, least: f64) -> Vec<GridMark> {
    let month = 30.5 * DAY as f64;
    let months = [1_u32, 3, 6, 12, 24, 60, 120].into_iter().find(|n| f64::from(*n) * month >= least).unwrap_or(120);
    let Some(start) = DateTime::from_timestamp(input.bounds.0 as i64, 0) else {
        return Vec::new();
    };
    // From the beginning of its year on, so that steps fall on January.
    let first_year =
        if months > 12 { start.year() - start.year().rem_euclid(months as i32 / 12) } else { start.year() };
    let Some(mut at) =
        start.date_naive().with_day(1).and_then(|d| d.with_month(1)).and_then(|d| d.with_year(first_year))
    else {
        return Vec::new();
    };
    let mut marks = Vec::new();
    loop {
        let value = at.and_time(NaiveTime::MIN).and_utc().timestamp() as f64;
        if value > input.bounds.1 {
            return marks;
        }
        if value >= input.bounds.0 {
            marks.push(GridMark { value, step_size: f64::from(months) * month });
        }
        match at.checked_add_months(Months::new(months)) {
            Some(next) => at = next,
            None => return marks,
        }
    }
}

/// A time on the axis: the hour, at midnight the day, on the first of January the year.
pub(crate) fn time_label(mark: GridMark) -> String {
    let Some(time) = DateTime::<Utc>::from_timestamp(mark.value as i64, 0) else {
        return String::new();
    };
    let month_steps = mark.step_size > (14 * DAY) as f64;
    if time.time() != NaiveTime::MIN {
        time.format("%H:%M").to_string()
    } else if time.ordinal() == 1 {
        time.format("%Y").to_string()
    } else if month_steps {
        time.format("%b").to_string()
    } else {
        time.format("%-d %b").to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(from: f64, to: f64, points: f64) -> GridInput {
        GridInput { bounds: (from, to), base_step_size: (to - from) / points * f64::from(SMALLEST_GRID) }
    }

    fn at(text: &str) -> f64 {
        text.parse::<DateTime<Utc>>().unwrap().timestamp() as f64
    }

    #[test]
    fn prices_are_round_and_told_apart() {
        for (from, to) in [(60_012.0, 61_300.0), (0.000_011, 0.000_013), (-3.0, 5.0), (0.1, 0.100_2)] {
            let marks = price_marks(&input(from, to, 500.0));
            assert!((3..=11).contains(&marks.len()), "{from} to {to}: {marks:?}");
            let mut labels: Vec<_> = marks.iter().map(|mark| price_label(*mark)).collect();
            let count = labels.len();
            labels.dedup();
            assert_eq!(labels.len(), count, "{labels:?}");
        }
        let labels: Vec<_> = price_marks(&input(60_012.0, 61_300.0, 500.0)).into_iter().map(price_label).collect();
        assert_eq!(labels.first().map(String::as_str), Some("60,200"));
        assert!(price_marks(&input(1.0, 1.0, 500.0)).is_empty());
    }

    #[test]
    fn times_fall_where_people_look_for_them() {
        let labels = |from: &str, to: &str| -> Vec<String> {
            time_marks(&input(at(from), at(to), 800.0)).into_iter().map(time_label).collect()
        };
        assert_eq!(
            labels("2026-11-18T22:10:00Z", "2026-11-19T01:40:00Z"),
            ["22:30", "23:00", "23:30", "19 Nov", "00:30", "01:00", "01:30"]
        );
        assert_eq!(
            labels("2026-12-20T00:00:00Z", "2027-01-30T00:00:00Z"),
            ["21 Dec", "28 Dec", "4 Jan", "11 Jan", "18 Jan", "25 Jan"]
        );
        assert_eq!(labels("2026-10-20T00:00:00Z", "2027-03-10T00:00:00Z"), ["Nov", "Dec", "2027", "Feb", "Mar"]);
        assert_eq!(
            labels("2013-06-01T00:00:00Z", "2026-06-01T00:00:00Z"),
            ["2014", "2016", "2018", "2020", "2022", "2024", "2026"]
        );
    }
}
