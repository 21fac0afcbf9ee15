//! Instruments read a trial without changing a bit of it, and read the same however the trial is run.

mod common;

use common::twin::{self, Twin};
use common::{ONE_THREAD, initial_params, rows_without_times, save_params, trial};
use schuss::data::stream::order::Order;
use schuss::data::{Dataset, Feed};
use schuss::instrument::Instrument;
use schuss::network::Params;
use schuss::recipe::Trial;
use schuss::record::DescentKind;
use schuss::session::{Control, Cpu, Engine, Event, Limits, Session, Sink};

fn digits() -> Dataset {
    schuss::data::load("digits:train=250,test=60,size=8").unwrap()
}

/// Update rule, optimizer and model: every way of carrying out updates, and layers with a state or random numbers.
const TRIALS: [(&str, &str, &str); 16] = [
    ("epoch", "sgd:lr=0.1", "64-12-10"),
    ("batch:20", "sgd:lr=0.1,momentum=0.9", "64-12-10"),
    ("sample", "sgd:lr=0.01", "64-12-10"),
    ("sample", "sgd:lr=0.01,momentum=0.9,nesterov=true", "64-12-8-10"),
    ("sample", "adam", "64-12-10"),
    ("batch:7", "sgd:lr=0.05", "64-12-10"),
    ("batch:20", "adam", "64-12-10"),
    ("batch:20", "lion", "64-12-10"),
    ("batch:20", "muon", "64-12-10"),
    ("batch:20", "k-fac:lr=0.01", "64-12-10"),
    ("batch:20", "sam:0.05+sgd:lr=0.1", "64-12-10"),
    ("batch:20", "sgd:lr=0.1+ema:0.9", "linear:12,batch-norm,relu,linear:10"),
    ("batch:20", "adam", "linear:12,batch-norm,relu,dropout:0.3,linear:10"),
    ("sample", "sgd:lr=0.01", "linear:12,layer-norm,tanh,linear:10"),
    ("epoch", "l-bfgs", "64-12-10"),
    ("batch:50", "cg", "64-12-10"),
];

/// The instruments that apply to a trial.
fn instruments(trial: &Trial, data: &Dataset) -> Vec<Instrument> {
    let applies = |instrument: &Instrument| {
        let alone = Trial { instruments: vec![instrument.clone()], ..trial.clone() };
        Session::new(&alone, data, ONE_THREAD).is_ok()
    };
    Instrument::all().into_iter().filter(applies).collect()
}

/// Runs a trial; returns the hash of its weights and state, and its rows.
fn run(trial: &Trial, data: &Dataset, limits: Limits) -> (String, Vec<String>, Vec<(String, f64)>) {
    let mut session = Session::new(trial, data, limits).unwrap();
    let mut outcome = session.run().unwrap();
    let mut readings = vec![];
    let keys: Vec<String> = Instrument::all().iter().map(Instrument::key).collect();
    for row in &mut outcome.epochs {
        let is_reading = |name: &String| keys.iter().any(|key| name.starts_with(key));
        let read = row.metrics.iter().filter(|(name, _)| is_reading(name));
        readings.extend(read.map(|(name, value)| (name.clone(), value.unwrap_or(f64::NAN))));
        row.metrics.retain(|name, _| !is_reading(name));
    }
    (session.digest(), rows_without_times(&outcome), readings)
}

#[test]
fn instruments_change_no_bit_of_any_trial() {
    let data = digits();
    for (update, optimizer, model) in TRIALS {
        let plain = trial(model, update, optimizer, 2);
        let (state, rows, none) = run(&plain, &data, ONE_THREAD);
        let read = Trial { instruments: instruments(&plain, &data), ..plain.clone() };
        let (read_state, read_rows, readings) = run(&read, &data, ONE_THREAD);
        assert_eq!((read_state, read_rows), (state, rows), "{update} {optimizer} {model}");
        assert!(none.is_empty() && readings.len() >= 2 * 3, "{update} {optimizer} {model}: {readings:?}");
        assert_eq!(plain.config_id(), read.config_id(), "what is measured is no part of the identity");
    }
}

