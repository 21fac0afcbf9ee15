//! Line searches along a direction.

use super::objective::{Attempt, Objective};
use super::vectors::{add_scaled, dot, largest};
use crate::optim::arithmetic::Arithmetic;
use serde::{Deserialize, Serialize};
use std::mem::swap;
use std::ops::DerefMut;

/// Line search of a solver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineSearch {
    /// No search: the step is the learning rate.
    None,
    /// Halves the step until the loss decreases enough (Armijo's condition).
    Backtracking,
    /// Searches until the loss has decreased enough and its slope is small enough (strong Wolfe conditions).
    StrongWolfe,
}

/// Required decrease of the loss, as a fraction of the decrease its slope predicts (c₁).
pub(super) const ARMIJO: f64 = 1e-4;
/// Factor by which a step that was too long is shortened.
const SHRINK: f64 = 0.5;
/// Default maximum number of evaluations of a line search.
pub(super) const MOST_EVALUATIONS: usize = 25;

/// A point on the ray x + t d.
#[derive(Clone, Debug)]
pub(super) struct Point<B> {
    pub(super) t: f64,
    /// Objective at the point; infinite if it is not a number.
    pub(super) value: f64,
    /// Derivative of the objective along the ray.
    pub(super) slope: f64,
    pub(super) gradient: B,
}

impl<T: Copy, B: DerefMut<Target = [T]>> Point<B> {
    /// Creates the origin of a ray, with a buffer for the gradient.
    pub(super) fn new(gradient: B) -> Self {
        Self { t: 0.0, value: 0.0, slope: 0.0, gradient }
    }

    /// Copies another point into this one.
    pub(super) fn set(&mut self, other: &Self) {
        (self.t, self.value, self.slope) = (other.t, other.value, other.slope);
        self.gradient.copy_from_slice(&other.gradient);
    }
}

/// Points of a line search.
#[derive(Clone, Debug)]
pub(super) struct Points<B> {
    /// Origin before the search, point found after it.
    pub(super) here: Point<B>,
    bracket: [Point<B>; 2],
    new: Point<B>,
}

impl<T: Copy, B: DerefMut<Target = [T]>> Points<B> {
    /// Creates points with gradient buffers made by `zeros`.
    pub(super) fn new(zeros: impl Fn() -> B) -> Self {
        let point = || Point::new(zeros());
        Self { here: point(), bracket: [point(), point()], new: point() }
    }
}

/// x + t d for t > 0.
pub(super) struct Ray<'a, A: Arithmetic, O> {
    pub(super) objective: &'a mut O,
    /// x
    pub(super) origin: &'a [A::T],
    /// d
    pub(super) direction: &'a [A::T],
    /// Buffer for x + t d.
    pub(super) trial: &'a mut [A::T],
}

impl<A: Arithmetic, O: Objective<A>> Ray<'_, A, O> {
    fn go(&mut self, t: f64) {
        self.trial.copy_from_slice(self.origin);
        add_scaled(self.objective.arithmetic(), self.trial, t, self.direction);
    }

    /// `to` ← the point at `t`.
    fn evaluate(&mut self, t: f64, to: &mut Point<A::Buffer>) -> Attempt<()> {
        self.go(t);
        let value = self.objective.gradient(self.trial, &mut to.gradient)?;
        let slope = dot(self.objective.arithmetic(), &to.gradient, self.direction);
        let finite = value.is_finite() && slope.is_finite();
        (to.t, to.value, to.slope) = (t, if finite { value } else { f64::INFINITY }, slope);
        Ok(())
    }

    /// Returns the first of t, t/2, t/4, ... at which the loss is far enough below that at the origin; 0 if there is
    /// none (Armijo, 1966).
    pub(super) fn backtrack(&mut self, here: &Point<A::Buffer>, mut t: f64) -> Attempt<f64> {
        for _ in 0..MOST_EVALUATIONS {
            self.go(t);
            if self.objective.value(self.trial)? <= here.value + ARMIJO * t * here.slope {
                return Ok(t);
            }
            t *= SHRINK;
        }
        Ok(0.0)
    }
}

/// Search for the strong Wolfe conditions, f(t) ≤ f(0) + c₁ t f'(0) and |f'(t)| ≤ c₂ |f'(0)|, as in
/// `torch.optim.LBFGS`: a bracket grows by cubic extrapolation, then shrinks by cubic interpolation (after minFunc, M.
/// Schmidt 2005; Nocedal and Wright, "Numerical Optimization", 2nd ed. 2006, algorithms 3.5 and 3.6).
///
/// Differs from torch if the loss is not a number: torch continues from such a point, here it counts as too far.
#[derive(Clone, Copy, Debug)]
pub(super) struct StrongWolfe {
    pub(super) c1: f64,
    pub(super) c2: f64,
    /// The search ends when no weight differs by this much or more within the bracket.
    pub(super) tolerance: f64,
    pub(super) evaluations: usize,
}

/// Outcome of the search for a bracket.
#[derive(PartialEq)]
enum Bracket {
    /// The first of the two points satisfies the conditions.
    Done,
    /// A point that satisfies the conditions lies between them.
    Between,
}

