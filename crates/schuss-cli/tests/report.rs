//! `schuss report`: the verdict of finished runs, made anew.

mod common;

use common::Place;
use serde_json::{Value, json};

/// Compares two optimizers with two seeds to a target that both meet, in the folder `out`.
fn race(place: &Place, out: &str, seeds: &str) -> Value {
    let args =
        ["compare", "--optimizer", "sgd:lr=0.1", "--optimizer", "adam:lr=0.01", "--epochs", "3", "--json"];
    let target = ["--target", "eval_accuracy>=0.15", "--eval-every", "1", "--seed", seeds, "--out", out];
    let ran = place.small(&[&args[..], &target[..]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran.json()
}

#[test]
fn report_makes_the_verdict_of_summary_json_anew_and_prints_the_whole_summary() {
    let place = Place::new();
    let summary = race(&place, "run", "1,2");
    assert_eq!(summary["verdict"]["by"], "train_seconds");
    assert_eq!(summary["verdict"]["recipes"].as_array().unwrap().len(), 2);
    let trials = summary["trials"].as_array().unwrap();
    assert!(trials.iter().all(|trial| trial["role"] == "race"), "{trials:?}");
    let trial = trials.iter().find(|trial| trial["status"] == "target").unwrap();
    let last = trial["evaluations"].as_array().unwrap().last().unwrap();
    assert_eq!(last[0], trial["target"]["updates"]);
    assert_eq!(last[1], trial["target"]["seconds"]);
    assert!(last[2].as_f64().unwrap() >= 0.15);
    for file in ["study.toml", "trials", "report.html", "charts"] {
        let path = place.join("run").join(file);
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
    }
    let again = place.run(&["report", "run", "--json"]);
    assert_eq!((again.code, again.json()), (0, summary.clone()), "from summary.json alone");
    assert_eq!(place.run(&["report", "run/summary.json", "--json"]).json(), summary);

    let wide = place.run(&["report", "run", "--json", "--tie", "90%"]).json();
    assert_eq!(wide["verdict"]["tie"], 0.9);
    assert_eq!(wide["trials"], summary["trials"]);
    place.run(&["report", "run", "--tie", "lots"]).refused(2, "5% or 0.05");

    let text = place.run(&["report", "run"]).stdout;
    let lead = summary["verdict"]["sentences"][0].as_str().unwrap();
    assert!(text.starts_with(lead), "{text}");
    assert!(text.contains("P(best)") && !text.contains("s/epoch"), "{text}");
    assert!(place.run(&["report", "run", "-v"]).stdout.contains("s/epoch"));
}

#[test]
fn compare_leads_with_the_verdict_and_takes_a_tie() {
    let place = Place::new();
    let ran = place.small(&[
        "compare",
        "--optimizer",
        "sgd",
        "--optimizer",
        "adam",
        "--epochs",
        "1",
        "--tie",
        "7%",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let file = std::fs::read_to_string(place.join("runs/compare/summary.json")).unwrap();
    let verdict = serde_json::from_str::<Value>(&file).unwrap()["verdict"].clone();
    assert!((verdict["tie"].as_f64().unwrap() - 0.07).abs() < 1e-12);
    assert_eq!((&verdict["by"], &verdict["target"]), (&json!("eval_loss"), &Value::Null));
    let lead = verdict["sentences"][0].as_str().unwrap();
    let (before, table) = (ran.stdout.find(lead).unwrap(), ran.stdout.find("P(best)").unwrap());
    assert!(before < table, "{}", ran.stdout);
    assert!(ran.stdout.contains("With one seed per recipe this decides nothing"), "{}", ran.stdout);
    let page = std::fs::read_to_string(place.join("runs/compare/report.html")).unwrap();
    assert!(page.contains("P(best)") && page.contains("class=\"lead\""));
    let again = place.run(&["report", "compare", "--json"]).json();
    assert_eq!(again["verdict"], verdict, "the tie of the run is kept");
}

#[test]
fn runs_of_one_workload_are_merged_and_a_trial_twice_is_refused() {
    let place = Place::new();
    race(&place, "one", "1,2");
    race(&place, "two", "3,4");
    let merged = place.run(&["report", "one", "two", "--json"]).json();
    assert_eq!(merged["trials"].as_array().unwrap().len(), 8);
    let recipes = merged["verdict"]["recipes"].as_array().unwrap();
    assert!(recipes.len() == 2 && recipes.iter().all(|recipe| recipe["trials"] == 4), "{recipes:?}");
    assert_eq!(merged["groups"][0]["seeds"], json!([1, 2, 3, 4]));
    place.run(&["report", "one", "two", "one"]).refused(2, "both have");
}

#[test]
fn runs_of_different_workloads_are_refused() {
    let place = Place::new();
    race(&place, "one", "1");
    let other = ["--data", "digits:train=300,test=100,size=8", "--model", "64-12-10"];
    assert_eq!(place.run(&[&["train", "--epochs", "1", "--out", "two"], &other[..]].concat()).code, 0);
    place.run(&["report", "one", "two"]).refused(2, "different workloads: their data differ");
}

#[test]
fn a_missing_or_damaged_summary_is_named() {
    let place = Place::new();
    race(&place, "run", "1");
    let file = place.join("run/summary.json");
    let text = std::fs::read_to_string(&file).unwrap();
    for damaged in [&text[..text.len() / 2], "", "[]", "{}"] {
        std::fs::write(&file, damaged).unwrap();
        let ran = place.run(&["report", "run", "--json"]);
        ran.refused(3, "run/summary.json");
        assert_eq!(ran.stdout, "");
    }
    std::fs::write(&file, text.replacen("\"schema\": 1", "\"schema\": 99", 1)).unwrap();
    place.run(&["report", "run"]).refused(3, "schema 99");
    std::fs::remove_file(&file).unwrap();
    place.run(&["report", "run"]).refused(3, "run/summary.json");
    place.run(&["report", "nowhere"]).refused(2, "there is no run");
}
