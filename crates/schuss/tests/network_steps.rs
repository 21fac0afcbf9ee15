//! Methods that need the answer of a loss to their steps, against their originals in f64: `golden/network_steps`.

mod common;

use common::golden;
use common::twin::{Sample, Twin};
use safetensors::SafeTensors;
use schuss::optim::Reference;
use serde::Deserialize;
use std::path::Path;

const MODEL: &str = "3-16-4";
/// Numbers of its tensors, in PyTorch's order.
const TENSORS: [usize; 4] = [48, 16, 64, 4];
const INPUTS: usize = 3;
/// Updates between records.
const EVERY: usize = 50;

/// Not a method of this version.
const LEFT_OUT: &str = "k-fac";

/// How far from the originals weights may be, relative above 1.
///
/// - `sam*`: the original takes its norm in f32, whatever the weights are.
/// - `prodigy`: its first steps are 1e-6, and what is rounded there grows with them.
fn allowed(name: &str) -> f64 {
    match name {
        "sam" | "sam-adaptive" | "sam-adam" => 2e-7,
        "prodigy" => 2e-9,
        _ => 1e-10,
    }
}

/// What a file says about itself.
#[derive(Deserialize)]
struct About {
    optimizer: String,
}

/// The samples, all in every update, and the weights at the start.
struct Problem {
    samples: Vec<Sample>,
    weights: Vec<f64>,
}

impl Problem {
    fn read() -> Self {
        let bytes = std::fs::read(golden().join("network_steps/problem.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let floats = |name| numbers(&file, name, |bytes| f64::from(f32::from_le_bytes(bytes)));
        let classes = numbers(&file, "classes", |bytes| i64::from_le_bytes(bytes) as usize);
        let inputs = floats("inputs");
        let samples = inputs.chunks_exact(INPUTS).map(<[f64]>::to_vec).zip(classes).collect();
        Self { samples, weights: floats("weights") }
    }

    /// Loss and gradient at `weights`.
    fn look(&self, weights: &[f64]) -> (f64, Vec<f64>) {
        let mut rest = weights;
        let mut next = |len| {
            let (tensor, behind) = rest.split_at(len);
            rest = behind;
            tensor.to_vec()
        };
        let twin = Twin { tensors: TENSORS.map(&mut next).into() };
        (twin.loss(&self.samples), twin.gradient(&self.samples).concat())
    }
}

/// The numbers of a tensor, `N` bytes each.
fn numbers<const N: usize, T>(file: &SafeTensors, name: &str, read: impl Fn([u8; N]) -> T) -> Vec<T> {
    file.tensor(name).map_or(vec![], |tensor| tensor.data().as_chunks().0.iter().map(|&b| read(b)).collect())
}

/// In the original's grammar `sam` stands behind the rule.
fn spec(optimizer: &str) -> String {
    match optimizer.split_once("+sam") {
        Some((rule, keys)) => format!("sam{keys}+{rule}"),
        None => optimizer.to_owned(),
    }
}

/// Largest distances of weights, and of shown weights where there are any, over all records; relative above 1.
fn distances(problem: &Problem, path: &Path) -> [f64; 2] {
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let about: About = serde_json::from_str(&header.metadata().as_ref().unwrap()["golden"]).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let [exact, exact_shown] = ["f64", "shown"].map(|name| numbers(&file, name, f64::from_le_bytes));
    let mut weights = problem.weights.clone();
    let method = spec(&about.optimizer).parse().unwrap();
    let mut reference = Reference::of_model(&method, &MODEL.parse().unwrap(), &weights).unwrap();
    let (mut found, mut shown) = (vec![], vec![]);
    for update in 1..=exact.len() / weights.len() * EVERY {
        reference.descend(&mut weights, |weights| problem.look(weights));
        if update % EVERY == 0 {
            found.extend(&weights);
            shown.extend(reference.shown(&weights));
        }
    }
    [distance(&found, &exact), distance(&shown, &exact_shown)]
}

fn distance(found: &[f64], exact: &[f64]) -> f64 {
    let errors = found.iter().zip(exact).map(|(found, exact)| (found - exact).abs() / exact.abs().max(1.0));
    errors.fold(0.0, f64::max)
}

#[test]
fn methods_that_answer_the_loss_go_the_way_of_their_originals() {
    let problem = Problem::read();
    let files = std::fs::read_dir(golden().join("network_steps")).unwrap().map(|file| file.unwrap().path());
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut cases: Vec<_> =
        files.filter(|path| name(path) != "problem" && !name(path).starts_with(LEFT_OUT)).collect();
    cases.sort();
    assert_eq!(cases.len(), 16);
    let found = cases.iter().map(|path| (name(path), distances(&problem, path)));
    let is_near = |name: &str, distances: [f64; 2]| distances.into_iter().all(|d| d <= allowed(name));
    let far: Vec<_> = found.filter(|(name, distances)| !is_near(name, *distances)).collect();
    assert!(far.is_empty(), "weights, shown weights: {far:#?}");
}
