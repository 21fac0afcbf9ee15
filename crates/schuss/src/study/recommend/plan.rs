//! Shares of the time: how many candidates are tried, for how long, and how much is left for the finals.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Most recipes in the finals: the two best, the best with a schedule, and the linear baseline.
const FINALISTS: u32 = 4;
/// Numbers of seeds that finals are planned for.
pub(super) const SEEDS: RangeInclusive<usize> = 3..=10;
/// Share of the time for the finals.
const FINALS: f64 = 0.5;
/// Share of the time for measuring how long candidates take.
const PILOTS: f64 = 0.05;
/// Candidates that the last rung begins with.
const SURVIVORS: usize = 3;
/// Ratio of the candidates of a rung to those of the next.
const RATIO: u32 = 3;
/// Most rungs.
const RUNGS: u32 = 4;

/// Division of the time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    /// Longest time that one training may take.
    pub(super) longest: Duration,
    /// Rungs of the search.
    pub(super) rungs: Vec<Rung>,
}

/// Rung of successive halving: further time for the candidates that are left.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rung {
    /// Number of candidates, without the linear ones.
    pub(super) candidates: usize,
    /// Time of each.
    pub(super) time: Duration,
}

impl Plan {
    /// Divides `time`, where a candidate takes `shortest` to show anything; `None` if there is too little of it.
    ///
    /// Finals with the fewest seeds take their share even if every finalist trains as long as it may. The candidates of a
    /// rung train three times as long, all in all, as those of the rung before.
    pub(super) fn new(time: Duration, shortest: Duration) -> Option<Self> {
        let longest = longest(time);
        let rungs = (0..RUNGS).rev().find(|rung| longest / RATIO.pow(*rung) >= shortest)?;
        let until = |rung: u32| longest / RATIO.pow(rungs - rung);
        let rung = |rung: u32| Rung {
            candidates: SURVIVORS * RATIO.pow(rungs - rung) as usize,
            time: until(rung) - rung.checked_sub(1).map_or(Duration::ZERO, until),
        };
        Some(Self { longest, rungs: (0..=rungs).map(rung).collect() })
    }
}

impl Plan {
    /// Returns the most sessions in memory, of so many candidates: those of the second rung with the baseline, and one on trial.
    pub(super) fn live(&self, candidates: usize) -> usize {
        self.rungs.get(1).map_or(candidates, |next| candidates.min(next.candidates + 2))
    }
}

/// Returns the longest time of one training.
pub(super) fn longest(time: Duration) -> Duration {
    time.mul_f64(FINALS) / (FINALISTS * *SEEDS.start() as u32)
}

/// Returns the time that a network may take to show anything: one that takes longer would leave fewer than three rungs.
pub(super) fn brief(time: Duration) -> Duration {
    longest(time) / RATIO.pow(2)
}

/// Returns the least time in which a candidate that takes `shortest` to show anything can be tried.
pub(super) fn least(shortest: Duration) -> Duration {
    (shortest * FINALISTS * *SEEDS.start() as u32).div_f64(FINALS)
}

/// Returns the most time for measuring how long candidates take.
pub(super) fn pilots(time: Duration) -> Duration {
    time.mul_f64(PILOTS)
}

impl Rung {
    /// Returns the time of a candidate's turn, if the rung ends after `left` and so many `candidates` have not had their
    /// turns: less than planned if others took longer.
    pub(super) fn turn(self, left: Duration, candidates: usize) -> Duration {
        self.time.min(left / candidates.max(1) as u32)
    }
}

/// Returns the number of seeds for finals of which one seed takes `each`, within the time that is left.
pub(super) fn seeds(left: Duration, each: Duration) -> usize {
    /// Time beside training: evaluations, records, splits drawn anew.
    const BESIDE: f64 = 1.15;
    let fit = left.as_secs_f64() / (BESIDE * each.as_secs_f64());
    (fit as usize).min(*SEEDS.end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn search_and_finals_fit_in_the_time_however_long_that_is_and_candidates_take() {
        for seconds in [1, 5, 60, 600, 36_000] {
            let time = SECOND * seconds;
            for shortest in [1e-6, 1e-3, 0.02, 0.1].map(|share| time.mul_f64(share * 0.4)) {
                let Some(Plan { longest, rungs }) = Plan::new(time, shortest) else {
                    assert!(least(shortest) > time);
                    continue;
                };
                let linear = 5 * rungs[0].time + (longest - rungs[0].time); // all of them first, then the best
                let search: Duration = rungs.iter().map(|rung| rung.time * rung.candidates as u32).sum();
                assert!(search + linear <= time.mul_f64(1.0 - FINALS - PILOTS), "{search:?} of {time:?}");
                assert!(longest * 12 <= time.mul_f64(FINALS));
                assert!(rungs[0].time >= shortest);
                let all: Duration = rungs.iter().map(|rung| rung.time).sum();
                assert!(all.abs_diff(longest) < Duration::from_micros(1));
                assert_eq!(rungs.last().map(|rung| rung.candidates), Some(SURVIVORS));
            }
        }
    }

    #[test]
    fn candidates_that_overrun_their_turns_do_not_move_the_end_of_the_rung() {
        let rung = Rung { candidates: 9, time: SECOND };
        let (mut now, ends) = (Duration::ZERO, 9 * SECOND);
        for index in 0..9 {
            let turn = rung.turn(ends.saturating_sub(now), 9 - index);
            assert!(turn <= SECOND);
            now += turn.mul_f64(if index < 4 { 1.6 } else { 1.0 });
        }
        assert!(now <= ends + Duration::from_millis(1), "{now:?}");
    }

    #[test]
    fn as_many_seeds_run_as_fit_and_ten_at_most() {
        assert_eq!(seeds(SECOND * 60, SECOND * 10), 5);
        assert_eq!(seeds(SECOND * 60, SECOND), 10);
        assert_eq!(seeds(SECOND, SECOND * 10), 0);
    }
}
