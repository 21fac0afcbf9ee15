//! `predict MODEL DATA PASSES`: times predictions of all test samples in memory, as often, and prints one line of JSON.

use schuss::data::Split;
use schuss::network::Predictor;
use schuss::session::Limits;
use schuss::study::{TrainedModel, Workload};
use schuss::{Error, Result};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, data, passes] = &arguments[..] else {
        return Err(Error::usage("a model, data and a number of passes are needed")
            .advise("predict MODEL DATA PASSES"));
    };
    let passes = passes.parse::<u32>().ok().filter(|&passes| passes > 0);
    let passes = passes.ok_or_else(|| Error::usage("PASSES must be a whole number, at least 1"))?;
    let threads = Limits::default().threads;
    let mut model = TrainedModel::open(Path::new(model), threads)?;
    let data = model.evaluation_data(Some(&Workload::of(data)))?.data;
    let begun = Instant::now();
    let mut correct = correct(&mut model.predictor, &data.test)?;
    let warmup = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    for _ in 0..passes {
        correct = self::correct(&mut model.predictor, &data.test)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let (rows, pass) = (data.test.len(), seconds / f64::from(passes));
    println!(
        "{{\"peer\": \"schuss\", \"version\": \"{}\", \"workload\": \"predict {}\", \"threads\": {threads}, \
         \"samples\": {}, \"seconds\": {seconds}, \"epoch_seconds\": {pass}, \"accuracy\": {}, \
         \"warmup_seconds\": {warmup}}}",
        env!("CARGO_PKG_VERSION"),
        model.predictor.about().model,
        rows * passes as usize,
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
