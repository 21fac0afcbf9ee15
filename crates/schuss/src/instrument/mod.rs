//! Instruments: measurements of a trial in progress beside its metrics, which never change a bit of it. One file each.
//!
//! An instrument sees the trained weights at a report point through a [`Probe`], which the engine implements, and
//! returns [`Reading`]s, which are recorded among the metrics of that evaluation.

mod dead_units;
mod lanczos;
mod noise_scale;
mod plane;
mod probe;
mod reading;
mod sharpness;
mod stability;
mod update_ratio;

pub use dead_units::DeadUnits;
pub use noise_scale::NoiseScale;
pub use plane::Plane;
pub use probe::{LiveUnits, Probe};
pub use reading::Reading;
pub use sharpness::Sharpness;
pub use update_ratio::UpdateRatio;

pub(crate) use probe::{SAMPLES, View};
pub(crate) use sharpness::sharpness;
pub(crate) use stability::largest_stable_rate;

use crate::record::Evaluation;
use crate::spec::{Choice, choices};
use crate::{Error, Result};

/// Interface of an instrument.
pub(crate) trait Measure: Choice {
    /// Measures the weights at a report point.
    fn measure(&self, view: &mut View) -> Result<Vec<Reading>>;

    /// Checks that it can measure the network and loss of a trial.
    fn supports(&self, _probe: &dyn Probe) -> Result<()> {
        Ok(())
    }

    /// Returns the words on its charts; None if its readings are not drawn.
    fn chart(&self) -> Option<Chart>;

    /// True if the weights at every report point are kept for it.
    fn keeps_weights(&self) -> bool {
        false
    }

    /// True if it needs the weights before the last update.
    fn compares_weights(&self) -> bool {
        false
    }

    /// Returns the memory it needs for a network of `weights` numbers.
    fn held(&self, _weights: usize) -> Held {
        Held::default()
    }
}

/// Memory that an instrument holds at most while it measures.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Held {
    /// Vectors of weights, in multiples of `f32`.
    pub(crate) floats: usize,
    /// Copies of the activations of a microbatch.
    pub(crate) activations: usize,
}

/// Words on the chart of an instrument.
#[derive(Clone, Copy, Debug)]
pub struct Chart {
    /// Title, to which the layer is added.
    pub title: &'static str,
    /// Label of the y axis.
    pub label: &'static str,
    /// Explanation of the values.
    pub caption: &'static str,
    /// Factor from recorded to drawn values.
    pub factor: f64,
}

/// Defines an instrument and its name.
macro_rules! instrument {
    ($(#[$doc:meta])* $instrument:ident = $name:literal) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize,
            documented::Documented, documented::DocumentedFields,
        )]
        #[serde(default, deny_unknown_fields)]
        pub struct $instrument {}

        impl $crate::spec::Choice for $instrument {
            const NAME: &'static str = $name;
        }
    };
}
use instrument;

/// The table of instruments: one row each.
macro_rules! instruments {
    ($($(#[doc = $line:literal])* $instrument:ident,)*) => {
        choices! {
            /// Measurement of a trial in progress, beside its metrics.
            pub enum Instrument ("instrument", always &[]) {
                $($(#[doc = $line])* $instrument,)*
            }
        }

        impl Instrument {
            /// Returns all instruments, in the order of the table.
            pub fn all() -> Vec<Self> {
                vec![$($instrument::default().into(),)*]
            }

            /// Returns its name in records, without dashes.
            pub fn key(&self) -> String {
                match self { $(Self::$instrument(_) => <$instrument as Choice>::NAME.replace('-', "_"),)* }
            }

            /// Returns the words on its charts; None if its readings are not drawn.
            pub fn chart(&self) -> Option<Chart> {
                match self { $(Self::$instrument(instrument) => instrument.chart(),)* }
            }

            /// True if the weights at every report point are kept for it.
            pub(crate) fn keeps_weights(&self) -> bool {
                match self { $(Self::$instrument(instrument) => instrument.keeps_weights(),)* }
            }

            /// True if it needs the weights before the last update.
            pub(crate) fn compares_weights(&self) -> bool {
                match self { $(Self::$instrument(instrument) => instrument.compares_weights(),)* }
            }

            /// Checks that it can measure the network and loss of a trial.
            ///
            /// # Errors
            /// A usage error that names what is not supported.
            pub(crate) fn supports(&self, probe: &dyn Probe) -> Result<()> {
                match self { $(Self::$instrument(instrument) => instrument.supports(probe),)* }
            }

            /// Returns the memory it needs for a network of `weights` numbers.
            pub(crate) fn held(&self, weights: usize) -> Held {
                match self { $(Self::$instrument(instrument) => instrument.held(weights),)* }
            }

            fn measure(&self, view: &mut View) -> Result<Vec<Reading>> {
                match self { $(Self::$instrument(instrument) => instrument.measure(view),)* }
            }
        }
    };
}

instruments! {
    /// Size of the last update relative to the weights, by layer.
    UpdateRatio,
    /// Units of activations that pass on no gradient, by layer.
    DeadUnits,
    /// Largest curvature of the training loss.
    Sharpness,
    /// Batch size up to which more samples per update save updates.
    NoiseScale,
    /// Loss over the plane that all racers share.
    Plane,
}

impl Instrument {
    /// Returns the instruments named in a comma-separated list.
    ///
    /// # Errors
    /// A usage error for an unknown, missing or duplicate name.
    pub(crate) fn list(names: &str) -> Result<Vec<Self>> {
        let mut all: Vec<Self> = vec![];
        for name in names.split(',').map(str::trim) {
            if name.is_empty() {
                return Err(Error::usage("an instrument has no name").advise(Self::NAMES.join(",")));
            }
            let instrument = name.parse()?;
            if all.contains(&instrument) {
                return Err(Error::usage(format!("duplicate `{name}` in `{names}`")));
            }
            all.push(instrument);
        }
        Ok(all)
    }

    /// Measures, and enters the readings among the metrics of the evaluation.
    ///
    /// # Errors
    /// If samples cannot be read.
    pub(crate) fn enter(&self, view: &mut View, evaluation: &mut Evaluation) -> Result<()> {
        for reading in self.measure(view)? {
            evaluation.enter(&reading.key(&self.key()), reading.value.filter(|value| value.is_finite()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::READINGS;

    #[test]
    fn metrics_of_ones_own_know_the_keys_of_all_instruments() {
        assert_eq!(Instrument::all().iter().map(Instrument::key).collect::<Vec<_>>(), READINGS);
    }
}
