//! Engines by device.

use super::{Cpu, Engine, Limits};
use crate::recipe::{Device, Trial};
use crate::{Cause, Error, Result};
use schuss_data::Dataset;
use std::sync::OnceLock;

/// Maker of engines on a graphics card: on the one whose name contains the given text, if any is given.
pub type MakeEngine = fn(Option<&str>, &Trial, &Dataset, Limits) -> Result<Box<dyn Engine>>;

static GPU: OnceLock<MakeEngine> = OnceLock::new();

/// Registers the maker of engines for trials on [`Device::Gpu`], once per process; a later one is ignored.
pub fn register_gpu(make: MakeEngine) {
    let _ = GPU.set(make);
}

/// Creates the engine of a trial on its device.
///
/// # Errors
/// If nothing is registered for the device, or the engine cannot be created.
pub(super) fn engine(trial: &Trial, data: &Dataset, limits: Limits) -> Result<Box<dyn Engine>> {
    match (&trial.recipe.device, GPU.get()) {
        (Device::Cpu, _) => Ok(Box::new(Cpu::new(trial, data, limits)?)),
        (Device::Gpu(name), Some(make)) => make(name.as_deref(), trial, data, limits),
        (Device::Gpu(_), None) => Err(left_out()),
    }
}

fn left_out() -> Error {
    Error::usage("this build of schuss cannot use a graphics card")
        .because(Cause::NotBuiltIn { feature: "gpu" })
        .advise("build it with `cargo build --release --features gpu`, or choose --device cpu")
}
