//! Any text on the command line or in a study file is accepted or refused with exit code 2; nothing panics or hangs.

use schuss::network::Noise;
use schuss::network::{Init, Model};
use schuss::optim::Method;
use schuss::recipe::UpdateRule;
use schuss::schedule::Schedule;
use schuss::session::Cadence;
use schuss::study::{Study, StudyFile};
use std::fmt::Display;
use std::str::FromStr;

/// The 64-bit generator of Steele, Lea and Flood (SplitMix).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ x >> 31) % limit.max(1) as u64) as usize
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

/// Tokens inside and outside the grammar.
const TOKENS: &[&str] = &[
    ":",
    ",",
    "=",
    "+",
    "/",
    "@",
    "-",
    " ",
    "\t",
    "\n",
    "\"",
    "'",
    "[",
    "]",
    "{",
    "}",
    "#",
    "\0",
    "é",
    "٣",
    "1",
    "0",
    "-1",
    "0.5",
    "1e-3",
    "1e400",
    "NaN",
    "inf",
    "99999999999999999999",
    "4294967296",
    "18446744073709551616",
    "true",
    "lr",
    "momentum",
    "beta1",
    "sgd",
    "adamw",
    "hidden",
    "bias",
    "clip-global-norm",
    "ema",
    "l-bfgs",
    "muon",
    "cosine",
    "warmup",
    "t_max",
    "linear",
    "relu",
    "dropout",
    "batch-norm",
    "batch",
    "epoch",
    "sample",
    "784-400-10",
    "gaussian",
    "std",
    "auto",
    "[recipe]",
    "[[trial]]",
    "[axes]",
    "optimizer = ",
    "seeds = ",
    "epochs = ",
    "model = ",
    "update = ",
    "schedule = ",
];

/// Makes one to four cuts, copies and insertions at character boundaries.
fn mutate(text: &str, dice: &mut Dice) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for _ in 0..=dice.below(4) {
        let from = dice.below(text.len() + 1);
        let to = (from + dice.below(8)).min(text.len());
        match dice.below(4) {
            0 => drop(text.drain(from..to)),
            1 => {
                let copy: Vec<char> = text[from..to].to_vec();
                let at = dice.below(text.len() + 1);
                text.splice(at..at, copy);
            }
            2 => text.truncate(from.max(1)),
            _ => drop(text.splice(from..to.min(from + 2), dice.of(TOKENS).chars())),
        }
    }
    text.into_iter().collect()
}

/// Asserts that an accepted text survives a round trip and that others are usage errors. Returns true if accepted.
fn check<T: FromStr<Err = schuss::Error> + Display>(text: &str) -> bool {
    match text.parse::<T>() {
        Ok(value) => {
            let (canonical, again) = (value.to_string(), value.to_string().parse::<T>());
            assert_eq!(again.map(|again| again.to_string()), Ok(canonical), "`{text}`");
            true
        }
        Err(error) => {
            assert_eq!(error.exit_code(), 2, "`{text}`: {error}");
            false
        }
    }
}

const SPECS: &[&str] = &[
    "sgd:lr=0.1,momentum=0.9,nesterov=true",
    "clip-global-norm:1+adamw:lr=1e-3+ema:0.999",
    "hidden@muon:lr=0.02/bias@freeze/adamw:lr=1e-3,beta1=0.9",
    "sam:rho=0.05+sgd:lr=0.1",
    "l-bfgs:line_search=strong-wolfe,history_size=5",
    "warmup:500+cosine:t_max=6000/beta1@linear:end_factor=0.5",
    "multistep:milestones=30:60:90,gamma=0.1",
    "linear:400,relu,dropout:0.2,batch-norm,linear:10",
    "784-400-256-10",
    "batch:100",
    "gaussian:std=0.3",
    "kaiming-normal",
    "digits:train=60000,test=10000,size=28,seed=1",
    "0.05s",
];

#[test]
fn a_million_mutated_choices_are_taken_or_refused() {
    let (mut dice, mut taken) = (Dice(1), 0);
    for number in 0..1_000_000 {
        let spec = SPECS[number % SPECS.len()];
        let text = mutate(spec, &mut dice);
        taken += usize::from(match number % SPECS.len() {
            0..=4 => check::<Method>(&text),
            5 | 6 => check::<Schedule>(&text),
            7 | 8 => check::<Model>(&text),
            9 => check::<UpdateRule>(&text),
            10 => check::<Noise>(&text),
            11 => check::<Init>(&text),
            12 => check::<schuss_data::DataSource>(&text),
            _ => check::<Cadence>(&text),
        });
    }
    assert!((50_000..950_000).contains(&taken), "{taken} of a million were taken: neither should be rare");
}

const STUDY: &str = "title = \"A\"\nseeds = [1, 2]\n[workload]\nmodel = \"64-10\"\n[recipe]\nupdate = \"batch:10\"\n\
    epochs = 2\n[observe]\nlosses = true\n[axes]\noptimizer = [\"sgd:lr=0.1\", \"adam\"]\n[[trial]]\nname = \"x\"\n\
    schedule = \"cosine\"\n";

#[test]
fn a_million_mutated_study_files_are_taken_or_refused() {
    let data = schuss::data::load("digits:train=20,test=10,size=8").unwrap();
    let (mut dice, mut taken) = (Dice(2), 0);
    for _ in 0..1_000_000 {
        let text = mutate(STUDY, &mut dice);
        let resolved =
            StudyFile::parse(&text, "study").and_then(|file| Study::resolve("study", &file, &data));
        match resolved {
            Ok(_) => taken += 1,
            Err(error) => assert_eq!(error.exit_code(), 2, "{error} in\n{text}"),
        }
    }
    assert!(taken > 10_000, "only {taken} of a million were taken");
}
