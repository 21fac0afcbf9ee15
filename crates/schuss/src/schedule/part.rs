//! Schedule of one knob: a chain of curves.

use super::curve::{Curve, counts};
use super::{Knobs, Plateau};
use crate::spec::{self, Item};
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// One of [`Knobs`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Knob {
    Lr,
    Momentum,
    Beta2,
}

/// `warmup:500+cosine:t_max=5500`, `beta1@linear:end_factor=0.5`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct KnobSchedule {
    pub(super) knob: Knob,
    before: Vec<Stretch>,
    last: Stretch,
}

/// A curve and its duration.
#[derive(Clone, Debug, PartialEq)]
struct Stretch {
    curve: Curve,
    /// Value of the key `for`.
    updates: Option<u64>,
}

impl Knob {
    /// Names in specs; the first of a knob's names is canonical.
    const NAMES: [(&str, Self); 4] =
        [("lr", Self::Lr), ("momentum", Self::Momentum), ("beta1", Self::Momentum), ("beta2", Self::Beta2)];

    /// Returns a mutable reference to this knob's value.
    pub(super) fn of(self, knobs: &mut Knobs) -> &mut f64 {
        match self {
            Self::Lr => &mut knobs.lr,
            Self::Momentum => &mut knobs.momentum,
            Self::Beta2 => &mut knobs.beta2,
        }
    }
}

impl FromStr for Knob {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let name = text.trim().to_lowercase();
        let found = Self::NAMES.iter().find(|(known, _)| *known == name);
        let known = Self::NAMES.map(|(name, _)| name);
        found.map(|(_, knob)| *knob).ok_or_else(|| spec::unknown("knob", &name, &known))
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let row = Self::NAMES.iter().find(|(_, knob)| knob == self);
        f.write_str(row.map_or("", |(name, _)| name))
    }
}

impl KnobSchedule {
    fn stretches(&self) -> impl Iterator<Item = &Stretch> {
        self.before.iter().chain([&self.last])
    }

    /// Returns the curve active at `update`, and the number of updates since that curve began.
    pub(super) fn active(&self, update: u64) -> (&Curve, u64) {
        let mut t = update;
        for stretch in &self.before {
            let length = stretch.length().unwrap_or(u64::MAX);
            if t < length {
                return (&stretch.curve, t);
            }
            t -= length;
        }
        (&self.last.curve, t.min(self.last.updates.unwrap_or(u64::MAX)))
    }

    /// Iterates over the curves, in order.
    pub(super) fn curves(&self) -> impl Iterator<Item = &Curve> {
        self.stretches().map(|stretch| &stretch.curve)
    }

    /// Returns true if the chain ends exactly with a trial of `updates` updates, so that it may have been made for it.
    pub(super) fn ends_with(&self, updates: u64) -> bool {
        let lengths = self.stretches().map(|stretch| stretch.length());
        lengths.sum::<Option<u64>>() == Some(updates)
    }

    pub(super) fn check(&self) -> Result<()> {
        self.stretches().try_for_each(Stretch::check)?;
        if let Some(endless) = self.before.iter().find(|stretch| stretch.length().is_none()) {
            let wrong = format!("`{endless}` has no length, but another schedule follows it");
            return Err(Error::usage(wrong).advise("give its length in updates, such as for=500"));
        }
        if self.stretches().filter_map(Stretch::plateau).count() > 1 {
            return Err(Error::usage("`plateau` appears twice in one chain").advise("remove one of them"));
        }
        Ok(())
    }

    /// Fills in omitted lengths.
    pub(super) fn resolve(&mut self, updates: u64) {
        let mut rest = updates;
        for stretch in &mut self.before {
            stretch.resolve(rest);
            rest = rest.saturating_sub(stretch.length().unwrap_or(0));
        }
        self.last.resolve(rest.max(1));
    }

    /// Iterates over the driven knobs: its own, and momentum if that is cycled with the learning rate.
    pub(super) fn drives(&self) -> impl Iterator<Item = Knob> {
        let cycles = self.knob == Knob::Lr && self.stretches().any(|it| it.curve.momentum(0).is_some());
        [self.knob].into_iter().chain(cycles.then_some(Knob::Momentum))
    }

    /// Returns true if no update uses the optimizer's own value of a knob.
    pub(super) fn replaces(&self, knob: Knob) -> bool {
        let is_absolute = |curve: &Curve| matches!(curve, Curve::OneCycle(_) | Curve::Cyclic(_));
        let cycles = |curve: &Curve| self.knob == Knob::Lr && curve.momentum(0).is_some();
        self.knob == knob && self.curves().all(is_absolute)
            || knob == Knob::Momentum && self.curves().all(cycles)
    }

    pub(super) fn is_constant(&self) -> bool {
        self.stretches().all(|it| matches!(&it.curve, Curve::Constant(constant) if constant.factor == 1.0))
    }

    pub(super) fn plateau(&self) -> Option<&Plateau> {
        self.stretches().find_map(Stretch::plateau)
    }
}

impl From<Curve> for KnobSchedule {
    fn from(curve: Curve) -> Self {
        Self { knob: Knob::Lr, before: Vec::new(), last: Stretch { curve, updates: None } }
    }
}

impl FromStr for KnobSchedule {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (knob, chain) =
            text.split_once('@').map_or((Ok(Knob::Lr), text), |(knob, chain)| (knob.parse(), chain));
        let (before, last) = spec::chain(chain);
        let before: Result<_> = before.into_iter().map(str::parse).collect();
        Ok(Self { knob: knob?, before: before?, last: last.parse()? })
    }
}

impl fmt::Display for KnobSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.knob != Knob::Lr {
            write!(f, "{}@", self.knob)?;
        }
        self.before.iter().try_for_each(|stretch| write!(f, "{stretch}+"))?;
        write!(f, "{}", self.last)
    }
}

impl Stretch {
    fn length(&self) -> Option<u64> {
        self.updates.or(self.curve.length())
    }

    fn check(&self) -> Result<()> {
        counts(&[("for", self.updates)])?;
        self.curve.check()
    }

    fn resolve(&mut self, rest: u64) {
        self.curve.resolve(self.updates.unwrap_or(rest));
    }

    fn plateau(&self) -> Option<&Plateau> {
        match &self.curve {
            Curve::Plateau(plateau) => Some(plateau),
            _ => None,
        }
    }
}

impl FromStr for Stretch {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut item = Item::parse(text)?;
        let index = item.args.iter().position(|(key, _)| key.as_deref() == Some("for"));
        let updates = index.map(|index| item.args.remove(index).1).map(|text| {
            text.parse()
                .map_err(|_| Error::usage(format!("for must be a whole number of updates, not `{text}`")))
        });
        let curve =
            Curve::read(&item).unwrap_or_else(|| Err(spec::unknown("schedule", &item.name, Curve::NAMES)))?;
        Ok(Self { curve, updates: updates.transpose()? })
    }
}

impl fmt::Display for Stretch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let curve = self.curve.to_string();
        match self.updates {
            Some(updates) if curve.contains(':') => write!(f, "{curve},for={updates}"),
            Some(updates) => write!(f, "{curve}:for={updates}"),
            None => f.write_str(&curve),
        }
    }
}
