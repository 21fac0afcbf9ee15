//! Average pooling over non-overlapping windows.

use crate::matrix::{Matrix, MatrixMut};
use crate::{PASS_WORK, Team, padded};

/// Shape of the images, one per row of a matrix, channel after channel, row after row; and the side of the
/// windows, in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Number of channels.
    pub channels: usize,
    /// Image height, in pixels.
    pub height: usize,
    /// Image width, in pixels.
    pub width: usize,
    /// Side of a window and stride; at least 1.
    pub side: usize,
}

impl Windows {
    /// Returns the height and width of the output; rows and columns that do not fill a window are dropped.
    ///
    /// # Panics
    /// If a window has no pixel.
    pub fn output(&self) -> (usize, usize) {
        (self.height / self.side, self.width / self.side)
    }

    fn check(&self, inputs: usize, outputs: usize) {
        assert!(self.side > 0, "a window has at least one pixel");
        let (height, width) = self.output();
        let features = |height: usize, width: usize| {
            self.channels.checked_mul(height).and_then(|rows| rows.checked_mul(width))
        };
        assert_eq!(features(self.height, self.width), Some(inputs), "columns of images");
        assert_eq!(features(height, width), Some(outputs), "columns of pooled images");
    }
}

/// Y ← mean of X over each window: summed in one chain in pixel order, then divided by their number.
///
/// # Panics
/// If the shapes do not match `windows`.
pub fn average_pool(team: &mut Team, windows: Windows, x: Matrix, y: MatrixMut) {
    let ((rows, inputs), (y_rows, outputs)) = (x.shape(), y.shape());
    windows.check(inputs, outputs);
    assert_eq!(rows, y_rows, "rows");
    let (stride, (height, width)) = (padded(outputs), windows.output());
    let count = (windows.side * windows.side) as f32;
    team.for_chunks(rows * inputs * PASS_WORK, &mut y.into_data()[..rows * stride], stride, |row, y| {
        let x = x.row(row);
        for (at, y) in y[..outputs].iter_mut().enumerate() {
            let (channel, top, left) = (at / (height * width), at / width % height, at % width);
            let mut sum = 0.0;
            for line in 0..windows.side {
                let first = (channel * windows.height + top * windows.side + line) * windows.width;
                x[first + left * windows.side..][..windows.side].iter().for_each(|x| sum += x);
            }
            *y = sum / count;
        }
        y[outputs..].fill(0.0);
    });
}

/// Dˣ ← Dʸ / k² in every window, 0 for pixels outside all windows.
///
/// # Panics
/// If the shapes do not match `windows`.
pub fn average_pool_gradient(team: &mut Team, windows: Windows, dy: Matrix, dx: MatrixMut) {
    let ((rows, outputs), (x_rows, inputs)) = (dy.shape(), dx.shape());
    windows.check(inputs, outputs);
    assert_eq!(rows, x_rows, "rows");
    let (stride, (height, width), side) = (padded(inputs), windows.output(), windows.side);
    let count = (side * side) as f32;
    team.for_chunks(rows * inputs * PASS_WORK, &mut dx.into_data()[..rows * stride], stride, |row, dx| {
        let dy = dy.row(row);
        for (at, dx) in dx[..inputs].iter_mut().enumerate() {
            let (line, column) = (at / windows.width, at % windows.width);
            let (channel, top, left) = (line / windows.height, line % windows.height / side, column / side);
            let inside = top < height && left < width;
            *dx = if inside { dy[(channel * height + top) * width + left] / count } else { 0.0 };
        }
        dx[inputs..].fill(0.0);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::naive::{self, Sample, pad};
    use crate::testing::{dense, everywhere, stale};

    const SHAPES: [Windows; 4] = [
        Windows { channels: 1, height: 4, width: 6, side: 2 },
        Windows { channels: 3, height: 5, width: 7, side: 2 },
        Windows { channels: 2, height: 3, width: 3, side: 3 },
        Windows { channels: 1, height: 28, width: 28, side: 1 },
    ];

    fn features(windows: Windows) -> (usize, usize) {
        let (height, width) = windows.output();
        (windows.channels * windows.height * windows.width, windows.channels * height * width)
    }

    #[test]
    fn means_of_windows_are_those_of_the_naive_twin() {
        for windows in SHAPES {
            let (rows, (inputs, outputs)) = (5, features(windows));
            let x = Sample::new(inputs as u64).vector(rows * inputs, 1.0);
            let input = pad(&x, rows, inputs);
            let y = everywhere(|team| {
                let mut y = stale(rows, outputs);
                let to = MatrixMut::new(&mut y, rows, outputs);
                average_pool(team, windows, Matrix::new(&input, rows, inputs), to);
                dense(&y, rows, outputs)
            });
            assert_eq!(y, naive::average_pool(&x, windows), "{windows:?}");
        }
    }

    #[test]
    fn gradients_of_means_are_those_of_the_naive_twin() {
        for windows in SHAPES {
            let (rows, (inputs, outputs)) = (5, features(windows));
            let dy = Sample::new(outputs as u64).vector(rows * outputs, 1.0);
            let gradient = pad(&dy, rows, outputs);
            let dx = everywhere(|team| {
                let mut dx = stale(rows, inputs);
                let to = MatrixMut::new(&mut dx, rows, inputs);
                average_pool_gradient(team, windows, Matrix::new(&gradient, rows, outputs), to);
                dense(&dx, rows, inputs)
            });
            assert_eq!(dx, naive::average_pool_gradient(&dy, windows), "{windows:?}");
        }
    }
}
