//! Tunings that are interrupted, and studies that ask for one.

use super::*;
use crate::files::faults::{self, Fault};
use crate::record::{TrialRecord, TuningRecord};
use crate::session::{Cadence, Control, Limits};
use crate::study::{Begun, Finished, Study, StudyFile, run};
use schuss_data::Dataset;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

const STUDY: &str = "workload = { data = 'digits:train=120,test=20,size=8' }\n\
    recipe = { model = '64-6-10', update = 'batch:20', epochs = 2 }\n\
    tune = { keys = ['lr'] }\naxes = { optimizer = ['sgd', 'adam'] }\n";

fn file() -> StudyFile {
    StudyFile::parse(STUDY, "").unwrap()
}

fn limits() -> Limits {
    Limits { threads: 1, checkpoint_every: Cadence::Epochs(1), ..Limits::default() }
}

fn begin(data: &Dataset, out: &Path, control: &Control) -> Result<Finished> {
    run(&Study::resolve("tuned", &file(), data).unwrap(), data, limits(), Some(out), "", control, &mut ())
}

fn go_on(data: &Dataset, out: &Path) -> Finished {
    let begun = Begun::open(out).unwrap();
    let study = Study::resolve("tuned", &begun.file, data).unwrap();
    begun.resume(&study, data, limits(), &Control::default(), &mut ()).unwrap()
}

/// What must not depend on interruptions.
#[derive(Debug, PartialEq)]
struct Left {
    /// Recipe, seed and state of every probe and trial.
    trials: Vec<(String, u64, String)>,
    /// Names of each recipe at its best and at the same rate.
    chosen: Vec<[Option<String>; 2]>,
    /// Leaders of both verdicts.
    leaders: [Option<String>; 2],
}

fn left(finished: &Finished) -> Left {
    let Finished { summary, error, .. } = finished;
    assert!(error.is_none(), "{error:?}");
    let of = |trial: &TrialRecord| (trial.config_id.clone(), trial.seed, trial.state.clone());
    let TuningRecord { recipes, .. } = summary.tuning.as_ref().unwrap();
    let chosen = recipes.iter().map(|recipe| [Some(recipe.at_best.clone()), recipe.at_same_rate.clone()]);
    let verdict = summary.verdict.as_ref().unwrap();
    Left {
        trials: summary.trials.probes.iter().chain(&summary.trials).map(of).collect(),
        chosen: chosen.collect(),
        leaders: [Some(verdict), verdict.same_rate.as_deref()].map(|verdict| verdict?.leader.clone()),
    }
}

#[test]
fn a_tuning_goes_on_to_the_same_choice_wherever_a_disk_fails_or_a_process_dies() {
    let data = file().data(None).unwrap();
    let place = TempDir::new().unwrap();
    let whole = left(&begin(&data, &place.path().join("whole"), &Control::default()).unwrap());
    for kind in [Fault::Once, Fault::From] {
        for at in (1..).step_by(97) {
            let out = place.path().join("run");
            let (begun, failed) = faults::with(kind(at), || begin(&data, &out, &Control::default()));
            drop(begun);
            if out.exists() && failed {
                assert_eq!(left(&go_on(&data, &out)), whole, "call {at}");
                fs::remove_dir_all(&out).unwrap();
            }
            if !failed {
                assert!(at > 60, "only {at} calls");
                fs::remove_dir_all(&out).unwrap();
                break;
            }
        }
    }
}

#[test]
fn probes_that_have_ended_are_not_run_again_and_an_interrupted_tuning_says_how_to_go_on() {
    let data = file().data(None).unwrap();
    let place = TempDir::new().unwrap();
    let out = place.path().join("run");
    let control = Control::default();
    control.interrupt();
    let begun = begin(&data, &out, &control).unwrap();
    assert!(begun.summary.trials.is_empty() && begun.summary.tuning.is_none());
    drop(begun);
    assert!(!Begun::open(&out).unwrap().is_finished());
    let whole = left(&go_on(&data, &out));
    let probes = out.join("tuning/probes.jsonl");
    let text = fs::read_to_string(&probes).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let mut ids = whole.trials.clone();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), whole.trials.len(), "no probe and no trial ran twice");
    // ten probes ended before the process was killed while it wrote the eleventh
    fs::remove_dir_all(out.join("trials")).unwrap();
    fs::remove_file(out.join("tuning/tuning.json")).unwrap();
    fs::write(&probes, lines[..10].join("\n") + "\n" + &lines[10][..40]).unwrap();
    let study = Study::resolve("tuned", &file(), &data).unwrap().to_file(&data);
    fs::write(out.join("study.toml"), toml::to_string_pretty(&study).unwrap()).unwrap();
    assert_eq!(left(&go_on(&data, &out)), whole);
    let again = fs::read_to_string(&probes).unwrap();
    assert_eq!(again.lines().take(10).collect::<Vec<_>>(), lines[..10], "with the times of the first run");
    assert_eq!(again.lines().count(), lines.len());
}

