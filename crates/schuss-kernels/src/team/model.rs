//! A team of two under loom, which runs a test in every order that its threads may take and with every value
//! that the memory model lets a load see, up to a bound on preemptions.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p schuss-kernels --release --lib team::model`

use super::*;
use std::panic::resume_unwind;

/// Maximum number of preemptions; nearly all races need only one or two.
const PREEMPTIONS: usize = 3;

fn in_every_order(test: impl Fn(Team) + Send + Sync + 'static) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.check(move || test(Team::new(2).unwrap()));
}

/// One number per part. Loom rejects two threads accessing one place, and a reader who may not see what was
/// written.
struct Counts(Vec<UnsafeCell<usize>>);

// SAFETY: loom stops the test before two threads are in one place.
unsafe impl Sync for Counts {}

impl Counts {
    fn new(team: &Team) -> Self {
        Self((0..team.parts()).map(|_| UnsafeCell::new(0)).collect())
    }

    fn add(&self, part: usize) {
        // SAFETY: loom stops the test if another thread is here.
        self.0[part].with_mut(|count| unsafe { *count += 1 });
    }

    #[track_caller]
    fn assert_all(&self, expected: usize) {
        for count in &self.0 {
            // SAFETY: as above.
            assert_eq!(count.with(|count| unsafe { *count }), expected);
        }
    }
}

#[test]
fn every_part_runs_once_and_the_caller_sees_what_it_did() {
    in_every_order(|mut team| {
        let counts = Counts::new(&team);
        team.run(usize::MAX, |part| counts.add(part));
        counts.assert_all(1);
    });
}

#[test]
fn a_late_worker_takes_no_part_for_the_job_before() {
    in_every_order(|mut team| {
        let jobs = [(); 2].map(|()| Counts::new(&team));
        for counts in &jobs {
            team.run(usize::MAX, |part| counts.add(part));
            counts.assert_all(1);
        }
        jobs[0].assert_all(1);
    });
}

#[test]
fn a_team_ends_whether_its_worker_is_starting_spinning_or_asleep() {
    in_every_order(drop);
}

#[test]
fn a_panic_in_a_part_reaches_the_caller_and_the_team_lives_on() {
    in_every_order(|mut team| {
        let crash = |part| {
            if part == 1 {
                resume_unwind(Box::new(()))
            }
        };
        assert!(catch_unwind(AssertUnwindSafe(|| team.run(usize::MAX, crash))).is_err());
        let counts = Counts::new(&team);
        team.run(usize::MAX, |part| counts.add(part));
        counts.assert_all(1);
    });
}
