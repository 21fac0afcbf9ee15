//! Resolution of a study file and flags into the list of trials to run.

use super::exhibit::Printed;
use super::file::{Observe, StudyFile, TrialEntry};
use super::run::refuse_without_validation;
use super::seeds::{Seeds, check_seeds, refuse_resampled};
use super::tune::{self, Tune};
use super::verdict::Tie;
use crate::optim::Method;
use crate::recipe::{ChoiceKey, Choices, Device, Trial, Workload};
use crate::record::StudyRecord;
use crate::schedule::Outlook;
use crate::{Cause, Error, Result, machine};
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
    /// Relative difference up to which two recipes count as equal.
    pub tie: Tie,
    /// Data and network, as written in the study file.
    pub workload: Workload,
    /// Recordings in addition to the evaluation after each epoch.
    pub observe: Observe,
    /// Names of error surfaces to descend.
    pub surfaces: Vec<String>,
    /// Choices to tune before the race.
    pub tune: Option<Tune>,
    /// True if no trial is evaluated on the test split, which is left to what is chosen in the end.
    pub spares_test: bool,
    /// Device on which trials of a resumed run continue, if it is not their own.
    pub continues_on: Option<Device>,
}

/// A recipe of a study.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Trial; [`Study::runs`] sets its seed.
    pub trial: Trial,
    /// Results that a lecture printed.
    pub printed: Printed,
}

impl Study {
    /// Resolves a study file on `data`.
    ///
    /// # Errors
    /// Usage errors: unknown names, contradictory choices, choices without effect, a model that does not fit the data.
    pub fn resolve(name: &str, file: &StudyFile, data: &Dataset) -> Result<Self> {
        let workload = file.workload_of(data);
        let workload = if file.is_of_run { workload } else { workload.effective(data) };
        let shared = file.shared();
        let mut resolving = Resolving {
            file,
            workload: &workload,
            data,
            left_out: BTreeMap::new(),
            used: vec![],
            rates: vec![],
        };
        let mut trials = Vec::new();
        let entries = if file.trials.is_empty() && file.surfaces.is_empty() {
            vec![TrialEntry::default()]
        } else {
            file.trials.clone()
        };
        for entry in &entries {
            for (axes, combination) in file.axes.combinations()? {
                let own = own(entry, &combination)?;
                for (values, choices) in own.clone().over(&shared).each()? {
                    let is_shared = |key| own.get(key).is_none() && shared.get(key) == choices.get(key);
                    let label = Label { axes: &axes, values: &values };
                    trials.push(resolving.planned(entry, &label, choices.clone(), &is_shared)?);
                }
            }
        }
        let same_rate = resolving.same_rate();
        resolving.check_shared()?;
        let (seeds, looks) = Seeds::on(data, file.seeds.as_ref())?.resolved();
        let (name, title, notes) = (name.to_owned(), file.title.clone(), file.notes.clone());
        let about = StudyRecord { name, title, notes, looks, ..StudyRecord::default() };
        number_equal_names(&mut trials);
        let (surfaces, require_target, observe) = (file.surfaces.clone(), file.require_target, file.observe);
        let tie = file.tie.unwrap_or_default();
        let study = Self {
            about,
            trials,
            seeds,
            require_target,
            tie,
            workload,
            observe,
            surfaces,
            tune: None,
            spares_test: false,
            continues_on: None,
        };
        match file.tune.clone() {
            Some(tune) if file.is_of_run => Ok(Self { tune: Some(tune), ..study }),
            Some(tune) => {
                let dialect = shared.parsed(ChoiceKey::Dialect)?.unwrap_or(tune.dialect);
                let same_rate = tune.same_rate.or(same_rate);
                study.with_tuning(Tune { dialect, same_rate, ..tune }, data)
            }
            None => Ok(study),
        }
    }

    /// Creates a study of trials that share the network and data of the first, with seed 1, or with one seed per fold.
    ///
    /// # Errors
    /// Usage errors: no trial, or a model that does not fit the data.
    pub fn of(trials: impl IntoIterator<Item = Trial>, data: &Dataset) -> Result<Self> {
        let file = StudyFile::default();
        let mut planned = Vec::new();
        for trial in trials {
            let mut trial = trial.resolved(data.train.len());
            trial.plan(data)?;
            trial.data = file.workload.spec(&data.name);
            if trial.name == Trial::default().name {
                trial.name = format!("{} {}", trial.recipe.update, trial.recipe.optimizer);
            }
            planned.push(Planned { trial, printed: Printed::default() });
        }
        if planned.is_empty() {
            return Err(Error::usage("a study needs at least one trial"));
        }
        number_equal_names(&mut planned);
        let (seeds, looks) = Seeds::on(data, None)?.resolved();
        let (name, title, notes) = ("study".to_owned(), file.title, file.notes);
        let about = StudyRecord { name, title, notes, looks, ..StudyRecord::default() };
        Ok(Self {
            about,
            trials: planned,
            seeds,
            require_target: false,
            tie: Tie::default(),
            workload: file.workload,
            observe: file.observe,
            surfaces: file.surfaces,
            tune: None,
            spares_test: false,
            continues_on: None,
        })
    }

