//! What a run shows, in sentences: who was first, how sure that is, who fell.

use crate::{
    recipes::{self, Recipe, recipes},
    tables::target_words,
    text::{count, list, loss, percent, plural, seconds, significant},
};
use schuss::study::record::{
    PathRecord, Spread, Status, Summary, SurfaceRecord, TargetRecord, Timing, TrialRecord,
};

/// The verdict, most important sentence first. Empty if nothing was run.
pub fn verdict(summary: &Summary) -> Vec<String> {
    let recipes = recipes(summary, &[]);
    let mut sentences = Vec::new();
    if !recipes.is_empty() {
        sentences.extend(first_at_target(summary, &recipes));
        sentences.extend(lowest_loss(summary, &recipes));
        sentences.extend(diverged(&recipes));
        sentences.extend(certainty(summary, &recipes));
    }
    sentences.extend(summary.surfaces.iter().filter_map(lowest_on_surface));
    sentences
}

/// Which way down a surface led lowest, and which stayed highest.
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

/// Seconds to the target of a recipe all of whose trials reached it.
fn reached(recipe: &Recipe) -> Option<f64> {
    let all = recipe.runs.iter().all(|run| recipes::target_seconds(run.trial).is_some());
    if all { recipe.median(recipes::target_seconds) } else { None }
}

fn first_at_target(summary: &Summary, recipes: &[Recipe]) -> Option<String> {
    let with_target: Vec<&Recipe> = recipes.iter().filter(|recipe| target(recipe).is_some()).collect();
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
            let lead = if with_target.len() > 1 { " first" } else { "" };
            format!(
                "{} reached {words}{lead}, after {} s of training{}{}.",
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

fn many_seeds(recipes: &[Recipe]) -> bool {
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

fn lowest_loss(summary: &Summary, recipes: &[Recipe]) -> Option<String> {
    let mut ranked: Vec<(&Recipe, f64)> =
        recipes.iter().filter_map(|recipe| Some((recipe, recipe.median(recipes::eval_loss)?))).collect();
    ranked.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    let split = &summary.data.eval_split;
    let (best, value) = ranked.first()?;
    let accuracy = best
        .median(recipes::eval_accuracy)
        .map_or_else(String::new, |accuracy| format!(", accuracy {} %", percent(accuracy)));
    let similarity = best
        .median(|trial| recipes::quality(trial, "ssim"))
        .map_or_else(String::new, |similarity| format!(", SSIM {}", significant(similarity, 3)));
    let second = ranked.get(1).map_or_else(String::new, |(recipe, value)| {
        format!("; next is {} with {}", recipe.name, loss(*value))
    });
    let lowest = if ranked.len() > 1 { "has the lowest" } else { "ended with a" };
    Some(format!(
        "{} {lowest} {split} loss after its last update: {}{accuracy}{similarity}{second}.",
        best.name,
        loss(*value)
    ))
}

fn diverged(recipes: &[Recipe]) -> Option<String> {
    let trials: Vec<&TrialRecord> = recipes
        .iter()
        .flat_map(|recipe| recipe.runs.iter().map(|run| run.trial))
        .filter(|trial| trial.status == Status::Diverged)
        .collect();
    let all = recipes.iter().map(|recipe| recipe.runs.len()).sum::<usize>();
    match trials.as_slice() {
        [] => None,
        _ if trials.len() == all && all > 1 => {
            Some(format!("Every one of the {} diverged: there is no result.", plural(all, "trial")))
        }
        [one] => Some(format!("{} diverged{}.", one.name, place(one))),
        [first, ..] => Some(format!(
            "{} diverged, {} the first of them{}.",
            plural(trials.len(), "trial"),
            first.name,
            place(first)
        )),
    }
}

fn place(trial: &TrialRecord) -> String {
    trial.diverged.as_ref().map_or_else(String::new, |place| format!(" at update {}", count(place.update)))
}

/// How much the differences can be trusted.
fn certainty(summary: &Summary, recipes: &[Recipe]) -> Option<String> {
    let fewest = recipes.iter().map(|recipe| recipe.runs.len()).min()?;
    let shared = summary.trials.iter().any(|trial| trial.timing == Timing::Shared);
    let timing = if shared { " Trials shared the machine: their seconds cannot be compared." } else { "" };
    let seeds = match (recipes.len(), fewest) {
        (1, 1) => "One recipe, one seed: another seed gives other figures.".to_owned(),
        (_, 1) => "One seed per recipe: small differences may be chance.".to_owned(),
        (1, n) => format!("Medians over {}.", plural(n, "seed")),
        (_, n) => format!("Medians over {} each; {}.", plural(n, "seed"), separation(recipes)),
    };
    Some(seeds + timing)
}

/// Whether the two lowest losses lie further apart than their ranges over seeds.
fn separation(recipes: &[Recipe]) -> &'static str {
    let mut spreads: Vec<Spread> =
        recipes.iter().filter_map(|recipe| recipe.group.and_then(|group| group.eval_loss)).collect();
    spreads.sort_by(|a, b| a.median.total_cmp(&b.median));
    match spreads.as_slice() {
        [first, second, ..] if first.high < second.low => {
            "the ranges of the two lowest losses do not overlap"
        }
        [_, _, ..] => "the ranges of the two lowest losses overlap, so their order may be chance",
        _ => "too few losses to compare",
    }
}
