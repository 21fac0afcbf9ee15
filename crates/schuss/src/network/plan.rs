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

/// One step of the forward pass: y = x W + b, with the ReLU that may follow.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    /// Index of the linear layer, its name in files and messages.
    pub(crate) layer: usize,
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

impl Plan {
    /// Checks `model` against samples of `inputs` numbers in `classes` classes.
    ///
    /// # Errors
    /// Usage errors that name the layer.
    pub fn new(model: &Model, inputs: usize, classes: usize) -> Result<Self> {
        if let Some(given) = model.inputs().filter(|&given| given != inputs) {
            return Err(Error::usage(format!(
                "model `{model}` takes {given} numbers, but a sample has {inputs}"
            ))
            .advise(format!("begin the model with {inputs}")));
        }
        let model = model.clone().with_inputs(inputs);
        let layout = Layout::new(&model, inputs)?;
        let stages = stages(&model, &layout, inputs)?;
        let outputs = stages.last().map_or(0, |stage| stage.outputs);
        if outputs < classes {
            let last = model.layers().len() - 1;
            return Err(Error::usage(format!(
                "layer {last} of model `{model}` has {outputs} outputs, but the data has {classes} classes"
            ))
            .advise(format!("end the model with {classes}")));
        }
        Ok(Self { model, layout: Arc::new(layout), stages, inputs, outputs })
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
        self.stages.iter().enumerate().map(|(i, stage)| products(i) * stage.inputs * stage.outputs).sum()
    }
}

fn stages(model: &Model, layout: &Layout, inputs: usize) -> Result<Vec<Stage>> {
    let (mut stages, mut inputs) = (Vec::<Stage>::new(), inputs);
    let mut tensors = layout.entries().chunks_exact(2).enumerate();
    for (layer, kind) in model.layers().iter().enumerate() {
        match (*kind, stages.last_mut()) {
            (Layer::Linear(outputs), _) => {
                let Some((pair, [weight, bias])) = tensors.next() else { continue };
                let (weight, bias) = (weight.range(), bias.range());
                stages.push(Stage { layer, inputs, outputs, entry: 2 * pair, weight, bias, relu: false });
                inputs = outputs;
            }
            (Layer::Relu, Some(stage)) => stage.relu = true,
            (Layer::Relu, None) => {
                return Err(Error::usage(format!(
                    "layer {layer} of model `{model}` is a relu with no linear layer before it"
                ))
                .advise("begin with a linear layer, as in linear:400,relu,linear:10"));
            }
        }
    }
    Ok(stages)
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
