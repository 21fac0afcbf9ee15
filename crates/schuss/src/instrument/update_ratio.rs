//! Size of an update relative to the weights.

use super::{Chart, Held, Measure, Reading, View, instrument};
use crate::Result;
use crate::network::Layout;

instrument! {
    /// Length of the last update relative to that of the weights, for every layer with weights.
    ///
    /// ```text
    /// ‖wₜ − wₜ₋₁‖ / ‖wₜ₋₁‖        over all trained numbers w of the layer
    /// ```
    ///
    /// Around 0.001 is common in healthy training; far above, weights are overwritten, far below, they hardly move.
    /// Measured at the ends of epochs, on the last update before them; undefined before the first update and for a
    /// layer of zeros.
    UpdateRatio = "update-ratio"
}

impl Measure for UpdateRatio {
    fn measure(&self, view: &mut View) -> Result<Vec<Reading>> {
        let weights = view.probe.weights();
        let ratios = view.before.map(|before| ratios(weights.layout(), before, weights.values()));
        Ok(ratios.unwrap_or_default())
    }

    fn chart(&self) -> Option<Chart> {
        Some(Chart {
            title: "Size of an update relative to the weights",
            label: "‖Δw‖ / ‖w‖",
            caption: "The last update of every epoch.",
            factor: 1.0,
        })
    }

    fn compares_weights(&self) -> bool {
        true
    }

    fn held(&self, weights: usize) -> Held {
        Held { floats: weights, activations: 0 }
    }
}

/// Sums of squares over a layer.
#[derive(Default)]
struct Squares {
    layer: usize,
    change: f64,
    weights: f64,
}

fn ratios(layout: &Layout, before: &[f32], after: &[f32]) -> Vec<Reading> {
    let mut layers: Vec<Squares> = vec![];
    for entry in layout.entries().iter().filter(|entry| entry.is_trained()) {
        let layer = entry.layer();
        if layers.last().is_none_or(|last| last.layer != layer) {
            layers.push(Squares { layer, ..Squares::default() });
        }
        let Some(squares) = layers.last_mut() else { continue };
        for (&old, &new) in before[entry.range()].iter().zip(&after[entry.range()]) {
            let (old, new) = (f64::from(old), f64::from(new));
            squares.change += (new - old) * (new - old);
            squares.weights += old * old;
        }
    }
    let reading = |squares: Squares| {
        let ratio = (squares.weights > 0.0).then(|| (squares.change / squares.weights).sqrt());
        Reading::of_layer(squares.layer, ratio)
    };
    layers.into_iter().map(reading).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use schuss_data::Shape;

    #[test]
    fn ratios_are_those_of_the_norms_of_each_layers_weights_and_biases_together() {
        let layout = Layout::new(&"2-1-1".parse().unwrap(), Shape::Flat(2)).unwrap();
        let [first, bias, second] = [0, 1, 2].map(|entry| layout.entries()[entry].range());
        let len = layout.entries().last().unwrap().range().end;
        let (mut before, mut after) = (vec![0.0; len], vec![0.0; len]);
        (before[first.start], before[bias.start]) = (3.0, 4.0); // norm 5
        after.copy_from_slice(&before);
        (after[first.start], after[bias.start]) = (3.3, 4.4); // moved by 0.5
        after[second.start] = 1.0; // from zero
        let found = ratios(&layout, &before, &after);
        assert_eq!(found.iter().map(|reading| reading.layer).collect::<Vec<_>>(), [Some(0), Some(2)]);
        assert!((found[0].value.unwrap() - 0.1).abs() < 1e-6);
        assert_eq!(found[1].value, None);
    }
}
