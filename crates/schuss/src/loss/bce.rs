use super::{Point, Row, RowLoss, Target, curvature_of_outputs, mean_of_each, mean_of_outputs};
use crate::spec::{Choice, non_negative};
use crate::{Cause, Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::{Lane, Math};
use serde::{Deserialize, Serialize};

/// Binary cross-entropy of every output, mean over samples and outputs.
///
/// ```text
/// of logits:          ℓ = 1/n Σ max(z, 0) − t z + ln(1 + e^−|z|)        ∂ℓ/∂z = 1/n (σ(z) − t)
/// of probabilities:   ℓ = −1/n Σ t ln z + (1 − t) ln(1 − z)             ∂ℓ/∂z = 1/n (z − t) / (z (1 − z))
/// ```
///
/// Classes are one-hot. No finite logit overflows. For probabilities, logarithms are clamped to at least −100 and the
/// divisor to at least 1e-12, so that 0 and 1 are valid; values outside 0..=1 give NaN, and the trial diverges.
///
/// With a `pos_weight` w per output, targets of 1 are weighted by w, which balances rare labels:
///
/// ```text
/// ℓ = 1/n Σ (1 − t) z + (1 + (w − 1) t) (ln(1 + e^−|z|) + max(−z, 0))    ∂ℓ/∂z = 1/n ((1 + (w − 1) t) σ(z) − w t)
/// ```
///
/// `torch.nn.BCEWithLogitsLoss`, and `torch.nn.BCELoss` with `logits=false`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Bce {
    /// True if the outputs are logits; otherwise they are probabilities from a `sigmoid` layer.
    pub logits: bool,
    /// Weight of targets of 1, for logits: one number for all outputs, `3`, or one per output, `1:2:3`; 1 by default.
    pub pos_weight: Vec<f64>,
}

impl Default for Bce {
    fn default() -> Self {
        Self { logits: true, pos_weight: vec![] }
    }
}

impl Choice for Bce {
    const NAME: &'static str = "bce";

    fn check(&self) -> Result<()> {
        self.pos_weight.iter().try_for_each(|&weight| non_negative(&[("pos_weight", weight)]))?;
        if !self.logits && !self.pos_weight.is_empty() {
            return Err(Error::usage("pos_weight needs logits").advise("remove logits=false"));
        }
        Ok(())
    }
}

impl Bce {
    /// Returns the weight of a target of 1 at the given output.
    fn weight_of(&self, output: usize) -> f64 {
        match self.pos_weight[..] {
            [] => 1.0,
            [all] => all,
            ref each => each.get(output).copied().unwrap_or(1.0),
        }
    }
}

impl RowLoss for Bce {
    fn on<R: Row>(&self, row: &mut R) -> R::Lane {
        match (self.logits, &self.pos_weight[..]) {
            (true, []) => mean_of_each(row, of_logit),
            (true, &[all]) => mean_of_each(row, |z, t| of_weighted_logit(z, t, R::Lane::splat(all))),
            (true, each) => mean_of_outputs(row, |row, at, z, t| of_weighted_logit(z, t, row.pick(each, at))),
            (false, _) => mean_of_each(row, of_probability),
        }
    }

    fn has_curvature(&self) -> bool {
        self.logits
    }

    fn curvature(&self, z: &[f32], target: Target, direction: &[f32], to: &mut [f32]) {
        curvature_of_outputs(z, target, direction, to, |output, z, t| {
            let (share, sigmoid) = (1.0 + (self.weight_of(output) - 1.0) * t, Math::sigmoid(z));
            share * sigmoid * (1.0 - sigmoid)
        });
    }

    fn check_outputs(&self, outputs: usize) -> Result<()> {
        match self.pos_weight.len() {
            0 | 1 => Ok(()),
            count if count == outputs => Ok(()),
            count => {
                Err(Error::usage(format!("pos_weight has {count} values, but there are {outputs} outputs"))
                    .because(Cause::Mismatch)
                    .advise(
                        "give one number for all, bce:pos_weight=3, or one per output, bce:pos_weight=1:2:3",
                    ))
            }
        }
    }

    fn takes_rows(&self) -> bool {
        true
    }

    fn last_layers(&self) -> &'static [&'static str] {
        if self.logits { &[] } else { &["sigmoid", "hard-sigmoid"] }
    }
}

/// Returns value and slope at a logit; ln(1 + e^−|z|) stays exact where the rest cancels.
fn of_logit<L: Math>(z: L, t: L) -> Point<L> {
    let certain = z.max(L::splat(0.0)) - t * z;
    Point { value: certain + (-z.abs()).exp().ln_1p(), slope: z.sigmoid() - t }
}

