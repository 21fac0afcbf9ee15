//! Losses of a row of outputs: value, gradient and correctness of the row, in one pass.

use crate::matrix::{Matrix, MatrixMut};
use crate::pointer::SharedMut;
use crate::{Kernel, LANES, Math, Team, Vector, padded};

/// Loss and correctness of one sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Loss of the sample.
    pub loss: f64,
    /// True if the largest output (the first of equals) is that of the sample's class.
    pub correct: bool,
}

/// Softmax, cross-entropy and their gradient: loss = ln Σ exp(z) − z_label, delta = softmax(z) − onehot(label).
///
/// Logits and delta [m, classes], one label and one score per row. The row's maximum is subtracted first, so
/// that no finite logit overflows.
///
/// # Panics
/// If the shapes do not match or a label is out of range.
pub fn softmax_cross_entropy(
    team: &mut Team,
    logits: Matrix,
    labels: &[u32],
    delta: MatrixMut,
    scores: &mut [Score],
) {
    softmax_rows(team, logits, labels, delta, scores, |row, label| row[label] -= 1.0);
}

/// Computes the probability of every class, softmax(z), and the same scores as [`softmax_cross_entropy`], for
/// inference.
///
/// # Panics
/// If the shapes do not match or a label is out of range.
pub fn softmax(
    team: &mut Team,
    logits: Matrix,
    labels: &[u32],
    probabilities: MatrixMut,
    scores: &mut [Score],
) {
    softmax_rows(team, logits, labels, probabilities, scores, |_, _| {});
}

/// Computes softmax and score of every row; `finish` converts a row of probabilities into the output.
fn softmax_rows(
    team: &mut Team,
    logits: Matrix,
    labels: &[u32],
    to: MatrixMut,
    scores: &mut [Score],
    finish: impl Fn(&mut [f32], usize) + Copy + Sync,
) {
    let (rows, classes) = logits.shape();
    assert!(to.shape() == (rows, classes) && labels.len() == rows && scores.len() == rows);
    assert!(labels.iter().all(|&label| (label as usize) < classes));
    let to = SharedMut::new(to.into_data());
    let (isa, chunk) = (team.isa(), rows.div_ceil(team.parts()).max(1));
    team.for_chunks(rows * padded(classes) * EXP_WORK, scores, chunk, |index, scores| {
        isa.run(Rows { logits, labels, to, scores, first: index * chunk, finish });
    });
}

/// Cost of an exponential and a division, in multiply-adds.
const EXP_WORK: usize = 16;

struct Rows<'a, F> {
    logits: Matrix<'a>,
    labels: &'a [u32],
    to: SharedMut,
    scores: &'a mut [Score],
    first: usize,
    finish: F,
}

impl<F: Fn(&mut [f32], usize)> Kernel for Rows<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let (_, classes) = self.logits.shape();
        for (row, score) in (self.first..).zip(self.scores) {
            let logits = self.logits.row(row);
            let label = self.labels[row] as usize;
            // SAFETY: `to` has the shape of the logits, and this row belongs to this part.
            let to = unsafe { self.to.slice(row * logits.len(), logits.len()) };
            *score = softmax_row::<V>(logits, classes, label, to);
            (self.finish)(to, label);
        }
    }
}

#[inline(always)]
fn softmax_row<V: Vector>(logits: &[f32], classes: usize, label: usize, to: &mut [f32]) -> Score {
    let best = argmax(&logits[..classes]);
    let max = V::splat(f64::from(logits[best]));
    for (to, from) in to.chunks_exact_mut(LANES).zip(logits.chunks_exact(LANES)) {
        // SAFETY: both chunks are 16 numbers long.
        unsafe { (V::load(from.as_ptr()) - max).exp().store(to.as_mut_ptr()) };
    }
    to[classes..].fill(0.0);
    // SAFETY: every chunk is 16 numbers long.
    let load = |chunk: &[f32]| unsafe { V::load(chunk.as_ptr()) };
    let sum = to.chunks_exact(LANES).fold(V::splat(0.0), |sum, chunk| sum + load(chunk)).sum();
    for chunk in to.chunks_exact_mut(LANES) {
        // SAFETY: the chunk is 16 numbers long.
        unsafe { (V::load(chunk.as_ptr()) / V::splat(f64::from(sum))).store(chunk.as_mut_ptr()) };
    }
    let margin = f64::from(logits[best]) - f64::from(logits[label]);
    Score { loss: Math::ln(f64::from(sum)) + margin, correct: best == label }
}

