//! Course of a race: the looks at it, who took part in each, and what they decided.
//!
//! With a fixed number of seeds there is one look, at all trials. With `--seeds auto` the numbers of seeds at the looks
//! are fixed in advance, and after each only the recipes that are not decided against the leader go on. A pair is decided
//! by the first look that decides it; the error of all looks together is that of the level ([`Design::error`]), whoever
//! takes part in which: a pair that is not looked at is not decided wrongly.

use super::comparable::unlike;
use super::design::Design;
use super::ranking::{Pair, Ranking};
use super::recipe::Recipe;
use crate::record::{Look, Measure, NextLook, PairOutcome, PairVerdict, Spending, Status};
use std::collections::BTreeMap;

/// Recipes that are ranked, and how.
#[derive(Clone, Copy)]
pub(super) struct Race<'a> {
    pub(super) recipes: &'a [Recipe<'a>],
    pub(super) by: Measure,
    /// Relative difference up to which two recipes count as equal.
    pub(super) tie: f64,
    pub(super) design: Design,
    /// True if unlike budgets are meant.
    pub(super) own_budgets: bool,
    /// True if runs were merged: recipes that lack seeds of a look then stay out of it, and no run continues.
    pub(super) merged: bool,
}

/// Recipes that take part in a look with their first seeds.
#[derive(Clone, Debug, PartialEq)]
struct Field {
    /// Seeds from 1 to this one; `None` for all.
    seeds: Option<usize>,
    recipes: Vec<usize>,
}

impl Field {
    /// Returns a recipe with its trials up to this look.
    fn entry<'a>(&self, recipe: &Recipe<'a>) -> Recipe<'a> {
        let counts = |seed: u64| self.seeds.is_none_or(|seeds| (1..=seeds as u64).contains(&seed));
        let trials = recipe.trials.iter().copied().filter(|trial| counts(trial.seed)).collect();
        Recipe { trials, ..*recipe }
    }

    /// Returns the recipes that take part, with their trials up to this look.
    fn entries<'a>(&self, recipes: &[Recipe<'a>]) -> Vec<Recipe<'a>> {
        self.recipes.iter().map(|index| self.entry(&recipes[*index])).collect()
    }

    /// Returns true if all of these trials of a recipe have ended.
    fn has_ended(&self, recipe: &Recipe) -> bool {
        let entry = self.entry(recipe);
        let ended =
            entry.trials.iter().filter(|trial| !matches!(trial.status, Status::Interrupted | Status::Failed));
        self.seeds.is_none_or(|seeds| ended.count() == seeds)
    }

    /// Returns the same look without the recipes that lack seeds.
    fn without_incomplete(mut self, recipes: &[Recipe]) -> Self {
        let all = std::mem::take(&mut self.recipes);
        self.recipes = all.into_iter().filter(|index| self.has_ended(&recipes[*index])).collect();
        self
    }

    /// Returns true if all of these trials have ended, and there are recipes to compare if the race has several.
    fn is_complete(&self, recipes: &[Recipe]) -> bool {
        let has_enough = self.recipes.len() >= recipes.len().min(2);
        has_enough && self.recipes.iter().all(|index| self.has_ended(&recipes[*index]))
    }
}

/// Looks at a race that are complete, and the one that would come next.
pub(super) struct Course {
    looks: Vec<Field>,
    /// Records of the looks, if their numbers of seeds are given.
    records: Vec<Look>,
    next: Option<Field>,
    /// Order after all looks.
    pub(super) standing: Standing,
}

/// Order of the recipes after some looks.
#[derive(Clone)]
pub(super) struct Standing {
    /// Probability of each recipe of being the best, as of its last look.
    pub(super) p_best: Vec<Option<f64>>,
    pub(super) leader: Option<usize>,
    pairs: BTreeMap<[usize; 2], PairVerdict>,
}

impl Standing {
    /// Returns the order of `recipes` recipes before any look.
    fn before(recipes: usize) -> Self {
        Self { p_best: vec![None; recipes], leader: None, pairs: BTreeMap::new() }
    }

