//! Parameters: one flat buffer and its layout.

use super::init::Init;
use super::layout::{Entry, Layout};
use schuss_data::random::{Key, Purpose};
use schuss_kernels::Buffer;
use std::sync::Arc;

/// All weights and biases in storage order; pad lanes are zero and stay so.
#[derive(Clone, Debug)]
pub struct Params {
    values: Buffer,
    layout: Arc<Layout>,
}

impl Params {
    /// Creates parameters that are all zero.
    pub fn zeros(layout: Arc<Layout>) -> Self {
        Self { values: Buffer::zeros(layout.len()), layout }
    }

    /// Creates the initial parameters: those of linear layers drawn by `init`, all others at their fixed initial
    /// values.
    ///
    /// Each number is a pure function of (seed, tensor, element).
    pub fn init(layout: Arc<Layout>, init: &Init, seed: u64) -> Self {
        let mut params = Self::zeros(layout);
        let key = Key { seed, purpose: Purpose::Init, epoch: 0 };
        for (tensor, entry) in Arc::clone(&params.layout).entries().iter().enumerate() {
            let values = match entry.first {
                Some(first) => vec![first; entry.len()],
                None => init.draw(entry, &mut key.draws(tensor as u64)),
            };
            params.set_tensor(entry, values);
        }
        params
    }

    /// All numbers, pad lanes included.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// All numbers, pad lanes included, which must stay zero.
    pub fn values_mut(&mut self) -> &mut [f32] {
        &mut self.values
    }

    /// Layout of the tensors.
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// Returns the tensor of `entry` in PyTorch's order, `[outputs, inputs]` row by row.
    pub fn tensor(&self, entry: &Entry) -> Vec<f32> {
        entry.places().map(|place| self.values[place]).collect()
    }

    /// Overwrites the tensor of `entry` with values in PyTorch's order.
    pub fn set_tensor(&mut self, entry: &Entry, values: impl IntoIterator<Item = f32>) {
        entry.places().zip(values).for_each(|(place, value)| self.values[place] = value);
    }

    /// Returns the name of the first layer with a number that is not finite.
    pub fn first_non_finite(&self) -> Option<String> {
        let bad = |entry: &&Entry| self.values[entry.range()].iter().any(|x| !x.is_finite());
        self.layout.entries().iter().find(bad).map(|entry| layer_of(&entry.name))
    }
}

/// Returns the layer of a tensor name: `2` of `2.weight`.
pub(crate) fn layer_of(name: &str) -> String {
    name.split('.').next().unwrap_or(name).to_owned()
}
