//! Criteria that end a trial whose evaluation loss rises: those of Prechelt, guarded against chance.
//!
//! L. Prechelt, "Early Stopping - But When?", in: Neural Networks: Tricks of the Trade, LNCS 1524, Springer 1998.

use crate::record::EvaluationPoint;
use crate::spec::{self, Choice, choices};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use serde::{Deserialize, Serialize};

/// Stops as soon as the evaluation loss is a given percentage above its lowest.
///
/// ```text
/// Eₒ ← min(Eₒ, E)
/// GL ← 100 (E / Eₒ − 1)
/// stop if GL > α
/// ```
///
/// Checked at every evaluation. Like every criterion, it stops only if the rise E − Eₒ also exceeds 1.96 of its standard
/// errors, by resampling the evaluated samples. GL_α in L. Prechelt, "Early Stopping - But When?", 1998.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Gl {
    /// Generalisation loss α that is tolerated, in %.
    pub alpha: f64,
}

/// Stops when the evaluation loss has risen and training hardly makes progress any more.
///
/// ```text
/// GL ← 100 (E / Eₒ − 1)
/// P ← 1000 (mean T / min T − 1)        over the training losses T of the last k epochs
/// stop if GL / P > α
/// ```
///
/// Checked at the end of every strip of k epochs. PQ_α in L. Prechelt, "Early Stopping - But When?", 1998, where k is 5.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Pq {
    /// Quotient α of generalisation loss and training progress that is tolerated.
    pub alpha: f64,
    /// Number of epochs per strip.
    pub k: u64,
}

/// Stops when the evaluation loss has risen over successive strips of epochs.
///
/// ```text
/// rises ← rises + 1 if E > E of k epochs before, else 0
/// stop if rises ≥ s
/// ```
///
/// Checked at the end of every strip of k epochs. UP_s in L. Prechelt, "Early Stopping - But When?", 1998, where k is 5.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Up {
    /// Number of successive strips with a rise that end the trial.
    pub s: u64,
    /// Number of epochs per strip.
    pub k: u64,
}

impl Default for Gl {
    fn default() -> Self {
        Self { alpha: 5.0 }
    }
}

impl Default for Pq {
    fn default() -> Self {
        Self { alpha: 0.5, k: 5 }
    }
}

impl Default for Up {
    fn default() -> Self {
        Self { s: 3, k: 5 }
    }
}

impl Choice for Gl {
    const NAME: &'static str = "gl";

    fn check(&self) -> Result<()> {
        spec::non_negative(&[("alpha", self.alpha)])
    }
}

impl Choice for Pq {
    const NAME: &'static str = "pq";

    fn check(&self) -> Result<()> {
        spec::non_negative(&[("alpha", self.alpha)])?;
        if self.k < 2 {
            return Err(Error::usage(format!(
                "k must be at least 2, not {}: progress is measured between the epochs of a strip",
                self.k
            )));
        }
        Ok(())
    }
}

impl Choice for Up {
    const NAME: &'static str = "up";

    fn check(&self) -> Result<()> {
        spec::whole(&[("s", self.s as f64), ("k", self.k as f64)])
    }
}

choices! {
    /// Criterion that ends a trial when its evaluation loss rises.
    pub enum EarlyStop ("criterion", always &["alpha", "s"]) {
        /// Loss a percentage above its lowest.
        Gl,
        /// Loss above its lowest while training makes little progress.
        Pq,
        /// Loss rising over successive strips of epochs.
        Up,
    }
}

impl Copy for EarlyStop {}

impl EarlyStop {
    /// Returns the first epoch after which the criterion can hold.
    pub(crate) fn earliest(self) -> u64 {
        match self {
            Self::Gl(_) => 1,
            Self::Pq(Pq { k, .. }) => k,
            Self::Up(Up { s, k }) => s.saturating_mul(k),
        }
    }

    /// Returns true if the criterion holds at the last of all evaluations of a trial on `train` samples.
    pub(crate) fn holds_at_end(self, evaluations: &[EvaluationPoint], train: usize) -> bool {
        let mut state = EarlyStopState::default();
        evaluations.iter().fold(false, |_, point| state.observe(self, point, train))
    }
}

