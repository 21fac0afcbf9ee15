//! Validated list of the stages of a network; the backward pass goes through it in reverse.

use super::layer::Operation;
use super::layout::{Entry, Layout, Role};
use super::{Layer, Model};
use crate::loss::{Ending, Targets};
use crate::{Cause, Error, Result};
use schuss_data::Shape;
use schuss_kernels::{Buffer, padded};
use std::ops::Range;
use std::sync::Arc;

/// A network whose shapes match its data.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Model with the size of its input.
    pub model: Model,
    /// Layout of its tensors.
    pub layout: Arc<Layout>,
    /// Stages, first to last.
    pub(crate) stages: Vec<Stage>,
    /// Shape of a sample.
    pub input: Shape,
    /// Number of features per sample.
    pub inputs: usize,
    /// Number of outputs per sample.
    pub outputs: usize,
}

/// Layer at its place in the network, with the ReLU fused into it, if any.
#[derive(Clone, Debug)]
pub struct Stage {
    /// Index of the layer in the model, its name in files and messages.
    pub(crate) layer: usize,
    kind: Layer,
    pub(crate) input: Shape,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Its entries in the layout, trained ones first.
    pub(crate) entries: Range<usize>,
    /// The number of trained entries.
    trained: usize,
    /// True if a ReLU runs inside its product.
    pub(crate) relu: bool,
}

impl Stage {
    /// Index of the layer in the model.
    pub fn layer(&self) -> usize {
        self.layer
    }

    /// The layer.
    pub fn kind(&self) -> &Layer {
        &self.kind
    }

    /// Number of inputs per sample.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of outputs per sample.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Its entries in the layout, trained ones first.
    pub fn entries(&self) -> Range<usize> {
        self.entries.clone()
    }

    /// True if a ReLU runs inside its product.
    pub fn relu(&self) -> bool {
        self.relu
    }

    pub(crate) fn operation(&self) -> &dyn Operation {
        self.kind.operation()
    }

    /// Its tensors.
    pub(crate) fn tensors<'a>(&self, layout: &'a Layout) -> &'a [Entry] {
        &layout.entries()[self.entries.clone()]
    }

    /// Entries of its trained tensors.
    pub(crate) fn trained(&self) -> Range<usize> {
        self.entries.start..self.entries.start + self.trained
    }

    /// Range of its trained tensors, which are consecutive in the parameters.
    pub(crate) fn place(&self, layout: &Layout) -> Range<usize> {
        let ranges = layout.entries()[self.trained()].iter().map(Entry::range);
        ranges.reduce(|all, next| all.start..next.end).unwrap_or(0..0)
    }

    /// Returns its weight and bias, if it is a linear layer.
    fn linear(&self, layout: &Layout) -> Option<Dense> {
        let (Layer::Linear(_), [weight, bias]) = (&self.kind, self.tensors(layout)) else { return None };
        let (inputs, outputs, relu) = (self.inputs, self.outputs, self.relu);
        Some(Dense { inputs, outputs, weight: weight.range(), bias: bias.range(), relu })
    }
}

/// y = x W + b, then ReLU if `relu`.
#[derive(Clone, Debug)]
pub(crate) struct Dense {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    /// Range of W in the parameters.
    pub(crate) weight: Range<usize>,
    /// Range of b in the parameters.
    pub(crate) bias: Range<usize>,
    pub(crate) relu: bool,
}

/// A network of only linear layers, with or without ReLU between them.
#[derive(Clone, Debug)]
pub(crate) struct Perceptron {
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) stages: Vec<Dense>,
}

impl Perceptron {
    /// Numbers of inputs and outputs of the first layer.
    pub(crate) fn first_layer(&self) -> (usize, usize) {
        self.stages.first().map_or((0, 0), |first| (first.inputs, first.outputs))
    }
}

impl Plan {
    /// Stages, first to last.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// Checks `model` against samples of shape `input` in `classes` classes.
    ///
    /// # Errors
    /// Usage errors that name the layer.
    pub fn new(model: &Model, input: impl Into<Shape>, classes: usize) -> Result<Self> {
        let plan = Self::unchecked(model, input)?;
        if plan.outputs < classes {
            return Err(plan.misfit(&format!("but the data has {classes} classes"), classes));
        }
        Ok(plan)
    }

