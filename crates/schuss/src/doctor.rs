//! Measured speed of this machine: peaks of arithmetic and memory, the disk, and epochs of the lectures' network.

use crate::recipe::{Budget, Recipe, Trial, UpdateRule};
use crate::record::Machine;
use crate::session::{Limits, forecast};
use crate::{Error, Result, files, machine, network};
use schuss_kernels::peak::{copy_gigabytes, fma_gflops};
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// Results of a checkup.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checkup {
    /// Processor, cores, instruction set.
    pub machine: Machine,
    /// Threads measured with.
    pub threads: usize,
    /// Tile unit that reduced-precision products would use, if there is one: `amx`.
    pub tile_unit: Option<String>,
    /// Fused multiply-adds in registers on one thread, two operations each, in GFLOP/s.
    pub fma_gflops_one_thread: f64,
    /// Fused multiply-adds on all threads, likewise.
    pub fma_gflops: f64,
    /// Memory copy on all threads, counting reads and writes, in GB/s.
    pub memory_gb_per_s: f64,
    /// Memory available without swapping, in bytes, if the system reports it.
    pub memory_available: Option<u64>,
    /// Write of a file including sync to disk, in MB/s.
    pub disk_write_mb_per_s: f64,
    /// Read of that file from the system's cache, in MB/s.
    pub cached_read_mb_per_s: f64,
    /// Seconds per epoch of the lectures' network if only multiply-adds took time.
    pub epoch_limit_seconds: f64,
    /// Time of an epoch with each recipe, estimated from a few updates.
    pub epochs: Vec<Epoch>,
}

/// Time of an epoch of 60,000 samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Epoch {
    /// Update rule.
    pub update: String,
    /// Optimizer.
    pub optimizer: String,
    /// Seconds, estimated from a few updates.
    pub seconds: f64,
}

/// The lectures' network and epoch.
const MODEL: &str = "784-400-256-10";
const SAMPLES: usize = 60_000;

/// The lectures' update rules and optimizers.
const RECIPES: [[&str; 2]; 6] = [
    ["batch:100", "sgd:lr=0.1"],
    ["batch:100", "adam:lr=0.0001"],
    ["epoch", "sgd:lr=0.1"],
    ["sample", "sgd:lr=0.01"],
    ["sample", "sgd:lr=0.001,momentum=0.9"],
    ["sample", "adam:lr=0.0001"],
];

/// Duration of each peak measurement.
const LOOK: Duration = Duration::from_millis(300);
/// Size of the file written and read, in bytes.
const FILE: usize = 64 << 20;

/// Measures this machine on `threads` threads and the disk under `folder`, in a few seconds.
///
/// # Errors
/// If the folder cannot be written or the threads cannot be started.
pub fn checkup(threads: usize, folder: &Path) -> Result<Checkup> {
    let mut team = machine::team(threads)?;
    let fma = fma_gflops(&mut team, LOOK);
    let [disk_write_mb_per_s, cached_read_mb_per_s] = disk(folder)?;
    let plan = network::Plan::new(&MODEL.parse()?, 784, 10)?;
    let memory_gb_per_s = copy_gigabytes(&mut team, LOOK);
    drop(team);
    Ok(Checkup {
        machine: machine::describe(),
        threads,
        tile_unit: schuss_kernels::bf16::Unit::detect().map(|unit| unit.name().to_owned()),
        fma_gflops_one_thread: fma_gflops(&mut machine::team(1)?, LOOK),
        fma_gflops: fma,
        memory_gb_per_s,
        memory_available: machine::available_memory(),
        disk_write_mb_per_s,
        cached_read_mb_per_s,
        epoch_limit_seconds: (2 * plan.work_per_sample() * SAMPLES) as f64 / (fma * 1e9),
        epochs: epochs(threads)?,
    })
}

/// Measures the MB/s of a write including sync to disk, and of reading the file again.
fn disk(folder: &Path) -> Result<[f64; 2]> {
    let path = folder.join(format!(".schuss-doctor-{}", std::process::id()));
    let bytes = vec![0x5a; FILE];
    let rate = |since: Instant| FILE as f64 / since.elapsed().as_secs_f64() / 1e6;
    let clock = Instant::now();
    files::write(&path, &bytes).map_err(|error| {
        error.advise("schuss doctor in a writable folder; it measures the disk of that folder")
    })?;
    let written = rate(clock);
    let clock = Instant::now();
    let read = std::fs::read(&path).map(|_| rate(clock));
    std::fs::remove_file(&path)
        .map_err(|error| Error::failure(error.to_string()).with_source(error).at(path.display()))?;
    Ok([
        written,
        read.map_err(|error| Error::failure(error.to_string()).with_source(error).at(path.display()))?,
    ])
}

fn epochs(threads: usize) -> Result<Vec<Epoch>> {
    let data = schuss_data::load("digits:train=6000,test=100")?;
    let scale = SAMPLES as f64 / data.train.len() as f64;
    let epoch = |[update, optimizer]: [&str; 2]| {
        let recipe = Recipe {
            update: update.parse::<UpdateRule>()?,
            optimizer: optimizer.parse()?,
            ..Recipe::default()
        };
        let budget = Budget { epochs: 1, ..Budget::default() };
        let trial = Trial { model: MODEL.parse()?, recipe, budget, ..Trial::default() };
        let forecast = forecast(&trial, &data, Limits { threads, ..Limits::default() })?;
        let seconds = forecast.seconds_per_sample * data.train.len() as f64 * scale;
        Ok(Epoch { update: update.into(), optimizer: optimizer.into(), seconds })
    };
    RECIPES.into_iter().map(epoch).collect()
}
