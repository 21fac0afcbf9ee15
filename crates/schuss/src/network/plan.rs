//! The checked list of kernels that a network runs as; backward is the same list read upwards.

use super::layout::Layout;
use super::{Layer, Model};
use crate::{Error, Result};
use schuss_kernels::Buffer;
use std::ops::Range;
use std::sync::Arc;

/// A network whose shapes fit its data.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The network, with the size of its input.
    pub model: Model,
    /// Where its tensors stand.
    pub layout: Arc<Layout>,
    /// What runs, first to last.
    pub(crate) stages: Vec<Stage>,
    /// Numbers per input sample.
    pub inputs: usize,
    /// Numbers per output row.
    pub outputs: usize,
}

/// One step of the forward pass.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// Index of the layer, its name in files and messages.
    pub(crate) layer: usize,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) kind: Kind,
}

/// What a stage computes.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    /// A linear layer, with the ReLU that stands between it and the next one.
    Dense(Dense),
}

/// y = x W + b, then ReLU if asked.
#[derive(Clone, Debug)]
pub(crate) struct Dense {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Index of W in the layout; b follows.
    pub(crate) entry: usize,
    /// Place of W in the parameters.
    pub(crate) weight: Range<usize>,
    /// Place of b in the parameters.
    pub(crate) bias: Range<usize>,
    pub(crate) relu: bool,
}

/// A network of nothing but linear layers with ReLU between them.
#[derive(Clone, Debug)]
pub(crate) struct Perceptron {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) stages: Vec<Dense>,
}

impl Plan {
    /// Checks `model` against samples of `inputs` numbers in `classes` classes.
    ///
    /// # Errors
    /// Usage errors that name the layer.
    pub fn new(model: &Model, inputs: usize, classes: usize) -> Result<Self> {
        let plan = Self::unchecked(model, inputs)?;
        if plan.outputs < classes {
            return Err(plan.misfit(&format!("but the data has {classes} classes"), classes));
        }
        Ok(plan)
    }

    /// The same for targets that need not be classes: the input itself needs as many outputs.
    ///
    /// # Errors
    /// Usage errors that name the layer.
    pub fn for_targets(model: &Model, inputs: usize, classes: usize, targets: Targets) -> Result<Self> {
        match targets {
            Targets::Class => Self::new(model, inputs, classes),
            Targets::Input => {
                let plan = Self::unchecked(model, inputs)?;
                let fits = plan.outputs == inputs;
                fits.then_some(plan).ok_or_else(|| {
                    let plan = Self::unchecked(model, inputs);
                    let misfit = |plan: Self| plan.misfit(&format!("but a sample has {inputs} numbers"), inputs);
                    plan.map_or_else(|error| error, misfit)
                })
            }
        }
    }

    fn unchecked(model: &Model, inputs: usize) -> Result<Self> {
        if let Some(given) = model.inputs().filter(|&given| given != inputs) {
            return Err(Error::usage(format!(
                "model `{model}` takes {given} numbers, but a sample has {inputs}"
            ))
            .advise(format!("begin the model with {inputs}")));
        }
        let model = model.clone().with_inputs(inputs);
        let layout = Layout::new(&model, inputs)?;
        let stages = stages(&model, &layout, inputs);
        let outputs = stages.last().map_or(inputs, |stage| stage.outputs);
        Ok(Self { model, layout: Arc::new(layout), stages, inputs, outputs })
    }

    /// The error for a wrong number of outputs.
    fn misfit(&self, but: &str, wanted: usize) -> Error {
        let (model, outputs, last) = (&self.model, self.outputs, self.model.layers().len().saturating_sub(1));
        Error::usage(format!("layer {last} of model `{model}` has {outputs} outputs, {but}"))
            .advise(format!("end the model with {wanted}"))
    }

    /// The network as linear layers with ReLU between them, if it is no more.
    pub(crate) fn perceptron(&self) -> Option<Perceptron> {
        let dense = |stage: &Stage| match &stage.kind {
            Kind::Dense(dense) => Some(dense.clone()),
        };
        let stages = self.stages.iter().map(dense).collect::<Option<Vec<_>>>()?;
        Some(Perceptron { inputs: self.inputs, outputs: self.outputs, stages })
    }

    /// The layer whose outputs, one buffer per stage, are the first not to be finite.
    pub(crate) fn first_non_finite(&self, outputs: &[Buffer]) -> Option<String> {
        let mut stages = outputs.iter().zip(&self.stages);
        stages
            .find(|(output, _)| output.iter().any(|x| !x.is_finite()))
            .map(|(_, stage)| stage.layer.to_string())
    }

    /// Multiply-adds of one sample's forward and backward pass.
    pub fn work_per_sample(&self) -> usize {
        let products = |i| if i == 0 { 2 } else { 3 }; // nobody needs the gradient of the data
        let work = |(i, stage): (usize, &Stage)| match &stage.kind {
            Kind::Dense(dense) => products(i) * dense.inputs * dense.outputs,
        };
        self.stages.iter().enumerate().map(work).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(model: &str, inputs: usize, classes: usize) -> Result<Plan> {
        Plan::new(&model.parse().unwrap(), inputs, classes)
    }

    #[test]
    fn the_lectures_network_has_its_weights_and_work() {
        let plan = plan("784-400-256-10", 784, 10).unwrap();
        assert_eq!(plan.layout.parameters(), 784 * 400 + 400 + 400 * 256 + 256 + 2560 + 10);
        assert_eq!(plan.work_per_sample(), 2 * 784 * 400 + 3 * (400 * 256 + 256 * 10));
    }

    #[test]
    fn a_model_that_does_not_fit_the_data_is_refused_with_a_way_out() {
        for (model, part) in [
            ("100-10", "takes 100 numbers, but a sample has 784"),
            ("784-400-9", "has 9 outputs, but the data has 10 classes"),
            ("relu,linear:10", "no linear layer before it"),
        ] {
            let error = plan(model, 784, 10).unwrap_err();
            assert!(error.exit_code() == 2 && error.what.contains(part), "{error}");
            assert!(error.advice.is_some());
        }
        assert!(plan("784-4000000-4000000-10", 784, 10).is_err());
    }
}
