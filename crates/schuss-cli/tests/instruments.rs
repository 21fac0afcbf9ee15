//! `--instrument`: readings in records, logs and the page, repeated by a resumed run.

mod common;

use common::Place;

#[test]
fn readings_stand_in_the_summary_the_log_the_table_of_metrics_and_the_page() {
    let place = Place::new();
    let args = ["train", "--instrument", "update-ratio,dead-units", "--epochs", "2", "--json"];
    let summary = place.small(&args).json();
    let epochs = summary["trials"][0]["epochs"].as_array().unwrap();
    assert!(epochs[2]["metrics"]["update_ratio.0"].as_f64().unwrap() > 0.0);
    assert!(epochs[2]["metrics"]["update_ratio.2"].is_f64() && epochs[0]["metrics"]["dead_units.1"].is_f64());
    let group = &summary["groups"][0]["metrics"]["update_ratio.0"];
    assert_eq!(group["median"], epochs[2]["metrics"]["update_ratio.0"]);
    let read = |name: &str| std::fs::read_to_string(place.join("runs/train").join(name)).unwrap();
    assert!(read("metrics.csv").lines().next().unwrap().contains("dead_units.1"));
    assert!(read("study.toml").contains("instrument"));
    let page = read("report.html");
    for title in ["Size of an update relative to the weights, layer 2", "Dead units, layer 1"] {
        assert!(page.contains(title), "{title}");
    }
    let trial = std::fs::read_dir(place.join("runs/train/trials")).unwrap().next().unwrap().unwrap();
    let log = std::fs::read_to_string(trial.path().join("metrics.jsonl")).unwrap();
    assert_eq!(log.matches("\"dead_units.1\"").count(), 3);
}

#[test]
fn a_run_that_goes_on_reads_its_instruments_again() {
    let place = Place::new();
    assert_eq!(place.small(&["train", "--instrument", "dead-units", "--epochs", "1"]).code, 0);
    let resumed = place.run(&["resume", "runs/train", "--epochs", "3", "--json"]).json();
    let epochs = resumed["trials"][0]["epochs"].as_array().unwrap();
    assert!(epochs.len() == 4 && epochs[3]["metrics"]["dead_units.1"].is_f64(), "{epochs:?}");
}

#[test]
fn an_unknown_instrument_is_answered_with_the_nearest_and_the_list() {
    let place = Place::new();
    place.small(&["train", "--instrument", "dead-unit"]).refused(2, "did you mean `dead-units`?");
    place.small(&["train", "--instrument", ""]).refused(2, "update-ratio,dead-units");
    place.small(&["train", "--instrument", "plane,plane"]).refused(2, "duplicate `plane`");
    assert!(place.run(&["list", "instruments"]).stdout.contains("update-ratio"));
    assert!(place.run(&["explain", "dead-units"]).stdout.contains("f′(xⱼ) = 0"));
}

#[test]
fn racers_share_a_plane_with_their_paths_and_a_resumed_run_has_the_same() {
    let place = Place::new();
    let args = [
        "compare",
        "--optimizer",
        "sgd:lr=0.1",
        "--optimizer",
        "adam",
        "--seeds",
        "2",
        "--instrument",
        "plane",
    ];
    let run = |epochs: &str, out: &str| {
        place.small(&[&args[..], &["--epochs", epochs, "--out", out, "--json"]].concat())
    };
    let summary = run("3", "whole").json();
    let surface = &summary["surfaces"][0];
    assert_eq!((&surface["name"], surface["values"].as_array().unwrap().len()), (&"plane".into(), 625));
    assert!(surface["equation"].as_str().unwrap().contains("% of the variance"), "{surface}");
    let paths = surface["paths"].as_array().unwrap();
    assert_eq!(paths.len(), 2, "one path per recipe, of the first seed");
    assert_eq!(paths[0]["points"].as_array().unwrap().len(), 4);
    assert_eq!(paths[0]["values"][0], paths[1]["values"][0], "racers start at the same weights");
    let page = std::fs::read_to_string(place.join("whole/report.html")).unwrap();
    assert!(
        page.contains("The loss over the plane that all racers share")
            && page.contains("Error after every epoch")
    );

    assert_eq!(run("1", "resumed").code, 0);
    let resumed = place.run(&["resume", "resumed", "--epochs", "3", "--json"]).json();
    assert_eq!(&resumed["surfaces"][0], surface);
}

#[test]
fn a_diverged_trial_says_how_far_its_rate_was_past_the_stability_bound() {
    let place = Place::new();
    let ran = place.small(&["train", "--optimizer", "sgd:lr=1e30", "--epochs", "1", "--json"]);
    let bound = &ran.json()["trials"][0]["diverged"]["stability"];
    assert!(bound["ratio"].as_f64().unwrap() > 1.0 && bound["sharpness"].as_f64().unwrap() > 0.0, "{bound}");
    assert_eq!((&bound["descent"], &bound["samples"]), (&"plain".into(), &400.into()), "{bound}");
    assert!(ran.stderr.contains("times the stability bound of gradient descent, 2 / λ"), "{}", ran.stderr);
}
