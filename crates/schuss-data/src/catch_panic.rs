//! Borrowed decoders are not trusted with the process: a panic in one is an error of its file.

use crate::{Error, Result};
use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    /// Whether this thread is in a decoder, whose panics are not worth a report: the error says it all.
    static IN_DECODER: Cell<bool> = const { Cell::new(false) };
}

/// What `decode` gives, or `refuse`'s error if it panics; whatever it was working on is not looked at again.
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

/// Lets panics in decoders pass unreported, and all others go the way they went before.
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
