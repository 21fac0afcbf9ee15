//! The verdict in words.

mod certainty;
mod end;
mod looks;
mod race;
mod remarks;

use super::recipe::Recipe;
use crate::record::numbers::{list, loss, percent, plain, plural, seconds, shorten};
use crate::record::{Interval, IntervalKind, Measure, PairVerdict, RecipeVerdict, Summary, Verdict};

/// Largest number of recipes named one by one.
const NAMED: usize = 4;

/// A verdict and what it is about.
pub(super) struct Words<'a> {
    pub(super) summary: &'a Summary,
    pub(super) recipes: &'a [Recipe<'a>],
    pub(super) verdict: &'a Verdict,
    /// What differs, if the recipes cannot be ranked.
    pub(super) unlike: Option<&'static str>,
}

impl Words<'_> {
    /// Returns the sentences, most important first.
    pub(super) fn all(&self) -> Vec<String> {
        if self.recipes.is_empty() {
            return vec![self.no_race()];
        }
        let order = match self.unlike {
            Some(what) => vec![format!(
                "The recipes have different {what}, so they are not ranked: none of them leads."
            )],
            None => self.order(),
        };
        order.into_iter().chain(self.remarks()).collect()
    }

    /// Returns a sentence on a run without a trial that counts.
    fn no_race(&self) -> String {
        let probes = self.summary.trials.probes.len();
        let is_untuned = self.summary.study.untuned || probes > 0 && self.summary.tuning.is_none();
        match (is_untuned, probes) {
            (true, 0) => {
                "The tuning has not ended, so the race has not begun; schuss resume goes on with it."
                    .to_owned()
            }
            (true, _) => format!(
                "The tuning was interrupted after {}, which {} kept, so the race has not begun; schuss resume goes on with \
                 the next probe.",
                plural(probes, "probe"),
                if probes == 1 { "is" } else { "are" }
            ),
            (false, 0) => "No trial has begun.".to_owned(),
            (false, _) => "The race has not begun.".to_owned(),
        }
    }

    /// Returns the order of the recipes, how sure it is, and how they ended.
    fn order(&self) -> Vec<String> {
        let race = if self.verdict.by.is_time() { self.race() } else { self.end(self.verdict) };
        let certainty = self.certainty();
        let end = if self.verdict.by.is_time() { self.after_the_race() } else { vec![] };
        [race, certainty, end, self.firmness()].concat()
    }

    fn is_alone(&self) -> bool {
        self.recipes.len() == 1
    }
}

/// Largest length of a name in a sentence, in characters.
const LONGEST_NAME: usize = 60;

/// Returns a name, shortened for a sentence.
fn called(name: &str) -> String {
    shorten(name, LONGEST_NAME)
}

/// Formats a value of the measure with its unit.
fn amount(by: Measure, value: f64) -> String {
    match by {
        Measure::TrainSeconds => format!("{} s", seconds(value)),
        Measure::Updates => format!("{} updates", plain(value)),
        Measure::EvalLoss => loss(value),
        Measure::EvalAccuracy => format!("{} %", percent(value)),
    }
}

/// Formats both ends of an interval with one unit.
fn span(by: Measure, [low, high]: [f64; 2]) -> String {
    let low = amount(by, low);
    let unit = [" s", " updates", " %"].into_iter().find(|unit| low.ends_with(unit)).unwrap_or_default();
    format!("{} to {}", low.trim_end_matches(unit), amount(by, high))
}

/// Formats the interval of a median: `95 % interval 11 to 14 s`, `range > 12 s`.
fn spread(recipe: &RecipeVerdict, by: Measure) -> Option<String> {
    let Interval { low, high } = recipe.interval?;
    let kind = match recipe.interval_kind {
        IntervalKind::Confidence => "95 % interval",
        IntervalKind::Range => "range",
    };
    Some(match high {
        Some(high) => format!("{kind} {}", span(by, [low, high])),
        None if recipe.reached == 0 => format!("> {}", amount(by, low)),
        None if by.is_time() => format!("{kind} {} to beyond the budget", amount(by, low)),
        None => format!("{kind} {} to diverged", amount(by, low)),
    })
}

/// Formats the interval of a comparison.
fn pair_interval(pair: &PairVerdict, format: impl Fn(f64) -> String) -> String {
    pair.interval.map_or_else(String::new, |[low, high]| {
        format!(" (95 % interval {} to {})", format(low), format(high))
    })
}

/// Names the first few recipes, and how many more there are.
fn named(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let mut shown = names[..names.len() - more].to_vec();
    shown.extend((more > 0).then(|| format!("{more} more")));
    list(&shown)
}

/// Names a few recipes, or counts them.
fn named_or_counted(names: &[String]) -> String {
    if names.len() > NAMED { plural(names.len(), "recipe") } else { list(names) }
}
