//! `schuss predict`: predictions of a trained model for images, or for every sample of a data set.

use crate::choices::Reading;
use crate::model;
use crate::terminal::{Screen, Tile, bar, deliver, fit, percent};
use schuss::data;
use schuss::loss::Targets;
use schuss::network::{ClassPrediction, NumberPrediction, Predictor, PreparedPicture};
use schuss::study::{TrainedModel, Workload};
use schuss::{Error, Result};
use schuss_data::text::{grouped, printable, push_millionths, push_shortest, push_whole};
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

/// Columns of a class's name and of a bar; images per row.
const NAME: usize = 12;
const BAR: usize = 40;
const PER_ROW: usize = 2;
/// Maximum number of classes listed.
const CLASSES: usize = 20;

/// Predicts images, or the test split of a data spec, with the model in the file, trial or run `model`.
///
/// # Errors
/// Data errors for model, images and data, usage errors if they do not match, a failure if `out` cannot be written.
pub(crate) fn run(
    model: &Path,
    inputs: &[String],
    reading: &Reading,
    json: bool,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<()> {
    let is_picture = |input: &String| data::is_picture_file(Path::new(input));
    let mut model = model::open(model)?;
    match inputs {
        [input] if is_picture(input) => picture(&mut model.predictor, Path::new(input), json, screen, out),
        [input] => samples(&mut model, &reading.workload(input), json, out),
        several => match several.iter().find(|input| !is_picture(input)) {
            Some(input) => Err(Error::usage(format!(
                "`{input}` is not an image: only images can be given several at a time"
            ))
            .advise("pass one table, folder or other data set at a time")),
            None => several.iter().try_for_each(|input| one_of(&mut model.predictor, input, json, out)),
        },
    }
}

/// Prints one line for one of several images.
fn one_of(predictor: &mut Predictor, file: &str, json: bool, out: &mut dyn Write) -> Result<()> {
    let about = predictor.about().clone();
    let split = prepared(predictor, Path::new(file))?.split;
    let subject = Subject::File(file);
    match about.targets {
        Targets::Class => predictor.predict_classes(&split, &mut |found| {
            deliver(out, &class_line(subject, &found, &about.classes, json))
        }),
        Targets::Real => predictor.predict_numbers(&split, &mut |found| {
            deliver(out, &number_line(subject, &found, &about.labels, json))
        }),
        Targets::Input => Err(Error::usage("the model is an autoencoder: it predicts no classes")
            .advise("pass one image at a time to see its reconstruction")),
    }
}

/// Subject of a prediction.
#[derive(Clone, Copy)]
enum Subject<'a> {
    Sample(usize),
    File(&'a str),
}

impl Subject<'_> {
    /// Returns the first column of a line.
    fn text(self) -> String {
        match self {
            Self::Sample(index) => index.to_string(),
            Self::File(file) => printable(file),
        }
    }

    /// Appends the first column of a line.
    fn add(self, text: &mut String) {
        match self {
            Self::Sample(index) => push_whole(text, index as u64),
            Self::File(file) => text.push_str(&printable(file)),
        }
    }

    /// Returns the JSON object `rest` with the index or file added.
    fn json(self, mut rest: serde_json::Value) -> String {
        let (key, value) = match self {
            Self::Sample(index) => ("index", json!(index)),
            Self::File(file) => ("file", json!(file)),
        };
        rest[key] = value;
        format!("{rest}\n")
    }
}

/// Prints one line per test sample, in order.
fn samples(model: &mut TrainedModel, workload: &Workload, json: bool, out: &mut dyn Write) -> Result<()> {
    let about = model.predictor.about();
    if about.targets == Targets::Input && about.shape.image().is_some() {
        return Err(Error::usage("the model is an autoencoder: it predicts no classes")
            .advise("measure the reconstructions with schuss eval, or pass a PNG image"));
    }
    let data = model.prediction_data(workload)?;
    model::say_warnings(&data);
    let predictor = &mut model.predictor;
    let (classes, labels) = (shown(&predictor.about().classes, json), predictor.about().labels.clone());
    let mut visit = |lines: &str| deliver(out, lines);
    if predictor.about().targets.is_class() {
        let line = |found: &ClassPrediction, text: &mut String| {
            add_class(text, Subject::Sample(found.index), found, &classes, json);
        };
        return predictor.class_lines(&data.test, &line, &mut visit);
    }
    let line = |found: &NumberPrediction, text: &mut String| {
        add_numbers(text, Subject::Sample(found.index), found, &labels, json);
    };
    predictor.number_lines(&data.test, &line, &mut visit)
}

/// Returns the names as they are printed.
fn shown(names: &[String], json: bool) -> Vec<String> {
    names.iter().map(|name| if json { name.clone() } else { printable(name) }).collect()
}

/// Formats the prediction of numbers, or of several labels, for a sample.
fn number_line(subject: Subject, found: &NumberPrediction, labels: &[String], json: bool) -> String {
    let mut text = String::new();
    add_numbers(&mut text, subject, found, labels, json);
    text
}

