//! Given any shapes and lengths, a public function either does its work or panics; it never touches memory
//! beyond the buffers it was given. Every buffer here lies between guards, which are checked after every
//! call; a sanitizer also detects reads.

use schuss_kernels::activation::{
    Moving, Relu, Slopes, activate, activation_curvature, activation_gradient, prelu, prelu_gradient,
    prelu_slope_gradient, prelu_slope_gradients,
};
use schuss_kernels::bf16::Unit;
use schuss_kernels::dropout::dropout;
use schuss_kernels::log_softmax::{log_softmax, log_softmax_gradient};
use schuss_kernels::matrix::{self, Matrix, MatrixMut, Start};
use schuss_kernels::naive::Sample;
use schuss_kernels::normalize::{self, BatchGradients, Moments};
use schuss_kernels::pool::{Windows, average_pool, average_pool_gradient};
use schuss_kernels::reduce::{Reduction, reduce, reduce_reference};
use schuss_kernels::rows::{Score, every_row, softmax, softmax_cross_entropy};
use schuss_kernels::single::{self, SparseInput};
use schuss_kernels::sweep::{Elementwise, sweep, sweep_reference};
use schuss_kernels::window::{Ahead, Owed, Tasks};
use schuss_kernels::{Isa, LANES, Lane, Math, Precision, Team, padded};
use std::ops::{Deref, DerefMut};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};

/// True once a guard was overwritten.
static BROKEN: AtomicBool = AtomicBool::new(false);

/// Numbers before and after every buffer: more than a row of any matrix here.
const GUARD: usize = 256;
const UNTOUCHED: f32 = -7.5e11;

/// Buffer between guards, which are checked on drop.
struct Guarded {
    all: Vec<f32>,
    len: usize,
}

impl Guarded {
    fn new(len: usize) -> Self {
        let mut all = vec![UNTOUCHED; len + 2 * GUARD];
        all[GUARD..GUARD + len].copy_from_slice(&Sample::new(len as u64).vector(len, 1.0));
        Self { all, len }
    }
}

impl Deref for Guarded {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.all[GUARD..GUARD + self.len]
    }
}

impl DerefMut for Guarded {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.all[GUARD..GUARD + self.len]
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let guards = self.all[..GUARD].iter().chain(&self.all[GUARD + self.len..]);
        if guards.copied().any(|x| x != UNTOUCHED) {
            BROKEN.store(true, Ordering::Relaxed);
        }
    }
}

/// Supplies sizes: the fitting ones, some of them modified by `change`.
struct Sizes<'a> {
    asked: usize,
    change: &'a mut dyn FnMut(usize, usize) -> usize,
}

/// Matrix with its numbers and shape.
struct Held {
    data: Guarded,
    shape: (usize, usize),
}

impl Sizes<'_> {
    fn size(&mut self, fitting: usize) -> usize {
        self.asked += 1;
        (self.change)(self.asked - 1, fitting)
    }

    /// Returns a length that can be allocated.
    fn len(&mut self, fitting: usize) -> usize {
        self.size(fitting).min(4_000)
    }

    fn slice(&mut self, len: usize) -> Guarded {
        Guarded::new(self.len(len))
    }

    fn matrix(&mut self, rows: usize, cols: usize) -> Held {
        let data = self.slice(rows * padded(cols));
        Held { data, shape: (self.size(rows), self.size(cols)) }
    }
}

impl Held {
    fn get(&self) -> Matrix<'_> {
        Matrix::new(&self.data, self.shape.0, self.shape.1)
    }

    fn get_mut(&mut self) -> MatrixMut<'_> {
        MatrixMut::new(&mut self.data, self.shape.0, self.shape.1)
    }
}

/// An update and a reduction with one slot.
#[derive(Clone, Copy)]
struct Momentum;

impl Elementwise<1> for Momentum {
    #[inline(always)]
    fn apply<L: Math>(&self, gradient: L, weight: L, [velocity]: &mut [L; 1]) -> L {
        *velocity = L::splat(0.9).mul_add(*velocity, gradient);
        weight - L::splat(0.1) * *velocity
    }
}

impl Reduction<1, 1> for Momentum {
    #[inline(always)]
    fn terms<L: Lane>(&self, gradient: L, weight: L, [velocity]: [L; 1]) -> [L; 1] {
        [gradient * weight * velocity]
    }
}

