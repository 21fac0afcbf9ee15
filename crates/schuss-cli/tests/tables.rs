//! User data from file to prediction: tables, held-out splits, normalisation, packs.

mod common;

use common::{Place, Ran};
use serde_json::Value;
use std::path::Path;

/// Writes 200 flowers: two lengths, an uninformative colour, and a kind that depends on the lengths.
fn flowers(place: &Place, name: &str, kinds: bool) -> String {
    let row = |i: usize| {
        let (a, b) = (i * 7 % 40, i * 13 % 30);
        let colour = ["red", "blue"][i / 3 % 2];
        let kind = if 3 * a > 4 * b { "long" } else { "short" };
        let predicted = if kinds { format!(",{kind}") } else { String::new() };
        format!("{},{},{colour}{predicted}\n", a as f64 / 10.0, b as f64 / 10.0)
    };
    let header = if kinds { "a,b,colour,kind\n" } else { "a,b,colour\n" };
    std::fs::write(place.join(name), header.to_owned() + &(0..200).map(row).collect::<String>()).unwrap();
    format!("./{name}")
}

fn done(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

fn train(place: &Place, data: &str, more: &[&str]) -> Value {
    let args = ["train", "--data", data, "--optimizer", "adam:lr=0.01", "--update", "batch:10", "--json"];
    done(place.run(&[&args, more].concat())).json()
}

#[test]
fn classes_of_a_table_are_learnt_and_told_of_rows_without_them() {
    let place = Place::new();
    let data = flowers(&place, "flowers.csv", true);
    let model =
        ["--label", "kind", "--model", "linear:16,relu,linear:2", "--epochs", "20", "--validation", "0.2"];
    let summary = train(&place, &data, &model);
    let counts = &summary["data"]["counts"];
    assert_eq!([&counts["train"], &counts["validation"], &counts["test"]], [128, 32, 40]);
    assert_eq!(
        (&summary["data"]["eval_split"], &summary["data"]["classes"]),
        (&"validation".into(), &2.into())
    );
    assert!(summary["trials"][0]["test"]["accuracy"].as_f64().unwrap() > 0.8, "{summary}");
    let split = std::fs::read_to_string(place.join("runs/train/split.json")).unwrap();
    assert!(split.contains("\"seed\": 1") && split.contains("\"hash\""), "{split}");

    let bare = flowers(&place, "bare.csv", false);
    let predicted = done(place.run(&["predict", "runs/train", &bare])).stdout;
    let right = predicted.lines().zip(0..).filter(|(line, i)| {
        let kind = if 3 * (i * 7 % 40) > 4 * (i * 13 % 30) { "long" } else { "short" };
        line.contains(&format!("\t{kind}\t"))
    });
    assert!(predicted.lines().count() == 200 && right.count() > 160, "{predicted}");

    let judged: Value = done(place.run(&["eval", "runs/train", &data, "--json"])).json();
    assert_eq!(judged["samples"], 40, "rows that were trained on are left out");
    assert!(judged["accuracy"].as_f64().unwrap() > 0.8, "{judged}");
}

#[test]
fn numbers_of_a_table_are_learnt_told_and_judged() {
    let place = Place::new();
    let row = |i: usize| {
        let (a, b) = ((i * 7 % 40) as f64 / 20.0 - 1.0, (i * 13 % 30) as f64 / 15.0 - 1.0);
        format!("{a};{b};{}\n", 0.5 * a - 0.25 * b + 0.0625)
    };
    let text = "a;b;price\n".to_owned() + &(0..200).map(row).collect::<String>();
    std::fs::write(place.join("prices.csv"), text).unwrap();
    let summary = train(&place, "./prices.csv", &["--model", "linear:16,tanh,linear:1", "--epochs", "30"]);
    let trial = &summary["trials"][0];
    assert_eq!((&trial["recipe"]["targets"], &trial["recipe"]["loss"]), (&"real".into(), &"mse".into()));
    assert!(trial["test"]["loss"].as_f64().unwrap() < 0.01 && trial["test"]["accuracy"].is_null(), "{trial}");
    let judged = done(place.run(&["eval", "runs/train", "./prices.csv", "--json"])).json();
    assert!(judged["r2"].as_f64().unwrap() > 0.9 && judged["samples"] == 40, "{judged}");
    let predicted = done(place.run(&["predict", "runs/train", "./prices.csv"])).stdout;
    let number = |line: &str| line.split('\t').nth(1).and_then(|number| number.parse::<f64>().ok());
    assert!(
        predicted.lines().count() == 200 && predicted.lines().all(|line| number(line).is_some()),
        "{predicted}"
    );
}

#[test]
fn data_show_tells_what_a_table_holds_and_what_may_be_wrong_with_it() {
    let place = Place::new();
    let data = flowers(&place, "flowers.csv", true);
    let text = std::fs::read_to_string(place.join("flowers.csv")).unwrap();
    let twice = text.clone() + text.lines().nth(5).unwrap() + "\n";
    std::fs::write(place.join("flowers.csv"), twice).unwrap();
    let shown = done(place.run(&["data", "show", &data])).stdout;
    for part in ["2 classes", "held out", "train", "test", "long", "short"] {
        assert!(shown.contains(part), "no `{part}` in\n{shown}");
    }
    assert!(shown.contains("samples repeat earlier ones"), "a row that is there twice:\n{shown}");
}

#[test]
fn data_show_lists_columns_and_what_they_lack_though_training_would_refuse_it() {
    let place = Place::new();
    let row =
        |i: usize| if i == 5 { ",x,0\n".into() } else { format!("{i},{},{}\n", ["x", "y"][i % 2], i % 2) };
    std::fs::write(
        place.join("t.csv"),
        "size,kind,label\n".to_owned() + &(0..40).map(row).collect::<String>(),
    )
    .unwrap();
    let shown = done(place.run(&["data", "show", "./t.csv"])).stdout;
    for part in
        ["missing cells: 1 in `size`", "missing cells are refused in training", "size ", "kind ", "2 words"]
    {
        assert!(shown.contains(part), "`{part}` is not in {shown}");
    }
    place.run(&["train", "--data", "./t.csv", "--epochs", "1"]).refused(3, "--missing mean");
}

#[test]
fn whole_numbers_are_told_as_numbers_where_that_is_asked_for() {
    let place = Place::new();
    let row = |i: usize| format!("{},{}\n", i % 40, i * 7 % 90);
    std::fs::write(place.join("ages.csv"), "a,age\n".to_owned() + &(0..200).map(row).collect::<String>())
        .unwrap();
    let model = ["--model", "linear:1", "--epochs", "1"];
    let classes = train(&place, "./ages.csv", &["--model", "linear:90", "--epochs", "1"]);
    assert_eq!(classes["data"]["classes"], 90);
    let real = train(&place, "./ages.csv", &[&model[..], &["--targets", "real"]].concat());
    assert_eq!(real["data"]["classes"], 0);
    assert_eq!(done(place.run(&["resume", "runs/train-2"])).code, 0);
    let judged = done(place.run(&["eval", "runs/train-2", "./ages.csv"])).stdout;
    assert!(judged.contains("test split of ./ages.csv, 40 samples"), "{judged}");
}

#[test]
fn a_pack_trains_as_well_streamed_as_in_memory_to_the_same_bits() {
    let place = Place::new();
    done(place.run(&["data", "pack", "digits:train=3000,test=200,size=16", "digits.schuss"]));
    let again = place.run(&["data", "pack", "digits:train=30,test=20", "digits.schuss"]);
    assert_eq!(again.code, 2, "{}", again.stderr);
    let weights = |out: &str, memory: &str| {
        let args = ["--model", "256-16-10", "--epochs", "2", "--out", out, "--memory", memory];
        let summary = train(&place, "./digits.schuss", &args);
        let data = summary["trials"][0]["memory"]["data"].as_u64().unwrap();
        let model = summary["trials"][0]["model"].as_str().unwrap().to_owned();
        (std::fs::read(place.join(out).join(Path::new(&model))).unwrap(), data)
    };
    let (resident, held) = weights("resident", "1GiB");
    let (streamed, test) = weights("streamed", "1500kB");
    assert_eq!((held, test), (3_200 * 260, 200 * 260), "the test split fits all the same");
    assert!(resident == streamed, "the same bytes");
}

#[test]
fn the_line_of_an_epoch_says_how_long_streamed_data_were_waited_for_and_names_the_bottleneck() {
    let place = Place::new();
    let args =
        ["train", "--data", "digits:train=3000,test=200,size=16", "--model", "256-16-10", "--epochs", "1"];
    let lines = |memory: &str| {
        let ran = done(place.run(&[&args[..], &["--memory", memory]].concat()));
        let epoch = |number: &str| ran.stdout.lines().find(|line| line.contains(number)).unwrap().to_owned();
        [epoch("epoch 0/1"), epoch("epoch 1/1")]
    };
    let [before, streamed] = lines("1500kB");
    assert!(streamed.contains("s, waited ") && streamed.ends_with(" is the bottleneck"), "{streamed}");
    let resident = lines("1GiB");
    assert!([before].iter().chain(&resident).all(|line| !line.contains("waited")), "{resident:?}");
}

#[test]
fn what_is_asked_of_data_in_vain_is_refused() {
    let place = Place::new();
    let data = flowers(&place, "flowers.csv", true);
    let refused = |args: &[&str], code: i32, part: &str| {
        let ran = place.run(&[&["train", "--data", &data, "--epochs", "1"], args].concat());
        assert!(ran.code == code && ran.stderr.contains(part), "{args:?}: {} {}", ran.code, ran.stderr);
    };
    refused(&["--validation", "1.5"], 2, "--validation");
    refused(&["--validation", "nan"], 2, "--validation");
    refused(&["--normalisation", "units"], 2, "did you mean `unit`?");
    refused(&["--normalisation", "channel"], 2, "images");
    refused(&["--missing", "guess"], 2, "--missing");
    refused(&["--memory", "lots"], 2, "size");
    refused(&["--memory", "10kB"], 2, "--memory");
    refused(&["--label", "sort"], 2, "sort");
    refused(&["--label", "none"], 2, "--targets input");
    refused(&["--targets", "real"], 2, "--targets class");
    std::fs::write(place.join("one.csv"), "a,b\n1,2\n").unwrap();
    let ran = place.run(&["train", "--data", "./one.csv"]);
    assert!(ran.code == 3 && ran.stderr.contains("samples"), "{}", ran.stderr);
}

#[test]
fn a_study_keeps_its_workload_and_the_memory_changes_no_recipe() {
    let place = Place::new();
    let data = flowers(&place, "flowers.csv", true);
    let id = |out: &str, more: &[&str]| {
        let args = [&["--epochs", "1", "--label", "kind", "--out", out], more].concat();
        train(&place, &data, &args)["trials"][0]["config_id"].as_str().unwrap().to_owned()
    };
    let plain = id("plain", &[]);
    assert_eq!(id("limited", &["--memory", "200MiB"]), plain);
    assert_ne!(id("held", &["--validation", "0.1"]), plain);
    assert_ne!(id("as-they-are", &["--normalisation", "none"]), plain);
    let written = std::fs::read_to_string(place.join("held/study.toml")).unwrap();
    assert!(written.contains("validation = 0.1") && written.contains("label = \"kind\""), "{written}");
}

/// Writes 160 houses with a price that depends on area and age.
fn houses(place: &Place) -> &'static str {
    let row = |i: usize| {
        let (area, age) = (60 + i * 37 % 140, i * 11 % 50);
        format!("{area},{age},{}\n", 90_000 + 2_500 * area - 1_200 * age)
    };
    let text = "area,age,price\n".to_owned() + &(0..160).map(row).collect::<String>();
    std::fs::write(place.join("houses.csv"), text).unwrap();
    "./houses.csv"
}