/// Appends the prediction of numbers, or of several labels, for a sample.
fn add_numbers(text: &mut String, subject: Subject, found: &NumberPrediction, labels: &[String], json: bool) {
    match (labels.is_empty(), json) {
        (true, true) => *text += &subject.json(json!({ "numbers": found.numbers })),
        (true, false) => numbers(text, subject, found.numbers),
        (false, _) => *text += &several_labels(subject, found, labels, json),
    }
}

/// Formats `index label,label label=probability ...`, or the same as JSON.
fn several_labels(subject: Subject, prediction: &NumberPrediction, labels: &[String], json: bool) -> String {
    let each = || labels.iter().zip(prediction.numbers);
    let found = prediction.labels(labels);
    if json {
        let probabilities: serde_json::Map<String, serde_json::Value> =
            each().map(|(label, probability)| (label.clone(), json!(probability))).collect();
        return subject.json(json!({ "labels": found, "probabilities": probabilities }));
    }
    let probabilities = each().map(|(label, probability)| format!("\t{}={probability:.6}", printable(label)));
    let found = if found.is_empty() { "none".into() } else { printable(&found.join(",")) };
    format!("{}\t{found}{}\n", subject.text(), probabilities.collect::<String>())
}

/// Appends `index number number ...`.
fn numbers(text: &mut String, subject: Subject, numbers: &[f64]) {
    subject.add(text);
    for &number in numbers {
        text.push('\t');
        push_shortest(text, number);
    }
    text.push('\n');
}

/// Formats `index class probability`, or the same with all probabilities as JSON.
fn class_line(subject: Subject, prediction: &ClassPrediction, classes: &[String], json: bool) -> String {
    let mut text = String::new();
    add_class(&mut text, subject, prediction, &shown(classes, json), json);
    text
}

/// Appends `index class probability`, or the same with all probabilities as JSON. `classes` are names as printed.
fn add_class(text: &mut String, subject: Subject, found: &ClassPrediction, classes: &[String], json: bool) {
    let ClassPrediction { class, probabilities, .. } = *found;
    if json {
        *text += &subject.json(json!({
            "class": classes[class],
            "probability": probabilities.map(|all| all[class]),
            "probabilities": probabilities,
        }));
        return;
    }
    subject.add(text);
    text.push('\t');
    text.push_str(&classes[class]);
    text.push('\t');
    push_millionths(text, found.class_scores()[class]);
    text.push('\n');
}

