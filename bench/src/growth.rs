//! Time per sample of every shape against the time of its multiply-adds alone, and detection of outliers.

use crate::families::{Family, Line, Shape};
use crate::laps;
use schuss::Result;
use schuss::data::Dataset;
use schuss::network::Plan;
use schuss_report::GrowthChart;
use std::fmt::Write as _;

/// Factor relative to its neighbours, in time over limit, beyond which a shape is considered a bug.
pub const OFF: f64 = 2.0;

/// Epochs per visit; the first warms caches and is not counted.
const EPOCHS: u32 = 3;

/// Best time of a shape over all visits; other processes on the machine can only slow it down.
#[derive(Clone, Copy, Debug)]
pub struct Best {
    /// Name of the execution path of its updates.
    pub strategy: &'static str,
    /// Training time per sample, in seconds.
    pub seconds: f64,
}

impl Best {
    /// No measurement yet.
    pub const NONE: Self = Self { strategy: "", seconds: f64::INFINITY };

    /// Trains `shape` once more on `data`.
    ///
    /// # Errors
    /// As for [`laps::run`].
    pub fn visit(&mut self, shape: &Shape, data: &Dataset) -> Result<()> {
        let laps = laps::run(&shape.task, data, EPOCHS)?;
        let best = laps.seconds.iter().skip(1).copied().fold(f64::INFINITY, f64::min);
        let seconds = self.seconds.min(best / data.train.len() as f64);
        *self = Self { strategy: laps.strategy, seconds };
        Ok(())
    }
}

/// One shape, measured.
#[derive(Clone, Debug)]
pub struct Row {
    /// Width, depth or samples per update.
    pub size: usize,
    /// Best measurement.
    pub best: Best,
    /// Seconds per sample if only multiply-adds took time.
    pub limit: f64,
    /// Time over limit, divided by the geometric mean of that ratio for its neighbours; 1 is as expected.
    pub off: f64,
}

impl Row {
    /// Returns the fraction of the time that the limit explains.
    pub fn share(&self) -> f64 {
        self.limit / self.best.seconds
    }

    /// Returns true if the deviation indicates a bug.
    pub fn is_off(&self) -> bool {
        self.off > OFF || self.off < 1.0 / OFF
    }
}

/// Returns the rows of a line, given its measurements in the same order and the peak in GFLOP/s.
///
/// # Errors
/// If a model does not fit `data`.
pub fn rows(line: &Line, measured: &[Best], data: &Dataset, peak: f64) -> Result<Vec<Row>> {
    let row = |(shape, &best): (&Shape, &Best)| {
        Ok(Row { size: shape.size, best, limit: limit(shape, data, peak)?, off: 1.0 })
    };
    let mut rows = line.shapes.iter().zip(measured).map(row).collect::<Result<Vec<Row>>>()?;
    let times: Vec<f64> = rows.iter().map(|row| 1.0 / row.share()).collect();
    for (row, off) in rows.iter_mut().zip(off_neighbours(&times)) {
        row.off = off;
    }
    Ok(rows)
}

/// Returns the time per sample at peak speed, with two operations per multiply-add.
fn limit(shape: &Shape, data: &Dataset, peak: f64) -> Result<f64> {
    let plan = Plan::new(&shape.task.model.parse()?, data.shape.features(), data.classes.len())?;
    Ok(2.0 * plan.work_per_sample() as f64 / (peak * 1e9))
}

/// Returns each value divided by the geometric mean of its neighbours.
fn off_neighbours(values: &[f64]) -> Vec<f64> {
    let beside =
        |i: usize| [i.checked_sub(1), Some(i + 1)].into_iter().flatten().filter_map(|i| values.get(i));
    let mean = |i: usize| (beside(i).map(|value| value.ln()).sum::<f64>() / beside(i).count() as f64).exp();
    values.iter().enumerate().map(|(i, value)| value / mean(i)).collect()
}

/// A family, measured.
#[derive(Clone, Debug)]
pub struct Measured {
    /// The family.
    pub family: Family,
    /// Rows of each of its lines.
    pub rows: Vec<Vec<Row>>,
}

/// Formats all rows as a table for the terminal.
pub fn table(measured: &Measured) -> String {
    let Measured { family, rows } = measured;
    let mut text = format!(
        "{}: {}\n{:>20} {:14} {:14} {:>10} {:>10} {:>7} {:>15}\n",
        family.title,
        family.subtitle,
        family.axis,
        "optimizer",
        "strategy",
        "µs",
        "limit",
        "share",
        "by neighbours"
    );
    for (line, rows) in family.lines.iter().zip(rows) {
        for row in rows {
            let _ = writeln!(
                text,
                "{:>20} {:14} {:14} {:>10.2} {:>10.2} {:>5.0} % {:>15.2}{}",
                row.size,
                line.name,
                row.best.strategy,
                row.best.seconds * 1e6,
                row.limit * 1e6,
                row.share() * 100.0,
                row.off,
                if row.is_off() { "  OFF" } else { "" },
            );
        }
    }
    text
}

/// Formats all rows as CSV.
pub fn csv(measured: &[Measured]) -> String {
    let mut text =
        "family,size,optimizer,strategy,seconds_per_sample,limit_seconds,by_neighbours\n".to_owned();
    for Measured { family, rows } in measured {
        for (line, rows) in family.lines.iter().zip(rows) {
            for row in rows {
                let (slug, name, Best { strategy, seconds }) = (family.slug, line.name, row.best);
                let Row { size, limit, off, .. } = row;
                let _ = writeln!(text, "{slug},{size},{name},{strategy},{seconds:.4e},{limit:.4e},{off:.3}");
            }
        }
    }
    text
}

/// Draws a family as SVG.
pub fn chart(measured: &Measured, peak: f64) -> String {
    let Measured { family, rows } = measured;
    let points = |rows: &[Row], seconds: fn(&Row) -> f64| {
        rows.iter().map(|row| [row.size as f64, seconds(row) * 1e6]).collect::<Vec<_>>()
    };
    let named = family.lines.iter().zip(rows);
    GrowthChart {
        title: family.title.to_owned(),
        subtitle: format!("{}; limit at {peak:.0} GFLOP/s", family.subtitle),
        x: family.axis.to_owned(),
        y: "microseconds of training per sample".to_owned(),
        lines: named
            .map(|(line, rows)| (line.name.to_owned(), points(rows, |row| row.best.seconds)))
            .collect(),
        limit: rows.first().map(|rows| points(rows, |row| row.limit)).unwrap_or_default(),
    }
    .svg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_measured_against_the_geometric_mean_of_its_neighbours() {
        let off = off_neighbours(&[1.0, 6.0, 4.0]);
        for (off, expected) in off.iter().zip([1.0 / 6.0, 3.0, 4.0 / 6.0]) {
            assert!((off - expected).abs() < 1e-12, "{off} instead of {expected}");
        }
    }
}
