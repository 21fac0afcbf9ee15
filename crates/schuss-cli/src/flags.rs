//! Parsing of the command line: aliases from other programs, and advice for unknown flags.

use crate::args::Cli;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, FromArgMatches};
use schuss::spec::nearest;
use schuss::{Error, Place};
use std::ffi::OsString;

/// Reason why no command was parsed.
pub(crate) enum Stop {
    /// Message of clap: help, version, a missing value.
    Clap(clap::Error),
    /// Error of schuss.
    Refused(Error),
}

/// Parses the command line for a terminal of `columns` columns.
pub(crate) fn read(words: impl Iterator<Item = OsString>, columns: usize) -> Result<Cli, Stop> {
    let words: Vec<OsString> = words.map(plain).collect();
    let words = with_model(words);
    let mut command = Cli::command().term_width(columns.min(100));
    let matches = command.try_get_matches_from_mut(&words);
    matches.and_then(|matches| Cli::from_arg_matches(&matches)).map_err(|error| stop(error, &words, &command))
}

/// Returns `--Batch_Size=64` as `--batch-size=64`; values stay as they are.
fn plain(word: OsString) -> OsString {
    let Some(text) = word.to_str().filter(|text| text.len() > 2 && text.starts_with("--")) else {
        return word;
    };
    let (flag, value) = text.split_at(text.find('=').unwrap_or(text.len()));
    (flag.to_lowercase().replace('_', "-") + value).into()
}

/// Flags of other programs that set the widths of hidden layers.
const HIDDEN: [&str; 7] = [
    "hidden",
    "hidden-layer-sizes",
    "hidden-layers",
    "hidden-sizes",
    "hidden-size",
    "hidden-units",
    "hidden-dim",
];

/// Rewrites `--hidden 100,50` to `--model in-100-50-out`, unless an activation is given too.
fn with_model(words: Vec<OsString>) -> Vec<OsString> {
    let typed = Typed::of(&words);
    let widths = HIDDEN.iter().find_map(|flag| Some((*flag, widths(typed.value(flag)?)?)));
    let Some((flag, widths)) = widths.filter(|_| typed.value("activation").is_none()) else { return words };
    let mut model: Vec<OsString> = typed.without(flag).into_iter().map(OsString::from).collect();
    model.extend(["--model".into(), format!("in-{}-out", widths.join("-")).into()]);
    model
}

/// Parses layer widths: `100,50`, `(100, 50)`, `[100,50]`, `100-50`, `100`.
fn widths(text: &str) -> Option<Vec<String>> {
    let inside = text.trim_matches(['(', ')', '[', ']', ' ']);
    let widths = inside.split([',', '-', ' ', 'x']).filter(|width| !width.is_empty());
    let widths: Option<Vec<String>> =
        widths.map(|width| width.parse::<usize>().ok().map(|width| width.to_string())).collect();
    widths.filter(|widths| !widths.is_empty())
}

/// The command line as text.
struct Typed(Vec<String>);

impl Typed {
    fn of(words: &[OsString]) -> Self {
        Self(words.iter().map(|word| word.to_string_lossy().into_owned()).collect())
    }

    /// Returns the value of a flag; empty if it has none.
    fn value(&self, flag: &str) -> Option<&str> {
        let at = self.position(flag)?;
        let next = self.0.get(at + 1).map(String::as_str).filter(|next| !next.starts_with("--"));
        Some(self.0[at].split_once('=').map_or(next.unwrap_or(""), |(_, value)| value))
    }

    fn position(&self, flag: &str) -> Option<usize> {
        self.0
            .iter()
            .position(|word| word.strip_prefix("--").and_then(|word| word.split('=').next()) == Some(flag))
    }

    /// Returns all words except a flag and its value.
    fn without(&self, flag: &str) -> Vec<String> {
        let mut rest = self.0.clone();
        if let Some(at) = self.position(flag) {
            let apart = !self.0[at].contains('=') && self.value(flag) != Some("");
            rest.drain(at..at + 1 + usize::from(apart));
        }
        rest
    }

