//! `schuss eval`: evaluation of a trained model.

use crate::args::Reading;
use crate::model;
use crate::progress::say;
use crate::terminal::{Screen, Tile, deliver, fit, percent, printable};
use schuss::data::{Dataset, Split};
use schuss::loss::Targets;
use schuss::metrics::LabelScore;
use schuss::network::{Judged, ModelFile, Prediction, Predictor};
use schuss::record::Reconstruction;
use schuss::study::Origin;
use schuss::{Error, Result};
use schuss_data::text::{grouped, significant};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

/// Mistakes kept and drawn.
const WORST: usize = 8;
/// Images per row.
const PER_ROW: usize = 4;
/// Columns of a class's name.
const NAME: usize = 12;
/// Maximum columns of a class's name in a list.
const LONG_NAME: usize = 24;
/// Rows shown of a truncated list.
const HEAD: usize = 12;
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
    let mut predictor = model::load(model)?;
    let data = model::fit(predictor.about(), judged(model, predictor.about(), data, reading)?, true)?;
    model::say_warnings(&data);
    if data.test.is_empty() {
        return Err(Error::data("the test split is empty").at(&data.name));
    }
    let about = predictor.about();
    match about.targets {
        Targets::Class => {}
        Targets::Input if about.shape.image().is_some() => {
            return deliver(out, &reconstruction(&mut predictor, &data, json)?).map(drop);
        }
        Targets::Real if !about.labels.is_empty() => {
            return deliver(out, &several_labels(&mut predictor, &data, json)?).map(drop);
        }
        Targets::Real | Targets::Input => {
            return deliver(out, &deviation(&mut predictor, &data, json)?).map(drop);
        }
    }
    let evaluation = Evaluation::of(&mut predictor, &data)?;
    let page = Page { evaluation: &evaluation, model: predictor.about(), data: &data };
    deliver(out, &if json { page.json() } else { page.text(screen)? }).map(drop)
}

/// Returns the data to evaluate a model on: the held-out split of its run, unless other data are given.
fn judged(model: &Path, about: &ModelFile, data: Option<&str>, reading: &Reading) -> Result<Dataset> {
    let origin = Origin::of(&model::find(model)?);
    match (data, origin) {
        (Some(spec), Some(origin)) => match held_out(&origin, about, spec)? {
            Some(held_out) => Ok(held_out),
            None => reading.workload(spec).load_for(about, true),
        },
        (Some(spec), None) => reading.workload(spec).load_for(about, true),
        (None, Some(origin)) => {
            let data = origin.data(None, None)?;
            if origin.is_of(&data)? {
                return Ok(data);
            }
            Err(Error::data("the data differ from those that the run was trained on")
                .at(&data.name)
                .advise("give the data to evaluate on: schuss eval MODEL DATA"))
        }
        (None, None) => {
            Err(Error::usage("the model is not in a run folder, so the data to evaluate it on must be given")
                .at(model.display())
                .advise("schuss eval MODEL DATA"))
        }
    }
}

/// Returns the rows that a run held out, if `spec` is the data it was trained on and they had no test split.
fn held_out(origin: &Origin, about: &ModelFile, spec: &str) -> Result<Option<Dataset>> {
    let is_like = |data: &Dataset| data.held_out.is_some() && data.table == about.table;
    let Some(data) = origin.data(Some(spec), None).ok().filter(is_like) else { return Ok(None) };
    if !origin.is_of(&data)? {
        return Ok(None);
    }
    let seen = data.train.len() + data.validation.as_ref().map_or(0, Split::len);
    say(
        true,
        &format!(
            "the model was trained on these data: {} training and validation samples are left out, the {} held-out test samples are evaluated",
            grouped(seen as u64),
            grouped(data.test.len() as u64)
        ),
    );
    Ok(Some(data))
}

/// Returns a description of the evaluated samples, with the name of the data.
fn looked_at(data: &Dataset) -> String {
    let name = printable(&data.name);
    if data.train.is_empty() {
        return format!("all of {name}, which has no test split and may include training samples");
    }
    format!("test split of {name}")
}

/// Returns the errors of the numbers predicted for the test split.
fn deviation(predictor: &mut Predictor, data: &Dataset, json: bool) -> Result<String> {
    let judged = predictor.deviation(&data.test)?;
    if json {
        return Ok(format!("{}\n", json!(judged)));
    }
    let Judged { loss, loss_name, found } = judged;
    let r2 = found.r2.map_or_else(|| "none: a label is constant".into(), |r2| format!("{r2:.6}"));
    Ok(format!(
        "model     {}\ndata      {}, {} samples\nloss      {} ({loss_name})\nmse       {}\nmae       {}\nr2        {r2}\n",
        printable(&predictor.about().model),
        looked_at(data),
        grouped(found.samples),
        significant(loss, 6),
        significant(found.mse, 6),
        significant(found.mae, 6),
    ))
}

