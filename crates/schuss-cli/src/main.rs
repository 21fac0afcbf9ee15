//! The `schuss` command-line tool: flags, progress and exit codes on top of the library.

mod args;
mod cards;
mod choices;
mod compare;
mod data;
mod doctor;
mod estimate;
mod eval;
mod explain;
mod find_lr;
mod flags;
mod man;
mod model;
mod offers;
mod predict;
mod progress;
mod recommend;
mod report;
mod signals;
mod study;
mod terminal;

use args::{Cli, Command, DataCommand};
use clap::CommandFactory;
use flags::Stop;
use schuss::Result;
use std::io::Write;
use std::process::ExitCode;
use terminal::Screen;

fn main() -> ExitCode {
    schuss::machine::return_freed_memory();
    #[cfg(feature = "gpu")]
    schuss_gpu::register();
    let screen = Screen::detect();
    let done = match flags::read(std::env::args_os(), screen.width) {
        Ok(Cli { command }) => schuss::machine::check_variables().and_then(|()| run(command, &screen)),
        Err(Stop::Refused(error)) => Err(error),
        Err(Stop::Clap(message)) => message.exit(),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(command: Command, screen: &Screen) -> Result<u8> {
    let out = &mut std::io::stdout();
    match command {
        Command::Compare { study, flags } => return compare::compare(study.as_deref(), &flags, screen),
        Command::Train { study, flags } => return compare::train(study.as_deref(), &flags, screen),
        Command::Recommend { data, flags } => return recommend::run(&data, flags, screen),
        Command::FindLr { flags } => return find_lr::run(flags, screen),
        Command::Resume { run, changes, running, json } => {
            return compare::resume(&run, &changes, &running, json, screen);
        }
        Command::Report { runs, tie, verbose, json } => report::run(&runs, tie, verbose, json, screen)?,
        Command::Eval { model, data, reading, json } => {
            eval::run(&model, data.as_deref(), &reading, json, screen, out)?;
        }
        Command::Predict { model, input, reading, json } => {
            predict::run(&model, &input, &reading, json, screen, out)?;
        }
        Command::Data(DataCommand::Show { data, reading, targets, order, memory }) => {
            data::show(&reading.workload(&data), targets, order, memory.as_deref(), screen, out)?;
        }
        Command::Data(DataCommand::Pack { data, out: to, reading, targets, memory }) => {
            data::pack(&reading.workload(&data), targets, &to, memory.as_deref(), out)?;
        }
        Command::Data(DataCommand::Fetch { name, mirror }) => data::fetch(&name, &mirror, out)?,
        Command::List { kind } => print(&explain::list(&kind, screen))?,
        Command::Explain { spec, dialect, json } => {
            print(&explain::explain(&spec, &dialect, json, screen)?)?;
        }
        Command::Doctor { threads, json } => doctor::run(threads, json, out)?,
        Command::Completions { shell } => print(&completions(shell))?,
        Command::Man { verb, out: None } => print(&man::page(&verb)?)?,
        Command::Man { out: Some(folder), .. } => print(&man::write(&folder)?)?,
    }
    Ok(0)
}

fn completions(shell: clap_complete::Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "schuss", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    if shell == clap_complete::Shell::Fish { script + &offers::fish(&Cli::command()) } else { script }
}

/// Writes to stdout; a closed pipe is not an error.
fn print(text: &str) -> Result<()> {
    terminal::deliver(&mut std::io::stdout(), text).map(|_| ())
}