/// Returns value and slope at a logit with a weight on targets of 1, as in torch.nn.BCEWithLogitsLoss.
fn of_weighted_logit<L: Math>(z: L, t: L, weight: L) -> Point<L> {
    let one = L::splat(1.0);
    let share = one + (weight - one) * t;
    let certain = (-z).where_positive(-weight * t * z, (one - t) * z);
    Point { value: certain + share * (-z.abs()).exp().ln_1p(), slope: share * z.sigmoid() - weight * t }
}

/// Returns value and slope at a probability.
fn of_probability<L: Math>(p: L, t: L) -> Point<L> {
    let one = L::splat(1.0);
    let value = -(t * bounded_ln(p) + (one - t) * bounded_ln(one - p));
    Point { value, slope: (p - t) / (p * (one - p)).max(L::splat(1e-12)) }
}

/// Returns ln x, but at least −100; NaN below 0.
fn bounded_ln<L: Math>(x: L) -> L {
    L::splat(-100.0).max(x.ln())
}

#[cfg(test)]
mod tests {
    use super::super::Loss;
    use super::*;

    /// Mean over outputs of −w t ln σ(z) − (1 − t) ln(1 − σ(z)), as documented for torch.nn.BCEWithLogitsLoss.
    fn by_definition(z: &[f64], t: &[f64], w: &[f64]) -> f64 {
        let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
        let each = z.iter().zip(t).zip(w);
        let sum: f64 = each.map(|((&z, t), w)| -w * t * sigmoid(z).ln() - (1.0 - t) * sigmoid(-z).ln()).sum();
        sum / z.len() as f64
    }

    fn narrow(wide: &[f64]) -> Vec<f32> {
        wide.iter().map(|&x| x as f32).collect()
    }

    #[test]
    fn a_weight_of_what_is_1_has_the_value_and_gradient_of_its_definition() {
        let (z, t) = ([0.5, -2.0, 3.25, -0.75], [1.0, 0.0, 0.25, 1.0]);
        for (spec, w) in [("bce:pos_weight=3", [3.0; 4]), ("bce:pos_weight=1:2:0.5:8", [1.0, 2.0, 0.5, 8.0])]
        {
            let loss: Loss = spec.parse().unwrap();
            assert_eq!(loss.to_string(), spec);
            let mut delta = [0.0; 4];
            let value = loss.row(&narrow(&z), Target::Row(&narrow(&t)), &mut delta);
            assert!((value - by_definition(&z, &t, &w)).abs() < 1e-12, "{spec}: {value}");
            for (index, &slope) in delta.iter().enumerate() {
                const STEP: f64 = 1e-5;
                let at = |by: f64| {
                    let mut z = z;
                    z[index] += by;
                    by_definition(&z, &t, &w)
                };
                let expected = (at(STEP) - at(-STEP)) / (2.0 * STEP);
                assert!((f64::from(slope) - expected).abs() < 1e-7, "{spec}: {slope}, not {expected}");
            }
        }
    }

    #[test]
    fn weights_of_1_change_nothing_and_no_logit_overflows() {
        for z in [-1e4_f32, -40.0, 0.0, 1e-9, 40.0, 1e4] {
            for t in [0.0, 1.0] {
                let (mut plain, mut weighted) = ([0.0], [0.0]);
                let loss = |weights: Vec<f64>| Bce { logits: true, pos_weight: weights };
                let values = [
                    Loss::from(loss(vec![])).row(&[z], Target::Row(&[t]), &mut plain),
                    Loss::from(loss(vec![1.0])).row(&[z], Target::Row(&[t]), &mut weighted),
                ];
                assert!((values[0] - values[1]).abs() <= 1e-12 * values[0].abs(), "{z} {t}: {values:?}");
                assert!((plain[0] - weighted[0]).abs() <= 1e-7 && values[1].is_finite(), "{z} {t}");
            }
        }
    }

    #[test]
    fn senseless_weights_are_usage_errors() {
        for spec in ["bce:pos_weight=-1", "bce:logits=false,pos_weight=2", "bce:pos_weight=x"] {
            assert_eq!(spec.parse::<Loss>().unwrap_err().exit_code(), 2, "{spec}");
        }
        let loss: Loss = "bce:pos_weight=1:2:3".parse().unwrap();
        assert!(loss.check_outputs(3).is_ok() && loss.check_outputs(2).is_err());
    }
}
