//! Model files and target units of a trial.

use super::{TargetScale, Trial};
use crate::loss::Targets;
use crate::network::{ModelFile, Units};
use crate::{Error, Result};
use schuss_data::Dataset;

impl ModelFile {
    /// Returns the description of the model trained by a trial on `data`.
    pub fn of(trial: &Trial, data: &Dataset) -> Self {
        let tells_labels = trial.targets == Targets::Real && trial.recipe.loss.label_bound().is_some();
        Self {
            model: trial.model.to_string(),
            classes: data.classes.clone(),
            labels: if tells_labels { data.labels.clone() } else { vec![] },
            shape: data.shape,
            normalisation: data.normalisation.clone(),
            preparation: data.preparation,
            table: data.table.clone(),
            offsets: data.offsets.clone(),
            targets: trial.targets,
            scale: (trial.target_scale() == Some(TargetScale::Standard)).then(|| data.scale.clone()),
            loss: trial.recipe.loss.clone(),
        }
    }
}

impl Units {
    /// Returns the units of a trial's targets on `data`, for `outputs` outputs.
    ///
    /// # Errors
    /// A usage error for a scale that does not suit the targets.
    pub(crate) fn of(trial: &Trial, data: &Dataset, outputs: usize) -> Result<Option<Self>> {
        trial.target_scale.map_or(Ok(()), |scale| scale.check(trial.targets, &trial.recipe.loss))?;
        if trial.targets != Targets::Real {
            return Ok(None);
        }
        let is_standard = trial.target_scale() == Some(TargetScale::Standard);
        if is_standard && !data.scale.fits(outputs) {
            return Err(Error::failure("mean and deviation of the targets are not known"));
        }
        Ok(Self::new(outputs, is_standard.then_some(&data.scale), &data.offsets))
    }
}
