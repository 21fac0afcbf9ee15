//! Simplification of polylines.

/// Removes points while the line moves by no more than `tolerance` (Ramer-Douglas-Peucker).
pub(crate) fn simplify(points: &[[f64; 2]], tolerance: f64) -> Vec<[f64; 2]> {
    if points.len() < 3 {
        return points.to_vec();
    }
    let mut kept = vec![false; points.len()];
    (kept[0], kept[points.len() - 1]) = (true, true);
    let mut open = vec![(0, points.len() - 1)];
    while let Some((first, last)) = open.pop() {
        if let Some(middle) = farthest(points, first, last, tolerance) {
            kept[middle] = true;
            open.extend([(first, middle), (middle, last)]);
        }
    }
    points.iter().zip(kept).filter_map(|(point, kept)| kept.then_some(*point)).collect()
}

/// Returns the point between two others that is farthest from their line, if beyond the tolerance.
fn farthest(points: &[[f64; 2]], first: usize, last: usize, tolerance: f64) -> Option<usize> {
    (first + 1..last)
        .map(|i| (i, distance(points[i], points[first], points[last])))
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .filter(|(_, distance)| *distance > tolerance)
        .map(|(i, _)| i)
}

/// Returns the distance from a point to a line segment.
fn distance([x, y]: [f64; 2], [ax, ay]: [f64; 2], [bx, by]: [f64; 2]) -> f64 {
    let (dx, dy) = (bx - ax, by - ay);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { (((x - ax) * dx + (y - ay) * dy) / length).clamp(0.0, 1.0) } else { 0.0 };
    (x - ax - along * dx).hypot(y - ay - along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simplified_line_stays_within_the_tolerance_of_every_point() {
        let points: Vec<[f64; 2]> =
            (0..2_000).map(|i| [f64::from(i) / 4.0, (f64::from(i) / 90.0).sin() * 80.0]).collect();
        let simple = simplify(&points, 0.3);
        assert!(simple.len() < 200, "{}", simple.len());
        for &point in &points {
            let off =
                simple.windows(2).map(|pair| distance(point, pair[0], pair[1])).fold(f64::MAX, f64::min);
            assert!(off <= 0.3 + 1e-9, "{point:?} is off by {off}");
        }
    }

    #[test]
    fn a_straight_line_is_its_two_ends() {
        let points: Vec<[f64; 2]> = (0..100).map(|i| [f64::from(i), 3.0]).collect();
        assert_eq!(simplify(&points, 0.1), [[0.0, 3.0], [99.0, 3.0]]);
        assert_eq!(simplify(&[], 0.1), Vec::<[f64; 2]>::new());
    }
}
