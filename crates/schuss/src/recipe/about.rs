//! What can be chosen, and what the documentation of each choice says, at run time.

use super::Noise;
use super::names;
use super::spec::{self, Choice, Item};
use crate::loss::Loss;
use crate::network::{Init, Layer};
use crate::optim::{Dialect, Rule, Sam, Solver, Transform, Wrapper};
use crate::schedule::Curve;
use crate::{Error, Result};
use serde::Serialize;

/// A choice: its documentation, and its keys with their values.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct About {
    /// Its name in specs.
    pub name: &'static str,
    /// What it is: `optimizer`, `schedule`, ...
    pub noun: &'static str,
    /// One line.
    pub line: &'static str,
    /// Its documentation in Markdown: what it does, the equation as a block of `text`, where it comes from, whose keys and
    /// defaults it has, who differs.
    pub text: &'static str,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// A key of a choice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Key {
    /// Its name in specs.
    pub name: String,
    /// What it is when left out, as spec text; empty if it then has no value.
    pub default: String,
    /// What it is here.
    pub value: String,
    /// What it means.
    pub doc: &'static str,
}

impl About {
    /// The lines of its equation as executed with these values: where the documentation has `key: x ← ...` beside the
    /// statement for x, this takes its place if the key is true.
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

    /// `key: statement`
    fn variant<'a>(&self, part: &'a str) -> Option<(&Key, &'a str)> {
        let (name, statement) = part.split_once(": ")?;
        Some((self.keys.iter().find(|key| key.name == name)?, statement))
    }
}

/// What a statement gives a value.
fn variable(statement: &str) -> Option<&str> {
    Some(statement.split_once(" ← ")?.0)
}

/// Choices of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// `optimizers`, `schedules`, ...
    pub kind: &'static str,
    /// The names, in the order of the table.
    pub names: &'static [&'static str],
    /// One of them, as errors call it.
    noun: &'static str,
    about: fn(&Item, &str) -> Option<Result<About>>,
}

impl Table {
    /// All tables.
    pub fn all() -> Vec<Self> {
        let (layers, activations) = Layer::names_and_activations();
        vec![
            Self { kind: "optimizers", noun: "optimizer", names: Rule::NAMES, about: Rule::about },
            Self { kind: "solvers", noun: "solver", names: Solver::NAMES, about: Solver::about },
            Self { kind: "transforms", noun: "optimizer", names: Transform::NAMES, about: Transform::about },
            Self { kind: "wrappers", noun: "optimizer", names: Wrapper::NAMES, about: Wrapper::about },
            Self { kind: "wrappers", noun: "optimizer", names: &[Sam::NAME], about: about_sam },
            Self { kind: "schedules", noun: "schedule", names: Curve::NAMES, about: Curve::about },
            Self { kind: "losses", noun: "loss", names: Loss::NAMES, about: Loss::about },
            Self { kind: "activations", noun: "layer", names: activations, about: Layer::about },
            Self { kind: "layers", noun: "layer", names: layers, about: Layer::about },
            Self { kind: "init", noun: "init", names: Init::NAMES, about: Init::about },
            Self { kind: "noise", noun: "noise", names: Noise::NAMES, about: Noise::about },
        ]
    }

    /// What there is to know about its choices, in their order, each with its defaults.
    pub fn rows(&self) -> Vec<About> {
        let about = |name: &&str| (self.about)(&Item { name: (*name).to_owned(), args: vec![] }, "")?.ok();
        self.names.iter().filter_map(about).collect()
    }
}

fn about_sam(item: &Item, defaults: &str) -> Option<Result<About>> {
    (item.name == Sam::NAME)
        .then(|| Sam::about("optimizer", "Gradients at the worst place nearby.", item, defaults))
}

/// What there is to know about the choice of a spec, `adam` or `adam:eps=1e-7`, with the defaults of `dialect`. Some
/// names stand in several tables; then about all that have such keys.
///
/// # Errors
/// Usage errors: a name that is in no table, keys that none of its choices has.
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
    let unknown = || {
        let names: Vec<&str> = tables.iter().flat_map(|table| table.names).copied().collect();
        let nearest = spec::nearest(&item.name, &names).map(|name| format!("did you mean `{name}`?"));
        let error = Error::usage(format!("there is nothing called `{}`", item.name));
        error.advise(
            nearest.unwrap_or_else(|| "`schuss list optimizers` and its like name all there is".into()),
        )
    };
    match known.is_empty() {
        true => Err(wrong.into_iter().find_map(Result::err).unwrap_or_else(unknown)),
        false => known.into_iter().collect(),
    }
}
