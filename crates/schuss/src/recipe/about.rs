//! Tables of all choices and their documentation, available at run time.

use crate::instrument::Instrument;
use crate::loss::Loss;
use crate::network::{Init, Layer, Noise};
use crate::optim::{Dialect, Rule, Sam, Solver, Transform, Wrapper};
use crate::recipe::EarlyStop;
use crate::schedule::Curve;
use crate::spec::{self, About, Choice, Item, names};
use crate::{Cause, Error, Result};

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
            Self { kind: "early-stop", noun: "criterion", names: EarlyStop::NAMES, about: EarlyStop::about },
            Self {
                kind: "instruments",
                noun: "instrument",
                names: Instrument::NAMES,
                about: Instrument::about,
            },
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
            let nearest = spec::nearest(&item.name, &names);
            let cause = Cause::UnknownName {
                noun: "name".to_owned(),
                name: item.name.clone(),
                nearest: nearest.map(str::to_owned),
            };
            let error = Error::usage(format!("unknown name `{}`", item.name)).because(cause);
            let meant = nearest.map(|name| format!("did you mean `{name}`?"));
            error.advise(meant.unwrap_or_else(|| {
                "`schuss list optimizers`, `schuss list losses` etc. list all names".into()
            }))
        };
    match known.is_empty() {
        true => Err(wrong.into_iter().find_map(Result::err).unwrap_or_else(unknown)),
        false => known.into_iter().collect(),
    }
}
