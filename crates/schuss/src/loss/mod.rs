//! Losses, one file each.

mod answer;
mod bce;
#[cfg(test)]
mod bits;
mod class_weights;
mod cosine;
mod cross_entropy;
mod custom;
mod focal;
#[cfg(test)]
mod golden;
mod hinge;
mod huber;
mod kl;
mod l1;
mod likelihood;
mod multi_margin;
mod nll;
mod poisson;
mod row;
mod squared;
mod targets;
mod task;

pub use bce::Bce;
pub use cosine::Cosine;
pub use cross_entropy::CrossEntropy;
pub use custom::{Custom, CustomLoss};
pub use focal::Focal;
pub use hinge::{Hinge, HingeEmbedding, SquaredHinge};
pub use huber::{Huber, SmoothL1};
pub use kl::Kl;
pub use l1::L1;
pub use multi_margin::MultiMargin;
pub use nll::Nll;
pub use poisson::Poisson;
pub use row::Row;
pub use squared::Mse;
pub use targets::Targets;

pub(crate) use answer::Answer;
pub(crate) use likelihood::Likelihood;

use crate::spec::{Choice, choices};
use crate::{Cause, Error, Result};
use row::Numbers;
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::rows::{self, Score};
use schuss_kernels::{Lane, Team};
use std::fmt;

/// End of a network, as far as a loss depends on it.
#[derive(Clone, Copy)]
pub(crate) struct Ending<'a> {
    /// Spec of the network, for error messages.
    pub(crate) text: &'a dyn fmt::Display,
    /// Name of the last layer.
    pub(crate) last_layer: Option<&'static str>,
    /// Number of outputs.
    pub(crate) outputs: usize,
}

/// Target of one row of outputs.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// A class.
    Class(usize),
    /// One number per output.
    Row(&'a [f32]),
}

impl Target<'_> {
    /// Returns the target of output `index`; classes are one-hot.
    pub(crate) fn at(self, index: usize) -> f64 {
        match self {
            Self::Class(class) => f64::from(u8::from(class == index)),
            Self::Row(row) => f64::from(row[index]),
        }
    }
}

/// Interface of a loss.
pub(crate) trait RowLoss: Choice {
    /// Returns the loss of one sample and writes the gradient with respect to its outputs.
    fn on<R: Row>(&self, row: &mut R) -> R::Lane;

    /// Returns true if targets may be rows of numbers.
    fn takes_rows(&self) -> bool {
        false
    }

    /// Returns true if second derivatives are known.
    fn has_curvature(&self) -> bool {
        false
    }

    /// Writes the second derivatives at outputs `z` times `direction` to `to`, which is zero: the rate of change of the
    /// gradient along it.
    fn curvature(&self, _z: &[f32], _target: Target, _direction: &[f32], _to: &mut [f32]) {}

    /// Returns the power of the targets' unit that the loss is proportional to; `None` if targets have a fixed meaning:
    /// probabilities, counts, angles.
    fn power(&self) -> Option<i32> {
        None
    }

    /// Returns the names of the layers that the network may end with; empty if any will do.
    fn last_layers(&self) -> &'static [&'static str] {
        &[]
    }

    /// Returns the weight that a sample of a class adds to the divisor of sums; the result of `on` already includes
    /// it.
    fn weight(&self, _class: usize) -> f64 {
        1.0
    }

    /// Checks the hyper-parameters against the number of classes.
    fn check_classes(&self, _classes: usize) -> Result<()> {
        Ok(())
    }

    /// Checks the hyper-parameters against the number of outputs.
    fn check_outputs(&self, _outputs: usize) -> Result<()> {
        Ok(())
    }
}

/// Value of an element-wise loss at one output, and its slope there.
pub(crate) struct Point<L> {
    pub(crate) value: L,
    pub(crate) slope: L,
}

/// Returns the mean over outputs of an element-wise loss, which `each` computes for an output and its target.
pub(crate) fn mean_of_each<R: Row>(
    row: &mut R,
    each: impl Fn(R::Lane, R::Lane) -> Point<R::Lane>,
) -> R::Lane {
    mean_of_outputs(row, |_, _, z, asked| each(z, asked))
}

