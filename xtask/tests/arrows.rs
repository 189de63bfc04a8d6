//! The arrows between the workspace's crates are a list, not an accident: this fails on one that nobody wrote down.
//!
//! ARCHITECTURE.md draws the same list and says why each arrow stands; a change here changes it there.
#![allow(clippy::unwrap_used, reason = "clippy takes a test's own functions for a service's")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// A crate and those it may depend on. What is not here may depend on none of ours.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("process", &[]),
    ("broker", &["domain"]),
    ("database", &["domain"]),
    ("api-types", &["domain"]),
    ("tracker", &["domain", "broker", "process"]),
    ("db-handler", &["domain", "broker", "database", "process"]),
    ("notifier", &["domain", "database", "process"]),
    ("follower", &["broker", "database", "process"]),
    ("api", &["domain", "api-types", "broker", "database", "process"]),
    ("dashboard", &["domain", "api-types"]),
    ("simulator", &["domain"]),
    ("testbed", &[]),
    ("xtask", &["testbed"]),
    // These two put everything together; nothing depends on them.
    ("standalone", EVERYTHING),
    ("bench", EVERYTHING),
    ("chaos", &["process", "simulator", "testbed"]),
    ("window-bench", &["dashboard"]),
    ("window-test", &["dashboard"]),
];

const EVERYTHING: &[&str] = &[
    "domain",
    "process",
    "broker",
    "database",
    "api-types",
    "tracker",
    "db-handler",
    "notifier",
    "api",
    "dashboard",
    "simulator",
    "testbed",
];

/// What the tests of any crate may use besides.
const TEST_SUPPORT: &[&str] = &["testbed", "simulator"];

/// What the tests of one crate may use besides that, to fill a database or read what was published.
const TEST_ARROWS: &[(&str, &[&str])] = &[
    ("tracker", &["database"]),
    ("api", &["db-handler", "tracker"]),
    ("follower", &["db-handler"]),
    ("dashboard", &["api", "database", "broker", "process"]),
];

/// Drivers that only the crate made for them may know (and what tests or measures it): everything else goes through it.
const ONLY: &[(&str, &[&str])] = &[
    ("lapin", &["broker", "bench", "chaos"]),
    ("tokio-postgres", &["database", "testbed", "bench", "chaos"]),
    ("deadpool-postgres", &["database", "bench"]),
    ("refinery", &["database"]),
    ("pglite-oxide", &["standalone"]),
];

/// A room with such a name has no purpose, so everything ends up in it.
const NAMELESS: &[&str] = &["util", "utils", "common", "core", "helper", "helpers", "shared", "misc"];

const WHERE: &str = "the lists are in xtask/tests/arrows.rs, the drawing in ARCHITECTURE.md";

fn workspace() -> Metadata {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    MetadataCommand::new().manifest_path(top.join("Cargo.toml")).no_deps().exec().unwrap()
}

/// Whether `list` has an arrow between the two.
fn has(list: &[(&str, &[&str])], from: &str, to: &str) -> bool {
    list.iter().any(|(name, targets)| *name == from && targets.contains(&to))
}

#[test]
fn every_arrow_between_crates_is_in_the_list() {
    let metadata = workspace();
    let ours: BTreeSet<&str> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    let mut unknown = Vec::new();
    for package in &metadata.packages {
        let from = package.name.as_str();
        for dependency in package.dependencies.iter().filter(|dependency| ours.contains(dependency.name.as_str())) {
            let to = dependency.name.as_str();
            let allowed = match dependency.kind {
                DependencyKind::Development => {
                    has(ARROWS, from, to) || TEST_SUPPORT.contains(&to) || has(TEST_ARROWS, from, to)
                }
                _ => has(ARROWS, from, to),
            };
            if !allowed {
                unknown.push(format!("{from} → {to} ({:?} dependency)", dependency.kind));
            }
        }
    }
    assert!(unknown.is_empty(), "arrows that nobody wrote down: {unknown:#?}\n{WHERE}");
}

#[test]
fn every_crate_is_in_the_list() {
    let known: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let metadata = workspace();
    let unknown: Vec<&str> =
        metadata.packages.iter().map(|package| package.name.as_str()).filter(|name| !known.contains(name)).collect();
    assert!(unknown.is_empty(), "crates without a place: {unknown:?}\n{WHERE}");
}

