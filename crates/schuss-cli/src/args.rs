//! Command-line interface. Help, man pages and completions are all generated from these definitions.

use crate::choices::{ChoiceFlags, Fixed, Probed, Reading};
use crate::explain;
use crate::offers::{Offers, Studies};
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueHint};
use schuss::Result;
use schuss::data::stream::order::Order;
use schuss::loss::Targets;
use schuss::session::Limits;
use schuss::study::{Seeds, Tie, Tune};
use schuss_data::text::{parse_bytes, parse_time};
use std::path::PathBuf;
use std::time::Duration;

const FIRST_STEPS: &str = "First steps:
  schuss compare lecture-25
  schuss train --data sales.csv --label price
  schuss resume runs/train --epochs 20
  schuss eval runs/train

--help has details; `schuss man train` prints a man page.";

const ENVIRONMENT: &str = "Exit codes:
  0    success
  1    failure, such as a full disk
  2    invalid flag, value or study file
  3    data file missing or invalid
  4    every trial diverged
  5    target missed (with --require-target)
  130  interrupted by Ctrl-C and saved (143: by TERM),
       or by --time-limit before any trial ended

Environment variables:
  SCHUSS_DATA  folder of mnist/ and fashion-mnist/, also for
               `schuss data fetch` [default: the user's cache]
  SCHUSS_ISA   instruction set, one of those listed by
               `schuss doctor` [default: the best]
  SCHUSS_AMX   off | emulated: matrix unit for precisions
               high and medium [default: the machine's]
  NO_COLOR     disable colours
  COLUMNS      width of the terminal";

/// Trains a network with different optimizers and update rules and reports which reaches your target first.
#[derive(Debug, Parser)]
#[command(name = "schuss", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = FIRST_STEPS, after_long_help = format!("{FIRST_STEPS}\n\n{ENVIRONMENT}"))]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train several recipes on the same data and compare them
    ///
    /// A repeated flag is an axis, and so are values in braces: every combination of axes is a trial.
    #[command(after_help = after_compare())]
    Compare {
        /// Built-in study or path to a study file [default: a study made from the flags]
        #[arg(value_parser = Studies, hide_possible_values = true)]
        study: Option<String>,
        #[command(flatten)]
        flags: Flags,
    },
    /// Train one recipe
    Train {
        /// Path to a study file with one recipe, such as recipe.toml [default: the recipe of the flags]
        #[arg(value_hint = ValueHint::FilePath)]
        study: Option<String>,
        #[command(flatten)]
        flags: Flags,
    },
    /// Recommend a recipe for some data, within a time limit
    ///
    /// Tries networks, update rules, optimizers and learning rates under successive halving on the clock, runs the best of
    /// them and a linear baseline with several seeds, and writes the winner to recipe.toml, which train runs.
    Recommend {
        /// Data: a table, a folder, mnist, digits:train=1000
        #[arg(value_hint = ValueHint::AnyPath)]
        data: String,
        #[command(flatten)]
        flags: RecommendFlags,
    },
    /// Find the learning rate of a recipe
    ///
    /// By a range test with several seeds, confirmed by longer trials around the best rates. Takes the flags of train
    /// for recipe, data and budget; nothing is written.
    FindLr {
        #[command(flatten)]
        flags: RateFlags,
    },
    /// Resume a killed or interrupted run, or train a finished one longer
    ///
    /// The result is bit-identical to that of an uninterrupted run.
    Resume {
        /// Run folder, or its name in runs/
        #[arg(value_hint = ValueHint::DirPath)]
        run: PathBuf,
        #[command(flatten)]
        changes: Changes,
        #[command(flatten)]
        running: Running,
        /// Print the summary as JSON
        ///
        /// One object on stdout; everything else goes to stderr
        #[arg(long, help_heading = "Records")]
        json: bool,
    },
    /// Make the verdict of finished runs anew, from their summary.json alone
    ///
    /// Several runs of one network on the same data are merged into one race.
    Report {
        /// Run folders, or their names in runs/
        #[arg(value_hint = ValueHint::DirPath, required = true)]
        runs: Vec<PathBuf>,
        /// Difference up to which two recipes count as equal [default: that of the first run]
        #[arg(long, value_name = "PERCENT", allow_negative_numbers = true)]
        tie: Option<Tie>,
        /// Print all tables
        #[arg(short, long)]
        verbose: bool,
        /// Print the summary with the new verdict as JSON
        #[arg(long)]
        json: bool,
    },
    /// Evaluate a trained model: accuracy, confusion matrix, worst mistakes
    Eval {
        /// Path to model.safetensors, or to the run or trial folder that contains it
        #[arg(value_hint = ValueHint::AnyPath)]
        model: PathBuf,
        /// Data: mnist, digits:test=1000, a table, a folder [default: the test split of the model's run]
        ///
        /// The test split is evaluated if the data have one, otherwise all samples.
        #[arg(value_hint = ValueHint::AnyPath)]
        data: Option<String>,
        #[command(flatten)]
        reading: Reading,
        /// Print one JSON object
        #[arg(long, help_heading = "Output")]
        json: bool,
    },
    /// Predict with a trained model: on images, a table or other data
    Predict {
        /// Path to model.safetensors, or to the run or trial folder that contains it
        #[arg(value_hint = ValueHint::AnyPath)]
        model: PathBuf,
        /// One or more images, a table, a folder, mnist, digits:test=10
        ///
        /// The test split is predicted if the data have one, otherwise all samples.
        #[arg(value_hint = ValueHint::AnyPath, required = true)]
        input: Vec<String>,
        #[command(flatten)]
        reading: Reading,
        /// Print JSON lines, one per sample
        #[arg(long, help_heading = "Output")]
        json: bool,
    },
    /// List available optimizers, losses, schedules, ...
    List {
        /// Kind to list
        #[arg(value_parser = PossibleValuesParser::new(explain::kinds()))]
        kind: String,
    },
    /// Explain an optimizer, loss, ...: equation, keys and defaults, sources, how other libraries differ
    Explain {
        /// Name such as adam, or spec such as adam:eps=1e-7
        #[arg(value_parser = Offers(&[]), hide_possible_values = true)]
        spec: String,
        /// Library whose defaults to show: torch | optax | keras | burn | sklearn
        #[arg(long, value_name = "NAME", default_value = "torch")]
        dialect: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Inspect, pack or download data
    #[command(subcommand)]
    Data(DataCommand),
    /// Measure this machine: arithmetic, memory, disk, time per epoch
    Doctor {
        /// Number of threads [default: all cores]
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        threads: Option<usize>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print shell completions
    Completions {
        /// Shell to print completions for
        shell: clap_complete::Shell,
    },
    /// Print a man page, or write all of them to a folder
    Man {
        /// Command such as train or data show [default: schuss itself]
        verb: Vec<String>,
        /// Write all pages into this folder
        #[arg(long, value_name = "FOLDER", conflicts_with = "verb", value_hint = ValueHint::DirPath)]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Show counts, shapes, classes, ranges and some samples
    Show {
        /// mnist, fashion-mnist, digits:train=1000, a table, or a folder
        data: String,
        #[command(flatten)]
        reading: Reading,
        /// Type of the labels: class | real [default: inferred from the labels]
        #[arg(long, value_name = "WORD")]
        targets: Option<Targets>,
        /// Sample order to measure class mixing for: sequential | blocks:64
        #[arg(long, value_name = "SPEC", default_value = "sequential")]
        order: Order,
        /// Memory limit of the process: 512MiB [default: all free memory]
        #[arg(long, value_name = "SIZE")]
        memory: Option<String>,
    },
    /// Write data to one shuffled file that can be streamed at disk speed
    Pack {
        /// Data: digits:train=1200000, a table, a folder
        data: String,
        /// File to write; must not exist yet
        out: PathBuf,
        #[command(flatten)]
        reading: Reading,
        /// Type of the labels: class | real [default: inferred from the labels]
        #[arg(long, value_name = "WORD")]
        targets: Option<Targets>,
        /// Memory limit of the process: 512MiB
        #[arg(long, value_name = "SIZE")]
        memory: Option<String>,
    },
    /// Download a data set and verify its SHA-256
    Fetch {
        /// mnist or fashion-mnist
        name: String,
        /// URL to download from instead of the built-in mirrors (repeatable)
        #[arg(long, value_name = "URL")]
        mirror: Vec<String>,
    },
}

/// Flags of `train` and `compare`. In `compare`, a repeated flag is an axis: every combination is a trial.
#[derive(Debug, Default, Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    pub(crate) choices: ChoiceFlags,
    /// One recipe: 'update=sample optimizer=adam'
    ///
    /// For compare, repeatable: choices that belong together, where repeated flags would try every combination
    #[arg(long, value_name = "CHOICES", help_heading = "Recipe")]
    pub(crate) trial: Vec<String>,
    /// Seed of weights and sample order [default: 1]
    ///
    /// compare also takes several: 1,2,3
    #[arg(
        long,
        value_name = "N",
        aliases = ["random-state", "random-seed", "rng-seed"],
        value_delimiter = ',',
        allow_negative_numbers = true,
        help_heading = "Recipe"
    )]
    pub(crate) seed: Vec<u64>,
    /// Number of seeds, from 1, or auto: as many as it takes
    ///
    /// auto begins with 3 and adds seeds to the recipes that are not yet decided, until the leader is sure, 20 are reached
    /// or --time-limit is up; the error is split over its looks at 3, 5, 8, 12 and 20 seeds
    #[arg(
        long,
        value_name = "N",
        allow_negative_numbers = true,
        conflicts_with = "seed",
        help_heading = "Recipe"
    )]
    pub(crate) seeds: Option<Seeds>,

    /// Tune every recipe before the race: lr | lr,momentum,weight_decay,batch
    ///
    /// With the same number of short trials for each, judged on a validation split, which is held out unless the data
    /// have one; recipes are then compared at their best and at the same learning rate
    #[arg(long, value_name = "KEYS", help_heading = "Recipe")]
    pub(crate) tune: Option<Tune>,
    /// Count the time that tuning took in the times to the target
    #[arg(long, help_heading = "Recipe")]
    pub(crate) count_tuning: bool,

    /// Difference up to which two recipes count as equal [default: 5%]
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true, help_heading = "Records")]
    pub(crate) tie: Option<Tie>,
    /// Exit with code 5 if a trial misses the target
    #[arg(long, help_heading = "Budget")]
    pub(crate) require_target: bool,
    /// Title of the report and its figures
    #[arg(long, value_name = "TEXT", help_heading = "Records")]
    pub(crate) title: Option<String>,
    /// Record the loss of every update (losses.f32)
    #[arg(long, help_heading = "Records")]
    pub(crate) losses: bool,
    /// Run folder; must not exist yet
    ///
    /// [default: runs/train or runs/STUDY, with a number appended if that exists]
    #[arg(
        short,
        long,
        value_name = "FOLDER",
        aliases = ["output", "output-dir", "out-dir", "outdir", "save-dir", "log-dir", "logdir"],
        value_hint = ValueHint::DirPath,
        help_heading = "Records"
    )]
    pub(crate) out: Option<PathBuf>,
    /// Print the summary as JSON
    ///
    /// One object on stdout; everything else goes to stderr
    #[arg(long, help_heading = "Records")]
    pub(crate) json: bool,

    /// Print the plan, with expected time and memory
    #[arg(long, help_heading = "Running")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) running: Running,
}

