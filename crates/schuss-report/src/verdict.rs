//! Summary of a run in sentences: which recipe was first, how certain that is, which diverged.

use crate::{
    recipes::{self, Recipe, recipes},
    tables::target_words,
    text::{count, list, loss, percent, plural, seconds, significant},
};
use schuss::record::{
    Evaluation, PathRecord, Spread, Status, Summary, SurfaceRecord, TargetRecord, Timing, TrialRecord,
};

/// Returns the verdict, most important sentence first. Empty if nothing was run.
pub fn verdict(summary: &Summary) -> Vec<String> {
    let all = recipes(summary, &[]);
    let mut sentences = Vec::new();
    if !all.is_empty() {
        let (distinct, same) = distinct(summary, &all);
        match unlike(&distinct) {
            Some(why) => sentences.push(why),
            None => {
                sentences.extend(first_at_target(summary, &distinct));
                let ends = at_the_end(summary, &distinct);
                let same_loss = ends.len() == 1;
                sentences.extend(ends);
                sentences.extend(tested(summary, &distinct).filter(|_| same_loss));
            }
        }
        sentences.extend(same);
        sentences.extend(nothing_learned(&all));
        sentences.extend(diverged(&all));
        sentences.extend(certainty(summary, &distinct));
    }
    sentences.extend(summary.surfaces.iter().filter_map(lowest_on_surface));
    sentences
}

/// Returns the recipes that differ in more than their names, and a sentence for each group of identical ones.
fn distinct<'a, 'b>(summary: &Summary, all: &'b [Recipe<'a>]) -> (Vec<&'b Recipe<'a>>, Vec<String>) {
    let mut distinct: Vec<(&Recipe, Vec<&str>)> = vec![];
    for recipe in all {
        let is_first = |(other, _): &&mut (&Recipe, Vec<&str>)| {
            other.runs[0].trial.is_same_recipe(recipe.runs[0].trial, summary.data.counts.train)
        };
        match distinct.iter_mut().find(is_first) {
            Some((_, same)) => same.push(&recipe.name),
            None => distinct.push((recipe, vec![])),
        }
    }
    let same = distinct.iter().filter(|(_, same)| !same.is_empty());
    let sentences = same.map(|(first, same)| {
        const NAMED: usize = 3;
        let more = same.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {} more", count(more as u64)) } else { String::new() };
        format!(
            "{} and {}{more} are the same recipe on {} samples: they are not ranked against each other.",
            first.name,
            same[..same.len().min(NAMED)].join(", "),
            count(summary.data.counts.train as u64)
        )
    });
    let sentences = sentences.collect();
    (distinct.into_iter().map(|(first, _)| first).collect(), sentences)
}

/// Returns a trial of the recipe, for settings that all its trials share.
fn trial<'a>(recipe: &Recipe<'a>) -> &'a TrialRecord {
    recipe.runs[0].trial
}

/// Returns the reason if recipes cannot be ranked: targets, budgets, losses or kinds of targets differ.
fn unlike(recipes: &[&Recipe]) -> Option<String> {
    let (first, others) = recipes.split_first()?;
    let goal = |recipe: &Recipe| {
        target(recipe).map(|target| (target.metric.clone(), target.op.clone(), target.value))
    };
    let differs = |what: &dyn Fn(&Recipe) -> bool| others.iter().any(|other| what(other));
    let what = if differs(&|other| goal(other) != goal(first)) {
        "targets"
    } else if differs(&|other| !trial(other).budget.is_like(&trial(first).budget)) {
        "budgets"
    } else if target(first).is_some_and(|target| target.metric.ends_with("loss"))
        && differs(&|other| trial(other).recipe.get("loss") != trial(first).recipe.get("loss"))
    {
        "losses, and the target is a bound on the loss"
    } else if differs(&|other| trial(other).recipe.get("targets") != trial(first).recipe.get("targets")) {
        "kinds of targets"
    } else {
        return None;
    };
    Some(format!("The recipes have different {what}, so they are not ranked: none of them leads."))
}

