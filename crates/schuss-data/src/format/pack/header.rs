//! Header of a pack: magic, format and length, kind and number of the records, a checksum.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | magic |
//! | 4, 4 | format (1), length of the header |
//! | 4, 8, 8, 8 | shape: 1 flat (features, 1, 1) or 2 image (channels, height, width) |
//! | 4 | values: 1 bytes or 2 f32 |
//! | 4, 8 | labels: 1 class (width 1), 2 real (numbers per sample), 3 none (width 0) |
//! | 8, 8, 8 | samples of the training, validation and test split |
//! | 4, then 4 + n each | number of classes; length and UTF-8 of each name |
//! | 4 + n | length and UTF-8 of a text by the writer |
//! | 8 | XXH3-64 of all before it |
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use super::CHECKSUM;
use crate::{Error, ImageShape, Result, Shape};
use xxhash_rust::xxh3::xxh3_64;

/// Magic bytes of every pack; like PNG's, they reveal a file that was copied as if it were text.
pub const MAGIC: [u8; 8] = *b"\x89SCHUSS\n";

pub(super) const FORMAT: u32 = 1;
/// Length of magic, format and header length, in bytes.
pub(super) const START: usize = 16;
/// Size limit of a header, in bytes: names of a million classes fit.
pub(super) const LONGEST: u32 = 16 << 20;
const MAX_CLASSES: u32 = 1_000_000;

/// Kind of label of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labelled {
    /// Class index.
    Class,
    /// Regression target of this many numbers.
    Real(usize),
    /// No label.
    Absent,
}

/// Header: contents of a pack's records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) shape: Shape,
    /// True if values are floats, not bytes.
    pub(super) floats: bool,
    pub(super) labelled: Labelled,
    /// Number of samples in the training, validation and test splits.
    pub(super) counts: [u64; 3],
    pub(super) classes: Vec<String>,
    pub(super) about: String,
}

impl Header {
    /// Returns the bytes of a record's values; `None` on overflow.
    pub(super) fn value_bytes(&self) -> Option<u64> {
        let features = match self.shape {
            Shape::Flat(features) => features,
            Shape::Image(ImageShape { channels, height, width }) => {
                channels.checked_mul(height)?.checked_mul(width)?
            }
        };
        (features as u64).checked_mul(if self.floats { 4 } else { 1 })
    }

    /// Returns the bytes of a record's label.
    pub(super) fn label_bytes(&self) -> Option<u64> {
        match self.labelled {
            Labelled::Class => Some(4),
            Labelled::Real(width) => (width as u64).checked_mul(4),
            Labelled::Absent => Some(0),
        }
    }

    /// Returns the bytes of a record.
    pub(super) fn stride(&self) -> Option<u64> {
        self.value_bytes()?.checked_add(self.label_bytes()?)?.checked_add(CHECKSUM as u64)
    }

    /// Returns the bytes of all records.
    pub(super) fn records(&self) -> Option<u64> {
        let [train, validation, test] = self.counts;
        train.checked_add(validation)?.checked_add(test)?.checked_mul(self.stride()?)
    }

    /// Encodes the header as stored in the file.
    ///
    /// # Errors
    /// If it is too long.
    pub(super) fn encode(&self) -> Result<Vec<u8>> {
        let mut bytes = [&MAGIC[..], &FORMAT.to_le_bytes(), &[0; 4]].concat();
        let (tag, sizes) = match self.shape {
            Shape::Flat(features) => (1_u32, [features, 1, 1]),
            Shape::Image(ImageShape { channels, height, width }) => (2, [channels, height, width]),
        };
        bytes.extend(tag.to_le_bytes());
        bytes.extend(sizes.into_iter().flat_map(|size| (size as u64).to_le_bytes()));
        bytes.extend(if self.floats { 2_u32 } else { 1 }.to_le_bytes());
        let (tag, width) = match self.labelled {
            Labelled::Class => (1_u32, 1),
            Labelled::Real(width) => (2, width),
            Labelled::Absent => (3, 0),
        };
        bytes.extend(tag.to_le_bytes());
        bytes.extend((width as u64).to_le_bytes());
        bytes.extend(self.counts.into_iter().flat_map(u64::to_le_bytes));
        bytes.extend(short(self.classes.len())?.to_le_bytes());
        for text in self.classes.iter().chain([&self.about]) {
            bytes.extend(short(text.len())?.to_le_bytes());
            bytes.extend(text.as_bytes());
        }
        let length = short(bytes.len().saturating_add(CHECKSUM))?;
        if let Some(place) = bytes.get_mut(START - 4..START) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        Ok(bytes)
    }

