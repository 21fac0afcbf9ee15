//! Resolution of a study file and flags into the list of trials to run.

use super::choices::{AXES, Choices};
use super::exhibit::Printed;
use super::file::{Observe, StudyFile, TrialEntry, Workload};
use crate::network::Plan;
use crate::recipe::Trial;
use crate::record::StudyRecord;
use crate::schedule::Outlook;
use crate::spec;
use crate::{Error, Result, machine};
use schuss_data::Dataset;
use std::collections::BTreeMap;

/// A study with all choices resolved.
#[derive(Clone, Debug, PartialEq)]
pub struct Study {
    /// Name, title, notes.
    pub about: StudyRecord,
    /// One entry per recipe.
    pub trials: Vec<Planned>,
    /// Seeds; each recipe runs once per seed.
    pub seeds: Vec<u64>,
    /// True if the command fails when a trial misses its target.
    pub require_target: bool,
    /// Data and network, as written in the study file.
    pub workload: Workload,
    /// Recordings in addition to the evaluation after each epoch.
    pub observe: Observe,
    /// Names of error surfaces to descend.
    pub surfaces: Vec<String>,
}

/// A recipe of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Trial; [`Study::runs`] sets its seed.
    pub trial: Trial,
    /// Additional evaluation interval, in updates.
    pub eval_every: Option<u64>,
    /// Results that a lecture printed.
    pub printed: Printed,
}

/// Lists of choices; every combination is a trial.
pub type Axes = BTreeMap<String, Vec<String>>;

impl Study {
    /// Resolves a study file on `data`.
    ///
    /// # Errors
    /// Usage errors: unknown names, contradictory choices, a model that does not fit the data.
    pub fn resolve(name: &str, file: &StudyFile, data: &Dataset) -> Result<Self> {
        let shared = file.shared();
        let mut trials = Vec::new();
        let entries = if file.trials.is_empty() && file.surfaces.is_empty() {
            vec![TrialEntry::default()]
        } else {
            file.trials.clone()
        };
        for entry in &entries {
            for (label, combination) in combinations(&file.axes)? {
                for (values, choices) in chosen(entry, combination, &shared)?.each()? {
                    trials.push(planned(entry, (&label, &values), choices, file, data)?);
                }
            }
        }
        let seeds = file.seeds.clone().unwrap_or_else(|| vec![1]);
        if seeds.is_empty() {
            return Err(Error::usage("a study needs at least one seed"));
        }
        if let Some(twice) = (1..seeds.len()).find(|&i| seeds[..i].contains(&seeds[i])) {
            return Err(Error::usage(format!(
                "duplicate seed {}; repeating the same trial does not measure spread",
                seeds[twice]
            )));
        }
        let about =
            StudyRecord { name: name.to_owned(), title: file.title.clone(), notes: file.notes.clone() };
        number_equal_names(&mut trials);
        let (workload, surfaces) = (file.workload.clone(), file.surfaces.clone());
        let (require_target, observe) = (file.require_target, file.observe);
        Ok(Self { about, trials, seeds, require_target, workload, observe, surfaces })
    }

    /// Returns the study as a file with all defaults spelled out.
    pub fn to_file(&self, data: &Dataset) -> StudyFile {
        let entry = |planned: &Planned| TrialEntry {
            name: Some(planned.trial.name.clone()),
            eval_every: planned.eval_every,
            reference_seconds: planned.printed.seconds,
            choices: Choices::of(&planned.trial),
            reference: planned.printed.results.clone(),
        };
        StudyFile {
            title: self.about.title.clone(),
            notes: self.about.notes.clone(),
            seeds: Some(self.seeds.clone()),
            require_target: self.require_target,
            workload: Workload { data: Some(data.name.clone()), model: None, ..self.workload.clone() },
            observe: self.observe,
            trials: self.trials.iter().map(entry).collect(),
            surfaces: self.surfaces.clone(),
            ..StudyFile::default()
        }
    }

