//! `recommend` as a user sees it, on generated tables of known structure.

mod common;

use common::{Place, Ran};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

/// Pseudo-random numbers in −1..1.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as f64 / f64::from(1 << 30) - 1.0
    }

    fn row<const N: usize>(&mut self) -> [f64; N] {
        std::array::from_fn(|_| self.roll())
    }
}

/// Writes a table of rows with three features and the label that `label` gives them.
fn table(place: &Place, name: &str, rows: usize, mut label: impl FnMut([f64; 3], &mut Dice) -> String) {
    let mut dice = Dice(7);
    let mut text = String::from("a,b,c,y\n");
    for _ in 0..rows {
        let row = dice.row::<3>();
        let label = label(row, &mut dice);
        text += &format!("{:.4},{:.4},{:.4},{label}\n", row[0], row[1], row[2]);
    }
    fs::write(place.join(name), text).unwrap();
}

fn recommend(place: &Place, data: &str, more: &[&str]) -> Ran {
    place.run(&[&["recommend", data, "--label", "y", "--time-limit", "4s"], more].concat())
}

/// Returns the recommendation for a table.
fn found(place: &Place, data: &str) -> Value {
    let ran = recommend(place, data, &["--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let found = ran.json();
    assert!(found["seconds"].as_f64().unwrap() < 30.0, "a generous bound, for a slow machine");
    found
}

fn name(found: &Value) -> &str {
    found["recipe"]["name"].as_str().unwrap()
}

#[test]
fn where_a_product_decides_a_hidden_layer_is_recommended_and_the_written_recipe_trains() {
    let place = Place::new();
    table(&place, "xor.csv", 600, |[a, b, _], _| if a * b > 0.0 { "yes" } else { "no" }.to_owned());
    let found = found(&place, "xor.csv");
    assert!(!name(&found).starts_with("linear"), "{found}");
    assert!(["sure", "above_baseline"].contains(&found["certainty"].as_str().unwrap()), "{found}");
    let gain = &found["gain"][0];
    assert_eq!(gain["by"], "eval_loss");
    assert!(gain["interval"][0].as_f64().unwrap() > 0.0, "{gain}");
    assert!(found["test"]["accuracy"].as_f64().unwrap() > 0.8, "{found}");
    assert!(found["qualities"][0]["seconds"].as_f64().unwrap() > 0.0);
    let sentences = found["verdict"]["sentences"].to_string();
    assert!(!sentences.contains("test split"), "the finals leave it alone: {sentences}");
    let trained = place.run(&["train", "recipe.toml", "--json"]);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let summary = trained.json();
    let trial = &summary["trials"][0];
    assert_eq!(trial["recipe"]["optimizer"], found["recipe"]["optimizer"]);
    assert_eq!(trial["network"], found["recipe"]["network"]);
    assert!(trial["test"]["accuracy"].as_f64().unwrap() > 0.8, "{trial}");
    let elsewhere = place.join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let moved =
        place.command(&["train", "../recipe.toml", "--epochs", "1", "-q"]).current_dir(elsewhere).output();
    assert_eq!(Ran::of(&moved.unwrap()).code, 0, "the recipe has the absolute path of its data");
}

#[test]
fn where_the_truth_is_linear_the_linear_baseline_is_recommended() {
    let place = Place::new();
    table(&place, "line.csv", 400, |[a, b, _], dice| format!("{:.4}", 3.0 * a - 2.0 * b + 0.5 * dice.roll()));
    let ran = recommend(&place, "line.csv", &[]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("recommended: linear "), "{}", ran.stdout);
    assert!(ran.stdout.contains("it is the linear baseline"), "{}", ran.stdout);
    for row in [
        "network",
        "optimizer",
        "schedule",
        "update",
        "length",
        "quality",
        "runner-up",
        "how sure",
        "test split",
    ] {
        assert!(ran.stdout.contains(&format!("\n  {row}")), "`{row}` is not in: {}", ran.stdout);
    }
    assert!(ran.stdout.contains("written: recipe.toml"), "{}", ran.stdout);
}

#[test]
fn a_curve_is_recommended_a_hidden_layer_that_explains_more_of_it() {
    let place = Place::new();
    table(&place, "curve.csv", 500, |[a, b, c], _| format!("{:.4}", (3.0 * a).sin() + b * b - c));
    let found = found(&place, "curve.csv");
    assert!(!name(&found).starts_with("linear"), "{found}");
    assert!(found["test"]["metrics"]["r2"].as_f64().unwrap() > 0.8, "{found}");
    assert!(found["test"]["accuracy"].is_null());
}

#[test]
fn three_unbalanced_classes_are_recommended_for_as_well() {
    let place = Place::new();
    let class = |distance: f64| {
        ["common", "rare", "rarest"][usize::from(distance > 1.2) + usize::from(distance > 1.8)]
    };
    table(&place, "rings.csv", 800, |row, _| class(row.iter().map(|x| x * x).sum()).to_owned());
    let found = found(&place, "rings.csv");
    let chance = 0.75;
    assert!(found["test"]["accuracy"].as_f64().unwrap() > chance, "{found}");
    assert!(!found["candidates"].as_array().unwrap().is_empty());
    assert!(found["verdict"]["sentences"][0].is_string());
}

#[test]
fn what_is_typed_holds_for_all_candidates() {
    let place = Place::new();
    table(&place, "xor.csv", 300, |[a, b, _], _| if a * b > 0.0 { "yes" } else { "no" }.to_owned());
    let ran = recommend(&place, "xor.csv", &["--model", "in-7-out", "--optimizer", "adam:lr=0.02", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for candidate in ran.json()["candidates"].as_array().unwrap() {
        let name = candidate["name"].as_str().unwrap();
        assert!(name.ends_with(" adam:lr=0.02"), "{name}");
        assert!(name.starts_with("linear ") || name.starts_with("3-7-2 "), "{name}");
    }
}

#[test]
fn a_recipe_is_never_overwritten() {
    let place = Place::new();
    table(&place, "line.csv", 200, |[a, ..], _| format!("{a:.3}"));
    fs::write(place.join("mine.toml"), "mine").unwrap();
    recommend(&place, "line.csv", &["--out", "mine.toml"]).refused(2, "the output file already exists");
    fs::write(place.join("recipe.toml"), "mine").unwrap();
    let ran = recommend(&place, "line.csv", &[]);
    assert!(ran.stdout.contains("written: recipe-2.toml"), "{}{}", ran.stdout, ran.stderr);
    assert_eq!(fs::read_to_string(place.join("recipe.toml")).unwrap(), "mine");
}

#[test]
fn data_that_nothing_can_be_learned_from_are_refused_with_the_reason() {
    let place = Place::new();
    table(&place, "one.csv", 100, |_, _| "same".to_owned());
    table(&place, "few.csv", 8, |[a, ..], _| if a > 0.0 { "yes" } else { "no" }.to_owned());
    table(&place, "line.csv", 200, |[a, ..], _| format!("{a:.3}"));
    recommend(&place, "one.csv", &[]).refused(3, "of one class");
    recommend(&place, "few.csv", &[]).refused(3, "too few");
    place.run(&["recommend", "line.csv", "--label", "z"]).refused(2, "z");
    place.run(&["recommend", "missing.csv"]).refused(3, "missing.csv");
    place
        .run(&["recommend", "line.csv", "--label", "y", "--time-limit", "0.02s"])
        .refused(2, "at least about");
    recommend(&place, "line.csv", &["--model", "in-3-4"]).refused(2, "--model");
    recommend(&place, "line.csv", &["--optimizer", "adm"]).refused(2, "adam");
    recommend(&place, "line.csv", &["--optimizer", "adam", "--optimizer", "sgd"])
        .refused(2, "recommend takes one");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 3, "nothing is written");
}

#[cfg(unix)]
#[test]
fn an_interruption_ends_with_the_best_so_far_which_is_written_and_exits_with_130() {
    let place = Place::new();
    table(&place, "xor.csv", 300, |[a, b, _], _| if a * b > 0.0 { "yes" } else { "no" }.to_owned());
    let mut command = place.command(&["recommend", "xor.csv", "--label", "y", "--time-limit", "9s"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("rung 1")));
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("interrupted: the best so far")), "{rest:?}");
    assert_eq!(place.run(&["train", "recipe.toml", "-q"]).code, 0);
}

#[test]
fn where_every_candidate_diverges_there_is_no_recipe_and_the_exit_code_is_4() {
    let place = Place::new();
    table(&place, "line.csv", 200, |[a, ..], _| format!("{a:.3}"));
    let ran = recommend(&place, "line.csv", &["--optimizer", "sgd:lr=1e30", "--update", "20"]);
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.stdout.contains("nothing to recommend"), "{}", ran.stdout);
    assert!(!place.join("recipe.toml").exists());
}

