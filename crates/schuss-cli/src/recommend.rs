//! `schuss recommend`.

use crate::args::{Flags, RecommendFlags, Running};
use crate::compare::{deliver, describe, warn};
use crate::progress::{Shown, say};
use crate::terminal::Screen;
use crate::{signals, study};
use schuss::recipe::ChoiceKey;
use schuss::record::numbers::{loss, percent, percent_tick, plural, seconds, significant};
use schuss::record::{
    Certainty, Comparison, Measure, PairVerdict, QualityRecord, Recommendation, RecommendedRecipe, TestRecord,
};
use schuss::session::{Control, Limits};
use schuss::study::{Question, Recommended, Watcher, to_json};
use schuss::{Cause, Error, Result, files};
use schuss_data::text::grouped;
use schuss_report::shell_word;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Name of the command.
const RECOMMEND: &str = "recommend";
/// File that is written, unless another is given.
const RECIPE: &str = "recipe.toml";

/// Recommends a recipe, prints and writes it, and returns the exit code.
pub(crate) fn run(data: &str, flags: RecommendFlags, screen: &Screen) -> Result<u8> {
    let began = Instant::now();
    let out = place(flags.out.as_deref())?;
    let RecommendFlags { fixed, seed, time_limit, json, threads, memory, verbose, quiet, .. } = flags;
    let running = Running { threads, memory, verbose, quiet, ..Running::default() };
    let limits = running.limits(Limits::default())?;
    let shown = Shown::new(&running, false, json, screen);
    let mut flags = Flags { choices: fixed.0, ..Flags::default() };
    flags.choices.add(ChoiceKey::Data, data);
    study::refuse_several(RECOMMEND, &flags)?;
    let question = Question { file: study::from_flags(None, &flags)?, seed, began, time_limit, limits };
    let control = Control::default();
    signals::listen(&control)?;
    let data = question.data()?;
    shown.say(&describe(&data)?);
    warn(&data)?;
    shown.say(
        "recipes are judged on the validation split; the test split is evaluated once, with the recipe that is chosen",
    );
    let found = question.recommend(&data, &control, &mut Notes(shown))?;
    let written = write(&found, &out)?;
    let page = page(&found.record, written.then_some(&*out), shown.verbose);
    if json {
        say(true, &page);
        deliver(&to_json(&found.record)?)?;
    } else {
        deliver(&(page + "\n"))?;
    }
    Ok(exit_code(&found.record, &control))
}

/// Prints what is going on.
struct Notes(Shown);

impl Watcher for Notes {
    fn note(&mut self, text: &str) {
        self.0.say(text);
    }
}

/// Returns the file to write: the one given, which must not exist, or the first free one.
fn place(given: Option<&Path>) -> Result<PathBuf> {
    let exists = |path: &Path| path.symlink_metadata().is_ok();
    match given {
        Some(path) if exists(path) => Err(Error::usage("the output file already exists")
            .because(Cause::AlreadyExists)
            .at(path.display())
            .advise("another --out; recipes are never overwritten")),
        Some(path) => Ok(path.to_owned()),
        None => {
            let numbered = (2_u64..).map(|number| PathBuf::from(RECIPE.replace('.', &format!("-{number}."))));
            let mut all = std::iter::once(PathBuf::from(RECIPE)).chain(numbered);
            Ok(all.find(|path| !exists(path)).unwrap_or_else(|| RECIPE.into()))
        }
    }
}

/// Writes the recipe, if there is one.
fn write(found: &Recommended, out: &Path) -> Result<bool> {
    if found.recipe.is_none() {
        return Ok(false);
    }
    let heading = "# Written by schuss recommend. Train it: schuss train FILE\n\
                   # Without the line `validation` it trains on all training samples.\n\n";
    files::write(out, (heading.to_owned() + &found.to_toml()?).as_bytes())?;
    Ok(true)
}

fn exit_code(record: &Recommendation, control: &Control) -> u8 {
    match record.recipe {
        _ if record.interrupted => signals::exit_code(control),
        Some(_) => 0,
        None => 4,
    }
}

/// Formats the recipe card, most important line first.
fn page(record: &Recommendation, written: Option<&Path>, verbose: bool) -> String {
    let mut lines = match &record.recipe {
        Some(recipe) => card(record, recipe),
        None if record.interrupted => {
            vec!["interrupted before a candidate was evaluated: nothing is known".to_owned()]
        }
        None => {
            vec!["nothing to recommend: every candidate diverged or had no time to be evaluated".to_owned()]
        }
    };
    if let Some(path) = written {
        let path = path.display().to_string();
        lines.push(format!("written: {path}; train with it: schuss train {}", shell_word(&path)));
    }
    lines.push(format!("took {} s of {} s", seconds(record.seconds), seconds(record.time_limit)));
    if verbose {
        let verdict = record.verdict.iter().flat_map(|verdict| verdict.sentences.iter().cloned());
        lines.extend(verdict.chain(record.candidates.iter().map(|candidate| {
            let figure =
                candidate.loss.map_or_else(|| "no loss".to_owned(), |value| format!("loss {}", loss(value)));
            format!("  {}: {figure}, {} updates", candidate.name, grouped(candidate.updates))
        })));
    }
    format!("\n{}", lines.join("\n"))
}

