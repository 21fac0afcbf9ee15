//! Verdicts on records made up for a case.

use super::*;
use crate::record::{CurvePoint, Role, SlicesRecord, Status, Test, Timing, TrialRecord};
use serde_json::{Value, json};

/// A trial of 1,000 updates in 10 s that missed `eval_accuracy>=0.9`.
pub(in crate::study) fn missed(name: &str, seed: u64) -> TrialRecord {
    let row = json!({"epoch": 1, "updates": 1_000, "samples": 10_000, "train_loss": 0.5, "eval_loss": 0.5,
        "eval_accuracy": 0.8, "metrics": {}, "train_seconds": 10.0, "elapsed_seconds": 10.0});
    let record = json!({
        "name": name, "config_id": name, "seed": seed, "recipe": {"optimizer": name, "loss": "cross-entropy"},
        "arithmetic": "f32-fma-1", "strategy": "fused", "threads": 1, "timing": "alone", "status": "finished",
        "diverged": null, "budget": {"epochs": 1, "max_updates": null, "updates": 1_000}, "updates": 1_000,
        "samples": 10_000, "train_seconds": 10.0, "wall_seconds": 11.0, "load_wait_seconds": 0.0,
        "samples_per_second": null, "peak_rss_bytes": null, "test": null, "model": null, "losses": null,
        "memory": {"parameters": 0, "gradients": 0, "optimizer_state": 0, "activations": 0, "copy": 0, "data": 0},
        "target": {"metric": "eval_accuracy", "op": ">=", "value": 0.9, "seconds": null, "updates": null},
        "epochs": [row],
    });
    serde_json::from_value(record).unwrap()
}

/// A trial that reached the target after `seconds`, which ended it.
fn hit(name: &str, seed: u64, seconds: f64) -> TrialRecord {
    let mut trial = missed(name, seed);
    let target = trial.target.as_mut().unwrap();
    (target.seconds, target.updates) = (Some(seconds), Some((100.0 * seconds) as u64));
    (trial.status, trial.train_seconds, trial.updates) = (Status::Target, seconds, (100.0 * seconds) as u64);
    trial
}

fn diverged(name: &str, seed: u64) -> TrialRecord {
    TrialRecord { status: Status::Diverged, train_seconds: 2.0, ..missed(name, seed) }
}

/// A trial without a target that ended with this loss.
pub(in crate::study) fn ended(name: &str, seed: u64, loss: f64) -> TrialRecord {
    let mut trial = TrialRecord { target: None, ..missed(name, seed) };
    (trial.epochs[0].eval_loss, trial.epochs[0].eval_accuracy) = (Some(loss), Some(1.0 - loss));
    trial
}

pub(in crate::study) fn hits(name: &str, seconds: &[f64]) -> Vec<TrialRecord> {
    (1..).zip(seconds).map(|(seed, seconds)| hit(name, seed, *seconds)).collect()
}

pub(in crate::study) fn summary(trials: Vec<TrialRecord>) -> Summary {
    let groups = crate::study::statistics::groups(&trials, false);
    let made = json!({
        "schema": 1, "schuss": {"version": "0.2.0", "commit": null},
        "study": {"name": "compare", "title": "", "notes": []}, "command": "schuss compare",
        "workload": {"data": "digits", "model": "64-10", "parameters": 650},
        "data": {"fingerprint": "x", "origin": "digits", "counts": {"train": 10_000, "test": 100}, "classes": 10,
            "eval_split": "test"},
        "machine": {"cpu": "", "cores": 1, "isa": "", "os": ""}, "warnings": [], "groups": [], "trials": [],
    });
    Summary { trials: trials.into(), groups, ..serde_json::from_value(made).unwrap() }
}

fn verdict(trials: Vec<TrialRecord>) -> Verdict {
    Verdict::of(&summary(trials), Tie::default())
}

fn words(verdict: &Verdict) -> String {
    verdict.sentences.join(" ")
}

const ADAM: [f64; 5] = [1.0, 1.1, 0.9, 1.05, 0.95];
const SGD: [f64; 5] = [2.0, 2.3, 1.7, 2.1, 1.95];

