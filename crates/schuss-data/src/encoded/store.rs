//! Samples that are decoded when they are needed, or all at once.

use super::{Blobs, Encoded, Form};
use crate::contained::contained;
use crate::refill::{push_label, refill};
use crate::table::reserved;
use crate::{Access, Labels, Result, Samples, Store, Values};
use rayon::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;

/// Samples that are decoded together when all are.
const TOGETHER: usize = 256;

/// Encoded samples, and what they are brought to.
pub(super) struct Decoded {
    blobs: Arc<dyn Blobs>,
    labels: Labels,
    form: Form,
}

impl Decoded {
    pub(super) fn new(split: Encoded, form: Form) -> Self {
        Self { blobs: split.blobs, labels: split.labels, form }
    }

    fn decode(&self, index: usize, into: &mut Values) -> Result<()> {
        let origin = self.blobs.origin(index);
        let decode = || {
            let (mut blob, length) = self.blobs.open(index)?;
            self.form.decode(&mut *blob, length, &origin, into)
        };
        contained(decode, || origin.refuse("cannot be read: its decoder failed"))
            .map_err(|error| self.blobs.named(index, error))
    }

    /// All samples, decoded by all cores.
    pub(super) fn resident(self) -> Result<Samples> {
        let features = self.form.shape().features();
        let count = self.blobs.len().saturating_mul(features) as u64;
        let mut all = match self.form.emptied() {
            Values::Bytes(_) => Values::Bytes(reserved(count)?),
            Values::Floats(_) => Values::Floats(reserved(count)?),
        };
        let indices: Vec<usize> = (0..self.blobs.len()).collect();
        for together in indices.chunks(TOGETHER) {
            let decoded: Vec<Values> =
                together.par_iter().map(|&index| self.one(index)).collect::<Result<_>>()?;
            decoded.into_iter().for_each(|one| all.append(one));
        }
        Samples::new(all, self.labels, features)
    }

    fn one(&self, index: usize) -> Result<Values> {
        let mut values = self.form.emptied();
        self.decode(index, &mut values)?;
        Ok(values)
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
        refill(into, features, (self.form.emptied(), self.labels.emptied()), |values, labels| {
            for &index in indices {
                let at = usize::try_from(index).ok().filter(|&at| at < self.blobs.len());
                let Some(at) = at else {
                    return Err(self
                        .blobs
                        .origin(0)
                        .refuse(format!("is one of too few samples: there is no sample {index}")));
                };
                self.decode(at, values)?;
                push_label(labels, &self.labels, index);
            }
            Ok(())
        })
    }
}