/// Rows, inputs and outputs of products: more than a tile, less than two.
const M: usize = 18;
const K: usize = 20;
const N: usize = 17;

type Call = fn(&mut Team, &mut Sizes);

/// Every public function that is given memory.
const CALLS: &[(&str, Call)] = &[
    ("matrix::linear", |team, of| {
        let (x, w, b, mut y) = (of.matrix(M, K), of.matrix(K, N), of.slice(padded(N)), of.matrix(M, N));
        matrix::linear(team, x.get(), w.get(), &b, true, y.get_mut());
    }),
    ("matrix::add_product", |team, of| {
        let (a, b, mut c) = (of.matrix(M, K), of.matrix(K, N), of.matrix(M, N));
        matrix::add_product(team, a.get(), b.get(), c.get_mut());
    }),
    ("matrix::weight_gradient", |team, of| {
        let (x, d, mut g) = (of.matrix(M, K), of.matrix(M, N), of.matrix(K, N));
        matrix::weight_gradient(team, x.get(), d.get(), Start::Continue, g.get_mut());
    }),
    ("matrix::update_weights", |team, of| {
        let (x, d, mut w) = (of.matrix(M, K), of.matrix(M, N), of.matrix(K, N));
        let mut v = of.slice(K * padded(N));
        matrix::update_weights(team, x.get(), d.get(), M as f32, &Momentum, w.get_mut(), [&mut v]);
    }),
    ("matrix::update_weights of one row", |team, of| {
        let (x, d, mut w) = (of.matrix(1, K), of.matrix(1, N), of.matrix(K, N));
        let mut v = of.slice(K * padded(N));
        matrix::update_weights(team, x.get(), d.get(), 1.0, &Momentum, w.get_mut(), [&mut v]);
    }),
    ("matrix::input_gradient", |team, of| {
        let (d, w) = (of.matrix(M, N), of.matrix(K, N));
        let (active, mut dx) = (of.matrix(M, K), of.matrix(M, K));
        matrix::input_gradient(team, d.get(), w.get(), Some(active.get()), dx.get_mut());
    }),
    ("matrix::column_sums", |team, of| {
        let (d, mut sums) = (of.matrix(M, N), of.slice(padded(N)));
        matrix::column_sums(team, d.get(), Start::Continue, &mut sums);
    }),
    ("single::linear", |team, of| {
        let (x, w, b, mut y) = (of.slice(K), of.matrix(K, N), of.slice(padded(N)), of.slice(padded(N)));
        let active = [0, 3, of.size(K - 1) as u32];
        single::linear(team.isa(), SparseInput { x: &x, active: &active }, w.get(), &b, true, &mut y);
    }),
    ("single::catch_up", |team, of| {
        let (mut w, mut v) = (of.matrix(K, N), of.matrix(K, N));
        let mut last = vec![0; of.len(K)];
        last.iter_mut().step_by(2).for_each(|last| *last = of.size(2) as u32);
        let (active, phi) = ([of.size(K - 1) as u32], vec![[[0.5; 2]; 2]; of.len(3)]);
        single::catch_up(team.isa(), Some(&active), w.get_mut(), Some(v.get_mut()), &mut last, &phi, 1);
        single::catch_up(team.isa(), None, w.get_mut(), Some(v.get_mut()), &mut last, &phi, 3);
    }),
    ("single::descend", |team, of| {
        let (x, d, mut w) = (of.slice(K), of.slice(padded(N)), of.matrix(K, N));
        let (mut v, mut dx) = (of.slice(K * padded(N)), of.slice(padded(K)));
        let active = [1, of.size(K - 1) as u32];
        let (isa, w) = (team.isa(), w.get_mut());
        single::descend(isa, SparseInput { x: &x, active: &active }, &d, &Momentum, w, [&mut v], &mut dx);
    }),
    ("sweep", |team, of| {
        let (sums, mut w, mut v) = (of.slice(64), of.slice(64), of.slice(64));
        sweep(team, &Momentum, &sums, 2.0, &mut w, [&mut v]);
    }),
    ("sweep_reference", |_, of| {
        let [sums, mut w, mut v] = [(); 3].map(|()| vec![1.0; of.len(5)]);
        sweep_reference(&Momentum, &sums, 2.0, &mut w, [&mut v]);
    }),
    ("reduce", |team, of| {
        let [sums, w, v] = [(); 3].map(|()| of.slice(64));
        reduce(team, &Momentum, &sums, 2.0, &w, [&v]);
    }),
    ("reduce_reference", |_, of| {
        let [sums, w, v] = [(); 3].map(|()| vec![1.0; of.len(5)]);
        reduce_reference(&Momentum, &sums, &w, [&v]);
    }),
    ("softmax", |team, of| {
        let (z, mut to) = (of.matrix(M, N), of.matrix(M, N));
        let (labels, mut scores) = (vec![of.size(N - 1) as u32; of.len(M)], scores(of));
        softmax(team, z.get(), &labels, to.get_mut(), &mut scores);
    }),
    ("softmax_cross_entropy", |team, of| {
        let (z, mut to) = (of.matrix(M, N), of.matrix(M, N));
        let (labels, mut scores) = (vec![of.size(N - 1) as u32; of.len(M)], scores(of));
        softmax_cross_entropy(team, z.get(), &labels, to.get_mut(), &mut scores);
    }),
    ("every_row", |team, of| {
        let (z, mut to) = (of.matrix(M, N), of.matrix(M, N));
        let (labels, mut scores) = (vec![of.size(N - 1) as u32; of.len(M)], scores(of));
        let loss = |_: usize, outputs: &[f32], delta: &mut [f32]| {
            delta.copy_from_slice(outputs);
            0.0
        };
        every_row(team, z.get(), Some(&labels), to.get_mut(), &mut scores, 1, loss);
    }),
    ("log_softmax", |team, of| {
        let (z, mut y) = (of.matrix(M, N), of.matrix(M, N));
        log_softmax(team, z.get(), y.get_mut());
    }),
    ("log_softmax_gradient", |team, of| {
        let (y, dy, mut dz) = (of.matrix(M, N), of.matrix(M, N), of.matrix(M, N));
        log_softmax_gradient(team, y.get(), dy.get(), dz.get_mut());
    }),
    ("activate", |team, of| {
        let (x, mut y) = (of.matrix(M, N), of.matrix(M, N));
        activate(team, Relu, x.get(), y.get_mut());
    }),
    ("activation_gradient", |team, of| {
        let [x, y, dy, mut dx] = [(); 4].map(|()| of.matrix(M, N));
        activation_gradient(team, Relu, x.get(), y.get(), dy.get(), dx.get_mut());
    }),
    ("activation_curvature", |team, of| {
        let [x, x_rate, y, y_rate, dy, dy_rate, mut to] = [(); 7].map(|()| of.matrix(M, N));
        let [x, y, dy] = [[&x, &x_rate], [&y, &y_rate], [&dy, &dy_rate]]
            .map(|[value, rate]| Moving { value: value.get(), rate: rate.get() });
        activation_curvature(team, Relu, x, y, dy, to.get_mut());
    }),
    ("prelu", |team, of| {
        let (slopes, x, mut y) = (of.slice(padded(N)), of.matrix(M, N), of.matrix(M, N));
        prelu(team, Slopes::PerUnit(&slopes), x.get(), y.get_mut());
    }),
    ("prelu_gradient", |team, of| {
        let slopes = of.slice(padded(N));
        let (x, dy, mut dx) = (of.matrix(M, N), of.matrix(M, N), of.matrix(M, N));
        prelu_gradient(team, Slopes::PerUnit(&slopes), x.get(), dy.get(), dx.get_mut());
    }),
    ("prelu_slope_gradients", |team, of| {
        let (x, dy, mut sums) = (of.matrix(M, N), of.matrix(M, N), of.slice(padded(N)));
        prelu_slope_gradients(team, x.get(), dy.get(), Start::Continue, &mut sums);
    }),
    ("prelu_slope_gradient", |team, of| {
        let (x, dy) = (of.matrix(M, N), of.matrix(M, N));
        prelu_slope_gradient(team, x.get(), dy.get(), 0.5);
    }),
    ("dropout", |team, of| {
        let (x, mut y) = (of.matrix(M, N), of.matrix(M, N));
        dropout(team, 0.5, |row, block| [row as u32, block as u32, 0, u32::MAX], x.get(), y.get_mut());
    }),
    ("average_pool", |team, of| {
        let windows = Windows { channels: 2, height: of.size(4), width: of.size(6), side: of.size(2) };
        let (x, mut y) = (of.matrix(M, 48), of.matrix(M, 12));
        average_pool(team, windows, x.get(), y.get_mut());
    }),
    ("average_pool_gradient", |team, of| {
        let windows = Windows { channels: 2, height: of.size(4), width: of.size(6), side: of.size(2) };
        let (dy, mut dx) = (of.matrix(M, 12), of.matrix(M, 48));
        average_pool_gradient(team, windows, dy.get(), dx.get_mut());
    }),
    ("row_moments", |team, of| {
        let (x, mut mean, mut scale) = (of.matrix(M, N), of.slice(M), of.slice(M));
        normalize::row_moments(team, x.get(), 1e-5, &mut mean, &mut scale);
    }),
    ("column_moments", |team, of| {
        let (x, mut mean, mut variance) = (of.matrix(M, N), of.slice(padded(N)), of.slice(padded(N)));
        normalize::column_moments(team, x.get(), &mut mean, &mut variance);
    }),
    ("scales", |_, of| {
        let (variance, mut scale) = (of.slice(5), of.slice(5));
        normalize::scales(&variance, 1e-5, &mut scale);
    }),
    ("normalize", |team, of| {
        let [mean, scale, gain, bias] = [(); 4].map(|()| of.slice(padded(N)));
        let (x, mut y) = (of.matrix(M, N), of.matrix(M, N));
        let moments = Moments::PerColumn { mean: &mean, scale: &scale };
        normalize::normalize(team, x.get(), moments, &gain, &bias, y.get_mut());
    }),
    ("gain_gradient", |team, of| {
        let (mean, scale, mut sums) = (of.slice(M), of.slice(M), of.slice(padded(N)));
        let (x, dy) = (of.matrix(M, N), of.matrix(M, N));
        let moments = Moments::PerRow { mean: &mean, scale: &scale };
        normalize::gain_gradient(team, x.get(), moments, dy.get(), Start::Continue, &mut sums);
    }),
    ("layer_norm_gradient", |team, of| {
        let (mean, scale, gain) = (of.slice(M), of.slice(M), of.slice(padded(N)));
        let (x, dy, mut dx) = (of.matrix(M, N), of.matrix(M, N), of.matrix(M, N));
        let moments = Moments::PerRow { mean: &mean, scale: &scale };
        normalize::layer_norm_gradient(team, x.get(), moments, &gain, dy.get(), dx.get_mut());
    }),
    ("batch_norm_gradient", |team, of| {
        let [mean, scale, gain, sum, along] = [(); 5].map(|()| of.slice(padded(N)));
        let (x, dy, mut dx) = (of.matrix(M, N), of.matrix(M, N), of.matrix(M, N));
        let moments = Moments::PerColumn { mean: &mean, scale: &scale };
        let (dx, sums) = (dx.get_mut(), BatchGradients { gain: &along, bias: &sum });
        normalize::batch_norm_gradient(team, x.get(), moments, &gain, sums, dy.get(), dx);
    }),
    ("window::Tasks", |team, of| {
        let (mut w, mut v) = (of.matrix(K, N), of.matrix(K, N));
        let (x, delta, weigh) = (of.matrix(M, K), of.matrix(M, N), vec![[0.5; 2]; of.len(M)]);
        let owed = Owed { x: x.get(), delta: delta.get(), keep: [[0.5; 2]; 2], weigh: &weigh };
        let (next, before) = (of.matrix(3, K), of.matrix(M, K));
        let (mut z, mut q) = (of.matrix(3, N), of.matrix(3, N));
        let (mut gram, mut within) = (of.matrix(3, M), of.matrix(3, 3));
        let ahead = Ahead {
            x: next.get(),
            z: z.get_mut(),
            q: Some(q.get_mut()),
            before: Some((before.get(), gram.get_mut())),
            within: within.get_mut(),
        };
        Tasks::new(team.isa(), w.get_mut(), Some(v.get_mut()), Some(owed), Some(ahead)).help();
    }),
    ("Team::for_chunks", |team, of| {
        let mut data = of.slice(100);
        team.for_chunks(1 << 20, &mut data, of.size(16), |_, chunk| chunk.fill(1.0));
    }),
];

