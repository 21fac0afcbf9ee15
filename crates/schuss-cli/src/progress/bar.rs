//! Progress bar of the trials that run: one line, redrawn ten times a second by its own thread.

use crate::terminal::fit;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use schuss::Trial;
use schuss::record::{EvaluationPoint, TrialRecord};
use schuss::session::Control;
use schuss_data::text::grouped;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Bar of one trial, or of several that take turns.
pub(super) struct Bar {
    bar: ProgressBar,
    ticker: Option<Ticker>,
    control: Control,
    /// Samples of the training split.
    samples: u64,
    /// Columns of the screen.
    columns: usize,
    /// Columns of recipe names; 0 if there is only one recipe.
    width: usize,
    live: Vec<Racer>,
    /// Samples seen by trials that ended since the bar appeared.
    done: Arc<AtomicU64>,
}

/// A trial that has not ended.
struct Racer {
    recipe: String,
    seed: u64,
    /// Position among all trials, from 1, and their number.
    place: (usize, usize),
    /// Samples of its budget.
    samples: u64,
    standing: Option<Standing>,
}

/// Last evaluation of a trial.
#[derive(Clone, Copy)]
enum Standing {
    Accuracy(f64),
    Loss(f64),
}

impl Standing {
    fn of(point: &EvaluationPoint) -> Option<Self> {
        point.eval_accuracy.map(Self::Accuracy).or(point.eval_loss.map(Self::Loss))
    }

    /// Number that is larger for the better of two trials.
    fn merit(self) -> f64 {
        match self {
            Self::Accuracy(accuracy) => accuracy,
            Self::Loss(loss) => -loss,
        }
    }

    fn text(self) -> String {
        match self {
            Self::Accuracy(accuracy) => format!("{accuracy:.4}"),
            Self::Loss(loss) => super::number(Some(loss)),
        }
    }
}

impl Bar {
    /// Creates a hidden bar; `samples` is the size of the training split.
    pub(super) fn new(control: &Control, samples: u64, columns: usize, width: usize) -> Self {
        Self {
            bar: ProgressBar::hidden(),
            ticker: None,
            control: control.clone(),
            samples,
            columns,
            width,
            live: vec![],
            done: Arc::default(),
        }
    }

    /// Adds a trial, number `index` (from 0) of `total`, and shows the bar.
    pub(super) fn start(&mut self, trial: &Trial, index: usize, total: usize) {
        let epochs = self.samples.saturating_mul(u64::from(trial.budget.epochs));
        let per_update = trial.recipe.update.samples(self.samples as usize) as u64;
        let most = trial.budget.max_updates.map_or(u64::MAX, |updates| updates.saturating_mul(per_update));
        let samples = epochs.min(most);
        let (recipe, seed) = (trial.name.clone(), trial.seed);
        self.live.push(Racer { recipe, seed, place: (index + 1, total), samples, standing: None });
        if self.live.len() == 1 {
            self.show();
        } else {
            self.bar.inc_length(samples);
        }
        self.bar.set_prefix(self.prefix());
    }