#[test]
fn all_keys_of_a_verdict_are_written() {
    let value = serde_json::to_value(verdict([hits("adam", &ADAM), hits("sgd", &SGD)].concat())).unwrap();
    let keys = |value: &Value| {
        let mut keys: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        keys.sort();
        keys.join(" ")
    };
    assert_eq!(
        keys(&value),
        "by firm leader level noise orders_disagree pairs quality recipes resolution same_rate schema seed_varies \
         sentences spending sure target tie ties"
    );
    assert_eq!(
        keys(&value["recipes"][0]),
        "config_id expected final interval interval_kind median name p_best reached trials"
    );
    assert_eq!(
        keys(&value["pairs"][0]),
        "a b difference interval losses outcome p ratio seeds_needed sign_flip test ties wins"
    );
    assert_eq!(keys(&value["firm"]), "budget_minus_5 budget_plus_5 target_minus_5 target_plus_5");
    assert_eq!(value["by"], "train_seconds");
    assert_eq!(value["recipes"][0]["interval"], json!([0.9, 1.1]));
    assert_eq!(value["recipes"][0]["interval_kind"], "range");
    assert_eq!(value["target"], json!({"metric": "eval_accuracy", "op": ">=", "value": 0.9}));
    let read: Verdict = serde_json::from_value(value.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), value);
}

#[test]
fn a_recipe_twice_as_fast_with_five_seeds_leads_for_sure() {
    let verdict = verdict([hits("sgd", &SGD), hits("adam", &ADAM)].concat());
    assert_eq!((verdict.leader.as_deref(), verdict.sure), (Some("adam"), true));
    let pair = &verdict.pairs[0];
    assert_eq!((&*pair.a, &*pair.b, pair.outcome), ("sgd", "adam", PairOutcome::Slower));
    assert_eq!((pair.wins, pair.losses, pair.ties, pair.seeds_needed), (0, 5, 0, None));
    assert!(verdict.sentences[0].starts_with(
        "adam reached test accuracy ≥ 90 % first, after 1.00 s of training (median; range 0.900 to 1.10 s; 5 of 5 \
         seeds): 2.01 times as fast as sgd (95 % interval "
    ), "{:?}", verdict.sentences);
    assert!(
        words(&verdict).contains("That is sure at the 95 % level (p < 0.001)."),
        "{:?}",
        verdict.sentences
    );
}

/// The ratio and its interval are those of scipy 1.17.1, `ttest_1samp` of the log ratios.
#[test]
fn ratios_and_p_values_are_those_of_scipy() {
    let b: Vec<f64> =
        ADAM.iter().zip([1.31, 1.22, 1.45, 1.09, 1.27]).map(|(time, ratio)| time * ratio).collect();
    let verdict = verdict([hits("a", &ADAM), hits("b", &b)].concat());
    let pair = &verdict.pairs[0];
    let [low, high] = pair.interval.unwrap();
    for (found, expected) in [
        (pair.ratio.unwrap(), 1.262_542_102_114_005_7),
        (low, 1.109_484_839_730_897_2),
        (high, 1.436_714_142_031_067_8),
        (pair.p.unwrap(), 0.007_445_174_596_697_284),
    ] {
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
    }
}

#[test]
fn two_hits_of_three_are_hits_and_the_miss_is_a_miss() {
    let adam = vec![hit("adam", 1, 1.0), hit("adam", 2, 1.2), missed("adam", 3)];
    let sgd = vec![hit("sgd", 1, 3.0), missed("sgd", 2), hit("sgd", 3, 3.2)];
    let verdict = verdict([adam, sgd].concat());
    let first = &verdict.recipes[0];
    assert_eq!((first.trials, first.reached, first.median), (3, 2, Some(1.2)));
    assert_eq!(first.interval, Some(Interval { low: 1.0, high: None }));
    assert_eq!(first.expected, Some((1.0 + 1.2 + 10.0) / 2.0));
    let pair = &verdict.pairs[0];
    assert_eq!((pair.wins, pair.losses, pair.ties, pair.ratio), (2, 1, 0, None));
    assert_eq!((pair.p, pair.outcome, verdict.sure), (Some(1.0), PairOutcome::Undecided, false));
    assert_eq!(verdict.leader.as_deref(), Some("adam"));
    let words = words(&verdict);
    assert!(words.contains("2 of 3 seeds") && !words.contains("No recipe"), "{words}");
}

#[test]
fn a_later_hit_than_the_end_of_a_censored_trial_is_undetermined() {
    let mut short = missed("sgd", 1);
    short.train_seconds = 2.0;
    let verdict = verdict(vec![hit("adam", 1, 5.0), short]);
    let pair = &verdict.pairs[0];
    assert_eq!((pair.wins, pair.losses, pair.ties), (0, 0, 0));
}

