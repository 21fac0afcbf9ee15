//! Values offered by shell completion. Other values are accepted too: specs have keys, studies may be files.

use clap::builder::{PossibleValue, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};
use schuss::data::stream::order::Order;
use schuss::recipe::Table;
use schuss::study::StudyFile;
use std::ffi::OsStr;

/// Parser that completes names of these kinds, as in `schuss list`; of all kinds if none is given.
#[derive(Clone)]
pub(crate) struct Offers(pub(crate) &'static [&'static str]);

/// Parser that completes names of built-in studies.
#[derive(Clone)]
pub(crate) struct Studies;

impl TypedValueParser for Offers {
    type Value = String;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        text(command, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let wanted = |kind: &str| self.0.is_empty() || self.0.contains(&kind);
        let tables = Table::all().into_iter().filter(move |table| wanted(table.kind));
        let orders = self.0.contains(&"orders").then_some(Order::NAMES);
        let names = tables.flat_map(|table| table.names).chain(orders.into_iter().flatten());
        Some(Box::new(names.map(|name| PossibleValue::new(*name))))
    }
}

impl TypedValueParser for Studies {
    type Value = String;

    fn parse_ref(&self, command: &Command, _: Option<&Arg>, value: &OsStr) -> Result<String, Error> {
        text(command, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(StudyFile::built_in().into_iter().map(|(name, _)| PossibleValue::new(name))))
    }
}

/// Returns completions of positional arguments for fish, whose generated script only completes flags.
pub(crate) fn fish(command: &Command) -> String {
    let line = |verb: &Command| {
        let values = verb.get_positionals().flat_map(Arg::get_possible_values);
        let names: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        let condition = format!("__fish_schuss_using_subcommand {}", verb.get_name());
        (!names.is_empty())
            .then(|| format!("complete -c schuss -n \"{condition}\" -a \"{}\"\n", names.join(" ")))
    };
    command.get_subcommands().filter_map(line).collect()
}

fn text(command: &Command, value: &OsStr) -> Result<String, Error> {
    let wrong = || Error::raw(ErrorKind::InvalidUtf8, "a value is not valid UTF-8\n").with_cmd(command);
    value.to_str().map(str::to_owned).ok_or_else(wrong)
}