#[test]
fn a_tuned_study_holds_out_samples_unasked_and_its_run_repeats_the_race_alone() {
    let data = file().data(None).unwrap();
    assert_eq!((data.train.len(), data.validation.as_ref().map(|split| split.len())), (108, Some(12)));
    let place = TempDir::new().unwrap();
    let out = place.path().join("run");
    let finished = begin(&data, &out, &Control::default()).unwrap();
    assert_eq!(finished.summary.data.eval_split, "validation");
    assert!(finished.summary.trials.iter().all(|trial| trial.test.is_some()));
    assert!(finished.summary.trials.probes.iter().all(|probe| probe.test.is_none()));
    let text = fs::read_to_string(out.join("study.toml")).unwrap();
    let tuned = StudyFile::parse(&text, "study.toml").unwrap();
    assert!(tuned.tune.is_none() && text.contains("validation = 0.1"), "{text}");
    let again = Study::resolve("again", &tuned, &tuned.data(None).unwrap()).unwrap();
    let ids: Vec<String> = again.trials.iter().map(|planned| planned.trial.config_id()).collect();
    let ran: Vec<String> = finished.summary.trials.iter().map(|trial| trial.config_id.clone()).collect();
    assert_eq!(ids, ran);
}

#[test]
fn the_same_rate_is_the_one_given_for_all_recipes_if_there_is_one() {
    let rate = |optimizers: &str| {
        let file = StudyFile::parse(&STUDY.replace("['sgd', 'adam']", optimizers), "").unwrap();
        let data = file.data(None).unwrap();
        Study::resolve("rates", &file, &data).unwrap().tune.unwrap().same_rate
    };
    assert_eq!(rate("['sgd:lr=0.01', 'adam:0.01']"), Some(0.01));
    assert_eq!(rate("['sgd:lr=0.01', 'adam']"), None);
    assert_eq!(rate("['sgd:lr=0.01', 'adam:lr=0.1']"), None);
}

#[test]
fn probes_stand_among_the_trials_of_a_summary_and_are_told_apart_when_it_is_read() {
    let data = file().data(None).unwrap();
    let study = Study::resolve("tuned", &file(), &data).unwrap();
    let summary = study.run_with(&data, limits(), &Control::default(), &mut ()).unwrap().summary;
    let text = crate::study::to_json(&summary).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let roles = value["trials"].as_array().unwrap().iter().map(|trial| trial["role"].as_str().unwrap());
    assert_eq!(roles.filter(|role| *role == "probe").count(), summary.tuning.as_ref().unwrap().cost.probes);
    let read: crate::record::Summary = serde_json::from_str(&text).unwrap();
    let counts = |trials: &crate::record::Trials| (trials.len(), trials.probes.len());
    assert_eq!(counts(&read.trials), counts(&summary.trials));
    assert_eq!(read.groups.len(), read.trials.len());
}

#[test]
fn an_error_of_a_probe_leaves_the_probes_before_it_in_the_results_and_the_run_can_go_on() {
    let data = file().data(None).unwrap();
    let place = TempDir::new().unwrap();
    let out = place.path().join("run");
    let mut interrupted = 0;
    for at in (40..).step_by(25).take(8) {
        let (begun, _) = faults::with(Fault::Once(at), || begin(&data, &out, &Control::default()));
        if let Ok(Finished { summary, error: Some(_), .. }) = &begun
            && summary.tuning.is_none()
        {
            interrupted += 1;
            assert!(summary.trials.is_empty());
            let words = summary.verdict.as_ref().unwrap().sentences.join(" ");
            let probes = summary.trials.probes.len();
            assert!(words.starts_with(if probes > 0 {
                "The tuning was interrupted after"
            } else {
                "No trial"
            }));
        }
        drop(begun);
        assert!(!Begun::open(&out).is_ok_and(|begun| begun.is_finished()));
        fs::remove_dir_all(&out).unwrap();
    }
    assert!(interrupted > 3, "{interrupted}");
}
