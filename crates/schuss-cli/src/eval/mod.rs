//! `schuss eval`: evaluation of a trained model.

mod classes;

use crate::choices::Reading;
use crate::model;
use crate::progress::say;
use crate::terminal::{Screen, deliver, fit};
use classes::Page;
use schuss::Result;
use schuss::data::Dataset;
use schuss::metrics::{Deviation, LabelScore, LabelScores};
use schuss::network::{ImageScores, Scores, WithLoss};
use schuss::study::EvaluationData;
use schuss_data::text::{grouped, printable, significant};
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

/// Columns of a label's name.
const NAME: usize = 12;
/// Maximum number of labels listed.
const LABELS: usize = 40;

/// Evaluates a model file, or the only model of a run or trial, on the test split of a data set.
///
/// # Errors
/// Data errors for model and data, usage errors if they do not match, a failure if `out` cannot be written.
pub(crate) fn run(
    model: &Path,
    data: Option<&str>,
    reading: &Reading,
    json: bool,
    screen: &Screen,
    out: &mut dyn Write,
) -> Result<()> {
    let mut model = model::open(model)?;
    let given = data.map(|data| reading.workload(data));
    let EvaluationData { data, left_out } = model.evaluation_data(given.as_ref())?;
    if let Some(left_out) = left_out {
        say_left_out(left_out, &data);
    }
    model::say_warnings(&data);
    let scores = model.predictor.evaluate(&data)?;
    let text = match json {
        true => format!("{}\n", json!(scores)),
        false => text(&scores, &model.predictor.about().model, &data, screen)?,
    };
    deliver(out, &text).map(drop)
}

/// Reports on stderr that samples the model was trained on are not evaluated.
fn say_left_out(left_out: usize, data: &Dataset) {
    let [left_out, evaluated] = [left_out, data.test.len()].map(|count| grouped(count as u64));
    say(
        true,
        &format!(
            "the model was trained on these data: {left_out} training and validation samples are left out, the {evaluated} held-out test samples are evaluated"
        ),
    );
}

fn text(scores: &Scores, model: &str, data: &Dataset, screen: &Screen) -> Result<String> {
    let rest = match scores {
        Scores::Classes(scores) => return Page { scores, model, data }.text(screen),
        Scores::Labels(scores) => labels(scores),
        Scores::Numbers(scores) => numbers(scores),
        Scores::Images(scores) => images(scores),
    };
    Ok(format!("model     {}\ndata      {}, {rest}", printable(model), looked_at(data)))
}

/// Returns a description of the evaluated samples, with the name of the data.
fn looked_at(data: &Dataset) -> String {
    let name = printable(&data.name);
    if data.train.is_empty() {
        return format!("all of {name}, which has no test split and may include training samples");
    }
    format!("test split of {name}")
}

/// Formats the number of samples and the errors of predicted numbers.
fn numbers(WithLoss { loss, loss_name, scores, .. }: &WithLoss<Deviation>) -> String {
    let r2 = scores.r2.map_or_else(|| "none: a label is constant".into(), |r2| format!("{r2:.6}"));
    format!(
        "{} samples\nloss      {} ({loss_name})\nmse       {}\nmae       {}\nr2        {r2}\n",
        grouped(scores.samples),
        significant(*loss, 6),
        significant(scores.mse, 6),
        significant(scores.mae, 6),
    )
}

/// Formats the number of samples and the scores of several labels per sample.
fn labels(WithLoss { loss, loss_name, scores, .. }: &WithLoss<LabelScores>) -> String {
    let chance = scores.chance.map_or_else(String::new, |chance| {
        format!("; the most common combination of labels alone has {chance:.4}")
    });
    format!(
        "{} samples\naccuracy  {:.4} (all labels of a sample right{chance})\n\
         labels    {:.4} of all labels right\nF1        {:.4}, the mean over labels\nloss      {} ({loss_name})\n\n{}",
        grouped(scores.samples),
        scores.accuracy,
        scores.label_accuracy,
        scores.f1_macro,
        significant(*loss, 6),
        label_table(&scores.labels),
    )
}

