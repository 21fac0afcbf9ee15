//! Summaries of finished runs, read and merged.

use super::folder::{STUDY, SUMMARY};
use super::statistics;
use crate::record::{Summary, TrialRecord};
use crate::{Cause, Error, Result};
use schuss_data::text::plain_io;
use std::path::{Path, PathBuf};

/// Version of the format of `summary.json` that this program reads.
const SCHEMA: u32 = 1;

/// Returns the places where a run called `run` may be: the path itself, and the folder of that name in `runs/`.
pub(super) fn places(run: &Path) -> [PathBuf; 2] {
    [run.to_owned(), Path::new("runs").join(run)].map(|path| std::path::absolute(&path).unwrap_or(path))
}

/// Returns the error for a run that is in none of its places.
pub(super) fn no_run(run: &Path) -> Error {
    Error::usage("there is no run")
        .because(Cause::NotFound)
        .at(run.display())
        .advise("the folder of a run, such as runs/train")
}

/// Reads `summary.json` from its folder.
pub(super) fn read_summary(folder: &Path) -> Result<Summary> {
    let file = folder.join(SUMMARY);
    let unreadable = |error| {
        Error::data(format!("the run cannot be read: {}", plain_io(&error)))
            .with_source(error)
            .at(file.display())
    };
    let text = std::fs::read_to_string(&file).map_err(unreadable)?;
    let damaged = |why: String| {
        let again =
            format!("its models are whole; `schuss compare {}` runs it again", folder.join(STUDY).display());
        Error::data(why).because(Cause::Damaged).at(file.display()).advise(again)
    };
    let summary: Summary = serde_json::from_slice(text.as_bytes())
        .map_err(|error| damaged(format!("the summary is damaged: {error}")))?;
    match summary.schema {
        SCHEMA => Ok(summary),
        other => Err(damaged(format!("the summary has schema {other}, but this program reads {SCHEMA}"))),
    }
}

impl Summary {
    /// Reads the summary of a run: its folder, its name in `runs/`, or the path of its `summary.json`.
    ///
    /// # Errors
    /// A usage error if there is no run, a data error if its summary is missing or damaged.
    pub fn read(run: &Path) -> Result<Self> {
        let folder = if run.ends_with(SUMMARY) { run.parent().unwrap_or(run) } else { run };
        let places = places(folder);
        let found = places.iter().find(|path| path.join(SUMMARY).is_file());
        let found = found.or_else(|| places.iter().find(|path| path.is_dir()));
        read_summary(found.ok_or_else(|| no_run(run))?)
    }

    /// Merges the trials of other runs into this one; recipes with the same choices become one recipe with more seeds.
    /// The verdict is left to be made; a tuning is kept if all recipes are of it.
    ///
    /// # Errors
    /// Usage errors: a run on other data, another split or another network, and a trial that is in both runs.
    pub fn merge(mut self, mut other: Self) -> Result<Self> {
        self.check_workload(&other)?;
        self.warnings.extend(self.unlike_conditions(&other));
        let named = [self.name_of_run(), other.name_of_run()];
        self.trials.probes.append(&mut other.trials.probes);
        for mut trial in other.trials {
            let is_twin = |own: &&TrialRecord| own.config_id == trial.config_id && own.seed == trial.seed;
            if let Some(own) = self.trials.iter().find(is_twin) {
                return Err(Error::usage(format!(
                    "{} and {} both have {}, seed {}",
                    named[0], named[1], own.name, own.seed
                ))
                .because(Cause::Conflict)
                .advise("runs with different recipes or seeds"));
            }
            trial.name = self.name_for(&trial, &named[1]);
            self.trials.push(trial);
        }
        let mut new = other.warnings;
        new.retain(|warning| !self.warnings.contains(warning));
        self.warnings.extend(new);
        if self.study.looks.is_empty() {
            self.study.looks = other.study.looks;
        }
        self.surfaces.extend(other.surfaces);
        self.exhibits.extend(other.exhibits);
        self.groups = statistics::groups(&self.trials, self.data.counts.validation.is_some());
        self.verdict = None;
        let trials = &self.trials;
        self.tuning = self.tuning.filter(|tuning| trials.iter().all(|trial| tuning.has_chosen(trial)));
        Ok(self)
    }

