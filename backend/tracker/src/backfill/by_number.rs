//! Filling holes that are ranges of numbers.
//!
//! One page is asked for at a time, and what it holds of other holes of the pair fills these too: where many are small, as after a
//! connection that broke again and again, one question for each would take an exchange that may be asked seldom too long.

use super::*;

/// How many numbers a page spans at most.
const SPAN: i64 = PAGE as i64;

/// The numbers that one page is asked for: the first that are left of a hole, and those of others around them, as far as there is
/// room; and the hole with which they begin.
fn page<'a>(hole: &'a Hole, company: &[&'a Hole]) -> Option<((i64, i64), &'a Hole)> {
    let (first, last) = hole.left.first().copied()?;
    let last = last.min(first.saturating_add(SPAN - 1));
    let before = company.iter().copied().filter_map(|other| Some((other.left.first()?.0, other)));
    let room_before = before.filter(|(begin, _)| *begin < first && last.saturating_sub(*begin) < SPAN);
    let (begin, earliest) = room_before.min_by_key(|(begin, _)| *begin).unwrap_or((first, hole));
    let after = company.iter().flat_map(|other| &other.left).map(|(_, end)| *end);
    let room_after = after.filter(|end| *end > last && end.saturating_sub(begin) < SPAN);
    Some(((begin, room_after.max().unwrap_or(last)), earliest))
}

/// Whether this number is left of a hole.
fn lacks(hole: &Hole, id: i64) -> bool {
    hole.left.iter().any(|(first, last)| (*first..=*last).contains(&id))
}

impl Backfill {
    /// Asks for the first of what is left of a hole, and for what is left of others of the same pair beside it.
    pub(super) async fn fill_page(
        &self,
        history: &dyn History,
        hole: &Hole,
        company: &[&Hole],
    ) -> Result<Result<(), RestError>, LocalQueueError> {
        let Some(((first, last), earliest)) = page(hole, company) else { return Ok(Ok(())) };
        let most = usize::try_from((last - first).saturating_add(1)).unwrap_or(PAGE).min(PAGE);
        let trades = match history.trades(&hole.gap.ticker, first, earliest.gap.from, most).await {
            Ok(trades) => trades,
            Err(error) => return Ok(Err(error)),
        };
        let Some(newest) = trades.iter().filter_map(|trade| trade.trade_id).max() else {
            let host = self.exchange.identity().name.to_string();
            let reason = format!("no trade from number {first} on, although later ones came");
            return Ok(Err(RestError::Unreadable { host, reason }));
        };
        let asked = (first, newest.clamp(first, last));
        let holes: Vec<&Hole> = std::iter::once(hole).chain(company.iter().copied()).collect();
        let is_wanted = |id: i64| (asked.0..=asked.1).contains(&id) && holes.iter().any(|hole| lacks(hole, id));
        let given: Vec<Tick> = trades.into_iter().filter(|trade| trade.trade_id.is_some_and(is_wanted)).collect();
        let (credible, refused): (Vec<Tick>, Vec<Tick>) =
            given.into_iter().partition(|trade| self.inspector.passes(trade));
        let ids = |trades: &[Tick]| trades.iter().filter_map(|trade| trade.trade_id).collect::<Vec<i64>>();
        let (fetched, refused) = (ids(&credible), ids(&refused));
        self.publish(credible).await?;
        let is_touched = |hole: &&&Hole| hole.left.iter().any(|(from, to)| *from <= asked.1 && *to >= asked.0);
        for hole in holes.iter().filter(is_touched) {
            let refused = refused.iter().filter(|id| lacks(hole, **id)).count() as i64;
            self.tell(hole, |hole| {
                hole.asked(asked, &fetched, refused);
                hole.gap.attempts += u32::from(hole.left.is_empty() && hole.gap.missing > 0);
                hole.say(GapState::Filling, None, Utc::now());
            })
            .await?;
        }
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hole(first: i64, last: i64) -> Hole {
        let gap = Gap {
            ticker: "BTC/USD".into(),
            first_trade_id: first,
            last_trade_id: last,
            from: None,
            to: None,
            cause: GapCause::Skipped,
            state: GapState::Open,
            missing: last - first + 1,
            by_time: false,
            attempts: 0,
            detail: None,
            found_at: Utc::now(),
            updated_at: Utc::now(),
            revision: 1,
        };
        Hole { gap, left: vec![(first, last)], absent: 0, refused: 0 }
    }

    #[test]
    fn a_page_holds_what_lies_around_a_hole_and_no_more_than_there_is_room_for() {
        let asked = |of: (i64, i64), others: &[(i64, i64)]| {
            let (of, others) =
                (hole(of.0, of.1), others.iter().map(|(first, last)| hole(*first, *last)).collect::<Vec<_>>());
            let (range, earliest) = page(&of, &others.iter().collect::<Vec<_>>()).unwrap();
            (range, earliest.gap.first_trade_id)
        };
        assert_eq!(asked((50, 60), &[]), ((50, 60), 50));
        assert_eq!(asked((50, 60), &[(10, 12), (20, 20), (90, 95)]), ((10, 95), 10));
        assert_eq!(asked((5_000, 9_000), &[(4_999, 4_999), (9_100, 9_100)]), ((5_000, 5_999), 5_000));
        assert_eq!(
            asked((5_000, 5_009), &[(4_000, 4_000), (4_500, 4_500), (5_450, 5_460), (5_600, 5_600)]),
            ((4_500, 5_460), 4_500)
        );
        assert!(page(&Hole { left: Vec::new(), ..hole(1, 2) }, &[]).is_none());
    }
}
