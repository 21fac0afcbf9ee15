//! Training on a card goes the way of training on the processor.

mod common;

use common::{adapter, digits, largest_difference, on_card, on_processor, trial};
use schuss::Trial;
use schuss::data::{Dataset, Labels, Samples, Shape, Split, Values};
use schuss::loss::Targets;
use std::sync::Arc;

/// Trains on both and compares losses, metrics and weights; returns the name of the strategy on the card.
fn compare(trial: &Trial, data: &Dataset, tolerance: f32) -> Option<&'static str> {
    let adapter = adapter("training")?;
    let what = format!("{} {} {}", trial.model, trial.recipe.update, trial.recipe.optimizer);
    let [mut card, mut processor] = [on_card(trial, data, &adapter), on_processor(trial, data)];
    let [there, here] = [card.run().unwrap(), processor.run().unwrap()];
    assert_eq!((there.updates, there.status), (here.updates, here.status), "{what}");
    for (there, here) in there.epochs.iter().zip(&here.epochs) {
        let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() <= f64::from(tolerance) * b.abs().max(1.0),
            (a, b) => a == b,
        };
        assert!(near(there.train_loss, here.train_loss), "{what}: {there:?} {here:?}");
        assert!(near(there.eval_loss, here.eval_loss), "{what}: {there:?} {here:?}");
        assert!(near(there.eval_accuracy, here.eval_accuracy), "{what}: {there:?} {here:?}");
        for (name, value) in &here.metrics {
            assert!(near(there.metrics[name], *value), "{what}, {name}: {there:?} {here:?}");
        }
    }
    let difference = largest_difference(card.params().values(), processor.params().values());
    assert!(difference < tolerance, "{what}: weights differ by {difference}");
    Some(card.strategy())
}

#[test]
fn trajectories_are_those_of_the_processor() {
    for (model, update, optimizer) in [
        ("64-32-10", "batch:100", "sgd:lr=0.1"),
        ("64-32-20-10", "batch:70", "adam:lr=0.01"),
        ("64-10", "epoch", "sgd:lr=0.1,momentum=0.9"),
        ("64-10", "batch:30", "radam:lr=0.01"),
        ("64-20-10", "batch:30", "schedule-free-sgd:lr=0.1"),
        ("linear:24,gelu,linear:12,tanh,linear:10", "batch:50", "lion:lr=0.001"),
        ("linear:24,silu,linear:10,sigmoid", "batch:50", "bias@sgd:lr=0.1/adam:lr=0.01"),
        ("flatten,relu,linear:10", "batch:50", "weights@freeze/rmsprop:lr=0.01"),
    ] {
        let mut trial = trial(model, update, optimizer, 2);
        if model.ends_with("sigmoid") {
            trial.recipe.loss = "mse".parse().unwrap();
        }
        let strategy = compare(&trial, &digits(), 2e-4);
        assert!(strategy.is_none_or(|strategy| strategy == "card-in-backward"));
    }
}

#[test]
fn gradients_are_clipped_by_the_norm_of_their_group() {
    for optimizer in ["clip-global-norm:0.1+sgd:lr=0.5", "bias@sgd:lr=0.1/clip-global-norm:0.05+adam:lr=0.01"]
    {
        let strategy = compare(&trial("64-20-10", "batch:60", optimizer, 2), &digits(), 2e-4);
        assert!(strategy.is_none_or(|strategy| strategy == "card-stored"), "{optimizer}");
    }
}

#[test]
fn an_update_of_more_samples_than_a_pass_holds_is_summed_pass_by_pass() {
    let data = schuss::data::load("digits:train=4500,test=60,size=8").unwrap();
    let strategy = compare(&trial("64-16-10", "epoch", "adam:lr=0.01", 3), &data, 2e-4);
    assert!(strategy.is_none_or(|strategy| strategy == "card-stored"));
}

#[test]
fn schedules_class_weights_and_normalisation_reach_the_card() {
    let data = schuss::data::load("digits:train=300,test=60,size=8").unwrap();
    let mut trial = trial("64-20-10", "batch:50", "sgd:lr=0.2", 3);
    trial.recipe.schedule = "cosine:t_max=18".parse().unwrap();
    trial.recipe.loss =
        "cross-entropy:label_smoothing=0.1,class_weights=1:2:0.5:0:1:1:1:3:1:1".parse().unwrap();
    compare(&trial, &data, 2e-4);
}

