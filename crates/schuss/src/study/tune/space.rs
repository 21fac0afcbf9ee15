//! The box of values that a recipe is tuned in, with one logarithmic dimension per choice.

use super::{Tune, TuneKey, sobol};
use crate::optim::{Dialect, Method, RATE_DIGITS, Rule, Solver, rounded};
use crate::recipe::{Recipe, Trial, UpdateRule};
use crate::{Cause, Error, Result};
use schuss_data::Dataset;

/// A dimension: a choice, and its range in powers of ten. That of momentum is 1 - momentum.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Dimension {
    pub(super) key: TuneKey,
    /// Range to start with.
    pub(super) range: Range,
    /// Limits of widening. At the lowest, weight decay is 0.
    pub(super) limits: Range,
}

/// Smallest and largest power of ten.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Range {
    fn of(low: f64, high: f64) -> Self {
        Self { low: low.log10(), high: high.log10() }
    }

    pub(super) fn width(self) -> f64 {
        self.high - self.low
    }

    fn clamp(self, at: f64) -> f64 {
        at.clamp(self.low, self.high)
    }
}

/// 20 / ln 10: steps of rounding are at most a twentieth of the gap between points.
const TOLD_APART: f64 = 8.7;
/// Powers of ten on either side of the default rate of an optimizer.
const DECADES: f64 = 2.0;

impl Dimension {
    /// Creates the dimension of `key` for a recipe.
    ///
    /// # Errors
    /// A usage error if the recipe does not have the choice.
    fn new(key: TuneKey, trial: &Trial, dialect: Dialect, samples: usize) -> Result<Self> {
        let (range, limits) = match key {
            TuneKey::Lr => (rates(&trial.recipe.optimizer, dialect)?, Range::of(1e-12, 1e6)),
            TuneKey::Momentum => (Range::of(0.01, 0.9), Range::of(1e-4, 1.0)),
            TuneKey::WeightDecay => (Range::of(1e-6, 0.1), Range::of(1e-8, 10.0)),
            TuneKey::Batch => (batches(trial.recipe.update, samples)?, Range::of(1.0, samples as f64)),
        };
        let dimension = Self { key, range, limits };
        dimension.set(trial, range.low)?; // refuses an optimizer without the key
        Ok(dimension)
    }

    /// Returns the choice's value at a coordinate.
    pub(super) fn value(&self, at: f64) -> f64 {
        let value = 10_f64.powf(self.limits.clamp(at));
        match self.key {
            TuneKey::WeightDecay if self.is_limit(at, -1.0) => 0.0,
            TuneKey::Lr | TuneKey::WeightDecay => rounded(value, RATE_DIGITS),
            TuneKey::Momentum => (1e6 * (1.0 - value)).round() / 1e6,
            TuneKey::Batch => value.round(),
        }
    }

    /// Returns true if a coordinate is at the limit below (`sign` -1) or above (1).
    pub(super) fn is_limit(&self, at: f64, sign: f64) -> bool {
        let limit = if sign < 0.0 { self.limits.low } else { self.limits.high };
        (at - limit).abs() < 1e-3
    }

    /// Returns true if no value is possible beyond the limit below (`sign` -1) or above (1): no momentum, no weight decay,
    /// one sample per update or all of them.
    pub(super) fn ends(&self, sign: f64) -> bool {
        match self.key {
            TuneKey::Lr => false,
            TuneKey::Momentum => sign > 0.0,
            TuneKey::WeightDecay => sign < 0.0,
            TuneKey::Batch => true,
        }
    }

    /// Returns the coordinate of the value near `at` that is easy to read: with as few digits as tell points apart that are
    /// `gap` powers of ten from each other, at least three for rates and two for others; samples per update are a power of
    /// two, or all samples.
    pub(super) fn rounded(&self, at: f64, gap: f64) -> f64 {
        let at = self.limits.clamp(at);
        let value = 10_f64.powf(at);
        let near = match self.key {
            TuneKey::Batch if self.is_limit(at, 1.0) => value.round(),
            TuneKey::Lr => {
                let digits = (TOLD_APART / gap).log10().ceil().clamp(2.0, RATE_DIGITS as f64);
                rounded(value, digits as usize)
            }
            TuneKey::Momentum | TuneKey::WeightDecay => rounded(value, 1),
            TuneKey::Batch => value.log2().round().exp2().min(10_f64.powf(self.limits.high).round()),
        };
        near.log10()
    }

