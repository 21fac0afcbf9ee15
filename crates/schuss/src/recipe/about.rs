//! Tables of all choices and their documentation, available at run time.

use super::Noise;
use super::names;
use super::spec::{self, Choice, Item};
use crate::loss::Loss;
use crate::network::{Init, Layer};
use crate::optim::{Dialect, Rule, Sam, Solver, Transform, Wrapper};
use crate::schedule::Curve;
use crate::{Error, Result};
use serde::Serialize;

/// Documentation of a choice, and its keys with their values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct About {
    /// Name in specs.
    pub name: &'static str,
    /// Kind of choice: `optimizer`, `schedule`, ...
    pub noun: &'static str,
    /// One-line summary.
    pub line: &'static str,
    /// Documentation in Markdown: summary, equation as a `text` code block, source, the library whose keys and defaults
    /// it has, and differences from other libraries.
    pub text: &'static str,
    /// Keys.
    pub keys: Vec<Key>,
}

/// A key of a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Name in specs.
    pub name: String,
    /// Default as spec text; empty if there is none.
    pub default: String,
    /// Current value as spec text.
    pub value: String,
    /// Description.
    pub doc: &'static str,
}

impl About {
    /// Returns the lines of the equation as executed with these values: if the documentation has `key: x ← ...` beside
    /// the statement for x, the variant replaces the statement when the key is true.
    pub fn equation(&self) -> Vec<String> {
        let lines = self.text.lines().skip_while(|line| *line != "```text").skip(1);
        lines.take_while(|line| *line != "```").map(|line| self.executed(line)).collect()
    }

    fn executed(&self, line: &str) -> String {
        let parts = line.split("  ").map(str::trim).filter(|part| !part.is_empty());
        let (variants, mut statements): (Vec<&str>, Vec<&str>) =
            parts.partition(|part| self.variant(part).is_some());
        if variants.is_empty() {
            return line.to_owned();
        }
        for (key, variant) in variants.into_iter().filter_map(|part| self.variant(part)) {
            let same = |statement: &&mut &str| variable(statement) == variable(variant);
            statements.iter_mut().filter(same).filter(|_| key.value == "true").for_each(|old| *old = variant);
        }
        statements.join("        ")
    }

    /// Parses `key: statement`.
    fn variant<'a>(&self, part: &'a str) -> Option<(&Key, &'a str)> {
        let (name, statement) = part.split_once(": ")?;
        Some((self.keys.iter().find(|key| key.name == name)?, statement))
    }
}

/// Returns the variable that a statement assigns to.
fn variable(statement: &str) -> Option<&str> {
    Some(statement.split_once(" ← ")?.0)
}

/// Table of the choices of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// Plural name: `optimizers`, `schedules`, ...
    pub kind: &'static str,
    /// Names, in the order of the table.
    pub names: &'static [&'static str],
    /// Singular name, for error messages.
    noun: &'static str,
    about: fn(&Item, &str) -> Option<Result<About>>,
}

impl Table {
    /// Returns all tables.
    pub fn all() -> Vec<Self> {
        let layers = Layer::names();
        vec![
            Self { kind: "optimizers", noun: "optimizer", names: Rule::NAMES, about: Rule::about },
            Self { kind: "solvers", noun: "solver", names: Solver::NAMES, about: Solver::about },
            Self { kind: "transforms", noun: "optimizer", names: Transform::NAMES, about: Transform::about },
            Self { kind: "wrappers", noun: "optimizer", names: Wrapper::NAMES, about: Wrapper::about },
            Self { kind: "wrappers", noun: "optimizer", names: &[Sam::NAME], about: about_sam },
            Self { kind: "schedules", noun: "schedule", names: Curve::NAMES, about: Curve::about },
            Self { kind: "losses", noun: "loss", names: Loss::NAMES, about: Loss::about },
            Self { kind: "activations", noun: "layer", names: &layers.activations, about: Layer::about },
            Self { kind: "layers", noun: "layer", names: &layers.others, about: Layer::about },
            Self { kind: "init", noun: "init", names: Init::NAMES, about: Init::about },
            Self { kind: "noise", noun: "noise", names: Noise::NAMES, about: Noise::about },
        ]
    }

    /// Returns the documentation of all choices in order, with their default values.
    pub fn rows(&self) -> Vec<About> {
        let about = |name: &&str| (self.about)(&Item { name: (*name).to_owned(), args: vec![] }, "")?.ok();
        self.names.iter().filter_map(about).collect()
    }
}

fn about_sam(item: &Item, defaults: &str) -> Option<Result<About>> {
    (item.name == Sam::NAME)
        .then(|| Sam::about("optimizer", "Gradients at the worst point nearby.", item, defaults))
}

/// Returns the documentation of the choice named by a spec, such as `adam` or `adam:eps=1e-7`, with the defaults of
/// `dialect`. If several tables have the name, returns all choices that accept the given keys.
///
/// # Errors
/// Usage errors: a name that is in no table, or keys that no choice of that name accepts.
///
/// # Example
/// ```
/// use schuss::optim::Dialect;
/// use schuss::recipe::about;
///
/// let adam = &about("adam", Dialect::Keras)?[0];
/// assert!(adam.keys.iter().any(|key| key.name == "eps" && key.default == "1e-8" && key.value == "1e-7"));
/// # Ok::<(), schuss::Error>(())
/// ```
pub fn about(spec: &str, dialect: Dialect) -> Result<Vec<About>> {
    let (item, tables) = (Item::parse(spec)?, Table::all());
    let about = |table: &Table| {
        let item = names::canonical(table.noun, &item, table.names);
        let known = table.names.contains(&item.name.as_str());
        if known { (table.about)(&item, dialect.defaults(&item.name)) } else { None }
    };
    let found = tables.iter().filter_map(about);
    let (known, wrong): (Vec<_>, Vec<_>) = found.partition(Result::is_ok);
    let unknown =
        || {
            let names: Vec<&str> = tables.iter().flat_map(|table| table.names).copied().collect();
            let nearest = spec::nearest(&item.name, &names).map(|name| format!("did you mean `{name}`?"));
            let error = Error::usage(format!("unknown name `{}`", item.name));
            error.advise(nearest.unwrap_or_else(|| {
                "`schuss list optimizers`, `schuss list losses` etc. list all names".into()
            }))
        };
    match known.is_empty() {
        true => Err(wrong.into_iter().find_map(Result::err).unwrap_or_else(unknown)),
        false => known.into_iter().collect(),
    }
}
