//! Heats: some seeds of many recipes say how long each should train, and which go on.

use super::finalist::Finalist;
use super::finals::Raced;
use super::halving::{Entrant, is_near};
use super::plan::{self, SEEDS};
use crate::record::EvaluationPoint;
use crate::study::run::Finished;
use schuss_data::Dataset;
use std::collections::BTreeMap;
use std::time::Duration;

/// Ratio of a training in the heats to that up to the lowest loss in the search.
const LONGER: u32 = 2;
/// Networks that may take part in the heats.
const NETWORKS: usize = 8;
/// Fewest recipes that heats are worthwhile for: two networks and the baseline.
const FEWEST: usize = 3;
/// Share of the time that is left for heats.
const HEATS: f64 = 0.5;

/// Returns the recipes that may take part, most important first: the best network, the linear baseline, further networks.
pub(super) fn qualified(entrants: &[Entrant], data: &Dataset) -> Vec<Finalist> {
    let of_kind = |is_linear: bool, count: usize| {
        let of_kind = entrants.iter().filter(move |entrant| entrant.candidate.is_linear == is_linear);
        of_kind.filter_map(|entrant| Finalist::of(entrant, data)).take(count)
    };
    baseline_second(of_kind(false, NETWORKS).collect(), of_kind(true, 1).collect())
}

fn baseline_second(mut networks: Vec<Finalist>, linear: Vec<Finalist>) -> Vec<Finalist> {
    let place = networks.len().min(1);
    networks.splice(place..place, linear);
    networks
}

/// Returns as many of the recipes as heats with the fewest seeds have time for, with longer budgets; `None` if it is only
/// enough for finals. Those that would need more than a fair share of the time are left out: a training that long has
/// mostly learned the split it was judged by.
pub(super) fn heats(qualified: &[Finalist], left: Duration) -> Option<Vec<Finalist>> {
    let time = left.mul_f64(HEATS);
    let fits = |time: Duration, each: Duration| plan::seeds(time, each) >= *SEEDS.start();
    let mut each = Duration::ZERO;
    let mut takes_part = |finalist: &Finalist| {
        let part = fits(time / FEWEST as u32, finalist.time) && fits(time, each + finalist.time);
        each += if part { finalist.time } else { Duration::ZERO };
        part
    };
    let longer = qualified.iter().cloned().map(|finalist| finalist.longer(LONGER));
    let all: Vec<Finalist> = longer.filter(|finalist| takes_part(finalist)).collect();
    (all.len() >= FEWEST && all.iter().any(|finalist| finalist.is_linear)).then_some(all)
}

/// Returns the recipes of heats, each up to the lowest mean loss over its seeds, best network first, baseline second; without
/// those of which a trial did not get to its end.
pub(super) fn judge(heats: &[Finalist], raced: &Raced, data: &Dataset) -> Vec<Finalist> {
    let judged = heats.iter().filter_map(|finalist| {
        let lowest = lowest_mean(raced, &finalist.planned.trial.name)?;
        Some((lowest.loss, finalist.clone().until(&lowest.point, lowest.of, data)))
    });
    let mut judged: Vec<(f64, Finalist)> = judged.collect();
    judged.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (linear, networks) =
        judged.into_iter().map(|(_, finalist)| finalist).partition(|found: &Finalist| found.is_linear);
    baseline_second(networks, linear)
}

/// A mean loss of a recipe over its seeds, near the lowest.
struct Lowest {
    loss: f64,
    /// Point of the first seed's training.
    point: EvaluationPoint,
    /// Updates of that training.
    of: u64,
}

/// Returns the first point that all trials of a recipe were evaluated at whose mean loss is near the lowest.
fn lowest_mean(raced: &Raced, name: &str) -> Option<Lowest> {
    let Finished { summary, traces, .. } = &raced.finished;
    let own = summary.trials.iter().zip(traces).filter(|(record, _)| record.name == name);
    let own: Vec<_> = own.collect();
    let (first, trace) = own.first().filter(|_| own.iter().all(|(record, _)| record.status.is_end()))?;
    let mut sums: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
    for point in own.iter().flat_map(|(_, trace)| &trace.evaluations).filter(|point| point.updates > 0) {
        sums.entry(point.updates).or_default().extend(point.eval_loss);
    }
    sums.retain(|_, losses| losses.len() == own.len());
    let mean = |losses: Vec<f64>| losses.iter().sum::<f64>() / own.len() as f64;
    let means: Vec<(u64, f64)> = sums.into_iter().map(|(updates, losses)| (updates, mean(losses))).collect();
    let lowest = means.iter().map(|(_, loss)| *loss).fold(f64::INFINITY, f64::min);
    let (updates, loss) = means.into_iter().find(|(_, loss)| is_near(*loss, lowest))?;
    let point = trace.evaluations.iter().find(|point| point.updates == updates)?.clone();
    Some(Lowest { loss, point, of: first.updates })
}
