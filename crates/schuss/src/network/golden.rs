//! Compares every activation and layer, forward and backward, with PyTorch in f64: `golden/activations`,
//! `golden/layers`.

use super::layer::Backward;
use super::{Arena, Gradients, Mode, Model, Params, Plan, VectorGradients, Weights};
use crate::loss::Targets;
use schuss_data::{ImageShape, Shape};
use schuss_kernels::matrix::{Matrix, MatrixMut, Start};
use schuss_kernels::{Team, padded};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::path::Path;

fn cases<T: DeserializeOwned>(folder: &str) -> Vec<(String, T)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(folder);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let read = |path: &Path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    files.map(|path| (path.display().to_string(), read(&path))).collect()
}

/// A network of one layer.
struct Bench {
    team: Team,
    plan: Plan,
    params: Params,
    arena: Arena,
    rows: usize,
    mode: Mode,
}

impl Bench {
    fn new(layer: &str, input: impl Into<Shape>, rows: usize) -> Self {
        let model: Model = layer.parse().unwrap();
        let plan = Plan::unchecked(&model, input).unwrap();
        let params = Params::init(plan.layout.clone(), &Default::default(), 1);
        let arena = Arena::new(&plan, rows, Targets::Class, None);
        let mode = Mode { seed: 1, epoch: 0, first: 0, stats: rows, plain_means: false };
        Self { team: Team::new(1).unwrap(), plan, params, arena, rows, mode }
    }

    /// Returns its outputs for some inputs, row by row.
    fn forward(&mut self, inputs: &[f64], training: bool) -> Vec<f64> {
        scatter(&mut self.arena.input, inputs, self.plan.inputs);
        let weights = Weights::new(self.params.values_mut(), training.then_some(&self.mode));
        self.arena.forward(&mut self.team, &self.plan, weights, self.rows);
        collect(&self.arena.outputs[0], self.rows, self.plan.outputs)
    }

    /// Returns the gradients of its inputs and, pad lanes included, of its vectors, from that of its outputs.
    fn backward(&mut self, upstream: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (plan, rows) = (&self.plan, self.rows);
        let stage = &plan.stages[0];
        let matrix = |cols: usize| vec![0.0; rows * padded(cols)];
        let (mut dy, mut dx) = (matrix(plan.outputs), matrix(plan.inputs));
        scatter(&mut dy, upstream, plan.outputs);
        let sums = vec![0.0; plan.largest_vectors()];
        let mut gradients = Collected { team: &mut self.team, values: self.params.values(), sums };
        stage.operation().backward(Backward {
            gradients: &mut gradients,
            tensors: stage.tensors(&plan.layout),
            scratch: &mut vec![0.0; plan.scratch(rows)],
            input: plan.input,
            x: Matrix::new(&self.arena.input, rows, plan.inputs),
            y: Matrix::new(&self.arena.outputs[0], rows, plan.outputs),
            dy: Matrix::new(&dy, rows, plan.outputs),
            dx: Some(MatrixMut::new(&mut dx, rows, plan.inputs)),
            layer: 0,
            after_relu: false,
            mode: &self.mode,
        });
        let sums = gradients.sums.into_iter().map(f64::from).collect();
        (collect(&dx, rows, plan.inputs), sums)
    }

    /// Returns a tensor of the layer.
    fn tensor(&self, name: &str) -> Vec<f64> {
        let entries = self.params.layout().entries();
        let entry = entries.iter().find(|entry| entry.name == format!("0.{name}")).unwrap();
        self.params.tensor(entry).into_iter().map(f64::from).collect()
    }

    fn set_tensor(&mut self, name: &str, values: &[f64]) {
        let layout = self.plan.layout.clone();
        if let Some(entry) = layout.entries().iter().find(|entry| entry.name == format!("0.{name}")) {
            self.params.set_tensor(entry, values.iter().map(|&x| x as f32));
        }
    }
}

/// The gradients of a layer's vectors.
struct Collected<'a> {
    team: &'a mut Team,
    values: &'a [f32],
    sums: Vec<f32>,
}

impl Gradients for Collected<'_> {
    fn compute(&mut self) -> (&mut Team, &[f32]) {
        (self.team, self.values)
    }

    fn weight_and_bias(&mut self, _: Matrix, _: Matrix) {
        unreachable!("no linear layer is recorded alone");
    }

    fn vectors(&mut self, sum: &mut VectorGradients) {
        sum(self.team, self.values, &mut self.sums, Start::Fresh);
    }
}

