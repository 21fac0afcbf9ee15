//! Losses: what is minimised, one file per loss.

mod answer;
mod bce;
mod class_weights;
mod cosine;
mod cross_entropy;
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
mod squared;

pub use bce::Bce;
pub use cosine::Cosine;
pub use cross_entropy::CrossEntropy;
pub use focal::Focal;
pub use hinge::{Hinge, HingeEmbedding, SquaredHinge};
pub use huber::{Huber, SmoothL1};
pub use kl::Kl;
pub use l1::L1;
pub use multi_margin::MultiMargin;
pub use nll::Nll;
pub use poisson::Poisson;
pub use squared::Mse;

pub(crate) use answer::Answer;
pub(crate) use likelihood::Likelihood;

use crate::network::{Layer, Model};
use crate::recipe::Targets;
use crate::recipe::spec::{Choice, choices};
use crate::{Error, Result};
use schuss_kernels::Team;
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::rows::{self, Score};

/// What a row of outputs is compared with.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// A class.
    Class(usize),
    /// As many numbers as there are outputs.
    Row(&'a [f32]),
}

impl Target<'_> {
    /// What is asked of output `index`: classes are one-hot.
    pub(crate) fn at(self, index: usize) -> f64 {
        match self {
            Self::Class(class) => f64::from(u8::from(class == index)),
            Self::Row(row) => f64::from(row[index]),
        }
    }
}

/// What a loss's own file provides.
pub(crate) trait RowLoss: Choice {
    /// The loss of one sample whose outputs are `z`; writes its gradient at them to `delta`.
    fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64;

    /// Whether targets may be rows of numbers.
    fn takes_rows(&self) -> bool {
        false
    }

    /// The power of their unit that it grows with, where these may be of any size; none where they have a meaning of
    /// their own: probabilities, counts, angles.
    fn power(&self) -> Option<i32> {
        None
    }

    /// The layers of which a network must end with one, if that matters: their names.
    fn last_layers(&self) -> &'static [&'static str] {
        &[]
    }

    /// What a sample of a class adds to the number that sums are divided by; `row` has it in already.
    fn weight(&self, _class: usize) -> f64 {
        1.0
    }

    /// Refuses what does not fit so many classes.
    fn check_classes(&self, _classes: usize) -> Result<()> {
        Ok(())
    }

    /// Refuses what does not fit so many outputs.
    fn check_outputs(&self, _outputs: usize) -> Result<()> {
        Ok(())
    }
}

/// The mean over outputs of a loss that compares them one by one: `each` gives value and slope for an output and what is
/// asked of it.
pub(crate) fn mean_of_each(
    z: &[f32],
    target: Target,
    delta: &mut [f32],
    each: impl Fn(f64, f64) -> (f64, f64),
) -> f64 {
    mean_of_outputs(z, target, delta, |_, z, asked| each(z, asked))
}

/// The same where `each` is given the number of the output before it.
pub(crate) fn mean_of_outputs(
    z: &[f32],
    target: Target,
    delta: &mut [f32],
    each: impl Fn(usize, f64, f64) -> (f64, f64),
) -> f64 {
    let share = 1.0 / z.len() as f64;
    let mut sum = 0.0;
    for (index, (&z, delta)) in z.iter().zip(delta).enumerate() {
        let (value, slope) = each(index, f64::from(z), target.at(index));
        sum += value;
        *delta = (slope * share) as f32;
    }
    sum * share
}

