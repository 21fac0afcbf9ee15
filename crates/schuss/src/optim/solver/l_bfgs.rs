use super::line_search::{ARMIJO, LineSearch, StrongWolfe};
use super::objective::{Attempt, Objective};
use super::state::Walk;
use super::vectors::{add_scaled, combine, dot, largest, set_scaled};
use crate::optim::arithmetic::Arithmetic;
use crate::spec::{Choice, non_negative};
use crate::state::{State, StateCodec};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Buffer;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::io;
use std::ops::DerefMut;

/// L-BFGS: approximates Newton's direction from the curvature seen along the last steps.
///
/// ```text
/// s = w − w⁻        y = g − g⁻        ρ = 1 / yᵀs        γ = yᵀs / yᵀy
/// d = −H g          H = (I − ρ s yᵀ) H⁻ (I − ρ y sᵀ) + ρ s sᵀ, over the last pairs (s, y), from γ I
/// w ← w + t d
/// ```
///
/// An update is one `step()` of torch: up to `max_iter` iterations and about `max_eval` evaluations. Pairs are kept
/// from update to update; a pair is used if yᵀs > 10⁻¹⁰. Without a line search, t is η, but η min(1, 1/‖g‖₁) in the
/// very first iteration; with `line_search=strong-wolfe`, the search starts from that t, with c₁ = 10⁻⁴ and c₂ = 0.9.
///
/// Liu and Nocedal, "On the limited memory BFGS method for large scale optimization", Math. Programming 45, 1989;
/// Nocedal and Wright, "Numerical Optimization", 2nd ed. 2006, algorithms 7.4 and 7.5. Keys and defaults are
/// `torch.optim.LBFGS`'s.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct LBfgs {
    /// First step η to try.
    pub lr: f64,
    /// Maximum iterations per update.
    pub max_iter: usize,
    /// Evaluations of loss and gradient per update after which no iteration starts; 0 means 5/4 `max_iter`.
    pub max_eval: usize,
    /// An update ends when no gradient element is larger than this.
    pub tolerance_grad: f64,
    /// An update ends when the loss, or every weight, changes by less than this.
    pub tolerance_change: f64,
    /// Number of pairs (s, y) kept.
    pub history_size: usize,
    /// Line search: `none` or `strong-wolfe`.
    pub line_search: LineSearch,
}

impl Default for LBfgs {
    fn default() -> Self {
        Self {
            lr: 1.0,
            max_iter: 20,
            max_eval: 0,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
            history_size: 100,
            line_search: LineSearch::None,
        }
    }
}

impl Choice for LBfgs {
    const NAME: &'static str = "l-bfgs";

    fn check(&self) -> Result<()> {
        non_negative(&[
            ("lr", self.lr),
            ("tolerance_grad", self.tolerance_grad),
            ("tolerance_change", self.tolerance_change),
        ])?;
        for (key, value) in [("max_iter", self.max_iter), ("history_size", self.history_size)] {
            if value == 0 {
                return Err(Error::usage(format!("{key} must be at least 1")));
            }
        }
        match self.line_search {
            LineSearch::Backtracking => Err(Error::usage("line_search must be none or strong-wolfe")
                .advise("strong-wolfe, since backtracking alone does not keep yᵀs positive")),
            _ => Ok(()),
        }
    }
}

/// Pairs of steps s and the changes y of the gradient over them.
#[derive(Clone, Debug)]
pub(super) struct Pairs<B> {
    /// All pairs; only the last `most` are used.
    all: VecDeque<Pair<B>>,
    /// Unused buffers.
    spare: Vec<Pair<B>>,
    /// Maximum number of pairs used.
    most: usize,
    /// Number of pairs added in the current update.
    new: usize,
}

#[derive(Clone, Debug)]
struct Pair<B> {
    s: B,
    y: B,
    /// ρ
    rho: f64,
    /// Coefficient that the first loop of the recursion passes to the second.
    alpha: f64,
}

impl<T, B: DerefMut<Target = [T]>> Pairs<B> {
    pub(super) fn new(most: usize) -> Self {
        Self { all: VecDeque::new(), spare: vec![], most, new: 0 }
    }

    /// Begins an update; `undo` returns to this point.
    pub(super) fn begin(&mut self) {
        let old = self.all.len().saturating_sub(self.most);
        self.spare.extend(self.all.drain(..old));
        self.new = 0;
    }

    /// Drops the pairs of the current update.
    pub(super) fn undo(&mut self) {
        let known = self.all.len() - self.new;
        self.spare.extend(self.all.drain(known..));
        self.new = 0;
    }

    /// Returns the index of the first pair used.
    fn first(&self) -> usize {
        self.all.len().saturating_sub(self.most)
    }

    /// Adds the pair of the last step. Returns its γ, or `None` if the pair is not usable.
    fn learn<A: Arithmetic<T = T, Buffer = B>, O: Objective<A>>(
        &mut self,
        walk: &mut Walk<A, O>,
    ) -> Option<f64> {
        const LEAST: f64 = 1e-10;
        let (state, gradient, arithmetic) = (&*walk.state, walk.room.gradient(), walk.objective.arithmetic());
        let zeros = || A::zeros(gradient.len());
        let fresh = || Pair { s: zeros(), y: zeros(), rho: 0.0, alpha: 0.0 };
        let mut pair = self.spare.pop().unwrap_or_else(fresh);
        set_scaled(arithmetic, &mut pair.s, state.step, &state.direction);
        set_scaled(arithmetic, &mut pair.y, 1.0, gradient);
        add_scaled(arithmetic, &mut pair.y, -1.0, &state.gradient);
        let ys = dot(arithmetic, &pair.y, &pair.s);
        let gamma = ys / dot(arithmetic, &pair.y, &pair.y);
        pair.rho = 1.0 / ys;
        if ys > LEAST {
            self.all.push_back(pair);
            self.new += 1;
            Some(gamma)
        } else {
            self.spare.push(pair);
            None
        }
    }