    /// Checks `model` for any targets: `outputs` classes or numbers per sample, or the input itself.
    ///
    /// # Errors
    /// Usage errors that name the layer.
    pub fn for_targets(
        model: &Model,
        input: impl Into<Shape>,
        outputs: usize,
        targets: Targets,
    ) -> Result<Self> {
        let input = input.into();
        let inputs = input.features();
        let (wanted, but) = match targets {
            Targets::Class => return Self::new(model, input, outputs),
            Targets::Real => (outputs, format!("but a sample has {outputs} targets")),
            Targets::Input => (inputs, format!("but a sample has {inputs} numbers")),
        };
        let plan = Self::unchecked(model, input)?;
        if plan.outputs == wanted { Ok(plan) } else { Err(plan.misfit(&but, wanted)) }
    }

    /// Plans `model` for samples of shape `input`, whatever its outputs are.
    ///
    /// # Errors
    /// Usage errors that name the layer.
    pub(crate) fn unchecked(model: &Model, input: impl Into<Shape>) -> Result<Self> {
        let input = input.into();
        let inputs = input.features();
        if let Some(given) = model.inputs().filter(|&given| given != inputs) {
            return Err(Error::usage(format!(
                "model `{model}` takes {given} numbers, but a sample has {inputs}"
            ))
            .because(Cause::Mismatch)
            .advise(format!("begin the model with {inputs}")));
        }
        let model = model.clone().with_inputs(inputs);
        let layout = Layout::new(&model, input)?;
        let stages = fuse_relu(stages(&model, &layout, input)?);
        let outputs = stages.last().map_or(inputs, |stage| stage.outputs);
        Ok(Self { model, layout: Arc::new(layout), stages, input, inputs, outputs })
    }

    /// Returns the facts about the network that a loss depends on.
    pub(crate) fn ending(&self) -> Ending<'_> {
        let last_layer = self.model.layers().last().map(Layer::name);
        Ending { text: &self.model, last_layer, outputs: self.outputs }
    }

    /// Returns the error for a wrong number of outputs.
    fn misfit(&self, but: &str, wanted: usize) -> Error {
        let (model, outputs, last) = (&self.model, self.outputs, self.model.layers().len().saturating_sub(1));
        Error::usage(format!("layer {last} of model `{model}` has {outputs} outputs, {but}"))
            .because(Cause::Mismatch)
            .advise(format!("end the model with {wanted}"))
    }

    /// Returns the network as a perceptron, if it has no other layers.
    pub(crate) fn perceptron(&self) -> Option<Perceptron> {
        let stages =
            self.stages.iter().map(|stage| stage.linear(&self.layout)).collect::<Option<Vec<_>>>()?;
        Some(Perceptron { inputs: self.inputs, outputs: self.outputs, stages })
    }

    /// True if a sample's outputs or gradients depend on other samples.
    pub(crate) fn has_statistics(&self) -> bool {
        self.stages.iter().any(|stage| stage.operation().needs().batch_statistics)
    }

    /// Checks that groups of `samples` samples are large enough for their statistics.
    ///
    /// # Errors
    /// A usage error that names the layer.
    pub fn check_statistics(&self, samples: usize) -> Result<()> {
        match self.stages.iter().find(|stage| stage.operation().needs().fewest_samples > samples) {
            Some(Stage { layer, .. }) => Err(Error::usage(format!(
                "layer {layer} of model `{}` normalises over samples, but gets only one at a time",
                self.model
            ))
            .because(Cause::Mismatch)
            .advise("use updates of at least 2 samples (batch:32), or layer-norm")),
            None => Ok(()),
        }
    }

    /// Number of floats of scratch memory for passes over up to `rows` samples.
    pub(crate) fn scratch(&self, rows: usize) -> usize {
        self.stages.iter().map(|stage| stage.operation().scratch(stage.input, rows)).max().unwrap_or(0)
    }

    /// Number of floats of the longest vectors that a stage trains, pad lanes included.
    pub(crate) fn largest_vectors(&self) -> usize {
        let biases = self.stages.iter().map(|stage| padded(stage.outputs));
        let is_vector = |stage: &&Stage| stage.linear(&self.layout).is_none();
        let others = self.stages.iter().filter(is_vector).map(|stage| stage.place(&self.layout).len());
        biases.chain(others).max().unwrap_or(0)
    }

    /// Returns the first stage that trains anything: no gradient is needed below it.
    pub fn lowest_trained(&self) -> usize {
        self.stages.iter().position(|stage| stage.trained > 0).unwrap_or(self.stages.len())
    }

    /// Returns the stages that gradients go through, last to first.
    pub(crate) fn backwards(&self) -> impl Iterator<Item = usize> + use<> {
        (self.lowest_trained()..self.stages.len()).rev()
    }

    /// True if the stage before `index` ends with a fused ReLU.
    pub(crate) fn relu_before(&self, index: usize) -> bool {
        index > 0 && self.stages[index - 1].relu
    }

    /// Width of the widest row of gradients that a stage reads or writes.
    pub(crate) fn widest_gradient(&self) -> usize {
        let lowest = self.lowest_trained();
        let needed = |(index, stage): (usize, &Stage)| match index <= lowest {
            true => stage.outputs,
            false => stage.outputs.max(stage.inputs),
        };
        self.stages.iter().enumerate().map(needed).max().unwrap_or(self.outputs)
    }

    /// Returns the first layer whose outputs are not finite; `outputs` has one buffer per stage.
    pub(crate) fn first_non_finite(&self, outputs: &[Buffer]) -> Option<String> {
        let mut stages = outputs.iter().zip(&self.stages);
        stages
            .find(|(output, _)| output.iter().any(|x| !x.is_finite()))
            .map(|(_, stage)| stage.layer.to_string())
    }

    /// Number of bytes per sample in a forward pass: inputs, and outputs of every stage.
    pub(crate) fn bytes_forward(&self) -> usize {
        let outputs: usize = self.stages.iter().map(|stage| padded(stage.outputs)).sum();
        (padded(self.inputs) + outputs) * size_of::<f32>()
    }

    /// Number of bytes per sample in a pass: inputs, outputs of every stage, and gradients.
    pub fn bytes_per_sample(&self) -> usize {
        self.bytes_forward() + 2 * padded(self.widest_gradient()) * size_of::<f32>()
    }

    /// Number of multiply-adds of one sample's forward and backward pass.
    pub fn work_per_sample(&self) -> usize {
        let passes = |index| if index == 0 { 2 } else { 3 }; // the gradient of the data is never computed
        let work =
            |(index, stage): (usize, &Stage)| passes(index) * stage.operation().multiply_adds(stage.input);
        self.stages.iter().enumerate().map(work).sum()
    }
}

