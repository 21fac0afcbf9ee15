//! Command-line input and output: names from other programs, values in braces, short output.

mod common;

use common::{Place, SMALL};
use serde_json::Value;

/// Returns the trial names printed by a dry run.
fn planned(place: &Place, args: &[&str]) -> Vec<String> {
    let ran = place.small(&[&["compare", "--dry-run"], args].concat());
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    let lines = ran.stdout.lines().filter(|line| line.contains("besides the data"));
    lines.map(|line| line.split(" seed ").next().unwrap().trim_end().to_owned()).collect()
}

#[test]
fn values_in_braces_make_trials_on_the_command_line_and_in_trials() {
    let place = Place::new();
    let rates = ["batch:100 adam:lr=0.0001", "batch:100 adam:lr=0.001"];
    let names = planned(&place, &["--optimizer", "adam:lr={1e-4,1e-3}"]);
    assert_eq!(names, rates);
    assert_eq!(planned(&place, &["--trial", "optimizer=Adam(learning_rate={1e-4,1e-3})"]), rates);
    assert_eq!(planned(&place, &["--update", "{10,20}", "--seeds", "3"]).len(), 6);
    place
        .run(&[&["compare", "--dry-run", "--optimizer", "adam:lr={1e-4"], SMALL].concat())
        .refused(2, "braces");
}

#[test]
fn what_cannot_be_meant_is_refused_with_what_can() {
    let place = Place::new();
    for (args, part) in [
        (&["train", "--target", "eval_accuracy>=97"][..], "eval_accuracy>=97%"),
        (&["train", "--target", "price"], "--label"),
        (&["train", "--stop", "eval_loss<-1"], "never below 0"),
        (&["train", "--target", "eval_accuracy>=0.9", "--targets", "input"], "no accuracy"),
        (&["train", "--lr", "0.01"], "--optimizer sgd:lr=0.01"),
        (&["train", "--seeds", "3"], "schuss compare"),
        (&["train", "--optimizer", "adam:lr={1e-4,1e-3}"], "schuss compare"),
        (&["compare", "--optimizer", "adam:lr=0.001,0.01,0.1"], "'adam:lr={0.001,0.01}'"),
        (&["compare", "--optimizer", "adam:lr=1e-4", "adam:lr=1e-3"], "quotes"),
        (&["compare", "--model", "dropout:p=0.1,0.2"], "unknown layer `0.2`"),
        (&["compare", "--schedule", "step:step_size=5,0.1"], "has no key"),
        (&["compare", "--loss", "huber:delta=1,2"], "has no key"),
        (&["compare", "--noise", "gaussian:std=1,2"], "has no key"),
    ] {
        place.small(args).refused(2, part);
    }
}

#[test]
fn what_is_recorded_is_the_canonical_spelling() {
    let place = Place::new();
    let args = [
        "train",
        "--json",
        "--epoch",
        "1",
        "--opt",
        "torch.optim.Adam(lr=0.01, betas=(0.8, 0.99))",
        "--bs",
        "50",
        "--criterion",
        "CrossEntropyLoss",
        "--lr_scheduler",
        "CosineAnnealingLR",
        "--initializer",
        "he_normal",
        "--hidden-layer-sizes",
        "20,10",
        "--random-state",
        "3",
        "-o",
        "mine",
        "--data",
        SMALL[1],
    ];
    let summary = place.run(&args).json();
    let trial = &summary["trials"][0];
    assert_eq!(trial["recipe"]["optimizer"], "adam:lr=0.01,beta1=0.8,beta2=0.99");
    assert_eq!(trial["recipe"]["update"], "batch:50");
    assert_eq!(trial["recipe"]["loss"], "cross-entropy");
    assert_eq!(trial["recipe"]["init"], "kaiming-normal");
    assert_eq!(trial["seed"], 3);
    assert_eq!(summary["workload"]["model"], "64-20-10-10");
    assert_eq!(summary["run"], "mine", "the folder of the run");
    let written: Value =
        serde_json::from_str(&std::fs::read_to_string(place.join("mine/summary.json")).unwrap()).unwrap();
    assert_eq!(written["run"], "mine");
}

