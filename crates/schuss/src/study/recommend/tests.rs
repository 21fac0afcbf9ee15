//! Recommendations for made-up data and verdicts.

use super::candidates::Menu;
use super::card::{choose, flips, qualities};
use super::work::judged_by_few;
use super::*;
use crate::recipe::Trial;
use crate::record::{Certainty, EvaluationPoint, Measure, PairOutcome, PairVerdict, Verdict};
use crate::study::verdict::tests::{ended, summary};
use crate::study::{Tie, Workload};
use std::collections::BTreeSet;

fn question(data: &str) -> Question {
    let file = StudyFile { workload: Workload::of(data), ..StudyFile::default() };
    let limits = Limits { threads: 1, ..Limits::default() };
    Question { file, seed: 1, began: Instant::now(), time_limit: Duration::from_secs(4), limits }
}

const DIGITS: &str = "digits:train=200,test=40,size=8";

/// Interrupts at the first note that begins with a word.
struct Interrupting<'a> {
    word: &'static str,
    control: &'a Control,
}

impl Watcher for Interrupting<'_> {
    fn note(&mut self, text: &str) {
        if text.starts_with(self.word) {
            self.control.interrupt();
        }
    }
}

fn interrupted_at(word: &'static str) -> Recommended {
    let (question, control) = (question(DIGITS), Control::default());
    let data = question.data().unwrap();
    question.recommend(&data, &control, &mut Interrupting { word, control: &control }).unwrap()
}

#[test]
fn an_interrupted_search_recommends_the_best_so_far_and_says_that_it_is_untested() {
    let found = interrupted_at("rung 1");
    let Recommendation { recipe, certainty, interrupted, verdict, candidates, .. } = &found.record;
    assert!(*interrupted && *certainty == Certainty::Untested && verdict.is_none());
    let lowest = candidates.iter().filter_map(|candidate| candidate.loss).fold(f64::INFINITY, f64::min);
    let recipe = recipe.as_ref().unwrap();
    let own = candidates.iter().find(|candidate| candidate.name == recipe.name).unwrap();
    assert_eq!(own.loss, Some(lowest));
    assert!(StudyFile::parse(&found.to_toml().unwrap(), "recipe.toml").unwrap().is_of_one_trial());
}

#[test]
fn interrupted_before_anything_was_evaluated_there_is_no_recipe() {
    let found = interrupted_at("searching");
    assert!(found.record.interrupted && found.record.recipe.is_none());
    assert_eq!(found.to_toml().unwrap_err().exit_code(), 1);
}

#[test]
fn the_test_split_is_the_same_for_all_seeds_and_no_candidate_reaches_it() {
    let data = question(DIGITS).data().unwrap();
    let held = data.validation.as_ref().unwrap().len();
    assert_eq!((data.train.len(), held, data.test.len()), (180, 20, 40));
    let other = data.for_seed(5).unwrap();
    let hash = |data: &Dataset| data.held_out.clone().unwrap().hash;
    assert_ne!(hash(&data), hash(&other));
    assert_eq!(data.test.resident(), other.test.resident());
    let judged = judged_by_few(&data).unwrap();
    assert!(judged.test.len() == held && judged.validation.is_none());
}

#[test]
fn candidates_of_the_search_are_judged_by_two_thousand_samples_at_most() {
    let data = schuss_data::load("digits:train=20,test=2500,size=8").unwrap();
    let judged = judged_by_few(&data).unwrap();
    assert_eq!(judged.test.len(), 2_000);
    let read = |data: &Dataset, index| data.test.read(&[index]).unwrap();
    assert_eq!(read(&judged, 1_999), read(&data, 2_498));
}

#[test]
fn typed_choices_are_those_of_all_candidates_and_only_open_ones_are_varied() {
    let of = |choices: &[(ChoiceKey, &str)]| {
        let mut question = question(DIGITS);
        choices.iter().for_each(|(key, text)| question.file.budget.set(*key, text).unwrap());
        let data = question.data().unwrap();
        let all = Menu::new(&question.file, &data).candidates(20).unwrap();
        all.into_iter().map(|candidate| (candidate.is_linear, candidate.planned.trial)).collect::<Vec<_>>()
    };
    let all = of(&[]);
    assert_eq!(all.iter().filter(|(is_linear, _)| !is_linear).count(), 20);
    let mut ids: Vec<String> = all.iter().map(|(_, trial)| trial.config_id()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), all.len(), "all are different");
    let adam = of(&[(ChoiceKey::Optimizer, "adam")]);
    let rates: Vec<f64> = adam.iter().filter_map(|(_, trial)| trial.recipe.optimizer.number("lr")).collect();
    assert!(adam.iter().all(|(_, trial)| trial.recipe.optimizer.to_string().starts_with("adam:")));
    assert!(rates.iter().any(|rate| *rate < 1e-3) && rates.iter().any(|rate| *rate > 1e-3));
    let given = of(&[
        (ChoiceKey::Optimizer, "sgd:lr=0.3"),
        (ChoiceKey::Update, "64"),
        (ChoiceKey::Model, "in-5-out"),
    ]);
    let names: Vec<&str> = given.iter().map(|(_, trial)| trial.name.as_str()).collect();
    assert_eq!(names, ["linear batch:64 sgd:lr=0.3", "64-5-10 batch:64 sgd:lr=0.3"]);
}

