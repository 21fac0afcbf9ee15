//! Predictions of a trained network: the forward pass without a session.

use super::{Arena, MICROBATCH, ModelFile, Params, Plan, Units};
use crate::loss::Target;
use crate::loss::Targets;
use crate::metrics::{Deviation, LabelCounts, LabelScores, Quality, Sums};
use crate::record;
use crate::{Error, Result, machine};
use schuss_data::stream::order::Order;
use schuss_data::{Feed, Split};
use schuss_kernels::matrix::{Matrix, MatrixMut};
use schuss_kernels::rows::argmax;
use schuss_kernels::{Team, padded};
use serde::Serialize;
use std::ops::ControlFlow;
use std::path::Path;

/// A network from a model file, ready to predict.
///
/// # Example
/// ```no_run
/// use schuss::network::Predictor;
/// use std::ops::ControlFlow;
///
/// # fn main() -> schuss::Result<()> {
/// let data = schuss::data::load("digits")?;
/// let mut predictor = Predictor::load("model.safetensors".as_ref(), 2)?;
/// let mut correct = 0;
/// predictor.predict(&data.test, &mut |prediction| {
///     correct += usize::from(prediction.label == Some(prediction.class));
///     Ok(ControlFlow::Continue(()))
/// })?;
/// println!("{correct} of {}", data.test.len());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Predictor {
    about: ModelFile,
    plan: Plan,
    /// Units of the outputs, if they differ from those of the data.
    units: Option<Units>,
    params: Params,
    team: Team,
    arena: Arena,
    /// True if the gathered samples have targets.
    labelled: bool,
}

/// Numeric prediction for one sample.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// Index of the sample in its split.
    pub index: usize,
    /// Target, if known; for an autoencoder, the normalised input.
    pub asked: Option<&'a [f64]>,
    /// Predicted numbers, in the same units as the target.
    pub output: &'a [f64],
}

/// Prediction for one sample by a network that does not predict classes, in the network's own units.
#[derive(Clone, Copy)]
struct Answered<'a> {
    index: usize,
    /// Target as stored, if known.
    asked: Option<&'a [f32]>,
    outputs: &'a [f32],
    /// The outputs, or the probabilities computed from them.
    answer: &'a [f32],
}

/// Result of evaluating a network on some samples: the mean of the loss it was trained with, and further scores.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Judged<T> {
    /// Mean loss, in the units of the data if they were scaled for training.
    pub loss: f64,
    /// Spec of the loss.
    pub loss_name: String,
    /// Further scores.
    #[serde(flatten)]
    pub found: T,
}

/// Predicted class of one sample.
#[derive(Clone, Copy, Debug)]
pub struct Prediction<'a> {
    /// Index of the sample in its split.
    pub index: usize,
    /// Most probable class; the first in case of ties.
    pub class: usize,
    /// True class, if known.
    pub label: Option<usize>,
    /// Probabilities, one per class. They sum to 1 unless the loss treats each class separately (`bce`, `focal`). None
    /// if the loss does not turn outputs into probabilities: `mse`, `hinge` and the like.
    pub probabilities: Option<&'a [f32]>,
    /// Outputs, one per class.
    pub outputs: &'a [f32],
    /// Loss the network was trained with, for the true class, or for the first class if the true one is unknown.
    pub loss: f64,
    /// Contribution to the divisor of summed losses: 1, or the class weight.
    pub weight: f64,
}

impl Predictor {
    /// Reads a model file written by schuss, for `threads` threads.
    ///
    /// # Errors
    /// Data errors that name the file; a usage error for an invalid number of threads.
    pub fn load(path: &Path, threads: usize) -> Result<Self> {
        let (about, params) = ModelFile::load(path)?;
        let plan = about.plan(&about.model.parse()?)?;
        let (team, arena) = (machine::team(threads)?, Arena::new(&plan, MICROBATCH, about.targets, None));
        let units = about.units(plan.outputs);
        Ok(Self { about, plan, units, params, team, arena, labelled: false })
    }

    /// Description of the model in the file.
    pub fn about(&self) -> &ModelFile {
        &self.about
    }

    /// Predicts the class of every sample of `split`, in order, and calls `visit` with it until `visit` breaks.
    ///
    /// # Errors
    /// A usage error if the samples do not fit the network's inputs or it does not predict classes, a data error if a
    /// class has no output or the outputs of a sample overflow, and any error of `visit`.
    pub fn predict(
        &mut self,
        split: &Split,
        visit: &mut dyn FnMut(Prediction) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        if !self.about.targets.is_class() {
            return Err(Error::usage("the model predicts numbers, not classes"));
        }
        self.each_row(
            split,
            |predictor, rows| predictor.score(rows),
            |predictor, first, row| visit(predictor.prediction(first, row)?),
        )
    }