/// Applies any loss that is a function of a row: `loss(row, outputs, delta)` returns the loss of a row and
/// writes its gradient with respect to the outputs. Outputs and delta `[m, n]`, passed without pad lanes, one
/// score per row. With labels a row is correct if its largest output is that of its label; without labels no
/// row is. `work` is the approximate cost of one output, in multiply-adds.
///
/// # Panics
/// If the shapes do not match.
pub fn every_row(
    team: &mut Team,
    outputs: Matrix,
    labels: Option<&[u32]>,
    delta: MatrixMut,
    scores: &mut [Score],
    work: usize,
    loss: impl Fn(usize, &[f32], &mut [f32]) -> f64 + Sync,
) {
    let (rows, cols) = outputs.shape();
    assert!(delta.shape() == (rows, cols) && scores.len() == rows);
    assert!(labels.is_none_or(|labels| labels.len() == rows));
    let delta = SharedMut::new(delta.into_data());
    team.for_chunks(rows * cols * work, scores, 1, |row, score| {
        let stride = padded(cols);
        // SAFETY: `delta` has the shape of the outputs, and this row belongs to this part.
        let (delta, pad) = unsafe { delta.slice(row * stride, stride) }.split_at_mut(cols);
        let outputs = &outputs.row(row)[..cols];
        let correct = labels.is_some_and(|labels| argmax(outputs) == labels[row] as usize);
        score[0] = Score { loss: loss(row, outputs, delta), correct };
        pad.fill(0.0);
    });
}