#[test]
fn a_rate_that_the_schedule_replaces_is_not_searched_but_batch_sizes_are() {
    let mut question = question(DIGITS);
    for (key, text) in [(ChoiceKey::Optimizer, "adam"), (ChoiceKey::Schedule, "one-cycle:max_lr=0.01")] {
        question.file.budget.set(key, text).unwrap();
    }
    let data = question.data().unwrap();
    let all = Menu::new(&question.file, &data).candidates(12).unwrap();
    let distinct = |text: fn(&Trial) -> String| {
        all.iter().map(|candidate| text(&candidate.planned.trial)).collect::<BTreeSet<_>>()
    };
    let optimizers = distinct(|trial| trial.recipe.optimizer.to_string());
    let updates = distinct(|trial| trial.recipe.update.to_string());
    assert!(optimizers.len() == 1 && updates.len() > 4, "{optimizers:?} {updates:?}");
}

/// Returns the verdict on recipes with these losses at the end, one per seed.
fn verdict(recipes: &[(&str, [f64; 5])]) -> Verdict {
    let trials = recipes
        .iter()
        .flat_map(|(name, losses)| (1..).zip(losses).map(|(seed, loss)| ended(name, seed, *loss)));
    Verdict::of(&summary(trials.collect()), Tie::default())
}

const GOOD: [f64; 5] = [0.100, 0.101, 0.099, 0.1, 0.102];
const BAD: [f64; 5] = [0.300, 0.310, 0.290, 0.305, 0.295];
const NOISY: [f64; 5] = [0.08, 0.13, 0.11, 0.09, 0.092];

#[test]
fn the_leader_is_chosen_unless_the_baseline_equals_it_or_is_not_told_apart_within_a_tie() {
    let choice = |network, linear| {
        let verdict = verdict(&[("network", network), ("linear", linear)]);
        let choice = choose(&verdict, Some("linear")).unwrap();
        (choice.name, choice.certainty)
    };
    assert_eq!(choice(GOOD, BAD), ("network".to_owned(), Certainty::Sure));
    assert_eq!(choice(BAD, GOOD), ("linear".to_owned(), Certainty::Sure));
    assert_eq!(choice(GOOD, GOOD.map(|loss| 1.01 * loss)), ("linear".to_owned(), Certainty::Tie));
    assert_eq!(choice(NOISY, GOOD.map(|loss| loss + 0.002)), ("linear".to_owned(), Certainty::Undecided));
    let three = verdict(&[("a", GOOD), ("b", NOISY), ("linear", BAD)]);
    let choice = choose(&three, Some("linear")).unwrap();
    assert!(choice.name != "linear" && choice.certainty == Certainty::AboveBaseline, "{choice:?}");
    assert!(flips(&three, &choice).iter().any(|flip| flip.contains("tell") || flip.contains("ahead")));
}

#[test]
fn qualities_lie_between_the_baseline_and_the_end_and_times_are_medians_over_seeds() {
    let point = |(step, loss): (u32, f64)| EvaluationPoint {
        train_seconds: f64::from(step),
        updates: u64::from(step),
        eval_loss: Some(loss),
        ..EvaluationPoint::default()
    };
    let curve = |losses: [f64; 5]| (0..).zip(losses).map(point).collect::<Vec<_>>();
    let curves = [
        curve([9.0, 4.0, 3.0, 2.0, 1.0]),
        curve([9.0, 5.0, 4.5, 2.9, 1.0]),
        curve([9.0, 8.0, 4.0, 3.0, 1.0]),
    ];
    let curves: Vec<&[EvaluationPoint]> = curves.iter().map(Vec::as_slice).collect();
    let found = qualities(&curves, Measure::EvalLoss, Some(5.0));
    let found: Vec<(f64, f64)> = found.iter().map(|quality| (quality.value, quality.seconds)).collect();
    assert_eq!(found, [(3.0, 3.0), (1.4, 4.0), (1.04, 4.0)]);
    let from_start = qualities(&curves, Measure::EvalLoss, None);
    assert_eq!((from_start[0].value, from_start[0].seconds), (5.0, 1.0));
}

#[test]
fn an_undecided_finalist_stands_among_what_would_change_the_choice() {
    let verdict = verdict(&[("a", NOISY), ("linear", [0.095, 0.12, 0.13, 0.1, 0.11])]);
    let pair: &PairVerdict = &verdict.pairs[0];
    assert_eq!(pair.outcome, PairOutcome::Undecided);
    let choice = choose(&verdict, Some("linear")).unwrap();
    assert!(!flips(&verdict, &choice).is_empty());
}
