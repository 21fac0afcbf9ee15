//! `schuss doctor`: measurements of this machine.

use crate::terminal::deliver;
use schuss::doctor::{Checkup, checkup};
use schuss::session::Limits;
use schuss::{Error, Result};
use schuss_data::text::bytes;
use std::io::Write;
use std::path::Path;

/// Measures the machine and prints the results as text or one JSON object.
///
/// # Errors
/// Errors of [`checkup`], or a failure if `out` cannot be written.
pub(crate) fn run(threads: Option<usize>, json: bool, out: &mut dyn Write) -> Result<()> {
    let checkup = checkup(threads.unwrap_or(Limits::default().threads), Path::new("."))?;
    let text = if json {
        serde_json::to_string_pretty(&checkup).map_err(|error| Error::failure(error.to_string()))? + "\n"
    } else {
        describe(&checkup)
    };
    deliver(out, &text).map(drop)
}

fn describe(checkup: &Checkup) -> String {
    let Checkup { machine, threads, .. } = checkup;
    let memory = checkup.memory_available.map_or_else(|| "unknown".into(), bytes);
    let mut text = format!(
        "machine      {}, {} cores, {}\n\
         kernels      {}; SCHUSS_ISA selects another ({})\n\
         tile unit    {}\n\
         FMA peak     {:.0} GFLOP/s on one thread, {:.0} on {threads}\n\
         memory       {memory} free; a copy moves {:.1} GB/s\n\
         disk here    writes {:.0} MB/s, synced to disk; reads {:.0} MB/s from the cache\n\n\
         An epoch of 60,000 samples of the lectures' network, 784-400-256-10; multiply-adds alone take {:.2} s:\n",
        machine.cpu,
        machine.cores,
        machine.os,
        machine.isa,
        schuss::machine::instruction_sets().join(", "),
        checkup.tile_unit.as_deref().unwrap_or("none (AMX); --matmul-precision has no effect"),
        checkup.fma_gflops_one_thread,
        checkup.fma_gflops,
        checkup.memory_gb_per_s,
        checkup.disk_write_mb_per_s,
        checkup.cached_read_mb_per_s,
        checkup.epoch_limit_seconds,
    );
    for epoch in &checkup.epochs {
        let share = checkup.epoch_limit_seconds / epoch.seconds * 100.0;
        text += &format!(
            "  {:10} {:28} about {:6.2} s{:>6.0} % of the peak\n",
            epoch.update, epoch.optimizer, epoch.seconds, share
        );
    }
    text
}
