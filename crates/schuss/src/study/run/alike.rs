//! Warnings about trained networks whose predictions do not depend on the sample.

use crate::record::TrialRecord;
use schuss_data::Dataset;

/// Returns a warning for each recipe that predicts one class for every sample, with the seeds.
pub(super) fn answers_one_class(trials: &[TrialRecord], data: &Dataset) -> Vec<String> {
    let mut recipes: Vec<(&str, Vec<OneClass>)> = vec![];
    for (trial, one) in trials.iter().filter_map(|trial| Some((trial, OneClass::of(trial, data)?))) {
        match recipes.iter_mut().find(|(name, _)| *name == trial.name) {
            Some((_, seeds)) => seeds.push(one),
            None => recipes.push((&trial.name, vec![one])),
        }
    }
    recipes.iter().map(|(name, seeds)| OneClass::warning(name, seeds)).collect()
}

/// Predictions of a trial that predicts one class for every sample.
struct OneClass {
    seed: u64,
    class: String,
    /// Fraction of samples of this class.
    accuracy: f64,
    /// Fraction of samples of the most common class.
    chance: f64,
}

impl OneClass {
    fn of(trial: &TrialRecord, data: &Dataset) -> Option<Self> {
        let evaluation = trial.test.as_ref().filter(|_| trial.updates > 0)?;
        Some(Self {
            seed: trial.seed,
            class: data.class_name(evaluation.only_class?)?.to_owned(),
            accuracy: evaluation.accuracy?,
            chance: evaluation.chance.unwrap_or(f64::NAN),
        })
    }

    fn warning(name: &str, seeds: &[Self]) -> String {
        let percent = |share: f64| format!("{:.1} %", 100.0 * share);
        let who = match seeds {
            [Self { seed, class, accuracy, .. }] => format!(
                "{name}, seed {seed}: predicts `{class}` for every sample, so its accuracy of {} means nothing",
                percent(*accuracy)
            ),
            several => {
                let seeds: Vec<String> = several.iter().map(|one| one.seed.to_string()).collect();
                let seeds = seeds.join(", ");
                format!(
                    "{name}, seeds {seeds}: predicts one class for every sample, so its accuracy means nothing"
                )
            }
        };
        format!(
            "{who}: always predicting the most common class would reach {} (try another learning rate, class weights, more epochs)",
            percent(seeds[0].chance)
        )
    }
}

/// Returns a warning for each multi-label trial that detects no label in any sample.
pub(super) fn finds_no_label(trials: &[TrialRecord]) -> impl Iterator<Item = String> {
    let finds_none = |trial: &&TrialRecord| {
        let f1_macro = trial.test.as_ref().and_then(|test| test.metric("f1_macro"));
        trial.updates > 0 && f1_macro == Some(0.0)
    };
    trials.iter().filter(finds_none).map(|TrialRecord { name, seed, .. }| {
        format!(
            "{name}, seed {seed}: detects no label in any sample (F1 0), whatever its accuracy (try pos_weight of bce, a higher learning rate, more epochs)"
        )
    })
}
