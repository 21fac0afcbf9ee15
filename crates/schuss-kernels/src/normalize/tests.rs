use super::*;
use crate::Buffer;
use crate::matrix::column_sums;
use crate::naive::{self, Sample, pad};
use crate::testing::{SHAPES, dense, everywhere, stale, wide};

const EPS: f64 = 1e-5;

/// X, gain, bias and Dʸ of a test.
struct Case {
    m: usize,
    n: usize,
    x: Vec<f32>,
    gain: Vec<f32>,
    bias: Vec<f32>,
    dy: Vec<f32>,
}

/// Results of both passes: Y, Dˣ, gradients of gain and bias.
type Results<T> = [Vec<T>; 4];

impl Case {
    fn new((m, n): (usize, usize)) -> Self {
        let mut sample = Sample::new((m * 100 + n) as u64);
        let mut vector = |len, scale| sample.vector(len, scale);
        let x = vector(m * n, 2.0).into_iter().map(|x| x + 0.75).collect();
        Self { m, n, x, gain: vector(n, 2.0), bias: vector(n, 1.0), dy: vector(m * n, 1.0) }
    }

    /// Runs layer normalisation if `per_row`, else batch normalisation.
    fn run(&self, team: &mut Team, per_row: bool) -> Results<f32> {
        let (m, n) = (self.m, self.n);
        let [x, dy] = [&self.x, &self.dy].map(|dense| pad(dense, m, n));
        let [gain, bias] = [&self.gain, &self.bias].map(|dense| pad(dense, 1, n));
        let (x, dy) = (Matrix::new(&x, m, n), Matrix::new(&dy, m, n));
        let (mut mean, mut scale) = (stale(1, m.max(n)), stale(1, m.max(n)));
        let moments = moments(team, x, per_row, &mut mean, &mut scale);
        let [mut y, mut dx, mut dgain, mut dbias] = [stale(m, n), stale(m, n), stale(1, n), stale(1, n)];
        normalize(team, x, moments, &gain, &bias, MatrixMut::new(&mut y, m, n));
        gain_gradient(team, x, moments, dy, Start::Fresh, &mut dgain);
        column_sums(team, dy, Start::Fresh, &mut dbias);
        let to = MatrixMut::new(&mut dx, m, n);
        if per_row {
            layer_norm_gradient(team, x, moments, &gain, dy, to);
        } else {
            let sums = BatchGradients { gain: &dgain, bias: &dbias };
            batch_norm_gradient(team, x, moments, &gain, sums, dy, to);
        }
        [dense(&y, m, n), dense(&dx, m, n), dense(&dgain, 1, n), dense(&dbias, 1, n)]
    }

    /// Computes the same in f64, by the definition: Dˣ is the gradient of Σ dy y.
    fn twin(&self, per_row: bool) -> Results<f64> {
        let [x, gain, bias, dy] = [&self.x, &self.gain, &self.bias, &self.dy].map(|all| wide(all));
        let (m, n) = (self.m, self.n);
        let g: Vec<f64> = (0..m * n).map(|i| dy[i] * gain[i % n]).collect();
        let (mut standard, mut dx) = (vec![0.0; m * n], vec![0.0; m * n]);
        for group in 0..if per_row { m } else { n } {
            let members: Vec<usize> =
                (0..m * n).filter(|i| group == if per_row { i / n } else { i % n }).collect();
            let mean_of =
                |f: &dyn Fn(usize) -> f64| members.iter().map(|&i| f(i)).sum::<f64>() / members.len() as f64;
            let mean = mean_of(&|i| x[i]);
            let scale = 1.0 / (mean_of(&|i| (x[i] - mean).powi(2)) + EPS).sqrt();
            members.iter().for_each(|&i| standard[i] = (x[i] - mean) * scale);
            let (level, along) = (mean_of(&|i| g[i]), mean_of(&|i| g[i] * standard[i]));
            members.iter().for_each(|&i| dx[i] = scale * (g[i] - level - standard[i] * along));
        }
        let y = (0..m * n).map(|i| gain[i % n] * standard[i] + bias[i % n]).collect();
        let column =
            |f: &dyn Fn(usize) -> f64| (0..n).map(|col| (0..m).map(|row| f(row * n + col)).sum()).collect();
        let dgain = column(&|i| dy[i] * standard[i]);
        [y, dx, dgain, column(&|i| dy[i])]
    }
}

fn moments<'a>(
    team: &mut Team,
    x: Matrix,
    per_row: bool,
    mean: &'a mut Buffer,
    scale: &'a mut Buffer,
) -> Moments<'a> {
    if per_row {
        row_moments(team, x, EPS, mean, scale);
        return Moments::PerRow { mean, scale };
    }
    let mut variance = stale(1, scale.len());
    column_moments(team, x, mean, &mut variance);
    scales(&variance, EPS, scale);
    Moments::PerColumn { mean, scale }
}

#[test]
fn layer_and_batch_normalisation_agree_with_f64_and_have_the_same_bits_everywhere() {
    for shape in SHAPES {
        for per_row in [true, false] {
            let case = Case::new(shape);
            let found = everywhere(|team| case.run(team, per_row));
            for (found, exact) in found.iter().zip(case.twin(per_row)) {
                let error = naive::largest_difference(found, &exact);
                let size = exact.iter().fold(1.0_f64, |size, x| size.max(x.abs()));
                assert!(error < 5e-6 * size, "{shape:?}, per row: {per_row}, off by {error} of {size}");
            }
        }
    }
}

#[test]
fn gain_gradients_have_the_same_bits_in_one_or_two_microbatches() {
    let (m, n) = (40, 17);
    let case = Case::new((m, n));
    let gradient = |first: usize| {
        let mut team = Team::new(2).unwrap();
        let mut sums = stale(1, n);
        for (start, rows) in [(Start::Fresh, 0..first), (Start::Continue, first..m)] {
            let part = |all: &[f32]| pad(&all[rows.start * n..], rows.len(), n);
            let (x, dy) = (part(&case.x), part(&case.dy));
            let (x, dy) = (Matrix::new(&x, rows.len(), n), Matrix::new(&dy, rows.len(), n));
            let (mut mean, mut scale) = (stale(1, m), stale(1, m));
            let moments = moments(&mut team, x, true, &mut mean, &mut scale);
            gain_gradient(&mut team, x, moments, dy, start, &mut sums);
        }
        dense(&sums, 1, n)
    };
    assert_eq!(gradient(m), gradient(13));
}

#[test]
fn equal_inputs_give_the_bias() {
    let (m, n) = (5, 10);
    let case = Case { x: vec![3.0; m * n], ..Case::new((m, n)) };
    for per_row in [true, false] {
        let [y, ..] = case.run(&mut Team::new(1).unwrap(), per_row);
        assert!(y.chunks(n).all(|row| row == case.bias), "per row: {per_row}");
    }
}
