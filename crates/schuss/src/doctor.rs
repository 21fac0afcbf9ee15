//! What this machine can do, measured: peaks of arithmetic and memory, the disk, and what the lectures' network takes.

use crate::recipe::{Budget, Recipe, Trial, UpdateRule};
use crate::session::{Limits, forecast};
use crate::study::record::Machine;
use crate::{Error, Result, files, machine, network};
use schuss_kernels::peak::{copy_gigabytes, fma_gflops};
use serde::Serialize;
use std::path::Path;
use std::time::{Duration, Instant};

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Checkup {
    /// Processor, cores, instruction set.
    pub machine: Machine,
    /// Threads measured with.
    pub threads: usize,
    /// The tile unit that products of less precision would take, if there is one: `amx`.
    pub tile_unit: Option<String>,
    /// Fused multiply-adds in registers on one thread, two operations each, in GFLOP/s.
    pub fma_gflops_one_thread: f64,
    /// The same on all threads.
    pub fma_gflops: f64,
    /// A copy in memory on all threads, read and write counted, in GB/s.
    pub memory_gb_per_s: f64,
    /// Bytes of memory to be had without swapping, if the system tells.
    pub memory_available: Option<u64>,
    /// Writing a file until it is on the disk, in MB/s.
    pub disk_write_mb_per_s: f64,
    /// Reading it again, from the system's cache, in MB/s.
    pub cached_read_mb_per_s: f64,
    /// Seconds that an epoch of the lectures' network would take if nothing but multiply-adds took time.
    pub epoch_limit_seconds: f64,
    /// What an epoch takes under each recipe, from a few updates.
    pub epochs: Vec<Epoch>,
}

/// What one epoch of 60,000 samples takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Epoch {
    /// Update rule.
    pub update: String,
    /// Optimizer.
    pub optimizer: String,
    /// Seconds, at the speed of a few updates.
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

/// How long each peak is looked for.
const LOOK: Duration = Duration::from_millis(300);
/// Bytes of the file that is written and read.
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

/// MB/s of a write down to the disk, and of reading again.
fn disk(folder: &Path) -> Result<[f64; 2]> {
    let path = folder.join(format!(".schuss-doctor-{}", std::process::id()));
    let bytes = vec![0x5a; FILE];
    let rate = |since: Instant| FILE as f64 / since.elapsed().as_secs_f64() / 1e6;
    let clock = Instant::now();
    files::write(&path, &bytes).map_err(|error| {
        error.advise("schuss doctor in a folder that can be written, whose disk it then measures")
    })?;
    let written = rate(clock);
    let clock = Instant::now();
    let read = std::fs::read(&path).map(|_| rate(clock));
    std::fs::remove_file(&path).map_err(|error| Error::failure(error.to_string()).at(path.display()))?;
    Ok([written, read.map_err(|error| Error::failure(error.to_string()).at(path.display()))?])
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
