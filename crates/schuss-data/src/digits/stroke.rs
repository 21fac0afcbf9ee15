//! Points, and drawings made of strokes of many short straight pieces.

/// Point or displacement; y points downwards.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Point {
    pub x: f32,
    pub y: f32,
}

impl Point {
    pub(super) fn distance(self, other: Self) -> f32 {
        let (dx, dy) = (other.x - self.x, other.y - self.y);
        (dx * dx + dy * dy).sqrt()
    }
}

/// Polylines, one per stroke of the pen.
pub(super) struct Drawing {
    pub strokes: Vec<Vec<Point>>,
}

impl Drawing {
    /// Iterates over all straight pieces, as pairs of end points.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (Point, Point)> {
        self.strokes.iter().flat_map(|stroke| stroke.windows(2)).map(|ends| (ends[0], ends[1]))
    }

    /// Scales the longer side of the bounding box to `side` and moves the centre of mass to `middle`.
    pub(super) fn fit(&mut self, side: f32, middle: Point) {
        let centre = self.centre_of_mass();
        let scale = side / self.longer_side();
        for point in self.strokes.iter_mut().flatten() {
            point.x = middle.x + scale * (point.x - centre.x);
            point.y = middle.y + scale * (point.y - centre.y);
        }
    }

    fn longer_side(&self) -> f32 {
        let extent = |of: fn(&Point) -> f32| {
            let values = || self.strokes.iter().flatten().map(of);
            values().fold(f32::MIN, f32::max) - values().fold(f32::MAX, f32::min)
        };
        extent(|point| point.x).max(extent(|point| point.y))
    }

    /// Returns the centre of mass of ink laid evenly along the strokes.
    fn centre_of_mass(&self) -> Point {
        let (mut mass, mut x, mut y) = (0.0, 0.0, 0.0);
        for (a, b) in self.pieces() {
            let length = a.distance(b);
            mass += length;
            x += length * (a.x + b.x) / 2.0;
            y += length * (a.y + b.y) / 2.0;
        }
        Point { x: x / mass, y: y / mass }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fitted_drawing_has_its_longer_side_and_its_centre_of_mass_where_asked() {
        let corner = [(0.0, 0.0), (4.0, 0.0), (4.0, 2.0)].map(|(x, y)| Point { x, y });
        let mut drawing = Drawing { strokes: vec![corner.to_vec()] };
        drawing.fit(8.0, Point { x: 1.0, y: -1.0 });
        let centre = drawing.centre_of_mass();
        assert!((drawing.longer_side() - 8.0).abs() < 1e-5);
        assert!(centre.distance(Point { x: 1.0, y: -1.0 }) < 1e-5, "centre of mass at {centre:?}");
    }
}
