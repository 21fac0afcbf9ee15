//! Sums over all weights of a range, such as norms and dot products, in an order independent of the number of
//! threads.

use crate::team::share;
use crate::{Kernel, LANES, Lane, PASS_WORK, Team, Vector};
use std::ops::Range;

/// `R` sums over weights, written once for every kind of lane. `S` is the number of slots per weight.
pub trait Reduction<const S: usize, const R: usize>: Sync {
    /// Returns the terms that one weight adds to each sum, given its gradient (already divided by the number
    /// of samples), its value and its slots. Must be zero where all of these are zero, as in pad lanes.
    /// `#[inline(always)]` makes it fast.
    fn terms<L: Lane>(&self, gradient: L, weight: L, slots: [L; S]) -> [L; R];
}

/// Weights whose terms are summed in f32: 16 lanes in index order, then the tree of [`Vector::sum`].
const CHUNK: usize = 1_024;

/// Contiguous shares of the chunks. The chunks of a share, and then the shares, are added in order in f64.
const SHARES: usize = 64;

/// Σ terms(sums / count, weights, slots).
///
/// # Panics
/// If the lengths differ or are no multiple of 16.
pub fn reduce<T: Reduction<S, R>, const S: usize, const R: usize>(
    team: &mut Team,
    reduction: &T,
    sums: &[f32],
    count: f32,
    weights: &[f32],
    slots: [&[f32]; S],
) -> [f64; R] {
    let len = weights.len();
    assert!(len.is_multiple_of(LANES) && sums.len() == len && slots.iter().all(|slot| slot.len() == len));
    let mut totals = [[0.0; R]; SHARES];
    let isa = team.isa();
    team.for_chunks(len * PASS_WORK, &mut totals, 1, |index, total| {
        for chunk in share(len.div_ceil(CHUNK), index, SHARES) {
            let range = chunk * CHUNK..len.min((chunk + 1) * CHUNK);
            isa.run(Chunk { reduction, sums, count, weights, slots, range, total: &mut total[0] });
        }
    });
    let mut total = [0.0; R];
    totals.into_iter().for_each(|share| add(&mut total, share));
    total
}

/// Returns the same sums over plain `f64`, in index order: the reference implementation.
///
/// # Panics
/// If the lengths differ.
pub fn reduce_reference<T: Reduction<S, R>, const S: usize, const R: usize>(
    reduction: &T,
    gradients: &[f64],
    weights: &[f64],
    slots: [&[f64]; S],
) -> [f64; R] {
    assert!(gradients.len() == weights.len() && slots.iter().all(|slot| slot.len() == weights.len()));
    let mut total = [0.0; R];
    for (i, &weight) in weights.iter().enumerate() {
        add(&mut total, reduction.terms(gradients[i], weight, slots.map(|slot| slot[i])));
    }
    total
}

/// Adds each of `terms` to its entry of `total`.
#[inline(always)]
fn add<L: Lane, const R: usize>(total: &mut [L; R], terms: [L; R]) {
    for (total, term) in total.iter_mut().zip(terms) {
        *total = *total + term;
    }
}

struct Chunk<'a, T, const S: usize, const R: usize> {
    reduction: &'a T,
    sums: &'a [f32],
    count: f32,
    weights: &'a [f32],
    slots: [&'a [f32]; S],
    range: Range<usize>,
    total: &'a mut [f64; R],
}

impl<T: Reduction<S, R>, const S: usize, const R: usize> Kernel for Chunk<'_, T, S, R> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let count = V::splat(f64::from(self.count));
        let mut lanes = [V::splat(0.0); R];
        for at in self.range.step_by(LANES) {
            // SAFETY: `reduce` checked that all buffers hold `at..at + 16`.
            unsafe {
                let gradient = V::load(self.sums.as_ptr().add(at)) / count;
                let mut slots = [gradient; S];
                for (own, slot) in slots.iter_mut().zip(self.slots) {
                    *own = V::load(slot.as_ptr().add(at));
                }
                let weight = V::load(self.weights.as_ptr().add(at));
                add(&mut lanes, self.reduction.terms(gradient, weight, slots));
            }
        }
        for (total, lanes) in self.total.iter_mut().zip(lanes) {
            *total += f64::from(lanes.sum());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::naive::Sample;

    /// Squared norm of the gradient, its dot product with the weights, and the L1 norm of a slot.
    struct Norms;

    impl Reduction<1, 3> for Norms {
        #[inline(always)]
        fn terms<L: Lane>(&self, gradient: L, weight: L, [slot]: [L; 1]) -> [L; 3] {
            [gradient * gradient, gradient * weight, slot.abs()]
        }
    }

    const LENGTHS: [usize; 8] = [0, 16, 48, 1_008, 1_024, 1_040, 3_072, 200_000];

    fn buffers(len: usize) -> [Vec<f32>; 3] {
        let mut sample = Sample::new(len as u64);
        std::array::from_fn(|_| sample.vector(len, 2.0))
    }

    #[test]
    fn sums_are_near_those_of_the_f64_reference() {
        for len in LENGTHS {
            let [g, w, v] = buffers(len);
            let [g64, w64, v64] = [&g, &w, &v].map(|x| x.iter().map(|&x| f64::from(x)).collect::<Vec<_>>());
            let g64: Vec<f64> = g64.iter().map(|g| g / 4.0).collect();
            let found = reduce(&mut Team::new(2).unwrap(), &Norms, &g, 4.0, &w, [&v]);
            let expected = reduce_reference(&Norms, &g64, &w64, [&v64]);
            for (found, expected) in found.into_iter().zip(expected) {
                assert!((found - expected).abs() <= 1e-7 * len as f64, "{len}: {found}, expected {expected}");
            }
        }
    }

    #[test]
    fn sums_have_the_same_bits_on_every_instruction_set_and_any_number_of_threads() {
        for len in LENGTHS {
            let [g, w, v] = buffers(len);
            let run = |isa, threads| {
                let mut team = Team::with_isa(threads, isa).unwrap();
                reduce(&mut team, &Norms, &g, 3.0, &w, [&v]).map(f64::to_bits)
            };
            for isa in Isa::available() {
                for threads in [1, 2, 3] {
                    assert_eq!(run(isa, threads), run(Isa::available()[0], 1), "{len}, {}", isa.name());
                }
            }
        }
    }
}
