//! Training curves: losses and accuracy against epochs, updates and seconds.

use super::Figure;
use super::seeds::{across_seeds, band, medians};
use crate::{
    chart::{
        Axis, Fineness,
        line::{Level, LineChart, Mark, MarkKind, Series},
        scale::{Bounds, Spacing, range},
    },
    recipes::{Recipe, Run, predict_classes},
    text,
};
use schuss::record::{Best, EvaluationPoint, ReferenceRecord, Summary};

/// Metric on the y axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Metric {
    TrainLoss,
    EvalLoss,
    Accuracy,
    /// 1 − accuracy, which separates good results.
    Error,
    /// Similarity of reconstructed images to the originals.
    Similarity,
}

/// Quantity on the x axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Along {
    Epochs,
    Updates,
    Seconds,
}

const SIZE: [f64; 2] = [640.0, 350.0];

/// Ratio of largest to smallest value above which an axis is logarithmic.
const LOG_RATIO: f64 = 20.0;

pub(super) fn figures(summary: &Summary, recipes: &[Recipe], fineness: Fineness) -> Vec<[Figure; 3]> {
    if recipes.is_empty() {
        return Vec::new();
    }
    let metrics = metrics(summary, recipes);
    let subject = Subject { summary, recipes };
    let figure = |metric| {
        [Along::Epochs, Along::Updates, Along::Seconds].map(|along| subject.figure(metric, along, fineness))
    };
    metrics.into_iter().map(figure).collect()
}

/// Returns the metrics to draw: losses, and others that any trial has.
fn metrics(summary: &Summary, recipes: &[Recipe]) -> Vec<Metric> {
    let points: Vec<EvaluationPoint> =
        recipes.iter().flat_map(|recipe| recipe.runs.iter().flat_map(Run::evaluations)).collect();
    let best =
        |metric: Metric| range(points.iter().filter_map(|point| metric.value(point))).map(|range| range.high);
    let mut metrics = vec![Metric::TrainLoss, Metric::EvalLoss];
    let similar = best(Metric::Similarity).is_some();
    if predict_classes(summary) {
        metrics.push(Metric::Accuracy);
    }
    if best(Metric::Accuracy).is_some_and(|best| best >= 90.0) {
        metrics.push(Metric::Error);
    }
    if similar {
        metrics.push(Metric::Similarity);
    }
    metrics
}

/// Run whose curves are drawn.
struct Subject<'a> {
    summary: &'a Summary,
    recipes: &'a [Recipe<'a>],
}

