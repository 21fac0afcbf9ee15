//! Finds the data for a spec: `mnist`, `fashion-mnist`, `digits:train=60000`, or the PATH of a file or folder.

use crate::digits::{self, Digits};
use crate::format::folder::{self, Files};
use crate::published::{self, MNIST, Published};
use crate::reader::{self, DefaultNormalisation, Loaded, LoadedSplit};
use crate::spec::{Item, unknown};
use crate::text::{self, grouped};
use crate::{Cause, Dataset, Error, Offsets, Place, Request, Result, Samples};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

const NAMES: [&str; 3] = ["mnist", "fashion-mnist", "digits"];

/// Maximum number of digits in a split.
const MAX_DIGITS: u64 = 1_000_000_000_000;

/// Source of data, as typed after `--data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSource(SourceKind);

#[derive(Clone, Debug, PartialEq, Eq)]
enum SourceKind {
    Digits(Digits),
    Published(&'static Published),
    /// Path as typed, with or without `path:` before it.
    Path(String),
}

/// Reads or draws the data that `spec` names.
///
/// # Errors
/// A usage error for an invalid spec, a data error for files that are missing or damaged.
pub fn load(spec: &str) -> Result<Dataset> {
    spec.parse::<DataSource>()?.load(&Request::default())
}

/// Loads MNIST if it is on this machine, else the built-in digits.
///
/// # Errors
/// A data error if MNIST is present but damaged.
pub fn load_default() -> Result<Dataset> {
    DataSource::default().load(&Request::default())
}

/// Returns the folder on this machine that holds the four files of `mnist` or `fashion-mnist`.
pub fn find(name: &str) -> Option<PathBuf> {
    search(published::by_name(name)?, &variable).ok().map(|(folder, _)| folder)
}

impl Default for DataSource {
    /// MNIST if it is on this machine, else the built-in digits.
    fn default() -> Self {
        let kind = match find(MNIST.name) {
            Some(_) => SourceKind::Published(&MNIST),
            None => SourceKind::Digits(Digits::default()),
        };
        Self(kind)
    }
}

impl FromStr for DataSource {
    type Err = Error;

    fn from_str(spec: &str) -> Result<Self> {
        if spec.strip_prefix("path:").unwrap_or(spec).trim().is_empty() {
            return Err(Error::usage("no data given").advise("give a file, a folder or --data digits"));
        }
        let name = spec.split(':').next().unwrap_or(spec);
        let name = name.trim().to_lowercase().replace('_', "-");
        if name == "path" || !NAMES.contains(&&*name) && is_a_path(spec) {
            return Ok(Self(SourceKind::Path(spec.to_owned())));
        }
        let item = Item::parse(spec)?;
        match (published::by_name(&item.name), &*item.name) {
            (Some(published), _) if item.args.is_empty() => Ok(Self(SourceKind::Published(published))),
            (Some(published), _) => Err(Error::usage(format!("`{}` has no keys", published.name))
                .advise(format!("--data {}", published.name))),
            (None, "digits") => Ok(Self(SourceKind::Digits(parse_digits(&item)?))),
            (None, name) => Err(unknown("data", name, "", &[&NAMES[..], &["./FOLDER"]].concat())),
        }
    }
}

/// Returns true for anything with `/` or `.` in it, and for any existing path.
fn is_a_path(spec: &str) -> bool {
    spec.contains(|letter| letter == '.' || std::path::is_separator(letter)) || Path::new(spec).exists()
}

/// Canonical spec: the name with every key, or the path as typed.
impl fmt::Display for DataSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            SourceKind::Digits(digits) => digits.fmt(f),
            SourceKind::Published(published) => f.write_str(published.name),
            SourceKind::Path(typed) => f.write_str(typed),
        }
    }
}

impl DataSource {
    /// Reads or draws the samples.
    ///
    /// # Errors
    /// A data error that names the file, or the places searched.
    pub fn load(&self, request: &Request) -> Result<Dataset> {
        match &self.0 {
            SourceKind::Digits(digits) => digits::within(digits, request.ask.memory)?.with(request),
            SourceKind::Published(published) => {
                let (folder, files) = search(published, &variable)?;
                let origin = format!("{}, read from {}", published.title, folder.display());
                self.assemble(origin, &files, &published.classes, request)
            }
            SourceKind::Path(typed) => {
                let path = Path::new(typed.strip_prefix("path:").unwrap_or(typed));
                let origin = format!("read from {}", path.display());
                match Files::find(path).or_else(|missing| Files::find_train(path).ok_or(missing)) {
                    Ok(files) => self.assemble(origin, &files, &[], request),
                    Err(missing) if path.is_file() || path.is_dir() && missing == folder::NAMES[0] => {
                        let found = reader::open(path, &request.ask())?;
                        Dataset::of(self.to_string(), origin, found, request)
                    }
                    Err(missing) => Err(no_set(path, missing)),
                }
            }
        }
    }

