//! Targets of any size are standardised for training, and everything reported is in their original units.

mod common;

use common::{ONE_THREAD, bits, resident, run, trial};
use schuss::Trial;
use schuss::data::{Dataset, Labels, Offsets, Samples, Shape, Split, Values};
use schuss::loss::Targets;
use schuss::metrics::Deviation;
use schuss::network::{ModelFile, Params, Predictor, Scores, WithLoss, save};
use schuss::recipe::ChoiceKey;
use schuss::recipe::TargetScale;
use schuss::session::{Control, Limits, Session};
use schuss::study::{Choices, Study, StudyFile};
use std::ops::ControlFlow;
use std::sync::Arc;

/// `len` points (a, b) in ±1, each with a price and a tiny fraction as targets.
fn points(len: usize, offset: usize) -> Samples {
    let at = |i: usize| {
        let turn = |step: f32| ((i + offset) as f32 * step).fract() * 2.0 - 1.0;
        [turn(0.754_877_7), turn(0.569_840_3)]
    };
    let values = Values::Floats((0..len).flat_map(at).collect());
    let targets = |[a, b]: [f32; 2]| [300_000.0 + 90_000.0 * (a - b), 1e-9 * (2.0 + a * b)];
    let targets = (0..len).map(at).flat_map(targets).collect();
    Samples::new(values, Labels::Real { values: targets, width: 2 }, 2).unwrap()
}

/// Samples with the first target only.
fn prices(samples: &Samples) -> Samples {
    targets(samples, |row| vec![row[0]])
}

/// The same samples with other targets.
fn targets(samples: &Samples, other: impl Fn(&[f32]) -> Vec<f32>) -> Samples {
    let rows: Vec<Vec<f32>> = (0..samples.len()).map(|index| other(samples.reals(index))).collect();
    let width = rows[0].len();
    Samples::new(samples.values().clone(), Labels::Real { values: rows.concat(), width }, 2).unwrap()
}

fn of([train, test]: [Samples; 2]) -> Dataset {
    Dataset::given("points", Shape::Flat(2), vec![], train, test)
}

fn data() -> Dataset {
    of([points(300, 0), points(100, 1_000)])
}

fn regression(outputs: usize, loss: &str, update: &str, optimizer: &str, epochs: u32) -> Trial {
    let mut trial = trial(&format!("linear:8,tanh,linear:{outputs}"), update, optimizer, epochs);
    trial.targets = Targets::Real;
    trial.recipe.loss = loss.parse().unwrap();
    trial
}

fn predictor(trial: &Trial, data: &Dataset, params: &Params) -> Predictor {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, save(params, &ModelFile::of(trial, data)).unwrap()).unwrap();
    Predictor::load(&path, 1).unwrap()
}

fn evaluate(predictor: &mut Predictor, data: &Dataset) -> WithLoss<Deviation> {
    let Scores::Numbers(scores) = predictor.evaluate(data).unwrap() else { panic!("a regression") };
    scores
}

/// Mean over samples and outputs of `value` of the error and the output, in the targets' original units.
fn mean(predictor: &mut Predictor, split: &Split, value: impl Fn(f64, usize) -> f64) -> f64 {
    let (mut sum, mut count) = (0.0, 0.0);
    let mut visit = |prediction: schuss::network::NumberPrediction| {
        for (output, (targets, asked)) in
            prediction.numbers.iter().zip(prediction.target.unwrap()).enumerate()
        {
            sum += value(targets - asked, output);
            count += 1.0;
        }
        Ok(ControlFlow::Continue(()))
    };
    predictor.predict_numbers(split, &mut visit).unwrap();
    sum / count
}

