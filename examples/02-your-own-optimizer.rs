//! A custom optimizer compared with Adam: `cargo run --release --example 02-your-own-optimizer`
use schuss::optim::rule::{Custom, CustomRule, CustomTensor};
use schuss::optim::{Method, Rule};
use schuss::session::{Limits, Session};
use schuss::{Budget, Recipe, Result, Trial};
use std::sync::Arc;

/// Momentum with the step length normalised to `lr` times the square root of the tensor's number of weights.
#[derive(Debug)]
struct Normalised {
    lr: f32,
}

impl CustomRule for Normalised {
    fn name(&self) -> String {
        format!("normalised lr={}", self.lr)
    }

    fn slots(&self) -> usize {
        1
    }

    fn step(&self, tensor: &mut CustomTensor) {
        let velocity = &mut tensor.slots[0];
        velocity.iter_mut().zip(tensor.gradient).for_each(|(v, g)| *v += 0.1 * (g - *v));
        let length = velocity.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
        let step = self.lr * (velocity.len() as f32).sqrt() / length;
        tensor.weights.iter_mut().zip(velocity).for_each(|(w, v)| *w -= step * *v);
    }
}

fn main() -> Result<()> {
    let data = schuss::data::load("digits:train=6000,test=1000")?;
    let own: Method = Rule::from(Custom::from(Arc::new(Normalised { lr: 0.002 }))).into();
    for optimizer in [own, "adam".parse()?] {
        let recipe = Recipe { optimizer, ..Recipe::default() };
        let name = recipe.optimizer.to_string();
        let trial = Trial { recipe, budget: Budget { epochs: 3, ..Budget::default() }, ..Trial::default() };
        let outcome = Session::new(&trial, &data, Limits::default())?.run()?;
        println!("{name}: accuracy {:.3}", outcome.epochs[3].eval_accuracy.unwrap_or(0.0));
    }
    Ok(())
}
