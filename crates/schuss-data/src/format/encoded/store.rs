//! Samples decoded on demand, or all at once.

use super::{Blobs, Encoded, Form};
use crate::format::catch_panic::catch_panic;
use crate::format::table::reserved;
use crate::stream::refill::{push_label, refill};
use crate::{Access, Labels, Result, Samples, Store, Values};
use rayon::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;

/// Samples decoded together when all are loaded.
const TOGETHER: usize = 256;

/// Encoded samples and their common form.
pub(super) struct Decoded {
    blobs: Arc<dyn Blobs>,
    labels: Labels,
    form: Form,
}

impl Decoded {
    pub(super) fn new(split: Encoded, form: Form) -> Self {
        Self { blobs: split.blobs, labels: split.labels, form }
    }

    /// Decodes and appends a sample; returns true if it was inverted.
    fn decode(&self, index: usize, into: &mut Values) -> Result<bool> {
        let origin = self.blobs.origin(index);
        let decode = || {
            let (mut blob, length) = self.blobs.open(index)?;
            self.form.decode(&mut *blob, length, &origin, into)
        };
        catch_panic(decode, || origin.refuse("cannot be read: its decoder failed"))
            .map_err(|error| self.blobs.named(index, error))
    }

    /// Decodes all samples on all cores; returns them and the number that were inverted.
    pub(super) fn resident(self) -> Result<(Samples, usize)> {
        let features = self.form.shape().features();
        let count = self.blobs.len().saturating_mul(features) as u64;
        let mut all = match self.form.emptied() {
            Values::Bytes(_) => Values::Bytes(reserved(count)?),
            Values::Floats(_) => Values::Floats(reserved(count)?),
        };
        let mut inverted = 0_usize;
        let indices: Vec<usize> = (0..self.blobs.len()).collect();
        for together in indices.chunks(TOGETHER) {
            let decoded: Vec<(Values, bool)> =
                together.par_iter().map(|&index| self.one(index)).collect::<Result<_>>()?;
            for (one, was_inverted) in decoded {
                all.append(one);
                inverted = inverted.saturating_add(was_inverted.into());
            }
        }
        Ok((Samples::new(all, self.labels, features)?, inverted))
    }

    fn one(&self, index: usize) -> Result<(Values, bool)> {
        let mut values = self.form.emptied();
        let inverted = self.decode(index, &mut values)?;
        Ok((values, inverted))
    }
}

impl Store for Decoded {
    fn len(&self) -> u64 {
        self.blobs.len() as u64
    }

    fn held(&self) -> usize {
        self.labels.bytes()
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn labels(&self) -> Option<Cow<'_, Labels>> {
        Some(Cow::Borrowed(&self.labels))
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        let features = self.form.shape().features();
        refill(into, features, self.form.emptied(), self.labels.emptied(), |values, labels| {
            for &index in indices {
                let at = usize::try_from(index).ok().filter(|&at| at < self.blobs.len());
                let Some(at) = at else {
                    return Err(self
                        .blobs
                        .origin(0)
                        .refuse(format!("is one of too few samples: index {index} is out of range")));
                };
                self.decode(at, values)?;
                push_label(labels, &self.labels, index);
            }
            Ok(())
        })
    }
}
