use super::line_search::{ARMIJO, LineSearch, MOST_EVALUATIONS, StrongWolfe};
use super::objective::{Attempt, Objective};
use super::state::Walk;
use super::vectors::{combine, largest};
use crate::optim::arithmetic::Arithmetic;
use crate::spec::{Choice, non_negative};
use crate::{Error, Result};
use documented::{Documented, DocumentedFields};
use schuss_kernels::Lane;
use schuss_kernels::reduce::Reduction;
use serde::{Deserialize, Serialize};

/// Nonlinear conjugate gradients: each direction is chosen so that it does not undo the progress along the last.
///
/// ```text
/// d ← −g + β d⁻        w ← w + t d        y = g − g⁻
/// fletcher-reeves:     β = gᵀg / g⁻ᵀg⁻
/// polak-ribiere-plus:  β = max(0, gᵀy / g⁻ᵀg⁻)
/// hager-zhang:         β = max((y − 2 d⁻ yᵀy / d⁻ᵀy)ᵀg / d⁻ᵀy, −1 / (‖d⁻‖ min(0.01, ‖g⁻‖)))
/// ```
///
/// t satisfies the strong Wolfe conditions; its search starts at the step that promises the same decrease of the loss
/// as the last step did. If d does not point downhill, and every `restart` iterations, it is reset to −g. An update is
/// up to `max_iter` iterations. The direction carries over from update to update, unless the first loss of an update
/// differs from the last loss of the previous one by more than a relative 10⁻⁴: the samples have then changed, and
/// there is no progress for d to preserve.
///
/// Fletcher and Reeves, Computer J. 7, 1964; Polak and Ribière, 1969; Hager and Zhang, SIAM J. Optim. 16, 2005; Nocedal
/// and Wright, "Numerical Optimization", 2nd ed. 2006, section 5.2, for β⁺, the line search and its first step.
/// Differs: SciPy's c₂ is 0.4; Hager and Zhang's own code has their line search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, Documented, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Cg {
    /// Formula of β: `fletcher-reeves`, `polak-ribiere-plus` or `hager-zhang`.
    pub beta: Beta,
    /// Maximum iterations per update.
    pub max_iter: usize,
    /// Iterations after which the direction is reset to −g; 0 means the number of weights.
    pub restart: u64,
    /// c₁: required decrease of the loss, as a fraction of the decrease its slope predicts.
    pub c1: f64,
    /// c₂: largest slope accepted after a step, as a fraction of the slope before it.
    pub c2: f64,
    /// An update ends when no gradient element is larger than this.
    pub tolerance_grad: f64,
    /// An update ends when neither the loss nor any weight changes by more than this.
    pub tolerance_change: f64,
}

/// Formula for β, the share of the last direction in the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Beta {
    /// Fletcher and Reeves.
    FletcherReeves,
    /// Polak and Ribière, clamped to be non-negative.
    PolakRibierePlus,
    /// Hager and Zhang.
    HagerZhang,
}

impl Default for Cg {
    fn default() -> Self {
        Self {
            beta: Beta::PolakRibierePlus,
            max_iter: 20,
            restart: 0,
            c1: ARMIJO,
            c2: 0.1,
            tolerance_grad: 1e-7,
            tolerance_change: 1e-9,
        }
    }
}

impl Choice for Cg {
    const NAME: &'static str = "cg";

    fn check(&self) -> Result<()> {
        non_negative(&[
            ("tolerance_grad", self.tolerance_grad),
            ("tolerance_change", self.tolerance_change),
        ])?;
        if self.max_iter == 0 {
            return Err(Error::usage("max_iter must be at least 1"));
        }
        if 0.0 < self.c1 && self.c1 < self.c2 && self.c2 < 1.0 {
            return Ok(());
        }
        Err(Error::usage(format!("c1 and c2 must be 0 < c1 < c2 < 1, not {} and {}", self.c1, self.c2)))
    }
}

