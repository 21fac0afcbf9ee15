//! What a run of a lecture takes at most, from its start to its end.
#![cfg(target_os = "linux")] // where /proc tells

mod common;

use common::Place;
use std::process::{Child, Stdio};
use std::time::Duration;

const LIMIT: u64 = 150_000_000;

/// The largest resident memory of `child` until it ends, in bytes. The command lets its own peak begin anew with each
/// trial, so it is asked for all the time.
fn peak_memory(child: &mut Child) -> u64 {
    let path = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&path).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        peak = peak.max(1024 * kilobytes.unwrap_or(0));
        std::thread::sleep(Duration::from_millis(2));
    }
    peak
}

#[test]
fn a_lecture_run_stays_under_150_megabytes() {
    let place = Place::new();
    let mut command = place.command(&["compare", "lecture-25", "--epochs", "1", "--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let peak = peak_memory(&mut child);
    let output = child.wait_with_output().unwrap();
    let summary = common::Ran::of(&output).json();
    assert_eq!(summary["data"]["counts"]["train"], 60_000, "MNIST, or as many digits");
    let trials = summary["trials"].as_array().unwrap();
    let recorded = trials.iter().map(|trial| trial["peak_rss_bytes"].as_u64().unwrap()).max().unwrap();
    assert!(peak > 55_000_000, "{peak} bytes are less than the data");
    assert!(peak.max(recorded) < LIMIT, "{peak} bytes in all, {recorded} at most while training");
    println!("{peak} bytes in all, {recorded} at most while training");
}
