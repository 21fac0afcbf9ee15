//! Summaries of finished runs, read and merged.

use super::folder::{STUDY, SUMMARY};
use super::statistics;
use crate::record::{Summary, TrialRecord, TuningRecord};
use crate::{Cause, Error, Result, json};
use schuss_data::text::plain_io;
use serde::Deserialize;
use std::collections::BTreeSet;
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
    let flawed = |why: &dyn std::fmt::Display| damaged(format!("the summary is damaged: {why}"));
    let Version { schema } = json::read(text.as_bytes()).map_err(|error| flawed(&error))?;
    if schema != SCHEMA {
        let why = format!("the summary has schema {schema}, but this program reads {SCHEMA}");
        let error = Error::data(why).because(Cause::Mismatch).at(file.display());
        return Err(error.advise("the version of schuss that wrote it, or a newer one"));
    }
    let summary: Summary = json::read(text.as_bytes()).map_err(|error| flawed(&error))?;
    match flaw(&summary) {
        Some(why) => Err(flawed(&why)),
        None => Ok(summary),
    }
}

/// Version of the format of a summary.
#[derive(Deserialize)]
struct Version {
    schema: u32,
}

/// Returns what no run writes, and no verdict can be made of.
fn flaw(summary: &Summary) -> Option<String> {
    let looks = &summary.study.looks;
    if looks.first() == Some(&0) || looks.windows(2).any(|pair| pair[0] >= pair[1]) {
        return Some("the numbers of seeds in `looks` do not increase from 1 on".to_owned());
    }
    let mut seen = BTreeSet::new();
    let twice = summary.trials.iter().find(|trial| !seen.insert((&trial.config_id, trial.seed)));
    if let Some(TrialRecord { name, seed, .. }) = twice {
        return Some(format!("{name}, seed {seed}, is listed twice"));
    }
    let is_no_time = |trial: &&TrialRecord| {
        trial.target.as_ref().and_then(|target| target.seconds).is_some_and(|time| time < 0.0)
    };
    let trial = summary.trials.iter().find(is_no_time)?;
    Some(format!("{}, seed {}, has reached its target after less than 0 s", trial.name, trial.seed))
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
    /// The verdict is left to be made; a tuning is kept if all recipes are of it, and a warning says if not.
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
        self.study.own_budgets |= other.study.own_budgets;
        self.study.merged = true;
        self.verdict = None;
        let tunings = [self.tuning.take(), other.tuning];
        self.keep_tuning(tunings);
        Ok(self)
    }

    /// Keeps the tuning that all recipes are of; without one, a warning says what is no longer told apart.
    fn keep_tuning(&mut self, tunings: [Option<TuningRecord>; 2]) {
        let is_of_all = |tuning: &TuningRecord| self.trials.iter().all(|trial| tuning.has_chosen(trial));
        let was_tuned = tunings.iter().any(Option::is_some);
        self.tuning = tunings.into_iter().flatten().find(is_of_all);
        if was_tuned && self.tuning.is_none() {
            let warning = "not all recipes are of one tuning, so it is left out: tuned recipes at their best and at the \
                           same rate are all in one race, without the cost of the tuning";
            self.warnings.push(warning.to_owned());
        }
    }

    /// Returns the name under which a trial of another run is merged: that of the same recipe, or its own, with its run
    /// if another recipe has that name.
    fn name_for(&self, trial: &TrialRecord, run: &str) -> String {
        let same = self.trials.iter().find(|own| own.config_id == trial.config_id);
        match same {
            Some(own) => own.name.clone(),
            None => self.free_name(&trial.name, run),
        }
    }

    /// Returns the first that no recipe has of `name`, `name (run)`, `name (run, 2)`, `name (run, 3)`, ...
    fn free_name(&self, name: &str, run: &str) -> String {
        let is_free = |name: &str| self.trials.iter().all(|own| own.name != name);
        if is_free(name) {
            return name.to_owned();
        }
        let (mut free, mut n) = (format!("{name} ({run})"), 1);
        while !is_free(&free) {
            n += 1;
            free = format!("{name} ({run}, {n})");
        }
        free
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
        let [own, others] = [&self.schuss, &other.schuss];
        let versions = (own != others).then(|| match own.version == others.version {
            true => format!("builds of version {}", own.version),
            false => format!("versions {} and {}", own.version, others.version),
        });
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
    use super::*;
    use crate::record::{TunedRecipe, Verdict};
    use crate::study::Tie;
    use crate::study::seeds::LOOKS;
    use serde_json::{Value, json};

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

    /// Runs in folders of the same name, relative to where they were made.
    #[test]
    fn names_of_merged_recipes_are_all_different() {
        let run = |config_id: &str| {
            let mut run = summary(hits("adam", &[1.0, 1.1]));
            run.run = "runs/train".into();
            run.trials.iter_mut().for_each(|trial| trial.config_id = config_id.into());
            run
        };
        let merged = run("x").merge(run("y")).unwrap().merge(run("z")).unwrap();
        let names: Vec<&str> = merged.trials.iter().step_by(2).map(|trial| trial.name.as_str()).collect();
        assert_eq!(names, ["adam", "adam (runs/train)", "adam (runs/train, 2)"]);
        assert_eq!(Verdict::of(&merged, Tie::default()).pairs.len(), 3);
    }

    #[test]
    fn a_run_that_is_merged_with_one_of_fewer_seeds_stays_decided_and_continues_nowhere() {
        let auto = || {
            let mut run = summary([hits("adam", &[1.0, 1.1, 0.9]), hits("sgd", &[4.0, 4.3, 3.7])].concat());
            run.study.looks = LOOKS.to_vec();
            run
        };
        let alone = Verdict::of(&auto(), Tie::default());
        let one = summary(hits("late", &[2.0]));
        for merged in [auto().merge(one.clone()).unwrap(), one.merge(auto()).unwrap()] {
            let verdict = Verdict::of(&merged, Tie::default());
            assert_eq!((verdict.leader.as_deref(), verdict.sure), (Some("adam"), false));
            assert_eq!(
                verdict.pair("adam", "sgd").unwrap().outcome,
                alone.pair("adam", "sgd").unwrap().outcome
            );
            assert_eq!(verdict.spending.as_ref().unwrap().next, None);
            let words = verdict.sentences.join(" ");
            assert!(words.contains("adam is not told apart from late (not compared)"), "{words}");
            assert!(
                !words.contains("schuss resume") && words.contains("late lacks some of seeds 1 to 3"),
                "{words}"
            );
        }
    }

    #[test]
    fn a_tuning_that_is_not_of_all_recipes_is_left_out_with_a_warning() {
        let tuned = || {
            let recipe = TunedRecipe { at_best: "adam".into(), ..TunedRecipe::default() };
            let tuning = TuningRecord { recipes: vec![recipe], ..TuningRecord::default() };
            Summary { tuning: Some(tuning), ..summary(hits("adam", &[1.0])) }
        };
        let other = || summary(hits("sgd", &[2.0]));
        for merged in [tuned().merge(other()).unwrap(), other().merge(tuned()).unwrap()] {
            assert!(
                merged.tuning.is_none() && merged.warnings[0].contains("tuning"),
                "{:?}",
                merged.warnings
            );
        }
        let mut more = summary(hits("adam", &[1.0]));
        more.trials[0].seed = 2;
        let merged = more.merge(tuned()).unwrap();
        assert!(merged.tuning.is_some() && merged.warnings.is_empty(), "{:?}", merged.warnings);
    }

    #[test]
    fn other_builds_of_a_version_are_not_called_other_versions() {
        let mut other = summary(hits("sgd", &[2.0]));
        other.schuss.commit = Some("abc".into());
        let merged = summary(hits("adam", &[1.0])).merge(other).unwrap();
        assert!(merged.warnings[0].contains("different builds of version 0.2.0"), "{:?}", merged.warnings);
    }

    /// Reads a summary with this change.
    fn read_changed(change: impl Fn(&mut Value)) -> Result<Summary> {
        let folder = tempfile::tempdir().unwrap();
        let mut value = serde_json::to_value(summary(hits("adam", &[1.0, 2.0]))).unwrap();
        change(&mut value);
        std::fs::write(folder.path().join(SUMMARY), value.to_string()).unwrap();
        read_summary(folder.path())
    }

    #[test]
    fn what_no_run_writes_is_refused() {
        let refused = |words: &str, change: &dyn Fn(&mut Value)| {
            let error = read_changed(change).unwrap_err();
            assert!(error.exit_code() == 3 && error.to_string().contains(words), "{error}");
        };
        refused("do not increase from 1 on", &|value| value["study"]["looks"] = json!([0]));
        refused("do not increase from 1 on", &|value| value["study"]["looks"] = json!([5, 3]));
        refused("adam, seed 1, is listed twice", &|value| value["trials"][1]["seed"] = json!(1));
        refused("less than 0 s", &|value| value["trials"][0]["target"]["seconds"] = json!(-1.0));
        refused("has schema 2", &|value| *value = json!({"schema": 2, "other": true}));
    }

    #[test]
    fn a_verdict_that_cannot_be_read_is_made_anew() {
        let read = read_changed(|value| value["verdict"] = json!({"schema": 2})).unwrap();
        assert_eq!((read.verdict, read.trials.len()), (None, 2));
    }
}
