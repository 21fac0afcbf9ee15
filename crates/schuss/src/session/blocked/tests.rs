//! Delayed updates are the straight ones: in f64 to 1e-12, in f32 no further from f64 than the straight f32 loop.

use super::plain::Plain;
use super::*;
use crate::network::Params;
use schuss_data::Split;
use schuss_kernels::Team;

/// Every option of a linear rule.
const RULES: [&str; 7] = [
    "sgd:lr=0.05",
    "sgd:lr=0.05,weight_decay=0.01",
    "sgd:lr=0.02,momentum=0.9",
    "sgd:lr=0.02,momentum=0.9,weight_decay=0.01",
    "sgd:lr=0.02,momentum=0.9,nesterov=true",
    "sgd:lr=0.02,momentum=0.9,nesterov=true,weight_decay=0.01",
    "sgd:lr=0.02,momentum=0.8,dampening=0.3,weight_decay=0.01",
];

/// One layer to five, one of them without a ReLU behind its first layer.
const MODELS: [&str; 5] = [
    "12-3",
    "12-20-3",
    "12-20-17-3",
    "linear:9,linear:8,relu,linear:3",
    "12-20-17-16-5-3",
];

const SAMPLES: usize = 90;

/// Images of 3 x 4 pixels in three classes, many pixels dark.
fn split() -> Split {
    let pixel = |i: usize| if i.is_multiple_of(3) { 0 } else { (i * i * 31 + i / 12 * 57) as u8 };
    let labels = (0..SAMPLES).map(|i| (i * 7 % 3) as u32).collect();
    Split::new((0..SAMPLES * 12).map(pixel).collect(), labels, 12).unwrap()
}

fn plan(model: &str) -> Plan {
    Plan::new(&model.parse().unwrap(), 12, 3).unwrap()
}

fn initial(plan: &Plan) -> Params {
    Params::init(plan.layout.clone(), 5)
}

/// Two epochs, in pauses of `pause` samples; the weights after them.
fn blocked<A: Arithmetic>(
    [team, solo]: [&mut A; 2],
    mut blocked: Blocked<A>,
    pause: usize,
) -> Vec<A::T> {
    let split = split();
    for epoch in 0..2 {
        let feed = Feed { split: &split, index: |position| (position * 7 + epoch) % SAMPLES };
        let mut position = 0;
        while position < SAMPLES {
            let mut seen = vec![];
            let end = SAMPLES.min((position / pause + 1) * pause);
            blocked.advance([team, solo], &feed, position..end, &mut seen);
            position += seen.iter().map(|tally| tally.samples as usize).sum::<usize>();
        }
    }
    let (mut weights, mut velocity) = (A::zeros(blocked.weights.len()), A::zeros(blocked.velocity.len()));
    blocked.settle(team, &mut weights, &mut velocity);
    weights.to_vec()
}

fn in_f64(plan: &Plan, rule: &Rule, samples: usize, rows: usize, pause: usize) -> Vec<f64> {
    let weights = initial(plan).values().iter().map(|&w| f64::from(w)).collect();
    let run = Blocked::new(plan.clone(), rule.clone(), samples, rows, weights);
    blocked([&mut Plain, &mut Plain], run, pause)
}

/// The straight loop in f64: one update after the other, on all weights.
fn straight(plan: &Plan, rule: &Rule, samples: usize) -> Vec<f64> {
    let mut weights: Vec<f64> = initial(plan).values().iter().map(|&w| f64::from(w)).collect();
    let mut velocity = vec![0.0; if rule.slots().is_empty() { 0 } else { weights.len() }];
    let (split, mut t) = (split(), 0);
    for epoch in 0..2 {
        for first in (0..SAMPLES).step_by(samples) {
            t += 1;
            let rows = samples.min(SAMPLES - first);
            let index = |position: usize| (position * 7 + epoch) % SAMPLES;
            update(plan, rule, t, &split, (first..first + rows).map(index), &mut weights, &mut velocity);
        }
    }
    weights
}