#[test]
fn a_diverged_trial_is_infinite_unless_it_met_the_target_before() {
    let mut met = hit("sgd", 1, 3.0);
    met.status = Status::Diverged;
    let verdict = verdict(vec![met, diverged("sgd", 2), hit("adam", 1, 1.0), hit("adam", 2, 1.0)]);
    let sgd = &verdict.recipes[0];
    assert_eq!((sgd.reached, sgd.median, sgd.expected), (1, None, Some(5.0)));
    assert_eq!(verdict.pairs[0].losses, 2);
}

#[test]
fn one_seed_decides_nothing_and_six_are_advised() {
    let verdict = verdict(vec![hit("adam", 1, 1.0), hit("sgd", 1, 2.0)]);
    assert_eq!((verdict.leader.as_deref(), verdict.sure), (Some("adam"), false));
    let pair = &verdict.pairs[0];
    assert_eq!((pair.p, pair.interval, pair.seeds_needed), (None, None, Some(5)));
    assert!(
        words(&verdict).contains("With one seed per recipe this decides nothing"),
        "{:?}",
        verdict.sentences
    );
    assert!(words(&verdict).contains("6 seeds are advised (--seeds 6)"), "{:?}", verdict.sentences);
    assert_eq!(verdict.recipes[0].p_best, Some(0.75), "1 − 2⁻²");
}

#[test]
fn a_tie_is_listed_and_decided() {
    let b: Vec<f64> =
        ADAM.iter().zip([1.01, 1.011, 1.009, 1.012, 1.01]).map(|(time, ratio)| time * ratio).collect();
    let verdict = verdict([hits("a", &ADAM), hits("b", &b), hits("c", &SGD)].concat());
    assert_eq!((verdict.leader.as_deref(), verdict.sure), (Some("a"), true));
    assert_eq!(verdict.ties, ["b"]);
    assert!(words(&verdict).contains("b is equal to it within 5 %"), "{:?}", verdict.sentences);
    assert!(words(&verdict).contains("adjusted for all 3 pairs (Holm)"), "{:?}", verdict.sentences);
}

#[test]
fn a_target_that_nobody_meets_has_no_leader() {
    let trials = ["adam", "sgd"].iter().flat_map(|name| [missed(name, 1), missed(name, 2)]).collect();
    let verdict = verdict(trials);
    assert_eq!((&verdict.leader, verdict.sure), (&None, false));
    assert!(
        verdict.sentences[0].starts_with("None of the 4 trials reached test accuracy ≥ 90 %"),
        "{verdict:?}"
    );
    assert_eq!(verdict.recipes[0].interval, Some(Interval { low: 10.0, high: None }));
}

#[test]
fn a_target_that_everybody_meets_at_once_is_said_to_be_too_easy() {
    let at_once = |name| TrialRecord {
        evaluations: vec![
            CurvePoint { updates: 0, seconds: 0.0, value: Some(0.1) },
            CurvePoint { updates: 100, seconds: 1.0, value: Some(0.95) },
        ],
        ..hit(name, 1, 1.0)
    };
    let verdict = verdict(vec![at_once("adam"), at_once("sgd")]);
    assert!(
        words(&verdict).contains("at its first evaluation: the target is too easy"),
        "{:?}",
        verdict.sentences
    );
    assert_eq!(verdict.resolution, Some(1.0));
}

#[test]
fn all_diverged_and_one_recipe_have_no_leader() {
    let all = verdict(vec![diverged("adam", 1), diverged("sgd", 1)]);
    assert_eq!((all.leader.as_ref(), all.sure), (None, false));
    assert_eq!(all.sentences, ["Every one of the 2 trials diverged: there is no result."]);
    let one = verdict(hits("adam", &ADAM));
    assert_eq!((one.leader.as_ref(), one.sure, one.pairs.len()), (None, false, 0));
    assert!(
        one.sentences[0].starts_with("adam reached test accuracy ≥ 90 % after 1.00 s"),
        "{:?}",
        one.sentences
    );
}

#[test]
fn recipes_of_unlike_target_or_budget_are_not_ranked() {
    let mut other = hit("sgd", 1, 2.0);
    other.target.as_mut().unwrap().value = 0.8;
    let unlike = verdict(vec![hit("adam", 1, 1.0), other]);
    assert_eq!((unlike.leader.as_ref(), unlike.target.as_ref(), unlike.pairs.len()), (None, None, 0));
    assert_eq!(unlike.recipes[0].p_best, None);
    assert!(words(&unlike).contains("different targets"), "{:?}", unlike.sentences);
    let mut longer = hit("sgd", 1, 2.0);
    (longer.budget.epochs, longer.budget.updates) = (2, 2_000);
    let unlike = verdict(vec![hit("adam", 1, 1.0), longer]);
    assert_eq!(unlike.leader, None);
    assert!(words(&unlike).contains("different budgets"), "{:?}", unlike.sentences);
}

