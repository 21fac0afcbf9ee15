//! Samples that are read when needed train to the very bits of those in memory, on every path.

mod common;

use common::{ONE_THREAD, bits, random_data, rows_without_times, run, trial};
use schuss::data::{Access, Dataset, Samples, Split, Store};
use schuss::session::{Control, Limits, Session};
use schuss::study::record::Status;
use schuss::{Error, Result, Trial};
use std::sync::Arc;

/// One for every path through the network, and a solver.
const CASES: [(&str, &str); 7] = [
    ("batch:10", "sgd:lr=0.1"),
    ("batch:7", "adam"),
    ("epoch", "sgd:lr=0.1,momentum=0.9"),
    ("sample", "sgd:lr=0.01,momentum=0.9"),
    ("batch:25", "sam+sgd"),
    ("batch:40", "muon"),
    ("epoch", "l-bfgs"),
];

fn streamed(split: &Split) -> Split {
    Split::Streamed(Arc::new(common::resident(split).clone()))
}

fn of(optimizer: &str, update: &str) -> Trial {
    trial("300-33-10", update, optimizer, 2)
}

#[test]
fn streamed_samples_train_to_the_bits_of_resident_ones() {
    let resident = random_data(300, 10, 130, 40, 3);
    let data =
        Dataset { train: streamed(&resident.train), test: streamed(&resident.test), ..resident.clone() };
    for (update, optimizer) in CASES {
        for limits in [ONE_THREAD, Limits { threads: 2, microbatch: Some(3), ..ONE_THREAD }] {
            let (expected, weights) = run(&of(optimizer, update), &resident, limits);
            let (found, same) = run(&of(optimizer, update), &data, limits);
            assert_eq!(bits(&weights), bits(&same), "{update} {optimizer}");
            assert_eq!(rows_without_times(&expected), rows_without_times(&found), "{update} {optimizer}");
        }
    }
}

/// A disk that can no longer be read from some sample on.
struct Failing(Samples, u64);

impl Store for Failing {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        match indices.iter().find(|&&index| index >= self.1) {
            Some(bad) => Err(Error::data(format!("sample {bad} cannot be read"))),
            None => self.0.copy_to(indices, into),
        }
    }
}

#[test]
fn a_sample_that_cannot_be_read_ends_a_trial_with_an_error_that_says_so_and_nothing_is_lost() {
    let resident = random_data(300, 10, 130, 40, 3);
    let train = Split::Streamed(Arc::new(Failing(common::resident(&resident.train).clone(), 129)));
    let data = Dataset { train, ..resident };
    for (update, optimizer) in CASES {
        let mut session = Session::new(&of(optimizer, update), &data, ONE_THREAD).unwrap();
        let error = session.run(&Control::default(), &mut ()).unwrap_err();
        assert!(error.exit_code() == 3 && error.what == "sample 129 cannot be read", "{error}");
        assert_eq!(session.failed().status, Status::Failed);
        assert!(session.params().values().iter().all(|weight| weight.is_finite()));
    }
}

#[test]
fn a_class_beyond_the_outputs_is_a_data_error_and_no_panic() {
    let mut data = random_data(300, 10, 130, 40, 3);
    data.train = Samples::images(vec![0; 600], vec![3, 10], 300).unwrap().into();
    for (update, optimizer) in CASES {
        let mut session = Session::new(&of(optimizer, update), &data, ONE_THREAD).unwrap();
        let error = session.run(&Control::default(), &mut ()).unwrap_err();
        assert!(error.exit_code() == 3 && error.what.contains("labelled 10"), "{error}");
    }
}
