//! Evaluation of a model on data.

use super::numbers::{Numbers, RawPrediction};
use super::{Answered, ClassPrediction, ModelFile, NumberPrediction, Predictor, until_break};
use crate::loss::{Target, Targets};
use crate::metrics::{
    ConfusionMatrix, Deviation, ImageQuality, ImageSums, LabelCounts, LabelScores, Metrics, Prediction, Sums,
};
use crate::network::{ClassScores, ImageScores, Mistake, Scores, WithLoss};
use crate::{Cause, Error, Place, Result};
use schuss_data::{Dataset, Split};
use std::borrow::Cow;
use std::ops::ControlFlow;

/// Maximum number of mistakes kept.
const WORST: usize = 8;

impl Predictor {
    /// Evaluates the model on the test split of `data`, whose classes are matched to the model's by name.
    ///
    /// # Errors
    /// A usage error for samples of another shape or classes that the model does not know, a data error if no sample
    /// has a label or the outputs of a sample overflow, and any error from reading the samples.
    pub fn evaluate(&mut self, data: &Dataset) -> Result<Scores> {
        let data = &*self.matched(data)?;
        let (about, split) = (&self.about, &data.test);
        if split.is_empty() {
            return Err(Error::data("the test split is empty").at(Place::data(&data.name)));
        }
        match about.targets {
            Targets::Class => self.class_scores(data).map(Scores::Classes),
            Targets::Input if about.shape.image().is_some() => self.image_scores(split).map(Scores::Images),
            Targets::Real if !about.labels.is_empty() => self.label_scores(split).map(Scores::Labels),
            Targets::Real | Targets::Input => self.deviation(split).map(Scores::Numbers),
        }
    }

    /// Returns how well an autoencoder reconstructs the images of `split`, without noise.
    ///
    /// # Errors
    /// As for [`Self::predict_numbers`], and a usage error if the model is not an autoencoder of images.
    pub fn quality(&mut self, split: &Split) -> Result<ImageQuality> {
        self.image_scores(split).map(|scores| scores.quality)
    }

    /// Returns the quality of reconstructed images.
    fn image_scores(&mut self, split: &Split) -> Result<ImageScores> {
        let image = self.about.shape.image().filter(|_| self.about.targets == Targets::Input);
        let image = image.ok_or_else(|| {
            Error::usage("the model is not an autoencoder of images").because(Cause::Mismatch)
        })?;
        let (mut sums, mut metrics) = (ImageSums::new(image), self.metrics());
        self.check_numbers()?;
        let nothing = |_: &Answered, (): &mut ()| Ok(());
        self.each_share(split, 1, nothing, |answered, ()| {
            until_break(0..answered.rows, |row| {
                let RawPrediction { target, predicted, .. } = answered.raw(row)?;
                if let Some(actual) = target {
                    sums.add(actual, predicted);
                    metrics.take(&Prediction::Image { actual, predicted });
                }
                Ok(ControlFlow::Continue(()))
            })
        })?;
        let metrics = metrics.end(f64::NAN).metrics;
        Ok(ImageScores { quality: sums.mean(), samples: split.len(), metrics })
    }

    /// Begins the metrics of the model's task that have names.
    fn metrics(&self) -> Metrics {
        let ModelFile { loss, targets, labels, shape, .. } = &self.about;
        Metrics::begin_named(&loss.task(*targets, self.plan.outputs, labels, *shape))
    }