#[test]
fn dropout_drops_what_the_processor_drops() {
    for model in ["linear:24,relu,dropout:0.3,linear:10", "dropout:0.2,linear:16,tanh,dropout:0.5,linear:10"]
    {
        compare(&trial(model, "batch:70", "sgd:lr=0.1", 3), &digits(), 2e-4);
    }
}

#[test]
fn layers_of_whole_rows_learn_as_on_the_processor() {
    let mut nll = trial("linear:16,tanh,linear:10,log-softmax", "batch:70", "sgd:lr=0.1", 2);
    nll.recipe.loss = "nll".parse().unwrap();
    compare(&nll, &digits(), 2e-4);
    for model in ["linear:24,layer-norm,relu,linear:10", "layer-norm,linear:16,gelu,layer-norm,linear:10"] {
        let strategy = compare(&trial(model, "batch:70", "adam:lr=0.01", 2), &digits(), 5e-4);
        assert!(strategy.is_none_or(|strategy| strategy == "card-stored"));
    }
}

#[test]
fn batches_are_normalised_in_their_groups() {
    for (model, update, stats) in [
        ("linear:24,batch-norm,relu,linear:10", "batch:70", None),
        ("batch-norm,linear:16,batch-norm,tanh,linear:10", "batch:100", Some(30)),
        ("linear:12,batch-norm,relu,linear:10", "epoch", Some(7)),
    ] {
        let mut trial = trial(model, update, "sgd:lr=0.1", 3);
        trial.recipe.stats = stats;
        compare(&trial, &digits(), 5e-4);
    }
}

#[test]
fn noise_on_inputs_is_that_of_the_processor() {
    for noise in ["masking:0.3", "salt-and-pepper:0.2", "gaussian:0.1"] {
        let mut trial = trial("linear:16,relu,linear:64,sigmoid", "batch:50", "adam:lr=0.01", 2);
        (trial.targets, trial.recipe.loss) = (Targets::Input, "mse".parse().unwrap());
        trial.noise = Some(noise.parse().unwrap());
        compare(&trial, &digits(), 2e-4);
    }
}

/// Points (i, i²), whose target is a large number.
fn points(len: usize) -> Samples {
    let values = (0..len).flat_map(|i| [i as f32 / len as f32, (i as f32 / len as f32).powi(2)]).collect();
    let values_of_targets = (0..len).map(|i| 5_000.0 + 40.0 * (i * 7 % 11) as f32).collect();
    Samples::new(Values::Floats(values), Labels::Real { values: values_of_targets, width: 1 }, 2).unwrap()
}

#[test]
fn numbers_are_predicted_in_their_units() {
    let data = Dataset::given("points", Shape::Flat(2), vec![], points(60), points(25));
    let mut trial = trial("2-8-1", "batch:20", "sgd:lr=0.05", 3);
    (trial.targets, trial.recipe.loss) = (Targets::Real, "mse".parse().unwrap());
    compare(&trial, &data, 1e-3);
}

#[test]
fn inputs_are_reconstructed() {
    let Some(adapter) = adapter("inputs_are_reconstructed") else { return };
    let mut trial = trial("linear:16,relu,linear:64,sigmoid", "batch:50", "adam:lr=0.01", 2);
    (trial.targets, trial.recipe.loss) = (Targets::Input, "mse".parse().unwrap());
    compare(&trial, &digits(), 2e-4);
    let images =
        [on_card(&trial, &digits(), &adapter), on_processor(&trial, &digits())].map(|mut session| {
            session.run().unwrap();
            session.reconstructions(5).unwrap().unwrap()
        });
    assert_eq!(images[0].inputs, images[1].inputs);
    for (there, here) in images[0].outputs.iter().zip(&images[1].outputs) {
        assert!(largest_difference(there, here) < 1e-4);
    }
}

#[test]
fn streamed_samples_give_the_bits_of_resident_ones() {
    let Some(adapter) = adapter("streamed_samples_give_the_bits_of_resident_ones") else { return };
    let (data, mut streamed) = (digits(), digits());
    let samples = data.train.resident().unwrap().clone();
    streamed.train = Split::Streamed(Arc::new(samples));
    let trial = trial("64-20-10", "batch:70", "adam:lr=0.01", 2);
    let digests = [&data, &streamed].map(|data| {
        let mut session = on_card(&trial, data, &adapter);
        session.run().unwrap();
        session.digest()
    });
    assert_eq!(digests[0], digests[1]);
}
