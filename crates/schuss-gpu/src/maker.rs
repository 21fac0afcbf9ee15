//! Makes the shaders of a network's stages.

use crate::device::Device;
use crate::places::{PARTS, Places};
use crate::program::{Groups, Kernel};
use crate::shader::{
    self, BatchNorm, Dropout, Forward, Fused, InputGradient, Jobs, LayerNorm, Rows, Swept, THREADS, Tile,
    Weights,
};
use crate::trace;
use schuss::Result;
use schuss::network::{Layer, Layout, Plan, Stage};
use schuss_kernels::padded;
use wgpu::PipelineLayout;

/// Makes the kernels of a plan.
pub(crate) struct Maker<'a> {
    pub(crate) device: &'a Device,
    pub(crate) layout: &'a PipelineLayout,
    pub(crate) places: &'a Places,
    pub(crate) plan: &'a Plan,
    pub(crate) seed: u64,
}

impl Maker<'_> {
    pub(crate) fn kernel(&self, name: &str, text: &str, groups: Groups) -> Result<Kernel> {
        let pipeline = self.device.pipeline(name, text, self.layout)?;
        Ok(Kernel { pipeline, groups })
    }

    /// Inputs of a stage.
    fn input(&self, index: usize) -> Rows {
        index.checked_sub(1).map_or(self.places.inputs, |before| self.places.outputs[before])
    }

    /// WGSL of the activation at a stage.
    fn activation(&self, index: usize) -> Option<String> {
        trace::activation(self.plan.stages().get(index)?.kind(), "act").map(|traced| traced.text)
    }

    fn dropout(&self, index: usize) -> Option<Dropout> {
        let stage = &self.plan.stages()[index];
        match stage.kind() {
            Layer::Dropout(layer) => Some(Dropout { layer: stage.layer(), p: layer.p, seed: self.seed }),
            _ => None,
        }
    }

    fn fused<'a>(&self, index: usize, text: &'a str) -> Fused<'a> {
        Fused { text, input: self.input(index), output: self.places.outputs[index] }
    }

    pub(crate) fn forward(&self) -> Result<Vec<Kernel>> {
        let (mut kernels, words) = (vec![], self.places.row_words);
        let mut index = 0;
        while let Some(stage) = self.plan.stages().get(index) {
            let (input, output) = (self.input(index), self.places.outputs[index]);
            if let Layer::Linear(_) = stage.kind() {
                let text = self.activation(index + 1);
                let fused = text.as_deref().map(|text| self.fused(index + 1, text));
                let tile = Tile::choose(&[[self.places.rows, output.width]]);
                let weights = weights(&self.plan.layout, stage);
                let text = shader::forward(
                    words,
                    &Forward { tile, input, output, weights, relu: stage.relu(), fused },
                );
                let groups = Groups::Tiles { cols: output.width, side: tile.side() };
                kernels.push(self.kernel("forward", &text, groups)?);
                index += usize::from(fused.is_some());
            } else {
                kernels.extend(self.forward_alone(index)?);
            }
            index += 1;
        }
        Ok(kernels)
    }

    pub(crate) fn backward(&self) -> Result<Vec<Kernel>> {
        let (mut kernels, lowest) = (vec![], self.plan.lowest_trained());
        let mut index = self.plan.stages().len();
        while index > lowest + 1 {
            index -= 1;
            if let Layer::Linear(_) = self.plan.stages()[index].kind() {
                let text = self.activation(index - 1).filter(|_| index - 1 > lowest);
                kernels.push(self.input_gradient(index, text.as_deref())?);
                index -= usize::from(text.is_some());
            } else {
                kernels.extend(self.backward_alone(index)?);
            }
        }
        Ok(kernels)
    }

    /// The gradient at the inputs of a linear stage, or, if the stage before is an activation of that `text`, at its
    /// inputs.
    fn input_gradient(&self, index: usize, text: Option<&str>) -> Result<Kernel> {
        let (places, stage) = (self.places, &self.plan.stages()[index]);
        let fused = text.map(|text| self.fused(index - 1, text));
        let to = places.slopes[index - 1 - usize::from(text.is_some())];
        let tile = Tile::choose(&[[places.rows, to.width]]);
        let relu = self.plan.stages()[index - 1].relu().then(|| self.input(index));
        let (from, weights) = (places.slopes[index], weights(&self.plan.layout, stage));
        let layer = InputGradient { tile, from, to, weights, relu, fused };
        let groups = Groups::Tiles { cols: to.width, side: tile.side() };
        self.kernel("input gradient", &shader::input_gradient(places.row_words, &layer), groups)
    }

    /// Outputs of a stage that no product computes; None if they are its inputs.
    fn forward_alone(&self, index: usize) -> Result<Option<Kernel>> {
        let (words, input, output) = (self.places.row_words, self.input(index), self.places.outputs[index]);
        let numbers = Groups::Numbers { stride: output.stride };
        let of_rows = Groups::Numbers { stride: 1 };
        let (text, groups) = match self.plan.stages()[index].kind() {
            Layer::Dropout(_) => {
                (self.dropout(index).map(|dropout| shader::dropout(words, dropout, input, output)), numbers)
            }
            Layer::LogSoftmax(_) => (Some(shader::log_softmax(words, input, output)), of_rows),
            Layer::BatchNorm(_) => {
                let text = self.batch_norm(index).map(|layer| shader::batch_norm(words, &layer));
                (text, of_columns(output))
            }
            Layer::LayerNorm(_) => {
                (self.layer_norm(index).map(|layer| shader::layer_norm(words, &layer, output)), of_rows)
            }
            _ => {
                let text = self.activation(index);
                (text.map(|text| shader::activation(words, &text, input, output)), numbers)
            }
        };
        text.map(|text| self.kernel("forward", &text, groups)).transpose()
    }

    /// The gradient at the inputs of a stage that is no product; None if it is that at its outputs.
    fn backward_alone(&self, index: usize) -> Result<Option<Kernel>> {
        let Places { row_words: words, slopes, outputs, .. } = self.places;
        let (from, to, words) = (slopes[index], slopes[index - 1], *words);
        let numbers = Groups::Numbers { stride: to.stride };
        let of_rows = Groups::Numbers { stride: 1 };
        let (text, groups) = match self.plan.stages()[index].kind() {
            Layer::Dropout(_) => {
                (self.dropout(index).map(|dropout| shader::dropout(words, dropout, from, to)), numbers)
            }
            Layer::LogSoftmax(_) => {
                (Some(shader::log_softmax_gradient(words, outputs[index], from, to)), of_rows)
            }
            Layer::BatchNorm(_) => {
                let gradient =
                    |layer| shader::batch_norm_gradient(words, &layer, from, Some(to), self.places.sums);
                (self.batch_norm(index).map(gradient), of_columns(to))
            }
            Layer::LayerNorm(_) => {
                let text =
                    self.layer_norm(index).map(|layer| shader::layer_norm_gradient(words, &layer, from, to));
                (text, of_rows)
            }
            _ => {
                let pair = [self.input(index), outputs[index]];
                let text = self.activation(index);
                (text.map(|text| shader::activation_gradient(words, &text, pair, from, to)), numbers)
            }
        };
        text.map(|text| self.kernel("backward", &text, groups)).transpose()
    }

    pub(crate) fn gradients(&self, jobs: &Jobs) -> Result<Vec<Kernel>> {
        let Places { row_words, params, sums, .. } = *self.places;
        let text = shader::gradients(row_words, jobs, &[], params, sums);
        let mut kernels = vec![self.kernel("gradients", &text, Groups::Fixed(jobs.total()))?];
        for index in 0..self.plan.stages().len() {
            if let Some(layer) = self.batch_norm(index).filter(|_| index == self.plan.lowest_trained()) {
                let from = self.places.slopes[index];
                let text = shader::batch_norm_gradient(row_words, &layer, from, None, sums);
                kernels.push(self.kernel("batch norm gradients", &text, of_columns(from))?);
            }
            let Some(layer) = self.layer_norm(index) else { continue };
            let text = shader::layer_norm_sums(row_words, &layer, self.places.slopes[index], sums);
            let groups = (layer.input.width as u32).div_ceil(THREADS);
            kernels.push(self.kernel("layer norm gradients", &text, Groups::Fixed(groups))?);
        }
        Ok(kernels)
    }

    fn batch_norm(&self, index: usize) -> Option<BatchNorm> {
        let stage = &self.plan.stages()[index];
        let Layer::BatchNorm(layer) = stage.kind() else { return None };
        let first = stage.entries().start;
        let place = |tensor: usize| self.plan.layout.entries()[first + tensor].offset;
        Some(BatchNorm {
            eps: layer.eps,
            momentum: layer.momentum,
            group: self.places.group,
            tensors: [0, 1, 2, 3].map(place),
            input: self.input(index),
            output: self.places.outputs[index],
        })
    }

    fn layer_norm(&self, index: usize) -> Option<LayerNorm> {
        let stage = &self.plan.stages()[index];
        let Layer::LayerNorm(layer) = stage.kind() else { return None };
        let first = stage.entries().start;
        let [gain, bias] = [0, 1].map(|tensor| self.plan.layout.entries()[first + tensor].offset);
        let (input, moments) = (self.input(index), self.places.moments[index]);
        Some(LayerNorm { eps: layer.eps, gain, bias, input, moments })
    }

    /// Two kernels, partial sums and factors, if a group clips the norm of its gradients.
    pub(crate) fn norms(&self, tensors: &[Swept], clips: &[Option<f64>]) -> Result<Vec<Kernel>> {
        if clips.iter().all(Option::is_none) {
            return Ok(vec![]);
        }
        let Places { row_words, sums, factors, .. } = *self.places;
        let parts = shader::norm_parts(row_words, tensors, clips.len(), sums, factors + clips.len());
        let last = shader::norm_factors(row_words, clips, factors);
        let count = (clips.len() * PARTS) as u32;
        Ok(vec![
            self.kernel("parts of norms", &parts, Groups::Fixed(count))?,
            self.kernel("norms", &last, Groups::Fixed(1))?,
        ])
    }
}

/// A thread for each column.
fn of_columns(rows: Rows) -> Groups {
    Groups::Fixed((rows.width as u32).div_ceil(THREADS))
}

/// Returns the places of a linear stage's weights.
pub(crate) fn weights(layout: &Layout, stage: &Stage) -> Weights {
    let [weight, bias] = [0, 1].map(|index| &layout.entries()[stage.entries().start + index]);
    Weights { weight: weight.offset, stride: padded(weight.cols), bias: bias.offset }
}