#[test]
fn recipes_that_have_budgets_of_their_own_on_purpose_are_ranked() {
    let mut trials = vec![ended("adam", 1, 0.2), ended("sgd", 1, 0.3)];
    (trials[1].budget.epochs, trials[1].budget.updates) = (2, 2_000);
    let mut summary = summary(trials);
    assert_eq!(Verdict::of(&summary, Tie::default()).leader, None);
    summary.study.own_budgets = true;
    assert_eq!(Verdict::of(&summary, Tie::default()).leader.as_deref(), Some("adam"));
}

#[test]
fn without_a_target_the_lowest_loss_leads_by_paired_differences() {
    let trials = (1..=5).flat_map(|seed| {
        let luck = seed as f64 / 50.0;
        [ended("adam", seed, 0.2 + luck), ended("sgd", seed, 0.3 + luck + 0.001 * (seed % 2) as f64)]
    });
    let verdict = verdict(trials.collect());
    assert_eq!(
        (verdict.by, verdict.leader.as_deref(), verdict.sure),
        (Measure::EvalLoss, Some("adam"), true)
    );
    let pair = &verdict.pairs[0];
    assert_eq!((pair.ratio, pair.outcome), (None, PairOutcome::Better));
    assert!((pair.difference.unwrap() - 0.1006).abs() < 1e-9);
    assert_eq!(verdict.quality.len(), 1, "accuracy in the same form");
    assert_eq!(verdict.quality[0].pairs[0].outcome, PairOutcome::Better);
    assert!(verdict.quality[0].pairs[0].difference.unwrap() < 0.0, "sgd has the lower accuracy");
    assert!(verdict.recipes[0].last.eval_loss.is_some_and(|loss| (loss.median - 0.26).abs() < 1e-9));
}

#[test]
fn different_losses_are_ranked_by_accuracy() {
    let mut other = ended("sgd", 1, 0.1);
    other.recipe.set("loss", "mse");
    let verdict = verdict(vec![ended("adam", 1, 0.3), other]);
    assert_eq!((verdict.by, verdict.leader.as_deref()), (Measure::EvalAccuracy, Some("sgd")));
    assert_eq!(verdict.recipes[1].median, Some(0.9));
    assert!(words(&verdict).contains("highest test accuracy"), "{:?}", verdict.sentences);
}

#[test]
fn the_order_at_the_end_may_disagree_with_that_at_the_target() {
    let beyond = |name: &str, seed: u64, seconds: f64, loss: f64| {
        let mut trial = hit(name, seed, seconds);
        trial.status = Status::Finished;
        trial.epochs[0].eval_loss = Some(loss);
        trial
    };
    let race = |worse: f64| {
        let trials = (1..=5).flat_map(|seed| {
            let luck = 1.0 + seed as f64 / 100.0 + 0.003 * (seed % 2) as f64;
            [beyond("adam", seed, luck, worse * luck), beyond("sgd", seed, 2.0, 0.2)]
        });
        verdict(trials.collect())
    };
    let (agrees, disagrees) = (race(0.1), race(0.3));
    assert_eq!((agrees.orders_disagree, disagrees.orders_disagree), (Some(false), Some(true)));
    assert_eq!(disagrees.leader.as_deref(), Some("adam"));
    assert_eq!(disagrees.quality[0].leader.as_deref(), Some("sgd"));
    assert!(
        words(&disagrees).contains("another one than the order at the target"),
        "{:?}",
        disagrees.sentences
    );
    let ended_there = verdict([hits("adam", &ADAM), hits("sgd", &SGD)].concat());
    assert_eq!(
        (ended_there.orders_disagree, ended_there.quality.len()),
        (None, 0),
        "their losses are not ranked"
    );
}

