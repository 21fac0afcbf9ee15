//! `schuss compare` and `schuss train`.

use crate::args::{Changes, Flags, Running};
use crate::progress::{Progress, Shown, say};
use crate::terminal::Screen;
use crate::{estimate, signals, study, terminal};
use schuss::data::{Dataset, Shape, Split};
use schuss::recipe::MatmulPrecision;
use schuss::record::numbers::plural;
use schuss::record::{Status, Summary, TrialRecord};
use schuss::session::{Control, Limits};
use schuss::study::{Begun, Finished, REPORT, Study, StudyFile, run, to_json};
use schuss::{Error, Result};
use schuss_data::text::grouped;
use schuss_report::{Formats, charts, html, shell_word, table};
use std::path::{Path, PathBuf};

/// File formats of the charts of a comparison.
const COMPARED: Formats = if cfg!(feature = "png") { Formats::SvgAndPng } else { Formats::Svg };

/// Trains and compares recipes, and returns the exit code.
pub(crate) fn compare(name: Option<&str>, flags: &Flags, screen: &Screen) -> Result<u8> {
    let file = study::from_flags(name, flags)?;
    let title =
        name.map_or("compare", |name| name.rsplit('/').next().unwrap_or(name).trim_end_matches(".toml"));
    execute(title, &file, flags, COMPARED, screen)
}

/// Name of a study with one recipe.
const TRAIN: &str = "train";

/// Trains one recipe and returns the exit code.
pub(crate) fn train(name: Option<&str>, flags: &Flags, screen: &Screen) -> Result<u8> {
    study::refuse_several(TRAIN, flags)?;
    let file = study::from_flags(name, flags).map_err(|error| study::no_study(name, error))?;
    if let Some(name) = name {
        study::refuse_several_in(name, &file)?;
    }
    execute(TRAIN, &file, flags, Formats::Svg, screen)
}

/// What tuning means for the splits of the data.
const TUNED: &str = "tuning, curves and targets use the validation split: a tenth of the training samples, unless the data \
                     have one or --validation sets another share; the test split is evaluated once, at the end";

fn execute(name: &str, file: &StudyFile, flags: &Flags, formats: Formats, screen: &Screen) -> Result<u8> {
    let limits = flags.running.limits(Limits::default())?;
    let shown = Shown::new(&flags.running, limits.side_by_side, flags.json, screen);
    let data = file.data(limits.memory)?;
    shown.say(&describe(&data)?);
    let study = Study::resolve(name, file, &data)?;
    if study.require_target && study.trials.iter().any(|planned| planned.trial.budget.target.is_none()) {
        return Err(
            Error::usage("--require-target needs a --target").advise("--target 'eval_accuracy>=0.97'")
        );
    }
    study.scale_note(&data).iter().for_each(|note| shown.say(note));
    if study.tune.is_some() {
        shown.say(TUNED);
    }
    warn(&data)?;
    let mut precisions = study.trials.iter().map(|planned| planned.trial.recipe.matmul_precision);
    if let Some(warning) = precisions.find_map(MatmulPrecision::warning) {
        say(true, &format!("warning: {warning}"));
    }
    estimate::schedules(&study, &data);
    if flags.dry_run {
        return estimate::dry_run(&study, &data, limits, flags.json);
    }
    if let Some(line) = estimate::line(&study, &data, limits).filter(|_| !shown.quiet) {
        say(true, &line);
    }
    let control = begin(&flags.running)?;
    let mut progress = Progress::new(&control, &study, &data, shown);
    let finished =
        run(&study, &data, limits, flags.out.as_deref(), &command_line(), &control, &mut progress)?;
    present(&study, &finished, finished.folder.path(), shown.json, &progress, formats, screen)?;
    let code = exit_code(&finished.summary, &control, study.require_target);
    finished.error.map_or(Ok(code), Err)
}

