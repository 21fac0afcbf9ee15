//! Selection of columns by name, with `--label`, `--columns` and `--drop`.

use super::tally::Role;
use super::{RowSource, Table, shown};
use crate::reader::ReadOptions;
use crate::{Cause, Error, Place, Result, spec};

/// Returns the role of every column of a file.
pub(super) fn roles(source: &dyn RowSource, ask: &ReadOptions, notes: &mut Vec<String>) -> Result<Vec<Role>> {
    let names = source.names();
    let dropped = listed(source, ask.drop.as_deref(), "--drop")?;
    let taken = listed(source, ask.columns.as_deref(), "--columns")?;
    let label = label(source, ask.label.as_deref(), &dropped, notes)?;
    if let Some(name) = label.iter().find(|at| dropped.contains(at)).and_then(|at| names.get(*at)) {
        let what = format!("the label `{}` is also in --drop", shown(name));
        return Err(Error::usage(what)
            .because(Cause::Conflict)
            .at(Place::flag("drop"))
            .advise("choose another --label, or remove it from --drop"));
    }
    let is_taken = |at: &usize| ask.columns.is_none() || taken.contains(at);
    let role = |at: usize| match () {
        () if label.contains(&at) => Role::Label,
        () if dropped.contains(&at) || !is_taken(&at) => Role::Ignored,
        () => Role::Feature,
    };
    let roles: Vec<Role> = (0..names.len()).map(role).collect();
    if !roles.contains(&Role::Feature) {
        let advice = "add feature columns, or use --label none to train on the columns themselves";
        return Err(source.origin().refuse("has no column besides its label").advise(advice));
    }
    notes.extend(left_out(names, &roles));
    Ok(roles)
}

/// Notes the columns left out by name.
fn left_out(names: &[String], roles: &[Role]) -> Option<String> {
    let ignored = names.iter().zip(roles).filter(|(_, role)| **role == Role::Ignored);
    let count = ignored.clone().count();
    let ignored = ignored.map(|(name, _)| format!("`{}`", shown(name)));
    (count > 0).then(|| format!("columns left out, as requested: {}", crate::text::listed(ignored, count)))
}

/// Returns the columns named in a list, by index.
fn listed(source: &dyn RowSource, list: Option<&str>, flag: &str) -> Result<Vec<usize>> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let found = find(source, list);
    if !found.is_empty() {
        return Ok(found);
    }
    let each = list.split(',').map(|name| match find(source, name) {
        none if none.is_empty() => Err(unknown(source, name, flag)),
        found => Ok(found),
    });
    Ok(each.collect::<Result<Vec<_>>>()?.concat())
}

/// Returns the column of a name, or those that a column of lists became.
fn find(source: &dyn RowSource, wanted: &str) -> Vec<usize> {
    let wanted = wanted.trim_ascii();
    let is_so = |name: &String| name == wanted || list_of(name) == Some(wanted);
    source.names().iter().enumerate().filter(|(_, name)| is_so(name)).map(|(at, _)| at).collect()
}

/// Returns `colour` for `colour[2]`, an element of a column of lists.
fn list_of(name: &str) -> Option<&str> {
    let (list, place) = name.strip_suffix(']')?.rsplit_once('[')?;
    (!place.is_empty() && place.bytes().all(|byte| byte.is_ascii_digit())).then_some(list)
}

fn unknown(source: &dyn RowSource, name: &str, flag: &str) -> Error {
    let known: Vec<&str> = source.names().iter().map(String::as_str).take(40).collect();
    spec::unknown("column", name.trim_ascii(), &format!(" for {flag}"), &known)
        .at(source.origin().path.display())
}

/// Returns the label columns, by index; by default the only one named `label` or `target`, else the last that is
/// neither dropped nor an index.
fn label(
    source: &dyn RowSource,
    label: Option<&str>,
    dropped: &[usize],
    notes: &mut Vec<String>,
) -> Result<Vec<usize>> {
    let names = source.names();
    match label {
        Some("none") if find(source, "none").is_empty() => {
            notes.push("label: none".into());
            Ok(Vec::new())
        }
        Some(_) => listed(source, label, "--label"),
        None => {
            let kept = names.iter().enumerate().filter(|(at, _)| !dropped.contains(at)).map(|(_, name)| name);
            let last = kept.rev().find(|name| !source.index().contains(name)).map_or("", String::as_str);
            let last = list_of(last).unwrap_or(last);
            let named = called_label(names, dropped).filter(|named| *named != last);
            notes.push(match named {
                Some(name) => {
                    format!("label: the column `{}`, by its name (--label chooses another)", shown(name))
                }
                None => format!("label: the last column, `{}`", shown(last)),
            });
            Ok(find(source, named.unwrap_or(last)))
        }
    }
}

/// Returns the only column named `label` or `target`, if there is one.
fn called_label<'a>(names: &'a [String], dropped: &[usize]) -> Option<&'a str> {
    let is_so = |name: &str| ["label", "target"].iter().any(|label| name.eq_ignore_ascii_case(label));
    let kept = names.iter().enumerate().filter(|(at, _)| !dropped.contains(at));
    let mut called = kept.map(|(_, name)| name.as_str()).filter(|name| is_so(name));
    called.next().filter(|_| called.next().is_none())
}

/// Refuses a selection of columns that differs from that of the model.
pub(super) fn check(table: &Table, ask: &ReadOptions) -> Result<()> {
    let names = |list: Option<&str>| {
        list.into_iter()
            .flat_map(|list| list.split(','))
            .map(str::trim_ascii)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let reads = |name: &str| table.columns.iter().any(|column| column.name == name);
    let refuse = |what: String, flag: &str| {
        Err(Error::usage(what)
            .because(Cause::Mismatch)
            .at(Place::flag(flag))
            .advise("omit the flag: the columns a model reads are fixed in training"))
    };
    let (taken, dropped) = (names(ask.columns.as_deref()), names(ask.drop.as_deref()));
    if let Some(name) = dropped.iter().find(|name| reads(name)) {
        return refuse(format!("the model reads the column `{}`", shown(name)), "drop");
    }
    if let Some(name) = taken.iter().find(|name| !reads(name)) {
        return refuse(format!("the model does not read the column `{}`", shown(name)), "columns");
    }
    let lacking = table.columns.iter().find(|column| !taken.contains(&column.name));
    match lacking.filter(|_| ask.columns.is_some()) {
        Some(column) => {
            refuse(format!("the model also reads the column `{}`", shown(&column.name)), "columns")
        }
        None => Ok(()),
    }
}
