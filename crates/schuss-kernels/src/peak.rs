//! Peak rates of the machine, to which measured speeds are compared.

use crate::{Kernel, Team, Vector};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Maximum number of independent chains of vectors. To hide the latency of FMA takes 4 cycles at 2 a cycle, 8
/// registers; some processors need more. [`Vector::TILE_ROWS`] chains fill the registers: 14 of AVX-512, 12
/// of AVX2.
const MOST_CHAINS: usize = 14;
/// Steps of every chain between two clock readings.
const STEPS: usize = 100_000;

/// Measures multiply-adds in registers alone on all threads of `team`, for about `time`. Returns GFLOP/s (two
/// per multiply-add) of the best of many rounds, since other processes may disturb some.
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

/// Measures the memory bandwidth of a copy on all threads, for about `time`. Returns GB/s, counting read and
/// write, of the best of many rounds over buffers of 64 MiB, more than most caches hold.
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

/// Returns the best rate over rounds of `work`, `amount` per round, in billions per second.
fn best_rate(time: Duration, amount: f64, mut work: impl FnMut()) -> f64 {
    work(); // warm-up: wakes the threads and maps the pages
    let (begin, mut best) = (Instant::now(), 0.0_f64);
    while begin.elapsed() < time {
        let round = Instant::now();
        work();
        best = best.max(amount / round.elapsed().as_secs_f64() / 1e9);
    }
    best
}

/// Runs multiply-adds in as many chains as the registers hold; returns that number.
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
