//! Regression gate on the lectures' figures: our runs against PyTorch's results on MNIST (`golden/lectures.toml`), and
//! the lectures' ranking of optimizers on the built-in digits.
//!
//! The long tests run ten seeds of every recipe: `cargo test --release -p schuss --test lectures -- --ignored`.

mod common;

use common::{ONE_THREAD, golden, skip, trial};
use schuss::data::Dataset;
use schuss::record::EpochRecord;
use serde::Deserialize;
use std::sync::OnceLock;

#[derive(Deserialize)]
struct Lectures {
    model: String,
    recipe: Vec<LectureRecipe>,
}

#[derive(Deserialize)]
struct LectureRecipe {
    name: String,
    update: String,
    optimizer: String,
    figures: Vec<Figure>,
}

/// Mean and standard deviation of a metric over PyTorch's seeds.
#[derive(Clone, Deserialize)]
struct Figure {
    epoch: u32,
    metric: String,
    mean: f64,
    sd: f64,
}

impl Figure {
    fn of(&self, epochs: &[EpochRecord]) -> f64 {
        let row = &epochs[self.epoch as usize];
        match self.metric.as_str() {
            "train_loss" => row.train_loss.unwrap(),
            "eval_accuracy" => row.eval_accuracy.unwrap(),
            other => panic!("lectures.toml has a metric `{other}`"),
        }
    }

    /// Distance of `value` from PyTorch's mean, in PyTorch's standard deviations.
    fn deviations(&self, value: f64) -> f64 {
        (value - self.mean).abs() / self.sd
    }
}

fn lectures() -> Lectures {
    toml::from_str(&std::fs::read_to_string(golden().join("lectures.toml")).unwrap()).unwrap()
}

fn recipe(name: &str) -> LectureRecipe {
    lectures().recipe.into_iter().find(|recipe| recipe.name == name).unwrap()
}

/// MNIST, if available on this machine.
fn mnist() -> Option<&'static Dataset> {
    static MNIST: OnceLock<Option<Dataset>> = OnceLock::new();
    let load = || schuss::data::find("mnist").map(|_| schuss::data::load("mnist").unwrap());
    let data = MNIST.get_or_init(load).as_ref();
    if data.is_none() {
        skip("MNIST is not on this machine (set SCHUSS_DATA); the digits still cover the lectures' ranking");
    }
    data
}

fn digits() -> &'static Dataset {
    static DIGITS: OnceLock<Dataset> = OnceLock::new();
    DIGITS.get_or_init(|| schuss::data::load("digits").unwrap())
}

/// Rows of the given number of epochs of the lectures' network.
fn epochs(data: &Dataset, update: &str, optimizer: &str, epochs: u32, seed: u64) -> Vec<EpochRecord> {
    let mut trial = trial(&lectures().model, update, optimizer, epochs);
    trial.seed = seed;
    common::run(&trial, data, ONE_THREAD).0.epochs
}

/// Figures of `recipe` up to epoch `last`, each with the value measured for `seed`.
fn measured(recipe: &LectureRecipe, data: &Dataset, last: u32, seed: u64) -> Vec<(Figure, f64)> {
    let figures = recipe.figures.iter().filter(|figure| figure.epoch <= last);
    let last = figures.clone().map(|figure| figure.epoch).max().unwrap_or(0);
    let rows = epochs(data, &recipe.update, &recipe.optimizer, last, seed);
    figures.map(|figure| (figure.clone(), figure.of(&rows))).collect()
}

#[test]
fn one_seed_agrees_with_pytorchs_mnist_figures_within_five_deviations() {
    let Some(data) = mnist() else { return };
    for name in ["lecture-24b", "lecture-25-sgd", "lecture-25-momentum", "lecture-25-adam"] {
        let figures = measured(&recipe(name), data, 1, 1);
        assert!(!figures.is_empty(), "{name}");
        for (figure, found) in figures {
            let Figure { epoch, metric, mean, sd } = &figure;
            let deviations = figure.deviations(found);
            assert!(
                deviations <= 5.0,
                "{name}, epoch {epoch}, seed 1: {metric} {found}, expected {mean} ± {sd}: {deviations:.1} deviations off"
            );
        }
    }
}

