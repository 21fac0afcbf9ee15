//! Handwriting: how one writer bends, slants and turns a skeleton. Lengths are in the skeleton's units.

use super::skeleton::{Form, Stroke};
use super::stroke::{Drawing, Point};
use crate::random::Draws;

/// Control points of the bend along each side of the skeleton's square: a cubic.
const GRID: usize = 4;

/// Side of the skeleton's square, in its own units.
const SIDE: f32 = 100.0;

/// Largest displacement of a control point of the bend.
const BEND: f32 = 33.0;

/// Standard deviation of the points of a stroke.
const TREMBLE: f32 = 2.0;

/// Variation from one writing to the next, apart from the form.
pub(super) struct Hand {
    /// Linear map from the centred skeleton: width, slant and rotation.
    linear: [[f32; 2]; 2],
    /// Elastic bend: displacements at control points of a grid over the square, row by row.
    bend: [[Point; GRID]; GRID],
}

impl Hand {
    /// Draws another writer.
    pub(super) fn random(draws: &mut Draws) -> Self {
        let slant = 0.10 + 0.24 * draws.normal();
        let width = (0.91 + 0.14 * draws.normal()).max(0.4);
        // Rotation by 2 atan(t), without sine and cosine.
        let t = 0.05 * draws.normal();
        let (cos, sin) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
        let linear = [[cos * width, -cos * slant - sin], [sin * width, cos - sin * slant]];
        let mut displacement = || draws.uniform(-BEND, BEND);
        let bend = [[(); GRID]; GRID].map(|row| row.map(|()| Point { x: displacement(), y: displacement() }));
        Self { linear, bend }
    }

    /// Writes `form` as pieces no longer than about `step` units of the skeleton.
    pub(super) fn write(&self, form: &Form, step: f32, draws: &mut Draws) -> Drawing {
        let written = |stroke: &Stroke| {
            let line = flatten(&tremble(stroke, draws), step);
            line.into_iter().map(|point| self.turn(self.bend(point))).collect()
        };
        Drawing { strokes: form.strokes.iter().map(written).collect() }
    }

    /// Applies the free-form deformation: the displacement is a Bézier patch (Sederberg and Parry, SIGGRAPH
    /// 1986).
    fn bend(&self, Point { x, y }: Point) -> Point {
        let (columns, rows) = (bernstein(x / SIDE), bernstein(y / SIDE));
        let mut to = Point { x, y };
        for (points, row) in self.bend.iter().zip(rows) {
            for (point, column) in points.iter().zip(columns) {
                to.x += row * column * point.x;
                to.y += row * column * point.y;
            }
        }
        to
    }

    fn turn(&self, Point { x, y }: Point) -> Point {
        let (x, y) = (x - SIDE / 2.0, y - SIDE / 2.0);
        let [[a, b], [c, d]] = self.linear;
        Point { x: a * x + b * y, y: c * x + d * y }
    }
}

/// Returns the weights of a cubic's four control points at `t`, which is clamped to 0..=1.
fn bernstein(t: f32) -> [f32; GRID] {
    let t = t.clamp(0.0, 1.0);
    let s = 1.0 - t;
    [s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t]
}

/// Returns the points of a stroke with random jitter; the two points that make a corner stay together.
fn tremble(stroke: Stroke, draws: &mut Draws) -> Vec<Point> {
    let mut points: Vec<Point> = Vec::with_capacity(stroke.len());
    for (i, &(x, y)) in stroke.iter().enumerate() {
        let corner = i > 0 && stroke[i - 1] == (x, y);
        points.push(if corner {
            points[i - 1]
        } else {
            let mut near = |at: i8| f32::from(at) + TREMBLE * draws.normal();
            Point { x: near(x), y: near(y) }
        });
    }
    points
}

/// Returns the Catmull-Rom spline through `points` as a polyline.
fn flatten(points: &[Point], step: f32) -> Vec<Point> {
    let at = |i: usize| points[i.min(points.len() - 1)];
    let mut line = vec![at(0)];
    for i in 1..points.len() {
        let [p, a, b, q] = [at(i.saturating_sub(2)), at(i - 1), at(i), at(i + 1)];
        let pieces = (a.distance(b) / step) as usize + 1;
        line.extend((1..=pieces).map(|piece| {
            let t = piece as f32 / pieces as f32;
            Point { x: spline([p.x, a.x, b.x, q.x], t), y: spline([p.y, a.y, b.y, q.y], t) }
        }));
    }
    line
}

/// Interpolates from `a` (t = 0) to `b` (t = 1) with slopes (b - p) / 2 and (q - a) / 2 (Catmull and Rom,
/// 1974).
fn spline([p, a, b, q]: [f32; 4], t: f32) -> f32 {
    let cubic = 3.0 * (a - b) + q - p;
    let square = 2.0 * p - 5.0 * a + 4.0 * b - q;
    a + 0.5 * t * ((b - p) + t * (square + t * cubic))
}
