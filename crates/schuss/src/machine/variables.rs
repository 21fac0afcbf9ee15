//! Check of the `SCHUSS_` environment variables: a misspelled one must not be silently ignored.

use crate::{Cause, Error, Result, spec};
use schuss_kernels::Isa;
use schuss_kernels::bf16::Unit;
use std::ffi::OsString;

/// Variables read at run time, and one read at build time (`SCHUSS_COMMIT`).
const KNOWN: [&str; 4] = ["SCHUSS_DATA", "SCHUSS_ISA", "SCHUSS_AMX", "SCHUSS_COMMIT"];

/// Checks that all environment variables that begin with `SCHUSS_` are known, and that this machine supports their
/// values. To be called by the command before anything else.
///
/// # Errors
/// A usage error that lists the known variables or values.
pub fn check() -> Result<()> {
    std::env::vars_os().try_for_each(|(name, value)| variable(&name.to_string_lossy(), &value))
}

/// Checks a variable; an empty one counts as unset.
fn variable(name: &str, value: &OsString) -> Result<()> {
    if !name.starts_with("SCHUSS_") || value.is_empty() {
        return Ok(());
    }
    match name {
        "SCHUSS_ISA" => one_of(name, value, &Isa::available().into_iter().map(Isa::name).collect::<Vec<_>>()),
        "SCHUSS_AMX" => {
            let units = Unit::available().into_iter().map(Unit::name);
            one_of(name, value, &units.chain(["off"]).collect::<Vec<_>>())
        }
        _ if KNOWN.contains(&name) => Ok(()),
        _ => Err(Error::usage(format!("unknown environment variable {name}"))
            .because(Cause::UnknownName {
                noun: "environment variable".to_owned(),
                name: name.to_owned(),
                nearest: spec::nearest(name, &KNOWN).map(str::to_owned),
            })
            .advise(format!("one of {}", KNOWN.join(", ")))),
    }
}

fn one_of(name: &str, value: &OsString, known: &[&str]) -> Result<()> {
    if known.iter().any(|known| value == known) {
        return Ok(());
    }
    let value = value.to_string_lossy();
    Err(Error::usage(format!(
        "the environment variable {name} is `{value}`, which this machine does not support"
    ))
    .advise(format!("{name}={}", known.join(&format!(" or {name}=")))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &str, value: &str) -> Option<String> {
        variable(name, &value.into()).err().map(|error| {
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        })
    }

    #[test]
    fn a_variable_of_ours_that_is_not_known_is_refused_with_those_that_are() {
        for name in ["SCHUSS_THREADS", "SCHUSS_Isa", "SCHUSS_"] {
            let said = refusal(name, "1").unwrap();
            assert!(said.contains(name) && said.contains("SCHUSS_DATA, SCHUSS_ISA, SCHUSS_AMX"), "{said}");
        }
        for name in ["SCHUSS_DATA", "SCHUSS_COMMIT", "SCHUSSFAHRT", "HOME"] {
            assert_eq!(refusal(name, "anything"), None, "{name}");
        }
    }

    #[test]
    fn an_instruction_set_or_tile_unit_that_is_not_there_is_refused_with_those_that_are() {
        for value in ["portable", ""] {
            assert_eq!(refusal("SCHUSS_ISA", value), None);
        }
        for value in ["off", "emulated", ""] {
            assert_eq!(refusal("SCHUSS_AMX", value), None);
        }
        assert!(refusal("SCHUSS_ISA", "avx1024").unwrap().contains("SCHUSS_ISA=portable"));
        assert!(refusal("SCHUSS_AMX", "on").unwrap().contains("SCHUSS_AMX=off"));
    }
}
