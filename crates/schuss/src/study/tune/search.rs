//! Search of a recipe's best values on one rung: which point to probe next, and when the best is inside and resolved.

use super::TuneKey;
use super::space::{Dimension, Space};

/// A probed point.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Point {
    /// Coordinates, in powers of ten.
    pub(super) at: Vec<f64>,
    /// Mean loss at the end, infinite if a probe diverged.
    pub(super) loss: f64,
    /// Expected epochs until the target; `None` if no probe reached it.
    pub(super) to_target: Option<f64>,
}

/// Search of one recipe on one rung.
#[derive(Clone, Debug)]
pub(super) struct Search<'a> {
    pub(super) space: &'a Space,
    /// Points of earlier rungs.
    pub(super) known: Vec<Vec<f64>>,
    /// Points of this rung.
    pub(super) points: Vec<Point>,
    /// Distance below which points are not told apart, in powers of ten.
    pub(super) finest: f64,
}

/// Part of the cost that a better point may save before the search ends.
const WORTHWHILE: f64 = 0.05;
/// Widest step beyond the range, in powers of ten.
const WIDEST: f64 = 2.0;
/// Smallest distance of a point from both ends of the gap that it lies in, as a share of the gap.
const NEAREST: f64 = 0.02;

/// Side of the best point, along a dimension.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Side {
    axis: usize,
    /// -1 below, 1 above.
    sign: f64,
}

/// A point on one side of the best.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Neighbour {
    /// Distance, in powers of ten.
    gap: f64,
    /// Natural logarithm of its cost over the best; infinite if it diverged.
    excess: f64,
}

impl Neighbour {
    /// Returns the rise of the loss per power of ten from a nearer point to this one; `None` if this one diverged.
    fn rise_from(self, nearer: Self) -> Option<f64> {
        Some((self.excess - nearer.excess) / (self.gap - nearer.gap)).filter(|rise| rise.is_finite())
    }
}

/// The best point itself, seen as a neighbour.
const BEST: Neighbour = Neighbour { gap: 0.0, excess: 0.0 };

/// A better point that there may be between the best and its neighbour.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Chance {
    /// Its distance from the best point, in powers of ten.
    distance: f64,
    /// Natural logarithm of the best loss over the lowest that it may have.
    gain: f64,
}

impl Chance {
    /// Looks between the best point and the first of `here`, with the neighbours on the `other` side, nearest first. The
    /// loss can fall no further than in a straight line through the best and the neighbour beyond it, in logarithms; where
    /// that meets the line through the neighbours here is the place to look, as at the kink of the loss of gradient
    /// descent on a quadratic, else in the middle.
    fn between(here: &[Neighbour], other: &[Neighbour]) -> Option<Self> {
        let nearest = *here.first()?;
        let fall = other.first()?.rise_from(BEST);
        let rise = here.get(1).and_then(|next| next.rise_from(nearest));
        let middle = nearest.gap / 2.0;
        Some(match (fall, rise) {
            (Some(fall), rise) => {
                let meet = rise.map_or(middle, |rise| (rise * nearest.gap - nearest.excess) / (rise + fall));
                let inside = NEAREST * nearest.gap..(1.0 - NEAREST) * nearest.gap;
                let distance = if inside.contains(&meet) { meet } else { middle };
                Self { distance, gain: fall * nearest.gap }
            }
            (None, Some(rise)) => Self { distance: middle, gain: rise * nearest.gap - nearest.excess },
            (None, None) => Self { distance: middle, gain: nearest.excess },
        })
    }
}

