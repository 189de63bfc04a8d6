//! Several files as one recording, in the order of receive times.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::recording::{Entries, Entry, RecordingFile};

/// Files read side by side.
pub(super) struct Merged {
    files: Vec<(Entries, Head)>,
    read: Vec<Arc<AtomicU64>>,
    bytes: u64,
}

/// What comes next of a file.
enum Head {
    NotRead,
    Next(Entry),
    End,
}

impl Merged {
    pub(super) fn new(files: Vec<RecordingFile>) -> Self {
        let bytes = files.iter().map(RecordingFile::bytes).sum();
        let read = files.iter().map(RecordingFile::progress).collect();
        Self { files: files.into_iter().map(|file| (file.entries(), Head::NotRead)).collect(), read, bytes }
    }

    /// What came next, and of which file it is. What has no time comes at once.
    pub(super) async fn next(&mut self) -> Option<(usize, Entry)> {
        for (entries, head) in &mut self.files {
            if matches!(head, Head::NotRead) {
                *head = entries.next().await.map_or(Head::End, Head::Next);
            }
        }
        let heads = self.files.iter().enumerate().filter_map(|(number, (_, head))| match head {
            Head::Next(entry) => Some((entry.at, number)),
            Head::NotRead | Head::End => None,
        });
        let (_, number) = heads.min()?;
        let (_, head) = self.files.get_mut(number)?;
        match std::mem::replace(head, Head::NotRead) {
            Head::Next(entry) => Some((number, entry)),
            Head::NotRead | Head::End => None,
        }
    }

    /// How much of the files was read, of a hundred.
    pub(super) fn percent(&self) -> u64 {
        let read: u64 = self.read.iter().map(|read| read.load(Ordering::Relaxed)).sum();
        (read * 100).checked_div(self.bytes).unwrap_or(100).min(100)
    }
}
