//! Peak rates of the machine, to which measured speeds are compared.

pub use crate::bf16::tile_gflops;
use crate::{Kernel, LANES, Team, Vector};
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Maximum number of independent chains of vectors. To hide the latency of FMA takes 4 cycles at 2 a cycle, 8
/// registers; some processors need more. [`Vector::TILE_ROWS`] chains fill the registers: 14 of AVX-512, 12
/// of AVX2.
const MOST_CHAINS: usize = 14;
/// Steps of every chain between two clock readings.
const STEPS: usize = 100_000;
/// Independent chains of roots and quotients, which hide most of their latency.
const ROOTS: usize = 8;
/// Times that a root and a quotient take longer than the multiply-adds of a step, about.
const SLOWER: usize = 10;

/// Measures multiply-adds in registers alone on all threads of `team`, for about `time`. Returns GFLOP/s (two
/// per multiply-add) of the best of many rounds, since other processes may disturb some.
pub fn fma_gflops(team: &mut Team, time: Duration) -> f64 {
    let (isa, parts) = (team.isa(), team.parts());
    let chains = isa.run(Chains { steps: 0 });
    let flops = (2 * LANES * chains * STEPS * parts) as f64;
    best_rate(time, flops, || {
        team.run(usize::MAX, |_| {
            isa.run(Chains { steps: STEPS });
        });
    })
}

/// Measures square roots and quotients in registers alone on all threads of `team`, one of each per number as in a step
/// of Adam, for about `time`. Returns billions of numbers per second of the best of many rounds.
pub fn root_and_quotient_rate(team: &mut Team, time: Duration) -> f64 {
    let (isa, parts) = (team.isa(), team.parts());
    best_rate(time, (LANES * ROOTS * STEPS * parts) as f64 / SLOWER as f64, || {
        team.run(usize::MAX, |_| isa.run(Roots { steps: STEPS / SLOWER }));
    })
}

/// Measures the bandwidth of a copy between two buffers of `bytes` bytes on all threads, for about `time`. Returns GB/s,
/// counting read and write, of the best of many rounds. 64 MiB are more than most caches hold.
pub fn copy_gigabytes(team: &mut Team, bytes: usize, time: Duration) -> f64 {
    const CHUNK: usize = 1 << 14;
    let from = vec![1.0_f32; bytes / size_of::<f32>()];
    let mut to = vec![0.0_f32; from.len()];
    best_rate(time, (2 * size_of_val(&from[..])) as f64, || {
        team.for_chunks(usize::MAX, &mut to, CHUNK, |chunk, to| {
            to.copy_from_slice(&from[chunk * CHUNK..][..to.len()]);
        });
    })
}

/// Returns the best rate over rounds of `work`, `amount` per round, in billions per second.
pub(crate) fn best_rate(time: Duration, amount: f64, mut work: impl FnMut()) -> f64 {
    work(); // warm-up: wakes the threads and maps the pages
    let (begin, mut best) = (Instant::now(), 0.0_f64);
    loop {
        let round = Instant::now();
        work();
        best = best.max(amount / round.elapsed().as_secs_f64() / 1e9);
        if begin.elapsed() >= time {
            return best;
        }
    }
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

/// Divides numbers by their square roots, which tends to 1, in some chains.
struct Roots {
    steps: usize,
}

impl Kernel for Roots {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let mut chains = [V::splat(black_box(2.0)); ROOTS];
        for _ in 0..self.steps {
            for chain in &mut chains {
                *chain = *chain / chain.sqrt();
            }
        }
        chains.iter().for_each(|chain| {
            black_box(chain.sum());
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16::Unit;

    #[test]
    fn rates_are_positive_numbers() {
        let mut team = Team::new(2).unwrap();
        let rates = [
            fma_gflops(&mut team, Duration::ZERO),
            root_and_quotient_rate(&mut team, Duration::ZERO),
            copy_gigabytes(&mut team, 1 << 20, Duration::ZERO),
        ];
        let tiles = Unit::available().into_iter().map(|unit| tile_gflops(&mut team, unit, Duration::ZERO));
        for rate in rates.into_iter().chain(tiles) {
            assert!(rate > 0.0 && rate.is_finite(), "{rate}");
        }
    }
}
