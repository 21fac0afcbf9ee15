//! Units that pass on no gradient.

use super::{Chart, LiveUnits, Measure, Reading, View, instrument};
use crate::Result;

instrument! {
    /// Fraction of the units of every activation whose slope is 0 for all of up to 1,024 training samples.
    ///
    /// ```text
    /// unit j is dead  ⇔  f′(xⱼ) = 0 for every sample        f the activation, xⱼ the input of the unit
    /// ```
    ///
    /// No gradient passes such a unit, so the weights into it do not learn from these samples. ReLU dies where a large
    /// update has made its input negative for every sample; saturated hard-tanh and sigmoids rounded to 0 or 1 count as
    /// well. The samples are the same in every trial, and without input noise or dropout.
    DeadUnits = "dead-units"
}

impl Measure for DeadUnits {
    fn measure(&self, view: &mut View) -> Result<Vec<Reading>> {
        let share = |LiveUnits { layer, live }: LiveUnits| {
            let dead = live.iter().filter(|live| !**live).count();
            Reading::of_layer(layer, Some(dead as f64 / live.len() as f64))
        };
        let positions = 0..view.samples.len();
        Ok(view.probe.live_units(view.samples, positions)?.into_iter().map(share).collect())
    }

    fn chart(&self) -> Option<Chart> {
        Some(Chart {
            title: "Dead units",
            label: "dead units in %",
            caption: "Share of the units whose slope is 0 for every one of the training samples looked at.",
            factor: 100.0,
        })
    }
}
