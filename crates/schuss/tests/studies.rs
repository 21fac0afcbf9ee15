//! Studies as a library: run in memory, and with rules of one's own.

mod common;

use common::{ONE_THREAD, trial};
use schuss::Trial;
use schuss::data::{Dataset, Shape};
use schuss::loss::{self, CustomLoss, Target};
use schuss::metrics::{self, CustomMetric, CustomTally, Prediction, Task};
use schuss::network::{self, CustomLayer, CustomWeights, Params};
use schuss::optim::Method;
use schuss::optim::rule::{self, CustomRule, CustomTensor};
use schuss::record::TrialRecord;
use schuss::session::{Control, Event};
use schuss::study::{Begun, Study, StudyFile, Watcher, run};
use std::sync::Arc;

fn data() -> Dataset {
    schuss::data::load("digits:train=300,test=60,size=8").unwrap()
}

/// Keeps the weights of every trial.
#[derive(Default)]
struct Weights(Vec<Params>);

impl Watcher for Weights {
    fn trained(&mut self, _: &Trial, params: &Params) {
        self.0.push(params.clone());
    }
}

#[test]
fn a_study_in_memory_has_the_results_of_one_in_a_folder_and_writes_nothing() {
    let (data, place) = (data(), tempfile::tempdir().unwrap());
    let trials = ["sgd:lr=0.1", "adam"].map(|optimizer| trial("64-10-10", "batch:50", optimizer, 2));
    let study = Study::of(trials, &data).unwrap().with_seeds([1, 2]).unwrap();
    let (control, mut weights) = (Control::default(), Weights::default());
    let here = study.run_with(&data, ONE_THREAD, &control, &mut weights).unwrap();
    let out = place.path().join("run");
    let there = run(&study, &data, ONE_THREAD, Some(&out), "", &control, &mut ()).unwrap();
    let results = |trials: &[TrialRecord]| {
        let of = |trial: &TrialRecord| {
            (trial.name.clone(), trial.config_id.clone(), trial.seed, trial.state.clone())
        };
        trials.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(results(&here.summary.trials), results(&there.summary.trials));
    assert_eq!((here.summary.trials.len(), weights.0.len()), (4, 4));
    assert!(here.summary.trials.iter().all(|trial| trial.model.is_none() && trial.losses.is_none()));
    assert!(here.error.is_none() && here.summary.run.is_empty());
    assert!(here.traces.iter().all(|trace| trace.evaluations.len() == 3));
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1, "only the run with a folder");
}

#[test]
fn a_study_of_no_trials_or_of_a_seed_twice_is_refused() {
    let data = data();
    assert_eq!(Study::of([], &data).unwrap_err().exit_code(), 2);
    let one = || Study::of([trial("64-10", "epoch", "sgd", 1)], &data).unwrap();
    assert!(one().with_seeds([3, 1, 3]).unwrap_err().what.contains("duplicate seed 3"));
    assert_eq!(one().with_seeds([]).unwrap_err().exit_code(), 2);
    let misfit = Study::of([trial("100-10", "epoch", "sgd", 1)], &data).unwrap_err();
    assert!(misfit.what.contains("takes 100 numbers"), "{misfit}");
}

/// Gradient descent, written again.
#[derive(Debug)]
struct Descent;

impl CustomRule for Descent {
    fn name(&self) -> String {
        "descent lr=0.1".into()
    }

    fn slots(&self) -> usize {
        1
    }

    fn step(&self, tensor: &mut CustomTensor) {
        tensor.slots[0].iter_mut().for_each(|count| *count += 1.0);
        tensor.weights.iter_mut().zip(tensor.gradient).for_each(|(w, g)| *w -= 0.1 * g);
    }
}

/// Half the squared distance, mean over outputs.
#[derive(Debug)]
struct Distance;

impl CustomLoss for Distance {
    fn name(&self) -> String {
        "distance".into()
    }