#[test]
fn train_takes_a_study_file_with_one_recipe_and_advises_compare_for_several() {
    let place = Place::new();
    let study = |name: &str, more: &str| {
        let text = format!("[workload]\ndata = 'digits:train=60,test=20,size=8'\nmodel = '64-4-10'\n{more}");
        fs::write(place.join(name), text).unwrap();
    };
    study("one.toml", "[recipe]\nupdate = 'batch:20'\n[budget]\nepochs = 2\n");
    let ran = place.run(&["train", "one.toml", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(ran.json()["trials"][0]["recipe"]["update"], "batch:20");
    let ran = place.run(&["train", "one.toml", "--epochs", "1", "--seed", "9", "--json"]);
    assert_eq!(
        (&ran.json()["trials"][0]["budget"]["epochs"], &ran.json()["trials"][0]["seed"]),
        (&1.into(), &9.into())
    );
    study("two.toml", "[[trial]]\noptimizer = 'adam'\n[[trial]]\noptimizer = 'sgd'\n");
    study("braces.toml", "[recipe]\noptimizer = 'adam:lr={1e-3,1e-2}'\n");
    for name in ["two.toml", "braces.toml"] {
        place.run(&["train", name]).refused(2, &format!("schuss compare {name}"));
    }
    place.run(&["train", "lecture-25"]).refused(2, "schuss compare lecture-25");
    fs::write(place.join("sales.csv"), "a,b\n1,2\n").unwrap();
    place.run(&["train", "sales.csv"]).refused(2, "--data sales.csv");
    place.run(&["train", "adam:lr=1e-3"]).refused(2, "quotes");
}
