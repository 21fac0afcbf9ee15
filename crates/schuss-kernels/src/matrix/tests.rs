use super::*;
use crate::Buffer;
use crate::naive::{self, Sample, pad, unpad};
use crate::{Isa, Lane, sweep};

const SIZES: [usize; 10] = [1, 2, 5, 15, 16, 17, 63, 64, 65, 100];

/// Checks every product over awkward shapes, instruction sets and numbers of threads.
fn for_shapes(check: impl Fn(&mut Team, usize, usize, usize, &mut Sample)) {
    for isa in Isa::available() {
        for threads in [1, 2, 3] {
            let mut team = Team::with_isa(threads, isa).unwrap();
            for (i, m) in SIZES.into_iter().enumerate() {
                for (k, n) in [(SIZES[(i + 3) % 10], SIZES[(i + 7) % 10]), (257, 10), (10, 257), (m, m)] {
                    check(&mut team, m, k, n, &mut Sample::new((m * 1000 + k * 10 + n) as u64));
                }
            }
        }
    }
}

#[test]
fn linear_has_the_bits_of_its_naive_twin() {
    for_shapes(|team, m, k, n, sample| {
        let (x, w, b) = (sample.vector(m * k, 1.0), sample.vector(k * n, 1.0), sample.vector(n, 1.0));
        let (xp, wp, bp) = (pad(&x, m, k), pad(&w, k, n), pad(&b, 1, n));
        for relu in [false, true] {
            let mut y = Buffer::zeros(m * padded(n));
            let to = MatrixMut::new(&mut y, m, n);
            linear(team, Matrix::new(&xp, m, k), Matrix::new(&wp, k, n), &bp, relu, to);
            assert_eq!(
                unpad(&y, m, n),
                naive::linear(&x, &w, &b, relu, m, k, n),
                "{m} x {k} x {n}, {team:?}"
            );
        }
    });
}

#[test]
fn weight_gradient_has_the_bits_of_its_naive_twin_in_one_or_two_microbatches() {
    for_shapes(|team, m, k, n, sample| {
        let (x, d) = (sample.vector(m * k, 1.0), sample.vector(m * n, 1.0));
        let expected = naive::weight_gradient(&x, &d, &vec![0.0; k * n], m, k, n);
        for split in [m, m / 2] {
            let mut g = Buffer::zeros(k * padded(n));
            for (start, rows) in [(Start::Fresh, 0..split), (Start::Continue, split..m)] {
                let (xp, dp) =
                    (pad(&x[rows.start * k..], rows.len(), k), pad(&d[rows.start * n..], rows.len(), n));
                let (x, d) = (Matrix::new(&xp, rows.len(), k), Matrix::new(&dp, rows.len(), n));
                weight_gradient(team, x, d, start, MatrixMut::new(&mut g, k, n));
            }
            assert_eq!(unpad(&g, k, n), expected, "{m} x {k} x {n} split at {split}, {team:?}");
        }
    });
}

#[test]
fn input_gradient_has_the_bits_of_its_naive_twin_and_stops_at_idle_inputs() {
    for_shapes(|team, m, k, n, sample| {
        let (d, w, active) =
            (sample.vector(m * n, 1.0), sample.vector(k * n, 1.0), sample.vector(m * k, 1.0));
        let (dp, wp, ap) = (pad(&d, m, n), pad(&w, k, n), pad(&active, m, k));
        let mut dx = Buffer::zeros(m * padded(k));
        dx.fill(f32::NAN); // leftovers of an earlier, wider layer
        let (d_, w_, active_) = (Matrix::new(&dp, m, n), Matrix::new(&wp, k, n), Matrix::new(&ap, m, k));
        input_gradient(team, d_, w_, Some(active_), MatrixMut::new(&mut dx, m, k));
        assert_eq!(
            unpad(&dx, m, k),
            naive::input_gradient(&d, &w, &active, m, k, n),
            "{m} x {k} x {n}, {team:?}"
        );
    });
}

