//! Array read directly from its file, sample by sample.

use super::Array;
use crate::file::OpenFile;
use crate::format::table::Origin;
use crate::stream::refill::{push_label, refill, runs};
use crate::{Access, Labels, Result, RowUnit, Samples, Store, Values};
use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Size limit of a read of neighbouring samples, in bytes, unless a single sample has more.
const RUN: usize = 1 << 20;

/// Array in a file, with the labels of its samples in memory.
pub(crate) struct Stored {
    origin: Origin,
    file: OpenFile,
    /// Offset of its first number.
    start: u64,
    array: Array,
    labels: Labels,
    /// Buffers of bytes that no thread uses at present.
    idle: Mutex<Vec<Vec<u8>>>,
}

impl Stored {
    /// Opens an array whose header begins `offset` bytes into the file.
    ///
    /// # Errors
    /// A data error if its samples are not contiguous.
    pub(crate) fn open(file: &OpenFile, offset: u64, array: Array, labels: Labels) -> Result<Arc<dyn Store>> {
        let origin = Origin::new(file.path(), RowUnit::Sample);
        if !array.is_contiguous() {
            let why = "its samples are not stored one after the other";
            return Err(array.too_large(
                &origin,
                why,
                "save it again with numpy.ascontiguousarray, or give more --memory",
            ));
        }
        let start = offset.saturating_add(array.header.start);
        Ok(Arc::new(Self { origin, file: file.clone(), start, array, labels, idle: Mutex::default() }))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_run(&self, first: u64, count: u64, buffer: &mut Vec<u8>, values: &mut Values) -> Result<()> {
        if first.saturating_add(count) > self.array.layout.samples {
            return Err(self.origin.refuse(format!("has no sample {first}")));
        }
        let stride = self.array.stride();
        buffer.resize(stride.saturating_mul(usize::try_from(count).unwrap_or(0)), 0);
        let offset = self.start.saturating_add(first.saturating_mul(stride as u64));
        let read = self
            .file
            .read_at(buffer, offset)
            .map_err(|error| self.origin.refuse(format!("cannot be read: {error}")))?;
        if read < buffer.len() {
            return Err(self
                .origin
                .refuse_row(first, "was truncated after it was opened")
                .advise("start again"));
        }
        self.array.decode(buffer, first, values, &self.origin)
    }
}

impl Store for Stored {
    fn len(&self) -> u64 {
        self.array.layout.samples
    }

    fn held(&self) -> usize {
        self.labels.bytes().saturating_add(size_of_val(&self.array.offsets[..]))
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn labels(&self) -> Option<Cow<'_, Labels>> {
        Some(Cow::Borrowed(&self.labels))
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        let features = self.array.layout.shape.features();
        let most = RUN.checked_div(self.array.stride()).unwrap_or(1).max(1);
        refill(into, features, self.array.emptied(), self.labels.emptied(), |values, labels| {
            let mut buffer = self.idle().pop().unwrap_or_default();
            let mut runs = runs(indices, most);
            let outcome =
                runs.try_for_each(|(first, count)| self.read_run(first, count, &mut buffer, values));
            self.idle().push(buffer);
            outcome?;
            indices.iter().for_each(|&index| push_label(labels, &self.labels, index));
            Ok(())
        })
    }
}
