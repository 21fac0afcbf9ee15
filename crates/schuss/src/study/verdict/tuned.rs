//! The verdict on recipes that were tuned: each at its best, and all at the same learning rate.

use super::recipe::Recipe;
use super::tie::Tie;
use crate::record::numbers::{list, plain, seconds};
use crate::record::{Measure, Summary, TunedRecipe, TuningCost, TuningRecord, Verdict};

/// Returns the verdict on every recipe at its best, with that at the same rate in it, if there is one.
pub(super) fn verdict(summary: &Summary, tuning: &TuningRecord, recipes: &[Recipe], tie: Tie) -> Verdict {
    let among = |name: fn(&TunedRecipe) -> Option<&String>| {
        let those = recipes.iter().filter_map(|recipe| {
            let is_it = |tuned: &&TunedRecipe| name(tuned).is_some_and(|name| name == recipe.name);
            let cost = tuning.recipes.iter().find(is_it)?.cost;
            let tuning = if tuning.counts { cost } else { TuningCost::default() };
            Some(Recipe { tuning, ..recipe.clone() })
        });
        Verdict::among(summary, those.collect(), tie)
    };
    let mut verdict = among(|recipe| Some(&recipe.at_best));
    verdict.sentences.extend(counted(tuning, verdict.by));
    if tuning.same_rate.is_some() {
        let same_rate = among(|recipe| recipe.at_same_rate.as_ref());
        verdict.sentences.extend(sentence(tuning, &verdict, &same_rate));
        verdict.same_rate = Some(Box::new(same_rate));
    }
    verdict
}

/// Returns a sentence on the time of the tuning, if it counts.
fn counted(tuning: &TuningRecord, by: Measure) -> Option<String> {
    let cost = |recipe: &TunedRecipe| match by {
        Measure::TrainSeconds => format!("{} s for {}", seconds(recipe.cost.train_seconds), recipe.name),
        _ => format!("{} updates for {}", plain(recipe.cost.updates as f64), recipe.name),
    };
    let costs: Vec<String> = tuning.recipes.iter().map(cost).collect();
    (tuning.counts && by.is_time()).then(|| format!("Times include that of the tuning: {}.", list(&costs)))
}

/// Returns a sentence on the order at the same rate, and whether it has another leader.
fn sentence(tuning: &TuningRecord, best: &Verdict, same: &Verdict) -> Option<String> {
    let at = format!("At the same learning rate, {}", tuning.same_rate?);
    let Some(leader) = &same.leader else { return Some(format!("{at}, none of the recipes leads.")) };
    let is_leader = |recipe: &&TunedRecipe| recipe.at_same_rate.as_ref() == Some(leader);
    let at_best = tuning.recipes.iter().find(is_leader).map(|recipe| &recipe.at_best);
    let (word, sure) = (
        if at_best == best.leader.as_ref() { "leads too" } else { "leads instead: the two orders disagree" },
        if same.sure { "" } else { ", which is not sure" },
    );
    Some(format!("{at}, {leader} {word}{sure}."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::verdict::tests::{hits, summary};

    /// Two recipes, tuned: A is faster at its best, B at the same rate, which is the best of B.
    fn tuned(counts: bool, same_rate: &str) -> Verdict {
        let recipe = |name: &str, at_same_rate: &str, seconds: f64| TunedRecipe {
            name: name.to_owned(),
            at_best: format!("{name} best"),
            at_same_rate: Some(at_same_rate.to_owned()),
            cost: TuningCost { probes: 9, updates: 100, train_seconds: seconds },
            ..TunedRecipe::default()
        };
        let tuning = TuningRecord {
            counts,
            same_rate: Some(0.1),
            recipes: vec![recipe("A", same_rate, 9.0), recipe("B", "B best", 1.0)],
            ..TuningRecord::default()
        };
        let seconds = |from: f64| [0.9, 1.0, 1.1, 0.95, 1.05].map(|factor| from * factor);
        let trials = [("A best", 1.0), ("B best", 2.0), ("A slow", 4.0)];
        let trials = trials.map(|(name, from)| hits(name, &seconds(from))).concat();
        Verdict::of(&Summary { tuning: Some(tuning), ..summary(trials) }, Tie::default())
    }

    #[test]
    fn recipes_are_compared_at_their_best_and_at_the_same_rate_and_disagreement_is_said() {
        let verdict = tuned(false, "A slow");
        let names =
            |verdict: &Verdict| verdict.recipes.iter().map(|recipe| recipe.name.clone()).collect::<Vec<_>>();
        assert_eq!(
            (verdict.leader.as_deref(), names(&verdict)),
            (Some("A best"), vec!["A best".into(), "B best".into()])
        );
        let same = verdict.same_rate.as_ref().unwrap();
        assert_eq!(
            (same.leader.as_deref(), names(same)),
            (Some("B best"), vec!["B best".into(), "A slow".into()])
        );
        let words = verdict.sentences.join(" ");
        assert!(
            words.contains("At the same learning rate, 0.1, B best leads instead: the two orders disagree."),
            "{words}"
        );
        let words = tuned(false, "A best").sentences.join(" ");
        assert!(words.contains("At the same learning rate, 0.1, A best leads too."), "{words}");
    }

    #[test]
    fn the_time_of_the_tuning_counts_on_request_and_can_change_the_leader() {
        let verdict = tuned(true, "A slow");
        let median = |name: &str| verdict.recipes.iter().find(|recipe| recipe.name == name).unwrap().median;
        assert_eq!((median("A best"), median("B best")), (Some(10.0), Some(3.0)));
        assert_eq!(verdict.leader.as_deref(), Some("B best"));
        let words = verdict.sentences.join(" ");
        assert!(
            words.contains("Times include that of the tuning: 9.00 s for A and 1.00 s for B."),
            "{words}"
        );
    }
}
