//! A value that lives on the server.
//!
//! While a new answer is awaited, and when it does not come, the previous one stays: nothing on screen flickers, and
//! nothing that was known is taken away because the network failed.

use chrono::{DateTime, Utc};

/// Why there is no newer answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The cause, for people.
    pub cause: String,
    /// When it is asked for again.
    pub retry_at: DateTime<Utc>,
}

/// The last answer, if there was one, and what is known about the next.
#[derive(Debug, Clone)]
pub(crate) struct Remote<T> {
    value: Option<T>,
    failure: Option<Failure>,
    /// The value is of an earlier run: it is only to be looked at until there is an answer.
    is_recalled: bool,
}

impl<T> Default for Remote<T> {
    fn default() -> Self {
        Self { value: None, failure: None, is_recalled: false }
    }
}

impl<T> Remote<T> {
    /// What an earlier run knew, which the first answer replaces whole.
    pub(crate) fn recalled(value: T) -> Self {
        Self { value: Some(value), failure: None, is_recalled: true }
    }

    /// Whether the value is of an earlier run.
    pub(crate) fn is_recalled(&self) -> bool {
        self.is_recalled
    }

    /// The last answer.
    pub(crate) fn value(&self) -> Option<&T> {
        self.value.as_ref()
    }

    /// The last answer, to be kept up to date between two answers; what an earlier run knew is not.
    pub(crate) fn value_mut(&mut self) -> Option<&mut T> {
        self.value.as_mut().filter(|_| !self.is_recalled)
    }

    /// The same, for values that news can begin.
    pub(crate) fn value_or_default(&mut self) -> &mut T
    where
        T: Default,
    {
        self.value.get_or_insert_default()
    }

    /// Why the newest question got no answer, if it got none.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Takes the outcome of a question; `merge` makes the new value of the old one and the answer.
    pub(crate) fn settle<A>(&mut self, outcome: Result<A, Failure>, merge: impl FnOnce(Option<T>, A) -> T) {
        match outcome {
            Ok(answer) => {
                let old = self.value.take().filter(|_| !self.is_recalled);
                self.value = Some(merge(old, answer));
                self.failure = None;
                self.is_recalled = false;
            }
            Err(failure) => self.failure = Some(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_does_not_take_away_what_was_known() {
        let mut remote: Remote<i32> = Remote::default();
        assert_eq!((remote.value(), remote.failure()), (None, None));
        remote.settle(Ok(1), |_, answer| answer);
        remote.settle::<i32>(Err(Failure { cause: "gone".into(), retry_at: DateTime::UNIX_EPOCH }), |_, answer| answer);
        assert_eq!(remote.value(), Some(&1));
        assert_eq!(remote.failure().map(|failure| failure.cause.as_str()), Some("gone"));
        remote.settle(Ok(2), |old, answer| old.unwrap_or(0) + answer);
        assert_eq!((remote.value(), remote.failure()), (Some(&3), None));
    }

    #[test]
    fn what_an_earlier_run_knew_is_looked_at_and_never_mixed_with_an_answer() {
        let mut remote = Remote::recalled(7);
        assert_eq!(remote.value(), Some(&7));
        assert_eq!(remote.value_mut(), None);
        remote.settle(Ok(2), |old, answer| old.unwrap_or(0) + answer);
        assert_eq!((remote.value(), remote.is_recalled()), (Some(&2), false));
    }
}
