//! Follows Burn's optimizers, with its own defaults, over gradients in f32.
//!
//! `burn-steps NAME LR`: stdin has the weights in its first line and a gradient in each that follows; stdout gets the
//! weights after each of them.

use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdamConfig, AdamWConfig, AdanConfig, LionConfig, Optimizer, RmsPropConfig, SgdConfig,
};
use burn::tensor::{Device, Tensor, TensorData};
use std::error::Error;
use std::io::{BufRead, stdin};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (name, lr) = (args.next().unwrap_or_default(), args.next().unwrap_or_default().parse()?);
    let momentum = MomentumConfig::new();
    let nesterov = momentum.clone().with_nesterov(true);
    match name.as_str() {
        "sgd" => follow(&SgdConfig::new().build(), lr),
        "sgd-momentum" => follow(&SgdConfig::new().with_momentum(Some(momentum)).build(), lr),
        "sgd-nesterov" => follow(&SgdConfig::new().with_momentum(Some(nesterov)).build(), lr),
        "adam" => follow(&AdamConfig::new().build(), lr),
        "adamw" => follow(&AdamWConfig::new().build(), lr),
        "rmsprop" => follow(&RmsPropConfig::new().build(), lr),
        "adagrad" => follow(&AdaGradConfig::new().build(), lr),
        "adan" => follow(&AdanConfig::new().build(), lr),
        "lion" => follow(&LionConfig::new().build(), lr),
        other => Err(format!("no optimizer {other}").into()),
    }
}

fn follow<O: Optimizer>(optimizer: &O, lr: f64) -> Result<(), Box<dyn Error>> {
    let device = Device::default();
    let mut lines = stdin().lock().lines().map(|line| vector(&line?, &device));
    let mut weights = lines.next().ok_or("no weights on stdin")??;
    let mut state = None;
    for gradient in lines {
        (weights, state) = optimizer.step(lr, weights, gradient?, state);
        let values = weights.to_data().try_to_vec::<f32>().map_err(|error| format!("{error:?}"))?;
        println!("{}", values.iter().map(f32::to_string).collect::<Vec<_>>().join(" "));
    }
    Ok(())
}

fn vector(line: &str, device: &Device) -> Result<Tensor<1>, Box<dyn Error>> {
    let values = line.split_whitespace().map(str::parse).collect::<Result<Vec<f32>, _>>()?;
    let length = values.len();
    Ok(Tensor::from_data(TensorData::new(values, [length]), device))
}
