//! Numeric targets: regression and multi-label classification, tables, and held-out splits.

mod common;

use common::{ONE_THREAD, bits, resident, run, trial};
use schuss::Trial;
use schuss::data::{Dataset, Labels, Samples, Shape, Split, Values};
use schuss::loss::Targets;
use schuss::network::{ModelFile, Params, Predictor, Scores, save};
use schuss::recipe::TargetScale;
use schuss::session::{Control, Session};
use schuss::study::{Study, StudyFile};
use std::path::Path;
use std::sync::Arc;

/// `len` points (a, b) in ±1 with the targets a b and a - b.
fn points(len: usize, offset: usize) -> Samples {
    let at = |i: usize| {
        let turn = |step: f32| ((i + offset) as f32 * step).fract() * 2.0 - 1.0;
        [turn(0.754_877_7), turn(0.569_840_3)]
    };
    let values = Values::Floats((0..len).flat_map(at).collect());
    let targets = (0..len).map(at).flat_map(|[a, b]| [a * b, a - b]).collect();
    Samples::new(values, Labels::Real { values: targets, width: 2 }, 2).unwrap()
}

fn data() -> Dataset {
    Dataset::given("points", Shape::Flat(2), vec![], points(400, 0), points(100, 1_000))
}

fn regression(model: &str, loss: &str, epochs: u32) -> Trial {
    let mut trial = trial(model, "batch:20", "adam:lr=0.01", epochs);
    trial.targets = Targets::Real;
    trial.recipe.loss = loss.parse().unwrap();
    trial
}

/// Mean over samples and outputs of `value` of the error, for a network of linear layers with tanh between them.
fn loss_in_f64(tensors: &[Vec<f64>], samples: &Samples, value: fn(f64) -> f64) -> f64 {
    let Values::Floats(inputs) = samples.values() else { panic!("points are floats") };
    let mut sum = 0.0;
    for index in 0..samples.len() {
        let mut x: Vec<f64> = inputs[index * 2..][..2].iter().map(|&x| f64::from(x)).collect();
        for (layer, pair) in tensors.chunks_exact(2).enumerate() {
            let rows = pair[0].chunks_exact(x.len()).zip(&pair[1]);
            let y: Vec<f64> =
                rows.map(|(row, bias)| bias + row.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>()).collect();
            let last = (layer + 1) * 2 == tensors.len();
            x = if last { y } else { y.into_iter().map(f64::tanh).collect() };
        }
        let errors = x.iter().zip(samples.reals(index)).map(|(y, &asked)| value(y - f64::from(asked)));
        sum += errors.sum::<f64>() / x.len() as f64;
    }
    sum / samples.len() as f64
}

fn tensors(params: &Params) -> Vec<Vec<f64>> {
    let entries = params.layout().entries().iter();
    entries.map(|entry| params.tensor(entry).into_iter().map(f64::from).collect()).collect()
}

fn squared(error: f64) -> f64 {
    error * error
}

fn absolute(error: f64) -> f64 {
    error.abs()
}

/// torch.nn.HuberLoss with its default delta of 1.
fn huber(error: f64) -> f64 {
    if error.abs() < 1.0 { error * error / 2.0 } else { error.abs() - 0.5 }
}