#[test]
fn readings_are_the_same_for_any_threads_and_any_microbatch() {
    let data = digits();
    for (update, optimizer, model) in TRIALS.into_iter().step_by(3) {
        let mut trial = trial(model, update, optimizer, 2);
        trial.instruments = instruments(&trial, &data);
        let text = |limits| run(&trial, &data, limits).2.iter().map(|x| format!("{x:?}")).collect::<Vec<_>>();
        let alone = text(ONE_THREAD);
        for (threads, microbatch) in [(3, None), (2, Some(33))] {
            assert_eq!(
                text(Limits { threads, microbatch, ..ONE_THREAD }),
                alone,
                "{update} {optimizer} {model}"
            );
        }
    }
}

/// Interrupts the trial at its second checkpoint, and keeps the session's state there.
struct Interrupted<'a> {
    control: &'a Control,
    checkpoints: usize,
    state: Vec<u8>,
}

impl Sink for Interrupted<'_> {
    fn take(&mut self, _: &Event) -> schuss::Result<()> {
        Ok(())
    }

    fn checkpoint(&mut self, session: &mut Session) -> schuss::Result<()> {
        self.checkpoints += 1;
        if self.checkpoints == 2 {
            self.state.clear();
            session.save(&mut self.state).unwrap();
            self.control.interrupt();
        }
        Ok(())
    }
}

#[test]
fn a_resumed_trial_reads_what_an_uninterrupted_one_reads() {
    let data = digits();
    let limits = Limits { checkpoint_every: "5u".parse().unwrap(), ..ONE_THREAD };
    for (update, optimizer, model) in [TRIALS[1], TRIALS[2], TRIALS[6], TRIALS[12]] {
        let mut trial = trial(model, update, optimizer, 3);
        trial.instruments = instruments(&trial, &data);
        let (state, rows, readings) = run(&trial, &data, limits);
        let control = Control::default();
        let mut sink = Interrupted { control: &control, checkpoints: 0, state: vec![] };
        Session::new(&trial, &data, limits).unwrap().run_with(&control, &mut sink).unwrap();
        let mut session = Session::new(&trial, &data, limits).unwrap();
        session.load(&mut &sink.state[..]).unwrap();
        let outcome = session.run().unwrap();
        assert_eq!(session.digest(), state);
        let found: Vec<(String, f64)> = outcome
            .epochs
            .iter()
            .flat_map(|row| {
                row.metrics.iter().filter(|(name, _)| readings.iter().any(|(known, _)| known == *name))
            })
            .map(|(name, value)| (name.clone(), value.unwrap_or(f64::NAN)))
            .collect();
        assert_eq!(format!("{found:?}"), format!("{readings:?}"), "{update} {optimizer} {model}");
        assert_eq!(outcome.epochs.len(), rows.len());
    }
}

/// Returns a reading of a row.
fn reading(trial: &Trial, data: &Dataset, epoch: usize, name: &str) -> Option<f64> {
    let outcome = Session::new(trial, data, ONE_THREAD).unwrap().run().unwrap();
    outcome.epochs[epoch].metrics.get(name).copied().flatten()
}

#[test]
fn units_with_a_large_negative_bias_are_counted_as_dead() {
    let data = digits();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    for (model, layer) in
        [("64-12-10", 1), ("linear:12,flatten,relu6,linear:10", 2), ("linear:12,hard-tanh,linear:10", 1)]
    {
        let mut trial = trial(model, "batch:50", "sgd:lr=1e-6", 1);
        trial.instruments = vec!["dead-units".parse().unwrap()];
        let mut weights = initial_params(&trial, &data);
        let bias = weights.layout().entries()[1].clone();
        let values: Vec<f32> = weights.tensor(&bias);
        let dead = values.iter().enumerate().map(|(unit, bias)| if unit < 3 { -100.0 } else { *bias });
        weights.set_tensor(&bias, dead);
        save_params(&weights, &path);
        trial.init_from = Some(path.clone());
        let share = |epoch| reading(&trial, &data, epoch, &format!("dead_units.{layer}")).unwrap();
        assert_eq!([share(0), share(1)], [0.25, 0.25], "{model}");
    }
}