/// Returns one line per label; if there are many, of those with the lowest F1.
fn label_table(scores: &[LabelScore]) -> String {
    let mut scores: Vec<&LabelScore> = scores.iter().collect();
    let mut text = String::new();
    if scores.len() > LABELS {
        scores.sort_by(|a, b| a.f1.total_cmp(&b.f1));
        text = format!("the {LABELS} lowest F1 of {} labels\n\n", grouped(scores.len() as u64));
        scores.truncate(LABELS);
    }
    text += "  label        accuracy  chance      F1  samples\n";
    for LabelScore { label, accuracy, chance, f1, samples } in scores {
        let (name, samples) = (fit(label, NAME), grouped(*samples));
        let _ = writeln!(text, "  {name} {accuracy:>8.4}  {chance:.4}  {f1:.4}  {samples:>7}");
    }
    text
}

/// Formats the number of images and the quality of their reconstructions.
fn images(ImageScores { quality, samples, .. }: &ImageScores) -> String {
    let ssim =
        quality.ssim.map_or_else(|| "none: images smaller than 7 x 7".into(), |ssim| format!("{ssim:.6}"));
    format!(
        "{} images without noise\nmse       {:.6}\npsnr      {:.3} dB\nssim      {ssim}\n",
        grouped(*samples as u64),
        quality.mse,
        quality.psnr,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{trained, trained_autoencoder};
    use serde_json::Value;

    fn evaluate(spec: &str, json: bool) -> Result<String> {
        let (folder, mut out) = (trained(), Vec::new());
        run(folder.path(), Some(spec), &Reading::default(), json, &Screen::detect(), &mut out)?;
        Ok(String::from_utf8(out).unwrap())
    }

    #[test]
    fn every_sample_is_counted_once_and_the_worst_mistake_stands_first() {
        let value: Value =
            serde_json::from_str(&evaluate("digits:train=10,test=300", true).unwrap()).unwrap();
        let confusion = value["confusion"].as_array().unwrap();
        let count = |row: usize, column: usize| confusion[row][column].as_u64().unwrap();
        let total: u64 = (0..100).map(|at| count(at / 10, at % 10)).sum();
        let diagonal: u64 = (0..10).map(|class| count(class, class)).sum();
        assert_eq!((total, value["samples"].as_u64()), (300, Some(300)));
        assert_eq!(value["accuracy"].as_f64(), Some(diagonal as f64 / 300.0));
        let losses: Vec<f64> =
            value["worst"].as_array().unwrap().iter().map(|worst| worst["loss"].as_f64().unwrap()).collect();
        assert!(losses.len() == 8 && losses.is_sorted_by(|a, b| a >= b), "{losses:?}");
        assert!(losses[0] > value["loss"].as_f64().unwrap());
    }

    #[test]
    fn an_autoencoder_is_told_by_its_errors_and_similarity() {
        let evaluate = |json| {
            let (folder, mut out) = (trained_autoencoder(), Vec::new());
            let (spec, reading) = (Some("digits:train=10,test=300"), Reading::default());
            run(folder.path(), spec, &reading, json, &Screen::detect(), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let value: Value = serde_json::from_str(&evaluate(true)).unwrap();
        let [mse, psnr, ssim] = ["mse", "psnr", "ssim"].map(|name| value[name].as_f64().unwrap());
        assert!(mse > 0.0 && mse < 0.3 && (-1.0..1.0).contains(&ssim) && value["samples"] == 300, "{value}");
        assert!((psnr + 10.0 * mse.log10()).abs() < 1e-9, "{value}");
        let text = evaluate(false);
        assert!(text.contains(&format!("mse       {mse:.6}\n")) && !text.contains("accuracy"), "{text}");
    }

    #[test]
    fn the_matrix_is_aligned_with_its_diagonal_in_brackets() {
        let text = evaluate("digits:train=10,test=300", false).unwrap();
        let lines: Vec<&str> = text.lines().skip_while(|line| !line.ends_with("recall")).take(11).collect();
        let widths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
        assert!(widths.iter().all(|&width| width == widths[0] && width <= 80), "{text}");
        assert!(lines[1..].iter().all(|line| line.matches('[').count() == 1), "{text}");
        assert_eq!(text.matches(" %, #").count(), 8);
    }

    #[test]
    fn data_of_another_shape_is_a_usage_error() {
        assert_eq!(evaluate("digits:train=10,test=10,size=14", false).unwrap_err().exit_code(), 2);
    }
}
