//! The recipes of a run, each with its trials.

use crate::record::{Role, Summary, TrialRecord, TuningCost};

/// A recipe with its trials, which differ in their seeds.
#[derive(Clone, Debug)]
pub(in crate::study) struct Recipe<'a> {
    pub(in crate::study) name: &'a str,
    pub(in crate::study) config_id: &'a str,
    /// At least one.
    pub(in crate::study) trials: Vec<&'a TrialRecord>,
    /// Cost of its tuning, if that counts in its times; else nothing.
    pub(in crate::study) tuning: TuningCost,
    /// Standard error of the seconds of its tuning, if they count.
    pub(in crate::study) tuning_error: f64,
}

/// Groups the trials of the race by recipe, in order of first appearance; probes of a tuning are left out.
pub(in crate::study) fn recipes(trials: &[TrialRecord]) -> Vec<Recipe<'_>> {
    let mut recipes: Vec<Recipe> = Vec::new();
    for trial in trials.iter().filter(|trial| trial.role == Role::Race) {
        let is_same = |recipe: &&mut Recipe| recipe.config_id == trial.config_id && recipe.name == trial.name;
        match recipes.iter_mut().find(is_same) {
            Some(recipe) => recipe.trials.push(trial),
            None => {
                let (name, config_id, tuning) = (&trial.name, &trial.config_id, TuningCost::default());
                recipes.push(Recipe { name, config_id, trials: vec![trial], tuning, tuning_error: 0.0 })
            }
        }
    }
    recipes
}

impl<'a> Recipe<'a> {
    /// Returns a trial, for settings that all trials share.
    pub(super) fn first(&self) -> &'a TrialRecord {
        self.trials[0]
    }

    /// Returns a choice that all trials share.
    pub(super) fn choice(&self, key: &str) -> Option<String> {
        self.first().recipe.get(key)
    }
}

/// Returns the groups of recipes that are the same on the data of the run, whatever their names.
pub(super) fn same<'a, 'b>(summary: &Summary, recipes: &'b [Recipe<'a>]) -> Vec<Vec<&'b Recipe<'a>>> {
    let mut groups: Vec<Vec<&Recipe>> = vec![];
    for recipe in recipes {
        let is_same = |group: &&mut Vec<&Recipe>| {
            group[0].first().is_same_recipe(recipe.first(), summary.data.counts.train)
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(recipe),
            None => groups.push(vec![recipe]),
        }
    }
    groups.retain(|group| group.len() > 1);
    groups
}
