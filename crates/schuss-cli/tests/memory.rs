//! Peak memory of a whole run.
#![cfg(target_os = "linux")] // needs /proc

mod common;

use common::Place;
use std::process::{Child, Stdio};
use std::time::Duration;

const LIMIT: u64 = 150_000_000;

/// Returns the peak resident memory of `child` until it ends, in bytes. The command resets its own peak with each
/// trial, so it is polled continuously.
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

#[test]
fn samples_of_any_width_stay_within_the_memory_that_is_named() {
    let place = Place::new();
    let data = ["train", "--data", "digits:train=300,test=50,size=256", "--epochs", "1", "--json"];
    let model = ["--model", "linear:16,relu,linear:10", "--memory", "64MiB"];
    let limited = |update: &str| {
        let out = format!("runs/{}", update.replace(':', "-"));
        let args = [&data[..], &model, &["--update", update, "--out", &out]].concat();
        let mut command = place.command(&args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let peak = peak_memory(&mut child);
        assert!(peak < (64 + 32) << 20, "{update}: {peak} bytes");
        common::Ran::of(&child.wait_with_output().unwrap()).json()["trials"][0]["state"].clone()
    };
    let free = |update| place.run(&[&data[..], &model[..2], &["--update", update]].concat()).json();
    for update in ["batch:100", "epoch"] {
        assert_eq!(limited(update), free(update)["trials"][0]["state"], "{update}");
    }
}

/// Writes an array of zeros as `numpy.save` does, without taking room on the disk.
fn write_zeros(path: &std::path::Path, rows: usize, columns: usize) {
    let about = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let header = format!("{about:117}\n");
    let start = [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat();
    std::fs::write(path, &start).unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len((start.len() + 4 * rows * columns) as u64).unwrap();
}

#[test]
fn an_array_is_predicted_as_it_is_read() {
    const ROWS: usize = 60_000;
    const COLUMNS: usize = 500;
    let place = Place::new();
    let names: String = (0..COLUMNS).map(|column| format!("c{column},")).collect();
    let row = |row: usize| {
        let numbers: String = (0..COLUMNS).map(|column| format!("{},", (row * column) % 7)).collect();
        format!("{numbers}{}\n", ["no", "yes"][row % 2])
    };
    let table = format!("{names}y\n{}", (1..41).map(row).collect::<String>());
    std::fs::write(place.join("table.csv"), table).unwrap();
    let trained = ["train", "--data", "table.csv", "--model", "linear:2", "--epochs", "1", "--out", "run"];
    let trained = place.run(&trained);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    write_zeros(&place.join("rows.npy"), ROWS, COLUMNS);
    let mut command = place.command(&["predict", "run", "rows.npy"]);
    let lines = std::fs::File::create(place.join("lines")).unwrap();
    let peak = peak_memory(&mut command.stdout(lines).spawn().unwrap());
    let lines = std::fs::read_to_string(place.join("lines")).unwrap();
    assert_eq!(lines.lines().count(), ROWS);
    assert!(peak < (4 * ROWS * COLUMNS / 2) as u64, "{peak} bytes");
}
