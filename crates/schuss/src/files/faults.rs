//! Fault injection for tests: one disk call fails, or every call from one on.

use std::cell::Cell;
use std::io;

/// Calls that fail, counted from 1 on the calling thread.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// One call fails, as if the disk were full for a moment.
    Once(u64),
    /// Every call from this one on fails, as if the process were killed there.
    From(u64),
}

thread_local! {
    static PLAN: Cell<(Option<Fault>, u64)> = const { Cell::new((None, 0)) };
}

/// Runs `work` with a fault. Returns its result, and true if the fault was reached.
pub(crate) fn with<T>(fault: Fault, work: impl FnOnce() -> T) -> (T, bool) {
    PLAN.set((Some(fault), 0));
    let done = work();
    let (_, calls) = PLAN.replace((None, 0));
    let (Fault::Once(at) | Fault::From(at)) = fault;
    (done, calls >= at)
}

/// Counts a call, and returns an error if it is to fail.
pub(super) fn next() -> io::Result<()> {
    let (plan, calls) = PLAN.get();
    PLAN.set((plan, calls + 1));
    let fails = match plan {
        Some(Fault::Once(at)) => calls + 1 == at,
        Some(Fault::From(at)) => calls + 1 >= at,
        None => false,
    };
    if fails { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
}
