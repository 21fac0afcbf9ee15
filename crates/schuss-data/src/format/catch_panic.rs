//! Turns a panic in a third-party decoder into an error about the file that it was decoding.

use crate::{Error, Result};
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// True while this thread runs a decoder, whose panics are not reported: the error is enough.
    static IN_DECODER: Cell<bool> = const { Cell::new(false) };
}

/// Returns the result of `decode`, or the error from `refuse` if it panics; the state that `decode` was working on is
/// not used again.
pub(crate) fn catch_panic<T>(
    decode: impl FnOnce() -> Result<T>,
    refuse: impl FnOnce() -> Error,
) -> Result<T> {
    keep_quiet();
    let outer = IN_DECODER.replace(true);
    let decoded = catch_unwind(AssertUnwindSafe(decode));
    IN_DECODER.set(outer);
    decoded.unwrap_or_else(|_| Err(refuse()))
}

/// Installs, once, a panic hook that ignores panics in decoders and passes all others to the previous hook.
fn keep_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if !IN_DECODER.get() {
                report(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let error =
            catch_panic::<()>(|| panic!("index out of bounds"), || Error::data("bad file")).unwrap_err();
        assert_eq!(error.what, "bad file");
    }
}
