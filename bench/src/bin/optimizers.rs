//! `optimizers OUTDIR [ROUNDS]`: measures updates per second of every rule on the lectures' network, and the step time
//! of element-wise rules against a plain sweep of the same bytes; prints a Markdown table and writes `optimizers.csv`.

use schuss::data::Dataset;
use schuss::network::{Params, Plan};
use schuss::optim::{Rule, Stepper};
use schuss::session::Limits;
use schuss::{Error, Result, files, machine};
use schuss_bench::command::{self, Arguments};
use schuss_bench::laps::{self, Task};
use schuss_kernels::sweep::{Elementwise, sweep};
use schuss_kernels::{Buffer, Math, Team};
use std::process::ExitCode;
use std::time::Instant;

const MODEL: &str = "784-400-256-10";
const UPDATE: &str = "batch:100";
/// An epoch of 100 updates, which fully includes the work that matrix rules do every 10, 20 or 100 updates.
const DATA: &str = "digits:train=10000,test=10";
const UPDATES: f64 = 100.0;
/// Default number of rounds.
const ROUNDS: usize = 7;
/// Number of repetitions of isolated steps, alternating with plain sweeps, per turn.
const STEPS: usize = 50;
/// Learning rate at which all rules stay finite.
const LR: &str = "lr=0.00001";

fn main() -> ExitCode {
    command::exit_code(run())
}

fn run() -> Result<()> {
    let Arguments { folder, rounds } = Arguments::of_process("optimizers", ROUNDS)?;
    let (threads, data) = (Limits::default().threads, schuss::data::load(DATA)?);
    let mut subjects =
        Rule::NAMES.iter().map(|name| Subject::new(name, &data, threads)).collect::<Result<Vec<_>>>()?;
    let mut plain = Plain::new(subjects[0].params.values().len(), threads)?;
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for subject in &mut subjects {
            subject.turn(&mut plain, &data)?;
        }
    }
    let machine = machine::describe();
    println!("{MODEL}, {UPDATE}, {threads} threads, {rounds} rounds; {} ({}).\n", machine.cpu, machine.isa);
    println!("| rule | path | updates/s | range | step, µs | plain sweep, µs | ratio |");
    println!("|---|---|---|---|---|---|---|");
    subjects.iter().for_each(|subject| println!("{}", subject.row()));
    let raw: String = subjects.iter().map(Subject::raw).collect();
    let raw = format!("rule,path,round,update_seconds,step_seconds,sweep_seconds\n{raw}");
    files::create_folder(&folder, &[("optimizers.csv".to_owned(), raw)])
}

/// A rule and its measurements.
struct Subject {
    name: &'static str,
    spec: String,
    strategy: &'static str,
    /// State values per weight.
    slots: usize,
    params: Params,
    gradients: Buffer,
    stepper: Stepper,
    turns: Vec<Turn>,
}

/// Measurements of one round, in seconds.
struct Turn {
    /// Time of an update in a session, including forward and backward pass.
    update: f64,
    /// Shortest isolated step, and shortest plain sweep of as many bytes, measured alternately; `None` if the rule
    /// works on whole tensors.
    step: Option<[f64; 2]>,
}

impl Subject {
    fn new(name: &'static str, data: &Dataset, threads: usize) -> Result<Self> {
        let spec = match name {
            "freeze" => name.to_owned(),
            "polyak-sgd" => format!("{name}:max_{LR}"),
            _ => format!("{name}:{LR}"),
        };
        let plan = Plan::new(&MODEL.parse()?, data.shape.features(), data.classes.len())?;
        let params = Params::init(plan.layout, &Default::default(), 1);
        let mut gradients = Buffer::from(params.values());
        gradients.iter_mut().for_each(|gradient| *gradient *= 0.01);
        let (stepper, slots) =
            (Stepper::new(&spec.parse()?, &params, threads)?, spec.parse::<Rule>()?.slots().len());
        Ok(Self { name, spec, strategy: "", slots, params, gradients, stepper, turns: vec![] })
    }

