//! The checked list of kernels that a network runs as; backward is the same list read upwards.

use super::activity::Activity;
use super::layer::{BatchNorm, Dropout, LayerNorm};
use super::layout::{Layout, Role};
use super::{Layer, Model};
use crate::recipe::Targets;
use crate::{Error, Result};
use schuss_kernels::{Buffer, padded};
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
    pub(crate) kind: StageKind,
    /// Entries of the layout that it trains, other than a linear layer's.
    pub(crate) vectors: Range<usize>,
}

/// What a stage computes.
#[derive(Clone, Debug)]
pub(crate) enum StageKind {
    /// A linear layer, with the ReLU that stands between it and the next one.
    Dense(Dense),
    /// A function of each number.
    Activation(Layer),
    /// A learnt slope per unit below zero.
    Prelu,
    /// Some inputs left out.
    Dropout(Dropout),
    /// Normalised over samples; then running mean and variance, in the layout from this entry on.
    BatchNorm(BatchNorm, usize),
    /// Normalised over the numbers of a sample.
    LayerNorm(LayerNorm),
    /// Logarithms of probabilities.
    LogSoftmax,
    /// A penalty on what passes.
    Activity(Activity),
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

    /// The same for targets that need not be classes: `outputs` of them are to be predicted, or the input itself.
    ///
    /// # Errors
    /// Usage errors that name the layer.
    pub fn for_targets(model: &Model, inputs: usize, outputs: usize, targets: Targets) -> Result<Self> {
        let (wanted, but) = match targets {
            Targets::Class => return Self::new(model, inputs, outputs),
            Targets::Real => (outputs, format!("but {outputs} are to be predicted for a sample")),
            Targets::Input => (inputs, format!("but a sample has {inputs} numbers")),
        };
        let plan = Self::unchecked(model, inputs)?;
        if plan.outputs == wanted { Ok(plan) } else { Err(plan.misfit(&but, wanted)) }
    }

    /// `model` for samples of `inputs` numbers, whatever its outputs are to tell.
    ///
    /// # Errors
    /// Usage errors that name the layer.
    pub(crate) fn unchecked(model: &Model, inputs: usize) -> Result<Self> {
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
            StageKind::Dense(dense) => Some(dense.clone()),
            _ => None,
        };
        let stages = self.stages.iter().map(dense).collect::<Option<Vec<_>>>()?;
        Some(Perceptron { inputs: self.inputs, outputs: self.outputs, stages })
    }

    /// Whether the way of a sample depends on others.
    pub(crate) fn has_statistics(&self) -> bool {
        self.stages.iter().any(|stage| {
            matches!(stage.kind, StageKind::BatchNorm(..) | StageKind::Activity(Activity::Kl(_)))
        })
    }

    /// Refuses statistics over groups of `samples` samples that tell nothing.
    ///
    /// # Errors
    /// A usage error that names the layer.
    pub(crate) fn check_statistics(&self, samples: usize) -> Result<()> {
        match self.stages.iter().find(|stage| matches!(stage.kind, StageKind::BatchNorm(..))) {
            Some(Stage { layer, .. }) if samples < 2 => Err(Error::usage(format!(
                "layer {layer} of model `{}` normalises over samples, but gets them one by one",
                self.model
            ))
            .advise("update from two samples or more (batch:32), or take layer-norm")),
            _ => Ok(()),
        }
    }

    /// Numbers that normalising stages need for the moments of up to `rows` samples.
    pub(crate) fn scratch(&self, rows: usize) -> usize {
        let needed = |stage: &Stage| match stage.kind {
            StageKind::BatchNorm(..) => 5 * padded(stage.inputs),
            StageKind::LayerNorm(_) => padded(2 * rows),
            _ => 0,
        };
        self.stages.iter().map(needed).max().unwrap_or(0)
    }

    /// Numbers of the longest vectors that a stage trains, pad lanes included.
    pub(crate) fn largest_vectors(&self) -> usize {
        let biases = self.stages.iter().map(|stage| padded(stage.outputs));
        let others = self.stages.iter().map(|stage| stage.vectors(&self.layout).1.len());
        biases.chain(others).max().unwrap_or(0)
    }

    /// The first stage that trains anything: below it nobody needs a gradient.
    pub(crate) fn lowest_trained(&self) -> usize {
        let trains = |stage: &Stage| matches!(stage.kind, StageKind::Dense(_)) || !stage.vectors.is_empty();
        self.stages.iter().position(trains).unwrap_or(self.stages.len())
    }

    /// Whether the stage before `index` is a linear layer with a ReLU.
    pub(crate) fn relu_before(&self, index: usize) -> bool {
        index > 0 && matches!(&self.stages[index - 1].kind, StageKind::Dense(dense) if dense.relu)
    }

    /// The widest row of gradients that a stage reads or writes.
    pub(crate) fn widest_gradient(&self) -> usize {
        let lowest = self.lowest_trained();
        let reads = |(index, stage): (usize, &Stage)| match stage.kind {
            StageKind::Dense(_) if index <= lowest => stage.outputs,
            _ => stage.outputs.max(stage.inputs),
        };
        self.stages.iter().enumerate().map(reads).max().unwrap_or(self.outputs)
    }

    /// The layer whose outputs, one buffer per stage, are the first not to be finite.
    pub(crate) fn first_non_finite(&self, outputs: &[Buffer]) -> Option<String> {
        let mut stages = outputs.iter().zip(&self.stages);
        stages
            .find(|(output, _)| output.iter().any(|x| !x.is_finite()))
            .map(|(_, stage)| stage.layer.to_string())
    }

    /// Bytes that a sample takes on its way: inputs, outputs of every stage, and gradients.
    pub fn bytes_per_sample(&self) -> usize {
        let outputs: usize = self.stages.iter().map(|stage| padded(stage.outputs)).sum();
        (padded(self.inputs) + outputs + 2 * padded(self.widest_gradient())) * size_of::<f32>()
    }

    /// Multiply-adds of one sample's forward and backward pass.
    pub fn work_per_sample(&self) -> usize {
        let products = |i| if i == 0 { 2 } else { 3 }; // nobody needs the gradient of the data
        let work = |(i, stage): (usize, &Stage)| match &stage.kind {
            StageKind::Dense(dense) => products(i) * dense.inputs * dense.outputs,
            _ => 0,
        };
        self.stages.iter().enumerate().map(work).sum()
    }
}