#[test]
fn recorded_evaluations_tell_who_would_lead_with_another_target() {
    let with_curve = |name, seed, curve: &[(u64, f64)]| {
        let points = curve.iter().map(|(updates, value)| CurvePoint {
            updates: *updates,
            seconds: *updates as f64 / 100.0,
            value: Some(*value),
        });
        let met = points.clone().find(|point| point.value >= Some(0.9)).unwrap();
        let mut trial = hit(name, seed, met.seconds);
        (trial.status, trial.evaluations, trial.train_seconds) = (Status::Finished, points.collect(), 10.0);
        trial.target.as_mut().unwrap().updates = Some(met.updates);
        trial
    };
    // sgd is the first at 85.5 % and at 94.5 %, adam at 90 %
    let trials = (1..=3).flat_map(|seed| {
        [
            with_curve("adam", seed, &[(0, 0.1), (200, 0.9), (900, 0.95)]),
            with_curve("sgd", seed, &[(0, 0.1), (100, 0.86), (300, 0.96)]),
        ]
    });
    let verdict = verdict(trials.collect());
    assert_eq!(verdict.leader.as_deref(), Some("adam"));
    assert_eq!(verdict.firm.target_minus_5.as_deref(), Some("sgd"));
    assert_eq!(verdict.firm.target_plus_5.as_deref(), Some("sgd"));
    assert_eq!(verdict.firm.budget_minus_5.as_deref(), Some("adam"));
    assert!(words(&verdict).contains("sgd with the target's bound 5 % lower"), "{:?}", verdict.sentences);
}

#[test]
fn probes_do_not_race_and_shared_trials_are_timed_in_updates() {
    let probe = TrialRecord { role: Role::Probe, ..hit("probe", 1, 0.1) };
    let shared = |trial| TrialRecord { timing: Timing::Shared, ..trial };
    let verdict = verdict(vec![probe, shared(hit("adam", 1, 1.0)), shared(hit("sgd", 1, 2.0))]);
    assert_eq!((verdict.recipes.len(), verdict.by), (2, Measure::Updates));
    assert_eq!(verdict.recipes[0].median, Some(100.0));
    assert!(words(&verdict).contains("shared the machine"), "{:?}", verdict.sentences);
}

#[test]
fn recipes_that_differ_in_name_only_are_pointed_out() {
    let mut other = hits("batch:10000", &ADAM);
    other.iter_mut().for_each(|trial| trial.recipe.set("optimizer", "epoch"));
    let verdict = verdict([hits("epoch", &ADAM), other].concat());
    assert!(words(&verdict).contains("epoch and batch:10000 are the same recipe"), "{:?}", verdict.sentences);
    assert_eq!(verdict.pairs[0].outcome, PairOutcome::Equal);
}

#[test]
fn nothing_run_is_an_empty_verdict_that_says_so() {
    let verdict = verdict(vec![]);
    assert_eq!(
        (verdict.recipes.len(), words(&verdict), verdict.leader),
        (0, "No trial has begun.".into(), None)
    );
}

/// Two recipes with five seeds each, whose slices spread by these shares.
fn noisy(timing: Timing, spreads: [f64; 2]) -> Vec<TrialRecord> {
    let slices = |spread| Some(SlicesRecord { count: 9, seconds_per_update: 0.01, spread: Some(spread) });
    let noisy = |name, times, spread| {
        hits(name, times).into_iter().map(move |trial| TrialRecord {
            timing,
            slices: slices(spread),
            ..trial
        })
    };
    noisy("adam", &ADAM, spreads[0]).chain(noisy("sgd", &SGD, spreads[1])).collect()
}

#[test]
fn the_noise_of_the_machine_is_stated_and_is_that_of_the_median_trial() {
    let noisy = verdict(noisy(Timing::Interleaved, [0.02, 0.04]));
    assert!((noisy.noise.unwrap() - 0.03).abs() < 1e-12);
    assert!(
        words(&noisy).contains(
            "The noise of the machine is 3.0 % from one slice of a trial to another; times contain it."
        ),
        "{:?}",
        noisy.sentences
    );
    let unknown = verdict([hits("adam", &ADAM), hits("sgd", &SGD)].concat());
    assert_eq!(unknown.noise, None, "records made before slices were kept");
}

#[test]
fn only_intervals_of_calibrated_times_are_widened_by_the_noise() {
    let of = |timing, noise| verdict(noisy(timing, [noise, noise]));
    let [measured, exact, calibrated] =
        [of(Timing::Interleaved, 0.2), of(Timing::Calibrated, 0.0), of(Timing::Calibrated, 0.2)];
    let width = |verdict: &Verdict| {
        let [low, high] = verdict.pairs[0].interval.unwrap();
        (high / low).ln()
    };
    assert!((width(&measured) - width(&exact)).abs() < 1e-12);
    assert!(width(&calibrated) > 1.5 * width(&measured), "{} {}", width(&calibrated), width(&measured));
    assert!(calibrated.pairs[0].p > measured.pairs[0].p);
    assert_eq!(calibrated.pairs[0].ratio, measured.pairs[0].ratio);
    assert!(words(&calibrated).contains("intervals of calibrated times are wider by it"));
}

