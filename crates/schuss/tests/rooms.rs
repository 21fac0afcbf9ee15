//! The rooms of the library: a module uses only modules that stand before it in the list.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Top-level modules, lowest first.
const ROOMS: [&str; 16] = [
    "files",
    "json",
    "state",
    "spec",
    "record",
    "machine",
    "metrics",
    "loss",
    "schedule",
    "network",
    "optim",
    "instrument",
    "recipe",
    "session",
    "study",
    "doctor",
];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All Rust files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .collect()
}

/// The room that a file of the source folder is in.
fn room(path: &Path) -> String {
    let first = path.strip_prefix(source()).unwrap().components().next().unwrap();
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// The rooms that the code of a file names, without comments and tests.
fn used(path: &Path) -> BTreeSet<String> {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let words = lines.flat_map(|line| line.split("crate::").skip(1));
    words.map(|rest| rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()).collect()
}

/// True for files that only tests are made of.
fn is_test(path: &Path) -> bool {
    let text = path.to_string_lossy().into_owned();
    ["tests.rs", "/tests/", "golden.rs", "/golden/", "promises.rs"].iter().any(|part| text.contains(part))
}

#[test]
fn no_import_points_upwards() {
    let level = |room: &str| ROOMS.iter().position(|known| *known == room);
    let mut upwards = Vec::new();
    for path in files(&source()).iter().filter(|path| !is_test(path) && !path.ends_with("src/lib.rs")) {
        let own = room(path);
        let Some(height) = level(&own) else { panic!("`{own}` stands in no place of ROOMS") };
        let above = used(path).into_iter().filter(|other| level(other).is_some_and(|other| other > height));
        upwards.extend(above.map(|other| format!("{} uses {other}", path.display())));
    }
    assert_eq!(upwards, [""; 0]);
}

#[test]
fn every_room_stands_in_the_list_once_and_there_is_no_other() {
    let rooms: BTreeSet<String> = files(&source()).iter().map(|path| room(path)).collect();
    let listed: BTreeSet<String> =
        ROOMS.iter().map(|room| (*room).to_owned()).chain(["lib".to_owned()]).collect();
    assert_eq!(rooms, listed);
}

/// Rooms that drive an engine without knowing what it runs on.
const ABOVE_THE_ENGINE: [&str; 5] = ["instrument", "recipe", "session", "study", "doctor"];

#[test]
fn nothing_above_the_cpu_engine_names_its_threads_buffers_or_padding() {
    let cpu = source().join("session/cpu");
    let is_above = |path: &Path| ABOVE_THE_ENGINE.contains(&room(path).as_str()) && !path.starts_with(&cpu);
    let mut named = Vec::new();
    for path in files(&source()).iter().filter(|path| is_above(path) && !is_test(path)) {
        let text = fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        let words = code.split(|c: char| !c.is_alphanumeric() && c != '_');
        let kernels = words.filter(|word| ["Team", "Buffer", "padded"].contains(word));
        named.extend(kernels.map(|word| format!("{} names {word}", path.display())));
    }
    assert_eq!(named, [""; 0]);
}
