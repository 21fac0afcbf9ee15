//! Analysis of curves: envelopes, running means, over-fitting, and the training time per point of accuracy.

use crate::recipe::{EarlyStop, generalisation_loss, is_beyond_chance};
use crate::record::{Best, EpochRecord, EvaluationPoint, Overfitting, Spread};

/// Consecutive points of a curve drawn as one column, whose range covers all of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// Index of the first point.
    pub from: usize,
    /// Index after the last point.
    pub to: usize,
    /// Smallest value.
    pub min: f32,
    /// Largest value.
    pub max: f32,
    /// Mean of the values.
    pub mean: f64,
}

/// Splits `values` into at most `columns` runs of nearly equal length, each with its range and mean.
///
/// Non-finite values are ignored; a column without finite values is dropped.
pub fn envelope(values: &[f32], columns: usize) -> Vec<Column> {
    let columns = columns.min(values.len());
    let edge = |i: usize| (i as u128 * values.len() as u128 / columns as u128) as usize;
    (0..columns).filter_map(|i| column(values, edge(i), edge(i + 1))).collect()
}

fn column(values: &[f32], from: usize, to: usize) -> Option<Column> {
    let (mut min, mut max, mut sum, mut count) = (f32::INFINITY, f32::NEG_INFINITY, 0.0, 0u64);
    for &value in values[from..to].iter().filter(|value| value.is_finite()) {
        min = min.min(value);
        max = max.max(value);
        sum += f64::from(value);
        count += 1;
    }
    (count > 0).then(|| Column { from, to, min, max, mean: sum / count as f64 })
}

/// Returns, for each value, the mean of the finite ones among it and the `window - 1` before it (fewer at the start);
/// NaN if there are none.
pub fn running_mean(values: &[f32], window: usize) -> Vec<f64> {
    let window = window.max(1);
    let finite = |i: usize| values[i].is_finite().then(|| f64::from(values[i]));
    let (mut sum, mut count) = (0.0, 0u64);
    let mut means = Vec::with_capacity(values.len());
    for i in 0..values.len() {
        if let Some(value) = finite(i) {
            sum += value;
            count += 1;
        }
        if let Some(value) = i.checked_sub(window).and_then(finite) {
            sum -= value;
            count -= 1;
        }
        means.push(if count > 0 { sum / count as f64 } else { f64::NAN });
    }
    means
}

/// Generalisation loss, in %, beyond which a loss counts as risen.
const RISEN: f64 = 2.0;
/// The rise must also exceed this multiple of the median change between neighbouring evaluations.
const NOISE: f64 = 3.0;
/// Number of last evaluations whose mean counts as the end of a curve.
const LAST: usize = 3;

/// Returns the point from which a trial on `train` samples over-fitted, the lowest of its evaluation losses: if the loss
/// rose from there while the training loss still fell, either for good or so far that the criterion `early_stop` holds
/// at the last evaluation.
pub fn overfitting(
    evaluations: &[EvaluationPoint],
    early_stop: Option<EarlyStop>,
    train: usize,
) -> Option<Overfitting> {
    let losses: Vec<f64> = evaluations.iter().map(|point| point.eval_loss).collect::<Option<_>>()?;
    let lowest = (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b]))?;
    let (best, last) = (&evaluations[lowest], evaluations.last()?);
    let stopped = || early_stop.is_some_and(|criterion| criterion.holds_at_end(evaluations, train));
    let has_risen = has_risen(&evaluations[lowest..], &losses[lowest..]) || stopped();
    (has_risen && train_loss(last) < train_loss(best)).then(|| Overfitting {
        lowest: Best { epoch: best.epoch, updates: best.updates, eval_loss: losses[lowest] },
        generalisation_loss: generalisation_loss(losses[losses.len() - 1], losses[lowest]),
    })
}