    /// Builds the data set of IDX files with class names `known`; if a label is beyond these, all classes are named by
    /// number.
    fn assemble(&self, origin: String, files: &Files, known: &[&str], request: &Request) -> Result<Dataset> {
        // data that can be streamed get half of the memory; these may use all of it
        let (shape, train, test) = files.read(request.ask.memory.saturating_mul(2))?;
        let labels = train.classes().iter().chain(test.iter().flat_map(Samples::classes));
        let highest = labels.max().map_or(0, |&label| label as usize);
        let classes = if highest < known.len() {
            known.iter().map(ToString::to_string).collect()
        } else {
            (0..=highest.max(1)).map(|class| class.to_string()).collect()
        };
        let found = Loaded {
            shape: shape.into(),
            classes,
            train: LoadedSplit::Resident(train),
            validation: None,
            test: test.map(LoadedSplit::Resident),
            table: None,
            offsets: Offsets::default(),
            pictures: false,
            usual: DefaultNormalisation::Unit,
            notes: vec![],
        };
        Dataset::of(self.to_string(), origin, found, request)
    }
}

/// Returns the error for a path without the four files of a data set.
fn no_set(path: &Path, missing: &str) -> Error {
    let error =
        match std::fs::metadata(path) {
            Err(error) => Error::data(format!("the data cannot be opened: {}", text::plain_io(&error)))
                .with_source(error),
            Ok(what) if !what.is_dir() => {
                Error::data("the data are neither a file nor a folder").because(Cause::Unreadable)
            }
            Ok(_) => Error::data(format!("the data folder holds no {missing}, raw or .gz"))
                .because(Cause::NotFound),
        };
    error
        .at(path.display())
        .advise("name a file, a folder with the four files of an MNIST-like set, or --data digits")
}

fn parse_digits(item: &Item) -> Result<Digits> {
    const KEYS: [&str; 4] = ["train", "test", "size", "seed"];
    let mut digits = Digits::default();
    for (key, value) in &item.args {
        match key.as_deref() {
            Some("train") => digits.train = whole(value, "train")?,
            Some("test") => digits.test = whole(value, "test")?,
            Some("size") => digits.size = whole(value, "size")?,
            Some("seed") => digits.seed = whole(value, "seed")?,
            Some(key) => return Err(unknown("key", key, " for data `digits`", &KEYS)),
            None => {
                return Err(Error::usage(format!("`{value}` for data `digits` lacks a key"))
                    .advise(format!("digits:train={value}; keys: {}", KEYS.join(" "))));
            }
        }
    }
    check_digits(&digits)?;
    Ok(digits)
}

fn whole<T: FromStr>(value: &str, key: &str) -> Result<T> {
    value.parse().map_err(|_| {
        Error::usage(format!("`{key}={value}` for data `digits` is not a whole number in range"))
            .advise(Digits::default().to_string())
    })
}

fn check_digits(digits: &Digits) -> Result<()> {
    let refuse = |what: String| Err(Error::usage(what).advise(Digits::default().to_string()));
    let Digits { train, test, size, .. } = *digits;
    if !digits::SIZES.contains(&size) {
        let (low, high) = (digits::SIZES.start(), digits::SIZES.end());
        return refuse(format!("digits have a size of {low} to {high} pixels, not {size}"));
    }
    if train == 0 || test == 0 {
        return refuse("digits need at least one image to train on and one to test on".into());
    }
    if train.max(test) as u64 > MAX_DIGITS {
        return refuse(format!("a split has at most {} digits", grouped(MAX_DIGITS)));
    }
    Ok(())
}

/// Returns the folder and its files, from the first place that has all four.
fn search(published: &Published, environment: &Environment) -> Result<(PathBuf, Files)> {
    let mut looked = Vec::new();
    for place in places(published, environment) {
        match Files::find(&place) {
            Ok(files) => return Ok((place, files)),
            Err(missing) if place.is_dir() => looked.push(format!("{} (no {missing})", place.display())),
            Err(_) => looked.push(place.display().to_string()),
        }
    }
    let name = published.name;
    let advice = format!(
        "`schuss data fetch {name}`, or set SCHUSS_DATA to the folder above {name}/, or --data digits"
    );
    Err(Error::data(format!("{} is not on this machine", published.title))
        .because(Cause::NotFound)
        .at(Place::Folders(looked))
        .advise(advice))
}

fn places(published: &Published, environment: &Environment) -> Vec<PathBuf> {
    let chosen = environment("SCHUSS_DATA").map(PathBuf::from);
    let roots = chosen.into_iter().chain(cache(environment));
    roots.map(|root| root.join(published.name)).chain(published.package.map(PathBuf::from)).collect()
}

/// Returns the folder that `schuss data fetch` stores a data set in: `$SCHUSS_DATA/<name>`, else one in the user's
/// cache folder.
pub(crate) fn home(published: &Published) -> Result<PathBuf> {
    let root = variable("SCHUSS_DATA").map(PathBuf::from).or_else(|| cache(&variable));
    root.map(|root| root.join(published.name)).ok_or_else(|| {
        Error::failure("there is no folder to keep data in: neither SCHUSS_DATA nor HOME is set")
            .advise("set SCHUSS_DATA to a folder")
    })
}

/// Lookup of an environment variable; an empty one counts as unset.
type Environment<'a> = dyn Fn(&str) -> Option<OsString> + 'a;

fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Returns the user's cache folder for schuss, by each system's convention; `XDG_CACHE_HOME` counts only if it is
/// absolute.
fn cache(environment: &Environment) -> Option<PathBuf> {
    let folder = |name: &str| environment(name).map(PathBuf::from);
    let base = if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Caches"))
    } else {
        let chosen = folder("XDG_CACHE_HOME").filter(|path| path.is_absolute());
        chosen.or_else(|| folder("HOME").map(|home| home.join(".cache")))
    };
    base.map(|base| base.join("schuss"))
}

#[cfg(test)]
mod tests;
