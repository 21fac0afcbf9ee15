//! The one table of choices: whatever is typed, written, hashed or shown of a trial or its data is made from it.
//!
//! Rows stand in the order of records; help and study files sort them by group.

use super::Concerns::*;
use super::row::{Group::*, Line::*, Row, ValueType::*};
use crate::instrument::Instrument;
use crate::loss::Targets;
use crate::metrics::Custom;
use crate::network::{Init, Model, Noise};
use crate::optim::Method;
use crate::recipe::{self, Condition, Device, MatmulPrecision, Trial};
use crate::{Cause, Error, Result};
use schuss_data::Resampling;
use std::str::FromStr;

/// Defines the keys and their rows.
macro_rules! table {
    ($($key:ident => $row:expr,)*) => {
        /// Key of a choice; [`ChoiceKey::row`] documents it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[non_exhaustive]
        #[allow(missing_docs)] // documented by their rows
        pub enum ChoiceKey {
            $($key,)*
        }

        impl ChoiceKey {
            /// All keys, in the order of records.
            pub const ALL: &'static [Self] = &[$(Self::$key,)*];
        }

        pub(super) static ROWS: &[Row] = &[$($row,)*];
    };
}

table! {
    Update => Row::trial("update", Recipe, "RULE", |trial| text(&trial.recipe.update), |trial, typed, _| {
        put(&mut trial.recipe.update, typed)
    })
    .help(
        "Samples per weight update: batch:100, epoch, ...",
        "epoch | batch:N, or just N | sample; batch:auto takes as many as memory allows",
    )
    .default("batch:100")
    .aliases(&["batch-size", "batchsize", "bs"])
    .axis()
    .recorded()
    .line(Number(5)),

    Order => Row::trial("order", Recipe, "ORDER", |trial| text(&trial.recipe.order), |trial, typed, _| {
        put(&mut trial.recipe.order, typed)
    })
    .help("Order of the samples", "shuffled | fixed | sequential | replacement | blocks:64")
    .default("shuffled")
    .offers(&["orders"])
    .axis()
    .recorded()
    .line(Number(6)),

    Optimizer => Row::trial("optimizer", Recipe, "SPEC", |trial| text(&trial.recipe.optimizer), |trial, typed, context| {
        let dialect = context.choices.parsed(ChoiceKey::Dialect)?.unwrap_or_default();
        trial.recipe.optimizer = Method::read(typed, dialect)?;
        Ok(())
    })
    .help(
        "Optimizer: sgd:lr=0.1,momentum=0.9, adam, ...",
        "sgd:lr=0.1,momentum=0.9 | clip-global-norm:1+adamw:lr=1e-3+ema:0.999 | hidden@muon:lr=0.02/adamw | l-bfgs. \
         `schuss list optimizers` lists all, `schuss explain NAME` shows equation and keys; in compare, \
         'adam:lr={1e-4,1e-3}' tries both values",
    )
    .default("sgd:lr=0.1")
    .aliases(&["opt", "optim", "optimiser", "solver"])
    .offers(&["optimizers", "solvers", "transforms", "wrappers"])
    .axis()
    .recorded()
    .line(Number(7)),

    // its effect is on the keys of the optimizer, which are written out
    Dialect => Row::trial("dialect", Recipe, "NAME", |_| None, |_, typed, _| {
        typed.parse::<crate::optim::Dialect>().map(drop)
    })
    .help(
        "Library whose optimizer defaults to use",
        "torch | optax | keras | burn | sklearn; `schuss explain NAME --dialect keras` shows them",
    )
    .default("torch, with sgd:lr=0.1")
    .line(Elsewhere),

    Schedule => Row::trial("schedule", Recipe, "SPEC", |trial| text(&trial.recipe.schedule), |trial, typed, _| {
        put(&mut trial.recipe.schedule, typed)
    })
    .help(
        "Learning rate schedule: cosine, ...",
        "Also for momentum and beta2; counted in updates: warmup:500+cosine | step:step_size=600 | \
         cosine/beta1@linear:end_factor=0.5; `schuss list schedules` lists all",
    )
    .default("constant")
    .aliases(&["lr-scheduler", "scheduler", "lr-schedule", "lr-scheduler-type"])
    .offers(&["schedules"])
    .axis()
    .recorded()
    .line(Number(8))
    .idle_if(|trial, _| {
        let optimizer = &trial.recipe.optimizer;
        let is_idle = !trial.recipe.schedule.is_constant() && !optimizer.can_be_scheduled();
        is_idle.then(|| format!("on optimizer `{optimizer}`, it is for those with a learning rate"))
    }),

    Loss => Row::trial("loss", Recipe, "SPEC", |trial| text(&trial.recipe.loss), |trial, typed, _| {
        put(&mut trial.recipe.loss, typed)
    })
    .help("Loss: cross-entropy, mse, ...", "Loss to minimise; `schuss list losses` lists all")
    .default("cross-entropy, or mse for numeric targets")
    .aliases(&["criterion", "loss-fn", "loss-function", "objective"])
    .offers(&["losses"])
    .axis()
    .recorded()
    .line(Number(9)),

    Init => Row::trial("init", Recipe, "SPEC", |trial| text(&trial.recipe.init), |trial, typed, _| {
        put(&mut trial.recipe.init, typed)
    })
    .help("Initial weights: pytorch, kaiming-normal, ...", "`schuss list init` lists all")
    .default("pytorch")
    .aliases(&["initializer", "weight-init", "kernel-initializer"])
    .offers(&["init"])
    .axis()
    .recorded()
    .line(Number(4))
    .idle_if(|trial, _| {
        let file = trial.init_from.as_ref().filter(|_| trial.recipe.init != Init::default())?;
        Some(format!("on weights loaded from {}, it is for random ones", file.display()))
    }),

    Stats => Row::trial("stats", Recipe, "N", |trial| trial.recipe.stats.as_ref().and_then(text), |trial, typed, _| {
        trial.recipe.stats = Some(typed.parse().unwrap_or(usize::MAX));
        Ok(())
    })
    .of_type(Whole { least: 1, most: u64::MAX })
    .help("Samples per group of batch statistics", "For batch-norm and activity-kl")
    .default("all samples of the update, at most 1024")
    .unset("update")
    .recorded()
    .line(Number(10))
    .idle_if(|trial, data| {
        let is_idle = trial.recipe.stats.is_some() && !trial.plan(data).ok()?.has_statistics();
        is_idle.then(|| format!("on model `{}`, it is for batch-norm and activity-kl", trial.model))
    }),

    Data => Row::data("data", "SPEC", All, |loading, typed| {
        loading.source = Some(typed.parse()?);
        Ok(())
    })
    .of_type(AnyPath)
    .help(
        "Data: mnist, digits:train=1000, or a path",
        "mnist | fashion-mnist | digits:train=60000,test=10000,size=28,seed=1 | the path of a table, a pack or a folder",
    )
    .default("mnist if found, else digits")
    .aliases(&["dataset", "data-path", "data-dir", "train-data"])
    .line(Elsewhere), // its line has the resolved spec

    Model => Row::trial("model", Workload, "SPEC", |trial| text(&trial.model), |trial, typed, context| {
        let (inputs, kind) = (context.data.shape.features(), context.data.target_kind());
        let outputs = if trial.targets == Targets::Input { inputs } else { kind.outputs() };
        let model = Model::read(typed, inputs, outputs)?;
        trial.model = if model.inputs().is_some() { model } else { model.with_inputs(inputs) };
        Ok(())
    })
    .help(
        "Network: 784-400-256-10, or its layers",
        "Layer widths, 784-400-256-10 (linear layers with ReLU between them), or a list of layers, \
         linear:400,relu,dropout:0.2,linear:10; `in` and `out` stand for the input and output widths of the data: \
         in-100-50-out. See `schuss list layers` and `schuss list activations`",
    )
    .default("in-400-256-out")
    .aliases(&["net", "network", "arch", "architecture"])
    .offers(&["layers", "activations"])
    .axis()
    .line(Number(1)),

    Label => Row::data("label", "NAME", Labels, |loading, typed| some(&mut loading.request.ask.label, typed))
    .help("Label column(s) to predict", "price | cat,dog; none for no label")
    .default("the column named label or target, else the last one")
    .aliases(&["labels", "label-column", "target-column", "class-column"])
    .reading()
    .line(Number(1)),

    Columns => Row::data("columns", "NAMES", Tables, |loading, typed| some(&mut loading.request.ask.columns, typed))
    .help("Feature columns of a table: size,age", "")
    .default("all but the label")
    .aliases(&["features", "usecols"])
    .reading()
    .line(Number(4)),

    Drop => Row::data("drop", "NAMES", Tables, |loading, typed| some(&mut loading.request.ask.drop, typed))
    .help("Columns of a table to ignore: id,name", "")
    .reading()
    .line(Number(5)),

    Header => Row::data("header", "LINE", Tables, |loading, typed| read(&mut loading.request.ask.form.header, typed))
    .help("Header line: yes | no | a line number", "yes (the first line) | no | a line number")
    .default("detected from the text")
    .reading()
    .line(Number(6)),

    Delimiter => Row::data("delimiter", "SIGN", Tables, |loading, typed| {
        read(&mut loading.request.ask.form.delimiter, typed)
    })
    .help(
        "Column separator of a text table: ';', tab, ...",
        "comma | semicolon | tab | bar | space | ':'",
    )
    .default("detected from the text")
    .aliases(&["sep", "separator"])
    .dashes()
    .reading()
    .line(Number(7)),

    Comment => Row::data("comment", "SIGN", Tables, |loading, typed| read(&mut loading.request.ask.form.comment, typed))
    .help("Prefix of comment lines in a text table: '#'", "'#' | '//' | none")
    .default("detected from the text")
    .dashes()
    .reading()
    .line(Number(8)),

    Decimal => Row::data("decimal", "WORD", Tables, |loading, typed| read(&mut loading.request.ask.form.decimal, typed))
    .help("Decimal mark of a text table: point | comma", "")
    .default("detected from the columns")
    .reading()
    .line(Number(9)),

    Dates => Row::data("dates", "WORD", Tables, |loading, typed| read(&mut loading.request.ask.form.dates, typed))
    .help("Dates like 01/02/2024: day-first | month-first", "")
    .default("detected from the columns")
    .reading()
    .line(Number(10)),

    Size => Row::data("size", "N", Images, |loading, typed| {
        loading.request.ask.size = Some(typed.parse().unwrap_or(usize::MAX));
        Ok(())
    })
    .of_type(Whole { least: 0, most: u64::MAX })
    .help("Height and width to resize images to", "")
    .default("as they are")
    .reading()
    .line(Number(2)),

    Missing => Row::data("missing", "WORD", Tables, |loading, typed| put(&mut loading.request.ask.missing, typed))
    .help("Missing cells of a table: refuse | mean | drop", "")
    .default("refuse")
    .reading()
    .line(Number(11)),

    MissingValues => Row::data("missing_values", "WORDS", Tables, |loading, typed| {
        put(&mut loading.request.ask.missing_values, typed)
    })
    .help("Words read as missing cells: 'NA,-,?'", "They count even in quotes; none for no such words")
    .default("NA, N/A, NaN, null and ?, in upper or lower case, unless quoted")
    .dashes()
    .reading()
    .line(Number(12)),

    Unknown => Row::data("unknown", "WORD", Tables, |loading, typed| put(&mut loading.request.ask.unknown, typed))
    .help(
        "Categories not seen in training: zeros | refuse",
        "zeros (encode as none of the known categories) | refuse",
    )
    .default("zeros")
    .reading()
    .line(Number(13)),

    Validation => Row::data("validation", "SHARE", All, |loading, typed| {
        loading.request.validation = typed.parse().ok();
        Ok(())
    })
    .of_type(Share)
    .help(
        "Fraction of training samples to hold out: 0.1",
        "Curves, targets and best weights then use this validation split; the test split is evaluated once, at the end",
    )
    .aliases(&["val-split", "validation-split", "validation-fraction", "validation-size", "val-size"])
    .line(Number(3)),

    Resample => Row::data("resample", "", All, |loading, typed| {
        loading.request.resampling = (typed == "true").then_some(Resampling::Random);
        Ok(())
    })
    .of_type(Switch)
    .help(
        "Draw the held-out samples anew with every seed",
        "Test and validation samples, as far as the data do not give these splits; comparisons allow for the samples \
         that the splits of different seeds share",
    ),

    Folds => Row::data("folds", "KxR", All, |loading, typed| {
        if loading.request.resampling.is_some() {
            return Err(Error::usage("folds and resample are two ways to choose the held-out samples")
                .because(Cause::Conflict)
                .advise("one of them"));
        }
        loading.request.resampling = Some(Resampling::Folds(typed.parse()?));
        Ok(())
    })
    .help(
        "Cross-validation: 5, or 5x2 to repeat it twice",
        "Every seed holds out another of 5 folds with equal parts of every class: as the test split or, if the data have \
         one, as the validation split",
    )
    .aliases(&["cv", "n-splits"])
    .dashes(),

    Normalisation => Row::data("normalisation", "WORD", All, |loading, typed| {
        read(&mut loading.request.normalisation, typed)
    })
    .help("Scaling of the inputs: unit, standard, ...", "unit | standard | channel | mnist | imagenet | none")
    .default("unit for pixels, else standard")
    .aliases(&["normalization"])
    .line(Number(14)),

    Targets => Row::trial("targets", Workload, "WORD", |trial| text(&trial.targets), |trial, typed, _| {
        put(&mut trial.targets, typed)
    })
    .help("Prediction target: class | real | input", "class | real (regression) | input (autoencoder)")
    .default("inferred from the labels")
    .unset("class")
    .recorded()
    .line(Number(2)),

    TargetScale => Row::trial(
        "target_scale",
        Workload,
        "WORD",
        |trial| trial.target_scale().as_ref().and_then(text),
        |trial, typed, _| read(&mut trial.target_scale, typed),
    )
    .help(
        "Scaling of numeric targets: standard | none",
        "For training: standard (mean 0, standard deviation 1; losses and predictions stay in original units) | none",
    )
    .default("standard with mse, l1, huber and smooth-l1, else none")
    .recorded()
    .idle_if(|trial, _| trial.target_scale?.misfit(trial.targets, &trial.recipe.loss)),

    Noise => Row::trial("noise", Workload, "SPEC", |trial| trial.noise.as_ref().and_then(text), |trial, typed, _| {
        trial.noise = if typed == "none" { None } else { Some(typed.parse::<Noise>()?) };
        Ok(())
    })
    .help("Noise on the inputs", "gaussian:std=0.3 | masking:p=0.3 | salt-and-pepper:p=0.1")
    .default("none")
    .offers(&["noise"])
    .axis()
    .recorded()
    .line(Number(3)),

    InitFrom => Row::trial(
        "init_from",
        Workload,
        "FILE",
        |trial| trial.init_from.as_ref().map(|path| path.display().to_string()),
        |trial, typed, _| {
            trial.init_from = Some(typed.into());
            Ok(())
        },
    )
    .of_type(FilePath)
    .help("Safetensors file of weights to start from", "")
    .aliases(&["weights", "pretrained"])
    .line(Elsewhere), // in that of `init`

    MatmulPrecision => Row::trial(
        "matmul_precision",
        Recipe,
        "WORD",
        |trial| text(&trial.recipe.matmul_precision),
        |trial, typed, _| put(&mut trial.recipe.matmul_precision, typed),
    )
    .help(
        "Matmul precision: highest | high | medium",
        "highest (f32) | high | medium (bf16, on processors with AMX)",
    )
    .default("highest")
    .axis()
    .recorded()
    .line(Number(11))
    .idle_if(|trial, _| {
        let is_idle = trial.recipe.device != Device::Cpu && trial.recipe.matmul_precision != MatmulPrecision::default();
        is_idle.then(|| format!("on --device {}, where products are in f32", trial.recipe.device))
    }),

    // without an entry in records and identities on processor cores, where there was nothing else
    Device => Row::trial(
        "device",
        Recipe,
        "NAME",
        |trial| text(&trial.recipe.device).filter(|_| trial.recipe.device != Device::Cpu),
        |trial, typed, _| put(&mut trial.recipe.device, typed),
    )
    .help(
        "Processor to train on: cpu | gpu | gpu:NAME",
        "gpu: the fastest graphics card; gpu:NAME: the one whose name contains NAME (`schuss doctor` lists them). Needs a \
         build with `--features gpu`. Bits differ between devices",
    )
    .default("cpu")
    .unset("cpu")
    .axis()
    .recorded(),

    Epochs => Row::trial("epochs", Budget, "N", |trial| text(&trial.budget.epochs), |trial, typed, _| {
        trial.budget.epochs = typed.parse().unwrap_or(u32::MAX);
        Ok(())
    })
    .of_type(Whole { least: 0, most: u32::MAX as u64 })
    .help("Maximum number of epochs [default: 10]", "")
    .aliases(&["epoch", "num-epochs", "n-epochs", "max-epochs", "nb-epoch", "num-train-epochs"])
    .line(Number(12)),

    MaxUpdates => Row::trial(
        "max_updates",
        Budget,
        "N",
        |trial| trial.budget.max_updates.as_ref().and_then(text),
        |trial, typed, _| {
            trial.budget.max_updates = typed.parse().ok();
            Ok(())
        },
    )
    .of_type(Whole { least: 1, most: u64::MAX })
    .help("Maximum number of weight updates", "")
    .aliases(&["max-steps", "steps", "num-steps", "iterations", "max-iterations"])
    .line(Number(13)),

    Target => Row::trial(
        "target",
        Budget,
        "CONDITION",
        |trial| trial.budget.target.as_ref().and_then(text),
        |trial, typed, _| {
            trial.budget.target = Some(condition(typed, trial)?);
            Ok(())
        },
    )
    .help(
        "Target that ends a trial: 'eval_accuracy>=97%'",
        "Bound on eval_accuracy (0.97 or 97%), eval_loss or train_loss",
    )
    .line(Number(14)),

    BeyondTarget => Row::trial(
        "beyond_target",
        Budget,
        "",
        |trial| trial.budget.beyond_target.then(|| "true".to_owned()),
        |trial, typed, _| {
            trial.budget.beyond_target = typed == "true";
            Ok(())
        },
    )
    .of_type(Switch)
    .help("Keep training after the target is reached", "")
    .unset("false")
    .line(Number(15))
    .idle_if(|trial, _| {
        let is_idle = trial.budget.beyond_target && trial.budget.target.is_none();
        is_idle.then(|| "without a target, such as eval_accuracy>=0.97".to_owned())
    }),

    Stop => Row::trial(
        "stop",
        Budget,
        "CONDITION",
        |trial| trial.budget.stop.as_ref().and_then(text),
        |trial, typed, _| {
            trial.budget.stop = Some(condition(typed, trial)?);
            Ok(())
        },
    )
    .help("Condition that ends a trial: 'train_loss<0.1'", "")
    .line(Number(16)),

    EarlyStop => Row::trial(
        "early_stop",
        Budget,
        "SPEC",
        |trial| trial.budget.early_stop.as_ref().and_then(text),
        |trial, typed, _| {
            trial.budget.early_stop = if typed == "none" { None } else { Some(typed.parse()?) };
            Ok(())
        },
    )
    .help(
        "Criterion of over-fitting that ends a trial: gl:5",
        "gl:5 (evaluation loss 5 % above its lowest) | pq:0.5 (above it while training makes little progress) | up:3 \
         (rising over 3 strips of 5 epochs) | none; `schuss explain gl` shows equation and keys",
    )
    .offers(&["early-stop"])
    .idle_if(|trial, _| {
        let (criterion, epochs) = (trial.budget.early_stop?, trial.budget.epochs);
        let earliest = criterion.earliest();
        (u64::from(epochs) < earliest)
            .then(|| format!("in {epochs} epochs, `{criterion}` cannot stop before epoch {earliest}"))
    }),

    // numbers were no part of identities when there was nothing else
    EvalEvery => Row::trial(
        "eval_every",
        Budget,
        "N",
        |trial| trial.eval_every().as_ref().and_then(text),
        |trial, typed, _| read(&mut trial.budget.eval_every, typed),
    )
    .of_type(WholeOr { words: recipe::EvalEvery::WORDS })
    .help(
        "Evaluations within epochs: auto, or every N updates",
        "Targets and conditions are looked at there. N: every N updates | auto: a grid of samples, the same for all trials, \
         whose steps grow with the samples seen and take about 5 % of the work of ten epochs | epoch: none",
    )
    .default("auto with a target, else epoch")
    .aliases(&["eval-steps", "eval-freq"])
    .recorded()
    .line(Only("auto")),

    // without a line: what is measured changes no result
    Metrics => Row::trial("metrics", Workload, "NAMES", |trial| names(&trial.metrics), |trial, typed, _| {
        trial.metrics = Custom::find_all(typed)?;
        Ok(())
    })
    .help(
        "Metrics of a program of one's own, by name",
        "Registered with the library, and measured beside the built-in ones, which need no choice",
    )
    .aliases(&["metric"])
    .line(Elsewhere),

    // without a line, as for metrics
    Instrument => Row::trial("instrument", Workload, "NAMES", |trial| names(&trial.instruments), |trial, typed, _| {
        trial.instruments = if typed == "none" { vec![] } else { Instrument::list(typed)? };
        Ok(())
    })
    .help(
        "Instruments to read at the ends of epochs: dead-units, ...",
        "One or several of update-ratio, dead-units, sharpness, noise-scale and plane, separated by commas. They change no \
         bit of a trial and are not in its training time. `schuss explain dead-units` shows the equation",
    )
    .aliases(&["instruments"])
    .offers(&["instruments"])
    .line(Elsewhere),
}