fn scores(of: &mut Sizes) -> Vec<Score> {
    vec![Score::default(); of.len(M)]
}

/// Changes a fitting size: less, more, zero, and sizes that overflow when padded or multiplied.
fn changed(fitting: usize, how: usize) -> usize {
    let changes = [
        fitting.saturating_sub(1),
        fitting + 1,
        fitting.saturating_sub(LANES),
        fitting + LANES,
        0,
        1,
        2 * fitting,
        usize::MAX,
        usize::MAX - LANES,
        1 << 60,
        (1 << 59) + 1,
        u32::MAX as usize,
    ];
    changes[how % changes.len()]
}

const CHANGES: usize = 12;

/// Runs a call with sizes modified by `change`; returns the number of sizes requested, and the panic message,
/// if any.
fn call(
    team: &mut Team,
    run: Call,
    change: &mut dyn FnMut(usize, usize) -> usize,
) -> (usize, Option<String>) {
    let mut sizes = Sizes { asked: 0, change };
    let panic = catch_unwind(AssertUnwindSafe(|| run(team, &mut sizes))).err();
    let said = panic.map(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
    });
    (sizes.asked, said)
}

/// Checks that a call left the guards alone, and that a panic has a message.
fn check(name: &str, what: &str, team: &Team, said: Option<&str>) {
    assert!(!BROKEN.load(Ordering::Relaxed), "{name} wrote outside a buffer: {what}, {team:?}");
    assert!(said != Some(""), "{name} panicked without a message: {what}, {team:?}");
}

