//! Conversion of flags to a study file, as in `lectures/*.toml`.

use crate::args::Flags;
use schuss::study::{Choices, StudyFile, TrialEntry, Workload};
use schuss::{Error, Result};

/// Returns the study of `compare NAME` with the flags merged in, or a study made from the flags alone.
pub(crate) fn from_flags(name: Option<&str>, flags: &Flags) -> Result<StudyFile> {
    let mut file = name.map_or_else(|| Ok(StudyFile::default()), StudyFile::load)?;
    for text in &flags.trial {
        let (name, choices) = Choices::parse_trial(text)?;
        file.trials.push(TrialEntry { name, choices, ..TrialEntry::default() });
    }
    let mut shared = Choices {
        targets: flags.targets.clone(),
        target_scale: flags.target_scale.clone(),
        dialect: flags.dialect.clone(),
        stats: flags.stats,
        init_from: flags.init_from.as_ref().map(|path| path.display().to_string()),
        epochs: flags.epochs,
        max_updates: flags.max_updates,
        target: flags.target.clone(),
        beyond_target: flags.beyond_target.then_some(true),
        stop: flags.stop.clone(),
        ..Choices::default()
    };
    for (axis, values) in axes(flags) {
        match values {
            [] => {}
            [value] => set(&mut shared, axis, value),
            values => {
                file.axes.insert(axis.to_owned(), values.to_vec());
            }
        }
    }
    refuse_idle_flags(&file, &shared)?;
    shared.made().iter().for_each(|name| {
        file.axes.remove(*name);
    });
    file.budget = shared.over(&file.budget);
    let (written, reading) = (file.workload, flags.reading.clone());
    file.workload = Workload {
        data: flags.data.clone().or(written.data),
        model: written.model,
        label: reading.label.or(written.label),
        columns: reading.columns.or(written.columns),
        drop: reading.drop.or(written.drop),
        header: reading.header.or(written.header),
        delimiter: reading.delimiter.or(written.delimiter),
        comment: reading.comment.or(written.comment),
        decimal: reading.decimal.or(written.decimal),
        dates: reading.dates.or(written.dates),
        size: reading.size.or(written.size),
        validation: flags.validation.or(written.validation),
        missing: reading.missing.or(written.missing),
        missing_values: reading.missing_values.or(written.missing_values),
        unknown: reading.unknown.or(written.unknown),
        normalisation: flags.normalisation.clone().or(written.normalisation),
    };
    file.title = flags.title.clone().unwrap_or(file.title);
    if let Some(seeds) = seeds(flags) {
        file.seeds = Some(seeds);
    }
    if flags.eval_every.is_some() {
        file.observe.eval_every = flags.eval_every;
        file.trials.iter_mut().for_each(|trial| trial.eval_every = None);
    }
    file.observe.losses |= flags.losses;
    file.require_target |= flags.require_target;
    Ok(file)
}

/// Returns the seeds of `--seed` or `--seeds`.
fn seeds(flags: &Flags) -> Option<Vec<u64>> {
    let listed = (!flags.seed.is_empty()).then(|| flags.seed.clone());
    listed.or_else(|| flags.seeds.map(|seeds| (1..=seeds).collect()))
}

/// Refuses flags that make several trials, since `train` runs one.
pub(crate) fn refuse_several(flags: &Flags) -> Result<()> {
    let is_several = |values: &[String]| values.len() > 1 || values.iter().any(|value| value.contains('{'));
    let repeated = axes(flags).into_iter().find(|(_, values)| is_several(values)).map(|(axis, _)| axis);
    let seeds = seeds(flags).is_some_and(|seeds| seeds.len() > 1).then_some("seed");
    let trials = (!flags.trial.is_empty()).then_some("trial");
    match repeated.or(seeds).or(trials) {
        Some(flag) => {
            Err(Error::usage(format!("train runs one trial, but --{} makes several", flag.replace('_', "-")))
                .advise("schuss compare, with the same flags"))
        }
        None => Ok(()),
    }
}

fn axes(flags: &Flags) -> [(&'static str, &[String]); 9] {
    [
        ("model", &flags.model),
        ("loss", &flags.loss),
        ("update", &flags.update),
        ("order", &flags.order),
        ("optimizer", &flags.optimizer),
        ("schedule", &flags.schedule),
        ("init", &flags.init),
        ("noise", &flags.noise),
        ("matmul_precision", &flags.matmul_precision),
    ]
}

fn set(choices: &mut Choices, axis: &str, value: &str) {
    let choice = match axis {
        "model" => &mut choices.model,
        "loss" => &mut choices.loss,
        "update" => &mut choices.update,
        "order" => &mut choices.order,
        "schedule" => &mut choices.schedule,
        "init" => &mut choices.init,
        "noise" => &mut choices.noise,
        "matmul_precision" => &mut choices.matmul_precision,
        _ => &mut choices.optimizer,
    };
    *choice = Some(value.to_owned());
}

/// Refuses flags that every trial of the study sets itself: a flag overrides only what the trials share.
fn refuse_idle_flags(file: &StudyFile, flags: &Choices) -> Result<()> {
    let idle = |name: &&str| {
        !file.trials.is_empty() && file.trials.iter().all(|trial| trial.choices.made().contains(name))
    };
    match flags.made().into_iter().find(|name| idle(name)) {
        Some(name) => Err(Error::usage(format!(
            "--{} would change nothing: every trial of the study sets its own",
            name.replace('_', "-")
        ))
        .advise("add your own --trial, or edit a copy of the study file")),
        None => Ok(()),
    }
}
