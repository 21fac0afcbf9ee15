//! Comparison of outputs with the targets of a trial.

use crate::Result;
use crate::loss::{Answer, Loss, Target, Targets};
use crate::metrics::{Metrics, Prediction, Task};
use crate::network::Units;
use crate::recipe::{TargetScale, Trial};
use schuss_data::{Batch, Dataset};
use schuss_kernels::activation::{Activation, Sigmoid};

/// Compares the outputs of a network with the targets of its trial, in their units.
#[derive(Clone, Debug)]
pub struct Judge {
    loss: Loss,
    targets: Targets,
    /// Units of the targets, if outputs are not compared with the stored numbers.
    units: Option<Units>,
    /// Factor of each output that converts the loss to the units of the targets, if targets are scaled.
    factors: Option<Vec<f64>>,
}

/// A sample after its forward pass.
#[derive(Clone, Copy, Debug)]
pub struct Judged<'a> {
    /// Its class, if targets are classes.
    pub class: u32,
    /// Its targets in the scale of the outputs, unless they are classes.
    pub target: &'a [f32],
    /// Outputs of the network.
    pub outputs: &'a [f32],
    /// Reconstruction, if images are reconstructed.
    pub answered: &'a [f32],
    /// Its loss in the units of the targets.
    pub loss: f64,
}

impl Judge {
    /// Creates the judge of a trial whose network has so many outputs.
    ///
    /// # Errors
    /// If the targets cannot be scaled.
    pub fn new(trial: &Trial, data: &Dataset, outputs: usize) -> Result<Self> {
        let units = Units::of(trial, data, outputs)?;
        let power = trial.recipe.loss.power().filter(|_| trial.target_scale() == Some(TargetScale::Standard));
        let factors = units.as_ref().and_then(|units| Some(units.factors(power?)));
        Ok(Self { loss: trial.recipe.loss.clone(), targets: trial.targets, units, factors })
    }

    /// Factor of each output that converts the loss to the units of the targets, if targets are scaled.
    pub fn factors(&self) -> Option<&[f64]> {
        self.factors.as_deref()
    }

    /// Weight of a sample of `class` in sums over samples.
    pub fn weight(&self, class: u32) -> f64 {
        if self.targets == Targets::Class { self.loss.weight(class as usize) } else { 1.0 }
    }

    /// Writes the numeric targets of sample `row` of a batch, in the scale of the outputs.
    pub fn write_targets(&self, batch: &Batch, row: usize, to: &mut [f32]) {
        for (output, (to, &number)) in to.iter_mut().zip(batch.reals(row)).enumerate() {
            *to = self.units.as_ref().map_or(number, |units| units.wanted(output, number));
        }
    }

    /// Returns the loss of a sample in the units of its targets.
    pub fn loss(&self, class: u32, target: &[f32], outputs: &[f32]) -> f64 {
        match (&self.factors, self.targets) {
            (Some(factors), _) => self.loss.in_units(outputs, target, factors),
            (None, Targets::Class) => {
                self.loss.row(outputs, Target::Class(class as usize), &mut vec![0.0; outputs.len()])
            }
            (None, _) => self.loss.row(outputs, Target::Row(target), &mut vec![0.0; outputs.len()]),
        }
    }

    /// Converts an output to the answer it stands for: a probability, or itself.
    pub fn answer(&self, output: f32) -> f32 {
        match self.loss.answer(self.targets) {
            Answer::Sigmoid => Sigmoid.value(f64::from(output)) as f32,
            Answer::Softmax | Answer::AsItIs => output,
        }
    }

    /// Gives `metrics` the loss of a sample and the predictions for it.
    pub fn measure(&self, metrics: &mut Metrics, sample: &Judged) {
        let Task { classes, labels, numbers, image } = metrics.task();
        let [has_classes, has_labels, has_numbers, has_images] =
            [classes.is_some(), labels.is_some(), numbers.is_some(), image.is_some()];
        let Judged { class, target, outputs, answered, loss } = *sample;
        metrics.take_loss(loss, self.weight(class));
        if has_classes {
            metrics.take(&Prediction::Class { actual: class as usize, outputs });
        }
        if has_labels {
            metrics.take(&Prediction::Labels { actual: target, outputs });
        }
        if has_numbers {
            let [actual, predicted] = [target, outputs].map(|row| self.numbers(row));
            metrics.take(&Prediction::Numbers { actual: &actual, predicted: &predicted });
        }
        if has_images {
            metrics.take(&Prediction::Image { actual: target, predicted: answered });
        }
    }

    /// Converts targets or outputs to the units of the data.
    fn numbers(&self, row: &[f32]) -> Vec<f64> {
        let number = |(output, &value): (usize, &f32)| match &self.units {
            Some(units) => units.original(output, value),
            None => f64::from(value),
        };
        row.iter().enumerate().map(number).collect()
    }
}
