//! Warnings of trained networks that answer alike whatever they are shown.

use crate::study::record::TrialRecord;
use schuss_data::Dataset;

/// Says which recipes answer one class to every sample, with which seeds.
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

/// What a trial that answers one class to every sample has of its answers.
struct OneClass {
    seed: u64,
    class: String,
    /// Share of samples that are of this class, and of the commonest.
    accuracy: f64,
    chance: f64,
}

impl OneClass {
    fn of(trial: &TrialRecord, data: &Dataset) -> Option<Self> {
        let evaluation = trial.test.filter(|_| trial.updates > 0)?;
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
                "{name}, seed {seed}: answers `{class}` to every sample, so its accuracy of {} says nothing",
                percent(*accuracy)
            ),
            several => {
                let seeds: Vec<String> = several.iter().map(|one| one.seed.to_string()).collect();
                let seeds = seeds.join(", ");
                format!(
                    "{name}, seeds {seeds}: answers one class to every sample, so its accuracy says nothing"
                )
            }
        };
        format!(
            "{who}: always answering the commonest class would reach {} (try another learning rate, class weights, more epochs)",
            percent(seeds[0].chance)
        )
    }
}

/// Says which trials find no label in any sample, of several labels at once.
pub(super) fn finds_no_label(trials: &[TrialRecord]) -> impl Iterator<Item = String> {
    let finds_none = |trial: &&TrialRecord| {
        let labels = trial.test.and_then(|test| test.labels);
        trial.updates > 0 && labels.is_some_and(|labels| labels.f1_macro == 0.0)
    };
    trials.iter().filter(finds_none).map(|TrialRecord { name, seed, .. }| {
        format!(
            "{name}, seed {seed}: finds no label in any sample (F1 0), whatever its accuracy (try pos_weight of bce, a higher learning rate, more epochs)"
        )
    })
}
