//! The step loop never allocates, whatever the update rule, the optimizer and the number of threads.
//!
//! `allocation_counter` counts only the allocations of this thread. That suffices: any free thread takes the next part
//! of a job, so in hundreds of updates this thread executes every kind of part.

mod common;

use allocation_counter::measure;
use common::{ONE_THREAD, trial};
use schuss::data::Dataset;
use schuss::optim::Rule;
use schuss::session::{Limits, Session};

/// Update rules and their numbers of updates in three epochs of 9,000 samples: one leaf of a gradient or three, one
/// microbatch or several, and a single sample.
const RULES: [(&str, u64); 6] = [
    ("epoch", 3),
    ("batch:4500", 6),
    ("batch:1000", 27),
    ("batch:100", 270),
    ("batch:10", 2_700),
    ("sample", 27_000),
];

const OPTIMIZERS: [&str; 4] = [
    "sgd:lr=0.1",
    "sgd:lr=0.01,momentum=0.9",
    "sgd:lr=0.01,momentum=0.9,nesterov=true,weight_decay=0.001",
    "adam",
];

/// Transforms and wrappers around a rule, and parameter groups.
const CHAINS: [&str; 8] = [
    "clip-value:1+clip-global-norm:1+clip-adaptive:0.1+adamw",
    "centralize+weight-decay:0.001+decay:0.001+noise:1e-6+skip-non-finite+sgd",
    "adam+ema:0.9",
    "sgd+swa:start=5",
    "adam+lookahead:3",
    "adamw+cautious",
    "sam+sgd:momentum=0.9",
    "bias@sgd/2@freeze/muon",
];

/// Allocations of a run of three epochs, and its number of updates. Report points allocate (a row), equally often under
/// every update rule; allocations in steps would add to that and grow with the number of updates.
fn allocations(data: &Dataset, update: &str, optimizer: &str, limits: Limits) -> (u64, u64) {
    let trial = trial("64-33-17-10", update, optimizer, 3);
    let mut session = Session::new(&trial, data, limits).unwrap();
    let mut updates = 0;
    let info = measure(|| updates = session.run().unwrap().updates);
    (info.count_total, updates)
}

#[test]
fn no_step_allocates() {
    let data = schuss::data::load("digits:train=9000,test=100,size=8").unwrap();
    for threads in [1, 2] {
        for optimizer in OPTIMIZERS {
            let counted = RULES.map(|(rule, updates)| {
                allocations(&data, rule, optimizer, ONE_THREAD); // grows this thread's panel of the kernels
                let (count, done) = allocations(&data, rule, optimizer, Limits { threads, ..ONE_THREAD });
                assert_eq!(done, updates, "{optimizer}, {rule}");
                count
            });
            let equal = counted.iter().all(|count| *count == counted[0]);
            assert!(equal, "{optimizer}, {threads} threads: allocations {counted:?} under {RULES:?}");
        }
    }
}

/// Few updates against many: the whole epoch in several microbatches, and batches of one microbatch each.
#[test]
fn no_step_of_any_rule_or_chain_allocates() {
    let data = schuss::data::load("digits:train=600,test=100,size=8").unwrap();
    let limits = Limits { microbatch: Some(100), ..ONE_THREAD };
    for name in Rule::NAMES.iter().chain(&CHAINS) {
        let optimizer = if *name == "shampoo" { "shampoo:lr=0.001" } else { name }; // its default rate diverges here
        allocations(&data, "epoch", optimizer, limits); // grows this thread's panel of the kernels
        let [few, many] = ["epoch", "batch:50"].map(|update| allocations(&data, update, optimizer, limits));
        assert_eq!([few.1, many.1], [3, 36], "{optimizer} does not finish");
        assert_eq!(few.0, many.0, "{optimizer}: allocations of 3 and of 36 updates");
    }
}
