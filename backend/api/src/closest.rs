//! What somebody may have meant who wrote a name that does not exist.

/// Up to five of the names that are most like what was written, best first; none that is nothing like it.
pub(crate) fn closest<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let written = written.to_lowercase();
    let far = (written.chars().count() / 3).max(1);
    let mut scored: Vec<(usize, &str)> = names
        .filter_map(|name| {
            let lower = name.to_lowercase();
            let distance = distance(&written, &lower);
            let begins = written.chars().count() > 1 && lower.starts_with(&written);
            (distance <= far || begins).then_some((distance, name))
        })
        .collect();
    scored.sort_unstable();
    scored.dedup();
    scored.into_iter().take(5).map(|(_, name)| name).collect()
}

/// How many letters must be added, dropped or changed to make one word the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = index;
        row[0] = index + 1;
        for (column, against) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *against);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let names = ["bitcoin", "bitcoin-cash", "ethereum", "tether", "BTCUSDT", "BTCUSDC"];
        assert_eq!(closest("bitcion", names.into_iter()), ["bitcoin"]);
        assert_eq!(closest("etherium", names.into_iter()), ["ethereum"]);
        assert_eq!(closest("btcusd", names.into_iter()), ["BTCUSDC", "BTCUSDT"]);
        assert_eq!(closest("btc", names.into_iter()), ["BTCUSDC", "BTCUSDT"]);
        assert!(closest("doge", names.into_iter()).is_empty());
    }

    #[test]
    fn distances_are_levenshtein() {
        for (one, other, expected) in [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("same", "same", 0)] {
            assert_eq!(distance(one, other), expected);
        }
    }
}