/// State of a criterion after the evaluations so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EarlyStopState {
    /// Lowest evaluation loss.
    lowest: Option<f64>,
    /// Training losses of the epochs of the current strip.
    train_losses: Vec<f64>,
    /// Evaluation loss at the end of the last strip.
    strip_loss: Option<f64>,
    /// Number of successive strips over which the evaluation loss has risen.
    rises: u64,
}

impl EarlyStopState {
    /// Observes an evaluation of a trial on `train` samples; returns true if `criterion` holds there.
    pub(crate) fn observe(&mut self, criterion: EarlyStop, point: &EvaluationPoint, train: usize) -> bool {
        let Some(loss) = point.eval_loss else { return false };
        let lowest = self.lowest.map_or(loss, |lowest| lowest.min(loss));
        self.lowest = Some(lowest);
        let ends_epoch = point.samples == u64::from(point.epoch) * train as u64;
        let holds = match criterion {
            EarlyStop::Gl(Gl { alpha }) => generalisation_loss(loss, lowest) > alpha,
            EarlyStop::Pq(Pq { alpha, k }) => {
                let progress = if ends_epoch { self.progress(point, k) } else { None };
                progress.is_some_and(|progress| generalisation_loss(loss, lowest) / progress > alpha)
            }
            EarlyStop::Up(Up { s, k }) => ends_epoch && ends_strip(point, k) && self.rises(loss) >= s,
        };
        holds && is_beyond_chance(point, lowest)
    }

    /// Enters an epoch; at the end of its strip, returns the training progress P over the strip.
    fn progress(&mut self, point: &EvaluationPoint, k: u64) -> Option<f64> {
        self.train_losses.extend(point.train_loss);
        if !ends_strip(point, k) {
            return None;
        }
        let losses = std::mem::take(&mut self.train_losses);
        let lowest = losses.iter().copied().reduce(f64::min)?;
        let mean = losses.iter().sum::<f64>() / losses.len() as f64;
        Some(1_000.0 * relative_rise(mean, lowest))
    }

    /// Enters the end of a strip; returns the number of successive strips over which the loss has risen.
    fn rises(&mut self, loss: f64) -> u64 {
        let has_risen = self.strip_loss.is_some_and(|before| loss > before);
        self.rises = if has_risen { self.rises + 1 } else { 0 };
        self.strip_loss = Some(loss);
        self.rises
    }
}

fn ends_strip(point: &EvaluationPoint, k: u64) -> bool {
    u64::from(point.epoch).is_multiple_of(k)
}

/// Returns the generalisation loss GL of a loss above the lowest, in %.
pub(crate) fn generalisation_loss(loss: f64, lowest: f64) -> f64 {
    100.0 * relative_rise(loss, lowest)
}

/// Returns loss / lowest − 1, or the same relative to the magnitude of losses that may be negative.
fn relative_rise(loss: f64, lowest: f64) -> f64 {
    if loss == lowest { 0.0 } else { (loss - lowest) / lowest.abs() }
}

/// Number of standard errors that a rise must exceed: the loss then rises in 97.5 % of resamples.
const STANDARD_ERRORS: f64 = 1.96;

