//! Evaluation of a model on data.

use super::numbers::RawPrediction;
use super::{Answered, ClassPrediction, ModelFile, Predictor};
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
        self.each_number_row(split, |_, raw| {
            if let Some(actual) = raw.target {
                sums.add(actual, raw.predicted);
                metrics.take(&Prediction::Image { actual, predicted: raw.predicted });
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let metrics = metrics.end(f64::NAN).metrics;
        Ok(ImageScores { quality: sums.mean(), samples: split.len(), metrics })
    }

    /// Begins the metrics of the model's task.
    fn metrics(&self) -> Metrics {
        let ModelFile { loss, targets, labels, shape, .. } = &self.about;
        Metrics::begin(&loss.task(*targets, self.plan.outputs, labels, *shape), &[])
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
        let loss = self.mean_loss(split, |batch, target, raw| {
            let (actual, predicted) = (batch.original(target), batch.numbers(raw.predicted));
            sums.add(&actual, &predicted);
            batch.measure(&mut metrics, target, raw);
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
        let loss = self.mean_loss(split, |batch, target, raw| {
            counts.take(target, raw.outputs, bound);
            batch.measure(&mut metrics, target, raw);
        })?;
        self.with_loss(loss, counts.scores(&names), metrics)
    }

    fn with_loss<T>(&self, loss: f64, scores: Option<T>, metrics: Metrics) -> Result<WithLoss<T>> {
        let scores = scores.ok_or_else(|| Error::data("no sample has a label to compare with"))?;
        let metrics = metrics.end(loss).metrics;
        Ok(WithLoss { loss, loss_name: self.about.loss.to_string(), scores, metrics })
    }

    /// Returns the mean loss over the samples of `split` that have targets, by the loss the network was trained with;
    /// `take` is called with the stored target and the prediction of each.
    fn mean_loss(
        &mut self,
        split: &Split,
        mut take: impl FnMut(&Answered, &[f32], &RawPrediction),
    ) -> Result<f64> {
        let units = self.units.as_ref().filter(|_| self.about.scale.is_some());
        let factors = units.and_then(|units| Some(units.factors(self.about.loss.power()?)));
        let mut delta = vec![0.0; self.plan.outputs];
        let (mut sum, mut samples) = (0.0, 0_u64);
        self.each_number_row(split, |batch, raw| {
            let Some(target) = raw.target else { return Ok(ControlFlow::Continue(())) };
            let (loss, wanted) = (&batch.about.loss, batch.wanted(target));
            sum += match &factors {
                Some(factors) => loss.in_units(raw.outputs, &wanted, factors),
                None => loss.row(raw.outputs, Target::Row(&wanted), &mut delta),
            };
            samples += 1;
            take(batch, target, &raw);
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(sum / samples as f64)
    }
}

impl Answered<'_> {
    /// Gives `metrics` the predicted labels or numbers for a stored target.
    fn measure(&self, metrics: &mut Metrics, target: &[f32], raw: &RawPrediction) {
        if metrics.task().labels.is_some() {
            metrics.take(&Prediction::Labels { actual: target, outputs: raw.outputs });
        }
        if metrics.task().numbers.is_some() {
            let [actual, predicted] = [self.original(target), self.numbers(raw.predicted)];
            metrics.take(&Prediction::Numbers { actual: &actual, predicted: &predicted });
        }
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
