use std::collections::BTreeSet;

use chrono::TimeDelta;
use proptest::prelude::*;

use super::{hole::runs, *};

fn noon() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn tick(id: i64) -> Tick {
    let time = noon() + TimeDelta::milliseconds(id);
    Tick {
        ticker: "BTCUSDT".into(),
        trade_id: Some(id),
        price: "64250.01".parse().unwrap(),
        quantity: Some("0.5".parse().unwrap()),
        taker_side: None,
        exchange_time: Some(time),
        received_at: time,
    }
}

fn ledger(notes: &[(String, String)]) -> Ledger {
    Ledger::new("binance".into(), false, notes)
}

/// What the notes say in the end.
fn noted(notes: impl IntoIterator<Item = Note>, before: &[(String, String)]) -> Vec<(String, String)> {
    let mut file: BTreeMap<String, String> = before.iter().cloned().collect();
    for note in notes {
        match note.text {
            Some(text) => drop(file.insert(note.key, text)),
            None => drop(file.remove(&note.key)),
        }
    }
    file.into_iter().collect()
}

fn missing(ledger: &Ledger) -> BTreeSet<i64> {
    ledger.open_holes().iter().flat_map(|hole| &hole.left).flat_map(|(first, last)| *first..=*last).collect()
}

#[test]
fn an_absurd_number_is_not_counted_on_unless_others_follow_it() {
    let ledger = ledger(&[]);
    let at = |id, seconds| {
        let time = noon() + TimeDelta::seconds(seconds);
        Tick { trade_id: Some(id), exchange_time: Some(time), received_at: time, ..tick(0) }
    };
    ledger.observe(&[at(1, 0)], &[], None);
    for absurd in [i64::MAX, 2_000_000_000] {
        let learned = ledger.observe(&[at(absurd, 1)], &[], None);
        assert_eq!((learned.found, learned.repeated), (vec![], vec![]));
    }
    assert_eq!(ledger.is_behind(&"BTCUSDT".into(), i64::MAX, noon()).found, []);
    assert_eq!(ledger.observe(&[at(4, 2)], &[], None).found[0].missing, 2);
    // An absurd one after a long silence is none to go by either.
    assert_eq!(ledger.observe(&[at(5_000_000_000, 70)], &[], None).found, []);
    assert_eq!(ledger.observe(&[at(6, 71)], &[], None).found[0].missing, 1);
    // But two that belong together are.
    assert_eq!(ledger.observe(&[at(2_000_000_000, 72)], &[], None).found, []);
    assert_eq!(ledger.observe(&[at(2_000_000_003, 73)], &[], None).found[0].missing, 2);
    assert_eq!(ledger.observe(&[at(2_000_000_005, 74)], &[], None).found[0].missing, 1);
}

#[test]
fn a_trade_that_comes_after_its_hole_was_given_up_is_no_repetition() {
    let ledger = ledger(&[]);
    let found = ledger.observe(&[tick(1), tick(5)], &[], None).found;
    let name = (found[0].ticker.clone(), found[0].first_trade_id);
    let closed = ledger.change(&name, |hole| {
        hole.asked((2, 4), &[2, 4], 0);
        hole.say(GapState::Filling, None, noon());
    });
    assert_eq!(closed.unwrap().0.state, GapState::ConfirmedEmpty);
    assert_eq!(ledger.observe(&[tick(3)], &[], None).repeated, [] as [usize; 0]);
    assert_eq!(ledger.observe(&[tick(1)], &[], None).repeated, [0]);
}

#[test]
fn a_jump_names_its_cause() {
    let cause = |ledger: &Ledger, id, reconnects, full_at| {
        ledger.observe(&[tick(id)], &[Some(reconnects)], full_at).found.pop().map(|gap| gap.cause)
    };
    let first = ledger(&[]);
    let notes = noted(first.observe(&[tick(1)], &[], None).notes, &[]);
    assert_eq!(cause(&first, 3, 0, None), Some(GapCause::Skipped));
    assert_eq!(cause(&first, 4, 0, None), None);
    assert_eq!(cause(&first, 6, 1, None), Some(GapCause::Disconnected));
    assert_eq!(cause(&first, 8, 2, Some(tick(7).received_at)), Some(GapCause::QueueFull));
    assert_eq!(cause(&first, 10, 2, Some(tick(7).received_at)), Some(GapCause::Skipped));
    assert_eq!(cause(&ledger(&notes), 5, 0, None), Some(GapCause::TrackerStopped));
}

