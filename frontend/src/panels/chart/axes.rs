//! Where the grid's lines are and what stands on the axes: round prices, and times that people use.
//!
//! Days begin at midnight of the zone, weeks on Monday, months on their first. Candles of a day or more are days of UTC
//! whatever the zone is, and told as such.

use chrono::{DateTime, Datelike, Months, NaiveDate, NaiveTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use domain::Interval;
use egui_plot::{GridInput, GridMark};

use crate::{format, zone::Zone};

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

/// The clocks on which candles of this width are told.
pub(crate) fn clocks(zone: Zone, interval: Interval) -> Tz {
    if interval >= Interval::OneDay { Tz::UTC } else { zone.tz() }
}

/// Where the candle begins that holds this second, whether there is one or not.
pub(crate) fn slot(second: f64, interval: Interval) -> Option<DateTime<Utc>> {
    Some(interval.open_time(DateTime::from_timestamp(second.floor() as i64, 0)?))
}

/// Round times.
pub(crate) fn time_marks(input: &GridInput, zone: Zone, interval: Interval) -> Vec<GridMark> {
    let least = input.base_step_size / f64::from(SMALLEST_GRID) * TIME_GAP;
    if !least.is_finite() || least <= 0.0 || input.bounds.1 - input.bounds.0 > least * 1_000.0 {
        return Vec::new();
    }
    let tz = clocks(zone, interval);
    match STEPS.into_iter().find(|step| *step as f64 >= least) {
        Some(step) if step < DAY => hour_marks(input, step, tz),
        Some(step) => day_marks(input, (step / DAY) as i32, tz),
        None => month_marks(input, least, tz),
    }
}

/// Times at which the zone's clocks show a multiple of the step.
fn hour_marks(input: &GridInput, step: i64, tz: Tz) -> Vec<GridMark> {
    /// Zones differ by multiples of this.
    const QUARTER: i64 = 900;
    let stride = step.min(QUARTER);
    let (low, high) = (input.bounds.0 as i64, input.bounds.1 as i64);
    (low.div_euclid(stride) + 1..=high.div_euclid(stride))
        .map(|n| n * stride)
        .filter(|second| {
            let time = tz.timestamp_opt(*second, 0).single();
            time.is_some_and(|time| i64::from(time.num_seconds_from_midnight()) % step == 0)
        })
        .map(|second| GridMark { value: second as f64, step_size: step as f64 })
        .collect()
}

/// Midnights, so many days apart.
fn day_marks(input: &GridInput, days: i32, tz: Tz) -> Vec<GridMark> {
    let step_size = (i64::from(days) * DAY) as f64;
    // Weeks begin on a Monday; the first day of the calendar was one.
    let begins = |day: NaiveDate| (day.num_days_from_ce() - 1).rem_euclid(days) == 0;
    days_from(input, tz)
        .filter(|day| begins(*day))
        .filter_map(|day| midnight(day, tz))
        .take_while(|second| *second <= input.bounds.1)
        .filter(|second| *second >= input.bounds.0)
        .map(|value| GridMark { value, step_size })
        .collect()
}

/// The days from the left edge on.
fn days_from(input: &GridInput, tz: Tz) -> impl Iterator<Item = NaiveDate> {
    let first = tz.timestamp_opt(input.bounds.0 as i64, 0).single().map(|time| time.date_naive());
    let count = ((input.bounds.1 - input.bounds.0) / DAY as f64).ceil().max(0.0) as usize + 2;
    first.into_iter().flat_map(|first| first.iter_days()).take(count)
}

/// The second in which the day begins; where clocks skip midnight, an hour after it.
fn midnight(day: NaiveDate, tz: Tz) -> Option<f64> {
    let local = day.and_time(NaiveTime::MIN);
    let begin = tz.from_local_datetime(&local).earliest();
    let begin = begin.or_else(|| tz.from_local_datetime(&(local + chrono::TimeDelta::hours(1))).earliest())?;
    Some(begin.timestamp() as f64)
}

fn month_marks(input: &GridInput, least: f64, tz: Tz) -> Vec<GridMark> {
    let month = 30.5 * DAY as f64;
    let months = [1_u32, 3, 6, 12, 24, 60, 120].into_iter().find(|n| f64::from(*n) * month >= least).unwrap_or(120);
    let Some(start) = tz.timestamp_opt(input.bounds.0 as i64, 0).single() else {
        return Vec::new();
    };
    // From the beginning of its year on, so that steps fall on January.
    let first_year =
        if months > 12 { start.year() - start.year().rem_euclid(months as i32 / 12) } else { start.year() };
    let Some(mut at) = NaiveDate::from_ymd_opt(first_year, 1, 1) else {
        return Vec::new();
    };
    let mut marks = Vec::new();
    while let Some(value) = midnight(at, tz) {
        if value > input.bounds.1 {
            break;
        }
        if value >= input.bounds.0 {
            marks.push(GridMark { value, step_size: f64::from(months) * month });
        }
        match at.checked_add_months(Months::new(months)) {
            Some(next) => at = next,
            None => break,
        }
    }
    marks
}

/// A time on the axis: the hour, at midnight the day, on the first of January the year.
pub(crate) fn time_label(mark: GridMark, zone: Zone, interval: Interval) -> String {
    let Some(time) = clocks(zone, interval).timestamp_opt(mark.value as i64, 0).single() else {
        return String::new();
    };
    let month_steps = mark.step_size > (14 * DAY) as f64;
    // Where clocks skip midnight, a day begins an hour later.
    let day_steps = mark.step_size >= DAY as f64;
    if time.time() != NaiveTime::MIN && !day_steps {
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

    fn labels(from: &str, to: &str, zone: Zone, interval: Interval) -> Vec<String> {
        let marks = time_marks(&input(at(from), at(to), 800.0), zone, interval);
        marks.into_iter().map(|mark| time_label(mark, zone, interval)).collect()
    }

    #[test]
    fn days_and_hours_are_those_of_the_zone() {
        let kathmandu: Zone = "Asia/Kathmandu".parse().unwrap();
        let (from, to) = ("2026-11-19T15:10:00Z", "2026-11-19T20:40:00Z");
        assert_eq!(
            labels(from, to, kathmandu, Interval::OneMinute),
            ["21:00", "22:00", "23:00", "20 Nov", "01:00", "02:00"]
        );
        // A candle of a day is a day of UTC, everywhere.
        let (from, to) = ("2026-11-10T00:00:00Z", "2026-11-16T01:00:00Z");
        assert_eq!(labels(from, to, kathmandu, Interval::OneDay), labels(from, to, Zone::Utc, Interval::OneDay));
        // In the night of 25 October an hour comes twice in Berlin.
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        let (from, to) = ("2026-10-24T21:30:00Z", "2026-10-25T03:30:00Z");
        assert_eq!(
            labels(from, to, berlin, Interval::OneMinute),
            ["25 Oct", "01:00", "02:00", "02:00", "03:00", "04:00"]
        );
        // In Beirut clocks go from midnight to one.
        let beirut: Zone = "Asia/Beirut".parse().unwrap();
        let (from, to) = ("2026-03-27T00:00:00Z", "2026-04-01T00:00:00Z");
        assert_eq!(labels(from, to, beirut, Interval::OneHour), ["28 Mar", "29 Mar", "30 Mar", "31 Mar", "1 Apr"]);
    }

    #[test]
    fn times_fall_where_people_look_for_them() {
        let labels = |from: &str, to: &str| labels(from, to, Zone::Utc, Interval::OneMinute);
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