    /// Returns the distinct outlooks of the trials' schedules on `samples` training samples.
    pub fn outlooks(&self, samples: usize) -> Vec<Outlook> {
        let mut outlooks: Vec<Outlook> = vec![];
        for outlook in self.trials.iter().filter_map(|planned| planned.trial.outlook(samples)) {
            if !outlooks.contains(&outlook) {
                outlooks.push(outlook);
            }
        }
        outlooks
    }

    /// Returns the multiply-adds of all trials, if each uses up its budget.
    ///
    /// # Errors
    /// A usage error if a network does not fit the data.
    pub fn work(&self, data: &Dataset) -> Result<f64> {
        let len = data.train.len();
        let work = |planned: &Planned| {
            let trial = &planned.trial;
            let samples = trial.updates(len) as f64 * trial.recipe.update.samples(len) as f64;
            Ok(samples * plan_of(trial, data)?.work_per_sample() as f64)
        };
        let one_seed = self.trials.iter().map(work).sum::<Result<f64>>()?;
        Ok(one_seed * self.seeds.len() as f64)
    }

    /// Returns a note if the targets of a trial are standardised for training.
    pub fn scale_note(&self, data: &Dataset) -> Option<String> {
        self.trials.iter().find_map(|planned| planned.trial.scale_note(data))
    }

    /// Returns every (trial, seed) in run order: all recipes with the first seed, then with the next.
    pub fn runs(&self) -> impl Iterator<Item = (&Planned, Trial)> {
        let with = |seed: u64, planned: &Planned| Trial { seed, ..planned.trial.clone() };
        self.seeds
            .iter()
            .flat_map(move |&seed| self.trials.iter().map(move |planned| (planned, with(seed, planned))))
    }
}

/// Merges the choices of a trial: its own, those of the axes, and the shared ones.
fn chosen(entry: &TrialEntry, axis: Choices, shared: &Choices) -> Result<Choices> {
    let own = entry.choices.made();
    if let Some(twice) = axis.made().into_iter().find(|name| own.contains(name)) {
        let name = entry.name.as_deref().unwrap_or("one");
        return Err(Error::usage(format!(
            "{twice} is an axis of the study, but trial `{name}` sets its own"
        )));
    }
    Ok(entry.choices.clone().over(&axis).over(shared))
}

fn planned(
    entry: &TrialEntry,
    (label, values): (&str, &str),
    mut choices: Choices,
    file: &StudyFile,
    data: &Dataset,
) -> Result<Planned> {
    if choices.update.as_deref().is_some_and(|update| update.trim().eq_ignore_ascii_case("batch:auto")) {
        choices.update = None;
        let trial = choices.resolve("", data)?;
        choices.update = Some(format!("batch:{}", samples_that_fit(&trial, data)?));
    }
    let mut trial = choices.resolve("", data)?.resolved(data.train.len());
    plan_of(&trial, data)?;
    trial.data = file.workload.spec(&data.name);
    trial.name = match (&entry.name, label) {
        (Some(name), label) => printable(&format!("{name} {label} {values}")),
        (None, "") => printable(&format!("{} {} {values}", trial.recipe.update, trial.recipe.optimizer)),
        (None, label) => printable(&format!("{label} {values}")),
    };
    let eval_every = entry.eval_every.or(file.observe.eval_every);
    Ok(Planned { trial, eval_every, printed: Printed::of(entry) })
}

/// Plans the network of a trial.
///
/// # Errors
/// A usage error if it does not fit the data.
pub(super) fn plan_of(trial: &Trial, data: &Dataset) -> Result<Plan> {
    Plan::for_targets(&trial.model, data.shape, data.target_kind().outputs(), trial.targets)
}

