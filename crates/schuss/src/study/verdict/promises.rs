//! What the statistics promise, on races simulated from known distributions.

use super::comparison::{Comparison, Decision, Scale, compare, decide};
use super::design::{Design, LEVEL};
use super::holm;
use super::median;
use super::outcome::Outcome;
use super::racer::Racer;
use crate::study::seeds::LOOKS;
use schuss_data::random::{Draws, Key, Purpose};

/// Simulated races per setting.
const RACES: u64 = 2_000;

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
    told_apart_by(racers, Design::FIXED)
}

/// Returns true if some pair of recipes is told apart at a look of a design.
fn told_apart_by(racers: &[Racer], design: Design) -> bool {
    let pairs = (0..racers.len()).flat_map(|b| (0..b).map(move |a| (a, b)));
    let found: Vec<Comparison> =
        pairs.map(|(a, b)| compare(&racers[a], &racers[b], Scale::Ratio, design)).collect();
    let p_values: Vec<Option<f64>> = found.iter().map(|found| found.p).collect();
    let adjusted = holm::adjusted(&p_values, found.len());
    let apart = |(found, p): (&Comparison, Option<f64>)| {
        matches!(decide(found, p, 1.05_f64.ln(), design.level()), Decision::Better | Decision::Worse)
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
    compare(&racers[0], &racers[1], Scale::Ratio, Design::FIXED).contrast?.interval(LEVEL)
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
                let covered = setting
                    .share(|racers| median::interval(&racers[0].outcomes(), 1.0 - LEVEL).is_some_and(covers));
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

/// Returns the outcomes of the first seeds.
fn first(racers: &[Racer], seeds: usize) -> Vec<Racer> {
    racers.iter().map(|racer| Racer { entries: racer.entries[..seeds].to_vec(), ..racer.clone() }).collect()
}

/// All recipes go on to the last look: to stop some of them earlier, by whatever rule, can only leave pairs undecided.
#[test]
fn identical_recipes_are_told_apart_at_any_of_the_looks_in_at_most_6_5_percent_of_races() {
    let design = Design { looks: LOOKS.len(), overlap: 0.0 };
    let seeds = LOOKS[LOOKS.len() - 1] as u64;
    for recipes in [2, 4, 6] {
        for times in [Times::LogNormal, Times::HeavyTailed] {
            for (censored, grid) in [(0.0, 0.0), (0.3, 0.0), (0.0, 0.1)] {
                let setting = Setting { times, seeds, recipes, censored, grid, ..PLAIN };
                let apart = setting
                    .share(|racers| LOOKS.iter().any(|seeds| told_apart_by(&first(racers, *seeds), design)));
                assert!(apart <= 0.065, "{apart} {setting:?}");
            }
        }
    }
}

#[test]
fn intervals_repeated_at_every_look_all_contain_the_ratio_in_95_percent_of_races() {
    let design = Design { looks: LOOKS.len(), overlap: 0.0 };
    let seeds = LOOKS[LOOKS.len() - 1] as u64;
    for paired in [0.0, 0.3] {
        let setting = Setting { seeds, ratio: 1.3, paired, ..PLAIN };
        let covers = |racers: &[Racer], seeds| {
            let racers = first(racers, seeds);
            let found = compare(&racers[0], &racers[1], Scale::Ratio, design).contrast.unwrap();
            let [low, high] = found.interval(design.level()).unwrap();
            (low..=high).contains(&setting.ratio.ln())
        };
        let covered = setting.share(|racers| LOOKS.iter().all(|seeds| covers(racers, *seeds)));
        assert!(covered >= 0.95, "{covered} {setting:?}");
    }
}

/// Rows of a table with two features that are equally informative; a learner estimates the mean of one of them on the
/// training rows, and its value is the squared error on the held-out ones.
fn trials_on_rows(rows: &[[f64; 2]], held_out: &[Vec<usize>]) -> [Racer; 2] {
    let error = |feature: usize, held: &Vec<usize>| {
        let training = (0..rows.len()).filter(|row| !held.contains(row)).map(|row| rows[row][feature]);
        let mean = training.sum::<f64>() / (rows.len() - held.len()) as f64;
        held.iter().map(|row| (rows[*row][feature] - mean).powi(2)).sum::<f64>() / held.len() as f64
    };
    [0, 1].map(|feature| {
        Racer::of((1..).zip(held_out.iter().map(|held| Outcome::Reached(error(feature, held)))))
    })
}

/// Returns the rows 0 to `rows` in random order.
fn shuffled(rows: usize, draws: &mut Draws) -> Vec<usize> {
    let mut keyed: Vec<(u32, usize)> = (0..rows).map(|row| (draws.bits(), row)).collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, row)| row).collect()
}

/// Share of simulated tables on which two learners of equal error are told apart.
fn told_apart_on_splits(overlap: f64, held_out: impl Fn(&mut Draws) -> Vec<Vec<usize>>) -> f64 {
    let design = Design { looks: 1, overlap };
    let apart = |table: &u64| {
        let mut draws = Key { seed: 5, purpose: Purpose::Bootstrap, epoch: 0 }.draws(*table);
        let rows: Vec<[f64; 2]> = (0..ROWS).map(|_| [normal(&mut draws), normal(&mut draws)]).collect();
        let [a, b] = trials_on_rows(&rows, &held_out(&mut draws));
        let found = compare(&a, &b, Scale::Difference, design);
        matches!(decide(&found, found.p, 0.0, LEVEL), Decision::Better | Decision::Worse)
    };
    (0..RACES).filter(apart).count() as f64 / RACES as f64
}

/// Rows of a simulated table.
const ROWS: usize = 100;

/// Folds of a repeated cross-validation of [`ROWS`] rows.
fn folds(folds: usize, repeats: usize, draws: &mut Draws) -> Vec<Vec<usize>> {
    let repetition =
        |_| shuffled(ROWS, draws).chunks(ROWS / folds).map(<[usize]>::to_vec).collect::<Vec<_>>();
    (0..repeats).flat_map(repetition).collect()
}

/// Fifths of [`ROWS`] rows, drawn at random.
fn random_fifths(splits: usize, draws: &mut Draws) -> Vec<Vec<usize>> {
    (0..splits).map(|_| shuffled(ROWS, draws)[..ROWS / 5].to_vec()).collect()
}

#[test]
fn the_corrected_resampled_t_test_has_its_level_on_overlapping_splits_and_folds() {
    for splits in [5, 10, 20] {
        let apart = told_apart_on_splits(0.25, |draws| random_fifths(splits, draws));
        assert!((0.03..=0.065).contains(&apart), "{apart} {splits} random splits");
    }
    for (k, repeats) in [(5, 2), (5, 10), (10, 1), (10, 10)] {
        let apart = told_apart_on_splits(1.0 / (k - 1) as f64, |draws| folds(k, repeats, draws));
        assert!(apart <= 0.065, "{apart} {k}x{repeats}");
    }
}

#[test]
fn without_the_correction_overlapping_splits_tell_equal_learners_apart_three_times_too_often() {
    let apart = told_apart_on_splits(0.0, |draws| random_fifths(10, draws));
    assert!(apart > 0.15, "{apart}");
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
