//! Streamed samples give exactly the same bits as resident ones, on every path.

mod common;

use common::{ONE_THREAD, bits, random_data, rows_without_times, run, trial};
use schuss::data::{Access, Dataset, Samples, Split, Store};
use schuss::record::{Status, Summary, Timing};
use schuss::session::{Control, Limits, Session};
use schuss::study::{Study, StudyFile, Watcher};
use schuss::{Error, Result, Trial};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// One case for every path through the network, and a solver.
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

/// Store that cannot be read from a given sample on.
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
        let error = session.run().unwrap_err();
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
        let error = session.run().unwrap_err();
        assert!(error.exit_code() == 3 && error.what.contains("labelled 10"), "{error}");
    }
}

/// Store that counts the samples read.
struct Counted(Samples, AtomicU64);

impl Store for Counted {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn read(&self, indices: &[u64], into: &mut Samples) -> Result<()> {
        self.1.fetch_add(indices.len() as u64, Ordering::Relaxed);
        self.0.copy_to(indices, into)
    }
}

#[test]
fn loader_threads_rest_between_turns_and_the_bits_are_those_of_one_run() {
    let resident = random_data(300, 10, 130, 40, 3);
    let store = Arc::new(Counted(common::resident(&resident.train).clone(), AtomicU64::new(0)));
    let data = Dataset { train: Split::Streamed(Arc::clone(&store) as _), ..resident };
    for (update, optimizer) in CASES {
        let trial = of(optimizer, update);
        let mut session = Session::new(&trial, &data, ONE_THREAD).unwrap();
        let outcome = loop {
            let ended = session.turn_with(&Control::default(), &mut (), Duration::ZERO).unwrap();
            let read = store.1.load(Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
            assert_eq!(store.1.load(Ordering::Relaxed), read, "{update} {optimizer}");
            if let Some(outcome) = ended {
                break outcome;
            }
        };
        let (expected, weights) = run(&trial, &data, ONE_THREAD);
        assert_eq!(bits(session.params()), bits(&weights), "{update} {optimizer}");
        assert_eq!(rows_without_times(&outcome), rows_without_times(&expected), "{update} {optimizer}");
    }
}

/// Runs the study on streamed data; returns its summary and the number of samples read.
fn counted(study: &str, side_by_side: bool) -> (Summary, u64) {
    let resident = random_data(300, 10, 130, 40, 3);
    let store = Arc::new(Counted(common::resident(&resident.train).clone(), AtomicU64::new(0)));
    let data = Dataset { train: Split::Streamed(Arc::clone(&store) as _), ..resident };
    let study = Study::resolve("counted", &StudyFile::parse(study, "").unwrap(), &data).unwrap();
    let limits = Limits { threads: 2, side_by_side, ..ONE_THREAD };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let ran =
        schuss::study::run(&study, &data, limits, Some(&out), "", &Control::default(), &mut ()).unwrap();
    assert!(ran.error.is_none(), "{:?}", ran.error);
    (ran.summary, store.1.load(Ordering::Relaxed))
}

/// Two seeds have two orders, hence two sessions of three members each. Data this small are read up to nine epochs
/// ahead.
#[test]
fn side_by_side_trials_on_streamed_samples_read_each_once_and_have_the_bits_of_trials_alone() {
    let study = |optimizers: &str, stop: &str| {
        format!(
            "recipe = {{ model = '300-5-10', update = 'batch:10', epochs = 15{stop} }}\nseeds = [1, 2]\naxes = {{ optimizer = [{optimizers}] }}"
        )
    };
    for (optimizers, stop, passes) in [
        ("'sgd:lr=0.1', 'adam', 'sgd:lr=0.01,momentum=0.9'", "", 1),
        ("'sgd:lr=0.1', 'adam', 'sam+sgd'", ", stop = 'train_loss<1'", 1),
        ("'sgd:lr=1e9', 'adam', 'l-bfgs'", "", 3),
    ] {
        let study = study(optimizers, stop);
        let (alone, _) = counted(&study, false);
        let (together, read) = counted(&study, true);
        assert_eq!([alone.trials.len(), together.trials.len()], [6, 6]);
        for (a, b) in alone.trials.iter().zip(&together.trials) {
            assert_eq!((&a.name, a.seed, a.status), (&b.name, b.seed, b.status));
            assert_eq!(a.state, b.state, "{}", a.name);
        }
        let epochs = 2 * (passes * 15 + 9) + 2; // plus one pass for the fingerprint, and the first few samples
        assert!(read <= epochs * 130, "{optimizers}: {read} samples read, {epochs} epochs of 130");
    }
}

/// Collects the notes.
#[derive(Default)]
struct Notes(String);

impl Watcher for Notes {
    fn note(&mut self, text: &str) {
        self.0 += text;
    }
}

#[test]
fn trials_that_do_not_fit_in_memory_run_one_by_one_and_are_refused_in_parallel_before_anything_is_written() {
    let resident = random_data(300, 10, 130, 40, 3);
    let data = Dataset { train: streamed(&resident.train), ..resident };
    let rates: Vec<String> = (1..=8).map(|rate| format!("'adam:lr=0.00{rate}'")).collect();
    let text = format!(
        "recipe = {{ model = '300-100-10', epochs = 1 }}\naxes = {{ optimizer = [{}] }}",
        rates.join(",")
    );
    let study = Study::resolve("many", &StudyFile::parse(&text, "").unwrap(), &data).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = |name: &str, memory, side_by_side| {
        let limits = Limits { memory: Some(memory), side_by_side, ..ONE_THREAD };
        let (out, mut notes) = (folder.path().join(name), Notes::default());
        let ran = schuss::study::run(&study, &data, limits, Some(&out), "", &Control::default(), &mut notes)?;
        assert!(ran.error.is_none(), "{:?}", ran.error);
        Ok((ran.summary.trials, notes.0))
    };
    let (alone, notes) = run("alone", 3 << 20, false).unwrap();
    assert!(notes.contains("one after the other") && notes.contains("8 of them do not fit"), "{notes}");
    let (turns, notes) = run("turns", 64 << 20, false).unwrap();
    assert!(!notes.contains("one after the other"), "{notes}");
    for (alone, turns) in alone.iter().zip(&turns) {
        assert_eq!((alone.timing, turns.timing), (Timing::Alone, Timing::Interleaved));
        assert_eq!(alone.state, turns.state);
    }
    let error: Error = run("together", 3 << 20, true).unwrap_err();
    assert_eq!(
        (error.exit_code(), error.advice.as_deref()),
        (2, Some("more --memory, or one trial at a time, without --parallel"))
    );
    assert!(!folder.path().join("together").exists());
}