#[test]
fn gradients_for_numbers_to_be_told_are_those_of_central_differences_in_f64() {
    let data = data();
    for (loss, value) in [("mse", squared as fn(f64) -> f64), ("huber", huber), ("l1", absolute)] {
        let mut trial = regression("linear:5,tanh,linear:2", loss, 1);
        trial.target_scale = Some(TargetScale::None);
        (trial.recipe.update, trial.recipe.optimizer) =
            ("epoch".parse().unwrap(), "sgd:lr=1".parse().unwrap());
        let before = tensors(&common::initial_params(&trial, &data));
        let (outcome, after) = run(&trial, &data, ONE_THREAD);
        let expected = loss_in_f64(&before, resident(&data.train), value);
        let found = outcome.epochs[1].train_loss.unwrap();
        assert!((found - expected).abs() < 1e-6, "{loss}: {found}, not {expected}");
        for (which, tensor) in tensors(&after).iter().enumerate() {
            for (at, after) in tensor.iter().enumerate() {
                let moved = |by: f64| {
                    let mut other = before.clone();
                    other[which][at] += by;
                    loss_in_f64(&other, resident(&data.train), value)
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                let step = before[which][at] - after;
                assert!((step - slope).abs() < 2e-5, "{loss}, tensor {which} [{at}]: {step}, not {slope}");
            }
        }
    }
}

#[test]
fn a_regression_learns_without_accuracy_and_streams_to_the_same_bits() {
    let data = data();
    let trial = regression("linear:16,tanh,linear:2", "mse", 40);
    let (outcome, params) = run(&trial, &data, ONE_THREAD);
    let last = outcome.evaluation.unwrap();
    assert!(last.loss < 0.01 && last.accuracy.is_none(), "{last:?}");
    let streamed = Split::Streamed(Arc::new(resident(&data.train).clone()));
    let (_, same) = run(&trial, &Dataset { train: streamed, ..data }, ONE_THREAD);
    assert_eq!(bits(&params), bits(&same));
}

#[test]
fn a_saved_regression_tells_its_numbers_and_how_far_they_are_off() {
    let data = data();
    let trial = regression("linear:16,tanh,linear:2", "mse", 10);
    let (outcome, params) = run(&trial, &data, ONE_THREAD);
    let about = ModelFile::of(&trial, &data);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, save(&params, &about).unwrap()).unwrap();
    let mut predictor = Predictor::load(&path, 1).unwrap();
    let Scores::Numbers(found) = predictor.evaluate(&data).unwrap() else { panic!("a regression") };
    let found = found.scores;
    assert!((found.mse - outcome.evaluation.unwrap().loss).abs() < 1e-9, "{found:?}");
    assert!(found.samples == 100 && found.r2.is_some_and(|r2| r2 > 0.5), "{found:?}");
    let unlabelled = Samples::new(resident(&data.test).values().clone(), Labels::Absent(100), 2).unwrap();
    let mut targets = 0;
    let split = unlabelled.into();
    let mut visit = |prediction: schuss::network::NumberPrediction| {
        assert!(prediction.target.is_none() && prediction.numbers.len() == 2);
        targets += 1;
        Ok(std::ops::ControlFlow::Continue(()))
    };
    predictor.predict_numbers(&split, &mut visit).unwrap();
    assert_eq!(targets, 100);
    assert_eq!(predictor.evaluate(&Dataset { test: split, ..data }).unwrap_err().exit_code(), 3);
}

#[test]
fn several_labels_at_once_are_learnt_with_binary_cross_entropy() {
    let signs = |samples: Samples| {
        let targets = (0..samples.len()).flat_map(|i| samples.reals(i).to_vec());
        let labels = targets.map(|x| f32::from(u8::from(x > 0.0))).collect();
        Samples::new(samples.values().clone(), Labels::Real { values: labels, width: 2 }, 2).unwrap()
    };
    let (train, test) = (signs(points(400, 0)), signs(points(100, 1_000)));
    let data = Dataset::given("signs", Shape::Flat(2), vec![], train, test);
    let trial = regression("linear:16,tanh,linear:2,sigmoid", "bce:logits=false", 60);
    let last = run(&trial, &data, ONE_THREAD).0.evaluation.unwrap();
    assert!(last.loss < 0.2, "{last:?}");

    let named = Dataset { labels: ["a", "b"].map(String::from).to_vec(), ..data };
    for (model, loss) in [
        ("linear:16,tanh,linear:2,sigmoid", "bce:logits=false"),
        ("linear:16,tanh,linear:2", "bce:pos_weight=3"),
    ] {
        let trial = regression(model, loss, 3);
        let (outcome, params) = run(&trial, &named, ONE_THREAD);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        std::fs::write(&path, save(&params, &ModelFile::of(&trial, &named)).unwrap()).unwrap();
        let found = Predictor::load(&path, 1).unwrap().evaluate(&named).unwrap();
        let Scores::Labels(found) = found else { panic!("several labels") };
        let expected = outcome.evaluation.unwrap();
        assert_eq!((Some(found.scores.accuracy), found.scores.chance), (expected.accuracy, expected.chance));
        let [f1_macro, label_accuracy] =
            ["f1_macro", "label_accuracy"].map(|name| expected.metric(name).unwrap());
        assert_eq!((found.scores.f1_macro, found.scores.label_accuracy), (f1_macro, label_accuracy));
        assert_eq!(found.metrics, expected.metrics);
        assert!((found.loss - expected.loss).abs() < 1e-12, "{loss}: {found:?}");
        assert_eq!(found.scores.labels.iter().map(|score| &score.label).collect::<Vec<_>>(), ["a", "b"]);
    }
}

fn resolve(data: &Dataset, choices: &str) -> schuss::Result<Study> {
    let (_, choices) = schuss::study::Choices::parse_trial(choices).unwrap();
    Study::resolve("test", &StudyFile { recipe: choices, ..StudyFile::default() }, data)
}

