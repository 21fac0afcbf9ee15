//! The optimizers' steps against PyTorch's on one recorded stream of gradients: `golden/optim_steps`.

use super::{Reference, Rule, State};
use safetensors::SafeTensors;
use schuss_kernels::{Buffer, Isa, Team};
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Case {
    optimizer: String,
    checkpoints: Vec<Checkpoint>,
}

/// PyTorch's weights after so many updates, in both precisions.
#[derive(Deserialize)]
struct Checkpoint {
    update: usize,
    f32: Vec<f32>,
    f64: Vec<f64>,
}

/// The 16 weights at the start, and the 200 gradients.
struct Stream {
    weights: Vec<f32>,
    gradients: Vec<Vec<f32>>,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/optim_steps")
}

fn stream() -> Stream {
    let bytes = std::fs::read(folder().join("stream.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let numbers = |name| -> Vec<f32> {
        let tensor = file.tensor(name).unwrap();
        tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    };
    let weights = numbers("weights");
    let gradients = numbers("gradients").chunks_exact(weights.len()).map(<[f32]>::to_vec).collect();
    Stream { weights, gradients }
}

/// Every recorded case whose optimizer is `rule`, with its name.
fn cases(rule: &str) -> Vec<(String, Case)> {
    let files = std::fs::read_dir(folder()).unwrap().map(|file| file.unwrap().path());
    let mut cases: Vec<(String, Case)> = files
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .map(|path| {
            let case = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
            (path.file_stem().unwrap().to_string_lossy().into_owned(), case)
        })
        .collect();
    cases.retain(|(_, case)| case.optimizer.starts_with(rule));
    cases
}

/// The weights after every checkpoint, in the f32 vectors of `isa`.
fn f32_weights(case: &Case, isa: Isa) -> Vec<Vec<f32>> {
    let (Stream { weights, gradients }, rule) = (stream(), case.optimizer.parse::<Rule>().unwrap());
    let mut team = Team::with_isa(1, isa).unwrap();
    let (mut state, mut w, mut g) = (State::new(&rule, 16), Buffer::zeros(16), Buffer::zeros(16));
    w.copy_from_slice(&weights);
    let mut seen = vec![];
    for (update, gradient) in (1..).zip(&gradients) {
        g.copy_from_slice(gradient);
        state.advance();
        state.sweep(&rule, &mut team, &g, 1.0, &mut w, 0..16);
        if case.checkpoints.iter().any(|checkpoint| checkpoint.update == update) {
            seen.push(w.to_vec());
        }
    }
    seen
}

/// The same from the f64 reference.
fn f64_weights(case: &Case) -> Vec<Vec<f64>> {
    let Stream { weights, gradients } = stream();
    let mut reference = Reference::new(case.optimizer.parse().unwrap(), 16);
    let mut w: Vec<f64> = weights.into_iter().map(f64::from).collect();
    let mut seen = vec![];
    for (update, gradient) in (1..).zip(&gradients) {
        let gradient: Vec<f64> = gradient.iter().copied().map(f64::from).collect();
        reference.step(&gradient, &mut w);
        if case.checkpoints.iter().any(|checkpoint| checkpoint.update == update) {
            seen.push(w.clone());
        }
    }
    seen
}

/// Largest distance of f32 weights to the exact ones.
fn distance(found: &[f32], exact: &[f64]) -> f64 {
    found.iter().zip(exact).map(|(&found, exact)| (f64::from(found) - exact).abs()).fold(0.0, f64::max)
}

#[test]
fn every_sgd_step_has_pytorchs_bits_on_every_instruction_set() {
    let cases = cases("sgd");
    assert!(cases.len() >= 8, "only {} cases", cases.len());
    for (name, case) in cases {
        for isa in Isa::available() {
            for (found, expected) in f32_weights(&case, isa).iter().zip(&case.checkpoints) {
                let (place, update) = (isa.name(), expected.update);
                assert_eq!(found, &expected.f32, "{name} on {place}, update {update}");
            }
        }
    }
}

/// The last bits of Adam depend on where a library rounds, so ours may differ from PyTorch's; how far both are
/// from the exact weights is the measure.
#[test]
fn adam_is_no_further_from_exact_weights_than_twice_pytorchs_distance() {
    let cases = cases("adam");
    assert!(cases.len() >= 5, "only {} cases", cases.len());
    for (name, case) in cases {
        for isa in Isa::available() {
            for (found, expected) in f32_weights(&case, isa).iter().zip(&case.checkpoints) {
                let (ours, pytorchs) =
                    (distance(found, &expected.f64), distance(&expected.f32, &expected.f64));
                let (place, update) = (isa.name(), expected.update);
                assert!(
                    ours <= 2.0 * pytorchs + 1e-9,
                    "{name} on {place}, update {update}: {ours:e} from exact, PyTorch {pytorchs:e}"
                );
            }
        }
    }
}

#[test]
fn the_f64_reference_agrees_with_pytorch_in_f64() {
    for (name, case) in cases("") {
        let found = f64_weights(&case);
        assert_eq!(found.len(), 4, "{name}");
        for (found, expected) in found.iter().zip(&case.checkpoints) {
            let errors = found.iter().zip(&expected.f64).map(|(found, expected)| (found - expected).abs());
            let error = errors.fold(0.0, f64::max);
            assert!(error <= 1e-12, "{name}, update {}: off by {error:e}", expected.update);
        }
    }
}
