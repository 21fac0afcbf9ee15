//! Weights and optimizer state on the host, laid out as on the processor, so that checkpoints move between engines.

use crate::device::Device;
use schuss::Result;
use schuss::network::Params;
use schuss::optim::Updater;
use schuss::state::{Snapshot, State, StateCodec};
use schuss_kernels::Buffer;
use std::io;

/// Mirror of weights and optimizer state, and a copy of both at the last report point.
pub(crate) struct Mirror {
    pub(crate) params: Params,
    pub(crate) updater: Updater<Buffer>,
    /// Weights for evaluation, if they differ from the trained ones.
    pub(crate) shown: Option<Params>,
    copy: Params,
    copied_updater: Updater<Buffer>,
    /// True if the copy is behind the trained weights.
    pub(crate) copy_is_old: bool,
}

impl Mirror {
    pub(crate) fn new(params: Params, updater: Updater<Buffer>, shows_others: bool) -> Self {
        Self {
            shown: shows_others.then(|| params.clone()),
            copy: params.clone(),
            copied_updater: updater.snapshot(),
            copy_is_old: false,
            params,
            updater,
        }
    }

    /// Weights for evaluation and model files.
    pub(crate) fn shown(&self) -> &Params {
        self.shown.as_ref().unwrap_or(&self.params)
    }

    /// Brings the weights for evaluation up to date.
    pub(crate) fn show(&mut self) {
        if let Some(shown) = &mut self.shown {
            shown.values_mut().copy_from_slice(self.params.values());
            self.updater.show(shown.values_mut());
        }
    }

    pub(crate) fn keep(&mut self) {
        self.copy.values_mut().copy_from_slice(self.params.values());
        self.copied_updater.copy_from(&self.updater);
        self.copy_is_old = false;
    }

    pub(crate) fn restore(&mut self) {
        self.params.values_mut().copy_from_slice(self.copy.values());
        self.updater.copy_from(&self.copied_updater);
        self.copy_is_old = false;
        self.show();
    }

    /// Writes weights and slots to the card; slot s of all tensors stands from s times the length of the weights on.
    pub(crate) fn upload(&self, device: &Device, weights: &wgpu::Buffer, slots: &wgpu::Buffer) {
        device.write_floats(weights, 0, self.params.values());
        let len = self.params.values().len();
        for (index, entry) in self.params.layout().entries().iter().enumerate() {
            for (slot, values) in self.updater.slots(index).iter().enumerate() {
                device.write_floats(slots, slot * len + entry.offset, values);
            }
        }
    }

    /// Reads weights and slots from the card.
    ///
    /// # Errors
    /// A failure if the card fails.
    pub(crate) fn download(
        &mut self,
        device: &Device,
        weights: &wgpu::Buffer,
        slots: &wgpu::Buffer,
    ) -> Result<()> {
        device.read(weights, 0, self.params.values_mut())?;
        let layout = self.params.layout().clone();
        for (index, entry) in layout.entries().iter().enumerate() {
            for (slot, values) in self.updater.slots_mut(index).iter_mut().enumerate() {
                device.read(slots, slot * layout.len() + entry.offset, values)?;
            }
        }
        Ok(())
    }

    /// Saves or loads the state, as the processor's paths of stored gradients do.
    pub(crate) fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        code_params(codec, &mut self.params)?;
        self.updater.code(codec)?;
        let mut is_within_update = false;
        is_within_update.code(codec)?;
        if is_within_update {
            return Err(io::Error::other("its last update is not finished, which only the processor can do"));
        }
        self.copy_is_old.code(codec)?;
        if codec.loads() {
            self.show();
        }
        if self.copy_is_old {
            code_params(codec, &mut self.copy)?;
            return self.copied_updater.code(codec);
        }
        if codec.loads() {
            self.keep();
        }
        Ok(())
    }

    /// Saves or loads weights and optimizer state alone.
    pub(crate) fn code_trained(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        code_params(codec, &mut self.params)?;
        self.updater.code(codec)?;
        0_u64.code(codec)
    }
}

fn code_params(codec: &mut StateCodec, params: &mut Params) -> io::Result<()> {
    codec.expect("the network has a different size", params.values().len() as u64)?;
    codec.words(params.values_mut())
}
