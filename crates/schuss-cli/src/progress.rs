//! What is seen while trials run: a line per epoch, and on a terminal a bar that moves.

use crate::args::Running;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use schuss::Trial;
use schuss::data::Split;
use schuss::recipe::Targets;
use schuss::session::{Control, Event};
use schuss::study::Watcher;
use schuss::study::record::{EpochRecord, Status, TrialRecord};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Writes a line of results; a reader that has gone away is no reason to stop training.
pub(crate) fn say(json: bool, line: &str) {
    let _ = if json { writeln!(std::io::stderr(), "{line}") } else { writeln!(std::io::stdout(), "{line}") };
}

/// Lines per epoch, and a bar drawn ten times a second by a thread of its own.
pub(crate) struct Progress {
    json: bool,
    verbose: bool,
    samples: u64,
    /// Whether training samples are read as they are needed.
    streamed: bool,
    width: usize,
    /// Whether trials run side by side: then there is no bar.
    side_by_side: bool,
    bar: ProgressBar,
    ticker: Option<Ticker>,
    control: Control,
}

impl Progress {
    /// For trials on `train` whose names are at most `width` wide.
    pub(crate) fn new(
        control: &Control,
        train: &Split,
        width: usize,
        (running, json): (&Running, bool),
    ) -> Self {
        let Running { verbose, parallel: side_by_side, .. } = *running;
        Self {
            json,
            verbose,
            samples: train.len() as u64,
            streamed: train.resident().is_none(),
            width,
            side_by_side,
            bar: ProgressBar::hidden(),
            ticker: None,
            control: control.clone(),
        }
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| say(self.json, line));
    }

    fn epoch(&self, trial: &Trial, row: &EpochRecord) {
        let number =
            |value: Option<f64>| value.map_or_else(|| "     -".into(), |value| format!("{value:.6}"));
        self.say(&format!(
            "{:width$}  epoch {:>3}/{}  loss {:>8}  eval loss {:>8}{}  {:>7.2} s{}",
            trial.name,
            row.epoch,
            trial.budget.epochs,
            number(row.train_loss),
            number(row.eval_loss),
            quality(row, trial.targets),
            row.train_seconds,
            if self.streamed { waiting(row) } else { String::new() },
            width = self.width,
        ));
    }
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
    format!(", waited {:.2} s for data: {slower} is the bottleneck", row.load_wait_seconds)
}

/// Accuracy where there are classes; PSNR and, of images large enough, SSIM where there are reconstructions.
fn quality(row: &EpochRecord, targets: Targets) -> String {
    let metric = |name: &str| row.metrics.get(name).copied().flatten();
    let psnr = metric("psnr").map(|psnr| format!("  PSNR {psnr:>6.2} dB"));
    let ssim = metric("ssim").map(|ssim| format!("  SSIM {ssim:.4}"));
    match (row.eval_accuracy, psnr) {
        (None, Some(psnr)) => psnr + &ssim.unwrap_or_default(),
        (None, None) if !targets.is_class() => String::new(),
        (accuracy, _) => {
            format!("  accuracy {}", accuracy.map_or_else(|| "    -".into(), |value| format!("{value:.4}")))
        }
    }
}

impl Watcher for Progress {
    fn started(&mut self, trial: &Trial, index: usize, total: usize) {
        if self.verbose {
            self.say(&format!(
                "trial {}/{total}: {} seed {}, {}",
                index + 1,
                trial.name,
                trial.seed,
                trial.recipe_id()
            ));
        }
        if std::io::stderr().is_terminal() && !self.side_by_side {
            let length = self.samples.saturating_mul(u64::from(trial.budget.epochs));
            let style = ProgressStyle::with_template(
                "{prefix} {wide_bar:.cyan/dim} {percent:>3} %  {per_sec}  ETA {eta}",
            );
            self.bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
            self.bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            self.bar.set_prefix(format!("{}/{total} {}", index + 1, trial.name));
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
        if self.verbose {
            self.say(&format!(
                "{}: {}, {} threads, {}",
                record.name, record.strategy, record.threads, record.arithmetic
            ));
        }
        match (&record.status, &record.diverged) {
            (Status::Diverged, Some(at)) => self.say(&format!(
                "{}: diverged at update {}, layer {}; the last finite weights are kept",
                record.name, at.update, at.layer
            )),
            (Status::Interrupted, _) => {
                self.say(&format!("{}: interrupted after {} updates", record.name, record.updates))
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
    fn what_is_waited_for_a_tenth_of_the_time_is_the_bottleneck() {
        let row = |train_seconds, load_wait_seconds| EpochRecord {
            train_seconds,
            load_wait_seconds,
            ..EpochRecord::default()
        };
        assert_eq!(waiting(&row(0.0, 0.0)), "");
        assert_eq!(waiting(&row(2.0, 0.02)), ", waited 0.02 s for data: arithmetic is the bottleneck");
        assert_eq!(waiting(&row(4.0, 3.1)), ", waited 3.10 s for data: reading is the bottleneck");
    }
}
