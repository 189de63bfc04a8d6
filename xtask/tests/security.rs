//! docs/SECURITY.md says which test guards what: those tests must be there.
#![allow(clippy::unwrap_used, reason = "clippy takes a test's own functions for a service's")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn sources(folder: PathBuf) -> Vec<PathBuf> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let below = |path: PathBuf| if path.is_dir() { sources(path) } else { vec![path] };
    paths.flat_map(below).filter(|path| path.extension().is_some_and(|kind| kind == "rs")).collect()
}

#[test]
fn every_test_that_the_document_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let document = fs::read_to_string(root.join("docs/SECURITY.md")).unwrap();
    // In the last column of its table.
    let cells = document.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.rsplit('|').nth(1));
    let is_test =
        |word: &&str| word.contains('_') && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let mut missing: BTreeSet<&str> = cells.flat_map(|cell| cell.split('`')).filter(is_test).collect();
    assert!(missing.len() > 20, "{missing:?}");
    for path in ["backend", "frontend", "standalone"].into_iter().flat_map(|folder| sources(root.join(folder))) {
        let text = fs::read_to_string(path).unwrap();
        missing.retain(|name| !text.contains(&format!("fn {name}(")));
    }
    assert!(missing.is_empty(), "no test is called {missing:?}");
}