/// Returns the lines of the card.
fn card(record: &Recommendation, recipe: &RecommendedRecipe) -> Vec<String> {
    let stopped = if record.interrupted { " (interrupted: the best so far)" } else { "" };
    let length = match recipe.max_updates {
        Some(updates) => plural(updates as usize, "update"),
        None => plural(recipe.epochs as usize, "epoch"),
    };
    let falling =
        if recipe.still_falling { "; the loss still fell there, so longer training may help" } else { "" };
    let time = seconds(recipe.train_seconds);
    let rows = [
        ("network", Some(format!("{} ({} parameters)", recipe.network, grouped(recipe.parameters as u64)))),
        ("optimizer", Some(recipe.optimizer.clone())),
        ("schedule", Some(recipe.schedule.clone())),
        ("update", Some(recipe.update.clone())),
        ("length", Some(format!("{length}, about {time} s on this machine{falling}"))),
        ("quality", qualities(&record.qualities)),
        ("gain", gain(record)),
        ("runner-up", record.runner_up.as_ref().map(runner_up)),
        ("would flip", (!record.flips.is_empty()).then(|| record.flips.join("; "))),
        ("how sure", Some(certainty(record))),
        ("test split", record.test.as_ref().map(test)),
    ];
    let row = |(name, text): (&str, Option<String>)| Some(format!("  {name:10}  {}", text?));
    let lead = format!("recommended: {}{stopped}", recipe.name);
    std::iter::once(lead).chain(rows.into_iter().filter_map(row)).collect()
}

/// Formats a value of a measure.
fn amount(by: Measure, value: f64) -> String {
    if by == Measure::EvalAccuracy { percent_tick(value) } else { loss(value) }
}

fn qualities(all: &[QualityRecord]) -> Option<String> {
    let first = all.first()?;
    let noun = if first.by == Measure::EvalAccuracy { "accuracy" } else { "loss" };
    let parts = all
        .iter()
        .map(|quality| format!("{} after {} s", amount(quality.by, quality.value), seconds(quality.seconds)));
    Some(format!("validation {noun} {}", parts.collect::<Vec<_>>().join(", ")))
}

fn is_baseline(record: &Recommendation) -> bool {
    record.recipe.as_ref().map(|recipe| &recipe.name) == record.baseline.as_ref()
}

/// Formats how much better the recipe is than the linear baseline.
fn gain(record: &Recommendation) -> Option<String> {
    if is_baseline(record) {
        return Some("none: it is the linear baseline".to_owned());
    }
    let parts = record.gain.iter().filter_map(better);
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| format!("{} than linear", parts.join("; ")))
}

/// Formats the difference of two recipes by a measure, as seen from the first.
fn better(comparison: &Comparison) -> Option<String> {
    let Comparison { by, pair } = comparison;
    let is_accuracy = *by == Measure::EvalAccuracy;
    let (noun, unit) = if is_accuracy { ("accuracy", " points") } else { ("loss", "") };
    let size = |value: f64| if is_accuracy { significant(100.0 * value, 2) } else { loss(value) };
    let difference = pair.difference?; // of the other recipe less this one
    let way = if difference > 0.0 { "lower" } else { "higher" };
    let interval = pair.interval.map_or_else(String::new, |ends| {
        let [low, high] = if difference < 0.0 { [-ends[1], -ends[0]] } else { ends };
        format!(" (95 % interval {} to {})", size(low), size(high))
    });
    Some(format!("{noun} {}{unit} {way}{interval}", size(difference.abs())))
}

fn runner_up(pair: &PairVerdict) -> String {
    let far = better(&Comparison { by: Measure::EvalLoss, pair: pair.clone() });
    far.map_or_else(|| pair.b.clone(), |far| format!("{}; the recommended one has a {far}", pair.b))
}

fn certainty(record: &Recommendation) -> String {
    let seeds = plural(record.seeds.len(), "seed");
    match record.certainty {
        Certainty::Sure => {
            format!("sure: every other finalist is worse or equal, at the 95 % level ({seeds})")
        }
        Certainty::Tie => {
            format!(
                "a network with a hidden layer is no better: equal within a tie at the 95 % level ({seeds})"
            )
        }
        Certainty::AboveBaseline => {
            format!("better than linear at the 95 % level ({seeds}); not told apart from another finalist")
        }
        Certainty::Undecided if is_baseline(record) => {
            format!("not sure: a network with a hidden layer is not told apart from it ({seeds})")
        }
        Certainty::Undecided => format!("not sure: not told apart from the linear baseline ({seeds})"),
        Certainty::Untested => "not sure: lowest loss in the search, without finals".to_owned(),
    }
}

fn test(test: &TestRecord) -> String {
    let accuracy =
        test.accuracy.map_or_else(String::new, |accuracy| format!(", accuracy {} %", percent(accuracy)));
    let r2 = test.metrics.get("r2").copied().flatten();
    let r2 = r2.map_or_else(String::new, |r2| format!(", r² {}", significant(r2, 3)));
    format!("loss {}{accuracy}{r2}; evaluated once", loss(test.loss))
}
