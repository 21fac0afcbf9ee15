//! `schuss predict`: predictions of a trained model for images, or for every sample of a data set.

use crate::args::Reading;
use crate::model;
use crate::terminal::{Screen, Tile, bar, deliver, fit, percent, printable};
use schuss::data::{self, ImageShape, Labels, Picture, Samples, Split};
use schuss::loss::Targets;
use schuss::network::{Answer, Prediction, Predictor};
use schuss::study::Workload;
use schuss::{Error, Result};
use schuss_data::text::grouped;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write;
use std::ops::ControlFlow;
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
    let is_picture = |input: &String| data::is_picture(Path::new(input)) && !Path::new(input).is_dir();
    let mut predictor = model::load(model)?;
    match inputs {
        [input] if is_picture(input) => picture(&mut predictor, Path::new(input), json, screen, out),
        [input] => samples(&mut predictor, &reading.workload(input), json, out),
        several => match several.iter().find(|input| !is_picture(input)) {
            Some(input) => Err(Error::usage(format!(
                "`{input}` is not an image: only images can be given several at a time"
            ))
            .advise("pass one table, folder or other data set at a time")),
            None => several.iter().try_for_each(|input| one_of(&mut predictor, input, json, out)),
        },
    }
}

/// Prints one line for one of several images.
fn one_of(predictor: &mut Predictor, file: &str, json: bool, out: &mut dyn Write) -> Result<()> {
    let about = predictor.about().clone();
    let (split, _) = prepared(predictor, Path::new(file))?;
    let asked = Asked::File(file);
    match about.targets {
        Targets::Class => {
            predictor.predict(&split, &mut |found| deliver(out, &line(asked, &found, &about.classes, json)))
        }
        Targets::Real => {
            predictor.answer(&split, &mut |found| deliver(out, &answer(asked, &found, &about.labels, json)))
        }
        Targets::Input => Err(Error::usage("the model is an autoencoder: it predicts no classes")
            .advise("pass one image at a time to see its reconstruction")),
    }
}

/// Subject of a prediction.
#[derive(Clone, Copy)]
enum Asked<'a> {
    Sample(usize),
    File(&'a str),
}

