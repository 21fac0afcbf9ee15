//! Guarantees of layers beyond their values: the same bits for any number of threads and microbatch, noise only in
//! training, running statistics in evaluation and model files, no allocation in a step.

mod common;

use allocation_counter::measure;
use common::{ONE_THREAD, bits, random_data, rows_without_times, run, trial};
use schuss::data::{Dataset, ImageShape};
use schuss::loss::Targets;
use schuss::network::{Entry, Layer, ModelFile, Params, save};
use schuss::recipe::Trial;
use schuss::session::{Limits, Session};

/// 103 images of 4 x 3 pixels in 3 classes: under batch:7 the last update has five samples.
fn data() -> Dataset {
    let shape = ImageShape { channels: 1, height: 4, width: 3 }.into();
    Dataset { shape, ..random_data(12, 3, 103, 30, 5) }
}

/// A network with the named layer applied to numbers in 0..1; layers of images stand behind one that is trained.
fn around(layer: &str) -> String {
    match layer {
        "linear" => "linear:9,sigmoid,linear:5,linear:3".into(),
        "flatten" | "avg-pool" => format!("prelu,{layer},linear:9,sigmoid,linear:3"),
        _ => format!("linear:9,sigmoid,{layer},linear:3"),
    }
}

/// Asserts that a trial has the same weights and rows under other limits.
fn assert_same_bits(trial: &Trial, data: &Dataset, limits: &[Limits]) {
    let (outcome, params) = run(trial, data, ONE_THREAD);
    for &limits in limits {
        let (other_outcome, other_params) = run(trial, data, limits);
        let case = format!("{}{limits:?}", trial.canonical());
        assert_eq!(rows_without_times(&other_outcome), rows_without_times(&outcome), "{case}");
        assert!(bits(&other_params) == bits(&params), "weights differ\n{case}");
    }
}

const MANY_LIMITS: [Limits; 4] = [
    Limits { threads: 2, ..ONE_THREAD },
    Limits { threads: 3, microbatch: Some(20), ..ONE_THREAD },
    Limits { microbatch: Some(1), ..ONE_THREAD },
    Limits { microbatch: Some(5), ..ONE_THREAD },
];

#[test]
fn every_layer_has_the_same_bits_for_any_threads_and_microbatch() {
    for layer in Layer::NAMES {
        for update in ["epoch", "batch:7", "sample"] {
            if (*layer, update) != ("batch-norm", "sample") {
                let trial = trial(&around(layer), update, "sgd:lr=0.05,momentum=0.9", 2);
                assert_same_bits(&trial, &data(), &MANY_LIMITS);
            }
        }
    }
}

#[test]
fn statistics_over_a_part_of_the_update_have_the_same_bits_for_any_threads_and_microbatch() {
    for layer in ["batch-norm", "activity-kl"] {
        for (update, stats) in [("epoch", 16), ("batch:50", 7), ("batch:7", 1_000)] {
            let mut trial = trial(&around(layer), update, "adam:lr=0.01", 2);
            trial.recipe.stats = Some(stats);
            assert_same_bits(&trial, &data(), &MANY_LIMITS);
        }
    }
}

#[test]
fn updates_beyond_a_leaf_have_the_same_bits_for_any_threads_and_microbatch() {
    let data = random_data(12, 3, 9_001, 30, 6);
    let limits = [
        Limits { threads: 2, microbatch: Some(300), ..ONE_THREAD },
        Limits { microbatch: Some(7_000), ..ONE_THREAD },
    ];
    for stats in [None, Some(300), Some(5_000)] {
        for layer in ["batch-norm", "activity-kl:weight=0.1", "dropout:0.4"] {
            let mut trial = trial(&around(layer), "epoch", "sgd:lr=0.5,momentum=0.9", 2);
            trial.recipe.stats = stats;
            assert_same_bits(&trial, &data, &limits);
        }
    }
}

fn allocations(trial: &Trial) -> u64 {
    let data = data();
    let mut session = Session::new(trial, &data, ONE_THREAD).unwrap();
    measure(|| drop(session.run().unwrap())).count_total
}

#[test]
fn no_step_allocates_whatever_the_layer() {
    for layer in Layer::NAMES {
        let [few, many] = ["batch:50", "batch:5"].map(|update| {
            let trial = trial(&around(layer), update, "adam", 2);
            allocations(&trial); // grows this thread's panel of the kernels
            allocations(&trial)
        });
        assert_eq!(few, many, "{layer}");
    }
}

/// Losses per epoch of a network that is the identity except for `layer`, and in which the learnt slopes below zero
/// have no effect. The loss is the squared distance from the input.
fn distances(layer: &str, data: &Dataset) -> Vec<(Option<f64>, Option<f64>)> {
    let mut trial = trial(&format!("{layer},prelu"), "batch:100", "sgd:lr=0.1", 2);
    trial.targets = Targets::Input;
    trial.recipe.loss = "mse".parse().unwrap();
    let (outcome, _) = run(&trial, data, ONE_THREAD);
    outcome.epochs.iter().map(|row| (row.train_loss, row.eval_loss)).collect()
}

