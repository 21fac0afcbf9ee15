//! Interpretation of labels: the same in every format, as typed in the file or as requested by flags.

mod common;

use common::{Place, Ran};
use serde_json::Value;
use std::fmt::Display;

fn done(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

/// Writes a table of 600 rows; `of` returns the label of each of the 3 classes.
fn save(place: &Place, name: &str, of: impl Fn(usize) -> String) {
    let row = |i: usize| format!("{},{},{}\n", i % 3 * 4 + i % 2, i % 7, of(i % 3));
    let rows: String = (0..600).map(row).collect();
    std::fs::write(place.join(name), format!("x,z,label\n{rows}")).unwrap();
}

fn train(place: &Place, data: &str, more: &[&str]) -> Ran {
    let args =
        ["train", "--data", data, "--epochs", "5", "--optimizer", "adam:lr=0.02", "--out", "run", "--json"];
    let _ = std::fs::remove_dir_all(place.join("run"));
    done(place.run(&[&args, more].concat()))
}

fn classes(ran: &Ran) -> Value {
    ran.json()["data"]["classes"].clone()
}

/// Returns the names of the model's classes, as reported by `eval`.
fn names(place: &Place, data: &str) -> Vec<String> {
    let value = done(place.run(&["eval", "run", data, "--json"])).json();
    value["classes"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn codes_and_long_identifiers_are_classes_as_they_are_typed() {
    let place = Place::new();
    for labels in
        [["007", "08", "7"], ["01234", "10115", "98052"], ["1582218195625938945", "1582218195625938946", "9"]]
    {
        save(&place, "t.csv", |class| labels[class].to_owned());
        assert_eq!(classes(&train(&place, "t.csv", &["--model", "linear:3"])), 3);
        let mut found = names(&place, "t.csv");
        found.sort();
        let mut typed = labels.map(str::to_owned).to_vec();
        typed.sort();
        assert_eq!(found, typed);
        let predicted = done(place.run(&["predict", "run", "t.csv"])).stdout;
        assert!(labels.iter().all(|label| predicted.contains(&format!("\t{label}\t"))), "{predicted}");
    }
}

#[test]
fn whole_numbers_are_the_same_task_in_a_table_and_in_its_pack_and_the_flag_wins_in_both() {
    let place = Place::new();
    save(&place, "t.csv", |class| ([10, 20, 35][class]).to_string());
    done(place.run(&["data", "pack", "t.csv", "t.pack"]));
    for data in ["t.csv", "t.pack"] {
        assert_eq!(classes(&train(&place, data, &["--model", "linear:3"])), 3, "{data}");
        assert_eq!(names(&place, data), ["10", "20", "35"]);
        assert_eq!(classes(&train(&place, data, &["--model", "linear:1", "--targets", "real"])), 0, "{data}");
        let judged = done(place.run(&["eval", "run", data, "--json"])).json();
        assert!(judged["mae"].as_f64().unwrap() < 20.0, "{judged}");
    }
    let said = train(&place, "t.csv", &["--model", "linear:3"]).stderr;
    assert!(said.contains("label `label`: whole numbers, taken as classes (--targets real"), "{said}");
    done(place.run(&["data", "pack", "t.csv", "real.pack", "--targets", "real"]));
    assert_eq!(classes(&train(&place, "real.pack", &["--model", "linear:1"])), 0);
    assert_eq!(classes(&train(&place, "real.pack", &["--model", "linear:3", "--targets", "class"])), 3);
    assert_eq!(names(&place, "real.pack"), ["10", "20", "35"]);
}

#[test]
fn many_identifiers_are_amounts_or_classes_and_it_is_said_which_and_how_to_have_the_other() {
    let place = Place::new();
    let rows: String = (0..600).map(|i| format!("{},{}\n", i % 150, 1_000 + 7 * (i % 150))).collect();
    std::fs::write(place.join("t.csv"), format!("x,shop\n{rows}")).unwrap();
    let ran = train(&place, "t.csv", &["--model", "linear:1"]);
    assert!(
        ran.stderr.contains("label `shop`: whole numbers, taken as amounts (--targets class"),
        "{}",
        ran.stderr
    );
    assert_eq!(classes(&train(&place, "t.csv", &["--model", "linear:150", "--targets", "class"])), 150);
}

#[test]
fn one_hot_columns_are_classes_of_their_names_and_several_labels_on_request() {
    let place = Place::new();
    save(&place, "t.csv", |class| ["1,0,0", "0,1,0", "0,0,1"][class].into());
    let text = std::fs::read_to_string(place.join("t.csv")).unwrap().replace("label", "red,green,blue");
    std::fs::write(place.join("t.csv"), text).unwrap();
    let label = ["--label", "red,green,blue", "--model", "linear:3"];
    let ran = train(&place, "t.csv", &label);
    assert!(ran.stderr.contains("labels: one-hot rows, taken as classes (--targets real"), "{}", ran.stderr);
    assert_eq!(classes(&ran), 3);
    assert_eq!(names(&place, "t.csv"), ["red", "green", "blue"]);
    let several = train(&place, "t.csv", &[&label[..], &["--targets", "real"]].concat());
    assert!(several.stderr.contains("labels: red, green, blue, each 0 or 1"), "{}", several.stderr);
    assert_eq!(several.json()["trials"][0]["recipe"]["loss"], "bce");
}

#[test]
fn a_quoted_na_is_a_word_and_spellings_of_nothing_are_chosen_and_kept_for_the_model() {
    let place = Place::new();
    save(&place, "t.csv", |class| ["\"NA\"", "\"EU\"", "\"AS\""][class].into());
    assert_eq!(classes(&train(&place, "t.csv", &["--model", "linear:3"])), 3);
    let table = |cell: &dyn Display| {
        let rows: String = (0..60)
            .map(|i| {
                format!("{i},{},{}\n", i % 2, if i % 9 == 0 { cell.to_string() } else { (i % 5).to_string() })
            })
            .collect();
        format!("x,kind,y\n{rows}")
    };
    std::fs::write(place.join("m.csv"), table(&-999)).unwrap();
    let missing =
        ["--label", "kind", "--model", "linear:2", "--missing", "mean", "--missing-values", "-999,-"];
    let ran = train(&place, "m.csv", &missing);
    assert!(ran.stderr.contains("taken as missing: `-999` 7 times"), "{}", ran.stderr);
    std::fs::write(place.join("n.csv"), table(&"-")).unwrap();
    let [predicted, as_words] =
        ["m.csv", "n.csv"].map(|data| done(place.run(&["predict", "run", data])).stdout);
    assert_eq!(predicted, as_words, "the model knows both spellings");
}

#[test]
fn a_category_never_seen_is_unknown_and_counted_unless_that_is_refused() {
    let place = Place::new();
    let rows: String = (0..60).map(|i| format!("{i},{},{}\n", ["red", "blue"][i % 2], i % 2)).collect();
    std::fs::write(place.join("t.csv"), format!("x,colour,kind\n{rows}")).unwrap();
    train(&place, "t.csv", &["--model", "linear:2"]);
    std::fs::write(place.join("new.csv"), "x,colour\n1,red\n2,green\n3,green\n4,blue\n").unwrap();
    let ran = done(place.run(&["predict", "run", "new.csv", "--json"]));
    assert_eq!(ran.stdout.lines().count(), 4);
    assert!(
        ran.stderr.contains("`colour` holds categories that training never saw, `green` (2)"),
        "{}",
        ran.stderr
    );
    let refused = place.run(&["predict", "run", "new.csv", "--unknown", "refuse"]);
    assert!(refused.code == 3 && refused.stderr.contains("holds `green`"), "{}", refused.stderr);
}
