//! Runs the real command in its own temporary folder.
#![allow(dead_code)] // each test file uses only a part

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// Arguments for small data, so that a run takes a fraction of a second.
pub(crate) const SMALL: &[&str] = &["--data", "digits:train=400,test=100,size=8", "--model", "64-12-10"];

pub(crate) struct Place(TempDir);

pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Returns the command, ready to run in this folder.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_schuss"));
        command.args(args).current_dir(self.path()).env("XDG_CACHE_HOME", self.join("cache"));
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(args).output().unwrap())
    }

    /// Runs `args` followed by [`SMALL`].
    pub(crate) fn small(&self, args: &[&str]) -> Ran {
        self.run(&[args, SMALL].concat())
    }
}

impl Ran {
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Parses stdout as a single JSON object.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error} in {}", self.stdout))
    }

    /// Checks the exit code, and that stderr contains `part` and no panic.
    pub(crate) fn refused(&self, code: i32, part: &str) {
        assert_eq!(self.code, code, "stdout {}\nstderr {}", self.stdout, self.stderr);
        assert!(self.stderr.contains(part), "`{part}` is not in: {}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}