/// Returns the scores of a model with several labels per sample on the test split.
fn several_labels(predictor: &mut Predictor, data: &Dataset, json: bool) -> Result<String> {
    let judged = predictor.label_scores(&data.test)?;
    if json {
        return Ok(format!("{}\n", json!(judged)));
    }
    let Judged { loss, loss_name, found } = judged;
    let chance = found.chance.map_or_else(String::new, |chance| {
        format!("; the commonest combination of labels alone has {chance:.4}")
    });
    Ok(format!(
        "model     {}\ndata      {}, {} samples\naccuracy  {:.4} (all labels of a sample right{chance})\n\
         labels    {:.4} of all labels right\nF1        {:.4}, the mean over labels\nloss      {} ({loss_name})\n\n{}",
        printable(&predictor.about().model),
        looked_at(data),
        grouped(found.samples),
        found.accuracy,
        found.label_accuracy,
        found.f1_macro,
        significant(loss, 6),
        label_table(&found.labels),
    ))
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

/// Returns the reconstruction quality of an autoencoder on the test split.
fn reconstruction(predictor: &mut Predictor, data: &Dataset, json: bool) -> Result<String> {
    let samples = data.test.len();
    let Reconstruction { mse, psnr, ssim } = predictor.quality(&data.test)?;
    if json {
        let value = json!({ "mse": mse, "psnr": psnr, "ssim": ssim, "samples": samples });
        return Ok(format!("{value}\n"));
    }
    let ssim = ssim.map_or_else(|| "none: images smaller than 7 x 7".into(), |ssim| format!("{ssim:.6}"));
    Ok(format!(
        "model     {}\ndata      {}, {} images without noise\nmse       {mse:.6}\npsnr      {psnr:.3} dB\nssim      {ssim}\n",
        printable(&predictor.about().model),
        looked_at(data),
        grouped(samples as u64),
    ))
}

/// Results of a classifier over all samples.
struct Evaluation {
    loss: f64,
    /// Divisor of the summed losses: the number of samples unless there are class weights.
    weight: f64,
    /// Counts, indexed by true class, then predicted class.
    confusion: Vec<Vec<usize>>,
    /// Largest loss first.
    worst: Vec<Mistake>,
}

/// Misclassified sample.
#[derive(Clone, Copy)]
struct Mistake {
    index: usize,
    actual: usize,
    predicted: usize,
    /// Probability of the predicted class, if the loss yields probabilities.
    probability: Option<f32>,
    loss: f64,
}

impl Evaluation {
    fn of(predictor: &mut Predictor, data: &Dataset) -> Result<Self> {
        let row = vec![0; predictor.about().classes.len()];
        let mut sums =
            Self { loss: 0.0, weight: 0.0, confusion: vec![row; data.classes.len()], worst: vec![] };
        predictor.predict(&data.test, &mut |prediction| {
            if let Some(actual) = prediction.label {
                sums.add(actual, &prediction);
            }
            Ok(ControlFlow::Continue(()))
        })?;
        if sums.samples() == 0 {
            return Err(Error::data("the test split has no labels").at(&data.name));
        }
        sums.loss /= if sums.weight == 0.0 { 1.0 } else { sums.weight };
        Ok(sums)
    }

    fn add(&mut self, actual: usize, prediction: &Prediction) {
        let Prediction { index, class: predicted, probabilities, loss, weight, .. } = *prediction;
        self.loss += loss;
        self.weight += weight;
        self.confusion[actual][predicted] += 1;
        if predicted != actual {
            let place = self.worst.partition_point(|worse| worse.loss >= loss);
            let mistake = Mistake {
                index,
                actual,
                predicted,
                probability: probabilities.map(|all| all[predicted]),
                loss,
            };
            self.worst.insert(place, mistake);
            self.worst.truncate(WORST);
        }
    }

    fn samples(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    fn correct(&self) -> usize {
        self.confusion.iter().enumerate().map(|(class, row)| row[class]).sum()
    }

    fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.samples() as f64
    }

    /// Returns the accuracy of always predicting the commonest class: its share.
    fn chance(&self) -> f64 {
        let most = self.confusion.iter().map(|row| row.iter().sum::<usize>()).max().unwrap_or(0);
        most as f64 / self.samples() as f64
    }

    /// Returns the class predicted for every sample, if it is the same for all.
    fn only_class(&self) -> Option<usize> {
        let answers =
            |class: &usize| self.confusion.iter().any(|row| row.get(*class).is_some_and(|&n| n > 0));
        let mut answered = (0..self.confusion.first().map_or(0, Vec::len)).filter(answers);
        let only = answered.next()?;
        answered.next().is_none().then_some(only)
    }

    /// Returns the fraction of a class's samples that were recognised, if it has any.
    fn recall(&self, class: usize) -> Option<f64> {
        let row = &self.confusion[class];
        let total: usize = row.iter().sum();
        (total > 0).then(|| row[class] as f64 / total as f64)
    }
}

/// Evaluation with class names: those of the data for true classes, those of the model for predicted ones.
struct Page<'a> {
    evaluation: &'a Evaluation,
    model: &'a ModelFile,
    data: &'a Dataset,
}

