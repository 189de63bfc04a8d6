//! When what was recorded is due.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep_until};

/// A silence that would be waited for longer is passed over: between the files of two days nothing is to be seen.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);
/// What is due sooner is not waited for: timers are no finer.
const FINEST: Duration = Duration::from_millis(1);

/// The pace of a replay.
pub(super) struct Pace {
    speed: f64,
    /// When a moment of the recording was, from which on it goes at this speed.
    origin: Option<(Instant, DateTime<Utc>)>,
}

impl Pace {
    /// So many times as fast as it was recorded; 0 is as fast as it goes.
    pub(super) fn new(speed: f64) -> Self {
        Self { speed, origin: None }
    }

    /// Waits until what came then is due. May be broken off.
    pub(super) async fn wait(&mut self, at: DateTime<Utc>) {
        if let Some(due) = self.due(at, Instant::now()) {
            sleep_until(due).await;
        }
    }

    /// When what came then is due; `None` when it is already.
    fn due(&mut self, at: DateTime<Utc>, now: Instant) -> Option<Instant> {
        if self.speed <= 0.0 {
            return None;
        }
        let (start, first) = *self.origin.get_or_insert((now, at));
        let since = (at - first).to_std().unwrap_or_default().as_secs_f64() / self.speed;
        let due = Duration::try_from_secs_f64(since).ok().and_then(|since| start.checked_add(since));
        let Some(due) = due.filter(|due| *due <= now + LONGEST_SILENCE) else {
            tracing::info!(%at, "nothing was recorded for long; the replay goes on at the next message");
            self.origin = Some((now, at));
            return None;
        };
        (due > now + FINEST).then_some(due)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn it_goes_at_the_recorded_pace_times_the_speed_and_passes_over_what_is_long() {
        let at = |seconds| DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::seconds(seconds);
        let now = Instant::now();
        for (speed, seconds, expected) in [
            (1.0, 30, Some(30)),
            (20.0, 40, Some(2)),
            (1.0, 100_000, None),
            (0.0, 30, None),
            (1.0, -5, None),
            (1e-300, 1, None),
        ] {
            let mut pace = Pace::new(speed);
            assert_eq!(pace.due(at(0), now), None);
            let due = pace.due(at(seconds), now).map(|due| (due - now).as_secs());
            assert_eq!(due, expected, "{speed} {seconds}");
        }
        // What is passed over is where it goes on from.
        let mut pace = Pace::new(2.0);
        assert_eq!((pace.due(at(0), now), pace.due(at(100_000), now)), (None, None));
        assert_eq!(pace.due(at(100_010), now), Some(now + Duration::from_secs(5)));
    }
}
