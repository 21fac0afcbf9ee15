//! The loss over the plane that all racers of a study share, with their paths.

mod racers;

use super::Gallery;
use crate::Result;
use crate::network::Layout;
use crate::optim::Eigen;
use crate::recipe::Trial;
use crate::record::numbers::percent;
use crate::record::{PathRecord, Summary, SurfaceRecord, Trace, TrialRecord};
use crate::session::{Control, Session};
use racers::{Racer, Racers};
pub(in crate::study) use racers::{keeps_weights, warning};

/// Points per side of the grid.
const GRID: usize = 25;

/// Margin of the frame around all paths, relative to their extent.
const MARGIN: f64 = 0.15;

/// Name of the exhibit among the surfaces of a summary.
const NAME: &str = "plane";

/// Adds the plane, in place of an earlier one, if trials kept their weights.
///
/// # Errors
/// If samples cannot be read.
pub(in crate::study) fn draw(gallery: &Gallery, traces: &[Trace], summary: &mut Summary) -> Result<()> {
    summary.surfaces.retain(|surface| surface.name != NAME);
    let mut racers = Racers::of(gallery.study, traces, summary);
    let Some(first) = racers.sharing.first().filter(|_| !gallery.control.interrupted()) else {
        return Ok(());
    };
    let data = gallery.data.for_seed(gallery.study.seeds[0])?;
    let trial = Trial { init_from: None, ..first.trial.clone() }; // its weights are replaced
    let layout = trial.plan(&data)?.layout;
    let mut session = Session::new(&trial, &data, gallery.limits)?;
    racers.measure(&mut session)?;
    if racers.sharing.iter().all(|racer| racer.points.len() < 2) {
        return Ok(());
    }
    let plane = Plane::through(&layout, &racers.sharing);
    let values = grid(&plane, gallery.control, &mut session)?;
    summary.surfaces.extend(values.map(|values| surface(&plane, values, racers)));
    Ok(())
}

/// Returns true if racers of a study that draws a plane moved, but it has none.
pub(in crate::study) fn is_missing(summary: &Summary) -> bool {
    let has_moved = |trial: &TrialRecord| {
        trial.epochs.iter().filter(|row| row.eval_loss.is_some()).count() > 1 // not cut short by a divergence
    };
    summary.surfaces.iter().all(|surface| surface.name != NAME) && summary.trials.iter().any(has_moved)
}

/// Returns the loss at the points of the grid, row by row; `None` if interrupted.
fn grid(plane: &Plane, control: &Control, session: &mut Session) -> Result<Option<Vec<f64>>> {
    let [w1, w2] = [0, 1].map(|axis| plane.frame(axis));
    let mut values = Vec::with_capacity(GRID * GRID);
    for row in 0..GRID {
        for col in 0..GRID {
            if control.interrupted() {
                return Ok(None);
            }
            values.push(session.loss_at(&plane.weights([along(w1, col), along(w2, row)]))?);
        }
    }
    Ok(Some(values))
}

/// Returns the record of the plane.
fn surface(plane: &Plane, values: Vec<f64>, racers: Racers) -> SurfaceRecord {
    let Racers { sharing, others } = racers;
    let who = if others == 0 {
        "all".to_owned()
    } else {
        format!("{} of {}", sharing.len(), sharing.len() + others)
    };
    let mut coordinates = plane.coordinates.iter().copied();
    SurfaceRecord {
        name: NAME.to_owned(),
        title: format!("The loss over the plane that {who} racers share"),
        equation: format!(
            "Training loss; w₁ and w₂ are the principal components of all weights at the ends of epochs, in units of the \
             length of each unit's weights; they explain {} % of the variance",
            percent(plane.explained)
        ),
        lesson: lesson(others),
        w1: plane.frame(0),
        w2: plane.frame(1),
        size: GRID,
        values,
        minima: vec![],
        paths: sharing.into_iter().map(|racer| path(racer, &mut coordinates)).collect(),
        along: "epochs".to_owned(),
    }
}

fn lesson(others: usize) -> String {
    let lesson = "Paths are projections onto the plane; the less it explains, the less contours say about the loss on a \
                  path, which the second chart shows as it is.";
    let left_out =
        " Racers with another network or loss are left out: theirs is another function of the weights.";
    format!("{lesson}{}", if others == 0 { "" } else { left_out })
}

