//! Conversion of flags to a study file, as in `lectures/*.toml`.

use crate::args::Flags;
use schuss::recipe::{ChoiceKey, Source};
use schuss::study::{Choices, Seeds, StudyFile, TrialEntry};
use schuss::{Cause, Error, Result};
use schuss_report::shell_word;

/// Returns the study of `compare NAME` with the flags merged in, or a study made from the flags alone.
pub(crate) fn from_flags(name: Option<&str>, flags: &Flags) -> Result<StudyFile> {
    let mut file = name.map_or_else(|| Ok(StudyFile::default()), StudyFile::load)?;
    for text in &flags.trial {
        let (name, choices) = Choices::parse_trial(text)?;
        file.trials.push(TrialEntry { name, choices, ..TrialEntry::default() });
    }
    if !flags.choices.values(ChoiceKey::EvalEvery).is_empty() {
        file.trials.iter_mut().for_each(|trial| trial.choices.remove(ChoiceKey::EvalEvery));
    }
    merge_choices(&mut file, flags)?;
    file.title = flags.title.clone().unwrap_or(file.title);
    if let Some(seeds) = seeds(flags) {
        file.seeds = Some(seeds);
    }
    file.tune = flags.tune.clone().or(file.tune);
    if flags.count_tuning {
        let needs_tune = || Error::usage("--count-tuning needs a --tune").advise("--tune lr");
        file.tune.as_mut().ok_or_else(needs_tune)?.counts = true;
    }
    file.observe.losses |= flags.losses;
    file.require_target |= flags.require_target;
    file.tie = flags.tie.or(file.tie);
    Ok(file)
}

/// Merges in the choices that were typed: they override what the trials of the study share, and its axes.
fn merge_choices(file: &mut StudyFile, flags: &Flags) -> Result<()> {
    for (key, values) in flags.choices.typed() {
        let is_idle = |trial: &TrialEntry| trial.choices.get(key).is_some();
        if !file.trials.is_empty() && file.trials.iter().all(is_idle) {
            return Err(idle(key));
        }
        file.axes.remove(key);
        match values {
            [value] if key.row().is_of_trial() => file.budget.give(key, value, Source::Flag)?,
            [value] => file.workload.choices.give(key, value, Source::Flag)?,
            values => values.iter().try_for_each(|value| file.axes.add(key, value, Source::Flag))?,
        }
    }
    Ok(())
}

/// Returns the error for a flag that every trial of the study overrides.
fn idle(key: ChoiceKey) -> Error {
    let flag = key.row().flag();
    Error::usage(format!("--{flag} would change nothing: every trial of the study sets its own"))
        .because(Cause::NoEffect)
        .advise("add your own --trial, or edit a copy of the study file")
}

/// Returns the seeds of `--seed` or `--seeds`.
fn seeds(flags: &Flags) -> Option<Seeds> {
    let listed = (!flags.seed.is_empty()).then(|| Seeds::Listed(flags.seed.clone()));
    listed.or_else(|| flags.seeds.clone())
}

/// Adds advice to an error about a study that was perhaps meant as data.
pub(crate) fn no_study(name: Option<&str>, error: Error) -> Error {
    match name.filter(|name| !name.ends_with(".toml") && !name.contains('=')) {
        Some(name) => {
            error.advise(format!("a study file, such as recipe.toml; data are --data {}", shell_word(name)))
        }
        None => error,
    }
}

/// Refuses a study file with several trials, since `train` is about one.
pub(crate) fn refuse_several_in(name: &str, file: &StudyFile) -> Result<()> {
    if file.is_of_one_trial() {
        return Ok(());
    }
    Err(Error::usage(format!("train takes one recipe with one seed, but {name} has several trials"))
        .advise(format!("schuss compare {}", shell_word(name))))
}

/// Refuses flags that make several trials, since the command `verb` is about one.
pub(crate) fn refuse_several(verb: &str, flags: &Flags) -> Result<()> {
    let is_several = |key: &ChoiceKey| {
        let values = flags.choices.values(*key);
        key.row().is_axis && (values.len() > 1 || values.iter().any(|value| value.contains('{')))
    };
    let repeated = ChoiceKey::ALL.iter().find(|key| is_several(key)).map(|key| key.row().flag());
    let seeds = seeds(flags).is_some_and(|seeds| seeds.is_several()).then(|| "seeds".to_owned());
    let folds = flags.choices.values(ChoiceKey::Folds).first().map(|_| "folds".to_owned());
    let trials = (!flags.trial.is_empty()).then(|| "trial".to_owned());
    match repeated.or(seeds).or(folds).or(trials) {
        Some(flag) => Err(Error::usage(format!("{verb} takes one recipe, but --{flag} makes several"))
            .advise("schuss compare, with the same flags")),
        None => Ok(()),
    }
}
