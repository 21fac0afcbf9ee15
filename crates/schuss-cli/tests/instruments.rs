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

/// Arguments of a comparison with a plane.
fn plane<'a>(choices: &[&'a str], out: &'a str) -> Vec<&'a str> {
    [&["compare", "--instrument", "plane", "--epochs", "3", "--out", out, "--json"], choices].concat()
}

#[test]
fn a_racer_that_explodes_neither_spoils_the_plane_of_the_others_nor_the_record() {
    let place = Place::new();
    let choices = ["--optimizer", "sgd:lr=0.1", "--optimizer", "adam", "--optimizer", "sgd:lr=10"];
    let with = place.small(&plane(&choices, "with")).json();
    let without = place.small(&plane(&choices[..4], "without")).json();
    let [with, without] = [&with["surfaces"][0], &without["surfaces"][0]];
    let width =
        |surface: &serde_json::Value| surface["w1"][1].as_f64().unwrap() - surface["w1"][0].as_f64().unwrap();
    assert!((width(with) / width(without)).ln().abs() < 1.0, "{} {}", width(with), width(without));
    let exploded = &with["paths"][2];
    assert_eq!(exploded["points"].as_array().unwrap().len(), 1, "{exploded}");
    assert!(exploded["verdict"].as_str().unwrap().contains("are left out"), "{exploded}");
    assert_eq!(place.run(&["report", "with", "--json"]).code, 0);
    assert_eq!(place.run(&["resume", "with"]).code, 0);
}

#[test]
fn a_loss_of_a_plane_that_is_not_finite_is_null_and_can_be_read() {
    let place = Place::new();
    assert_eq!(place.small(&plane(&["--optimizer", "sgd:lr=0.1", "--optimizer", "adam"], "run")).code, 0);
    let path = place.join("run/summary.json");
    let mut summary: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    summary["surfaces"][0]["values"][7] = serde_json::Value::Null;
    std::fs::write(&path, summary.to_string()).unwrap();
    let reported = place.run(&["report", "run", "--json"]);
    assert_eq!(reported.code, 0, "{}", reported.stderr);
    assert!(reported.json()["surfaces"][0]["values"][7].is_null());
}

#[test]
fn racers_that_cannot_share_the_plane_are_counted_beforehand_and_in_its_title() {
    let place = Place::new();
    for axis in [["--model", "64-12-10", "--model", "64-8-10"], ["--loss", "mse", "--loss", "cross-entropy"]]
    {
        let (data, model) = (["--data", "digits:train=400,test=100,size=8"], ["--model", "64-12-10"]);
        let model = if axis[0] == "--model" { &[][..] } else { &model };
        let ran = place.run(&[&plane(&axis, axis[1])[..], &data, model].concat());
        assert!(ran.stderr.contains("the plane leaves out 1 of 2 recipes"), "{}", ran.stderr);
        let surface = &ran.json()["surfaces"][0];
        assert_eq!(surface["title"], "The loss over the plane that 1 of 2 racers share");
        assert!(surface["lesson"].as_str().unwrap().contains("another network or loss"), "{surface}");
    }
}

#[test]
fn a_plane_holds_a_few_points_of_a_path_of_any_length_and_they_count_as_memory() {
    let place = Place::new();
    let run = |epochs: &str, out: &str| {
        place.small(&["train", "--instrument", "plane", "--epochs", epochs, "--out", out, "--json"]).json()
    };
    let summary = run("40", "whole");
    let surface = &summary["surfaces"][0];
    let points = surface["paths"][0]["points"].as_array().unwrap().len();
    assert!((7..=13).contains(&points), "{points}");
    let epochs = [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40];
    assert_eq!(surface["paths"][0]["reached"], serde_json::json!(epochs));
    let page = std::fs::read_to_string(place.join("whole/report.html")).unwrap();
    assert!(page.contains("Error after some of the epochs") && !page.contains("Error after every epoch"));
    let memory = &summary["trials"][0]["memory"];
    let [held, weights] = ["instruments", "parameters"].map(|key| memory[key].as_u64().unwrap());
    assert!(held >= 14 * weights, "{memory}");
    run("25", "resumed");
    let resumed = place.run(&["resume", "resumed", "--epochs", "40", "--json"]).json();
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
