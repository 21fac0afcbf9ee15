//! Measurements of the trained weights for instruments.

use super::partial::{Halt, Partial};
use super::passes::{Passes, Samples};
use super::sums::Sums;
use super::{Cpu, hessian};
use crate::Result;
use crate::instrument::{LiveUnits, Probe};
use crate::network::{Gradients, Params, VectorGradients, Weights};
use schuss_data::Feed;
use schuss_kernels::matrix::Matrix;
use schuss_kernels::{Team, padded};
use std::ops::Range;

impl Probe for Cpu {
    fn weights(&self) -> &Params {
        &self.passes.params
    }

    fn swap_weights(&mut self, weights: &mut [f32]) {
        self.passes.params.values_mut().swap_with_slice(weights);
    }

    fn live_units(&mut self, samples: &mut Feed, positions: Range<usize>) -> Result<Vec<LiveUnits>> {
        self.passes.live_units(samples, positions)
    }

    fn loss(&mut self, samples: &mut Feed, positions: Range<usize>, weights: &[f32]) -> Result<f64> {
        self.passes.loss_at(Samples { feed: samples, positions }, weights)
    }

    fn gradient(&mut self, samples: &mut Feed, positions: Range<usize>) -> Result<Vec<f32>> {
        self.passes.gradient(Samples { feed: samples, positions })
    }

    fn check_curvature(&self) -> Result<()> {
        hessian::check(&self.passes)
    }

    fn curvature(
        &mut self,
        samples: &mut Feed,
        positions: Range<usize>,
        direction: &[f32],
    ) -> Result<Vec<f32>> {
        self.passes.curvature(samples, positions, direction)
    }
}

impl Passes {
    fn live_units(&mut self, samples: &mut Feed, positions: Range<usize>) -> Result<Vec<LiveUnits>> {
        let mut units = self.units();
        for first in positions.clone().step_by(self.sizes.capacity) {
            let rows = self.sizes.capacity.min(positions.end - first);
            self.arena.gather(&mut self.team, &self.plan, &samples.rows(first, rows)?)?;
            let weights = Weights::Frozen(self.params.values());
            self.arena.forward(&mut self.team, &self.plan, weights, rows);
            units.iter_mut().for_each(|(stage, units)| self.look_at(*stage, units, rows));
        }
        Ok(units.into_iter().map(|(_, units)| units).collect())
    }

    /// Returns the mean training loss at other weights. The weights are restored.
    fn loss_at(&mut self, mut samples: Samples, weights: &[f32]) -> Result<f64> {
        let trained = self.params.values().to_vec();
        self.params.values_mut().copy_from_slice(weights);
        let seen = self.loss(&mut samples, || false);
        self.params.values_mut().copy_from_slice(&trained);
        Ok(seen?.map_or(f64::NAN, |seen| seen.tally.mean_loss()))
    }

    /// Returns the gradient of the mean training loss. Running statistics are restored.
    fn gradient(&mut self, mut samples: Samples) -> Result<Vec<f32>> {
        let mut sums = Sums::new(self.plan.layout.len(), &self.sizes);
        let mut found = Ok(());
        self.all_or_nothing(|passes| {
            let seen = passes.accumulate(&mut samples, Partial::default(), || false, &mut sums);
            found = Halt::stopped(seen).map(|seen| {
                sums.divide(&mut passes.team, seen.map_or(1.0, |seen| seen.weight));
            });
            Ok(None::<()>)
        })?;
        found.map(|()| sums.leaf.to_vec())
    }

    /// Returns the stages with an activation that gradients go through, with their units, all dead.
    fn units(&self) -> Vec<(usize, LiveUnits)> {
        let lowest = self.plan.lowest_trained();
        let stages = self.plan.stages.iter().enumerate();
        let activations = stages
            .filter(|(index, stage)| stage.relu || (*index > lowest && stage.operation().is_activation()));
        activations
            .map(|(index, stage)| {
                let layer = stage.layer + usize::from(stage.relu);
                (index, LiveUnits { layer, live: vec![false; stage.outputs] })
            })
            .collect()
    }

    /// Marks the units of a stage that have a slope for some of the samples in the arena.
    fn look_at(&mut self, stage: usize, units: &mut LiveUnits, rows: usize) {
        let stride = padded(units.live.len());
        if !self.plan.stages[stage].relu {
            self.arena.deltas[0][..rows * stride].fill(1.0);
            let (values, mode) = (self.params.values(), self.training(0, 0));
            let to = &mut Unwanted { team: &mut self.team, values };
            self.arena.backward(&self.plan, stage, rows, to, &mode);
        }
        let slopes =
            if self.plan.stages[stage].relu { &self.arena.outputs[stage] } else { &self.arena.deltas[0] };
        for row in slopes[..rows * stride].chunks_exact(stride) {
            units.live.iter_mut().zip(row).for_each(|(live, slope)| *live |= *slope != 0.0);
        }
    }
}

/// Destination of gradients that nobody needs.
pub(super) struct Unwanted<'a> {
    pub(super) team: &'a mut Team,
    pub(super) values: &'a [f32],
}

impl Gradients for Unwanted<'_> {
    fn compute(&mut self) -> (&mut Team, &[f32]) {
        (self.team, self.values)
    }

    fn weight_and_bias(&mut self, _x: Matrix, _dy: Matrix) {}

    fn vectors(&mut self, _sum: &mut VectorGradients) {}
}
