use super::*;
use crate::naive::{self, Sample, pad, unpad};
use crate::padded;

/// [rows before, rows ahead, inputs, outputs]
const SHAPES: [[usize; 4]; 4] = [[1, 1, 1, 1], [5, 7, 20, 10], [16, 3, 33, 65], [20, 40, 17, 16]];

/// Dense inputs, and the results of the naive reference.
struct Case {
    shape: [usize; 4],
    old_x: Vec<f32>,
    delta: Vec<f32>,
    x: Vec<f32>,
    pair: [Vec<f32>; 2],
    keep: [[f32; 2]; 2],
    weigh: Vec<[f32; 2]>,
}

impl Case {
    fn new(shape: [usize; 4]) -> Self {
        let [before, rows, k, n] = shape;
        let sample = &mut Sample::new((before * rows + k * n) as u64);
        Self {
            shape,
            old_x: sample.vector(before * k, 1.0),
            delta: sample.vector(before * n, 1.0),
            x: sample.vector(rows * k, 1.0),
            pair: [sample.vector(k * n, 1.0), sample.vector(k * n, 1.0)],
            keep: [[0.5, -0.25], [0.125, 0.75]],
            weigh: (0..before).map(|_| sample.vector(2, 1.0).try_into().unwrap()).collect(),
        }
    }

    /// Returns the pair after the fold; without a velocity its share and its own row do not exist.
    fn folded(&self, velocity: bool) -> [Vec<f32>; 2] {
        let [before, _, k, n] = self.shape;
        let sums = [0, 1].map(|which| {
            let weighed: Vec<f32> =
                self.delta.iter().enumerate().map(|(i, d)| self.weigh[i / n][which] * d).collect();
            naive::weight_gradient(&self.old_x, &weighed, &vec![0.0; k * n], before, k, n)
        });
        let ([w, v], [[a, b], [c, d]]) = (&self.pair, self.keep);
        let new_w = |i: usize| {
            let kept = a.mul_add(w[i], sums[0][i]);
            if velocity { b.mul_add(v[i], kept) } else { kept }
        };
        let new_v = |i: usize| if velocity { d.mul_add(v[i], c.mul_add(w[i], sums[1][i])) } else { v[i] };
        [(0..k * n).map(new_w).collect(), (0..k * n).map(new_v).collect()]
    }

    fn times(&self, weights: &[f32]) -> Vec<f32> {
        let [_, rows, k, n] = self.shape;
        naive::linear(&self.x, weights, &vec![0.0; n], false, rows, k, n)
    }
}

#[test]
fn a_fold_and_the_products_ahead_have_the_bits_of_their_naive_twins_whoever_helps() {
    for isa in Isa::available() {
        for shape in SHAPES {
            for velocity in [false, true] {
                check(isa, &Case::new(shape), velocity);
            }
        }
    }
}

fn check(isa: Isa, case: &Case, velocity: bool) {
    let [before, rows, k, n] = case.shape;
    let (old_x, delta, x) = (pad(&case.old_x, before, k), pad(&case.delta, before, n), pad(&case.x, rows, k));
    let [mut w, mut v] = [0, 1].map(|i| pad(&case.pair[i], k, n));
    let [mut z, mut q] = [(); 2].map(|()| Buffer::zeros(rows * padded(n)));
    let (mut with_before, mut within) =
        (Buffer::zeros(rows * padded(before)), Buffer::zeros(rows * padded(rows)));
    let old_x = Matrix::new(&old_x, before, k);
    let owed = Owed { x: old_x, delta: Matrix::new(&delta, before, n), keep: case.keep, weigh: &case.weigh };
    let ahead = Ahead {
        x: Matrix::new(&x, rows, k),
        z: MatrixMut::new(&mut z, rows, n),
        q: velocity.then(|| MatrixMut::new(&mut q, rows, n)),
        before: Some((old_x, MatrixMut::new(&mut with_before, rows, before))),
        within: MatrixMut::new(&mut within, rows, rows),
    };
    let v_mut = velocity.then(|| MatrixMut::new(&mut v, k, n));
    let tasks = Tasks::new(isa, MatrixMut::new(&mut w, k, n), v_mut, Some(owed), Some(ahead));
    std::thread::scope(|scope| {
        scope.spawn(|| tasks.help());
        tasks.help();
    });
    drop(tasks);
    let folded = case.folded(velocity);
    assert_eq!([unpad(&w, k, n), unpad(&v, k, n)], folded, "{:?}", case.shape);
    assert_eq!(unpad(&z, rows, n), case.times(&folded[0]));
    if velocity {
        assert_eq!(unpad(&q, rows, n), case.times(&folded[1]));
    }
    let dots = |a: &[f32], b: &[f32], i: usize, j: usize| naive::dot(&a[i * k..][..k], &b[j * k..][..k]);
    for i in 0..rows {
        for j in 0..before {
            assert_eq!(with_before[i * padded(before) + j], dots(&case.x, &case.old_x, i, j));
        }
        for j in 0..=i {
            assert_eq!(within[i * padded(rows) + j], dots(&case.x, &case.x, i, j));
        }
    }
}
