//! Learning rate up to which descent is stable, given the sharpness.

use crate::optim::Sgd;
use crate::record::DescentKind;

/// Returns the learning rate up to which `sgd` converges on a quadratic of curvature `sharpness`, with the kind of descent
/// that it belongs to; None if every rate or no rate is stable.
///
/// ```text
/// plain         η < 2 / h
/// heavy ball    η < 2 (1 + μ) / (s h)
/// Nesterov      η < 2 (1 + μ) / ((1 + μ + μ s) h)
/// ```
///
/// with h = sharpness + λ, λ the L2 penalty, and s = 1 − τ, τ the dampening: where an eigenvalue of the linear update of
/// weight and velocity reaches −1. Cohen et al. 2021 (arXiv 2103.00065), whose Nesterov momentum is PyTorch's too.
pub(crate) fn largest_stable_rate(sgd: &Sgd, sharpness: f64) -> Option<(DescentKind, f64)> {
    let Sgd { momentum, dampening, weight_decay, nesterov, .. } = *sgd;
    let (share, curvature) = (1.0 - dampening, sharpness + weight_decay);
    let (kind, factor) = match (momentum == 0.0, nesterov) {
        (true, _) => (DescentKind::Plain, 1.0),
        (false, false) => (DescentKind::HeavyBall, share),
        (false, true) => (DescentKind::Nesterov, 1.0 + momentum + momentum * share),
    };
    let rate = 2.0 * (1.0 + momentum) / (factor * curvature);
    (momentum < 1.0 && rate.is_finite() && rate > 0.0).then_some((kind, rate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::{Reference, Rule};

    /// Returns |w| after many updates on the quadratic of curvature 3 at `share` of the largest stable rate.
    fn descend(spec: &str, share: f64) -> f64 {
        let Rule::Sgd(mut sgd) = spec.parse::<Rule>().unwrap() else { panic!("{spec}") };
        sgd.lr = share * largest_stable_rate(&sgd, 3.0).unwrap().1;
        let mut weight = [1.0];
        let mut descent = Reference::new(sgd.into(), &weight);
        for _ in 0..3_000 {
            let slope = 3.0 * weight[0];
            descent.step(&[slope], &mut weight);
        }
        weight[0].abs()
    }

    #[test]
    fn a_quadratic_is_descended_just_below_the_largest_stable_rate_and_not_just_above() {
        for spec in [
            "sgd",
            "sgd:weight_decay=0.5",
            "sgd:momentum=0.9",
            "sgd:momentum=0.5,dampening=0.3,weight_decay=0.2",
            "sgd:momentum=0.9,nesterov=true",
            "sgd:momentum=0.6,nesterov=true,dampening=0.5",
            "sgd:momentum=0.9,classic=true",
        ] {
            let [below, above] = [0.98, 1.02].map(|share| descend(spec, share));
            assert!(below < 1e-6 && (above > 1e6 || above.is_nan()), "{spec}: {below:e}, {above:e}");
        }
    }

    #[test]
    fn momentum_of_one_and_flat_losses_have_no_largest_stable_rate() {
        let sgd = |momentum| Sgd { momentum, ..Sgd::default() };
        assert_eq!(largest_stable_rate(&sgd(1.0), 3.0), None);
        assert_eq!(largest_stable_rate(&sgd(0.0), -1.0), None);
        assert_eq!(largest_stable_rate(&sgd(0.0), 0.0), None);
        assert_eq!(largest_stable_rate(&sgd(0.9), 2.0), Some((DescentKind::HeavyBall, 1.9)));
    }
}