    /// Parses a whole header, from the magic to the checksum, or returns what is wrong with it.
    pub(super) fn parse(bytes: &[u8]) -> std::result::Result<Self, String> {
        let (body, sum) = bytes.split_last_chunk().ok_or("ends within its header")?;
        if xxh3_64(body) != u64::from_le_bytes(*sum) {
            return Err("is damaged: its header does not match its checksum".into());
        }
        let mut fields = Fields(body.get(START..).ok_or("ends within its header")?);
        let shape = fields.shape()?;
        let floats = match fields.number()? {
            1 => false,
            2 => true,
            other => return Err(format!("holds values of an unknown kind, {other}")),
        };
        let labelled = fields.labelled()?;
        let counts = [fields.size()?, fields.size()?, fields.size()?];
        let mut classes = Vec::new();
        let count = fields.number()?;
        if count > MAX_CLASSES {
            return Err(format!("names {count} classes, more than any pack has"));
        }
        for _ in 0..count {
            classes.push(fields.text()?);
        }
        let header = Self { shape, floats, labelled, counts, classes, about: fields.text()? };
        if !fields.0.is_empty() {
            return Err("has extra bytes at the end of its header".into());
        }
        header.check()?;
        Ok(header)
    }

    /// Rejects contents that no reader could make sense of.
    pub(super) fn check(&self) -> std::result::Result<(), String> {
        if self.value_bytes() == Some(0) {
            return Err("holds samples without numbers".into());
        }
        if self.counts[0] == 0 {
            return Err("holds no samples to train on".into());
        }
        match self.labelled {
            Labelled::Class if self.classes.is_empty() => Err("names no classes".into()),
            Labelled::Real(0) => Err("holds labels without numbers".into()),
            _ => Ok(()),
        }
    }
}

fn short(length: usize) -> Result<u32> {
    u32::try_from(length).ok().filter(|&length| length <= LONGEST).ok_or_else(|| {
        Error::data("names of classes and other texts take more than the 16 MiB a pack has for them")
            .advise("fewer classes, or shorter names")
    })
}

/// Unread rest of a header.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> std::result::Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or("ends within its header")?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self) -> std::result::Result<u32, String> {
        let bytes = self.take(4)?;
        Ok(bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes)))
    }

    fn size(&mut self) -> std::result::Result<u64, String> {
        let bytes = self.take(8)?;
        Ok(bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes)))
    }

    /// Reads a size that fits into memory.
    fn length(&mut self) -> std::result::Result<usize, String> {
        let size = self.size()?;
        usize::try_from(size)
            .map_err(|_| format!("holds samples of {size} numbers, more than this machine can address"))
    }

    fn text(&mut self) -> std::result::Result<String, String> {
        let length = self.number()?;
        let bytes = self.take(usize::try_from(length).unwrap_or(usize::MAX))?;
        Ok(std::str::from_utf8(bytes).map_err(|_| "holds a name that is not UTF-8")?.to_owned())
    }

    fn shape(&mut self) -> std::result::Result<Shape, String> {
        let (tag, sizes) = (self.number()?, [self.length()?, self.length()?, self.length()?]);
        match (tag, sizes) {
            (1, [features, 1, 1]) => Ok(Shape::Flat(features)),
            (2, [channels, height, width]) => Ok(Shape::Image(ImageShape { channels, height, width })),
            _ => Err("holds samples of an unknown shape".into()),
        }
    }

    fn labelled(&mut self) -> std::result::Result<Labelled, String> {
        match (self.number()?, self.length()?) {
            (1, 1) => Ok(Labelled::Class),
            (2, width) => Ok(Labelled::Real(width)),
            (3, 0) => Ok(Labelled::Absent),
            _ => Err("holds labels of an unknown kind".into()),
        }
    }
}
