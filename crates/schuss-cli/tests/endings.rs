//! Endings of trials, and exit codes.

mod common;

use common::{Place, Ran, SMALL};
use std::process::Stdio;
use std::time::{Duration, Instant};

#[test]
fn a_diverging_trial_names_its_update_and_exits_with_4_if_all_do() {
    let place = Place::new();
    let ran = place.small(&["train", "--optimizer", "sgd:lr=1e30", "--json", "--epochs", "3"]);
    assert_eq!(ran.code, 4, "{}", ran.stderr);
    let trial = &ran.json()["trials"][0];
    assert_eq!(trial["status"], "diverged");
    assert!(trial["diverged"]["update"].as_u64().unwrap() >= 1 && trial["diverged"]["layer"].is_string());
    assert!(!ran.stdout.contains("NaN") && !ran.stdout.contains("inf"), "no NaN is reported");
    assert!(ran.stderr.contains("diverged at update"));
    let some = place.small(&["compare", "--optimizer", "sgd:lr=1e30", "--optimizer", "sgd", "--epochs", "1"]);
    assert_eq!(some.code, 0, "one that did not diverge is a result");
}

#[test]
fn a_target_ends_the_trial_unless_told_to_go_beyond() {
    let place = Place::new();
    let target =
        ["--target", "eval_accuracy>=0.2", "--eval-every", "1", "--optimizer", "adam:lr=0.01", "--json"];
    let ends = place.small(&[&["train"], &target[..]].concat()).json();
    assert_eq!(ends["trials"][0]["status"], "target");
    assert!(ends["trials"][0]["target"]["seconds"].is_f64());
    let goes_on = place.small(&[&["train", "--beyond-target", "--epochs", "4"], &target[..]].concat()).json();
    assert_eq!(goes_on["trials"][0]["status"], "finished");
    assert_eq!(goes_on["trials"][0]["epochs"].as_array().unwrap().len(), 5);
}

#[test]
fn a_missed_target_exits_with_5_only_when_required() {
    let place = Place::new();
    let target = ["train", "--target", "eval_accuracy>=1", "--epochs", "1"];
    assert_eq!(place.small(&target).code, 0);
    assert_eq!(place.small(&[&target[..], &["--require-target"]].concat()).code, 5);
}

#[test]
fn a_stop_condition_ends_the_trial_as_stopped() {
    let place = Place::new();
    let summary = place.small(&["train", "--stop", "train_loss<100", "--json"]).json();
    assert_eq!(summary["trials"][0]["status"], "stopped");
    assert_eq!(summary["trials"][0]["epochs"].as_array().unwrap().len(), 2);
}

/// Few samples, soon memorised.
const FEW: &[&str] = &[
    "train",
    "--data",
    "digits:train=60,test=200,size=8,seed=3",
    "--model",
    "64-40-10",
    "--optimizer",
    "adam:lr=0.01",
    "--update",
    "batch:20",
    "--epochs",
    "200",
];

