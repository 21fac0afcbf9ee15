//! Evaluations within an epoch.

use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// Evaluations in addition to those at the ends of epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EvalEvery {
    /// None.
    Epoch,
    /// One every so many updates.
    Updates(u64),
    /// Those of an [`EvalGrid`]: at the same samples for all trials on the same data.
    Auto,
}

impl EvalEvery {
    pub(super) const WORDS: &'static [&'static str] = &["auto", "epoch"];
}

impl FromStr for EvalEvery {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match (text, text.parse()) {
            ("auto", _) => Ok(Self::Auto),
            ("epoch", _) => Ok(Self::Epoch),
            (_, Ok(updates)) if updates > 0 => Ok(Self::Updates(updates)),
            _ => Err(Error::usage(format!("`{text}` is not an interval between evaluations"))
                .advise("use a number of updates, auto or epoch")),
        }
    }
}

impl fmt::Display for EvalEvery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Epoch => f.write_str("epoch"),
            Self::Updates(updates) => write!(f, "{updates}"),
            Self::Auto => f.write_str("auto"),
        }
    }
}

/// Grid of evaluations, in training samples: epoch `n` has `parts / n` equal parts, so that steps are about `1 / parts`
/// of the samples seen so far.
///
/// The evaluations within epochs take 5 % of the operations of ten epochs, as far as 2 % steps, the finest, need as many.
/// An evaluated sample is counted as half a training sample: it is passed forward only. The grid follows from the sizes
/// of the splits alone, so it is the same for all trials on the same data, however long they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvalGrid {
    parts: usize,
}

/// Parts of the first epoch for steps of 2 %.
const FINEST: usize = 50;
/// Share of evaluations within epochs in the operations of [`EPOCHS`].
const SHARE: f64 = 0.05;
const EPOCHS: usize = 10;
/// Operations per evaluated sample, relative to those per training sample.
const FORWARD: f64 = 0.5;

impl EvalGrid {
    /// Creates the grid for splits of `train` and `evaluated` samples.
    pub fn new(train: usize, evaluated: usize) -> Self {
        let affordable = SHARE * (EPOCHS * train) as f64 / (FORWARD * evaluated.max(1) as f64);
        let within_epochs =
            |parts: usize| (1..=EPOCHS).map(|epoch| (parts / epoch).max(1) - 1).sum::<usize>();
        let parts = (1..=FINEST).rev().find(|&parts| within_epochs(parts) as f64 <= affordable);
        Self { parts: parts.unwrap_or(1).min(train.max(1)) }
    }

    /// Number of equal parts of an epoch, from 1.
    pub fn parts(&self, epoch: u32) -> usize {
        (self.parts / epoch.max(1) as usize).max(1)
    }

    /// Returns the next point after a position of an epoch of `len` samples.
    pub(crate) fn next(&self, epoch: u32, position: usize, len: usize) -> usize {
        let parts = self.parts(epoch);
        let passed = position * parts / len.max(1);
        ((passed + 1) * len).div_ceil(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_read_as_they_are_written() {
        for text in ["auto", "epoch", "60"] {
            assert_eq!(text.parse::<EvalEvery>().unwrap().to_string(), text);
        }
        for text in ["0", "-1", "1.5", "never", ""] {
            assert_eq!(text.parse::<EvalEvery>().unwrap_err().exit_code(), 2, "{text}");
        }
    }

    /// Points of the first `epochs` epochs of 1,000 samples.
    fn points(grid: EvalGrid, epochs: u32) -> Vec<usize> {
        let mut points = vec![];
        for epoch in 1..=epochs {
            let mut position = 0;
            while position < 1_000 {
                position = grid.next(epoch, position, 1_000);
                points.push((epoch as usize - 1) * 1_000 + position);
            }
        }
        points
    }

    #[test]
    fn steps_grow_with_the_samples_seen_and_end_with_every_epoch() {
        let grid = EvalGrid::new(60_000, 10_000);
        assert_eq!(points(grid, 3), [200, 400, 600, 800, 1_000, 1_500, 2_000, 3_000]);
        let fine = points(EvalGrid::new(1_000_000, 1_000), 10);
        assert_eq!(fine[..3], [20, 40, 60]);
        let steps = fine.windows(2).skip(25).map(|pair| (pair[1] - pair[0]) as f64 / pair[1] as f64);
        assert!(steps.into_iter().all(|step| step <= 0.04), "{fine:?}");
        assert!((1..=10).all(|epoch| fine.contains(&(epoch * 1_000))));
    }

    #[test]
    fn evaluations_within_ten_epochs_take_a_twentieth_of_the_work_at_most() {
        for evaluated in [1, 7, 100, 250, 1_000, 5_000] {
            let within = points(EvalGrid::new(1_000, evaluated), 10).len() - 10;
            let work = 0.5 * (within * evaluated) as f64 / 10_000.0;
            assert!(work <= 0.05, "{evaluated}: {within} evaluations are {work}");
        }
        assert_eq!(points(EvalGrid::new(1_000, 5_000), 4), [1_000, 2_000, 3_000, 4_000]);
        assert_eq!(EvalGrid::new(0, 0).parts(1), 1);
    }
}
