//! Form of one encoded sample by its header, the common form of all samples, and the conversion.

use super::Blob;
use super::prepare::{self, check_end};
use super::whole::PNG;
use crate::format::npy::{Array, Header, MAGIC};
use crate::format::table::Origin;
use crate::{ImageShape, Preparation, Result, Shape, Values};

/// Sides that pictures can be scaled to.
pub(super) const SIZES: std::ops::RangeInclusive<usize> = 1..=4_096;

/// Header of one sample.
#[derive(Clone, Debug)]
pub(super) enum Look {
    Picture(prepare::Header),
    Array(Header),
}

/// Common form that all samples are converted to.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// Pictures of one shape, as bytes or, if any has more than 8 bits per channel, as numbers from 0 to 1.
    Pictures(Pictures),
    /// Arrays, all like the first.
    Arrays(Array),
}

/// Pictures as a network takes them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pictures {
    /// Shape after conversion.
    pub shape: ImageShape,
    /// Conversion to this shape.
    pub preparation: Preparation,
}

/// Sample that does not fit, the reason, and advice.
type Misfit = (usize, String, String);

impl Look {
    pub(super) fn take(blob: &mut dyn Blob, length: u64) -> std::result::Result<Self, String> {
        if blob.fill_buf().is_ok_and(|start| start.starts_with(MAGIC)) {
            return Header::read(&mut &mut *blob, length).map(Self::Array);
        }
        // Looking at a PNG file reads only its header; a JPEG file is read to its end either way.
        if blob.fill_buf().is_ok_and(|start| !start.starts_with(PNG)) {
            check_end(blob)?;
        }
        prepare::header(blob, length).map(Self::Picture)
    }
}

impl Form {
    /// Chooses the form of the given model, if any; else grey only if all pictures are grey, and their own
    /// size only if all have the same.
    pub(super) fn of(
        looks: &[&Look],
        size: Option<usize>,
        model: Option<Pictures>,
    ) -> std::result::Result<Self, Misfit> {
        match looks.first() {
            None => Err((0, "there is no sample to look at".into(), "check the folder".into())),
            Some(Look::Array(header)) => Self::arrays(header, looks),
            Some(Look::Picture(first)) => Self::pictures(first, looks, size, model),
        }
    }

    fn pictures(
        first: &prepare::Header,
        looks: &[&Look],
        size: Option<usize>,
        model: Option<Pictures>,
    ) -> std::result::Result<Self, Misfit> {
        let (mut all_grey, mut deep) = (true, false);
        for (at, look) in looks.iter().enumerate() {
            let Look::Picture(other) = look else {
                return Err((at, "is an array, but others are pictures".into(), "keep them apart".into()));
            };
            (all_grey, deep) = (all_grey && other.grey, deep || other.deep);
            let same = (other.width, other.height) == (first.width, first.height);
            if size.is_none() && model.is_none() && !same {
                let what = format!(
                    "has {} x {} pixels, but the first picture {} x {}",
                    other.width, other.height, first.width, first.height
                );
                return Err((at, what, "--size 64 scales all to 64 x 64 pixels".into()));
            }
        }
        if let Some(model) = model {
            return Ok(Self::Pictures(model));
        }
        let side = |own: u32| size.unwrap_or(own as usize);
        let channels = if all_grey { 1 } else { 3 };
        let shape = ImageShape { channels, height: side(first.height), width: side(first.width) };
        Ok(Self::Pictures(Pictures { shape, preparation: Preparation::to_train_on(deep) }))
    }

    fn arrays(first: &Header, looks: &[&Look]) -> std::result::Result<Self, Misfit> {
        let same = |look: &&Look| matches!(look, Look::Array(header) if header.shape == first.shape && header.number == first.number);
        if let Some(at) = looks.iter().position(|look| !same(look)) {
            let what =
                format!("is not an array of {:?} like the first, of the same kind of numbers", first.shape);
            return Err((at, what, "save all samples alike".into()));
        }
        let array =
            Array::of_one_sample(first.clone()).map_err(|what| (0, what, "save it as numbers".into()))?;
        Ok(Self::Arrays(array))
    }

    pub(super) fn shape(&self) -> Shape {
        match self {
            Self::Pictures(pictures) => Shape::Image(pictures.shape),
            Self::Arrays(array) => array.layout.shape,
        }
    }

    /// Returns the memory that `samples` samples take, in bytes.
    pub(super) fn memory(&self, samples: usize) -> u64 {
        let each = match self {
            Self::Pictures(Pictures { shape, preparation }) => {
                (shape.features() as u64).saturating_mul(if preparation.deep { 4 } else { 1 })
            }
            Self::Arrays(array) => array.memory(),
        };
        each.saturating_mul(samples as u64)
    }

    /// Returns empty values of the right kind.
    pub(super) fn emptied(&self) -> Values {
        match self {
            Self::Pictures(pictures) => pictures.preparation.emptied(),
            Self::Arrays(array) => array.emptied(),
        }
    }

    /// Returns true if pictures that are dark on bright are inverted.
    pub(super) fn inverts(&self) -> bool {
        matches!(self, Self::Pictures(Pictures { shape, preparation }) if shape.channels == 1 && preparation.inverts())
    }

    /// Counts the pictures whose size differs from the common size.
    pub(super) fn scaled(&self, looks: &[&Look]) -> usize {
        let Self::Pictures(Pictures { shape, .. }) = self else { return 0 };
        let is_scaled = |look: &&&Look| match look {
            Look::Picture(header) => {
                (header.height as usize, header.width as usize) != (shape.height, shape.width)
            }
            Look::Array(_) => false,
        };
        looks.iter().filter(is_scaled).count()
    }

    /// Decodes and appends a sample; returns true if it was inverted.
    pub(super) fn decode(
        &self,
        blob: &mut dyn Blob,
        length: u64,
        origin: &Origin,
        into: &mut Values,
    ) -> Result<bool> {
        match (self, into) {
            (Self::Pictures(Pictures { shape, preparation }), into) => {
                let decoded = prepare::decode(blob, length).map_err(|what| origin.refuse(what))?;
                let (brought, inverted) = preparation.bring(decoded, *shape);
                prepare::append(brought, *shape, into);
                Ok(inverted)
            }
            (Self::Arrays(array), into) => {
                let header = Header::read(&mut &mut *blob, length).map_err(|what| origin.refuse(what))?;
                let own = Array::of_one_sample(header).map_err(|what| origin.refuse(what))?;
                if own.layout != array.layout || own.header.number != array.header.number {
                    return Err(origin.refuse("has changed since its header was read"));
                }
                own.append(&mut &mut *blob, origin, into).map(|()| false)
            }
        }
    }
}