    /// Predicts the numbers for every sample of `split`, in order, and calls `visit` with them until `visit` breaks.
    ///
    /// # Errors
    /// A usage error if the samples do not fit the network's inputs or it predicts classes, a data error if the outputs
    /// of a sample overflow, and any error of `visit`.
    pub fn answer(
        &mut self,
        split: &Split,
        visit: &mut dyn FnMut(Answer) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        if self.about.targets.is_class() {
            return Err(Error::usage("the model predicts classes, not numbers"));
        }
        self.each_answer(split, |predictor, answered| {
            let asked = answered.asked.map(|stored| predictor.original(stored));
            let output = predictor.numbers(answered.answer);
            visit(Answer { index: answered.index, asked: asked.as_deref(), output: &output })
        })
    }

    /// Adds the offsets back to stored numbers.
    fn original(&self, stored: &[f32]) -> Vec<f64> {
        let offset = |output: usize| self.units.as_ref().map_or(0.0, |_| self.about.offsets.label(output));
        stored.iter().enumerate().map(|(output, &number)| f64::from(number) + offset(output)).collect()
    }

    /// Converts predictions to the units of the data.
    fn numbers(&self, answer: &[f32]) -> Vec<f64> {
        let number = |(output, &value): (usize, &f32)| match &self.units {
            Some(units) => units.original(output, value),
            None => f64::from(value),
        };
        answer.iter().enumerate().map(number).collect()
    }

    /// Converts stored numbers to the scale of the outputs.
    fn wanted(&self, stored: &[f32]) -> Vec<f32> {
        let wanted = |(output, &number): (usize, &f32)| match &self.units {
            Some(units) => units.wanted(output, number),
            None => number,
        };
        stored.iter().enumerate().map(wanted).collect()
    }

    /// Calls `visit` with the prediction for every sample of `split`.
    fn each_answer(
        &mut self,
        split: &Split,
        mut visit: impl FnMut(&Self, Answered) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let forward = |predictor: &mut Self, rows| {
            predictor.forward(rows);
            let Self { about, arena, team, plan, .. } = predictor;
            arena.answer(team, plan, rows, about.loss.answer(about.targets));
        };
        self.each_row(split, forward, |predictor, first, row| {
            let (index, arena, plan) = (first + row, &predictor.arena, &predictor.plan);
            let outputs = arena.output(plan, row);
            if outputs.iter().any(|x| !x.is_finite()) {
                return Err(overflow(index));
            }
            let asked = predictor.labelled.then(|| arena.target(plan, row));
            visit(predictor, Answered { index, asked, outputs, answer: arena.answered(plan, row) })
        })
    }

