//! Builds a data set from the samples of a source: holds out missing splits and fits the normalisation.

use crate::format::table::Target;
use crate::reader::{Loaded, LoadedSplit, ReadOptions};
use crate::scale::TargetNumbers;
use crate::split::relabel;
use crate::undivided::Undivided;
use crate::{
    Centring, Dataset, Normalisation, Normalise, Offsets, Place, Preparation, Resampling, Result, Samples,
    Scale, Shape, Split,
};
use std::sync::Arc;

/// Options for loading data, apart from their source.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// Options of the reader.
    pub ask: ReadOptions,
    /// Fraction of the training samples to hold out for validation (curves and model selection).
    pub validation: Option<f64>,
    /// Way in which held-out samples depend on the seed of a trial; `None` if they do not.
    pub resampling: Option<Resampling>,
    /// Normalisation of the features; `None` picks the default for the data.
    pub normalisation: Option<Normalise>,
    /// True if nothing is trained: without a test split of their own, all samples become the test split.
    pub whole: bool,
    /// True if nothing is fitted to the training split but what missing cells become: a model brings its own
    /// normalisation and scale of targets.
    pub unfitted: bool,
}

impl Request {
    /// Returns the options of the reader; without normalisation, features are read unchanged.
    pub(crate) fn ask(&self) -> ReadOptions {
        let raw = self.normalisation == Some(Normalise::None) && self.ask.offsets == Centring::AsNeeded;
        let offsets = if raw { Centring::Never } else { self.ask.offsets.clone() };
        ReadOptions { offsets, ..self.ask.clone() }
    }
}

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
            resampled: None,
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
        let (has_test, validation) = (test.is_some(), validation.map(Split::from));
        let test = test.map_or_else(|| Samples::default().into(), Split::from);
        let given = Self::given(&name, shape, classes, Samples::default(), Samples::default());
        let train = train.into();
        let data = Self { origin, train, validation, test, table, offsets, pictures, notes, ..given };
        Undivided { data, has_test }.with(request)
    }

    /// Creates a data set whose test split is everything that was loaded.
    fn whole(name: String, origin: String, found: Loaded) -> Result<Self> {
        let Loaded { shape, classes, train, table, offsets, pictures, notes, .. } = found;
        let test = Split::from(train);
        let none = test.read(&[])?;
        let given = Self::given(&name, shape, classes, none, Samples::default());
        Ok(Self { origin, test, table, offsets, pictures, notes, ..given })
    }

    /// Divides and normalises data that have a test split, as requested.
    ///
    /// # Errors
    /// As for [`Self::of`].
    pub(crate) fn with(self, request: &Request) -> Result<Self> {
        Undivided { data: self, has_test: true }.with(request)
    }

    /// Fills in missing cells and fits the normalisation, both on the training split.
    pub(crate) fn prepared(self, request: &Request) -> Result<Self> {
        let mut filled = self.imputed()?;
        if request.unfitted {
            return Ok(filled);
        }
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
}