/// Returns the mean over outputs of an element-wise loss; `each` takes the place of the output first.
pub(crate) fn mean_of_outputs<R: Row>(
    row: &mut R,
    each: impl Fn(&R, R::Place, R::Lane, R::Lane) -> Point<R::Lane>,
) -> R::Lane {
    let share = R::Lane::splat(1.0 / row.outputs() as f64);
    let sum = row.sum(|row, at| {
        let Point { value, slope } = each(row, at, row.output(at), row.target(at));
        row.set_slope(at, slope * share);
        value
    });
    sum * share
}

/// Second derivatives of an element-wise loss times a direction; `each` gives that of an output and its target, the first
/// argument being the index of the output.
pub(crate) fn curvature_of_outputs(
    z: &[f32],
    target: Target,
    direction: &[f32],
    to: &mut [f32],
    each: impl Fn(usize, f64, f64) -> f64,
) {
    let share = 1.0 / z.len() as f64;
    for (index, ((&z, &rate), to)) in z.iter().zip(direction).zip(to).enumerate() {
        *to = (each(index, f64::from(z), target.at(index)) * share * f64::from(rate)) as f32;
    }
}

/// The table of losses: one row each.
macro_rules! losses {
    ($($(#[doc = $line:literal])* $loss:ident,)*) => {
        choices! {
            /// Loss to minimise, averaged over samples.
            pub enum Loss ("loss", always &[], untyped 1) {
                $($(#[doc = $line])* $loss,)*
            }
        }

        impl Loss {
            /// Returns the loss of one sample with outputs `z` and writes the gradient with respect to them to `delta`.
            pub fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
                match self {
                    Self::Custom(own) => own.row(z, target, delta),
                    _ => self.on(&mut Numbers { z, target, delta }),
                }
            }

            /// Returns the loss of one sample, on any kind of row, and writes the gradient with respect to its
            /// outputs; NaN for a loss of one's own, which works on numbers alone.
            pub fn on<R: Row>(&self, row: &mut R) -> R::Lane {
                match self { $(Self::$loss(loss) => loss.on(row),)* }
            }

            /// Returns true if second derivatives are known.
            pub(crate) fn has_curvature(&self) -> bool {
                match self { $(Self::$loss(loss) => loss.has_curvature(),)* }
            }

            /// Writes the second derivatives at outputs `z` times `direction` to `to`, which is zero.
            pub(crate) fn curvature(&self, z: &[f32], target: Target, direction: &[f32], to: &mut [f32]) {
                match self { $(Self::$loss(loss) => loss.curvature(z, target, direction, to),)* }
            }

            fn takes_rows(&self) -> bool {
                match self { $(Self::$loss(loss) => loss.takes_rows(),)* }
            }

            /// Returns the weight that a sample of `class` adds to the divisor of sums.
            pub fn weight(&self, class: usize) -> f64 {
                match self { $(Self::$loss(loss) => loss.weight(class),)* }
            }

            /// Returns the power of the targets' unit that the loss is proportional to, if that unit is arbitrary.
            pub(crate) fn power(&self) -> Option<i32> {
                match self { $(Self::$loss(loss) => loss.power(),)* }
            }

            fn last_layers(&self) -> &'static [&'static str] {
                match self { $(Self::$loss(loss) => loss.last_layers(),)* }
            }

            fn check_classes(&self, classes: usize) -> Result<()> {
                match self { $(Self::$loss(loss) => loss.check_classes(classes),)* }
            }

            fn check_outputs(&self, outputs: usize) -> Result<()> {
                match self { $(Self::$loss(loss) => loss.check_outputs(outputs),)* }
            }
        }
    };
}

losses! {
    /// Softmax and cross-entropy.
    CrossEntropy,
    /// Negative log-likelihood of log-probabilities.
    Nll,
    /// Binary cross-entropy of every output.
    Bce,
    /// Multi-class hinge.
    MultiMargin,
    /// Squared error.
    Mse,
    /// Absolute error.
    L1,
    /// Squared error of small differences, absolute error of large ones.
    Huber,
    /// Huber loss with a slope of at most 1.
    SmoothL1,
    /// One-vs-rest hinge.
    Hinge,
    /// One-vs-rest squared hinge.
    SquaredHinge,
    /// Distances: small for the class, large for the others.
    HingeEmbedding,
    /// Binary cross-entropy with less weight on outputs already right.
    Focal,
    /// Kullback-Leibler divergence.
    Kl,
    /// Negative log-likelihood of Poisson counts.
    Poisson,
    /// One minus the cosine similarity.
    Cosine,
    /// A loss of your own; last in the table, since it has no name until it is registered.
    Custom,
}

impl Default for Loss {
    fn default() -> Self {
        Self::CrossEntropy(CrossEntropy::default())
    }
}

impl Loss {
    /// Returns true for plain cross-entropy, which the kernels compute in one pass.
    pub(crate) fn is_fused(&self) -> bool {
        *self == Self::default()
    }

    /// Returns true if the loss can be negative: a constant is omitted, or outputs enter it directly.
    pub(crate) fn can_be_negative(&self) -> bool {
        matches!(self, Self::Poisson(_) | Self::HingeEmbedding(_) | Self::Kl(_))
    }

    /// Returns the threshold above which an output means that its label is present, for multi-label losses.
    pub(crate) fn label_bound(&self) -> Option<f32> {
        match self {
            Self::Bce(Bce { logits: true, .. }) => Some(0.0),
            Self::Bce(_) => Some(0.5),
            _ => None,
        }
    }

    /// Checks that the loss fits the network's outputs and the targets.
    ///
    /// # Errors
    /// Usage errors.
    pub(crate) fn check(&self, network: Ending, targets: Targets, classes: usize) -> Result<()> {
        self.check_outputs(network.outputs)?;
        let wanted = self.last_layers();
        if !wanted.is_empty() && network.last_layer.is_none_or(|last| !wanted.contains(&last)) {
            let wanted = wanted.join(" or ");
            return Err(Error::usage(format!(
                "loss `{self}` needs a model that ends with {wanted}, not `{}`",
                network.text
            ))
            .because(Cause::Mismatch)
            .advise(format!("add `,{wanted}` to the layers")));
        }
        match targets {
            Targets::Class => self.check_classes(classes),
            Targets::Real | Targets::Input if self.takes_rows() => Ok(()),
            Targets::Real | Targets::Input => {
                let what = if targets == Targets::Real {
                    "the target is numeric"
                } else {
                    "the target is the input"
                };
                Err(Error::usage(format!("loss `{self}` needs class labels, but {what}"))
                    .because(Cause::Mismatch)
                    .advise("use mse, l1, bce or huber"))
            }
        }
    }

    /// Returns the mean over outputs of each output's loss times its factor: the loss in the targets' original units,
    /// for outputs in other units.
    pub(crate) fn in_units(&self, z: &[f32], target: &[f32], factors: &[f64]) -> f64 {
        let pairs = z.chunks(1).zip(target.chunks(1)).zip(factors);
        let value = |z: &[f32], target: &[f32]| self.row(z, Target::Row(target), &mut [0.0]);
        pairs.map(|((z, target), factor)| factor * value(z, target)).sum::<f64>() / factors.len() as f64
    }

    /// Computes loss and gradient of all rows. Outputs and delta are `[m, n]`; targets are the rows of `rows` if given,
    /// otherwise classes.
    pub(crate) fn compute(
        &self,
        team: &mut Team,
        outputs: Matrix,
        labels: &[u32],
        rows: Option<Matrix>,
        delta: MatrixMut,
        scores: &mut [Score],
    ) {
        if self.is_fused() && rows.is_none() {
            return rows::softmax_cross_entropy(team, outputs, labels, delta, scores);
        }
        let classes = rows.is_none().then_some(labels);
        rows::every_row(team, outputs, classes, delta, scores, WORK, |row, z, delta| match rows {
            Some(rows) => self.row(z, Target::Row(rows.row(row)), delta),
            None => self.row(z, Target::Class(labels[row] as usize), delta),
        });
    }
}

/// Cost of the loss of one output, in multiply-adds.
const WORK: usize = 32;
