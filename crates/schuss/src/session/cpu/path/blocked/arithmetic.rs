//! Arithmetic of the blocked path: the f32 kernels or, in its tests, their plain counterparts in f64.

use crate::network::gather_inputs;
use crate::optim::{Rule, Step, Sweep, WithinProduct};
use schuss_data::Batch;
use schuss_kernels::matrix::{self, Matrix, MatrixMut, Start};
use schuss_kernels::rows::{Score, softmax_cross_entropy};
use schuss_kernels::window::{Ahead, Owed, Tasks};
use schuss_kernels::{Buffer, Lane, Team, single};
use std::ops::DerefMut;
use std::sync::{Mutex, PoisonError};

/// Rule and number of an update, from 1.
#[derive(Clone, Copy)]
pub(crate) struct Update<'a> {
    pub(crate) rule: &'a Rule,
    pub(crate) t: u64,
}

/// Inputs of a layer for one sample.
#[derive(Clone, Copy)]
pub(crate) struct Input<'a, T> {
    pub(crate) x: &'a [T],
    /// Indices of the inputs that are not zero.
    pub(crate) active: &'a [u32],
}

/// Operations of a blocked update. Matrices are padded to whole vectors; a velocity is `None` if the rule has none.
pub(crate) trait Arithmetic: Send {
    /// Number type.
    type T: Lane + PartialOrd + Default + Send + Sync;
    /// Buffer of numbers.
    type Buffer: DerefMut<Target = [Self::T]> + Send + Sync;

    /// Returns `len` zeros.
    fn zeros(len: usize) -> Self::Buffer;

    /// X ← the samples.
    fn gather(&mut self, batch: &Batch, x: &mut [Self::T]);

    /// C ← C + A B.
    fn add_product(&mut self, a: Matrix<Self::T>, b: Matrix<Self::T>, c: MatrixMut<Self::T>);

    /// Y ← X W + b, then ReLU if `relu`.
    fn linear(
        &mut self,
        x: Matrix<Self::T>,
        w: Matrix<Self::T>,
        bias: &[Self::T],
        relu: bool,
        y: MatrixMut<Self::T>,
    );

    /// Computes loss and gradient of every row.
    fn loss(
        &mut self,
        logits: Matrix<Self::T>,
        labels: &[u32],
        delta: MatrixMut<Self::T>,
        scores: &mut [Score],
    );

    /// Dˣ ← D Wᵀ, zero where `active` is not positive.
    fn input_gradient(
        &mut self,
        d: Matrix<Self::T>,
        w: Matrix<Self::T>,
        active: Option<Matrix<Self::T>>,
        dx: MatrixMut<Self::T>,
    );

    /// Updates W, whose gradient is Xᵀ D.
    fn step(
        &mut self,
        update: Update,
        x: Matrix<Self::T>,
        d: Matrix<Self::T>,
        w: MatrixMut<Self::T>,
        v: Option<&mut [Self::T]>,
    );

    /// Updates a bias, whose gradient is the sum of the rows of D, computed in `sums`.
    fn step_bias(
        &mut self,
        update: Update,
        d: Matrix<Self::T>,
        sums: &mut [Self::T],
        bias: &mut [Self::T],
        v: Option<&mut [Self::T]>,
    );

    /// See [`single::linear`].
    fn linear_of_one(
        &mut self,
        x: &[Self::T],
        active: &[u32],
        w: Matrix<Self::T>,
        bias: &[Self::T],
        relu: bool,
        y: &mut [Self::T],
    );

    /// See [`single::catch_up`].
    fn catch_up(
        &mut self,
        active: Option<&[u32]>,
        w: MatrixMut<Self::T>,
        v: Option<MatrixMut<Self::T>>,
        last: &mut [u32],
        phi: &[[[Self::T; 2]; 2]],
        seen: u32,
    );

    /// See [`single::descend`].
    fn descend(
        &mut self,
        update: Update,
        input: Input<Self::T>,
        d: &[Self::T],
        w: MatrixMut<Self::T>,
        v: Option<&mut [Self::T]>,
        dx: &mut [Self::T],
    );

    /// Folds `owed` into W and V and computes the products `ahead`; the first thread does `work` at the same time.
    fn between_blocks(
        &mut self,
        w: MatrixMut<Self::T>,
        v: Option<MatrixMut<Self::T>>,
        owed: Option<Owed<Self::T>>,
        ahead: Option<Ahead<Self::T>>,
        work: impl FnOnce() + Send,
    );
}

