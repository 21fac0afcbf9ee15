//! Table of a tuning: what was chosen for every recipe, the width of its good basin, and the cost.

use crate::recipes::LONGEST_NAME;
use crate::tables::{Table, owned};
use crate::text::{NONE, count, loss, or_none, seconds, shorten, significant};
use schuss::record::{Bounds, JudgedBy, ProbePoint, TunedRecipe, TuningRecord};

/// Creates the table of a tuning, one row per recipe.
pub(crate) fn table(tuning: &TuningRecord) -> Table {
    let measures = ["by", "loss", "good from", "to", "width", "probes", "updates", "s"];
    let same_rate = tuning.same_rate.map(|rate| format!("; the same rate for all: {rate}"));
    Table {
        title: "Tuning".to_owned(),
        note: format!(
            "by: chosen by the loss or, where probes reached it, by the time to the target; loss: of the best probe; good: \
             rates around the best, at most 10 % above the lowest loss or shortest time, width: the highest over the lowest{}",
            same_rate.unwrap_or_default()
        ),
        names: 1,
        head: [&owned(["recipe"])[..], &tuning.keys, &owned(measures)].concat(),
        rows: tuning.recipes.iter().map(|recipe| row(&tuning.keys, recipe)).collect(),
        folded: false,
        detail: false,
    }
}

fn row(keys: &[String], recipe: &TunedRecipe) -> Vec<String> {
    let chosen = keys.iter().map(|key| or_none(recipe.chosen.get(key).copied(), |value| value.to_string()));
    let good = match recipe.good_rates {
        Some(Bounds { low, high }) => {
            [significant(low, 2), significant(high, 2), format!("{} x", significant(high / low, 2))]
        }
        None => owned([NONE, NONE, NONE]),
    };
    let cost = recipe.cost;
    let name = shorten(&recipe.name, LONGEST_NAME);
    let cost = [count(cost.probes as u64), count(cost.updates), seconds(cost.train_seconds)];
    let by = match recipe.judged_by {
        JudgedBy::Target => "target",
        _ => "loss",
    };
    let loss = or_none(best(recipe).and_then(|probe| probe.loss), loss);
    [name].into_iter().chain(chosen).chain([by.to_owned(), loss]).chain(good).chain(cost).collect()
}

/// Returns the longest probe at the values that were chosen.
fn best(recipe: &TunedRecipe) -> Option<&ProbePoint> {
    let at_chosen = recipe.probes.iter().filter(|probe| probe.values == recipe.chosen);
    at_chosen.max_by_key(|probe| probe.updates)
}