#[test]
fn the_update_ratio_of_plain_descent_is_that_of_its_last_update() {
    let data = schuss::data::load("digits:train=90,test=10,size=8").unwrap();
    let mut trial = trial("64-12-10", "batch:20", "sgd:lr=0.05", 1); // the last update has 10 samples
    trial.instruments = vec!["update-ratio".parse().unwrap()];
    let mut stepped = Session::new(&trial, &data, ONE_THREAD).unwrap();
    (0..4).for_each(|_| assert!(stepped.step().unwrap().is_none()));
    let before = stepped.params().clone();
    let outcome = stepped.step().unwrap().unwrap();
    let entry = &before.layout().entries()[0..2];
    let places = || entry[0].range().chain(entry[1].range());
    let square = |of: &dyn Fn(usize) -> f32| places().map(|i| f64::from(of(i)).powi(2)).sum::<f64>();
    let after = stepped.params().values();
    let ratio = (square(&|i| after[i] - before.values()[i]) / square(&|i| before.values()[i])).sqrt();
    let found = outcome.epochs[1].metrics["update_ratio.0"].unwrap();
    assert!((found / ratio - 1.0).abs() < 1e-5 && ratio > 0.0, "{found}, not {ratio}");
    assert!(!outcome.epochs[0].metrics.contains_key("update_ratio.0"), "there is no update before the first");
    assert_eq!(reading(&trial, &data, 1, "update_ratio.0"), Some(found));
}

/// A trial whose initial weights are `weights`, with the folder that holds them.
fn starting_at(trial: &Trial, weights: &Params) -> (Trial, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    save_params(weights, &path);
    (Trial { init_from: Some(path), ..trial.clone() }, folder)
}

/// Adds `step` times `direction` to the weights.
fn moved(weights: &Params, direction: &Params, step: f32) -> Params {
    let mut moved = weights.clone();
    for entry in weights.layout().entries() {
        let pairs = weights.tensor(entry).into_iter().zip(direction.tensor(entry));
        moved.set_tensor(entry, pairs.map(|(w, v)| w + step * v));
    }
    moved
}

fn feed(data: &Dataset) -> Feed {
    Feed::new(&data.train, &data.normalisation, Order::Sequential, 0, data.train.len(), 0).unwrap()
}

/// Gradient over all training samples at `weights`.
fn gradient(trial: &Trial, data: &Dataset, weights: &Params) -> Vec<f32> {
    let (trial, _folder) = starting_at(trial, weights);
    let mut cpu = Cpu::new(&trial, data, ONE_THREAD).unwrap();
    cpu.probe().unwrap().gradient(&mut feed(data), 0..data.train.len()).unwrap()
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt()
}

/// Relative distance of the product with the Hessian from a central difference of gradients over `step`.
fn error_of_product(trial: &Trial, data: &Dataset, step: f32) -> f64 {
    let weights = initial_params(trial, data);
    let direction = initial_params(&Trial { seed: 77, ..trial.clone() }, data);
    let mut cpu = Cpu::new(trial, data, ONE_THREAD).unwrap();
    let probe = cpu.probe().unwrap();
    probe.check_curvature().unwrap();
    let found = probe.curvature(&mut feed(data), 0..data.train.len(), direction.values()).unwrap();
    let [above, below] = [step, -step].map(|step| gradient(trial, data, &moved(&weights, &direction, step)));
    let difference: Vec<f32> = above.iter().zip(&below).map(|(a, b)| (a - b) / (2.0 * step)).collect();
    let off: Vec<f32> = found.iter().zip(&difference).map(|(a, b)| a - b).collect();
    norm(&off) / norm(&difference)
}