#[test]
fn every_function_panics_or_keeps_within_its_buffers_whatever_the_shapes() {
    for isa in Isa::available() {
        for (threads, precision) in [(1, Precision::Highest), (3, Precision::Highest), (1, Precision::High)] {
            let mut team = Team::with_isa(threads, isa).unwrap();
            team.set_precision_on(Unit::available().last().copied(), precision);
            CALLS.iter().for_each(|&(name, run)| try_all(&mut team, name, run));
        }
    }
}

/// Tries fitting sizes, then each of them changed in every way, then several at once.
fn try_all(team: &mut Team, name: &str, run: Call) {
    let (asked, said) = call(team, run, &mut |_, fitting| fitting);
    assert!(said.is_none(), "{name} panicked on shapes that fit: {said:?}");
    check(name, "all fit", team, None);
    for index in 0..asked {
        for how in 0..CHANGES {
            let mut change = |at, fitting| if at == index { changed(fitting, how) } else { fitting };
            let (_, said) = call(team, run, &mut change);
            check(name, &format!("size {index} changed by {how}"), team, said.as_deref());
        }
    }
    for seed in 0..60 {
        let mut draws = Sample::new(seed);
        let mut draw = move |limit: usize| ((draws.vector(1, 0.5)[0] + 0.5) * limit as f32) as usize % limit;
        let mut change = |_, fitting| if draw(3) == 0 { changed(fitting, draw(CHANGES)) } else { fitting };
        let (_, said) = call(team, run, &mut change);
        check(name, &format!("sizes drawn by {seed}"), team, said.as_deref());
    }
}

