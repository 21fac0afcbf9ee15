//! Optimizer specs: parameter groups, each a chain of transforms, one rule and wrappers, or a solver.

use super::dialect::Dialect;
use super::rule::Rule;
use super::sam::Sam;
use super::solver::Solver;
use super::transform::Transform;
use super::wrapper::{Cautious, Wrapper};
use crate::network::{Entry, Layout, Role};
use crate::schedule::{Knobs, Plateaus, Schedule};
use crate::spec::names;
use crate::spec::{self, Choice, Item};
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// An optimizer: parameter groups with their update rules, or a solver.
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
    /// Update rules, which take one step per gradient.
    Descent(Descent),
    /// A solver, which evaluates the objective several times per update.
    Solver(Solver),
}

/// Parameter groups, each with a rule. A tensor belongs to the first group that selects it.
#[derive(Clone, Debug, PartialEq)]
pub struct Descent {
    /// Parameter groups, at least one.
    pub groups: Vec<Group>,
    /// Point at which gradients are evaluated, shared by all groups.
    pub gradient: Gradient,
}

/// A parameter group: a selection of tensors and the chain that updates them.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Tensors of the group.
    pub select: Select,
    /// Transforms applied to the gradients before the rule, in order.
    pub before: Vec<Transform>,
    /// Update rule, which owns the learning rate.
    pub rule: Rule,
    /// Wrappers applied around the rule, in order.
    pub after: Vec<Wrapper>,
}

impl Group {
    /// Returns true if the group has neither transforms nor wrappers.
    pub(crate) fn is_plain(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

impl From<Rule> for Group {
    /// Creates a group of all tensors, without transforms or wrappers.
    fn from(rule: Rule) -> Self {
        Self { select: Select::All, before: vec![], rule, after: vec![] }
    }
}

/// Point at which gradients are evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
#[non_exhaustive]
pub enum Gradient {
    /// At the current weights.
    #[default]
    Plain,
    /// At the nearby point of highest loss (sharpness-aware minimisation).
    Sam(Sam),
}

/// Selection of tensors of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// All tensors.
    All,
    /// Weight matrices.
    Weights,
    /// Bias vectors.
    Bias,
    /// Weight matrices of all layers but the last.
    Hidden,
    /// Tensors of one layer (`2`), or a single tensor (`2.weight`).
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
    /// Parses a solver, or `[select@]chain/[select@]chain`. Keys left out of a rule get the defaults of `dialect`.
    /// `sam` comes first in the first chain.
    ///
    /// # Errors
    /// Returns a usage error (exit 2) that names the unknown or invalid part.
    pub fn read(text: &str, dialect: Dialect) -> Result<Self> {
        if let Some(solver) = Item::parse(text).ok().and_then(|item| Solver::read(&item)) {
            return solver.map(Self::Solver);
        }
        let (gradient, rest) = read_gradient(text)?;
        let groups: Vec<Group> =
            rest.split('/').map(|group| Group::read(group, dialect)).collect::<Result<_>>()?;
        Ok(Self::Descent(Descent { groups: with_rest(groups, dialect)?, gradient }))
    }

    /// Returns the first group's scheduled hyper-parameters as typed; `None` for a solver, which finds its own steps.
    pub(crate) fn knobs(&self) -> Option<Knobs> {
        let Self::Descent(Descent { groups, .. }) = self else { return None };
        let mut rule = groups.first()?.rule.clone();
        let knob = |knob: Option<&mut f64>| knob.map_or(0.0, |value| *value);
        Some(Knobs { lr: knob(rule.lr()), momentum: knob(rule.momentum()), beta2: knob(rule.beta2()) })
    }

    /// True if a schedule has an effect: if any of its parts has a learning rate, momentum or second beta.
    pub(crate) fn can_be_scheduled(&self) -> bool {
        let has_knob =
            |rule: &mut Rule| rule.lr().is_some() || rule.momentum().is_some() || rule.beta2().is_some();
        match self.clone() {
            Self::Descent(Descent { mut groups, .. }) => {
                groups.is_empty() || groups.iter_mut().any(|group| has_knob(&mut group.rule))
            }
            Self::Solver(mut solver) => solver.lr().is_some(),
        }
    }

    /// Returns the method with a momentum buffer for plain `sgd` if `schedule` drives the momentum, as in PyTorch.
    #[must_use]
    pub(crate) fn with_velocity(mut self, schedule: &Schedule) -> Self {
        let none = Knobs { lr: 0.0, momentum: 0.0, beta2: 0.0 };
        let driven = schedule.at(0, none, &Plateaus::default()).momentum;
        let Self::Descent(Descent { groups, .. }) = &mut self else { return self };
        for group in groups.iter_mut().filter(|_| driven > 0.0) {
            group.rule.add_momentum(driven);
        }
        self
    }

    /// Returns the rule if it updates all tensors, without transforms, wrappers or SAM.
    pub(crate) fn sole_rule(&self) -> Option<&Rule> {
        match self {
            Self::Descent(Descent { groups, gradient: Gradient::Plain }) => match groups.as_slice() {
                [group] if group.select == Select::All && group.is_plain() => Some(&group.rule),
                _ => None,
            },
            Self::Descent(_) | Self::Solver(_) => None,
        }
    }

    /// Returns the parameter groups; none for a solver, which updates all weights.
    pub(crate) fn descent(&self) -> &Descent {
        static NONE: Descent = Descent { groups: vec![], gradient: Gradient::Plain };
        match self {
            Self::Descent(descent) => descent,
            Self::Solver(_) => &NONE,
        }
    }

    /// Returns the parameter groups, for callers with one gradient per update and no objective.
    ///
    /// # Errors
    /// Returns a usage error for a solver.
    pub(crate) fn groups(&self) -> Result<&Descent> {
        match self {
            Self::Descent(descent) => Ok(descent),
            Self::Solver(solver) => {
                Err(Error::usage(format!("solver `{solver}` needs the objective, not one gradient"))
                    .advise("a rule, such as sgd:lr=0.1"))
            }
        }
    }

    /// Returns the solver, if the method is one.
    pub(crate) fn solver(&self) -> Option<&Solver> {
        match self {
            Self::Descent(_) => None,
            Self::Solver(solver) => Some(solver),
        }
    }
}

impl Descent {
    /// Returns true if the weights to evaluate may differ from those being trained.
    pub fn shows_others(&self) -> bool {
        let shows = |group: &Group| group.rule.shown().is_some() || group.after.iter().any(Wrapper::may_show);
        self.groups.iter().any(shows)
    }