/// One straight update in f64.
fn update(
    plan: &Plan,
    rule: &Rule,
    t: u64,
    split: &Split,
    samples: impl ExactSizeIterator<Item = usize> + Clone,
    weights: &mut [f64],
    velocity: &mut [f64],
) {
    let rows = samples.len();
    let labels: Vec<u32> = samples.clone().map(|sample| split.labels()[sample]).collect();
    let samples: Vec<usize> = samples.collect();
    let mut values = vec![vec![0.0; rows * padded(plan.inputs)]];
    Plain.gather(split, 0, rows, &|row| samples[row], &mut values[0]);
    for (index, stage) in plan.stages.iter().enumerate() {
        let mut y = vec![0.0; rows * padded(stage.outputs)];
        let w = Matrix::new(&weights[stage.weight.clone()], stage.inputs, stage.outputs);
        let x = Matrix::new(&values[index], rows, stage.inputs);
        Plain.linear(x, w, &weights[stage.bias.clone()], stage.relu, MatrixMut::new(&mut y, rows, stage.outputs));
        values.push(y);
    }
    let mut delta = vec![0.0; rows * padded(plan.outputs)];
    let logits = Matrix::new(values.last().unwrap(), rows, plan.outputs);
    Plain.loss(logits, &labels, MatrixMut::new(&mut delta, rows, plan.outputs), &mut vec![Default::default(); rows]);
    delta.iter_mut().for_each(|delta| *delta /= rows as f64);
    for (index, stage) in plan.stages.iter().enumerate().rev() {
        let x = Matrix::new(&values[index], rows, stage.inputs);
        let mut below = vec![0.0; rows * padded(stage.inputs)];
        let d = Matrix::new(&delta, rows, stage.outputs);
        let w = &mut weights[stage.weight.clone()];
        let active = (index > 0 && plan.stages[index - 1].relu).then_some(x);
        let old = Matrix::new(w, stage.inputs, stage.outputs);
        Plain.input_gradient(d, old, active, MatrixMut::new(&mut below, rows, stage.inputs));
        let v = velocity.get_mut(stage.weight.clone());
        Plain.step(rule, t, x, d, MatrixMut::new(w, stage.inputs, stage.outputs), v);
        let v = velocity.get_mut(stage.bias.clone());
        let sums = &mut vec![0.0; padded(stage.outputs)];
        Plain.step_bias(rule, t, d, sums, &mut weights[stage.bias.clone()], v);
        delta = below;
    }
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

#[test]
fn in_f64_delayed_updates_are_the_straight_ones_for_every_option_block_and_depth() {
    for model in MODELS {
        let plan = plan(model);
        for rule in RULES.map(|rule| rule.parse::<Rule>().unwrap()) {
            for samples in [1, 4] {
                let expected = straight(&plan, &rule, samples);
                for rows in [1, 7 * samples, 64, 1_000] {
                    let found = in_f64(&plan, &rule, samples, rows, SAMPLES);
                    let error = largest_difference(&found, &expected);
                    assert!(error < 1e-12, "{model}, {rule}, {samples} samples, blocks of {rows}: {error:e}");
                }
            }
        }
    }
}

#[test]
fn pauses_anywhere_in_a_block_change_nothing() {
    for rule in RULES.map(|rule| rule.parse::<Rule>().unwrap()) {
        let plan = plan("12-20-17-3");
        let whole = in_f32(&plan, &rule, 1, 2, SAMPLES);
        for pause in [1, 10, 33] {
            assert_eq!(in_f32(&plan, &rule, 1, 2, pause), whole, "{rule}, pauses of {pause}");
        }
        assert_eq!(in_f32(&plan, &rule, 1, 1, SAMPLES), whole, "{rule}, one thread");
    }
}

fn in_f32(plan: &Plan, rule: &Rule, samples: usize, threads: usize, pause: usize) -> Vec<f32> {
    let weights = initial(plan).values().to_vec();
    let mut buffer = schuss_kernels::Buffer::zeros(weights.len());
    buffer.copy_from_slice(&weights);
    let run = Blocked::new(plan.clone(), rule.clone(), samples, 16, buffer);
    blocked([&mut Team::new(threads).unwrap(), &mut Team::new(1).unwrap()], run, pause)
}