#[test]
fn seeds_whose_recipes_were_timed_in_different_ways_are_pointed_out() {
    let mut trials = noisy(Timing::Interleaved, [0.02, 0.02]);
    assert!(!words(&verdict(trials.clone())).contains("timed in different ways"));
    let resumed = trials.iter_mut().filter(|trial| trial.name == "sgd" && trial.seed == 2);
    resumed.for_each(|trial| trial.timing = Timing::Calibrated);
    let mut both = summary(trials);
    let said = words(&Verdict::of(&both, Tie::default()));
    assert!(said.contains("timed in different ways with 1 seed,") && said.contains("other limits"), "{said}");
    both.study.merged = true;
    let said = words(&Verdict::of(&both, Tie::default()));
    assert!(said.contains("because they come from different runs"), "{said}");
}

#[test]
fn calibrated_times_one_step_of_the_grid_apart_with_every_seed_are_decided_by_signs() {
    let trials = |n: usize| {
        let trials = [hits("adam", &vec![1.0; n]), hits("sgd", &vec![2.0; n])].concat().into_iter();
        let slices = Some(SlicesRecord { count: 1, seconds_per_update: 0.01, spread: None });
        trials.map(|trial| TrialRecord { timing: Timing::Calibrated, slices, ..trial }).collect()
    };
    let (five, six) = (verdict(trials(5)), verdict(trials(6)));
    assert_eq!((five.pairs[0].test, five.pairs[0].p), (Some(Test::Signs), Some(0.0625)));
    assert_eq!((six.pairs[0].outcome, six.pairs[0].p), (PairOutcome::Faster, Some(0.03125)));
}

#[test]
fn the_same_ratio_of_seconds_with_every_seed_is_not_taken_for_certainty_and_a_sentence_says_so() {
    let of = |n: usize| verdict([hits("adam", &vec![1.0; n]), hits("sgd", &vec![2.0; n])].concat());
    let (three, six) = (of(3), of(6));
    let pair = &three.pairs[0];
    assert_eq!((three.by, pair.test, pair.p), (Measure::TrainSeconds, Some(Test::Signs), Some(0.25)));
    assert_eq!((pair.interval, pair.outcome, pair.seeds_needed), (None, PairOutcome::Undecided, Some(3)));
    let said = "The ratio to sgd is the same with every seed";
    assert!(!three.sure && words(&three).contains(said), "{:?}", three.sentences);
    assert_eq!((six.pairs[0].p, six.pairs[0].outcome, six.sure), (Some(0.03125), PairOutcome::Faster, true));
    assert!(words(&six).contains(said), "{:?}", six.sentences);
}

fn interrupted(name: &str, seed: u64, seconds: f64) -> TrialRecord {
    TrialRecord { status: Status::Interrupted, train_seconds: seconds, ..missed(name, seed) }
}

#[test]
fn interrupted_trials_are_no_misses_and_decide_nothing() {
    let cut: Vec<TrialRecord> = (1..=6).map(|seed| interrupted("sgd", seed, 0.5)).collect();
    let verdict = verdict([hits("adam", &[1.0, 1.1, 0.9, 1.05, 0.95, 1.02]), cut].concat());
    let pair = &verdict.pairs[0];
    assert_eq!((pair.wins, pair.losses, pair.p, pair.outcome), (0, 0, None, PairOutcome::Undecided));
    assert_eq!((verdict.sure, pair.seeds_needed), (false, None));
    assert!(words(&verdict).contains("sgd (trials were interrupted)"), "{:?}", verdict.sentences);
}

#[test]
fn the_probability_of_being_best_leaves_out_interrupted_trials() {
    let adam = vec![hit("adam", 1, 1.0), interrupted("adam", 2, 0.1), interrupted("adam", 3, 0.1)];
    let verdict = verdict([adam, hits("sgd", &[2.0, 2.1, 2.2])].concat());
    assert_eq!(verdict.leader.as_deref(), Some("adam"));
}

