//! Naive reference implementations: each kernel as a few plain loops, with the order of its sums spelled out.
//!
//! They are kept for good, and the tests compare kernels with them: bit for bit if the kernel is made of the
//! same operations, else within rounding. Matrices here are dense, row after row.

use crate::pool::Windows;
use crate::{Buffer, LANES, padded};

/// Y = X W + b, then ReLU if `relu`: one chain per output in order of k, the bias added last.
pub fn linear(x: &[f32], w: &[f32], bias: &[f32], relu: bool, m: usize, k: usize, n: usize) -> Vec<f32> {
    outputs(m, n, |row, col| {
        let sum = (0..k).fold(0.0_f32, |sum, i| x[row * k + i].mul_add(w[i * n + col], sum)) + bias[col];
        if relu && sum < 0.0 { 0.0 } else { sum }
    })
}

/// G = G₀ + Xᵀ D: one chain per weight in order of samples, continuing from `start`.
pub fn weight_gradient(x: &[f32], d: &[f32], start: &[f32], m: usize, k: usize, n: usize) -> Vec<f32> {
    outputs(k, n, |row, col| {
        (0..m).fold(start[row * n + col], |sum, i| x[i * k + row].mul_add(d[i * n + col], sum))
    })
}

/// Dˣ = D Wᵀ where the input was active: 16 lanes in order of n, then a fixed tree.
pub fn input_gradient(d: &[f32], w: &[f32], active: &[f32], m: usize, k: usize, n: usize) -> Vec<f32> {
    outputs(m, k, |row, col| {
        let passes = active[row * k + col] > 0.0;
        if passes { dot(&d[row * n..][..n], &w[col * n..][..n]) } else { 0.0 }
    })
}

/// Sums every column in row order, continuing from `start`.
pub fn column_sums(d: &[f32], start: &[f32], m: usize, n: usize) -> Vec<f32> {
    outputs(1, n, |_, col| (0..m).fold(start[col], |sum, row| sum + d[row * n + col]))
}

/// Averages images over windows: sums in pixel order, then divides.
pub fn average_pool(x: &[f32], windows: Windows) -> Vec<f32> {
    let mut means = Vec::new();
    each_window(x.len(), windows, |pixels| {
        let sum = pixels.iter().fold(0.0_f32, |sum, &at| sum + x[at]);
        means.push(sum / pixels.len() as f32);
    });
    means
}

/// Gradient of [`average_pool`]: each pixel of a window gets its share, pixels in no window get 0.
pub fn average_pool_gradient(dy: &[f32], windows: Windows) -> Vec<f32> {
    let Windows { channels, height, width, .. } = windows;
    let (tall, wide) = windows.output();
    let mut dx = vec![0.0; dy.len() / (channels * tall * wide) * channels * height * width];
    let mut rest = dy.iter();
    each_window(dx.len(), windows, |pixels| {
        let dy = rest.next().copied().unwrap_or_default();
        pixels.iter().for_each(|&at| dx[at] = dy / pixels.len() as f32);
    });
    dx
}

/// Calls `visit` for every window of images with `len` numbers in total, with the indices of its pixels.
fn each_window(len: usize, windows: Windows, mut visit: impl FnMut(&[usize])) {
    let Windows { height, width, side, .. } = windows;
    let (tall, wide) = windows.output();
    for plane in (0..len).step_by(height * width) {
        for (top, left) in (0..tall).flat_map(|top| (0..wide).map(move |left| (top, left))) {
            let pixel = |i: usize| plane + (top * side + i / side) * width + left * side + i % side;
            visit(&(0..side * side).map(pixel).collect::<Vec<_>>());
        }
    }
}

/// Returns the probability of every class of one row, in f64.
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let (max, sum) = max_and_sum(logits);
    logits.iter().map(|&z| f64::from(z - max).exp() / sum).collect()
}

/// Returns loss and gradient of one row, in f64.
pub fn softmax_cross_entropy(logits: &[f32], label: usize) -> (f64, Vec<f64>) {
    let (max, sum) = max_and_sum(logits);
    let mut delta = softmax(logits);
    delta[label] -= 1.0;
    (sum.ln() + f64::from(max) - f64::from(logits[label]), delta)
}

/// Returns the largest logit, and Σ exp(z − largest).
fn max_and_sum(logits: &[f32]) -> (f32, f64) {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    (max, logits.iter().map(|&z| f64::from(z - max).exp()).sum())
}

/// Returns the dot product of two rows: lane i takes elements i, i + 16, ..., then lanes are added i + 8, +
/// 4, + 2, + 1.
pub fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; LANES];
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        lanes[i % LANES] = a.mul_add(*b, lanes[i % LANES]);
    }
    for half in [8, 4, 2, 1] {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
    }
    lanes[0]
}

/// Pads the rows of a dense matrix to whole vectors.
pub fn pad(dense: &[f32], rows: usize, cols: usize) -> Buffer {
    let mut buffer = Buffer::zeros(rows * padded(cols));
    for row in 0..rows {
        buffer[row * padded(cols)..][..cols].copy_from_slice(&dense[row * cols..][..cols]);
    }
    buffer
}

/// Returns the dense matrix inside a padded one.
pub fn unpad(buffer: &[f32], rows: usize, cols: usize) -> Vec<f32> {
    outputs(rows, cols, |row, col| buffer[row * padded(cols) + col])
}

/// Returns the largest distance between two vectors, NaN if any is NaN.
///
/// # Panics
/// If their lengths differ.
pub fn largest_difference(a: &[f32], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len(), "numbers to be compared");
    largest(a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - b).abs()))
}

/// Returns the largest error; NaN if any is NaN, which `f64::max` would ignore; 0 if there are none.
pub fn largest(errors: impl IntoIterator<Item = f64>) -> f64 {
    errors.into_iter().fold(0.0, |most, error| if error.is_nan() || error > most { error } else { most })
}

/// Generator of numbers for tests: a small linear congruential sequence, Knuth's MMIX constants.
#[derive(Clone, Debug)]
pub struct Sample(u64);

impl Sample {
    /// Creates the sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns `len` numbers in ±`scale`.
    pub fn vector(&mut self, len: usize, scale: f32) -> Vec<f32> {
        (0..len)
            .map(|_| {
                self.0 =
                    self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((self.0 >> 40) as f32 / 8_388_608.0 - 1.0) * scale
            })
            .collect()
    }
}

fn outputs(rows: usize, cols: usize, value: impl Fn(usize, usize) -> f32) -> Vec<f32> {
    (0..rows * cols).map(|i| value(i / cols, i % cols)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nan_is_larger_than_any_error() {
        assert_eq!(largest([0.5, 2.0, 1.0]), 2.0);
        for errors in [[f64::NAN, 1.0, 2.0], [1.0, f64::NAN, 2.0], [1.0, 2.0, f64::NAN]] {
            assert!(largest(errors).is_nan(), "{errors:?}");
        }
        assert!(largest_difference(&[1.0, f32::NAN], &[1.0, 1.0]).is_nan());
    }
}