/// Returns the names in a list, if there are any.
fn names(listed: &[impl ToString]) -> Option<String> {
    let names: Vec<String> = listed.iter().map(ToString::to_string).collect();
    (!names.is_empty()).then(|| names.join(","))
}

/// Returns canonical text.
#[allow(clippy::unnecessary_wraps)] // as rows need it
fn text(value: &impl ToString) -> Option<String> {
    Some(value.to_string())
}

/// Reads a choice.
fn put<T: FromStr<Err = Error>>(place: &mut T, typed: &str) -> Result<()> {
    *place = typed.parse()?;
    Ok(())
}

/// Reads a choice that may be absent.
fn read<T: FromStr<Err = Error>>(place: &mut Option<T>, typed: &str) -> Result<()> {
    *place = Some(typed.parse()?);
    Ok(())
}

/// Takes a choice that is text.
#[allow(clippy::unnecessary_wraps)] // as rows need it
fn some(place: &mut Option<String>, typed: &str) -> Result<()> {
    *place = Some(typed.to_owned());
    Ok(())
}

/// Reads a condition that the trial can meet; targets and loss are set by then.
fn condition(typed: &str, trial: &Trial) -> Result<Condition> {
    let condition: Condition = typed.parse()?;
    condition.check(trial.targets, &trial.recipe.loss)?;
    Ok(condition)
}