#[test]
fn products_with_the_hessian_are_differences_of_gradients_for_every_layer_and_loss_that_has_them() {
    let data = schuss::data::load("digits:train=60,test=10,size=8").unwrap();
    let smooth = [
        "elu",
        "celu:alpha=0.7",
        "gelu",
        "gelu-tanh",
        "silu",
        "mish",
        "softplus",
        "softsign",
        "sigmoid",
        "log-sigmoid",
        "tanh",
        "tanh-shrink",
        "identity",
    ];
    let kinked = [
        "relu",
        "leaky-relu",
        "selu",
        "hard-tanh",
        "hard-sigmoid",
        "hard-swish",
        "relu6",
        "hard-shrink",
        "soft-shrink",
    ];
    let models = smooth.iter().chain(&kinked).map(|name| format!("linear:12,{name},linear:8,tanh,linear:10"));
    let others =
        ["64-12-8-10", "linear:12,relu,dropout:0.4,linear:10", "avg-pool:2,flatten,linear:9,tanh,linear:10"];
    for model in models.chain(others.map(str::to_owned)) {
        let trial = trial(&model, "batch:20", "sgd", 1);
        let is_smooth = smooth.iter().any(|name| model.contains(&format!(",{name},")));
        // a unit that crosses a kink within the step spoils the difference
        let (step, tolerance) = if is_smooth { (2e-3, 2e-3) } else { (1e-4, 3e-2) };
        let error = error_of_product(&trial, &data, step);
        assert!(error < tolerance, "{model}: {error:e}");
    }
    for (loss, model) in [
        ("cross-entropy:label_smoothing=0.2,class_weights=1:2:1:1:0.5:1:1:3:1:1", "64-12-10"),
        ("nll", "linear:12,tanh,linear:10,log-softmax"),
        ("mse", "linear:12,tanh,linear:10"),
        ("bce", "linear:12,tanh,linear:10"),
        ("bce:pos_weight=3", "linear:12,tanh,linear:10"),
        ("l1", "linear:12,tanh,linear:10"),
        ("huber:delta=0.3", "linear:12,tanh,linear:10"),
        ("smooth-l1:beta=2", "linear:12,tanh,linear:10"),
    ] {
        let mut trial = trial(model, "batch:20", "sgd", 1);
        trial.recipe.loss = loss.parse().unwrap();
        let step = if loss == "l1" { 1e-4 } else { 2e-3 }; // outputs cross its kink
        let error = error_of_product(&trial, &data, step);
        assert!(error < 3e-2, "{loss}: {error:e}");
    }
}

/// The largest eigenvalue of a symmetric matrix, by power iteration on A + c.
fn largest_eigenvalue(matrix: &[Vec<f64>]) -> f64 {
    let shift = matrix.iter().map(|row| row.iter().map(|x| x.abs()).sum()).fold(0.0, f64::max);
    let mut v: Vec<f64> = (0..matrix.len()).map(|i| 1.0 + (i as f64).sin()).collect();
    let mut value = 0.0;
    for _ in 0..20_000 {
        let product = |row: &Vec<f64>| row.iter().zip(&v).map(|(a, x)| a * x).sum::<f64>();
        let next: Vec<f64> = matrix.iter().zip(&v).map(|(row, x)| product(row) + shift * x).collect();
        value = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        v = next.iter().map(|x| x / value).collect();
    }
    value - shift
}

#[test]
fn sharpness_is_the_largest_eigenvalue_of_the_hessian_of_an_f64_twin() {
    let data = common::random_data(5, 3, 40, 10, 3);
    for (seed, model) in [(1, "5-4-3"), (2, "5-6-4-3"), (3, "5-3")] {
        let mut trial = Trial { seed, ..trial(model, "epoch", "sgd:lr=0.5", 1) };
        trial.instruments = vec!["sharpness".parse().unwrap()];
        let twin = Twin::of(&initial_params(&trial, &data));
        let samples = twin::samples(&data.train);
        let flat = |twin: &Twin| twin.gradient(&samples).concat();
        let places: Vec<(usize, usize)> = twin
            .tensors
            .iter()
            .enumerate()
            .flat_map(|(t, tensor)| (0..tensor.len()).map(move |i| (t, i)))
            .collect();
        let column = |&(tensor, index): &(usize, usize)| {
            let gradients = [1e-5, -1e-5].map(|step| {
                let mut moved = twin.clone();
                moved.tensors[tensor][index] += step;
                flat(&moved)
            });
            gradients[0].iter().zip(&gradients[1]).map(|(a, b)| (a - b) / 2e-5).collect::<Vec<f64>>()
        };
        let hessian: Vec<Vec<f64>> = places.iter().map(column).collect();
        let wanted = largest_eigenvalue(&hessian);
        let found = reading(&trial, &data, 0, "sharpness").unwrap();
        assert!((found / wanted - 1.0).abs() < 2e-3, "{model}: {found}, not {wanted}");
        assert!(reading(&trial, &data, 0, "sharpness_residual").unwrap() <= 1e-3);
    }
}

