//! `find-lr` as a user sees it.

mod common;

use common::Place;
use std::fs;

/// A table of 200 rows whose label is a linear function of 3 features.
fn linear_table(place: &Place) {
    let mut text = String::from("a,b,c,y\n");
    for row in 0..200 {
        let at = |step: usize| f64::from((row * step % 97) as u32) / 48.0 - 1.0;
        let [a, b, c] = [at(31), at(57), at(83)];
        text += &format!("{a},{b},{c},{}\n", 2.0 * a - b + 0.5 * c);
    }
    fs::write(place.join("linear.csv"), text).unwrap();
}

#[test]
fn find_lr_prints_the_best_rate_its_interval_the_good_ones_where_it_diverges_and_how_to_train() {
    let place = Place::new();
    linear_table(&place);
    let args = ["find-lr", "--data", "linear.csv", "--label", "y", "--model", "3-1", "--loss", "mse"];
    let more = ["--optimizer", "sgd:momentum=0.5", "--update", "batch:20", "--epochs", "5"];
    let ran = place.run(&[&args[..], &more].concat());
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    for part in
        ["best learning rate: ", "95 % interval", "good rates: ", "diverges from: ", "--optimizer sgd:lr="]
    {
        assert!(ran.stdout.contains(part), "`{part}` is not in: {}", ran.stdout);
    }
    let advice = ran.stdout.lines().find_map(|line| line.strip_prefix("train with it: ")).unwrap();
    assert!(advice.ends_with(",momentum=0.5"), "{advice}");
    let json = place.run(&[&args[..], &more, &["--json"]].concat()).json();
    let rate = json["rate"].as_f64().unwrap();
    assert!(
        ran.stdout.contains(&format!("best learning rate: {rate} ")),
        "the same command finds the same rate"
    );
    assert!(json["diverges_from"].as_f64().unwrap() > rate && json["cannot_tell"].is_null());
    assert_eq!(json["optimizer"], format!("sgd:lr={rate},momentum=0.5"));
    assert!(json["good_rates"]["low"].as_f64().unwrap() <= rate);
    let words: Vec<&str> = advice.split_whitespace().collect();
    let trained =
        place.run(&[&["train"], &args[1..], &words, &["--update", "batch:20", "--epochs", "5"]].concat());
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    assert!(place.join("runs").read_dir().unwrap().count() == 1, "find-lr writes nothing");
}

#[test]
fn find_lr_cannot_tell_a_rate_from_labels_drawn_at_random_and_exits_with_4_if_all_diverge() {
    let place = Place::new();
    let mut random = String::from("a,b,y\n");
    let mut huge = String::from("a,y\n");
    for row in 0..300_u64 {
        let draw =
            (row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (row * row).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let [a, b, y] = [draw >> 40 & 255, draw >> 32 & 255, draw.count_ones() as u64 % 2];
        random += &format!("{a},{b},{}\n", if y == 0 { "no" } else { "yes" });
        huge += &format!("{}e18,{}\n", row % 7, row % 5);
    }
    fs::write(place.join("random.csv"), random).unwrap();
    fs::write(place.join("huge.csv"), huge).unwrap();
    let of = |file: &str, model: &str| {
        let args = ["find-lr", "--data", file, "--label", "y", "--model", model, "--epochs", "3", "--json"];
        let diverging =
            ["--normalisation", "none", "--target-scale", "none", "--targets", "real", "--loss", "mse"];
        place.run(&[&args[..], if file == "huge.csv" { &diverging[..] } else { &[] }].concat())
    };
    let ran = of("random.csv", "2-2");
    assert!(ran.code == 0 && ran.json()["rate"].is_null(), "{}{}", ran.stdout, ran.stderr);
    assert!(ran.json()["cannot_tell"].as_str().unwrap().contains("learns nothing"), "{}", ran.stdout);
    let ran = of("huge.csv", "1-1");
    assert_eq!(ran.code, 4, "{}{}", ran.stdout, ran.stderr);
    assert!(ran.json()["cannot_tell"].as_str().unwrap().contains("diverges"), "{}", ran.stdout);
}

#[test]
fn what_find_lr_cannot_look_for_is_refused() {
    let place = Place::new();
    for (args, part) in [
        (&["find-lr", "--optimizer", "cg", "--update", "epoch"][..], "no learning rate"),
        (&["find-lr", "--optimizer", "sgd", "--optimizer", "adam"], "find-lr takes one recipe"),
        (&["find-lr", "--seeds", "0"], "0 is not in 1..=1000"),
        (&["find-lr", "--schedule", "one-cycle:max_lr=0.5"], "replaces the optimizer's lr"),
    ] {
        place.small(args).refused(2, part);
    }
}

#[test]
fn flags_without_an_effect_on_short_trials_are_neither_in_the_help_of_find_lr_nor_taken() {
    let place = Place::new();
    let help = place.run(&["find-lr", "--help"]).stdout;
    let words: Vec<&str> = help.split_whitespace().collect();
    assert!(words.contains(&"--optimizer") && words.contains(&"--epochs"), "{help}");
    for args in [
        &["--target", "eval_loss<=1"][..],
        &["--beyond-target"],
        &["--stop", "train_loss<0.1"],
        &["--early-stop", "gl:5"],
        &["--instrument", "sharpness"],
        &["--resample"],
        &["--folds", "5"],
    ] {
        assert!(!words.contains(&args[0]), "{help}");
        let refusal = format!("schuss find-lr has no flag `{}`", args[0]);
        let ran = place.small(&[&["find-lr"], args].concat());
        ran.refused(2, &refusal);
        assert!(ran.stderr.contains("belongs to schuss compare, train"), "{}", ran.stderr);
    }
}