impl StrongWolfe {
    /// Searches from `points.here` along the ray, starting with the step `first`. `points.here` becomes the point
    /// found, or stays the origin if no point is better. Returns the number of evaluations.
    pub(super) fn search<A: Arithmetic, O: Objective<A>>(
        &self,
        ray: &mut Ray<A, O>,
        points: &mut Points<A::Buffer>,
        first: f64,
    ) -> Attempt<usize> {
        let (found, mut taken) = self.bracket(ray, points, first)?;
        let mut low = lower(&points.bracket);
        if found == Bracket::Done {
            low = 0;
        } else {
            taken = self.zoom(ray, points, &mut low, taken)?;
        }
        swap(&mut points.here, &mut points.bracket[low]);
        Ok(taken + 1)
    }

    fn falls<B>(&self, origin: &Point<B>, new: &Point<B>) -> bool {
        new.value <= origin.value + self.c1 * new.t * origin.slope
    }

    fn is_flat<B>(&self, origin: &Point<B>, new: &Point<B>) -> bool {
        new.slope.abs() <= -self.c2 * origin.slope
    }

    /// Searches for two points with a good one between them. Returns the number of evaluations after the first.
    fn bracket<A: Arithmetic, O: Objective<A>>(
        &self,
        ray: &mut Ray<A, O>,
        Points { here, bracket: [before, end], new }: &mut Points<A::Buffer>,
        first: f64,
    ) -> Attempt<(Bracket, usize)> {
        before.set(here);
        ray.evaluate(first, new)?;
        for taken in 0..self.evaluations {
            if !self.falls(here, new) || (taken > 1 && new.value >= before.value) {
                swap(end, new);
                return Ok((Bracket::Between, taken));
            }
            if self.is_flat(here, new) {
                swap(before, new);
                return Ok((Bracket::Done, taken));
            }
            if new.slope >= 0.0 {
                swap(end, new);
                return Ok((Bracket::Between, taken));
            }
            let t = interpolate(before, new, new.t + 0.01 * (new.t - before.t), 10.0 * new.t);
            swap(before, new);
            ray.evaluate(t, new)?;
        }
        before.set(here);
        swap(end, new);
        Ok((Bracket::Between, self.evaluations))
    }

    /// Shrinks the bracket, whose end with the lower value is `low`, after `taken` evaluations. Returns the new count.
    fn zoom<A: Arithmetic, O: Objective<A>>(
        &self,
        ray: &mut Ray<A, O>,
        Points { here, bracket, new }: &mut Points<A::Buffer>,
        low: &mut usize,
        mut taken: usize,
    ) -> Attempt<usize> {
        let longest = largest(ray.direction);
        let mut stuck = false;
        while taken < self.evaluations && (bracket[1].t - bracket[0].t).abs() * longest >= self.tolerance {
            let t = inside(bracket, &mut stuck);
            ray.evaluate(t, new)?;
            taken += 1;
            if !self.falls(here, new) || new.value >= bracket[*low].value {
                swap(&mut bracket[1 - *low], new);
                *low = lower(bracket);
                continue;
            }
            let done = self.is_flat(here, new);
            if !done && new.slope * (bracket[1 - *low].t - bracket[*low].t) >= 0.0 {
                bracket.swap(0, 1); // the low end becomes the high end, the old high end is dropped
            }
            swap(&mut bracket[*low], new);
            if done {
                break;
            }
        }
        Ok(taken)
    }
}

/// Returns the index of the end with the lower value.
fn lower<B>(bracket: &[Point<B>; 2]) -> usize {
    usize::from(bracket[0].value > bracket[1].value)
}

/// Returns the next step to try inside a bracket, not near its ends twice in a row (`stuck`).
fn inside<B>(bracket: &[Point<B>; 2], stuck: &mut bool) -> f64 {
    let [a, b] = bracket;
    let (left, right) = (a.t.min(b.t), a.t.max(b.t));
    let t = interpolate(a, b, left, right);
    let margin = 0.1 * (right - left);
    let near_an_end = (right - t).min(t - left) < margin;
    let too_near = near_an_end && (*stuck || t >= right || t <= left);
    *stuck = near_an_end && !too_near;
    match too_near {
        true if (t - right).abs() < (t - left).abs() => right - margin,
        true => left + margin,
        false => t,
    }
}

/// Returns the minimum of the cubic through two points with their slopes, clamped to `least..most`; the midpoint
/// if there is none (Nocedal and Wright, 3.59).
fn interpolate<B>(a: &Point<B>, b: &Point<B>, least: f64, most: f64) -> f64 {
    let (a, b) = if a.t <= b.t { (a, b) } else { (b, a) };
    let d1 = a.slope + b.slope - 3.0 * (a.value - b.value) / (a.t - b.t);
    let d2 = (d1 * d1 - a.slope * b.slope).sqrt();
    let t = b.t - (b.t - a.t) * ((b.slope + d2 - d1) / (b.slope - a.slope + 2.0 * d2));
    if t.is_finite() { t.max(least).min(most) } else { (least + most) / 2.0 }
}