fn scatter(to: &mut [f32], from: &[f64], width: usize) {
    for (to, from) in to.chunks_mut(padded(width)).zip(from.chunks(width)) {
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = from as f32);
    }
}

fn collect(from: &[f32], rows: usize, width: usize) -> Vec<f64> {
    let rows = from.chunks(padded(width)).take(rows);
    rows.flat_map(|row| row[..width].iter().map(|&x| f64::from(x))).collect()
}

/// Checks that every number is within `tolerance` of the expected one, relative to it or to `least` if it is smaller.
fn assert_near(found: &[f64], expected: &[f64], (tolerance, least): (f64, f64), place: &str) {
    assert_eq!(found.len(), expected.len(), "{place}");
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let error = (found - expected).abs() / expected.abs().max(least);
        assert!(error <= tolerance, "{place}, number {index}: {found:e}, not {expected:e}");
    }
}

#[derive(Deserialize)]
struct ActivationCase {
    activation: String,
    inputs: Vec<f64>,
    outputs: Vec<f64>,
    gradient: Vec<f64>,
    weight_gradient: Option<f64>,
}

#[test]
fn every_activation_and_its_slope_are_pytorchs() {
    let cases = cases::<ActivationCase>("activations");
    assert!(cases.len() >= 30, "only {} cases", cases.len());
    for (place, case) in cases {
        let mut bench = Bench::new(&case.activation, 1, case.inputs.len());
        assert_near(&bench.forward(&case.inputs, true), &case.outputs, (1e-6, 1.0), &place);
        let (gradient, sums) = bench.backward(&vec![1.0; case.inputs.len()]);
        assert_near(&gradient, &case.gradient, (2e-6, 1.0), &format!("gradient of {place}"));
        if let Some(expected) = case.weight_gradient {
            assert_near(&sums[..1], &[expected], (1e-6, 1.0), &format!("weight gradient of {place}"));
        }
    }
}

/// Inputs and outputs `[samples, outputs_per_sample]`, and the tensors that the layer has.
#[derive(Deserialize)]
struct LayerCase {
    layer: String,
    training: bool,
    samples: usize,
    /// Channels, height and width of an image; none if a sample has as many numbers as outputs.
    image: Option<[usize; 3]>,
    outputs_per_sample: usize,
    inputs: Vec<f64>,
    outputs: Vec<f64>,
    output_gradient: Vec<f64>,
    input_gradient: Vec<f64>,
    #[serde(flatten)]
    tensors: std::collections::BTreeMap<String, serde_json::Value>,
}

impl LayerCase {
    fn tensor(&self, name: &str) -> Option<Vec<f64>> {
        self.tensors.get(name).map(|value| serde_json::from_value(value.clone()).unwrap())
    }

    fn check(&self, place: &str) {
        let image = |[channels, height, width]: [usize; 3]| ImageShape { channels, height, width }.into();
        let input = self.image.map_or(Shape::Flat(self.outputs_per_sample), image);
        let mut bench = Bench::new(&self.layer, input, self.samples);
        for name in ["weight", "bias", "running_mean", "running_var"] {
            self.tensor(name).iter().for_each(|values| bench.set_tensor(name, values));
        }
        assert_near(&bench.forward(&self.inputs, self.training), &self.outputs, (1e-5, 1.0), place);
        if !self.training {
            return; // no training on running statistics
        }
        let (gradient, sums) = bench.backward(&self.output_gradient);
        assert_near(&gradient, &self.input_gradient, (1e-5, 1.0), &format!("gradient of {place}"));
        let vectors = sums.chunks(padded(self.outputs_per_sample));
        for (name, sums) in ["weight_gradient", "bias_gradient"].into_iter().zip(vectors) {
            let expected = self.tensor(name).unwrap_or_default();
            assert_near(&sums[..expected.len()], &expected, (1e-5, 1.0), &format!("{name} of {place}"));
        }
        for name in ["running_mean", "running_var"] {
            let expected = self.tensor(&format!("{name}_after"));
            expected
                .iter()
                .for_each(|expected| assert_near(&bench.tensor(name), expected, (1e-6, 1.0), place));
        }
    }
}

#[test]
fn layers_are_pytorchs_forward_and_backward() {
    let cases = cases::<LayerCase>("layers");
    assert!(cases.len() >= 12, "only {} cases", cases.len());
    cases.iter().for_each(|(place, case)| case.check(place));
}
