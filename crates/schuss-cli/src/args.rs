//! What can be typed. Help, man page and completions all come from these definitions.

use crate::explain;
use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use schuss::Result;
use schuss::data::order::Order;
use schuss::session::Limits;
use schuss::study::Workload;
use schuss_data::text::parse_bytes;
use std::path::PathBuf;

/// Trains a network under every way of updating its weights and tells which way gets your data to your target
/// first.
#[derive(Debug, Parser)]
#[command(name = "schuss", version, propagate_version = true, max_term_width = 100)]
#[command(
    after_help = "First steps:\n  schuss compare lecture-25           three optimizers, one network, one page\n  \
    schuss train --optimizer adam:lr=1e-3 --target 'eval_accuracy>=0.97'\n\n\
    Exit codes: 0 done, 1 failure, 2 wrong usage, 3 data, 4 every trial diverged, 5 target missed\n\
    (with --require-target), 130 interrupted and saved (143 for TERM)."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Train several recipes on the same data and compare them
    #[command(after_help = after_compare())]
    Compare {
        /// A built-in study, or the path of a study file; flags alone make a study too
        study: Option<String>,
        #[command(flatten)]
        flags: Flags,
    },
    /// Train one recipe
    Train {
        #[command(flatten)]
        flags: Flags,
    },
    /// Go on with a run that was killed or interrupted, to the same bits
    Resume {
        /// The folder of the run, or its name in runs
        run: PathBuf,
        /// Where the data are now, if not where they were
        #[arg(long, value_name = "SPEC")]
        data: Option<String>,
        #[command(flatten)]
        running: Running,
        /// Print the summary as one JSON object on stdout; everything else goes to stderr
        #[arg(long)]
        json: bool,
    },
    /// Evaluate a trained model: accuracy, confusion matrix, worst mistakes
    Eval {
        /// model.safetensors, or the folder of a run or trial that holds it
        model: PathBuf,
        /// Data spec: mnist, digits:test=1000, a table, a folder; of data without a test split all samples
        data: String,
        #[command(flatten)]
        reading: Reading,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Say what a trained model sees in a picture or in a data set
    Predict {
        /// model.safetensors, or the folder of a run or trial that holds it
        model: PathBuf,
        /// A PNG image, or a data spec; of data without a test split all samples
        input: String,
        #[command(flatten)]
        reading: Reading,
        /// Print JSON lines
        #[arg(long)]
        json: bool,
    },
    /// Name all there is to choose of a kind, with a line each
    List {
        /// What of
        #[arg(value_parser = PossibleValuesParser::new(explain::kinds()))]
        kind: String,
    },
    /// Tell all about a choice: equation as executed, keys and defaults, where it comes from, who differs
    Explain {
        /// A name, adam, or a spec, adam:eps=1e-7
        spec: String,
        /// Whose defaults: torch | optax | keras | burn | sklearn
        #[arg(long, value_name = "NAME", default_value = "torch")]
        dialect: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Look at data, or download it
    #[command(subcommand)]
    Data(DataCommand),
    /// Measure this machine: cores, arithmetic, memory, disk, and what the lectures' network takes here
    Doctor {
        /// Threads [default: all cores]
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        threads: Option<usize>,
        /// Print one JSON object
        #[arg(long)]
        json: bool,
    },
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page
    Man,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// Counts, shapes, class balance, ranges, and some samples drawn
    Show {
        /// mnist, fashion-mnist, digits:train=1000, a table, or a folder
        data: String,
        #[command(flatten)]
        reading: Reading,
        /// Order whose mixing of classes is measured: sequential | blocks:64
        #[arg(long, value_name = "SPEC", default_value = "sequential")]
        order: Order,
        /// Memory of the whole process: 512MiB [default: as much as is free]
        #[arg(long, value_name = "SIZE")]
        memory: Option<String>,
    },
    /// Write data to one file that is read as fast as the disk allows, its training samples mixed
    Pack {
        /// Any data: a spec such as digits:train=1200000, a table, a folder
        data: String,
        /// The file to write; must not be there yet
        out: PathBuf,
        #[command(flatten)]
        reading: Reading,
        /// Memory of the whole process: 512MiB
        #[arg(long, value_name = "SIZE")]
        memory: Option<String>,
    },
    /// Download a data set, checked by its SHA-256
    Fetch {
        /// mnist or fashion-mnist
        name: String,
        /// Where to download from instead of the built-in mirrors (repeatable)
        #[arg(long, value_name = "URL")]
        mirror: Vec<String>,
    },
}

/// Flags of `train` and `compare`. In `compare`, a repeated flag is an axis: every combination is a trial.
#[derive(Debug, Default, Args)]
pub(crate) struct Flags {
    /// Data: mnist | fashion-mnist | digits:train=60000,test=10000,size=28,seed=1 | PATH of a table, a pack, or a
    /// folder [default: mnist if found, else digits]
    #[arg(long, value_name = "SPEC", help_heading = "Workload")]
    pub(crate) data: Option<String>,
    /// Network: 784-400-256-10, or linear:400,relu,dropout:0.2,linear:10; `schuss list layers` names all
    /// [default: 784-400-256-10]
    #[arg(long, value_name = "SPEC", help_heading = "Workload")]
    pub(crate) model: Vec<String>,
    #[command(flatten)]
    pub(crate) reading: Reading,
    /// Share of the training samples to hold out, for the curves to look at in place of the test split: 0.1
    #[arg(long, value_name = "SHARE", allow_negative_numbers = true, help_heading = "Workload")]
    pub(crate) validation: Option<f64>,
    /// Numbers on their way into the network: unit | standard | channel | mnist | imagenet | none [default: unit for
    /// pixels, else standard]
    #[arg(long, alias = "normalization", value_name = "WORD", help_heading = "Workload")]
    pub(crate) normalisation: Option<String>,
    /// What outputs are compared with: class | real (numbers) | input (an autoencoder) [default: as the labels are]
    #[arg(long, value_name = "WORD", help_heading = "Workload")]
    pub(crate) targets: Option<String>,
    /// Targets that are numbers, for training: standard (mean 0, deviation 1; losses and predictions stay in original
    /// units) | none [default: standard under mse, l1, huber and smooth-l1, else none]
    #[arg(long, value_name = "WORD", help_heading = "Workload")]
    pub(crate) target_scale: Option<String>,
    /// Noise on the inputs: gaussian:std=0.3 | masking:p=0.3 | salt-and-pepper:p=0.1 [default: none]
    #[arg(long, value_name = "SPEC", help_heading = "Workload")]
    pub(crate) noise: Vec<String>,
    /// Weights to begin with: a safetensors file, metadata not needed
    #[arg(long, value_name = "FILE", help_heading = "Workload")]
    pub(crate) init_from: Option<PathBuf>,

    /// Samples per weight update: epoch | batch:N | sample; batch:auto takes as many as memory allows
    /// [default: batch:100]
    #[arg(long, value_name = "RULE", help_heading = "Recipe")]
    pub(crate) update: Vec<String>,
    /// Order of samples: shuffled | fixed | sequential | replacement | blocks:64 [default: shuffled]
    #[arg(long, value_name = "ORDER", help_heading = "Recipe")]
    pub(crate) order: Vec<String>,
    /// What moves the weights: sgd:lr=0.1,momentum=0.9 | clip-global-norm:1+adamw:lr=1e-3+ema:0.999 |
    /// hidden@muon:lr=0.02/adamw | l-bfgs; `schuss list optimizers` names all, `schuss explain NAME` tells
    /// equation and keys [default: sgd:lr=0.1]
    #[arg(long, value_name = "SPEC", help_heading = "Recipe")]
    pub(crate) optimizer: Vec<String>,
    /// Whose defaults the optimizer's keys have: torch | optax | keras | burn | sklearn; `schuss explain NAME
    /// --dialect keras` tells them [default: torch, with sgd:lr=0.1]
    #[arg(long, value_name = "NAME", help_heading = "Recipe")]
    pub(crate) dialect: Option<String>,
    /// Learning rate, momentum and beta2 over updates: warmup:500+cosine | step:step_size=600 |
    /// cosine/beta1@linear:end_factor=0.5; `schuss list schedules` names all [default: constant]
    #[arg(long, value_name = "SPEC", help_heading = "Recipe")]
    pub(crate) schedule: Vec<String>,
    /// What is minimised; `schuss list losses` names all [default: cross-entropy]
    #[arg(long, value_name = "SPEC", help_heading = "Recipe")]
    pub(crate) loss: Vec<String>,
    /// Weights before the first update; `schuss list init` names all [default: pytorch]
    #[arg(long, value_name = "SPEC", help_heading = "Recipe")]
    pub(crate) init: Vec<String>,
    /// Samples per group of batch statistics (batch-norm, activity-kl) [default: the update, at most 1024]
    #[arg(long, value_name = "N", help_heading = "Recipe")]
    pub(crate) stats: Option<usize>,
    /// Products of matrices: highest (f32) | high | medium (bf16, where the processor has AMX) [default: highest]
    #[arg(long, value_name = "WORD", help_heading = "Recipe")]
    pub(crate) matmul_precision: Vec<String>,
    /// Choices that belong together: 'update=sample optimizer=sgd:lr=0.01' (repeatable)
    #[arg(long, value_name = "CHOICES", help_heading = "Recipe")]
    pub(crate) trial: Vec<String>,
    /// Seed of initial weights and order (repeatable, or 1,2,3) [default: 1]
    #[arg(
        long,
        value_name = "N",
        value_delimiter = ',',
        allow_negative_numbers = true,
        help_heading = "Recipe"
    )]
    pub(crate) seed: Vec<u64>,

    /// Epochs at most [default: 10]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Budget")]
    pub(crate) epochs: Option<u32>,
    /// Weight updates at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), allow_negative_numbers = true, help_heading = "Budget")]
    pub(crate) max_updates: Option<u64>,
    /// What is to be reached, as 'eval_accuracy>=0.97'; ends the trial
    #[arg(long, value_name = "CONDITION", help_heading = "Budget")]
    pub(crate) target: Option<String>,
    /// Go on once the target is reached
    #[arg(long, help_heading = "Budget")]
    pub(crate) beyond_target: bool,
    /// Exit with 5 if a trial misses the target
    #[arg(long, help_heading = "Budget")]
    pub(crate) require_target: bool,
    /// What ends a trial, as 'train_loss<0.1'
    #[arg(long, value_name = "CONDITION", help_heading = "Budget")]
    pub(crate) stop: Option<String>,

    /// Evaluate every N updates too, besides the ends of epochs
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), allow_negative_numbers = true, help_heading = "Records")]
    pub(crate) eval_every: Option<u64>,
    /// Keep the loss of every single update (losses.f32)
    #[arg(long, help_heading = "Records")]
    pub(crate) losses: bool,
    /// Folder of the run; must not be there yet [default: runs/NAME]
    #[arg(long, value_name = "FOLDER", help_heading = "Records")]
    pub(crate) out: Option<PathBuf>,
    /// Print the summary as one JSON object on stdout; everything else goes to stderr
    #[arg(long, help_heading = "Records")]
    pub(crate) json: bool,

    /// Print what would run, with expected time and memory
    #[arg(long, help_heading = "Running")]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) running: Running,
}