#[test]
fn column_sums_have_the_bits_of_their_naive_twin() {
    for_shapes(|team, m, _, n, sample| {
        let (d, start) = (sample.vector(m * n, 1.0), sample.vector(n, 1.0));
        let mut sums = pad(&start, 1, n);
        let d_padded = pad(&d, m, n);
        column_sums(team, Matrix::new(&d_padded, m, n), Start::Continue, &mut sums);
        assert_eq!(sums[..n], naive::column_sums(&d, &start, m, n), "{m} x {n}, {team:?}");
    });
}

/// Adam without bias correction, to have two slots.
#[derive(Clone, Copy)]
struct TwoSlots;

impl Elementwise<2> for TwoSlots {
    fn apply<L: Lane>(&self, g: L, w: L, [m, v]: &mut [L; 2]) -> L {
        *m = L::splat(0.9).mul_add(*m, L::splat(0.1) * g);
        *v = L::splat(0.99).mul_add(*v, L::splat(0.01) * g * g);
        w - L::splat(0.01) * *m / (v.sqrt() + L::splat(1e-8))
    }
}

#[test]
fn updating_within_the_product_has_the_bits_of_product_then_sweep() {
    for_shapes(|team, m, k, n, sample| {
        let (x, d, w) = (sample.vector(m * k, 1.0), sample.vector(m * n, 1.0), sample.vector(k * n, 1.0));
        let (xp, dp) = (pad(&x, m, k), pad(&d, m, n));
        let (x, d) = (Matrix::new(&xp, m, k), Matrix::new(&dp, m, n));
        let zeros = || Buffer::zeros(k * padded(n));
        let (mut w1, mut m1, mut v1, mut g) = (pad(&w, k, n), zeros(), zeros(), zeros());
        let (mut w2, mut m2, mut v2) = (pad(&w, k, n), zeros(), zeros());
        for _ in 0..2 {
            weight_gradient(team, x, d, Start::Fresh, MatrixMut::new(&mut g, k, n));
            sweep::sweep(team, &TwoSlots, &g, m as f32, &mut w1, [&mut m1, &mut v1]);
            let w2 = MatrixMut::new(&mut w2, k, n);
            update_weights(team, x, d, m as f32, &TwoSlots, w2, [&mut m2, &mut v2]);
        }
        assert!(w1[..] == w2[..] && m1[..] == m2[..] && v1[..] == v2[..], "{m} x {k} x {n}, {team:?}");
    });
}

/// Plain gradient descent, which leaves a weight without gradient unchanged.
#[derive(Clone, Copy)]
struct Plain;

impl Elementwise<0> for Plain {
    fn apply<L: Lane>(&self, g: L, w: L, _: &mut [L; 0]) -> L {
        g.mul_add(L::splat(-0.1), w)
    }

    fn rests_at_zero(&self) -> bool {
        true
    }
}

#[test]
fn idle_inputs_are_skipped_without_changing_a_bit() {
    for_shapes(|team, m, k, n, sample| {
        let sparse = |x: f32| if x < 0.3 { 0.0 } else { x };
        let x: Vec<f32> = sample.vector(m * k, 1.0).into_iter().map(sparse).collect();
        let (d, w, b) = (sample.vector(m * n, 1.0), sample.vector(k * n, 1.0), sample.vector(n, 1.0));
        let (xp, dp, wp, bp) = (pad(&x, m, k), pad(&d, m, n), pad(&w, k, n), pad(&b, 1, n));
        let mut y = Buffer::zeros(m * padded(n));
        let x_padded = Matrix::new(&xp, m, k);
        linear(team, x_padded, Matrix::new(&wp, k, n), &bp, false, MatrixMut::new(&mut y, m, n));
        assert_eq!(unpad(&y, m, n), naive::linear(&x, &w, &b, false, m, k, n), "{m} x {k} x {n}, {team:?}");

        let mut stepped = pad(&w, k, n);
        let weights = MatrixMut::new(&mut stepped, k, n);
        update_weights(team, x_padded, Matrix::new(&dp, m, n), m as f32, &Plain, weights, []);
        let gradient = naive::weight_gradient(&x, &d, &vec![0.0; k * n], m, k, n);
        let expected: Vec<f32> =
            w.iter().zip(gradient).map(|(w, g)| (g / m as f32).mul_add(-0.1, *w)).collect();
        assert_eq!(unpad(&stepped, k, n), expected, "{m} x {k} x {n}, {team:?}");
    });
}
