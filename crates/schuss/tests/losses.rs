//! Guarantees of losses in training: the same bits for any number of threads and microbatch, no allocation in a step,
//! and a trial that ends with the reason if the loss is undefined.

mod common;

use allocation_counter::measure;
use common::{ONE_THREAD, bits, random_data, rows_without_times, run, trial};
use schuss::data::Dataset;
use schuss::loss::Loss;
use schuss::loss::Targets;
use schuss::recipe::Trial;
use schuss::record::Status;
use schuss::session::{Limits, Session};

/// Losses with keys that are not at their defaults.
const MORE: [&str; 5] = [
    "cross-entropy:label_smoothing=0.1",
    "cross-entropy:class_weights=0.1:0.3:0.7",
    "nll:class_weights=0.1:0.3:0.7",
    "multi-margin:p=2,class_weights=0.1:0.3:0.7",
    "bce:logits=false",
];

fn all() -> impl Iterator<Item = &'static str> {
    Loss::NAMES.iter().chain(&MORE).copied()
}

/// A network with the outputs that the loss needs: log-probabilities, probabilities, or any numbers.
fn trial_with(loss: &str, update: &str, optimizer: &str, epochs: u32) -> Trial {
    let last = match loss.split(':').next().unwrap() {
        "nll" | "kl" => ",log-softmax",
        _ if loss == "bce:logits=false" => ",sigmoid",
        _ => "",
    };
    let mut trial = trial(&format!("linear:9,relu,linear:3{last}"), update, optimizer, epochs);
    trial.recipe.loss = loss.parse().unwrap();
    trial
}

/// 103 samples of 12 pixels in 3 classes: under batch:7 the last update has five samples.
fn data() -> Dataset {
    random_data(12, 3, 103, 700, 5)
}

#[test]
fn every_loss_has_the_same_bits_for_any_threads_and_microbatch() {
    let limits = [
        Limits { threads: 2, ..ONE_THREAD },
        Limits { threads: 3, microbatch: Some(20), ..ONE_THREAD },
        Limits { microbatch: Some(5), ..ONE_THREAD },
        Limits { microbatch: Some(1_000), ..ONE_THREAD },
    ];
    for loss in all() {
        for update in ["epoch", "batch:7", "sample"] {
            let trial = trial_with(loss, update, "sgd:lr=0.01,momentum=0.9", 2);
            let (outcome, params) = run(&trial, &data(), ONE_THREAD);
            assert_eq!(outcome.status, Status::Finished, "{}", trial.canonical());
            for limits in limits {
                let (other, other_params) = run(&trial, &data(), limits);
                let case = format!("{}{limits:?}", trial.canonical());
                assert_eq!(rows_without_times(&other), rows_without_times(&outcome), "{case}");
                assert!(bits(&other_params) == bits(&params), "weights differ\n{case}");
            }
        }
    }
}

#[test]
fn training_loss_falls_whatever_the_loss() {
    for loss in all() {
        let (outcome, _) = run(&trial_with(loss, "batch:10", "adam:lr=0.01", 30), &data(), ONE_THREAD);
        let [first, last] = [1, 30].map(|epoch| outcome.epochs[epoch].train_loss.unwrap());
        assert!(last < first, "{loss}: from {first} to {last}");
    }
}

fn allocations(trial: &Trial, data: &Dataset) -> u64 {
    let mut session = Session::new(trial, data, ONE_THREAD).unwrap();
    measure(|| drop(session.run().unwrap())).count_total
}

#[test]
fn no_step_allocates_whatever_the_loss() {
    for loss in all() {
        let [few, many] = ["batch:50", "batch:5"].map(|update| {
            let trial = trial_with(loss, update, "adam", 2);
            run(&trial, &data(), ONE_THREAD); // grows this thread's panel of the kernels
            allocations(&trial, &data())
        });
        assert_eq!(few, many, "{loss}");
    }
}

#[test]
fn classes_of_weight_zero_are_passed_over_under_every_update_rule() {
    for update in ["epoch", "batch:7", "sample"] {
        let trial = trial_with("cross-entropy:class_weights=0:1:2", update, "sgd:lr=0.01", 2);
        assert_eq!(run(&trial, &data(), ONE_THREAD).0.status, Status::Finished, "{update}");
    }
}

#[test]
fn losses_of_probabilities_refuse_a_model_that_does_not_end_with_them() {
    for (loss, wanted) in [("bce:logits=false", "sigmoid"), ("nll", "log-softmax"), ("kl", "log-softmax")] {
        let mut trial = trial_with(loss, "batch:10", "sgd:lr=0.01", 1);
        trial.model = "linear:3,softplus,linear:3".parse().unwrap();
        let error = Session::new(&trial, &data(), ONE_THREAD).err().unwrap();
        assert!(error.exit_code() == 2 && error.what.contains(wanted), "{loss}: {error}");
    }
}

#[test]
fn losses_that_compare_with_classes_refuse_the_input_as_target() {
    for loss in all() {
        let mut trial = trial_with(loss, "batch:10", "sgd:lr=0.01", 1);
        let model = match loss {
            "kl" => "linear:12,log-softmax",
            "bce:logits=false" => "linear:12,sigmoid",
            _ => "linear:12",
        };
        (trial.model, trial.targets) = (model.parse().unwrap(), Targets::Input);
        let of_rows = ["mse", "l1", "huber", "smooth-l1", "bce", "kl", "poisson", "cosine"];
        let result = Session::new(&trial, &data(), ONE_THREAD).map(|_| ());
        match of_rows.contains(&loss.split(':').next().unwrap()) {
            true => result.unwrap(),
            false => assert_eq!(result.unwrap_err().exit_code(), 2, "{loss}"),
        }
    }
}

#[test]
fn specs_survive_a_round_trip_and_senseless_keys_are_usage_errors() {
    for loss in all() {
        assert_eq!(loss.parse::<Loss>().unwrap().to_string(), loss);
    }
    for loss in [
        "cross-entropi",
        "cross-entropy:label_smoothing=1",
        "cross-entropy:class_weights=-1:1",
        "nll:class_weights=0:0",
        "multi-margin:p=3",
        "huber:delta=0",
        "smooth-l1:beta=-1",
        "focal:gamma=-1",
        "focal:alpha=2",
        "poisson:eps=0",
        "mse:delta=1",
    ] {
        assert_eq!(loss.parse::<Loss>().unwrap_err().exit_code(), 2, "{loss}");
    }
    let trial = trial_with("nll:class_weights=1:2", "batch:10", "sgd:lr=0.1", 1);
    assert_eq!(Session::new(&trial, &data(), ONE_THREAD).err().unwrap().exit_code(), 2);
}
