//! Builds a data set from the samples of a source: holds out missing splits and fits the normalisation.

use crate::format::table::Target;
use crate::random::Purpose;
use crate::reader::{Loaded, LoadedSplit, ReadOptions};
use crate::scale::TargetNumbers;
use crate::split::hold_out::{HeldOut, hold_out};
use crate::split::relabel;
use crate::{
    Centring, Dataset, Error, Normalisation, Normalise, Offsets, Place, Preparation, Result, Samples, Scale,
    Shape, Split,
};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Options for loading data, apart from their source.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Options of the reader.
    pub ask: ReadOptions,
    /// Fraction of the training samples to hold out for validation (curves and model selection).
    pub validation: Option<f64>,
    /// Normalisation of the features; `None` picks the default for the data.
    pub normalisation: Option<Normalise>,
    /// True if nothing is trained: without a test split of their own, all samples become the test split.
    pub whole: bool,
}

impl Request {
    /// Returns the options of the reader; without normalisation, features are read unchanged.
    pub(crate) fn ask(&self) -> ReadOptions {
        let raw = self.normalisation == Some(Normalise::None) && self.ask.offsets == Centring::AsNeeded;
        let offsets = if raw { Centring::Never } else { self.ask.offsets.clone() };
        ReadOptions { offsets, ..self.ask.clone() }
    }
}

/// Fraction of the samples held out as the test split if none is given.
const TEST_SHARE: f64 = 0.2;

impl From<LoadedSplit> for Split {
    fn from(part: LoadedSplit) -> Self {
        match part {
            LoadedSplit::Resident(samples) => samples.into(),
            LoadedSplit::Streamed(store) => Self::Streamed(store),
        }
    }
}

impl From<Split> for LoadedSplit {
    fn from(split: Split) -> Self {
        match split {
            Split::Resident(samples) => Self::Resident(Arc::unwrap_or_clone(samples)),
            Split::Streamed(store) => Self::Streamed(store),
        }
    }
}

impl Dataset {
    /// Creates a data set from training and test samples, normalised as pixels are.
    pub fn given(
        name: &str,
        shape: impl Into<Shape>,
        classes: Vec<String>,
        train: Samples,
        test: Samples,
    ) -> Self {
        let (train, test) = (Split::from(train), Split::from(test));
        let scale = Scale::of(&train).unwrap_or_default(); // samples in memory can always be read
        Self {
            name: name.to_owned(),
            origin: name.to_owned(),
            shape: shape.into(),
            classes,
            train,
            validation: None,
            test,
            labels: vec![],
            normalisation: Normalisation::Unit,
            pictures: false,
            preparation: None,
            table: None,
            offsets: Offsets::default(),
            scale,
            held_out: None,
            notes: vec![],
        }
    }

    /// Builds a data set from the output of a reader and a request.
    ///
    /// # Errors
    /// A data error if a split is empty, or any error from reading the samples.
    pub(crate) fn of(name: String, origin: String, found: Loaded, request: &Request) -> Result<Self> {
        let found = relabel::as_asked(found, request.ask.label_kind)
            .map_err(|error| error.or_at(Place::data(&name)))?;
        if request.whole && found.test.is_none() {
            return Self::whole(name, origin, found)?.imputed();
        }
        let Loaded { shape, classes, train, validation, test, table, offsets, pictures, notes, .. } = found;
        let mut drawing = Drawing { train: train.into(), hash: Xxh3::new(), drawn: vec![] };
        let test = match test {
            Some(test) => test.into(),
            None => drawing
                .hold_out("test", TEST_SHARE, Purpose::Test)
                .map_err(|error| error.or_at(Place::data(&name)))?,
        };
        let validation = validation.map(Split::from);
        let held_out = drawing.held_out();
        let train = drawing.train;
        let given = Self::given(&name, shape, classes, Samples::default(), Samples::default());
        Self { origin, train, validation, test, table, offsets, pictures, held_out, notes, ..given }
            .with(request)
    }

