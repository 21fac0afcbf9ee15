//! `compare --tune` as a user sees it.

mod common;

use common::Place;
use std::fs;

#[test]
fn a_tuned_comparison_says_what_it_holds_out_what_it_chose_and_what_that_cost() {
    let place = Place::new();
    let args = ["compare", "--optimizer", "sgd", "--optimizer", "adam", "--tune", "lr", "--epochs", "2"];
    let ran = place.small(&[&args[..], &["--out", "run", "--json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in [
        "a tenth of the training samples",
        "tuning lr of 2 recipes",
        "probes choose",
        "not counted in the times",
    ] {
        assert!(ran.stderr.contains(part), "`{part}` is not in: {}", ran.stderr);
    }
    let summary = ran.json();
    assert_eq!(summary["data"]["eval_split"], "validation");
    assert_eq!(summary["data"]["counts"]["validation"], 40);
    let tuning = &summary["tuning"];
    let names: Vec<&str> =
        summary["groups"].as_array().unwrap().iter().map(|group| group["name"].as_str().unwrap()).collect();
    for recipe in tuning["recipes"].as_array().unwrap() {
        assert!(names.contains(&recipe["at_best"].as_str().unwrap()), "{names:?}");
        assert_eq!(recipe["cost"]["probes"], tuning["recipes"][0]["cost"]["probes"]);
    }
    let study = fs::read_to_string(place.join("run/study.toml")).unwrap();
    let chosen = &tuning["recipes"][0]["chosen"]["lr"];
    assert!(study.contains(&format!("sgd:lr={chosen}")), "{study}");
    assert!(place.join("run/charts/tuning-loss.svg").is_file());
    assert!(
        !place
            .join("run/tuning")
            .read_dir()
            .unwrap()
            .any(|file| { file.unwrap().path().extension().is_some_and(|ending| ending == "safetensors") })
    );
    let again = place.small(&[&args[..], &["--out", "again", "--json"]].concat()).json();
    assert_eq!(again["tuning"]["recipes"][0]["chosen"], tuning["recipes"][0]["chosen"]);
    assert_eq!(again["tuning"]["same_rate"], tuning["same_rate"]);
}

#[test]
fn a_tuned_race_prints_both_verdicts_the_good_basins_and_times_with_the_tuning_on_request() {
    let place = Place::new();
    let args = ["compare", "--optimizer", "sgd", "--optimizer", "adam", "--tune", "lr", "--epochs", "6"];
    let target = ["--target", "eval_accuracy>=0.5", "--seed", "1,2", "--verbose", "--out", "run"];
    let ran = place.small(&[&args[..], &target].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for part in [
        "Verdict, each at its best",
        "Verdict at the same learning rate",
        "At the same learning rate, ",
        "Tuning",
        "good from",
        "probes, the same number for each recipe",
    ] {
        assert!(ran.stdout.contains(part), "`{part}` is not in: {}", ran.stdout);
    }
    let page = fs::read_to_string(place.join("run/report.html")).unwrap();
    for part in ["Loss against learning rate", "Seconds to the target against learning rate", "good rates"] {
        assert!(page.contains(part), "{part}");
    }
    let counted = [&args[..], &target[..4], &["--count-tuning", "--json", "--out", "counted"]].concat();
    let ran = place.small(&counted);
    let summary = ran.json();
    let (verdict, recipes) = (&summary["verdict"], summary["tuning"]["recipes"].as_array().unwrap());
    let times = verdict["recipes"].as_array().unwrap();
    assert!(ran.stderr.contains("Times include that of the tuning"), "{}", ran.stderr);
    for recipe in recipes {
        let raced = times.iter().find(|raced| raced["name"] == recipe["at_best"]).unwrap();
        let cost = recipe["cost"]["train_seconds"].as_f64().unwrap();
        assert!(raced["median"].as_f64().is_none_or(|median| median > cost), "{raced} {cost}");
    }
    assert!(times.iter().any(|raced| raced["median"].is_number()), "{times:?}");
}

#[test]
fn a_tuning_interrupted_before_its_first_probe_ended_says_that_there_is_no_race_and_how_to_go_on() {
    let place = Place::new();
    let args = ["compare", "--tune", "lr", "--epochs", "2", "--out", "run", "--time-limit"];
    let ran = place.small(&[&args[..], &["0.001s"]].concat());
    assert_eq!(ran.code, 130, "{}{}", ran.stdout, ran.stderr);
    for part in [
        "The tuning has not ended, so the race has not begun",
        "The time limit is up",
        "continue with: schuss resume run",
    ] {
        assert!(ran.stdout.contains(part), "`{part}` is not in: {}", ran.stdout);
    }
    let resumed = place.run(&["resume", "run"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
}

#[test]
fn a_tuning_interrupted_between_probes_says_how_many_are_kept_and_how_to_go_on() {
    let place = Place::new();
    let args = ["compare", "--tune", "lr", "--epochs", "2", "--out", "run"];
    assert_eq!(place.small(&args).code, 0);
    // as it was before the end: the tuning is not over, nor is a race begun
    let summary = place.join("run/summary.json");
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&summary).unwrap()).unwrap();
    let is_probe = |trial: &serde_json::Value| trial["role"] == "probe";
    let trials: Vec<_> = record["trials"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|trial| is_probe(trial))
        .take(3)
        .cloned()
        .collect();
    record["trials"] = trials.into();
    record["study"]["untuned"] = true.into();
    record.as_object_mut().unwrap().retain(|key, _| key != "tuning" && key != "verdict");
    fs::write(&summary, record.to_string()).unwrap();
    let reported = place.run(&["report", "run"]);
    let part = "The tuning was interrupted after 3 probes, which are kept, so the race has not begun";
    assert!(reported.stdout.contains(part), "{}{}", reported.stdout, reported.stderr);
}

#[test]
fn rates_are_judged_by_their_loss_where_the_target_is_met_before_the_first_update() {
    let place = Place::new();
    let args = ["compare", "--optimizer", "adam", "--tune", "lr", "--epochs", "2", "--json"];
    let ran = place.small(&[&args[..], &["--target", "eval_accuracy>=0"]].concat());
    let recipe = &ran.json()["tuning"]["recipes"][0];
    assert_eq!(recipe["judged_by"], "loss", "{recipe}");
    assert!(recipe["chosen"]["lr"].as_f64().unwrap() > 1e-4, "{recipe}");
}

#[test]
fn names_of_tuned_recipes_keep_the_choices_that_tell_them_apart() {
    let place = Place::new();
    let args = ["compare", "--optimizer", "sgd:lr=0.1", "--optimizer", "adam:0.01", "--tune", "lr"];
    let more = ["--loss", "mse", "--loss", "cross-entropy", "--epochs", "1", "--json"];
    let summary = place.small(&[&args[..], &more].concat()).json();
    for recipe in summary["tuning"]["recipes"].as_array().unwrap() {
        let (before, after) = (recipe["name"].as_str().unwrap(), recipe["at_best"].as_str().unwrap());
        let loss = before.split(' ').next().unwrap();
        let optimizer = if before.contains("sgd") { "sgd" } else { "adam" };
        assert_eq!(after, format!("{loss} {optimizer}:lr={}", recipe["chosen"]["lr"]), "{before}");
    }
}

#[test]
fn a_tuning_that_cannot_be_is_refused_before_anything_is_written() {
    let place = Place::new();
    for (args, part) in [
        (&["compare", "--count-tuning"][..], "--count-tuning needs a --tune"),
        (&["compare", "--tune", "lr", "--count-tuning"], "there is none"),
        (
            &["compare", "--optimizer", "adam", "--tune", "lr,momentum"],
            "`adam:lr=0.001` has no key `momentum`",
        ),
        (&["compare", "--update", "epoch", "--tune", "batch"], "no batch to tune"),
        (
            &["compare", "--optimizer", "adam:lr=0.1", "--optimizer", "adam:lr=1", "--tune", "lr"],
            "differ only in",
        ),
        (&["compare", "--tune", "lr,lr"], "duplicate `lr`"),
        (
            &["compare", "--tune", "lr", "--schedule", "one-cycle:max_lr=0.5"],
            "replaces the optimizer's lr, so there is none to tune",
        ),
    ] {
        place.small(args).refused(2, part);
    }
    assert!(!place.join("runs").exists());
}

#[test]
fn probes_on_streamed_samples_share_them_and_choose_the_same_rates() {
    let place = Place::new();
    let packed = place.run(&["data", "pack", "digits:train=3000,test=200", "packed.schuss"]);
    assert_eq!(packed.code, 0, "{}", packed.stderr);
    let args = [
        "compare",
        "--data",
        "packed.schuss",
        "--model",
        "784-8-10",
        "--optimizer",
        "sgd",
        "--optimizer",
        "adam",
    ];
    let more = ["--tune", "lr", "--max-updates", "40", "--validation", "0.1", "--json"];
    let tuned = |memory: &[&str]| {
        let ran = place.run(&[&args[..], &more, memory].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()
    };
    let (resident, streamed) = (tuned(&[]), tuned(&["--memory", "4MiB"]));
    let probe = |summary: &serde_json::Value| {
        summary["trials"].as_array().unwrap().iter().find(|trial| trial["role"] == "probe").unwrap().clone()
    };
    assert_eq!(probe(&streamed)["timing"], "shared");
    assert_eq!(probe(&resident)["timing"], "interleaved");
    for recipe in 0..2 {
        let chosen = |summary: &serde_json::Value| summary["tuning"]["recipes"][recipe]["chosen"].clone();
        assert_eq!(chosen(&streamed), chosen(&resident));
    }
}
