//! Gradients: a plain f64 twin of the network is checked against central differences, and the library against the twin
//! and against PyTorch's recorded gradients.

mod common;

use common::twin::{Sample, Twin, samples};
use common::{ONE_THREAD, data_of, golden, largest, random_data, save_params, trial, zero_params};
use schuss::data::{Dataset, Samples};
use schuss::network::{Init, Params};
use schuss::session::Limits;
use serde::Deserialize;

/// Awkward shapes: narrower than a vector of 16, equally wide, and slightly wider; also a single class.
const MODELS: [&str; 8] =
    ["1-2", "5-3", "1-16-2", "20-7-3", "3-15-65", "17-16-15-2", "33-65-4", "20-33-16-12-3"];

/// A power of two, so that dividing a step by it is exact, and large, so that steps dwarf the weights' rounding.
const LR: f64 = 1024.0;

/// Required agreement in f32: a few roundings of 6e-8.
const SHARE: f64 = 1e-6;

fn widths(model: &str) -> (usize, usize) {
    let width = |text: Option<&str>| text.unwrap().parse().unwrap();
    (width(model.split('-').next()), width(model.split('-').next_back()))
}

/// Initial weights of `model` for `seed`.
fn drawn(model: &str, seed: u64) -> Params {
    let (_, classes) = widths(model);
    Params::init(zero_params(model, classes).layout().clone(), &Init::default(), seed)
}

/// The library's gradient over all of `data.train`, per tensor in PyTorch's order: the step of one update of plain SGD,
/// divided by the learning rate.
fn library_gradient(model: &str, params: &Params, data: &Dataset, limits: Limits) -> Vec<Vec<f64>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weights.safetensors");
    save_params(params, &file);
    let mut trial = trial(model, "epoch", &format!("sgd:lr={LR}"), 1);
    trial.init_from = Some(file);
    let (outcome, after) = common::run(&trial, data, limits);
    assert_eq!(outcome.updates, 1);
    let tensors = Twin::of(params).tensors.into_iter().zip(Twin::of(&after).tensors);
    tensors.map(|(w0, w1)| w0.iter().zip(w1).map(|(w0, w1)| (w0 - w1) / LR).collect()).collect()
}

/// Asserts that the library's gradient agrees with `expected` for every tensor, to within `share` of the largest slope
/// of any single sample (sums over samples cancel), plus the error of rounding the updated weights to f32.
fn assert_close(
    found: &[Vec<f64>],
    expected: &[Vec<f64>],
    twin: &Twin,
    samples: &[Sample],
    share: f64,
    case: &str,
) {
    let scales = largest_slopes(twin, samples);
    assert_eq!(found.len(), expected.len(), "{case}");
    for (tensor, (found, expected)) in found.iter().zip(expected).enumerate() {
        let rounding = f64::from(f32::EPSILON) * largest(&twin.tensors[tensor]) / LR;
        let allowed = share * scales[tensor] + rounding;
        let error = common::largest_difference(found, expected);
        assert!(
            error <= allowed,
            "{case}, tensor {tensor}: off by {error:e}, allowed {allowed:e}\nexpected {expected:?}\nfound {found:?}"
        );
    }
}

/// Largest slope of any single sample's loss, per tensor.
fn largest_slopes(twin: &Twin, samples: &[Sample]) -> Vec<f64> {
    let mut largest_slopes = vec![0.0_f64; twin.tensors.len()];
    for sample in samples.chunks(1) {
        for (slope, tensor) in largest_slopes.iter_mut().zip(twin.gradient(sample)) {
            *slope = slope.max(largest(&tensor));
        }
    }
    largest_slopes
}

/// Slope of the twin's loss along every weight: (J(w + h) − J(w − h)) / 2h.
fn central_differences(twin: &Twin, samples: &[Sample]) -> Vec<Vec<f64>> {
    const H: f64 = 1e-6;
    let mut moved = twin.clone();
    let mut slope = |tensor: usize, i: usize| {
        let w = twin.tensors[tensor][i];
        let mut loss_at = |w| {
            moved.tensors[tensor][i] = w;
            moved.loss(samples)
        };
        let slope = (loss_at(w + H) - loss_at(w - H)) / (2.0 * H);
        moved.tensors[tensor][i] = w;
        slope
    };
    (0..twin.tensors.len()).map(|t| (0..twin.tensors[t].len()).map(|i| slope(t, i)).collect()).collect()
}

#[test]
fn the_f64_twins_gradients_agree_with_central_differences_in_every_layer() {
    for (seed, model) in (1..).zip(MODELS) {
        let (inputs, classes) = widths(model);
        let samples = samples(&random_data(inputs, classes, 6, 1, seed).train);
        let twin = Twin::of(&drawn(model, seed));
        let (found, expected) = (twin.gradient(&samples), central_differences(&twin, &samples));
        assert_eq!(found.len(), expected.len(), "{model}");
        for (tensor, (found, expected)) in found.iter().zip(&expected).enumerate() {
            let error = common::largest_difference(found, expected);
            assert!(
                error < 2e-9,
                "{model}, seed {seed}, tensor {tensor}: off by {error:e}\nexpected {expected:?}\nfound {found:?}"
            );
        }
    }
}

