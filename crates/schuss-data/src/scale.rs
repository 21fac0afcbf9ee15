//! Mean and standard deviation of real-valued targets, which standardise a regression.

use crate::normalisation::Moments;
use crate::{Labels, Result, Split};
use serde::{Deserialize, Serialize};

/// Mean and standard deviation of each real-valued target over the training split, as stored: minus its offset. Empty
/// for classes, or without targets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// One per target.
    pub mean: Vec<f64>,
    /// One per target: the population standard deviation (divided by n, not n - 1); 1 for a constant.
    pub deviation: Vec<f64>,
}

/// Statistics of real-valued targets.
pub(crate) struct TargetNumbers {
    pub(crate) scale: Scale,
    /// True if they are a multi-label target: several numbers, each 0 or 1.
    pub(crate) are_labels: bool,
}

impl TargetNumbers {
    /// Measures the labels of `split`, which is read only if they are not known otherwise.
    ///
    /// # Errors
    /// Any error from reading the samples.
    pub(crate) fn of(split: &Split) -> Result<Self> {
        let (mut moments, mut are_binary): (Vec<Moments>, bool) = (vec![], true);
        let mut take = |labels: &Labels| {
            let Labels::Real { values, width } = labels else { return };
            are_binary &= values.iter().all(|&value| value == 0.0 || value == 1.0);
            for row in values.chunks_exact((*width).max(1)) {
                if moments.is_empty() {
                    moments = row.iter().map(|&first| Moments::around(first)).collect();
                }
                moments.iter_mut().zip(row).for_each(|(moments, &number)| moments.add(number));
            }
        };
        match split.store().labels() {
            Some(labels) => take(&labels),
            None if matches!(split.read(&[])?.labels(), Labels::Real { .. }) => {
                split.each_block(|_, block| {
                    take(block.labels());
                    Ok(())
                })?;
            }
            None => {}
        }
        let deviation = |moments: &Moments| Some(moments.deviation()).filter(|deviation| *deviation > 0.0);
        let scale = Scale {
            mean: moments.iter().map(Moments::mean).collect(),
            deviation: moments.iter().map(|moments| deviation(moments).unwrap_or(1.0)).collect(),
        };
        Ok(Self { are_labels: are_binary && moments.len() > 1, scale })
    }
}

impl Scale {
    /// Measures the labels of `split`, which is read only if they are not known otherwise.
    ///
    /// # Errors
    /// Any error from reading the samples.
    pub fn of(split: &Split) -> Result<Self> {
        TargetNumbers::of(split).map(|numbers| numbers.scale)
    }

    /// Returns true if it has `outputs` finite means and positive deviations, since it may come from a file.
    pub fn fits(&self, outputs: usize) -> bool {
        let whole = [self.mean.len(), self.deviation.len()] == [outputs; 2];
        let positive = self.deviation.iter().all(|deviation| deviation.is_finite() && *deviation > 0.0);
        whole && positive && self.mean.iter().all(|mean| mean.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Samples, Values};

    fn scale(values: &[f32], width: usize) -> Scale {
        let features = Values::Bytes(vec![0; values.len() / width]);
        let samples = Samples::new(features, Labels::Real { values: values.to_vec(), width }, 1).unwrap();
        let streamed = Split::Streamed(std::sync::Arc::new(samples.clone()));
        assert_eq!(Scale::of(&samples.clone().into()).unwrap(), Scale::of(&streamed).unwrap());
        Scale::of(&samples.into()).unwrap()
    }

    #[test]
    fn numbers_of_any_size_have_their_mean_and_deviation_and_one_that_never_changes_has_1() {
        let found = scale(&[200_000.0, 3.0, 400_000.0, 3.0], 2);
        assert_eq!((found.mean, found.deviation), (vec![300_000.0, 3.0], vec![100_000.0, 1.0]));
        let tiny = scale(&[1e-9, 3e-9], 1);
        assert!((tiny.mean[0] - 2e-9).abs() < 1e-15 && (tiny.deviation[0] - 1e-9).abs() < 1e-15, "{tiny:?}");
        assert!(tiny.fits(1) && !tiny.fits(2));
        let one = scale(&[7.0], 1);
        assert_eq!((one.mean[0], one.deviation[0]), (7.0, 1.0));
        let classes = Samples::images(vec![0; 2], vec![0, 1], 1).unwrap();
        assert_eq!(Scale::of(&classes.into()).unwrap(), Scale::default());
    }
}