    /// Returns how well an autoencoder reconstructs the images of `split`, without noise.
    ///
    /// # Errors
    /// As for [`Self::answer`], and a usage error if the model is not an autoencoder of images.
    pub fn quality(&mut self, split: &Split) -> Result<record::Reconstruction> {
        let image = self.about.shape.image().filter(|_| self.about.targets == Targets::Input);
        let image = image.ok_or_else(|| Error::usage("the model is not an autoencoder of images"))?;
        let mut quality = Quality::new(image);
        self.each_answer(split, |_, answered| {
            answered.asked.iter().for_each(|image| quality.take(image, answered.answer));
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(quality.mean())
    }

    /// Returns the loss and the errors of the numeric predictions for `split`.
    ///
    /// # Errors
    /// As for [`Self::answer`], and a data error if no sample has a target.
    pub fn deviation(&mut self, split: &Split) -> Result<Judged<Deviation>> {
        if self.about.targets.is_class() {
            return Err(Error::usage("the model predicts classes, not numbers"));
        }
        let mut sums = Sums::new(self.plan.outputs);
        let loss = self.mean_loss(split, |predictor, asked, answered| {
            sums.take(&predictor.original(asked), &predictor.numbers(answered.answer));
        })?;
        let found = sums.mean().ok_or_else(unlabelled)?;
        Ok(Judged { loss, loss_name: self.about.loss.to_string(), found })
    }

    /// Returns the loss and the multi-label scores on `split`.
    ///
    /// # Errors
    /// As for [`Self::answer`], a usage error if the model does not predict several labels, and a data error if no
    /// sample has a target.
    pub fn label_scores(&mut self, split: &Split) -> Result<Judged<LabelScores>> {
        let (names, bound) = (self.about.labels.clone(), self.about.loss.label_bound());
        let bound = bound.filter(|_| !names.is_empty());
        let bound = bound.ok_or_else(|| Error::usage("the model does not predict several labels"))?;
        let mut counts = LabelCounts::new(names.len());
        let loss = self.mean_loss(split, |_, asked, answered| counts.take(asked, answered.outputs, bound))?;
        let found = counts.scores(&names).ok_or_else(unlabelled)?;
        Ok(Judged { loss, loss_name: self.about.loss.to_string(), found })
    }

    /// Returns the mean loss over the samples of `split` that have targets, by the loss the network was trained with;
    /// `take` is called with the stored target and the prediction of each.
    fn mean_loss(&mut self, split: &Split, mut take: impl FnMut(&Self, &[f32], &Answered)) -> Result<f64> {
        let units = self.units.as_ref().filter(|_| self.about.scale.is_some());
        let factors = units.and_then(|units| Some(units.factors(self.about.loss.power()?)));
        let mut delta = vec![0.0; self.plan.outputs];
        let (mut sum, mut samples) = (0.0, 0_u64);
        self.each_answer(split, |predictor, answered| {
            let Some(asked) = answered.asked else { return Ok(ControlFlow::Continue(())) };
            let (loss, wanted) = (&predictor.about.loss, predictor.wanted(asked));
            sum += match &factors {
                Some(factors) => loss.in_units(answered.outputs, &wanted, factors),
                None => loss.row(answered.outputs, Target::Row(&wanted), &mut delta),
            };
            samples += 1;
            take(predictor, asked, &answered);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(sum / samples as f64)
    }

    /// Gathers the samples of `split` in batches, calls `forward` with the number of rows of each, and then `visit` for
    /// each sample with the position of its batch and its row there.
    fn each_row(
        &mut self,
        split: &Split,
        forward: impl Fn(&mut Self, usize),
        mut visit: impl FnMut(&Self, usize, usize) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.check(split)?;
        let normalisation = self.about.normalisation.clone();
        let mut feed = Feed::new(split, &normalisation, Order::Sequential, 0, MICROBATCH, READ_AHEAD)?;
        for first in (0..split.len()).step_by(MICROBATCH) {
            let rows = MICROBATCH.min(split.len() - first);
            let batch = feed.rows(first, rows)?;
            self.labelled = match self.about.targets {
                Targets::Class => batch.class(0).is_some(),
                Targets::Real => !batch.reals(0).is_empty(),
                Targets::Input => true,
            };
            self.arena.gather(&mut self.team, &self.plan, &batch)?;
            forward(self, rows);
            for row in 0..rows {
                if visit(self, first, row)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn check(&self, split: &Split) -> Result<()> {
        let (inputs, given) = (self.plan.inputs, split.read(&[])?.features());
        if given == inputs {
            return Ok(());
        }
        let model = &self.plan.model;
        Err(Error::usage(format!("model `{model}` takes {inputs} numbers, but a sample has {given}")))
    }

    fn forward(&mut self, rows: usize) {
        self.arena.forward(&mut self.team, &self.plan, self.params.values_mut(), rows, None);
    }

    /// Runs the forward pass of the gathered samples; leaves their probabilities in `deltas[0]`, which is not needed
    /// otherwise.
    fn score(&mut self, rows: usize) {
        self.forward(rows);
        let outputs = self.plan.outputs;
        let Arena { outputs: activations, deltas, labels, scores, .. } = &mut self.arena;
        let found = activations.last().map_or(&[][..], |outputs| &outputs[..]);
        self.about.loss.judge(
            &mut self.team,
            Matrix::new(found, rows, outputs),
            &labels[..rows],
            MatrixMut::new(&mut deltas[0], rows, outputs),
            &mut scores[..rows],
        );
    }

    /// Returns the prediction in `row` of the arena. Outputs beyond the classes take part in the softmax, as in
    /// training, but are never predicted.
    fn prediction(&self, first: usize, row: usize) -> Result<Prediction<'_>> {
        let (index, loss) = (first + row, self.arena.scores[row].loss);
        if !loss.is_finite() {
            return Err(overflow(index));
        }
        let classes = self.about.classes.len();
        let part = row * padded(self.plan.outputs)..;
        let logits = self.arena.outputs.last().map_or(&[][..], |logits| &logits[part.clone()][..classes]);
        let answers = &self.arena.deltas[0][part][..classes];
        let probabilities = self.about.loss.gives_probabilities().then_some(answers);
        let class = self.arena.labels[row] as usize;
        let (label, weight) = (self.labelled.then_some(class), self.about.loss.weight(class));
        Ok(Prediction { index, class: argmax(logits), label, probabilities, outputs: logits, loss, weight })
    }
}

/// Size of the read-ahead buffer for streamed samples, in bytes.
const READ_AHEAD: u64 = 16 << 20;

fn unlabelled() -> Error {
    Error::data("no sample has a label to compare with")
}

fn overflow(index: usize) -> Error {
    Error::data(format!("the model's outputs overflow on sample {index}"))
        .advise("use a model whose training did not diverge")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::save;
    use crate::recipe::Recipe;
    use crate::session::{Limits, Session};
    use crate::{Budget, Trial};
    use schuss_data::Samples;
    use tempfile::TempDir;

    /// Returns a network trained for an epoch, as a file, with its session's evaluation on the test split.
    fn trained(data: &schuss_data::Dataset) -> (TempDir, crate::record::Evaluation) {
        trained_as(Trial { model: "784-20-10".parse().unwrap(), ..Trial::default() }, data)
    }

    fn trained_as(trial: Trial, data: &schuss_data::Dataset) -> (TempDir, crate::record::Evaluation) {
        let trial = Trial { budget: Budget { epochs: 1, ..Budget::default() }, ..trial };
        let mut session = Session::new(&trial, data, Limits::default()).unwrap();
        let outcome = session.run(&Default::default(), &mut ()).unwrap();
        let folder = TempDir::new().unwrap();
        let bytes = save(session.params(), &ModelFile::of(&trial, data)).unwrap();
        std::fs::write(folder.path().join("model.safetensors"), bytes).unwrap();
        (folder, outcome.evaluation.unwrap())
    }

    fn load(folder: &TempDir, threads: usize) -> Predictor {
        Predictor::load(&folder.path().join("model.safetensors"), threads).unwrap()
    }

    #[test]
    fn a_saved_model_gives_the_very_loss_and_accuracy_of_its_session() {
        let data = schuss_data::load("digits:train=500,test=600").unwrap(); // 600 is not a multiple of the microbatch
        let (folder, expected) = trained(&data);
        for threads in [1, 2] {
            let (mut loss, mut correct, mut seen) = (0.0, 0, 0);
            let mut predictor = load(&folder, threads);
            predictor
                .predict(&data.test, &mut |prediction| {
                    assert_eq!(prediction.index, seen);
                    let sum: f32 = prediction.probabilities.unwrap().iter().sum();
                    assert!(
                        prediction.probabilities.unwrap().len() == 10 && (sum - 1.0).abs() < 1e-5,
                        "{sum}"
                    );
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
    fn a_saved_autoencoder_reconstructs_as_well_as_its_session_and_knows_no_classes() {
        let data = schuss_data::load("digits:train=300,test=300,size=8").unwrap();
        let recipe = Recipe { loss: "mse".parse().unwrap(), ..Recipe::default() };
        let model = "linear:20,relu,linear:64,sigmoid".parse().unwrap();
        let trial = Trial { model, targets: Targets::Input, recipe, ..Trial::default() };
        let (folder, expected) = trained_as(trial, &data);
        let mut predictor = load(&folder, 2);
        assert_eq!(Some(predictor.quality(&data.test).unwrap()), expected.reconstruction);
        let refused = predictor.predict(&data.test, &mut |_| Ok(ControlFlow::Continue(()))).unwrap_err();
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
                .predict(&data.test, &mut |prediction| {
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
            assert_eq!(Some(&found), expected.reconstruction.as_ref(), "{loss}");
            predictor
                .answer(&data.test, &mut |found| {
                    assert!(found.output.iter().all(|x| (0.0..=1.0).contains(x)), "{loss}");
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
        let mut visit = |_: Prediction| {
            seen += 1;
            Ok(if seen == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        load(&folder, 1).predict(&data.test, &mut visit).unwrap();
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
            let error = predictor.predict(&split, &mut |_| Ok(ControlFlow::Continue(()))).unwrap_err();
            assert!(error.exit_code() == code && error.what.contains(part), "{error}");
        }
    }
}
