//! Flags of choices, made from the library's table of them.

use crate::offers::Offers;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, ValueHint, value_parser};
use schuss::recipe::{ChoiceKey, Group, Row, Source, ValueType};
use schuss::study::Workload;
use std::collections::BTreeMap;
use std::ops::Bound;

/// Flags of all choices for trials and their data, as typed. In `compare`, a repeated flag is an axis: every
/// combination is a trial.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChoiceFlags(BTreeMap<ChoiceKey, Vec<String>>);

/// Flags of the choices that apply wherever data files are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading(ChoiceFlags);

/// Flags of the choices that may be made for all candidates of `recommend`, and of those about its data.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fixed(pub(crate) ChoiceFlags);

/// Flags of the choices that have an effect on the short trials of `find-lr`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Probed(pub(crate) ChoiceFlags);

/// Choices about whole trials, or about several.
const UNPROBED: [ChoiceKey; 7] = [
    ChoiceKey::Target,
    ChoiceKey::BeyondTarget,
    ChoiceKey::Stop,
    ChoiceKey::EarlyStop,
    ChoiceKey::Instrument,
    ChoiceKey::Resample,
    ChoiceKey::Folds,
];

fn is_probed(row: &Row) -> bool {
    UNPROBED.iter().all(|key| key.row().key != row.key)
}

/// Choices of trials that all candidates of `recommend` may share.
const FIXED: [ChoiceKey; 9] = [
    ChoiceKey::Model,
    ChoiceKey::Update,
    ChoiceKey::Optimizer,
    ChoiceKey::Loss,
    ChoiceKey::Init,
    ChoiceKey::Targets,
    ChoiceKey::TargetScale,
    ChoiceKey::Normalisation,
    ChoiceKey::Validation,
];

fn is_fixed(row: &Row) -> bool {
    row.is_reading || FIXED.iter().any(|key| key.row().key == row.key)
}

impl ChoiceFlags {
    /// Adds a choice, as if its flag had been typed.
    pub(crate) fn add(&mut self, key: ChoiceKey, text: &str) {
        self.0.entry(key).or_default().push(text.to_owned());
    }

    /// Returns the values of a flag.
    pub(crate) fn values(&self, key: ChoiceKey) -> &[String] {
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }

    /// Returns the flags that were typed and their values.
    pub(crate) fn typed(&self) -> impl Iterator<Item = (ChoiceKey, &[String])> {
        self.0.iter().map(|(key, values)| (*key, values.as_slice()))
    }

    /// Returns the values that clap found for these choices.
    fn of(matches: &ArgMatches, is_ours: fn(&Row) -> bool) -> Self {
        let values = |key: ChoiceKey| {
            let row = key.row();
            let raw = matches.get_raw(row.key).into_iter().flatten();
            let texts = raw.map(|value| value.to_string_lossy().into_owned()).collect::<Vec<_>>();
            let is_on = row.value == ValueType::Switch && matches.get_flag(row.key);
            if row.value == ValueType::Switch { is_on.then(|| vec![true.to_string()]) } else { Some(texts) }
        };
        let ours = ChoiceKey::ALL.iter().filter(|key| is_ours(key.row()));
        let typed = ours.filter_map(|key| Some((*key, values(*key).filter(|values| !values.is_empty())?)));
        Self(typed.collect())
    }
}

impl Reading {
    /// Returns the workload for the data spec `data` with these options.
    pub(crate) fn workload(&self, data: &str) -> Workload {
        let mut workload = Workload::of(data);
        for (key, values) in self.0.typed() {
            // clap has checked the types
            values.iter().for_each(|value| drop(workload.choices.give(key, value, Source::Flag)));
        }
        workload
    }
}

impl Args for ChoiceFlags {
    fn augment_args(command: Command) -> Command {
        with_flags(command, |_| true)
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// Makes a group of some of the choices' flags.
macro_rules! group {
    ($group:ident, $is_ours:expr) => {
        impl Args for $group {
            fn augment_args(command: Command) -> Command {
                with_flags(command, $is_ours)
            }

            fn augment_args_for_update(command: Command) -> Command {
                Self::augment_args(command)
            }
        }

        impl FromArgMatches for $group {
            fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, Error> {
                Ok(Self(ChoiceFlags::of(matches, $is_ours)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), Error> {
                *self = Self::from_arg_matches(matches)?;
                Ok(())
            }
        }
    };
}
group!(Fixed, is_fixed);
group!(Probed, is_probed);

impl Args for Reading {
    fn augment_args(command: Command) -> Command {
        // flags that follow belong to the data too
        with_flags(command, |row| row.is_reading).next_help_heading(Group::Workload.heading())
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ChoiceFlags {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, Error> {
        Ok(Self::of(matches, |_| true))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl FromArgMatches for Reading {
    fn from_arg_matches(matches: &ArgMatches) -> std::result::Result<Self, Error> {
        Ok(Self(ChoiceFlags::of(matches, |row| row.is_reading)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> std::result::Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Adds the flags of these choices.
fn with_flags(command: Command, is_ours: fn(&Row) -> bool) -> Command {
    let rows = ChoiceKey::by_group().into_iter().map(ChoiceKey::row);
    rows.filter(|row| is_ours(row)).fold(command, |command, row| command.arg(flag(row)))
}

/// Returns the flag of a choice.
fn flag(row: &'static Row) -> Arg {
    let arg = Arg::new(row.key)
        .long(row.flag())
        .aliases(row.aliases)
        .help(row.help)
        .help_heading(row.group.heading())
        .action(if row.is_axis { ArgAction::Append } else { ArgAction::Set })
        .allow_hyphen_values(row.takes_dashes);
    let arg = match row.long_help() {
        Some(details) => arg.long_help(format!("{}\n\n{details}", row.help)),
        None => arg,
    };
    match row.value {
        ValueType::Switch => return arg.action(ArgAction::SetTrue),
        ValueType::Whole { least, most } => {
            let bounds = (
                Bound::Included(least),
                if most == u64::MAX { Bound::Unbounded } else { Bound::Included(most) },
            );
            arg.value_parser(value_parser!(u64).range(bounds)).allow_negative_numbers(true)
        }
        ValueType::WholeOr { .. } => arg.allow_negative_numbers(true),
        ValueType::Share => arg.value_parser(value_parser!(f64)).allow_negative_numbers(true),
        ValueType::AnyPath => arg.value_hint(ValueHint::AnyPath),
        ValueType::FilePath => arg.value_hint(ValueHint::FilePath),
        ValueType::Text if row.offers.is_empty() => arg,
        ValueType::Text => arg.value_parser(Offers(row.offers)).hide_possible_values(true),
    }
    .value_name(row.value_name)
}
