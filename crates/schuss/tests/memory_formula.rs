//! The memory that a session reports, which also decides beforehand if a trial fits, is what it allocates.
//!
//! `allocation_counter` counts the allocations of this thread, which creates all buffers.

mod common;

use allocation_counter::measure;
use common::{ONE_THREAD, trial};
use schuss::session::Session;

/// Optimizer, update rule and expected strategy.
const TRIALS: [(&str, &str, &str); 17] = [
    ("sgd:lr=0.1", "batch:100", "in-backward"),
    ("adam", "batch:100", "in-backward"),
    ("rmsprop", "batch:100", "fused"),
    ("adam", "epoch", "fused"),
    ("sgd:lr=0.01", "sample", "blocked-sample"),
    ("sgd:lr=0.01,momentum=0.9", "sample", "blocked-sample"),
    ("sgd:lr=0.01", "batch:10", "blocked-sample"),
    ("adam:lr=0.0001", "sample", "in-backward"),
    ("sam+sgd", "batch:100", "staged"),
    ("clip-global-norm:1+adamw+ema:0.9", "batch:100", "staged"),
    ("schedule-free-adamw", "batch:100", "fused"),
    ("k-fac", "batch:100", "staged"),
    ("shampoo:lr=0.001", "batch:500", "staged"),
    ("adafactor", "batch:100", "staged"),
    ("bias@sgd/hidden@muon/adamw", "batch:100", "staged"),
    ("cg", "epoch", "solver"),
    ("l-bfgs:max_iter=4,history_size=3", "epoch", "solver"),
];

/// Bytes that no formula counts: losses, rows of records, indices of samples, panels of the kernels.
const UNCOUNTED: f64 = 700e3;

#[test]
fn a_session_allocates_the_memory_it_reports() {
    let data = schuss::data::load("digits:train=5000,test=500").unwrap();
    for (optimizer, update, strategy) in TRIALS {
        let mut trial = trial("784-200-60-10", update, optimizer, 6);
        trial.budget.max_updates = Some(6);
        let (mut reported, mut found) = (0, "");
        let session = || {
            let mut session = Session::new(&trial, &data, ONE_THREAD).unwrap();
            found = session.strategy();
            let memory = session.memory();
            reported = memory.total() - memory.data;
            session.run().unwrap();
        };
        let info = std::thread::scope(|scope| scope.spawn(|| measure(session)).join()).unwrap();
        let (reported, held) = (reported as f64, info.bytes_max as f64);
        println!("{optimizer}, {update}: {held} bytes at most, {reported} reported");
        assert_eq!(found, strategy, "{optimizer}, {update}");
        let fits = held >= reported && held <= reported + UNCOUNTED;
        assert!(fits, "{optimizer}, {update}: {reported} bytes reported, {held} held");
    }
}

#[test]
fn a_session_with_instruments_holds_no_more_than_it_reports() {
    let data = schuss::data::load("digits:train=2000,test=100").unwrap();
    let mut trial = trial("784-200-60-10", "batch:100", "sgd:lr=0.1", 1);
    let plain = Session::new(&trial, &data, ONE_THREAD).unwrap().memory();
    trial.instruments = schuss::instrument::Instrument::all();
    let mut reported = 0;
    let session = || {
        let mut session = Session::new(&trial, &data, ONE_THREAD).unwrap();
        assert_eq!(session.memory().instruments + plain.total(), session.memory().total());
        reported = session.memory().total() - session.memory().data;
        session.run().unwrap();
    };
    let info = std::thread::scope(|scope| scope.spawn(|| measure(session)).join()).unwrap();
    let samples = 1_024.0 * 784.0; // that instruments look at
    let held = info.bytes_max as f64;
    assert!(held <= reported as f64 + samples + UNCOUNTED, "{reported} bytes reported, {held} held");
}
