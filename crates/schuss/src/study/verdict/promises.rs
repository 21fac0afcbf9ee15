//! What the statistics promise, on races simulated from known distributions.

use super::comparison::{Comparison, Decision, Scale, compare, decide};
use super::holm;
use super::median;
use super::outcome::Outcome;
use super::racer::Racer;
use schuss_data::random::{Draws, Key, Purpose};

/// Simulated races per setting.
const RACES: u64 = 2_000;
const LEVEL: f64 = 0.95;

/// Distribution of the logarithms of times.
#[derive(Clone, Copy, Debug)]
enum Times {
    LogNormal,
    /// Log-normal, with a standard deviation of 10 % of the log ratio of two times.
    TenPercent,
    /// Logarithms follow Student's t with 3 degrees of freedom.
    HeavyTailed,
    /// Pareto times: logarithms are exponential.
    Pareto,
}

/// A race of recipes that differ by known factors.
#[derive(Clone, Copy, Debug)]
struct Setting {
    times: Times,
    seeds: u64,
    recipes: usize,
    /// Time of each recipe over that of the one before.
    ratio: f64,
    /// Standard deviation of logarithms that a seed adds to all recipes alike; 0 if seeds are not paired.
    paired: f64,
    /// Share of trials of the first recipe that do not reach the target within the budget.
    censored: f64,
    /// Step of the evaluation grid over a typical time; 0 for none.
    grid: f64,
}

const PLAIN: Setting = Setting {
    times: Times::LogNormal,
    seeds: 5,
    recipes: 2,
    ratio: 1.0,
    paired: 0.0,
    censored: 0.0,
    grid: 0.0,
};

/// A uniform draw from (0, 1).
fn unit(draws: &mut Draws) -> f64 {
    (f64::from(draws.bits()) + 0.5) / 4_294_967_296.0
}

/// A normal draw (Box and Muller).
fn normal(draws: &mut Draws) -> f64 {
    (-2.0 * unit(draws).ln()).sqrt() * (std::f64::consts::TAU * unit(draws)).cos()
}

impl Times {
    /// Draws a logarithm with a spread of about 0.2 around its median, 0.
    fn log(self, draws: &mut Draws) -> f64 {
        match self {
            Self::LogNormal => 0.2 * normal(draws),
            Self::TenPercent => 0.1 / 2_f64.sqrt() * normal(draws),
            Self::HeavyTailed => {
                let squares: f64 = (0..3).map(|_| normal(draws).powi(2)).sum();
                0.2 * normal(draws) / (squares / 3.0).sqrt()
            }
            Self::Pareto => -0.2 * (2.0 * unit(draws)).ln(),
        }
    }

    /// Returns the time that this share of trials exceeds, by simulation.
    fn exceeded_by(self, share: f64, paired: f64) -> f64 {
        let mut draws = Key { seed: 3, purpose: Purpose::Bootstrap, epoch: 0 }.draws(0);
        let mut logs: Vec<f64> =
            (0..20_001).map(|_| self.log(&mut draws) + paired * normal(&mut draws)).collect();
        logs.sort_by(f64::total_cmp);
        logs.get(((1.0 - share) * 20_000.0) as usize)
            .filter(|_| share > 0.0)
            .map_or(f64::INFINITY, |log| log.exp())
    }
}

impl Setting {
    /// Runs `look` on every simulated race and returns the share for which it is true.
    fn share(self, look: impl Fn(&[Racer]) -> bool) -> f64 {
        let limit = self.times.exceeded_by(self.censored, self.paired);
        let held = (0..RACES).filter(|race| look(&self.race(*race, limit))).count();
        held as f64 / RACES as f64
    }

    fn race(self, race: u64, limit: f64) -> Vec<Racer> {
        let mut draws = Key { seed: 2, purpose: Purpose::Bootstrap, epoch: 0 }.draws(race);
        let shared: Vec<f64> = (0..self.seeds).map(|_| self.paired * normal(&mut draws)).collect();
        let recipe = |index: usize| {
            let factor = self.ratio.powi(index as i32);
            let times = shared.iter().map(|shared| factor * (shared + self.times.log(&mut draws)).exp());
            let times: Vec<Outcome> = times.map(|time| self.seen(time, limit)).collect();
            Racer::of((1..).zip(times))
        };
        (0..self.recipes).map(recipe).collect()
    }

    fn seen(self, time: f64, limit: f64) -> Outcome {
        let time = if self.grid > 0.0 { (time / self.grid).ceil() * self.grid } else { time };
        if time <= limit { Outcome::Reached(time) } else { Outcome::Beyond(limit) }
    }
}

