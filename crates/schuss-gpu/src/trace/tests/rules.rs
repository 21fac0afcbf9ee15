//! Every element-wise rule, on a card and on the processor.

use super::{Card, GROUP, largest_error};
use crate::trace::{Traced, rule, rule_knobs};
use schuss::network::{Params, Plan};
use schuss::optim::{Rule, Stepper};
use schuss_kernels::naive::Sample;
use std::collections::BTreeSet;

/// Rules whose text has branches of its own for some keys.
const FLAGGED: [&str; 12] = [
    "sgd:momentum=0.9,dampening=0.1,weight_decay=0.01",
    "sgd:momentum=0.9,nesterov=true",
    "sgd:momentum=0.9,classic=true",
    "adam:amsgrad=true,weight_decay=0.01",
    "adam:eps_hat=true",
    "adamw:amsgrad=true",
    "rmsprop:centered=true,momentum=0.9",
    "radam:decoupled_weight_decay=true,weight_decay=0.01",
    "radam:beta2=0.9",
    "asgd:t0=3,weight_decay=0.01",
    "ftrl:initial_accumulator_value=0",
    "lion:weight_decay=0.1",
];

/// Updates that a rule runs for.
const UPDATES: usize = 12;

/// An optimizer of one matrix of weights on the processor, before and after some updates.
struct Course {
    stepper: Stepper,
    params: Params,
    gradients: Vec<Vec<f32>>,
}

impl Course {
    /// Creates the course of a rule; None if it is not element-wise.
    fn new(spec: &str) -> Option<Self> {
        Self::begin(spec).begins().then(|| Self::begin(spec))
    }

    fn begin(spec: &str) -> Self {
        let plan = Plan::new(&"13-16-4".parse().unwrap(), 13, 4).unwrap();
        let mut params = Params::zeros(plan.layout);
        let mut sample = Sample::new(5);
        for entry in params.layout().clone().entries() {
            params.set_tensor(entry, sample.vector(entry.len(), 1.0));
        }
        let len = params.values().len();
        let gradients = (0..UPDATES).map(|_| wild(&mut sample, len)).collect();
        let stepper = Stepper::new(&spec.parse().unwrap(), &params, 1).unwrap();
        Self { stepper, params, gradients }
    }

    /// Runs an update. Returns true if it has a text.
    fn begins(mut self) -> bool {
        self.stepper.step(&mut self.gradients[0], f64::NAN, &mut self.params);
        rule(self.stepper.updater(), 0, "f", 0).is_some()
    }

    /// Runs update `t`, from 0, and returns its text, with a first knob at `first`.
    fn step(&mut self, t: usize, first: usize) -> Traced {
        let mut gradients = self.gradients[t % UPDATES].clone();
        self.stepper.step(&mut gradients, f64::NAN, &mut self.params);
        rule(self.stepper.updater(), 0, "f", first).unwrap()
    }

    fn slots(&self) -> usize {
        self.stepper.updater().slots(0).len()
    }

    /// Returns weights and slots of the matrix, one after the other.
    fn state(&self) -> Vec<f32> {
        let range = self.params.layout().entries()[0].range();
        let slots = self.stepper.updater().slots(0).iter().flat_map(|slot| slot.iter().copied());
        self.params.values()[range].iter().copied().chain(slots).collect()
    }
}

/// Returns gradients of very different sizes.
fn wild(sample: &mut Sample, len: usize) -> Vec<f32> {
    let sizes = sample.vector(len, 4.0);
    sample.vector(len, 1.0).iter().zip(sizes).map(|(g, size)| g * 10_f32.powf(size)).collect()
}

fn specs() -> impl Iterator<Item = &'static str> {
    Rule::NAMES.iter().copied().chain(FLAGGED)
}

#[test]
fn texts_of_equal_shape_are_equal_and_knobs_alone_are_those_of_the_text() {
    let mut changing = BTreeSet::new();
    for spec in specs() {
        let Some(mut course) = Course::new(spec) else { continue };
        let first = course.step(0, 3);
        for t in 1..40 {
            let (next, mut knobs) = (course.step(t, 3), vec![7.0; 2]);
            let row = rule_knobs(course.stepper.updater(), 0, &mut knobs).unwrap();
            assert_eq!(
                (row.count, row.shape, &knobs[2..]),
                (next.knobs.len(), next.shape, &next.knobs[..]),
                "{spec}"
            );
            assert_eq!(first.text == next.text, first.shape == next.shape, "{spec}, update {t}");
            if first.shape != next.shape {
                changing.insert(spec);
            }
        }
    }
    assert_eq!(
        changing,
        BTreeSet::from(["radam", "radam:beta2=0.9", "radam:decoupled_weight_decay=true,weight_decay=0.01"])
    );
}

#[test]
fn rules_that_look_at_whole_tensors_have_no_text() {
    assert!(Course::new("adam").is_some() && Course::new("lion").is_some());
    assert!(Course::new("lamb").is_none() && Course::new("muon").is_none());
}

/// Returns a shader that runs some updates with text `f` on weights and slots `a`, by gradients `b` and knobs `c`, with
/// `width` knobs an update.
fn shader(text: &str, slots: usize, len: usize, width: usize, updates: std::ops::Range<usize>) -> String {
    let read: String = (1..=slots).map(|s| format!(", a[{}u + i]", s * len)).collect();
    let write: String = (0..slots).map(|s| format!("a[{}u + i] = next.s{s}; ", (s + 1) * len)).collect();
    let [first, end] = [updates.start, updates.end];
    format!(
        "var<private> update: u32;
        fn knob(index: u32) -> f32 {{ return c[update * {width}u + index]; }}
        {text}
        @compute @workgroup_size({GROUP})
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            let i = id.x;
            if i >= {len}u {{ return; }}
            for (var t = {first}u; t < {end}u; t++) {{
                update = t;
                let next = f(b[t * {len}u + i], a[i]{read});
                a[i] = next.w;
                {write}
            }}
        }}"
    )
}

/// Runs a rule on the card. Returns the largest errors of weights and slots after all updates.
fn error_on(card: &Card, mut course: Course) -> f32 {
    let mut state = course.state();
    let len = state.len() / (course.slots() + 1);
    let gradients: Vec<f32> = course.gradients.iter().flat_map(|g| g[..len].iter().copied()).collect();
    let steps: Vec<Traced> = (0..UPDATES).map(|t| course.step(t, 0)).collect();
    let mut from = 0;
    for same in steps.chunk_by(|a, b| a.shape == b.shape) {
        let (width, to) = (same[0].knobs.len(), from + same.len());
        let mut knobs = vec![0.0; width * from];
        knobs.extend(same.iter().flat_map(|step| &step.knobs));
        let text = shader(&same[0].text, course.slots(), len, width, from..to);
        [state, ..] = card.run(&text, [state, gradients.clone(), knobs, vec![]], len.div_ceil(GROUP));
        from = to;
    }
    largest_error(&state, &course.state())
}

#[test]
fn every_rule_by_element_computes_what_the_processor_computes() {
    let Some(card) = Card::find("rules") else { return };
    let errors: Vec<(&str, f32)> =
        specs().filter_map(|spec| Course::new(spec).map(|course| (spec, error_on(&card, course)))).collect();
    assert!(errors.len() >= 26 + FLAGGED.len(), "{} rules", errors.len());
    let off: Vec<_> = errors.iter().filter(|(_, error)| *error > 6e-5).collect();
    assert!(off.is_empty(), "{off:?}");
}