/// Resumes a run and returns the exit code.
pub(crate) fn resume(
    folder: &Path,
    changes: &Changes,
    running: &Running,
    json: bool,
    screen: &Screen,
) -> Result<u8> {
    let begun = Begun::open(folder)?;
    let begun = match changes.epochs {
        Some(epochs) => begun.extend(epochs)?,
        None => begun,
    };
    let place = from_here(begun.path());
    if begun.is_finished() && begun.path().join(REPORT).is_file() {
        say(json, &format!("{} is finished: nothing is left to do", place.display()));
        schuss_report::closing(&begun.summary, &place).iter().for_each(|line| say(json, line));
        return if json { deliver(&to_json(&begun.summary)?).map(|()| 0) } else { Ok(0) };
    }
    let limits = running.limits(begun.limits)?;
    let shown = Shown::new(running, limits.side_by_side, json, screen);
    if let Some(kept) = kept_limits(begun.limits, limits) {
        say(true, &kept);
    }
    let data = load_again(&begun, changes.data.as_deref(), limits)?;
    let mut study = Study::resolve(&begun.summary.study.name, &begun.file, &data)?;
    study.continues_on = changes.device.as_deref().map(str::parse).transpose()?;
    shown.say(&describe(&data)?);
    study.scale_note(&data).iter().for_each(|note| shown.say(note));
    let control = begin(running)?;
    let mut progress = Progress::new(&control, &study, &data, shown);
    let finished = begun.resume(&study, &data, limits, &control, &mut progress)?;
    let formats = if study.about.name == TRAIN { Formats::Svg } else { COMPARED };
    present(&study, &finished, &place, json, &progress, formats, screen)?;
    let code = exit_code(&finished.summary, &control, study.require_target);
    finished.error.map_or(Ok(code), Err)
}

/// Returns the handle of a run, which signals and the time limit stop.
pub(crate) fn begin(running: &Running) -> Result<Control> {
    let control = Control::default();
    signals::listen(&control)?;
    running.time_limit.map_or(Ok(()), |time| control.interrupt_after(time))?;
    Ok(control)
}

/// Returns a path relative to the current folder if it lies below it.
fn from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(here).unwrap_or(path).to_owned()
}

/// Returns a line with the non-default limits kept from before the interruption.
fn kept_limits(before: Limits, now: Limits) -> Option<String> {
    let usual = Limits::default();
    let memory = now.memory.filter(|_| now.memory == before.memory);
    let device_memory = now.device_memory.filter(|_| now.device_memory == before.device_memory);
    let kept = [
        memory.map(|memory| format!("--memory {}", typed_bytes(memory))),
        device_memory.map(|memory| format!("--device-memory {}", typed_bytes(memory))),
        (now.threads == before.threads && now.threads != usual.threads)
            .then(|| format!("--threads {}", now.threads)),
        (before.side_by_side && now.side_by_side).then(|| "--parallel".to_owned()),
        (now.checkpoint_every == before.checkpoint_every && now.checkpoint_every != usual.checkpoint_every)
            .then(|| format!("--checkpoint-every {}", now.checkpoint_every)),
    ];
    let kept: Vec<String> = kept.into_iter().flatten().collect();
    (!kept.is_empty()).then(|| format!("as before: {}", kept.join(" ")))
}

/// Loads the data of a run, relative to the folder it was started in if that still exists, or from their new location.
fn load_again(begun: &Begun, moved: Option<&str>, limits: Limits) -> Result<Dataset> {
    let absolute = |spec: &str| match std::path::absolute(spec) {
        Ok(path) if Path::new(spec).exists() => path.display().to_string(),
        _ => spec.to_owned(),
    };
    let written = &begun.file.workload;
    let workload = moved.map_or_else(|| written.clone(), |moved| written.on(&absolute(moved)));
    let name = written.data().map(str::to_owned);
    let _ = std::env::set_current_dir(&begun.summary.directory); // if gone, relative paths start here
    let elsewhere = |error: Error| match error.exit_code() {
        3 => error.advise("if the data have moved: schuss resume RUN --data PATH"),
        _ => error,
    };
    let data = StudyFile { workload, ..begun.file.clone() }.data(limits.memory).map_err(elsewhere)?;
    Ok(Dataset { name: name.unwrap_or(data.name), ..data })
}

/// Prints warnings about the classes of the data on stderr.
pub(crate) fn warn(data: &Dataset) -> Result<()> {
    data.warnings()?.iter().for_each(|warning| say(true, &format!("warning: {warning}")));
    Ok(())
}

/// Returns the first line of output, which describes the data.
pub(crate) fn describe(data: &Dataset) -> Result<String> {
    let (noun, shape) = match data.shape {
        Shape::Image(image) => ("images", format!("{} x {}", image.height, image.width)),
        Shape::Flat(1) => ("rows", "1 number each".into()),
        Shape::Flat(features) => ("rows", format!("{} numbers each", grouped(features as u64))),
    };
    let count = |split: &Split| grouped(split.len() as u64);
    let names = data.target_names()?;
    let notes = names.iter().chain(&data.notes).map(|note| format!("\n{note}"));
    let held_out = data.validation.iter().map(|split| format!("{} held out, ", count(split)));
    Ok(format!(
        "data: {}; {} {noun} to train on, {}{} to test on, {shape}, {}{}",
        data.origin,
        count(&data.train),
        held_out.collect::<String>(),
        count(&data.test),
        data.target_words(),
        notes.collect::<String>(),
    ))
}

