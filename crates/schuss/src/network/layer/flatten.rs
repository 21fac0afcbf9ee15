//! Images as plain vectors.

use super::bend::{Bend, Tangent};
use super::layers;
use super::operation::{Backward, Forward, Operation, pass_back};
use crate::Result;
use schuss_data::Shape;

layers! {
    /// The numbers of an image as a vector: channel by channel, row by row. `torch.nn.Flatten`.
    Flatten = "flatten" {}
}

impl Operation for Flatten {
    fn output(&self, input: Shape) -> Result<Shape> {
        Ok(Shape::Flat(input.features()))
    }

    fn forward(&self, pass: Forward) {
        pass.pass_on();
    }

    fn has_curvature(&self) -> bool {
        true
    }

    fn tangent(&self, pass: Tangent) {
        pass.pass_on();
    }

    fn bend(&self, pass: Bend) {
        pass.pass_back();
    }

    fn backward(&self, pass: Backward) {
        if let Some(dx) = pass.dx {
            pass_back(pass.dy, dx);
        }
    }
}