    /// Returns, for every tensor, the index of the first group that selects it; `None` for running statistics, or if
    /// there are no groups.
    ///
    /// # Errors
    /// Returns a usage error if a tensor is in no group, or a group has no tensor.
    pub(crate) fn assign(&self, layout: &Layout) -> Result<Vec<Option<usize>>> {
        let mut assigned = Vec::with_capacity(layout.entries().len());
        for entry in layout.entries() {
            if entry.role == Role::Buffer || self.groups.is_empty() {
                assigned.push(None);
                continue;
            }
            let group = self.groups.iter().position(|group| group.select.fits(entry, layout));
            assigned.push(Some(group.ok_or_else(|| {
                Error::usage(format!("optimizer `{self}` has no group for tensor `{}`", entry.name))
                    .advise("add a last group for all remaining tensors, as in bias@sgd:lr=0.1/adam")
            })?));
        }
        match (0..self.groups.len()).find(|group| !assigned.contains(&Some(*group))) {
            Some(empty) => Err(Error::usage(format!(
                "group `{}` of optimizer `{self}` selects no tensor of the model",
                self.groups[empty]
            ))
            .advise("select a layer by number (0), a tensor (0.weight), weights, bias or hidden")),
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
        Self::Descent(Descent { groups: vec![rule.into().into()], gradient: Gradient::Plain })
    }
}

impl From<Solver> for Method {
    fn from(solver: Solver) -> Self {
        Self::Solver(solver)
    }
}

impl FromStr for Method {
    type Err = Error;