/// Creates one stage per layer.
///
/// # Errors
/// A usage error that names the layer that does not accept its input.
fn stages(model: &Model, layout: &Layout, input: Shape) -> Result<Vec<Stage>> {
    let (mut input, mut first) = (input, 0);
    let stage = |(layer, kind): (usize, &Layer)| {
        let own = layout.entries()[first..].iter().take_while(|entry| entry.layer() == layer);
        let (all, trained) = own.fold((0, 0), |(all, trained), entry| {
            (all + 1, trained + usize::from(entry.role != Role::Buffer))
        });
        let output = model.output_of(layer, input)?;
        let (inputs, outputs) = (input.features(), output.features());
        let (kind, entries) = (kind.clone(), first..first + all);
        let stage = Stage { layer, kind, input, inputs, outputs, entries, trained, relu: false };
        (input, first) = (output, first + all);
        Ok(stage)
    };
    model.layers().iter().enumerate().map(stage).collect()
}

/// Fusion pass: a ReLU between two linear layers runs inside the product of the first.
fn fuse_relu(stages: Vec<Stage>) -> Vec<Stage> {
    let mut fused: Vec<Stage> = Vec::with_capacity(stages.len());
    let mut rest = stages.into_iter().peekable();
    while let Some(stage) = rest.next() {
        let is_linear = |stage: &Stage| matches!(stage.kind, Layer::Linear(_));
        let between = matches!(stage.kind, Layer::Relu(_)) && rest.peek().is_some_and(is_linear);
        match fused.last_mut().filter(|before| between && is_linear(before)) {
            Some(before) => before.relu = true,
            None => fused.push(stage),
        }
    }
    fused
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
        ] {
            let error = plan(model, 784, 10).unwrap_err();
            assert!(error.exit_code() == 2 && error.what.contains(part), "{error}");
            assert!(error.advice.is_some());
        }
        assert!(plan("784-4000000-4000000-10", 784, 10).is_err());
    }
}