    /// Takes in a look: the leader and all figures are those of this look, but pairs that are decided stay so.
    fn look(&mut self, field: &Field, race: Race) {
        let entries = field.entries(race.recipes);
        let ranking = Ranking::of(&entries, race.by, race.design);
        self.leader = ranking.leader.map(|leader| field.recipes[leader]);
        for (index, p_best) in field.recipes.iter().zip(&ranking.p_best) {
            self.p_best[*index] = Some(*p_best);
        }
        let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
        for Pair { places, verdict } in ranking.pairs(&names, race.tie, race.pairs()) {
            let places = places.map(|place| field.recipes[place]);
            let known = self.pairs.entry(places).or_insert_with(|| verdict.clone());
            if known.outcome == PairOutcome::Undecided {
                *known = verdict;
            }
        }
    }

    /// Returns the comparisons, in the order of the recipes.
    pub(super) fn pairs(&self) -> Vec<PairVerdict> {
        self.pairs.values().cloned().collect()
    }

    /// Returns the number of pairs that are decided.
    fn decided(&self) -> usize {
        self.pairs.values().filter(|pair| pair.outcome != PairOutcome::Undecided).count()
    }

    /// Returns the outcome of a recipe against another.
    pub(super) fn outcome(&self, a: usize, b: usize) -> PairOutcome {
        let outcome = |places| self.pairs.get(&places).map(|pair| pair.outcome);
        let reversed = || outcome([b, a]).map(PairOutcome::reversed);
        outcome([a, b]).or_else(reversed).unwrap_or(PairOutcome::Undecided)
    }

    /// Returns the leader and the recipes that are not decided against it; empty if there are none, or no leader.
    fn open(&self) -> Vec<usize> {
        let Some(leader) = self.leader else { return vec![] };
        let is_open = |index: &usize| *index == leader || !self.outcome(leader, *index).keeps_lead();
        let open: Vec<usize> = (0..self.p_best.len()).filter(is_open).collect();
        if open.len() > 1 { open } else { vec![] }
    }
}

impl Race<'_> {
    fn names(self, places: &[usize]) -> Vec<String> {
        places.iter().map(|index| self.recipes[*index].name.to_owned()).collect()
    }

    /// Returns the number of pairs of recipes.
    fn pairs(self) -> usize {
        self.recipes.len() * self.recipes.len().saturating_sub(1) / 2
    }
}

impl Course {
    /// Returns the looks at a race, at these numbers of seeds; at all trials if there are none.
    pub(super) fn of(race: Race, looks: &[usize]) -> Self {
        let standing = Standing::before(race.recipes.len());
        let mut course = Self { looks: vec![], records: vec![], next: None, standing };
        let mut open: Vec<usize> = (0..race.recipes.len()).collect();
        if looks.is_empty() {
            course.enter(Field { seeds: None, recipes: open }, race);
            return course;
        }
        for seeds in looks {
            let field = Field { seeds: Some(*seeds), recipes: open };
            let field = if race.merged { field.without_incomplete(race.recipes) } else { field };
            if !field.is_complete(race.recipes) {
                course.next = Some(field).filter(|_| !race.merged);
                break;
            }
            course.enter(field, race);
            open = if unlike(race.recipes, race.own_budgets).is_some() {
                vec![]
            } else {
                course.standing.open()
            };
            if open.is_empty() {
                break;
            }
        }
        course
    }

    /// Adds a look.
    fn enter(&mut self, field: Field, race: Race) {
        let before = self.standing.decided();
        self.standing.look(&field, race);
        let record = |seeds| Look {
            seeds,
            error: race.design.error(),
            recipes: race.names(&field.recipes),
            leader: self.standing.leader.map(|leader| race.recipes[leader].name.to_owned()),
            decided: self.standing.decided() - before,
        };
        self.records.extend(field.seeds.map(record));
        self.looks.push(field);
    }

    /// Returns the order by another measure after the same looks.
    pub(super) fn standing_by(&self, race: Race) -> Standing {
        let mut standing = Standing::before(race.recipes.len());
        self.looks.iter().for_each(|field| standing.look(field, race));
        standing
    }

