//! Places that errors name.

use crate::text;
use std::fmt;
use std::path::{self, Path, PathBuf};
use std::sync::Arc;

/// Place of an error; its text is the one in messages.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// Flag of the command.
    Flag {
        /// Name without `--`.
        name: String,
        /// Key, for a flag whose value has several: `--trial`.
        key: Option<String>,
        /// Part of the value at fault, such as ``optimizer `adam` ``.
        part: Option<String>,
    },
    /// Study file.
    StudyFile {
        /// Path as typed, or name of a built-in study.
        path: Arc<str>,
        /// Line number, from 1; none for the whole file.
        line: Option<usize>,
        /// Key on this line; none for text that is not TOML.
        key: Option<String>,
        /// Table, such as `[recipe]` or `[[trial]] 2`; empty for keys of the study itself.
        table: Arc<str>,
        /// Part of the value at fault, such as ``optimizer `adam` ``.
        part: Option<String>,
    },
    /// File or folder of data, a model or a run; or a data set, by its name.
    DataFile(DataFile),
    /// Folders that were searched in vain, each with what it lacks.
    Folders(Vec<String>),
    /// Servers that were asked in vain, each with its answer.
    Servers(Vec<String>),
    /// Part of the library's own interface: a spec, a trial, a feature.
    Api(String),
}

/// Place in a file of data, a model or a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DataFile {
    /// Path as typed or found, or the name of a data set.
    pub path: String,
    /// Size in bytes, where it helps to judge the error.
    pub size: Option<u64>,
    /// Array of an NPZ archive.
    pub array: Option<String>,
    /// Unit of `row`.
    pub unit: RowUnit,
    /// Number of a line, row or sample.
    pub row: Option<u64>,
    /// Column of this row.
    pub column: Option<Column>,
}

/// Unit that the rows of a file are counted in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum RowUnit {
    /// Lines of a text, from 1.
    Line,
    /// Rows of a table, from 1.
    #[default]
    Row,
    /// Samples of an array, from 0.
    Sample,
}

/// Column of a table or an array.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Column {
    /// Name, long ones cut and control characters escaped.
    Name(String),
    /// Index within a sample, from 0 in every dimension.
    Index(Vec<u64>),
}

impl Place {
    /// Creates the place of a flag, from its name without `--`.
    pub fn flag(name: impl Into<String>) -> Self {
        Self::Flag { name: name.into(), key: None, part: None }
    }

    /// Creates the place of a study file, or of a line in it that has no key.
    pub fn study_file(path: impl Into<Arc<str>>, line: Option<usize>) -> Self {
        Self::StudyFile { path: path.into(), line, key: None, table: "".into(), part: None }
    }

    /// Creates the place of a part of the library's own interface.
    pub fn api(part: impl fmt::Display) -> Self {
        Self::Api(part.to_string())
    }

    /// Creates the place of a data set, from its name.
    pub fn data(name: impl Into<String>) -> Self {
        Self::DataFile(DataFile { path: name.into(), ..DataFile::default() })
    }

    /// Sets the part of the value at fault; other places than flags and study files have no parts.
    #[must_use]
    pub fn with_part(mut self, at_fault: &Self) -> Self {
        if let Self::Flag { part, .. } | Self::StudyFile { part, .. } = &mut self {
            *part = Some(at_fault.to_string());
        }
        self
    }
}

impl DataFile {
    /// Creates the place of a whole file or folder.
    pub fn new(path: &Path) -> Self {
        Self { path: path.display().to_string(), ..Self::default() }
    }
}

impl From<DataFile> for Place {
    fn from(file: DataFile) -> Self {
        Self::DataFile(file)
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        Self::DataFile(DataFile::new(path))
    }
}

impl From<&PathBuf> for Place {
    fn from(path: &PathBuf) -> Self {
        path.as_path().into()
    }
}

impl From<path::Display<'_>> for Place {
    fn from(path: path::Display<'_>) -> Self {
        Self::data(path.to_string())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { name, key, part } => {
                write!(f, "--{name}")?;
                write_if(f, ", key ", key.as_ref())?;
                write_if(f, ": ", part.as_ref())
            }
            Self::StudyFile { path, line, key, table, part } => {
                f.write_str(path)?;
                write_if(f, ", line ", line.as_ref())?;
                write_if(f, ", key ", key.as_ref())?;
                write_if(f, " in ", Some(table).filter(|table| !table.is_empty()))?;
                write_if(f, ": ", part.as_ref())
            }
            Self::DataFile(file) => file.fmt(f),
            Self::Folders(folders) => write!(f, "none of: {}", folders.join(", ")),
            Self::Servers(servers) => f.write_str(&servers.join("\n        ")),
            Self::Api(part) => f.write_str(part),
        }
    }
}

impl fmt::Display for DataFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(size) = self.size {
            write!(f, " ({})", text::bytes(size))?;
        }
        if let Some(array) = &self.array {
            write!(f, ", `{array}`")?;
        }
        if let Some(row) = self.row {
            write!(f, ", {} {row}", self.unit)?;
        }
        write_if(f, ", ", self.column.as_ref())
    }
}

impl fmt::Display for RowUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Line => "line",
            Self::Row => "row",
            Self::Sample => "sample",
        })
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "column `{name}`"),
            Self::Index(index) => match index[..] {
                [column] => write!(f, "column {column}"),
                _ => write!(f, "place {index:?}"),
            },
        }
    }
}

/// Writes a value after `before`, if there is one.
fn write_if(f: &mut fmt::Formatter<'_>, before: &str, value: Option<&impl fmt::Display>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, "{before}{value}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_as_in_messages() {
        let flag =
            |key: Option<&str>| Place::Flag { name: "trial".into(), key: key.map(Into::into), part: None };
        let line = |key: Option<&str>, table: &str| Place::StudyFile {
            path: "a.toml".into(),
            line: Some(3),
            key: key.map(Into::into),
            table: table.into(),
            part: None,
        };
        let rule = Place::api("optimizer `adam`");
        let file =
            |size, row, column| DataFile { path: "t".into(), size, row, column, ..DataFile::default() };
        let index = |index: &[u64]| Some(Column::Index(index.to_vec()));
        for (place, text) in [
            (Place::flag("label"), "--label"),
            (flag(Some("lr")), "--trial, key lr"),
            (flag(None).with_part(&rule), "--trial: optimizer `adam`"),
            (Place::study_file("a.toml", None), "a.toml"),
            (line(None, ""), "a.toml, line 3"),
            (
                line(Some("lr"), "[recipe]").with_part(&rule),
                "a.toml, line 3, key lr in [recipe]: optimizer `adam`",
            ),
            (file(Some(812), None, None).into(), "t (812 bytes)"),
            (file(None, Some(4), Some(Column::Name("age".into()))).into(), "t, row 4, column `age`"),
            (
                DataFile {
                    array: Some("x".into()),
                    unit: RowUnit::Sample,
                    ..file(None, Some(0), index(&[5]))
                }
                .into(),
                "t, `x`, sample 0, column 5",
            ),
            (
                DataFile { unit: RowUnit::Line, ..file(None, Some(1), index(&[2, 3])) }.into(),
                "t, line 1, place [2, 3]",
            ),
            (Place::Folders(vec!["a".into(), "b".into()]), "none of: a, b"),
            (rule, "optimizer `adam`"),
        ] {
            assert_eq!(place.to_string(), text);
        }
    }
}
