//! Dropout.

use super::bend::{Bend, Tangent};
use super::layers;
use super::operation::{Backward, Forward, Mode, Operation, Weights};
use crate::spec::{below_one, write_number};
use schuss_data::random::{Key, Purpose};
use schuss_kernels::dropout::dropout;

layers! {
    /// In training, 0 with probability p, otherwise x / (1 − p); in evaluation, x. `torch.nn.Dropout`.
    Dropout = "dropout" {
        /// Probability p of zeroing an input.
        p: f64 = 0.5,
    } => |layer| below_one(&[("p", layer.p)]);
}

impl Operation for Dropout {
    fn forward(&self, pass: Forward) {
        match pass.weights {
            Weights::Training(_, mode) => dropout(pass.team, self.p, words(pass.layer, mode), pass.x, pass.y),
            Weights::Frozen(_) => pass.pass_on(),
        }
    }

    fn backward(&self, pass: Backward) {
        let Some(dx) = pass.dx else { return };
        let (team, _) = pass.gradients.compute();
        dropout(team, self.p, words(pass.layer, pass.mode), pass.dy, dx);
    }

    fn has_curvature(&self) -> bool {
        true
    }

    fn tangent(&self, pass: Tangent) {
        let Some(x_rate) = pass.x_rate else { return };
        dropout(pass.team, self.p, words(pass.layer, pass.mode), x_rate, pass.y_rate);
    }

    fn bend(&self, pass: Bend) {
        let Some(to) = pass.dx_rate else { return };
        dropout(pass.team, self.p, words(pass.layer, pass.mode), pass.dy_rate, to);
    }

    fn sole_key(&self) -> Option<String> {
        Some(write_number(self.p))
    }
}

/// Returns the random words of an element, the same in both passes: drawn for its layer and the position of its sample.
fn words(layer: usize, mode: &Mode) -> impl Fn(usize, usize) -> [u32; 4] + Sync + use<> {
    let key = Key { seed: mode.seed, purpose: Purpose::Dropout, epoch: mode.epoch };
    let base = ((layer as u64) << 40) + mode.first as u64; // positions are below 2^40
    move |row, block| key.block(base + row as u64, block as u32)
}