    /// Returns the recipes with the trials that counted; with all trials before the first look.
    pub(super) fn counted<'a>(&self, recipes: &[Recipe<'a>]) -> Vec<Recipe<'a>> {
        let counted = |(index, recipe): (usize, &Recipe<'a>)| {
            let last = self.looks.iter().rfind(|field| field.recipes.contains(&index));
            last.map_or_else(|| recipe.clone(), |field| field.entry(recipe))
        };
        recipes.iter().enumerate().map(counted).collect()
    }

    /// Returns the recipes that took part in the last look, with their trials.
    pub(super) fn last<'a>(&self, recipes: &[Recipe<'a>]) -> Vec<Recipe<'a>> {
        self.looks.last().map_or_else(Vec::new, |field| field.entries(recipes))
    }

    /// Returns the record of looks at these numbers of seeds.
    pub(super) fn spending(&self, race: Race) -> Spending {
        let next = self
            .next
            .as_ref()
            .and_then(|field| Some(NextLook { seeds: field.seeds?, recipes: race.names(&field.recipes) }));
        let spent = self.records.iter().map(|look| look.error).sum();
        Spending { looks: self.records.clone(), spent, next }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{hits, missed, summary};
    use crate::record::{NextLook, PairOutcome, ResampledRecord, Status, Summary, TrialRecord, Verdict};
    use crate::study::Tie;
    use crate::study::seeds::LOOKS;

    /// Times of three recipes with a seed: the second is about 15 % slower than the first, the third three times as slow.
    fn seconds(name: &str, seed: u64) -> f64 {
        let noise = |step: u64| 0.04 * ((seed * step % 7) as f64 - 3.0);
        match name {
            "adam" => 1.0 + noise(3) / 2.0,
            "sgd" => 1.15 * (1.0 + noise(5) / 2.0),
            _ => 3.0 + noise(2),
        }
    }

    fn trial(name: &str, seed: u64) -> TrialRecord {
        let mut trial = hits(name, &[seconds(name, seed)]).remove(0);
        trial.seed = seed;
        trial
    }

    fn auto(trials: Vec<TrialRecord>) -> Summary {
        let mut summary = summary(trials);
        summary.study.looks = LOOKS.to_vec();
        summary
    }

    fn verdict(summary: &Summary) -> Verdict {
        Verdict::of(summary, Tie::default())
    }

    fn next(verdict: &Verdict) -> Option<NextLook> {
        verdict.spending.as_ref().unwrap().next.clone()
    }

    const NAMES: [&str; 3] = ["adam", "sgd", "slow"];

    fn first(seeds: u64) -> Vec<TrialRecord> {
        (1..=seeds).flat_map(|seed| NAMES.map(|name| trial(name, seed))).collect()
    }

    /// Adds trials as a run does, look by look.
    fn run() -> (Summary, Verdict) {
        let mut trials = first(3);
        loop {
            let summary = auto(trials.clone());
            let verdict = verdict(&summary);
            let Some(NextLook { seeds, recipes }) = next(&verdict) else { return (summary, verdict) };
            let has = |name: &str, seed| trials.iter().any(|trial| trial.name == name && trial.seed == seed);
            let wanted =
                |seed| recipes.iter().filter(move |name| !has(name, seed)).map(move |name| trial(name, seed));
            let more: Vec<TrialRecord> = (1..=seeds as u64).flat_map(wanted).collect();
            assert!(!more.is_empty());
            trials.extend(more);
        }
    }

    #[test]
    fn seeds_are_added_to_the_recipes_that_are_not_decided_until_the_leader_is_sure() {
        let (summary, verdict) = run();
        let spending = verdict.spending.clone().unwrap();
        let seeds: Vec<usize> = spending.looks.iter().map(|look| look.seeds).collect();
        assert!(seeds.len() > 1 && LOOKS.starts_with(&seeds), "{seeds:?}");
        assert_eq!((verdict.leader.as_deref(), verdict.sure), (Some("adam"), true));
        assert_eq!(spending.looks[0].recipes, NAMES);
        assert_eq!(
            (spending.looks[0].decided, &*spending.looks[1].recipes),
            (2, &["adam".into(), "sgd".into()][..])
        );
        assert!((spending.spent - 0.01 * seeds.len() as f64).abs() < 1e-12);
        let trials: Vec<usize> = verdict.recipes.iter().map(|recipe| recipe.trials).collect();
        assert_eq!(trials, [seeds[seeds.len() - 1], seeds[seeds.len() - 1], 3]);
        assert_eq!(verdict.recipes.iter().filter(|recipe| recipe.p_best.is_some()).count(), 3);
        let mut turned = summary.trials.clone();
        turned
            .sort_by_key(|trial| (NAMES.iter().position(|name| *name == trial.name), u64::MAX - trial.seed));
        let turned = self::verdict(&auto(turned.to_vec()));
        assert_eq!(
            (turned.leader, turned.spending),
            (verdict.leader, Some(spending)),
            "a function of the trials alone"
        );
    }

    #[test]
    fn trials_of_a_look_that_is_not_complete_change_nothing() {
        let three = verdict(&auto(first(3)));
        let mut more = first(3);
        more.push(trial("adam", 4));
        more.push(TrialRecord { status: Status::Interrupted, ..trial("sgd", 4) });
        let interrupted = verdict(&auto(more));
        assert_eq!(interrupted.pairs, three.pairs);
        assert_eq!(
            next(&interrupted),
            Some(NextLook { seeds: 5, recipes: vec!["adam".into(), "sgd".into()] })
        );
        assert!(
            interrupted.sentences.iter().any(|one| one.contains("the next one, at 5 seeds, is not complete"))
        );
        assert!(!interrupted.sure && interrupted.leader.as_deref() == Some("adam"));
    }

    #[test]
    fn before_the_first_look_is_complete_nothing_is_decided() {
        let verdict = verdict(&auto(first(2)));
        assert_eq!((verdict.leader.clone(), verdict.sure, verdict.pairs.len()), (None, false, 0));
        assert_eq!(next(&verdict).unwrap().recipes, NAMES);
        let words = verdict.sentences.join(" ");
        assert!(words.contains("The first look, at 3 seeds, is not complete"), "{words}");
    }

    #[test]
    fn the_error_of_one_look_is_a_fifth_and_its_p_values_are_adjusted_for_that() {
        let two = |summary: fn(Vec<TrialRecord>) -> Summary| {
            verdict(&summary(
                (1..=3).flat_map(|seed| ["adam", "sgd"].map(|name| trial(name, seed))).collect(),
            ))
        };
        let (fixed, auto) = (two(summary).pairs.remove(0), two(auto).pairs.remove(0));
        assert!((auto.p.unwrap() - (5.0 * fixed.p.unwrap()).min(1.0)).abs() < 1e-12);
        let width = |ends: [f64; 2]| (ends[1] / ends[0]).ln();
        let factor = width(auto.interval.unwrap()) / width(fixed.interval.unwrap());
        assert!((factor - 9.924_843_200_918_291 / 4.302_652_729_749_462).abs() < 1e-9, "{factor}");
    }

    #[test]
    fn no_seeds_are_added_where_nobody_leads_or_there_is_nobody_to_beat() {
        let misses: Vec<TrialRecord> =
            (1..=3).flat_map(|seed| ["adam", "sgd"].map(|name| missed(name, seed))).collect();
        let nobody = verdict(&auto(misses));
        assert_eq!((next(&nobody), nobody.spending.unwrap().looks.len()), (None, 1));
        assert!(nobody.sentences.iter().any(|one| one.contains("without a leader no seeds were added")));
        let alone = verdict(&auto((1..=3).map(|seed| trial("adam", seed)).collect()));
        assert_eq!((next(&alone), alone.recipes[0].trials), (None, 3));
    }

    #[test]
    fn recipes_that_stay_undecided_end_at_20_seeds() {
        let twin = |name: &str, seed: u64| {
            let time = 1.0 + 0.2 * ((seed * if name == "a" { 3 } else { 5 } % 7) as f64 - 3.0) / 3.0;
            let mut trial = hits(name, &[time]).remove(0);
            trial.seed = seed;
            trial
        };
        let twins =
            verdict(&auto((1..=20).flat_map(|seed| ["a", "b"].map(|name| twin(name, seed))).collect()));
        assert_eq!((next(&twins), twins.sure), (None, false));
        assert_eq!(twins.pairs[0].outcome, PairOutcome::Undecided);
        assert!(twins.sentences.iter().any(|one| one.ends_with("no seeds are added after that.")));
    }

    #[test]
    fn splits_that_overlap_make_p_values_larger_and_are_said() {
        let mut resampled = summary(first(5));
        let independent = verdict(&resampled);
        resampled.data.counts.train = 400;
        let drawn = ResampledRecord { folds: Some("5".into()), splits: vec!["test".into()] };
        resampled.data.resampled = Some(drawn);
        let folds = verdict(&resampled);
        assert!(folds.pairs[0].p > independent.pairs[0].p);
        assert_eq!(folds.seed_varies, "initial weights, order of samples and the held-out fold (5 folds)");
        assert!(folds.sentences.iter().any(|one| one.contains("corrected resampled t test")));
    }
}
