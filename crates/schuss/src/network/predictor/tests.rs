//! Tests of predictions and evaluations against those of sessions.

use super::*;
use crate::loss::Targets;
use crate::metrics::ImageQuality;
use crate::network::{ClassScores, Scores, save};
use crate::recipe::Recipe;
use crate::session::{Limits, Session};
use crate::{Budget, Trial};
use schuss_data::{Dataset, ImageShape, Labels, Samples, Shape, Values, write_picture};
use std::collections::BTreeMap;
use tempfile::TempDir;

/// Returns a network trained for an epoch, as a file, with its session's evaluation on the test split.
fn trained(data: &Dataset) -> (TempDir, crate::record::Evaluation) {
    trained_as(Trial { model: "784-20-10".parse().unwrap(), ..Trial::default() }, data)
}

fn trained_as(trial: Trial, data: &Dataset) -> (TempDir, crate::record::Evaluation) {
    let trial = Trial { budget: Budget { epochs: 1, ..Budget::default() }, ..trial };
    let mut session = Session::new(&trial, data, Limits::default()).unwrap();
    let outcome = session.run().unwrap();
    let folder = TempDir::new().unwrap();
    let bytes = save(session.params(), &ModelFile::of(&trial, data)).unwrap();
    std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
    (folder, outcome.evaluation.unwrap())
}

fn load(folder: &TempDir, threads: usize) -> Predictor {
    Predictor::load(&folder.path().join("model.safetensors"), threads).unwrap()
}

/// Returns a predictor with initial weights.
fn untrained(trial: &Trial, data: &Dataset, threads: usize) -> Predictor {
    let about = ModelFile::of(trial, data);
    let layout = about.plan(&trial.model).unwrap().layout;
    Predictor::new(about, Params::init(layout, &Default::default(), 1), threads).unwrap()
}

