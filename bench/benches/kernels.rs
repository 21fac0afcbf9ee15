//! Matrix products of the lecture's network at 100 and 256 rows, on one thread and on two, as operations per second.
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use schuss_kernels::matrix::{
    Matrix, MatrixMut, Start, input_gradient, linear, update_weights, weight_gradient,
};
use schuss_kernels::sweep::Elementwise;
use schuss_kernels::{Buffer, Lane, Team, padded, peak};
use std::time::Duration;

/// `[inputs, outputs]` of the layers.
const LAYERS: [[usize; 2]; 3] = [[784, 400], [400, 256], [256, 10]];

#[derive(Clone, Copy)]
struct Plain;

impl Elementwise<0> for Plain {
    #[inline(always)]
    fn apply<L: Lane>(&self, g: L, w: L, _: &mut [L; 0]) -> L {
        g.mul_add(L::splat(-1e-9), w)
    }
}

fn filled(rows: usize, cols: usize) -> Buffer {
    let mut buffer = Buffer::zeros(rows * padded(cols));
    for row in buffer.chunks_exact_mut(padded(cols)) {
        row[..cols].iter_mut().enumerate().for_each(|(i, x)| *x = (i % 7) as f32 * 0.25 - 0.7);
    }
    buffer
}

fn products(criterion: &mut Criterion) {
    for threads in [1, 2] {
        let mut team = Team::new(threads).unwrap();
        println!(
            "FMA peak on {threads} threads: {:.0} GFLOP/s",
            peak::fma_gflops(&mut team, Duration::from_millis(500))
        );
        println!(
            "copy on {threads} threads: {:.1} GB/s",
            peak::copy_gigabytes(&mut team, 64 << 20, Duration::from_millis(500))
        );
        for rows in [100, 256] {
            for [k, n] in LAYERS {
                products_of_layer(criterion, &mut team, rows, k, n);
            }
        }
    }
}

fn products_of_layer(criterion: &mut Criterion, team: &mut Team, m: usize, k: usize, n: usize) {
    let mut group = criterion.benchmark_group(format!("{m}x{k}x{n}/{}t", team.threads()));
    group.throughput(Throughput::Elements((2 * m * k * n) as u64));
    group
        .measurement_time(Duration::from_millis(500))
        .warm_up_time(Duration::from_millis(100))
        .sample_size(20);
    let (x, d, bias) = (filled(m, k), filled(m, n), filled(1, n));
    let (mut w, mut y, mut dx) = (filled(k, n), filled(m, n), filled(m, k));
    group.bench_function("linear", |b| {
        b.iter(|| {
            linear(
                team,
                Matrix::new(&x, m, k),
                Matrix::new(&w, k, n),
                &bias,
                true,
                MatrixMut::new(&mut y, m, n),
            )
        })
    });
    group.bench_function("input_gradient", |b| {
        b.iter(|| {
            input_gradient(
                team,
                Matrix::new(&d, m, n),
                Matrix::new(&w, k, n),
                Some(Matrix::new(&x, m, k)),
                MatrixMut::new(&mut dx, m, k),
            )
        })
    });
    group.bench_function("update_weights", |b| {
        b.iter(|| {
            update_weights(
                team,
                Matrix::new(&x, m, k),
                Matrix::new(&d, m, n),
                m as f32,
                &Plain,
                MatrixMut::new(&mut w, k, n),
                [],
            )
        })
    });
    group.bench_function("weight_gradient", |b| {
        b.iter(|| {
            weight_gradient(
                team,
                Matrix::new(&x, m, k),
                Matrix::new(&d, m, n),
                Start::Continue,
                MatrixMut::new(&mut w, k, n),
            )
        })
    });
}

criterion_group!(benches, products);
criterion_main!(benches);
