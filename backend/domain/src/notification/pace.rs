//! How often a channel gets a message: so many a minute, and after a pause so many at once.

use chrono::{DateTime, TimeDelta, Utc};

/// What may be sent at once after a pause is what may be sent in so long.
const BURST: TimeDelta = TimeDelta::minutes(1);

/// Whether one more message may go now (the generic cell rate algorithm). Each pays for a share of a minute; what was sent so far is
/// paid for until `paid_until`.
///
/// # Errors
/// When it may be sent, where that is later.
pub fn pay(
    paid_until: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
    per_minute: u32,
) -> Result<DateTime<Utc>, DateTime<Utc>> {
    let share = TimeDelta::microseconds(60_000_000 / i64::from(per_minute.max(1)));
    // A clock that was set back must not silence a channel for longer than a whole burst takes.
    let paid_until = paid_until.map_or(now, |paid| paid.clamp(now, now + BURST));
    let paid = paid_until + share;
    if paid <= now + BURST { Ok(paid) } else { Err(paid - BURST) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_then_one_each_share() {
        let now = DateTime::UNIX_EPOCH;
        let mut paid = None;
        for _ in 0..10 {
            paid = Some(pay(paid, now, 10).unwrap());
        }
        let later = pay(paid, now, 10).unwrap_err();
        assert_eq!(later, now + TimeDelta::seconds(6));
        paid = Some(pay(paid, later, 10).unwrap());
        assert_eq!(pay(paid, later, 10), Err(later + TimeDelta::seconds(6)));
    }

    proptest! {
        #[test]
        fn no_span_has_more_than_a_burst_and_its_shares(
            per_minute in 1u32..=1_000, gaps in prop::collection::vec(0i64..5_000, 1..300)
        ) {
            let (mut now, mut paid) = (DateTime::UNIX_EPOCH, None);
            let mut sent = Vec::new();
            for gap in gaps {
                now += TimeDelta::milliseconds(gap);
                match pay(paid, now, per_minute) {
                    Ok(until) => {
                        paid = Some(until);
                        sent.push(now);
                    }
                    Err(at) => {
                        prop_assert!(at > now && at <= now + BURST);
                        // When it is said to be allowed, it is, and not a moment before.
                        prop_assert!(pay(paid, at, per_minute).is_ok());
                        prop_assert!(pay(paid, at - TimeDelta::microseconds(1), per_minute).is_err());
                    }
                }
            }
            for (first, from) in sent.iter().enumerate() {
                for (last, to) in sent.iter().enumerate().skip(first) {
                    let seconds = (*to - *from).as_seconds_f64();
                    let most = f64::from(per_minute) * (1.0 + seconds / 60.0) + 1.0;
                    prop_assert!((last - first + 1) as f64 <= most);
                }
            }
        }
    }
}
