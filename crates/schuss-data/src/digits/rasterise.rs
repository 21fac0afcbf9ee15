//! Rasterisation: ink within the pen's radius of a line, with a soft and slightly ragged edge.

use super::stroke::{Drawing, Point};
use crate::random::Draws;

/// Random displacement of the edge from pixel to pixel, as a fraction of its width.
const RAGGED: f32 = 0.15;

/// Pixels handled at once, so that the compiler vectorises them.
const LANES: usize = 8;

/// Pen that draws the strokes; lengths in pixels.
pub(super) struct Pen {
    /// Half the width of a stroke.
    pub radius: f32,
    /// Distance over which ink fades to paper.
    pub edge: f32,
}

impl Pen {
    /// Draws on `size * size` pixels, 0 for paper and 255 for ink; (0, 0) is the middle of the first pixel.
    pub(super) fn draw(&self, drawing: &Drawing, size: usize, draws: &mut Draws, pixels: &mut [u8]) {
        let mut canvas = Canvas::new(size, self.radius + self.edge * (0.5 + RAGGED));
        drawing.pieces().for_each(|(a, b)| canvas.line(a, b));
        for (row, distances) in pixels.chunks_exact_mut(size).zip(canvas.rows()) {
            for (pixel, &distance2) in row.iter_mut().zip(distances) {
                *pixel = if distance2 < canvas.reach * canvas.reach {
                    self.grey(distance2.sqrt(), draws.uniform(-RAGGED, RAGGED))
                } else {
                    0
                };
            }
        }
    }

    fn grey(&self, distance: f32, ragged: f32) -> u8 {
        let share = (self.radius - distance) / self.edge + 0.5 + ragged;
        (share.clamp(0.0, 1.0) * 255.0 + 0.5) as u8
    }
}

/// Squared distance of every pixel to the nearest line, exact where it is less than `reach`.
struct Canvas {
    size: usize,
    /// Pixels per row: `size` rounded up to whole lanes.
    stride: usize,
    reach: f32,
    squared: Vec<f32>,
}

impl Canvas {
    fn new(size: usize, reach: f32) -> Self {
        let stride = size.next_multiple_of(LANES);
        Self { size, stride, reach, squared: vec![f32::MAX; size * stride] }
    }

    fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.squared.chunks_exact(self.stride)
    }

    /// Visits only the pixels of the line's bounding box, widened by the pen's reach.
    fn line(&mut self, a: Point, b: Point) {
        let (left, right) = self.range(a.x, b.x);
        let (top, bottom) = self.range(a.y, b.y);
        let (first, end) = (left / LANES * LANES, right.next_multiple_of(LANES));
        let segment = Segment::new(a, b);
        let rows = self.squared.chunks_exact_mut(self.stride).enumerate();
        for (y, row) in rows.take(bottom).skip(top) {
            let lanes = row.get_mut(first..end).unwrap_or_default();
            for (block, nearest) in lanes.as_chunks_mut().0.iter_mut().enumerate() {
                segment.approach(first + block * LANES, y, nearest);
            }
        }
    }

    /// Returns the rows or columns in reach of anything between `a` and `b`, clipped to the image: casts
    /// saturate.
    fn range(&self, a: f32, b: f32) -> (usize, usize) {
        let (low, high) = (a.min(b) - self.reach, a.max(b) + self.reach);
        ((low + 1.0) as usize, ((high + 1.0) as usize).min(self.size))
    }
}

/// Straight piece of a stroke.
struct Segment {
    from: Point,
    /// Vector to its end.
    x: f32,
    y: f32,
    /// 1 / length², or 0 for a single point.
    scale: f32,
}

impl Segment {
    fn new(a: Point, b: Point) -> Self {
        let (x, y) = (b.x - a.x, b.y - a.y);
        let length2 = x * x + y * y;
        Self { from: a, x, y, scale: if length2 > 0.0 { 1.0 / length2 } else { 0.0 } }
    }

    /// Lowers `nearest` to the squared distance from this segment, for the pixels from (`x`, `y`) to the
    /// right.
    #[inline(always)]
    fn approach(&self, x: usize, y: usize, nearest: &mut [f32; LANES]) {
        let (x, y) = (x as f32 - self.from.x, y as f32 - self.from.y);
        for (lane, nearest) in nearest.iter_mut().enumerate() {
            let x = x + lane as f32;
            let along = ((x * self.x + y * self.y) * self.scale).clamp(0.0, 1.0);
            let (dx, dy) = (x - along * self.x, y - along * self.y);
            let distance2 = dx * dx + dy * dy;
            *nearest = nearest.min(distance2);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_in_reach_knows_its_distance_to_the_nearest_line() {
        let ends = [(-3.0, 4.0), (6.0, 6.5), (9.0, 20.0), (9.0, 20.0)].map(|(x, y)| Point { x, y });
        let mut canvas = Canvas::new(13, 2.5);
        ends.windows(2).for_each(|pair| canvas.line(pair[0], pair[1]));
        for (y, row) in canvas.rows().enumerate() {
            for (x, &squared) in row.iter().take(13).enumerate() {
                let pixel = Point { x: x as f32, y: y as f32 };
                let expected =
                    ends.windows(2).map(|pair| sampled(pixel, pair[0], pair[1])).fold(99.0, f32::min);
                let found = squared.sqrt();
                assert!(
                    (found - expected).abs() < 0.01 || found.min(expected) >= 2.5,
                    "{found}, expected {expected}, at ({x}, {y})"
                );
            }
        }
    }

    /// Returns the naive distance: to the nearest of a thousand points along the line.
    fn sampled(pixel: Point, a: Point, b: Point) -> f32 {
        let point = |t: f32| Point { x: a.x + t * (b.x - a.x), y: a.y + t * (b.y - a.y) };
        (0..=1000).map(|i| pixel.distance(point(i as f32 / 1000.0))).fold(f32::MAX, f32::min)
    }
}
