//! Conversion of packs to data sets and of data sets to the contents of packs.

use crate::file::OpenFile;
use crate::format::pack::{Contents, Pack, shuffling};
use crate::format::table::Table;
use crate::reader::{DefaultNormalisation, Loaded, ReadOptions};
use crate::{Dataset, Error, Offsets, Result, Samples, Split, Store, Values};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Metadata of a data set in its pack.
#[derive(Default, Serialize, Deserialize)]
struct About {
    origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    table: Option<Table>,
    #[serde(default, skip_serializing_if = "Offsets::is_empty")]
    offsets: Offsets,
}

/// Reads a pack: resident if it fits in memory, else streamed.
///
/// # Errors
/// A data error that names the file.
pub(crate) fn read(file: &OpenFile, ask: &ReadOptions) -> Result<Loaded> {
    ask.refuse_table_options(file.path())?;
    let pack = Pack::read(file.clone())?;
    let about: About = serde_json::from_str(pack.about()).unwrap_or_default();
    let parts = [Some(pack.train()), pack.validation(), pack.test()];
    let mut room = Room { left: if ask.read_once { 0 } else { ask.memory }, row: pack.row_bytes() };
    let [train, validation, test] = room.place(parts)?;
    let train =
        train.ok_or_else(|| Error::data("the pack holds no training split").at(file.path().display()))?;
    let bytes = matches!(train.read(&[])?.values(), Values::Bytes(_));
    about.offsets.check(pack.shape().features()).map_err(|error| error.at(file.path().display()))?;
    let (mut notes, packed) = (vec![format!("packed data, {}", about.origin)], about.offsets);
    let offsets = ask.offsets.settle(packed.clone(), &mut notes);
    let as_asked = |split: Split| packed.rebased(split, &offsets).map(Into::into);
    Ok(Loaded {
        shape: pack.shape(),
        classes: pack.classes().to_vec(),
        train: as_asked(train)?,
        validation: validation.map(as_asked).transpose()?,
        test: test.map(as_asked).transpose()?,
        table: about.table,
        offsets: offsets.clone(),
        pictures: false,
        usual: if bytes { DefaultNormalisation::Unit } else { DefaultNormalisation::Standard },
        notes,
    })
}

/// Memory left for splits whose samples take `row` bytes each.
pub(crate) struct Room {
    pub(crate) left: u64,
    pub(crate) row: u64,
}

impl Room {
    /// Makes splits resident as far as they fit, the last first: it is read as often as the first, and smaller.
    ///
    /// # Errors
    /// Any error from reading the samples.
    pub(crate) fn place<S: Store + 'static, const N: usize>(
        &mut self,
        stores: [Option<S>; N],
    ) -> Result<[Option<Split>; N]> {
        let mut splits = [const { None }; N];
        for (split, store) in splits.iter_mut().zip(stores).rev() {
            *split = store.map(|store| self.split(store)).transpose()?;
        }
        Ok(splits)
    }

    fn split(&mut self, store: impl Store + 'static) -> Result<Split> {
        let Some(left) = self.left.checked_sub(store.len().saturating_mul(self.row)) else {
            return Ok(Split::Streamed(Arc::new(store)));
        };
        self.left = left;
        let mut samples = Samples::default();
        store.read(&(0..store.len()).collect::<Vec<_>>(), &mut samples)?;
        Ok(samples.into())
    }
}

impl Dataset {
    /// Returns the contents of a pack of all its splits; the training split in a shuffled order that takes `memory`
    /// bytes at most.
    ///
    /// # Errors
    /// A data error if a sample cannot be read.
    pub fn contents(&self, memory: u64) -> Result<Contents> {
        let about =
            About { origin: self.origin.clone(), table: self.table.clone(), offsets: self.offsets.clone() };
        let about = serde_json::to_string(&about).map_err(|error| Error::failure(error.to_string()))?;
        let store = |split: &Split| -> Arc<dyn Store> {
            match split {
                Split::Resident(samples) => Arc::<Samples>::clone(samples),
                Split::Streamed(store) => Arc::clone(store),
            }
        };
        let train = store(&self.train);
        let first: &[u64] = if self.train.is_empty() { &[] } else { &[0] };
        let row = self.train.read(first)?.bytes() as u64;
        Ok(Contents {
            shape: self.shape,
            classes: self.classes.clone(),
            about,
            order: shuffling(train.access(), row, memory),
            train,
            validation: self.validation.as_ref().map(store),
            test: Some(store(&self.test)),
            seed: 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::format::pack;
    use crate::{DataSource, Request, digits};

    #[test]
    fn a_pack_is_the_data_set_it_was_made_of_in_memory_or_streamed() {
        let data = digits::generate(&digits::Digits { train: 300, test: 50, ..Default::default() });
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("digits.schuss");
        let mut file = std::fs::File::create(&path).unwrap();
        pack::write(&data.contents(1 << 20).unwrap(), 1, &mut file).unwrap();
        let load = |memory| {
            let mut request = Request::default();
            request.ask.memory = memory;
            path.display().to_string().parse::<DataSource>().unwrap().load(&request).unwrap()
        };
        let (resident, streamed) = (load(1 << 20), load(1_000));
        assert!(resident.train.resident().is_some() && streamed.train.resident().is_none());
        let between = load(100_000);
        assert!(between.train.resident().is_none() && between.test.resident().is_some());
        assert_eq!(resident.fingerprint().unwrap(), streamed.fingerprint().unwrap());
        assert_eq!(resident.test.resident(), data.test.resident());
        assert_eq!((resident.shape, &resident.classes), (data.shape, &data.classes));
        assert_eq!(resident.train.class_counts(10).unwrap(), data.train.class_counts(10).unwrap());
        assert_ne!(resident.train.resident(), data.train.resident(), "shuffled");
    }

    #[test]
    fn a_pack_is_opened_once() {
        let data = digits::generate(&digits::Digits { train: 30, test: 5, ..Default::default() });
        let (_folder, path) = crate::testing::saved("digits.schuss", "");
        let mut file = std::fs::File::create(&path).unwrap();
        pack::write(&data.contents(1 << 20).unwrap(), 1, &mut file).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        crate::testing::assert_opened_once("digits.schuss", &bytes, &[1 << 20, 1_000]);
    }
}
