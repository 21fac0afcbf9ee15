//! Optimizer state between updates, and the ways to apply an update.

use super::arithmetic::{Arithmetic, Tensor, Tensors, largest_square, take};
use super::eigen::Eigen;
use super::method::{Descent, Group};
use super::rule::{Rule, Shown, Step, Visitor};
use super::scheduled_rule::ScheduledRule;
use super::transform::{Moment, Transform};
use super::wrapper::Wrapper;
use crate::Result;
use crate::network::{Layout, Params};
use crate::schedule::Schedule;
use crate::state::{Snapshot, State, StateCodec};
use schuss_kernels::matrix::{Matrix, MatrixMut, update_weights};
use schuss_kernels::sweep::Elementwise;
use schuss_kernels::{Buffer, Lane, Team};
use std::io;
use std::ops::DerefMut;

/// Sizes of buffers, as multiples of `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floats {
    /// Kept from update to update, and copied at report points.
    pub(crate) state: usize,
    /// Needed within an update.
    pub(crate) scratch: usize,
}

/// Running state of an optimizer on the parameters of a network.
#[derive(Clone, Debug)]
pub struct Updater<B> {
    groups: Vec<Live<B>>,
    /// Group of every entry of the layout, and index within the group; `None` for entries that are not trained.
    places: Vec<Option<(usize, usize)>>,
    updates: u64,
}

/// Running state of a parameter group.
#[derive(Clone, Debug)]
struct Live<B> {
    before: Vec<Transform>,
    course: ScheduledRule,
    /// Rule of the update begun last.
    rule: Rule,
    after: Vec<Wrapper>,
    seed: u64,
    scalars: Vec<f64>,
    tensors: Vec<Tensor<B>>,
    eigen: Eigen,
}

impl<T, B: DerefMut<Target = [T]>> Updater<B> {
    /// Creates the state before the first update, for parameters that start as `weights`.
    ///
    /// # Errors
    /// Returns an error if the groups do not fit the layout.
    pub(crate) fn new<A>(
        descent: &Descent,
        schedule: &Schedule,
        seed: u64,
        layout: &Layout,
        weights: &[T],
    ) -> Result<Self>
    where
        A: Arithmetic<T = T, Buffer = B>,
    {
        let live = |Group { before, rule, after, .. }: &Group| Live {
            before: before.clone(),
            after: after.clone(),
            seed,
            scalars: rule.scalars().into_iter().map(|(_, first)| first).collect(),
            course: ScheduledRule::new(rule.clone(), schedule.clone()),
            rule: rule.clone(),
            tensors: vec![],
            eigen: Eigen::default(),
        };
        let mut groups: Vec<Live<B>> = descent.groups.iter().map(live).collect();
        let mut places = Vec::with_capacity(layout.entries().len());
        for (index, (entry, group)) in layout.entries().iter().zip(descent.assign(layout)?).enumerate() {
            places.push(group.map(|group| {
                let live = &mut groups[group];
                live.tensors.push(Tensor::new::<A>(index, entry, &live.rule, live.after.len(), weights));
                live.eigen.make_room(largest_square(entry, &live.rule));
                (group, live.tensors.len() - 1)
            }));
        }
        Ok(Self { groups, places, updates: 0 })
    }

    /// Sizes of all buffers that `descent` needs.
    ///
    /// # Errors
    /// Returns an error if the groups do not fit the layout.
    pub(crate) fn floats(descent: &Descent, layout: &Layout) -> Result<Floats> {
        let mut squares = vec![0; descent.groups.len()];
        let (mut state, mut scratch) = (0, 0);
        for (entry, group) in layout.entries().iter().zip(descent.assign(layout)?) {
            let Some(index) = group else { continue };
            let Group { rule, after, .. } = &descent.groups[index];
            state += Tensor::<B>::state_floats(entry, rule, after.len());
            scratch += Tensor::<B>::scratch_floats(entry, rule);
            squares[index] = largest_square(entry, rule).max(squares[index]);
        }
        scratch += squares.into_iter().map(Eigen::floats).sum::<usize>();
        Ok(Floats { state, scratch })
    }

