//! Whether there is anything to store: told by the writers to whoever waits for the end of their work.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// How many writers wait for messages, with nothing at hand. Clones tell the same.
#[derive(Debug, Clone, Default)]
pub struct Idle(Arc<AtomicUsize>);

/// A writer that waits, until dropped.
pub(crate) struct Waiting(Idle);

impl Idle {
    /// How many there are.
    pub fn writers(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    pub(crate) fn wait(&self) -> Waiting {
        self.0.fetch_add(1, Ordering::SeqCst);
        Waiting(self.clone())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}
