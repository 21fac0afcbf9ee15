//! Solvers in a session: line searches, conjugate gradients, L-BFGS, Levenberg-Marquardt.

mod common;

use common::{ONE_THREAD, bits, initial_params, random_data, rows_without_times, run, trial};
use schuss::data::Dataset;
use schuss::loss::Targets;
use schuss::recipe::Trial;
use schuss::record::Status;
use schuss::session::{Control, Limits, Outcome, Session};
use std::time::Duration;

const SOLVERS: [&str; 7] = [
    "gradient-descent",
    "gradient-descent:line_search=strong-wolfe",
    "cg:beta=fletcher-reeves,max_iter=5",
    "cg:beta=polak-ribiere-plus,max_iter=5",
    "cg:beta=hager-zhang,max_iter=5",
    "l-bfgs:line_search=strong-wolfe,max_iter=5,history_size=6",
    "levenberg-marquardt",
];

fn data() -> Dataset {
    random_data(6, 3, 90, 20, 3)
}

/// Trial with a solver; Levenberg-Marquardt gets squared errors.
fn with(solver: &str, model: &str, update: &str, epochs: u32) -> Trial {
    let mut trial = trial(model, update, solver, epochs);
    if solver.starts_with("levenberg") {
        trial.recipe.loss = "mse".parse().unwrap();
    }
    trial
}

fn train_losses(outcome: &Outcome) -> Vec<f64> {
    outcome.epochs.iter().filter_map(|row| row.train_loss).collect()
}

fn evaluations(outcome: &Outcome) -> f64 {
    outcome.epochs.last().unwrap().metrics["evaluations"].unwrap()
}

#[test]
fn every_solver_gets_down_under_the_epoch_and_the_batch_rule() {
    let data = data();
    for solver in SOLVERS {
        for update in ["epoch", "batch:30"] {
            let trial = with(solver, "6-8-3", update, 15);
            let (outcome, params) = run(&trial, &data, ONE_THREAD);
            let losses = train_losses(&outcome);
            let (first, last) = (losses[0], losses[14]);
            assert_eq!(outcome.status, Status::Finished, "{solver}, {update}");
            // Labels are random, so fitting one batch hardly helps the others.
            let share = if update == "epoch" { 0.97 } else { 1.0 };
            assert!(last < share * first, "{solver}, {update}: from {first} to {last}");
            assert!(evaluations(&outcome) >= outcome.updates as f64, "{solver}, {update}");
            let real: usize = params.layout().entries().iter().map(|entry| entry.len()).sum();
            let counted = params.values().iter().filter(|&&weight| weight != 0.0).count();
            assert!(counted <= real, "{solver}, {update}: pad lanes are no longer zero");
        }
    }
}

#[test]
fn under_the_epoch_rule_every_searching_solver_lowers_the_loss_of_every_update() {
    let data = data();
    for solver in SOLVERS {
        let (outcome, _) = run(&with(solver, "6-8-3", "epoch", 10), &data, ONE_THREAD);
        let losses = train_losses(&outcome);
        assert!(losses.windows(2).all(|pair| pair[1] < pair[0] + 1e-6), "{solver}: {losses:?}");
    }
}

#[test]
fn threads_and_microbatches_change_no_bit() {
    let data = schuss::data::load("digits:train=300,test=50,size=8").unwrap();
    let limits = [
        Limits { threads: 2, ..ONE_THREAD },
        Limits { threads: 3, microbatch: Some(7), ..ONE_THREAD },
        Limits { microbatch: Some(1), ..ONE_THREAD },
        Limits { microbatch: Some(100), ..ONE_THREAD },
    ];
    let models = ["64-33-10", "linear:20,tanh,dropout:0.2,linear:10", "linear:12,batch-norm,relu,linear:10"];
    for solver in &SOLVERS[..6] {
        for (model, update) in models.into_iter().zip(["epoch", "batch:128", "batch:128"]) {
            let trial = with(solver, model, update, 2);
            assert_same_bits(&trial, &data, &limits);
        }
    }
    assert_same_bits(&with(SOLVERS[6], "linear:4,tanh,linear:10", "batch:150", 2), &data, &limits);
}

fn assert_same_bits(trial: &Trial, data: &Dataset, limits: &[Limits]) {
    let (expected, weights) = run(trial, data, ONE_THREAD);
    for &limits in limits {
        let (found, params) = run(trial, data, limits);
        let case = format!("{} {limits:?}", trial.canonical());
        assert_eq!(rows_without_times(&found), rows_without_times(&expected), "{case}");
        assert!(bits(&params) == bits(&weights), "weights differ: {case}");
    }
}

