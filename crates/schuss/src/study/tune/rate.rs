//! The learning rate of one recipe: a range test with several seeds, confirmed by longer trials around its best rates.

use super::choice::points;
use super::profile::{GOOD, Profile};
use super::rungs::{Racer, loss};
use super::search::{Point, Search};
use super::{Prober, TuneKey, search};
use crate::record::{Bounds, IntervalKind, RateRecord, Spread, TrialRecord, TuningCost};
use crate::session::{Control, Limits};
use crate::study::Study;
use crate::study::run::Means;
use crate::study::verdict::{LEVEL, fewest};
use crate::{Cause, Error, Result};
use schuss_data::Dataset;

/// Ratio of the seeds' own best rates beyond which they disagree.
const DISAGREE: f64 = 10.0;

impl Study {
    /// Looks for the learning rate of the only recipe, by trials in memory; `None` if interrupted.
    ///
    /// # Errors
    /// A usage error unless one recipe without a target is to be tuned, and that in its rate alone; any error of a trial.
    ///
    /// # Example
    /// ```
    /// use schuss::optim::Sgd;
    /// use schuss::recipe::{ChoiceKey, Workload};
    /// use schuss::session::{Control, Limits};
    /// use schuss::study::{Study, Tune};
    /// use schuss::{Budget, Recipe, Trial};
    ///
    /// # fn main() -> schuss::Result<()> {
    /// let mut workload = Workload::of("digits:train=300,test=60,size=8");
    /// workload.choices.set(ChoiceKey::Validation, "0.2")?;
    /// let data = workload.load(None, None)?;
    /// let trial = Trial {
    ///     model: "64-10".parse()?,
    ///     recipe: Recipe { optimizer: Sgd::default().into(), ..Recipe::default() },
    ///     budget: Budget { epochs: 2, ..Budget::default() },
    ///     ..Trial::default()
    /// };
    /// let tune = Tune { seeds: 3, ..("lr".parse()?) };
    /// let study = Study::of([trial], &data)?.with_tuning(tune, &data)?;
    /// let found = study.find_rate(&data, Limits::default(), &Control::default())?;
    /// assert!(found.is_some_and(|found| found.rate.is_some() != found.cannot_tell.is_some()));
    /// # Ok(())
    /// # }
    /// ```
    pub fn find_rate(&self, data: &Dataset, limits: Limits, control: &Control) -> Result<Option<RateRecord>> {
        let rate_alone = self.tune.as_ref().filter(|tune| tune.keys == [TuneKey::Lr]);
        let Some(tune) = rate_alone.filter(|_| self.trials.len() == 1) else {
            return Err(Error::usage("a learning rate is found for one recipe, and nothing else with it"));
        };
        if self.trials[0].trial.budget.target.is_some() {
            return Err(Error::usage("a target has no effect here: rates are judged by their loss")
                .because(Cause::NoEffect)
                .advise(
                    "leave it out; schuss compare --tune lr finds the rate that reaches a target first",
                ));
        }
        let fingerprint = data.fingerprint()?;
        let mut prober = Prober::new(self, Means { data, limits, control }, &fingerprint, None)?;
        search(&mut prober, tune, |racers, _| record(&racers[0]))
    }
}

fn record(racer: &Racer) -> Result<RateRecord> {
    let dimension = &racer.space.0[0];
    let best = racer.best()?;
    let rate = |at: f64| dimension.value(at);
    let all: Vec<f64> =
        racer.searches.iter().flat_map(|search| &search.points).map(|point| point.at[0]).collect();
    let end = |order: fn(f64, f64) -> f64| all.iter().copied().reduce(order).map_or(0.0, rate);
    let tried = Bounds { low: end(f64::min), high: end(f64::max) };
    let seeds: Vec<u64> =
        racer.last_probes().first().into_iter().flat_map(|probes| *probes).map(|probe| probe.seed).collect();
    let own = Spread::of(own_best_rates(racer));
    let cannot_tell = doubt(racer, best, tried, own.as_ref())?;
    let is_told = cannot_tell.is_none();
    let optimizer = &racer.planned.trial.recipe.optimizer;
    Ok(RateRecord {
        optimizer: if is_told { optimizer.with_number("lr", rate(best.at[0]))? } else { optimizer.clone() }
            .to_string(),
        rate: is_told.then(|| rate(best.at[0])),
        interval: own.filter(|_| is_told).map(|own| Bounds { low: own.low, high: own.high }),
        interval_kind: if seeds.len() < fewest(1.0 - LEVEL) {
            IntervalKind::Range
        } else {
            IntervalKind::Confidence
        },
        good_rates: if is_told { good(&racer.searches, rate) } else { None },
        diverges_from: diverges_from(racer, best).map(rate),
        cannot_tell,
        tried,
        seeds,
        cost: TuningCost::of(racer.probes.iter().flatten()),
        probes: points(racer),
    })
}

