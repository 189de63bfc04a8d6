//! An order of rows that does not change under the pointer.

use chrono::{DateTime, TimeDelta, Utc};
use eframe::egui::{Rect, Ui};

use crate::state::TickerKey;

/// Seconds after which a pointer that does not move is not about to click.
const STILL: f32 = 5.0;

/// Rows, what they were made of, and when: renewed at once where that is another, else at most once a second and not
/// under the pointer, so that nobody clicks a row that has just jumped away.
#[derive(Debug, Clone)]
pub(crate) struct Settled<K> {
    made: Option<(K, DateTime<Utc>)>,
    rows: Vec<TickerKey>,
    body: Option<Rect>,
}

impl<K> Default for Settled<K> {
    fn default() -> Self {
        Self { made: None, rows: Vec::new(), body: None }
    }
}

impl<K: PartialEq> Settled<K> {
    /// The rows.
    pub(crate) fn rows(&self) -> &[TickerKey] {
        &self.rows
    }

    /// Where they are on the screen; nowhere, if they are not.
    pub(crate) fn put(&mut self, body: Option<Rect>) {
        self.body = body;
    }

    /// Makes them anew where it is time to.
    pub(crate) fn renew(
        &mut self,
        ui: &Ui,
        now: DateTime<Utc>,
        of: K,
        make: impl FnOnce(&K) -> Option<Vec<TickerKey>>,
    ) {
        // A pointer that was left there for long means none of them.
        let still = ui.input(|input| input.pointer.time_since_last_movement()) > STILL;
        let hovered = !still && self.body.is_some_and(|body| ui.rect_contains_pointer(body));
        let wanted = match &self.made {
            Some((made_of, at)) => {
                let due = now - *at >= TimeDelta::seconds(1) || now < *at;
                *made_of != of || (due && !hovered) || self.rows.is_empty()
            }
            None => true,
        };
        if wanted && let Some(rows) = make(&of) {
            self.rows = rows;
            self.made = Some((of, now));
        }
    }
}
