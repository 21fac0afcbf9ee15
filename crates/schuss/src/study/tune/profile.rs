//! The loss of a recipe, or its time to the target, as a function of its learning rate, interpolated between probes.

use super::search::{Point, Search};

/// Cost against rate, both as logarithms.
pub(super) struct Profile(Vec<Knot>);

/// A probed rate.
#[derive(Clone, Copy)]
struct Knot {
    /// Rate, in powers of ten.
    at: f64,
    /// Natural logarithm of the cost over the lowest of the profile.
    excess: f64,
}

/// Interval of rates, in powers of ten.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Basin {
    pub(super) low: f64,
    pub(super) high: f64,
}

/// Natural logarithm of the cost at the edge of the good basin over the lowest: 10 % more.
pub(super) const GOOD: f64 = 0.095_310_179_804_324_87;

impl Profile {
    /// Creates the profile of the points of all rungs, whose coordinate `axis` is the rate: those of the last, and beyond
    /// them those of the rungs before that were judged by the same measure, each relative to the lowest cost of its rung.
    pub(super) fn of_all(searches: &[Search], axis: usize) -> Self {
        let measure = searches.last().map(Search::reaches_target);
        let alike = searches.iter().filter(|search| Some(search.reaches_target()) == measure);
        let rungs = alike.rev().map(|search| Self::of(search, axis));
        rungs.reduce(Self::beyond).unwrap_or(Self(vec![]))
    }

    /// Adds the knots of another profile that lie beyond those of this one.
    fn beyond(self, other: Self) -> Self {
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else { return other };
        let (low, high) = (first.at - 1e-9, last.at + 1e-9);
        let (below, above): (Vec<Knot>, Vec<Knot>) = other
            .0
            .into_iter()
            .filter(|knot| knot.at < low || knot.at > high)
            .partition(|knot| knot.at < low);
        Self([below, self.0, above].concat())
    }

    /// Creates the profile of the points of one rung.
    pub(super) fn of(search: &Search, axis: usize) -> Self {
        let lowest = search.best().map_or(1.0, |best| search.cost(best));
        let excess = |point: &Point| (search.cost(point) / lowest).ln().max(0.0);
        let knot = |point: &Point| Knot { at: point.at[axis], excess: excess(point) };
        let mut knots: Vec<Knot> = search.points.iter().map(knot).collect();
        knots.sort_by(|a, b| a.at.total_cmp(&b.at).then(a.excess.total_cmp(&b.excess)));
        knots.dedup_by(|later, first| (later.at - first.at).abs() < 1e-9);
        Self(knots)
    }

    /// Returns the logarithm of the cost at a rate over the lowest; infinite outside the rates probed, and beside one
    /// that diverged.
    pub(super) fn excess(&self, at: f64) -> f64 {
        let above = self.0.partition_point(|knot| knot.at < at - 1e-9);
        match (above.checked_sub(1).map(|below| self.0[below]), self.0.get(above)) {
            (_, Some(knot)) if (knot.at - at).abs() < 1e-9 => knot.excess,
            (Some(below), Some(above)) => {
                let share = (at - below.at) / (above.at - below.at);
                below.excess + share * (above.excess - below.excess)
            }
            _ => f64::INFINITY,
        }
    }

    /// Returns true if none of the rates diverged or has a loss more than 10 % above the lowest.
    pub(super) fn is_flat(&self) -> bool {
        self.0.iter().all(|knot| knot.excess <= GOOD)
    }

    /// Returns the rates around the best at which the loss is at most 10 % above the lowest.
    pub(super) fn basin(&self) -> Option<Basin> {
        let best = (0..self.0.len()).min_by(|&a, &b| self.0[a].excess.total_cmp(&self.0[b].excess))?;
        let low = edge(self.0[..=best].iter().rev())?;
        let high = edge(self.0[best..].iter())?;
        Some(Basin { low, high })
    }
}

/// Walks from the best knot outward and returns the rate at which the loss leaves the basin, or the last one.
fn edge<'a>(knots: impl Iterator<Item = &'a Knot>) -> Option<f64> {
    let mut inside: Option<&Knot> = None;
    for knot in knots {
        match inside {
            Some(last) if knot.excess > GOOD => {
                let share = (GOOD - last.excess) / (knot.excess - last.excess);
                return Some(last.at + share * (knot.at - last.at));
            }
            _ => inside = Some(knot),
        }
    }
    inside.map(|knot| knot.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(knots: &[[f64; 2]]) -> Profile {
        Profile(knots.iter().map(|&[at, excess]| Knot { at, excess }).collect())
    }

    #[test]
    fn beyond_the_points_of_the_last_rung_a_profile_has_those_of_the_first() {
        let first = profile(&[[-3.0, 1.0], [-2.0, 0.0], [-1.0, 0.5], [0.0, 2.0]]);
        let last = profile(&[[-2.0, 0.2], [-1.0, 0.0], [-0.5, 0.1]]);
        let both = last.beyond(first);
        let knots: Vec<[f64; 2]> = both.0.iter().map(|knot| [knot.at, knot.excess]).collect();
        assert_eq!(knots, [[-3.0, 1.0], [-2.0, 0.2], [-1.0, 0.0], [-0.5, 0.1], [0.0, 2.0]]);
        let basin = both.basin().unwrap();
        assert!((basin.low..=basin.high).contains(&-1.0), "the best of the last rung");
    }

    #[test]
    fn the_good_basin_ends_where_the_interpolated_loss_is_10_percent_above_the_lowest() {
        let found = profile(&[[-3.0, 1.0], [-2.0, 2.0 * GOOD], [-1.0, 0.0], [0.0, f64::INFINITY]]);
        assert_eq!(found.basin(), Some(Basin { low: -1.5, high: -1.0 }));
        assert_eq!(found.excess(-1.5), GOOD);
        assert_eq!((found.excess(-0.5), found.excess(0.5)), (f64::INFINITY, f64::INFINITY));
        assert_eq!(found.excess(-1.0), 0.0);
    }
}
