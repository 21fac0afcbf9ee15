//! Seeds: as many as it takes to decide, and what they vary.

mod common;

use common::Place;
use serde_json::{Value, json};
use std::fs;

/// Two optimizers of which one is far better, compared with as many seeds as that takes.
const AUTO: &[&str] = &[
    "compare",
    "--optimizer",
    "adam:lr=0.01",
    "--optimizer",
    "sgd:lr=0.001",
    "--epochs",
    "2",
    "--seeds",
    "auto",
];

/// A table of 90 rows with two numbers and one of three classes.
fn table(place: &Place) {
    let row = |i: usize| format!("{},{},{}\n", i % 7, (i * 5) % 11, ["ant", "bee", "cat"][i % 3]);
    fs::write(place.join("t.csv"), format!("a,b,kind\n{}", (0..90).map(row).collect::<String>())).unwrap();
}

/// Compares two rates on the table and returns the summary.
fn on_table(place: &Place, more: &[&str]) -> Value {
    table(place);
    let args = ["compare", "--data", "t.csv", "--model", "in-6-out", "--epochs", "2", "--json"];
    let rates = ["--optimizer", "sgd:lr=0.1", "--optimizer", "sgd:lr=0.5"];
    let ran = place.run(&[&args[..], &rates[..], more].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()
}

fn seeds(summary: &Value) -> Vec<u64> {
    let trials = summary["trials"].as_array().unwrap();
    let mut seeds: Vec<u64> = trials.iter().map(|trial| trial["seed"].as_u64().unwrap()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    seeds
}

#[test]
fn seeds_are_added_until_the_leader_is_sure_and_the_report_says_the_same() {
    let place = Place::new();
    let ran = place.small(&[AUTO, &["--out", "run", "--json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let summary = ran.json();
    let (verdict, looks) = (&summary["verdict"], &summary["study"]["looks"]);
    assert_eq!(looks, &json!([3, 5, 8, 12, 20]));
    assert_eq!((&verdict["sure"], &verdict["spending"]["next"]), (&json!(true), &Value::Null));
    let last = verdict["spending"]["looks"].as_array().unwrap().last().unwrap()["seeds"].as_u64().unwrap();
    assert_eq!(seeds(&summary), (1..=last).collect::<Vec<_>>());
    assert!(ran.stderr.contains(&format!("{last} seeds: decided, ")), "{}", ran.stderr);
    assert_eq!(place.run(&["report", "run", "--json"]).json(), summary);
    assert!(place.run(&["resume", "run"]).stdout.contains("is finished"));
    let study = fs::read_to_string(place.join("run/study.toml")).unwrap();
    assert!(study.contains("seeds = \"auto\""), "{study}");
}

#[test]
fn recipes_that_are_not_decided_go_on_and_progress_says_so() {
    let place = Place::new();
    let orders = ["compare", "--order", "shuffled", "--order", "replacement", "--tie", "0%"];
    let ran = place.small(
        &[&orders[..], &["--update", "batch:20", "--epochs", "1", "--seeds", "auto", "--json"]].concat(),
    );
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("3 seeds: not yet decided, "), "{}", ran.stderr);
    assert!(ran.stderr.contains(" go on to 5 seeds"), "{}", ran.stderr);
    assert!(seeds(&ran.json()).len() >= 5);
}

#[test]
fn a_time_limit_ends_a_run_with_a_verdict_and_nothing_is_lost() {
    let place = Place::new();
    let long = [
        "compare",
        "--optimizer",
        "adam",
        "--optimizer",
        "sgd",
        "--update",
        "sample",
        "--epochs",
        "4000",
        "--seeds",
        "auto",
        "--time-limit",
        "1s",
        "--out",
        "run",
        "--json",
    ];
    let ran = place.small(&long);
    assert_eq!(ran.code, 130, "no trial has ended: {}", ran.stderr);
    assert!(ran.stderr.contains("The time limit is up: 0 trials ended."), "{}", ran.stderr);
    assert!(ran.stderr.contains("continue with: schuss resume run"), "{}", ran.stderr);
    let summary = ran.json();
    let words = summary["verdict"]["sentences"].to_string();
    assert!(words.contains("The first look, at 3 seeds, is not complete"), "{words}");
    assert_eq!(summary["trials"][0]["status"], "interrupted");
    let again = place.run(&["resume", "run", "--time-limit", "1s"]);
    assert!(again.code == 130 && again.stderr.contains("continues in epoch"), "{}", again.stderr);
}

#[test]
fn a_time_limit_after_which_a_trial_has_ended_is_no_interruption() {
    let place = Place::new();
    let trials =
        ["--trial", "optimizer=sgd epochs=1", "--trial", "optimizer=adam epochs=100000 update=sample"];
    let ran = place.small(&[&["compare"], &trials[..], &["--time-limit", "2s", "--out", "run"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("The time limit is up: 1 trial ended."), "{}", ran.stdout);
    assert!(ran.stdout.contains("continue with: schuss resume run"), "{}", ran.stdout);
}

#[test]
fn a_study_file_may_have_a_number_of_seeds() {
    let place = Place::new();
    fs::write(place.join("two.toml"), "seeds = 2\n").unwrap();
    assert_eq!(seeds(&place.small(&["compare", "./two.toml", "--epochs", "1", "--json"]).json()), [1, 2]);
    fs::write(place.join("none.toml"), "seeds = 0\n").unwrap();
    place.small(&["compare", "./none.toml"]).refused(2, "a number of seeds from 1");
}

#[test]
fn every_fold_holds_out_other_rows_and_has_a_seed() {
    let place = Place::new();
    let summary = on_table(&place, &["--folds", "3x2", "--out", "folds"]);
    assert_eq!(seeds(&summary), [1, 2, 3, 4, 5, 6]);
    assert_eq!(summary["data"]["resampled"], json!({"folds": "3x2", "splits": ["test"]}));
    assert_eq!(summary["data"]["counts"], json!({"train": 60, "test": 30}));
    let held_out = |name: &str| -> Vec<&Value> {
        let trials = summary["trials"].as_array().unwrap().iter();
        trials.filter(|trial| trial["name"] == name).map(|trial| &trial["held_out"]).collect()
    };
    let [slow, fast] = ["sgd:lr=0.1", "sgd:lr=0.5"].map(held_out);
    assert_eq!(slow, fast, "recipes are compared on the same folds");
    let mut hashes: Vec<String> = slow.iter().map(|hash| hash.to_string()).collect();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 6);
    let words = summary["verdict"]["sentences"].to_string();
    assert!(words.contains("the held-out fold (3 folds, repeated twice)"), "{words}");
    assert!(words.contains("corrected resampled t test"), "{words}");
    let again = place.run(&["resume", "folds", "--epochs", "3", "--json"]).json();
    assert_eq!(again["trials"][0]["held_out"], summary["trials"][0]["held_out"]);
    assert_eq!(again["trials"][3]["updates"], json!(3));
}

#[test]
fn with_resample_every_seed_draws_its_split_and_its_model_is_evaluated_on_that() {
    let place = Place::new();
    let summary = on_table(&place, &["--resample", "--validation", "0.1", "--seeds", "3", "--out", "run"]);
    assert_eq!(summary["data"]["resampled"]["splits"], json!(["test", "validation"]));
    let varies = "initial weights, order of samples and the split into training, validation and test samples";
    assert_eq!(summary["verdict"]["seed_varies"], varies);
    for trial in summary["trials"].as_array().unwrap() {
        let model = format!("run/{}", trial["model"].as_str().unwrap());
        let scores = place.run(&["eval", &model, "--json"]).json();
        assert_eq!(scores["samples"], 18);
        assert_eq!(scores["accuracy"], trial["test"]["accuracy"], "seed {}", trial["seed"]);
        let loss = |scores: &Value| scores["loss"].as_f64().unwrap();
        assert!((loss(&scores) - loss(&trial["test"])).abs() < 1e-6, "seed {}", trial["seed"]);
    }
    let fixed = on_table(&place, &["--validation", "0.1", "--seeds", "3", "--out", "fixed"]);
    assert_eq!(fixed["trials"][0]["state"], summary["trials"][0]["state"], "seed 1 has the usual split");
    assert_ne!(fixed["trials"][2]["state"], summary["trials"][2]["state"]);
    place.run(&["report", "run", "fixed"]).refused(2, "their ways of drawing splits differ");
}

#[test]
fn seeds_folds_and_time_limits_that_mean_nothing_are_refused() {
    let place = Place::new();
    table(&place);
    fs::write(place.join("rare.csv"), "a,kind\n1,x\n2,x\n3,x\n4,x\n5,x\n6,y\n7,y\n8,y\n").unwrap();
    for (code, args, part) in [
        (2, &["compare", "--seeds", "0"][..], "neither auto nor a number of seeds"),
        (2, &["compare", "--seeds", "many"], "5 for seeds 1 to 5, or auto"),
        (2, &["train", "--seeds", "auto"], "train takes one recipe, but --seeds makes several"),
        (
            2,
            &["train", "--data", "t.csv", "--folds", "5"],
            "train takes one recipe, but --folds makes several",
        ),
        (2, &["compare", "--data", "t.csv", "--folds", "1x2"], "fewer than two folds"),
        (2, &["compare", "--data", "t.csv", "--folds", "five"], "not a number of folds"),
        (2, &["compare", "--data", "t.csv", "--folds", "5", "--seeds", "3"], "one seed per fold"),
        (2, &["compare", "--data", "t.csv", "--folds", "5", "--resample"], "two ways to choose"),
        (
            2,
            &["compare", "--data", "t.csv", "--resample", "--optimizer", "sgd", "--tune", "lr"],
            "tune first",
        ),
        (2, &["compare", "--data", "digits:train=40,test=10", "--resample"], "whose test split is given"),
        (
            2,
            &["compare", "--data", "digits:train=400,test=10", "--folds", "5", "--validation", "0.1"],
            "the validation split",
        ),
        (
            3,
            &["compare", "--data", "rare.csv", "--folds", "5"],
            "5 folds need 5 samples of every class, but `y` has 3",
        ),
        (2, &["compare", "--data", "t.csv", "--folds", "-1"], "is not a number of folds"),
        (2, &["compare", "--time-limit", "10"], "90s, 10m or 1.5h"),
        (2, &["compare", "--time-limit", "-5s"], "`-5s` is not a time"),
        (2, &["compare", "--time-limit", "0s"], "is not a time"),
    ] {
        place.run(args).refused(code, part);
    }
    assert!(!place.join("runs").exists(), "nothing is left behind");
}
