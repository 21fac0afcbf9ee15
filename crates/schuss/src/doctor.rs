//! Measured speed of this machine: peaks of arithmetic and memory, the disk, and epochs of the lectures' network.

use crate::network::Plan;
use crate::recipe::{Budget, MatmulPrecision, Recipe, Trial, UpdateRule};
use crate::record::Machine;
use crate::session::{Limits, forecast};
use crate::{Error, Result, files, machine};
use schuss_kernels::Precision;
use schuss_kernels::bf16::Unit;
use schuss_kernels::peak::{copy_gigabytes, fma_gflops, root_and_quotient_rate, tile_gflops};
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
    /// Products of bf16 on the tile unit on all threads, two operations per multiply-add, in GFLOP/s.
    pub tile_gflops: Option<f64>,
    /// Square roots and quotients in registers on all threads, in billions of pairs per second.
    pub root_and_quotient_rate: f64,
    /// Memory copy on all threads, counting reads and writes, in GB/s.
    pub memory_gb_per_s: f64,
    /// Copy on all threads of as many bytes as weights and moments of the lectures' network take under Adam, which caches
    /// may hold, likewise.
    pub state_gb_per_s: f64,
    /// Memory available without swapping, in bytes, if the system reports it.
    pub memory_available: Option<u64>,
    /// Write of a file including sync to disk, in MB/s.
    pub disk_write_mb_per_s: f64,
    /// Read of that file from the system's cache, in MB/s.
    pub cached_read_mb_per_s: f64,
    /// Seconds per epoch of the lectures' network if only multiply-adds took time.
    pub epoch_limit_seconds: f64,
    /// Time of an epoch with each recipe, estimated from a few updates, and its limit.
    pub epochs: Vec<Epoch>,
}

/// Work that limits the speed of an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bottleneck {
    /// Multiply-adds in f32.
    MultiplyAdds,
    /// Products on the tile unit.
    Tiles,
    /// Reading and writing weights and moments with every update.
    Copies,
    /// Square roots and quotients of every weight with every update.
    Divisions,
}

/// Time of an epoch of 60,000 samples.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Epoch {
    /// Update rule.
    pub update: String,
    /// Optimizer.
    pub optimizer: String,
    /// Precision of products.
    pub precision: String,
    /// Seconds, estimated from a few updates.
    pub seconds: f64,
    /// Work that takes longest at its peak rate.
    pub limited_by: Bottleneck,
    /// Seconds if that alone took time.
    pub limit_seconds: f64,
}

/// The lectures' network and epoch.
const MODEL: &str = "784-400-256-10";
const SAMPLES: usize = 60_000;

/// Numbers per weight under Adam: itself and two moments.
const ADAM_STATE: usize = 3;

/// Recipe whose epoch is timed.
struct Timed {
    update: &'static str,
    optimizer: &'static str,
    precision: Precision,
    /// True if every update reads and writes all weights and moments.
    sweeps: bool,
}

impl Timed {
    const fn new(update: &'static str, optimizer: &'static str) -> Self {
        Self { update, optimizer, precision: Precision::Highest, sweeps: false }
    }

    const fn reduced(precision: Precision) -> Self {
        Self { precision, ..Self::new("batch:100", "sgd:lr=0.1") }
    }
}

/// The lectures' update rules and optimizers.
const RECIPES: [Timed; 6] = [
    Timed::new("batch:100", "sgd:lr=0.1"),
    Timed::new("batch:100", "adam:lr=0.0001"),
    Timed::new("epoch", "sgd:lr=0.1"),
    Timed::new("sample", "sgd:lr=0.01"),
    Timed::new("sample", "sgd:lr=0.001,momentum=0.9"),
    Timed { sweeps: true, ..Timed::new("sample", "adam:lr=0.0001") },
];

/// With a tile unit, products of reduced precision too.
const REDUCED: [Timed; 2] = [Timed::reduced(Precision::High), Timed::reduced(Precision::Medium)];

/// Duration of each peak measurement.
const LOOK: Duration = Duration::from_millis(60);
/// Size of the file written and read, and of each buffer of a copy, in bytes.
const LARGE: usize = 64 << 20;