impl Subject<'_> {
    fn figure(&self, metric: Metric, along: Along, fineness: Fineness) -> Figure {
        let split = &self.summary.data.eval_split;
        let series: Vec<Series> =
            self.recipes.iter().map(|recipe| self.series(recipe, metric, along)).collect();
        let levels = self.levels(metric);
        let x = along.axis(&series);
        let y = metric.axis(&series, &levels, split);
        let chart = LineChart { size: SIZE, x, y, series, levels, named: true };
        Figure {
            slug: format!("{}-{}", metric.slug(), along.slug()),
            subject: String::new(),
            title: format!("{} against {}", metric.title(split), along.slug()),
            caption: self.caption(metric),
            drawing: chart.draw(fineness),
        }
    }

    fn caption(&self, metric: Metric) -> String {
        let split = &self.summary.data.eval_split;
        let mut caption = match metric {
            Metric::TrainLoss => {
                "Running: the mean of each update's loss just before it, over its epoch.".to_owned()
            }
            Metric::EvalLoss => {
                format!("Frozen: over the whole {split} split; the first point is before any update.")
            }
            Metric::Accuracy => {
                format!(
                    "Frozen: share of the {split} split classified correctly; the first point is before any update."
                )
            }
            Metric::Error => {
                "100 % minus accuracy, on a logarithmic axis that separates good results.".to_owned()
            }
            Metric::Similarity => format!(
                "Frozen: mean structural similarity (SSIM) of the {split} split's images and their reconstructions; 1 is equality."
            ),
        };
        if self.recipes.iter().any(|recipe| recipe.runs.len() > 1) {
            caption += " Line: median over seeds; band: their whole range.";
        }
        let references = self.summary.trials.iter().flat_map(|trial| &trial.reference);
        if metric != Metric::EvalLoss
            && references.clone().any(|reference| metric.printed(reference).is_some())
        {
            caption += " Hollow: printed in the lecture.";
        }
        if metric == Metric::EvalLoss && self.recipes.iter().any(|recipe| recipe.turning_point().is_some()) {
            caption += " ▼: from here it rises although the training loss still falls: over-fitting";
            caption += if self.recipes.iter().any(|recipe| recipe.runs.len() > 1) {
                " (the median of the seeds that do, if most of them do)."
            } else {
                "."
            };
        }
        caption
    }

    fn series(&self, recipe: &Recipe, metric: Metric, along: Along) -> Series {
        let points = |run: &Run| if metric == Metric::TrainLoss { run.epochs() } else { run.evaluations() };
        let curves: Vec<Vec<EvaluationPoint>> = recipe.runs.iter().map(points).collect();
        let rows = across_seeds(&curves, |point| self.coordinate(along, point), |point| metric.value(point));
        let points = medians(&rows);
        Series {
            name: recipe.name.clone(),
            style: recipe.style,
            marks: marks(recipe, metric, &points),
            printed: self.printed(recipe, metric, along),
            points,
            band: band(&rows, recipe),
            marked: true,
        }
    }

    /// Returns the x coordinate of an evaluation. Epochs are fractions by samples seen, for evaluations within epochs.
    fn coordinate(&self, along: Along, point: &EvaluationPoint) -> f64 {
        match along {
            Along::Epochs => point.samples as f64 / self.summary.data.counts.train.max(1) as f64,
            Along::Updates => point.updates as f64,
            Along::Seconds => point.train_seconds,
        }
    }

    /// Returns the points printed in the lecture, against epochs and updates only: its seconds are another machine's.
    fn printed(&self, recipe: &Recipe, metric: Metric, along: Along) -> Vec<[f64; 2]> {
        let Some(run) = recipe.runs.first().filter(|_| along != Along::Seconds) else { return Vec::new() };
        let updates = |epoch| {
            let row = run.trial.epochs.iter().find(|row| row.epoch == epoch);
            row.map_or(f64::NAN, |row| row.updates as f64)
        };
        let place = |reference: &ReferenceRecord| {
            let x =
                if along == Along::Epochs { f64::from(reference.epoch) } else { updates(reference.epoch) };
            Some([x, metric.printed(reference)?])
        };
        run.trial.reference.iter().filter_map(place).collect()
    }

    /// Returns the level of predictions that ignore the input: always the most common class, or every class with equal
    /// probability.
    fn levels(&self, metric: Metric) -> Vec<Level> {
        let classes = self.summary.data.classes;
        let cross_entropy = self
            .summary
            .trials
            .iter()
            .all(|trial| trial.recipe.get("loss").is_some_and(|loss| loss.starts_with("cross-entropy")));
        let chance = self.summary.chance();
        let most_common = self.summary.most_common().trim_start_matches("the ");
        let share = |share: f64| (100.0 * share, format!("{most_common}: {} %", text::percent(share)));
        let level = match metric {
            Metric::Similarity => None,
            Metric::Accuracy => chance.map(share),
            Metric::Error => chance.map(|chance| share(1.0 - chance)),
            Metric::TrainLoss | Metric::EvalLoss if classes < 2 => None,
            Metric::TrainLoss | Metric::EvalLoss => {
                let loss = (classes as f64).ln();
                cross_entropy.then(|| {
                    (loss, format!("classes equally probable: ln {classes} = {}", text::significant(loss, 3)))
                })
            }
        };
        level.map(|(value, label)| Level { value, label }).into_iter().collect()
    }
}

/// Returns the marks on a recipe's line, which is drawn through `points`, one per evaluation.
fn marks(recipe: &Recipe, metric: Metric, points: &[[f64; 2]]) -> Vec<Mark> {
    let mut marks = Vec::new();
    if metric == Metric::EvalLoss {
        marks.extend(turning_mark(recipe, points));
    }
    if let (true, Some(end)) = (recipe.diverged(), points.iter().rev().find(|[_, y]| y.is_finite())) {
        marks.push(Mark { at: *end, kind: MarkKind::Ends, label: "diverged".to_owned() });
    }
    marks
}

/// Returns a mark at the point where a recipe starts to over-fit.
fn turning_mark(recipe: &Recipe, points: &[[f64; 2]]) -> Option<Mark> {
    let Best { epoch, updates, .. } = recipe.turning_point()?;
    let is_there = |run: &Run| run.evaluations().iter().position(|point| point.updates == updates);
    let at = *points.get(recipe.runs.iter().find_map(is_there)?)?;
    Some(Mark { at, kind: MarkKind::TurnsDown, label: format!("epoch {epoch}") })
}

