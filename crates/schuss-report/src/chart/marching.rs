//! Level lines of a function sampled on a grid, by marching squares.

use std::collections::BTreeMap;

/// Function sampled on a square grid, row after row from the bottom.
pub(super) struct Grid<'a> {
    pub(super) size: usize,
    pub(super) values: &'a [f64],
}

/// Number of a grid edge; every point of a level line lies on an edge.
type Edge = usize;

impl Grid<'_> {
    /// Returns the lines where the function equals `level`, in grid coordinates: fractional column and row.
    pub(super) fn level_lines(&self, level: f64) -> Vec<Vec<[f64; 2]>> {
        let mut neighbours: BTreeMap<Edge, Vec<Edge>> = BTreeMap::new();
        for row in 0..self.size.saturating_sub(1) {
            for column in 0..self.size - 1 {
                for [a, b] in self.segments(column, row, level) {
                    neighbours.entry(a).or_default().push(b);
                    neighbours.entry(b).or_default().push(a);
                }
            }
        }
        let point = |edge| self.crossing(edge, level);
        chains(neighbours).into_iter().map(|chain| chain.into_iter().map(point).collect()).collect()
    }

    fn value(&self, column: usize, row: usize) -> f64 {
        self.values[row * self.size + column]
    }

    /// Returns the edge to the right of a point.
    fn rightward(&self, column: usize, row: usize) -> Edge {
        2 * (row * self.size + column)
    }

    /// Returns the edge above a point.
    fn upward(&self, column: usize, row: usize) -> Edge {
        2 * (row * self.size + column) + 1
    }

    /// Returns the segments of the level line within one cell: none, one, or two at a saddle.
    fn segments(&self, column: usize, row: usize, level: f64) -> Vec<[Edge; 2]> {
        let corners = [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(dx, dy)| self.value(column + dx, row + dy));
        if corners.iter().any(|corner| !corner.is_finite()) {
            return Vec::new();
        }
        let bottom = self.rightward(column, row);
        let right = self.upward(column + 1, row);
        let top = self.rightward(column, row + 1);
        let left = self.upward(column, row);
        let above = corners.map(|corner| corner > level);
        let centre_above = corners.iter().sum::<f64>() / 4.0 > level;
        match above {
            [true, false, true, false] | [false, true, false, true] => {
                if above[0] == centre_above {
                    vec![[bottom, right], [top, left]]
                } else {
                    vec![[bottom, left], [top, right]]
                }
            }
            _ => {
                let crossed = |i: usize| above[i] != above[(i + 1) % 4];
                let edges = [bottom, right, top, left];
                let ends: Vec<Edge> = (0..4).filter(|&i| crossed(i)).map(|i| edges[i]).collect();
                ends.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect()
            }
        }
    }

    fn crossing(&self, edge: Edge, level: f64) -> [f64; 2] {
        let (column, row) = (edge / 2 % self.size, edge / 2 / self.size);
        let (dx, dy) = if edge.is_multiple_of(2) { (1, 0) } else { (0, 1) };
        let (from, to) = (self.value(column, row), self.value(column + dx, row + dy));
        let along = ((level - from) / (to - from)).clamp(0.0, 1.0);
        [column as f64 + along * dx as f64, row as f64 + along * dy as f64]
    }
}

/// Joins segments into open lines first, then into closed ones, which end where they began.
fn chains(mut neighbours: BTreeMap<Edge, Vec<Edge>>) -> Vec<Vec<Edge>> {
    let ends: Vec<Edge> =
        neighbours.iter().filter(|(_, around)| around.len() == 1).map(|(edge, _)| *edge).collect();
    let mut chains: Vec<Vec<Edge>> = Vec::new();
    for end in ends {
        chains.extend(walk(end, &mut neighbours));
    }
    while let Some(start) = neighbours.keys().next().copied() {
        chains.extend(walk(start, &mut neighbours));
    }
    chains
}

/// Follows unused segments from an edge, removing them; none if no segment is left at the edge.
fn walk(start: Edge, neighbours: &mut BTreeMap<Edge, Vec<Edge>>) -> Option<Vec<Edge>> {
    let mut chain = vec![start];
    let mut here = start;
    while let Some(next) = take(here, neighbours) {
        if let Some(back) = neighbours.get_mut(&next)
            && let Some(i) = back.iter().position(|edge| *edge == here)
        {
            back.remove(i);
        }
        chain.push(next);
        here = next;
    }
    (chain.len() > 1).then_some(chain)
}

/// Removes one neighbour from an edge's list, and the edge itself once its list is empty.
fn take(edge: Edge, neighbours: &mut BTreeMap<Edge, Vec<Edge>>) -> Option<Edge> {
    let around = neighbours.get_mut(&edge)?;
    let next = around.pop();
    if around.is_empty() {
        neighbours.remove(&edge);
    }
    next
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_line_of_a_bowl_is_one_closed_circle() {
        let size = 41;
        let at = |i: usize| i as f64 - 20.0;
        let values: Vec<f64> =
            (0..size * size).map(|i| at(i % size).powi(2) + at(i / size).powi(2)).collect();
        let lines = Grid { size, values: &values }.level_lines(100.0);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].first(), lines[0].last());
        assert!(lines[0].iter().all(|[x, y]| ((x - 20.0).hypot(y - 20.0) - 10.0).abs() < 0.05));
    }

    #[test]
    fn the_level_lines_of_a_saddle_are_open_branches() {
        let size = 20;
        let at = |i: usize| i as f64 - 9.5;
        let values: Vec<f64> = (0..size * size).map(|i| at(i % size) * at(i / size)).collect();
        let lines = Grid { size, values: &values }.level_lines(4.0);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.first() != line.last()));
    }

    #[test]
    fn holes_and_tiny_grids_do_no_harm() {
        for size in [0, 1, 2] {
            let values = vec![f64::NAN; size * size];
            assert!(Grid { size, values: &values }.level_lines(0.0).is_empty());
        }
    }
}