    /// Returns the subcommand in use.
    fn verb<'a>(&self, command: &'a Command) -> &'a Command {
        self.0[1..].iter().fold(command, |command, word| command.find_subcommand(word).unwrap_or(command))
    }

    /// Returns the command as it is typed: `schuss data show`.
    fn name(&self, command: &Command) -> String {
        let (mut name, mut command) = ("schuss".to_owned(), command);
        for word in &self.0[1..] {
            if let Some(verb) = command.find_subcommand(word) {
                name = format!("{name} {}", verb.get_name());
                command = verb;
            }
        }
        name
    }
}

/// Returns a readable error for a value that clap could not parse as a number; none for other errors.
fn no_number(error: &clap::Error) -> Option<Error> {
    let source = std::error::Error::source(error)?;
    let words = source.to_string();
    let is_number = !["invalid digit", "invalid float", "cannot parse", "number too"]
        .iter()
        .any(|part| words.contains(part));
    if is_number {
        return None;
    }
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let flag = text(ContextKind::InvalidArg)?.split(' ').next()?.to_owned();
    let value = text(ContextKind::InvalidValue)?;
    let (kind, example) =
        if words.contains("float") { ("a number", "0.1") } else { ("a non-negative integer", "10") };
    Some(
        Error::usage(format!("`{value}` is not {kind}"))
            .at(Place::flag(flag.trim_start_matches('-')))
            .advise(format!("{flag} takes {kind}, such as {example}")),
    )
}

fn stop(error: clap::Error, words: &[OsString], command: &Command) -> Stop {
    if let Some(error) = no_number(&error) {
        return Stop::Refused(error);
    }
    let unknown = match (error.kind(), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::UnknownArgument, Some(ContextValue::String(word))) => word.clone(),
        _ => return Stop::Clap(error),
    };
    let typed = Typed::of(words);
    Stop::Refused(match whole_flag(&unknown, &typed) {
        Some(flag) => refused(&flag, &typed, command),
        None => Error::usage(format!("unexpected argument `{unknown}`"))
            .advise("put quotes around a value with spaces or braces: --optimizer 'adam:lr={1e-4,1e-3}'"),
    })
}

/// Returns the flag as typed, without its dashes: clap stops at `-l` of `-lr`.
fn whole_flag(unknown: &str, typed: &Typed) -> Option<String> {
    let word = unknown.strip_prefix('-')?;
    match word.strip_prefix('-') {
        Some(long) => Some(long.split('=').next().unwrap_or(long).to_owned()),
        None => {
            let short = |typed: &&String| typed.starts_with(unknown) && !typed.starts_with("--");
            let typed = typed.0.iter().find(short).map_or(word, |typed| &typed[1..]);
            Some(typed.split('=').next().unwrap_or(typed).to_lowercase().replace('_', "-"))
        }
    }
}

fn refused(flag: &str, typed: &Typed, command: &Command) -> Error {
    let verb = typed.verb(command);
    let dashes = if flag.len() > 1 { "--" } else { "-" };
    let name = typed.name(command);
    let error = Error::usage(format!("{name} has no flag `{dashes}{flag}`"));
    let given = typed.value(flag).or_else(|| single_dash(flag, typed)).unwrap_or("");
    let trains = ["train", "compare"].contains(&verb.get_name());
    if trains && let Some(advice) = optimizer(typed, flag, given).or_else(|| elsewhere(flag, given, typed)) {
        return error.advise(advice);
    }
    if ["data", "dataset", "input"].contains(&flag)
        && let Some(usage) = usage(verb, &name, given)
    {
        return error.advise(format!("data are given without a flag: {usage}"));
    }
    let having = command.get_subcommands().filter(|verb| longs(verb).contains(&flag));
    let having: Vec<&str> = having.map(Command::get_name).collect();
    error.advise(match (&having[..], nearest(flag, &longs(verb))) {
        ([], Some(near)) => format!("did you mean --{near}?   {name} --help lists all flags"),
        ([], None) => format!("{name} --help lists all flags"),
        _ => format!("--{flag} belongs to schuss {}; {name} --help lists all flags", having.join(", ")),
    })
}

