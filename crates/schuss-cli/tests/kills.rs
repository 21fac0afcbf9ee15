//! Runs killed at any instant resume to bit-identical results. `KILLS=200` sets the number of kills; the default is 20.
#![cfg(unix)]

mod common;

use common::{Place, Ran};
use serde_json::{Map, Value};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Runs of a second or less that together cover every kind of state.
const RUNS: [&str; 17] = [
    "train --optimizer sgd:lr=0.05,momentum=0.9 --update batch:30 --epochs 60 --losses --eval-every 7",
    "train --optimizer adam:lr=0.002 --schedule cosine --update batch:50 --epochs 60",
    "train --optimizer sgd:lr=0.1 --update epoch --epochs 80 --checkpoint-every 3u",
    "train --model 64-130-10 --optimizer sgd:lr=0.01,momentum=0.9 --update sample --epochs 12 --eval-every 130 --losses",
    "train --optimizer l-bfgs:line_search=strong-wolfe --update epoch --epochs 12",
    "train --model linear:16,batch-norm,relu,dropout:0.2,linear:10 --optimizer sam:rho=0.05+sgd:lr=0.1 --epochs 40",
    "train --optimizer clip-global-norm:1+adamw:lr=0.002+ema:0.99 --order replacement --update batch:20 --epochs 25",
    "compare --optimizer sgd:lr=0.1 --optimizer rmsprop:lr=0.001 --seed 1,2 --epochs 15",
    "compare --optimizer sgd --optimizer adam --tune lr --update batch:50 --epochs 2",
    "compare --optimizer sgd:lr=0.1 --optimizer adam:lr=0.002 --optimizer rmsprop:lr=1e30 --update batch:20 --seed 1,2 --epochs 30 --target eval_accuracy>=0.9 --losses",
    "compare --parallel --optimizer sgd:lr=0.1 --optimizer adam:lr=0.002 --seed 1,2 --epochs 15",
    "train --data packed.schuss --memory 4MiB --model 784-8-10 --optimizer adam:lr=0.002 --update batch:50 --epochs 8",
    "compare --data packed.schuss --memory 4MiB --parallel --model 784-8-10 --optimizer adam:lr=0.002 --optimizer sgd --epochs 6",
    "train --data packed.schuss --model 784-30-10 --optimizer sgd:lr=0.1,momentum=0.9 --update batch:200 --epochs 6",
    "train --data packed.schuss --model 784-24-24-10 --optimizer adam:lr=0.002 --update batch:400 --epochs 3 --matmul-precision high",
    "train --data digits:train=60,test=200,size=8,seed=3 --optimizer adam:lr=0.002 --update batch:20 --epochs 400 --eval-every 2 --early-stop up:2,k=4",
    "compare --order shuffled --order replacement --tie 0% --update batch:20 --validation 0.2 --resample --seeds auto --epochs 1",
];

/// Memory limits of the run and its resumptions; they determine how many samples are processed at once.
const MEMORY: [&str; 4] = ["12MiB", "16MiB", "24MiB", "1GiB"];

const DATA: [&str; 2] = ["--data", "digits:train=400,test=100,size=8"];

/// Keys of time and memory measurements, which may differ.
const TIMES: [&str; 13] = [
    "train_seconds",
    "wall_seconds",
    "elapsed_seconds",
    "samples_per_second",
    "load_wait_seconds",
    "peak_rss_bytes",
    "seconds",
    "slices",
    "threads",
    "timing",
    "sentences", // whether trials shared the machine
    "memory",
    "strategy", // depends on the samples processed at once, and so on the memory
];

/// Keys of a verdict on times, and of a recipe in it, that depend on no clock.
const OF_BITS: [&str; 12] = [
    "schema",
    "level",
    "by",
    "target",
    "tie",
    "recipes",
    "seed_varies",
    "quality",
    "name",
    "trials",
    "reached",
    "final",
];

/// Removes the noise of the machine from a verdict, and from one on times everything but counts.
fn without_clock(verdict: &mut Map<String, Value>) {
    verdict.shift_remove("noise");
    if verdict["by"] == "train_seconds" {
        verdict.retain(|key, _| OF_BITS.contains(&&**key));
        let recipes = verdict["recipes"].as_array_mut().unwrap().iter_mut();
        recipes.for_each(|recipe| recipe.as_object_mut().unwrap().retain(|key, _| OF_BITS.contains(&&**key)));
    }
}

fn without_times(value: &mut Value) {
    match value {
        Value::Object(map) => {
            TIMES.iter().for_each(|key| drop(map.shift_remove(*key)));
            map.retain(|key, _| !key.contains("seconds"));
            if map.contains_key("by") {
                without_clock(map);
            }
            let points = map.get_mut("evaluations").and_then(Value::as_array_mut);
            points.into_iter().flatten().for_each(|point| drop(point[1].take()));
            map.values_mut().for_each(without_times);
        }
        Value::Array(values) => values.iter_mut().for_each(without_times),
        _ => {}
    }
}