    /// Returns the trial with the choice's value at a coordinate.
    fn set(&self, trial: &Trial, at: f64) -> Result<Trial> {
        self.key.set(trial, self.value(at))
    }
}

impl TuneKey {
    /// Returns the trial with another value of the choice.
    ///
    /// # Errors
    /// A usage error if the trial does not have the choice, or the value is not valid.
    pub(super) fn set(self, trial: &Trial, value: f64) -> Result<Trial> {
        let recipe = match self {
            Self::Batch => Recipe { update: UpdateRule::Batch(value as usize), ..trial.recipe.clone() },
            key => {
                let optimizer = trial.recipe.optimizer.with_number(key.name(), value);
                Recipe { optimizer: optimizer?, ..trial.recipe.clone() }
            }
        };
        Ok(Trial { recipe, ..trial.clone() })
    }
}

/// Refuses a choice of which every update has another value, by the schedule.
///
/// # Errors
/// A usage error.
pub(super) fn refuse_replaced(key: TuneKey, trial: &Trial) -> Result<()> {
    let schedule = &trial.recipe.schedule;
    if !schedule.replaces(key.name()) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "schedule `{schedule}` replaces the optimizer's {key}, so there is none to tune"
    ))
    .because(Cause::NoEffect)
    .advise(format!("a schedule that multiplies the optimizer's {key}, such as warmup:100+cosine, or none")))
}

/// Returns the range of learning rates of an optimizer.
fn rates(optimizer: &Method, dialect: Dialect) -> Result<Range> {
    let usual = optimizer.default_rate(dialect).filter(|rate| *rate > 0.0).ok_or_else(|| {
        Error::usage(format!("optimizer `{optimizer}` has no learning rate to tune"))
            .because(Cause::NoEffect)
            .advise("leave it out of the comparison, or compare without --tune")
    })?;
    Ok(Range { low: usual.log10() - DECADES, high: usual.log10() + DECADES })
}

/// Returns the range of samples per update.
fn batches(update: UpdateRule, samples: usize) -> Result<Range> {
    if update == UpdateRule::Epoch {
        return Err(Error::usage("update rule `epoch` takes all samples, so there is no batch to tune")
            .because(Cause::NoEffect)
            .advise("--update batch:100"));
    }
    let most = (samples as f64).min(1_024.0);
    Ok(Range::of(most.min(16.0), most))
}

/// Dimensions of a recipe's choices.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::study) struct Space(pub(super) Vec<Dimension>);

impl Space {
    /// Creates the box that a recipe is tuned in.
    ///
    /// # Errors
    /// A usage error if the recipe does not have a choice.
    pub(in crate::study) fn new(tune: &Tune, trial: &Trial, data: &Dataset) -> Result<Self> {
        let samples = data.train.len();
        let new = |key: &TuneKey| Dimension::new(*key, trial, tune.dialect, samples);
        Ok(Self(tune.keys.iter().map(new).collect::<Result<_>>()?))
    }

    /// Returns the position of the learning rate among the coordinates.
    pub(super) fn rate(&self) -> Option<usize> {
        self.0.iter().position(|dimension| dimension.key == TuneKey::Lr)
    }

    /// Returns the Sobol point of an index, from 1.
    pub(in crate::study) fn sobol(&self, index: u32) -> Vec<f64> {
        let at = |(axis, dimension): (usize, &Dimension)| {
            let Range { low, .. } = dimension.range;
            let width = dimension.range.width();
            dimension.rounded(low + width * sobol::coordinate(index, axis), width / 8.0)
        };
        self.0.iter().enumerate().map(at).collect()
    }

    /// Returns the trial at a point.
    ///
    /// # Errors
    /// A usage error if a value is refused.
    pub(in crate::study) fn trial(&self, trial: &Trial, point: &[f64]) -> Result<Trial> {
        let mut all = self.0.iter().zip(point);
        all.try_fold(trial.clone(), |trial, (dimension, at)| dimension.set(&trial, *at))
    }

    /// Returns the values at a point, by name.
    pub(super) fn values(&self, point: &[f64]) -> Vec<(TuneKey, f64)> {
        self.0.iter().zip(point).map(|(dimension, at)| (dimension.key, dimension.value(*at))).collect()
    }
}