impl Search<'_> {
    /// Returns true if points are judged by the target, since one of them reached it.
    pub(super) fn reaches_target(&self) -> bool {
        self.points.iter().any(|point| point.to_target.is_some())
    }

    /// Returns the number that a point is judged by, lower is better: its loss or, if any point reached the target, the
    /// epochs that it took.
    pub(super) fn cost(&self, point: &Point) -> f64 {
        if self.reaches_target() { point.to_target.unwrap_or(f64::INFINITY) } else { point.loss }
    }

    /// Returns the points, best first; of equal ones, the one with the smallest rate comes first.
    pub(super) fn ranked(&self) -> Vec<&Point> {
        let mut points: Vec<&Point> = self.points.iter().collect();
        points
            .sort_by(|a, b| self.cost(a).total_cmp(&self.cost(b)).then_with(|| a.at[0].total_cmp(&b.at[0])));
        points
    }

    /// Returns the best point.
    pub(super) fn best(&self) -> Option<&Point> {
        self.ranked().first().copied()
    }

    /// Returns true if the best point has others on all sides, or no value is possible beyond it.
    pub(super) fn is_inside(&self) -> bool {
        let is_open = |best: &Point, edge: Side| {
            let dimension = &self.space.0[edge.axis];
            dimension.is_limit(best.at[edge.axis], edge.sign) && !dimension.ends(edge.sign)
        };
        let is_at_limit = |best: &Point| sides(best).any(|edge| is_open(best, edge));
        self.is_enclosed() && self.best().is_some_and(|best| !is_at_limit(best))
    }

    /// Returns true if the best point has others, or the limit of the choice, on all sides, so that the range is wide
    /// enough.
    pub(super) fn is_enclosed(&self) -> bool {
        self.best().is_some_and(|best| self.edge(best).is_none())
    }

    /// Returns true if the best point is enclosed and a better one beside it would save little.
    pub(super) fn is_resolved(&self) -> bool {
        let gain = |best: &Point| self.chance(best).map_or(0.0, |(_, chance)| chance.gain);
        self.is_enclosed() && self.best().is_some_and(|best| gain(best) <= WORTHWHILE)
    }

    /// Returns the next point to probe: beyond the edge if the best is at one, else nearer to the best.
    pub(super) fn next(&self) -> Option<Vec<f64>> {
        let best = self.best()?;
        let edge = self.edge(best);
        let axis = edge.map_or(self.points.len() % self.space.0.len(), |edge| edge.axis);
        let step = match edge {
            Some(edge) => edge.sign * self.beyond(best, edge),
            None => self.within(best, axis),
        };
        let mut next = best.at.clone();
        next[axis] = self.space.0[axis].rounded(best.at[axis] + step, step.abs());
        Some(next)
    }

    /// Returns an edge that the best point is at, unless the limit of the choice is there.
    fn edge(&self, best: &Point) -> Option<Side> {
        sides(best).find(|edge| {
            let is_at_limit = self.space.0[edge.axis].is_limit(best.at[edge.axis], edge.sign);
            !is_at_limit && self.neighbours(best, *edge).is_empty()
        })
    }

    /// Returns the points of this rung on one side of the best, nearest first.
    fn neighbours(&self, best: &Point, Side { axis, sign }: Side) -> Vec<Neighbour> {
        let lowest = self.cost(best);
        let excess = |cost: f64| if cost.is_finite() { (cost / lowest).ln() } else { f64::INFINITY };
        let of = |point: &Point| Neighbour {
            gap: sign * (point.at[axis] - best.at[axis]),
            excess: excess(self.cost(point)),
        };
        let mut beside: Vec<Neighbour> =
            self.points.iter().map(of).filter(|neighbour| neighbour.gap > 1e-9).collect();
        beside.sort_by(|a, b| a.gap.total_cmp(&b.gap));
        beside
    }

    /// Returns the distance of a point beyond an edge: that of the nearest of earlier rungs, else of no weight decay, else
    /// twice that of the nearest point inside, and at least that of the next power of two for samples per update.
    fn beyond(&self, best: &Point, edge: Side) -> f64 {
        let Side { axis, sign } = edge;
        let Dimension { key, limits, range } = self.space.0[axis];
        let gaps = self.known.iter().map(|at| sign * (at[axis] - best.at[axis])).filter(|gap| *gap > 1e-9);
        if let Some(known) = gaps.min_by(f64::total_cmp) {
            return known;
        }
        let inside = self.neighbours(best, Side { axis, sign: -sign }).first().map(|inside| 2.0 * inside.gap);
        let usual = range.width() / 8.0;
        let step = inside.unwrap_or(usual).clamp(usual / 2.0, WIDEST);
        match key {
            TuneKey::WeightDecay if sign < 0.0 => best.at[axis] - limits.low,
            TuneKey::Batch => step.max(2_f64.log10()),
            _ => step,
        }
    }

    /// Returns the step to a point nearer to the best: where a better one may be, or the middle of the wider gap.
    fn within(&self, best: &Point, axis: usize) -> f64 {
        if let Some((side, chance)) = self.chance(best) {
            return side.sign * chance.distance;
        }
        let gap =
            |sign| self.neighbours(best, Side { axis, sign }).first().map_or(0.0, |nearest| nearest.gap);
        let [below, above] = [-1.0, 1.0].map(gap);
        if above >= below { above / 2.0 } else { -below / 2.0 }
    }

    /// Returns the side on which a better point would save most; `None` unless the rate alone is tuned and has converged,
    /// and if the points beside the best are too near to be told apart.
    fn chance(&self, best: &Point) -> Option<(Side, Chance)> {
        let lowest = self.cost(best);
        if best.at.len() > 1 || !(lowest > 0.0 && lowest.is_finite()) {
            return None;
        }
        let sides = [-1.0, 1.0].map(|sign| Side { axis: 0, sign });
        let [below, above] = sides.map(|side| self.neighbours(best, side));
        let is_wide = |here: &[Neighbour]| here.first().is_some_and(|here| here.gap >= 2.0 * self.finest);
        let chances = [(sides[0], &below, &above), (sides[1], &above, &below)];
        let chances = chances.into_iter().filter(|(_, here, _)| is_wide(here));
        let chances = chances.filter_map(|(side, here, other)| Some((side, Chance::between(here, other)?)));
        chances.max_by(|(_, a), (_, b)| a.gain.total_cmp(&b.gain).then(a.distance.total_cmp(&b.distance)))
    }
}

