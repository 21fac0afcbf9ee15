//! Autoencoders: reconstruction quality against scikit-image's measures (`golden/quality.py`), noise, sparse codes, and
//! the guarantees that hold for every trial.

mod common;

use common::{ONE_THREAD, bits, golden, rows_without_times, save_params, trial};
use schuss::data::{Dataset, ImageShape, Samples};
use schuss::loss::Loss;
use schuss::loss::Targets;
use schuss::network::{Params, Plan};
use schuss::recipe::{Recipe, Trial};
use schuss::record::EpochRecord;
use schuss::session::{Limits, Session};
use serde::Deserialize;

const NOISES: [&str; 3] = ["gaussian:std=0.4", "masking:p=0.4", "salt-and-pepper:p=0.3"];

/// An autoencoder of 8 x 8 images; everything else at its default.
fn autoencoder(model: &str, update: &str, optimizer: &str, epochs: u32) -> Trial {
    let trial = trial(model, update, optimizer, epochs);
    let recipe = Recipe { loss: "mse".parse::<Loss>().unwrap(), ..trial.recipe };
    Trial { targets: Targets::Input, recipe, ..trial }
}

fn digits(train: usize) -> Dataset {
    schuss::data::load(&format!("digits:train={train},test=300,size=8")).unwrap()
}

/// Loss on the evaluation split before the first and after the last update.
fn losses(trial: &Trial, data: &Dataset) -> [f64; 2] {
    let epochs = common::run(trial, data, ONE_THREAD).0.epochs;
    [&epochs[0], &epochs[epochs.len() - 1]].map(|row| row.eval_loss.unwrap())
}

/// Images, their reconstructions, and scikit-image's measures of these.
#[derive(Deserialize)]
struct Golden {
    channels: usize,
    height: usize,
    width: usize,
    images: Vec<Vec<u8>>,
    found: Vec<f32>,
    mse: f64,
    psnr: f64,
    ssim: Option<f64>,
}

impl Golden {
    fn data(&self) -> Dataset {
        let Self { channels, height, width, .. } = *self;
        let features = self.found.len();
        let split = || Samples::images(self.images.concat(), vec![0; self.images.len()], features).unwrap();
        let shape = ImageShape { channels, height, width }.into();
        Dataset { shape, ..common::data_of(split(), split(), 1) }
    }

    /// Evaluates a network that answers `found` for every image.
    fn evaluated(&self) -> EpochRecord {
        let features = self.found.len();
        let model = format!("{features}-{features}");
        let plan = Plan::new(&model.parse().unwrap(), features, 1).unwrap();
        let mut params = Params::zeros(plan.layout.clone());
        params.set_tensor(&plan.layout.entries()[1], self.found.iter().copied());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights.safetensors");
        save_params(&params, &file);
        let trial = Trial { init_from: Some(file), ..autoencoder(&model, "epoch", "sgd", 0) };
        common::run(&trial, &self.data(), ONE_THREAD).0.epochs.remove(0)
    }
}

#[test]
fn mse_psnr_and_ssim_are_those_of_scikit_image() {
    let cases = std::fs::read_dir(golden().join("quality")).unwrap();
    let mut seen = 0;
    for case in cases.map(|case| case.unwrap().path()) {
        let golden: Golden = serde_json::from_str(&std::fs::read_to_string(&case).unwrap()).unwrap();
        let row = golden.evaluated();
        let [mse, psnr, ssim] = ["mse", "psnr", "ssim"].map(|name| row.metrics[name]);
        let close = |found: Option<f64>, expected: f64| {
            (found.unwrap() - expected).abs() < 1e-6 * expected.abs().max(1.0)
        };
        assert!(close(mse, golden.mse) && close(psnr, golden.psnr), "{}: {:?}", case.display(), row.metrics);
        assert_eq!(ssim.is_some(), golden.ssim.is_some(), "{}", case.display());
        let gap = golden.ssim.map_or(0.0, |expected| (ssim.unwrap() - expected).abs());
        assert!(gap < 1e-6, "{}: off by {gap:e}", case.display());
        assert!(close(row.eval_loss, golden.mse) && row.eval_accuracy.is_none(), "{}", case.display());
        seen += 1;
    }
    assert_eq!(seen, 9);
}

#[test]
fn an_autoencoder_learns_to_reconstruct_what_it_has_not_seen() {
    let data = digits(1_000);
    let trial = autoencoder(
        "linear:40,relu,linear:16,relu,linear:40,relu,linear:64,sigmoid",
        "batch:20",
        "adam:lr=0.003",
        8,
    );
    let (outcome, _) = common::run(&trial, &data, ONE_THREAD);
    let similarity: Vec<f64> = outcome.epochs.iter().map(|row| row.metrics["ssim"].unwrap()).collect();
    assert!(similarity[0] < 0.2 && similarity[8] > 0.7, "{similarity:?}");
    let test = outcome.evaluation.unwrap();
    assert!(test.accuracy.is_none() && (test.loss - test.metrics["mse"].unwrap()).abs() < 1e-6);
}

#[test]
fn under_every_noise_the_network_learns_to_take_it_away() {
    let data = digits(1_000);
    for noise in NOISES {
        let plain = autoencoder("linear:48,relu,linear:64,sigmoid", "batch:20", "adam:lr=0.003", 25);
        let denoising = Trial { noise: Some(noise.parse().unwrap()), ..plain.clone() };
        let [before, after] = losses(&denoising, &data);
        assert!(after < 0.6 * before, "{noise}: {before} {after}");
        // A network trained without noise passes the same noise on, since it has not learnt to remove it.
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("weights.safetensors");
        save_params(&common::run(&plain, &data, ONE_THREAD).1, &file);
        let mut naive = Trial { init_from: Some(file), ..denoising };
        naive.budget.epochs = 0;
        let [untaught, _] = losses(&naive, &data);
        assert!(after < 0.9 * untaught, "{noise}: {after}, without noise in training {untaught}");
    }
}

