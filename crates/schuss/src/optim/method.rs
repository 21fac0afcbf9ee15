//! How weights move, as typed: groups of parameters, each with its chain around one rule.

use super::rule::Rule;
use crate::network::{Entry, Layout, Role};
use crate::recipe::spec::{self, Item};
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// From gradients to new weights.
///
/// # Example
/// ```
/// use schuss::optim::Method;
///
/// let method: Method = "bias@sgd:lr=0.1/adam".parse().unwrap();
/// assert_eq!(method.to_string(), "bias@sgd:lr=0.1/adam:lr=0.001");
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Method {
    /// One step per gradient.
    Descent(Descent),
}

/// Groups of parameters, each with a rule; a tensor belongs to the first that selects it.
#[derive(Clone, Debug, PartialEq)]
pub struct Descent {
    /// At least one.
    pub groups: Vec<Group>,
}

/// Some tensors and how they move.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Which tensors.
    pub select: Select,
    /// What owns the learning rate.
    pub rule: Rule,
}

/// Tensors of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// Every one.
    All,
    /// Matrices of weights.
    Weights,
    /// Vectors of biases.
    Bias,
    /// Matrices of weights but for the last layer's.
    Hidden,
    /// Those of a layer, `2`, or a tensor, `2.weight`.
    Named(String),
}

impl Select {
    fn fits(&self, entry: &Entry, layout: &Layout) -> bool {
        let is_last = || layout.entries().iter().rfind(|entry| entry.role == Role::Weight) == Some(entry);
        match self {
            Self::All => true,
            Self::Weights => entry.role == Role::Weight,
            Self::Bias => entry.role == Role::Bias,
            Self::Hidden => entry.role == Role::Weight && !is_last(),
            Self::Named(name) => entry.name == *name || entry.name.split('.').next() == Some(name),
        }
    }
}

impl Method {
    /// The most numbers per weight that any of its rules keeps.
    pub(crate) fn slots(&self) -> usize {
        let Self::Descent(Descent { groups }) = self;
        groups.iter().map(|group| group.rule.slots().len()).max().unwrap_or(0)
    }

    /// The rule that moves every weight alike, if nothing else is chosen.
    pub(crate) fn sole_rule(&self) -> Option<&Rule> {
        match self {
            Self::Descent(Descent { groups }) => match groups.as_slice() {
                [Group { select: Select::All, rule }] => Some(rule),
                _ => None,
            },
        }
    }
}

impl Descent {
    /// For every tensor the first group that selects it; none for running statistics.
    ///
    /// # Errors
    /// Usage errors: a tensor of no group, a group without a tensor.
    pub(crate) fn assign(&self, layout: &Layout) -> Result<Vec<Option<usize>>> {
        let mut assigned = Vec::with_capacity(layout.entries().len());
        for entry in layout.entries() {
            if entry.role == Role::Buffer {
                assigned.push(None);
                continue;
            }
            let group = self.groups.iter().position(|group| group.select.fits(entry, layout));
            assigned.push(Some(group.ok_or_else(|| {
                Error::usage(format!("no group of optimizer `{self}` takes tensor `{}`", entry.name))
                    .advise("end with a group that takes all that is left, as in bias@sgd:lr=0.1/adam")
            })?));
        }
        match (0..self.groups.len()).find(|group| !assigned.contains(&Some(*group))) {
            Some(empty) => Err(Error::usage(format!(
                "group `{}` of optimizer `{self}` takes no tensor of the model",
                self.groups[empty]
            ))
            .advise("select a layer's number (0), a tensor (0.weight), weights, bias or hidden")),
            None => Ok(assigned),
        }
    }
}

impl Default for Method {
    fn default() -> Self {
        Rule::default().into()
    }
}

impl<R: Into<Rule>> From<R> for Method {
    fn from(rule: R) -> Self {
        Self::Descent(Descent { groups: vec![Group { select: Select::All, rule: rule.into() }] })
    }
}

impl FromStr for Method {
    type Err = Error;

    /// `[select@]chain/[select@]chain`, each chain a rule with its keys.
    fn from_str(text: &str) -> Result<Self> {
        let groups = text.split('/').map(Group::from_str).collect::<Result<Vec<_>>>()?;
        Ok(Self::Descent(Descent { groups }))
    }
}

impl FromStr for Group {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (select, chain) = match text.split_once('@') {
            Some((select, chain)) => (select.parse()?, chain),
            None => (Select::All, text),
        };
        let mut rules = Vec::new();
        let (before, last) = spec::chain(chain);
        for item in before.into_iter().chain([last]) {
            let item = Item::parse(item)?;
            let rule = Rule::read(&item);
            rules.push(rule.unwrap_or_else(|| Err(spec::unknown("optimizer", &item.name, Rule::NAMES)))?);
        }
        match <[Rule; 1]>::try_from(rules) {
            Ok([rule]) => Ok(Self { select, rule }),
            Err(rules) => Err(Error::usage(format!(
                "optimizer `{text}` has {} rules that own a learning rate, but needs exactly one",
                rules.len()
            ))),
        }
    }
}

impl FromStr for Select {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().as_str() {
            "" => Err(Error::usage("nothing stands before `@`")
                .advise("select 0, 0.weight, weights, bias or hidden")),
            "weights" => Ok(Self::Weights),
            "bias" => Ok(Self::Bias),
            "hidden" => Ok(Self::Hidden),
            name => Ok(Self::Named(name.to_owned())),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Descent(descent) => descent.fmt(f),
        }
    }
}

impl fmt::Display for Descent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<String> = self.groups.iter().map(Group::to_string).collect();
        f.write_str(&groups.join("/"))
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.select {
            Select::All => {}
            Select::Weights => f.write_str("weights@")?,
            Select::Bias => f.write_str("bias@")?,
            Select::Hidden => f.write_str("hidden@")?,
            Select::Named(name) => write!(f, "{name}@")?,
        }
        self.rule.fmt(f)
    }
}