    /// Returns the study with these seeds: each trial runs once per seed.
    ///
    /// # Errors
    /// Usage errors: no seed, or a duplicate one.
    pub fn with_seeds(self, seeds: impl IntoIterator<Item = u64>) -> Result<Self> {
        let seeds: Vec<u64> = seeds.into_iter().collect();
        check_seeds(&seeds)?;
        Ok(self.with(&Seeds::Listed(seeds)))
    }

    /// Returns the study with as many seeds as it takes to decide which recipe leads: three for every recipe, then more
    /// for those that are not yet decided, 20 at most.
    #[must_use]
    pub fn with_auto_seeds(self) -> Self {
        self.with(&Seeds::Auto)
    }

    fn with(self, seeds: &Seeds) -> Self {
        let (seeds, looks) = seeds.resolved();
        Self { seeds, about: StudyRecord { looks, ..self.about }, ..self }
    }

    /// Returns the number of seeds with which every recipe runs.
    pub fn first_seeds(&self) -> usize {
        self.about.looks.first().map_or(self.seeds.len(), |seeds| *seeds)
    }

    /// Returns the places in [`Self::runs`] of the trials with these seeds.
    pub(super) fn first_trials(&self) -> Vec<usize> {
        (0..self.first_seeds() * self.trials.len()).collect()
    }

    /// Returns true if seeds are added to recipes that are not yet decided.
    pub fn adds_seeds(&self) -> bool {
        !self.about.looks.is_empty()
    }

    /// Returns the study with choices to tune before its race.
    ///
    /// # Errors
    /// Usage errors: data without a validation split, a recipe without one of the choices, recipes that differ only in
    /// them.
    ///
    /// # Example
    /// ```
    /// use schuss::optim::{Adam, Sgd};
    /// use schuss::recipe::{ChoiceKey, Workload};
    /// use schuss::study::Study;
    /// use schuss::{Budget, Recipe, Trial};
    ///
    /// # fn main() -> schuss::Result<()> {
    /// let mut workload = Workload::of("digits:train=300,test=60,size=8");
    /// workload.choices.set(ChoiceKey::Validation, "0.2")?;
    /// let data = workload.load(None, None)?;
    /// let trial = |optimizer| Trial {
    ///     model: "64-10".parse().expect("a model"),
    ///     recipe: Recipe { optimizer, ..Recipe::default() },
    ///     budget: Budget { epochs: 2, ..Budget::default() },
    ///     ..Trial::default()
    /// };
    /// let study = Study::of([trial(Adam::default().into()), trial(Sgd::default().into())], &data)?;
    /// let finished = study.with_tuning("lr".parse()?, &data)?.run(&data)?;
    /// let tuning = finished.summary.tuning.expect("the study was tuned");
    /// assert!(tuning.recipes[0].chosen["lr"] > 0.0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_tuning(self, tune: Tune, data: &Dataset) -> Result<Self> {
        refuse_without_validation(data)?;
        refuse_resampled(data)?;
        tune::check(&self, &tune, data)?;
        Ok(Self { tune: Some(tune), ..self })
    }

    /// Returns the study as a file with all defaults spelled out.
    pub fn to_file(&self, data: &Dataset) -> StudyFile {
        let entry = |planned: &Planned| TrialEntry {
            name: Some(planned.trial.name.clone()),
            reference_seconds: planned.printed.seconds,
            choices: Choices::of(&planned.trial),
            reference: planned.printed.results.clone(),
        };
        StudyFile {
            title: self.about.title.clone(),
            notes: self.about.notes.clone(),
            seeds: Some(if self.adds_seeds() { Seeds::Auto } else { Seeds::Listed(self.seeds.clone()) }),
            require_target: self.require_target,
            tie: (self.tie != Tie::default()).then_some(self.tie),
            workload: self.workload.on(&data.name).without_trial(),
            observe: self.observe,
            trials: self.trials.iter().map(entry).collect(),
            surfaces: self.surfaces.clone(),
            tune: self.tune.clone(),
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

    /// Returns the multiply-adds of all trials that run for sure, if each uses up its budget.
    ///
    /// # Errors
    /// A usage error if a network does not fit the data.
    pub fn work(&self, data: &Dataset) -> Result<f64> {
        let len = data.train.len();
        let work = |planned: &Planned| {
            let trial = &planned.trial;
            let samples = trial.updates(len) as f64 * trial.recipe.update.samples(len) as f64;
            Ok(samples * trial.plan(data)?.work_per_sample() as f64)
        };
        let one_seed = self.trials.iter().map(work).sum::<Result<f64>>()?;
        Ok(one_seed * self.first_seeds() as f64)
    }

    /// Returns a note if the targets of a trial are standardised for training.
    pub fn scale_note(&self, data: &Dataset) -> Option<String> {
        self.trials.iter().find_map(|planned| planned.trial.scale_note(data))
    }

    /// Returns every (trial, seed) that may run, in run order: all recipes with the first seed, then with the next.
    pub fn runs(&self) -> impl Iterator<Item = (&Planned, Trial)> {
        let with = |seed: u64, planned: &Planned| Trial { seed, ..planned.trial.clone() };
        self.seeds
            .iter()
            .flat_map(move |&seed| self.trials.iter().map(move |planned| (planned, with(seed, planned))))
    }
}

/// Returns a trial's own choices and those of the axes.
fn own(entry: &TrialEntry, axes: &Choices) -> Result<Choices> {
    if let Some(twice) = axes.made().find(|key| entry.choices.get(*key).is_some()) {
        let (key, name) = (twice.row().key, entry.name.as_deref().unwrap_or("one"));
        let what = format!("{key} is an axis of the study, but trial `{name}` sets its own");
        let error = Error::usage(what).because(Cause::Conflict);
        return Err(entry.choices.locate(twice, error));
    }
    Ok(entry.choices.clone().over(axes))
}

/// Values that distinguish a trial from others of the same entry.
struct Label<'a> {
    /// Values of the study's axes.
    axes: &'a str,
    /// Values in braces.
    values: &'a str,
}