#[test]
fn losses_are_told_in_the_units_of_every_target_exactly() {
    let data = data();
    let size = data.scale.deviation.clone();
    let huber = |bound: f64, error: f64| {
        let error = error.abs();
        if error <= bound { error * error / 2.0 } else { bound * (error - bound / 2.0) }
    };
    type Value<'a> = Box<dyn Fn(f64, usize) -> f64 + 'a>;
    let losses: [(&str, Value); 4] = [
        ("mse", Box::new(|error, _| error * error)),
        ("l1", Box::new(|error, _| error.abs())),
        ("huber:delta=0.5", Box::new(|error, output| huber(0.5 * size[output], error))),
        (
            "smooth-l1:beta=0.5",
            Box::new(|error, output| huber(0.5 * size[output], error) / (0.5 * size[output])),
        ),
    ];
    for (loss, value) in losses {
        let trial = regression(2, loss, "batch:20", "adam:lr=0.01", 2);
        let (outcome, params) = run(&trial, &data, ONE_THREAD);
        let expected = mean(&mut predictor(&trial, &data, &params), &data.test, value);
        let found = outcome.evaluation.as_ref().unwrap().loss;
        assert!((found / expected - 1.0).abs() < 1e-5, "{loss}: {found}, not {expected}");
        let first = outcome.epochs[1].train_loss.unwrap();
        let wide = outcome.epochs[0].eval_loss.unwrap();
        assert!(first < 3.0 * wide && first > found / 3.0, "{loss}: {wide}, {first}, {found}");
    }
}

/// The same trial on targets standardised by hand.
fn by_hand(trial: &Trial, data: &Dataset) -> (Trial, Dataset) {
    let schuss::data::Scale { mean, deviation } = data.scale.clone();
    let standard = |split: &Split| {
        let scaled = |(output, &number): (usize, &f32)| {
            ((f64::from(number) - mean[output]) / deviation[output]) as f32
        };
        targets(resident(split), |row| row.iter().enumerate().map(scaled).collect())
    };
    let other = of([standard(&data.train), standard(&data.test)]);
    (Trial { target_scale: Some(TargetScale::None), ..trial.clone() }, other)
}

#[test]
fn weights_are_those_of_targets_standardised_by_hand_under_every_kind_of_optimizer() {
    let data = data();
    for (loss, update, optimizer) in [
        ("mse", "batch:20", "sgd:lr=0.1,momentum=0.9"),
        ("l1", "sample", "sgd:lr=0.01"),
        ("huber", "batch:7", "adam:lr=0.01"),
        ("smooth-l1", "epoch", "rprop"),
        ("mse", "batch:20", "momo:lr=0.1"),
        ("mse", "batch:20", "sam:rho=0.05+sgd:lr=0.1"),
        ("mse", "epoch", "l-bfgs"),
        ("huber", "epoch", "cg"),
        ("mse", "epoch", "levenberg-marquardt"),
        ("mse", "batch:50", "k-fac"),
    ] {
        let trial = regression(2, loss, update, optimizer, 3);
        let (_, params) = run(&trial, &data, ONE_THREAD);
        let (hand, scaled) = by_hand(&trial, &data);
        assert_eq!(bits(&params), bits(&run(&hand, &scaled, ONE_THREAD).1), "{loss} {update} {optimizer}");
    }
}

#[test]
fn threads_microbatches_and_streaming_change_no_bit() {
    let data = data();
    let trial = regression(2, "mse", "batch:40", "adam:lr=0.01", 3);
    let (expected, params) = run(&trial, &data, ONE_THREAD);
    let streamed = Split::Streamed(Arc::new(resident(&data.train).clone()));
    let streamed = Dataset { train: streamed, ..data.clone() };
    for (threads, microbatch, data) in [(2, None, &data), (1, Some(3), &data), (2, Some(17), &streamed)] {
        let (outcome, other) = run(&trial, data, Limits { threads, microbatch, ..ONE_THREAD });
        assert_eq!(bits(&params), bits(&other));
        assert_eq!(common::rows_without_times(&outcome), common::rows_without_times(&expected));
    }
}