/// Measures this machine on `threads` threads and the disk under `folder`, in about two seconds.
///
/// # Errors
/// If the folder cannot be written or the threads cannot be started.
pub fn checkup(threads: usize, folder: &Path) -> Result<Checkup> {
    let peaks = Peaks::measure(threads)?;
    let [disk_write_mb_per_s, cached_read_mb_per_s] = disk(folder)?;
    let recipes = RECIPES.iter().chain(REDUCED.iter().filter(|_| peaks.tile_gflops.is_some()));
    Ok(Checkup {
        machine: machine::describe(),
        threads,
        tile_unit: Unit::detect().map(|unit| unit.name().to_owned()),
        fma_gflops_one_thread: fma_gflops(&mut machine::team(1)?, LOOK),
        fma_gflops: peaks.fma_gflops,
        tile_gflops: peaks.tile_gflops,
        root_and_quotient_rate: peaks.root_and_quotient_rate,
        memory_gb_per_s: peaks.memory_gb_per_s,
        state_gb_per_s: peaks.state_gb_per_s,
        memory_available: machine::available_memory(),
        disk_write_mb_per_s,
        cached_read_mb_per_s,
        epoch_limit_seconds: peaks.multiply_adds(),
        epochs: epochs(recipes, threads, &peaks)?,
    })
}

/// Peak rates on all threads, and the work of an epoch.
struct Peaks {
    fma_gflops: f64,
    tile_gflops: Option<f64>,
    root_and_quotient_rate: f64,
    memory_gb_per_s: f64,
    state_gb_per_s: f64,
    plan: Plan,
}

impl Peaks {
    fn measure(threads: usize) -> Result<Self> {
        let plan = Plan::new(&MODEL.parse()?, 784, 10)?;
        let mut team = machine::team(threads)?;
        let state = plan.layout.parameters() * ADAM_STATE * size_of::<f32>();
        Ok(Self {
            fma_gflops: fma_gflops(&mut team, LOOK),
            tile_gflops: Unit::detect().map(|unit| tile_gflops(&mut team, unit, LOOK)),
            root_and_quotient_rate: root_and_quotient_rate(&mut team, LOOK),
            memory_gb_per_s: copy_gigabytes(&mut team, LARGE, LOOK),
            state_gb_per_s: copy_gigabytes(&mut team, state / 2, LOOK), // half of it read, half written
            plan,
        })
    }

    /// Returns the seconds of an epoch's multiply-adds.
    fn multiply_adds(&self) -> f64 {
        (2 * self.plan.work_per_sample() * SAMPLES) as f64 / (self.fma_gflops * 1e9)
    }

    /// Returns what limits an epoch, and the seconds that this takes alone.
    fn limit(&self, recipe: &Timed) -> (Bottleneck, f64) {
        let products = match (recipe.precision, self.tile_gflops) {
            (Precision::Highest, _) | (_, None) => (Bottleneck::MultiplyAdds, self.multiply_adds()),
            (precision, Some(tiles)) => {
                let parts = if precision == Precision::High { 3.0 } else { 1.0 };
                (Bottleneck::Tiles, parts * self.multiply_adds() * self.fma_gflops / tiles)
            }
        };
        let weights = (self.plan.layout.parameters() * SAMPLES) as f64;
        let bytes = weights * (2 * ADAM_STATE * size_of::<f32>()) as f64; // read and written
        let sweeps = [
            (Bottleneck::Copies, bytes / (self.state_gb_per_s * 1e9)),
            (Bottleneck::Divisions, weights / (self.root_and_quotient_rate * 1e9)),
        ];
        let own = sweeps.into_iter().filter(|_| recipe.sweeps);
        own.fold(products, |most, next| if next.1 > most.1 { next } else { most })
    }
}

/// Measures the MB/s of a write including sync to disk, and of reading the file again.
fn disk(folder: &Path) -> Result<[f64; 2]> {
    let path = folder.join(format!(".schuss-doctor-{}", std::process::id()));
    let bytes = vec![0x5a; LARGE];
    let rate = |since: Instant| LARGE as f64 / since.elapsed().as_secs_f64() / 1e6;
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

/// Estimates the time of an epoch with each recipe.
fn epochs<'a>(recipes: impl Iterator<Item = &'a Timed>, threads: usize, peaks: &Peaks) -> Result<Vec<Epoch>> {
    let data = schuss_data::load("digits:train=3000,test=100")?;
    let epoch = |timed: &Timed| {
        let recipe = Recipe {
            update: timed.update.parse::<UpdateRule>()?,
            optimizer: timed.optimizer.parse()?,
            matmul_precision: MatmulPrecision(timed.precision),
            ..Recipe::default()
        };
        let budget = Budget { epochs: 1, ..Budget::default() };
        let trial = Trial { model: MODEL.parse()?, recipe, budget, ..Trial::default() };
        let forecast = forecast(&trial, &data, Limits { threads, ..Limits::default() })?;
        let (limited_by, limit_seconds) = peaks.limit(timed);
        Ok(Epoch {
            update: timed.update.into(),
            optimizer: timed.optimizer.into(),
            precision: timed.precision.name().into(),
            seconds: forecast.seconds_per_sample * SAMPLES as f64,
            limited_by,
            limit_seconds,
        })
    };
    recipes.map(epoch).collect()
}
