//! Output of `train`, `eval` and `predict`: chance accuracy, several labels, loss of a regression, rows without labels.

mod common;

use common::{Place, Ran};
use serde_json::Value;

fn done(ran: Ran) -> Ran {
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    ran
}

fn close(value: &Value, expected: f64) -> bool {
    value.as_f64().is_some_and(|value| (value - expected).abs() < 1e-9 * expected.abs().max(1.0))
}

/// Writes rows of two numbers between -1 and 1, each followed by the result of the closure.
fn table(place: &Place, name: &str, header: &str, target: impl Fn(usize, f64, f64) -> String) -> String {
    let row = |i: usize| {
        let turn = |step: f64| ((i as f64 * step).fract() * 2.0 - 1.0) as f32;
        let (a, b) = (turn(0.754_877_7), turn(0.569_840_3));
        format!("{a},{b}{}\n", target(i, a.into(), b.into()))
    };
    std::fs::write(place.join(name), format!("{header}\n") + &(0..200).map(row).collect::<String>()).unwrap();
    format!("./{name}")
}

const QUICK: [&str; 6] =
    ["--model", "linear:8,tanh,linear:3", "--optimizer", "adam:lr=0.05", "--update", "batch:10"];

/// Writes a table of several labels per row: `first` and `second` depend on one number each, `rare` is almost never 1.
fn articles(place: &Place) -> String {
    let one = |holds: bool| u8::from(holds);
    table(place, "articles.csv", "a,b,first,second,rare", |i, a, b| {
        format!(",{},{},{}", one(a > 0.0), one(b > 0.2), one(i % 40 == 7))
    })
}

#[test]
fn several_labels_are_answered_by_name_and_judged_one_by_one() {
    let place = Place::new();
    let data = articles(&place);
    let args = ["train", "--data", &data, "--label", "first,second,rare", "--epochs", "20"];
    let ran = done(place.run(&[&args, &QUICK[..]].concat()));
    assert!(
        ran.stdout.contains("3 labels to predict\nlabels: first, second, rare, each 0 or 1"),
        "{}",
        ran.stdout
    );
    assert!(ran.stdout.contains("F1 %"), "{}", ran.stdout);
    let line = "always predicting the most common combination of labels has an accuracy of";
    assert!(ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ").contains(line), "{}", ran.stdout);

    let judged = done(place.run(&["eval", "runs/train", "--json"])).json();
    assert_eq!(judged["loss_name"], "bce");
    let summary: Value =
        serde_json::from_str(&std::fs::read_to_string(place.join("runs/train/summary.json")).unwrap())
            .unwrap();
    let test = &summary["trials"][0]["test"];
    for name in ["accuracy", "chance", "label_accuracy", "f1_macro", "loss"] {
        assert!(close(&judged[name], test[name].as_f64().unwrap()), "{name}: {judged} {test}");
    }
    let first = &judged["labels"][0];
    assert!(first["label"] == "first" && first["f1"].as_f64().unwrap() > 0.8, "{judged}");
    let text = done(place.run(&["eval", "runs/train"])).stdout;
    for part in [
        "all labels of a sample right",
        "most common combination",
        "the mean over labels",
        "(bce)",
        "  second ",
    ] {
        assert!(text.contains(part), "`{part}` is not in {text}");
    }

    let bare = table(&place, "bare.csv", "a,b", |_, _, _| String::new());
    let lines = done(place.run(&["predict", "runs/train", &bare, "--json"])).stdout;
    let mut agree = 0;
    for line in lines.lines() {
        let value: Value = serde_json::from_str(line).unwrap();
        let holds = value["labels"].as_array().unwrap().contains(&"first".into());
        let probability = value["probabilities"]["first"].as_f64().unwrap();
        assert_eq!(holds, probability > 0.5, "{line}");
        agree += usize::from(value["probabilities"].as_object().unwrap().len() == 3);
    }
    assert_eq!(agree, 200);
    let text = done(place.run(&["predict", "runs/train", &bare])).stdout;
    assert!(text.lines().all(|line| line.contains("\tfirst=0.") && line.contains("\trare=")), "{text}");
    assert!(text.lines().any(|line| line.contains("\tfirst,second\t")), "{text}");
    assert!(text.lines().any(|line| line.contains("\tnone\t")), "{text}");
}

/// Writes a table in which three in four labels are `no`, independent of the numbers.
fn lopsided(place: &Place) -> String {
    table(place, "lopsided.csv", "a,b,kind", |i, _, _| (if i % 4 == 0 { ",yes" } else { ",no" }).into())
}

#[test]
fn accuracy_stands_beside_the_share_of_the_most_common_class_and_a_model_that_only_answers_it_is_named() {
    let place = Place::new();
    let data = lopsided(&place);
    let args =
        ["train", "--data", &data, "--model", "linear:2", "--init", "zeros", "--optimizer", "sgd:lr=0.02"];
    let ran = done(place.run(&[&args[..], &["--epochs", "5"]].concat()));
    let summary: Value =
        serde_json::from_str(&std::fs::read_to_string(place.join("runs/train/summary.json")).unwrap())
            .unwrap();
    let share = summary["data"]["chance"]["test"].as_f64().unwrap();
    let one_line = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        format!("classes: no, yes; the most common class has {:.1} % of the test split", 100.0 * share),
        format!("always predicting the most common class has an accuracy of {:.2} %", 100.0 * share),
        format!("(the most common class alone: {:.2} %)", 100.0 * share),
    ] {
        assert!(one_line.contains(&part), "`{part}` is not in {}", ran.stdout);
    }
    assert!(ran.stderr.contains("predicts `no` for every sample"), "{}", ran.stderr);
    let judged = done(place.run(&["eval", "runs/train", "--json"])).json();
    assert!(close(&judged["chance"], share) && judged["only_class"] == "no", "{judged}");
    let text = done(place.run(&["eval", "runs/train"])).stdout;
    assert!(text.contains(&format!("chance    {share:.4} (the most common class alone)")), "{text}");
    assert!(text.contains("it predicts `no` for every sample"), "{text}");
    let page = std::fs::read_to_string(place.join("runs/train/report.html")).unwrap();
    assert!(page.contains(&format!("the most common class has {:.2} % of the test split", 100.0 * share)));
    assert!(page.contains("most common class: "), "no line in the chart of accuracy");
}

