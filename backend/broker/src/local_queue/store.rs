//! The file: numbered messages, messages set aside, and the queue's name.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use redb::{Database, DatabaseError, Durability, ReadableDatabase as _, ReadableTable as _, TableDefinition};

use super::{Entry, LocalQueueError};
use crate::DeadLetter;

/// Number of a message → its topic and payload.
const MESSAGES: TableDefinition<'_, u64, (&str, &[u8])> = TableDefinition::new("messages");
/// Number of a message that was set aside → microseconds since 1970 when that was, reason, topic, payload.
const DEAD_LETTERS: TableDefinition<'_, u64, (i64, &str, &str, &[u8])> = TableDefinition::new("set_aside");
/// `next_number` → the number of the next message, so that no number is used twice.
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
/// Key of a note → the note.
const NOTES: TableDefinition<'_, &str, &str> = TableDefinition::new("notes");
const NEXT: &str = "next_number";
const NAME: &str = "name";

/// Messages set aside are few; when there are very many, something is wrong that more of them do not explain, and no more
/// are taken.
const MOST_DEAD_LETTERS: u64 = 10_000;

/// How much of the file is kept in memory. The window keeps what is about to be delivered.
const CACHE_BYTES: usize = 16 << 20;

/// The open file. One thread at a time; opened again after a failure, since the database refuses to go on after one.
pub(super) struct Store {
    /// None for one that is in memory.
    path: Option<PathBuf>,
    database: Mutex<Option<Database>>,
}

/// What the file held when it was opened.
pub(super) struct Found {
    /// Drawn when the file was made: part of every message's id.
    pub(super) name: String,
    /// Number of the oldest message.
    pub(super) first: u64,
    /// One more than the newest number ever used.
    pub(super) end: u64,
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// Something that a publisher remembers beside its messages: written with one of them, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// What it is about. The same key again replaces it.
    pub key: String,
    /// What it says; `None` forgets it.
    pub text: Option<String>,
}

/// One change to the file.
pub(super) enum Change {
    Append(Entry),
    Remove(u64),
    SetAside(Entry, String, DateTime<Utc>),
    ForgetSetAside(u64),
    Note(Note),
}

impl Store {
    pub(super) fn open(path: Option<PathBuf>) -> Result<(Self, Found), LocalQueueError> {
        let found = |reason: String| LocalQueueError::Open { path: path.clone().unwrap_or_default(), reason };
        if let Some(folder) = path.as_deref().and_then(Path::parent) {
            std::fs::create_dir_all(folder).map_err(|error| found(error.to_string()))?;
        }
        let mut database = open_database(path.as_deref()).map_err(|error| {
            found(match error {
                DatabaseError::DatabaseAlreadyOpen => {
                    "another process uses it; stop that one, or choose another data folder".to_owned()
                }
                error => error.to_string(),
            })
        })?;
        let contents = inspect(&database).map_err(|error| found(error.to_string()))?;
        if contents.messages == 0 {
            // The file keeps the size of its worst day unless told otherwise; an empty one is compacted in no time.
            let _ = database.compact();
        }
        Ok((Self { path, database: Mutex::new(Some(database)) }, contents))
    }

    /// Makes all changes or none. Changes that need not survive a crash are not waited for.
    pub(super) fn apply(&self, changes: &[Change], end: u64, durable: bool) -> Result<(), String> {
        let mut guard = self.lock();
        let outcome = self
            .opened(&mut guard)
            .and_then(|database| write(database, changes, end, durable).map_err(|error| error.to_string()));
        if outcome.is_err() {
            *guard = None;
        }
        outcome
    }

    /// Up to `most` messages, from number `from` on.
    pub(super) fn read(&self, from: u64, most: usize) -> Result<Vec<Entry>, LocalQueueError> {
        let mut guard = self.lock();
        let database = self.opened(&mut guard).map_err(LocalQueueError::Read)?;
        let read = || -> Result<Vec<Entry>, redb::Error> {
            let table = database.begin_read()?.open_table(MESSAGES)?;
            table
                .range(from..)?
                .take(most)
                .map(|row| {
                    let (number, value) = row?;
                    let (topic, payload) = value.value();
                    let payload = Bytes::copy_from_slice(payload);
                    Ok(Entry { number: number.value(), topic: topic.to_owned(), payload })
                })
                .collect()
        };
        let outcome = read().map_err(|error| LocalQueueError::Read(error.to_string()));
        if outcome.is_err() {
            *guard = None;
        }
        outcome
    }

    /// Whether no more messages are set aside until some are gone.
    pub(super) fn dead_letters_are_full(&self) -> Result<bool, LocalQueueError> {
        let mut guard = self.lock();
        let database = self.opened(&mut guard).map_err(LocalQueueError::Read)?;
        let count = || -> Result<u64, redb::Error> {
            Ok(redb::ReadableTableMetadata::len(&database.begin_read()?.open_table(DEAD_LETTERS)?)?)
        };
        Ok(count().map_err(|error| LocalQueueError::Read(error.to_string()))? >= MOST_DEAD_LETTERS)
    }