#[test]
fn numbers_that_begin_anew_are_no_gap_and_a_repetition_is_none_either() {
    let ledger = ledger(&[]);
    ledger.observe(&[tick(1_000)], &[], None);
    let again = ledger.observe(&[tick(1_001), tick(1_000), tick(999)], &[], None);
    assert!(again.found.is_empty());
    assert_eq!(again.repeated, [1], "of what came before the first, nothing is known");
    let renumbered = |id| Tick { trade_id: Some(id), ..tick(200_000 + id) };
    assert!(ledger.observe(&[renumbered(1)], &[], None).found.is_empty());
    assert_eq!(ledger.observe(&[renumbered(3)], &[], None).found[0].first_trade_id, 2);
}

#[test]
fn a_trade_that_is_missing_is_no_repetition() {
    let ledger = ledger(&[]);
    ledger.observe(&[tick(1), tick(4)], &[], None);
    assert_eq!(ledger.observe(&[tick(3), tick(1), tick(4)], &[], None).repeated, [1, 2]);
}

#[test]
fn a_hole_is_closed_when_everything_was_asked_for() {
    let ledger = ledger(&[]);
    let name = ("BTCUSDT".into(), 2);
    ledger.observe(&[tick(1), tick(12)], &[], None);
    let told = |range, fetched: &[i64], refused| {
        let say = |hole: &mut Hole| {
            hole.asked(range, fetched, refused);
            hole.say(GapState::Filling, None, noon());
        };
        let (gap, note) = ledger.change(&name, say).unwrap();
        (gap.state, gap.missing, note.text.is_some())
    };
    assert_eq!(told((2, 4), &[2, 4], 0), (GapState::Filling, 8, true));
    assert_eq!(told((5, 8), &[5, 6, 7], 1), (GapState::Filling, 5, true));
    assert_eq!(told((9, 11), &[9, 10, 11], 0), (GapState::Unfillable, 2, false));
    assert_eq!(ledger.change(&name, |_| ()), None);
}

#[test]
fn a_number_is_not_on_disk_before_the_hole_that_another_task_found() {
    let first = ledger(&[]);
    first.observe(&[tick(1)], &[], None);
    let behind = first.is_behind(&"BTCUSDT".into(), 5, noon());
    let learned = first.observe(&[tick(9)], &[], None);
    let told: Vec<_> = learned.found.iter().map(|gap| (gap.first_trade_id, gap.last_trade_id)).collect();
    assert_eq!(told, [(6, 8), (2, 5)], "nor is the trade in the queue before the hole");
    let notes = learned.notes;
    let restarted = ledger(&noted(notes, &[]));
    assert_eq!(missing(&restarted), (2..=8).collect());
    first.written(&behind.found);
    let learned = first.observe(&[tick(10)], &[], None);
    assert_eq!((learned.notes.len(), learned.found.len()), (1, 0));
}

#[test]
fn pairs_that_are_not_followed_are_forgotten() {
    let first = ledger(&[]);
    let other = |id| Tick { ticker: "ETHUSDT".into(), ..tick(id) };
    let notes = first.observe(&[tick(1), tick(3), other(1), other(3)], &[], None).notes;
    let file = noted(notes, &[]);
    let (gaps, notes) = ledger(&file).give_up(|ticker| ticker == "BTCUSDT", "it is not followed", noon());
    assert_eq!(gaps.len(), 1);
    assert_eq!((gaps[0].ticker.as_str(), gaps[0].state), ("ETHUSDT", GapState::Unfillable));
    let kept = noted(notes, &file);
    assert!(kept.len() == 2 && kept.iter().all(|(key, _)| key.contains("BTCUSDT")), "{kept:?}");
}

