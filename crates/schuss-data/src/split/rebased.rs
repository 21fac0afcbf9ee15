//! Conversion of stored samples from one set of offsets to another.

use crate::offsets::rounded;
use crate::split::converted::{Convert, converted};
use crate::{Labels, Offsets, Result, Samples, Split, Values};
use std::borrow::Cow;
use std::sync::Arc;

impl Offsets {
    /// Converts the samples of `split`, stored minus these offsets, to the `wanted` offsets.
    ///
    /// # Errors
    /// None expected: the sizes of samples stay the same.
    pub(crate) fn rebased(&self, split: Split, wanted: &Self) -> Result<Split> {
        if self == wanted {
            return Ok(split);
        }
        converted(split, &Arc::new(Shifts { stored: self.clone(), wanted: wanted.clone() }))
    }
}

struct Shifts {
    stored: Offsets,
    wanted: Offsets,
}

impl Convert for Shifts {
    fn samples(&self, samples: Samples) -> Result<Samples> {
        let features = samples.features();
        let (mut values, mut labels) = samples.into_parts();
        if let Values::Floats(values) = &mut values {
            let shift = |at| self.wanted.value(at) - self.stored.value(at);
            rows(values, features, shift);
        }
        if let Labels::Real { values, width } = &mut labels {
            rows(values, *width, |at| self.wanted.label(at) - self.stored.label(at));
        }
        Samples::new(values, labels, features)
    }

    /// Classes stay the same; numbers are not known without reading them.
    fn labels<'a>(&self, labels: Cow<'a, Labels>) -> Option<Cow<'a, Labels>> {
        Some(labels).filter(|labels| !matches!(**labels, Labels::Real { .. }))
    }
}

/// Subtracts `shift(column)` from every number in rows of `width`.
fn rows(numbers: &mut [f32], width: usize, shift: impl Fn(usize) -> f64) {
    for row in numbers.chunks_mut(width.max(1)) {
        for (at, number) in row.iter_mut().enumerate() {
            *number = rounded(f64::from(*number), shift(at));
        }
    }
}