#[test]
fn a_matrix_that_its_numbers_cannot_hold_is_refused() {
    let mut numbers = [0.0_f32; 64];
    for (rows, cols) in [(5, 16), (4, 17), (1, 65), (usize::MAX / 16 + 2, 16), (1 << 60, 16), (1, usize::MAX)]
    {
        assert!(catch_unwind(|| Matrix::new(&[0.0_f32; 64], rows, cols)).is_err(), "{rows} x {cols}");
        let write = AssertUnwindSafe(|| {
            MatrixMut::new(&mut numbers, rows, cols);
        });
        assert!(catch_unwind(write).is_err(), "mutable {rows} x {cols}");
    }
    assert_eq!(Matrix::new(&numbers, 3, 10).data().len(), 48);
}

#[test]
fn a_product_of_the_first_columns_reads_no_others() {
    let [mut wide, b] = [[f32::NAN; 3 * 32], [1.0; 3 * 32]];
    wide.chunks_exact_mut(32).for_each(|row| row[..2].copy_from_slice(&[2.0, 3.0]));
    for isa in Isa::available() {
        let mut c = [10.0; 3 * 32];
        let (a, b, to) = (Matrix::new(&wide, 3, 20), Matrix::new(&b, 2, 17), MatrixMut::new(&mut c, 3, 17));
        matrix::add_product(&mut Team::with_isa(1, isa).unwrap(), a, b, to);
        assert!(c.iter().all(|&c| c == 15.0), "{}", isa.name());
    }
}