    /// Parses a spec as [`Method::read`] does, with the default dialect.
    fn from_str(text: &str) -> Result<Self> {
        Self::read(text, Dialect::default())
    }
}

/// Splits `sam:rho=0.05+rest`.
fn read_gradient(text: &str) -> Result<(Gradient, &str)> {
    let (before, _) = spec::chain(text);
    match before.first().map(|item| Item::parse(item)).transpose()? {
        Some(item) if item.name == Sam::NAME => {
            Ok((Gradient::Sam(Sam::read("optimizer", &item, "")?), &text[before[0].len() + 1..]))
        }
        _ => Ok((Gradient::Plain, text)),
    }
}

/// Restricts a lone rule that is made for hidden weight matrices to them, and adds its usual companion for all other
/// tensors.
fn with_rest(mut groups: Vec<Group>, dialect: Dialect) -> Result<Vec<Group>> {
    if let [Group { select: select @ Select::All, rule, .. }] = groups.as_mut_slice()
        && let Some(companion) = rule.wants().beside
    {
        *select = Select::Hidden;
        groups.push(Group::read(companion, dialect)?);
    }
    Ok(groups)
}

/// An item of a chain.
enum ChainItem {
    Before(Transform),
    Rule(Rule),
    After(Wrapper),
}

fn read_part(text: &str, dialect: Dialect) -> Result<ChainItem> {
    let typed = Item::parse(text)?;
    let item = names::canonical("optimizer", &typed, Rule::NAMES);
    let rule = Rule::read_over(&item, dialect.defaults(&item.name)).map(|rule| rule.map(ChainItem::Rule));
    let before = || Transform::read(&item).map(|transform| transform.map(ChainItem::Before));
    let after = || Wrapper::read(&item).map(|wrapper| wrapper.map(ChainItem::After));
    rule.or_else(before).or_else(after).unwrap_or_else(|| {
        let solver = &names::canonical("solver", &typed, Solver::NAMES).name;
        if Solver::NAMES.contains(&solver.as_str()) {
            return Err(alone(solver));
        }
        let known = [Rule::NAMES, Transform::NAMES, Wrapper::NAMES, &[Sam::NAME], Solver::NAMES].concat();
        Err(spec::unknown("optimizer", &item.name, &known))
    })
}

impl Group {
    /// Parses `[select@]chain`.
    fn read(text: &str, dialect: Dialect) -> Result<Self> {
        let (select, chain) = match text.split_once('@') {
            Some((select, chain)) => (select.parse()?, chain),
            None => (Select::All, text),
        };
        let (first, last) = spec::chain(chain);
        let (mut before, mut rules, mut after) = (vec![], vec![], vec![]);
        for item in first.into_iter().chain([last]) {
            match read_part(item, dialect)? {
                ChainItem::Before(transform) if rules.is_empty() => before.push(transform),
                ChainItem::Rule(rule) => rules.push(rule),
                ChainItem::After(wrapper) if !rules.is_empty() => after.push(wrapper),
                ChainItem::Before(part) => return Err(out_of_place(&part, "before", text)),
                ChainItem::After(part) => return Err(out_of_place(&part, "after", text)),
            }
        }
        let [rule] = <[Rule; 1]>::try_from(rules).map_err(|rules| {
            let count = rules.len();
            Error::usage(format!("optimizer group `{text}` must have exactly one update rule, not {count}"))
                .advise("one rule per group: clip-global-norm:1+adamw:lr=0.001+ema:0.99")
        })?;
        if after.contains(&Wrapper::Cautious(Cautious {})) && !rule.is_by_element() {
            return Err(Error::usage(format!("cautious needs an element-wise update rule, not `{rule}`")));
        }
        Ok(Self { select, before, rule, after })
    }
}

/// Returns the error for a solver used within a chain or a group.
fn alone(solver: &str) -> Error {
    Error::usage(format!("solver `{solver}` updates all weights and must be the only item"))
        .advise("the solver alone, without groups, transforms or wrappers")
}

fn out_of_place(part: &dyn fmt::Display, place: &str, text: &str) -> Error {
    Error::usage(format!("`{part}` must come {place} the update rule, unlike in `{text}`"))
}

impl FromStr for Select {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_lowercase().as_str() {
            "" => Err(Error::usage("missing selector before `@`")
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
            Self::Solver(solver) => solver.fmt(f),
        }
    }
}

impl fmt::Display for Descent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Gradient::Sam(sam) = &self.gradient {
            write!(f, "{}+", spec::write_keys(Sam::NAME, sam, &["rho"]))?;
        }
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
        self.before.iter().try_for_each(|transform| write!(f, "{transform}+"))?;
        self.rule.fmt(f)?;
        self.after.iter().try_for_each(|wrapper| write!(f, "+{wrapper}"))
    }
}
