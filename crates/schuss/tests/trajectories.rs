//! Whole trainings against PyTorch's, from PyTorch's own initial weights: `golden/trajectories`.

use schuss::network::{Params, Plan, load_weights};
use schuss::recipe::{Budget, Order, Recipe, Trial};
use schuss::session::{Control, Limits, Session};
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Case {
    model: String,
    update: String,
    optimizer: String,
    epochs: u32,
    updates: u64,
    history: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    train_loss: Option<f64>,
    eval_loss: f64,
    eval_accuracy: f64,
}

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden")
}

fn trial(case: &Case, folder: &Path) -> Trial {
    Trial {
        model: case.model.parse().unwrap(),
        init_from: Some(folder.join("init.safetensors")),
        recipe: Recipe {
            update: case.update.parse().unwrap(),
            order: Order::Sequential,
            optimizer: case.optimizer.parse().unwrap(),
            ..Recipe::default()
        },
        budget: Budget { epochs: case.epochs, ..Budget::default() },
        ..Trial::default()
    }
}

fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

#[test]
fn trajectories_agree_with_pytorch_for_every_option_and_update_rule() {
    let data = schuss::data::load(&golden().join("data").display().to_string()).unwrap();
    let mut cases = 0;
    for entry in std::fs::read_dir(golden().join("trajectories")).unwrap() {
        let folder = entry.unwrap().path();
        let case: Case =
            serde_json::from_str(&std::fs::read_to_string(folder.join("case.json")).unwrap()).unwrap();
        let limits = Limits { threads: 2, microbatch: None };
        let mut session = Session::new(&trial(&case, &folder), &data, limits).unwrap();
        let outcome = session.run(&Control::default(), &mut ()).unwrap();
        assert_eq!(outcome.updates, case.updates, "{}", folder.display());

        let plan =
            Plan::new(&case.model.parse().unwrap(), data.shape.features(), data.classes.len()).unwrap();
        let mut expected = Params::zeros(plan.layout);
        load_weights(&mut expected, &folder.join("final.safetensors")).unwrap();
        let error = largest_difference(session.params().values(), expected.values());
        assert!(error <= 2e-5, "{}: weights off by {error}", folder.display());

        assert_eq!(outcome.epochs.len(), case.history.len());
        for (found, row) in outcome.epochs.iter().zip(&case.history) {
            let place = format!("{} epoch {}", folder.display(), found.epoch);
            let off = |found: Option<f64>, expected: f64| (found.unwrap() - expected).abs();
            assert!(off(found.eval_loss, row.eval_loss) <= 1e-4, "{place}");
            assert_eq!(found.eval_accuracy, Some(row.eval_accuracy), "{place}");
            assert!(row.train_loss.is_none_or(|loss| off(found.train_loss, loss) <= 1e-4), "{place}");
        }
        cases += 1;
    }
    assert!(cases >= 24, "only {cases} cases found");
}
