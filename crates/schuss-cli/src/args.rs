//! Command-line interface. Help, man pages and completions are all generated from these definitions.

use crate::explain;
use crate::offers::{Offers, Studies};
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand, ValueHint};
use schuss::Result;
use schuss::data::stream::order::Order;
use schuss::loss::Targets;
use schuss::session::Limits;
use schuss::study::Workload;
use schuss_data::text::parse_bytes;
use std::path::PathBuf;

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
  130  interrupted by Ctrl-C and saved (143: by TERM)

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
        #[command(flatten)]
        flags: Flags,
    },
    /// Resume a killed or interrupted run, or train a finished one longer
    ///
    /// The result is bit-identical to that of an uninterrupted run.
    Resume {
        /// Run folder, or its name in runs/
        #[arg(value_hint = ValueHint::DirPath)]
        run: PathBuf,
        /// Total number of epochs; more than before train a finished run longer
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), allow_negative_numbers = true)]
        epochs: Option<u32>,
        /// New location of the data, if they have moved
        #[arg(long, value_name = "SPEC")]
        data: Option<String>,
        #[command(flatten)]
        running: Running,
        /// Print the summary as JSON
        ///
        /// One object on stdout; everything else goes to stderr
        #[arg(long, help_heading = "Records")]
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
    /// Data: mnist, digits:train=1000, or a path
    ///
    /// mnist | fashion-mnist | digits:train=60000,test=10000,size=28,seed=1 | the path of a table, a pack or a folder
    /// [default: mnist if found, else digits]
    #[arg(
        long,
        value_name = "SPEC",
        aliases = ["dataset", "data-path", "data-dir", "train-data"],
        value_hint = ValueHint::AnyPath,
        help_heading = "Workload"
    )]
    pub(crate) data: Option<String>,
    /// Network: 784-400-256-10, or its layers
    ///
    /// Layer widths, 784-400-256-10 (linear layers with ReLU between them), or a list of layers,
    /// linear:400,relu,dropout:0.2,linear:10; `in` and `out` stand for the input and output widths of the data:
    /// in-100-50-out. See `schuss list layers` and `schuss list activations` [default: in-400-256-out]
    #[arg(
        long,
        value_name = "SPEC",
        aliases = ["net", "network", "arch", "architecture"],
        value_parser = Offers(&["layers", "activations"]),
        hide_possible_values = true,
        help_heading = "Workload"
    )]
    pub(crate) model: Vec<String>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Fraction of training samples to hold out: 0.1
    ///
    /// Curves, targets and best weights then use this validation split; the test split is evaluated once, at the end
    #[arg(
        long,
        value_name = "SHARE",
        aliases = ["val-split", "validation-split", "validation-fraction", "validation-size", "val-size"],
        allow_negative_numbers = true,
        help_heading = "Workload"
    )]
    pub(crate) validation: Option<f64>,
    /// Scaling of the inputs: unit, standard, ...
    ///
    /// unit | standard | channel | mnist | imagenet | none [default: unit for pixels, else standard]
    #[arg(long, alias = "normalization", value_name = "WORD", help_heading = "Workload")]
    pub(crate) normalisation: Option<String>,
    /// Prediction target: class | real | input
    ///
    /// class | real (regression) | input (autoencoder) [default: inferred from the labels]
    #[arg(long, value_name = "WORD", help_heading = "Workload")]
    pub(crate) targets: Option<String>,
    /// Scaling of numeric targets: standard | none
    ///
    /// For training: standard (mean 0, standard deviation 1; losses and predictions stay in original units) | none
    /// [default: standard with mse, l1, huber and smooth-l1, else none]
    #[arg(long, value_name = "WORD", help_heading = "Workload")]
    pub(crate) target_scale: Option<String>,
    /// Noise on the inputs
    ///
    /// gaussian:std=0.3 | masking:p=0.3 | salt-and-pepper:p=0.1 [default: none]
    #[arg(
        long,
        value_name = "SPEC",
        value_parser = Offers(&["noise"]),
        hide_possible_values = true,
        help_heading = "Workload"
    )]
    pub(crate) noise: Vec<String>,
    /// Safetensors file of weights to start from
    #[arg(
        long,
        value_name = "FILE",
        aliases = ["weights", "pretrained"],
        value_hint = ValueHint::FilePath,
        help_heading = "Workload"
    )]
    pub(crate) init_from: Option<PathBuf>,

    /// Samples per weight update: batch:100, epoch, ...
    ///
    /// epoch | batch:N, or just N | sample; batch:auto takes as many as memory allows [default: batch:100]
    #[arg(
        long,
        value_name = "RULE",
        aliases = ["batch-size", "batchsize", "bs"],
        help_heading = "Recipe"
    )]
    pub(crate) update: Vec<String>,
    /// Order of the samples
    ///
    /// shuffled | fixed | sequential | replacement | blocks:64 [default: shuffled]
    #[arg(
        long,
        value_name = "ORDER",
        value_parser = Offers(&["orders"]),
        hide_possible_values = true,
        help_heading = "Recipe"
    )]
    pub(crate) order: Vec<String>,
    /// Optimizer: sgd:lr=0.1,momentum=0.9, adam, ...
    ///
    /// sgd:lr=0.1,momentum=0.9 | clip-global-norm:1+adamw:lr=1e-3+ema:0.999 | hidden@muon:lr=0.02/adamw | l-bfgs.
    /// `schuss list optimizers` lists all, `schuss explain NAME` shows equation and keys; in compare,
    /// 'adam:lr={1e-4,1e-3}' tries both values [default: sgd:lr=0.1]
    #[arg(
        long,
        value_name = "SPEC",
        aliases = ["opt", "optim", "optimiser", "solver"],
        value_parser = Offers(&["optimizers", "solvers", "transforms", "wrappers"]),
        hide_possible_values = true,
        help_heading = "Recipe"
    )]
    pub(crate) optimizer: Vec<String>,
    /// Library whose optimizer defaults to use
    ///
    /// torch | optax | keras | burn | sklearn; `schuss explain NAME --dialect keras` shows them [default: torch, with
    /// sgd:lr=0.1]
    #[arg(long, value_name = "NAME", help_heading = "Recipe")]
    pub(crate) dialect: Option<String>,
    /// Learning rate schedule: cosine, ...
    ///
    /// Also for momentum and beta2; counted in updates: warmup:500+cosine | step:step_size=600 |
    /// cosine/beta1@linear:end_factor=0.5; `schuss list schedules` lists all [default: constant]
    #[arg(
        long,
        value_name = "SPEC",
        aliases = ["lr-scheduler", "scheduler", "lr-schedule", "lr-scheduler-type"],
        value_parser = Offers(&["schedules"]),
        hide_possible_values = true,
        help_heading = "Recipe"
    )]
    pub(crate) schedule: Vec<String>,
    /// Loss: cross-entropy, mse, ...
    ///
    /// Loss to minimise; `schuss list losses` lists all [default: cross-entropy, or mse for numeric targets]
    #[arg(
        long,
        value_name = "SPEC",
        aliases = ["criterion", "loss-fn", "loss-function", "objective"],
        value_parser = Offers(&["losses"]),
        hide_possible_values = true,
        help_heading = "Recipe"
    )]
    pub(crate) loss: Vec<String>,
    /// Initial weights: pytorch, kaiming-normal, ...
    ///
    /// `schuss list init` lists all [default: pytorch]
    #[arg(
        long,
        value_name = "SPEC",
        aliases = ["initializer", "weight-init", "kernel-initializer"],
        value_parser = Offers(&["init"]),
        hide_possible_values = true,
        help_heading = "Recipe"
    )]
    pub(crate) init: Vec<String>,
    /// Samples per group of batch statistics
    ///
    /// For batch-norm and activity-kl [default: all samples of the update, at most 1024]
    #[arg(long, value_name = "N", help_heading = "Recipe")]
    pub(crate) stats: Option<usize>,
    /// Matmul precision: highest | high | medium
    ///
    /// highest (f32) | high | medium (bf16, on processors with AMX) [default: highest]
    #[arg(long, value_name = "WORD", help_heading = "Recipe")]
    pub(crate) matmul_precision: Vec<String>,
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
    /// Run every recipe with seeds 1 to N
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..=10_000),
        allow_negative_numbers = true,
        conflicts_with = "seed",
        help_heading = "Recipe"
    )]
    pub(crate) seeds: Option<u64>,

    /// Maximum number of epochs [default: 10]
    #[arg(
        long,
        value_name = "N",
        aliases = ["epoch", "num-epochs", "n-epochs", "max-epochs", "nb-epoch", "num-train-epochs"],
        allow_negative_numbers = true,
        help_heading = "Budget"
    )]
    pub(crate) epochs: Option<u32>,
    /// Maximum number of weight updates
    #[arg(
        long,
        value_name = "N",
        aliases = ["max-steps", "steps", "num-steps", "iterations", "max-iterations"],
        value_parser = clap::value_parser!(u64).range(1..),
        allow_negative_numbers = true,
        help_heading = "Budget"
    )]
    pub(crate) max_updates: Option<u64>,
    /// Target that ends a trial: 'eval_accuracy>=97%'
    ///
    /// Bound on eval_accuracy (0.97 or 97%), eval_loss or train_loss
    #[arg(long, value_name = "CONDITION", help_heading = "Budget")]
    pub(crate) target: Option<String>,
    /// Keep training after the target is reached
    #[arg(long, help_heading = "Budget")]
    pub(crate) beyond_target: bool,
    /// Exit with code 5 if a trial misses the target
    #[arg(long, help_heading = "Budget")]
    pub(crate) require_target: bool,
    /// Condition that ends a trial: 'train_loss<0.1'
    #[arg(long, value_name = "CONDITION", help_heading = "Budget")]
    pub(crate) stop: Option<String>,

    /// Title of the report and its figures
    #[arg(long, value_name = "TEXT", help_heading = "Records")]
    pub(crate) title: Option<String>,
    /// Evaluate every N updates and after every epoch
    #[arg(
        long,
        value_name = "N",
        aliases = ["eval-steps", "eval-freq"],
        value_parser = clap::value_parser!(u64).range(1..),
        allow_negative_numbers = true,
        help_heading = "Records"
    )]
    pub(crate) eval_every: Option<u64>,
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