    fn row(&self, z: &[f32], target: Target, gradient: &mut [f32]) -> f64 {
        let asked = |index| match target {
            Target::Class(class) => f32::from(u8::from(class == index)),
            Target::Row(row) => row[index],
        };
        let share = 1.0 / z.len() as f32;
        let mut sum = 0.0;
        for (index, (z, gradient)) in z.iter().zip(gradient).enumerate() {
            *gradient = (z - asked(index)) * share;
            sum += f64::from((z - asked(index)).powi(2) * share / 2.0);
        }
        sum
    }
}

/// y = w x for one weight w.
#[derive(Debug)]
struct Scale;

impl CustomLayer for Scale {
    fn name(&self) -> String {
        "scale".into()
    }

    fn weights(&self, _: Shape) -> CustomWeights {
        CustomWeights { count: 1, first: 1.0 }
    }

    fn forward(&self, x: &[f32], weights: &[f32], y: &mut [f32]) {
        y.iter_mut().zip(x).for_each(|(y, x)| *y = weights[0] * x);
    }

    fn backward(&self, x: &[f32], weights: &[f32], dy: &[f32], dx: &mut [f32], gradient: &mut [f32]) {
        dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx = weights[0] * dy);
        gradient[0] += x.iter().zip(dy).map(|(x, dy)| x * dy).sum::<f32>();
    }
}

/// Fraction of samples whose class has one of the two largest outputs.
#[derive(Debug)]
struct TopTwo;

impl CustomMetric for TopTwo {
    fn name(&self) -> String {
        "top_two".into()
    }

    fn begin(&self, task: &Task) -> Option<Box<dyn CustomTally>> {
        task.classes.map(|_| Box::new(TopTwoTally::default()) as Box<dyn CustomTally>)
    }
}

#[derive(Debug, Default)]
struct TopTwoTally {
    samples: u32,
    among: u32,
}

impl CustomTally for TopTwoTally {
    fn take(&mut self, prediction: &Prediction) {
        if let Prediction::Class { actual, outputs } = prediction {
            let larger = outputs.iter().filter(|output| **output > outputs[*actual]).count();
            self.samples += 1;
            self.among += u32::from(larger < 2);
        }
    }

    fn value(&self) -> Option<f64> {
        Some(f64::from(self.among) / f64::from(self.samples))
    }
}

const OWN: &str = "seeds = [1]
[workload]
metrics = 'top_two'
[recipe]
model = 'linear:12,custom:name=scale,relu,linear:10'
optimizer = 'custom:name=descent lr=0.1'
loss = 'custom:name=distance'
update = 'batch:50'
epochs = 3";

fn register() {
    rule::Custom::register(Arc::new(Descent)).unwrap();
    loss::Custom::register(Arc::new(Distance)).unwrap();
    network::Custom::register(Arc::new(Scale)).unwrap();
    metrics::Custom::register(Arc::new(TopTwo)).unwrap();
}

#[test]
fn a_registered_rule_loss_layer_and_metric_are_in_study_files_and_in_resumed_runs() {
    register();
    let (data, place) = (data(), tempfile::tempdir().unwrap());
    let study = Study::resolve("own", &StudyFile::parse(OWN, "").unwrap(), &data).unwrap();
    let control = Control::default();
    let whole = study.run_with(&data, ONE_THREAD, &control, &mut ()).unwrap();
    let losses: Vec<f64> = whole.summary.trials[0].epochs.iter().filter_map(|row| row.eval_loss).collect();
    assert!(losses.is_sorted_by(|a, b| a > b), "{losses:?}");

    let out = place.path().join("run");
    let stopped = Control::default();
    let mut stop = StopAfterFirstEpoch(stopped.clone());
    run(&study, &data, ONE_THREAD, Some(&out), "", &stopped, &mut stop).unwrap();
    let begun = Begun::open(&out).unwrap();
    assert_eq!(begun.summary.trials.len(), 0, "nothing has ended");
    let again = Study::resolve("own", &begun.file, &data).unwrap();
    let resumed = begun.resume(&again, &data, ONE_THREAD, &control, &mut ()).unwrap();
    let [resumed, whole] = [resumed.summary, whole.summary].map(|mut summary| summary.trials.remove(0));
    assert_eq!(resumed.state, whole.state);
    let top_two =
        |trial: &TrialRecord| trial.epochs.iter().map(|row| row.metrics["top_two"]).collect::<Vec<_>>();
    assert_eq!(top_two(&resumed), top_two(&whole));
    for row in &whole.epochs {
        assert!(
            row.metrics["top_two"] >= row.eval_accuracy && row.metrics["top_two"] <= Some(1.0),
            "{row:?}"
        );
    }
}

