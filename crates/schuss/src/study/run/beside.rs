//! A trial that runs beside others, and has the machine for itself while its speed is measured.

use super::member::Member;
use super::runner::Runner;
use super::turns::TURN;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The machine, which trials share except while one is measured.
#[derive(Default)]
pub(super) struct SharedMachine(RwLock<()>);

impl SharedMachine {
    /// Waits until no trial is measured.
    pub(super) fn beside_others(&self) -> RwLockReadGuard<'_, ()> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until no trial runs.
    fn alone(&self) -> RwLockWriteGuard<'_, ()> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs a trial to its end.
pub(super) fn run_beside(runner: &Runner<'_>, mut member: Member<'_, '_>) {
    let (threads, share) = (runner.timetable.all_threads(), runner.timetable.limits.threads);
    let ended = loop {
        let ended = if member.session.calibration_is_due() {
            let _alone = runner.machine.alone();
            member.calibrate(runner.control, TURN, threads, share)
        } else {
            let _beside = runner.machine.beside_others();
            member.turn(runner.control, TURN)
        };
        if let Some(ended) = ended {
            break ended;
        }
    };
    let _beside = runner.machine.beside_others();
    runner.finish(member, ended);
}
