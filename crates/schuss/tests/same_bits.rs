//! A trial determines every bit of its weights and rows (except times): for any number of threads, any microbatch, in a
//! second run, and on every instruction set.

mod common;

use common::{ONE_THREAD, bits, rows_without_times, trial};
use schuss::data::Dataset;
use schuss::recipe::Trial;
use schuss::session::Limits;
use schuss_kernels::Isa;
use std::process::Command;

const OPTIMIZERS: [&str; 5] = [
    "sgd:lr=0.1",
    "sgd:lr=0.05,momentum=0.9",
    "sgd:lr=0.05,momentum=0.9,nesterov=true,weight_decay=0.001",
    "adam:lr=0.001",
    "k-fac:lr=0.001",
];

/// Update rule, model and training samples: an epoch of more than two leaves of 4,096 samples, a medium batch, one
/// whose last update of an epoch is partial, one larger than a leaf, and a layer wide enough for several threads to
/// share a single sample.
const SHAPES: [(&str, &str, usize); 5] = [
    ("epoch", "64-33-17-10", 9_000),
    ("batch:100", "64-65-10", 2_000),
    ("batch:32", "64-33-17-10", 1_001),
    ("batch:5000", "64-20-10", 8_193),
    ("sample", "64-300-10", 300),
];

fn digits(train: usize) -> Dataset {
    schuss::data::load(&format!("digits:train={train},test=700,size=8")).unwrap()
}

/// Everything a trial must determine: the bits of the weights, and the rows without their times.
fn fixed(trial: &Trial, data: &Dataset, limits: Limits) -> (Vec<u32>, Vec<String>) {
    let (outcome, params) = common::run(trial, data, limits);
    (bits(&params), rows_without_times(&outcome))
}

/// Calls `check` with every trial and its data.
fn for_every_trial(optimizers: &[&str], mut check: impl FnMut(&Trial, &Dataset)) {
    for (update, model, train) in SHAPES {
        let data = digits(train);
        for optimizer in optimizers {
            check(&trial(model, update, optimizer, 2), &data);
        }
    }
}

/// Asserts that a trial under `limits` gives the same bits as on one thread.
fn assert_same_bits(trial: &Trial, data: &Dataset, limits: &[Limits]) {
    let (weights, rows) = fixed(trial, data, ONE_THREAD);
    for &limits in limits {
        let (found_weights, found_rows) = fixed(trial, data, limits);
        let case = format!("{}seed = {}, {limits:?}", trial.canonical(), trial.seed);
        assert_eq!(found_rows, rows, "rows differ\n{case}");
        assert_eq!(found_weights.len(), weights.len(), "{case}");
        let differing = weights.iter().zip(&found_weights).filter(|(a, b)| a != b).count();
        assert_eq!(differing, 0, "of {} weights differ\n{case}", weights.len());
    }
}

#[test]
fn one_two_and_three_threads_and_a_second_run_give_the_same_bits() {
    let limits = [1, 2, 3].map(|threads| Limits { threads, ..Limits::default() });
    for_every_trial(&OPTIMIZERS, |trial, data| assert_same_bits(trial, data, &limits));
}

#[test]
fn every_microbatch_gives_the_same_bits() {
    let limits = [1, 7, 64, 100, 4_096].map(|samples| Limits { microbatch: Some(samples), ..ONE_THREAD });
    for_every_trial(&OPTIMIZERS, |trial, data| assert_same_bits(trial, data, &limits));
}

#[test]
fn another_microbatch_on_several_threads_gives_the_same_bits() {
    let limits = [
        Limits { threads: 2, microbatch: Some(7), ..ONE_THREAD },
        Limits { threads: 3, microbatch: Some(1_000), ..ONE_THREAD },
    ];
    for_every_trial(&OPTIMIZERS[2..], |trial, data| assert_same_bits(trial, data, &limits));
}

/// Prefix of the result line of the next test's child processes.
const MARK: &str = "bits of every trial: ";

#[test]
#[ignore = "run by every_instruction_set_gives_the_same_bits, in a process of its own"]
fn print_the_bits_of_every_trial() {
    for_every_trial(&OPTIMIZERS[2..], |trial, data| {
        println!("{MARK}{} {:?}", schuss::machine::describe().isa, fixed(trial, data, ONE_THREAD));
    });
}

/// Bits of every trial, from a process whose kernels run on `isa`.
fn bits_on(isa: &str) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "print_the_bits_of_every_trial", "--ignored", "--nocapture", "--test-threads=1"]);
    let output = child.env("SCHUSS_ISA", isa).output().unwrap();
    assert!(output.status.success(), "{isa}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let results = text.lines().filter_map(|line| line.split_once(MARK)?.1.strip_prefix(isa));
    results.map(str::to_owned).collect()
}

#[test]
fn every_instruction_set_gives_the_same_bits() {
    let sets = Isa::available();
    let expected = bits_on(sets[0].name());
    assert_eq!(
        expected.len(),
        SHAPES.len() * OPTIMIZERS[2..].len(),
        "{} ran another instruction set",
        sets[0].name()
    );
    for isa in &sets[1..] {
        let found = bits_on(isa.name());
        assert!(found == expected, "{} differs from {}: {found:.200?}", isa.name(), sets[0].name());
    }
}