/// Returns a sentence on the paths that ended lowest and highest on a surface.
fn lowest_on_surface(surface: &SurfaceRecord) -> Option<String> {
    let end = |path: &PathRecord| path.values.last().copied().unwrap_or(f64::NAN);
    let mut ends: Vec<&PathRecord> = surface.paths.iter().filter(|path| end(path).is_finite()).collect();
    ends.sort_by(|a, b| end(a).total_cmp(&end(b)));
    let (lowest, highest) = (ends.first()?, ends.last()?);
    let say = |path: &PathRecord| format!("{} from {} (J = {})", path.name, path.start, loss(end(path)));
    Some(match ends.len() {
        1 => format!("{}: {} ended there.", surface.title, say(lowest)),
        _ => format!("{}: {} ended lowest, {} highest.", surface.title, say(lowest), say(highest)),
    })
}

/// Returns the seconds to the target if all trials of a recipe reached it.
fn reached(recipe: &Recipe) -> Option<f64> {
    let all = recipe.runs.iter().all(|run| recipes::target_seconds(run.trial).is_some());
    if all { recipe.median(recipes::target_seconds) } else { None }
}

fn first_at_target(summary: &Summary, recipes: &[&Recipe]) -> Option<String> {
    let with_target: Vec<&Recipe> =
        recipes.iter().copied().filter(|recipe| target(recipe).is_some()).collect();
    let words = target_words(target(with_target.first()?)?, &summary.data.eval_split);
    let mut ranked: Vec<(&Recipe, f64)> =
        with_target.iter().filter_map(|recipe| Some((*recipe, reached(recipe)?))).collect();
    ranked.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let missed: Vec<String> = with_target
        .iter()
        .filter(|recipe| reached(recipe).is_none() && !recipe.diverged())
        .map(|recipe| recipe.name.clone())
        .collect();
    Some(match ranked.as_slice() {
        [] => format!(
            "No recipe reached the target {words}{}.",
            if many_seeds(recipes) { " with every seed" } else { "" }
        ),
        [(first, time), others @ ..] => {
            let lead = if with_target.len() > 1 { " first," } else { "" };
            format!(
                "{} reached {words}{lead} after {} s of training{}{}.",
                first.name,
                seconds(*time),
                followers(others),
                misses(&missed),
            )
        }
    })
}

fn target<'a>(recipe: &Recipe<'a>) -> Option<&'a TargetRecord> {
    recipe.runs.iter().find_map(|run| run.trial.target.as_ref())
}

fn many_seeds(recipes: &[&Recipe]) -> bool {
    recipes.iter().any(|recipe| recipe.runs.len() > 1)
}

fn followers(others: &[(&Recipe, f64)]) -> String {
    const NAMED: usize = 4;
    let mut names: Vec<String> = others
        .iter()
        .take(NAMED)
        .map(|(recipe, time)| format!("{} ({} s)", recipe.name, seconds(*time)))
        .collect();
    if others.len() > NAMED {
        names.push(format!("{} more", others.len() - NAMED));
    }
    if names.is_empty() { String::new() } else { format!("; then {}", list(&names)) }
}

fn misses(missed: &[String]) -> String {
    match missed.len() {
        0 => String::new(),
        1..=4 => format!("; {} did not reach it", list(missed)),
        n => format!("; {} did not reach it", plural(n, "recipe")),
    }
}

/// Returns sentences on the best recipe after its last update: by loss, or by accuracy if the loss functions differ.
fn at_the_end(summary: &Summary, recipes: &[&Recipe]) -> Vec<String> {
    let loss = |recipe: &Recipe| recipe.runs[0].trial.recipe.get("loss");
    let same = recipes.iter().all(|recipe| loss(recipe) == loss(recipes[0]));
    if same {
        return lowest_loss(summary, recipes).into_iter().collect();
    }
    let unlike = "Trained on different losses, which cannot be compared with each other";
    match highest_accuracy(summary, recipes) {
        Some(sentence) => vec![format!("{unlike}: ranked by accuracy."), sentence],
        None => vec![format!("{unlike}: the recipes are not ranked, and none of them leads.")],
    }
}

