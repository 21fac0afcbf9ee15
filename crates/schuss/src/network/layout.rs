//! Offsets of tensors in the flat parameter buffer.

use super::Model;
use super::layer::Tensor;
use crate::{Error, Result};
use schuss_data::Shape;
use schuss_kernels::padded;
use std::ops::Range;

/// Role of a tensor.
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
    /// Name in a `torch.nn.Sequential` of the same layers: `0.weight`, `0.bias`, `2.weight`.
    pub name: String,
    /// Role of the tensor.
    pub role: Role,
    /// Rows of a weight (its inputs); 1 for a bias.
    pub rows: usize,
    /// Columns (outputs), without padding.
    pub cols: usize,
    /// Number of inputs that an output of its layer is computed from.
    pub fan_in: usize,
    /// Number of outputs that an input of its layer goes into.
    pub fan_out: usize,
    /// Initial value, unless it is drawn.
    pub first: Option<f32>,
    /// Offset of the first element in the buffer.
    pub offset: usize,
}

impl Entry {
    /// Range in the buffer, pad lanes included.
    pub fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.rows * padded(self.cols)
    }

    /// Number of elements, without padding.
    pub fn len(&self) -> usize {
        self.rows * self.cols
    }

    /// Returns true if the tensor has no element (never the case; layers have at least one unit).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// True if it is trained, not measured.
    pub(crate) fn is_trained(&self) -> bool {
        self.role != Role::Buffer
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

    /// Positions of all elements in the buffer, in PyTorch's order: `[outputs, inputs]` row by row.
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

/// Maximum length of the buffer; more is refused before anything is allocated (64 GiB of weights alone).
const MAX_PARAMETERS: usize = 1 << 34;

impl Layout {
    /// Lays out the tensors of `model` for samples of shape `input`.
    ///
    /// # Errors
    /// If a layer does not accept its input, or the network is unreasonably large.
    pub fn new(model: &Model, input: impl Into<Shape>) -> Result<Self> {
        let (mut layout, mut input) = (Self { entries: vec![], len: 0 }, input.into());
        for (index, layer) in model.layers().iter().enumerate() {
            let too_large = || Error::usage(format!("`{model}` has more than {MAX_PARAMETERS} weights"));
            for tensor in layer.operation().tensors(input) {
                layout.push(index, &tensor).ok_or_else(too_large)?;
            }
            input = model.output_of(index, input)?;
        }
        Ok(layout)
    }

    /// Ranges of numbers that are measured, not trained.
    pub(crate) fn measured(&self) -> impl Iterator<Item = Range<usize>> {
        self.entries.iter().filter(|entry| entry.role == Role::Buffer).map(Entry::range)
    }

    /// Appends a tensor; returns None if there is no room.
    fn push(&mut self, layer: usize, tensor: &Tensor) -> Option<()> {
        let &Tensor { suffix, role, rows, cols, fan_in, fan_out, first } = tensor;
        let size = rows.checked_mul(padded(cols)).filter(|size| *size < MAX_PARAMETERS - self.len)?;
        let (name, offset) = (format!("{layer}.{suffix}"), self.len);
        self.entries.push(Entry { name, role, rows, cols, fan_in, fan_out, first, offset });
        self.len += size;
        Some(())
    }

    /// Creates the layout of one vector of `len` numbers, for weights that belong to no network.
    pub(crate) fn of_vector(len: usize) -> Self {
        let entry = Entry {
            name: "0".into(),
            role: Role::Weight,
            rows: 1,
            cols: len,
            fan_in: 1,
            fan_out: len,
            first: None,
            offset: 0,
        };
        Self { len: padded(len), entries: vec![entry] }
    }

    /// Tensors, in order.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Length of the buffer, pad lanes included.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns true if there is no tensor.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Number of trainable parameters, without pad lanes.
    pub fn parameters(&self) -> usize {
        self.entries.iter().filter(|entry| entry.role != Role::Buffer).map(Entry::len).sum()
    }
}