#[test]
fn queue_and_database_drivers_are_known_to_one_crate_each() {
    let only: BTreeMap<&str, &[&str]> = ONLY.iter().copied().collect();
    let mut leaks = Vec::new();
    for package in &workspace().packages {
        for dependency in &package.dependencies {
            if let Some(allowed) = only.get(dependency.name.as_str())
                && dependency.kind != DependencyKind::Development
                && !allowed.contains(&package.name.as_str())
            {
                leaks.push(format!("{} → {}: only {allowed:?} may know it", package.name, dependency.name));
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}\n{WHERE}");
}

#[test]
fn only_tests_can_look_into_the_window() {
    let mut leaks = Vec::new();
    for package in &workspace().packages {
        // A feature of ours would be turned on by `--all-features`.
        let named = package.features.values().flatten().any(|feature| feature == "eframe/inspection");
        let asked = package.dependencies.iter().any(|dependency| {
            let inspects = dependency.features.iter().any(|feature| feature == "inspection");
            dependency.kind != DependencyKind::Development
                && (dependency.name == "egui_inspection" || dependency.name == "eframe" && inspects)
        });
        if named || asked {
            leaks.push(package.name.to_string());
        }
    }
    assert!(leaks.is_empty(), "whoever starts these could be looked at and acted for: {leaks:?}");
}

#[test]
fn every_crate_and_module_is_named_for_its_purpose() {
    let mut nameless = Vec::new();
    for package in &workspace().packages {
        if NAMELESS.contains(&package.name.as_str()) {
            nameless.push(package.manifest_path.clone().into_std_path_buf());
        }
        let mut folders = vec![package.manifest_path.parent().unwrap().join("src").into_std_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
                let path = entry.unwrap().path();
                if path.file_stem().is_some_and(|stem| NAMELESS.iter().any(|name| stem == *name)) {
                    nameless.push(path.clone());
                }
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
    }
    assert!(nameless.is_empty(), "named for no purpose: {nameless:#?}\n{WHERE}");
}

/// A new exchange is its folder and its lines in the registry: whatever else named one would have to change with it. What exchanges export
/// as files has a folder and a registry of its own.
#[test]
fn no_code_outside_its_folder_names_an_exchange() {
    let root = workspace().workspace_root.into_std_path_buf();
    let registry = root.join("backend/tracker/src/exchanges");
    let files = root.join("backend/domain/src/portfolio/import");
    let exchanges: Vec<String> = std::fs::read_dir(&registry)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert!(exchanges.len() >= 7, "{exchanges:?}");
    // Binance came first, and is what the program follows and explains by default.
    let is_named = |line: &str, name: &str| {
        let mut words = line.split(|letter: char| !letter.is_ascii_alphanumeric());
        name != "binance" && words.any(|word| word.eq_ignore_ascii_case(name))
    };
    let of_tests = |path: &Path| ["tests.rs", "pictures.rs"].iter().any(|name| path.ends_with(name));
    let mut named = Vec::new();
    let mut folders = vec![root.join("backend"), root.join("frontend/src"), root.join("standalone/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let is_source = path.strip_prefix(&root).unwrap().components().any(|part| part.as_os_str() == "src");
            if path.is_dir() {
                // The simulator plays exchanges, and tests name them.
                let is_left_out =
                    path == registry || path == files || path.ends_with("backend/simulator") || path.ends_with("tests");
                folders.extend((!is_left_out).then_some(path));
            } else if is_source
                && path.extension().is_some_and(|kind| kind == "rs")
                && path != files.with_extension("rs")
                && !of_tests(&path)
            {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let code = code.lines().map(|line| line.split("//").next().unwrap_or_default());
                for (number, line) in code.enumerate() {
                    let found = exchanges.iter().find(|name| is_named(line, name) && !line.contains("example ="));
                    named.extend(found.map(|name| format!("{}:{}: {name}", path.display(), number + 1)));
                }
            }
        }
    }
    assert!(named.is_empty(), "{named:#?}");
}