#[test]
fn many_trials_and_many_epochs_take_few_lines_and_say_where_the_rest_is() {
    let place = Place::new();
    let many = [
        "compare",
        "--optimizer",
        "sgd:lr={0.01,0.02,0.03,0.04,0.05,0.06,0.07}",
        "--seeds",
        "6",
        "--epochs",
        "3",
    ];
    let ran = place.small(&many);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let epochs: Vec<&str> = ran.stdout.lines().filter(|line| line.contains("epoch 3/3")).collect();
    assert_eq!(epochs.len(), 42, "{}", ran.stdout);
    assert!(epochs.iter().all(|line| line.contains("seed ")));
    assert!(!ran.stdout.contains("epoch 1/3") && ran.stdout.contains("every epoch: runs/compare"));
    assert!(ran.stdout.lines().count() < 120, "{}", ran.stdout);

    let ran = place.small(&["train", "--epochs", "100"]);
    let lines = ran.stdout.lines().filter(|line| line.contains("epoch ") && line.contains("/100")).count();
    assert!((10..=22).contains(&lines), "{}", ran.stdout);
    assert!(ran.stdout.contains("epoch 100/100"));
}

#[test]
fn a_quiet_run_prints_results_alone() {
    let place = Place::new();
    let ran = place.small(&["train", "-q", "--epochs", "2"]);
    assert!(ran.code == 0 && ran.stderr.is_empty(), "{}", ran.stderr);
    assert!(!ran.stdout.contains("epoch 2/2") && ran.stdout.contains("report:"), "{}", ran.stdout);
    place.small(&["train", "-q", "--verbose"]).refused(2, "cannot be used with");
}

#[test]
fn output_fits_a_screen_of_60_columns() {
    let place = Place::new();
    for args in [
        &["train", "--epochs", "2", "--optimizer", "clip-global-norm:1+adamw:lr=0.00012,beta1=0.95+ema:0.99"]
            [..],
        &[
            "compare",
            "--epochs",
            "1",
            "--optimizer",
            "clip-global-norm:1+adamw:lr=0.00012+ema:0.99",
            "--optimizer",
            "sgd",
        ],
    ] {
        let output = place.command(&[args, SMALL].concat()).env("COLUMNS", "60").output().unwrap();
        let stdout = String::from_utf8(output.stdout).unwrap();
        // other lines are sentences, which the terminal wraps
        let tables: Vec<&str> =
            stdout.lines().filter(|line| line.contains("epoch ") || line.contains('─')).collect();
        assert!(tables.len() > 3 && tables.iter().all(|line| line.chars().count() <= 60), "{stdout}");
    }
}

#[test]
fn shells_complete_names_of_choices_and_studies() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.run(&["completions", shell]).stdout;
        for name in [
            "adamw",
            "l-bfgs",
            "cross-entropy",
            "cosine-restarts",
            "lecture-25",
            "kaiming-normal",
            "blocks:64",
        ] {
            assert!(script.contains(name) || script.contains(&name.replace(':', "\\:")), "{name} in {shell}");
        }
        let offered = |verb: &str, name: &str| {
            script.lines().any(|line| line.contains(&format!("subcommand {verb}\"")) && line.contains(name))
        };
        for (verb, name) in [("compare", "lecture-25"), ("explain", "adamw"), ("list", "losses")] {
            assert!(shell != "fish" || offered(verb, name), "{name} behind {verb}");
        }
    }
}

#[test]
fn the_system_is_quoted_in_plain_words() {
    let place = Place::new();
    for (args, code) in [
        (&["train", "--data", "./nowhere.csv"][..], 3),
        (&["compare", "./nowhere.toml"], 2),
        (&["eval", "nowhere", "digits"], 3),
        (&["train", "--init-from", "nowhere", "--data", "digits:train=10,test=10"], 3),
    ] {
        let ran = place.run(args);
        ran.refused(code, "nowhere");
        assert!(!ran.stderr.contains("entity") && !ran.stderr.contains("os error"), "{}", ran.stderr);
    }
}