#[test]
fn the_noise_scale_is_that_of_the_gradients_of_an_f64_twin() {
    let data = schuss::data::load("digits:train=40,test=10,size=8").unwrap(); // 20 groups of 2
    let mut trial = trial("64-8-10", "batch:20", "sgd", 1);
    trial.instruments = vec!["noise-scale".parse().unwrap()];
    let twin = Twin::of(&initial_params(&trial, &data));
    let order = schuss::data::stream::order::EpochOrder::new(Order::Fixed, 40, 0, 0);
    let samples = twin::samples(&data.train);
    let group = |first: usize| {
        let samples: Vec<twin::Sample> =
            (first..first + 2).map(|i| samples[order.index(i)].clone()).collect();
        twin.gradient(&samples).concat()
    };
    let square = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>();
    let gradients: Vec<Vec<f64>> = (0..40).step_by(2).map(group).collect();
    let mean: Vec<f64> =
        (0..gradients[0].len()).map(|i| gradients.iter().map(|g| g[i]).sum::<f64>() / 20.0).collect();
    let each = gradients.iter().map(|gradient| square(gradient)).sum::<f64>() / 20.0;
    let all = square(&mean);
    let (gradient, variance) = ((20.0 * all - each) / 19.0, 2.0 * 20.0 / 19.0 * (each - all));
    for (name, wanted) in [("noise_scale_gradient", gradient), ("noise_scale_variance", variance)] {
        let found = reading(&trial, &data, 0, name).unwrap();
        assert!((found / wanted - 1.0).abs() < 1e-4, "{name}: {found}, not {wanted}");
    }
    let found = reading(&trial, &data, 0, "noise_scale");
    assert_eq!(found.is_some(), gradient > 0.0);
    assert!(found.is_none_or(|found| (found / (variance / gradient) - 1.0).abs() < 1e-3));
}

#[test]
fn the_noise_scale_of_few_samples_is_close_to_that_of_single_gradients() {
    for train in [64, 160, 500] {
        let data = schuss::data::load(&format!("digits:train={train},test=10,size=8")).unwrap();
        let mut trial = trial("64-10", "batch:20", "sgd", 1);
        trial.instruments = vec!["noise-scale".parse().unwrap()];
        let twin = Twin::of(&initial_params(&trial, &data));
        let gradient = |sample: twin::Sample| twin.gradient(&[sample]).concat();
        let gradients: Vec<Vec<f64>> = twin::samples(&data.train).into_iter().map(gradient).collect();
        let mean = |i: usize| gradients.iter().map(|gradient| gradient[i]).sum::<f64>() / train as f64;
        let variance = |i: usize| {
            let squares = gradients.iter().map(|gradient| (gradient[i] - mean(i)).powi(2));
            squares.sum::<f64>() / (train - 1) as f64
        };
        let wanted: f64 = (0..gradients[0].len()).map(variance).sum();
        let found = reading(&trial, &data, 0, "noise_scale_variance").unwrap();
        assert!((found / wanted - 1.0).abs() < 0.3, "{train}: {found}, not {wanted}");
    }
}