fn picture(
    predictor: &mut Predictor,
    path: &Path,
    json: bool,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<()> {
    let picture = prepared(predictor, path)?;
    let (classes, labels) = (predictor.about().classes.clone(), predictor.about().labels.clone());
    match predictor.about().targets {
        Targets::Class => {}
        Targets::Input => return reconstruction(predictor, &picture, json, screen, out),
        Targets::Real => {
            return predictor.predict_numbers(&picture.split, &mut |found| {
                deliver(out, &number_line(Subject::Sample(0), &found, &labels, json))
            });
        }
    }
    predictor.predict_classes(&picture.split, &mut |prediction| {
        if json {
            return deliver(out, &class_line(Subject::Sample(0), &prediction, &classes, true));
        }
        let drawn = screen.draw(&[Tile::new(&picture.pixels, picture.shape, vec![])], PER_ROW);
        deliver(out, &(drawn + &ranking(&prediction, &classes)))
    })
}

/// Returns an image as input of the model; reports on stderr how it was changed.
fn prepared(predictor: &Predictor, path: &Path) -> Result<PreparedPicture> {
    let picture = predictor.read_picture(path)?;
    for note in &picture.notes {
        let _ = writeln!(std::io::stderr(), "{}: {note}", path.display());
    }
    Ok(picture)
}

/// Draws the image and its reconstruction side by side, or prints the reconstructed pixels as JSON.
fn reconstruction(
    predictor: &mut Predictor,
    picture: &PreparedPicture,
    json: bool,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<()> {
    let sample = picture.split.read(&[0])?;
    let quality = predictor.quality(&picture.split)?;
    predictor.predict_numbers(&picture.split, &mut |found| {
        let pixels = found.pixels();
        if json {
            let value =
                json!({ "mse": quality.mse, "psnr": quality.psnr, "ssim": quality.ssim, "pixels": pixels });
            return deliver(out, &format!("{value}\n"));
        }
        let error = format!("mse {:.6}", quality.mse);
        let tiles = [(sample.pixels(0), "input".to_owned()), (&pixels, error)];
        let tiles = tiles.map(|(pixels, caption)| Tile::new(pixels, picture.shape, vec![caption]));
        deliver(out, &screen.draw(&tiles, PER_ROW))
    })
}

/// Lists classes by descending probability, or by descending output if outputs are not probabilities.
fn ranking(prediction: &ClassPrediction, classes: &[String]) -> String {
    let scores = prediction.class_scores();
    let mut text = String::new();
    for class in prediction.ranking().into_iter().take(CLASSES) {
        if prediction.probabilities.is_none() {
            let _ = writeln!(text, "{} {:>8.4}", fit(&classes[class], NAME), scores[class]);
            continue;
        }
        let probability = f64::from(scores[class]);
        let (name, bar) = (fit(&classes[class], NAME), bar(probability, BAR));
        let _ = writeln!(text, "{}", format!("{name} {:>8}  {bar}", percent(probability)).trim_end());
    }
    let more = scores.len().saturating_sub(CLASSES);
    if more > 0 {
        let _ = writeln!(text, "and {} more classes", grouped(more as u64));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{trained, trained_autoencoder};
    use schuss::data::ImageShape;
    use serde_json::Value;

    fn predict(input: &str, json: bool) -> Result<String> {
        let (folder, mut out) = (trained(), Vec::new());
        run(folder.path(), &[input.into()], &Reading::default(), json, &Screen::detect(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn data_gives_one_line_per_test_sample_in_order() {
        let text = predict("digits:train=10,test=700", false).unwrap();
        assert_eq!(text.lines().count(), 700);
        for (index, line) in text.lines().enumerate() {
            let fields: Vec<&str> = line.split('\t').collect();
            assert_eq!(fields[0], index.to_string());
            assert!(fields.len() == 3 && (0.1..=1.0).contains(&fields[2].parse::<f64>().unwrap()), "{line}");
        }
    }

    #[test]
    fn json_lines_hold_a_probability_per_class_and_the_largest_is_the_answer() {
        for line in predict("digits:train=10,test=30", true).unwrap().lines() {
            let value: Value = serde_json::from_str(line).unwrap();
            let probabilities: Vec<f64> =
                value["probabilities"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).collect();
            let largest = probabilities.iter().copied().fold(0.0, f64::max);
            assert!(probabilities.len() == 10 && value["probability"].as_f64() == Some(largest), "{line}");
        }
    }

    #[test]
    fn an_autoencoder_draws_what_it_makes_of_a_picture_and_has_no_class_to_tell() {
        let (model, mut out) = (trained_autoencoder(), Vec::new());
        let shape = ImageShape { channels: 1, height: 28, width: 28 };
        let digit =
            data::load("digits:train=10,test=10").unwrap().test.read(&[0]).unwrap().pixels(0).to_vec();
        let picture = model.path().join("digit.png");
        std::fs::write(&picture, data::write_picture(&digit, shape).unwrap()).unwrap();
        let mut predict = |input: &str, json| {
            run(model.path(), &[input.into()], &Reading::default(), json, &Screen::detect(), &mut out)
                .map_err(|e| e.exit_code())
        };
        assert_eq!(predict("digits:train=10,test=10", false), Err(2));
        predict(picture.to_str().unwrap(), true).unwrap();
        predict(picture.to_str().unwrap(), false).unwrap();
        let text = String::from_utf8(out).unwrap();
        let (line, drawn) = text.split_once('\n').unwrap();
        let value: Value = serde_json::from_str(line).unwrap();
        assert_eq!(value["pixels"].as_array().unwrap().len(), 784);
        assert!(
            drawn.contains("input") && drawn.contains(&format!("mse {:.6}", value["mse"].as_f64().unwrap()))
        );
    }

    #[test]
    fn classes_are_ranked_by_probability() {
        let classes: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        let probabilities = &[0.25, 0.0, 0.75];
        let prediction = ClassPrediction {
            index: 0,
            class: 2,
            label: None,
            probabilities: Some(probabilities),
            outputs: probabilities,
            loss: 0.0,
            weight: 1.0,
        };
        let text = ranking(&prediction, &classes);
        let names: Vec<&str> = text.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, ["c", "a", "b"]);
        assert!(text.lines().next().unwrap().ends_with(&"█".repeat(30)));
        let many: Vec<String> = (0..1_030).map(|class| class.to_string()).collect();
        let outputs = vec![0.0; many.len()];
        let prediction = ClassPrediction { probabilities: Some(&outputs), outputs: &outputs, ..prediction };
        let text = ranking(&prediction, &many);
        assert!(text.lines().count() == CLASSES + 1 && text.ends_with("and 1,010 more classes\n"), "{text}");
    }

    #[test]
    fn a_picture_that_is_not_there_is_a_data_error_and_unfitting_data_a_usage_error() {
        assert_eq!(predict("no-such-picture.PNG", false).unwrap_err().exit_code(), 3);
        assert_eq!(predict("digits:train=10,test=10,size=14", false).unwrap_err().exit_code(), 2);
    }

    #[test]
    fn a_reader_that_goes_away_ends_the_work_quietly() {
        struct Closed(usize);
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                self.0 += 1;
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (folder, mut out) = (trained(), Closed(0));
        let inputs = ["digits:train=10,test=2000".into()];
        run(folder.path(), &inputs, &Reading::default(), true, &Screen::detect(), &mut out).unwrap();
        assert_eq!(out.0, 1);
    }
}