fn stages(model: &Model, layout: &Layout, inputs: usize) -> Vec<Stage> {
    let (mut stages, mut inputs, mut entry) = (Vec::<Stage>::new(), inputs, 0);
    for (layer, kind) in model.layers().iter().enumerate() {
        let linear_follows = matches!(model.layers().get(layer + 1), Some(Layer::Linear(_)));
        let before = stages.last_mut().map(|stage| &mut stage.kind);
        if let (Layer::Relu(_), true, Some(StageKind::Dense(dense))) = (kind, linear_follows, before) {
            dense.relu = true;
            continue;
        }
        let own = layout.entries()[entry..].iter().take_while(|entry| entry.layer() == layer).count();
        let stage = stage(layer, kind, inputs, entry..entry + own, layout);
        (inputs, entry) = (stage.outputs, entry + own);
        stages.push(stage);
    }
    stages
}

/// The stage of a layer on `inputs` numbers, whose tensors are `entries` of the layout.
fn stage(layer: usize, kind: &Layer, inputs: usize, entries: Range<usize>, layout: &Layout) -> Stage {
    if let Layer::Linear(linear) = kind {
        let [weight, bias] = [0, 1].map(|i| layout.entries()[entries.start + i].range());
        let outputs = linear.outputs;
        let dense = Dense { inputs, outputs, entry: entries.start, weight, bias, relu: false };
        return Stage { layer, inputs, outputs, kind: StageKind::Dense(dense), vectors: 0..0 };
    }
    let trained = layout.entries()[entries.clone()].iter().filter(|entry| entry.role != Role::Buffer).count();
    let vectors = entries.start..entries.start + trained;
    let kind = match kind.clone() {
        Layer::Prelu(_) => StageKind::Prelu,
        Layer::Dropout(dropout) => StageKind::Dropout(dropout),
        Layer::BatchNorm(norm) => StageKind::BatchNorm(norm, vectors.end),
        Layer::LayerNorm(norm) => StageKind::LayerNorm(norm),
        Layer::LogSoftmax(_) => StageKind::LogSoftmax,
        Layer::ActivityL1(penalty) => StageKind::Activity(Activity::L1(penalty)),
        Layer::ActivityKl(penalty) => StageKind::Activity(Activity::Kl(penalty)),
        function => StageKind::Activation(function),
    };
    Stage { layer, inputs, outputs: inputs, kind, vectors }
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
