//! Points of training at which the weights are evaluated.

use crate::recipe::{EvalEvery, EvalGrid, Trial};
use schuss_data::Dataset;

/// Points within epochs at which the weights are evaluated; the ends of epochs are points as well.
#[derive(Clone, Copy, Debug)]
pub(super) enum EvalPoints {
    Epoch,
    Updates(u64),
    Grid(EvalGrid),
}

/// Place in training between two updates.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Current epoch, from 1.
    pub(super) epoch: u32,
    /// Samples of the epoch seen.
    pub(super) position: usize,
    /// Samples per epoch.
    pub(super) len: usize,
    /// Updates since the start.
    pub(super) updates: u64,
    /// Samples per update.
    pub(super) samples: usize,
}

impl EvalPoints {
    /// Returns the points of a trial.
    pub(super) fn of(trial: &Trial, data: &Dataset) -> Self {
        match trial.eval_every() {
            None | Some(EvalEvery::Epoch) => Self::Epoch,
            Some(EvalEvery::Updates(updates)) => Self::Updates(updates),
            Some(EvalEvery::Auto) => Self::Grid(EvalGrid::new(data.train.len(), data.evaluated().len())),
        }
    }

    /// Returns the position of the next point, which no update crosses; beyond the epoch if there is none in it.
    pub(super) fn next(&self, place: Place) -> usize {
        let Place { epoch, position, len, updates, samples } = place;
        match self {
            Self::Epoch => len,
            Self::Updates(every) => {
                let left = usize::try_from(every - updates % every).unwrap_or(usize::MAX);
                position.saturating_add(left.saturating_mul(samples))
            }
            Self::Grid(grid) => grid.next(epoch, position, len).next_multiple_of(samples),
        }
    }

    /// Returns true if the last update reached a point.
    pub(super) fn are_at(&self, place: Place) -> bool {
        let Place { epoch, position, len, updates, samples } = place;
        match self {
            Self::Epoch => position == len,
            Self::Updates(every) => updates.is_multiple_of(*every),
            Self::Grid(grid) => grid.next(epoch, position.saturating_sub(samples), len) <= position,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Positions of evaluations in two epochs of 1,000 samples, if each advance goes as far as it may.
    fn seen(points: EvalPoints, samples: usize) -> Vec<usize> {
        let (mut seen, mut updates) = (vec![], 0);
        for epoch in 1..=2 {
            let mut position = 0;
            while position < 1_000 {
                let next = points.next(Place { epoch, position, len: 1_000, updates, samples }).min(1_000);
                updates += (next - position).div_ceil(samples) as u64;
                position = next;
                assert!(
                    points.are_at(Place { epoch, position, len: 1_000, updates, samples })
                        || position == 1_000
                );
                seen.push((epoch as usize - 1) * 1_000 + position);
            }
        }
        seen
    }

    #[test]
    fn every_update_rule_is_evaluated_at_the_first_update_that_reaches_the_grid() {
        let grid = EvalPoints::Grid(EvalGrid::new(60_000, 10_000));
        assert_eq!(seen(grid, 1), [200, 400, 600, 800, 1_000, 1_500, 2_000]);
        assert_eq!(seen(grid, 30), [210, 420, 600, 810, 1_000, 1_510, 2_000]);
        assert_eq!(seen(grid, 300), [300, 600, 900, 1_000, 1_600, 2_000]);
        assert_eq!(seen(grid, 1_000), [1_000, 2_000]);
    }

    #[test]
    fn a_number_of_updates_is_counted_from_the_start() {
        assert_eq!(seen(EvalPoints::Updates(3), 100), [300, 600, 900, 1_000, 1_200, 1_500, 1_800, 2_000]);
        assert_eq!(seen(EvalPoints::Epoch, 100), [1_000, 2_000]);
    }
}
