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
}

/// One tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
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

    /// Shape in PyTorch's order: `[outputs, inputs]`, or `[outputs]` for a bias.
    pub fn torch_shape(&self) -> Vec<usize> {
        match self.role {
            Role::Weight => vec![self.cols, self.rows],
            Role::Bias => vec![self.cols],
        }
    }

    /// Places in the buffer of all its elements, in PyTorch's order: `[outputs, inputs]` row after row.
    pub fn places(&self) -> impl Iterator<Item = usize> + use<> {
        let (offset, rows, stride) = (self.offset, self.rows, padded(self.cols));
        (offset..offset + self.cols).flat_map(move |first| (0..rows).map(move |row| first + row * stride))
    }
}

/// All tensors of a network, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        let (mut entries, mut len, mut fan_in) = (Vec::new(), 0_usize, inputs);
        for (index, layer) in model.layers().iter().enumerate() {
            let Layer::Linear(cols) = *layer else { continue };
            let tensors = [("weight", Role::Weight, fan_in), ("bias", Role::Bias, 1)];
            for (suffix, role, rows) in tensors {
                let size = rows.checked_mul(padded(cols)).filter(|size| *size < MAX_PARAMETERS - len);
                let size = size.ok_or_else(|| {
                    Error::usage(format!("`{model}` has more than {MAX_PARAMETERS} weights"))
                })?;
                entries.push(Entry {
                    name: format!("{index}.{suffix}"),
                    role,
                    rows,
                    cols,
                    fan_in,
                    offset: len,
                });
                len += size;
            }
            fan_in = cols;
        }
        Ok(Self { entries, len })
    }

    /// One vector of `len` numbers: weights that belong to no network.
    pub(crate) fn of_vector(len: usize) -> Self {
        let entry = Entry { name: "0".into(), role: Role::Weight, rows: 1, cols: len, fan_in: 1, offset: 0 };
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
        self.entries.iter().map(Entry::len).sum()
    }
}
