//! The `schuss` command: flags, progress and exit codes around the library.

mod args;
mod compare;
mod progress;
mod signals;
mod study;

use args::{Cli, Command, DataCommand};
use clap::{CommandFactory, Parser};
use schuss::{Error, Result};
use std::io::Write;
use std::process::ExitCode;

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: Command) -> Result<u8> {
    match command {
        Command::Compare { study, flags } => compare::compare(study.as_deref(), &flags),
        Command::Train { flags } => compare::train(&flags),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "schuss", &mut script);
            print(&script)
        }
        Command::Man => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .map_err(|error| Error::failure(format!("the man page cannot be made: {error}")))?;
            print(&page)
        }
        _ => todo!(),
    }
}

/// Writes a text to stdout; a reader that has seen enough is no failure.
fn print(text: &[u8]) -> Result<u8> {
    match std::io::stdout().write_all(text) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::failure(format!("stdout cannot be written: {error}")))
        }
        _ => Ok(0),
    }
}