    /// direction ← −H gradient, from `gamma` I.
    fn newton<A: Arithmetic<T = T, Buffer = B>>(
        &mut self,
        arithmetic: &mut A,
        direction: &mut [T],
        gradient: &[T],
        gamma: f64,
    ) {
        set_scaled(arithmetic, direction, -1.0, gradient);
        let first = self.first();
        for Pair { s, y, rho, alpha } in self.all.range_mut(first..).rev() {
            *alpha = dot(arithmetic, s, direction) * *rho;
            add_scaled(arithmetic, direction, -*alpha, y);
        }
        combine(arithmetic, direction, 0.0, gradient, gamma);
        for Pair { s, y, rho, alpha } in self.all.range(first..) {
            let beta = dot(arithmetic, y, direction) * rho;
            add_scaled(arithmetic, direction, alpha - beta, s);
        }
    }
}

impl Pairs<Buffer> {
    /// Copies the pairs of another list that are in use, into buffers allocated before.
    pub(super) fn set(&mut self, other: &Self) {
        self.spare.extend(self.all.drain(..));
        for pair in other.all.iter().skip(other.first()) {
            let Pair { s, y, rho, alpha } = pair;
            match self.spare.pop() {
                Some(mut spare) => {
                    spare.s.copy_from_slice(s);
                    spare.y.copy_from_slice(y);
                    self.all.push_back(Pair { rho: *rho, alpha: *alpha, ..spare });
                }
                None => self.all.push_back(pair.clone()),
            }
        }
        self.new = 0;
    }

    /// Saves or restores the pairs in use; vectors have length `len`.
    pub(super) fn code(&mut self, codec: &mut StateCodec, len: usize) -> io::Result<()> {
        self.begin();
        let mut all = Vec::from(std::mem::take(&mut self.all));
        let fresh = || Pair { s: Buffer::zeros(len), y: Buffer::zeros(len), rho: 0.0, alpha: 0.0 };
        let kept = codec.list(&mut all, fresh, |codec, pair| {
            pair.s.code(codec)?;
            pair.y.code(codec)?;
            pair.rho.code(codec)
        });
        self.all = all.into();
        kept
    }
}

impl LBfgs {
    /// Maximum number of vectors of the pairs kept from update to update.
    pub(super) fn vectors_kept(&self) -> usize {
        2 * self.history_size
    }

    /// Maximum number of vectors of the pairs added in an update, since none is dropped before its end.
    pub(super) fn vectors_within_update(&self) -> usize {
        2 * self.max_iter
    }

    fn max_eval(&self) -> usize {
        if self.max_eval == 0 { self.max_iter * 5 / 4 } else { self.max_eval }
    }

    /// Does one `step()`.
    pub(super) fn update<A: Arithmetic, O: Objective<A>>(
        &self,
        mut walk: Walk<A, O>,
        pairs: &mut Pairs<A::Buffer>,
    ) -> Attempt<()> {
        walk.look()?;
        if !walk.room.points.here.value.is_finite() || self.is_flat(&walk) {
            return Ok(());
        }
        let mut evaluations = 1;
        for left in (0..self.max_iter).rev() {
            let before = walk.room.points.here.value;
            let first = self.turn(&mut walk, pairs);
            let slope = walk.set_out();
            walk.state.step = first;
            if slope.is_nan() || slope > -self.tolerance_change {
                break;
            }
            evaluations += self.go(&mut walk, first, evaluations, left == 0)?;
            let moved = walk.state.step * largest(&walk.state.direction);
            let changed = (walk.room.points.here.value - before).abs();
            let still = moved <= self.tolerance_change || changed < self.tolerance_change;
            if evaluations >= self.max_eval() || still || self.is_flat(&walk) {
                break;
            }
        }
        Ok(())
    }

    fn is_flat<A: Arithmetic, O: Objective<A>>(&self, walk: &Walk<A, O>) -> bool {
        largest(walk.room.gradient()) <= self.tolerance_grad
    }

    /// Sets the next direction. Returns the first step to try along it.
    fn turn<A: Arithmetic, O: Objective<A>>(
        &self,
        walk: &mut Walk<A, O>,
        pairs: &mut Pairs<A::Buffer>,
    ) -> f64 {
        walk.state.iterations += 1;
        if walk.state.iterations == 1 {
            walk.steepest();
            return self.lr * walk.cautious();
        }
        if let Some(gamma) = pairs.learn(walk) {
            walk.state.scale = gamma;
        }
        let Walk { objective, state, room } = walk;
        pairs.newton(objective.arithmetic(), &mut state.direction, room.gradient(), state.scale);
        self.lr
    }

    /// Moves along the direction after `done` evaluations, and evaluates the new point, except in the last iteration
    /// without a line search. Returns the number of evaluations made.
    fn go<A: Arithmetic, O: Objective<A>>(
        &self,
        walk: &mut Walk<A, O>,
        first: f64,
        done: usize,
        last: bool,
    ) -> Attempt<usize> {
        let (tolerance, evaluations) = (self.tolerance_change, self.max_eval() - done);
        let wolfe = StrongWolfe { c1: ARMIJO, c2: 0.9, tolerance, evaluations };
        let taken = walk.go(self.line_search, wolfe, first)?;
        if self.line_search != LineSearch::None || last {
            return Ok(taken);
        }
        walk.look()?;
        Ok(1)
    }
}
