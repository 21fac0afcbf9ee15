//! Where each tensor stands in the flat buffer of parameters.

use super::{Layer, Model};
use crate::{Error, Result};
use schuss_kernels::padded;
use std::ops::Range;

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// A matrix, input-major: `[inputs][outputs padded to 16]`.
    Weight,
    /// One number per output.
    Bias,
    /// A factor or slope per output.
    Gain,
    /// Numbers that are measured, not trained: running statistics.
    Buffer,
}

/// One tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its name in a `torch.nn.Sequential` of the same layers: `0.weight`, `0.bias`, `2.weight`.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// Rows of a weight (its inputs); 1 for a bias.
    pub rows: usize,
    /// Columns (outputs), without padding.
    pub cols: usize,
    /// Inputs of its layer, from which the range of its first values follows.
    pub fan_in: usize,
    /// What it is at first, if that is not drawn.
    pub first: Option<f32>,
    /// Where it starts.
    pub offset: usize,
}

impl Entry {
    /// Numbers it takes in the buffer, pad lanes included.
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.rows * padded(self.cols)
    }

    /// Numbers that count.
    pub fn len(&self) -> usize {
        self.rows * self.cols
    }

    /// Whether it has no number (it never does; layers have at least one unit).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Index of its layer.
    pub(crate) fn layer(&self) -> usize {
        self.name.split('.').next().and_then(|layer| layer.parse().ok()).unwrap_or(0)
    }

    /// Shape in PyTorch's order: `[outputs, inputs]`, or `[outputs]` for a bias.
    pub fn torch_shape(&self) -> Vec<usize> {
        match self.role {
            Role::Weight => vec![self.cols, self.rows],
            Role::Bias | Role::Gain | Role::Buffer => vec![self.cols],
        }
    }

    /// Places in the buffer of all its elements, in PyTorch's order: `[outputs, inputs]` row after row.
    pub fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let (offset, rows, stride) = (self.offset, self.rows, padded(self.cols));
        (offset..offset + self.cols).flat_map(move |first| (0..rows).map(move |row| first + row * stride))
    }
}

/// All tensors of a network, in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    entries: Vec<Entry>,
    len: usize,
}

/// More numbers than this are refused before anything is allocated (64 GiB of weights alone).
const MAX_PARAMETERS: usize = 1 << 34;

impl Layout {
    /// The layout of `model` on inputs of `inputs` numbers.
    ///
    /// # Errors
    /// If the network is too large to be meant.
    pub fn new(model: &Model, inputs: usize) -> Result<Self> {
        let (mut layout, mut fan_in) = (Self { entries: vec![], len: 0 }, inputs);
        for (index, layer) in model.layers().iter().enumerate() {
            let too_large = || Error::usage(format!("`{model}` has more than {MAX_PARAMETERS} weights"));
            for tensor in tensors(layer, fan_in) {
                layout.push(index, &tensor, fan_in).ok_or_else(too_large)?;
            }
            if let Layer::Linear(linear) = layer {
                fan_in = linear.outputs;
            }
        }
        Ok(layout)
    }

    /// Where numbers stand that are measured, not trained.
    pub(crate) fn measured(&self) -> impl Iterator<Item = Range<usize>> {
        self.entries.iter().filter(|entry| entry.role == Role::Buffer).map(Entry::range)
    }

    /// Appends a tensor, unless there is no room.
    fn push(&mut self, layer: usize, tensor: &Tensor, fan_in: usize) -> Option<()> {
        let &Tensor { suffix, role, rows, cols, first } = tensor;
        let size = rows.checked_mul(padded(cols)).filter(|size| *size < MAX_PARAMETERS - self.len)?;
        let (name, offset) = (format!("{layer}.{suffix}"), self.len);
        self.entries.push(Entry { name, role, rows, cols, fan_in, first, offset });
        self.len += size;
        Some(())
    }

    /// One vector of `len` numbers: weights that belong to no network.
    pub(crate) fn of_vector(len: usize) -> Self {
        let entry = Entry {
            name: "0".into(),
            role: Role::Weight,
            rows: 1,
            cols: len,
            fan_in: 1,
            first: None,
            offset: 0,
        };
        Self { len: padded(len), entries: vec![entry] }
    }

    /// The tensors, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Numbers in the buffer, pad lanes included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Trainable numbers, pad lanes left out.
    pub fn parameters(&self) -> usize {
        self.entries.iter().filter(|entry| entry.role != Role::Buffer).map(Entry::len).sum()
    }
}

/// A tensor of a layer.
struct Tensor {
    suffix: &'static str,
    role: Role,
    rows: usize,
    cols: usize,
    first: Option<f32>,
}

/// The tensors of `layer` on `inputs` numbers, under PyTorch's names.
fn tensors(layer: &Layer, inputs: usize) -> Vec<Tensor> {
    let row = |suffix, role, first| Tensor { suffix, role, rows: 1, cols: inputs, first: Some(first) };
    let scale = || vec![row("weight", Role::Gain, 1.0), row("bias", Role::Bias, 0.0)];
    match layer {
        Layer::Linear(linear) => {
            let tensor =
                |suffix, role, rows| Tensor { suffix, role, rows, cols: linear.outputs, first: None };
            vec![tensor("weight", Role::Weight, inputs), tensor("bias", Role::Bias, 1)]
        }
        Layer::Prelu(prelu) => vec![row("weight", Role::Gain, prelu.slope as f32)],
        Layer::LayerNorm(_) => scale(),
        Layer::BatchNorm(_) => {
            let running = [row("running_mean", Role::Buffer, 0.0), row("running_var", Role::Buffer, 1.0)];
            scale().into_iter().chain(running).collect()
        }
        _ => vec![],
    }
}
