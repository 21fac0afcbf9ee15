//! Estimated time and memory of a study, printed before it starts.

use crate::progress::say;
use schuss::data::Dataset;
use schuss::session::{Forecast, Limits, forecast};
use schuss::study::Study;
use schuss::{Error, Result};
use schuss_data::text::{bytes, grouped};

/// Multiply-adds per trial above which an estimate, which takes a tenth of a second, is worthwhile: 10 s on two fast
/// cores, minutes on an old machine.
const LONG: f64 = 1e12;
/// Features per sample above which an estimate is always worthwhile: images of 182 x 182 pixels.
const WIDE: usize = 1 << 15;

/// Estimated cost of each trial of a study, which does not depend on the seed.
struct Outlook {
    forecasts: Vec<Forecast>,
    seeds: usize,
    /// True if the recipes are in memory together.
    takes_turns: bool,
}

impl Outlook {
    fn of(study: &Study, data: &Dataset, limits: Limits) -> Result<Self> {
        let forecasts = study.trials.iter().map(|planned| forecast(&planned.trial, data, limits));
        let forecasts = forecasts.collect::<Result<_>>()?;
        Ok(Self { forecasts, seeds: study.first_seeds(), takes_turns: study.takes_turns(data, limits) })
    }

    /// Returns the seconds of all trials, run one after the other.
    fn seconds(&self) -> f64 {
        self.seeds as f64 * self.forecasts.iter().map(|forecast| forecast.seconds).sum::<f64>()
    }

    /// Returns the bytes of all trials that take turns, or of the largest.
    fn bytes(&self) -> u64 {
        let bytes = self.forecasts.iter().map(|forecast| forecast.bytes as u64);
        if self.takes_turns { bytes.sum() } else { bytes.max().unwrap_or(0) }
    }
}

/// Prints the plan with the estimated cost of each trial.
pub(crate) fn dry_run(study: &Study, data: &Dataset, limits: Limits, json: bool) -> Result<u8> {
    if json {
        return Err(Error::usage("--dry-run prints a plan, not a summary").advise("leave out --json"));
    }
    let outlook = Outlook::of(study, data, limits)?;
    let first = study.runs().take(study.first_seeds() * study.trials.len());
    for ((_, trial), forecast) in first.zip(outlook.forecasts.iter().cycle()) {
        let choices = [trial.recipe.update.to_string(), trial.recipe.optimizer.to_string()];
        let unsaid: Vec<String> = choices.into_iter().filter(|choice| !trial.name.contains(choice)).collect();
        let unsaid = unsaid.iter().map(|choice| format!(" {choice}")).collect::<String>();
        say(
            false,
            &format!(
                "{:24} seed {}  {}{unsaid}  {} updates, about {}, {} besides the data",
                trial.name,
                trial.seed,
                trial.model,
                grouped(forecast.updates),
                duration(forecast.seconds),
                bytes(forecast.bytes as u64),
            ),
        );
    }
    if let Some(tune) = &study.tune {
        say(
            false,
            &format!(
                "before these, short trials tune {}: for each recipe about twice the time of one trial above, or more",
                tune.names()
            ),
        );
    }
    if study.adds_seeds() {
        say(false, &format!("then up to {} seeds for recipes that are not yet decided", study.seeds.len()));
    }
    let (time, held) = (duration(outlook.seconds()), bytes(data.bytes() as u64));
    let part = if study.adds_seeds() || study.tune.is_some() { "for the trials above" } else { "in all" };
    say(
        false,
        &format!("about {time} {part} on {} threads, {held} of data; nothing was trained", limits.threads),
    );
    Ok(0)
}

/// Prints the effect of the schedules, and warnings about them, on stderr.
pub(crate) fn schedules(study: &Study, data: &Dataset) {
    for outlook in study.outlooks(data.train.len()) {
        say(true, &outlook.line);
        outlook.warnings.iter().for_each(|warning| say(true, &format!("warning: {warning}")));
    }
}

