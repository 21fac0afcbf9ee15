//! Progress of running trials: lines for some epochs, and a progress bar on a terminal.

mod bar;

use crate::args::Running;
use crate::terminal::Screen;
use bar::Bar;
use schuss::Trial;
use schuss::data::Dataset;
use schuss::loss::Targets;
use schuss::record::{EpochRecord, Status, TrialRecord};
use schuss::session::{Control, Event};
use schuss::study::{Study, Watcher};
use schuss_data::text::grouped;
use schuss_report::table::Extent;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};

/// Writes a line to stderr under `--json`, else to stdout; a closed pipe does not stop training.
pub(crate) fn say(json: bool, line: &str) {
    let _ = if json { writeln!(std::io::stderr(), "{line}") } else { writeln!(std::io::stdout(), "{line}") };
}

/// Maximum number of epoch lines of all trials together.
const LINES: usize = 40;
/// Maximum number of epoch lines of one trial.
const LINES_PER_TRIAL: usize = 20;

/// Destination and verbosity of progress output.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    /// True if stdout is reserved for JSON.
    pub(crate) json: bool,
    pub(crate) verbose: bool,
    /// Only results, warnings and errors.
    pub(crate) quiet: bool,
    /// True if trials run in parallel; there is no bar then.
    side_by_side: bool,
    /// Columns of the screen; none if lines may have any length.
    columns: Option<usize>,
}

impl Shown {
    /// Creates the settings requested by the flags.
    pub(crate) fn new(running: &Running, side_by_side: bool, json: bool, screen: &Screen) -> Self {
        let Running { verbose, quiet, .. } = *running;
        let columns = screen.bounded.then_some(screen.width);
        Self { json, verbose, quiet, side_by_side, columns }
    }

    /// Prints a progress line, unless quiet.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            say(self.json, line);
        }
    }
}

/// Lines for some of the epochs, and a bar.
pub(crate) struct Progress {
    shown: Shown,
    /// Name of the evaluated split.
    split: &'static str,
    /// True if training samples are streamed.
    streamed: bool,
    /// Columns of recipe names; 0 if there is only one recipe.
    width: usize,
    /// Lines per trial.
    lines: u32,
    /// Last epoch of each running trial, if not printed yet.
    unsaid: BTreeMap<TrialName, Line>,
    /// Trial last named on its own line.
    named: Option<TrialName>,
    left_out: bool,
    bar: Bar,
    control: Control,
}

/// Name of a trial.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct TrialName {
    recipe: String,
    seed: u64,
}

/// Report of an epoch.
struct Line {
    /// Name of the trial, if printed on its own line.
    heading: Option<String>,
    figures: String,
}

impl Progress {
    /// Creates the progress display for the trials of `study` on `data`.
    pub(crate) fn new(control: &Control, study: &Study, data: &Dataset, shown: Shown) -> Self {
        let names = study.trials.iter().map(|planned| planned.trial.name.chars().count());
        let several = study.trials.len() > 1;
        let trials = (study.trials.len() * study.first_seeds()).max(1);
        let width = if several { names.max().unwrap_or(0) } else { 0 };
        Self {
            shown,
            split: data.evaluated_name(),
            streamed: data.train.resident().is_none(),
            width,
            lines: (LINES / trials).clamp(1, LINES_PER_TRIAL) as u32,
            unsaid: BTreeMap::new(),
            named: None,
            left_out: false,
            control: control.clone(),
            bar: Bar::new(control, data.train.len() as u64, shown.columns.unwrap_or(80), width),
        }
    }

    /// Returns true if some epochs were not printed.
    pub(crate) fn left_out(&self) -> bool {
        self.left_out && !self.shown.quiet
    }

    /// Returns the tables to show at the end.
    pub(crate) fn extent(&self) -> Extent {
        if self.shown.verbose { Extent::All } else { Extent::Verdict }
    }

