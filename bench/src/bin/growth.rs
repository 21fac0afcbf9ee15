//! `growth OUTDIR [ROUNDS]`: measures time per sample against width, depth and samples per update, and writes tables,
//! `growth.csv` and charts.

use schuss::data::Dataset;
use schuss::session::Limits;
use schuss::{Error, Result, files};
use schuss_bench::command::{self, Arguments};
use schuss_bench::families::{self, Family};
use schuss_bench::growth::{self, Best, Measured};
use schuss_kernels::{Team, peak};
use std::process::ExitCode;
use std::time::Duration;

/// Default number of rounds.
const ROUNDS: usize = 5;

/// Data with as many samples as the largest update.
const DATA: &str = "digits:train=8192,test=100";

fn main() -> ExitCode {
    command::exit_code(run())
}

fn run() -> Result<()> {
    let Arguments { folder, rounds } = Arguments::of_process("growth", ROUNDS)?;
    let (measured, peak) = measure(rounds)?;
    println!("FMA peak {peak:.0} GFLOP/s on {} threads", Limits::default().threads);
    measured.iter().for_each(|measured| println!("\n{}", growth::table(measured)));
    let mut files = vec![("growth.csv".to_owned(), growth::csv(&measured))];
    let chart =
        |measured: &Measured| (format!("{}.svg", measured.family.slug), growth::chart(measured, peak));
    let charts = measured.iter().map(chart);
    files.extend(charts);
    files::create_folder(&folder, &files)
}

/// Returns the rows of all families, and the highest FMA peak measured alongside, in GFLOP/s.
fn measure(rounds: usize) -> Result<(Vec<Measured>, f64)> {
    let data = schuss::data::load(DATA)?;
    let families = families::all();
    let shapes = || families.iter().flat_map(|family| &family.lines).flat_map(|line| &line.shapes);
    let mut best = vec![Best::NONE; shapes().count()];
    let mut peak = 0.0_f64;
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        peak = peak.max(fma_peak()?);
        for (best, shape) in best.iter_mut().zip(shapes()) {
            best.visit(shape, &data)?;
        }
    }
    let mut best = &best[..];
    let measured = families.into_iter().map(|family| rows(family, &mut best, &data, peak));
    Ok((measured.collect::<Result<_>>()?, peak))
}

/// Takes the measurements of a family off the front of `best`.
fn rows(family: Family, best: &mut &[Best], data: &Dataset, peak: f64) -> Result<Measured> {
    let rows = |line: &families::Line| {
        let (own, others) = best.split_at(line.shapes.len());
        *best = others;
        growth::rows(line, own, data, peak)
    };
    let rows = family.lines.iter().map(rows).collect::<Result<_>>()?;
    Ok(Measured { family, rows })
}

fn fma_peak() -> Result<f64> {
    let threads = Limits::default().threads;
    let mut team = Team::new(threads)
        .map_err(|error| Error::failure(format!("the system does not start {threads} threads: {error}")))?;
    Ok(peak::fma_gflops(&mut team, Duration::from_millis(500)))
}
