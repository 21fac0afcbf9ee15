//! A network whose weights decay to zero stays fast: processors are many times slower on denormal numbers (below
//! `f32::MIN_POSITIVE`), so none may remain among the weights.

mod common;

use common::{ONE_THREAD, run, trial};
use schuss::recipe::Trial;

/// Recipes whose weights shrink by some percent per update: monotonically, as a damped oscillation, and with the scale
/// of the gradient removed.
const DYING: [&str; 4] = [
    "sgd:lr=0.1,weight_decay=0.5",
    "sgd:lr=0.1,momentum=0.9,weight_decay=0.5",
    "sgd:lr=0.1,momentum=0.9,nesterov=true,weight_decay=0.5",
    "adam:lr=0.01,weight_decay=0.5",
];

/// Epochs of 20 samples that make 6,000 updates.
const RULES: [(&str, u32); 3] = [("sample", 300), ("batch:5", 1_500), ("epoch", 6_000)];

/// Number of denormal weights in the trained network, and one of them.
fn denormals(trial: &Trial) -> (usize, Option<f32>) {
    let data = schuss::data::load("digits:train=20,test=10,size=8").unwrap();
    let (outcome, params) = run(trial, &data, ONE_THREAD);
    assert_eq!(outcome.updates, 6_000);
    let mut found = params.values().iter().copied().filter(|weight| weight.is_subnormal());
    let example = found.next();
    (found.count() + usize::from(example.is_some()), example)
}

#[test]
fn a_dying_network_holds_no_denormal() {
    let cases = DYING.iter().flat_map(|optimizer| RULES.map(|(rule, epochs)| (optimizer, rule, epochs)));
    let broken: Vec<String> = cases
        .filter_map(|(optimizer, rule, epochs)| {
            let (count, example) = denormals(&trial("64-24-16-10", rule, optimizer, epochs));
            example.map(|weight| format!("{optimizer}, {rule}: {count} weights, as {weight:e}"))
        })
        .collect();
    assert!(broken.is_empty(), "denormal weights under\n{}", broken.join("\n"));
}