/// Returns all files of a run with their bytes or JSON contents, without times.
fn left(run: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = vec![];
    for trial in fs::read_dir(run.join("trials")).unwrap() {
        for file in fs::read_dir(trial.unwrap().path()).unwrap() {
            found.push(file.unwrap().path());
        }
    }
    found.push(run.join("summary.json"));
    found.retain(|path| !path.ends_with("checkpoint")); // the hash of its state is in the summary
    found.sort();
    found.into_iter().map(|path| (path.strip_prefix(run).unwrap().to_owned(), contents(&path))).collect()
}

fn contents(path: &Path) -> Vec<u8> {
    let bytes = fs::read(path).unwrap();
    let is_json = path.extension().is_some_and(|kind| kind == "json" || kind == "jsonl");
    if !is_json {
        return bytes;
    }
    let values = serde_json::Deserializer::from_slice(&bytes).into_iter::<Value>();
    let text = values.map(|value| {
        let mut value = value.unwrap();
        without_times(&mut value);
        if let Some(map) = value.as_object_mut() {
            map.retain(|key, _| {
                !["command", "groups", "run", "began", "limits", "warnings"].contains(&key.as_str())
            }); // the folder's name, and medians of times
        }
        value.to_string()
    });
    text.collect::<Vec<_>>().join("\n").into_bytes()
}

/// 64-bit random generator of Steele, Lea and Flood (SplitMix).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ x >> 31) % limit
    }
}

fn words(run: &str, out: &str) -> Vec<String> {
    let mut words: Vec<String> = run.split_whitespace().map(str::to_owned).collect();
    if !run.contains("--data") {
        words.extend(DATA.map(str::to_owned));
    }
    if !run.contains("--model") {
        words.extend(["--model".into(), "64-12-10".into()]);
    }
    if !run.contains("--checkpoint-every") {
        words.extend(["--checkpoint-every".into(), "0.01s".into()]);
    }
    words.extend(["--out".into(), out.into(), "--threads".into(), "1".into()]);
    words
}

/// Returns true if the memory limit of a run is varied.
fn varies(run: &str) -> bool {
    !run.contains("--memory") && run.contains("packed")
}

/// Returns the command, with an emulated tile unit.
fn command(place: &Place, words: &[&str]) -> std::process::Command {
    let mut command = place.command(words);
    command.env("SCHUSS_AMX", "emulated");
    command
}

