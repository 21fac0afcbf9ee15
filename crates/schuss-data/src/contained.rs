//! Borrowed decoders are not trusted with the process: a panic in one is an error of its file.

use crate::{Error, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What `decode` gives, or `refuse`'s error if it panics; whatever it was working on is not looked at again.
pub(crate) fn contained<T>(decode: impl FnOnce() -> Result<T>, refuse: impl FnOnce() -> Error) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| Err(refuse()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error() {
        let error =
            contained::<()>(|| panic!("index out of bounds"), || Error::data("bad file")).unwrap_err();
        assert_eq!(error.what, "bad file");
    }
}