#[test]
fn sharpness_names_the_layer_or_loss_whose_second_derivatives_it_does_not_know() {
    let data = digits();
    for (model, loss, part) in [
        ("linear:12,batch-norm,relu,linear:10", "cross-entropy", "layer 1 of model"),
        ("linear:12,prelu,linear:10", "cross-entropy", "layer 1 of model"),
        ("64-12-10", "focal", "loss `focal"),
    ] {
        let mut trial = trial(model, "batch:20", "sgd", 1);
        trial.recipe.loss = loss.parse().unwrap();
        trial.instruments = vec!["sharpness".parse().unwrap()];
        let error = Session::new(&trial, &data, ONE_THREAD).err().unwrap();
        assert!(error.exit_code() == 2 && error.what.contains(part) && error.advice.is_some(), "{error}");
    }
}

/// Runs full-batch descent on a linear network under squared errors, whose Hessian is the same everywhere, at `share` of
/// its stability bound.
fn descend_a_quadratic(optimizer: &str, share: f64, data: &Dataset) -> schuss::session::Outcome {
    let with = |lr: f64| {
        let mut trial = trial("64-10", "epoch", &optimizer.replace("LR", &lr.to_string()), 3_000);
        trial.recipe.loss = "mse".parse().unwrap();
        trial
    };
    let diverged = Session::new(&with(1e6), data, ONE_THREAD).unwrap().run().unwrap().diverged.unwrap();
    let bound = diverged.stability.unwrap();
    assert!((bound.ratio * bound.largest_lr / 1e6 - 1.0).abs() < 1e-9 && bound.samples == data.train.len());
    Session::new(&with(share * bound.largest_lr), data, ONE_THREAD).unwrap().run().unwrap()
}

#[test]
fn a_diverged_trial_tells_how_far_past_the_stability_bound_its_rate_was_and_the_bound_is_true() {
    let data = schuss::data::load("digits:train=60,test=20,size=8").unwrap();
    for (optimizer, kind) in [
        ("sgd:lr=LR", DescentKind::Plain),
        ("sgd:lr=LR,momentum=0.9", DescentKind::HeavyBall),
        ("sgd:lr=LR,momentum=0.8,nesterov=true", DescentKind::Nesterov),
    ] {
        assert_eq!(descend_a_quadratic(optimizer, 0.95, &data).diverged, None, "{optimizer}");
        let above = descend_a_quadratic(optimizer, 1.05, &data).diverged.unwrap();
        let bound = above.stability.unwrap();
        assert!((bound.ratio - 1.05).abs() < 0.005 && bound.descent == kind, "{optimizer}: {bound:?}");
        assert!(above.update > bound.measured_at, "measured where weights were finite");
    }
}

#[test]
fn the_bound_is_measured_before_the_weights_exploded_even_if_every_update_is_evaluated() {
    let data = digits();
    let bound = |update: &str| {
        let mut trial = trial("64-32-32-10", update, "sgd:lr=20", 300);
        trial.recipe.loss = "mse".parse().unwrap();
        let outcome = Session::new(&trial, &data, ONE_THREAD).unwrap().run().unwrap();
        assert!(
            outcome.updates > 1 || update != "epoch",
            "it is evaluated between start and end: {outcome:?}"
        );
        outcome.diverged.unwrap().stability.unwrap()
    };
    let (epoch, batch) = (bound("epoch"), bound("batch:10"));
    assert!((1.0..1e3).contains(&epoch.ratio), "{epoch:?}");
    assert!((epoch.measured_at, batch.measured_at) == (0, 0) && epoch.sharpness == batch.sharpness);
}

#[test]
fn the_stability_bound_is_left_out_for_adaptive_rules_and_chains() {
    let data = digits();
    for optimizer in ["adam:lr=1e30", "clip-value:1e30+sgd:lr=1e30", "rmsprop:lr=1e30"] {
        let mut trial = trial("64-12-10", "batch:50", optimizer, 2);
        trial.recipe.loss = "mse".parse().unwrap();
        let outcome = Session::new(&trial, &data, ONE_THREAD).unwrap().run().unwrap();
        assert_eq!(outcome.diverged.unwrap().stability, None, "{optimizer}");
    }
}
