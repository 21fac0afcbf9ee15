//! `schuss report`.

use crate::compare::deliver;
use crate::progress::say;
use crate::terminal::Screen;
use schuss::Result;
use schuss::record::{Summary, Verdict};
use schuss::study::{Tie, to_json};
use schuss_report::table::{self, Extent};
use std::path::PathBuf;

/// Prints the verdict of runs, made anew from their summaries.
pub(crate) fn run(
    runs: &[PathBuf],
    tie: Option<Tie>,
    verbose: bool,
    json: bool,
    screen: &Screen,
) -> Result<()> {
    let mut read = runs.iter().map(|run| Summary::read(run));
    let first = read.next().unwrap_or_else(|| Err(schuss::Error::usage("no run was given")))?;
    let before = first.verdict.as_ref().and_then(|verdict| Tie::new(verdict.tie).ok());
    let mut summary = read.try_fold(first, |summary, other| summary.merge(other?))?;
    summary.verdict = Some(Verdict::of(&summary, tie.or(before).unwrap_or_default()));
    if json {
        return deliver(&to_json(&summary)?);
    }
    summary.warnings.iter().for_each(|warning| say(true, &format!("warning: {warning}")));
    if summary.trials.is_empty() && summary.surfaces.is_empty() {
        say(true, "no trial of the run has ended: schuss resume continues it");
    }
    let extent = if verbose { Extent::All } else { Extent::Verdict };
    deliver(&table::overview(&summary, screen.table_width(), extent))
}