#[test]
fn an_early_stop_ends_the_trial_as_stopped_says_what_it_looked_at_and_keeps_the_best_weights() {
    let place = Place::new();
    let ran = place.run(&[FEW, &["--early-stop", "gl:5", "--json"]].concat());
    let summary = ran.json();
    let trial = &summary["trials"][0];
    assert_eq!((ran.code, &trial["status"]), (0, &"stopped".into()), "{}", ran.stderr);
    assert!(trial["epochs"].as_array().unwrap().len() < 200);
    assert_eq!(trial["overfitted"], true);
    let (point, best) = (&trial["overfitting"], &trial["best"]);
    for key in ["epoch", "updates", "eval_loss"] {
        assert_eq!(point[key], best[key], "{trial}");
    }
    assert!(point["generalisation_loss"].as_f64().unwrap() > 5.0 && best["epoch"].as_u64().unwrap() > 0);
    let optimistic = "early stopping looks at the test split";
    assert!(summary["warnings"].to_string().contains(optimistic), "{}", summary["warnings"]);
    let folder = place.join("runs/train");
    let weights = |name: &str| std::fs::read(folder.join(name)).unwrap();
    assert_ne!(weights(best["model"].as_str().unwrap()), weights(trial["model"].as_str().unwrap()));
    let page = String::from_utf8(weights("report.html")).unwrap();
    assert!(page.contains("over-fitting") && page.contains(&format!("epoch {}", best["epoch"])));

    let printed = place.run(&[FEW, &["--early-stop", "gl:5", "--out", "printed"]].concat()).stderr;
    assert!(printed.contains(optimistic), "{printed}");

    let held_out = &["--early-stop", "gl:5", "--validation", "0.5", "--json", "--out", "held-out"];
    let summary = place.run(&[FEW, held_out].concat()).json();
    assert!(!summary["warnings"].to_string().contains(optimistic), "{}", summary["warnings"]);
}

#[test]
fn an_early_stop_that_cannot_act_or_is_unknown_is_refused() {
    let place = Place::new();
    place.small(&["train", "--early-stop", "up:3"]).refused(2, "cannot stop before epoch 15");
    place.small(&["train", "--early-stop", "patience:3"]).refused(2, "one of: gl pq up");
    place.small(&["train", "--patience", "3"]).refused(2, "--early-stop up:s=3,k=1");
    assert!(place.run(&["list", "early-stop"]).stdout.contains("pq"));
}

/// Starts a long run and sends `signal` once it trains.
fn interrupt(signal: &str) -> (Ran, Place) {
    let place = Place::new();
    let args = [&["train", "--epochs", "100000", "--json"], SMALL].concat();
    let child = place.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let begun = Instant::now();
    while !place.join("runs/train/trials/01-batch-100-sgd-lr-0-1-1/metrics.jsonl").exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "training never began");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
    std::process::Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    (Ran::of(&child.wait_with_output().unwrap()), place)
}

#[test]
#[cfg(unix)]
fn ctrl_c_and_term_record_what_is_known_and_exit_with_130_and_143() {
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let (ran, place) = interrupt(signal);
        assert_eq!(ran.code, code, "{}", ran.stderr);
        let summary = ran.json();
        let trial = &summary["trials"][0];
        assert_eq!(trial["status"], "interrupted");
        assert!(trial["updates"].as_u64().unwrap() > 0);
        assert!(place.join("runs/train").join(trial["model"].as_str().unwrap()).exists());
        assert!(place.join("runs/train/report.html").exists());
    }
}

#[test]
fn a_reader_that_goes_away_does_not_stop_the_training() {
    let place = Place::new();
    let args = [&["train", "--epochs", "20"], SMALL].concat();
    let mut child = place.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(place.join("runs/train/summary.json").exists());
}

#[test]
fn completions_and_man_page_come_from_the_same_definitions() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let ran = place.run(&["completions", shell]);
        assert!(ran.code == 0 && ran.stdout.contains("eval-every"), "{shell}");
    }
    assert!(place.run(&["man"]).stdout.contains(".TH schuss"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_summary_that_stdout_does_not_take_is_a_failure() {
    let place = Place::new();
    let args = [&["train", "--epochs", "1", "--json"], SMALL].concat();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = place.command(&args).stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_run_that_lost_its_page_gets_it_by_resume_and_still_misses_the_target_it_requires() {
    let place = Place::new();
    let flags = ["train", "--epochs", "1", "--target", "eval_accuracy>=1", "--require-target"];
    assert_eq!(place.small(&flags).code, 5);
    let page = place.join("runs/train/report.html");
    std::fs::remove_file(&page).unwrap();
    let resumed = place.run(&["resume", "runs/train"]);
    assert!(resumed.code == 5 && page.is_file(), "{} {}", resumed.code, resumed.stderr);
}