#[test]
fn prices_are_learnt_as_they_are_and_everything_is_told_in_their_unit() {
    let place = Place::new();
    let args = ["train", "--data", houses(&place), "--label", "price", "--model", "linear:16,relu,linear:1"];
    let args = [&args[..], &["--update", "batch:16", "--json"]].concat();
    let ran = done(place.run(&[&args[..], &["--epochs", "60", "--stop", "train_loss<1e8"]].concat()));
    assert!(ran.stderr.contains("targets: standardised for training (mean "), "{}", ran.stderr);
    let summary = ran.json();
    let trial = &summary["trials"][0];
    assert_eq!((&trial["recipe"]["target_scale"], &trial["status"]), (&"standard".into(), &"stopped".into()));
    let last = trial["epochs"].as_array().unwrap().last().unwrap();
    assert!((1e5..1e8).contains(&last["train_loss"].as_f64().unwrap()), "{last}");
    let judged = done(place.run(&["eval", "runs/train", "./houses.csv", "--json"])).json();
    assert!(judged["r2"].as_f64().unwrap() > 0.95 && judged["mse"].as_f64().unwrap() > 1e4, "{judged}");
    let predicted = done(place.run(&["predict", "runs/train", "./houses.csv"])).stdout;
    let number = |line: &str| line.split('\t').nth(1).unwrap().parse::<f64>().unwrap();
    assert!(predicted.lines().all(|line| (1e5..7e5).contains(&number(line))), "{predicted}");

    let none = place.run(&[&args[..], &["--target-scale", "none"]].concat());
    assert!(none.code == 4 && none.stderr.contains("--target-scale standard"), "{}", none.stderr);
    assert_eq!(none.json()["trials"][0]["recipe"]["target_scale"], "none");
    let idle = [&args[..], &["--loss", "poisson", "--target-scale", "standard"]].concat();
    place.run(&idle).refused(2, "loss `poisson`");
}