    /// Returns the name under which a trial of another run is merged: that of the same recipe, or its own, with its run
    /// if another recipe has that name.
    fn name_for(&self, trial: &TrialRecord, run: &str) -> String {
        let same = self.trials.iter().find(|own| own.config_id == trial.config_id);
        match same {
            Some(own) => own.name.clone(),
            None if self.trials.iter().any(|own| own.name == trial.name) => format!("{} ({run})", trial.name),
            None => trial.name.clone(),
        }
    }

    fn name_of_run(&self) -> String {
        if self.run.is_empty() { self.study.name.clone() } else { self.run.clone() }
    }

    fn check_workload(&self, other: &Self) -> Result<()> {
        let (own, others) = (&self.data, &other.data);
        let what = if own.fingerprint != others.fingerprint || own.counts != others.counts {
            "data"
        } else if own.resampled != others.resampled {
            "ways of drawing splits"
        } else if own.eval_split != others.eval_split {
            "evaluation splits"
        } else if self.workload.model != other.workload.model {
            "networks"
        } else {
            return Ok(());
        };
        let named = [self.name_of_run(), other.name_of_run()];
        Err(Error::usage(format!(
            "{} and {} are runs of different workloads: their {what} differ",
            named[0], named[1]
        ))
        .because(Cause::Mismatch)
        .advise("runs of one network on the same data, or one report for each"))
    }

    /// Returns warnings about conditions of the other run that make seconds hard to compare.
    fn unlike_conditions(&self, other: &Self) -> Vec<String> {
        let versions = (self.schuss != other.schuss)
            .then(|| format!("versions {} and {}", self.schuss.version, other.schuss.version));
        let machines = (self.machine != other.machine).then(|| "machines".to_owned());
        let unlike = versions.into_iter().chain(machines);
        let warning = |what| {
            format!("the runs were made by different {what}: their seconds may differ for that reason")
        };
        unlike.map(warning).filter(|warning| !self.warnings.contains(warning)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::verdict::tests::{hits, summary};
    use crate::record::Verdict;
    use crate::study::Tie;

    #[test]
    fn runs_of_one_workload_are_one_race_with_all_their_seeds() {
        let first = summary(hits("adam", &[1.0, 1.1]));
        let mut more = hits("adam in the second run", &[1.2, 1.3]);
        for (seed, trial) in (3..).zip(&mut more) {
            (trial.seed, trial.config_id) = (seed, "adam".into());
        }
        let second = summary([more, hits("sgd", &[2.0, 2.1])].concat());
        let merged = first.merge(second).unwrap();
        let verdict = Verdict::of(&merged, Tie::default());
        let trials: Vec<(&str, usize)> =
            verdict.recipes.iter().map(|recipe| (recipe.name.as_str(), recipe.trials)).collect();
        assert_eq!(trials, [("adam", 4), ("sgd", 2)]);
        assert_eq!(merged.groups.len(), 2);
        assert_eq!((merged.verdict, merged.warnings.len()), (None, 0));
    }

    #[test]
    fn a_trial_twice_and_another_workload_are_refused() {
        let run = || summary(hits("adam", &[1.0]));
        let twice = run().merge(run()).unwrap_err();
        assert!(twice.exit_code() == 2 && twice.to_string().contains("both have adam, seed 1"), "{twice}");
        let mut other = summary(hits("sgd", &[1.0]));
        other.data.fingerprint = "y".into();
        let error = run().merge(other).unwrap_err();
        assert!(
            error.exit_code() == 2 && error.to_string().contains("different workloads: their data"),
            "{error}"
        );
    }

    #[test]
    fn a_different_recipe_of_the_same_name_is_called_by_its_run() {
        let mut other = summary(hits("adam", &[2.0]));
        (other.run, other.trials[0].config_id) = ("runs/slow".into(), "other".into());
        other.machine.cores = 64;
        let merged = summary(hits("adam", &[1.0])).merge(other).unwrap();
        assert_eq!(merged.trials[1].name, "adam (runs/slow)");
        assert!(merged.warnings[0].contains("different machines"), "{:?}", merged.warnings);
    }
}
