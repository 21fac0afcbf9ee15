//! Splits whose samples are converted, at once if they are in memory, else when they are read.

use crate::{Access, Labels, Result, Samples, Split, Store};
use std::borrow::Cow;
use std::sync::Arc;

/// A conversion of samples that keeps their number.
pub(super) trait Convert: Send + Sync {
    /// Converts some samples.
    ///
    /// # Errors
    /// None expected: the sizes of samples stay the same.
    fn samples(&self, samples: Samples) -> Result<Samples>;

    /// Converts the labels of a whole split; `None` if they are not known without reading the samples.
    fn labels<'a>(&self, labels: Cow<'a, Labels>) -> Option<Cow<'a, Labels>> {
        Some(labels)
    }
}

/// Converts the samples of a split.
///
/// # Errors
/// As for [`Convert::samples`].
pub(super) fn converted(split: Split, convert: &Arc<impl Convert + 'static>) -> Result<Split> {
    Ok(match split {
        Split::Resident(samples) => convert.samples(Arc::unwrap_or_clone(samples))?.into(),
        Split::Streamed(store) => {
            Split::Streamed(Arc::new(Converted { store, convert: Arc::clone(convert) }))
        }
    })
}

/// A store whose samples are converted when they are read.
struct Converted<C> {
    store: Arc<dyn Store>,
    convert: Arc<C>,
}

impl<C: Convert> Store for Converted<C> {
    fn len(&self) -> u64 {
        self.store.len()
    }

    fn held(&self) -> usize {
        self.store.held()
    }

    fn access(&self) -> Access {
        self.store.access()
    }

    fn labels(&self) -> Option<Cow<'_, Labels>> {
        self.store.labels().and_then(|labels| self.convert.labels(labels))
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        self.store.read(indices, into)?;
        *into = self.convert.samples(std::mem::take(into))?;
        Ok(())
    }
}