    fn turn(&mut self, plain: &mut Plain, data: &Dataset) -> Result<()> {
        let task = Task { model: MODEL.into(), update: UPDATE.into(), optimizer: self.spec.clone() };
        let laps = laps::run(&task, data, 2)?;
        self.strategy = laps.strategy;
        let update = laps.seconds[1] / UPDATES;
        let step = (self.strategy != "staged").then(|| self.steps(plain));
        self.turns.push(Turn { update, step });
        Ok(())
    }

    /// Times steps and sweeps in alternating series; the first of each series warms the caches and is not counted.
    fn steps(&mut self, plain: &mut Plain) -> [f64; 2] {
        let mut best = [f64::INFINITY; 2];
        for _ in 0..STEPS {
            let step = || time(|| self.stepper.step(&mut self.gradients, 1.0, &mut self.params));
            best[0] = shortest(step).min(best[0]);
            best[1] = shortest(|| time(|| plain.sweep(self.slots))).min(best[1]);
        }
        best
    }

    fn row(&self) -> String {
        let mut rates: Vec<f64> = self.turns.iter().map(|turn| 1.0 / turn.update).collect();
        rates.sort_by(f64::total_cmp);
        let (median, last) = (rates[rates.len() / 2], rates[rates.len() - 1]);
        let best = |index: usize| {
            let seconds = self.turns.iter().filter_map(|turn| turn.step).map(|step| step[index]);
            seconds.reduce(f64::min)
        };
        let step = match best(0).zip(best(1)) {
            Some((step, sweep)) => format!("{:.0} | {:.0} | {:.2}", step * 1e6, sweep * 1e6, step / sweep),
            None => "– | – | –".into(),
        };
        format!("| {} | {} | {median:.1} | {:.1}..{last:.1} | {step} |", self.name, self.strategy, rates[0])
    }

    fn raw(&self) -> String {
        let line = |(round, Turn { update, step }): (usize, &Turn)| {
            let [step, sweep] = step.map_or_else(Default::default, |step| step.map(|s| s.to_string()));
            format!("{},{},{},{update},{step},{sweep}\n", self.name, self.strategy, round + 1)
        };
        self.turns.iter().enumerate().map(line).collect()
    }
}

fn time(work: impl FnOnce()) -> f64 {
    let clock = Instant::now();
    work();
    clock.elapsed().as_secs_f64()
}

/// Returns the shortest of three runs, after one that warms caches.
fn shortest(mut seconds: impl FnMut() -> f64) -> f64 {
    seconds();
    (0..3).map(|_| seconds()).fold(f64::INFINITY, f64::min)
}

/// Buffers for sweeps over as many bytes as a rule's step, with almost no arithmetic.
struct Plain {
    team: Team,
    gradients: Buffer,
    weights: Buffer,
    slots: Vec<Buffer>,
}

/// Computes w ← w + g, and the same for every slot.
#[derive(Clone, Copy)]
struct Add;

impl<const S: usize> Elementwise<S> for Add {
    #[inline(always)]
    fn apply<L: Math>(&self, gradient: L, weight: L, slots: &mut [L; S]) -> L {
        slots.iter_mut().for_each(|slot| *slot = *slot + gradient);
        weight + gradient
    }
}

impl Plain {
    /// Maximum number of slots of an element-wise rule.
    const SLOTS: usize = 5;

    fn new(len: usize, threads: usize) -> Result<Self> {
        let team = Team::new(threads).map_err(|error| {
            Error::failure(format!("the system does not start {threads} threads: {error}"))
        })?;
        let zeros = || Buffer::zeros(len);
        let slots = (0..Self::SLOTS).map(|_| zeros()).collect();
        Ok(Self { team, gradients: zeros(), weights: zeros(), slots })
    }

    /// Makes one pass with the given number of slots.
    fn sweep(&mut self, slots: usize) {
        match slots {
            0 => self.pass::<0>(),
            1 => self.pass::<1>(),
            2 => self.pass::<2>(),
            3 => self.pass::<3>(),
            4 => self.pass::<4>(),
            _ => self.pass::<{ Self::SLOTS }>(),
        }
    }

    fn pass<const S: usize>(&mut self) {
        let mut slots = self.slots.iter_mut();
        let slots: [&mut [f32]; S] =
            std::array::from_fn(|_| &mut slots.next().expect("S is at most SLOTS")[..]);
        sweep(&mut self.team, &Add, &self.gradients, 1.0, &mut self.weights, slots);
    }
}
