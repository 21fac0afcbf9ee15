//! Folders with a table per split: `train.csv`, `test.csv`, perhaps `val.csv`, in any format of tables.
#![deny(
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

use crate::format::table::{Origin, Target, shown};
use crate::format::tree::{TEST, TRAIN, VALIDATION};
use crate::reader::{self, Loaded, LoadedSplit, ReadOptions};
use crate::{Centring, Error, Labels, Result, RowUnit, Samples, file};
use std::path::{Path, PathBuf};

/// File name endings of tables.
const ENDINGS: [&str; 9] =
    ["csv", "tsv", "csv.gz", "tsv.gz", "csv.zst", "tsv.zst", "parquet", "arrow", "feather"];

/// Reads a folder of tables, or returns `None` if it holds none to train on. The training table determines how columns
/// become numbers; the others are read the same way.
///
/// # Errors
/// A data error that names the table, or the two for the same split.
pub(crate) fn read(root: &Path, ask: &ReadOptions) -> Result<Option<Loaded>> {
    let Some(train) = table(root, TRAIN)? else { return Ok(None) };
    let found = reader::open(&train, ask)?;
    let offsets = Centring::By(found.offsets.clone());
    let mut memory = ask.memory.saturating_sub(bytes(&found.train));
    let mut unseen = Vec::new();
    let mut other = |names| -> Result<Option<LoadedSplit>> {
        let Some(path) = table(root, names)? else { return Ok(None) };
        let ask = ReadOptions { table: found.table.clone(), offsets: offsets.clone(), memory, ..ask.clone() };
        let Loaded { train: part, notes, .. } = reader::open(&path, &ask)?;
        let said = notes.iter().filter_map(|note| note.strip_prefix("warning: "));
        unseen.extend(said.map(|note| format!("warning: {}: {note}", file::name(&path))));
        check_labels(&part, &found, &path)?;
        memory = memory.saturating_sub(bytes(&part));
        Ok(Some(part))
    };
    let (validation, test) = (other(VALIDATION)?, other(TEST)?);
    let notes = [found.notes, unseen].concat();
    Ok(Some(Loaded { validation, test, notes, ..found }))
}

fn bytes(part: &LoadedSplit) -> u64 {
    match part {
        LoadedSplit::Resident(samples) => samples.bytes() as u64,
        LoadedSplit::Streamed(_) => 0,
    }
}

/// Refuses a split that lacks the target columns.
fn check_labels(part: &LoadedSplit, found: &Loaded, path: &Path) -> Result<()> {
    let absent = match part {
        LoadedSplit::Resident(samples) => matches!(samples.labels(), Labels::Absent(_)),
        LoadedSplit::Streamed(store) => {
            let mut none = Samples::default();
            store.read(&[], &mut none)?;
            matches!(none.labels(), Labels::Absent(_))
        }
    };
    let columns = match found.table.as_ref().map(|table| &table.target) {
        Some(Target::Class { column, .. }) if absent => shown(column),
        Some(Target::Real { columns }) if absent => shown(&columns.join("`, `")),
        _ => return Ok(()),
    };
    let advice = "add the column, or move the file elsewhere: without the file, a split is held out of the training data";
    Err(Origin::new(path, RowUnit::Row)
        .refuse(format!("has no column `{columns}` to predict"))
        .advise(advice))
}