/// A study file that is being resolved.
struct Resolving<'a> {
    file: &'a StudyFile,
    workload: &'a Workload,
    data: &'a Dataset,
    /// Shared choices left out of a trial on which they have no effect, and the errors that say so.
    left_out: BTreeMap<ChoiceKey, Error>,
    /// Shared choices with an effect on a trial.
    used: Vec<ChoiceKey>,
    /// Learning rate of each trial, if it was given.
    rates: Vec<Option<f64>>,
}

impl Resolving<'_> {
    /// Resolves a trial of an entry.
    fn planned(
        &mut self,
        entry: &TrialEntry,
        label: &Label<'_>,
        choices: Choices,
        is_shared: &dyn Fn(ChoiceKey) -> bool,
    ) -> Result<Planned> {
        let choices = self.effective(self.with_samples(choices)?, is_shared)?;
        let mut trial = choices.resolve("", self.data)?.resolved(self.data.train.len());
        trial.plan(self.data).map_err(|error| choices.locate(ChoiceKey::Model, error))?;
        let is_given = choices.get(ChoiceKey::Optimizer).is_some_and(Method::gives_rate);
        self.rates.push(trial.recipe.optimizer.number("lr").filter(|_| is_given));
        trial.data = self.workload.spec(&self.data.name);
        let Label { axes, values } = label;
        trial.name = match (&entry.name, *axes) {
            (Some(name), axes) => printable(&format!("{name} {axes} {values}")),
            (None, "") => printable(&format!("{} {} {values}", trial.recipe.update, trial.recipe.optimizer)),
            (None, axes) => printable(&format!("{axes} {values}")),
        };
        Ok(Planned { trial, printed: Printed::of(entry) })
    }

    /// Leaves out shared choices without effect on the trial, and refuses others.
    fn effective(&mut self, mut choices: Choices, is_shared: &dyn Fn(ChoiceKey) -> bool) -> Result<Choices> {
        while !self.file.is_of_run {
            match choices.idle(&choices.resolve("", self.data)?, self.data) {
                Some((key, error)) if is_shared(key) => {
                    self.left_out.insert(key, error);
                    choices.remove(key);
                }
                Some((_, error)) => return Err(error),
                None => break,
            }
        }
        self.used.extend(choices.made().filter(|key| is_shared(*key)));
        Ok(choices)
    }

    /// Returns the learning rate of all trials, if the same one was given for all.
    fn same_rate(&self) -> Option<f64> {
        let first = *self.rates.first()?;
        first.filter(|_| self.rates.iter().all(|rate| *rate == first))
    }

    /// Refuses a shared choice that has no effect on any trial.
    fn check_shared(self) -> Result<()> {
        let idle = self.left_out.into_iter().find(|(key, _)| !self.used.contains(key));
        idle.map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Replaces the update rule `batch:auto` by as many samples as fit in memory.
    fn with_samples(&self, choices: Choices) -> Result<Choices> {
        let is_auto = |update: &str| update.trim().eq_ignore_ascii_case("batch:auto");
        if !choices.get(ChoiceKey::Update).is_some_and(is_auto) {
            return Ok(choices);
        }
        let trial = choices.clone().only(|key| key != ChoiceKey::Update).resolve("", self.data)?;
        let samples = samples_that_fit(&trial, self.data).map_err(|error| choices.relocate(error))?;
        Ok(choices.replaced(ChoiceKey::Update, &format!("batch:{samples}")))
    }
}

/// Returns the largest batch size whose activations and gradients fit in half of the free memory: at least one sample,
/// at most all.
fn samples_that_fit(trial: &Trial, data: &Dataset) -> Result<usize> {
    let plan = trial.plan(data)?;
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

/// Numbers equal names, `sgd`, `sgd (2)`: tables and folders distinguish trials by name.
pub(super) fn number_equal_names(trials: &mut [Planned]) {
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