/// Flags of `find-lr`.
#[derive(Debug, Args)]
pub(crate) struct RateFlags {
    #[command(flatten)]
    pub(crate) probed: Probed,
    /// Fewest seeds to try every rate with; 6 give a 95 % interval
    #[arg(
        long,
        value_name = "N",
        default_value_t = 3,
        value_parser = clap::value_parser!(u64).range(1..=1_000),
        allow_negative_numbers = true,
        help_heading = "Recipe"
    )]
    pub(crate) seeds: u64,
    /// Print the result as JSON
    ///
    /// One object on stdout; everything else goes to stderr
    #[arg(long, help_heading = "Records")]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) running: Running,
}

/// Flags of `recommend`.
#[derive(Debug, Args)]
pub(crate) struct RecommendFlags {
    #[command(flatten)]
    pub(crate) fixed: Fixed,
    /// Seed of the search; the finals have those that follow
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1,
        aliases = ["random-state", "random-seed", "rng-seed"],
        allow_negative_numbers = true,
        help_heading = "Recipe"
    )]
    pub(crate) seed: u64,
    /// Time for everything, loading the data included: 90s | 10m
    #[arg(
        long,
        value_name = "TIME",
        default_value = "10m",
        value_parser = parse_time,
        allow_hyphen_values = true,
        help_heading = "Budget"
    )]
    pub(crate) time_limit: Duration,
    /// Study file to write; must not exist yet
    ///
    /// [default: recipe.toml, with a number appended if that exists]
    #[arg(
        short,
        long,
        value_name = "FILE",
        aliases = ["output"],
        value_hint = ValueHint::FilePath,
        help_heading = "Records"
    )]
    pub(crate) out: Option<PathBuf>,
    /// Print the recommendation as JSON
    ///
    /// One object on stdout; everything else goes to stderr
    #[arg(long, help_heading = "Records")]
    pub(crate) json: bool,
    /// Number of threads [default: all cores]
    #[arg(
        long,
        value_name = "N",
        aliases = ["num-threads", "n-jobs", "n-threads"],
        allow_negative_numbers = true,
        help_heading = "Running"
    )]
    pub(crate) threads: Option<usize>,
    /// Memory limit of the process: 512MiB
    ///
    /// Data that do not fit are streamed [default: all free memory]
    #[arg(long, value_name = "SIZE", help_heading = "Running")]
    pub(crate) memory: Option<String>,
    /// Also print the whole verdict and the candidates
    #[arg(short, long, help_heading = "Running")]
    pub(crate) verbose: bool,
    /// Print only results, warnings and errors
    #[arg(short, long, conflicts_with = "verbose", help_heading = "Running")]
    pub(crate) quiet: bool,
}