/// Returns all sides of a point.
fn sides(point: &Point) -> impl Iterator<Item = Side> {
    (0..point.at.len()).flat_map(|axis| [-1.0, 1.0].map(|sign| Side { axis, sign }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Dialect;
    use crate::recipe::Trial;
    use crate::study::tune::Tune;

    fn space() -> Space {
        space_of("lr")
    }

    fn space_of(key: &str) -> Space {
        let data = schuss_data::load("digits:train=20,test=10,size=8").unwrap();
        let tune = Tune { dialect: Dialect::Torch, ..(key.parse().unwrap()) };
        Space::new(&tune, &Trial::default(), &data).unwrap()
    }

    /// Probes seven Sobol points and then what the search asks for, until it is resolved.
    fn found(finest: f64, loss: impl Fn(f64) -> f64) -> (f64, usize) {
        let space = space();
        let mut search = Search { space: &space, known: vec![], points: vec![], finest };
        let probe = |at: Vec<f64>| Point { loss: loss(at[0]), at, to_target: None };
        search.points.extend((1..8).map(|index| probe(space.sobol(index))));
        while !search.is_resolved() && search.points.len() < 40 {
            search.points.push(probe(search.next().unwrap()));
        }
        (search.best().unwrap().at[0], search.points.len())
    }

    #[test]
    fn a_basin_inside_the_range_is_resolved_with_few_points() {
        let (at, points) = found(0.02, |at| ((at + 0.6).powi(2)).exp());
        assert!((at + 0.6).abs() < 0.25 && points <= 9, "{at} after {points}");
    }

    #[test]
    fn the_range_is_widened_until_the_best_is_inside() {
        for best in [-7.3, -3.2, 1.9, 4.4] {
            let (at, points) = found(0.02, |at| (at - best).powi(2).exp());
            assert!((at - best).abs() < 0.25 && points <= 22, "{best}: {at} after {points}");
        }
    }

    #[test]
    fn a_cliff_of_divergence_is_approached_until_little_is_left_to_gain() {
        // a loss that falls as a power of the rate up to a cliff
        let (at, points) = found(0.02, |at| if at < 0.3 { (-2.0 * at).exp() } else { f64::INFINITY });
        assert!((0.2..0.3).contains(&at) && points <= 16, "{at} after {points}");
    }

    #[test]
    fn the_kink_between_too_slow_and_too_fast_is_found_to_a_tenth_of_a_percent() {
        // gradient descent for 50 updates with curvatures 0.2 and 2
        let slow = |rate: f64| (1.0 - 0.2 * rate).powi(100);
        let fast = |rate: f64| (1.0 - 2.0 * rate).powi(100);
        let loss = |at: f64| slow(10_f64.powf(at)) + fast(10_f64.powf(at));
        let (at, points) = found(2e-4, loss);
        let best = (860..940).map(|rate| loss((f64::from(rate) / 1e3).log10())).fold(f64::INFINITY, f64::min);
        assert!(loss(at) < 1.05 * best && points <= 25, "{at} after {points}");
    }

    #[test]
    fn where_every_probe_diverges_the_search_goes_down_to_the_limit() {
        let (at, points) = found(0.02, |_| f64::INFINITY);
        assert!(at < -4.0 && points <= 40, "{at} after {points}");
    }

    #[test]
    fn once_a_point_reaches_the_target_the_fastest_is_the_best_whatever_its_loss() {
        let space = space();
        let point = |at: f64, loss: f64, to_target: Option<f64>| Point { at: vec![at], loss, to_target };
        let mut search = Search { space: &space, known: vec![], points: vec![], finest: 0.06 };
        search.points = vec![point(-2.0, 0.1, None), point(-1.0, 0.3, None)];
        assert_eq!(search.best().unwrap().at, [-2.0]);
        search.points.extend([point(-0.5, 0.5, Some(2.0)), point(0.0, 0.9, Some(0.5))]);
        assert_eq!(search.best().unwrap().at, [0.0]);
        assert_eq!(search.cost(&search.points[0]), f64::INFINITY);
    }

    #[test]
    fn a_best_value_at_a_limit_is_inside_only_if_nothing_is_possible_beyond() {
        // the smallest value is the best, or the largest
        let ends = |key: &str, sign: f64| {
            let space = space_of(key);
            let probe = |at: Vec<f64>| Point { loss: (-sign * at[0]).exp(), at, to_target: None };
            let mut search = Search { space: &space, known: vec![], points: vec![], finest: 0.02 };
            search.points.extend((1..8).map(|index| probe(space.sobol(index))));
            while !search.is_enclosed() && search.points.len() < 40 {
                search.points.push(probe(search.next().unwrap()));
            }
            let best = space.0[0].value(search.best().unwrap().at[0]);
            (best, search.points.len(), search.is_inside())
        };
        assert_eq!(ends("weight_decay", -1.0), (0.0, 8, true), "none is tried first");
        assert!(!ends("weight_decay", 1.0).2);
        assert!(ends("momentum", 1.0).2);
        assert!(!ends("momentum", -1.0).2 && !ends("lr", -1.0).2 && !ends("lr", 1.0).2);
        assert_eq!((ends("batch", 1.0).0, ends("batch", 1.0).2), (20.0, true));
    }
}