    /// Returns the slots of the tensor at `entry` of the layout, in the order of [`Rule::slots`].
    pub fn slots(&self, entry: usize) -> &[B] {
        self.places[entry].map_or(&[], |(group, tensor)| &self.groups[group].tensors[tensor].slots)
    }

    /// Returns the slots of the tensor at `entry` of the layout, for a processor that steps elsewhere.
    pub fn slots_mut(&mut self, entry: usize) -> &mut [B] {
        match self.places[entry] {
            Some((group, tensor)) => &mut self.groups[group].tensors[tensor].slots,
            None => &mut [],
        }
    }

    /// Returns the index of the parameter group of the tensor at `entry` of the layout; `None` if it is not trained.
    pub fn group(&self, entry: usize) -> Option<usize> {
        self.places[entry].map(|(group, _)| group)
    }

    /// Begins the next update.
    pub fn advance(&mut self) {
        self.updates += 1;
        for group in &mut self.groups {
            group.rule = group.course.at(self.updates);
            group.rule.begin(self.updates, &mut group.scalars);
        }
    }

    /// Passes the arithmetic of the update begun last to `visitor`, for the tensor at `entry` of the layout; `None` if
    /// the tensor is not trained, its rule is not element-wise, or no update has begun. Transforms and wrappers around
    /// the rule are left out.
    pub fn visit<V: Visitor>(&self, entry: usize, visitor: V) -> Option<V::Output> {
        let Live { rule, scalars, .. } = &self.groups[self.places[entry]?.0];
        if self.updates == 0 {
            return None;
        }
        rule.visit(&Step { t: self.updates, scalars, loss: f64::NAN }, visitor)
    }

    /// Returns the layout entries of the weights of all layers whose curvature a rule needs; their biases follow them.
    pub(crate) fn watched(&self) -> Vec<usize> {
        let asking = self.groups.iter().filter(|group| group.rule.wants().curvature);
        let weights = asking.flat_map(|group| &group.tensors).filter(|tensor| tensor.is_matrix);
        weights.map(|tensor| tensor.entry).collect()
    }

    /// Passes curvature statistics of the update begun last to its rule, for the layer whose weights are at `entry`:
    /// the means of [x 1]ᵀ [x 1] and of δᵀ δ over its samples.
    pub(crate) fn take_in<A>(&mut self, arithmetic: &mut A, entry: usize, moments: [&[T]; 2])
    where
        A: Arithmetic<T = T, Buffer = B>,
    {
        let Some((group, tensor)) = self.places[entry] else { return };
        let Live { rule, tensors, .. } = &mut self.groups[group];
        rule.take_in(self.updates, arithmetic, &mut tensors[tensor], moments);
    }

    /// Passes the evaluation loss at the end of an epoch to schedules that wait for a plateau.
    pub fn observe(&mut self, eval_loss: f64) {
        self.groups.iter_mut().for_each(|group| group.course.observe(eval_loss));
    }

    /// Turns a copy of the trained weights into the weights to evaluate.
    pub fn show(&self, weights: &mut [T])
    where
        T: Lane,
    {
        for group in &self.groups {
            for tensor in &group.tensors {
                let Some((slot, share)) = group.shown(tensor, self.updates) else { continue };
                let weights = &mut weights[tensor.place.clone()];
                weights.iter_mut().zip(&**slot).for_each(|(w, &slot)| {
                    *w = (slot - *w).mul_add(T::splat(share), *w);
                });
            }
        }
    }

    /// Applies the update begun last to all weights, with gradients `sums / count` and the mean loss `loss` of its
    /// samples.
    pub(crate) fn step<A>(
        &mut self,
        arithmetic: &mut A,
        sums: &mut [T],
        count: f64,
        weights: &mut [T],
        loss: f64,
    ) where
        A: Arithmetic<T = T, Buffer = B>,
    {
        for group in &mut self.groups {
            group.step(arithmetic, self.updates, sums, count, weights, loss);
        }
    }