/// Gradient descent may try three rates, and its evaluations cost less; at equal numbers of evaluations it is behind.
#[test]
fn quasi_newton_and_conjugate_gradients_are_below_gradient_descent_after_as_many_evaluations() {
    let data = schuss::data::load("digits:train=300,test=50,size=8").unwrap();
    for solver in ["l-bfgs:line_search=strong-wolfe", "cg:beta=polak-ribiere-plus", "cg:beta=hager-zhang"] {
        let (outcome, _) = run(&trial("64-20-10", "epoch", solver, 4), &data, ONE_THREAD);
        let (reached, spent) = (outcome.evaluation.clone().unwrap(), evaluations(&outcome) as u32);
        let reached = train_losses(&outcome)[3].min(reached.loss);
        for rate in [0.1, 0.3, 1.0] {
            let descent = trial("64-20-10", "epoch", &format!("sgd:lr={rate}"), spent);
            let (descended, _) = run(&descent, &data, ONE_THREAD);
            let left = train_losses(&descended)[spent as usize - 1];
            assert!(reached < left, "{solver}: {reached} after {spent}, sgd:lr={rate}: {left}");
        }
    }
}

#[test]
fn levenberg_and_marquardt_fit_a_small_regression_faster_than_gradient_descent() {
    let data = random_data(6, 3, 60, 20, 3);
    for targets in [Targets::Class, Targets::Input] {
        let model =
            if targets == Targets::Class { "linear:8,tanh,linear:3" } else { "linear:4,tanh,linear:6" };
        let fit = |solver: &str, epochs| {
            let mut trial = with(solver, model, "epoch", epochs);
            trial.recipe.loss = "mse".parse().unwrap();
            trial.targets = targets;
            *train_losses(&run(&trial, &data, ONE_THREAD).0).last().unwrap()
        };
        let (damped, descent) = (fit("levenberg-marquardt", 15), fit("gradient-descent", 150));
        assert!(damped < descent, "{targets:?}: {damped} after 15 updates, {descent} after 150");
    }
}

#[test]
fn levenberg_and_marquardt_refuse_what_they_are_not_for() {
    let data = data();
    let solver = "levenberg-marquardt";
    let mut entropy = with(solver, "6-8-3", "epoch", 1);
    entropy.recipe.loss = Default::default();
    for (trial, part) in [
        (with(solver, "6-300-3", "epoch", 1), "takes at most 2048 weights"),
        (with(solver, "linear:8,batch-norm,linear:3", "epoch", 1), "batch statistics"),
        (entropy, "needs squared errors"),
    ] {
        let error = Session::new(&trial, &data, ONE_THREAD).err().unwrap();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains(part), "{error}");
    }
}

#[test]
fn solvers_stand_alone() {
    for text in ["bias@sgd/l-bfgs", "clip-value:1+cg", "weights@l-bfgs", "l-bfgs+ema:0.9"] {
        let error = text.parse::<schuss::optim::Method>().unwrap_err().to_string();
        assert!(error.contains("the only item"), "{text}: {error}");
    }
    let trial = trial("6-8-3", "epoch", "l-bfgs", 1);
    assert_eq!(Session::new(&trial, &data(), ONE_THREAD).unwrap().strategy(), "solver");
}

#[test]
fn a_diverging_solver_keeps_weights_that_are_finite() {
    for update in ["epoch", "batch:30"] {
        let (data, trial) = (data(), trial("6-8-3", update, "l-bfgs:lr=1e30", 10));
        let (outcome, params) = run(&trial, &data, ONE_THREAD);
        assert_eq!((outcome.status, outcome.updates), (Status::Diverged, 0), "{update}: {outcome:?}");
        assert_eq!(bits(&params), bits(&initial_params(&trial, &data)), "{update}");
    }
}

/// An interrupted line search over 100,000 samples is abandoned midway and leaves no trace of the update.
#[test]
fn an_interrupted_solver_leaves_whole_updates_only() {
    let data = random_data(64, 10, 100_000, 10, 1);
    let trial = trial("64-100-10", "epoch", "l-bfgs:line_search=strong-wolfe", 1_000);
    let control = Control::default();
    let mut session = Session::new(&trial, &data, ONE_THREAD).unwrap();
    let outcome = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(400));
            control.interrupt();
        });
        session.run_with(&control, &mut ()).unwrap()
    });
    assert_eq!(outcome.status, Status::Interrupted);
    assert_eq!(outcome.samples, outcome.updates * 100_000);
    if outcome.updates == 0 {
        assert_eq!(bits(session.params()), bits(&initial_params(&trial, &data)));
    }
}