    /// Returns the data with the model's classes: a copy only if they have others.
    fn matched<'d>(&self, data: &'d Dataset) -> Result<Cow<'d, Dataset>> {
        self.about.check_shape(data)?;
        let has_others = !data.classes.is_empty() && data.classes != self.about.classes;
        if self.about.targets.is_class() && has_others {
            return self.about.match_to_evaluate(data.clone()).map(Cow::Owned);
        }
        Ok(Cow::Borrowed(data))
    }

    /// Returns loss and scores of the predicted classes.
    fn class_scores(&mut self, data: &Dataset) -> Result<ClassScores> {
        let (mut sums, mut metrics) = (ClassSums::new(self.about.classes.clone()), self.metrics());
        self.predict_classes(&data.test, &mut |prediction| {
            if let Some(actual) = prediction.label {
                sums.take(actual, &prediction)?;
                metrics.take(&Prediction::Class { actual, outputs: prediction.outputs });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let scores = sums.scores(self.about.loss.to_string(), metrics);
        scores.ok_or_else(|| Error::data("the test split has no labels").at(Place::data(&data.name)))
    }

    /// Returns loss and errors of the predicted numbers.
    fn deviation(&mut self, split: &Split) -> Result<WithLoss<Deviation>> {
        let (mut sums, mut metrics) = (Sums::new(self.plan.outputs), self.metrics());
        let loss = self.mean_loss(split, |raw, actual, predicted| {
            sums.add(actual, predicted);
            measure(&mut metrics, raw, actual, predicted);
        })?;
        self.with_loss(loss, sums.mean(), metrics)
    }

    /// Returns loss and scores of several labels per sample.
    fn label_scores(&mut self, split: &Split) -> Result<WithLoss<LabelScores>> {
        let names = self.about.labels.clone();
        let bound = self.about.loss.label_bound();
        let bound = bound.ok_or_else(|| {
            Error::usage("the model does not predict several labels").because(Cause::Mismatch)
        })?;
        let (mut counts, mut metrics) = (LabelCounts::new(names.len()), self.metrics());
        let loss = self.mean_loss(split, |raw, actual, predicted| {
            counts.take(raw.target.unwrap_or_default(), raw.outputs, bound);
            measure(&mut metrics, raw, actual, predicted);
        })?;
        self.with_loss(loss, counts.scores(&names), metrics)
    }

    fn with_loss<T>(&self, loss: f64, scores: Option<T>, metrics: Metrics) -> Result<WithLoss<T>> {
        let scores = scores.ok_or_else(|| Error::data("no sample has a label to compare with"))?;
        let metrics = metrics.end(loss).metrics;
        Ok(WithLoss { loss, loss_name: self.about.loss.to_string(), scores, metrics })
    }

    /// Returns the mean loss over the samples of `split` that have targets, by the loss the network was trained with;
    /// `take` is called with each prediction, and with its target and numbers in the units of the data.
    fn mean_loss(
        &mut self,
        split: &Split,
        mut take: impl FnMut(&RawPrediction, &[f64], &[f64]),
    ) -> Result<f64> {
        self.check_numbers()?;
        let units = self.units.as_ref().filter(|_| self.about.scale.is_some());
        let factors = units.and_then(|units| Some(units.factors(self.about.loss.power()?)));
        let (mut sum, mut samples) = (0.0, 0_u64);
        let finish = |answered: &Answered, made: &mut Losses| made.fill(answered, factors.as_deref());
        self.each_share(split, 1, finish, |answered, Losses { numbers, losses }| {
            until_break(losses.iter().enumerate(), |(row, loss)| {
                sum += loss;
                samples += 1;
                let NumberPrediction { target, numbers, .. } = numbers.prediction(answered.first, row);
                take(&answered.raw(row)?, target.unwrap_or_default(), numbers);
                Ok(ControlFlow::Continue(()))
            })
        })?;
        Ok(sum / samples as f64)
    }
}

/// Predictions for the first samples of a block, with the losses of those that have targets.
#[derive(Default)]
struct Losses {
    numbers: Numbers,
    losses: Vec<f64>,
}

impl Losses {
    /// Replaces them with those of a block. With `factors`, one per output, losses are in the units of the data.
    fn fill(&mut self, answered: &Answered, factors: Option<&[f64]>) -> Result<()> {
        self.numbers.clear();
        self.losses.clear();
        let loss = &answered.network.about.loss;
        let (mut wanted, mut delta) = (vec![], vec![0.0; answered.network.plan.outputs]);
        for row in 0..answered.rows {
            self.numbers.push(answered, row)?;
            let RawPrediction { target: Some(target), outputs, .. } = answered.raw(row)? else { continue };
            wanted.clear();
            wanted.extend(answered.wanted(target));
            self.losses.push(match factors {
                Some(factors) => loss.in_units(outputs, &wanted, factors),
                None => loss.row(outputs, Target::Row(&wanted), &mut delta),
            });
        }
        Ok(())
    }
}

/// Gives `metrics` the predicted labels or numbers of a sample, with its target and numbers in the units of the data.
fn measure(metrics: &mut Metrics, raw: &RawPrediction, actual: &[f64], predicted: &[f64]) {
    if metrics.task().labels.is_some() {
        let actual = raw.target.unwrap_or_default();
        metrics.take(&Prediction::Labels { actual, outputs: raw.outputs });
    }
    if metrics.task().numbers.is_some() {
        metrics.take(&Prediction::Numbers { actual, predicted });
    }
}

/// Sums over predicted classes.
struct ClassSums {
    classes: Vec<String>,
    loss: f64,
    /// Divisor of the summed losses: the number of samples unless there are class weights.
    weight: f64,
    confusion: ConfusionMatrix,
    /// Largest loss first.
    worst: Vec<Mistake>,
}

impl ClassSums {
    fn new(classes: Vec<String>) -> Self {
        let confusion = ConfusionMatrix::new(classes.len());
        Self { classes, loss: 0.0, weight: 0.0, confusion, worst: vec![] }
    }

    /// Adds a prediction for a sample of class `actual`.
    fn take(&mut self, actual: usize, prediction: &ClassPrediction) -> Result<()> {
        let Some(name) = self.classes.get(actual) else {
            let classes = self.classes.len();
            return Err(Error::data(format!(
                "a sample is labelled {actual}, but there are {classes} classes"
            )));
        };
        self.loss += prediction.loss;
        self.weight += prediction.weight;
        self.confusion.add(actual, prediction.class);
        let place = self.worst.partition_point(|worse| worse.loss >= prediction.loss);
        if prediction.class != actual && place < WORST {
            self.worst.insert(place, self.mistake(name.clone(), prediction));
            self.worst.truncate(WORST);
        }
        Ok(())
    }

    fn mistake(&self, actual: String, prediction: &ClassPrediction) -> Mistake {
        let ClassPrediction { index, class, probabilities, loss, .. } = *prediction;
        let predicted = self.classes[class].clone();
        Mistake { index, actual, predicted, probability: probabilities.map(|all| all[class].into()), loss }
    }

    /// Returns the scores, if there was a sample.
    fn scores(self, loss_name: String, metrics: Metrics) -> Option<ClassScores> {
        let Self { classes, loss, weight, confusion, worst } = self;
        let loss = loss / if weight == 0.0 { 1.0 } else { weight };
        Some(ClassScores {
            accuracy: confusion.accuracy()?,
            chance: confusion.chance()?,
            only_class: confusion.only_class().map(|class| classes[class].clone()),
            loss,
            loss_name,
            samples: confusion.samples(),
            classes,
            confusion,
            worst,
            metrics: metrics.end(loss).metrics,
        })
    }
}
