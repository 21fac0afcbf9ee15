//! Guarantees of every solver.

use super::problems::Problem;
use super::{Run, distance};
use crate::network::Layout;
use crate::optim::arithmetic::ScalarF64;
use crate::optim::solver::{Solver, Solving};
use crate::schedule::Schedule;

const ALL: [&str; 8] = [
    "gradient-descent",
    "gradient-descent:line_search=strong-wolfe",
    "cg:beta=fletcher-reeves,max_iter=5",
    "cg:beta=polak-ribiere-plus,max_iter=5",
    "cg:beta=hager-zhang,max_iter=5",
    "l-bfgs:line_search=strong-wolfe,max_iter=5,history_size=3",
    "l-bfgs:lr=0.1,max_iter=5",
    "levenberg-marquardt:max_iter=2",
];

#[test]
fn specs_survive_a_round_trip_and_leave_defaults_out() {
    for (text, canonical) in [
        ("gradient-descent", "gradient-descent:lr=1"),
        ("gradient_descent:line_search=strong_wolfe", "gradient-descent:line_search=strong-wolfe,lr=1"),
        ("CG", "cg:beta=polak-ribiere-plus"),
        ("cg:beta=hager-zhang,restart=10", "cg:beta=hager-zhang,restart=10"),
        (
            "l-bfgs:line_search=strong-wolfe,history-size=10",
            "l-bfgs:history_size=10,line_search=strong-wolfe,lr=1",
        ),
        ("levenberg-marquardt:damping=1e-2", "levenberg-marquardt:damping=0.01"),
    ] {
        let solver: Solver = text.parse().unwrap();
        let sorted = |text: &str| {
            let (name, keys) = text.split_once(':').unwrap();
            let mut keys: Vec<&str> = keys.split(',').collect();
            keys.sort_unstable();
            format!("{name}:{}", keys.join(","))
        };
        assert_eq!(sorted(&solver.to_string()), sorted(canonical));
        assert_eq!(canonical.parse::<Solver>().unwrap(), solver);
    }
}

#[test]
fn nonsense_is_refused_with_the_key_named() {
    for (text, part) in [
        ("gradient-descent:line_search=none", "line_search must be"),
        ("gradient-descent:lr=0", "lr must be"),
        ("cg:beta=fletcher", "beta cannot be `fletcher`"),
        ("cg:c2=1e-5", "c1 and c2"),
        ("cg:max_iter=0", "max_iter"),
        ("l-bfgs:line_search=backtracking", "line_search must be"),
        ("l-bfgs:history_size=0", "history_size"),
        ("l-bfgs:max_iter=1.5", "a whole number"),
        ("l-bgfs", "did you mean `l-bfgs`?"),
        ("levenberg-marquardt:up=0.5", "up must be"),
    ] {
        let error = text.parse::<Solver>().unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
}

#[test]
fn every_solver_lowers_rosenbrocks_valley_update_by_update() {
    let (problem, start) = Problem::named("rosenbrock-2");
    for solver in ALL.iter().filter(|solver| !solver.contains("lr=0.1")) {
        let mut run = Run::new(solver, &problem, &start);
        let mut before = run.value();
        for update in 1..=10 {
            run.update().unwrap();
            let value = run.value();
            assert!(value < before || value < 1e-9, "{solver}: update {update} from {before} to {value}");
            before = value;
        }
        assert!(before < 5.0, "{solver}: {before}");
    }
}

/// A solver that was cancelled at any evaluation continues as if it had not been.
#[test]
fn a_cancelled_update_leaves_no_trace() {
    let (problem, start) = Problem::named("rosenbrock-2");
    for solver in ALL {
        let mut whole = Run::new(solver, &problem, &start);
        whole.updates(4);
        for most in 0..12 {
            let mut run = Run::new(solver, &problem, &start);
            run.updates(2);
            (run.objective.evaluations, run.objective.most) = (0, most);
            let done = usize::from(run.update().is_ok());
            run.objective.most = usize::MAX;
            run.updates(2 - done);
            assert_eq!(run.weights(), whole.weights(), "{solver}, cancelled after {most} evaluations");
        }
    }
}

#[test]
fn a_copy_goes_the_same_way_as_its_original() {
    let (problem, start) = Problem::named("rosenbrock-2");
    for solver in ALL {
        let mut run = Run::new(solver, &problem, &start);
        run.updates(2);
        let (copy, weights) = (run.solving.clone(), run.weights.clone());
        let expected = run.updates(2).to_vec();
        (run.solving, run.weights) = (copy, weights);
        assert_eq!(run.updates(2), expected, "{solver}");
    }
}

#[test]
fn conjugate_gradients_begin_anew_on_other_samples_and_only_there() {
    let (valley, other) = (Problem::Rosenbrock(2), Problem::Barrier(2));
    let mut run = Run::new("cg:max_iter=1", &valley, &[0.5, 0.5]);
    let is_steepest = |run: &Run| {
        let (direction, gradient) = (&run.solving.state.direction, &run.solving.state.gradient);
        direction.iter().zip(gradient).all(|(d, g)| *d == -*g)
    };
    run.updates(2);
    assert!(!is_steepest(&run));
    run.objective.problem = &other;
    run.updates(1);
    assert!(is_steepest(&run));
}

#[test]
fn at_a_minimum_every_solver_stays() {
    let (problem, _) = Problem::named("rosenbrock-2");
    for solver in ALL {
        let mut run = Run::new(solver, &problem, &[1.0, 1.0]);
        assert_eq!(run.updates(3), [1.0, 1.0], "{solver}");
    }
}

#[test]
fn a_line_search_comes_back_from_where_the_loss_is_no_number() {
    let problem = Problem::Barrier(2);
    for solver in ALL.iter().filter(|solver| !solver.contains("lr=0.1") && !solver.starts_with("levenberg")) {
        let mut run = Run::new(solver, &problem, &[2.0, 3.0]);
        let gap = distance(run.updates(10), &[1.0, 1.0]);
        assert!(gap < 0.01, "{solver}: {gap:e} from the minimum");
    }
}

#[test]
fn a_schedule_drives_the_first_step_tried() {
    let (problem, start) = Problem::named("rosenbrock-2");
    let step = |solver: &str, schedule: &str| {
        let mut run = Run::new(solver, &problem, &start);
        let (schedule, layout): (Schedule, _) = (schedule.parse().unwrap(), Layout::of_vector(2));
        run.solving = Solving::new::<ScalarF64>(&solver.parse().unwrap(), &schedule, &layout);
        run.updates(1).to_vec()
    };
    let solver = "l-bfgs:lr=1,max_iter=1";
    let [whole, half] =
        ["constant", "constant:factor=0.5,total_iters=10"].map(|schedule| step(solver, schedule));
    let moved = |weights: &[f64]| distance(weights, &start);
    assert!((moved(&half) - moved(&whole) / 2.0).abs() < 1e-12, "{whole:?}, {half:?}");
}