#[test]
fn a_saved_model_gives_the_loss_of_its_session_in_original_units_whatever_the_loss() {
    let data = of([prices(&points(200, 0)), prices(&points(100, 1_000))]);
    for loss in ["mse", "l1", "huber:delta=0.5", "smooth-l1"] {
        let trial = regression(1, loss, "batch:20", "adam:lr=0.02", 3);
        let (outcome, params) = run(&trial, &data, ONE_THREAD);
        let WithLoss { loss: found, loss_name, .. } = evaluate(&mut predictor(&trial, &data, &params), &data);
        let expected = outcome.evaluation.as_ref().unwrap().loss;
        assert!((found / expected - 1.0).abs() < 1e-9, "{loss}: {found}, not {expected}");
        assert_eq!(loss_name, trial.recipe.loss.to_string());
    }
}

#[test]
fn prices_are_learnt_with_the_usual_optimizer_and_told_as_prices() {
    let data = of([prices(&points(300, 0)), prices(&points(100, 1_000))]);
    let trial = regression(1, "mse", "batch:20", "sgd:lr=0.1", 30);
    let (outcome, params) = run(&trial, &data, ONE_THREAD);
    let mut predictor = predictor(&trial, &data, &params);
    let WithLoss { loss, scores: found, .. } = evaluate(&mut predictor, &data);
    assert!(found.r2.unwrap() > 0.9, "{found:?}");
    assert!((outcome.evaluation.as_ref().unwrap().loss / found.mse - 1.0).abs() < 1e-5, "{found:?}");
    assert!((outcome.evaluation.as_ref().unwrap().loss / loss - 1.0).abs() < 1e-9, "{loss}");
    let mut visit = |prediction: schuss::network::NumberPrediction| {
        assert!((50_000.0..600_000.0).contains(&prediction.numbers[0]), "{prediction:?}");
        Ok(ControlFlow::Continue(()))
    };
    predictor.predict_numbers(&data.test, &mut visit).unwrap();
    let model = "linear:8,relu,linear:1".parse().unwrap();
    let none = Trial { target_scale: Some(TargetScale::None), model, ..trial };
    let status = run(&none, &data, ONE_THREAD).0.status;
    assert_eq!(status, schuss::record::Status::Diverged, "as without standardising");
}

#[test]
fn tiny_targets_one_that_never_changes_and_a_single_row_are_learnt() {
    let all = points(300, 0);
    let tiny = |row: &[f32]| vec![row[1]];
    let test = points(100, 1_000);
    let data = of([targets(&all, tiny), targets(&test, tiny)]);
    let trial = regression(1, "mse", "batch:20", "adam:lr=0.02", 60);
    let (_, params) = run(&trial, &data, ONE_THREAD);
    let found = evaluate(&mut predictor(&trial, &data, &params), &data).scores;
    assert!(found.r2.unwrap() > 0.8, "{found:?}");

    let constant = |row: &[f32]| vec![row[0], 7.0e6];
    let data = of([targets(&all, constant), targets(&test, constant)]);
    let trial = regression(2, "mse", "batch:20", "sgd:lr=0.1", 20);
    let (outcome, params) = run(&trial, &data, ONE_THREAD);
    assert!(outcome.evaluation.as_ref().unwrap().loss < 1e9, "{outcome:?}");
    let targets =
        mean(
            &mut predictor(&trial, &data, &params),
            &data.test,
            |error, output| {
                if output == 1 { error.abs() } else { 0.0 }
            },
        );
    assert!(targets < 1.0, "constant targets are predicted: {targets}");

    let data = of([prices(&points(1, 0)), prices(&points(1, 1))]);
    let trial = regression(1, "mse", "batch:1", "sgd:lr=0.1", 3);
    assert!(run(&trial, &data, ONE_THREAD).0.evaluation.unwrap().loss.is_finite());
}

