//! The verdict on recipes that were tuned: each at its best, and all at the same learning rate.

use super::recipe::Recipe;
use super::tie::Tie;
use crate::record::numbers::{list, plain, seconds};
use crate::record::{Measure, Summary, TrialRecord, TunedRecipe, TuningCost, TuningRecord, Verdict};

/// Returns the verdict on every recipe at its best, with that at the same rate in it, if there is one.
pub(super) fn verdict(summary: &Summary, tuning: &TuningRecord, recipes: &[Recipe], tie: Tie) -> Verdict {
    let among = |name: fn(&TunedRecipe) -> Option<&String>| {
        let those = recipes.iter().filter_map(|recipe| {
            let is_it = |tuned: &&TunedRecipe| name(tuned).is_some_and(|name| name == recipe.name);
            let tuned = tuning.recipes.iter().find(is_it)?;
            let recipe = recipe.clone();
            Some(if tuning.counts { after_tuning(recipe, tuned, &summary.trials.probes) } else { recipe })
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

/// Returns a recipe whose times include that of its tuning.
fn after_tuning<'a>(recipe: Recipe<'a>, tuned: &TunedRecipe, probes: &[TrialRecord]) -> Recipe<'a> {
    let probes = probes.iter().filter(|probe| probe.name == tuned.name).collect();
    Recipe { tuning: tuned.cost, tuning_error: error(probes) * tuned.cost.train_seconds, ..recipe }
}

/// Returns the relative standard error of the seconds that probes took together. Among n probes of the same length and
/// update rule, t seconds in all for u updates, a probe of uᵢ updates is expected to take tᵢ = uᵢ t / u seconds; the
/// variance of t is then that of so many independent ones, Σ (secondsᵢ − tᵢ)² n / (n − 1). 1 if no two probes are alike:
/// nothing then shows how exact one is.
fn error(mut probes: Vec<&TrialRecord>) -> f64 {
    let kind = |probe: &TrialRecord| (probe.budget.updates, probe.recipe.get("update"));
    probes.sort_by_key(|probe| kind(probe));
    let alike = probes.chunk_by(|a, b| kind(a) == kind(b)).filter(|probes| probes.len() > 1);
    let (mut seconds, mut variance) = (0.0, 0.0);
    for probes in alike {
        let (n, total) = (probes.len() as f64, TuningCost::of(probes.iter().copied()));
        let expected =
            |probe: &TrialRecord| probe.updates as f64 * total.train_seconds / total.updates.max(1) as f64;
        let squares = probes.iter().map(|probe| (probe.train_seconds - expected(probe)).powi(2));
        variance += squares.sum::<f64>() * n / (n - 1.0);
        seconds += total.train_seconds;
    }
    if seconds > 0.0 { variance.sqrt() / seconds } else { 1.0 }
}

/// Returns a sentence on the time of the tuning, if it counts.
fn counted(tuning: &TuningRecord, by: Measure) -> Option<String> {
    let cost = |recipe: &TunedRecipe| match by {
        Measure::TrainSeconds => format!("{} s for {}", seconds(recipe.cost.train_seconds), recipe.name),
        _ => format!("{} updates for {}", plain(recipe.cost.updates as f64), recipe.name),
    };
    let costs: Vec<String> = tuning.recipes.iter().map(cost).collect();
    let is_measured = by == Measure::TrainSeconds;
    let noise = if is_measured { "; intervals are wider by the noise of that one measurement" } else { "" };
    (tuning.counts && by.is_time())
        .then(|| format!("Times include that of the tuning: {}{noise}.", list(&costs)))
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
    use crate::record::{PairVerdict, Role};
    use crate::study::verdict::tests::{hits, missed, summary};

    /// Probes of 100 updates that took this long.
    fn probes(name: &str, seconds: &[f64]) -> Vec<TrialRecord> {
        let probe = |(seed, seconds): (u64, &f64)| {
            let probe = missed(name, seed);
            TrialRecord { role: Role::Probe, updates: 100, train_seconds: *seconds, ..probe }
        };
        (1..).zip(seconds).map(probe).collect()
    }

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
        let seconds =
            |from: f64| [0.9_f64, 1.0, 1.1, 0.95, 1.05].map(|factor| from * factor.powf(1.0 + 0.1 * from));
        let trials = [("A best", 1.0), ("B best", 2.0), ("A slow", 4.0)];
        let trials = trials.map(|(name, from)| hits(name, &seconds(from))).concat();
        let mut summary = Summary { tuning: Some(tuning), ..summary(trials) };
        summary.trials.probes = [probes("A", &[4.4, 4.6]), probes("B", &[0.49, 0.51])].concat();
        Verdict::of(&summary, Tie::default())
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
            words.contains(
                "Times include that of the tuning: 9.00 s for A and 1.00 s for B; intervals are wider"
            ),
            "{words}"
        );
    }

    /// By hand: 2 probes of 1 and 3 s vary by √(2 · 2 / 1) = 2 s about the 4 s that they take together; a probe of half the
    /// updates is expected to take half as long.
    #[test]
    fn the_error_of_the_time_of_a_tuning_is_that_of_so_many_independent_probes() {
        let of = |probes: &[TrialRecord]| error(probes.iter().collect());
        assert!((of(&probes("A", &[1.0, 3.0])) - 0.5).abs() < 1e-12);
        assert!(of(&probes("A", &[2.0; 9])) < 1e-12);
        let mut halved = probes("A", &[2.0, 1.0]);
        halved[1].updates = 50;
        assert!(of(&halved) < 1e-12);
        halved[1].budget.updates = 50;
        assert_eq!((of(&halved), of(&[])), (1.0, 1.0), "none is like another");
    }

    #[test]
    fn one_noisy_tuning_is_not_made_sure_by_seeds_that_add_the_same_time() {
        let pair = |spread: f64| -> PairVerdict {
            let seconds = |from: f64| [from - spread, from + spread, from, from];
            let probes = [probes("A", &seconds(3.0)), probes("B", &seconds(2.0))].concat();
            let recipe = |name: &str| TunedRecipe {
                name: name.to_owned(),
                at_best: format!("{name} best"),
                cost: TuningCost::of(probes.iter().filter(|probe| probe.name == name)),
                ..TunedRecipe::default()
            };
            let recipes = vec![recipe("A"), recipe("B")];
            let tuning = TuningRecord { counts: true, recipes, ..TuningRecord::default() };
            let times = [1.0, 1.1, 0.9, 1.05, 0.95];
            let mut summary = summary([hits("A best", &times), hits("B best", &times)].concat());
            (summary.trials.probes, summary.tuning) = (probes, Some(tuning));
            Verdict::of(&summary, Tie::default()).pairs[0].clone()
        };
        let (exact, noisy) = (pair(0.01), pair(1.5));
        assert!(exact.p.unwrap() < 0.001 && noisy.p.unwrap() > 0.1, "{exact:?} {noisy:?}");
        let width = |pair: &PairVerdict| pair.interval.map(|[low, high]| high / low).unwrap();
        assert!(width(&exact) < 1.1 && width(&noisy) > 2.0, "{exact:?} {noisy:?}");
    }
}
