//! Live trials that take turns with the whole machine.

use super::member::Member;
use super::runner::Runner;
use crate::session::Control;
use schuss_data::random::{Draws, Key, Purpose};
use std::time::Duration;

/// Duration of a turn: long compared with filling the caches again, short compared with how fast a machine slows down.
pub(super) const TURN: Duration = Duration::from_millis(if cfg!(test) { 0 } else { 100 });

/// Runs trials to their ends: each has one turn per round, in a random order that is the same in every run. Once one is
/// left, it keeps the machine. After an error the others end as interrupted, so that they can be resumed.
pub(super) fn take_turns(runner: &Runner<'_>, mut live: Vec<Member<'_, '_>>) {
    let mut dice = Key { seed: 0, purpose: Purpose::Turns, epoch: 0 }.draws(0);
    while !live.is_empty() {
        shuffle(&mut live, &mut dice);
        for index in (0..live.len()).rev() {
            let is_last = live.len() == 1;
            let time = if is_last { Duration::MAX } else { TURN };
            let control = if runner.failed() {
                interrupted()
            } else if is_last {
                runner.control.clone()
            } else {
                live[index].control.clone()
            };
            let ended = live[index].turn(&control, time).map(|ended| (live.swap_remove(index), ended));
            if !is_last {
                runner.control.set_samples(live.iter().map(|member| member.control.samples()).sum());
            }
            if let Some((member, ended)) = ended {
                runner.finish(member, ended);
            }
        }
    }
}

fn interrupted() -> Control {
    let control = Control::default();
    control.interrupt();
    control
}

/// Puts the members in random order (Fisher and Yates).
fn shuffle<T>(members: &mut [T], dice: &mut Draws) {
    for last in (1..members.len()).rev() {
        let other = (u64::from(dice.bits()) * (last as u64 + 1)) >> 32;
        members.swap(last, other as usize);
    }
}
