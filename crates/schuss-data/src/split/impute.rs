//! Imputation of missing numbers of a table by means over the training split alone, so that no held-out data leak into
//! training.

use crate::format::table::{ColumnKind, Table};
use crate::split::converted::{Convert, converted};
use crate::{Dataset, Result, Samples, Split, Values};
use std::sync::Arc;

impl Dataset {
    /// Replaces the NaNs of a table read with [`Missing::Mean`](crate::reader::Missing::Mean) by the mean of their
    /// feature over the training split, or over the test split if there is no other.
    ///
    /// # Errors
    /// A data error if a sample cannot be read.
    pub(crate) fn imputed(self) -> Result<Self> {
        let Some(table) = &self.table else { return Ok(self) };
        if !table
            .columns
            .iter()
            .any(|column| matches!(column.kind, ColumnKind::Number { fill: Some(fill) } if fill.is_nan()))
        {
            return Ok(self);
        }
        let seen = if self.train.is_empty() { &self.test } else { &self.train };
        let means = Arc::new(Means(means(seen, self.shape.features())?));
        let table = with_means(table, &means.0);
        let fill = |split| converted(split, &means);
        Ok(Self {
            train: fill(self.train)?,
            validation: self.validation.map(fill).transpose()?,
            test: fill(self.test)?,
            table: Some(table),
            ..self
        })
    }
}

/// Returns the mean of each feature over the samples that have it; 0 if none has.
fn means(split: &Split, features: usize) -> Result<Vec<f32>> {
    let (mut sums, mut counts) = (vec![0.0; features], vec![0.0; features]);
    split.each_block(|_, block| {
        let Values::Floats(floats) = block.values() else { return Ok(()) };
        for row in floats.chunks_exact(features.max(1)) {
            for ((&number, sum), count) in row.iter().zip(&mut sums).zip(&mut counts) {
                if !number.is_nan() {
                    *sum += f64::from(number);
                    *count += 1.0;
                }
            }
        }
        Ok(())
    })?;
    Ok(sums.iter().zip(counts).map(|(sum, count)| (sum / f64::max(count, 1.0)) as f32).collect())
}

/// Returns the table with these means as fill values of its numeric columns.
fn with_means(table: &Table, means: &[f32]) -> Table {
    let mut table = table.clone();
    let mut first = 0;
    for column in &mut table.columns {
        let width = column.width();
        if let ColumnKind::Number { fill: Some(fill) } = &mut column.kind {
            *fill = means.get(first).copied().unwrap_or_default();
        }
        first += width;
    }
    table
}

/// Means of features, which replace missing numbers.
struct Means(Vec<f32>);

impl Convert for Means {
    fn samples(&self, samples: Samples) -> Result<Samples> {
        let means = &self.0;
        let features = samples.features();
        let (mut values, labels) = samples.into_parts();
        if let Values::Floats(floats) = &mut values {
            for row in floats.chunks_exact_mut(means.len().max(1)) {
                row.iter_mut()
                    .zip(means)
                    .filter(|(number, _)| number.is_nan())
                    .for_each(|(number, &mean)| *number = mean);
            }
        }
        Samples::new(values, labels, features)
    }
}

#[cfg(test)]
mod tests {
    use crate::assemble::Request;
    use crate::format::table::ColumnKind;
    use crate::reader::{Missing, ReadOptions};
    use crate::{Dataset, Normalise, Split};

    /// Every third row lacks a number; the numbers of the others identify their row.
    fn table(memory: u64) -> Dataset {
        let row = |row: u32| {
            if row.is_multiple_of(3) { format!("?,x,{row}.5\n") } else { format!("{row}.5,y,{row}.5\n") }
        };
        let text = format!("a,b,y\n{}", (0..60).map(row).collect::<String>());
        let ask = ReadOptions { missing: Missing::Mean, memory, ..ReadOptions::default() };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.csv");
        std::fs::write(&path, text).unwrap();
        let request = Request {
            ask: ask.clone(),
            validation: Some(0.2),
            normalisation: Some(Normalise::None),
            ..Request::default()
        };
        let data =
            Dataset::of("t".into(), "t".into(), crate::reader::open(&path, &ask).unwrap(), &request).unwrap();
        data.splits().for_each(|(_, split)| assert_eq!(split.resident().is_some(), memory > 10_000));
        data
    }

    fn rows(split: &Split) -> Vec<[f32; 4]> {
        let all: Vec<u64> = (0..split.len() as u64).collect();
        let samples = split.read(&all).unwrap();
        let mut row = [0.0; 3];
        (0..samples.len())
            .map(|index| {
                crate::Normalisation::None.write(samples.row(index), &mut row);
                [row[0], row[1], row[2], samples.reals(index)[0]]
            })
            .collect()
    }

    #[test]
    fn what_is_missing_is_the_mean_of_training_rows_alone_in_every_split_and_in_the_table() {
        for memory in [1 << 20, 600] {
            let data = table(memory);
            let there: Vec<f32> =
                rows(&data.train).iter().filter(|row| row[1] == 0.0).map(|row| row[3]).collect();
            let mean = there.iter().sum::<f32>() / there.len() as f32;
            for (name, split) in data.splits() {
                for [a, x, _, y] in rows(split) {
                    let expected = if x == 1.0 { mean } else { y };
                    assert!((a - expected).abs() < 1e-5, "{name}: {a} is not {expected}");
                }
            }
            let ColumnKind::Number { fill: Some(fill) } = data.table.unwrap().columns[0].kind else {
                panic!("no fill")
            };
            assert!((fill - mean).abs() < 1e-5);
        }
    }
}
