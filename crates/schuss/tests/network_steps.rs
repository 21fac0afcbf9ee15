//! Methods that depend on the loss at each step, against their original implementations in f64: `golden/network_steps`.

mod common;

use common::golden;
use common::twin::{Sample, Twin, cross_entropy};
use safetensors::SafeTensors;
use schuss::optim::Reference;
use schuss_kernels::naive::largest;
use serde::Deserialize;
use std::path::Path;

const MODEL: &str = "3-16-4";
/// Sizes of the tensors, in PyTorch's order.
const TENSORS: [usize; 4] = [48, 16, 64, 4];
const INPUTS: usize = 3;
/// Number of updates between records.
const EVERY: usize = 50;

/// Allowed distance of weights from the originals, relative for weights above 1.
///
/// - `sam*`: the original computes its norm in f32, whatever the type of the weights.
/// - `prodigy`: its first steps are 1e-6, and their rounding errors grow with the steps.
fn allowed(name: &str) -> f64 {
    match name {
        "sam" | "sam-adaptive" | "sam-adam" => 2e-7,
        "prodigy" => 2e-9,
        _ if name.starts_with("k-fac") => 1e-12,
        _ => 1e-10,
    }
}

/// Metadata of a file.
#[derive(Deserialize)]
struct About {
    optimizer: String,
    #[serde(default)]
    note: String,
}

/// Samples, all used in every update, and initial weights.
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

    fn twin(&self, weights: &[f64]) -> Twin {
        let mut rest = weights;
        let mut next = |len| {
            let (tensor, behind) = rest.split_at(len);
            rest = behind;
            tensor.to_vec()
        };
        Twin { tensors: TENSORS.map(&mut next).into() }
    }

    /// Loss and gradient at `weights`.
    fn look(&self, weights: &[f64]) -> (f64, Vec<f64>) {
        let twin = self.twin(weights);
        (twin.loss(&self.samples), twin.gradient(&self.samples).concat())
    }

    /// Means of [x 1]ᵀ [x 1] and δᵀ δ for every layer at `weights`.
    fn moments(&self, weights: &[f64], fisher: Fisher) -> [[Vec<f64>; 2]; 2] {
        let twin = self.twin(weights);
        let mut moments = [(INPUTS + 1, 16), (17, 4)].map(|(a, g)| [vec![0.0; a * a], vec![0.0; g * g]]);
        for (input, class) in &self.samples {
            let values = twin.forward(input);
            for (layer, [a, _]) in moments.iter_mut().enumerate() {
                add_square(a, &[&values[layer][..], &[1.0]].concat(), 1.0 / self.samples.len() as f64);
            }
            for (top, share) in fisher.gradients(values.last().unwrap(), *class) {
                for ([_, g], delta) in moments.iter_mut().zip(twin.backward(&values, top)) {
                    add_square(g, &delta, share / self.samples.len() as f64);
                }
            }
        }
        moments
    }
}

/// Gradients that make up the curvature given to k-fac.
#[derive(Clone, Copy)]
enum Fisher {
    /// Gradients of all classes, weighted by the network's own probabilities: the expectation of drawn ones.
    Exact,
    /// Gradient of the label.
    Empirical,
}

impl Fisher {
    /// Gradients at the logits, and their weights.
    fn gradients(self, logits: &[f64], class: usize) -> Vec<(Vec<f64>, f64)> {
        let gradient = |class| cross_entropy(logits, class);
        match self {
            Self::Empirical => vec![(gradient(class).1, 1.0)],
            Self::Exact => (0..logits.len())
                .map(|class| {
                    let (loss, delta) = gradient(class);
                    (delta, (-loss).exp())
                })
                .collect(),
        }
    }
}

/// Computes S += share xᵀ x.
fn add_square(s: &mut [f64], x: &[f64], share: f64) {
    let products = x.iter().flat_map(|a| x.iter().map(move |b| a * b));
    s.iter_mut().zip(products).for_each(|(s, product)| *s += share * product);
}

/// The numbers of a tensor, `N` bytes each.
fn numbers<const N: usize, T>(file: &SafeTensors, name: &str, read: impl Fn([u8; N]) -> T) -> Vec<T> {
    file.tensor(name).map_or(vec![], |tensor| tensor.data().as_chunks().0.iter().map(|&b| read(b)).collect())
}

/// Converts a spec in the original's grammar, where `sam` comes after the rule.
fn spec(optimizer: &str) -> String {
    match optimizer.split_once("+sam") {
        Some((rule, keys)) => format!("sam{keys}+{rule}"),
        None => optimizer.to_owned(),
    }
}

/// Largest distances of weights, and of averaged weights if any, over all records; relative above 1.
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
    let fisher = if about.note.starts_with("fisher: empirical") { Fisher::Empirical } else { Fisher::Exact };
    for update in 1..=exact.len() / weights.len() * EVERY {
        reference.watch(problem.moments(&weights, fisher));
        reference.descend(&mut weights, |weights| problem.look(weights));
        if update % EVERY == 0 {
            found.extend(&weights);
            shown.extend(reference.shown(&weights));
        }
    }
    let is_shown = file.tensor("shown").is_ok();
    [distance(&found, &exact), if is_shown { distance(&shown, &exact_shown) } else { 0.0 }]
}

fn distance(found: &[f64], exact: &[f64]) -> f64 {
    assert_eq!(found.len(), exact.len());
    let errors = found.iter().zip(exact).map(|(found, exact)| (found - exact).abs() / exact.abs().max(1.0));
    largest(errors)
}

#[test]
fn methods_that_answer_the_loss_go_the_way_of_their_originals() {
    let problem = Problem::read();
    let files = std::fs::read_dir(golden().join("network_steps")).unwrap().map(|file| file.unwrap().path());
    let name = |path: &Path| path.file_stem().unwrap().to_string_lossy().into_owned();
    let mut cases: Vec<_> = files.filter(|path| name(path) != "problem").collect();
    cases.sort();
    assert_eq!(cases.len(), 20);
    let found = cases.iter().map(|path| (name(path), distances(&problem, path)));
    let is_near = |name: &str, distances: [f64; 2]| distances.into_iter().all(|d| d <= allowed(name));
    let far: Vec<_> = found.filter(|(name, distances)| !is_near(name, *distances)).collect();
    assert!(far.is_empty(), "weights, shown weights: {far:#?}");
}