/// A metric with a name of choice.
#[derive(Debug)]
struct Named(&'static str);

impl CustomMetric for Named {
    fn name(&self) -> String {
        self.0.into()
    }

    fn begin(&self, _: &Task) -> Option<Box<dyn CustomTally>> {
        None
    }
}

#[test]
fn a_metric_cannot_take_a_name_that_records_use_and_a_built_in_one_needs_no_choice() {
    for name in [
        "mae",
        "loss",
        "eval_loss",
        "updates",
        "accuracy",
        "chance",
        "f1_macro",
        "sharpness",
        "noise_scale_variance",
        "dead_units.1",
        "update_ratio",
        "update-ratio",
        "noise-scale",
        "plane",
    ] {
        let error = metrics::Custom::register(Arc::new(Named(name))).unwrap_err();
        assert!(error.what.contains(&format!("records use the name `{name}`")), "{error}");
    }
    let refused = |names: &str| {
        let text = format!("[workload]\nmetrics = '{names}'\n[recipe]\nmodel = '64-10'");
        Study::resolve("own", &StudyFile::parse(&text, "").unwrap(), &data()).unwrap_err().to_string()
    };
    register();
    assert!(refused("top_two,mae").contains("`mae` needs no choice"), "{}", refused("top_two,mae"));
    assert!(refused("sharpness").contains("read by an instrument"), "{}", refused("sharpness"));
    assert!(refused("top_ten").contains("no metric is registered as `top_ten`"), "{}", refused("top_ten"));
}

/// Stops a study after the first epoch of its first trial.
struct StopAfterFirstEpoch(Control);

impl Watcher for StopAfterFirstEpoch {
    fn event(&mut self, _: &Trial, event: &Event) {
        if matches!(event, Event::Epoch(row) if row.epoch == 1) {
            self.0.interrupt();
        }
    }
}

#[test]
fn a_loss_of_ones_own_trains_as_the_built_in_one() {
    register();
    let data = data();
    let of = |loss: &str, lr: f64| {
        format!("[recipe]\nmodel = '64-12-10'\nloss = '{loss}'\noptimizer = 'sgd:lr={lr}'\nepochs = 3")
    };
    let (own, squared) = (of("custom:name=distance", 0.2), of("mse", 0.1)); // the built-in one has no half
    let study = |text: &str| Study::resolve("own", &StudyFile::parse(text, "").unwrap(), &data).unwrap();
    let end = |text: &str| study(text).run_with(&data, ONE_THREAD, &Control::default(), &mut ()).unwrap();
    let [own, squared] =
        [end(&own), end(&squared)].map(|done| done.summary.trials[0].epochs[3].eval_loss.unwrap());
    assert!((2.0 * own - squared).abs() < 1e-5 * squared, "{own}, {squared}");
}

#[test]
fn an_unregistered_name_is_refused_with_the_registered_ones() {
    register();
    let error = "custom:name=descend".parse::<Method>().unwrap_err();
    assert!(error.what.contains("no optimizer is registered as `descend`"), "{error}");
    assert!(error.advice.unwrap().contains("descent lr=0.1"));
}
