//! Coefficients of earlier weights and gradients after consecutive linear updates, in f64.
//!
//! With update t as [W; V]ₜ = Aₜ [W; V]ₜ₋₁ + bₜ gₜ, the weights after t are, from a base before update 1, Φₜ [W; V]₀ +
//! Σᵢ≤ₜ (Aₜ ⋯ Aᵢ₊₁ bᵢ) gᵢ. All coefficients are computed by recurrence, since quotients of powers would overflow.

use crate::optim::{IDENTITY, Linear, Square};

/// Coefficients of a base and of the gradients since.
#[derive(Clone, Debug)]
struct Run {
    /// Φ, the coefficients of the base.
    base: Square,
    /// Coefficients of every update's gradient in (W, V).
    gradients: Vec<[f64; 2]>,
}

impl Default for Run {
    fn default() -> Self {
        Self { base: IDENTITY, gradients: vec![] }
    }
}

impl Run {
    fn clear(&mut self) {
        self.base = IDENTITY;
        self.gradients.clear();
    }

    fn step(&mut self, step: &Linear) {
        self.base = step.carry_square(self.base);
        self.gradients.iter_mut().for_each(|gradient| *gradient = step.carry(*gradient));
        self.gradients.push(step.b);
    }
}

/// Effect of some updates on the base before them; cached as long as the next ones are the same linear maps.
#[derive(Debug, Default)]
pub(super) struct Debt {
    made_for: Vec<Linear>,
    run: Run,
}

impl Debt {
    /// Returns K, and (c, e) of every update.
    pub(super) fn of(&mut self, steps: &[Linear]) -> (Square, &[[f64; 2]]) {
        if self.made_for != steps {
            self.run.clear();
            steps.iter().for_each(|step| self.run.step(step));
            self.made_for.clear();
            self.made_for.extend_from_slice(steps);
        }
        (self.run.base, &self.run.gradients)
    }
}

/// Coefficients of the weights before each update of a block, if the base is from before the previous block; cached as
/// long as the next updates are the same linear maps.
#[derive(Debug, Default)]
pub(super) struct Window {
    made_for: [Vec<Linear>; 2],
    run: Run,
    /// (α, β) of the base, for every update of the block.
    base: Vec<[f64; 2]>,
    /// c of every update since the base, for every update of the block: rows of different length.
    c: Vec<f64>,
}

impl Window {
    /// Computes the coefficients for other updates.
    pub(super) fn look_at(&mut self, before: &[Linear], within: &[Linear]) {
        if self.made_for[0] == before && self.made_for[1] == within {
            return;
        }
        self.run.clear();
        before.iter().for_each(|step| self.run.step(step));
        self.base.clear();
        self.c.clear();
        for step in within {
            self.base.push(self.run.base[0]);
            self.c.extend(self.run.gradients.iter().map(|gradient| gradient[0]));
            self.run.step(step);
        }
        for (to, from) in self.made_for.iter_mut().zip([before, within]) {
            to.clear();
            to.extend_from_slice(from);
        }
    }

    /// Returns (α, β) for update `update` of the block, and c of the updates before the block and within it.
    pub(super) fn row(&self, update: usize) -> ([f64; 2], &[f64], &[f64]) {
        let before = self.made_for[0].len();
        let start = update * before + update * update.saturating_sub(1) / 2;
        let (c, within) = self.c[start..start + before + update].split_at(before);
        (self.base[update], c, within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::Rule;

    /// Updates of a rule whose learning rate changes every time.
    fn steps(spec: &str, count: u64) -> Vec<Linear> {
        let rate = |t: u64| 0.05 + 0.03 * (t as f64).sin();
        let rule = |t: u64| format!("{spec},lr={}", rate(t)).parse::<Rule>().unwrap();
        (1..=count).map(|t| rule(t).linear(t).unwrap()).collect()
    }

    /// Returns one weight and its velocity after every update, by the plain loop.
    fn straight(steps: &[Linear], gradients: &[f64], mut pair: [f64; 2]) -> Vec<[f64; 2]> {
        let mut all = vec![pair];
        for (step, gradient) in steps.iter().zip(gradients) {
            pair = [0, 1].map(|i| step.a[i][0] * pair[0] + step.a[i][1] * pair[1] + step.b[i] * gradient);
            all.push(pair);
        }
        all
    }

    const SPECS: [&str; 6] = [
        "sgd:dampening=0",
        "sgd:weight_decay=0.3",
        "sgd:momentum=0.9",
        "sgd:momentum=0.9,weight_decay=0.1",
        "sgd:momentum=0.8,dampening=0.4,weight_decay=0.1",
        "sgd:momentum=0.9,nesterov=true,weight_decay=0.1",
    ];

    #[test]
    fn base_and_gradients_make_up_every_weight_of_a_window_at_varying_rates() {
        for spec in SPECS {
            for (before, within) in [(0, 1), (0, 7), (7, 7), (64, 64), (5, 1)] {
                let steps = steps(spec, (before + within) as u64);
                let gradients: Vec<f64> = (0..steps.len()).map(|i| (1.0 + i as f64).cos()).collect();
                let expected = straight(&steps, &gradients, [0.7, -0.2]);
                let mut window = Window::default();
                window.look_at(&steps[..before], &steps[before..]);
                for t in 0..within {
                    let ([alpha, beta], earlier, c) = window.row(t);
                    let moved: f64 = earlier.iter().chain(c).zip(&gradients).map(|(c, g)| c * g).sum();
                    let weight = alpha * 0.7 - beta * 0.2 + moved;
                    assert!((weight - expected[before + t][0]).abs() < 1e-13, "{spec}, update {t}");
                }
                let mut debt = Debt::default();
                let (keep, weigh) = debt.of(&steps);
                for i in 0..2 {
                    let moved: f64 = weigh.iter().zip(&gradients).map(|(w, g)| w[i] * g).sum();
                    let value = keep[i][0] * 0.7 - keep[i][1] * 0.2 + moved;
                    let velocity_is_kept = spec.contains("momentum");
                    assert!(
                        i == 1 && !velocity_is_kept || (value - expected[before + within][i]).abs() < 1e-13,
                        "{spec}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_linear_map_of_a_rule_is_its_update() {
        for spec in SPECS {
            let rule: Rule = format!("{spec},lr=0.1").parse().unwrap();
            let mut reference = crate::optim::Reference::new(rule.clone(), &[0.7]);
            let (mut weight, mut pair) = ([0.7], [0.7, 0.0]);
            for t in 1..=20 {
                let gradient = (t as f64).cos();
                reference.step(&[gradient], &mut weight);
                pair = straight(&[rule.linear(t).unwrap()], &[gradient], pair)[1];
                assert!((pair[0] - weight[0]).abs() < 1e-14, "{spec}, update {t}");
            }
        }
    }
}
