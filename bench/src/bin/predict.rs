//! `predict MODEL DATA PASSES`: times predictions of all test samples in memory, as often, and prints one line of JSON.

use schuss::data::Split;
use schuss::network::Predictor;
use schuss::session::Limits;
use schuss::study::{TrainedModel, Workload};
use schuss::{Error, Result};
use schuss_bench::command;
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    command::exit_code(run())
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, data, passes] = &arguments[..] else {
        return Err(Error::usage("a model, data and a number of passes are needed")
            .advise("predict MODEL DATA PASSES"));
    };
    let passes = command::count("PASSES", passes)?;
    let threads = Limits::default().threads;
    let mut model = TrainedModel::open(Path::new(model), threads)?;
    let test = model.evaluation_data(Some(&Workload::of(data)))?.data.test;
    let test = Split::from(test.read(&(0..test.len() as u64).collect::<Vec<_>>())?);
    let begun = Instant::now();
    let mut correct = correct(&mut model.predictor, &test)?;
    let warmup = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    for _ in 0..passes {
        correct = self::correct(&mut model.predictor, &test)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (rows, pass) = (test.len(), seconds / passes as f64);
    println!(
        "{{\"peer\": \"schuss\", \"version\": \"{}\", \"workload\": \"predict {}\", \"threads\": {threads}, \
         \"samples\": {}, \"seconds\": {seconds}, \"epoch_seconds\": {pass}, \"accuracy\": {}, \
         \"warmup_seconds\": {warmup}}}",
        env!("CARGO_PKG_VERSION"),
        model.predictor.about().model,
        rows * passes,
        correct as f64 / rows as f64,
    );
    Ok(())
}

/// Predicts every sample; returns the number of classes that are the samples' labels.
fn correct(predictor: &mut Predictor, split: &Split) -> Result<usize> {
    let mut correct = 0;
    predictor.predict_classes(split, &mut |found| {
        correct += usize::from(found.label == Some(found.class));
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(correct)
}
