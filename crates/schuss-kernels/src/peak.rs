//! What the machine can do at most: the measures that speeds are shares of.

use crate::{Kernel, Team, Vector};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Most chains of vectors side by side. To hide the latency of FMA takes 4 cycles at 2 a cycle, 8 registers; some
/// processors need more. A [`Vector::TILE_ROWS`] of them is what the registers hold: 14 of AVX-512, 12 of AVX2.
const MOST_CHAINS: usize = 14;
/// Steps of every chain between two looks at the clock.
const STEPS: usize = 100_000;

/// Multiply-adds in registers alone, as fast as all threads of `team` go, for about `time`: GFLOP/s (two per
/// multiply-add), the best round of many, since others may disturb some.
pub fn fma_gflops(team: &mut Team, time: Duration) -> f64 {
    let (isa, parts) = (team.isa(), team.parts());
    let chains = isa.run(Chains { steps: 0 });
    let flops = (2 * crate::LANES * chains * STEPS * parts) as f64;
    best_rate(time, flops, || {
        team.run(usize::MAX, |_| {
            isa.run(Chains { steps: STEPS });
        });
    })
}

/// Bytes per second that a copy through all threads moves, read and write counted, in GB/s: the best round of many
/// over buffers of 64 MiB, more than most caches hold.
pub fn copy_gigabytes(team: &mut Team, time: Duration) -> f64 {
    const NUMBERS: usize = 16 << 20;
    const CHUNK: usize = 1 << 16;
    let from = vec![1.0_f32; NUMBERS];
    let mut to = vec![0.0_f32; NUMBERS];
    best_rate(time, (2 * size_of_val(&from[..])) as f64, || {
        team.for_chunks(usize::MAX, &mut to, CHUNK, |chunk, to| {
            to.copy_from_slice(&from[chunk * CHUNK..][..to.len()]);
        });
    })
}

/// The best of `amount` per second over rounds of `work`, in billions.
fn best_rate(time: Duration, amount: f64, mut work: impl FnMut()) -> f64 {
    work(); // threads awake, pages there
    let (begin, mut best) = (Instant::now(), 0.0_f64);
    while begin.elapsed() < time {
        let round = Instant::now();
        work();
        best = best.max(amount / round.elapsed().as_secs_f64() / 1e9);
    }
    best
}

/// Multiply-adds in as many chains as the registers hold; how many that is.
struct Chains {
    steps: usize,
}

impl Kernel for Chains {
    type Output = usize;

    #[inline(always)]
    fn run<V: Vector>(self) -> usize {
        let [factor, term] = [V::splat(black_box(0.5)), V::splat(black_box(1.0))];
        let mut chains = [term; MOST_CHAINS];
        for _ in 0..self.steps {
            for chain in &mut chains[..V::TILE_ROWS] {
                *chain = chain.mul_add(factor, term);
            }
        }
        chains.iter().for_each(|chain| {
            black_box(chain.sum());
        });
        V::TILE_ROWS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_positive_numbers() {
        let mut team = Team::new(2).unwrap();
        for rate in [fma_gflops(&mut team, Duration::ZERO), copy_gigabytes(&mut team, Duration::ZERO)] {
            assert!(rate >= 0.0 && rate.is_finite());
        }
    }
}