/// Returns the index of the largest number, the first of equals.
pub fn argmax(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naive::Sample;
    use crate::{Buffer, Isa, naive};

    /// Returns scores and deltas of some rows of logits.
    fn run(isa: Isa, threads: usize, rows: &[Vec<f32>], labels: &[u32]) -> (Vec<Score>, Vec<f32>) {
        let classes = rows[0].len();
        let logits = naive::pad(&rows.concat(), rows.len(), classes);
        let mut delta = Buffer::zeros(rows.len() * padded(classes));
        let mut scores = vec![Score::default(); rows.len()];
        let mut team = Team::with_isa(threads, isa).unwrap();
        softmax_cross_entropy(
            &mut team,
            Matrix::new(&logits, rows.len(), classes),
            labels,
            MatrixMut::new(&mut delta, rows.len(), classes),
            &mut scores,
        );
        (scores, delta.to_vec())
    }

    #[test]
    fn softmax_cross_entropy_agrees_with_its_f64_twin_and_has_the_same_bits_everywhere() {
        for classes in [1, 2, 3, 10, 15, 16, 17, 40] {
            let mut sample = Sample::new(classes as u64);
            let rows: Vec<Vec<f32>> = (0..23).map(|_| sample.vector(classes, 8.0)).collect();
            let labels: Vec<u32> = (0..23).map(|i| i * 7 % classes as u32).collect();
            let expected = run(Isa::available()[0], 1, &rows, &labels);
            for isa in Isa::available() {
                for threads in [1, 2, 3] {
                    assert_eq!(run(isa, threads, &rows, &labels), expected, "{classes}, {}", isa.name());
                }
            }
            for (i, row) in rows.iter().enumerate() {
                let (loss, delta) = naive::softmax_cross_entropy(row, labels[i] as usize);
                assert!((expected.0[i].loss - loss).abs() < 1e-6 * loss.max(1.0), "{loss}");
                let found = &expected.1[i * padded(classes)..][..padded(classes)];
                let error = naive::largest_difference(&found[..classes], &delta);
                assert!(error < 3e-7, "delta off by {error}");
                assert!(found[classes..].iter().all(|&x| x == 0.0), "pad lanes stay zero");
            }
        }
    }

    #[test]
    fn softmax_agrees_with_its_f64_twin_and_has_the_scores_of_the_loss() {
        for classes in [1, 2, 10, 16, 17, 40] {
            let rows: Vec<Vec<f32>> = (0..5).map(|i| Sample::new(i).vector(classes, 8.0)).collect();
            let labels = [0, classes as u32 - 1, 0, classes as u32 / 2, 0];
            let logits = naive::pad(&rows.concat(), rows.len(), classes);
            let mut found = Buffer::zeros(logits.len());
            let mut scores = vec![Score::default(); rows.len()];
            softmax(
                &mut Team::new(2).unwrap(),
                Matrix::new(&logits, rows.len(), classes),
                &labels,
                MatrixMut::new(&mut found, rows.len(), classes),
                &mut scores,
            );
            assert_eq!(scores, run(Isa::detect(), 1, &rows, &labels).0);
            for (row, found) in rows.iter().zip(found.chunks_exact(padded(classes))) {
                let error = naive::largest_difference(&found[..classes], &naive::softmax(row));
                assert!(
                    error < 3e-7 && found[classes..].iter().all(|&x| x == 0.0),
                    "{classes}: off by {error}"
                );
            }
        }
    }

    #[test]
    fn extreme_logits_give_finite_losses_and_nan_gives_nan() {
        let rows =
            [vec![1e4, -1e4, 0.0], vec![-1e4, 1e4, 0.0], vec![f32::NAN, 0.0, 0.0], vec![0.0, 0.0, f32::NAN]];
        for isa in Isa::available() {
            let (scores, _) = run(isa, 1, &rows, &[0, 0, 0, 0]);
            assert_eq!((scores[0].loss, scores[1].loss), (0.0, 2e4));
            assert!(scores[2].loss.is_nan() && scores[3].loss.is_nan(), "{}", isa.name());
        }
    }

    #[test]
    fn a_loss_that_is_a_function_of_a_row_is_scored_whatever_the_threads() {
        for (m, n) in [(1, 1), (7, 10), (40, 16), (23, 33)] {
            let dense = Sample::new(n as u64).vector(m * n, 1.0);
            let outputs = naive::pad(&dense, m, n);
            let labels: Vec<u32> = (0..m).map(|row| (row * 5 % n) as u32).collect();
            for threads in [1, 2, 3] {
                let mut delta = Buffer::zeros(m * padded(n));
                delta.fill(f32::NAN); // leftovers of an earlier layer
                let mut scores = vec![Score::default(); m];
                every_row(
                    &mut Team::new(threads).unwrap(),
                    Matrix::new(&outputs, m, n),
                    Some(&labels),
                    MatrixMut::new(&mut delta, m, n),
                    &mut scores,
                    1_000,
                    |row, outputs, delta| {
                        delta.iter_mut().zip(outputs).for_each(|(delta, y)| *delta = 2.0 * y);
                        row as f64 + outputs.iter().map(|&y| f64::from(y * y)).sum::<f64>()
                    },
                );
                let doubled: Vec<f32> = dense.iter().map(|y| 2.0 * y).collect();
                assert_eq!(delta[..], naive::pad(&doubled, m, n)[..], "{m} x {n}");
                for (row, (score, y)) in scores.iter().zip(dense.chunks(n)).enumerate() {
                    let loss = row as f64 + y.iter().map(|&y| f64::from(y * y)).sum::<f64>();
                    let correct = argmax(y) == labels[row] as usize;
                    assert_eq!(*score, Score { loss, correct }, "{m} x {n}");
                }
            }
        }
    }
}