impl Cg {
    /// Does up to `max_iter` iterations on `parameters` weights.
    pub(super) fn update<A: Arithmetic, O: Objective<A>>(
        &self,
        mut walk: Walk<A, O>,
        parameters: usize,
    ) -> Attempt<()> {
        walk.look()?;
        if is_another(walk.state.value, walk.room.points.here.value) {
            walk.state.iterations = 0;
        }
        for _ in 0..self.max_iter {
            let value = walk.room.points.here.value;
            if !value.is_finite() || largest(walk.room.gradient()) <= self.tolerance_grad {
                break;
            }
            let first = self.turn(&mut walk, parameters);
            walk.go(LineSearch::StrongWolfe, self.line_search(), first)?;
            walk.state.iterations += 1;
            let moved = walk.state.step * largest(&walk.state.direction);
            let fell = value - walk.room.points.here.value;
            if moved <= self.tolerance_change && fell <= self.tolerance_change {
                if walk.state.iterations == 1 {
                    break; // no progress even along −g
                }
                walk.state.iterations = 0;
            }
        }
        walk.state.value = walk.room.points.here.value;
        Ok(())
    }

    fn line_search(&self) -> StrongWolfe {
        StrongWolfe { c1: self.c1, c2: self.c2, tolerance: 0.0, evaluations: MOST_EVALUATIONS }
    }

    /// Sets the next direction. Returns the first step to try along it.
    fn turn<A: Arithmetic, O: Objective<A>>(&self, walk: &mut Walk<A, O>, parameters: usize) -> f64 {
        let last = walk.state.step * walk.state.slope;
        let most = if self.restart == 0 { parameters as u64 } else { self.restart };
        if walk.state.iterations.is_multiple_of(most) {
            walk.state.iterations = 0;
        }
        if walk.state.iterations == 0 {
            walk.steepest();
        } else {
            self.bend(walk);
        }
        if walk.set_out() >= 0.0 {
            walk.state.iterations = 0;
            walk.steepest();
            walk.set_out();
        }
        let as_much_as_last_time = last / walk.state.slope;
        if as_much_as_last_time.is_normal() { as_much_as_last_time } else { walk.cautious() }
    }

    /// d ← −g + β d
    fn bend<A: Arithmetic, O: Objective<A>>(&self, walk: &mut Walk<A, O>) {
        let (state, gradient) = (&mut *walk.state, &walk.room.points.here.gradient);
        let arithmetic = walk.objective.arithmetic();
        let products = Products::of(arithmetic, gradient, &state.gradient, &state.direction);
        combine(arithmetic, &mut state.direction, -1.0, gradient, self.beta.of(products));
    }
}

/// Returns true if two losses at the same weights differ by more than the order of summation explains.
fn is_another(left: f64, found: f64) -> bool {
    (found - left).abs() > 1e-4 * left.abs()
}

impl Beta {
    /// Returns β from the dot products of gradients and directions.
    fn of(self, products: Products) -> f64 {
        let Products { gg, gy, old_gg, yy, dg, dy, dd } = products;
        let beta = match self {
            Self::FletcherReeves => gg / old_gg,
            Self::PolakRibierePlus => (gy / old_gg).max(0.0),
            Self::HagerZhang => {
                const ETA: f64 = 0.01;
                let least = -1.0 / (dd.sqrt() * old_gg.sqrt().min(ETA));
                ((gy - 2.0 * dg * yy / dy) / dy).max(least)
            }
        };
        if beta.is_finite() { beta } else { 0.0 }
    }
}

/// Dot products of the gradient g, the one before g⁻, their difference y, and the direction before d⁻.
struct Products {
    gg: f64,
    gy: f64,
    /// g⁻ᵀg⁻
    old_gg: f64,
    yy: f64,
    /// d⁻ᵀg
    dg: f64,
    /// d⁻ᵀy
    dy: f64,
    /// d⁻ᵀd⁻
    dd: f64,
}

impl Products {
    fn of<A: Arithmetic>(arithmetic: &mut A, g: &[A::T], old: &[A::T], d: &[A::T]) -> Self {
        let [gg, gy, old_gg, yy, dg, dy, dd] = arithmetic.reduce(&Terms, g, old, [d]);
        Self { gg, gy, old_gg, yy, dg, dy, dd }
    }
}

/// Terms of [`Products`], in the order of its fields.
struct Terms;

impl Reduction<1, 7> for Terms {
    #[inline(always)]
    fn terms<L: Lane>(&self, g: L, old: L, [d]: [L; 1]) -> [L; 7] {
        let y = g - old;
        [g * g, g * y, old * old, y * y, d * g, d * y, d * d]
    }
}