/// Returns the path of a racer; its coordinates are the next ones.
fn path(racer: Racer, coordinates: &mut dyn Iterator<Item = [f64; 2]>) -> PathRecord {
    let cut = "its last points, with a loss above that before training, are left out";
    PathRecord {
        name: racer.trial.name,
        optimizer: racer.trial.recipe.optimizer.to_string(),
        start: "initial weights".to_owned(),
        points: coordinates.take(racer.points.len()).collect(),
        verdict: if racer.is_cut { cut.to_owned() } else { String::new() },
        values: racer.losses,
        reached: if is_every(&racer.epochs) { vec![] } else { racer.epochs },
        m_hat: vec![],
        v_hat: vec![],
        effective_step: vec![],
    }
}

/// Returns true for 0, 1, 2, ...
fn is_every(epochs: &[u64]) -> bool {
    (0..).zip(epochs).all(|(index, epoch)| index == *epoch)
}

fn along([low, high]: [f64; 2], step: usize) -> f64 {
    low + (high - low) * step as f64 / (GRID - 1) as f64
}

/// A plane in the space of weights.
struct Plane {
    centre: Vec<f64>,
    /// Directions of the two axes, in weights.
    axes: [Vec<f64>; 2],
    /// Coordinates of the points it was laid through.
    coordinates: Vec<[f64; 2]>,
    /// Fraction of the variance of these points that lies in it.
    explained: f64,
}

impl Plane {
    /// Lays a plane through the points of all racers: along the two largest principal components of the weights in units
    /// of the length of each filter.
    fn through(layout: &Layout, racers: &[Racer]) -> Self {
        let points: Vec<&[f32]> = racers.iter().flat_map(|racer| racer.points.iter().copied()).collect();
        let centre = mean(&points);
        let lengths = filter_lengths(layout, &centre);
        let offset = |point: usize| {
            let offsets = points[point].iter().zip(&centre).map(|(w, c)| f64::from(*w) - c);
            offsets.zip(&lengths).map(|(offset, length)| if *length > 0.0 { offset / length } else { 0.0 })
        };
        let product = |a: usize, b: usize| offset(a).zip(offset(b)).map(|(a, b)| a * b).sum();
        let eigen = eigen(points.len(), product);
        let variances: Vec<f64> = (0..points.len()).map(|k| eigen.value(k).max(0.0)).collect();
        let total: f64 = variances.iter().sum();
        let axis = |k: usize| {
            let scale = if variances[k] > 0.0 { 1.0 / variances[k].sqrt() } else { 0.0 };
            let mut axis = vec![0.0; centre.len()];
            for (point, share) in eigen.vector(k).iter().enumerate() {
                axis.iter_mut().zip(offset(point)).for_each(|(axis, x)| *axis += scale * share * x);
            }
            axis.iter_mut().zip(&lengths).for_each(|(axis, length)| *axis *= length);
            axis
        };
        let coordinate = |point: usize, k: usize| variances[k].sqrt() * eigen.vector(k)[point];
        Self {
            axes: [axis(0), axis(1)],
            coordinates: (0..points.len()).map(|point| [0, 1].map(|k| coordinate(point, k))).collect(),
            explained: if total > 0.0 { (variances[0] + variances[1]) / total } else { 1.0 },
            centre,
        }
    }

    /// Returns the range of an axis in the frame.
    fn frame(&self, axis: usize) -> [f64; 2] {
        let values = self.coordinates.iter().map(|point| point[axis]);
        let (low, high) =
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        let margin = (MARGIN * (high - low)).max(1e-3);
        [low - margin, high + margin]
    }

    /// Returns the weights at a point of the plane.
    fn weights(&self, [a, b]: [f64; 2]) -> Vec<f32> {
        let [first, second] = &self.axes;
        let places = self.centre.iter().zip(first).zip(second);
        places.map(|((centre, first), second)| (centre + a * first + b * second) as f32).collect()
    }
}

fn mean(points: &[&[f32]]) -> Vec<f64> {
    let mut sum = vec![0.0; points.first().map_or(0, |point| point.len())];
    points.iter().for_each(|point| sum.iter_mut().zip(*point).for_each(|(sum, w)| *sum += f64::from(*w)));
    sum.iter_mut().for_each(|sum| *sum /= points.len() as f64);
    sum
}

/// Returns for every number the length of its filter at `weights`: the numbers of its layer that belong to the same unit.
/// Numbers that are not trained have none.
fn filter_lengths(layout: &Layout, weights: &[f64]) -> Vec<f64> {
    let mut lengths = vec![0.0; weights.len()];
    let mut filters = std::collections::BTreeMap::<(usize, usize), Vec<usize>>::new();
    for entry in layout.entries().iter().filter(|entry| entry.is_trained()) {
        for (index, place) in entry.places().enumerate() {
            filters.entry((entry.layer(), index / entry.rows)).or_default().push(place);
        }
    }
    for places in filters.values() {
        let length = places.iter().map(|&place| weights[place] * weights[place]).sum::<f64>().sqrt();
        places.iter().for_each(|&place| lengths[place] = length);
    }
    lengths
}

