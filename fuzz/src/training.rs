//! Fuzz targets that read bytes as output of training: model files and checkpoint states.

use schuss::network::{Model, ModelFile, Params, Plan, load_weights};
use schuss::session::{Limits, Session};
use schuss::{Budget, Recipe, Trial};
use schuss_data::Dataset;
use std::io::Write;
use std::sync::LazyLock;
use tempfile::NamedTempFile;

static DIGITS: LazyLock<Dataset> = LazyLock::new(|| {
    schuss_data::load("digits:train=20,test=10,size=8").expect("digits can always be drawn")
});

/// Reads a model file as a complete model, and as weights for a known model.
pub(crate) fn model(bytes: &[u8]) {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("a file that can be written");
    let loaded = ModelFile::load(file.path());
    assert!(loaded.err().is_none_or(|error| error.exit_code() == 3));
    let model: Model = "4-3-2".parse().expect("a model");
    let mut params = Params::zeros(Plan::new(&model, 4, 2).expect("a model that fits").layout);
    let _ = load_weights(&mut params, file.path());
}

/// Trials whose states are read, one for each execution path of updates.
const TRIALS: [[&str; 2]; 5] = [
    ["batch:6", "adam:lr=0.01"],
    ["sample", "sgd:lr=0.01,momentum=0.9"],
    ["epoch", "l-bfgs:history_size=3"],
    ["batch:6", "clip-global-norm:1+sgd:lr=0.1,momentum=0.9+ema:0.9"],
    ["batch:6", "shampoo"],
];

/// Loads the state of a session, after a byte that chooses its trial; if accepted, the session must be able to
/// continue.
pub(crate) fn checkpoint(bytes: &[u8]) {
    let Some((&choice, state)) = bytes.split_first() else { return };
    let [update, optimizer] = TRIALS[usize::from(choice) % TRIALS.len()];
    let trial = Trial {
        model: "64-6-10".parse().expect("a model"),
        recipe: Recipe {
            update: update.parse().expect("an update rule"),
            optimizer: optimizer.parse().expect("an optimizer"),
            ..Recipe::default()
        },
        budget: Budget { epochs: 2, ..Budget::default() },
        ..Trial::default()
    };
    let limits = Limits { threads: 1, ..Limits::default() };
    let mut session = Session::new(&trial, &DIGITS, limits).expect("a trial that fits its data");
    if session.load(&mut &*state).is_ok() {
        let _ = session.run();
    }
}