#[test]
fn help_names_every_variable_and_exit_code() {
    let help = Place::new().run(&["--help"]).stdout;
    for part in ["SCHUSS_DATA", "SCHUSS_ISA", "SCHUSS_AMX", "NO_COLOR", "COLUMNS", "130", "--require-target"]
    {
        assert!(help.contains(part), "{part}: {help}");
    }
}

#[test]
fn help_fits_60_columns_and_breaks_no_example() {
    let place = Place::new();
    for verb in ["", "compare", "train", "resume", "eval", "predict", "data", "doctor", "man"] {
        for flag in ["-h", "--help"] {
            let args: Vec<&str> = [verb, flag].into_iter().filter(|word| !word.is_empty()).collect();
            let output = place.command(&args).env("COLUMNS", "60").output().unwrap();
            let help = String::from_utf8(output.stdout).unwrap();
            let long =
                help.lines().find(|line| line.chars().count() > 60 && !line.contains("digits:train=60000"));
            assert_eq!(long, None, "schuss {verb} {flag}");
            let environment = help.split("Environment variables:\n").nth(1).unwrap_or_default();
            let broken = environment.lines().find(|line| !line.starts_with("  "));
            assert_eq!(broken, None, "schuss {verb} {flag}");
        }
    }
    let help =
        String::from_utf8(place.command(&["-h"]).env("COLUMNS", "60").output().unwrap().stdout).unwrap();
    assert!(help.contains("\n  schuss train --data sales.csv --label price\n"), "{help}");
}

#[test]
fn a_run_is_spoken_of_by_its_place_its_split_and_the_commands_that_work() {
    let place = Place::new();
    let small = |args: &[&str]| {
        place.run(&[args, &["--data", "digits:train=60,test=30,size=8"], &SMALL[2..]].concat())
    };
    let ran = small(&[
        "train",
        "--epochs",
        "40",
        "--optimizer",
        "adam:lr=0.03",
        "--validation",
        "0.5",
        "-o",
        "my run",
    ]);
    assert!(ran.stdout.contains("validation loss ") && !ran.stdout.contains("eval loss"), "{}", ran.stdout);
    assert!(ran.stdout.contains("the validation loss was lowest at epoch "), "{}", ran.stdout);
    assert!(ran.stdout.contains("On the test split, evaluated once at its end: loss "), "{}", ran.stdout);
    assert!(ran.stdout.contains("train longer with: schuss resume 'my run' --epochs 80"), "{}", ran.stdout);
    let ran = place.run(&["resume", "my run", "--epochs", "41"]);
    assert!(ran.stdout.contains("report: my run/report.html"), "{}", ran.stdout);
    let again = place.run(&["resume", "my run"]).stdout;
    assert!(
        again.starts_with("my run is finished: nothing is left to do\n") && again.contains("--epochs 82"),
        "{again}"
    );
    let cosine = small(&["train", "--epochs", "2", "--schedule", "cosine"]).stdout;
    assert!(!cosine.contains("train longer"), "a schedule made for its epochs: {cosine}");
}

#[test]
fn a_diverged_trial_is_named_with_its_seed_and_has_no_empty_line() {
    let ran =
        Place::new().small(&["compare", "--optimizer", "sgd:lr={0.1,1e30}", "--epochs", "2", "--seeds", "2"]);
    assert!(ran.stdout.contains(", seed 2: diverged in layer "), "{}", ran.stdout);
    let empty = ran.stdout.lines().find(|line| line.contains("accuracy -"));
    assert_eq!(empty, None, "{}", ran.stdout);
}

#[test]
fn a_bare_word_that_is_a_file_is_that_file() {
    let place = Place::new();
    let rows: String =
        (0..40).map(|row| format!("{row},{}\n", if row % 2 == 0 { "a" } else { "b" })).collect();
    std::fs::write(place.join("table"), format!("x,kind\n{rows}")).unwrap();
    let ran = place.run(&["train", "--data", "table", "--epochs", "1", "--hidden", "4"]);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let ran = place.run(&["eval", "train", "table"]);
    assert_eq!(ran.code, 0, "a run by its name in runs/: {}", ran.stderr);
}