impl Page<'_> {
    fn json(&self) -> String {
        let Evaluation { loss, confusion, worst, .. } = self.evaluation;
        let worst: Vec<Value> = worst.iter().map(|mistake| self.mistake_json(mistake)).collect();
        let value = json!({
            "accuracy": self.evaluation.accuracy(),
            "chance": self.evaluation.chance(),
            "only_class": self.evaluation.only_class().map(|class| &self.model.classes[class]),
            "loss": loss,
            "loss_name": self.model.loss.to_string(),
            "samples": self.evaluation.samples(),
            "classes": self.model.classes,
            "confusion": confusion,
            "worst": worst,
        });
        format!("{value}\n")
    }

    fn mistake_json(&self, mistake: &Mistake) -> Value {
        json!({
            "index": mistake.index,
            "true": self.data.classes[mistake.actual],
            "predicted": self.model.classes[mistake.predicted],
            "probability": mistake.probability,
            "loss": mistake.loss,
        })
    }

    fn text(&self, screen: &Screen) -> Result<String> {
        let cell = self.cell();
        let matrix = if NAME + cell * self.model.classes.len() + "  recall".len() <= screen.width {
            self.matrix(cell)
        } else {
            self.largest_confusions() + &self.lowest_recalls()
        };
        Ok(self.facts() + &matrix + &self.worst(screen)?)
    }

    fn facts(&self) -> String {
        let evaluation = self.evaluation;
        let [correct, samples] = [evaluation.correct(), evaluation.samples()].map(|n| grouped(n as u64));
        let only = evaluation.only_class().map_or_else(String::new, |class| {
            format!("          it predicts `{}` for every sample\n", printable(&self.model.classes[class]))
        });
        format!(
            "model     {}\ndata      {}\naccuracy  {:.4} ({correct} of {samples})\n\
             chance    {:.4} (the commonest class alone)\n{only}loss      {} ({})\n\n",
            printable(&self.model.model),
            looked_at(self.data),
            evaluation.accuracy(),
            evaluation.chance(),
            significant(evaluation.loss, 6),
            self.model.loss,
        )
    }

    /// Returns the columns of a count in brackets.
    fn cell(&self) -> usize {
        let largest = self.evaluation.confusion.iter().flatten().max().unwrap_or(&0);
        largest.to_string().len().max(3) + 2
    }

    /// Formats the confusion matrix: rows are true classes, columns predicted ones, the diagonal is in brackets.
    fn matrix(&self, cell: usize) -> String {
        let heading = |name: &String| format!(" {:>1$} ", fit(name, cell - 2).trim_end(), cell - 2);
        let headings: String = self.model.classes.iter().map(heading).collect();
        let mut text = format!(
            "confusion: rows are true classes, columns predicted ones\n\n{:NAME$}{headings}  recall\n",
            ""
        );
        for (class, row) in self.evaluation.confusion.iter().enumerate() {
            let count = |(column, &count): (usize, &usize)| match count {
                count if column == class => format!("{:>cell$}", format!("[{count}]")),
                0 => format!("{:>1$} ", "·", cell - 1),
                count => format!("{count:>0$} ", cell - 1),
            };
            let counts: String = row.iter().enumerate().map(count).collect();
            let name = fit(&self.data.classes[class], NAME);
            let _ = writeln!(text, "{name}{counts}  {:>6}", self.recall(class));
        }
        text + "\n"
    }

    fn recall(&self, class: usize) -> String {
        self.evaluation.recall(class).map_or_else(|| "–".into(), |recall| format!("{recall:.4}"))
    }

    fn largest_confusions(&self) -> String {
        let rows = self.evaluation.confusion.iter().enumerate();
        let mut pairs: Vec<(usize, usize, usize)> = rows
            .flat_map(|(actual, row)| row.iter().enumerate().map(move |(column, &n)| (n, actual, column)))
            .filter(|&(count, actual, predicted)| count > 0 && actual != predicted)
            .collect();
        pairs.sort_by_key(|&(count, ..)| std::cmp::Reverse(count));
        let width = self.name_width();
        let mut text =
            format!("the largest of {} confusions\n\n  count  {:width$} predicted\n", pairs.len(), "true");
        for &(count, actual, predicted) in pairs.iter().take(HEAD) {
            let (actual, predicted) = (&self.data.classes[actual], &self.model.classes[predicted]);
            let _ = writeln!(text, "{count:>7}  {} {}", fit(actual, width), fit(predicted, width).trim_end());
        }
        text + "\n"
    }

    fn lowest_recalls(&self) -> String {
        let recalls = (0..self.data.classes.len()).map(|class| (self.evaluation.recall(class), class));
        let mut recalls: Vec<(f64, usize)> =
            recalls.filter_map(|(recall, class)| Some((recall?, class))).collect();
        recalls.sort_by(|a, b| a.0.total_cmp(&b.0));
        let width = self.name_width();
        let mut text =
            format!("the lowest recalls of {} classes\n\n  {:width$} recall\n", recalls.len(), "class");
        for &(_, class) in recalls.iter().take(HEAD) {
            let _ = writeln!(text, "  {} {}", fit(&self.data.classes[class], width), self.recall(class));
        }
        text + "\n"
    }

    /// Returns the columns of names in lists.
    fn name_width(&self) -> usize {
        let longest = self.data.classes.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        longest.clamp(NAME, LONG_NAME)
    }

    fn worst(&self, screen: &Screen) -> Result<String> {
        let (worst, heading) = (&self.evaluation.worst, "the worst mistakes\n\n".to_owned());
        if worst.is_empty() {
            return Ok("no mistakes\n".into());
        }
        let Some(shape) = self.data.shape.image() else {
            let line = |mistake| format!("  {}\n", self.caption(mistake).join(", "));
            return Ok(heading + &worst.iter().map(line).collect::<String>());
        };
        let tile = |mistake: &Mistake| -> Result<Tile> {
            let sample = self.data.test.read(&[mistake.index as u64])?;
            Ok(Tile::new(sample.pixels(0), shape, self.caption(mistake)))
        };
        Ok(heading + &screen.draw(&worst.iter().map(tile).collect::<Result<Vec<_>>>()?, PER_ROW))
    }

    fn caption(&self, mistake: &Mistake) -> Vec<String> {
        let (actual, predicted) =
            (&self.data.classes[mistake.actual], &self.model.classes[mistake.predicted]);
        vec![
            format!("true {actual}"),
            format!("seen {predicted}"),
            match mistake.probability {
                Some(probability) => format!("{}, #{}", percent(f64::from(probability)), mistake.index),
                None => format!("#{}", mistake.index),
            },
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tests::{trained, trained_autoencoder};

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
        assert!(losses.len() == WORST && losses.is_sorted_by(|a, b| a >= b), "{losses:?}");
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
        assert_eq!(text.matches(" %, #").count(), WORST);
    }

    #[test]
    fn many_classes_are_told_by_their_largest_confusions() {
        let data = schuss::data::load("digits:train=10,test=10").unwrap();
        let classes: Vec<String> = (0..200).map(|class| format!("class {class}")).collect();
        let data = Dataset { classes: classes.clone(), ..data };
        let model = ModelFile {
            model: "784-200".into(),
            classes,
            labels: vec![],
            shape: data.shape,
            normalisation: data.normalisation.clone(),
            preparation: None,
            table: data.table.clone(),
            offsets: data.offsets.clone(),
            targets: Targets::Class,
            scale: None,
            loss: schuss::loss::Loss::default(),
        };
        let mut confusion = vec![vec![0; 200]; 200];
        (confusion[7][7], confusion[7][9], confusion[3][3], confusion[5][4]) = (5, 15, 9, 2);
        let evaluation = Evaluation { loss: 1.0, weight: 1.0, confusion, worst: vec![] };
        let text =
            Page { evaluation: &evaluation, model: &model, data: &data }.text(&Screen::detect()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert!(
            lines.contains(&"     15  class 7      class 9")
                && lines.contains(&"the largest of 2 confusions")
        );
        assert!(
            lines.contains(&"  class 7      0.2500") && lines.contains(&"the lowest recalls of 3 classes")
        );
        assert!(text.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn data_of_another_shape_is_a_usage_error() {
        assert_eq!(evaluate("digits:train=10,test=10,size=14", false).unwrap_err().exit_code(), 2);
    }
}