    /// Returns true if the time limit ended the run.
    pub(crate) fn time_is_up(&self) -> bool {
        self.control.time_is_up()
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| self.shown.say(line));
    }

    fn epoch(&mut self, trial: &Trial, row: &EpochRecord) {
        if row.epoch > 0 && row.train_loss.or(row.eval_loss).is_none() {
            return; // divergence is reported at the end of the trial
        }
        let line = self.line(trial, row);
        let key = TrialName { recipe: trial.name.clone(), seed: trial.seed };
        let every = trial.budget.epochs.div_ceil(self.lines).max(1);
        if self.lines > 1 && row.epoch.is_multiple_of(every) {
            self.unsaid.remove(&key);
            self.say_line(key, line);
        } else {
            self.left_out |= self.unsaid.insert(key, line).is_some() || self.lines > 1;
        }
    }

    /// Prints a line, after the trial's heading if it has one and was not named last.
    fn say_line(&mut self, key: TrialName, Line { heading, figures }: Line) {
        if let Some(heading) = heading.filter(|_| self.named.as_ref() != Some(&key)) {
            self.say(&heading);
            self.named = Some(key);
        }
        self.say(&figures);
    }

    /// Formats recipe name (if there are several), seed and figures, on one line if the screen is wide enough.
    fn line(&self, trial: &Trial, row: &EpochRecord) -> Line {
        let seed = format!("seed {}", trial.seed);
        let name = if self.width == 0 { seed } else { format!("{:1$}  {seed}", trial.name, self.width) };
        let one = format!("{name}  {}", self.figures(trial, row, false));
        match self.shown.columns {
            Some(columns) if one.chars().count() > columns => {
                let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
                Line { heading: Some(name), figures: format!("  {}", self.figures(trial, row, true)) }
            }
            _ => Line { heading: None, figures: one },
        }
    }

    fn figures(&self, trial: &Trial, row: &EpochRecord, short: bool) -> String {
        let epochs = trial.budget.epochs;
        let (eval, accuracy, gap) = match (short, self.split) {
            (true, "validation") => ("val".to_owned(), "acc", " "),
            (true, split) => (split.to_owned(), "acc", " "),
            (false, split) => (format!("{split} loss"), "accuracy", "  "),
        };
        format!(
            "epoch {:>width$}/{epochs}{gap}loss {:>8}{gap}{eval} {:>8}{}{gap}{}{}",
            row.epoch,
            number(row.train_loss),
            number(row.eval_loss),
            quality(row, trial.targets, accuracy),
            time(row.train_seconds),
            if self.streamed { waiting(row) } else { String::new() },
            width = epochs.to_string().len(),
        )
    }
}

/// Formats a number with at most six digits, in scientific notation if they are not enough.
fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return "-".into() };
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-4..1e6).contains(&size) => format!("{value:.5e}"),
        size => format!("{value:.*}", (5 - size.log10().floor() as i32).clamp(0, 6) as usize),
    }
}

/// Formats seconds: `0 s`, `4.6 ms`, `12.34 s`.
fn time(seconds: f64) -> String {
    match seconds {
        0.0 => "0 s".into(),
        ..0.099_95 => format!("{:.1} ms", 1e3 * seconds),
        _ => format!("{seconds:.2} s"),
    }
}

/// Formats the time that the updates of an epoch waited for samples, and the bottleneck. Samples are prefetched during
/// computation, so if arithmetic is slower, only the first samples are waited for.
fn waiting(row: &EpochRecord) -> String {
    const FELT: f64 = 0.1;
    if row.train_seconds == 0.0 {
        return String::new(); // before any update
    }
    let felt = row.load_wait_seconds > FELT * row.train_seconds;
    let slower = if felt { "reading" } else { "arithmetic" };
    format!(", waited {} for data: {slower} is the bottleneck", time(row.load_wait_seconds))
}

