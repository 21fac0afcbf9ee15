//! What is seen while trials run: lines for some epochs, and on a terminal a bar that moves.

use crate::args::Running;
use crate::terminal::{Screen, fit};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use schuss::Trial;
use schuss::data::Dataset;
use schuss::recipe::Targets;
use schuss::session::{Control, Event};
use schuss::study::record::{EpochRecord, Status, TrialRecord};
use schuss::study::{Study, Watcher};
use schuss_data::text::grouped;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Writes a line of results; a reader that has gone away is no reason to stop training.
pub(crate) fn say(json: bool, line: &str) {
    let _ = if json { writeln!(std::io::stderr(), "{line}") } else { writeln!(std::io::stdout(), "{line}") };
}

/// Lines that the epochs of all trials may take together, and those of one.
const LINES: (usize, usize) = (40, 20);

/// Where progress goes, and how much of it.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    /// Whether stdout is for JSON.
    pub(crate) json: bool,
    pub(crate) verbose: bool,
    /// Results, warnings and errors only.
    pub(crate) quiet: bool,
    /// Whether trials run side by side: then there is no bar.
    side_by_side: bool,
    /// Columns of the screen; none where lines may be of any length.
    columns: Option<usize>,
}

impl Shown {
    /// What the flags ask for.
    pub(crate) fn new(running: &Running, side_by_side: bool, json: bool, screen: &Screen) -> Self {
        let Running { verbose, quiet, .. } = *running;
        let columns = screen.bounded.then_some(screen.width);
        Self { json, verbose, quiet, side_by_side, columns }
    }

    /// Says what is no result; nothing if it is to be quiet.
    pub(crate) fn say(&self, line: &str) {
        if !self.quiet {
            say(self.json, line);
        }
    }
}

/// Lines for some of the epochs, and a bar drawn ten times a second by a thread of its own.
pub(crate) struct Progress {
    shown: Shown,
    samples: u64,
    /// Name of the split that is evaluated.
    split: &'static str,
    /// Whether training samples are read as they are needed.
    streamed: bool,
    /// Columns that names of recipes take; none where there is one recipe.
    width: usize,
    /// Lines per trial.
    lines: u32,
    /// The last epoch of each trial that runs, as long as it was not said.
    unsaid: BTreeMap<(String, u64), Line>,
    /// The trial named last, on a line of its own.
    named: Option<(String, u64)>,
    left_out: bool,
    bar: ProgressBar,
    ticker: Option<Ticker>,
    control: Control,
}

/// What is said of an epoch.
struct Line {
    /// The trial, where its name has a line of its own.
    heading: Option<String>,
    figures: String,
}

impl Progress {
    /// For the trials of `study` on `data`.
    pub(crate) fn new(control: &Control, study: &Study, data: &Dataset, shown: Shown) -> Self {
        let names = study.trials.iter().map(|planned| planned.trial.name.chars().count());
        let several = study.trials.len() > 1;
        let trials = (study.trials.len() * study.seeds.len()).max(1);
        Self {
            shown,
            samples: data.train.len() as u64,
            split: data.evaluated().0,
            streamed: data.train.resident().is_none(),
            width: if several { names.max().unwrap_or(0) } else { 0 },
            lines: (LINES.0 / trials).clamp(1, LINES.1) as u32,
            unsaid: BTreeMap::new(),
            named: None,
            left_out: false,
            bar: ProgressBar::hidden(),
            ticker: None,
            control: control.clone(),
        }
    }

    /// Whether epochs passed without a line.
    pub(crate) fn left_out(&self) -> bool {
        self.left_out && !self.shown.quiet
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| self.shown.say(line));
    }

    fn epoch(&mut self, trial: &Trial, row: &EpochRecord) {
        if row.epoch > 0 && row.train_loss.or(row.eval_loss).is_none() {
            return; // where it diverged is said at its end
        }
        let line = self.line(trial, row);
        let key = (trial.name.clone(), trial.seed);
        let every = trial.budget.epochs.div_ceil(self.lines).max(1);
        if self.lines > 1 && row.epoch.is_multiple_of(every) {
            self.unsaid.remove(&key);
            self.say_line(key, line);
        } else {
            self.left_out |= self.unsaid.insert(key, line).is_some() || self.lines > 1;
        }
    }

    /// Names the trial first, where that takes a line of its own and was not done yet.
    fn say_line(&mut self, key: (String, u64), Line { heading, figures }: Line) {
        if let Some(heading) = heading.filter(|_| self.named.as_ref() != Some(&key)) {
            self.say(&heading);
            self.named = Some(key);
        }
        self.say(&figures);
    }

    /// The name where recipes differ, the seed, the figures: on one line if the screen is wide enough.
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

