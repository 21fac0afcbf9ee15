//! Update rules and orders, checked against a plain f64 twin of the network.

mod common;

use common::twin::{Sample, Twin, samples};
use common::{ONE_THREAD, bits, initial_params, largest_difference, random_data, run, trial};
use schuss::data::Dataset;
use schuss::data::stream::order::EpochOrder;
use schuss::recipe::{Order, Trial};
use schuss::session::{Control, Event, Session};

/// 23 samples of 12 pixels in 3 classes: no number of samples per update from 2 to 22 divides them.
fn data() -> Dataset {
    random_data(12, 3, 23, 10, 7)
}

/// Plain gradient descent on the 12-9-3 network, in file order.
fn descent(update: &str, lr: f64, epochs: u32) -> Trial {
    let mut trial = trial("12-9-3", update, &format!("sgd:lr={lr}"), epochs);
    trial.recipe.order = Order::Sequential;
    trial
}

/// Losses of all updates, per epoch.
fn losses(trial: &Trial, data: &Dataset) -> Vec<Vec<f32>> {
    let mut session = Session::new(trial, data, ONE_THREAD).unwrap();
    let mut epochs = vec![];
    let mut sink = |event: &Event| {
        if let Event::Losses(losses) = event {
            epochs.push(losses.to_vec());
        }
        Ok(())
    };
    session.run_with(&Control::default(), &mut sink).unwrap();
    epochs
}

#[test]
fn the_sample_rule_is_batch_of_one_with_the_same_bits() {
    let (sample, by_sample) = run(&descent("sample", 0.1, 2), &data(), ONE_THREAD);
    let (_, by_batch) = run(&descent("batch:1", 0.1, 2), &data(), ONE_THREAD);
    assert_eq!(bits(&by_sample), bits(&by_batch));
    assert_eq!(sample.updates, 46);
}

#[test]
fn a_batch_of_all_samples_or_more_is_the_epoch_rule_with_the_same_bits() {
    let (epoch, by_epoch) = run(&descent("epoch", 0.1, 3), &data(), ONE_THREAD);
    assert_eq!(epoch.updates, 3);
    for update in ["batch:23", "batch:24", "batch:1000000"] {
        let (batch, by_batch) = run(&descent(update, 0.1, 3), &data(), ONE_THREAD);
        assert_eq!(bits(&by_batch), bits(&by_epoch), "{update}");
        assert_eq!(common::rows_without_times(&batch), common::rows_without_times(&epoch), "{update}");
    }
}

/// Trains the twin in file order; returns its weights and the sample-weighted mean loss of each epoch.
fn twin_descent(mut twin: Twin, samples: &[Sample], batch: usize, lr: f64, epochs: u32) -> (Twin, Vec<f64>) {
    let mut epoch =
        |_| -> f64 { samples.chunks(batch).map(|batch| twin.descend(batch, lr) * batch.len() as f64).sum() };
    let means = (0..epochs).map(|i| epoch(i) / samples.len() as f64).collect();
    (twin, means)
}

#[test]
fn the_last_partial_batch_is_averaged_over_its_true_size_and_losses_are_weighted_by_samples() {
    for batch in [1, 2, 5, 10, 22, 23] {
        let (data, trial) = (data(), descent(&format!("batch:{batch}"), 0.5, 4));
        let start = Twin::of(&initial_params(&trial, &data));
        let (twin, means) = twin_descent(start, &samples(&data.train), batch, 0.5, 4);
        let (outcome, params) = run(&trial, &data, ONE_THREAD);
        assert_eq!(Twin::of(&params).tensors.len(), twin.tensors.len());
        for (found, expected) in Twin::of(&params).tensors.iter().zip(&twin.tensors) {
            let error = largest_difference(found, expected);
            assert!(error < 2e-6, "batch:{batch}: off by {error:e}\nexpected {expected:?}\nfound {found:?}");
        }
        let found: Vec<f64> = outcome.epochs[1..].iter().map(|row| row.train_loss.unwrap()).collect();
        assert!(
            largest_difference(&found, &means) < 1e-6,
            "batch:{batch}: expected {means:?}, found {found:?}"
        );
    }
}

#[test]
fn row_0_is_the_evaluation_before_any_update_and_every_epoch_has_exactly_one_row() {
    let (data, trial) = (data(), descent("batch:5", 0.5, 4));
    let twin = Twin::of(&initial_params(&trial, &data));
    let (outcome, params) = run(&trial, &data, ONE_THREAD);
    let counts: Vec<_> = outcome.epochs.iter().map(|row| (row.epoch, row.updates, row.samples)).collect();
    assert_eq!(counts, [(0, 0, 0), (1, 5, 23), (2, 10, 46), (3, 15, 69), (4, 20, 92)]);
    assert_eq!(outcome.epochs[0].train_loss, None);
    let test = samples(&data.test);
    for (row, twin) in [(&outcome.epochs[0], twin), (&outcome.epochs[4], Twin::of(&params))] {
        let expected = twin.loss(&test);
        let error = (row.eval_loss.unwrap() - expected).abs();
        assert!(error < 1e-6, "row {}: expected {expected}, found {:?}", row.epoch, row.eval_loss);
        assert_eq!(row.eval_accuracy, Some(twin.accuracy(&test)), "row {}", row.epoch);
    }
}

/// Losses of updates at a learning rate of 0, which identify the samples of each update.
fn batch_losses(order: Order, seed: u64) -> Vec<Vec<f32>> {
    let mut trial = descent("batch:5", 0.0, 3);
    (trial.recipe.order, trial.seed) = (order, seed);
    losses(&trial, &data())
}

#[test]
fn fixed_batches_repeat_every_epoch_and_shuffled_ones_do_not() {
    for seed in 1..=5 {
        let [fixed, shuffled, replaced] =
            [Order::Fixed, Order::Shuffled, Order::Replacement].map(|order| batch_losses(order, seed));
        assert!(fixed[1] == fixed[0] && fixed[2] == fixed[0], "seed {seed}: {fixed:?}");
        assert_eq!(shuffled[0], fixed[0], "seed {seed}: epoch 1 has the same permutation");
        for epochs in [shuffled, replaced] {
            assert!(epochs[0] != epochs[1] && epochs[1] != epochs[2], "seed {seed}: {epochs:?}");
        }
        assert_ne!(fixed, batch_losses(Order::Fixed, seed + 1), "seed {seed}");
    }
}

#[test]
fn every_order_feeds_its_batches_in_turn_and_sequential_is_file_order() {
    let (data, seed) = (data(), 3);
    let mut trial = descent("batch:5", 0.0, 3);
    trial.seed = seed;
    let (twin, all) = (Twin::of(&initial_params(&trial, &data)), samples(&data.train));
    for order in [Order::Sequential, Order::Fixed, Order::Shuffled, Order::Replacement] {
        for (epoch, found) in (0..).zip(batch_losses(order, seed)) {
            let of_epoch = EpochOrder::new(order, all.len(), seed, epoch);
            let visited: Vec<Sample> = (0..all.len()).map(|at| all[of_epoch.index(at)].clone()).collect();
            assert!(order != Order::Sequential || visited == all);
            let expected: Vec<f64> = visited.chunks(5).map(|batch| twin.loss(batch)).collect();
            let found: Vec<f64> = found.into_iter().map(f64::from).collect();
            let error = largest_difference(&found, &expected);
            assert!(
                error < 1e-6,
                "{order}, epoch {epoch}, seed {seed}: expected {expected:?}, found {found:?}"
            );
        }
    }
}
