//! Plain f64 twin of the network: its backward pass is checked against central differences, and the library against the
//! twin.

use schuss::data::Split;
use schuss::network::Params;

/// Linear layers with ReLU between them, under softmax cross-entropy.
#[derive(Clone, Debug)]
pub(crate) struct Twin {
    /// Weight `[outputs, inputs]` and bias of each layer, in PyTorch's order.
    pub(crate) tensors: Vec<Vec<f64>>,
}

/// An input and its class.
pub(crate) type Sample = (Vec<f64>, usize);

/// Samples of a split as the library uses them: f32 numbers.
pub(crate) fn samples(split: &Split) -> Vec<Sample> {
    let split = super::resident(split);
    let input = |i| split.pixels(i).iter().map(|&pixel| f64::from(f32::from(pixel) / 255.0)).collect();
    (0..split.len()).map(|i| (input(i), split.classes()[i] as usize)).collect()
}

impl Twin {
    /// Twin with the same weights.
    pub(crate) fn of(params: &Params) -> Self {
        let entries = params.layout().entries().iter();
        let tensor = |entry| params.tensor(entry).into_iter().map(f64::from).collect();
        Self { tensors: entries.map(tensor).collect() }
    }

    /// Inputs of every layer, followed by the logits.
    pub(crate) fn forward(&self, input: &[f64]) -> Vec<Vec<f64>> {
        let mut values = vec![input.to_vec()];
        for (index, layer) in self.tensors.chunks_exact(2).enumerate() {
            let x = &values[index];
            let rows = layer[0].chunks_exact(x.len()).zip(&layer[1]);
            let outputs = rows.map(|(row, bias)| bias + dot(row, x));
            let last = index + 1 == self.tensors.len() / 2;
            values.push(outputs.map(|y| if last { y } else { y.max(0.0) }).collect());
        }
        values
    }

    /// Mean loss.
    pub(crate) fn loss(&self, samples: &[Sample]) -> f64 {
        let loss = |(x, class): &Sample| cross_entropy(self.forward(x).last().unwrap(), *class).0;
        samples.iter().map(loss).sum::<f64>() / samples.len() as f64
    }

    /// Fraction of samples whose largest logit is that of their class.
    pub(crate) fn accuracy(&self, samples: &[Sample]) -> f64 {
        let right = |(x, class): &&Sample| {
            let logits = self.forward(x).pop().unwrap();
            logits.iter().all(|logit| *logit <= logits[*class])
        };
        samples.iter().filter(right).count() as f64 / samples.len() as f64
    }

    /// Gradient of the mean loss, tensor by tensor.
    pub(crate) fn gradient(&self, samples: &[Sample]) -> Vec<Vec<f64>> {
        let mut sums: Vec<Vec<f64>> = self.tensors.iter().map(|tensor| vec![0.0; tensor.len()]).collect();
        samples.iter().for_each(|sample| self.add_gradient(sample, &mut sums));
        sums.iter_mut().flatten().for_each(|sum| *sum /= samples.len() as f64);
        sums
    }

    fn add_gradient(&self, (input, class): &Sample, sums: &mut [Vec<f64>]) {
        let values = self.forward(input);
        let deltas = self.backward(&values, cross_entropy(values.last().unwrap(), *class).1);
        for (layer, (x, delta)) in values.iter().zip(deltas).enumerate() {
            for (o, d) in delta.iter().enumerate() {
                let row = &mut sums[2 * layer][o * x.len()..][..x.len()];
                row.iter_mut().zip(x).for_each(|(sum, x)| *sum += d * x);
                sums[2 * layer + 1][o] += d;
            }
        }
    }

    /// Gradient at the outputs of every layer, from the gradient at the logits and the values of [`Self::forward`].
    pub(crate) fn backward(&self, values: &[Vec<f64>], top: Vec<f64>) -> Vec<Vec<f64>> {
        let mut deltas = vec![top];
        for (x, weight) in values.iter().zip(self.tensors.iter().step_by(2)).skip(1).rev() {
            let column = |i: usize| weight[i..].iter().step_by(x.len());
            let below = |i| deltas[0].iter().zip(column(i)).map(|(d, w)| d * w).sum();
            let slopes = (0..x.len()).map(|i| if x[i] > 0.0 { below(i) } else { 0.0 }); // ReLU'(0) = 0
            deltas.insert(0, slopes.collect());
        }
        deltas
    }

    /// Makes one update of plain gradient descent on the mean loss of `samples`; returns the loss before it.
    pub(crate) fn descend(&mut self, samples: &[Sample], lr: f64) -> f64 {
        let (loss, gradient) = (self.loss(samples), self.gradient(samples));
        for (weight, slope) in self.tensors.iter_mut().flatten().zip(gradient.iter().flatten()) {
            *weight -= lr * slope;
        }
        loss
    }
}

/// ln Σ exp(z) − z_class, and its gradient softmax(z) − onehot(class).
pub(crate) fn cross_entropy(logits: &[f64], class: usize) -> (f64, Vec<f64>) {
    let max = logits.iter().fold(f64::NEG_INFINITY, |max, z| max.max(*z));
    let mut delta: Vec<f64> = logits.iter().map(|z| (z - max).exp()).collect();
    let sum: f64 = delta.iter().sum();
    delta.iter_mut().for_each(|d| *d /= sum);
    delta[class] -= 1.0;
    (sum.ln() + max - logits[class], delta)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