/// Returns the published ranges of learning rates as rows of a table: optimizer, and its range in each dialect.
pub fn ranges() -> Vec<Vec<String>> {
    let cell = |name: &str, dialect: Dialect| {
        let method: Method = name.parse().ok()?;
        let Range { low, high } = rates(&method, dialect).ok()?;
        Some(format!("{} .. {}", power(low), power(high)))
    };
    let row = |name: &&str| {
        let cells: Option<Vec<String>> =
            Dialect::ALL.into_iter().map(|(_, dialect)| cell(name, dialect)).collect();
        Some([vec![(*name).to_owned()], cells?].concat())
    };
    Rule::NAMES.iter().chain(Solver::NAMES).filter_map(row).collect()
}

/// Formats a power of ten.
fn power(at: f64) -> String {
    rounded(10_f64.powf(at), 2).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    #[test]
    fn the_book_prints_the_ranges_of_every_optimizer_and_dialect() {
        let mut table = String::from("| optimizer |");
        Dialect::ALL.iter().for_each(|(name, _)| write!(table, " {name} |").unwrap());
        table += "\n|---|---|---|---|---|---|\n";
        for row in ranges() {
            let same = row[2..].iter().all(|cell| *cell == row[1]);
            let cells = if same {
                vec![row[1].clone(), String::new(), String::new(), String::new(), String::new()]
            } else {
                row[1..].to_vec()
            };
            table += &format!("| `{}` | {} |\n", row[0], cells.join(" | "));
        }
        let page = include_str!("../../../../../docs/src/tuning.md");
        assert!(page.contains(&table), "docs/src/tuning.md should have\n{table}");
    }

    #[test]
    fn a_choice_that_the_schedule_replaces_is_refused_and_one_that_it_scales_is_not() {
        let new = |key, schedule: &str| {
            let mut trial = Trial::default();
            trial.recipe.schedule = schedule.parse().unwrap();
            refuse_replaced(key, &trial).map_err(|error| error.to_string())
        };
        for (key, schedule) in [
            (TuneKey::Lr, "one-cycle:max_lr=0.5"),
            (TuneKey::Lr, "cyclic:base_lr=0.01,max_lr=0.1"),
            (TuneKey::Momentum, "one-cycle:max_lr=0.5"),
        ] {
            assert!(new(key, schedule).unwrap_err().contains("none to tune"), "{schedule}");
        }
        for (key, schedule) in [
            (TuneKey::Lr, "cosine"),
            (TuneKey::Lr, "warmup:total_iters=9+one-cycle:max_lr=0.5"),
            (TuneKey::Momentum, "one-cycle:max_lr=0.5,cycle_momentum=false"),
            (TuneKey::WeightDecay, "one-cycle:max_lr=0.5"),
            (TuneKey::Lr, "momentum@linear:end_factor=0.5"),
        ] {
            assert!(new(key, schedule).is_ok(), "{schedule}");
        }
    }

    #[test]
    fn values_are_rounded_and_their_coordinates_are_those_of_the_rounded_ones() {
        let trial = Trial::default();
        let of = |key| Dimension::new(key, &trial, Dialect::Torch, 1_000).unwrap();
        let near = |key, at: f64, gap: f64| of(key).value(of(key).rounded(at, gap));
        assert_eq!(near(TuneKey::Lr, -1.0 / 3.0, 0.5), 0.464);
        assert_eq!(near(TuneKey::Lr, -1.0 / 3.0, 0.001), 0.46416);
        assert_eq!(near(TuneKey::Momentum, -1.5, 0.5), 0.968);
        assert_eq!(near(TuneKey::WeightDecay, -3.3, 0.5), 0.0005);
        assert_eq!(near(TuneKey::WeightDecay, -99.0, 0.5), 0.0);
        let batch = |at| near(TuneKey::Batch, at, 0.5);
        assert_eq!([1.0, 2.0, 2.9, 3.0, 9.0].map(batch), [8.0, 128.0, 1_000.0, 1_000.0, 1_000.0]);
        for dimension in TuneKey::ALL.map(|(_, key)| of(key)) {
            let at = dimension.rounded(dimension.range.low + 0.4 * dimension.range.width(), 0.5);
            assert_eq!(dimension.rounded(at, 0.5), at, "{:?}", dimension.key);
        }
    }
}