/// Returns true if some pair of recipes is told apart.
fn told_apart(racers: &[Racer]) -> bool {
    let pairs = (0..racers.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    let found: Vec<Comparison> = pairs.map(|(a, b)| compare(&racers[a], &racers[b], Scale::Ratio)).collect();
    let p_values: Vec<Option<f64>> = found.iter().map(|found| found.p).collect();
    let adjusted = holm::adjusted(&p_values, found.len());
    let apart = |(found, p): (&Comparison, Option<f64>)| {
        matches!(decide(found, p, 1.05_f64.ln(), LEVEL), Decision::Better | Decision::Worse)
    };
    found.iter().zip(adjusted).any(apart)
}

fn settings(times: &[Times], censored: &[f64]) -> Vec<Setting> {
    let mut settings = vec![];
    for &times in times {
        for seeds in [3, 5, 10] {
            for paired in [0.0, 0.3] {
                settings.extend(censored.iter().map(|&censored| Setting {
                    times,
                    seeds,
                    paired,
                    censored,
                    ..PLAIN
                }));
            }
        }
    }
    settings
}

fn interval(racers: &[Racer]) -> Option<[f64; 2]> {
    compare(&racers[0], &racers[1], Scale::Ratio).contrast?.interval(LEVEL)
}

/// Share of races whose interval of the ratio does not contain the true ratio. A race without an interval claims nothing.
fn wrong(setting: Setting) -> f64 {
    let misses = |[low, high]: [f64; 2]| !(low..=high).contains(&setting.ratio.ln());
    setting.share(|racers| interval(racers).is_some_and(misses))
}

#[test]
fn intervals_of_ratios_cover_93_to_97_percent_of_lognormal_times() {
    for ratio in [1.0, 1.3] {
        for setting in settings(&[Times::LogNormal], &[0.0]) {
            let covered = 1.0 - wrong(Setting { ratio, ..setting });
            assert!((0.93..=0.97).contains(&covered), "{covered} {setting:?}");
        }
    }
}

/// Where trials are censored, an interval is stated only if all of them reached the target. Then it is that of the
/// times themselves, so no more races can be wrong than without censoring.
#[test]
fn intervals_of_ratios_are_wrong_in_at_most_7_percent_of_races_of_any_times_censored_or_not() {
    for setting in settings(&[Times::LogNormal, Times::HeavyTailed, Times::Pareto], &[0.0, 0.1, 0.3, 0.6]) {
        let wrong = wrong(Setting { ratio: 1.3, ..setting });
        assert!(wrong <= 0.07, "{wrong} {setting:?}");
    }
}

#[test]
fn distribution_free_intervals_cover_95_percent_from_6_seeds_on() {
    for times in [Times::LogNormal, Times::HeavyTailed, Times::Pareto] {
        for seeds in [6, 8, 10, 20] {
            for censored in [0.0, 0.3, 0.6] {
                let setting = Setting { times, seeds, censored, recipes: 1, ..PLAIN };
                let covers = |ends: median::Ends| ends.low <= 1.0 && ends.high.is_none_or(|high| 1.0 <= high);
                let covered =
                    setting.share(|racers| median::interval(&racers[0].outcomes()).is_some_and(covers));
                assert!(covered >= 0.95, "{covered} {setting:?}");
            }
        }
    }
}

#[test]
fn identical_recipes_are_told_apart_in_at_most_6_5_percent_of_races() {
    for recipes in [2, 4, 6] {
        for setting in settings(&[Times::LogNormal, Times::HeavyTailed], &[0.0, 0.3, 0.6]) {
            let apart = Setting { recipes, ..setting }.share(told_apart);
            assert!(apart <= 0.065, "{apart} {recipes} {setting:?}");
        }
        for seeds in [3, 5, 10] {
            let apart = Setting { recipes, seeds, grid: 0.1, ..PLAIN }.share(told_apart);
            assert!(apart <= 0.065, "{apart} {recipes} recipes, {seeds} seeds, a step of 10 %");
        }
    }
}

#[test]
fn recipes_that_differ_by_30_percent_are_told_apart_with_5_seeds() {
    let setting = Setting { times: Times::TenPercent, ratio: 1.3, paired: 0.3, ..PLAIN };
    let apart = setting.share(told_apart);
    assert!(apart >= 0.9, "{apart}");
}

/// Multiplies all times of each recipe by a factor known up to a standard error of 5 %.
fn calibrated(setting: Setting, race: u64) -> Vec<Racer> {
    let mut draws = Key { seed: 4, purpose: Purpose::Bootstrap, epoch: 0 }.draws(race);
    let mut racers = setting.race(race, f64::INFINITY);
    for racer in &mut racers {
        let factor = (0.05 * normal(&mut draws)).exp();
        for entry in &mut racer.entries {
            entry.outcome = Outcome::Reached(factor * entry.outcome.least());
        }
        racer.shared_error = Some(0.05);
    }
    racers
}

#[test]
fn intervals_of_calibrated_times_allow_for_the_speed_that_seeds_share() {
    for times in [Times::LogNormal, Times::TenPercent] {
        for seeds in [3, 5, 10] {
            let setting = Setting { times, seeds, ..PLAIN };
            let share = |look: &dyn Fn(&[Racer]) -> bool| {
                let held = (0..RACES).filter(|race| look(&calibrated(setting, *race))).count();
                held as f64 / RACES as f64
            };
            let covers = |[low, high]: [f64; 2]| (low..=high).contains(&0.0);
            let covered = share(&|racers| interval(racers).is_some_and(covers));
            assert!(covered >= 0.94, "{covered} {setting:?}");
            let apart = share(&told_apart);
            assert!(apart <= 0.065, "{apart} {setting:?}");
        }
    }
}