#[test]
fn the_librarys_gradients_agree_with_the_f64_twins_for_awkward_shapes_and_numbers_of_samples() {
    for (seed, model) in (1..).zip(MODELS) {
        let (inputs, classes) = widths(model);
        let params = drawn(model, seed);
        for len in [1, 2, 17, 300] {
            let data = random_data(inputs, classes, len, 1, seed);
            let (twin, samples) = (Twin::of(&params), samples(&data.train));
            let expected = twin.gradient(&samples);
            for microbatch in [None, Some(16)] {
                let found = library_gradient(model, &params, &data, Limits { microbatch, ..ONE_THREAD });
                let case = format!("{model}, seed {seed}, {len} samples, microbatch {microbatch:?}");
                assert_close(&found, &expected, &twin, &samples, SHARE, &case);
            }
        }
    }
}

#[test]
fn the_librarys_gradients_agree_with_the_f64_twins_beyond_one_leaf_of_4096_samples() {
    for model in ["5-3", "17-16-15-2"] {
        let (inputs, classes) = widths(model);
        let params = drawn(model, 1);
        for len in [4_096, 4_097, 9_000] {
            let data = random_data(inputs, classes, len, 1, 1);
            let (twin, samples) = (Twin::of(&params), samples(&data.train));
            let found = library_gradient(model, &params, &data, ONE_THREAD);
            let case = format!("{model}, {len} samples");
            assert_close(&found, &twin.gradient(&samples), &twin, &samples, SHARE, &case);
        }
    }
}

/// A unit with zero weights and bias sits at ReLU's kink, where the derivative is taken as 0: it learns nothing.
#[test]
fn units_with_zero_weights_get_no_gradient_and_the_others_the_twins() {
    let (model, data) = ("20-7-5-3", random_data(20, 3, 40, 1, 3));
    let is_dead = |unit: usize| unit.is_multiple_of(2);
    let mut params = drawn(model, 3);
    for entry in params.layout().clone().entries().iter().take(2) {
        let values = params.tensor(entry);
        let fan_in = values.len() / 7;
        let dead = values.iter().enumerate().map(|(i, &w)| if is_dead(i / fan_in) { 0.0 } else { w });
        params.set_tensor(entry, dead.collect::<Vec<_>>());
    }
    let (twin, samples) = (Twin::of(&params), samples(&data.train));
    let found = library_gradient(model, &params, &data, ONE_THREAD);
    assert_close(&found, &twin.gradient(&samples), &twin, &samples, SHARE, model);
    for (unit, row) in found[0].chunks_exact(20).enumerate() {
        assert_eq!(is_dead(unit), row.iter().all(|&slope| slope == 0.0), "unit {unit}: {row:?}");
    }
}

#[derive(Deserialize)]
struct Case {
    model: String,
    inputs: Vec<f32>,
    labels: Vec<u32>,
    loss: f64,
    parameters: Vec<Tensor>,
    gradients: Vec<Tensor>,
}

#[derive(Deserialize)]
struct Tensor {
    values: Vec<f64>,
}

impl Case {
    fn params(&self) -> Params {
        let mut params = zero_params(&self.model, widths(&self.model).1);
        for (entry, tensor) in params.layout().clone().entries().iter().zip(&self.parameters) {
            params.set_tensor(entry, tensor.values.iter().map(|&w| w as f32));
        }
        params
    }

    /// Recovers the pixels: recorded inputs are pixels / 255 in f32.
    fn data(&self) -> Dataset {
        let pixels: Vec<u8> = self.inputs.iter().map(|x| (x * 255.0).round() as u8).collect();
        assert!(pixels.iter().zip(&self.inputs).all(|(&pixel, &x)| f32::from(pixel) / 255.0 == x));
        let split = Samples::images(pixels, self.labels.clone(), widths(&self.model).0).unwrap();
        data_of(split.clone(), split, widths(&self.model).1)
    }
}

#[test]
fn pytorchs_recorded_gradients_agree_with_the_twin_and_the_library() {
    let files: Vec<_> = std::fs::read_dir(golden().join("gradients")).unwrap().collect();
    assert!(files.len() >= 10, "only {} recorded cases", files.len());
    for file in files {
        let path = file.unwrap().path();
        let case: Case = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (data, params) = (case.data(), case.params());
        let (twin, samples) = (Twin::of(&params), samples(&data.train));
        let expected: Vec<Vec<f64>> = case.gradients.iter().map(|tensor| tensor.values.clone()).collect();
        let (name, loss) = (path.display().to_string(), twin.loss(&samples));
        assert!(
            (loss - case.loss).abs() <= 1e-12 * case.loss.max(1.0),
            "{name}: loss {loss}, not {}",
            case.loss
        );
        assert_eq!(twin.tensors.len(), expected.len(), "{name}");
        for (found, expected) in twin.gradient(&samples).iter().zip(&expected) {
            let error = common::largest_difference(found, expected);
            assert!(error <= 1e-12 * largest(expected).max(1.0), "{name}: the twin is off by {error:e}");
        }
        let found = library_gradient(&case.model, &params, &data, ONE_THREAD);
        assert_close(&found, &expected, &twin, &samples, SHARE, &name);
    }
}
