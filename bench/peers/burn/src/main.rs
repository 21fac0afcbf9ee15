//! Benchmark of Burn on its CPU backend `flex`.

#[path = "../../common.rs"]
mod common;

use burn::module::Module;
use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::nn::{Linear, LinearConfig};
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor, TensorData};
use common::{Result, WIDTHS, Work};

const VERSION: &str = "0.22.1 flex";

/// Linear layers and ReLU; Burn's default initial weights are those of PyTorch.
#[derive(Module, Debug)]
struct Network {
    layers: Vec<Linear>,
}

impl Network {
    fn new(device: &Device) -> Self {
        let layers = WIDTHS.windows(2).map(|pair| LinearConfig::new(pair[0], pair[1]).init(device));
        Self { layers: layers.collect() }
    }

    fn forward(&self, images: Tensor<2>) -> Tensor<2> {
        let (last, hidden) = self.layers.split_last().expect("a network has layers");
        last.forward(hidden.iter().fold(images, |x, layer| relu(layer.forward(x))))
    }
}

/// The optimizer with PyTorch's defaults, and its learning rate.
fn optimizer(work: &Work) -> Result<(ModuleOptimizer, f64)> {
    let optimizer = match work.optimizer()? {
        ("sgd", _, 0.0) => SgdConfig::new().init(),
        ("sgd", _, momentum) => {
            let momentum = MomentumConfig::new().with_momentum(momentum).with_dampening(0.0);
            SgdConfig::new().with_momentum(Some(momentum)).init()
        }
        ("adam", ..) => AdamConfig::new().with_epsilon(1e-8).init(),
        (name, ..) => return Err(format!("no optimizer {name}").into()),
    };
    Ok((optimizer, work.optimizer()?.1))
}

/// The whole training set as two tensors.
struct Data {
    images: Tensor<2>,
    labels: Tensor<1, Int>,
    device: Device,
}

impl Data {
    fn read(work: &Work, device: Device) -> Result<Self> {
        let (images, labels) = common::read_training_set(&work.mnist)?;
        let labels: Vec<i64> = labels.into_iter().map(i64::from).collect();
        let count = labels.len();
        Ok(Self {
            images: Tensor::from_data(TensorData::new(images, [count, WIDTHS[0]]), &device),
            labels: Tensor::from_data(TensorData::new(labels, [count]), &device),
            device,
        })
    }

    /// Returns the mean loss of the samples at `indices`.
    fn loss(&self, network: &Network, criterion: &CrossEntropyLoss, indices: &[u32]) -> Tensor<1> {
        let indices: Vec<i64> = indices.iter().map(|&index| index.into()).collect();
        let indices = Tensor::<1, Int>::from_data(indices.as_slice(), &self.device);
        let labels = self.labels.clone().select(0, indices.clone());
        criterion.forward(network.forward(self.images.clone().select(0, indices)), labels)
    }
}

fn main() -> Result<()> {
    let work = Work::from_arguments()?;
    let device = Device::flex().autodiff();
    device.seed(work.seed);
    let data = Data::read(&work, device.clone())?;
    let pass = work.samples_per_pass()?;
    let share = pass as f64 / work.samples_per_update()? as f64;
    let new_training = || {
        let criterion = CrossEntropyLossConfig::new().init(&device);
        let (mut optimizer, rate) = optimizer(&work)?;
        let mut owned = Some(Network::new(&device));
        let data = &data;
        Ok(move |samples: &[u32]| {
            let network = owned.take().ok_or("the last update failed")?;
            let mut sum = GradientsAccumulator::new();
            let mut loss_sum = 0.0;
            for part in samples.chunks(pass) {
                let mut loss = data.loss(&network, &criterion, part);
                if share != 1.0 {
                    loss = loss.mul_scalar(share);
                }
                sum.accumulate(&network, GradientsParams::from_grads(loss.backward(), &network));
                loss_sum += f64::from(loss.into_scalar::<f32>());
            }
            owned = Some(optimizer.step(rate, network, sum.grads())); // moved, so that it is updated in place
            Ok(loss_sum)
        })
    };
    common::race("burn", VERSION, &work, new_training)
}