/// Returns the rates around the best with a good loss.
fn good(searches: &[Search], rate: impl Fn(f64) -> f64) -> Option<Bounds> {
    let basin = Profile::of_all(searches, 0).basin()?;
    Some(Bounds { low: rate(basin.low), high: rate(basin.high) })
}

/// Returns the best rate of every seed on the last rung, by its own losses.
fn own_best_rates(racer: &Racer) -> Vec<f64> {
    let Some(search) = racer.searches.last() else { return vec![] };
    let probes = racer.last_probes();
    let seeds = probes.first().map_or(0, |probes| probes.len());
    let best = |seed: usize| {
        let losses =
            search.points.iter().zip(&probes).map(|(point, probes)| (point.at[0], loss(&probes[seed])));
        let best = losses.min_by(|a, b| a.1.total_cmp(&b.1).then(a.0.total_cmp(&b.0)));
        best.map(|(at, _)| racer.space.0[0].value(at))
    };
    (0..seeds).filter_map(best).collect()
}

/// Returns the lowest rate above the best at which a probe diverged or ended above its loss before training, in powers of
/// ten.
fn diverges_from(racer: &Racer, best: &Point) -> Option<f64> {
    let tried = racer.searches.iter().flat_map(|search| &search.points).zip(&racer.probes);
    let failed = tried.filter(|(point, probes)| point.at[0] > best.at[0] && probes.iter().any(has_risen));
    failed.map(|(point, _)| point.at[0]).min_by(f64::total_cmp)
}

/// Returns true if a probe ended with a loss that is not finite or not below that before training.
fn has_risen(probe: &TrialRecord) -> bool {
    let before = probe.epochs.first().and_then(|row| row.eval_loss);
    !loss(probe).is_finite() || before.is_some_and(|before| loss(probe) >= before)
}

/// Returns the reason why the best rate cannot be told, if there is one.
fn doubt(racer: &Racer, best: &Point, tried: Bounds, own: Option<&Spread>) -> Result<Option<String>> {
    let Bounds { low, high } = tried;
    let rate = racer.space.0[0].value(best.at[0]);
    let last = racer.searches.last().zip(racer.searches.first());
    let (search, range_test) = last.ok_or_else(|| Error::failure("a rate was looked for without probes"))?;
    let probes = racer.last_probes();
    let at_best =
        search.points.iter().zip(&probes).find(|(point, _)| *point == best).map(|(_, probes)| *probes);
    let at_best = at_best.unwrap_or_default();
    let learned_nothing = |probe: &&TrialRecord| probe.learned == Some(false) || has_risen(probe);
    let idle = at_best.iter().filter(learned_nothing).count();
    let is_flat = Profile::of(range_test, 0).is_flat();
    let own = own.filter(|own| own.high > DISAGREE * own.low && is_bad_for_a_seed(&probes, at_best));
    Ok(if !best.loss.is_finite() {
        Some(format!("every rate tried diverges, from {low} to {high}"))
    } else if 2 * idle >= at_best.len() {
        Some(format!(
            "the network learns nothing at any rate from {low} to {high}: at the best, {rate}, it is no better than a \
             constant answer"
        ))
    } else if !search.is_inside() {
        let end = if rate <= low { "smallest" } else { "largest" };
        Some(format!("the loss still falls at the {end} rate tried, {rate}"))
    } else if is_flat {
        Some(format!("the losses at rates from {low} to {high} differ by less than 10 %"))
    } else {
        own.map(|own| {
            format!("the seeds disagree: their own best rates range from {} to {}", own.low, own.high)
        })
    })
}

/// Returns true if the loss of a seed at the best rate of all is more than 10 % above its own lowest.
fn is_bad_for_a_seed(probes: &[&[TrialRecord]], at_best: &[TrialRecord]) -> bool {
    at_best.iter().enumerate().any(|(seed, chosen)| {
        let lowest = probes.iter().map(|probes| loss(&probes[seed])).fold(f64::INFINITY, f64::min);
        (loss(chosen) / lowest).ln() > GOOD
    })
}
