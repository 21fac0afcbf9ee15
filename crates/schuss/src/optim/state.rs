//! What an optimizer remembers between updates, and the ways to apply one.

use super::{Rule, Visitor};
use schuss_kernels::matrix::{Matrix, MatrixMut, update_weights};
use schuss_kernels::sweep::{Elementwise, sweep, sweep_reference};
use schuss_kernels::{Buffer, Team};
use std::ops::Range;

/// One buffer per slot, laid out like the parameters, and the number of updates done.
#[derive(Clone, Debug)]
pub struct State {
    slots: Vec<Buffer>,
    updates: u64,
}

impl State {
    /// No update done yet, for `len` parameters (pad lanes included).
    pub fn new(rule: &Rule, len: usize) -> Self {
        Self { slots: rule.slots().iter().map(|_| Buffer::zeros(len)).collect(), updates: 0 }
    }

    /// Updates done so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The slots, in the order of [`Rule::slots`].
    pub fn slots(&self) -> &[Buffer] {
        &self.slots
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.slots.iter().map(|slot| size_of_val(&slot[..])).sum()
    }

    /// The first slot, to be overwritten with what it is after so many updates; empty if there is none.
    pub(crate) fn velocity_at(&mut self, updates: u64) -> &mut [f32] {
        self.updates = updates;
        self.slots.first_mut().map_or(&mut [], |slot| &mut slot[..])
    }

    /// Begins the next update.
    pub(crate) fn advance(&mut self) {
        self.updates += 1;
    }

    /// Applies the update begun last to `weights`, which stand at `place` in the parameters; the gradient is
    /// `sums / count`.
    pub(crate) fn sweep(
        &mut self,
        rule: &Rule,
        team: &mut Team,
        sums: &[f32],
        count: f32,
        weights: &mut [f32],
        place: Range<usize>,
    ) {
        let slots = parts(&mut self.slots, place);
        rule.visit(self.updates, Sweep { team, sums, count, weights, slots });
    }

    /// The same for a matrix of weights whose gradient is Xᵀ D / count, within the product.
    pub(crate) fn update_weights(
        &mut self,
        rule: &Rule,
        team: &mut Team,
        [x, d]: [Matrix; 2],
        count: f32,
        weights: MatrixMut,
        place: Range<usize>,
    ) {
        let slots = parts(&mut self.slots, place);
        rule.visit(self.updates, WithinProduct { team, x, d, count, weights, slots });
    }
}

/// The part of every slot that belongs to some parameters.
fn parts(slots: &mut [Buffer], place: Range<usize>) -> impl Iterator<Item = &mut [f32]> {
    slots.iter_mut().map(move |slot| &mut slot[place.clone()])
}

/// The first `S` of them; a rule's slots are made by the same table that knows its `S`.
pub(crate) fn take<T, const S: usize>(mut parts: impl Iterator<Item = T>) -> [T; S] {
    std::array::from_fn(|_| parts.next().expect("a state has the slots of its rule"))
}

/// Runs an update over weights whose gradient is `sums / count`.
pub(crate) struct Sweep<'a, I> {
    pub(crate) team: &'a mut Team,
    pub(crate) sums: &'a [f32],
    pub(crate) count: f32,
    pub(crate) weights: &'a mut [f32],
    pub(crate) slots: I,
}

impl<'a, I: Iterator<Item = &'a mut [f32]>> Visitor for Sweep<'a, I> {
    type Output = ();

    fn visit<U: Elementwise<S>, const S: usize>(self, update: &U) {
        sweep(self.team, update, self.sums, self.count, self.weights, take::<_, S>(self.slots));
    }
}

/// Runs an update of a matrix of weights within the product that makes its gradient, Xᵀ D / count.
pub(crate) struct WithinProduct<'a, I> {
    pub(crate) team: &'a mut Team,
    pub(crate) x: Matrix<'a>,
    pub(crate) d: Matrix<'a>,
    pub(crate) count: f32,
    pub(crate) weights: MatrixMut<'a>,
    pub(crate) slots: I,
}

impl<'a, I: Iterator<Item = &'a mut [f32]>> Visitor for WithinProduct<'a, I> {
    type Output = ();

    fn visit<U: Elementwise<S>, const S: usize>(self, update: &U) {
        let Self { team, x, d, count, weights, slots } = self;
        update_weights(team, x, d, count, update, weights, take::<_, S>(slots));
    }
}

/// The same arithmetic on a few `f64` weights: the reference of the tests, and the way down an error surface.
#[derive(Clone, Debug)]
pub struct Reference {
    rule: Rule,
    slots: Vec<Vec<f64>>,
    updates: u64,
}

impl Reference {
    /// No update done yet, for `len` weights.
    pub fn new(rule: Rule, len: usize) -> Self {
        let slots = rule.slots().iter().map(|_| vec![0.0; len]).collect();
        Self { rule, slots, updates: 0 }
    }

    /// One update of `weights` along `gradient`.
    ///
    /// # Example
    /// ```
    /// use schuss::optim::{Reference, Rule};
    ///
    /// let mut descent = Reference::new("sgd:lr=0.5".parse().unwrap(), 1);
    /// let mut w = [3.0];
    /// descent.step(&[2.0], &mut w);
    /// assert_eq!(w, [2.0]);
    /// ```
    pub fn step(&mut self, gradient: &[f64], weights: &mut [f64]) {
        self.updates += 1;
        let slots = self.slots.iter_mut().map(Vec::as_mut_slice);
        self.rule.visit(self.updates, PlainSweep { gradient, weights, slots });
    }

    /// Updates done so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The slots, in the order of [`Rule::slots`].
    pub fn slots(&self) -> &[Vec<f64>] {
        &self.slots
    }
}

struct PlainSweep<'a, I> {
    gradient: &'a [f64],
    weights: &'a mut [f64],
    slots: I,
}

impl<'a, I: Iterator<Item = &'a mut [f64]>> Visitor for PlainSweep<'a, I> {
    type Output = ();

    fn visit<U: Elementwise<S>, const S: usize>(self, update: &U) {
        sweep_reference(update, self.gradient, self.weights, take::<_, S>(self.slots));
    }
}
