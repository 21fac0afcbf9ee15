//! Delayed updates against the plain loop, one update after another: equal in f64 to 1e-12; in f32 at most twice as far
//! from f64 as the plain f32 loop.

use super::arithmetic::Update;
use super::plain::BlockedF64;
use super::*;
use crate::network::{Init, Params, Plan};
use crate::optim::Rule;
use crate::schedule::Schedule;
use schuss_data::stream::order::Order;
use schuss_data::{Batch, Feed, Normalisation, Samples, Split};
use schuss_kernels::Team;
use schuss_kernels::naive::largest;

/// Every option of a linear rule.
const RULES: [&str; 9] = [
    "sgd:lr=0.05",
    "sgd:lr=0.05,weight_decay=0.01",
    "sgd:lr=0.02,momentum=0.9",
    "sgd:lr=0.02,momentum=0.9,weight_decay=0.01",
    "sgd:lr=0.02,momentum=0.9,nesterov=true",
    "sgd:lr=0.02,momentum=0.9,nesterov=true,weight_decay=0.01",
    "sgd:lr=0.02,momentum=0.8,dampening=0.3,weight_decay=0.01",
    "sgd:lr=0.02,momentum=0.9,dampening=0.3,weight_decay=0.01,classic=true",
    "sgd:lr=0.02,momentum=0.9,nesterov=true,weight_decay=0.01,classic=true",
];

/// One to five layers; one model has no ReLU after its first layer.
const MODELS: [&str; 5] =
    ["12-3", "12-20-3", "12-20-17-3", "linear:9,linear:8,relu,linear:3", "12-20-17-16-5-3"];

const SAMPLES: usize = 90;

/// Images of 3 x 4 pixels in three classes, many pixels dark.
fn split() -> Split {
    let pixel = |i: usize| if i.is_multiple_of(3) { 0 } else { (i * i * 31 + i / 12 * 57) as u8 };
    let labels = (0..SAMPLES).map(|i| (i * 7 % 3) as u32).collect();
    Samples::images((0..SAMPLES * 12).map(pixel).collect(), labels, 12).unwrap().into()
}

fn plan(model: &str) -> Plan {
    Plan::new(&model.parse().unwrap(), 12, 3).unwrap()
}

fn initial(plan: &Plan) -> Params {
    Params::init(plan.layout.clone(), &Init::default(), 5)
}

/// Returns the initial weights as numbers of `A`.
fn weights_of<A: Arithmetic>(plan: &Plan) -> A::Buffer {
    let values = initial(plan);
    let mut weights = A::zeros(values.values().len());
    weights.iter_mut().zip(values.values()).for_each(|(to, &from)| *to = Lane::splat(f64::from(from)));
    weights
}

/// A decaying learning rate; cyclic learning rate and momentum, the momentum down to 0; a momentum that drops to 0.
const SCHEDULES: [&str; 3] = [
    "step:step_size=20,gamma=0.7",
    "cyclic:base_lr=0.01,max_lr=0.03,step_size_up=5,base_momentum=0",
    "step:step_size=20,gamma=0.7/momentum@step:step_size=13,gamma=0",
];

fn course(rule: &Rule, schedule: &str) -> ScheduledRule {
    ScheduledRule::new(rule.clone(), schedule.parse::<Schedule>().unwrap())
}

/// Returns the samples in the order of an epoch.
fn feed(split: &Split, epoch: u32) -> Feed {
    let mut feed = Feed::new(split, &Normalisation::Unit, Order::Shuffled, 5, 1_000, 0).unwrap();
    feed.begin(epoch);
    feed
}