/// Returns the usage of a subcommand that takes data, such as `schuss eval MODEL sales.csv`.
fn usage(verb: &Command, name: &str, data: &str) -> Option<String> {
    let places: Vec<&str> = verb.get_positionals().map(|place| place.get_id().as_str()).collect();
    let at = places.iter().position(|place| ["data", "input"].contains(place))?;
    let before: String = places[..at].iter().map(|place| format!("{} ", place.to_uppercase())).collect();
    Some(format!("{name} {before}{}", if data.is_empty() { "DATA" } else { data }))
}

/// Returns the value of a long flag typed with a single dash, such as `-lr`.
fn single_dash<'a>(flag: &str, typed: &'a Typed) -> Option<&'a str> {
    let at = typed.0.iter().position(|word| word.trim_start_matches('-') == flag)?;
    typed.0.get(at + 1).map(String::as_str)
}

/// Returns the long flags of a command.
fn longs(command: &Command) -> Vec<&str> {
    command.get_arguments().filter_map(|arg| arg.get_long()).collect()
}

/// Flags of other programs that are keys of the optimizer in schuss.
const KEYS: &[(&[&str], &str)] = &[
    (&["lr", "learning-rate", "learning-rate-init", "learningrate", "eta", "eta0", "base-lr"], "lr"),
    (&["momentum"], "momentum"),
    (&["nesterov", "nesterovs-momentum"], "nesterov"),
    (&["weight-decay", "wd", "l2", "alpha", "decay"], "weight_decay"),
    (&["betas"], "betas"),
    (&["beta1", "beta-1", "adam-beta1"], "beta1"),
    (&["beta2", "beta-2", "adam-beta2"], "beta2"),
    (&["eps", "epsilon", "adam-epsilon"], "eps"),
    (&["amsgrad"], "amsgrad"),
];

/// Returns `--optimizer adam:lr=0.01,...` with all optimizer keys that were typed as flags.
fn optimizer(typed: &Typed, flag: &str, given: &str) -> Option<String> {
    KEYS.iter().find(|(flags, _)| flags.contains(&flag))?;
    let value = |flags: &[&str]| {
        let own = flags.contains(&flag).then_some(given);
        own.or_else(|| flags.iter().find_map(|flag| typed.value(flag)))
    };
    let keys = KEYS.iter().filter_map(|(flags, key)| value(flags).map(|value| key_of(key, value)));
    let keys: Vec<String> = keys.collect();
    let named = ["optimizer", "opt", "optim", "solver"].iter().find_map(|flag| typed.value(flag));
    let has = |key: &str| keys.iter().any(|given| given.starts_with(key));
    let spec = match named {
        Some(spec) if spec.contains(['+', '/', '{']) => {
            return Some(format!("add `{}` to the keys of the rule in --optimizer '{spec}'", keys.join(",")));
        }
        Some(spec) if spec.contains(':') => format!("{spec},"),
        Some(spec) => format!("{spec}:"),
        None if has("beta") || has("amsgrad") || has("eps") => "adam:".to_owned(),
        None if has("lr") => "sgd:".to_owned(),
        None => "sgd:lr=0.1,".to_owned(),
    };
    let momentum =
        if has("nesterov") && !has("momentum") && !spec.contains("momentum") { "momentum=0.9," } else { "" };
    Some(format!("--optimizer {spec}{momentum}{}", keys.join(",")))
}

fn key_of(key: &str, value: &str) -> String {
    match (key, value) {
        ("betas", value) => match value.trim_matches(['(', ')', '[', ']']).split_once([',', ' ']) {
            Some((first, second)) => format!("beta1={},beta2={}", first.trim(), second.trim()),
            None => "beta1=0.9,beta2=0.999".to_owned(),
        },
        ("nesterov" | "amsgrad", "") => format!("{key}=true"),
        ("lr", "") => "lr=0.1".to_owned(),
        ("momentum", "") => "momentum=0.9".to_owned(),
        (key, "") => format!("{key}=..."),
        (key, value) => format!("{key}={}", value.to_lowercase()),
    }
}

