//! Benchmark of candle on its CPU backend. Its SGD has no momentum.

#[path = "../../common.rs"]
mod common;

use candle_core::{DType, Device, Tensor, Var, backprop::GradStore};
use candle_nn::{AdamW, Init, Linear, Module, Optimizer, ParamsAdamW, SGD, VarBuilder, VarMap, loss};
use common::{Result, WIDTHS, Work};

const VERSION: &str = "0.11.1";

/// Linear layers and ReLU, with PyTorch's default initial weights instead of candle's (normal).
struct Network {
    layers: Vec<Linear>,
}

impl Network {
    fn new(weights: &VarMap) -> Result<Self> {
        let builder = VarBuilder::from_varmap(weights, DType::F32, &Device::Cpu);
        let layer = |(index, pair): (usize, &[usize])| -> Result<Linear> {
            let bound = (pair[0] as f64).powf(-0.5);
            let (builder, init) = (builder.pp(index), Init::Uniform { lo: -bound, up: bound });
            let weight = builder.get_with_hints((pair[1], pair[0]), "weight", init)?;
            Ok(Linear::new(weight, Some(builder.get_with_hints(pair[1], "bias", init)?)))
        };
        Ok(Self { layers: WIDTHS.windows(2).enumerate().map(layer).collect::<Result<_>>()? })
    }

    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let (last, hidden) = self.layers.split_last().ok_or("a network has layers")?;
        let mut x = images.clone();
        for layer in hidden {
            x = layer.forward(&x)?.relu()?;
        }
        Ok(last.forward(&x)?)
    }
}

/// candle's two optimizers, which share no object-safe trait.
enum Descent {
    Sgd(SGD),
    Adam(AdamW),
}

impl Descent {
    fn new(work: &Work, weights: Vec<Var>) -> Result<Self> {
        match work.optimizer()? {
            ("sgd", rate, 0.0) => Ok(Self::Sgd(SGD::new(weights, rate)?)),
            ("adam", lr, _) => {
                let options = ParamsAdamW { lr, weight_decay: 0.0, ..ParamsAdamW::default() };
                Ok(Self::Adam(AdamW::new(weights, options)?))
            }
            (name, ..) => Err(format!("candle has no {name} with momentum").into()),
        }
    }

    fn step(&mut self, gradients: &GradStore) -> Result<()> {
        match self {
            Self::Sgd(optimizer) => Ok(optimizer.step(gradients)?),
            Self::Adam(optimizer) => Ok(optimizer.step(gradients)?),
        }
    }
}

/// Adds the gradients of another pass to those of the passes before.
fn accumulate(sum: Option<GradStore>, mut gradients: GradStore, weights: &[Var]) -> Result<GradStore> {
    if let Some(sum) = sum {
        for weight in weights {
            if let (Some(before), Some(now)) = (sum.get(weight), gradients.get(weight)) {
                let total = (before + now)?;
                gradients.insert(weight, total);
            }
        }
    }
    Ok(gradients)
}

fn main() -> Result<()> {
    let work = Work::from_arguments()?;
    let (images, labels) = common::read_training_set(&work.mnist)?;
    let count = labels.len();
    let images = Tensor::from_vec(images, (count, WIDTHS[0]), &Device::Cpu)?;
    let labels =
        Tensor::from_vec(labels.into_iter().map(u32::from).collect::<Vec<_>>(), count, &Device::Cpu)?;
    let pass = work.samples_per_pass()?;
    let share = pass as f64 / work.samples_per_update()? as f64;
    let new_training = || {
        let map = VarMap::new();
        let network = Network::new(&map)?;
        let weights = map.all_vars();
        let mut optimizer = Descent::new(&work, weights.clone())?;
        let (images, labels) = (&images, &labels);
        Ok(move |samples: &[u32]| {
            let mut sum = None;
            let mut loss_sum = 0.0;
            for part in samples.chunks(pass) {
                let indices = Tensor::new(part, &Device::Cpu)?;
                let logits = network.forward(&images.index_select(&indices, 0)?)?;
                let mut loss = loss::cross_entropy(&logits, &labels.index_select(&indices, 0)?)?;
                if share != 1.0 {
                    loss = (loss * share)?;
                }
                sum = Some(accumulate(sum, loss.backward()?, &weights)?);
                loss_sum += f64::from(loss.to_scalar::<f32>()?);
            }
            optimizer.step(&sum.ok_or("an update has samples")?)?;
            Ok(loss_sum)
        })
    };
    common::race("candle", VERSION, &work, new_training)
}