/// Prints table and summary and writes the report of the run in `place`. Under `--json` the summary reaches stdout even
/// if files cannot be written.
fn present(
    study: &Study,
    finished: &Finished,
    place: &Path,
    json: bool,
    progress: &Progress,
    formats: Formats,
    screen: &Screen,
) -> Result<()> {
    let summary = &finished.summary;
    let report = write(finished, formats);
    let mut page =
        format!("\n{}", table::overview(summary, screen.table_width(), progress.extent()).trim_end());
    let closing = schuss_report::closing(summary, place);
    let is_tuning = study.tune.is_some() && summary.tuning.is_none();
    let is_unfinished =
        is_tuning || is_undecided(summary) || finished.lacks_plane || summary.trials.iter().any(goes_on);
    if progress.time_is_up() && is_unfinished {
        let ended = summary.trials.iter().filter(|trial| !goes_on(trial)).count();
        page += &format!("\nThe time limit is up: {} ended.", plural(ended, "trial"));
    }
    if finished.lacks_plane {
        page += "\nThe plane that the racers share is not drawn yet.";
    }
    let outlooks = finished.outlooks.iter().map(|outlook| outlook.line.clone());
    outlooks.chain(closing).for_each(|sentence| page += &format!("\n{sentence}"));
    if report.is_ok() {
        page += &format!("\nreport: {}", place.join(REPORT).display());
    }
    if progress.left_out() {
        page += &format!("\nevery epoch: {}", place.join("metrics.csv").display());
    }
    if is_unfinished {
        page += &format!("\ncontinue with: schuss resume {}", shell_word(&place.display().to_string()));
    }
    if json {
        say(true, &page);
        deliver(&to_json(summary)?)?;
    } else {
        deliver(&(page + "\n"))?;
    }
    if finished.error.is_none() { report.map(|_| ()) } else { Ok(()) }
}

/// Returns true if a race that adds seeds needs trials that have not run.
fn is_undecided(summary: &Summary) -> bool {
    let verdict = summary.verdict.as_ref();
    let mut verdicts = verdict.into_iter().chain(verdict.and_then(|verdict| verdict.same_rate.as_deref()));
    verdicts.any(|verdict| verdict.spending.as_ref().is_some_and(|spending| spending.next.is_some()))
}

/// Returns true if a trial can be resumed.
fn goes_on(trial: &TrialRecord) -> bool {
    matches!(trial.status, Status::Interrupted | Status::Failed)
}

/// Writes charts, report and last the summary, which completes the run; returns the path of the report.
fn write(finished: &Finished, formats: Formats) -> Result<PathBuf> {
    let Finished { summary, traces, folder, .. } = finished;
    let charts = charts(summary, traces, formats);
    let report = charts.and_then(|charts| folder.write_report(&html::page(summary, traces), &charts));
    folder.write_metrics(summary, traces)?;
    folder.write_summary(summary)?;
    report
}

/// Writes results to stdout. Returns a failure if they cannot be written; a closed pipe is not a failure.
pub(crate) fn deliver(text: &str) -> Result<()> {
    terminal::deliver(&mut std::io::stdout(), text).map(|_| ())
}

fn exit_code(summary: &Summary, control: &Control, require_target: bool) -> u8 {
    let all =
        |status: Status| !summary.trials.is_empty() && summary.trials.iter().all(|t| t.status == status);
    let missed = |target: &schuss::record::TargetRecord| target.seconds.is_none();
    let has_ended = |trial: &TrialRecord| !goes_on(trial);
    if control.interrupted() && !(control.time_is_up() && summary.trials.iter().any(has_ended)) {
        return signals::exit_code(control);
    }
    if all(Status::Diverged) {
        return 4;
    }
    let any_missed = summary.trials.iter().any(|trial| trial.target.as_ref().is_none_or(missed));
    if require_target && any_missed { 5 } else { 0 }
}

/// Returns the command as typed, quoted for a shell where needed.
fn command_line() -> String {
    let words = std::env::args_os().skip(1).map(|word| shell_word(&word.to_string_lossy()));
    std::iter::once("schuss".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// Formats a size as it would be typed: in the largest unit that represents it exactly.
fn typed_bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = units.into_iter().find(|(size, _)| bytes >= *size && bytes.is_multiple_of(*size));
    unit.map_or_else(|| bytes.to_string(), |(size, name)| format!("{}{name}", bytes / size))
}
