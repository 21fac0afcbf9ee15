//! NumPy arrays: `.npy` files, and the members of an `.npz` archive.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod centred;
mod header;
mod kind;
mod layout;
mod store;

use crate::classes::Numbers;
use crate::file::OpenFile;
use crate::format::table::{Origin, reserved};
use crate::reader::{DefaultNormalisation, Loaded, LoadedSplit, ReadOptions};
use crate::text::{bytes, grouped};
use crate::{Column, DataFile, Error, Labels, Offsets, Result, RowUnit, Samples, Shape, Values, offsets};
pub(crate) use header::{Header, MAGIC};
use kind::Dtype;
pub(crate) use layout::Layout;
use std::io::{BufReader, Read, Seek, SeekFrom};
pub(crate) use store::Stored;

/// Bytes converted to numbers at once, unless a sample has more.
const BLOCK: usize = 1 << 16;
/// Advice for an array that cannot be used as it is.
pub(crate) const SAVE: &str = "save it again, as numbers, with numpy.save";

/// Reads an array of samples without labels.
///
/// # Errors
/// A data error that names the file.
pub(crate) fn read(file: &OpenFile, ask: &ReadOptions) -> Result<Loaded> {
    let origin = Origin::new(file.path(), RowUnit::Sample);
    let mut reader = BufReader::new(file.reader());
    let array = Array::new(&mut reader, file.length()).map_err(|what| origin.refuse(what).advise(SAVE))?;
    let (labels, mut notes) = (Labels::Absent(array.samples()), vec![array.to_string()]);
    let needed = if array.is_searched(&ask.offsets) {
        array.needed(&mut reader, &origin)?
    } else {
        Offsets::default()
    };
    let offsets = ask.offsets.settle(needed, &mut notes);
    notes.push("label: none; an .npz file can hold labels too".into());
    let array = array.less(&offsets);
    reader.seek(SeekFrom::Start(array.header.start)).map_err(|error| unreadable(&origin, error))?;
    let streams = ask.read_once && array.is_contiguous();
    let train = if array.memory() <= ask.memory && !streams {
        let values = array.values(&mut reader, &origin)?;
        LoadedSplit::Resident(Samples::new(values, labels, array.layout.shape.features())?)
    } else {
        LoadedSplit::Streamed(Stored::open(file, 0, array.clone(), labels)?)
    };
    Ok(Loaded {
        shape: array.layout.shape,
        classes: Vec::new(),
        train,
        validation: None,
        test: None,
        table: None,
        offsets,
        pictures: false,
        usual: array.usual(),
        notes,
    })
}

/// Array whose first dimension counts samples.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    pub(crate) header: Header,
    pub(crate) layout: Layout,
    /// Name within an archive.
    name: Option<String>,
    /// Offset subtracted from each feature; empty if there is none.
    offsets: Vec<f64>,
}

impl Array {
    /// Reads the header of an array in a file of `length` bytes.
    pub(crate) fn new(reader: &mut dyn Read, length: u64) -> std::result::Result<Self, String> {
        let header = Header::read(reader, length)?;
        let layout = Layout::new(&header)?;
        Ok(Self { header, layout, name: None, offsets: Vec::new() })
    }

    /// Sets the name within an archive.
    pub(crate) fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Interprets an array as a single sample.
    pub(crate) fn of_one_sample(mut header: Header) -> std::result::Result<Self, String> {
        header.shape.insert(0, 1);
        let layout = Layout::new(&header)?;
        Ok(Self { header, layout, name: None, offsets: Vec::new() })
    }

    pub(crate) fn samples(&self) -> usize {
        usize::try_from(self.layout.samples).unwrap_or(usize::MAX)
    }

    /// Returns true if the numbers of a sample are stored one after the other.
    pub(crate) fn is_contiguous(&self) -> bool {
        !self.header.fortran || self.header.shape.len() <= 1
    }