    /// Applies the update begun last to one tensor, whose rule is element-wise.
    pub(crate) fn step_tensor<A>(
        &mut self,
        arithmetic: &mut A,
        entry: usize,
        sums: &[T],
        count: f64,
        weights: &mut [T],
    ) where
        A: Arithmetic<T = T, Buffer = B>,
    {
        let Some((group, tensor)) = self.places[entry] else { return };
        let Live { rule, scalars, tensors, .. } = &mut self.groups[group];
        let step = Step { t: self.updates, scalars, loss: f64::NAN };
        rule.visit(&step, Sweep { arithmetic, sums, count, weights, slots: slots(&mut tensors[tensor]) });
    }
}

impl Updater<Buffer> {
    /// Creates the state before the first update of a method without a solver, for parameters that start as `params`.
    ///
    /// # Errors
    /// Returns an error if the groups do not fit the network.
    pub fn of(descent: &Descent, schedule: &Schedule, seed: u64, params: &Params) -> Result<Self> {
        Self::new::<Team>(descent, schedule, seed, params.layout(), params.values())
    }

    /// Number of bytes of the state of `descent`.
    ///
    /// # Errors
    /// Returns an error if the groups do not fit the layout.
    pub fn state_bytes(descent: &Descent, layout: &Layout) -> Result<usize> {
        Ok(Self::floats(descent, layout)?.state * size_of::<f32>())
    }

    /// Applies the update begun last to a weight matrix, within the product that computes its gradient, Xᵀ D / count.
    pub(crate) fn step_within_product(
        &mut self,
        team: &mut Team,
        entry: usize,
        x: Matrix,
        d: Matrix,
        count: f32,
        weights: MatrixMut,
    ) {
        let Some((group, tensor)) = self.places[entry] else { return };
        let Live { rule, scalars, tensors, .. } = &mut self.groups[group];
        let step = Step { t: self.updates, scalars, loss: f64::NAN };
        let slots = slots(&mut tensors[tensor]);
        rule.visit_in_backward(&step, WithinProduct { team, x, d, count, weights, slots });
    }
}

impl State for Updater<Buffer> {
    fn code(&mut self, codec: &mut StateCodec) -> io::Result<()> {
        self.updates.code(codec)?;
        for group in &mut self.groups {
            group.course.code(codec)?;
            codec.words(&mut group.scalars)?;
            let tensors = group.tensors.iter_mut();
            let mut slots = tensors.flat_map(|tensor| tensor.slots.iter_mut().chain(&mut tensor.around));
            slots.try_for_each(|slot| slot.code(codec))?;
            if self.updates > 0 {
                group.rule = group.course.at(self.updates);
            }
        }
        Ok(())
    }
}

impl Snapshot for Updater<Buffer> {
    fn snapshot(&self) -> Self {
        let groups = self.groups.iter().map(|group| Live {
            before: group.before.clone(),
            course: group.course.clone(),
            rule: group.rule.clone(),
            after: group.after.clone(),
            seed: group.seed,
            scalars: group.scalars.clone(),
            tensors: group
                .tensors
                .iter()
                .map(|tensor| Tensor { scratch: vec![], ..tensor.clone() })
                .collect(),
            eigen: Eigen::default(),
        });
        Self { groups: groups.collect(), places: self.places.clone(), updates: self.updates }
    }

    fn copy_from(&mut self, other: &Self) {
        self.updates = other.updates;
        for (group, other) in self.groups.iter_mut().zip(&other.groups) {
            group.course.clone_from(&other.course);
            group.rule.clone_from(&other.rule);
            group.scalars.clone_from(&other.scalars);
            for (tensor, other) in group.tensors.iter_mut().zip(&other.tensors) {
                let kept = tensor.slots.iter_mut().chain(&mut tensor.around);
                let others = other.slots.iter().chain(&other.around);
                kept.zip(others).for_each(|(to, from)| to.copy_from_slice(from));
            }
        }
    }
}

