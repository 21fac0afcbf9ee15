//! Graphics cards for `--device gpu`.

use crate::{Adapter, Gpu};
use schuss::data::Dataset;
use schuss::session::{Engine, Limits, register_gpu};
use schuss::{Result, Trial};

/// Lets sessions run trials on [`Device::Gpu`](schuss::recipe::Device::Gpu), on the adapter that [`Adapter::find`] finds.
pub fn register() {
    register_gpu(engine);
}

fn engine(name: Option<&str>, trial: &Trial, data: &Dataset, limits: Limits) -> Result<Box<dyn Engine>> {
    let adapter = Adapter::find(name)?;
    Ok(Box::new(Gpu::new(trial, data, limits, &adapter)?))
}