impl Arithmetic for Team {
    type T = f32;
    type Buffer = Buffer;

    fn zeros(len: usize) -> Buffer {
        Buffer::zeros(len)
    }

    fn gather(&mut self, batch: &Batch, x: &mut [f32]) {
        gather_inputs(self, batch, x);
    }

    fn add_product(&mut self, a: Matrix, b: Matrix, c: MatrixMut) {
        matrix::add_product(self, a, b, c);
    }

    fn linear(&mut self, x: Matrix, w: Matrix, bias: &[f32], relu: bool, y: MatrixMut) {
        matrix::linear(self, x, w, bias, relu, y);
    }

    fn loss(&mut self, logits: Matrix, labels: &[u32], delta: MatrixMut, scores: &mut [Score]) {
        softmax_cross_entropy(self, logits, labels, delta, scores);
    }

    fn input_gradient(&mut self, d: Matrix, w: Matrix, active: Option<Matrix>, dx: MatrixMut) {
        matrix::input_gradient(self, d, w, active, dx);
    }

    fn step(&mut self, update: Update, x: Matrix, d: Matrix, weights: MatrixMut, v: Option<&mut [f32]>) {
        let slots = v.into_iter();
        let product = WithinProduct { team: self, x, d, count: 1.0, weights, slots };
        update.rule.visit_map(&Step::at(update.t), product);
    }

    fn step_bias(
        &mut self,
        update: Update,
        d: Matrix,
        sums: &mut [f32],
        bias: &mut [f32],
        v: Option<&mut [f32]>,
    ) {
        matrix::column_sums(self, d, Start::Fresh, sums);
        let sums = &sums[..bias.len()];
        let sweep = Sweep { arithmetic: self, sums, count: 1.0, weights: bias, slots: v.into_iter() };
        update.rule.visit_map(&Step::at(update.t), sweep);
    }

    fn linear_of_one(
        &mut self,
        x: &[f32],
        active: &[u32],
        w: Matrix,
        bias: &[f32],
        relu: bool,
        y: &mut [f32],
    ) {
        single::linear(self.isa(), single::SparseInput { x, active }, w, bias, relu, y);
    }

    fn catch_up(
        &mut self,
        active: Option<&[u32]>,
        w: MatrixMut,
        v: Option<MatrixMut>,
        last: &mut [u32],
        phi: &[[[f32; 2]; 2]],
        seen: u32,
    ) {
        single::catch_up(self.isa(), active, w, v, last, phi, seen);
    }

    fn descend(
        &mut self,
        update: Update,
        Input { x, active }: Input<f32>,
        d: &[f32],
        w: MatrixMut,
        v: Option<&mut [f32]>,
        dx: &mut [f32],
    ) {
        let single =
            Single { isa: self.isa(), x: single::SparseInput { x, active }, d, w, slots: v.into_iter(), dx };
        update.rule.visit_map(&Step::at(update.t), single);
    }

    fn between_blocks(
        &mut self,
        w: MatrixMut,
        v: Option<MatrixMut>,
        owed: Option<Owed>,
        ahead: Option<Ahead>,
        work: impl FnOnce() + Send,
    ) {
        let tasks = Tasks::new(self.isa(), w, v, owed, ahead);
        let work = Mutex::new(Some(work));
        self.run(usize::MAX, |_| {
            let work = work.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(work) = work {
                work();
            }
            tasks.help();
        });
    }
}

/// Visitor of a rule: backward pass and step for one sample.
struct Single<'a, I> {
    isa: schuss_kernels::Isa,
    x: single::SparseInput<'a>,
    d: &'a [f32],
    w: MatrixMut<'a>,
    slots: I,
    dx: &'a mut [f32],
}

impl<'a, I: Iterator<Item = &'a mut [f32]>> crate::optim::Visitor for Single<'a, I> {
    type Output = ();

    fn visit<U: schuss_kernels::sweep::Elementwise<S>, const S: usize>(self, update: &U) {
        let Self { isa, x, d, w, slots, dx } = self;
        single::descend(isa, x, d, update, w, crate::optim::take::<_, S>(slots), dx);
    }
}