impl<B> Live<B> {
    fn step<A: Arithmetic<Buffer = B>>(
        &mut self,
        arithmetic: &mut A,
        t: u64,
        sums: &mut [A::T],
        count: f64,
        weights: &mut [A::T],
        loss: f64,
    ) where
        B: DerefMut<Target = [A::T]>,
    {
        let moment = Moment { seed: self.seed, t, lr: self.rule.lr().map_or(0.0, |lr| *lr) };
        let Self { before, rule, after, scalars, tensors, eigen, .. } = self;
        let mut group = Tensors { all: tensors, weights, gradients: sums, scalars, eigen };
        if !before.iter().all(|transform| transform.apply(arithmetic, moment, &mut group)) {
            return;
        }
        for (index, wrapper) in after.iter().enumerate() {
            for Tensor { place, around, .. } in group.all.iter_mut() {
                let weights = &group.weights[place.clone()];
                wrapper.before(arithmetic, rule.keep(), &mut around[index], weights);
            }
        }
        move_weights(rule, t, arithmetic, count, &mut group, loss);
        for (index, wrapper) in after.iter().enumerate() {
            for tensor in group.all.iter_mut() {
                let (place, len) = (tensor.place.clone(), tensor.len());
                let (w, g) = (&mut group.weights[place.clone()], &group.gradients[place]);
                wrapper.after(arithmetic, t, &mut tensor.around[index], w, g, len);
            }
        }
    }

    /// Returns the slot that determines a tensor's weights to evaluate after `t` updates, and the fraction of the way
    /// from the trained weights to the slot; `None` if the trained weights are evaluated.
    fn shown<'a>(&self, tensor: &'a Tensor<B>, t: u64) -> Option<(&'a B, f64)> {
        let wrappers = self.after.iter().zip(&tensor.around);
        let last = wrappers.filter(|(wrapper, _)| wrapper.shows(t)).last();
        let own = || self.rule.shown().map(|Shown { slot, share }| (&tensor.slots[slot], share));
        last.map(|(_, kept)| (kept, 1.0)).or_else(own)
    }
}

/// Does the rule's own step of a group, whose gradients are still to be divided by `count`.
fn move_weights<A: Arithmetic>(
    rule: &Rule,
    t: u64,
    arithmetic: &mut A,
    count: f64,
    group: &mut Tensors<A>,
    loss: f64,
) {
    let Tensors { all, weights, gradients, scalars, eigen } = group;
    if !rule.is_by_element() {
        let tensors = Tensors { all, weights, gradients, scalars, eigen };
        rule.step(&Step { t, scalars: &[], loss }, arithmetic, tensors);
        return;
    }
    for tensor in all.iter_mut() {
        let (step, place) = (Step { t, scalars, loss }, tensor.place.clone());
        let (sums, weights) = (&gradients[place.clone()], &mut weights[place]);
        rule.visit(&step, Sweep { arithmetic, sums, count, weights, slots: slots(tensor) });
    }
}

fn slots<'a, T: 'a, B: DerefMut<Target = [T]>>(
    tensor: &'a mut Tensor<B>,
) -> impl Iterator<Item = &'a mut [T]> {
    tensor.slots.iter_mut().map(|slot| &mut slot[..])
}

/// Visitor that runs an update over weights whose gradient is `sums / count`.
pub(crate) struct Sweep<'a, A: Arithmetic, I> {
    pub(crate) arithmetic: &'a mut A,
    pub(crate) sums: &'a [A::T],
    pub(crate) count: f64,
    pub(crate) weights: &'a mut [A::T],
    pub(crate) slots: I,
}

impl<'a, A: Arithmetic, I: Iterator<Item = &'a mut [A::T]>> Visitor for Sweep<'a, A, I>
where
    A::T: 'a,
{
    type Output = ();

    fn visit<U: Elementwise<S>, const S: usize>(self, update: &U) {
        let Self { arithmetic, sums, count, weights, slots } = self;
        arithmetic.sweep(update, sums, count, weights, take::<_, S>(slots));
    }
}

/// Visitor that updates a weight matrix within the product that computes its gradient, Xᵀ D / count.
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