#[test]
fn what_is_left_of_a_range() {
    assert_eq!(without((1, 9), &[]), [(1, 9)]);
    assert_eq!(without((1, 9), &[(3, 4), (6, 6), (9, 12)]), [(1, 2), (5, 5), (7, 8)]);
    assert_eq!(without((1, 9), &[(-5, 1), (20, 30)]), [(2, 9)]);
    assert_eq!(without((1, 9), &[(1, 9)]), []);
    assert_eq!(runs(&[3, 1, 2, 2, 7]), [(1, 3), (7, 7)]);
}

proptest! {
    /// Whatever is lost, doubled, late or repeated, and whenever the tracker is killed and started again with what it
    /// had noted: every number between the first and the newest was seen, or is known to be missing; and nothing is
    /// called a repetition that was not seen.
    #[test]
    fn every_number_was_seen_or_is_missing(
        arrivals in prop::collection::vec((0i64..60, prop::bool::weighted(0.1)), 1..80),
        sizes in prop::collection::vec(1usize..6, 1..80),
    ) {
        let mut ledger_now = ledger(&[]);
        let (mut file, mut seen) = (Vec::new(), BTreeSet::new());
        let mut arrivals = arrivals.as_slice();
        let start = arrivals[0].0;
        for size in sizes.into_iter().cycle() {
            if arrivals.is_empty() {
                break;
            }
            let (batch, rest) = arrivals.split_at(size.min(arrivals.len()));
            arrivals = rest;
            let ticks: Vec<Tick> = batch.iter().map(|(id, _)| tick(*id)).collect();
            let learned = ledger_now.observe(&ticks, &[], None);
            for place in &learned.repeated {
                prop_assert!(seen.contains(&batch[*place].0) || batch[..*place].iter().any(|(id, _)| *id == batch[*place].0));
            }
            file = noted(learned.notes, &file);
            seen.extend(batch.iter().map(|(id, _)| *id).filter(|id| *id >= start));
            if batch.iter().any(|(_, killed)| *killed) {
                ledger_now = ledger(&file);
            }
            let newest = seen.last().copied().unwrap_or(start);
            // A late one is asked for nevertheless.
            let missing = missing(&ledger_now);
            for id in start..=newest {
                prop_assert!(seen.contains(&id) || missing.contains(&id), "{} is forgotten", id);
            }
            prop_assert!(missing.iter().all(|id| (start..=newest).contains(id)));
        }
    }
}

#[test]
fn where_numbers_tell_nothing_only_an_interruption_opens_a_hole() {
    let ledger = Ledger::new("okx".into(), true, &[]);
    let at = |id: i64, seconds: i64| {
        let time = noon() + TimeDelta::seconds(seconds);
        Tick { trade_id: Some(id), exchange_time: Some(time), received_at: time, ..tick(0) }
    };
    let learned = ledger.observe(&[at(7, 0), at(900, 1), at(3, 2), at(900, 1)], &[Some(0); 4], None);
    assert_eq!((learned.found, learned.repeated), (vec![], vec![3]), "numbers jump as they like; one came twice");
    let learned = ledger.observe(&[at(1_000, 9)], &[Some(1)], None);
    let [gap] = &learned.found[..] else { panic!("{learned:?}") };
    assert_eq!((gap.cause, gap.by_time, gap.missing), (GapCause::Disconnected, true, 0));
    assert_eq!((gap.from, gap.to), (Some(noon() + TimeDelta::seconds(2)), Some(noon() + TimeDelta::seconds(9))));
    assert_eq!(ledger.observe(&[at(1_001, 10)], &[Some(1)], None).found, []);
    // Noted and read again, it is still there, and the next start opens one more.
    let notes = noted(learned.notes, &[]);
    let again = Ledger::new("okx".into(), true, &notes);
    assert_eq!(again.open_holes().len(), 1);
    assert_eq!(again.observe(&[at(2_000, 60)], &[Some(0)], None).found[0].cause, GapCause::TrackerStopped);
    // What a question brings that came already is not published again.
    let mut asked = vec![at(1_001, 10), at(1_005, 11)];
    ledger.keep_unseen(&mut asked);
    assert_eq!(asked.iter().map(|tick| tick.trade_id).collect::<Vec<_>>(), [Some(1_005)]);
}