impl Progress {
    /// What stands before the bar: `2/40 seed 1`, and as much of a recipe's name as a third of the screen holds.
    fn prefix(&self, trial: &Trial, index: usize, total: usize) -> String {
        let place = format!("{}/{total} seed {}", index + 1, trial.seed);
        let columns = self.shown.columns.unwrap_or(80) / 3;
        match columns.checked_sub(place.len() + 1) {
            Some(room) if self.width > 0 && room > 4 => {
                format!("{place} {}", fit(&trial.name, room.min(self.width)))
            }
            _ => place,
        }
    }
}

/// At most six digits, with a power of ten where they are not enough.
fn number(value: Option<f64>) -> String {
    let Some(value) = value else { return "-".into() };
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-4..1e6).contains(&size) => format!("{value:.5e}"),
        size => format!("{value:.*}", (5 - size.log10().floor() as i32).clamp(0, 6) as usize),
    }
}

/// `0 s`, `4.6 ms`, `12.34 s`.
fn time(seconds: f64) -> String {
    match seconds {
        0.0 => "0 s".into(),
        ..0.099_95 => format!("{:.1} ms", 1e3 * seconds),
        _ => format!("{seconds:.2} s"),
    }
}

/// Samples per second in at most six digits; none before there is any.
fn rate(per_second: f64) -> String {
    let number = match per_second {
        ..=0.0 => return String::new(),
        ..999.5 => format!("{per_second:.1}"),
        ..999_999.5 => grouped(per_second.round() as u64),
        ..1e9 => format!("{:.2}M", per_second / 1e6),
        _ => format!("{:.2}G", per_second / 1e9),
    };
    number + " samples/s"
}

/// How long the updates of an epoch waited for samples, and which of the two goes slower: samples are read ahead while
/// others are computed with, so where arithmetic is slower nothing is waited for but the first.
fn waiting(row: &EpochRecord) -> String {
    const FELT: f64 = 0.1;
    if row.train_seconds == 0.0 {
        return String::new(); // before any update
    }
    let felt = row.load_wait_seconds > FELT * row.train_seconds;
    let slower = if felt { "reading" } else { "arithmetic" };
    format!(", waited {} for data: {slower} is the bottleneck", time(row.load_wait_seconds))
}

/// Accuracy where there are classes, r² where there are numbers to predict; PSNR and, of images large enough, SSIM where
/// there are reconstructions.
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
            let length = self.samples.saturating_mul(u64::from(trial.budget.epochs));
            let style = ProgressStyle::with_template(
                "{prefix} {wide_bar:.cyan/dim} {percent:>3} %  {rate}  ETA {eta}",
            );
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            let style = style.with_key("rate", |state: &ProgressState, to: &mut dyn std::fmt::Write| {
                let _ = to.write_str(&rate(state.per_sec()));
            });
            self.bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
            self.bar.set_style(style);
            self.bar.set_prefix(self.prefix(trial, index, total));
            self.ticker = Some(Ticker::start(self.bar.clone(), self.control.clone()));
        }
    }

    fn event(&mut self, trial: &Trial, event: &Event) {
        if let Event::Epoch(row) = event {
            self.epoch(trial, row);
        }
    }

    fn note(&mut self, text: &str) {
        self.bar.suspend(|| say(true, text));
    }

    fn ended(&mut self, record: &TrialRecord) {
        self.ticker = None;
        self.bar.finish_and_clear();
        let key = (record.name.clone(), record.seed);
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
                "{who}: diverged in layer {} at update {}; the last finite weights are kept",
                at.layer.split('.').next().unwrap_or_default(),
                grouped(at.update)
            )),
            (Status::Interrupted, _) => {
                self.say(&format!("{who}: interrupted after {} updates", grouped(record.updates)))
            }
            _ => {}
        }
    }
}

/// Moves the bar along until dropped.
struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(bar: ProgressBar, control: Control) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                bar.set_position(control.samples());
                std::thread::sleep(Duration::from_millis(100));
            }
        });
        Self { stop, thread: thread.ok() }
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_and_rates_have_at_most_six_digits() {
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
        let rates = [12.34, 123_456.789, 999_999.9, 12_345_678.0].map(rate);
        assert_eq!(rates, ["12.3", "123,457", "1.00M", "12.35M"].map(|rate| format!("{rate} samples/s")));
        assert_eq!(rate(0.0), "");
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
