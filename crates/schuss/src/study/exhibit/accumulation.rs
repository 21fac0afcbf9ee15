//! Exhibit of gradient accumulation: one update from all samples, in microbatches of several sizes.

use super::Gallery;
use crate::recipe::{Budget, Recipe, Trial, UpdateRule};
use crate::record::{Exhibit, Summary};
use crate::session::{Control, Limits, Session};
use crate::{Error, Result};
use schuss_data::Dataset;
use xxhash_rust::xxh3::xxh3_64;

/// Number of samples in the update: enough for several leaves of the sum, few enough to take about a second.
const SAMPLES: usize = 5_000;
const MICROBATCHES: [usize; 5] = [1, 10, 100, 1_000, 4_096];

/// Adds the exhibit if the study asks for it.
///
/// # Errors
/// A usage error for a study without trials, or any error of a session.
pub(super) fn draw(gallery: &Gallery, summary: &mut Summary) -> Result<()> {
    if gallery.study.observe.accumulation {
        summary.exhibits.push(exhibit(gallery)?);
    }
    Ok(())
}

/// Runs one epoch-rule update of the study's network with each microbatch size, and hashes the weights after it.
fn exhibit(gallery: &Gallery) -> Result<Exhibit> {
    let &Gallery { study, data, limits, control } = gallery;
    let planned = study
        .trials
        .first()
        .ok_or_else(|| Error::usage("a study without trials has nothing to accumulate"))?;
    let data = shortened(data)?;
    let trial = Trial {
        recipe: Recipe { update: UpdateRule::Epoch, ..planned.trial.recipe.clone() },
        budget: Budget { max_updates: Some(1), ..Budget::default() },
        seed: study.seeds[0],
        ..planned.trial.clone()
    };
    let rows = MICROBATCHES.into_iter().map(|microbatch| row(&trial, &data, microbatch, limits, control));
    Ok(Exhibit {
        title: "Accumulating over samples".into(),
        text: format!(
            "One update of {} from the sum over {} samples, taken in parts of different size. Equal hashes mean that every bit of every weight is equal.",
            trial.model,
            data.train.len()
        ),
        header: ["samples at once", "buffers", "hash of the weights after the update"]
            .map(String::from)
            .to_vec(),
        rows: rows.collect::<Result<_>>()?,
    })
}

fn row(
    trial: &Trial,
    data: &Dataset,
    microbatch: usize,
    limits: Limits,
    control: &Control,
) -> Result<Vec<String>> {
    let mut session = Session::new(trial, data, Limits { microbatch: Some(microbatch), ..limits })?;
    session.run_with(control, &mut ())?;
    let bytes: Vec<u8> = session.params().values().iter().flat_map(|weight| weight.to_le_bytes()).collect();
    let buffers = schuss_data::text::bytes(session.memory().activations as u64);
    Ok(vec![microbatch.to_string(), buffers, format!("{:016x}", xxh3_64(&bytes))])
}

/// Returns the data with only the first samples of the training split.
fn shortened(data: &Dataset) -> Result<Dataset> {
    let samples: Vec<u64> = (0..data.train.len().min(SAMPLES) as u64).collect();
    let (train, test) = (data.train.read(&samples)?.into(), data.test.read(&[0])?.into());
    Ok(Dataset { train, validation: None, test, ..data.clone() })
}
