//! `schuss predict`: what a trained model sees in a picture, or in every sample of a data set.

use crate::model;
use crate::terminal::{Screen, Tile, bar, deliver, fit, percent, printable};
use schuss::data::{self, ImageShape, Labels, Picture, Samples, Split};
use schuss::network::{Answer, Prediction, Predictor};
use schuss::recipe::Targets;
use schuss::study::Workload;
use schuss::{Error, Result};
use schuss_data::text::grouped;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

/// Columns of a class's name, of a bar, and of the picture's share of the screen.
const NAME: usize = 12;
const BAR: usize = 40;
const PER_ROW: usize = 2;
/// Most classes listed.
const CLASSES: usize = 20;

/// Shows a PNG picture, or the test split of a data spec, to the model in the file, trial or run `model`.
///
/// # Errors
/// Data errors for model, picture and data, usage errors if they do not fit, a failure if `out` cannot be written.
pub(crate) fn run(
    model: &Path,
    workload: &Workload,
    json: bool,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<()> {
    let input = workload.data.as_deref().unwrap_or_default();
    let mut predictor = model::load(model)?;
    if data::is_picture(Path::new(input)) && !Path::new(input).is_dir() {
        picture(&mut predictor, Path::new(input), json, screen, out)
    } else {
        samples(&mut predictor, workload, json, out)
    }
}

/// One line per test sample, in order.
fn samples(predictor: &mut Predictor, workload: &Workload, json: bool, out: &mut dyn Write) -> Result<()> {
    let about = predictor.about();
    if about.targets == Targets::Input && about.shape.image().is_some() {
        return Err(Error::usage("the model is an autoencoder: it predicts no classes")
            .advise("schuss eval, which says how well it reconstructs them, or a PNG picture"));
    }
    let data = model::fit(about, workload.load_for(about, false)?, false)?;
    for warning in data.notes.iter().filter(|note| note.starts_with("warning:")) {
        let _ = writeln!(std::io::stderr(), "{warning}");
    }
    let (classes, labels) = (predictor.about().classes.clone(), predictor.about().labels.clone());
    let mut lines = Lines { text: String::new(), last: data.test.len().saturating_sub(1), out };
    if predictor.about().targets.is_class() {
        predictor.predict(&data.test, &mut |found| lines.add(found.index, &line(&found, &classes, json)))
    } else {
        predictor.answer(&data.test, &mut |found| lines.add(found.index, &answer(&found, &labels, json)))
    }
}

/// Lines that are written some at a time.
struct Lines<'a> {
    text: String,
    /// Index of the last sample.
    last: usize,
    out: &'a mut dyn Write,
}

impl Lines<'_> {
    fn add(&mut self, index: usize, line: &str) -> Result<ControlFlow<()>> {
        self.text += line;
        if self.text.len() < BLOCK && index < self.last {
            return Ok(ControlFlow::Continue(()));
        }
        deliver(self.out, &std::mem::take(&mut self.text))
    }
}

/// The line of a sample for which numbers are predicted, or several labels.
fn answer(found: &Answer, labels: &[String], json: bool) -> String {
    if labels.is_empty() { numbers(found, json) } else { several_labels(found, labels, json) }
}