/// Decomposes the matrix of the products of all pairs of `n` vectors.
fn eigen(n: usize, product: impl Fn(usize, usize) -> f64) -> Eigen {
    let row = |i: usize| (0..=i).map(|earlier| product(i, earlier)).collect();
    let products: Vec<Vec<f64>> = (0..n).map(row).collect();
    Eigen::of(n, |i, j| products[i.max(j)][i.min(j)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use schuss_data::Shape;

    fn racers<'a>(points: &'a [Vec<f32>]) -> Vec<Racer<'a>> {
        let points: Vec<&[f32]> = points.iter().map(Vec::as_slice).collect();
        let (losses, epochs) = (vec![1.0; points.len()], (0..points.len() as u64).collect());
        vec![Racer { trial: Trial::default(), losses, epochs, points, is_cut: false }]
    }

    #[test]
    fn a_plane_through_points_of_a_plane_explains_all_and_gives_them_back() {
        let layout = Layout::new(&"3-2-1".parse().unwrap(), Shape::Flat(3)).unwrap();
        let direction = |shift: usize| -> Vec<f32> {
            let mut vector = vec![0.0; layout.len()];
            let places = layout.entries().iter().flat_map(|entry| entry.places());
            places
                .enumerate()
                .for_each(|(i, place)| vector[place] = ((i * (3 + shift) + shift) % 7) as f32 - 2.0);
            vector
        };
        let (centre, u, v) = (direction(0), direction(1), direction(2));
        let at = |a: f32, b: f32| -> Vec<f32> {
            centre.iter().zip(&u).zip(&v).map(|((c, u), v)| c + a * u + b * v).collect()
        };
        let points: Vec<Vec<f32>> = [(0.0, 0.0), (1.0, 0.2), (0.3, -1.0), (-0.7, 0.4), (0.1, 0.9)]
            .iter()
            .map(|&(a, b)| at(a, b))
            .collect();
        let plane = Plane::through(&layout, &racers(&points));
        assert!((plane.explained - 1.0).abs() < 1e-9);
        for (point, &coordinates) in points.iter().zip(&plane.coordinates) {
            let found = plane.weights(coordinates);
            assert!(point.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-5));
        }
        let [low, high] = plane.frame(0);
        assert!(plane.coordinates.iter().all(|point| (low..=high).contains(&point[0])));
    }

    #[test]
    fn lengths_are_those_of_a_units_weights_and_bias() {
        let layout = Layout::new(&"2-2".parse().unwrap(), Shape::Flat(2)).unwrap();
        let mut weights = vec![0.0; layout.len()];
        let places: Vec<usize> = layout.entries()[0].places().collect(); // [unit][input]
        let biases: Vec<usize> = layout.entries()[1].places().collect();
        (weights[places[0]], weights[places[1]], weights[biases[0]]) = (2.0, 3.0, 6.0); // unit 0: length 7
        weights[places[2]] = 5.0; // unit 1
        let lengths = filter_lengths(&layout, &weights);
        let found =
            [places[0], places[1], biases[0], places[2], places[3], biases[1]].map(|place| lengths[place]);
        assert_eq!(found, [7.0, 7.0, 7.0, 5.0, 5.0, 5.0]);
    }

    #[test]
    fn variance_outside_the_plane_is_not_explained() {
        let layout = Layout::new(&"3-1".parse().unwrap(), Shape::Flat(3)).unwrap();
        let places: Vec<usize> = layout.entries()[0].places().collect();
        let point = |x: [f32; 3]| {
            let mut weights = vec![0.0; layout.len()];
            (0..3).for_each(|i| weights[places[i]] = 5.0 + x[i]);
            weights
        };
        let corners: Vec<Vec<f32>> = [
            [1.0, 0.0, 0.0],
            [-1.0, 0.0, 0.0],
            [0.0, 1.0, 0.0],
            [0.0, -1.0, 0.0],
            [0.0, 0.0, 1.0],
            [0.0, 0.0, -1.0],
        ]
        .into_iter()
        .map(point)
        .collect();
        let plane = Plane::through(&layout, &racers(&corners));
        assert!((plane.explained - 2.0 / 3.0).abs() < 1e-6, "{}", plane.explained);
    }
}
