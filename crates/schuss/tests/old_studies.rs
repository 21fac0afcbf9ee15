//! Study files and records of version 0.1: read, or refused with the reason.

use schuss::data::Dataset;
use schuss::recipe::EvalEvery;
use schuss::record::TrialRecord;
use schuss::study::{Study, StudyFile};
use std::path::{Path, PathBuf};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/studies-0.1").join(name)
}

fn load(name: &str) -> StudyFile {
    StudyFile::load(&path(name).display().to_string()).unwrap()
}

fn digits(size: usize) -> Dataset {
    schuss::data::load(&format!("digits:train=60,test=30,size={size}")).unwrap()
}

#[test]
fn the_first_form_of_a_lecture_is_read() {
    for (name, trials) in [("lecture-24.toml", 4), ("lecture-25.toml", 3)] {
        let study = Study::resolve(name, &load(name), &digits(28)).unwrap();
        assert_eq!(study.trials.len(), trials, "{name}");
        let first = &study.trials[0];
        assert_eq!(first.trial.model.to_string(), "784-400-256-10");
        assert!(!first.printed.results.is_empty() && study.observe.losses, "{name}");
    }
    let lecture = Study::resolve("24", &load("lecture-24.toml"), &digits(28)).unwrap();
    let trial = &lecture.trials[2].trial;
    assert_eq!(
        (trial.name.as_str(), trial.recipe.optimizer.to_string()),
        ("sample, rate 0.01", "sgd:lr=0.01".into())
    );
    assert!(trial.budget.beyond_target && trial.budget.eval_every == Some(EvalEvery::Updates(600)));
}

#[test]
fn a_choice_without_effect_is_refused_in_a_study_but_kept_in_a_run_that_it_identifies() {
    let (data, file) = (digits(8), load("study-of-a-run.toml"));
    let error = Study::resolve("run", &file, &data).unwrap_err().to_string();
    assert!(error.contains("stats has no effect on model `64-12-10`"), "{error}");
    assert!(error.contains("study-of-a-run.toml, line 17, key stats in [[trial]] 1"), "{error}");
    let study = Study::resolve("run", &StudyFile { is_of_run: true, ..file }, &data).unwrap();
    assert!(study.trials[0].trial.canonical().contains("\nstats = 10\n"));
}

#[test]
fn records_are_read_under_the_old_name_of_the_identity_and_without_later_choices() {
    let text = std::fs::read_to_string(path("trials-of-a-summary.json")).unwrap();
    let trials: Vec<TrialRecord> = serde_json::from_str(&text).unwrap();
    assert_eq!(trials[0].config_id, "0123456789ab");
    assert_eq!(trials[0].recipe.get("optimizer").as_deref(), Some("adam:lr=0.001"));
    assert_eq!(trials[0].recipe.get("targets"), None);
}
