//! Counterparts of the kernels in f64: plain loops over padded rows.

use super::Arithmetic;
use super::arithmetic::{Input, Update};
use crate::optim::{Visitor, take};
use schuss_data::Batch;
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::padded;
use schuss_kernels::rows::Score;
use schuss_kernels::sweep::{Elementwise, sweep_reference};
use schuss_kernels::window::{Ahead, Owed};

pub(super) struct BlockedF64;

/// Returns row `row` of a mutable matrix of `cols` columns.
fn row_mut(data: &mut [f64], row: usize, cols: usize) -> &mut [f64] {
    &mut data[row * padded(cols)..][..cols]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

impl Arithmetic for BlockedF64 {
    type T = f64;
    type Buffer = Vec<f64>;

    fn zeros(len: usize) -> Vec<f64> {
        vec![0.0; len]
    }

    fn gather(&mut self, batch: &Batch, x: &mut [f64]) {
        let mut numbers = vec![0.0; batch.features()];
        for row in 0..batch.len() {
            batch.write(row, &mut numbers);
            let row = row_mut(x, row, batch.features());
            row.iter_mut().zip(&numbers).for_each(|(to, &number)| *to = f64::from(number));
        }
    }

    fn add_product(&mut self, a: Matrix<f64>, b: Matrix<f64>, c: MatrixMut<f64>) {
        let ((rows, _), (depth, cols)) = (a.shape(), b.shape());
        let c = c.into_data();
        for row in 0..rows {
            for k in 0..depth {
                let factor = a.row(row)[k];
                row_mut(c, row, cols).iter_mut().zip(b.row(k)).for_each(|(c, b)| *c += factor * b);
            }
        }
    }

    fn linear(&mut self, x: Matrix<f64>, w: Matrix<f64>, bias: &[f64], relu: bool, y: MatrixMut<f64>) {
        let ((rows, cols), y) = (y.shape(), y.into_data());
        for row in 0..rows {
            row_mut(y, row, cols).copy_from_slice(&bias[..cols]);
        }
        self.add_product(x, w, MatrixMut::new(y, rows, cols));
        y.iter_mut().filter(|y| relu && **y < 0.0).for_each(|y| *y = 0.0);
    }

    fn loss(&mut self, logits: Matrix<f64>, labels: &[u32], delta: MatrixMut<f64>, scores: &mut [Score]) {
        let ((rows, classes), delta) = (logits.shape(), delta.into_data());
        delta[..rows * padded(classes)].fill(0.0);
        for row in 0..rows {
            let (z, label) = (&logits.row(row)[..classes], labels[row] as usize);
            let max = z.iter().fold(f64::NEG_INFINITY, |max, z| max.max(*z));
            let sum: f64 = z.iter().map(|z| (z - max).exp()).sum();
            let delta = row_mut(delta, row, classes);
            delta.iter_mut().zip(z).for_each(|(d, z)| *d = (z - max).exp() / sum);
            delta[label] -= 1.0;
            scores[row] = Score { loss: sum.ln() + max - z[label], correct: z[label] == max };
        }
    }

    fn input_gradient(
        &mut self,
        d: Matrix<f64>,
        w: Matrix<f64>,
        active: Option<Matrix<f64>>,
        dx: MatrixMut<f64>,
    ) {
        let ((rows, cols), dx) = (dx.shape(), dx.into_data());
        dx[..rows * padded(cols)].fill(0.0);
        for row in 0..rows {
            for col in 0..cols {
                let passes = active.is_none_or(|active| active.row(row)[col] > 0.0);
                row_mut(dx, row, cols)[col] = if passes { dot(d.row(row), w.row(col)) } else { 0.0 };
            }
        }
    }

    fn step(
        &mut self,
        update: Update,
        x: Matrix<f64>,
        d: Matrix<f64>,
        w: MatrixMut<f64>,
        v: Option<&mut [f64]>,
    ) {
        let ((rows, cols), w) = (w.shape(), w.into_data());
        let mut gradient = vec![0.0; rows * padded(cols)];
        for sample in 0..x.shape().0 {
            for row in 0..rows {
                let factor = x.row(sample)[row];
                let sums = row_mut(&mut gradient, row, cols);
                sums.iter_mut().zip(d.row(sample)).for_each(|(sum, d)| *sum += factor * d);
            }
        }
        update.rule.visit_map(
            &crate::optim::Step::at(update.t),
            Step { gradient: &gradient, w: &mut w[..gradient.len()], v },
        );
    }

    fn step_bias(
        &mut self,
        update: Update,
        d: Matrix<f64>,
        sums: &mut [f64],
        bias: &mut [f64],
        v: Option<&mut [f64]>,
    ) {
        let gradient = &mut sums[..bias.len()];
        gradient.fill(0.0);
        for row in 0..d.shape().0 {
            gradient.iter_mut().zip(d.row(row)).for_each(|(sum, d)| *sum += d);
        }
        update.rule.visit_map(&crate::optim::Step::at(update.t), Step { gradient, w: bias, v });
    }

    fn linear_of_one(
        &mut self,
        x: &[f64],
        _active: &[u32],
        w: Matrix<f64>,
        bias: &[f64],
        relu: bool,
        y: &mut [f64],
    ) {
        let (inputs, outputs) = w.shape();
        self.linear(Matrix::new(x, 1, inputs), w, bias, relu, MatrixMut::new(y, 1, outputs));
    }

    fn catch_up(
        &mut self,
        active: Option<&[u32]>,
        w: MatrixMut<f64>,
        v: Option<MatrixMut<f64>>,
        last: &mut [u32],
        phi: &[[[f64; 2]; 2]],
        seen: u32,
    ) {
        let ((_, cols), w, mut v) = (w.shape(), w.into_data(), v.map(MatrixMut::into_data));
        for (row, last) in last.iter_mut().enumerate() {
            if active.is_some_and(|active| !active.contains(&(row as u32))) {
                continue;
            }
            let [[a, b], [c, d]] = phi[std::mem::replace(last, seen) as usize];
            for i in row * padded(cols)..row * padded(cols) + cols {
                let (old_w, old_v) = (w[i], v.as_ref().map_or(0.0, |v| v[i]));
                w[i] = a * old_w + b * old_v;
                if let Some(v) = &mut v {
                    v[i] = c * old_w + d * old_v;
                }
            }
        }
    }

    fn descend(
        &mut self,
        update: Update,
        Input { x, active }: Input<f64>,
        d: &[f64],
        w: MatrixMut<f64>,
        mut v: Option<&mut [f64]>,
        dx: &mut [f64],
    ) {
        let ((rows, cols), w) = (w.shape(), w.into_data());
        dx[..padded(rows)].fill(0.0);
        for row in active.iter().map(|&row| row as usize) {
            let gradient: Vec<f64> = d[..cols].iter().map(|d| x[row] * d).collect();
            let w = row_mut(w, row, cols);
            dx[row] = dot(&d[..cols], w);
            let v = v.as_deref_mut().map(|v| row_mut(v, row, cols));
            update.rule.visit_map(&crate::optim::Step::at(update.t), Step { gradient: &gradient, w, v });
        }
    }

    fn between_blocks(
        &mut self,
        w: MatrixMut<f64>,
        v: Option<MatrixMut<f64>>,
        owed: Option<Owed<f64>>,
        ahead: Option<Ahead<f64>>,
        work: impl FnOnce() + Send,
    ) {
        work();
        let ((inputs, cols), w, mut v) = (w.shape(), w.into_data(), v.map(MatrixMut::into_data));
        if let Some(owed) = owed {
            fold(&owed, w, v.as_deref_mut(), cols);
        }
        let Some(ahead) = ahead else { return };
        let none = vec![0.0; padded(cols)];
        self.linear(ahead.x, Matrix::new(w, inputs, cols), &none, false, ahead.z);
        if let (Some(q), Some(v)) = (ahead.q, v) {
            self.linear(ahead.x, Matrix::new(v, inputs, cols), &none, false, q);
        }
        if let Some((before, gram)) = ahead.before {
            self.input_gradient(ahead.x, before, None, gram);
        }
        self.input_gradient(ahead.x, ahead.x, None, ahead.within);
    }
}

fn fold(owed: &Owed<f64>, w: &mut [f64], mut v: Option<&mut [f64]>, cols: usize) {
    let [[a, b], [c, d]] = owed.keep;
    for row in 0..owed.x.shape().1 {
        for i in row * padded(cols)..row * padded(cols) + cols {
            let sum = |which: usize| -> f64 {
                let rows = owed.weigh.iter().enumerate();
                rows.map(|(r, weigh)| {
                    weigh[which] * owed.x.row(r)[row] * owed.delta.row(r)[i - row * padded(cols)]
                })
                .sum()
            };
            let (old_w, old_v) = (w[i], v.as_ref().map_or(0.0, |v| v[i]));
            w[i] = a * old_w + b * old_v + sum(0);
            if let Some(v) = &mut v {
                v[i] = c * old_w + d * old_v + sum(1);
            }
        }
    }
}

/// Update of a rule on plain numbers.
struct Step<'a> {
    gradient: &'a [f64],
    w: &'a mut [f64],
    v: Option<&'a mut [f64]>,
}

impl Visitor for Step<'_> {
    type Output = ();

    fn visit<U: Elementwise<S>, const S: usize>(self, update: &U) {
        sweep_reference(update, self.gradient, 1.0, self.w, take::<_, S>(self.v.into_iter()));
    }
}