/// Flags of other programs and the equivalent to type; `{|x|}` stands for the flag's value, `x` if it has none.
const ELSEWHERE: &[(&[&str], &str)] = &[
    (&["activation", "activation-function", "nonlinearity"], "--model linear:400,{|relu|},linear:out"),
    (&["dropout", "dropout-rate", "drop-rate"], "--model linear:400,relu,dropout:{|0.2|},linear:out"),
    (
        &["patience", "early-stopping", "early-stopping-patience", "n-iter-no-change"],
        "--early-stop up:s=3,k=1 (three epochs in a row with a higher loss), or gl:5; the best weights are kept anyway, \
         as best.safetensors",
    ),
    (
        &["cuda", "gpu", "gpus", "use-cuda", "no-cuda", "accelerator", "cpu"],
        "--device gpu, in a build with the feature gpu; the default is cpu",
    ),
    (&["num-workers", "workers", "dataloader-num-workers"], "--threads {|2|}"),
    (
        &["test-size", "test-split", "test-ratio", "train-size", "train-split", "split"],
        "leave it out: without a test split, a fifth of the data becomes one; --validation 0.1 holds out more",
    ),
    (
        &["max-iter", "n-iter", "iters", "num-iterations"],
        "--epochs {|10|}, or --max-updates {|1000|} weight updates",
    ),
    (&["shuffle"], "leave it out: samples are reshuffled every epoch; --order sets another order"),
    (&["no-shuffle"], "--order sequential"),
    (
        &["clip-grad-norm", "max-grad-norm", "grad-clip", "gradient-clip-val", "clipnorm", "clip"],
        "--optimizer clip-global-norm:{|1|}+sgd:lr=0.1",
    ),
    (&["warmup-steps", "warmup", "num-warmup-steps"], "--schedule warmup:{|500|}"),
    (&["step-size", "lr-step"], "--schedule step:step_size={|600|}"),
    (&["gamma", "lr-decay", "lr-gamma"], "--schedule step:step_size=600,gamma={|0.1|}"),
    (&["label-smoothing"], "--loss cross-entropy:label_smoothing={|0.1|}"),
    (&["class-weight", "class-weights"], "--loss cross-entropy:class_weights=1:2, one weight per class"),
    (&["ema", "ema-decay", "use-ema"], "--optimizer sgd:lr=0.1+ema:{|0.99|}"),
    (
        &["gradient-accumulation-steps", "accumulate-grad-batches"],
        "--update batch:N with all samples of an update; microbatches are chosen to fit the memory",
    ),
    (&["amp", "fp16", "bf16", "mixed-precision", "precision", "half"], "--matmul-precision medium"),
    (&["resume", "resume-from-checkpoint", "checkpoint"], "schuss resume RUN"),
    (&["config", "config-file", "study"], "schuss compare {|study.toml|}"),
    (&["name", "run-name", "experiment-name", "experiment"], "--out runs/{|mine|}"),
    (&["target-type", "task", "task-type"], "--targets class, or --targets real for a regression"),
    (&["standardize", "standardise", "normalize", "normalise", "scale"], "--normalisation standard"),
    (&["batch", "minibatch", "mini-batch"], "--update batch:{|100|}"),
];

fn elsewhere(flag: &str, given: &str, typed: &Typed) -> Option<String> {
    if let Some((hidden, activation)) = hidden_and_activation(flag, typed) {
        let layers: String = hidden.iter().map(|width| format!("linear:{width},{activation},")).collect();
        return Some(format!("--model {layers}linear:out"));
    }
    let text = ELSEWHERE.iter().find(|(flags, _)| flags.contains(&flag))?.1;
    let parts = text.split(['{', '}']).map(|part| match part.strip_prefix('|') {
        Some(usual) if given.is_empty() => usual.trim_end_matches('|').to_owned(),
        Some(_) => given.to_owned(),
        None => part.to_owned(),
    });
    Some(parts.collect())
}