/// What may differ when a run is resumed.
#[derive(Args, Debug)]
pub(crate) struct Changes {
    /// Total number of epochs; more than before train a finished run longer
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true)]
    pub(crate) epochs: Option<u32>,
    /// New location of the data, if they have moved
    #[arg(long, value_name = "SPEC")]
    pub(crate) data: Option<String>,
    /// Another processor to continue on: cpu | gpu | gpu:NAME
    ///
    /// The result then has the bits of neither [default: the one it was started on]
    #[arg(long, value_name = "NAME")]
    pub(crate) device: Option<String>,
}

/// Options that may change the time a run takes, but never a bit of its result.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Running")]
pub(crate) struct Running {
    /// Number of threads [default: all cores]
    #[arg(
        long,
        value_name = "N",
        aliases = ["num-threads", "n-jobs", "n-threads"],
        allow_negative_numbers = true
    )]
    pub(crate) threads: Option<usize>,
    /// Memory limit of the process: 512MiB
    ///
    /// Data that do not fit are streamed [default: all free memory]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    /// Memory limit on a graphics card: 4GiB
    ///
    /// A trial that needs more is refused [default: what the card has]
    #[arg(long, value_name = "SIZE")]
    pub(crate) device_memory: Option<String>,
    /// Checkpoint interval: 30s | 1e | 500u
    ///
    /// In seconds, epochs or updates; a checkpoint is also saved at the end of a trial [default: 30s]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) checkpoint_every: Option<String>,
    /// Run trials in parallel
    ///
    /// Each trial gets a share of the threads, and streamed data are read once for all; seconds per update are measured
    /// while a trial has the machine for itself
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) parallel: Option<bool>,
    /// Stop after this time: 90s | 10m | 1.5h
    ///
    /// Trials that have not ended are saved, for schuss resume; the verdict is about what is known by then
    #[arg(long, value_name = "TIME", value_parser = parse_time, allow_hyphen_values = true)]
    pub(crate) time_limit: Option<Duration>,
    /// Also print all tables, and strategy and threads of each trial
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Print only results, warnings and errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

impl Running {
    /// Returns the limits of a session, with the values of `usual` for flags not given.
    pub(crate) fn limits(&self, usual: Limits) -> Result<Limits> {
        let mut limits = usual;
        limits.side_by_side = self.parallel.unwrap_or(usual.side_by_side);
        limits.threads = self.threads.unwrap_or(usual.threads);
        limits.memory = self.memory.as_deref().map(parse_bytes).transpose()?.or(usual.memory);
        limits.device_memory =
            self.device_memory.as_deref().map(parse_bytes).transpose()?.or(usual.device_memory);
        if let Some(cadence) = &self.checkpoint_every {
            limits.checkpoint_every = cadence.parse()?;
        }
        Ok(limits)
    }
}

fn after_compare() -> String {
    let studies = schuss::study::StudyFile::built_in();
    let lines = studies.iter().map(|(name, title)| format!("  {name}: {title}\n"));
    format!("Built-in studies:\n{}", lines.collect::<String>())
}