#[test]
fn none_is_said_to_have_missed_its_budget_that_was_interrupted() {
    let cut = verdict(vec![interrupted("adam", 1, 1.0), interrupted("sgd", 1, 1.0)]);
    assert!(
        cut.sentences[0].ends_with("reached test accuracy ≥ 90 % before it was interrupted."),
        "{:?}",
        cut.sentences
    );
    assert!(cut.recipes.iter().all(|recipe| recipe.p_best.is_none()), "nothing has ended");
    let alone = TrialRecord { status: Status::Interrupted, ..ended("adam", 1, 1.0) };
    assert_eq!(verdict(vec![alone]).sentences[0], "1 trial did not run to the end of the budget.");
}

/// Accuracies are multiples of 1 %: the same difference twice is ordinary.
#[test]
fn the_same_difference_of_accuracy_with_two_seeds_is_not_sure() {
    let of = |name: &str, seed: u64, loss: f64| {
        let mut trial = ended(name, seed, loss);
        trial.recipe.set("loss", if name == "adam" { "mse" } else { "cross-entropy" });
        trial
    };
    let trials = [("adam", 1, 0.10), ("adam", 2, 0.08), ("sgd", 1, 0.15), ("sgd", 2, 0.13)];
    let verdict = verdict(trials.into_iter().map(|(name, seed, loss)| of(name, seed, loss)).collect());
    let pair = &verdict.pairs[0];
    assert_eq!((verdict.by, pair.test, verdict.sure), (Measure::EvalAccuracy, Some(Test::Signs), false));
    assert_eq!((pair.p, pair.interval, pair.outcome), (Some(0.5), None, PairOutcome::Undecided));
}

#[test]
fn the_other_recipe_of_the_same_name_is_compared_as_well() {
    let twin = |config_id: &str, seconds: &[f64]| {
        hits("twin", seconds)
            .into_iter()
            .map(|trial| TrialRecord { config_id: config_id.into(), ..trial })
            .collect::<Vec<_>>()
    };
    let verdict =
        verdict([twin("x", &ADAM), twin("y", &SGD), twin("z", &[1.01, 0.9, 1.1, 0.95, 1.1])].concat());
    assert_eq!((verdict.pairs.len(), verdict.sure), (3, false), "x and z are not told apart");
}

#[test]
fn one_seed_in_common_is_said_and_the_leader_does_not_rest_on_it() {
    let from = |name: &str, first: u64, seconds: &[f64]| {
        let trials = (first..).zip(seconds).map(|(seed, seconds)| hit(name, seed, *seconds));
        trials.collect::<Vec<_>>()
    };
    // seed 5 of both alone would have sgd first
    let trials = [from("adam", 1, &[1.0, 1.1, 0.9, 1.05, 3.0]), from("sgd", 5, &[2.0, 2.3, 1.7, 2.1, 1.95])];
    let verdict = verdict(trials.concat());
    assert_eq!(verdict.leader.as_deref(), Some("adam"));
    assert!(words(&verdict).contains("one seed in common; about 5 more seeds"), "{:?}", verdict.sentences);
    assert!(!words(&verdict).contains("times as fast"), "a ratio of seed 5 alone: {:?}", verdict.sentences);
}

#[test]
fn a_leader_by_its_median_that_is_slower_on_average_is_not_called_so_many_times_as_fast() {
    let verdict =
        verdict([hits("adam", &[1.0, 1.0, 1.0, 3.0, 3.0]), hits("sgd", &[1.1, 1.1, 1.1, 1.2, 1.2])].concat());
    assert_eq!(verdict.leader.as_deref(), Some("adam"), "{verdict:?}");
    let lead = &verdict.sentences[0];
    assert!(lead.ends_with(", although sgd is 1.36 times as fast on average, seed by seed."), "{lead}");
}

#[test]
fn a_recipe_with_one_seed_does_not_hide_what_the_others_decide() {
    let verdict = verdict([hits("adam", &ADAM), hits("sgd", &SGD), hits("late", &[9.0])].concat());
    let words = words(&verdict);
    assert!(words.contains("late has one seed, which decides nothing: 6 are advised"), "{words}");
    assert!(words.contains("(Holm)") && !words.contains("With one seed per recipe"), "{words}");
    assert_eq!(verdict.pair("adam", "sgd").unwrap().outcome, PairOutcome::Faster);
}

#[test]
fn a_study_of_which_every_trial_diverged_says_that_first() {
    let verdict =
        verdict(vec![diverged("adam", 1), diverged("adam", 2), diverged("sgd", 1), diverged("sgd", 2)]);
    assert_eq!(verdict.sentences, ["Every one of the 4 trials diverged: there is no result."]);
}