/// Returns the weights after two epochs of delayed updates, in blocks of `rows` and pauses of `pause` samples.
fn delayed<A: Arithmetic>(
    [team, solo]: [&mut A; 2],
    (plan, rule, schedule): (&Plan, &Rule, &str),
    [samples, rows, pause]: [usize; 3],
) -> A::Buffer {
    let mut blocked = Blocked::<A>::new(
        plan.perceptron().unwrap(),
        course(rule, schedule),
        samples,
        rows,
        weights_of::<A>(plan),
    );
    let (split, mut seen) = (split(), vec![]);
    for epoch in 0..2 {
        let mut feed = feed(&split, epoch);
        let mut position = 0;
        while position < SAMPLES {
            seen.clear();
            let end = SAMPLES.min((position / pause + 1) * pause);
            blocked.advance(team, solo, &mut feed, position..end, &mut seen).unwrap();
            position += seen.iter().map(|tally| tally.samples as usize).sum::<usize>();
        }
    }
    let (mut weights, mut velocity) = (A::zeros(blocked.weights.len()), A::zeros(blocked.velocity.len()));
    blocked.settle(team, &mut weights, &mut velocity);
    weights
}

/// Returns the same by the plain loop: one update after another, on all weights.
fn straight<A: Arithmetic>(
    arithmetic: &mut A,
    (plan, rule, schedule): (&Plan, &Rule, &str),
    samples: usize,
) -> A::Buffer {
    let mut weights = weights_of::<A>(plan);
    let mut velocity = A::zeros(if rule.slots().is_empty() { 0 } else { weights.len() });
    let (split, plan, mut t) = (split(), &plan.perceptron().unwrap(), 0);
    for epoch in 0..2 {
        let mut feed = feed(&split, epoch);
        for first in (0..SAMPLES).step_by(samples) {
            t += 1;
            let batch = feed.rows(first, samples.min(SAMPLES - first)).unwrap();
            let rule = &course(rule, schedule).at(t);
            let mut update = Straight { plan, rule, t, weights: &mut weights, velocity: &mut velocity };
            update.run(arithmetic, &batch);
        }
    }
    weights
}

/// One update of the plain loop.
struct Straight<'a, T> {
    plan: &'a Perceptron,
    rule: &'a Rule,
    t: u64,
    weights: &'a mut [T],
    velocity: &'a mut [T],
}

impl<T: Lane> Straight<'_, T> {
    fn run<A: Arithmetic<T = T>>(&mut self, arithmetic: &mut A, batch: &Batch) {
        let values = self.forward(arithmetic, batch);
        let (rows, outputs) = (batch.len(), self.plan.outputs);
        let labels: Vec<u32> = (0..rows).filter_map(|row| batch.class(row)).collect();
        let mut delta = A::zeros(rows * padded(outputs));
        let logits = Matrix::new(values.last().unwrap(), rows, outputs);
        let scores = &mut vec![Default::default(); rows];
        arithmetic.loss(logits, &labels, MatrixMut::new(&mut delta, rows, outputs), scores);
        delta.iter_mut().for_each(|delta| *delta = T::splat(1.0 / rows as f64) * *delta);
        for index in (0..self.plan.stages.len()).rev() {
            delta = self.stage(arithmetic, index, &values[index], &delta, rows);
        }
    }

    /// Returns the input of every stage, and the logits last.
    fn forward<A: Arithmetic<T = T>>(&self, arithmetic: &mut A, batch: &Batch) -> Vec<A::Buffer> {
        let rows = batch.len();
        let mut values = vec![A::zeros(rows * padded(self.plan.inputs))];
        arithmetic.gather(batch, &mut values[0]);
        for (index, stage) in self.plan.stages.iter().enumerate() {
            let mut y = A::zeros(rows * padded(stage.outputs));
            let w = Matrix::new(&self.weights[stage.weight.clone()], stage.inputs, stage.outputs);
            let x = Matrix::new(&values[index], rows, stage.inputs);
            let bias = &self.weights[stage.bias.clone()];
            arithmetic.linear(x, w, bias, stage.relu, MatrixMut::new(&mut y, rows, stage.outputs));
            values.push(y);
        }
        values
    }

    /// Steps stage `index`; returns the gradient at its inputs.
    fn stage<A: Arithmetic<T = T>>(
        &mut self,
        arithmetic: &mut A,
        index: usize,
        x: &[T],
        delta: &[T],
        rows: usize,
    ) -> A::Buffer {
        let update = Update { rule: self.rule, t: self.t };
        let stage = &self.plan.stages[index];
        let (x, d) = (Matrix::new(x, rows, stage.inputs), Matrix::new(delta, rows, stage.outputs));
        let mut below = A::zeros(rows * padded(stage.inputs));
        let w = &mut self.weights[stage.weight.clone()];
        let active = (index > 0 && self.plan.stages[index - 1].relu).then_some(x);
        let old = Matrix::new(w, stage.inputs, stage.outputs);
        arithmetic.input_gradient(d, old, active, MatrixMut::new(&mut below, rows, stage.inputs));
        let v = self.velocity.get_mut(stage.weight.clone());
        arithmetic.step(update, x, d, MatrixMut::new(w, stage.inputs, stage.outputs), v);
        let v = self.velocity.get_mut(stage.bias.clone());
        let sums = &mut A::zeros(padded(stage.outputs));
        let bias = &mut self.weights[stage.bias.clone()];
        arithmetic.step_bias(update, d, sums, bias, v);
        below
    }
}