/// Returns the table with one of these names.
fn table(root: &Path, names: &[&str]) -> Result<Option<PathBuf>> {
    let paths = names.iter().flat_map(|name| ENDINGS.map(|ending| root.join(format!("{name}.{ending}"))));
    let mut there = paths.filter(|path| path.is_file());
    match (there.next(), there.next()) {
        (Some(one), Some(other)) => Err(Error::data(format!(
            "the folder {} holds {} and {} for one split",
            file::name(root),
            file::name(&one),
            file::name(&other)
        ))
        .at(root.display())
        .advise("keep only one of them")),
        (found, _) => Ok(found),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::Values;
    use crate::format::table::Unknown;
    use crate::testing::{gzip, samples};
    use tempfile::TempDir;

    const TRAIN: &str = "size,colour,kind\n1,red,a\n3,blue,b\n2,red,a\n";

    fn saved(files: &[(&str, &[u8])]) -> TempDir {
        let folder = TempDir::new().unwrap();
        for (name, bytes) in files {
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        folder
    }

    fn open_as(files: &[(&str, &[u8])], ask: &ReadOptions) -> Result<Loaded> {
        reader::open(saved(files).path(), ask)
    }

    fn open(files: &[(&str, &[u8])]) -> Result<Loaded> {
        open_as(files, &ReadOptions::default())
    }

    #[test]
    fn a_table_per_split_is_read_with_the_columns_of_the_one_trained_on() {
        let test = gzip(b"kind\tcolour\tsize\nb\tred\t9\n");
        let val = b"size,colour,kind\n0,blue,a\n0,blue,a\n";
        for folder in ["val.csv", "validation.csv"] {
            let found =
                open(&[("train.csv", TRAIN.as_bytes()), ("test.tsv.gz", &test), (folder, val)]).unwrap();
            let [test, validation] = [found.test, found.validation].map(|part| samples(&part.unwrap()));
            assert_eq!((found.train.len(), validation.len()), (3, 2));
            assert_eq!(test.values(), &Values::Floats(vec![9.0, 0.0, 1.0]), "size, blue, red");
            assert_eq!(
                (test.labels(), &found.classes[..]),
                (&Labels::Class(vec![1]), &["a", "b"].map(str::to_owned)[..])
            );
        }
        let alone = open(&[("train.csv", TRAIN.as_bytes())]).unwrap();
        assert!(alone.test.is_none() && alone.validation.is_none());
    }

    #[test]
    fn the_memory_is_for_all_splits_together() {
        let rows = |count: usize| format!("x,y,z,target\n{}", "0.5,1.5,2.5,3.5\n".repeat(count));
        let (train, test) = (rows(20), rows(10));
        let files = [("train.csv", train.as_bytes()), ("test.csv", test.as_bytes())];
        let streamed = |memory| {
            let found = open_as(&files, &ReadOptions { memory, ..ReadOptions::default() }).unwrap();
            [found.train, found.test.unwrap()].map(|part| matches!(part, LoadedSplit::Streamed(_)))
        };
        assert_eq!(streamed(480), [false, false]);
        assert_eq!(streamed(479), [false, true], "the test split finds 159 bytes left of the 160 it takes");
    }

    #[test]
    fn a_category_that_training_never_sees_is_unknown_and_said_or_refused_on_request() {
        let val = "size,colour,kind\n1,green,a\n2,red,b\n3,green,a\n";
        let files = [("train.csv", TRAIN.as_bytes()), ("val.csv", val.as_bytes())];
        let found = open(&files).unwrap();
        let validation = samples(&found.validation.unwrap());
        assert_eq!(validation.values(), &Values::Floats(vec![1., 0., 0., 2., 0., 1., 3., 0., 0.]));
        let warning = found.notes.last().unwrap();
        assert!(
            warning.starts_with(
                "warning: val.csv: `colour` holds categories that training never saw, `green` (2)"
            )
        );
        let error =
            open_as(&files, &ReadOptions { unknown: Unknown::Refuse, ..ReadOptions::default() }).unwrap_err();
        assert_eq!(error.what, "val.csv holds `green`, which is none of the categories");
        assert!(error.place.unwrap().to_string().ends_with("val.csv, line 2, column `colour`"));
        assert!(error.advice.unwrap().contains("--unknown zeros"));
    }

    #[test]
    fn a_class_that_training_never_sees_is_refused_where_it_stands() {
        let refused = |name: &str, test: &str, what: &str, place: &str| {
            let folder = saved(&[("train.csv", TRAIN.as_bytes()), (name, test.as_bytes())]);
            let error = reader::open(folder.path(), &ReadOptions::default()).unwrap_err();
            assert!(error.exit_code() == 3 && error.what == what, "{error}");
            assert!(error.place.unwrap().to_string().ends_with(place) && error.advice.is_some(), "{what}");
        };
        let class = "test.csv holds `c`, which is none of the classes";
        refused("test.csv", "size,colour,kind\n1,red,a\n1,red,c\n", class, "test.csv, line 3, column `kind`");
        let target = "test.csv has no column `kind` to predict";
        refused("test.csv", "size,colour\n1,red\n", target, "test.csv");
        let twice = saved(&[("train.csv", TRAIN.as_bytes()), ("train.tsv", b"")]);
        let error = reader::open(twice.path(), &ReadOptions::default()).unwrap_err();
        assert!(error.what.ends_with("holds train.csv and train.tsv for one split"), "{error}");
    }
}
