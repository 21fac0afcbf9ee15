//! Whole training runs against PyTorch's, from PyTorch's own initial weights: `golden/trajectories`.

mod common;

use common::twin::Twin;
use common::{golden, largest_difference, run};
use schuss::data::Dataset;
use schuss::network::load_weights;
use schuss::recipe::{Order, Trial};
use schuss::record::EpochRecord;
use schuss::session::Limits;
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct Case {
    model: String,
    targets: String,
    update: String,
    optimizer: String,
    schedule: String,
    loss: String,
    epochs: u32,
    updates: u64,
    history: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    train_loss: Option<f64>,
    eval_loss: f64,
    eval_accuracy: Option<f64>,
}

fn trial(case: &Case, folder: &Path) -> Trial {
    let mut trial = common::trial(&case.model, &case.update, &case.optimizer, case.epochs);
    trial.targets = case.targets.parse().unwrap();
    trial.recipe.order = Order::Sequential;
    trial.recipe.schedule = case.schedule.parse().unwrap();
    trial.recipe.loss = case.loss.parse().unwrap();
    trial.init_from = Some(folder.join("init.safetensors"));
    trial
}

fn assert_agrees(data: &Dataset, folder: &Path) {
    let case = std::fs::read_to_string(folder.join("case.json")).unwrap();
    let case: Case = serde_json::from_str(&case).unwrap();
    let (outcome, params) = run(&trial(&case, folder), data, Limits { threads: 2, ..Limits::default() });
    assert_eq!(outcome.updates, case.updates, "{}", folder.display());

    let mut expected = params.clone();
    load_weights(&mut expected, &folder.join("final.safetensors")).unwrap();
    let allowed = if case.optimizer.starts_with("rprop") { 1e-4 } else { 2e-5 };
    assert_eq!(Twin::of(&params).tensors.len(), Twin::of(&expected).tensors.len());
    for (found, expected) in Twin::of(&params).tensors.iter().zip(&Twin::of(&expected).tensors) {
        let error = largest_difference(found, expected);
        assert!(error <= allowed, "{}: weights off by {error:e}", folder.display());
    }
    assert_eq!(outcome.epochs.len(), case.history.len(), "{}", folder.display());
    for (found, expected) in outcome.epochs.iter().zip(&case.history) {
        assert_row(found, expected, &format!("{} epoch {}", folder.display(), found.epoch));
    }
}

fn assert_row(found: &EpochRecord, expected: &Row, place: &str) {
    let off = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs();
    let loss = expected.eval_loss;
    assert!(off(found.eval_loss, loss) <= 1e-4, "{place}: eval_loss {:?}, expected {loss}", found.eval_loss);
    assert_eq!(found.eval_accuracy, expected.eval_accuracy, "{place}");
    assert_eq!(found.train_loss.is_some(), expected.train_loss.is_some(), "{place}");
    let agrees = expected.train_loss.is_none_or(|loss| off(found.train_loss, loss) <= 1e-4);
    assert!(agrees, "{place}: train_loss {:?}, expected {:?}", found.train_loss, expected.train_loss);
}

#[test]
fn trajectories_agree_with_pytorch_whatever_is_chosen() {
    let data = schuss::data::load(&golden().join("data").display().to_string()).unwrap();
    let folders: Vec<_> = std::fs::read_dir(golden().join("trajectories")).unwrap().collect();
    assert!(folders.len() >= 100, "only {} cases found", folders.len());
    folders.into_iter().for_each(|folder| assert_agrees(&data, &folder.unwrap().path()));
}