/// The table of losses: one row each.
macro_rules! losses {
    ($($(#[doc = $line:literal])* $loss:ident,)*) => {
        choices! {
            /// What is minimised: the mean over samples.
            pub enum Loss ("loss", always &[]) {
                $($(#[doc = $line])* $loss,)*
            }
        }

        impl Loss {
            /// The loss of one sample whose outputs are `z`; writes its gradient at them to `delta`.
            pub fn row(&self, z: &[f32], target: Target, delta: &mut [f32]) -> f64 {
                match self { $(Self::$loss(loss) => loss.row(z, target, delta),)* }
            }

            fn takes_rows(&self) -> bool {
                match self { $(Self::$loss(loss) => loss.takes_rows(),)* }
            }

            /// What a sample of `class` adds to the number that sums are divided by.
            pub(crate) fn weight(&self, class: usize) -> f64 {
                match self { $(Self::$loss(loss) => loss.weight(class),)* }
            }

            /// The power of the targets' unit that it grows with, if that is theirs to choose.
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
    /// Negative logarithm of the likelihood.
    Nll,
    /// Binary cross-entropy of every output.
    Bce,
    /// Hinge over classes.
    MultiMargin,
    /// Squared error.
    Mse,
    /// Absolute error.
    L1,
    /// Squared error of small differences, absolute of large ones.
    Huber,
    /// Huber's with a slope of at most 1.
    SmoothL1,
    /// One class against the rest.
    Hinge,
    /// One class against the rest, squared.
    SquaredHinge,
    /// Small for the class, large for the others.
    HingeEmbedding,
    /// Binary cross-entropy that forgets what is right already.
    Focal,
    /// Divergence of distributions.
    Kl,
    /// Counts.
    Poisson,
    /// The angle.
    Cosine,
}

impl Default for Loss {
    fn default() -> Self {
        Self::CrossEntropy(CrossEntropy::default())
    }
}

impl Loss {
    /// Whether it is cross-entropy with nothing added, which the kernels compute in one pass.
    pub(crate) fn is_fused(&self) -> bool {
        *self == Self::default()
    }

    /// Whether it may lie below 0: a constant is left out, or outputs count as they are.
    pub(crate) fn can_be_negative(&self) -> bool {
        matches!(self, Self::Poisson(_) | Self::HingeEmbedding(_) | Self::Kl(_))
    }

    /// Above which output a label holds, where outputs answer whether each of several labels does.
    pub(crate) fn label_bound(&self) -> Option<f32> {
        match self {
            Self::Bce(Bce { logits: true, .. }) => Some(0.0),
            Self::Bce(_) => Some(0.5),
            _ => None,
        }
    }

    /// Refuses a network whose outputs it cannot read, and targets it cannot be compared with.
    ///
    /// # Errors
    /// Usage errors.
    pub(crate) fn check(
        &self,
        model: &Model,
        targets: Targets,
        [classes, outputs]: [usize; 2],
    ) -> Result<()> {
        self.check_outputs(outputs)?;
        let (last, wanted) = (model.layers().last().map(Layer::name), self.last_layers());
        if !wanted.is_empty() && last.is_none_or(|last| !wanted.contains(&last)) {
            let wanted = wanted.join(" or ");
            return Err(Error::usage(format!(
                "loss `{self}` needs a model that ends with {wanted}, not `{model}`"
            ))
            .advise(format!("add `,{wanted}` to the layers")));
        }
        match targets {
            Targets::Class => self.check_classes(classes),
            Targets::Real | Targets::Input if self.takes_rows() => Ok(()),
            Targets::Real | Targets::Input => {
                let what = if targets == Targets::Real {
                    "numbers are predicted"
                } else {
                    "the target is the input"
                };
                Err(Error::usage(format!("loss `{self}` needs classes, but {what}"))
                    .advise("mse, l1, bce or huber"))
            }
        }
    }

    /// The mean over outputs of its value for each by itself times that output's factor: the loss in the targets' own
    /// units, where outputs are compared in others.
    pub(crate) fn in_units(&self, z: &[f32], target: &[f32], factors: &[f64]) -> f64 {
        let pairs = z.chunks(1).zip(target.chunks(1)).zip(factors);
        let value = |z: &[f32], target: &[f32]| self.row(z, Target::Row(target), &mut [0.0]);
        pairs.map(|((z, target), factor)| factor * value(z, target)).sum::<f64>() / factors.len() as f64
    }

    /// Loss and gradient of all rows. Outputs and delta `[m, n]`; targets are the rows of `rows` where given, else
    /// classes.
    pub(crate) fn compute(
        &self,
        team: &mut Team,
        outputs: Matrix,
        (labels, rows): (&[u32], Option<Matrix>),
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

/// Multiply-adds that the loss of one output is worth.
const WORK: usize = 32;