/// Formats accuracy for classes, r² for numeric targets, and PSNR and SSIM (if the images are large enough) for
/// reconstructions.
fn quality(row: &EpochRecord, targets: Targets, accuracy_word: &str) -> String {
    let metric = |name: &str| row.metrics.get(name).copied().flatten();
    let psnr = metric("psnr").map(|psnr| format!("  PSNR {psnr:>6.2} dB"));
    let ssim = metric("ssim").map(|ssim| format!("  SSIM {ssim:.4}"));
    match (row.eval_accuracy, psnr) {
        (None, Some(psnr)) => psnr + &ssim.unwrap_or_default(),
        (None, None) if !targets.is_class() => {
            metric("r2").map_or_else(String::new, |r2| format!("  r² {r2:>7.4}"))
        }
        (accuracy, _) => {
            let value = accuracy.map_or_else(|| "-".into(), |value| format!("{value:.4}"));
            format!("  {accuracy_word} {value}")
        }
    }
}

impl Watcher for Progress {
    fn started(&mut self, trial: &Trial, index: usize, total: usize) {
        if self.shown.verbose {
            self.say(&format!(
                "trial {}/{total}: {} seed {}, {}",
                index + 1,
                trial.name,
                trial.seed,
                trial.config_id()
            ));
        }
        if std::io::stderr().is_terminal() && !self.shown.side_by_side && !self.shown.quiet {
            self.bar.start(trial, index, total);
        }
    }

    fn event(&mut self, trial: &Trial, event: &Event) {
        match event {
            Event::Epoch(row) => self.epoch(trial, row),
            Event::Evaluation(point) => self.bar.evaluated(trial, point),
            _ => {}
        }
    }

    fn looked(&mut self, text: &str) {
        self.say(text);
    }

    fn note(&mut self, text: &str) {
        self.bar.suspend(|| say(true, text));
    }

    fn ended(&mut self, record: &TrialRecord) {
        self.bar.end(record);
        let key = TrialName { recipe: record.name.clone(), seed: record.seed };
        if let Some(line) = self.unsaid.remove(&key) {
            self.say_line(key, line);
        }
        let who = format!("{}, seed {}", record.name, record.seed);
        if self.shown.verbose {
            self.say(&format!(
                "{who}: {}, {} threads, {}",
                record.strategy, record.threads, record.arithmetic
            ));
        }
        match (&record.status, &record.diverged) {
            (Status::Diverged, Some(at)) => self.say(&format!(
                "{who}: diverged in layer {} at update {}{}; the last finite weights are kept",
                at.layer.split('.').next().unwrap_or_default(),
                grouped(at.update),
                at.stability.as_ref().map_or_else(String::new, |bound| format!(": {}", bound.words()))
            )),
            (Status::Interrupted, _) => {
                self.say(&format!("{who}: interrupted after {} updates", grouped(record.updates)))
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_have_at_most_six_digits() {
        for (value, text) in [
            (0.123_456_78, "0.123457"),
            (2.345_678_9, "2.34568"),
            (123_456.78, "123457"),
            (1e-9, "1.00000e-9"),
            (4.2e15, "4.20000e15"),
            (0.0, "0"),
        ] {
            assert_eq!(number(Some(value)), text);
        }
        assert_eq!([0.0, 0.004_56, 0.1, 12.345].map(time), ["0 s", "4.6 ms", "0.10 s", "12.35 s"]);
    }

    #[test]
    fn what_is_waited_for_a_tenth_of_the_time_is_the_bottleneck() {
        let row = |train_seconds, load_wait_seconds| EpochRecord {
            train_seconds,
            load_wait_seconds,
            ..EpochRecord::default()
        };
        assert_eq!(waiting(&row(0.0, 0.0)), "");
        assert_eq!(waiting(&row(2.0, 0.02)), ", waited 20.0 ms for data: arithmetic is the bottleneck");
        assert_eq!(waiting(&row(4.0, 3.1)), ", waited 3.10 s for data: reading is the bottleneck");
    }
}
