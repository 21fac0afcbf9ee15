//! Initial weights.

use super::layout::{Entry, Role};
use crate::Result;
use crate::spec::{Choice, choices, positive};
use documented::{Documented, DocumentedFields};
use schuss_data::random::Draws;
use serde::{Deserialize, Serialize};

/// Declares an init: its name and, if it has one, its gain.
macro_rules! inits {
    ($($(#[$doc:meta])* $init:ident = $name:literal $({ $gain:ident: $default:expr })?;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
            #[serde(default, deny_unknown_fields)]
            pub struct $init {
                $(
                    /// Factor applied to all weights.
                    pub $gain: f64,
                )?
            }

            impl Default for $init {
                fn default() -> Self {
                    Self { $($gain: $default)? }
                }
            }

            impl Choice for $init {
                const NAME: &'static str = $name;

                fn check(&self) -> Result<()> {
                    $(positive(&[(stringify!($gain), self.$gain)])?;)?
                    Ok(())
                }
            }
        )*
    };
}

inits! {
    /// Weights and biases uniform in ±1 / √inputs, as in `torch.nn.Linear`.
    Pytorch = "pytorch";
    /// Weights uniform in ±gain √(6 / (inputs + outputs)), biases 0. Glorot and Bengio, AISTATS 2010.
    XavierUniform = "xavier-uniform" { gain: 1.0 };
    /// Weights normal with standard deviation gain √(2 / (inputs + outputs)), biases 0. Glorot and Bengio, AISTATS
    /// 2010.
    XavierNormal = "xavier-normal" { gain: 1.0 };
    /// Weights uniform in ±gain √(3 / inputs), biases 0. He et al., ICCV 2015 (arXiv 1502.01852); the gain is ReLU's
    /// √2.
    KaimingUniform = "kaiming-uniform" { gain: std::f64::consts::SQRT_2 };
    /// Weights normal with standard deviation gain / √inputs, biases 0. He et al., ICCV 2015 (arXiv 1502.01852).
    KaimingNormal = "kaiming-normal" { gain: std::f64::consts::SQRT_2 };
    /// Weights with orthonormal rows or columns, whichever are fewer, times gain; biases 0. Saxe, McClelland and
    /// Ganguli, ICLR 2014 (arXiv 1312.6120).
    Orthogonal = "orthogonal" { gain: 1.0 };
    /// All zero: all units of a layer stay identical.
    Zeros = "zeros";
}

choices! {
    /// Initial weights and biases of linear layers.
    pub enum Init ("init", always &[]) {
        /// PyTorch's default.
        Pytorch,
        /// Glorot, uniform.
        XavierUniform,
        /// Glorot, normal.
        XavierNormal,
        /// He, uniform.
        KaimingUniform,
        /// He, normal.
        KaimingNormal,
        /// Orthonormal rows or columns.
        Orthogonal,
        /// All zero.
        Zeros,
    }
}

impl Default for Init {
    fn default() -> Self {
        Self::Pytorch(Pytorch {})
    }
}

impl Init {
    /// Draws the numbers of a linear layer's tensor in PyTorch's order, `[outputs, inputs]` row by row.
    pub(crate) fn draw(&self, entry: &Entry, draws: &mut Draws) -> Vec<f32> {
        let (inputs, outputs, len) = (entry.fan_in as f64, entry.fan_out as f64, entry.len());
        if let Self::Pytorch(_) = self {
            let bound = 1.0 / (entry.fan_in as f32).sqrt();
            return (0..len).map(|_| draws.uniform(-bound, bound)).collect();
        }
        if entry.role == Role::Bias {
            return vec![0.0; len];
        }
        let mut uniform = |bound: f64| (0..len).map(|_| draws.uniform(-bound as f32, bound as f32)).collect();
        let both = inputs + outputs;
        match self {
            Self::XavierUniform(init) => uniform(init.gain * (6.0 / both).sqrt()),
            Self::KaimingUniform(init) => uniform(init.gain * (3.0 / inputs).sqrt()),
            Self::XavierNormal(init) => normal(init.gain * (2.0 / both).sqrt(), len, draws),
            Self::KaimingNormal(init) => normal(init.gain / inputs.sqrt(), len, draws),
            Self::Orthogonal(init) => orthogonal(init.gain, entry, draws),
            Self::Zeros(_) | Self::Pytorch(_) => vec![0.0; len],
        }
    }
}

fn normal(deviation: f64, len: usize, draws: &mut Draws) -> Vec<f32> {
    (0..len).map(|_| deviation as f32 * draws.normal()).collect()
}

/// Normal draws, orthonormalised one after another (Gram-Schmidt, twice because of rounding): rows if outputs are fewer
/// than inputs, otherwise columns.
fn orthogonal(gain: f64, entry: &Entry, draws: &mut Draws) -> Vec<f32> {
    let (outputs, inputs) = (entry.cols, entry.rows);
    let (vectors, len) = (outputs.min(inputs), outputs.max(inputs));
    let mut basis: Vec<Vec<f64>> = Vec::with_capacity(vectors);
    while basis.len() < vectors {
        let mut vector: Vec<f64> = (0..len).map(|_| f64::from(draws.normal())).collect();
        for earlier in basis.iter().chain(&basis) {
            let along = dot(earlier, &vector);
            vector.iter_mut().zip(earlier).for_each(|(x, e)| *x -= along * e);
        }
        let length = dot(&vector, &vector).sqrt();
        vector.iter_mut().for_each(|x| *x /= length);
        basis.push(vector);
    }
    let element = |output: usize, input: usize| {
        if outputs <= inputs { basis[output][input] } else { basis[input][output] }
    };
    let places = (0..outputs).flat_map(|output| (0..inputs).map(move |input| (output, input)));
    places.map(|(output, input)| (gain * element(output, input)) as f32).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use crate::network::{Layout, Params};
    use std::sync::Arc;

    /// Returns the first layer's weights, `[outputs, inputs]`.
    fn weights(init: &str, widths: &str) -> Vec<f32> {
        let layout = Layout::new(
            &widths.parse().unwrap(),
            widths.split('-').next().unwrap().parse::<usize>().unwrap(),
        );
        let params = Params::init(Arc::new(layout.unwrap()), &init.parse().unwrap(), 1);
        params.tensor(&params.layout().entries()[0])
    }

    fn deviation(values: &[f32]) -> f64 {
        (values.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    }

    #[test]
    fn every_init_has_the_deviation_of_its_formula() {
        for (init, expected) in [
            ("pytorch", (1.0_f64 / 3.0 / 100.0).sqrt()),
            ("xavier-uniform", (2.0_f64 / 300.0).sqrt()),
            ("xavier-normal:gain=2", 2.0 * (2.0_f64 / 300.0).sqrt()),
            ("kaiming-uniform", 0.02_f64.sqrt()),
            ("kaiming-normal", 0.02_f64.sqrt()),
            ("zeros", 0.0),
        ] {
            let found = deviation(&weights(init, "100-200"));
            assert!((found - expected).abs() <= 0.02 * expected, "{init}: {found}, not {expected}");
        }
    }

    #[test]
    fn orthogonal_weights_have_orthonormal_rows_or_columns() {
        for (widths, outputs, inputs) in [("20-30", 30, 20), ("30-20", 20, 30)] {
            let w = weights("orthogonal:gain=3", widths);
            let at = |output: usize, input: usize| f64::from(w[output * inputs + input]) / 3.0;
            let few = outputs.min(inputs);
            for (i, j) in (0..few).flat_map(|i| (0..few).map(move |j| (i, j))) {
                let product: f64 = (0..outputs.max(inputs))
                    .map(|k| if outputs < inputs { at(i, k) * at(j, k) } else { at(k, i) * at(k, j) })
                    .sum();
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-6, "{widths}, {i} and {j}");
            }
        }
    }
}