    /// The message that was set aside first, with its number.
    pub(super) fn oldest_dead_letter(&self, queue: &str) -> Result<Option<(u64, DeadLetter)>, LocalQueueError> {
        let mut guard = self.lock();
        let database = self.opened(&mut guard).map_err(LocalQueueError::Read)?;
        let read = || -> Result<Option<(u64, DeadLetter)>, redb::Error> {
            let table = database.begin_read()?.open_table(DEAD_LETTERS)?;
            let Some((number, value)) = table.first()? else { return Ok(None) };
            let (number, (micros, reason, topic, payload)) = (number.value(), value.value());
            let letter = DeadLetter {
                message_id: Some(format!("{queue}-{number}")),
                topic: topic.to_owned(),
                reason: reason.to_owned(),
                set_aside_at: DateTime::from_timestamp_micros(micros).unwrap_or_default(),
                payload: Bytes::copy_from_slice(payload),
            };
            Ok(Some((number, letter)))
        };
        read().map_err(|error| LocalQueueError::Read(error.to_string()))
    }

    pub(super) fn notes(&self) -> Result<Vec<(String, String)>, LocalQueueError> {
        let mut guard = self.lock();
        let database = self.opened(&mut guard).map_err(LocalQueueError::Read)?;
        let read = || -> Result<Vec<(String, String)>, redb::Error> {
            let table = database.begin_read()?.open_table(NOTES)?;
            let noted = |row: Result<(redb::AccessGuard<'_, &str>, redb::AccessGuard<'_, &str>), _>| {
                let (key, text) = row?;
                Ok((key.value().to_owned(), text.value().to_owned()))
            };
            table.iter()?.map(noted).collect()
        };
        read().map_err(|error| LocalQueueError::Read(error.to_string()))
    }

    /// Closes the file, so that another process may open it.
    pub(super) fn close(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Database>> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn opened<'a>(&self, guard: &'a mut MutexGuard<'_, Option<Database>>) -> Result<&'a Database, String> {
        if guard.is_none() {
            **guard = Some(open_database(self.path.as_deref()).map_err(|error| error.to_string())?);
        }
        guard.as_ref().ok_or_else(|| "not open".to_owned())
    }
}

fn open_database(path: Option<&Path>) -> Result<Database, DatabaseError> {
    let mut builder = Database::builder();
    match path {
        Some(path) => builder.set_cache_size(CACHE_BYTES).create(path),
        None => builder.set_cache_size(0).create_with_backend(redb::backends::InMemoryBackend::new()),
    }
}

fn inspect(database: &Database) -> Result<Found, redb::Error> {
    let transaction = database.begin_write()?;
    let found = {
        let messages = transaction.open_table(MESSAGES)?;
        transaction.open_table(DEAD_LETTERS)?;
        transaction.open_table(NOTES)?;
        let mut numbers = transaction.open_table(NUMBERS)?;
        let known_name = numbers.get(NAME)?.map(|value| value.value());
        let name = known_name.unwrap_or_else(|| fastrand::u64(1..));
        numbers.insert(NAME, name)?;
        let end = numbers.get(NEXT)?.map_or(1, |value| value.value());
        let (mut first, mut count, mut bytes) = (end, 0, 0);
        for row in messages.iter()? {
            let (number, value) = row?;
            first = first.min(number.value());
            count += 1;
            bytes += value.value().1.len() as u64;
        }
        Found { name: format!("{name:016x}"), first, end, messages: count, bytes }
    };
    transaction.commit()?;
    Ok(found)
}

fn write(database: &Database, changes: &[Change], end: u64, durable: bool) -> Result<(), redb::Error> {
    let mut transaction = database.begin_write()?;
    transaction.set_durability(if durable { Durability::Immediate } else { Durability::None })?;
    {
        let mut messages = transaction.open_table(MESSAGES)?;
        let mut dead_letters = transaction.open_table(DEAD_LETTERS)?;
        let mut notes = transaction.open_table(NOTES)?;
        for change in changes {
            match change {
                Change::Append(entry) => {
                    messages.insert(entry.number, (entry.topic.as_str(), &entry.payload[..]))?;
                }
                Change::Remove(number) => {
                    messages.remove(number)?;
                }
                Change::Note(Note { key, text: Some(text) }) => {
                    notes.insert(key.as_str(), text.as_str())?;
                }
                Change::Note(Note { key, text: None }) => {
                    notes.remove(key.as_str())?;
                }
                Change::SetAside(entry, reason, time) => {
                    let value = (time.timestamp_micros(), reason.as_str(), entry.topic.as_str(), &entry.payload[..]);
                    dead_letters.insert(entry.number, value)?;
                }
                Change::ForgetSetAside(number) => {
                    dead_letters.remove(number)?;
                }
            }
        }
        transaction.open_table(NUMBERS)?.insert(NEXT, end)?;
    }
    transaction.commit()?;
    Ok(())
}