/// Starts the command and stops it after `wait`, by SIGKILL or Ctrl-C; returns true if it had already ended.
fn kill(place: &Place, words: &[&str], wait: Duration, at_once: bool) -> bool {
    let mut child = command(place, words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(wait);
    let ended = child.try_wait().unwrap().is_some();
    if at_once {
        child.kill().unwrap_or_default();
    } else if !ended {
        interrupt(&child);
    }
    child.wait().unwrap();
    ended
}

fn interrupt(child: &std::process::Child) {
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
}

/// Returns the files of an uninterrupted run, and its duration.
fn unkilled(place: &Place, index: usize) -> (Vec<(PathBuf, Vec<u8>)>, Duration) {
    let name = format!("whole-{index}");
    let words = words(RUNS[index], &name);
    let begun = Instant::now();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ran = Ran::of(&command(place, &words).output().unwrap());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    (left(&place.join(&name)), begun.elapsed())
}

#[test]
fn a_run_killed_at_any_instant_goes_on_to_the_same_bits() {
    let kills: usize = std::env::var("KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(20);
    let place = Place::new();
    let packed = place.run(&["data", "pack", "digits:train=3000,test=200", "packed.schuss"]);
    assert_eq!(packed.code, 0, "{}", packed.stderr);
    let whole: Vec<_> = (0..RUNS.len().min(kills)).map(|index| unkilled(&place, index)).collect();
    let (mut dice, mut equal, mut died) = (Dice(20), 0, 0);
    for number in 0..kills {
        let index = number % RUNS.len();
        let (expected, lasts) = &whole[index];
        let out = format!("killed-{number}");
        let run = words(RUNS[index], &out);
        let mut next: Vec<&str> = run.iter().map(String::as_str).collect();
        for _ in 0..=dice.below(3) {
            if varies(RUNS[index]) {
                next.extend(["--memory", MEMORY[dice.below(MEMORY.len() as u64) as usize]]);
            }
            let wait = Duration::from_micros(dice.below(lasts.as_micros() as u64));
            died += usize::from(!kill(&place, &next, wait, dice.below(2) == 0));
            if place.join(&out).exists() {
                next = vec!["resume", &out, "--checkpoint-every", "0.02s", "--threads", "2"];
            } else {
                next = run.iter().map(String::as_str).collect();
            }
        }
        let ran = Ran::of(&command(&place, &next).output().unwrap());
        assert_eq!(ran.code, 0, "{out}: {}", ran.stderr);
        let found = left(&place.join(&out));
        for ((path, expected), (other, found)) in expected.iter().zip(&found) {
            assert_eq!(path, other, "{out}: `{}`", RUNS[index]);
            assert!(expected == found, "{out}: {} differs after `{}`", path.display(), RUNS[index]);
        }
        assert_eq!(expected.len(), found.len(), "{out}: files left by `{}`", RUNS[index]);
        equal += 1;
    }
    println!("{equal} of {kills} runs equal to the last bit after {died} kills");
    assert!(died > 0, "no run was killed before it ended");
}

#[test]
fn a_finished_run_says_so_and_a_run_that_is_not_there_is_refused() {
    let place = Place::new();
    assert_eq!(place.small(&["train", "--epochs", "1"]).code, 0);
    let again = place.run(&["resume", "train"]);
    assert!(again.code == 0 && again.stdout.contains("is finished"), "{}", again.stdout);
    let json: Ran = place.run(&["resume", "runs/train", "--json"]);
    assert_eq!(json.json()["trials"][0]["status"], "finished");
    place.run(&["resume", "nothing"]).refused(2, "there is no run");
}

#[test]
fn an_interrupted_run_goes_on_where_it_was_and_only_one_process_may() {
    let place = Place::new();
    const EPOCHS: &str = "10000"; // training is far from its end when the signal comes
    let long =
        [&["train", "--epochs", EPOCHS, "--checkpoint-every", "100000e", "--out", "run"], common::SMALL]
            .concat();
    let child = place.command(&long).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let log = place.join("run/trials/01-batch-100-sgd-lr-0-1-1/metrics.jsonl");
    while fs::read(&log).map_or(0, |log| log.len()) < 1_000 {
        std::thread::sleep(Duration::from_millis(5));
    }
    place.run(&["resume", "run"]).refused(1, "another process is at work on this run");
    let mut child = child;
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let moved = place.join("elsewhere");
    fs::rename(place.join("run"), &moved).unwrap();
    let ran = place.run(&["resume", "elsewhere"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("continues in epoch"), "{}", ran.stderr);
    let whole = [&["train", "--epochs", EPOCHS, "--out", "whole"], common::SMALL].concat();
    assert_eq!(place.run(&whole).code, 0);
    assert!(left(&moved) == left(&place.join("whole")));
}

/// Starts and kills a run, and returns its newest checkpoint.
fn killed_run(place: &Place) -> PathBuf {
    let long =
        [&["train", "--epochs", "300", "--checkpoint-every", "5u", "--out", "run"], common::SMALL].concat();
    let mut child = place.command(&long).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let checkpoint = place.join("run/trials/01-batch-100-sgd-lr-0-1-1/checkpoint");
    while !checkpoint.with_extension("previous").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    checkpoint
}

#[test]
fn a_damaged_checkpoint_gives_way_to_the_one_before_it_and_two_to_the_start() {
    let place = Place::new();
    let checkpoint = killed_run(&place);
    let previous = checkpoint.with_extension("previous");
    if !checkpoint.exists() {
        fs::copy(&previous, &checkpoint).unwrap(); // killed between two renames
    }
    let mut bytes = fs::read(&checkpoint).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&checkpoint, &bytes).unwrap();
    let ran = place.run(&["resume", "run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("its checksum is wrong"), "{}", ran.stderr);

    let place = Place::new();
    let checkpoint = killed_run(&place);
    for path in [&checkpoint, &checkpoint.with_extension("previous")] {
        fs::write(path, b"schuss").unwrap();
    }
    let ran = place.run(&["resume", "run"]);
    assert!(ran.code == 0 && ran.stderr.contains("too short"), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(checkpoint.with_file_name("metrics.jsonl")).unwrap().lines().count(), 301);
}

#[test]
fn a_run_interrupted_within_an_update_goes_on_as_the_command_advises() {
    let place = Place::new();
    let packed = place.run(&["data", "pack", "digits:train=3000,test=200", "packed.schuss"]);
    assert_eq!(packed.code, 0, "{}", packed.stderr);
    let run = ["train", "--data", "packed.schuss", "--model", "784-30-10", "--update", "batch:1000"];
    let whole = [&run[..], &["--epochs", "40", "--out", "whole"]].concat();
    assert_eq!(place.run(&whole).code, 0);
    for wait in [40, 110, 170, 240] {
        let out = format!("run {wait}");
        let limits = ["--epochs", "40", "--memory", "12MiB", "--threads", "1", "--out", &out];
        let child = place
            .command(&[&run[..], &limits].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        while !place.join(&out).join("trials").exists() {
            std::thread::sleep(Duration::from_millis(1));
        }
        std::thread::sleep(Duration::from_millis(wait));
        interrupt(&child);
        let stdout = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        if let Some(advice) =
            stdout.lines().find_map(|line| line.strip_prefix("continue with: schuss resume "))
        {
            assert_eq!(advice, format!("'{out}'"));
            let ran = place.run(&["resume", &out]);
            assert_eq!(ran.code, 0, "{}", ran.stderr);
            assert!(ran.stderr.contains("as before: --memory 12MiB"), "{}", ran.stderr);
            assert!(ran.stderr.contains("--threads 1"), "{}", ran.stderr);
            let elsewhere = fs::read_to_string(place.join(&out).join("limits.toml")).unwrap();
            assert!(elsewhere.contains("memory = 12582912"), "{elsewhere}");
        }
        assert!(left(&place.join(&out)) == left(&place.join("whole")), "after {wait} ms");
    }
}