/// Returns the largest batch size whose activations and gradients fit in half of the free memory: at least one sample,
/// at most all.
fn samples_that_fit(trial: &Trial, data: &Dataset) -> Result<usize> {
    let plan = plan_of(trial, data)?;
    let free = machine::available_memory().ok_or_else(|| {
        Error::failure("this system does not report how much memory is free")
            .advise("a number: --update batch:100")
    })?;
    let samples = usize::try_from(free / 2).unwrap_or(usize::MAX) / plan.bytes_per_sample().max(1);
    Ok(samples.clamp(1, data.train.len()))
}

/// Replaces control characters in a name, which is shown in tables and on terminals, and trims it.
fn printable(name: &str) -> String {
    let plain = name.replace(char::is_control, " ");
    plain.trim().to_owned()
}

/// Returns the cross product of the axes, each combination with a label of its values.
fn combinations(axes: &Axes) -> Result<Vec<(String, Choices)>> {
    let mut all = vec![(String::new(), Choices::default())];
    for (axis, values) in axes {
        if !AXES.contains(&axis.as_str()) {
            return Err(spec::unknown("axis", axis, &AXES));
        }
        if values.is_empty() {
            return Err(Error::usage(format!("axis `{axis}` has no value")));
        }
        let values: Vec<String> =
            values.iter().map(|value| spec::sweep(value)).collect::<Result<Vec<_>>>()?.concat();
        let extend = |(label, choices): &(String, Choices), value: &String| {
            let mut choices = choices.clone();
            if let Some(choice) = choices.axis_mut(axis) {
                *choice = Some(value.clone());
            }
            (format!("{label} {value}").trim().to_owned(), choices)
        };
        all = all
            .iter()
            .flat_map(|before| values.iter().map(|value| extend(before, value)).collect::<Vec<_>>())
            .collect();
    }
    Ok(all)
}

/// Numbers equal names, `sgd`, `sgd (2)`: tables and folders distinguish trials by name.
fn number_equal_names(trials: &mut [Planned]) {
    for i in 0..trials.len() {
        let name = trials[i].trial.name.clone();
        let earlier = trials[..i].iter().filter(|planned| planned.trial.name == name).count();
        if earlier > 0 {
            trials[i].trial.name = format!("{name} ({})", earlier + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<Vec<String>> {
        let file = StudyFile::parse(
            &format!("[workload]\ndata = 'digits:train=20,test=10,size=8'\n{text}"),
            "test",
        )?;
        let data = file.workload.load(None, None)?;
        Ok(Study::resolve("test", &file, &data)?
            .trials
            .into_iter()
            .map(|planned| planned.trial.name)
            .collect())
    }

    #[test]
    fn values_in_braces_are_an_axis_wherever_they_stand() {
        let rates = ["batch:100 adam:lr=0.0001", "batch:100 adam:lr=0.001"];
        assert_eq!(names("[recipe]\noptimizer = 'adam:lr={1e-4,1e-3}'").unwrap(), rates);
        assert_eq!(names("[[trial]]\noptimizer = 'adam:lr={1e-4,1e-3}'").unwrap(), rates);
        let axes = names("[axes]\noptimizer = ['adam:lr={1e-4, 1e-3}', 'sgd']").unwrap();
        assert_eq!(axes, ["adam:lr=1e-4", "adam:lr=1e-3", "sgd"]);
        let crossed =
            names("[recipe]\noptimizer = 'sgd:lr={0.1,1},momentum={0,0.9}'\nmodel = 'in-{5,6}-out'").unwrap();
        assert_eq!(crossed.len(), 8);
        assert_eq!(crossed[7], "batch:100 sgd:lr=1,momentum=0.9 in-6-out");
        for text in ["adam:lr={1e-4", "adam:lr=1e-4}", "adam:lr={}", "adam:lr={1,}", "adam:lr={{1,2}}"] {
            let error = names(&format!("[recipe]\noptimizer = '{text}'")).unwrap_err();
            assert!(error.exit_code() == 2 && error.to_string().contains("{1e-4,1e-3}"), "{text}: {error}");
        }
    }
}