/// Mean sigmoid activity of the first layer's units over the test images.
fn mean_activity(params: &Params, data: &Dataset) -> f64 {
    let [weights, biases] = [0, 1].map(|entry| params.tensor(&params.layout().entries()[entry]));
    let inputs = data.shape.features();
    let activity = |sample: usize, unit: usize| {
        let products = weights[unit * inputs..].iter().zip(common::resident(&data.test).pixels(sample));
        let z: f32 = products.map(|(w, &pixel)| w * f32::from(pixel) / 255.0).sum::<f32>() + biases[unit];
        1.0 / (1.0 + f64::from(-z).exp())
    };
    let all: Vec<f64> = (0..100)
        .flat_map(|sample| (0..biases.len()).map(move |unit| (sample, unit)))
        .map(|(s, u)| activity(s, u))
        .collect();
    all.iter().sum::<f64>() / all.len() as f64
}

#[test]
fn a_sparse_code_is_less_active_the_more_sparsity_weighs() {
    let data = digits(1_000);
    let activity = |penalty: &str| {
        let model = format!("linear:80,sigmoid,{penalty}linear:64,sigmoid");
        let trial = autoencoder(&model, "batch:20", "adam:lr=0.003", 8);
        let (outcome, params) = common::run(&trial, &data, ONE_THREAD);
        let loss = outcome.evaluation.unwrap().loss;
        assert!(loss < 0.06, "{penalty}: {loss}");
        mean_activity(&params, &data)
    };
    let dense = activity("");
    for penalties in [
        ["activity-l1:weight=0.0001,", "activity-l1:weight=0.001,"],
        ["activity-kl:rho=0.05,weight=0.0001,", "activity-kl:rho=0.05,weight=0.003,"],
    ] {
        let [light, heavy] = penalties.map(activity);
        assert!(
            heavy < light && light < dense && heavy < 0.5 * dense,
            "{penalties:?}: {dense} {light} {heavy}"
        );
    }
    assert!((activity("activity-kl:rho=0.2,weight=0.03,") - 0.2).abs() < 0.05);
}

#[test]
fn the_bits_of_an_autoencoder_are_the_same_for_all_threads_and_microbatches() {
    let data = digits(500);
    let model = "linear:33,sigmoid,activity-kl:weight=0.001,linear:64,sigmoid";
    let plain = "64-33-64";
    for (update, model, noise) in [
        ("epoch", model, Some(NOISES[0])),
        ("batch:50", model, Some(NOISES[1])),
        ("batch:7", plain, Some(NOISES[2])),
        ("sample", plain, None),
        ("sample", plain, Some(NOISES[1])),
    ] {
        let trial = autoencoder(model, update, "sgd:lr=0.05,momentum=0.9", 2);
        let trial = Trial { noise: noise.map(|noise| noise.parse().unwrap()), ..trial };
        let fixed = |limits| {
            let (outcome, params) = common::run(&trial, &data, limits);
            (bits(&params), rows_without_times(&outcome))
        };
        let expected = fixed(ONE_THREAD);
        for (threads, microbatch) in [(2, None), (3, Some(100)), (1, Some(1)), (2, Some(7))] {
            let found = fixed(Limits { threads, microbatch, ..ONE_THREAD });
            assert!(found == expected, "{update} {noise:?}, {threads} threads, microbatch {microbatch:?}");
        }
    }
}

#[test]
fn autoencoders_learn_under_every_update_rule_and_kind_of_optimizer() {
    let data = digits(500);
    for (update, optimizer, epochs) in [
        ("epoch", "adam:lr=0.01", 40),
        ("epoch", "rprop", 40),
        ("batch:20", "sgd:lr=1,momentum=0.9", 3),
        ("batch:20", "rmsprop:lr=0.003", 3),
        ("batch:20", "lion:lr=0.001", 3),
        ("batch:20", "adafactor", 3),
        ("batch:20", "weights@muon:lr=0.02/adamw:lr=0.003", 3),
        ("batch:20", "soap:lr=0.01", 3),
        ("batch:20", "schedule-free-adamw:lr=0.01", 3),
        ("batch:20", "clip-global-norm:1+adamw:lr=0.003", 3),
        ("sample", "sgd:lr=0.3", 3),
        ("sample", "adam:lr=0.001", 3),
    ] {
        let [before, after] =
            losses(&autoencoder("linear:32,relu,linear:64,sigmoid", update, optimizer, epochs), &data);
        assert!(after < 0.6 * before, "{update} {optimizer}: {before} {after}");
    }
}

#[test]
fn a_network_of_other_outputs_or_a_loss_of_classes_is_a_usage_error() {
    let data = digits(10);
    let refused = |trial: &Trial, part: &str| {
        let error = Session::new(trial, &data, ONE_THREAD).err().unwrap();
        assert!(error.exit_code() == 2 && error.what.contains(part) && error.advice.is_some(), "{error}");
    };
    refused(&autoencoder("64-10", "epoch", "sgd", 1), "has 10 outputs, but a sample has 64 numbers");
    let trial = autoencoder("64-64", "epoch", "sgd", 1);
    let recipe = Recipe { loss: Loss::default(), ..trial.recipe };
    refused(&Trial { recipe, ..trial }, "cross-entropy");
}