    /// Creates a data set whose test split is everything that was loaded.
    fn whole(name: String, origin: String, found: Loaded) -> Result<Self> {
        let Loaded { shape, classes, train, table, offsets, pictures, notes, .. } = found;
        let test = Split::from(train);
        let none = test.read(&[])?;
        let given = Self::given(&name, shape, classes, none, Samples::default());
        Ok(Self { origin, test, table, offsets, pictures, notes, ..given })
    }

    /// Adds the requested validation split and normalisation.
    ///
    /// # Errors
    /// As for [`Self::of`].
    pub(crate) fn with(self, request: &Request) -> Result<Self> {
        if request.whole {
            return Ok(self);
        }
        let empty = self.splits().find(|(_, split)| split.is_empty()).map(|(name, _)| name);
        if let Some(name) = empty {
            return Err(Error::data(format!("the {name} split is empty")).at(Place::data(&self.name)));
        }
        let divided = match request.validation {
            Some(share) => self.hold_out_validation(share)?,
            None => self,
        };
        let mut filled = divided.imputed()?;
        let preparation = Preparation::of(&filled)?;
        let bright = preparation.is_some_and(|preparation| preparation.is_bright());
        let usual = bright.then_some(Normalise::Standard).filter(|_| request.normalisation.is_none());
        if usual.is_some() {
            filled.notes.push(
                "pixels: the background is bright, so every pixel is standardised to mean 0 and deviation 1; \
                 --normalisation unit keeps 0 to 1"
                    .into(),
            );
        }
        let normalisation = Normalisation::fit(request.normalisation.or(usual), &filled.train, filled.shape)?;
        let targets = TargetNumbers::of(&filled.train)?;
        let labels = if targets.are_labels { filled.label_names(targets.scale.mean.len()) } else { vec![] };
        Ok(Self { normalisation, scale: targets.scale, labels, preparation, ..filled })
    }

    /// Returns the names of `count` labels: those of their columns, else their indices from 0.
    fn label_names(&self, count: usize) -> Vec<String> {
        match self.table.as_ref().map(|table| &table.target) {
            Some(Target::Real { columns }) => columns.clone(),
            _ => (0..count).map(|number| number.to_string()).collect(),
        }
    }

    fn hold_out_validation(self, share: f64) -> Result<Self> {
        let refuse = |what: &str| Err(Error::usage(what).at(Place::flag("validation")));
        if !(share > 0.0 && share < 1.0) {
            return refuse("the held-out fraction must be above 0 and below 1")
                .map_err(|e: Error| e.advise("0.1"));
        }
        if self.validation.is_some() {
            return refuse("the data already have a validation split")
                .map_err(|e: Error| e.advise("leave it out"));
        }
        let before = self.held_out.unwrap_or_default();
        let mut hash = Xxh3::new();
        hash.update(before.hash.as_bytes());
        let mut drawing = Drawing { train: self.train, hash, drawn: before.drawn };
        let validation = Some(drawing.hold_out("validation", share, Purpose::Validation)?);
        Ok(Self { held_out: drawing.held_out(), train: drawing.train, validation, ..self })
    }
}

/// Splits while they are being held out.
struct Drawing {
    train: Split,
    hash: Xxh3,
    drawn: Vec<String>,
}

impl Drawing {
    fn hold_out(&mut self, name: &str, share: f64, purpose: Purpose) -> Result<Split> {
        let train = std::mem::replace(&mut self.train, Samples::default().into());
        let (train, held, indices) = hold_out(train, share, purpose)?;
        indices.iter().for_each(|index| self.hash.update(&index.to_le_bytes()));
        self.train = train;
        self.drawn.push(name.to_owned());
        Ok(held)
    }

    fn held_out(&self) -> Option<HeldOut> {
        let (drawn, hash) = (self.drawn.clone(), format!("{:032x}", self.hash.digest128()));
        (!drawn.is_empty()).then_some(HeldOut { seed: crate::split::hold_out::SEED, drawn, hash })
    }
}
