//! `schuss doctor`: measurements of this machine.

use crate::cards;
use crate::terminal::deliver;
use schuss::doctor::{Bottleneck, Checkup, Epoch, checkup};
use schuss::session::Limits;
use schuss::{Error, Result};
use schuss_data::text::bytes;
use serde_json::Value;
use std::io::Write;
use std::path::Path;

/// Measures the machine and prints the results as text or one JSON object.
///
/// # Errors
/// Errors of [`checkup`], or a failure if `out` cannot be written.
pub(crate) fn run(threads: Option<usize>, json: bool, out: &mut dyn Write) -> Result<()> {
    let checkup = checkup(threads.unwrap_or(Limits::default().threads), Path::new("."))?;
    let cards = cards::records();
    let text = if json {
        to_json(&checkup, cards).map_err(|error| Error::failure(error.to_string()))? + "\n"
    } else {
        describe(&checkup, &cards::describe(cards.as_deref()))
    };
    deliver(out, &text).map(drop)
}

/// Returns one object: the checkup, and the graphics cards where the build can use them.
fn to_json(checkup: &Checkup, cards: Option<Vec<Value>>) -> serde_json::Result<String> {
    let mut object = serde_json::to_value(checkup)?;
    if let Some(cards) = cards {
        object["graphics_cards"] = Value::Array(cards);
    }
    serde_json::to_string_pretty(&object)
}

fn describe(checkup: &Checkup, cards: &str) -> String {
    let Checkup { machine, threads, .. } = checkup;
    let memory = checkup.memory_available.map_or_else(|| "unknown".into(), bytes);
    let mut text = format!(
        "machine      {}, {} cores, {}\n\
         kernels      {}; SCHUSS_ISA selects another ({})\n\
         tile unit    {}\n\
         {cards}\
         FMA peak     {:.0} GFLOP/s on one thread, {:.0} on {threads}\n\
         divisions    {:.1} billion roots and quotients per s\n\
         memory       {memory} free; a copy moves {:.1} GB/s, {:.1} GB/s of Adam's 5 MB\n\
         disk here    writes {:.0} MB/s, synced to disk; reads {:.0} MB/s from the cache\n\n\
         An epoch of 60,000 samples of the lectures' network, 784-400-256-10:\n",
        machine.cpu,
        machine.cores,
        machine.os,
        machine.isa,
        schuss::machine::instruction_sets().join(", "),
        tiles(checkup),
        checkup.fma_gflops_one_thread,
        checkup.fma_gflops,
        checkup.root_and_quotient_rate,
        checkup.memory_gb_per_s,
        checkup.state_gb_per_s,
        checkup.disk_write_mb_per_s,
        checkup.cached_read_mb_per_s,
    );
    checkup.epochs.iter().for_each(|epoch| text += &line(epoch));
    text
}

fn tiles(Checkup { tile_unit, tile_gflops, .. }: &Checkup) -> String {
    match (tile_unit, tile_gflops) {
        (Some(unit), Some(peak)) => format!("{unit}, {peak:.0} GFLOP/s of bf16"),
        _ => "none (AMX); --matmul-precision has no effect".into(),
    }
}

/// Formats the time of an epoch, and its share of the limit.
fn line(epoch: &Epoch) -> String {
    let Epoch { update, optimizer, precision, seconds, limited_by, limit_seconds } = epoch;
    let optimizer = match &precision[..] {
        "highest" => optimizer.clone(),
        lower => format!("{optimizer}, {lower}"),
    };
    let limit = match limited_by {
        Bottleneck::MultiplyAdds => "FMA",
        Bottleneck::Tiles => "tiles",
        Bottleneck::Copies => "copies",
        Bottleneck::Divisions => "divisions",
    };
    let share = limit_seconds / seconds * 100.0;
    format!("  {update:10} {optimizer:27}{seconds:7.2} s{share:5.0} % of {limit} ({limit_seconds:.2} s)\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_its_share_of_the_limit_that_is_named() {
        let epoch = Epoch {
            update: "sample".into(),
            optimizer: "adam:lr=0.0001".into(),
            precision: "highest".into(),
            seconds: 8.0,
            limited_by: Bottleneck::Copies,
            limit_seconds: 6.0,
        };
        let expected = "  sample     adam:lr=0.0001                8.00 s   75 % of copies (6.00 s)\n";
        assert_eq!(line(&epoch), expected);
        let epoch = Epoch { precision: "medium".into(), limited_by: Bottleneck::Tiles, ..epoch };
        assert!(line(&epoch).contains("adam:lr=0.0001, medium ") && line(&epoch).contains("of tiles"));
    }
}
