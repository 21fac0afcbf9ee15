//! Shared test helpers: paths of golden files, small data sets, one-line trials, and a network in f64.
#![allow(dead_code)] // every test program uses only a part

pub(crate) mod twin;

use schuss::data::random::{Key, Purpose};
use schuss::data::{Dataset, ImageShape, Normalisation, Samples, Split};
use schuss::loss::Targets;
use schuss::network::{Model, ModelFile, Params, Plan, save};
use schuss::recipe::{Budget, Recipe, Trial};
use schuss::record::EpochRecord;
use schuss::session::{Cadence, Limits, Outcome, Session};
use schuss_kernels::naive;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Folder of recorded PyTorch results; see its README.
pub(crate) fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden")
}

/// Images of `features` random pixels in `classes` classes.
pub(crate) fn random_data(features: usize, classes: usize, train: usize, test: usize, seed: u64) -> Dataset {
    data_of(
        random_split(features, classes, train, seed),
        random_split(features, classes, test, !seed),
        classes,
    )
}

fn random_split(features: usize, classes: usize, len: usize, seed: u64) -> Samples {
    let mut draws = Key { seed, purpose: Purpose::Digits, epoch: 0 }.draws(0);
    let pixels = (0..len * features).map(|_| draws.bits() as u8).collect();
    let labels = (0..len).map(|_| draws.bits() % classes as u32).collect();
    Samples::images(pixels, labels, features).unwrap()
}

/// A data set of two splits of one-line images.
pub(crate) fn data_of(train: Samples, test: Samples, classes: usize) -> Dataset {
    let shape = ImageShape { channels: 1, height: 1, width: train.features() };
    let classes = (0..classes).map(|class| class.to_string()).collect();
    Dataset::given("random", shape, classes, train, test)
}

/// The samples of a split that is in memory.
pub(crate) fn resident(split: &Split) -> &Samples {
    split.resident().unwrap()
}

/// A trial of the given number of epochs, otherwise with defaults.
pub(crate) fn trial(model: &str, update: &str, optimizer: &str, epochs: u32) -> Trial {
    Trial {
        model: model.parse().unwrap(),
        recipe: Recipe {
            update: update.parse().unwrap(),
            optimizer: optimizer.parse().unwrap(),
            ..Recipe::default()
        },
        budget: Budget { epochs, ..Budget::default() },
        ..Trial::default()
    }
}

/// One thread and the built-in microbatch.
pub(crate) const ONE_THREAD: Limits = Limits {
    threads: 1,
    microbatch: None,
    memory: None,
    device_memory: None,
    side_by_side: false,
    checkpoint_every: Cadence::Epochs(1),
};

/// Runs a trial to its end; returns its outcome and final weights.
pub(crate) fn run(trial: &Trial, data: &Dataset, limits: Limits) -> (Outcome, Params) {
    let mut session = Session::new(trial, data, limits).unwrap();
    let outcome = session.run().unwrap();
    (outcome, session.params().clone())
}

/// Initial weights of a trial.
pub(crate) fn initial_params(trial: &Trial, data: &Dataset) -> Params {
    Session::new(trial, data, ONE_THREAD).unwrap().params().clone()
}

/// Parameters of `model`, all zero.
pub(crate) fn zero_params(model: &str, classes: usize) -> Params {
    let model: Model = model.parse().unwrap();
    Params::zeros(Plan::new(&model, model.inputs().unwrap(), classes).unwrap().layout)
}

/// Writes `params` to a file that `init_from` can read.
pub(crate) fn save_params(params: &Params, path: &Path) {
    let shape = ImageShape { channels: 1, height: 1, width: 1 }.into();
    let about = ModelFile {
        model: String::new(),
        classes: vec![],
        labels: vec![],
        shape,
        normalisation: Normalisation::Unit,
        preparation: None,
        table: None,
        offsets: Default::default(),
        targets: Targets::Class,
        scale: None,
        loss: schuss::loss::Loss::default(),
    };
    std::fs::write(path, save(params, &about).unwrap()).unwrap();
}

/// Bits of every weight, padding included.
pub(crate) fn bits(params: &Params) -> Vec<u32> {
    params.values().iter().map(|weight| weight.to_bits()).collect()
}

/// Rows of a trial without their times, as text that differs if any bit of a number differs.
pub(crate) fn rows_without_times(outcome: &Outcome) -> Vec<String> {
    let timeless = |row: &EpochRecord| EpochRecord {
        train_seconds: 0.0,
        load_wait_seconds: 0.0,
        elapsed_seconds: 0.0,
        ..row.clone()
    };
    outcome.epochs.iter().map(|row| format!("{:?}", timeless(row))).collect()
}

/// Largest absolute difference between two lists of equal length; NaN if any difference is.
pub(crate) fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    naive::largest(a.iter().zip(b).map(|(a, b)| (a - b).abs()))
}

/// Largest magnitude.
pub(crate) fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

/// Reports a skipped test directly, since the test harness captures `eprintln` output.
pub(crate) fn skip(why: &str) {
    let (thread, mut stderr) = (std::thread::current(), std::io::stderr());
    writeln!(stderr, "SKIPPED: {}: {why}", thread.name().unwrap_or("a test")).unwrap();
}