#[test]
fn eval_tells_the_loss_of_a_regression_under_its_name_and_in_its_unit() {
    let place = Place::new();
    let data =
        table(&place, "prices.csv", "a,b,price", |_, a, b| format!(",{}", 300_000.5 + 100_000.0 * (a - b)));
    let args = ["train", "--data", &data, "--label", "price", "--model", "linear:8,tanh,linear:1"];
    let more = ["--loss", "huber:delta=0.5", "--epochs", "5", "--json"];
    let summary = done(place.run(&[&args[..], &more].concat())).json();
    let judged = done(place.run(&["eval", "runs/train", "--json"])).json();
    let test = &summary["trials"][0]["test"];
    assert_eq!(judged["loss_name"], "huber:delta=0.5");
    for name in ["loss", "mae", "r2"] {
        assert!(close(&judged[name], test[name].as_f64().unwrap()), "{name}: {judged} {test}");
    }
    let text = done(place.run(&["eval", "runs/train"])).stdout;
    assert!(
        text.contains(" (huber:delta=0.5)\n") && text.contains("\nmae ") && text.contains("\nr2 "),
        "{text}"
    );
}

#[test]
fn predict_does_not_read_the_label_and_eval_refuses_classes_the_model_never_saw() {
    let place = Place::new();
    let data = lopsided(&place);
    done(place.run(&["train", "--data", &data, "--model", "linear:2", "--epochs", "1", "--json"]));
    let absent = table(&place, "absent.csv", "a,b", |_, _, _| String::new());
    let blank = table(&place, "blank.csv", "a,b,kind", |_, _, _| ",".into());
    let unseen = table(&place, "unseen.csv", "a,b,kind", |_, _, _| ",perhaps".into());
    let expected = done(place.run(&["predict", "runs/train", &absent])).stdout;
    assert_eq!(expected.lines().count(), 200);
    for data in [&blank, &unseen, &data] {
        assert_eq!(done(place.run(&["predict", "runs/train", data])).stdout, expected, "{data}");
    }
    place.run(&["eval", "runs/train", &unseen]).refused(3, "`perhaps`, which is none of the classes");
    place.run(&["eval", "runs/train", &absent]).refused(3, "no labels");
}

#[test]
fn the_label_of_a_regression_is_not_read_by_predict() {
    let place = Place::new();
    let data = table(&place, "prices.csv", "a,b,price", |_, a, b| format!(",{}", a - b));
    done(place.run(&[
        "train", "--data", &data, "--label", "price", "--model", "linear:1", "--epochs", "1", "--json",
    ]));
    let absent = table(&place, "absent.csv", "a,b", |_, _, _| String::new());
    let words = table(&place, "words.csv", "a,b,price", |_, _, _| ",to be agreed".into());
    let expected = done(place.run(&["predict", "runs/train", &absent])).stdout;
    assert_eq!(done(place.run(&["predict", "runs/train", &words])).stdout, expected);
}

#[test]
fn long_lists_of_classes_are_cut_with_a_count() {
    let place = Place::new();
    let rows: String = (0..1200).map(|i| format!("{},{},word{:03}\n", i % 7, i % 11, i % 150)).collect();
    std::fs::write(place.join("words.csv"), "a,b,word\n".to_owned() + &rows).unwrap();
    let ran = done(place.run(&["train", "--data", "./words.csv", "--model", "linear:150", "--epochs", "1"]));
    assert!(ran.stdout.contains("classes: word000, word001, "), "{}", ran.stdout);
    assert!(ran.stdout.contains("word007 and 142 more; the most common class has "), "{}", ran.stdout);
    let shown = done(place.run(&["data", "show", "./words.csv"])).stdout;
    assert!(
        shown.contains("\nword099 ") && !shown.contains("\nword100 ") && shown.contains("\nand 50 more\n"),
        "{shown}"
    );
    let judged = done(place.run(&["eval", "runs/train"])).stdout;
    assert!(judged.lines().count() < 60, "{judged}");
}