#[test]
fn dropout_keeps_the_mean_draws_anew_and_is_off_in_evaluation() {
    let data = random_data(64, 3, 2_000, 100, 8);
    let pixels = (0..2_000)
        .flat_map(|i| common::resident(&data.train).pixels(i))
        .map(|&x| (f64::from(x) / 255.0).powi(2));
    let mean_square = pixels.sum::<f64>() / (2_000.0 * 64.0);
    for p in [0.2, 0.5] {
        let rows = distances(&format!("dropout:{p}"), &data);
        let expected = p / (1.0 - p) * mean_square; // variance around x of x / (1 − p) or 0
        for (train_loss, eval_loss) in &rows[1..] {
            assert!((train_loss.unwrap() / expected - 1.0).abs() < 0.02, "{train_loss:?}, not {expected}");
            assert_eq!(*eval_loss, Some(0.0));
        }
        assert_ne!(rows[1].0, rows[2].0, "both epochs left out the same numbers");
    }
}

#[test]
fn batch_norm_refuses_samples_one_by_one_and_says_where() {
    for (update, stats) in [("sample", None), ("batch:10", Some(1))] {
        let mut trial = trial("linear:9,batch-norm,relu,linear:3", update, "sgd", 1);
        trial.recipe.stats = stats;
        let error = Session::new(&trial, &data(), ONE_THREAD).err().unwrap();
        assert!(error.exit_code() == 2 && error.what.contains("layer 1"), "{error}");
        assert!(error.advice.is_some());
    }
}

fn entry<'a>(params: &'a Params, name: &str) -> &'a Entry {
    params.layout().entries().iter().find(|entry| entry.name == name).unwrap()
}

fn tensor(params: &Params, name: &str) -> Vec<f32> {
    params.tensor(entry(params, name))
}

#[test]
fn a_last_update_of_one_sample_leaves_the_running_statistics_alone() {
    let trained = |samples| {
        let data = random_data(12, 3, samples, 10, 5);
        let mut trial = trial("batch-norm,linear:3", "batch:7", "sgd:lr=0.1", 1);
        trial.recipe.order = schuss::recipe::Order::Sequential;
        run(&trial, &data, ONE_THREAD).1
    };
    let (even, one_more) = (trained(21), trained(22));
    for name in ["0.running_mean", "0.running_var"] {
        assert_eq!(tensor(&even, name), tensor(&one_more, name), "{name}");
    }
}

#[test]
fn optimizers_leave_running_statistics_alone() {
    for optimizer in ["sgd:lr=0.1,weight_decay=0.1", "adam:lr=0.1,weight_decay=0.1"] {
        let model = "linear:9,batch-norm:momentum=0,relu,linear:3";
        let (_, params) = run(&trial(model, "batch:10", optimizer, 2), &data(), ONE_THREAD);
        assert_eq!(tensor(&params, "1.running_mean"), [0.0; 9]);
        assert_eq!(tensor(&params, "1.running_var"), [1.0; 9]);
        assert!(tensor(&params, "1.weight").iter().all(|&gain| gain != 1.0), "the gain is trained");
    }
}

#[test]
fn model_files_hold_running_statistics_and_slopes_under_pytorchs_names() {
    let data = data();
    let trial = trial("linear:9,batch-norm,prelu,linear:5,layer-norm,linear:3", "batch:10", "sgd:lr=0.1", 3);
    let (_, params) = run(&trial, &data, ONE_THREAD);
    let about = ModelFile::of(&trial, &data);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, save(&params, &about).unwrap()).unwrap();
    let (about_again, params_again) = ModelFile::load(&path).unwrap();
    assert_eq!(about_again, about);
    assert_eq!(bits(&params_again), bits(&params));
    assert!(tensor(&params_again, "1.running_var").iter().all(|&variance| variance > 0.0 && variance != 1.0));

    let names: Vec<_> = params.layout().entries().iter().map(|entry| entry.name.as_str()).collect();
    let linear_and_norm = ["0.weight", "0.bias", "1.weight", "1.bias", "1.running_mean", "1.running_var"];
    let rest = ["2.weight", "3.weight", "3.bias", "4.weight", "4.bias", "5.weight", "5.bias"];
    assert_eq!(names, [&linear_and_norm[..], &rest].concat());
}

#[test]
fn pooling_takes_images_alone_and_says_which_layer_does_not_get_them() {
    let limits = ONE_THREAD;
    for (model, part) in [
        ("linear:9,avg-pool:2,linear:3", "layer 1 of model"),
        ("flatten,avg-pool,linear:3", "needs images of at least 2 x 2 pixels, but gets 12 numbers"),
        ("avg-pool:4,linear:3", "needs images of at least 4 x 4 pixels, but gets 1 x 4 x 3 pixels"),
        ("avg-pool:2,linear:2", "has 2 outputs, but the data has 3 classes"),
    ] {
        let error = Session::new(&trial(model, "batch:7", "sgd", 1), &data(), limits).map(drop).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains(part), "{model}: {error}");
    }
    assert_eq!("avg-pool:0,linear:3".parse::<schuss::network::Model>().unwrap_err().exit_code(), 2);
}

#[test]
fn a_pooled_network_has_as_many_weights_as_windows_and_learns() {
    let (outcome, params) =
        run(&trial("avg-pool:2,flatten,linear:3", "batch:7", "sgd:lr=0.1", 3), &data(), ONE_THREAD);
    assert_eq!(params.layout().parameters(), 2 * 3 + 3);
    let names: Vec<&str> = params.layout().entries().iter().map(|entry| &*entry.name).collect();
    assert_eq!(names, ["2.weight", "2.bias"]);
    let losses: Vec<f64> = outcome.epochs.iter().filter_map(|row| row.train_loss).collect();
    assert!(losses.windows(2).all(|pair| pair[1] < pair[0]), "{losses:?}");
}
