//! Tests of solvers against torch.optim.LBFGS and SciPy, as recorded in golden/solvers.

use super::problems::{Problem, recorded};
use super::{Run, distance};
use serde::Deserialize;

#[derive(Deserialize)]
struct Trajectory {
    solver: String,
    problem: String,
    steps: Vec<Step>,
    loss: f64,
    /// Distance the original itself diverges when its initial weights are changed by 1e-15.
    gap_when_nudged: Vec<f64>,
}

#[derive(Deserialize)]
struct Step {
    loss_before: f64,
    evaluations: usize,
    weights: Vec<f64>,
}

const L_BFGS: [&str; 10] = [
    "classification",
    "classification-no-search",
    "regression",
    "regression-no-search",
    "regression-one",
    "rosenbrock-2",
    "rosenbrock-2-no-search",
    "rosenbrock-2-short",
    "rosenbrock-10",
    "rosenbrock-10-history-3",
];

/// Both sides compute in f64, so the remaining difference is the order of summation, which the iteration amplifies: at
/// most to a thousand times the effect of changing the last digit of the start.
#[test]
fn l_bfgs_goes_the_way_of_torch_step_by_step() {
    for name in L_BFGS {
        let Trajectory { solver, problem, steps, loss, gap_when_nudged } =
            recorded(&format!("l-bfgs-{name}.json"));
        let (problem, start) = Problem::named(&problem);
        let mut run = Run::new(&solver, &problem, &start);
        assert!(!steps.is_empty() && steps.len() == gap_when_nudged.len(), "{name}");
        for (index, (step, nudged)) in steps.iter().zip(gap_when_nudged).enumerate() {
            let before = run.value();
            assert!(
                (before - step.loss_before).abs() <= 1e-5 + 2e-3 * before,
                "{name}, step {index}: {before}"
            );
            run.update().unwrap();
            let gap = distance(run.weights(), &step.weights);
            let allowed = (1e3 * nudged).clamp(1e-11, 2e-3);
            assert!(gap <= allowed, "{name}, step {index}: {gap:e} apart, {allowed:e} allowed");
            assert_eq!(run.objective.evaluations, step.evaluations, "{name}, step {index}");
        }
        assert!((run.value() - loss).abs() <= 1e-5, "{name}: {} at last, not {loss}", run.value());
    }
}

#[derive(Deserialize)]
struct Descent {
    problem: String,
    evaluations: usize,
    x: Vec<f64>,
}

/// The line searches differ, so the paths do too, but all end at SciPy's minimum, with at most twice its work. The
/// exception is Fletcher and Reeves, known for slow progress in curved valleys (Nocedal and Wright, section 5.2).
#[test]
fn conjugate_gradients_end_where_scipy_ends() {
    for name in ["cg-quadratic", "cg-rosenbrock-2", "cg-rosenbrock-10"] {
        let Descent { problem, evaluations, x } = recorded(&format!("{name}.json"));
        let (problem, start) = Problem::named(&problem);
        for (beta, work) in [("fletcher-reeves", 10), ("polak-ribiere-plus", 2), ("hager-zhang", 2)] {
            let solver = format!("cg:beta={beta},max_iter=2000,tolerance_grad=1e-8,tolerance_change=0");
            let mut run = Run::new(&solver, &problem, &start);
            run.update().unwrap();
            let gap = distance(run.weights(), &x);
            assert!(gap <= 1e-6, "{name}, {beta}: {gap:e} from the minimum");
            let done = run.objective.evaluations;
            assert!(done <= work * evaluations, "{name}, {beta}: {done} evaluations, SciPy {evaluations}");
        }
    }
}

#[derive(Deserialize)]
struct LinearDescent {
    points: Vec<Vec<f64>>,
    minimum: Vec<f64>,
}

/// With line searches that leave almost no slope, every formula of β reduces to that of linear conjugate gradients.
#[test]
fn with_exact_line_searches_conjugate_gradients_solve_a_quadratic_in_as_many_steps_as_it_has_dimensions() {
    let LinearDescent { points, minimum } = recorded("linear-cg-quadratic.json");
    let (problem, start) = Problem::named("quadratic");
    for beta in ["fletcher-reeves", "polak-ribiere-plus", "hager-zhang"] {
        let solver =
            format!("cg:beta={beta},max_iter=1,c1=1e-12,c2=1e-9,tolerance_grad=0,tolerance_change=0");
        let mut run = Run::new(&solver, &problem, &start);
        assert!(points.len() >= minimum.len());
        for (step, point) in points.iter().take(minimum.len()).enumerate() {
            run.update().unwrap();
            let gap = distance(run.weights(), point);
            assert!(gap <= 1e-6, "{beta}: {gap:e} from SciPy's after step {}", step + 1);
        }
        let gap = distance(run.weights(), &minimum);
        assert!(gap <= 1e-6, "{beta}: {gap:e} from the minimum after {} steps", minimum.len());
    }
}

#[derive(Deserialize)]
struct Fit {
    problem: String,
    cost: f64,
    x: Vec<f64>,
}

#[test]
fn levenberg_marquardt_finds_scipys_least_squares() {
    for name in ["lm-exponential", "lm-rosenbrock"] {
        let Fit { problem, cost, x } = recorded(&format!("{name}.json"));
        let (problem, start) = Problem::named(&problem);
        let mut run = Run::new("levenberg-marquardt:max_iter=100", &problem, &start);
        run.update().unwrap();
        let gap = distance(run.weights(), &x);
        assert!(gap <= 1e-6, "{name}: {gap:e} from SciPy's parameters");
        let half_squares = problem.residuals(run.weights()).iter().map(|(r, _)| r * r / 2.0).sum::<f64>();
        assert!((half_squares - cost).abs() <= 1e-12, "{name}: cost {half_squares}, not {cost}");
    }
}
