//! Man pages: one for schuss, one for each subcommand.

use crate::args::Cli;
use clap::{Command, CommandFactory};
use schuss::{Error, Result};
use schuss_data::spec::unknown;
use schuss_data::text::plain_io;
use std::path::Path;

/// Returns the page of a subcommand, `train` or `data show`, or of schuss itself if `verb` is empty.
pub(crate) fn page(verb: &[String]) -> Result<String> {
    let command = built();
    let mut found = &command;
    for word in verb {
        let verbs: Vec<&str> = found.get_subcommands().map(Command::get_name).collect();
        found = found.find_subcommand(word).ok_or_else(|| unknown("verb", word, "", &verbs))?;
    }
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(found.clone()).render(&mut page);
    rendered
        .map_err(|error| Error::failure(format!("the man page cannot be generated: {}", plain_io(&error))))?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// Writes all pages into a folder, creating it if needed, and returns a message.
pub(crate) fn write(folder: &Path) -> Result<String> {
    let fail = |error: std::io::Error| {
        Error::failure(format!("the man pages cannot be written: {}", plain_io(&error)))
            .with_source(error)
            .at(folder.display())
    };
    std::fs::create_dir_all(folder).map_err(fail)?;
    clap_mangen::generate_to(built(), folder).map_err(fail)?;
    Ok(format!("man pages written to {0}; read one with: man {0}/schuss-train.1\n", folder.display()))
}

fn built() -> Command {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_a_page() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path()).unwrap();
        let written = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        for verb in built().get_subcommands() {
            let page = written(&format!("schuss-{}.1", verb.get_name()));
            assert!(page.contains(".SH SYNOPSIS"), "{}", verb.get_name());
        }
        assert!(written("schuss-data-show.1").contains("order"));
        assert!(written("schuss.1").contains("SCHUSS_DATA"));
        assert_eq!(page(&["train".into()]).unwrap(), written("schuss-train.1"));
        assert_eq!(page(&["trian".into()]).unwrap_err().exit_code(), 2);
    }
}