#[test]
fn seconds_since_1970_are_learnt_and_told_of_a_new_file() {
    let place = Place::new();
    let file = |name: &str, from: usize| {
        let row = |i: usize| {
            let second = i * 7 % 60;
            format!("{},{}\n", 1_764_230_400 + second, ["early", "late"][usize::from(second >= 30)])
        };
        let text = "time,when\n".to_owned() + &(from..from + 120).map(row).collect::<String>();
        std::fs::write(place.join(name), text).unwrap();
    };
    file("t.csv", 0);
    file("new.csv", 13);
    let model = ["--model", "linear:16,relu,linear:2", "--epochs", "40"];
    let summary = train(&place, "./t.csv", &model);
    assert!(summary["trials"][0]["test"]["accuracy"].as_f64().unwrap() >= 0.95, "{summary}");
    let judged: Value = done(place.run(&["eval", "runs/train", "./new.csv", "--json"])).json();
    assert!(judged["accuracy"].as_f64().unwrap() >= 0.95, "{judged}");
    let streamed = train(&place, "./t.csv", &[&model[..], &["--memory", "200kB"]].concat());
    assert_eq!(summary["trials"][0]["state"], streamed["trials"][0]["state"]);
    let shown = done(place.run(&["data", "show", "./t.csv"])).stdout;
    assert!(shown.contains("1764230400..1764230459") && shown.contains("less 1764230400"), "{shown}");
    let raw = place.run(&["train", "--data", "./t.csv", "--normalisation", "none", "--epochs", "1"]);
    assert!((raw.stdout + &raw.stderr).contains("lose the last digits of `time`"));
}

#[test]
fn eval_counts_the_categories_that_training_never_saw() {
    let place = Place::new();
    let rows = |kinds: [&str; 2]| {
        let row = |i: usize| format!("{},{},{}\n", kinds[i % 2], i, i % 2);
        format!("kind,x,label\n{}", (0..20).map(row).collect::<String>())
    };
    std::fs::write(place.join("seen.csv"), rows(["a", "b"])).unwrap();
    std::fs::write(place.join("new.csv"), rows(["a", "z"])).unwrap();
    let train =
        ["train", "--data", "seen.csv", "--model", "linear:2", "--epochs", "1", "--update", "batch:4"];
    assert_eq!(place.run(&train).code, 0);
    let judged = place.run(&["eval", "runs/train", "new.csv"]);
    let said = format!("{}{}", judged.stdout, judged.stderr);
    assert!(judged.code == 0 && said.contains("categories that training never saw, `z` (10)"), "{said}");
    place.run(&["eval", "runs/train", "new.csv", "--unknown", "refuse"]).refused(3, "`z`");
}
