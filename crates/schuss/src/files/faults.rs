//! Disks that fail, for tests: any one call, or every call from one on.

use std::cell::Cell;
use std::io;

/// Which calls fail, counted from 1 on the thread that makes them.
#[derive(Clone, Copy)]
pub(crate) enum Fault {
    /// One call fails, as where a disk is full for a moment.
    Once(u64),
    /// Every call from this one on fails, as where the process was killed there.
    From(u64),
}

thread_local! {
    static PLAN: Cell<(Option<Fault>, u64)> = const { Cell::new((None, 0)) };
}

/// Does `work` with such a fault; whether it came to it.
pub(crate) fn with<T>(fault: Fault, work: impl FnOnce() -> T) -> (T, bool) {
    PLAN.set((Some(fault), 0));
    let done = work();
    let (_, calls) = PLAN.replace((None, 0));
    let (Fault::Once(at) | Fault::From(at)) = fault;
    (done, calls >= at)
}

/// The next call's fate.
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