/// `index label,label label=probability ...`, or the same as JSON.
fn several_labels(answer: &Answer, labels: &[String], json: bool) -> String {
    let each = || labels.iter().zip(answer.output);
    let holds = |(label, &probability): (&'_ String, &f64)| (probability > 0.5).then(|| label.clone());
    let found: Vec<String> = each().filter_map(holds).collect();
    if json {
        let probabilities: serde_json::Map<String, serde_json::Value> =
            each().map(|(label, probability)| (label.clone(), json!(probability))).collect();
        let value = json!({ "index": answer.index, "labels": found, "probabilities": probabilities });
        return format!("{value}\n");
    }
    let probabilities = each().map(|(label, probability)| format!("\t{}={probability:.6}", printable(label)));
    let found = if found.is_empty() { "none".into() } else { printable(&found.join(",")) };
    format!("{}\t{found}{}\n", answer.index, probabilities.collect::<String>())
}

/// `index number number ...`, or the same as JSON.
fn numbers(answer: &Answer, json: bool) -> String {
    if json {
        return format!("{}\n", json!({ "index": answer.index, "numbers": answer.output }));
    }
    let numbers = answer.output.iter().map(|&number| format!("\t{}", shortest(number)));
    format!("{}{}\n", answer.index, numbers.collect::<String>())
}

/// A number in as few digits as tell it from others of its precision.
fn shortest(number: f64) -> String {
    let narrow = number as f32;
    if f64::from(narrow) == number { narrow.to_string() } else { number.to_string() }
}

/// Bytes of lines that are written at once.
const BLOCK: usize = 1 << 14;

/// `index class probability`, or the same and all probabilities as JSON.
fn line(prediction: &Prediction, classes: &[String], json: bool) -> String {
    let Prediction { index, class, probabilities, outputs, .. } = *prediction;
    let (name, probability) = (&classes[class], probabilities.unwrap_or(outputs)[class]);
    if json {
        let value = json!({
            "index": index,
            "class": name,
            "probability": probabilities.map(|all| all[class]),
            "probabilities": probabilities,
        });
        format!("{value}\n")
    } else {
        format!("{index}\t{}\t{probability:.6}\n", printable(name))
    }
}

fn picture(
    predictor: &mut Predictor,
    path: &Path,
    json: bool,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<()> {
    let Some(shape) = predictor.about().shape.image() else {
        let what = format!("the model takes {}, not a picture", predictor.about().shape);
        return Err(Error::usage(what).at(path.display()));
    };
    let preparation = predictor.about().preparation;
    let picture = data::read_picture(path, shape, preparation)?;
    if preparation.is_none() {
        let unsaid =
            "the model file does not say how pictures were prepared in training: bright borders are inverted";
        let _ = writeln!(std::io::stderr(), "{}: {unsaid}", path.display());
    }
    tell_changes(path, &picture, shape);
    let (classes, labels) = (predictor.about().classes.clone(), predictor.about().labels.clone());
    let split = Samples::new(picture.values, Labels::Absent(1), shape.features())?.into();
    match predictor.about().targets {
        Targets::Class => {}
        Targets::Input => return reconstruction(predictor, (&split, shape), json, screen, out),
        Targets::Real => {
            return predictor.answer(&split, &mut |found| deliver(out, &answer(&found, &labels, json)));
        }
    }
    let seen = Tile::new(&picture.pixels, shape, vec![]);
    predictor.predict(&split, &mut |prediction| {
        if json {
            return deliver(out, &line(&prediction, &classes, true));
        }
        let drawn = screen.draw(std::slice::from_ref(&seen), PER_ROW);
        deliver(out, &(drawn + &ranking(&prediction, &classes)))
    })
}

/// The picture and what an autoencoder makes of it, side by side; as JSON its pixels.
fn reconstruction(
    predictor: &mut Predictor,
    (split, shape): (&Split, ImageShape),
    json: bool,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<()> {
    let sample = split.read(&[0])?;
    let quality = predictor.quality(split)?;
    predictor.answer(split, &mut |found| {
        let pixels: Vec<u8> =
            found.output.iter().map(|x| (x.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
        if json {
            let value =
                json!({ "mse": quality.mse, "psnr": quality.psnr, "ssim": quality.ssim, "pixels": pixels });
            return deliver(out, &format!("{value}\n"));
        }
        let error = format!("mse {:.6}", quality.mse);
        let tiles = [(sample.pixels(0), "input".to_owned()), (&pixels, error)];
        let tiles = tiles.map(|(pixels, caption)| Tile::new(pixels, shape, vec![caption]));
        deliver(out, &screen.draw(&tiles, PER_ROW))
    })
}

/// Says on stderr what was done to make the picture one of the model's.
fn tell_changes(path: &Path, picture: &Picture, shape: ImageShape) {
    let (width, height) = picture.original;
    let resized = format!("resized from {width} x {height} to {} x {}", shape.width, shape.height);
    let changes = [
        (picture.resized, &*resized),
        (picture.inverted, "inverted, for it is dark on bright and the model was trained on bright on dark"),
    ];
    for (_, change) in changes.iter().filter(|(done, _)| *done) {
        let _ = writeln!(std::io::stderr(), "{}: {change}", path.display());
    }
}

/// The most probable classes first, with their outputs where these are no probabilities.
fn ranking(prediction: &Prediction, classes: &[String]) -> String {
    let scores = prediction.probabilities.unwrap_or(prediction.outputs);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let mut text = String::new();
    for class in order.into_iter().take(CLASSES) {
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
    use crate::args::Reading;
    use crate::model::tests::{trained, trained_autoencoder};
    use serde_json::Value;

    fn predict(input: &str, json: bool) -> Result<String> {
        let (folder, mut out) = (trained(), Vec::new());
        run(folder.path(), &Reading::default().workload(input), json, &Screen::detect(), &mut out)?;
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
            run(model.path(), &Reading::default().workload(input), json, &Screen::detect(), &mut out)
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
        let prediction = Prediction {
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
        let prediction = Prediction { probabilities: Some(&outputs), outputs: &outputs, ..prediction };
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
        let workload = Reading::default().workload("digits:train=10,test=2000");
        run(folder.path(), &workload, true, &Screen::detect(), &mut out).unwrap();
        assert_eq!(out.0, 1);
    }
}