/// Returns true if the loss is above the lowest by more than the choice of the evaluated samples explains.
pub(crate) fn is_beyond_chance(point: &EvaluationPoint, lowest: f64) -> bool {
    let rise = point.eval_loss.map_or(0.0, |loss| loss - lowest);
    point.rise_error.is_none_or(|error| rise > STANDARD_ERRORS * error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use schuss_data::random::{Draws, Key, Purpose};

    const TRAIN: usize = 10;

    /// The evaluation at the end of an epoch.
    fn point(epoch: usize, eval_loss: f64, train_loss: f64) -> EvaluationPoint {
        EvaluationPoint {
            epoch: epoch as u32,
            samples: (epoch * TRAIN) as u64,
            train_loss: (epoch > 0).then_some(train_loss),
            eval_loss: Some(eval_loss),
            ..EvaluationPoint::default()
        }
    }

    /// A curve by its evaluation and training losses, from epoch 0 on.
    fn curve(eval: &[f64], train: &[f64]) -> Vec<EvaluationPoint> {
        eval.iter().zip(train).enumerate().map(|(epoch, (&eval, &train))| point(epoch, eval, train)).collect()
    }

    /// Returns the first evaluation at which the criterion holds.
    fn stop(criterion: &str, points: &[EvaluationPoint]) -> Option<usize> {
        let (criterion, mut state) = (criterion.parse().unwrap(), EarlyStopState::default());
        points.iter().position(|point| state.observe(criterion, point, TRAIN))
    }

    #[test]
    fn a_worked_curve_stops_where_the_formulas_of_the_paper_say() {
        let eval = [2.0, 1.0, 0.8, 0.82, 0.85, 0.9, 0.95];
        let train = [2.0, 1.0, 0.6, 0.5, 0.4, 0.35, 0.3];
        let points = curve(&eval, &train);
        for (criterion, epoch) in [
            // GL in %: 0, 0, 0, 2.5, 6.25, 12.5, 18.75
            ("gl:2", Some(3)),
            ("gl:2.6", Some(4)),
            ("gl", Some(4)),
            ("gl:12", Some(5)),
            ("gl:18.7", Some(6)),
            ("gl:19", None),
            // P after epochs 2, 4, 6: 1000 (0.8 / 0.6 − 1) = 333.3, 1000 (0.45 / 0.4 − 1) = 125, 83.3; so GL / P is
            // 0, 6.25 / 125 = 0.05, 18.75 / 83.3 = 0.225
            ("pq:0.04,k=2", Some(4)),
            ("pq:0.06,k=2", Some(6)),
            ("pq:0.23,k=2", None),
            ("pq", None),
            // epoch after epoch the loss rises from epoch 3 on; every second one, from 0.8 to 0.85 to 0.95
            ("up:1,k=1", Some(3)),
            ("up:3,k=1", Some(5)),
            ("up:1,k=2", Some(4)),
            ("up:2,k=2", Some(6)),
            ("up:3,k=2", None),
            ("up:1,k=5", None),
        ] {
            assert_eq!(stop(criterion, &points), epoch, "{criterion}");
        }
    }

    /// The definitions as in the paper, over whole lists of losses by epoch.
    fn naive(criterion: EarlyStop, eval: &[f64], train: &[f64]) -> Option<usize> {
        let lowest = |t: usize| eval[..=t].iter().copied().fold(f64::INFINITY, f64::min);
        let gl = |t: usize| 100.0 * (eval[t] / lowest(t) - 1.0);
        let progress = |t: usize, k: usize| {
            let strip = &train[t + 1 - k..=t];
            let least = strip.iter().copied().fold(f64::INFINITY, f64::min);
            1_000.0 * (strip.iter().sum::<f64>() / (k as f64 * least) - 1.0)
        };
        fn up(eval: &[f64], t: usize, s: u64, k: usize) -> bool {
            t >= k && eval[t] > eval[t - k] && (s == 1 || up(eval, t - k, s - 1, k))
        }
        let holds = |t: usize| match criterion {
            EarlyStop::Gl(Gl { alpha }) => gl(t) > alpha,
            EarlyStop::Pq(Pq { alpha, k }) => {
                let k = k as usize;
                t > 0 && t.is_multiple_of(k) && gl(t) / progress(t, k) > alpha
            }
            EarlyStop::Up(Up { s, k }) => t.is_multiple_of(k as usize) && up(eval, t, s, k as usize),
        };
        (0..eval.len()).find(|&t| holds(t))
    }

    /// Losses of 40 epochs that change by a random factor each.
    fn walk(draws: &mut Draws, drift: f64) -> Vec<f64> {
        let mut loss = 1.0;
        let mut next = || {
            loss *= 1.0 + drift + 0.03 * f64::from(draws.normal());
            loss
        };
        (0..40).map(|_| next()).collect()
    }

    #[test]
    fn every_criterion_agrees_with_its_naive_twin_on_random_curves() {
        let mut stopped = 0;
        for seed in 0..300 {
            let mut draws = Key { seed, purpose: Purpose::Digits, epoch: 0 }.draws(0);
            let (eval, train) = (walk(&mut draws, 0.002), walk(&mut draws, -0.02));
            let points = curve(&eval, &train);
            for text in ["gl:1", "gl:20", "pq:0.5", "pq:1,k=3", "pq:0.1,k=8", "up:2", "up:2,k=3", "up:4,k=1"]
            {
                let expected = naive(text.parse().unwrap(), &eval, &train);
                assert_eq!(stop(text, &points), expected, "{text}, seed {seed}");
                stopped += usize::from(expected.is_some());
            }
        }
        assert!((800..2_200).contains(&stopped), "{stopped} of 2,400 stop");
    }

    #[test]
    fn a_rise_that_other_samples_would_not_show_stops_nothing() {
        let mut points = curve(&[1.0, 0.5, 0.6, 0.7], &[1.0, 0.5, 0.4, 0.3]);
        points[2].rise_error = Some(0.1); // the rise is one standard error
        points[3].rise_error = Some(0.1); // two
        assert_eq!(stop("gl:5", &points), Some(3));
        assert_eq!(stop("up:1,k=1", &points), Some(3));
        points[3].rise_error = Some(0.11);
        assert_eq!(stop("gl:5", &points), None);
    }

    #[test]
    fn evaluations_within_epochs_count_for_gl_and_for_the_lowest_loss() {
        let mut points = curve(&[1.0, 0.8, 0.9], &[1.0, 0.5, 0.4]);
        let within = EvaluationPoint { samples: 15, epoch: 2, ..point(0, 0.5, 0.4) };
        points.insert(2, within.clone());
        assert_eq!(stop("gl:70", &points), Some(3), "0.9 is 80 % above 0.5");
        assert_eq!(stop("up:1,k=1", &points), Some(3), "0.9 > 0.8, whatever there was between them");
        points[2] = EvaluationPoint { eval_loss: Some(2.0), ..within };
        assert_eq!(stop("gl:70", &points), Some(2));
        assert_eq!(stop("up:1,k=1", &points), Some(3), "2.0 is at no end of an epoch");
    }

    #[test]
    fn losses_of_zero_and_below_rise_relative_to_their_magnitude() {
        assert_eq!(stop("gl:5", &curve(&[0.0, 0.0, 0.1], &[1.0; 3])), Some(2));
        assert_eq!(stop("gl:5", &curve(&[-2.0, -1.95, -1.8], &[1.0; 3])), Some(2));
        assert_eq!(stop("pq:0.5,k=2", &curve(&[1.0, 0.5, 0.6], &[1.0; 3])), Some(2), "no progress at all");
        assert_eq!(stop("pq:0.5,k=2", &curve(&[1.0, 0.5, 0.5], &[1.0; 3])), None);
    }

    #[test]
    fn specs_survive_a_round_trip() {
        for (typed, text) in [
            ("gl", "gl:alpha=5"),
            ("gl:2.5", "gl:alpha=2.5"),
            ("pq", "pq:alpha=0.5"),
            ("pq:0.75,k=3", "pq:alpha=0.75,k=3"),
            ("up:4", "up:s=4"),
            ("UP:s=2,k=1", "up:s=2,k=1"),
        ] {
            let criterion: EarlyStop = typed.parse().unwrap();
            assert_eq!(criterion.to_string(), text);
            assert_eq!(text.parse::<EarlyStop>().unwrap(), criterion);
        }
        for text in ["", "gl:-1", "gl:nan", "pq:k=1", "up:0", "up:1.5", "up:3,k=0", "patience:3", "gl:5,3"] {
            assert_eq!(text.parse::<EarlyStop>().unwrap_err().exit_code(), 2, "{text}");
        }
    }
}