/// Returns a line with the estimated cost of a study if it may take long. Errors are left to the run itself.
pub(crate) fn line(study: &Study, data: &Dataset, limits: Limits) -> Option<String> {
    if !may_be_long(study, data).ok()? {
        return None;
    }
    let outlook = Outlook::of(study, data, limits).ok()?;
    let (time, memory) = (duration(outlook.seconds()), bytes(outlook.bytes()));
    let (each, side_by_side) = if limits.side_by_side { (" each", ", less side by side") } else { ("", "") };
    let numbers = grouped(data.shape.features() as u64);
    Some(format!(
        "expected: about {time} for {}{side_by_side}, {memory} of memory{each} besides the data ({numbers} numbers per sample)",
        amount(study)
    ))
}

/// Returns true if the work is long compared with measuring it: because of its size, or because samples are large or
/// streamed from disk.
fn may_be_long(study: &Study, data: &Dataset) -> Result<bool> {
    let slow = data.train.resident().is_none() || data.shape.features() >= WIDE;
    Ok(!study.trials.is_empty() && (slow || study.work(data)? >= LONG * study.trials.len() as f64))
}

/// Returns the amount of work: `10 epochs`, `500 updates`, `6 trials`.
fn amount(study: &Study) -> String {
    match (&study.trials[..], study.first_seeds()) {
        ([one], 1) => match one.trial.budget.max_updates {
            Some(updates) => plural(updates, "update"),
            None => plural(u64::from(one.trial.budget.epochs), "epoch"),
        },
        (trials, seeds) => {
            let first = if study.adds_seeds() { "the first " } else { "" };
            format!("{first}{}", plural((trials.len() * seeds) as u64, "trial"))
        }
    }
}

fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// Formats a duration: `0.3 s`, `12 s`, `14 min`, `3.2 h`, `5.0 days`.
fn duration(seconds: f64) -> String {
    match seconds {
        ..9.95 => format!("{seconds:.1} s"),
        ..99.5 => format!("{seconds:.0} s"),
        ..5_970.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.1} h", seconds / 3_600.0),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schuss::study::StudyFile;

    fn study(toml: &str) -> (Study, Dataset) {
        let file = StudyFile::parse(toml, "test").unwrap();
        let data = file.workload.load(None, None).unwrap();
        (Study::resolve("test", &file, &data).unwrap(), data)
    }

    const DATA: &str = "[workload]\ndata = 'digits:train=100,test=10'\n[budget]\n";

    #[test]
    fn only_long_work_is_measured_beforehand() {
        let long = |rest: &str| {
            let (study, data) = study(&format!("{DATA}{rest}"));
            (may_be_long(&study, &data).unwrap(), line(&study, &data, Limits::default()).is_some())
        };
        // 942,080 multiply-adds per sample, so that 1e12 are 10,615 epochs of 100 samples
        assert_eq!(long("epochs = 10000"), (false, false));
        assert_eq!(long("epochs = 11000"), (true, true));
        assert_eq!(long("epochs = 11000\nmax_updates = 10000"), (false, false));
        assert_eq!(long("epochs = 11000\n[axes]\nupdate = ['epoch', 'batch:50']"), (true, true));
    }

    #[test]
    fn the_expectation_covers_all_seeds_and_is_no_sum_where_trials_run_side_by_side() {
        let (mut study, data) = study(&format!("{DATA}epochs = 14000"));
        let said = |study: &Study, limits| line(study, &data, limits).unwrap();
        assert!(said(&study, Limits::default()).contains(" for 14,000 epochs, "));
        study.seeds = vec![1, 2, 3];
        let sides = Limits { side_by_side: true, ..Limits::default() };
        let parallel = said(&study, sides);
        assert!(parallel.contains(" for 3 trials, less side by side, "), "{parallel}");
        assert!(
            parallel.ends_with(" of memory each besides the data (784 numbers per sample)"),
            "{parallel}"
        );
    }

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        let cases = [
            (0.31, "0.3 s"),
            (12.3, "12 s"),
            (840.0, "14 min"),
            (11_520.0, "3.2 h"),
            (432_000.0, "5.0 days"),
        ];
        for (seconds, text) in cases {
            assert_eq!(duration(seconds), text);
        }
    }
}
