//! Optimizer updates in one pass over weights, gradients and an optimizer's slots.

use crate::count::Count;
use crate::pointer::SharedMut;
use crate::team::share;
use crate::{Kernel, LANES, Lane, Math, PASS_WORK, Team, Vector};
use std::ops::Range;

/// Update of one weight, written once for every kind of lane. `S` is the number of slots per weight.
pub trait Elementwise<const S: usize>: Copy + Sync {
    /// Returns the new weight, given its gradient (already divided by the number of samples), its value and
    /// its slots.
    fn apply<L: Math>(&self, gradient: L, weight: L, slots: &mut [L; S]) -> L;

    /// Returns true if a weight with zero gradient stays unchanged, so that it need not be touched.
    fn rests_at_zero(&self) -> bool {
        false
    }
}

/// weights ← update(sums / count, weights, slots), element by element.
///
/// # Panics
/// If the lengths differ or are no multiple of 16.
pub fn sweep<U: Elementwise<S>, const S: usize>(
    team: &mut Team,
    update: &U,
    sums: &[f32],
    count: f32,
    weights: &mut [f32],
    slots: [&mut [f32]; S],
) {
    let len = weights.len();
    assert!(len.is_multiple_of(LANES) && sums.len() == len && slots.iter().all(|slot| slot.len() == len));
    let weights = SharedMut::new(weights);
    let slots = slots.map(SharedMut::new);
    let (isa, parts) = (team.isa(), team.parts());
    let count = Count::new(count, isa);
    team.run(len * PASS_WORK, |part| {
        let vectors = share(len / LANES, part, parts);
        isa.run(Sweep { update, sums, count, weights, slots, vectors });
    });
}

/// Runs the update on plain `f64`: the reference implementation, and the descent on an error surface.
///
/// # Panics
/// If the lengths differ.
pub fn sweep_reference<U: Elementwise<S>, const S: usize>(
    update: &U,
    sums: &[f64],
    count: f64,
    weights: &mut [f64],
    slots: [&mut [f64]; S],
) {
    assert!(sums.len() == weights.len() && slots.iter().all(|slot| slot.len() == weights.len()));
    for (i, (weight, &sum)) in weights.iter_mut().zip(sums).enumerate() {
        let mut own: [f64; S] = std::array::from_fn(|s| slots[s][i]);
        *weight = update.apply(sum / count, *weight, &mut own).flush();
        for (s, value) in own.into_iter().enumerate() {
            slots[s][i] = value.flush();
        }
    }
}

struct Sweep<'a, U, const S: usize> {
    update: &'a U,
    sums: &'a [f32],
    count: Count,
    weights: SharedMut,
    slots: [SharedMut; S],
    vectors: Range<usize>,
}

impl<U: Elementwise<S>, const S: usize> Kernel for Sweep<'_, U, S> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector>(self) {
        let count = self.count;
        let update = *self.update; // a local copy, which stores cannot change, so that its numbers stay in registers
        for at in self.vectors.map(|vector| vector * LANES) {
            // SAFETY: `sweep` checked that all buffers hold `at..at + 16`, and no other part has this range.
            unsafe {
                let gradient = count.divide(V::load(self.sums.as_ptr().add(at)));
                apply_vector(&update, gradient, self.weights.at(at), self.slots.map(|slot| slot.at(at)));
            }
        }
    }
}

/// Updates 16 weights in memory.
///
/// # Safety
/// Every pointer points to 16 numbers that nothing else accesses during the call.
#[inline(always)]
pub(crate) unsafe fn apply_vector<V: Vector, U: Elementwise<S>, const S: usize>(
    update: &U,
    gradient: V,
    weight: *mut f32,
    slots: [*mut f32; S],
) {
    // SAFETY: promised by the caller.
    unsafe {
        let mut own = slots.map(|slot| V::load(slot));
        update.apply(gradient, V::load(weight), &mut own).flush().store(weight);
        for (to, value) in slots.into_iter().zip(own) {
            value.flush().store(to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Buffer, Isa};

    /// Heavy ball: one slot.
    #[derive(Clone, Copy)]
    struct HeavyBall;

    impl Elementwise<1> for HeavyBall {
        fn apply<L: Lane>(&self, gradient: L, weight: L, [velocity]: &mut [L; 1]) -> L {
            *velocity = L::splat(0.9).mul_add(*velocity, gradient);
            weight - L::splat(0.1) * *velocity
        }
    }

    fn run(isa: Isa, threads: usize) -> (Vec<f32>, Vec<f32>) {
        let mut team = Team::with_isa(threads, isa).unwrap();
        let (mut w, mut v, mut g) = (Buffer::zeros(208), Buffer::zeros(208), Buffer::zeros(208));
        for step in 0..200 {
            (0..208).for_each(|i| g[i] = ((i * 37 + step * 11) % 23) as f32 - 11.0);
            sweep(&mut team, &HeavyBall, &g, 7.0, &mut w, [&mut v]);
        }
        (w.to_vec(), v.to_vec())
    }

    #[test]
    fn a_sweep_has_the_same_bits_on_every_instruction_set_and_any_number_of_threads() {
        let expected = run(Isa::available()[0], 1);
        for isa in Isa::available() {
            for threads in [1, 2, 3] {
                assert_eq!(run(isa, threads), expected, "{}, {threads} threads", isa.name());
            }
        }
    }

    #[test]
    fn a_decaying_slot_is_flushed_to_zero_before_it_turns_denormal() {
        for isa in Isa::available() {
            let mut team = Team::with_isa(1, isa).unwrap();
            let (mut w, mut v, g) = (Buffer::zeros(16), Buffer::zeros(16), Buffer::zeros(16));
            v.fill(1.1e-30);
            sweep(&mut team, &HeavyBall, &g, 1.0, &mut w, [&mut v]);
            assert!(v.iter().all(|&v| v == 0.0), "{}", isa.name());
        }
    }

    #[test]
    fn the_f64_reference_runs_the_same_update() {
        let (mut w, mut v) = ([0.0; 3], [0.0; 3]);
        for _ in 0..2 {
            sweep_reference(&HeavyBall, &[1.0, 2.0, -1.0], 1.0, &mut w, [&mut v]);
        }
        assert!((w[1] + 0.1 * 2.0 * (1.0 + 1.9)).abs() < 1e-15);
    }
}
