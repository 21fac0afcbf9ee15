//! Values at the end of the budget.

use super::{Words, amount, called, spread};
use crate::record::numbers::{loss, percent, significant};
use crate::record::{Group, Measure, PairVerdict, RecipeVerdict, Spread, Verdict};

impl Words<'_> {
    /// Returns who ended with the best value.
    pub(super) fn end(&self, verdict: &Verdict) -> Vec<String> {
        if self.is_alone() {
            return self.alone_at_the_end().into_iter().collect();
        }
        let ranked = verdict.ranked();
        let Some(first) = ranked.first().filter(|first| first.median.is_some()) else { return vec![] };
        let split = &self.summary.data.eval_split;
        let measure = match verdict.by {
            Measure::EvalAccuracy => "highest",
            _ => "lowest",
        };
        let value = self.value(verdict.by);
        let figure = first.median.map_or_else(String::new, |median| amount(verdict.by, median));
        let unlike = (verdict.by == Measure::EvalAccuracy).then(|| {
            "Trained on different losses, which cannot be compared with each other: ranked by accuracy."
                .to_owned()
        });
        let lead = format!(
            "{} has the {measure} {split} {value} after its last update: {figure}{}{}{}.",
            called(&first.name),
            self.over_seeds(first, verdict.by),
            self.beside(&first.name, verdict.by),
            ranked.get(1).map_or_else(String::new, |second| next(verdict, first, second)),
        );
        [Some(lead), unlike, self.tested(&first.name)].into_iter().flatten().collect()
    }

    /// Returns the values that a single recipe ended with.
    pub(super) fn alone_at_the_end(&self) -> Option<String> {
        let recipe = self.verdict.recipes.first()?;
        let split = &self.summary.data.eval_split;
        let Spread { median, low, high, n } = recipe.last.eval_loss?;
        let range = if n > 1 {
            format!(" (median of {n} seeds; {} to {})", loss(low), loss(high))
        } else {
            String::new()
        };
        let ended = format!(
            "{} ended with a {split} loss of {}{range}{}.",
            called(&recipe.name),
            loss(median),
            self.beside(&recipe.name, Measure::EvalLoss)
        );
        Some(std::iter::once(ended).chain(self.tested(&recipe.name)).collect::<Vec<_>>().join(" "))
    }

    /// Returns the number of seeds with the interval of their median, for several seeds: of those that ended or diverged.
    fn over_seeds(&self, recipe: &RecipeVerdict, by: Measure) -> String {
        let own = self.recipes.iter().find(|own| own.name == recipe.name);
        let seeds = own.map_or(0, |own| by.racer(own).entries.len());
        if seeds <= 1 {
            return String::new();
        }
        let spread = spread(recipe, by).map_or_else(String::new, |spread| format!("; {spread}"));
        format!(" (median of {seeds} seeds{spread})")
    }

    fn value(&self, by: Measure) -> &'static str {
        if by == Measure::EvalAccuracy { "accuracy" } else { "loss" }
    }

    fn group(&self, name: &str) -> Option<&Group> {
        self.summary.groups.iter().find(|group| group.name == name)
    }

    /// Returns further values of a recipe beside the one that ranks it: accuracy with its baseline, SSIM, r².
    fn beside(&self, name: &str, by: Measure) -> String {
        let chance = || {
            let alone = |chance| format!(" ({} alone: {} %)", self.summary.most_common(), percent(chance));
            self.summary.chance().map_or_else(String::new, alone)
        };
        if by == Measure::EvalAccuracy {
            return chance();
        }
        let Some(group) = self.group(name) else { return String::new() };
        let accuracy =
            group.eval_accuracy.map(|spread| format!(", accuracy {} %{}", percent(spread.median), chance()));
        let quality = [("ssim", "SSIM"), ("r2", "r²")].into_iter().filter_map(|(key, word)| {
            Some(format!(", {word} {}", significant(group.metrics.get(key)?.median, 3)))
        });
        accuracy.into_iter().chain(quality).collect()
    }

    /// Returns the result on the test split of the recipe that is best on the validation split, if there is one.
    fn tested(&self, name: &str) -> Option<String> {
        let group = self.group(name).filter(|_| self.summary.data.eval_split != "test")?;
        let accuracy = group
            .test_accuracy
            .map_or_else(String::new, |spread| format!(", accuracy {} %", percent(spread.median)));
        let value = loss(group.test_loss?.median);
        Some(format!("On the test split, evaluated once at its end: loss {value}{accuracy}."))
    }
}

/// Returns the next best value and how far it is.
fn next(verdict: &Verdict, first: &RecipeVerdict, second: &RecipeVerdict) -> String {
    let Some(median) = second.median else { return String::new() };
    if first.median == Some(median) {
        return format!("; {} has the same", called(&second.name));
    }
    let next = format!("; next is {} with {}", called(&second.name), amount(verdict.by, median));
    let pair = verdict.pair(&first.name, &second.name);
    let difference = |pair: &PairVerdict| {
        let (difference, [low, high]) = (pair.difference?, pair.interval?);
        // the interval as seen in that direction
        let (way, low, high) = if difference < 0.0 { ("lower", -high, -low) } else { ("higher", low, high) };
        let size = |value: f64| match verdict.by {
            Measure::EvalAccuracy => significant(100.0 * value, 2),
            _ => loss(value),
        };
        let signed = |value: f64| if value < 0.0 { format!("−{}", size(-value)) } else { size(value) };
        let unit = if verdict.by == Measure::EvalAccuracy { " points" } else { "" };
        let (difference, low, high) = (size(difference.abs()), signed(low), signed(high));
        Some(format!(", {difference}{unit} {way} (95 % interval {low} to {high})"))
    };
    next + &pair.as_ref().and_then(difference).unwrap_or_default()
}