/// Returns the recipes that have a final value, sorted by it.
fn ranked<'b, 'a>(
    recipes: &[&'b Recipe<'a>],
    value: impl Fn(&TrialRecord) -> Option<f64>,
) -> Vec<(&'b Recipe<'a>, f64)> {
    let valued = recipes.iter().filter_map(|recipe| Some((*recipe, recipe.median(&value)?)));
    let mut ranked: Vec<_> = valued.collect();
    ranked.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    ranked
}

fn highest_accuracy(summary: &Summary, recipes: &[&Recipe]) -> Option<String> {
    let mut ranked = ranked(recipes, recipes::eval_accuracy);
    ranked.reverse();
    let split = &summary.data.eval_split;
    let (best, accuracy) = ranked.first()?;
    let next = ranked.get(1).map_or_else(String::new, |(recipe, accuracy)| {
        format!("; next is {} with {} %", recipe.name, percent(*accuracy))
    });
    Some(format!(
        "{} has the highest {split} accuracy after its last update: {} %{}{next}.",
        best.name,
        percent(*accuracy),
        beside(summary)
    ))
}

/// Returns the baseline of an accuracy: always predicting the most common class.
fn beside(summary: &Summary) -> String {
    recipes::chance(summary).map_or_else(String::new, |chance| {
        format!(" ({} alone: {} %)", recipes::most_common(summary), percent(chance))
    })
}

fn lowest_loss(summary: &Summary, recipes: &[&Recipe]) -> Option<String> {
    let ranked = ranked(recipes, recipes::eval_loss);
    let split = &summary.data.eval_split;
    let (best, value) = ranked.first()?;
    let accuracy = best.median(recipes::eval_accuracy).map_or_else(String::new, |accuracy| {
        format!(", accuracy {} %{}", percent(accuracy), beside(summary))
    });
    let quality = [("ssim", "SSIM"), ("r2", "r²")].into_iter().filter_map(|(name, word)| {
        let value = best.median(|trial| recipes::quality(trial, name))?;
        Some(format!(", {word} {}", significant(value, 3)))
    });
    let second = ranked.get(1).map_or_else(String::new, |(recipe, value)| {
        format!("; next is {} with {}", recipe.name, loss(*value))
    });
    let lowest = match ranked.len() {
        1 => format!("ended with a {split} loss of"),
        _ => format!("has the lowest {split} loss after its last update:"),
    };
    Some(format!("{} {lowest} {}{accuracy}{}{second}.", best.name, loss(*value), quality.collect::<String>()))
}

/// Returns the result on the test split of the recipe that is best on the validation split, if there is one.
fn tested(summary: &Summary, recipes: &[&Recipe]) -> Option<String> {
    if summary.data.eval_split == "test" {
        return None;
    }
    let best = ranked(recipes, recipes::eval_loss).first()?.0;
    let test = |of: fn(&Evaluation) -> Option<f64>| best.median(|trial| of(trial.test.as_ref()?));
    let accuracy = test(|test| test.accuracy)
        .map_or_else(String::new, |accuracy| format!(", accuracy {} %", percent(accuracy)));
    let value = test(|test| Some(test.loss))?;
    Some(format!("On the test split, evaluated once at its end: loss {}{accuracy}.", loss(value)))
}

/// Returns a sentence on recipes that ended no better than chance.
fn nothing_learned(recipes: &[Recipe]) -> Option<String> {
    let names = recipes.iter().filter_map(|recipe| {
        let seeds = recipe.runs.len();
        match recipe.runs.iter().filter(|run| run.trial.learned == Some(false)).count() {
            0 => None,
            all if all == seeds => Some(recipe.name.clone()),
            some => Some(format!("{} ({some} of {seeds} seeds)", recipe.name)),
        }
    });
    let names: Vec<String> = names.collect();
    match names.len() {
        0 => None,
        1..=4 => {
            Some(format!("{} did not learn: no better than chance, or the loss exploded.", list(&names)))
        }
        n => Some(format!(
            "{} did not learn: no better than chance, or the loss exploded.",
            plural(n, "recipe")
        )),
    }
}