#[test]
fn targets_and_loss_are_those_of_the_labels_unless_typed() {
    let study = resolve(&data(), "model=2-4-2").unwrap();
    let trial = &study.trials[0].trial;
    assert_eq!((trial.targets, trial.recipe.loss.to_string()), (Targets::Real, "mse".to_owned()));
    let typed = resolve(&data(), "loss=huber").unwrap();
    assert!(typed.trials[0].trial.recipe.loss.to_string().starts_with("huber"));
    assert_eq!(typed.trials[0].trial.model.to_string(), "2-400-256-2");
    let digits = schuss::data::load("digits:train=10,test=10").unwrap();
    assert_eq!(resolve(&digits, "").unwrap().trials[0].trial.targets, Targets::Class);
}

#[test]
fn what_the_labels_cannot_tell_is_refused_with_advice() {
    let refused = |data: &Dataset, choices: &str, code: u8, part: &str| {
        let error = resolve(data, choices).unwrap_err();
        assert!(error.exit_code() == code && error.to_string().contains(part), "{choices}: {error}");
    };
    refused(&data(), "targets=class", 2, "--targets real");
    refused(&data(), "model=2-4-3", 2, "layer");
    let whole = data();
    let misfit = Session::new(&regression("2-4-2", "cross-entropy", 1), &whole, ONE_THREAD);
    let error = misfit.err().unwrap();
    assert!(error.exit_code() == 2 && error.to_string().contains("mse"), "{error}");
    let without = |samples: &Samples| {
        Samples::new(samples.values().clone(), Labels::Absent(samples.len()), samples.features()).unwrap()
    };
    let (train, test) = (without(&points(20, 0)), without(&points(5, 0)));
    let data = Dataset::given("points", Shape::Flat(2), vec![], train, test);
    refused(&data, "", 2, "--targets input");
    assert!(resolve(&data, "targets=input model=2-3-2").is_ok());
    let half = Dataset { test: without(&points(5, 0)).into(), ..self::data() };
    refused(&half, "", 3, "test split has no labels");
}

#[test]
fn a_validation_split_is_what_curves_see_and_the_test_split_is_looked_at_once() {
    let data = Dataset { validation: Some(points(50, 500).into()), ..data() };
    let trial = regression("linear:8,tanh,linear:2", "mse", 2);
    let mut session = Session::new(&trial, &data, ONE_THREAD).unwrap();
    let seen = session.run().unwrap().evaluation.unwrap();
    let test = session.test(&Control::default()).unwrap().unwrap();
    let alone = |split: Split| {
        let data = Dataset { validation: None, test: split, ..data.clone() };
        run(&trial, &data, ONE_THREAD).0.evaluation.unwrap()
    };
    assert_eq!(seen.loss, alone(points(50, 500).into()).loss);
    assert_eq!(test.loss, alone(data.test.clone()).loss);
}

/// Everything at once: a table without a test split, and a requested validation split.
#[test]
fn a_study_holds_out_what_is_not_given_and_writes_down_which_samples_these_are() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("points.csv");
    let rows = (0..200).map(|i| format!("{},{},{}\n", i % 17, i % 5, if i % 4 == 0 { "yes" } else { "no" }));
    std::fs::write(&table, "a,b,answer\n".to_owned() + &rows.collect::<String>()).unwrap();
    let text = format!(
        "seeds = [1, 2]\n[workload]\ndata = '{}'\nmodel = '2-4-2'\nvalidation = 0.25\n[recipe]\nepochs = 1\n",
        table.display()
    );
    let study = folder.path().join("study.toml");
    std::fs::write(&study, text).unwrap();
    let file = StudyFile::load(&study.display().to_string()).unwrap();
    let run_in = |name: &str| {
        let data = file.workload.load(None, None).unwrap();
        let study = Study::resolve("points", &file, &data).unwrap();
        let out = folder.path().join(name);
        let limits = schuss::session::Limits { ..ONE_THREAD };
        let finished =
            schuss::study::run(&study, &data, limits, Some(&out), "test", &Control::default(), &mut ())
                .unwrap();
        (finished.summary, read(&out, "split.json"), read(&out, "study.toml"))
    };
    let (summary, split, resolved) = run_in("one");
    let counts = summary.data.counts;
    assert_eq!((counts.train, counts.validation, counts.test), (120, Some(40), 40));
    assert_eq!(summary.data.eval_split, "validation");
    assert!(!summary.warnings.iter().any(|warning| warning.contains("no validation split")));
    let trials = &summary.trials;
    assert!(trials.iter().all(|trial| trial.test.as_ref().is_some_and(|test| test.accuracy.is_some())));
    let last = |trial: &schuss::record::TrialRecord| trial.epochs.last().unwrap().eval_loss;
    assert!(trials.iter().all(|trial| trial.test.as_ref().map(|test| test.loss) != last(trial)));
    assert!(split.contains("\"hash\"") && split.contains("\"validation\": 40"), "{split}");
    assert!(resolved.contains("validation = 0.25"), "{resolved}");
    assert_eq!(run_in("two").1, split, "the same samples whatever the run");
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join(name)).unwrap()
}
