//! Weights along the way, for the plane that all racers share.

use super::{Chart, Held, Measure, Reading, View, instrument};
use crate::Result;
use crate::record::Waypoints;

instrument! {
    /// Loss over the plane that the racers of a study share, with their paths.
    ///
    /// ```text
    /// xₖ = (wₖ − c) / s        wₖ: weights at the end of an epoch, c: their mean over all racers and epochs
    /// w(a, b) = c + s (a u₁ + b u₂)        u₁, u₂: the two largest principal components of all xₖ
    /// ```
    ///
    /// s is the length of each unit's weights at c, its bias included, so that the plane does not depend on how lengths
    /// are shared among layers: the filter normalisation of Li et al., "Visualizing the Loss Landscape of Neural Nets",
    /// NeurIPS 2018 (arXiv 1712.09913). Paths are projections, and the share of the variance in the plane is stated; where
    /// it is small, path and contours say little about each other. The loss is that of training, on the samples of the
    /// other instruments. For racers with the first seed and the network and loss of the first one, at most 13 points of
    /// each; if a racer ends with a loss above that before training, without its last points above it. The weights
    /// at the ends of epochs are kept in `path.f32`.
    Plane = "plane"
}

impl Measure for Plane {
    fn measure(&self, _view: &mut View) -> Result<Vec<Reading>> {
        Ok(vec![])
    }

    fn chart(&self) -> Option<Chart> {
        None
    }

    fn keeps_weights(&self) -> bool {
        true
    }

    /// The points of a path; at the end centre, lengths and two axes in f64, and the weights at two points.
    fn held(&self, weights: usize) -> Held {
        Held { floats: (Waypoints::HELD + 10) * weights, activations: 0 }
    }
}