    /// Returns the memory its numbers take, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        let each = if self.header.number.kind == Dtype::U1 { 1 } else { size_of::<f32>() };
        self.header.count().unwrap_or(u64::MAX).saturating_mul(each as u64)
    }

    /// Returns the default normalisation of such numbers.
    pub(crate) fn usual(&self) -> DefaultNormalisation {
        if self.header.number.kind == Dtype::U1 {
            DefaultNormalisation::Unit
        } else {
            DefaultNormalisation::Standard
        }
    }

    /// Returns the bytes of a sample in the file.
    fn stride(&self) -> usize {
        let numbers = self
            .header
            .shape
            .iter()
            .skip(1)
            .fold(1_usize, |all, &size| all.saturating_mul(usize::try_from(size).unwrap_or(usize::MAX)));
        numbers.saturating_mul(self.header.number.size())
    }

    /// Returns empty values of the right kind.
    pub(crate) fn emptied(&self) -> Values {
        match self.header.number.kind {
            Dtype::U1 => Values::Bytes(Vec::new()),
            _ => Values::Floats(Vec::new()),
        }
    }

    /// Appends all its numbers to others of their kind.
    pub(crate) fn append(&self, reader: &mut dyn Read, origin: &Origin, into: &mut Values) -> Result<()> {
        into.append(self.values(reader, origin)?);
        Ok(())
    }

    /// Reserves room for `count` numbers of its kind.
    fn room(&self, count: u64) -> Result<Values> {
        Ok(match self.header.number.kind {
            Dtype::U1 => Values::Bytes(reserved(count)?),
            _ => Values::Floats(reserved(count)?),
        })
    }

    /// Reads all its numbers, sample after sample.
    pub(crate) fn values(&self, reader: &mut dyn Read, origin: &Origin) -> Result<Values> {
        let mut values = self.room(self.header.count().unwrap_or(u64::MAX))?;
        self.each_block(reader, origin, |block, first| self.decode(block, first, &mut values, origin))?;
        if self.header.fortran { self.turned(&values) } else { Ok(values) }
    }

    /// Passes the bytes of all samples to a closure, block by block, with the index of each block's first
    /// sample.
    fn each_block(
        &self,
        reader: &mut dyn Read,
        origin: &Origin,
        mut see: impl FnMut(&[u8], u64) -> Result<()>,
    ) -> Result<()> {
        let stride = self.stride();
        let together = BLOCK.checked_div(stride).unwrap_or(1).max(1);
        let mut buffer = vec![0; stride.saturating_mul(together)];
        let mut left = self.samples();
        while left > 0 {
            let count = left.min(together);
            let block = buffer.get_mut(..stride.saturating_mul(count)).unwrap_or_default();
            reader.read_exact(block).map_err(|error| unreadable(origin, error))?;
            let first = self.samples().saturating_sub(left) as u64;
            see(block, first)?;
            left = left.saturating_sub(count);
        }
        Ok(())
    }

    /// Decodes and appends the samples in `bytes`, the first of which is sample `first` of the file.
    fn decode(&self, bytes: &[u8], first: u64, into: &mut Values, origin: &Origin) -> Result<()> {
        if self.header.number.kind == Dtype::U1 {
            into.append(self.arranged(Values::Bytes(bytes.to_vec())));
            return Ok(());
        }
        let (mut apart, in_order) = (Vec::new(), self.header.fortran || self.layout.is_in_order());
        let floats = match into {
            Values::Floats(floats) if in_order => floats,
            _ => &mut apart,
        };
        let start = floats.len();
        if self.offsets.is_empty() {
            self.header.number.push_floats(bytes, floats);
        } else {
            let offset = |feature: usize| self.offsets.get(feature).copied().unwrap_or(0.0);
            self.each_of_features(bytes, first, |feature, number| {
                floats.push(offsets::rounded(number, offset(feature)));
            });
        }
        if let Some(at) = not_finite_in(floats.get(start..).unwrap_or_default()) {
            let before = first.saturating_mul(self.layout.shape.features() as u64);
            return Err(self.not_finite(before.saturating_add(at as u64), origin));
        }
        if !in_order {
            into.append(self.arranged(Values::Floats(apart)));
        }
        Ok(())
    }

    fn arranged(&self, values: Values) -> Values {
        if self.header.fortran { values } else { self.layout.arranged(values) }
    }

    /// Returns the error for number `at` of the file, which is not finite.
    fn not_finite(&self, at: u64, origin: &Origin) -> Error {
        let index = self.index(at);
        let (sample, within) = index.split_first().unzip();
        let column = within.filter(|within| !within.is_empty()).map(|within| Column::Index(within.to_vec()));
        let place = DataFile {
            array: self.name.clone(),
            unit: RowUnit::Sample,
            row: sample.copied(),
            column,
            ..DataFile::new(&origin.path)
        };
        origin
            .refuse("holds a number that is not finite, or beyond what 32-bit numbers hold")
            .at(place)
            .advise("samples and columns are counted from 0; numpy.isfinite finds all")
    }

    /// Returns NumPy's index of number `at` of the file.
    fn index(&self, at: u64) -> Vec<u64> {
        let mut left = at;
        let mut place = |&size: &u64| {
            let place = left.checked_rem(size).unwrap_or(0);
            left = left.checked_div(size).unwrap_or(0);
            place
        };
        if self.header.fortran {
            return self.header.shape.iter().map(place).collect();
        }
        let mut index: Vec<u64> = self.header.shape.iter().rev().map(&mut place).collect();
        index.reverse();
        index
    }

    /// Reorders the numbers of an array whose first index varies fastest, sample after sample.
    fn turned(&self, values: &Values) -> Result<Values> {
        let offsets = layout::fortran_offsets(&self.header.shape);
        let mut turned = self.room(self.header.count().unwrap_or(u64::MAX))?;
        for sample in 0..self.samples() {
            let places = offsets.iter().map(|offset| offset.saturating_add(sample));
            match (values, &mut turned) {
                (Values::Bytes(from), Values::Bytes(to)) => to.extend(places.filter_map(|at| from.get(at))),
                (Values::Floats(from), Values::Floats(to)) => to.extend(places.filter_map(|at| from.get(at))),
                _ => {}
            }
        }
        Ok(self.layout.arranged(turned))
    }

    /// Reads all its numbers as labels: integers exactly.
    pub(crate) fn numbers(&self, reader: &mut dyn Read, origin: &Origin) -> Result<Numbers> {
        let number = self.header.number;
        if number.is_whole() {
            let mut wholes: Vec<i128> = reserved(self.header.count().unwrap_or(u64::MAX))?;
            self.each_sample(reader, origin, |bytes| number.each_whole(bytes, |whole| wholes.push(whole)))?;
            return Ok(Numbers::Whole(self.in_order(wholes)));
        }
        let mut numbers: Vec<f64> = reserved(self.header.count().unwrap_or(u64::MAX))?;
        self.each_sample(reader, origin, |bytes| number.each(bytes, |number| numbers.push(number)))?;
        if let Some(at) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(self.not_finite(at as u64, origin));
        }
        Ok(Numbers::Float(self.in_order(numbers)))
    }

    /// Passes the bytes of one sample's worth of numbers at a time to a closure, once per sample.
    fn each_sample(&self, reader: &mut dyn Read, origin: &Origin, mut see: impl FnMut(&[u8])) -> Result<()> {
        let mut buffer = vec![0; self.stride()];
        for _ in 0..self.samples() {
            reader.read_exact(&mut buffer).map_err(|error| unreadable(origin, error))?;
            see(&buffer);
        }
        Ok(())
    }

    /// Reorders numbers from file order to sample after sample.
    fn in_order<N: Copy>(&self, numbers: Vec<N>) -> Vec<N> {
        if !self.header.fortran {
            return numbers;
        }
        let offsets = layout::fortran_offsets(&self.header.shape);
        let sample = |sample: usize| offsets.iter().map(move |offset| offset.saturating_add(sample));
        (0..self.samples()).flat_map(sample).filter_map(|at| numbers.get(at).copied()).collect()
    }

    /// Returns the error for an array that exceeds the memory budget and cannot be streamed.
    pub(crate) fn too_large(&self, origin: &Origin, why: &str, advice: &str) -> Error {
        origin
            .refuse(format!(
                "holds {} of numbers, more than fits into memory, and {why}",
                bytes(self.memory())
            ))
            .advise(advice)
    }
}

/// Returns the index of the first number that is not finite.
fn not_finite_in(floats: &[f32]) -> Option<usize> {
    let all = floats.iter().fold(true, |all, float| all & float.is_finite()); // without a branch, for vectors
    if all { None } else { floats.iter().position(|float| !float.is_finite()) }
}

fn unreadable(origin: &Origin, error: std::io::Error) -> Error {
    origin.refuse(format!("cannot be read: {}", crate::text::plain_io(&error))).with_source(error)
}

impl std::fmt::Display for Array {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let samples = grouped(self.layout.samples);
        match self.layout.shape {
            Shape::Flat(features) => write!(f, "{samples} samples of {} numbers", grouped(features as u64)),
            Shape::Image(image) => {
                let paper =
                    if self.layout.is_transparent() { ", transparent pixels shown as white" } else { "" };
                write!(
                    f,
                    "{samples} pictures: {} x {} x {}{paper}",
                    image.channels, image.height, image.width
                )
            }
        }
    }
}

#[cfg(test)]
mod tests;
