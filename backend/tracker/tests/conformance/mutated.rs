//! No broken message makes a reader panic: recorded frames are cut, crossed and filled with what numbers can be at worst, for
//! as long as `FUZZ_SECONDS` says for each venue.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::Utc;
use tracker::exchange::Found;

use crate::{
    VENUES, Venue,
    recording::{self, Event, Recording},
};

/// How long each venue is tried where nothing else is said.
const SECONDS: f64 = 0.5;
/// So many frames of one beginning and length serve.
const ALIKE: usize = 20;
/// A connection ends after so many messages.
const MESSAGES: usize = 500;
/// What stands in a number's or a text's place.
const EXTREMES: [&str; 20] = [
    "0",
    "-0",
    "-1",
    "1e400",
    "1e-400",
    "1E+28",
    "0.0000000000000000000000000000000000001",
    "9223372036854775808",
    "-9223372036854775809",
    "18446744073709551616",
    "79228162514264337593543950336",
    "253402300800000",
    "NaN",
    "null",
    "true",
    "\"\"",
    "\"\\u0000\"",
    "[]",
    "{}",
    "\"é𝔘\"",
];

/// Frames of a venue, few of those that look alike.
fn corpus(venue: &Venue, files: &[Recording]) -> Vec<String> {
    let mut met: HashMap<(String, usize), usize> = HashMap::new();
    let mut frames = Vec::new();
    for file in files.iter().filter(|file| (venue.is_recorded_in)(&file.name.to_lowercase())) {
        for event in file.events() {
            let Event::Frame(text) = event else { continue };
            let alike = met.entry((text.chars().take(24).collect(), text.len() / 16)).or_default();
            *alike += 1;
            if *alike <= ALIKE && text.len() < 20_000 {
                frames.push(text);
            }
        }
    }
    frames
}

/// A place in a text of so many bytes.
fn place(random: &mut fastrand::Rng, length: usize) -> usize {
    random.usize(0..=length)
}

fn mutate(random: &mut fastrand::Rng, frame: &str, other: &str) -> String {
    let mut bytes = frame.as_bytes().to_vec();
    for _ in 0..random.usize(1..4) {
        let (one, two) = (place(random, bytes.len()), place(random, bytes.len()));
        let (from, to) = (one.min(two), one.max(two));
        match random.u8(0..7) {
            0 => bytes.truncate(from),
            1 => drop(bytes.drain(from..to.min(from + 8))),
            2 => {
                let copied = bytes[from..to].to_vec();
                bytes.splice(to..to, copied);
            }
            3 => {
                let other = other.as_bytes();
                let begin = place(random, other.len());
                bytes.splice(from..to, other[begin..].iter().copied().take(to - from));
            }
            4 => {
                if let Some(byte) = bytes.get_mut(from) {
                    *byte = random.u8(..);
                }
            }
            // The value that stands there.
            _ => {
                let is_end = |byte: &u8| b",]}".contains(byte);
                let begin = bytes[..from].iter().rposition(|byte| b":,[".contains(byte)).map_or(from, |at| at + 1);
                let end = bytes[begin..].iter().position(is_end).map_or(bytes.len(), |at| begin + at);
                bytes.splice(begin..end, random.choice(EXTREMES).unwrap_or("0").bytes());
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads what becomes of a venue's frames until the time is over. Returns how many were read.
fn read(venue: &Venue, frames: &[String], until: Instant, seed: u64) -> u64 {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut count = 0;
    while Instant::now() < until {
        let mut readers = (venue.readers)();
        for _ in 0..MESSAGES {
            let frame = &frames[random.usize(..frames.len())];
            let other = &frames[random.usize(..frames.len())];
            // One in four as it was, so that there is something to remember.
            let text = if random.u8(0..4) == 0 { frame.clone() } else { mutate(&mut random, frame, other) };
            for reader in &mut readers {
                let mut found = Found::default();
                let _ = reader.read(&text, Utc::now(), &mut found);
                for tick in &found.ticks {
                    let _ = tick.check();
                }
                for row in &found.rows {
                    let _ = row.check();
                }
            }
            count += 1;
        }
    }
    count
}

#[test]
fn no_broken_frame_makes_a_reader_panic() {
    let Some(files) = recording::all() else { return };
    let seconds =
        std::env::var("FUZZ_SECONDS").ok().map_or(SECONDS, |text| text.parse().expect("FUZZ_SECONDS: seconds"));
    for venue in &VENUES {
        let frames = corpus(venue, &files);
        assert!(frames.len() > 10, "{}: {} frames", venue.name, frames.len());
        let seed = fastrand::u64(..);
        eprintln!("{}: {} frames, seed {seed}", venue.name, frames.len());
        let count = read(venue, &frames, Instant::now() + Duration::from_secs_f64(seconds), seed);
        eprintln!("{}: {count} messages in {seconds} s", venue.name);
    }
}