/// Returns hidden widths and activation (default: relu) if `flag` is one of theirs and the widths were typed.
fn hidden_and_activation(flag: &str, typed: &Typed) -> Option<(Vec<String>, String)> {
    let known = flag == "activation" || HIDDEN.contains(&flag);
    let hidden = HIDDEN.iter().find_map(|flag| widths(typed.value(flag)?)).filter(|_| known)?;
    Some((hidden, typed.value("activation").unwrap_or("relu").to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use schuss::recipe::ChoiceKey;
    use schuss::study::Seeds;

    fn parse(line: &str) -> Result<Cli, Stop> {
        read(line.split_whitespace().map(OsString::from), 80)
    }

    fn advice(line: &str) -> String {
        match parse(line) {
            Err(Stop::Refused(error)) => {
                assert_eq!(error.exit_code(), 2);
                error.advice.unwrap_or_default()
            }
            Err(Stop::Clap(error)) => panic!("{line}: clap says {error}"),
            Ok(_) => panic!("{line} was taken"),
        }
    }

    #[test]
    fn what_is_no_number_is_said_in_plain_words() {
        for (line, expected) in [
            ("schuss train --epochs ten", "--epochs takes a non-negative integer, such as 10"),
            ("schuss train --threads 1.5", "--threads takes a non-negative integer, such as 10"),
            ("schuss train --seed 1,x", "--seed takes a non-negative integer, such as 10"),
            ("schuss train --validation much", "--validation takes a number, such as 0.1"),
        ] {
            assert_eq!(advice(line), expected, "{line}");
        }
    }

    #[test]
    fn flags_of_other_programs_are_answered_with_ours_for_their_value() {
        for (line, expected) in [
            ("schuss train --lr 0.01", "--optimizer sgd:lr=0.01"),
            ("schuss train --learning_rate=0.01", "--optimizer sgd:lr=0.01"),
            ("schuss train --learning-rate-init 1e-3 --optimizer adam", "--optimizer adam:lr=1e-3"),
            ("schuss train -lr 0.01", "--optimizer sgd:lr=0.01"),
            (
                "schuss train --lr 0.01 --momentum 0.9 --nesterov",
                "--optimizer sgd:lr=0.01,momentum=0.9,nesterov=true",
            ),
            (
                "schuss train --optimizer sgd:lr=0.5 --weight-decay 1e-4",
                "--optimizer sgd:lr=0.5,weight_decay=1e-4",
            ),
            ("schuss train --betas 0.9,0.99", "--optimizer adam:beta1=0.9,beta2=0.99"),
            ("schuss train --nesterov", "--optimizer sgd:lr=0.1,momentum=0.9,nesterov=true"),
            ("schuss train --activation tanh", "--model linear:400,tanh,linear:out"),
            (
                "schuss train --hidden 30,20 --activation tanh",
                "--model linear:30,tanh,linear:20,tanh,linear:out",
            ),
            ("schuss train --dropout 0.3", "--model linear:400,relu,dropout:0.3,linear:out"),
            ("schuss train --max-iter 50", "--epochs 50, or --max-updates 50 weight updates"),
            ("schuss train --num_workers 4", "--threads 4"),
            ("schuss train --warmup-steps 100", "--schedule warmup:100"),
        ] {
            assert_eq!(advice(line), expected, "{line}");
        }
        for (line, part) in [
            ("schuss train --cuda", "--device gpu"),
            ("schuss train --patience 5", "best.safetensors"),
            ("schuss train --test-size 0.2", "--validation"),
            ("schuss train --epcohs 3", "--epochs?"),
            ("schuss train --frobnicate", "--help"),
            ("schuss eval a b --threads 2", "belongs to schuss compare, train"),
            ("schuss eval a --data b.csv", "schuss eval MODEL b.csv"),
            ("schuss data show --data b.csv", "schuss data show b.csv"),
            ("schuss train a.toml adam:lr=1", "quotes"),
        ] {
            let advice = advice(line);
            assert!(advice.contains(part) && !advice.contains("matmul"), "{line}: {advice}");
        }
    }

    #[test]
    fn every_flag_in_an_answer_exists() {
        let command = Cli::command();
        let known = longs(command.find_subcommand("train").unwrap());
        for (flags, answer) in ELSEWHERE {
            let named = answer.split_whitespace().filter_map(|word| word.strip_prefix("--"));
            named.for_each(|flag| {
                assert!(known.contains(&flag.trim_end_matches([';', ',', ':'])), "{answer}")
            });
            flags.iter().for_each(|flag| assert!(!known.contains(flag), "--{flag} is a flag of our own"));
        }
    }

    #[test]
    fn unambiguous_names_are_taken() {
        let flags = |line: &str| match parse(&format!("schuss train {line}")) {
            Ok(Cli { command: crate::args::Command::Train { flags, .. } }) => flags,
            Ok(_) => panic!("{line} is another command"),
            Err(Stop::Clap(error)) => panic!("{line}: {error}"),
            Err(Stop::Refused(error)) => panic!("{line}: {error}"),
        };
        for line in ["--batch-size 64", "--batch_size=64", "--bs 64", "--Batch_Size 64"] {
            assert_eq!(flags(line).choices.values(ChoiceKey::Update), ["64"], "{line}");
        }
        for line in ["--hidden-layer-sizes 100,50", "--hidden (100,50)", "--hidden_layer_sizes=100-50"] {
            assert_eq!(flags(line).choices.values(ChoiceKey::Model), ["in-100-50-out"], "{line}");
        }
        for line in ["--epoch 3", "--num-epochs 3", "--num_epochs=3", "--max-epochs 3"] {
            assert_eq!(flags(line).choices.values(ChoiceKey::Epochs), ["3"], "{line}");
        }
        for line in ["-o a", "--output a", "--output-dir a"] {
            assert_eq!(flags(line).out.as_deref(), Some(std::path::Path::new("a")), "{line}");
        }
        assert_eq!(
            flags("--opt Adam --solver lbfgs").choices.values(ChoiceKey::Optimizer),
            ["Adam", "lbfgs"]
        );
        assert_eq!(
            flags("--criterion MSELoss --lr-scheduler StepLR").choices.values(ChoiceKey::Loss),
            ["MSELoss"]
        );
        assert_eq!(flags("--random-state 7").seed, [7]);
        assert_eq!(flags("--seeds 3").seeds, Some(Seeds::Listed(vec![1, 2, 3])));
        assert_eq!(flags("--seeds auto").seeds, Some(Seeds::Auto));
        assert_eq!(flags("--validation-split 0.1").choices.values(ChoiceKey::Validation), ["0.1"]);
        assert_eq!(flags("--dataset x.csv --net 3-2").choices.values(ChoiceKey::Data), ["x.csv"]);
    }

    #[test]
    fn help_fits_a_narrow_terminal() {
        for verb in ["", "train", "compare", "recommend", "eval", "data show"] {
            for help in ["-h", "--help"] {
                let Err(Stop::Clap(error)) =
                    read(format!("schuss {verb} {help}").split_whitespace().map(OsString::from), 60)
                else {
                    panic!("{verb} {help}")
                };
                let text = error.to_string();
                let long = text.lines().find(|line| line.chars().count() > 60);
                assert_eq!(long, None, "{verb} {help}");
            }
        }
    }

    #[test]
    fn the_short_help_is_shorter() {
        let lines = |line: &str| match parse(line) {
            Err(Stop::Clap(error)) => error.to_string().lines().count(),
            _ => panic!("{line}"),
        };
        assert!(2 * lines("schuss train -h") < lines("schuss train --help"));
    }
}
