//! Guarantees of every rule in the table.

use super::Rule;
use crate::network::{Layout, Model};
use crate::optim::Method;
use crate::optim::updater::Updater;
use crate::schedule::Schedule;
use schuss_kernels::{Buffer, Team};

/// Model large enough that threads share the work.
const MODEL: &str = "70-50-20";

struct Run {
    layout: Layout,
    team: Team,
    updater: Updater<Buffer>,
    weights: Buffer,
}

impl Run {
    fn new(spec: &str, threads: usize) -> Self {
        let layout = Layout::new(&MODEL.parse::<Model>().unwrap(), 70).unwrap();
        let weights = numbers(&layout, 0.1);
        let method: Method = spec.parse().unwrap();
        let updater =
            Updater::new::<Team>(method.descent(), &Schedule::default(), 0, &layout, &weights).unwrap();
        Self { layout, team: Team::new(threads).unwrap(), updater, weights }
    }

    fn step(&mut self, gradient: &Buffer) {
        let mut gradient = gradient.clone();
        self.step_with(&mut gradient);
    }

    fn step_with(&mut self, gradient: &mut Buffer) {
        self.updater.advance();
        self.updater.step(&mut self.team, gradient, 1.0, &mut self.weights, 0.5);
    }

    /// Returns the indices of pad lanes.
    fn pads(&self) -> impl Iterator<Item = usize> {
        let counts: Vec<usize> = self.layout.entries().iter().flat_map(|entry| entry.places()).collect();
        (0..self.layout.len()).filter(move |place| !counts.contains(place))
    }
}

/// Returns numbers up to `size` for all parameters, and zeros in pad lanes.
fn numbers(layout: &Layout, size: f32) -> Buffer {
    let mut buffer = Buffer::zeros(layout.len());
    for place in layout.entries().iter().flat_map(|entry| entry.places()) {
        buffer[place] = size * ((place * 37 % 101) as f32 / 50.0 - 1.0);
    }
    buffer
}

#[test]
fn no_rule_makes_a_weight_that_is_not_finite_of_gradients_that_vanish() {
    for spec in Rule::NAMES {
        for size in [0.0, 1e-20, 1e-38] {
            let mut run = Run::new(spec, 1);
            let gradient = numbers(&run.layout, size);
            (0..12).for_each(|_| run.step(&gradient));
            assert!(run.weights.iter().all(|w| w.is_finite()), "{spec}, gradients of {size}");
        }
    }
}

#[test]
fn pad_lanes_stay_zero() {
    for spec in Rule::NAMES {
        let mut run = Run::new(spec, 1);
        let gradient = numbers(&run.layout, 1.0);
        (0..12).for_each(|_| run.step(&gradient));
        assert!(run.pads().all(|place| run.weights[place] == 0.0), "{spec}");
    }
}

#[test]
fn bits_do_not_depend_on_threads() {
    for spec in Rule::NAMES {
        let weights = |threads| {
            let mut run = Run::new(spec, threads);
            let gradient = numbers(&run.layout, 1.0);
            (0..12).for_each(|_| run.step(&gradient));
            run.weights.to_vec()
        };
        assert_eq!(weights(3), weights(1), "{spec}");
    }
}

#[test]
fn averages_around_a_rule_leave_its_way_and_its_slots_alone() {
    for spec in Rule::NAMES {
        let weights = |spec: &str| {
            let mut run = Run::new(spec, 1);
            let gradient = numbers(&run.layout, 1.0);
            (0..12).for_each(|_| run.step(&gradient));
            run.weights.to_vec()
        };
        assert_eq!(weights(&format!("{spec}+ema:0.9")), weights(spec), "{spec}");
    }
}

#[test]
fn an_update_allocates_nothing() {
    for spec in Rule::NAMES {
        let mut run = Run::new(spec, 1);
        let mut gradients = vec![numbers(&run.layout, 1.0); 14];
        let mut rest = gradients.split_off(1);
        run.step_with(&mut gradients[0]); // the first update allocates each thread's workspace
        let count =
            allocation_counter::measure(|| rest.iter_mut().for_each(|gradient| run.step_with(gradient)));
        assert_eq!(count.count_total, 0, "{spec}");
    }
}