impl Asked<'_> {
    /// Returns the first column of a line.
    fn text(self) -> String {
        match self {
            Self::Sample(index) => index.to_string(),
            Self::File(file) => printable(file),
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
fn samples(predictor: &mut Predictor, workload: &Workload, json: bool, out: &mut dyn Write) -> Result<()> {
    let about = predictor.about();
    if about.targets == Targets::Input && about.shape.image().is_some() {
        return Err(Error::usage("the model is an autoencoder: it predicts no classes")
            .advise("measure the reconstructions with schuss eval, or pass a PNG image"));
    }
    let data = model::fit(about, workload.load_for(about, false)?, false)?;
    model::say_warnings(&data);
    let (classes, labels) = (predictor.about().classes.clone(), predictor.about().labels.clone());
    let mut lines = Lines { text: String::new(), last: data.test.len().saturating_sub(1), out };
    if predictor.about().targets.is_class() {
        predictor.predict(&data.test, &mut |found| {
            lines.add(found.index, &line(Asked::Sample(found.index), &found, &classes, json))
        })
    } else {
        predictor.answer(&data.test, &mut |found| {
            lines.add(found.index, &answer(Asked::Sample(found.index), &found, &labels, json))
        })
    }
}

/// Buffer of output lines.
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

/// Formats the prediction of numbers, or of several labels, for a sample.
fn answer(asked: Asked, found: &Answer, labels: &[String], json: bool) -> String {
    if labels.is_empty() { numbers(asked, found, json) } else { several_labels(asked, found, labels, json) }
}

/// Formats `index label,label label=probability ...`, or the same as JSON.
fn several_labels(asked: Asked, answer: &Answer, labels: &[String], json: bool) -> String {
    let each = || labels.iter().zip(answer.output);
    let holds = |(label, &probability): (&'_ String, &f64)| (probability > 0.5).then(|| label.clone());
    let found: Vec<String> = each().filter_map(holds).collect();
    if json {
        let probabilities: serde_json::Map<String, serde_json::Value> =
            each().map(|(label, probability)| (label.clone(), json!(probability))).collect();
        return asked.json(json!({ "labels": found, "probabilities": probabilities }));
    }
    let probabilities = each().map(|(label, probability)| format!("\t{}={probability:.6}", printable(label)));
    let found = if found.is_empty() { "none".into() } else { printable(&found.join(",")) };
    format!("{}\t{found}{}\n", asked.text(), probabilities.collect::<String>())
}

/// Formats `index number number ...`, or the same as JSON.
fn numbers(asked: Asked, answer: &Answer, json: bool) -> String {
    if json {
        return asked.json(json!({ "numbers": answer.output }));
    }
    let numbers = answer.output.iter().map(|&number| format!("\t{}", shortest(number)));
    format!("{}{}\n", asked.text(), numbers.collect::<String>())
}

/// Formats a number with the fewest digits that identify it at its precision.
fn shortest(number: f64) -> String {
    let narrow = number as f32;
    if f64::from(narrow) == number { narrow.to_string() } else { number.to_string() }
}

/// Bytes of lines written at once.
const BLOCK: usize = 1 << 14;

/// Formats `index class probability`, or the same with all probabilities as JSON.
fn line(asked: Asked, prediction: &Prediction, classes: &[String], json: bool) -> String {
    let Prediction { class, probabilities, outputs, .. } = *prediction;
    let (name, probability) = (&classes[class], probabilities.unwrap_or(outputs)[class]);
    if json {
        asked.json(json!({
            "class": name,
            "probability": probabilities.map(|all| all[class]),
            "probabilities": probabilities,
        }))
    } else {
        format!("{}\t{}\t{probability:.6}\n", asked.text(), printable(name))
    }
}

fn picture(
    predictor: &mut Predictor,
    path: &Path,
    json: bool,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<()> {
    let (split, seen) = prepared(predictor, path)?;
    let Some(shape) = predictor.about().shape.image() else { return Ok(()) };
    let (classes, labels) = (predictor.about().classes.clone(), predictor.about().labels.clone());
    match predictor.about().targets {
        Targets::Class => {}
        Targets::Input => return reconstruction(predictor, (&split, shape), json, screen, out),
        Targets::Real => {
            return predictor
                .answer(&split, &mut |found| deliver(out, &answer(Asked::Sample(0), &found, &labels, json)));
        }
    }
    predictor.predict(&split, &mut |prediction| {
        if json {
            return deliver(out, &line(Asked::Sample(0), &prediction, &classes, true));
        }
        let drawn = screen.draw(std::slice::from_ref(&seen), PER_ROW);
        deliver(out, &(drawn + &ranking(&prediction, &classes)))
    })
}

/// Returns an image as input of the model, and as a tile to draw.
fn prepared(predictor: &Predictor, path: &Path) -> Result<(Split, Tile)> {
    let Some(shape) = predictor.about().shape.image() else {
        let what = format!("the model takes {}, not an image", predictor.about().shape);
        return Err(Error::usage(what).at(path.display()));
    };
    let preparation = predictor.about().preparation;
    let picture = data::read_picture(path, shape, preparation)?;
    if preparation.is_none() {
        let unsaid = "the model file does not record how images were prepared in training: bright borders are inverted";
        let _ = writeln!(std::io::stderr(), "{}: {unsaid}", path.display());
    }
    tell_changes(path, &picture, shape);
    let seen = Tile::new(&picture.pixels, shape, vec![]);
    Ok((Samples::new(picture.values, Labels::Absent(1), shape.features())?.into(), seen))
}

/// Draws the image and its reconstruction side by side, or prints the reconstructed pixels as JSON.
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

/// Reports on stderr how the image was changed to match the model's input.
fn tell_changes(path: &Path, picture: &Picture, shape: ImageShape) {
    let (width, height) = picture.original;
    let resized = format!("resized from {width} x {height} to {} x {}", shape.width, shape.height);
    let changes = [
        (picture.resized, &*resized),
        (
            picture.inverted,
            "inverted, since it is dark on bright and the model was trained on bright on dark",
        ),
    ];
    for (_, change) in changes.iter().filter(|(done, _)| *done) {
        let _ = writeln!(std::io::stderr(), "{}: {change}", path.display());
    }
}

/// Lists classes by descending probability, or by descending output if outputs are not probabilities.
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
    use crate::model::tests::{trained, trained_autoencoder};
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
        let inputs = ["digits:train=10,test=2000".into()];
        run(folder.path(), &inputs, &Reading::default(), true, &Screen::detect(), &mut out).unwrap();
        assert_eq!(out.0, 1);
    }
}
