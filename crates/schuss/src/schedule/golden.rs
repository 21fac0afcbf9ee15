//! Tests of every schedule against values from PyTorch, Keras, optax and others: `golden/schedules`.

use super::{Knobs, Plateaus, Schedule};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Momentum of an optimizer whose schedule does not drive it.
const MOMENTUM: f64 = 0.9;

/// Values at updates 0, 1, ...; if there are losses, after 0, 1, ... evaluations.
#[derive(Deserialize)]
struct Case {
    schedule: String,
    base_lr: f64,
    lr: Vec<f64>,
    /// Present only if the schedule drives it.
    momentum: Option<Vec<f64>>,
    #[serde(default)]
    losses: Vec<f64>,
}

fn cases() -> Vec<(PathBuf, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/schedules");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.map(|path| (path.clone(), serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())).collect()
}

/// Returns the knobs at each update, or after each evaluation.
fn follow(case: &Case) -> Vec<Knobs> {
    let schedule: Schedule = case.schedule.parse().unwrap();
    let base = Knobs { lr: case.base_lr, momentum: MOMENTUM, beta2: 0.999 };
    let mut plateaus = Plateaus::default();
    let mut knobs = vec![];
    for update in 0..case.lr.len() {
        knobs.push(schedule.at(update as u64, base, &plateaus));
        if let Some(loss) = case.losses.get(update) {
            plateaus.observe(&schedule, *loss);
        }
    }
    knobs
}

/// Returns true if both have the same length and each value is within a relative 1e-9, or within 1e-15 of the largest:
/// values that should be zero may not cancel to the last bit.
fn agree(found: &[f64], expected: &[f64]) -> bool {
    let largest = expected.iter().copied().fold(0.0, f64::max);
    let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-9 * expected + 1e-15 * largest;
    found.len() == expected.len()
        && found.iter().zip(expected).all(|(found, expected)| close(*found, *expected))
}

#[test]
fn every_schedule_goes_as_its_original_does() {
    let cases = cases();
    assert!(cases.len() >= 50, "only {} cases", cases.len());
    for (path, case) in cases {
        let (lr, momentum): (Vec<f64>, Vec<f64>) =
            follow(&case).into_iter().map(|knobs| (knobs.lr, knobs.momentum)).unzip();
        assert!(lr.len() > 1 && agree(&lr, &case.lr), "lr of {}", path.display());
        let expected = case.momentum.unwrap_or_else(|| vec![MOMENTUM; lr.len()]);
        assert!(agree(&momentum, &expected), "momentum of {}", path.display());
    }
}