/// Returns true if the loss has risen for good since the first evaluation, the lowest: the mean of the last three is
/// more than 2 % above it and more than three times the median change between neighbours, and the rise to each of them
/// is more than the choice of the evaluated samples explains.
fn has_risen(evaluations: &[EvaluationPoint], losses: &[f64]) -> bool {
    let (lowest, after) = (losses[0], losses.len() - 1);
    if after < LAST {
        return false;
    }
    let end = losses[losses.len() - LAST..].iter().sum::<f64>() / LAST as f64;
    let changes = losses.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    let noise = Spread::of(changes.collect()).map_or(0.0, |changes| changes.median);
    let mut last = evaluations[evaluations.len() - LAST..].iter();
    generalisation_loss(end, lowest) > RISEN
        && end - lowest > NOISE.min(after as f64 / 2.0) * noise
        && last.all(|point| is_beyond_chance(point, lowest))
}

/// Returns the training loss; before any update, the evaluation loss of the same weights stands for it.
fn train_loss(point: &EvaluationPoint) -> f64 {
    point.train_loss.or(point.eval_loss).unwrap_or(f64::INFINITY)
}

/// Training time per point of accuracy gained in an epoch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PointCost {
    /// Epoch.
    pub epoch: u32,
    /// Points of accuracy (1 % of the evaluation split) gained since the row before; negative if lost.
    pub points: f64,
    /// Seconds of training per point; `None` if nothing was gained.
    pub seconds: Option<f64>,
}

/// Returns the seconds of training per point of evaluation accuracy gained, epoch by epoch.
pub fn seconds_per_point(epochs: &[EpochRecord]) -> Vec<PointCost> {
    epochs.windows(2).filter_map(|pair| point_cost(&pair[0], &pair[1])).collect()
}