/// The gate above must reject a wrong result: half the learning rate.
#[test]
fn half_the_learning_rate_is_not_mistaken_for_the_lectures_recipe() {
    let Some(data) = mnist() else { return };
    let mut recipe = recipe("lecture-24b");
    recipe.optimizer = "sgd:lr=0.05".into();
    for (figure, found) in measured(&recipe, data, 1, 1) {
        let deviations = figure.deviations(found);
        assert!(deviations > 5.0, "{} {found} is only {deviations:.1} deviations off", figure.metric);
    }
}

#[test]
#[ignore = "ten seeds of every recipe of both lectures, minutes: by hand with --ignored, when arithmetic changes"]
fn the_mean_of_ten_seeds_agrees_with_pytorchs_mnist_figures_within_two_deviations() {
    let Some(data) = mnist() else { return };
    let mut failures = vec![];
    for recipe in lectures().recipe {
        let runs: Vec<Vec<(Figure, f64)>> =
            (1..=10).map(|seed| measured(&recipe, data, u32::MAX, seed)).collect();
        for (i, (figure, _)) in runs[0].iter().enumerate() {
            let values: Vec<f64> = runs.iter().map(|run| run[i].1).collect();
            let (mean, sd) = mean_and_deviation(&values);
            let worst = values.iter().map(|&value| figure.deviations(value)).fold(0.0, f64::max);
            let line = format!(
                "{:20} epoch {:2} {:13} {mean:.5} ± {sd:.5}, PyTorch {} ± {}: mean {:.2} deviations off, worst seed {worst:.2}",
                recipe.name,
                figure.epoch,
                figure.metric,
                figure.mean,
                figure.sd,
                figure.deviations(mean)
            );
            println!("{line}");
            if figure.deviations(mean) > 2.0 || worst > 5.0 {
                failures.push(format!("{line}\n    seeds 1 to 10: {values:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let (n, mean) = (values.len() as f64, values.iter().sum::<f64>() / values.len() as f64);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}

/// Asserts the lectures' ranking on digits, by loss: after one epoch Adam is ahead of momentum and momentum of plain
/// SGD, all at learning rate 1e-4, and the batch rule at .1 has learnt most of the task.
fn assert_story(seed: u64) {
    let data = digits();
    let after_one = |optimizer| {
        let row = &epochs(data, "batch:100", optimizer, 1, seed)[1];
        (row.train_loss.unwrap(), row.eval_accuracy.unwrap())
    };
    let (adam, adam_accuracy) = after_one("adam:lr=0.0001");
    let (momentum, momentum_accuracy) = after_one("sgd:lr=0.0001,momentum=0.9");
    let (sgd, sgd_accuracy) = after_one("sgd:lr=0.0001");
    let (batch, batch_accuracy) = after_one("sgd:lr=0.1");
    println!(
        "digits, seed {seed}: adam {adam:.4}/{adam_accuracy:.4} momentum {momentum:.4}/{momentum_accuracy:.4} \
         sgd {sgd:.4}/{sgd_accuracy:.4} batch .1 {batch:.4}/{batch_accuracy:.4}"
    );
    assert!(adam < momentum && momentum < sgd, "seed {seed}: losses {adam} < {momentum} < {sgd} expected");
    assert!(
        (0.88..=0.96).contains(&batch_accuracy),
        "seed {seed}: batch rule {batch_accuracy}, not 88 to 96 %"
    );
    assert!(adam_accuracy > 0.80, "seed {seed}: Adam {adam_accuracy}, not above 80 %");
    assert!(sgd_accuracy < 0.50, "seed {seed}: SGD {sgd_accuracy}, not far below 80 %");
}

#[test]
fn digits_tell_the_lectures_story_by_loss() {
    assert_story(1);
}

#[test]
#[ignore = "ten seeds of four recipes, and the batch rule for ten epochs, minutes: by hand with --ignored, when arithmetic changes"]
fn digits_tell_the_lectures_story_for_ten_seeds() {
    for seed in 1..=10 {
        assert_story(seed);
        let rows = epochs(digits(), "batch:100", "sgd:lr=0.1", 10, seed);
        let accuracy = rows[10].eval_accuracy.unwrap();
        println!(
            "digits, seed {seed}: batch .1 after ten epochs {:.4}/{accuracy:.4}",
            rows[10].train_loss.unwrap()
        );
        assert!((0.96..=0.99).contains(&accuracy), "seed {seed}: batch rule {accuracy}, not 96 to 99 %");
    }
}
