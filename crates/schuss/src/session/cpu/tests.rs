//! Promises that hold on every path.

use crate::Trial;
use crate::session::{Control, Limits, Session, Watch};
use std::cell::Cell;

fn limits(microbatch: usize) -> Limits {
    Limits { threads: 1, microbatch: Some(microbatch), ..Limits::default() }
}

/// Trains to the end and returns the hash of weights and state.
fn finish(mut session: Session) -> String {
    session.run().unwrap();
    session.digest()
}

/// Returns the state of a trial whose first update, of `samples` samples, was stopped after one microbatch.
fn stopped_within_its_first_update(mut session: Session, samples: usize) -> Vec<u8> {
    session.begin_epoch();
    session.progress.evaluation_is_due = false;
    session.train.begin(0);
    let (control, patience, mut state) = (Control::default(), Cell::new(1), vec![]);
    let watch = Watch::with_patience(&control, &patience);
    session.engine.advance(&mut session.train, 0..samples, watch, &mut session.seen).unwrap();
    assert!(session.seen.is_empty(), "it was not stopped");
    session.save(&mut state).unwrap();
    state
}

#[test]
fn a_begun_update_goes_on_in_any_session_of_its_trial_to_the_same_bits() {
    let data = schuss_data::load("digits:train=200,test=20,size=8").unwrap();
    for optimizer in ["sgd:lr=0.1,momentum=0.9", "adam:lr=0.01", "clip-global-norm:1+sgd:lr=0.1", "k-fac"] {
        let mut trial = Trial { model: "64-20-10".parse().unwrap(), ..Trial::default() };
        trial.recipe.optimizer = optimizer.parse().unwrap();
        trial.recipe.update = "batch:96".parse().unwrap();
        trial.budget.epochs = 2;
        let begin = |microbatch| Session::new(&trial, &data, limits(microbatch)).unwrap();
        let whole = finish(begin(96));
        for first in [1, 32, 64] {
            let state = stopped_within_its_first_update(begin(first), 96);
            for then in [1, 7, 32, 96] {
                let mut session = begin(then);
                session.load(&mut &state[..]).unwrap();
                assert_eq!(finish(session), whole, "{optimizer}, {first} samples at once, then {then}");
            }
        }
    }
}

#[test]
fn weights_and_slots_below_the_smallest_are_zero_on_every_path() {
    let data = schuss_data::load("digits:train=200,test=20,size=8").unwrap();
    for optimizer in ["sgd:lr=0.1", "sgd:lr=0.1,momentum=0.9", "adam:lr=1e-33", "rmsprop:lr=1e-31"] {
        for update in ["batch:50", "batch:1"] {
            let mut trial = Trial { model: "64-20-10".parse().unwrap(), ..Trial::default() };
            trial.recipe.optimizer = optimizer.parse().unwrap();
            trial.recipe.update = update.parse().unwrap();
            trial.recipe.init = "xavier-normal:gain=1e-29".parse().unwrap();
            trial.budget.max_updates = Some(12);
            let end = |microbatch| finish(Session::new(&trial, &data, limits(microbatch)).unwrap());
            let ends = [50, 7, 1].map(end); // in-backward; fused, in two sizes
            assert!(ends.iter().all(|end| *end == ends[0]), "{optimizer}, {update}: {ends:?}");
        }
    }
}

#[test]
fn averaged_weights_have_batch_statistics_of_their_own() {
    let data = schuss_data::load("digits:train=200,test=20,size=8").unwrap();
    for optimizer in ["sgd:lr=0.2+ema:0.9", "sgd:lr=0.2+swa:start=2", "schedule-free-sgd:lr=0.2"] {
        let mut trial =
            Trial { model: "linear:16,batch-norm,relu,linear:10".parse().unwrap(), ..Trial::default() };
        trial.recipe.optimizer = optimizer.parse().unwrap();
        trial.recipe.update = "epoch".parse().unwrap();
        trial.budget.epochs = 8;
        let mut session = Session::new(&trial, &data, limits(200)).unwrap();
        session.run().unwrap();
        let whole = session.params().values().to_vec();
        let samples = data.train.resident().unwrap();
        let entries = session.params().layout().entries();
        let [weight, bias] = [0, 1].map(|entry| &whole[entries[entry].range()]);
        let running = session.params().layout().measured().next().unwrap();
        for unit in 0..16 {
            let output = |sample| -> f64 {
                let x = samples.pixels(sample).iter().enumerate();
                let product = |(i, &x): (usize, &u8)| f64::from(x) / 255.0 * f64::from(weight[16 * i + unit]);
                f64::from(bias[unit]) + x.map(product).sum::<f64>()
            };
            let mean = (0..200).map(output).sum::<f64>() / 200.0;
            assert!((f64::from(whole[running.start + unit]) - mean).abs() < 1e-4, "{optimizer}, {unit}");
        }
    }
}

#[test]
fn statistics_of_averaged_weights_have_the_same_bits_for_any_microbatch() {
    let data = schuss_data::load("digits:train=200,test=20,size=8").unwrap();
    let mut trial =
        Trial { model: "linear:16,batch-norm,relu,linear:10".parse().unwrap(), ..Trial::default() };
    trial.recipe.optimizer = "sgd:lr=0.2+ema:0.9".parse().unwrap();
    trial.recipe.update = "batch:60".parse().unwrap();
    trial.recipe.stats = Some(20);
    trial.budget.epochs = 3;
    let shown = |microbatch| {
        let mut session = Session::new(&trial, &data, limits(microbatch)).unwrap();
        session.run().unwrap();
        session.params().values().to_vec()
    };
    assert!(shown(20) == shown(60) && shown(1) == shown(60));
}