/// How a file is to be read.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Workload")]
pub(crate) struct Reading {
    /// Column of a table that is to be told, or several: price | cat,dog; none for no label [default: as the file says,
    /// else the last]
    #[arg(long, value_name = "NAME")]
    pub(crate) label: Option<String>,
    /// Columns of a table to learn from: size,age [default: all but the label]
    #[arg(long, value_name = "NAMES")]
    pub(crate) columns: Option<String>,
    /// Columns of a table to leave out: id,name
    #[arg(long, value_name = "NAMES")]
    pub(crate) drop: Option<String>,
    /// Line of a text table that names its columns: yes (the first) | no | a line's number [default: as the text looks]
    #[arg(long, value_name = "LINE")]
    pub(crate) header: Option<String>,
    /// What separates the cells of a text table: comma | semicolon | tab | bar | space | ':' [default: as the text looks]
    #[arg(long, value_name = "SIGN", allow_hyphen_values = true)]
    pub(crate) delimiter: Option<String>,
    /// What remarks in a text table begin with: '#' | '//' | none [default: as the text looks]
    #[arg(long, value_name = "SIGN", allow_hyphen_values = true)]
    pub(crate) comment: Option<String>,
    /// Sign before the fraction of numbers in a text: point | comma [default: as the columns look]
    #[arg(long, value_name = "WORD")]
    pub(crate) decimal: Option<String>,
    /// Dates such as 01/02/2024: day-first | month-first [default: as the columns look]
    #[arg(long, value_name = "WORD")]
    pub(crate) dates: Option<String>,
    /// Height and width that pictures are brought to [default: as they are]
    #[arg(long, value_name = "N")]
    pub(crate) size: Option<usize>,
    /// Empty cells of a table: refuse | mean | drop [default: refuse]
    #[arg(long, value_name = "WORD")]
    pub(crate) missing: Option<String>,
}