    fn show(&mut self) {
        self.done.store(0, Ordering::Relaxed);
        let style =
            ProgressStyle::with_template("{prefix} {wide_bar:.cyan/dim} {percent:>3} %  {rate}  ETA {eta}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = style.with_key("rate", |state: &ProgressState, to: &mut dyn std::fmt::Write| {
            let _ = to.write_str(&rate(state.per_sec()));
        });
        let length = self.live.iter().map(|racer| racer.samples).sum();
        self.bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
        self.bar.set_style(style);
        let (bar, control, done) = (self.bar.clone(), self.control.clone(), Arc::clone(&self.done));
        self.ticker = Some(Ticker::start(move || {
            let seen = control.samples() + done.load(Ordering::Relaxed);
            bar.set_position(bar.position().max(seen));
        }));
    }

    /// Enters an evaluation of a trial.
    pub(super) fn evaluated(&mut self, trial: &Trial, point: &EvaluationPoint) {
        let Some(racer) = self.live.iter_mut().find(|racer| racer.is(&trial.name, trial.seed)) else {
            return;
        };
        racer.standing = Standing::of(point);
        if self.live.len() > 1 {
            self.bar.set_prefix(self.prefix());
        }
    }

    /// Removes a trial that has ended; with the last one, the bar.
    pub(super) fn end(&mut self, record: &TrialRecord) {
        let Some(index) = self.live.iter().position(|racer| racer.is(&record.name, record.seed)) else {
            return;
        };
        let racer = self.live.remove(index);
        if self.live.is_empty() {
            self.ticker = None;
            return self.bar.finish_and_clear();
        }
        self.done.fetch_add(record.samples, Ordering::Relaxed);
        self.bar.dec_length(racer.samples.saturating_sub(record.samples));
        self.bar.set_prefix(self.prefix());
    }

    /// Writes lines above the bar.
    pub(super) fn suspend(&self, write: impl FnOnce()) {
        self.bar.suspend(write);
    }

    /// Returns `2/40 seed 1` and as much of the recipe's name as fits a third of the screen; of several trials, their
    /// number and the best so far, in half of it.
    fn prefix(&self) -> String {
        match self.live.as_slice() {
            [] => String::new(),
            [Racer { recipe, seed, place: (number, total), .. }] => {
                let place = format!("{number}/{total} seed {seed}");
                match (self.columns / 3).checked_sub(place.len() + 1) {
                    Some(room) if self.width > 0 && room > 4 => {
                        format!("{place} {}", fit(recipe, room.min(self.width)))
                    }
                    _ => place,
                }
            }
            [first, ..] => {
                let live = format!("{} trials, seed {}", self.live.len(), first.seed);
                let standings = self.live.iter().filter_map(|racer| Some((racer, racer.standing?)));
                let best = standings.max_by(|a, b| a.1.merit().total_cmp(&b.1.merit()));
                let best = best.map(|(racer, standing)| (&racer.recipe, standing.text()));
                let room = |value: &str| (self.columns / 2).checked_sub(live.len() + value.len() + 8);
                match best.and_then(|best| Some((room(&best.1)?, best))) {
                    Some((room, (recipe, value))) if room > 4 => {
                        format!("{live}, best {} {value}", fit(recipe, room.min(self.width)))
                    }
                    _ => live,
                }
            }
        }
    }
}

impl Racer {
    fn is(&self, recipe: &str, seed: u64) -> bool {
        self.recipe == recipe && self.seed == seed
    }
}

/// Formats samples per second with at most six digits; empty if 0.
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

/// Thread that updates the bar until dropped.
struct Ticker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ticker {
    fn start(update: impl Fn() + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                update();
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
    fn rates_have_at_most_six_digits() {
        let rates = [12.34, 123_456.789, 999_999.9, 12_345_678.0].map(rate);
        assert_eq!(rates, ["12.3", "123,457", "1.00M", "12.35M"].map(|rate| format!("{rate} samples/s")));
        assert_eq!(rate(0.0), "");
    }

    #[test]
    fn the_bar_of_several_trials_names_the_best_so_far_and_that_of_one_its_place() {
        let mut bar = Bar::new(&Control::default(), 100, 150, 4);
        let [sgd, adam] = ["sgd", "adam"].map(|name| Trial { name: name.to_owned(), ..Trial::default() });
        bar.start(&sgd, 0, 4);
        assert_eq!(bar.prefix(), "1/4 seed 1 sgd ");
        bar.start(&adam, 1, 4);
        assert_eq!(bar.prefix(), "2 trials, seed 1");
        for (trial, accuracy) in [(&sgd, 0.9), (&adam, 0.95)] {
            let point = EvaluationPoint { eval_accuracy: Some(accuracy), ..EvaluationPoint::default() };
            bar.evaluated(trial, &point);
        }
        assert_eq!(bar.prefix(), "2 trials, seed 1, best adam 0.9500");
        bar.columns = 60;
        assert_eq!(bar.prefix(), "2 trials, seed 1");
    }
}
