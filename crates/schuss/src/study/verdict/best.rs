//! The probability that a recipe is the best.

use super::design::Design;
use super::median::middle;
use super::outcome::Outcome;
use super::racer::Racer;
use schuss_data::random::{Draws, Key, Purpose};

/// Number of seeds shared by all recipes that are enough to leave out the others.
const ENOUGH: usize = 3;
/// Number of races drawn, if there is more than one seed to draw.
const DRAWS: u64 = 4_000;

/// Returns, for each recipe, the share of resampled races in which its median is the lowest, ties split: a bootstrap
/// over seeds (Efron 1979). A resampled seed is that of all recipes at once, so that what a seed does to all of them
/// cancels; recipes that share too few seeds are resampled apart. The error that all times of a recipe have in common is
/// drawn once per race. Trials that were cut short are left out, and misses stand at infinity. With n independent seeds a
/// share is at most 1 − 2^−(n+1): so few seeds do not show more.
pub(super) fn probabilities(racers: &[Racer], design: Design) -> Vec<f64> {
    let table = Table::of(racers);
    let mut wins = vec![0.0; racers.len()];
    let key = Key { seed: 1, purpose: Purpose::Bootstrap, epoch: 0 };
    let races = if table.rows.iter().any(|row| row.len() > 1) { DRAWS } else { 1 };
    for draw in 0..races {
        let medians = table.resampled(&mut key.draws(draw));
        let lowest = medians.iter().copied().fold(f64::INFINITY, f64::min);
        let share = 1.0 / medians.iter().filter(|median| **median == lowest).count() as f64;
        let winners = wins.iter_mut().zip(&medians).filter(|(_, median)| **median == lowest);
        winners.for_each(|(wins, _)| *wins += share);
    }
    let cap = 1.0 - 0.5_f64.powf(design.independent(table.seeds()).min(1_000.0) + 1.0);
    wins.iter().map(|wins| (wins / races as f64).min(cap)).collect()
}

/// Outcomes to resample, with misses at infinity.
struct Table {
    /// By recipe, then by seed.
    rows: Vec<Vec<f64>>,
    /// True if the columns are seeds that all recipes share.
    is_paired: bool,
    /// Relative standard error that all times of a recipe have in common.
    errors: Vec<f64>,
}

impl Table {
    fn of(racers: &[Racer]) -> Self {
        let shared = racers.first().map_or_else(Vec::new, |first| {
            let everywhere = |seed: &u64| racers.iter().all(|racer| racer.known_at(*seed).is_some());
            first.known().map(|entry| entry.seed).filter(everywhere).collect()
        });
        let most = racers.iter().map(|racer| racer.known().count()).max().unwrap_or(0);
        let is_paired = shared.len() == most || shared.len() >= ENOUGH;
        let row = |racer: &Racer| -> Vec<f64> {
            let all = || racer.known().map(|entry| racer.outcome(entry).most()).collect();
            let paired =
                || shared.iter().filter_map(|seed| racer.known_at(*seed)).map(Outcome::most).collect();
            if is_paired { paired() } else { all() }
        };
        let errors = racers.iter().map(Racer::common_error).collect();
        Self { rows: racers.iter().map(row).collect(), is_paired, errors }
    }

    /// Returns the smallest number of seeds of a recipe.
    fn seeds(&self) -> usize {
        self.rows.iter().map(Vec::len).min().unwrap_or(0)
    }

    /// Returns the medians over seeds drawn with replacement, with their common errors.
    fn resampled(&self, draws: &mut Draws) -> Vec<f64> {
        let mut columns: Vec<usize> = vec![];
        let median = |row: &Vec<f64>| {
            if columns.len() != row.len() || !self.is_paired {
                columns = row.iter().map(|_| below(row.len(), draws)).collect();
            }
            let mut values: Vec<f64> = columns.iter().map(|column| row[*column]).collect();
            values.sort_by(f64::total_cmp);
            middle(&values).unwrap_or(f64::INFINITY)
        };
        let mut medians: Vec<f64> = self.rows.iter().map(median).collect();
        for (median, error) in medians.iter_mut().zip(&self.errors).filter(|(_, error)| **error > 0.0) {
            *median *= (error * f64::from(draws.normal())).exp();
        }
        medians
    }
}

/// Draws a number below `count`.
fn below(count: usize, draws: &mut Draws) -> usize {
    ((u64::from(draws.bits()) * count as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Beyond, Never, Reached};

    fn among(racers: &[Racer]) -> Vec<f64> {
        probabilities(racers, Design::FIXED)
    }

    fn racer(outcomes: &[Outcome]) -> Racer {
        Racer::of((1..).zip(outcomes.iter().copied()))
    }

    #[test]
    fn a_recipe_that_wins_every_seed_is_as_good_as_its_seeds_allow() {
        let (fast, slow) = (racer(&[Reached(1.0), Reached(1.1)]), racer(&[Reached(2.0), Reached(2.1)]));
        assert_eq!(among(&[fast, slow]), [1.0 - 0.125, 0.0]);
    }

    #[test]
    fn ties_are_split_and_misses_are_infinite() {
        let missed = || racer(&[Beyond(3.0), Never]);
        assert_eq!(among(&[missed(), missed()]), [0.5, 0.5]);
        assert_eq!(among(&[missed(), racer(&[Reached(9.0), Reached(9.0)])])[0], 0.0);
    }

    /// With two seeds the races are (1, 1), (1, 2), (2, 1) and (2, 2), each as likely.
    #[test]
    fn shares_are_those_of_all_equally_likely_races() {
        let (a, b) = (racer(&[Reached(1.0), Reached(4.0)]), racer(&[Reached(2.0), Reached(2.0)]));
        let found = among(&[a, b]);
        assert!((found[0] - 0.25).abs() < 0.02 && (found[1] - 0.75).abs() < 0.02, "{found:?}");
    }

    #[test]
    fn an_error_that_all_times_of_a_recipe_share_leaves_the_best_as_open_as_it_is() {
        let racer = |time: f64, shared_error| Racer { shared_error, ..racer(&[Reached(time); 5]) };
        assert!(among(&[racer(1.0, None), racer(1.1, None)])[0] > 0.98);
        let open = among(&[racer(1.0, Some(0.1)), racer(1.1, Some(0.1))])[0];
        // Φ(ln 1.1 / (0.1 √2)) = 0.750
        assert!((open - 0.750).abs() < 0.02, "{open}");
    }

    #[test]
    fn the_draws_are_the_same_every_time() {
        let racers = [racer(&[Reached(1.0), Reached(4.0)]), racer(&[Reached(2.0), Reached(2.5)])];
        assert_eq!(among(&racers), among(&racers));
    }
}