/// Options for reading data files.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Workload")]
pub(crate) struct Reading {
    /// Label column(s) to predict
    ///
    /// price | cat,dog; none for no label [default: the column named label or target, else the last one]
    #[arg(long, value_name = "NAME", aliases = ["labels", "label-column", "target-column", "class-column"])]
    pub(crate) label: Option<String>,
    /// Feature columns of a table: size,age
    ///
    /// [default: all but the label]
    #[arg(long, value_name = "NAMES", aliases = ["features", "usecols"])]
    pub(crate) columns: Option<String>,
    /// Columns of a table to ignore: id,name
    #[arg(long, value_name = "NAMES")]
    pub(crate) drop: Option<String>,
    /// Header line: yes | no | a line number
    ///
    /// yes (the first line) | no | a line number [default: detected from the text]
    #[arg(long, value_name = "LINE")]
    pub(crate) header: Option<String>,
    /// Column separator of a text table: ';', tab, ...
    ///
    /// comma | semicolon | tab | bar | space | ':' [default: detected from the text]
    #[arg(long, value_name = "SIGN", aliases = ["sep", "separator"], allow_hyphen_values = true)]
    pub(crate) delimiter: Option<String>,
    /// Prefix of comment lines in a text table: '#'
    ///
    /// '#' | '//' | none [default: detected from the text]
    #[arg(long, value_name = "SIGN", allow_hyphen_values = true)]
    pub(crate) comment: Option<String>,
    /// Decimal mark of a text table: point | comma
    ///
    /// [default: detected from the columns]
    #[arg(long, value_name = "WORD")]
    pub(crate) decimal: Option<String>,
    /// Dates like 01/02/2024: day-first | month-first
    ///
    /// [default: detected from the columns]
    #[arg(long, value_name = "WORD")]
    pub(crate) dates: Option<String>,
    /// Height and width to resize images to
    ///
    /// [default: as they are]
    #[arg(long, value_name = "N")]
    pub(crate) size: Option<usize>,
    /// Missing cells of a table: refuse | mean | drop
    ///
    /// [default: refuse]
    #[arg(long, value_name = "WORD")]
    pub(crate) missing: Option<String>,
    /// Words read as missing cells: 'NA,-,?'
    ///
    /// They count even in quotes; none for no such words [default: NA, N/A, NaN, null and ?, in upper or lower case,
    /// unless quoted]
    #[arg(long, value_name = "WORDS", allow_hyphen_values = true)]
    pub(crate) missing_values: Option<String>,
    /// Categories not seen in training: zeros | refuse
    ///
    /// zeros (encode as none of the known categories) | refuse [default: zeros]
    #[arg(long, value_name = "WORD")]
    pub(crate) unknown: Option<String>,
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
    /// Checkpoint interval: 30s | 1e | 500u
    ///
    /// In seconds, epochs or updates; a checkpoint is also saved at the end of a trial [default: 30s]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) checkpoint_every: Option<String>,
    /// Run trials in parallel
    ///
    /// Each trial gets a share of the threads, and streamed data are read once for all; times are labelled shared
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub(crate) parallel: Option<bool>,
    /// Also print strategy and threads of each trial
    #[arg(short, long)]
    pub(crate) verbose: bool,
    /// Print only results, warnings and errors
    #[arg(short, long, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

impl Reading {
    /// Returns the workload for the data spec `data` with these options.
    pub(crate) fn workload(&self, data: &str) -> Workload {
        let Self {
            label,
            columns,
            drop,
            header,
            delimiter,
            comment,
            decimal,
            dates,
            size,
            missing,
            missing_values,
            unknown,
        } = self.clone();
        Workload {
            data: Some(data.to_owned()),
            label,
            columns,
            drop,
            header,
            delimiter,
            comment,
            decimal,
            dates,
            size,
            missing,
            missing_values,
            unknown,
            ..Workload::default()
        }
    }
}

impl Running {
    /// Returns the limits of a session, with the values of `usual` for flags not given.
    pub(crate) fn limits(&self, usual: Limits) -> Result<Limits> {
        let mut limits = usual;
        limits.side_by_side = self.parallel.unwrap_or(usual.side_by_side);
        limits.threads = self.threads.unwrap_or(usual.threads);
        limits.memory = self.memory.as_deref().map(parse_bytes).transpose()?.or(usual.memory);
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