/// Targets in seconds since 1970 are stored minus an offset, so that 32 bits hold them.
#[test]
fn times_are_told_to_the_second() {
    let start = 1_764_230_400.0;
    let seconds =
        |samples: &Samples| targets(samples, |row| vec![((row[0] - 300_000.0) / 9_000.0).round() + 30.0]);
    let offsets = Offsets { values: vec![], labels: vec![start] };
    let data = Dataset { offsets, ..of([seconds(&points(300, 0)), seconds(&points(100, 1_000))]) };
    let trial = regression(1, "mse", "batch:20", "adam:lr=0.02", 60);
    let (outcome, params) = run(&trial, &data, ONE_THREAD);
    let mut predictor = predictor(&trial, &data, &params);
    let WithLoss { loss, scores: found, .. } = evaluate(&mut predictor, &data);
    assert!(found.mae < 2.0 && found.r2.unwrap() > 0.9, "{found:?}");
    assert!((outcome.evaluation.as_ref().unwrap().loss / found.mse - 1.0).abs() < 1e-3, "{found:?}");
    assert!((outcome.evaluation.as_ref().unwrap().loss / loss - 1.0).abs() < 1e-9, "{loss}");
    let mut visit = |prediction: schuss::network::NumberPrediction| {
        assert!(
            prediction.target.unwrap()[0].fract() == 0.0 && (prediction.numbers[0] - start).abs() < 200.0
        );
        Ok(ControlFlow::Continue(()))
    };
    predictor.predict_numbers(&data.test, &mut visit).unwrap();
}

fn resolve(data: &Dataset, choices: &str) -> schuss::Result<Study> {
    let (_, choices) = Choices::parse_trial(choices).unwrap();
    Study::resolve("test", &StudyFile { recipe: choices, ..StudyFile::default() }, data)
}

#[test]
fn the_scale_is_a_choice_of_the_trial_that_is_written_down_and_refused_where_it_means_nothing() {
    let data = data();
    let trial = |choices: &str| resolve(&data, choices).unwrap().trials[0].trial.clone();
    let [standard, none] = [trial("model=2-4-2"), trial("model=2-4-2 target-scale=none")];
    assert_eq!(standard.record().get("target_scale").as_deref(), Some("standard"));
    assert_eq!(none.record().get("target_scale").as_deref(), Some("none"));
    assert_ne!(standard.config_id(), none.config_id());
    assert!(!none.canonical().contains("target_scale"), "the names of trials from before the choice");
    let written = resolve(&data, "model=2-4-2").unwrap().to_file(&data);
    assert_eq!(written.trials[0].choices.get(ChoiceKey::TargetScale), Some("standard"));
    assert_eq!(trial("loss=poisson").record().get("target_scale").as_deref(), Some("none"));
    for (choices, part) in [
        ("loss=bce target-scale=standard", "loss `bce`"),
        ("targets=input model=2-3-2 target-scale=standard", "the target is the input"),
        ("target-scale=mean", "standard"),
    ] {
        let error = resolve(&data, choices).unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains(part), "{choices}: {error}");
    }
    let digits = schuss::data::load("digits:train=10,test=10").unwrap();
    assert!(resolve(&digits, "target-scale=standard").unwrap_err().to_string().contains("classes"));
    assert_eq!(resolve(&digits, "").unwrap().trials[0].trial.record().get("target_scale"), None);
}

#[test]
fn an_update_that_was_stopped_half_way_goes_on_with_both_of_its_losses() {
    let data = of([points(6_000, 0), points(100, 1_000)]);
    let trial = regression(2, "mse", "epoch", "momo:lr=0.1", 2);
    let limits = Limits { microbatch: Some(16), ..ONE_THREAD };
    let (expected, params) = run(&trial, &data, limits);
    for milliseconds in [2, 8, 20] {
        let (control, mut kept) = (Control::default(), vec![]);
        let mut session = Session::new(&trial, &data, limits).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(milliseconds));
                control.interrupt();
            });
            session.run_with(&control, &mut ()).unwrap();
        });
        session.save(&mut kept).unwrap();
        let mut again = Session::new(&trial, &data, limits).unwrap();
        again.load(&mut &kept[..]).unwrap();
        let outcome = again.run().unwrap();
        assert_eq!(bits(&params), bits(again.params()), "after {milliseconds} ms");
        let losses = |outcome: &schuss::session::Outcome| {
            outcome.epochs.iter().map(|row| (row.train_loss, row.eval_loss)).collect::<Vec<_>>()
        };
        assert_eq!(losses(&outcome)[1..], losses(&expected)[1..], "after {milliseconds} ms");
    }
}
