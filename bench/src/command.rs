//! Command lines of the measurements in `bin/`.

use schuss::{Error, Result};
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of a measurement that writes its results to a new folder: `OUTDIR [ROUNDS]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arguments {
    /// Folder for the results, which does not exist yet.
    pub folder: PathBuf,
    /// Number of rounds. Each round measures everything, so that a slow minute does not affect just one subject.
    pub rounds: usize,
}

impl Arguments {
    /// Parses the arguments that follow the name of the measurement `name`, by default with `rounds` rounds.
    ///
    /// # Errors
    /// A usage error if no folder is given or it exists, if there are no rounds, or for any other argument.
    pub fn parse(name: &str, rounds: usize, given: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut given = given.into_iter();
        let usage =
            |what: &str| Error::usage(what).advise(format!("{name} OUTDIR [ROUNDS], where OUTDIR is new"));
        let folder = given.next().ok_or_else(|| usage("no folder is named for the results"))?;
        let folder = PathBuf::from(folder);
        if folder.exists() {
            return Err(Error::usage("the folder for the results is already there").at(folder.display()));
        }
        let rounds = given.next().map_or(Ok(rounds), |text| count("ROUNDS", &text))?;
        match given.next() {
            Some(more) => Err(usage(&format!("`{more}` is one argument too many"))),
            None => Ok(Self { folder, rounds }),
        }
    }

    /// Parses the arguments of this process; see [`Self::parse`].
    ///
    /// # Errors
    /// As for [`Self::parse`].
    pub fn of_process(name: &str, rounds: usize) -> Result<Self> {
        Self::parse(name, rounds, std::env::args().skip(1))
    }
}

/// Parses a number of repetitions, called `what` in messages.
///
/// # Errors
/// A usage error unless it is a whole number, at least 1.
pub fn count(what: &str, text: &str) -> Result<usize> {
    let count = text.parse().ok().filter(|&count| count > 0);
    count.ok_or_else(|| Error::usage(format!("{what} must be a whole number, at least 1, not `{text}`")))
}

/// Returns the exit code of a measurement, and prints its error if there is one.
pub fn exit_code(outcome: Result<()>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(given: &[&str]) -> Result<Arguments> {
        Arguments::parse("growth", 5, given.iter().map(ToString::to_string))
    }

    #[test]
    fn a_new_folder_is_needed_and_rounds_have_a_default() {
        let folder = PathBuf::from("no/such/folder");
        assert_eq!(parse(&["no/such/folder"]).unwrap(), Arguments { folder: folder.clone(), rounds: 5 });
        assert_eq!(parse(&["no/such/folder", "7"]).unwrap(), Arguments { folder, rounds: 7 });
    }

    #[test]
    fn anything_else_is_a_usage_error() {
        for given in [&[][..], &["."], &["new", "0"], &["new", "seven"], &["new", "7", "8"]] {
            assert_eq!(parse(given).unwrap_err().exit_code(), 2, "{given:?}");
        }
    }
}