/// What may change the time of a run, never a bit of its result.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Running")]
pub(crate) struct Running {
    /// Threads [default: all cores]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) threads: Option<usize>,
    /// Memory of the whole process: 512MiB; data that do not fit are read as they are needed [default: as much as is free]
    #[arg(long, value_name = "SIZE")]
    pub(crate) memory: Option<String>,
    /// How often trials are kept, besides the ends of epochs: 30s | 1e | 500u (seconds, epochs, updates) [default: 30s]
    #[arg(long, value_name = "TIME", allow_negative_numbers = true)]
    pub(crate) checkpoint_every: Option<String>,
    /// Run trials side by side, each on its share of the threads, reading streamed data once for all; their times are
    /// labelled shared
    #[arg(long)]
    pub(crate) parallel: bool,
    /// Say more: strategy and threads of each trial
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

impl Reading {
    /// The same as the workload that `data` names.
    pub(crate) fn workload(&self, data: &str) -> Workload {
        let Self { label, columns, drop, header, delimiter, comment, decimal, dates, size, missing } =
            self.clone();
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
            ..Workload::default()
        }
    }
}

impl Running {
    /// The same as limits of a session.
    pub(crate) fn limits(&self) -> Result<Limits> {
        let mut limits = Limits { side_by_side: self.parallel, ..Limits::default() };
        limits.threads = self.threads.unwrap_or(limits.threads);
        limits.memory = self.memory.as_deref().map(parse_bytes).transpose()?;
        if let Some(cadence) = &self.checkpoint_every {
            limits.checkpoint_every = cadence.parse()?;
        }
        Ok(limits)
    }
}

fn after_compare() -> String {
    let studies = schuss::study::StudyFile::built_in();
    let lines = studies.iter().map(|(name, title)| format!("  {name:26}{title}\n"));
    format!("Built-in studies:\n{}", lines.collect::<String>())
}
