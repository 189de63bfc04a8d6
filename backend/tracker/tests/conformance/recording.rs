//! The files of recordings, in the formats that their recorders had.

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
};

use flate2::read::GzDecoder;
use serde_json::Value;

/// A recorded file.
pub(crate) struct Recording {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// Its path below the folder of recordings.
    pub(crate) name: String,
}

/// What a file tells.
pub(crate) enum Event {
    /// A connection was made.
    Connected,
    /// A text message came.
    Frame(String),
}

/// Every recorded file, in order; `None`, with a word, without recordings.
pub(crate) fn all() -> Option<Vec<Recording>> {
    let Ok(folder) = std::env::var("RECORDINGS_DIR") else {
        eprintln!("recordings not present, 1 check skipped");
        return None;
    };
    let root = PathBuf::from(folder);
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if let Some(name) = path.strip_prefix(&root).ok().and_then(Path::to_str) {
                files.push(Recording { name: name.to_owned(), path });
            }
        }
    }
    files.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(!files.is_empty(), "no recording in {}", root.display());
    Some(files)
}

impl Recording {
    /// Its text.
    pub(crate) fn text(&self) -> String {
        let mut bytes = Vec::new();
        let file = File::open(&self.path).unwrap();
        if self.name.ends_with(".gz") {
            GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
        } else {
            BufReader::new(file).read_to_end(&mut bytes).unwrap();
        }
        String::from_utf8(bytes).unwrap()
    }

    /// What it tells, in order. A document is one frame; otherwise each line holds one, behind the time when it came if that is
    /// told.
    pub(crate) fn events(&self) -> Vec<Event> {
        let text = self.text();
        if self.name.ends_with(".json") && serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok() {
            return vec![Event::Connected, Event::Frame(text)];
        }
        std::io::Cursor::new(text).lines().filter_map(|line| event(&line.unwrap())).collect()
    }
}

fn event(line: &str) -> Option<Event> {
    if line.starts_with("wss://") {
        return line.contains(" <-> ").then_some(Event::Connected);
    }
    if line.starts_with("https://") || line.starts_with("configuration") {
        return None;
    }
    if line.starts_with(r#"{"file""#) {
        let payload = serde_json::from_str::<Value>(line).ok()?;
        return Some(Event::Frame(payload["raw"].as_str()?.to_owned()));
    }
    let start = line.find(['{', '['])?;
    Some(Event::Frame(line[start..].to_owned()))
}