impl Metric {
    /// Returns the value of a point: losses unchanged, fractions in %.
    fn value(self, point: &EvaluationPoint) -> Option<f64> {
        match self {
            Self::TrainLoss => point.train_loss,
            Self::EvalLoss => point.eval_loss,
            Self::Accuracy => point.eval_accuracy.map(|accuracy| 100.0 * accuracy),
            Self::Error => point.eval_accuracy.map(|accuracy| 100.0 * (1.0 - accuracy)),
            Self::Similarity => point.metrics.get("ssim").copied().flatten(),
        }
    }

    fn printed(self, reference: &ReferenceRecord) -> Option<f64> {
        match self {
            Self::TrainLoss => reference.loss,
            Self::EvalLoss | Self::Similarity => None,
            Self::Accuracy => reference.accuracy.map(|accuracy| 100.0 * accuracy),
            Self::Error => reference.accuracy.map(|accuracy| 100.0 * (1.0 - accuracy)),
        }
    }

    fn slug(self) -> &'static str {
        match self {
            Self::TrainLoss => "train-loss",
            Self::EvalLoss => "eval-loss",
            Self::Accuracy => "accuracy",
            Self::Error => "error",
            Self::Similarity => "similarity",
        }
    }

    fn title(self, split: &str) -> String {
        match self {
            Self::TrainLoss => "Training loss".to_owned(),
            Self::EvalLoss => format!("{} loss", text::capital(split)),
            Self::Accuracy => format!("{} accuracy", text::capital(split)),
            Self::Error => format!("{} error", text::capital(split)),
            Self::Similarity => "Structural similarity".to_owned(),
        }
    }

    /// Returns the y axis: losses are logarithmic if their range is wide; accuracy always spans 0 to 100 %.
    fn axis(self, series: &[Series], levels: &[Level], split: &str) -> Axis {
        let band = |series: &Series| series.band.iter().flat_map(|&[_, a, b]| [a, b]).collect::<Vec<_>>();
        let drawn = series.iter().flat_map(|series| {
            let points = series.points.iter().chain(&series.printed).map(|point| point[1]);
            points.chain(band(series)).collect::<Vec<_>>()
        });
        let values: Vec<f64> = drawn.chain(levels.iter().map(|level| level.value)).collect();
        let label = match self {
            Self::TrainLoss => "training loss".to_owned(),
            Self::EvalLoss => format!("{split} loss"),
            Self::Accuracy => format!("{split} accuracy in %"),
            Self::Error => format!("{split} error in %"),
            Self::Similarity => format!("{split} SSIM"),
        };
        match self {
            Self::Accuracy => Axis {
                bounds: Some(Bounds { low: 0.0, high: 100.0 }),
                ..Axis::new(label, Spacing::Linear, text::plain)
            },
            Self::Error => Axis::new(label + ", log", Spacing::Log, text::plain),
            Self::Similarity => Axis::new(label, Spacing::Linear, text::plain),
            Self::TrainLoss | Self::EvalLoss => match Spacing::for_values(values.into_iter(), LOG_RATIO) {
                Spacing::Log => Axis::new(label + ", log", Spacing::Log, text::plain),
                Spacing::Linear => Axis::new(label, Spacing::Linear, text::plain),
            },
        }
    }
}

impl Along {
    fn slug(self) -> &'static str {
        match self {
            Self::Epochs => "epochs",
            Self::Updates => "updates",
            Self::Seconds => "seconds",
        }
    }

    /// Returns the x axis, logarithmic if one recipe's whole range is a small part of another's.
    fn axis(self, series: &[Series]) -> Axis {
        let ends = series.iter().filter_map(|series| {
            range(series.points.iter().filter(|[_, y]| y.is_finite()).map(|[x, _]| *x))
                .map(|range| range.high)
        });
        let spacing = Spacing::for_values(ends, LOG_RATIO);
        let log = if spacing == Spacing::Log { ", log" } else { "" };
        let (label, step) = match self {
            Self::Epochs => ("epochs", 1.0),
            Self::Updates => ("weight updates", 1.0),
            Self::Seconds => ("seconds of training", 0.0),
        };
        Axis { step, ..Axis::new(format!("{label}{log}"), spacing, text::plain) }
    }
}
