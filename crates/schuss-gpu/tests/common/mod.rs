//! Trials on a card and on the processor.
#![allow(dead_code)] // every test program uses only a part

use schuss::Trial;
use schuss::data::Dataset;
use schuss::session::{Limits, Session};
use schuss_gpu::{Adapter, Gpu};
use std::io::Write;

pub(crate) const ONE_THREAD: fn() -> Limits = || Limits { threads: 1, ..Limits::default() };

/// Returns the first adapter, mostly a program that imitates a card. Where there is none, the test is said to be skipped.
pub(crate) fn adapter(test: &str) -> Option<Adapter> {
    let first = Adapter::all().into_iter().next();
    if first.is_none() {
        let skipped = format!("SKIPPED {test}: no driver offers a graphics card\n");
        std::io::stderr().write_all(skipped.as_bytes()).unwrap(); // shown even if output is captured
    }
    first
}

pub(crate) fn digits() -> Dataset {
    schuss::data::load("digits:train=300,test=60,size=8").unwrap()
}

/// Trial with this model, update rule and optimizer on the digits of 8 x 8 pixels.
pub(crate) fn trial(model: &str, update: &str, optimizer: &str, epochs: u32) -> Trial {
    let mut trial = Trial { model: model.parse().unwrap(), ..Trial::default() };
    trial.recipe.update = update.parse().unwrap();
    trial.recipe.optimizer = optimizer.parse().unwrap();
    trial.budget.epochs = epochs;
    trial
}

pub(crate) fn on_card(trial: &Trial, data: &Dataset, adapter: &Adapter) -> Session {
    let gpu = Gpu::new(trial, data, ONE_THREAD(), adapter).unwrap();
    Session::with_engine(Box::new(gpu), None, trial, data, ONE_THREAD()).unwrap()
}

pub(crate) fn on_processor(trial: &Trial, data: &Dataset) -> Session {
    Session::new(trial, data, ONE_THREAD()).unwrap()
}

/// Largest difference between two lists of numbers.
pub(crate) fn largest_difference(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}