#[test]
fn a_saved_model_gives_the_very_loss_and_accuracy_of_its_session() {
    let data = schuss_data::load("digits:train=500,test=600").unwrap(); // 600 is not a multiple of the microbatch
    let (folder, expected) = trained(&data);
    for threads in [1, 2] {
        let (mut loss, mut correct, mut seen) = (0.0, 0, 0);
        let mut predictor = load(&folder, threads);
        predictor
            .predict_classes(&data.test, &mut |prediction| {
                assert_eq!(prediction.index, seen);
                let sum: f32 = prediction.probabilities.unwrap().iter().sum();
                assert!(prediction.probabilities.unwrap().len() == 10 && (sum - 1.0).abs() < 1e-5, "{sum}");
                let label = prediction.label.unwrap();
                assert_eq!(Some(label as u32), data.test.resident().unwrap().class(seen));
                let own = -f64::from(prediction.probabilities.unwrap()[label]).ln();
                assert!((prediction.loss - own).abs() < 1e-4, "{own}, not {}", prediction.loss);
                seen += 1;
                loss += prediction.loss;
                correct += usize::from(prediction.class == label);
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        assert_eq!((seen, correct as f64 / 600.0), (600, expected.accuracy.unwrap()));
        assert!((loss / 600.0 - expected.loss).abs() < 1e-12, "{loss} {}", expected.loss);
    }
}

#[test]
fn lines_of_all_threads_are_those_of_the_samples_in_order_and_end_where_the_reader_does() {
    let data = schuss_data::load("digits:train=100,test=2000").unwrap(); // several batches
    let (folder, _) = trained(&data);
    let line = |found: &ClassPrediction, text: &mut String| {
        text.push_str(&format!("{} {} {:?}\n", found.index, found.class, found.probabilities));
    };
    let mut expected = String::new();
    let mut add = |found: ClassPrediction| {
        line(&found, &mut expected);
        Ok(ControlFlow::Continue(()))
    };
    load(&folder, 1).predict_classes(&data.test, &mut add).unwrap();
    for threads in [1, 2, 3] {
        let (mut found, mut first) = (String::new(), String::new());
        let mut all = |lines: &str| {
            found.push_str(lines);
            Ok(ControlFlow::Continue(()))
        };
        load(&folder, threads).class_lines(&data.test, &line, &mut all).unwrap();
        assert_eq!(found, expected, "{threads} threads");
        let mut one = |lines: &str| {
            first.push_str(lines);
            Ok(ControlFlow::Break(()))
        };
        load(&folder, threads).class_lines(&data.test, &line, &mut one).unwrap();
        assert!(first.len() < expected.len() && expected.starts_with(&first), "{threads} threads");
    }
}

#[test]
fn streamed_samples_are_predicted_however_large_they_are() {
    const FEATURES: usize = 70_000; // 256 of them take more than is read ahead
    let values = Values::Floats((0..3 * FEATURES).map(|i| (i % 11) as f32).collect());
    let samples = Samples::new(values, Labels::Absent(3), FEATURES).unwrap();
    let trial = Trial { model: "linear:2".parse().unwrap(), ..Trial::default() };
    let classes = ["a", "b"].map(String::from).to_vec();
    let data = Dataset::given("x", Shape::Flat(FEATURES), classes, samples.clone(), samples.clone());
    let predicted = |split: &Split| {
        let mut found = vec![];
        untrained(&trial, &data, 2)
            .predict_classes(split, &mut |prediction| {
                found.push(prediction.outputs.to_vec());
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        found
    };
    let streamed = Split::Streamed(std::sync::Arc::new(samples.clone()));
    assert_eq!(predicted(&streamed), predicted(&samples.into()));
}

#[test]
fn lines_of_numbers_are_those_of_the_samples_in_order_whatever_the_threads() {
    let numbers = |count: usize| (0..count).map(|i| (i * 7 % 13) as f32).collect::<Vec<_>>();
    let labels = Labels::Real { values: numbers(2 * 6_000), width: 2 };
    let samples = Samples::new(Values::Floats(numbers(3 * 6_000)), labels, 3).unwrap(); // several batches
    let recipe = Recipe { loss: "mse".parse().unwrap(), ..Recipe::default() };
    let model = "linear:300,relu,linear:2".parse().unwrap();
    let trial = Trial { model, targets: Targets::Real, recipe, ..Trial::default() };
    let data = Dataset::given("x", Shape::Flat(3), vec![], samples.clone(), samples);
    let line = |found: &NumberPrediction, text: &mut String| {
        text.push_str(&format!("{} {:?} {:?}\n", found.index, found.target, found.numbers));
    };
    let mut expected = String::new();
    let mut add = |found: NumberPrediction| {
        line(&found, &mut expected);
        Ok(ControlFlow::Continue(()))
    };
    untrained(&trial, &data, 1).predict_numbers(&data.test, &mut add).unwrap();
    assert_eq!(expected.lines().count(), 6_000);
    for threads in [1, 2, 3] {
        let mut found = String::new();
        let mut all = |lines: &str| {
            found.push_str(lines);
            Ok(ControlFlow::Continue(()))
        };
        untrained(&trial, &data, threads).number_lines(&data.test, &line, &mut all).unwrap();
        assert!(found == expected, "{threads} threads");
    }
    let refused = untrained(&trial, &data, 1).class_lines(&data.test, &|_, _| {}, &mut |_| unreachable!());
    assert_eq!(refused.unwrap_err().exit_code(), 2);
}

#[test]
fn lines_before_a_sample_that_overflows_are_visited() {
    let mut values: Vec<f32> = (0..4_000).map(|i| (i % 5) as f32).collect();
    values[3_001] = f32::MAX;
    let samples = Samples::new(Values::Floats(values), Labels::Absent(4_000), 1).unwrap();
    let trial = Trial { model: "linear:300,relu,linear:2".parse().unwrap(), ..Trial::default() };
    let classes = ["a", "b"].map(String::from).to_vec();
    let data = Dataset::given("x", Shape::Flat(1), classes, samples.clone(), samples);
    let mut predictor = untrained(&trial, &data, 2);
    predictor.params.values_mut().iter_mut().for_each(|weight| *weight = 100.0 * weight.abs());
    let line = |found: &ClassPrediction, text: &mut String| text.push_str(&format!("{}\n", found.index));
    let mut found = String::new();
    let mut all = |lines: &str| {
        found.push_str(lines);
        Ok(ControlFlow::Continue(()))
    };
    let error = predictor.class_lines(&data.test, &line, &mut all).unwrap_err();
    assert!(error.exit_code() == 3 && error.what.ends_with("overflow on sample 3001"), "{error}");
    let expected: String = (0..3_001).map(|index| format!("{index}\n")).collect();
    assert_eq!(found, expected);
}

/// Returns the metrics of an evaluation that found this quality.
fn metrics(quality: ImageQuality) -> BTreeMap<String, Option<f64>> {
    let ImageQuality { mse, psnr, ssim } = quality;
    [("mse", Some(mse)), ("psnr", Some(psnr)), ("ssim", ssim)]
        .map(|(name, value)| (name.to_owned(), value))
        .into()
}

#[test]
fn a_saved_autoencoder_reconstructs_as_well_as_its_session_and_knows_no_classes() {
    let data = schuss_data::load("digits:train=300,test=300,size=8").unwrap();
    let recipe = Recipe { loss: "mse".parse().unwrap(), ..Recipe::default() };
    let model = "linear:20,relu,linear:64,sigmoid".parse().unwrap();
    let trial = Trial { model, targets: Targets::Input, recipe, ..Trial::default() };
    let (folder, expected) = trained_as(trial, &data);
    let mut predictor = load(&folder, 2);
    assert_eq!(metrics(predictor.quality(&data.test).unwrap()), expected.metrics);
    let refused = predictor.predict_classes(&data.test, &mut |_| Ok(ControlFlow::Continue(()))).unwrap_err();
    assert!(refused.exit_code() == 2 && refused.what.contains("not classes"), "{refused}");
    let (classifier, _) = trained(&schuss_data::load("digits:train=100,test=20").unwrap());
    let refused = load(&classifier, 1).quality(&data.test).unwrap_err();
    assert!(refused.exit_code() == 2 && refused.what.contains("not an autoencoder"), "{refused}");
}

#[test]
fn a_network_trained_to_tell_class_by_class_answers_with_sigmoids_and_the_loss_of_its_session() {
    let data = schuss_data::load("digits:train=300,test=300,size=8").unwrap();
    for (loss, model) in
        [("bce", "64-20-10"), ("focal", "64-20-10"), ("bce:logits=false", "linear:10,sigmoid")]
    {
        let recipe = Recipe { loss: loss.parse().unwrap(), ..Recipe::default() };
        let trial = Trial { model: model.parse().unwrap(), recipe, ..Trial::default() };
        let (folder, expected) = trained_as(trial, &data);
        let (mut sum, mut correct, mut all) = (0.0, 0, vec![]);
        load(&folder, 1)
            .predict_classes(&data.test, &mut |prediction| {
                sum += prediction.loss;
                correct += usize::from(Some(prediction.class) == prediction.label);
                let probabilities = prediction.probabilities.unwrap();
                all.push(probabilities.iter().sum::<f32>());
                assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        assert!((sum / 300.0 - expected.loss).abs() < 1e-12, "{loss}: {sum}, {}", expected.loss);
        assert_eq!(correct as f64 / 300.0, expected.accuracy.unwrap());
        assert!(all.iter().any(|sum| (sum - 1.0).abs() > 0.01), "{loss}: a softmax");
    }
}

#[test]
fn an_autoencoder_trained_on_logits_is_measured_by_their_sigmoids_in_its_session_and_from_its_file() {
    let data = schuss_data::load("digits:train=300,test=300,size=8").unwrap();
    let quality = |model: &str, loss: &str| {
        let recipe = Recipe { loss: loss.parse().unwrap(), ..Recipe::default() };
        let trial =
            Trial { model: model.parse().unwrap(), targets: Targets::Input, recipe, ..Trial::default() };
        let (folder, expected) = trained_as(trial, &data);
        let mut predictor = load(&folder, 2);
        let found = predictor.quality(&data.test).unwrap();
        assert_eq!(metrics(found), expected.metrics, "{loss}");
        predictor
            .predict_numbers(&data.test, &mut |found| {
                assert!(found.numbers.iter().all(|x| (0.0..=1.0).contains(x)), "{loss}");
                Ok(ControlFlow::Continue(()))
            })
            .unwrap();
        found
    };
    let of_logits = quality("linear:20,relu,linear:64", "bce");
    let of_probabilities = quality("linear:20,relu,linear:64,sigmoid", "bce:logits=false");
    assert!((of_logits.mse - of_probabilities.mse).abs() < 1e-4, "the same network in two forms");
}

#[test]
fn a_visitor_that_has_seen_enough_is_not_called_again() {
    let data = schuss_data::load("digits:train=100,test=20").unwrap();
    let (folder, _) = trained(&data);
    let mut seen = 0;
    let mut visit = |_: ClassPrediction| {
        seen += 1;
        Ok(if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    };
    load(&folder, 1).predict_classes(&data.test, &mut visit).unwrap();
    assert_eq!(seen, 3);
}

#[test]
fn samples_that_do_not_fit_are_usage_errors_and_classes_beyond_the_last_data_errors() {
    let data = schuss_data::load("digits:train=100,test=20").unwrap();
    let (folder, _) = trained(&data);
    let small = Samples::images(vec![0; 8], vec![0, 1], 4).unwrap().into();
    let eleventh = Samples::images(vec![0; 784], vec![10], 784).unwrap().into();
    let refused = [(small, 2, "takes 784 numbers, but a sample has 4"), (eleventh, 3, "labelled 10")];
    for (split, code, part) in refused {
        let mut predictor = load(&folder, 1);
        let error = predictor.predict_classes(&split, &mut |_| Ok(ControlFlow::Continue(()))).unwrap_err();
        assert!(error.exit_code() == code && error.what.contains(part), "{error}");
    }
}

fn class_scores(predictor: &mut Predictor, data: &Dataset) -> ClassScores {
    let Scores::Classes(scores) = predictor.evaluate(data).unwrap() else { panic!("classes") };
    scores
}

#[test]
fn every_sample_is_counted_once_and_the_worst_mistake_comes_first() {
    let data = schuss_data::load("digits:train=500,test=300").unwrap();
    let (folder, expected) = trained(&data);
    let scores = class_scores(&mut load(&folder, 2), &data);
    assert_eq!((scores.samples, scores.confusion.samples()), (300, 300));
    assert_eq!((Some(scores.accuracy), Some(scores.chance)), (expected.accuracy, expected.chance));
    assert!((scores.loss - expected.loss).abs() < 1e-12, "{} {}", scores.loss, expected.loss);
    let losses: Vec<f64> = scores.worst.iter().map(|mistake| mistake.loss).collect();
    assert!(losses.len() == 8 && losses.is_sorted_by(|a, b| a >= b) && losses[0] > scores.loss, "{losses:?}");
    for mistake in &scores.worst {
        let label = data.test.read(&[mistake.index as u64]).unwrap().classes()[0];
        assert!(mistake.actual == data.classes[label as usize] && mistake.predicted != mistake.actual);
    }
}

#[test]
fn scores_are_serialised_in_a_fixed_order_of_keys() {
    let data = schuss_data::load("digits:train=100,test=20,size=8").unwrap();
    let keys = |trial: Trial| {
        let (folder, _) = trained_as(trial, &data);
        let value = serde_json::to_value(load(&folder, 1).evaluate(&data).unwrap()).unwrap();
        value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ")
    };
    let classes = Trial { model: "64-10".parse().unwrap(), ..Trial::default() };
    let expected = "accuracy chance only_class loss loss_name samples classes confusion worst metrics";
    assert_eq!(keys(classes), expected);
    let recipe = Recipe { loss: "mse".parse().unwrap(), ..Recipe::default() };
    let model = "linear:20,relu,linear:64,sigmoid".parse().unwrap();
    assert_eq!(
        keys(Trial { model, targets: Targets::Input, recipe, ..Trial::default() }),
        "mse psnr ssim samples metrics"
    );
}

#[test]
fn data_whose_classes_are_in_another_order_get_the_same_scores() {
    let data = schuss_data::load("digits:train=300,test=100,size=8").unwrap();
    let (folder, _) = trained_as(Trial { model: "64-10".parse().unwrap(), ..Trial::default() }, &data);
    let reversed: Vec<String> = data.classes.iter().rev().cloned().collect();
    let other = data.clone().in_classes(&reversed).unwrap();
    let mut predictor = load(&folder, 1);
    assert_eq!(class_scores(&mut predictor, &other), class_scores(&mut predictor, &data));
}

#[test]
fn data_without_samples_or_labels_are_data_errors_and_those_that_do_not_match_usage_errors() {
    let data = schuss_data::load("digits:train=100,test=20").unwrap();
    let (folder, _) = trained(&data);
    let mut predictor = load(&folder, 1);
    let of = |labels: Labels| {
        let samples = Samples::new(data.test.resident().unwrap().values().clone(), labels, 784).unwrap();
        Dataset { test: samples.into(), ..data.clone() }
    };
    let beyond = Dataset { classes: vec![], ..of(Labels::Class(vec![10; 20])) };
    let empty = Dataset { test: Samples::images(vec![], vec![], 784).unwrap().into(), ..data.clone() };
    let small = schuss_data::load("digits:train=10,test=10,size=8").unwrap();
    let renamed =
        Dataset { classes: (0..10).map(|class| format!("digit {class}")).collect(), ..data.clone() };
    for (data, code, part) in [
        (of(Labels::Absent(20)), 3, "the test split has no labels"),
        (empty, 3, "the test split is empty"),
        (beyond, 3, "labelled 10"),
        (small, 2, "1 x 8 x 8"),
        (renamed, 2, "a class `digit 0`"),
    ] {
        let error = predictor.evaluate(&data).unwrap_err();
        assert!(error.exit_code() == code && error.what.contains(part), "{error}");
    }
}

#[test]
fn weights_of_another_model_are_refused() {
    let data = schuss_data::load("digits:train=100,test=20,size=8").unwrap();
    let of = |model: &str| {
        let trial = Trial { model: model.parse().unwrap(), ..Trial::default() };
        let session = Session::new(&trial, &data, Limits::default()).unwrap();
        (ModelFile::of(&trial, &data), session.params().clone())
    };
    let ((about, params), (_, others)) = (of("64-10"), of("64-5-10"));
    assert!(Predictor::new(about.clone(), params, 1).is_ok());
    assert_eq!(Predictor::new(about, others, 1).unwrap_err().exit_code(), 2);
}

#[test]
fn classes_are_ranked_by_probability_or_else_by_output() {
    let (outputs, probabilities) = ([1.0, -2.0, 3.0], [0.25, 0.0, 0.75]);
    let prediction = ClassPrediction {
        index: 0,
        class: 2,
        label: None,
        probabilities: Some(&probabilities),
        outputs: &outputs,
        loss: 0.0,
        weight: 1.0,
    };
    assert_eq!((prediction.ranking(), prediction.class_scores()), (vec![2, 0, 1], &probabilities[..]));
    let prediction = ClassPrediction { probabilities: None, ..prediction };
    assert_eq!((prediction.ranking(), prediction.class_scores()), (vec![2, 0, 1], &outputs[..]));
}

#[test]
fn labels_above_one_half_apply_and_pixels_stay_within_a_byte() {
    let prediction = NumberPrediction { index: 0, target: None, numbers: &[0.5, 0.500_1, 1.0] };
    assert_eq!(prediction.labels(&["a", "b", "c"].map(String::from)), ["b", "c"]);
    assert_eq!(
        NumberPrediction { numbers: &[-1.0, 0.0, 0.5, 1.0, 2.0], ..prediction }.pixels(),
        [0, 0, 128, 255, 255]
    );
}

#[test]
fn a_picture_is_prepared_for_the_model_and_every_change_is_noted() {
    let data = schuss_data::load("digits:train=100,test=20,size=8").unwrap();
    let (folder, _) = trained_as(Trial { model: "64-10".parse().unwrap(), ..Trial::default() }, &data);
    let mut predictor = load(&folder, 1);
    let write = |name: &str, side: usize, shade: u8| {
        let shape = ImageShape { channels: 1, height: side, width: side };
        let path = folder.path().join(name);
        std::fs::write(&path, write_picture(&vec![shade; side * side], shape).unwrap()).unwrap();
        path
    };
    let (dark, bright) = (write("dark.png", 8, 0), write("bright.png", 12, 255));
    let picture = predictor.read_picture(&dark).unwrap();
    assert_eq!((picture.notes.len(), picture.split.len(), picture.pixels.len()), (0, 1, 64));
    let notes = predictor.read_picture(&bright).unwrap().notes;
    assert!(notes.len() == 2 && notes[0] == "resized from 12 x 12 to 8 x 8", "{notes:?}");
    assert!(notes[1].starts_with("inverted, since it is dark on bright"), "{notes:?}");
    predictor.about.preparation = None;
    let notes = predictor.read_picture(&dark).unwrap().notes;
    assert!(notes.len() == 1 && notes[0].contains("does not record how images were prepared"), "{notes:?}");
    predictor.about.shape = schuss_data::Shape::Flat(64);
    let error = predictor.read_picture(&dark).unwrap_err();
    assert!(error.exit_code() == 2 && error.what == "the model takes 64 numbers, not an image", "{error}");
}
