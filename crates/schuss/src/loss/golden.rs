//! Tests of every loss against values that PyTorch and optax computed in f64: `golden/losses`.

use super::{Loss, Target};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A recorded case. Inputs, gradient and target rows are `[samples, outputs]`.
#[derive(Deserialize)]
struct Case {
    loss: String,
    outputs: usize,
    inputs: Vec<f64>,
    #[serde(default)]
    classes: Vec<usize>,
    #[serde(default)]
    targets: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

fn cases() -> Vec<(PathBuf, Case)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/losses");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.map(|path| (path.clone(), serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap())).collect()
}

/// Returns value and gradient of the mean loss.
fn compute(case: &Case) -> (f64, Vec<f64>) {
    let loss: Loss = case.loss.parse().unwrap();
    let narrow = |wide: &[f64]| -> Vec<f32> { wide.iter().map(|&x| x as f32).collect() };
    let (inputs, targets) = (narrow(&case.inputs), narrow(&case.targets));
    let mut delta = vec![0.0; inputs.len()];
    let (mut sum, mut weight) = (0.0, 0.0);
    let rows = inputs.chunks(case.outputs).zip(delta.chunks_mut(case.outputs)).enumerate();
    for (row, (z, delta)) in rows {
        let class = case.classes.get(row).copied();
        let asked = || Target::Row(&targets[row * case.outputs..][..case.outputs]);
        sum += loss.row(z, class.map_or_else(asked, Target::Class), delta);
        weight += class.map_or(1.0, |class| loss.weight(class));
    }
    (sum / weight, delta.into_iter().map(|slope| f64::from(slope) / weight).collect())
}

/// Returns the relative error of `found`; numbers below the smallest normal f32 count as zero.
fn error(found: f64, expected: f64) -> f64 {
    (found - expected).abs() / expected.abs().max(f64::from(f32::MIN_POSITIVE))
}

#[test]
fn every_loss_has_the_value_and_gradient_of_its_original() {
    let cases = cases();
    assert!(cases.len() >= 40, "only {} cases", cases.len());
    for (path, case) in cases {
        let (value, gradient) = compute(&case);
        let place = path.display();
        assert!(error(value, case.value) <= 1e-6, "{place}: {value}, not {}", case.value);
        assert_eq!(gradient.len(), case.gradient.len(), "{place}");
        for (index, (&found, &expected)) in gradient.iter().zip(&case.gradient).enumerate() {
            assert!(error(found, expected) <= 1e-6, "{place}: slope {index} is {found:e}, not {expected:e}");
        }
    }
}

#[test]
fn every_loss_stands_in_a_case() {
    let cases = cases();
    let tested = |name: &&&str| cases.iter().any(|(_, case)| case.loss.split(':').next() == Some(name));
    let missing: Vec<_> = Loss::NAMES.iter().filter(|name| !tested(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