fn diverged(recipes: &[Recipe]) -> Option<String> {
    let mut trials: Vec<&TrialRecord> = recipes
        .iter()
        .flat_map(|recipe| recipe.runs.iter().map(|run| run.trial))
        .filter(|trial| trial.status == Status::Diverged)
        .collect();
    let all = recipes.iter().map(|recipe| recipe.runs.len()).sum::<usize>();
    let update = |trial: &&TrialRecord| trial.diverged.as_ref().map_or(u64::MAX, |place| place.update);
    trials.sort_by_key(update);
    match trials.as_slice() {
        [] => None,
        _ if trials.len() == all && all > 1 => {
            Some(format!("Every one of the {} diverged: there is no result.", plural(all, "trial")))
        }
        [one] => Some(format!("{} diverged{}.", one.name, place(one))),
        [first, ..] => Some(format!(
            "{} diverged, {} earliest{}.",
            plural(trials.len(), "trial"),
            first.name,
            place(first)
        )),
    }
}

fn place(trial: &TrialRecord) -> String {
    trial.diverged.as_ref().map_or_else(String::new, |place| format!(" at update {}", count(place.update)))
}

/// Returns a sentence on how reliable the differences are.
fn certainty(summary: &Summary, recipes: &[&Recipe]) -> Option<String> {
    let survivors = recipes.iter().map(|recipe| recipe.survivors()).filter(|n| *n > 0);
    let (fewest, most) = survivors.fold((usize::MAX, 0), |(low, high), n| (low.min(n), high.max(n)));
    let shared = summary.trials.iter().any(|trial| trial.timing == Timing::Shared);
    let timing = if shared { " Trials shared the machine: their seconds cannot be compared." } else { "" };
    let survived = recipes.iter().any(|recipe| recipe.survivors() < recipe.runs.len());
    let that = if survived { " that did not diverge" } else { "" };
    let seeds = match (recipes.len(), fewest, most) {
        (_, _, 0) => return None,
        (1, _, 1) => "One recipe, one seed: another seed gives other figures.".to_owned(),
        (_, _, 1) => "One seed per recipe: small differences may be chance.".to_owned(),
        (1, _, n) => format!("Medians over {}{that}.", plural(n, "seed")),
        (_, n, most) if n == most => {
            format!("Medians over {} each{that}{}.", plural(n, "seed"), separation(recipes))
        }
        (_, low, high) => format!("Medians over {low} to {high} seeds{that}{}.", separation(recipes)),
    };
    Some(seeds + timing)
}

/// Says if the ranges over seeds of the two lowest losses overlap; empty if recipes are not ranked by loss.
fn separation(recipes: &[&Recipe]) -> &'static str {
    let loss = |recipe: &Recipe| recipe.runs[0].trial.recipe.get("loss");
    if unlike(recipes).is_some() || recipes.iter().any(|recipe| loss(recipe) != loss(recipes[0])) {
        return "";
    }
    let mut spreads: Vec<Spread> =
        recipes.iter().filter_map(|recipe| recipe.group.and_then(|group| group.eval_loss)).collect();
    spreads.sort_by(|a, b| a.median.total_cmp(&b.median));
    match spreads.as_slice() {
        [first, second, ..] if first.n.min(second.n) < 2 => "; too few to say whether ranges overlap",
        [first, second, ..] if first.high < second.low => {
            "; the ranges of the two lowest losses do not overlap"
        }
        [_, _, ..] => "; the ranges of the two lowest losses overlap, so their order may be chance",
        _ => "; too few losses to compare",
    }
}