fn point_cost(before: &EpochRecord, after: &EpochRecord) -> Option<PointCost> {
    let points = 100.0 * (after.eval_accuracy? - before.eval_accuracy?);
    let seconds = (points > 0.0).then(|| after.train_seconds / points);
    Some(PointCost { epoch: after.epoch, points, seconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: u32, train_loss: Option<f64>, accuracy: f64) -> EpochRecord {
        EpochRecord {
            epoch,
            updates: u64::from(epoch) * 10,
            samples: u64::from(epoch) * 1_000,
            train_loss,
            eval_loss: None,
            eval_accuracy: Some(accuracy),
            metrics: Default::default(),
            load_wait_seconds: 0.0,
            train_seconds: 2.0,
            elapsed_seconds: 0.0,
        }
    }

    #[test]
    fn an_envelope_holds_every_point_exactly_once() {
        let values: Vec<f32> = (0..1_003).map(|i| ((i * 7_919) % 1_003) as f32).collect();
        for columns in [1, 2, 7, 100, 1_003, 5_000] {
            let envelope = envelope(&values, columns);
            assert_eq!(envelope.len(), columns.min(1_003));
            assert_eq!((envelope[0].from, envelope[envelope.len() - 1].to), (0, 1_003));
            assert!(envelope.windows(2).all(|pair| pair[0].to == pair[1].from));
            assert_eq!(envelope.iter().map(|column| column.max).fold(0.0, f32::max), 1_002.0);
            let sum: f64 = envelope.iter().map(|c| c.mean * (c.to - c.from) as f64).sum();
            assert!((sum - 502_503.0).abs() < 1e-6, "{sum}");
        }
    }

    #[test]
    fn an_envelope_leaves_out_what_is_not_finite() {
        assert_eq!(envelope(&[], 10), []);
        let values = [1.0, f32::NAN, 3.0, f32::INFINITY, f32::NAN, f32::NEG_INFINITY];
        assert_eq!(envelope(&values, 2), [Column { from: 0, to: 3, min: 1.0, max: 3.0, mean: 2.0 }]);
    }

    #[test]
    fn a_running_mean_recovers_after_a_value_that_is_not_finite() {
        let means = running_mean(&[f32::NAN, 1.0, 3.0, f32::INFINITY, 5.0], 2);
        assert!(means[0].is_nan());
        assert_eq!(means[1..], [1.0, 2.0, 3.0, 5.0]);
    }

    /// Evaluations with these losses, and a training loss that falls or stays constant.
    fn curve(losses: &[f64], train_falls: bool) -> Vec<EvaluationPoint> {
        let train = |i: usize| if train_falls { 1.0 / (i + 1) as f64 } else { 1.0 };
        let point = |(i, &loss): (usize, &f64)| EvaluationPoint {
            epoch: i as u32,
            updates: i as u64,
            samples: i as u64,
            train_seconds: 0.0,
            train_loss: (i > 0).then(|| train(i)),
            eval_loss: Some(loss),
            eval_accuracy: None,
            rise_error: None,
            metrics: Default::default(),
        };
        losses.iter().enumerate().map(point).collect()
    }

    fn overfits(points: &[EvaluationPoint]) -> bool {
        overfitting(points, None, 1).is_some()
    }

    /// Lowest at index 13, then rising steadily.
    fn rising() -> Vec<f64> {
        let loss = |i: u32| if i < 14 { 2.0 / f64::from(i + 1) } else { 0.13 + 0.01 * f64::from(i - 13) };
        (0..60).map(loss).collect()
    }

    #[test]
    fn over_fitting_is_a_loss_that_rises_beyond_its_noise_while_the_training_loss_falls() {
        assert!(overfits(&curve(&rising(), true)));
        assert!(!overfits(&curve(&rising(), false)), "both losses rise");
        let falling: Vec<f64> = (0..60).map(|i| 2.0 / f64::from(i + 1)).collect();
        assert!(!overfits(&curve(&falling, true)));
        let noisy: Vec<f64> = (0..60).map(|i| 0.5 + 0.05 * f64::from(i * 37 % 11)).collect();
        assert!(!overfits(&curve(&noisy, true)), "noise alone");
        assert!(!overfits(&curve(&[1.0, 0.5], true)) && !overfits(&[]));
    }

    #[test]
    fn the_point_of_over_fitting_is_the_lowest_evaluation_and_has_the_generalisation_loss_of_the_end() {
        let found = overfitting(&curve(&rising(), true), None, 1).unwrap();
        assert_eq!((found.lowest.epoch, found.lowest.updates), (14, 14));
        assert!((found.lowest.eval_loss - 0.14).abs() < 1e-12);
        assert!((found.generalisation_loss - 100.0 * (0.59 / 0.14 - 1.0)).abs() < 1e-9);
    }

    #[test]
    fn a_rise_that_other_samples_would_not_show_is_no_over_fitting() {
        let mut points = curve(&rising(), true);
        for (error, expected) in [(0.2, true), (0.3, false)] {
            let last = points.iter_mut().rev().take(3);
            last.for_each(|point| point.rise_error = Some(error)); // of rises of 0.43 to 0.45
            assert_eq!(overfits(&points), expected, "{error}");
        }
    }

    #[test]
    fn a_trial_that_its_criterion_ended_over_fitted_by_that_criterion() {
        let ended = curve(&[1.0, 0.5, 0.51], true);
        let by = |criterion: &str| overfitting(&ended, Some(criterion.parse().unwrap()), 1);
        assert_eq!(by("gl:1").map(|found| found.lowest.epoch), Some(1));
        assert_eq!(by("gl:3"), None);
        assert!(!overfits(&ended), "too short a rise otherwise");
        let up = overfitting(&curve(&[1.0, 0.5, 0.51], false), Some("gl:1".parse().unwrap()), 1);
        assert_eq!(up, None, "the training loss does not fall");
    }

    #[test]
    fn a_trial_that_only_gets_worse_did_not_over_fit() {
        let mut points = curve(&[2.3, 3.0, 4.0, 5.0, 6.0], true);
        (1..5).for_each(|i| points[i].train_loss = Some(i as f64 + 2.0));
        assert!(!overfits(&points));
    }

    #[test]
    fn a_point_of_accuracy_costs_the_seconds_of_the_epoch_that_won_it() {
        let costs = seconds_per_point(&[row(0, None, 0.10), row(1, None, 0.60), row(2, None, 0.55)]);
        assert_eq!(costs.len(), 2);
        assert!((costs[0].seconds.unwrap() - 0.04).abs() < 1e-12);
        assert_eq!(costs[1].seconds, None);
        assert!((costs[1].points + 5.0).abs() < 1e-9);
    }
}