#[test]
fn a_target_met_before_the_first_update_is_too_easy_and_ends_of_epochs_are_no_evaluations() {
    let before = verdict([hits("adam", &[0.0; 2]), hits("sgd", &[0.0; 2])].concat());
    assert!(
        before.sentences[0]
            .ends_with("before its first update, so there is no race: the target is too easy."),
        "{:?}",
        before.sentences
    );
    assert_eq!((before.leader.as_deref(), before.sure), (None, false));
    assert!(!words(&before).contains("sure") && !words(&before).contains("faster"), "{:?}", before.sentences);
    let unknown = verdict(vec![hit("adam", 1, 1.0), hit("sgd", 1, 3.0)]);
    assert!(!words(&unknown).contains("too easy"), "{:?}", unknown.sentences);
}

#[test]
fn a_median_counts_the_diverged_seeds_and_not_the_interrupted_ones() {
    let no_target = |trial: TrialRecord| TrialRecord { target: None, ..trial };
    let others = || [ended("sgd", 1, 0.5), ended("sgd", 2, 0.6), ended("sgd", 3, 0.7)];
    let three = [ended("adam", 1, 0.1), ended("adam", 2, 0.2), no_target(diverged("adam", 3))];
    let with_diverged = verdict([three, others()].concat());
    assert!(
        with_diverged.sentences[0].contains("0.2000 (median of 3 seeds; range 0.1000 to diverged)"),
        "{:?}",
        with_diverged.sentences
    );
    let cut = no_target(interrupted("adam", 2, 1.0));
    let one = verdict([vec![ended("adam", 1, 0.1), cut], others().to_vec()].concat());
    let first = &one.sentences[0];
    assert!(first.contains("0.1000, accuracy 90.00 %") && !first.contains("median"), "{first}");
}

#[test]
fn an_interrupted_trial_does_not_count_under_a_smaller_budget_either() {
    let mut cut = TrialRecord { target: None, ..interrupted("adam", 2, 1.0) };
    (cut.epochs[0].updates, cut.epochs[0].eval_loss) = (50, Some(2.2));
    let early = |name, seed, loss| {
        let mut trial = ended(name, seed, loss);
        trial.epochs[0].updates = 900;
        trial
    };
    let verdict = verdict(vec![early("adam", 1, 0.1), cut, early("sgd", 1, 0.3), early("sgd", 2, 0.3)]);
    assert_eq!(verdict.leader.as_deref(), Some("adam"));
    assert_eq!(verdict.firm.budget_minus_5.as_deref(), Some("adam"));
}

#[test]
fn a_diverged_trial_is_called_by_its_seed_where_the_recipe_has_others() {
    let adam = vec![hit("adam", 1, 1.0), hit("adam", 2, 1.1), diverged("adam", 3)];
    let verdict = verdict([adam, hits("sgd", &SGD)].concat());
    assert!(words(&verdict).contains("adam with seed 3 diverged"), "{:?}", verdict.sentences);
}

#[test]
fn a_difference_of_accuracy_and_its_interval_have_one_sign_and_one_unit() {
    let of = |name: &str, seed: u64, loss: f64| {
        let mut trial = ended(name, seed, loss);
        trial.recipe.set("loss", if name == "adam" { "mse" } else { "cross-entropy" });
        trial
    };
    let losses = [("adam", 0.10, 0.08), ("sgd", 0.15, 0.135)];
    let trials = losses.into_iter().flat_map(|(name, a, b)| [of(name, 1, a), of(name, 2, b)]);
    let verdict = verdict(trials.collect());
    // 5 and 5.5 points; 5.25 ∓ 12.706 · 0.25
    assert!(
        verdict.sentences[0].contains("5.3 points lower (95 % interval 2.1 to 8.4)"),
        "{:?}",
        verdict.sentences
    );
    let same = self::verdict(vec![ended("adam", 1, 0.1), ended("sgd", 1, 0.1)]);
    assert!(same.sentences[0].contains("; sgd has the same."), "{:?}", same.sentences);
}

#[test]
fn three_names_of_one_recipe_are_one_list() {
    let named = |name: &str| {
        let mut trials = hits(name, &ADAM);
        trials.iter_mut().for_each(|trial| trial.recipe.set("optimizer", "epoch"));
        trials
    };
    let verdict = verdict(["a", "b", "c"].map(named).concat());
    assert!(words(&verdict).contains("a, b and c are the same recipe"), "{:?}", verdict.sentences);
}
