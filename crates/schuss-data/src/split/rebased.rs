//! Conversion of stored samples from one set of offsets to another.

use crate::offsets::rounded;
use crate::{Access, Labels, Offsets, Result, Samples, Split, Store, Values};
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
        let shifts = Arc::new(Shifts { stored: self.clone(), wanted: wanted.clone() });
        Ok(match split {
            Split::Resident(samples) => Split::Resident(shifts.shift(samples)?),
            Split::Streamed(store) => Split::Streamed(Arc::new(Rebased { store, shifts })),
        })
    }
}

struct Shifts {
    stored: Offsets,
    wanted: Offsets,
}

impl Shifts {
    fn shift(&self, samples: Samples) -> Result<Samples> {
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
}

/// Subtracts `shift(column)` from every number in rows of `width`.
fn rows(numbers: &mut [f32], width: usize, shift: impl Fn(usize) -> f64) {
    for row in numbers.chunks_mut(width.max(1)) {
        for (at, number) in row.iter_mut().enumerate() {
            *number = rounded(f64::from(*number), shift(at));
        }
    }
}

/// A store whose samples are converted to other offsets when they are read.
struct Rebased {
    store: Arc<dyn Store>,
    shifts: Arc<Shifts>,
}

impl Store for Rebased {
    fn len(&self) -> u64 {
        self.store.len()
    }

    fn held(&self) -> usize {
        self.store.held()
    }

    fn access(&self) -> Access {
        self.store.access()
    }

    /// Classes stay the same; numbers are not known without reading them.
    fn labels(&self) -> Option<Cow<'_, Labels>> {
        self.store.labels().filter(|labels| !matches!(**labels, Labels::Real { .. }))
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        self.store.read(indices, into)?;
        *into = self.shifts.shift(std::mem::take(into))?;
        Ok(())
    }
}
