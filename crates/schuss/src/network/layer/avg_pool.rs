//! Average pooling.

use super::bend::{Bend, Tangent};
use super::layers;
use super::operation::{Backward, Forward, Operation};
use crate::{Error, Result};
use schuss_data::{ImageShape, Shape};
use schuss_kernels::pool::{Windows, average_pool, average_pool_gradient};

layers! {
    /// y = mean of x over non-overlapping windows of k x k pixels, per channel; rows and columns that do not fill a
    /// window are dropped. `torch.nn.AvgPool2d`.
    AvgPool = "avg-pool" {
        /// Side k of the windows, also their stride.
        kernel_size: usize = 2,
    } => |layer| match layer.kernel_size {
        0 => Err(Error::usage("kernel_size is 0, but a window has at least one pixel").advise("avg-pool:2")),
        _ => Ok(()),
    };
}

impl AvgPool {
    fn windows(&self, input: Shape) -> Option<Windows> {
        let ImageShape { channels, height, width } = input.image()?;
        (self.kernel_size <= height.min(width)).then_some(Windows {
            channels,
            height,
            width,
            side: self.kernel_size,
        })
    }
}

impl Operation for AvgPool {
    fn output(&self, input: Shape) -> Result<Shape> {
        let side = self.kernel_size;
        let Some(windows) = self.windows(input) else {
            let what = format!("needs images of at least {side} x {side} pixels, but gets {input}");
            return Err(Error::usage(what)
                .advise("put avg-pool before any linear or flatten layer, or use smaller windows"));
        };
        let (height, width) = windows.output();
        Ok(ImageShape { channels: windows.channels, height, width }.into())
    }

    fn forward(&self, pass: Forward) {
        if let Some(windows) = self.windows(pass.input) {
            average_pool(pass.team, windows, pass.x, pass.y);
        }
    }

    fn backward(&self, pass: Backward) {
        if let (Some(windows), Some(dx)) = (self.windows(pass.input), pass.dx) {
            average_pool_gradient(pass.gradients.compute().0, windows, pass.dy, dx);
        }
    }

    fn has_curvature(&self) -> bool {
        true
    }

    fn tangent(&self, pass: Tangent) {
        if let (Some(windows), Some(x_rate)) = (self.windows(pass.input), pass.x_rate) {
            average_pool(pass.team, windows, x_rate, pass.y_rate);
        }
    }

    fn bend(&self, pass: Bend) {
        if let (Some(windows), Some(to)) = (self.windows(pass.input), pass.dx_rate) {
            average_pool_gradient(pass.team, windows, pass.dy_rate, to);
        }
    }

    fn sole_key(&self) -> Option<String> {
        Some(self.kernel_size.to_string())
    }
}