fn largest_difference(a: &[f64], b: impl Iterator<Item = f64>) -> f64 {
    let b: Vec<f64> = b.collect();
    assert_eq!(a.len(), b.len());
    largest(a.iter().zip(b).map(|(a, b)| (a - b).abs()))
}

fn for_every_case(mut check: impl FnMut((&Plan, &Rule, &str), usize, &str)) {
    for model in MODELS {
        let plan = plan(model);
        for rule in RULES.map(|rule| rule.parse::<Rule>().unwrap()) {
            for schedule in SCHEDULES {
                if schedule != SCHEDULES[0] && rule.slots().is_empty() {
                    continue; // no momentum to schedule
                }
                for samples in [1, 4] {
                    let case = format!("{model}, {rule}, {schedule}, {samples} samples per update");
                    check((&plan, &rule, schedule), samples, &case);
                }
            }
        }
    }
}

#[test]
fn in_f64_delayed_updates_are_the_straight_ones_for_every_option_block_and_depth() {
    for_every_case(|what, samples, case| {
        let expected = straight(&mut BlockedF64, what, samples);
        for rows in [1, 7 * samples, 64, 1_000] {
            let found = delayed([&mut BlockedF64, &mut BlockedF64], what, [samples, rows, SAMPLES]);
            let error = largest_difference(&expected, found.iter().copied());
            assert!(error < 1e-12, "{case}, blocks of {rows}: {error:e}");
        }
    });
}

#[test]
fn in_f32_delayed_updates_are_no_further_from_f64_than_twice_the_straight_ones() {
    let (mut team, mut solo) = (Team::new(2).unwrap(), Team::new(1).unwrap());
    for_every_case(|what, samples, case| {
        let exact = straight(&mut BlockedF64, what, samples);
        let straight = straight(&mut solo, what, samples);
        let allowed = 2.0 * largest_difference(&exact, straight.iter().map(|&w| f64::from(w))) + 1e-6;
        for rows in [7 * samples, ROWS] {
            let found = delayed([&mut team, &mut solo], what, [samples, rows, SAMPLES]);
            let error = largest_difference(&exact, found.iter().map(|&w| f64::from(w)));
            assert!(error <= allowed, "{case}, blocks of {rows}: {error:e}, allowed {allowed:e}");
        }
    });
}

#[test]
fn pauses_anywhere_and_the_number_of_threads_change_no_bit() {
    let [mut solo, mut one, mut two] = [1, 1, 2].map(|threads| Team::new(threads).unwrap());
    let plan = plan("12-20-17-3");
    for rule in RULES[2..].iter().map(|rule| rule.parse::<Rule>().unwrap()) {
        let whole = delayed([&mut one, &mut solo], (&plan, &rule, SCHEDULES[1]), [1, 16, SAMPLES]);
        for pause in [SAMPLES, 1, 10, 33] {
            let found = delayed([&mut two, &mut solo], (&plan, &rule, SCHEDULES[1]), [1, 16, pause]);
            assert_eq!(found[..], whole[..], "{rule}, pauses of {pause}");
        }
    }
}
