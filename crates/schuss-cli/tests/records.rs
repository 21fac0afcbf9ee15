//! Files left by a run, as documented for `summary.json`.

mod common;

use common::{Place, SMALL};
use serde_json::Value;

#[test]
fn compare_writes_a_run_folder_that_needs_nobody_to_be_read() {
    let place = Place::new();
    let ran = place.small(&[
        "compare",
        "--optimizer",
        "sgd",
        "--optimizer",
        "adam:lr=1e-2",
        "--epochs",
        "2",
        "--losses",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for file in [
        "study.toml",
        "summary.json",
        "report.html",
        "charts",
        "trials/01-sgd-1/trial.toml",
        "trials/02-adam-lr-1e-2-1/metrics.jsonl",
        "trials/02-adam-lr-1e-2-1/model.safetensors",
    ] {
        assert!(place.join("runs/compare").join(file).exists(), "{file}");
    }
    let losses = std::fs::read(place.join("runs/compare/trials/01-sgd-1/losses.f32")).unwrap();
    assert_eq!(losses.len(), 8 * 4, "one f32 for each of 2 x 4 updates");
    let page = std::fs::read_to_string(place.join("runs/compare/report.html")).unwrap();
    assert!(page.len() < 200_000 && !page.contains("://"), "one self-contained page without links");
}

#[test]
fn json_is_one_object_on_stdout_with_one_row_per_epoch() {
    let place = Place::new();
    let ran =
        place.small(&["train", "--epochs", "3", "--json", "--target", "eval_accuracy>=0.99", "--seed", "7"]);
    let summary = ran.json();
    assert_eq!(summary["schema"], 1);
    assert_eq!(summary["data"]["counts"]["train"], 400);
    assert_eq!(summary["data"]["eval_split"], "test");
    let trial = &summary["trials"][0];
    for (key, expected) in [
        ("seed", Value::from(7)),
        ("status", "finished".into()),
        ("timing", "alone".into()),
        ("arithmetic", "f32-fma-1".into()),
        ("updates", 12.into()),
        ("samples", 1200.into()),
        ("diverged", Value::Null),
    ] {
        assert_eq!(trial[key], expected, "{key}");
    }
    assert_eq!(trial["recipe"]["optimizer"], "sgd:lr=0.1");
    assert_eq!(trial["recipe"]["update"], "batch:100");
    assert_eq!(trial["target"]["seconds"], Value::Null);
    let epochs = trial["epochs"].as_array().unwrap();
    assert_eq!(epochs.iter().map(|row| row["epoch"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(
        epochs[0]["train_loss"].is_null()
            && epochs[0]["eval_loss"].is_f64()
            && epochs[1]["train_loss"].is_f64()
    );
    assert!(ran.stderr.contains("epoch") && ran.stderr.contains("report:"));
    let file = std::fs::read_to_string(place.join("runs/train/summary.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&file).unwrap(), summary);
}

#[test]
fn the_first_line_says_which_data_and_piped_output_is_a_line_per_epoch() {
    let place = Place::new();
    let ran = place.small(&["train", "--epochs", "2"]);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert!(lines[0].starts_with("data: digits, drawn by schuss; 400 images"), "{}", lines[0]);
    assert_eq!(
        lines.iter().filter(|line| line.contains("epoch ") && line.contains("  test loss ")).count(),
        3
    );
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "no control codes in a pipe");
}

#[test]
fn an_output_folder_that_exists_is_refused_and_the_default_takes_the_next_number() {
    let place = Place::new();
    std::fs::create_dir(place.join("mine")).unwrap();
    place.small(&["train", "--epochs", "1", "--out", "mine"]).refused(2, "already exists");
    for expected in ["runs/train", "runs/train-2", "runs/train-3"] {
        assert_eq!(place.small(&["train", "--max-updates", "1"]).code, 0);
        assert!(place.join(expected).join("summary.json").exists(), "{expected}");
    }
}

#[test]
fn the_resolved_study_repeats_the_run_to_the_bit() {
    let place = Place::new();
    place.small(&[
        "compare", "--update", "epoch", "--update", "batch:30", "--seed", "3,4", "--epochs", "2", "--out",
        "first",
    ]);
    let ran = place.run(&["compare", "first/study.toml", "--out", "second", "--threads", "1"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    for trial in std::fs::read_dir(place.join("first/trials")).unwrap() {
        let name = trial.unwrap().file_name();
        let model = |run: &str| {
            std::fs::read(place.join(run).join("trials").join(&name).join("model.safetensors")).unwrap()
        };
        assert_eq!(model("first"), model("second"), "{name:?}");
    }
}

#[test]
fn a_model_goes_on_where_it_was_with_init_from() {
    let place = Place::new();
    place.small(&["train", "--epochs", "2", "--out", "first"]);
    let from = std::fs::read_dir(place.join("first/trials"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("model.safetensors");
    let ran = place.small(&["train", "--epochs", "1", "--json", "--init-from", from.to_str().unwrap()]);
    let first: Value =
        serde_json::from_slice(&std::fs::read(place.join("first/summary.json")).unwrap()).unwrap();
    assert_eq!(
        ran.json()["trials"][0]["epochs"][0]["eval_loss"],
        first["trials"][0]["epochs"][2]["eval_loss"]
    );
}

#[test]
fn flags_beside_a_study_override_what_its_trials_share() {
    let place = Place::new();
    let small = [&["compare", "lecture-25", "--json", "--epochs", "1"], SMALL].concat();
    let summary = place.run(&small).json();
    let trials = summary["trials"].as_array().unwrap();
    assert_eq!(
        trials.iter().map(|t| t["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["SGD", "momentum", "Adam"]
    );
    assert_eq!(trials[1]["recipe"]["optimizer"], "sgd:lr=0.0001,momentum=0.9");
    let untrained: Vec<_> = trials.iter().map(|t| &t["epochs"][0]["eval_loss"]).collect();
    assert!(untrained.iter().all(|loss| *loss == untrained[0]), "all begin with the same weights");
    place.run(&["compare", "lecture-25", "--optimizer", "adam"]).refused(2, "would change nothing");
}

#[test]
fn a_dry_run_prints_the_plan_and_writes_nothing() {
    let place = Place::new();
    let ran = place.small(&["compare", "--update", "epoch", "--update", "sample", "--dry-run"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(
        ran.stdout.contains("4,000 updates") && ran.stdout.contains("nothing was trained"),
        "{}",
        ran.stdout
    );
    let tuned = place.small(&["compare", "--optimizer", "sgd", "--tune", "lr", "--dry-run"]).stdout;
    for part in [
        "before these, short trials tune lr: for each recipe about twice the time of one trial above, or more",
        "for the trials above on",
    ] {
        assert!(tuned.contains(part), "`{part}` is not in: {tuned}");
    }
    assert!(!place.join("runs").exists());
}

#[test]
fn a_trial_name_cannot_write_control_codes_to_the_terminal() {
    let place = Place::new();
    std::fs::write(place.join("s.toml"), "[[trial]]\nname = \"\\u001b[31mred\\nline\"\n").unwrap();
    let ran = place.small(&["compare", "./s.toml", "--epochs", "1"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(!ran.stdout.contains('\u{1b}') && ran.stdout.contains("[31mred line"), "{}", ran.stdout);
}

#[test]
fn trials_side_by_side_have_the_bits_of_trials_in_turns_and_say_that_their_times_are_calibrated() {
    let place = Place::new();
    let flags =
        ["--optimizer", "sgd", "--optimizer", "adam", "--seed", "1,2", "--epochs", "2", "--threads", "3"];
    let run = |out: &str, more: &[&str]| {
        let ran = place.small(&[&["compare", "--json", "--out", out], &flags[..], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        ran.json()
    };
    let (alone, shared) = (run("alone", &[]), run("shared", &["--parallel"]));
    assert_eq!(alone["trials"].as_array().unwrap().len(), 4);
    assert_eq!(shared["trials"].as_array().unwrap().len(), 4);
    for (index, (a, b)) in
        alone["trials"].as_array().unwrap().iter().zip(shared["trials"].as_array().unwrap()).enumerate()
    {
        assert_eq!((&a["name"], &a["seed"]), (&b["name"], &b["seed"]), "trial {index} stands in its place");
        assert_eq!((a["timing"].as_str(), b["timing"].as_str()), (Some("interleaved"), Some("calibrated")));
        let model = |run: &str, trial: &Value| {
            std::fs::read(place.join(run).join(trial["model"].as_str().unwrap())).unwrap()
        };
        assert_eq!(model("alone", a), model("shared", b), "trial {index}");
    }
}

#[test]
fn less_precision_is_used_where_the_machine_has_it_and_said_where_it_has_not() {
    let place = Place::new();
    let run = |amx: &str, word: &str| {
        let mut command =
            place.command(&["train", "--data", "digits:train=400,test=100", "--model", "784-64-10"]);
        command.args(["--epochs", "2", "--json", "--matmul-precision", word]).env("SCHUSS_AMX", amx);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        (summary, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (exact, _) = run("off", "highest");
    for (word, arithmetic, distance) in [("high", "bf16x3-amx-2", 1e-3), ("medium", "bf16-amx-2", 1e-1)] {
        let (summary, stderr) = run("off", word);
        assert!(stderr.contains("needs AMX"), "{stderr}");
        assert_eq!(summary["trials"][0]["arithmetic"], "f32-fma-1");
        assert_eq!(summary["trials"][0]["recipe"]["matmul_precision"], word);
        let loss = |summary: &Value| summary["trials"][0]["epochs"][2]["train_loss"].as_f64().unwrap();
        assert_eq!(loss(&summary), loss(&exact));
        let (summary, stderr) = run("emulated", word);
        assert!(!stderr.contains("needs AMX"), "{stderr}");
        assert_eq!(summary["trials"][0]["arithmetic"], arithmetic);
        let off = (loss(&summary) - loss(&exact)).abs();
        assert!(off > 0.0 && off < distance, "{word} is {off} off");
    }
}

/// `config_id` was called `recipe_id` before.
#[test]
fn records_under_the_old_name_of_the_identity_are_read() {
    let place = Place::new();
    let trained =
        place.run(&["train", "--data", "digits:train=100,test=50", "--epochs", "1", "--out", "old"]);
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let summary = place.join("old/summary.json");
    let written = std::fs::read_to_string(&summary).unwrap();
    assert!(written.contains("\"config_id\"") && !written.contains("recipe_id"));
    std::fs::write(&summary, written.replace("\"config_id\"", "\"recipe_id\"")).unwrap();
    let longer = place.run(&["resume", "old", "--epochs", "2"]);
    assert_eq!(longer.code, 0, "{}", longer.stderr);
}
