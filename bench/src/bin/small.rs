//! `small OUTDIR [ROUNDS]`: measures microseconds per update of a small network on a table, in sessions and of its
//! products alone; prints a Markdown table and writes `small.csv`.

use schuss::data::{Dataset, Labels, Normalisation, Normalise, Samples, Shape, Split, Values};
use schuss::session::Limits;
use schuss::{Error, Result, files, machine};
use schuss_bench::command::{self, Arguments};
use schuss_bench::laps::{self, Task};
use schuss_kernels::matrix::{self, Matrix, MatrixMut, Start};
use schuss_kernels::sweep::Elementwise;
use schuss_kernels::{Buffer, Math, Team, padded};
use std::process::ExitCode;
use std::time::Instant;

const INPUTS: usize = 30;
const HIDDEN: usize = 64;
const OUTPUTS: usize = 2;
/// Samples per update.
const BATCHES: [usize; 3] = [16, 32, 100];
/// Training samples of the table, a multiple of no batch, as four fifths of 569.
const SAMPLES: usize = 455;
const TESTED: usize = 114;
const EPOCHS: u32 = 300;
/// Repetitions of the products in a turn.
const REPEATS: usize = 3_000;
/// Default number of rounds.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    command::exit_code(run())
}

fn run() -> Result<()> {
    let Arguments { folder, rounds } = Arguments::of_process("small", ROUNDS)?;
    let (threads, data) = (Limits::default().threads, table()?);
    let mut subjects = BATCHES.map(Subject::new);
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for subject in &mut subjects {
            subject.turn(&data, threads)?;
        }
    }
    let machine = machine::describe();
    println!(
        "{INPUTS}-{HIDDEN}-{OUTPUTS}, {threads} threads, {rounds} rounds; {} ({}).\n",
        machine.cpu, machine.isa
    );
    println!("| samples per update | update, µs | range | products alone, µs | difference, µs |");
    println!("|---|---|---|---|---|");
    subjects.iter().for_each(|subject| println!("{}", subject.row()));
    let raw: String = subjects.iter().map(Subject::raw).collect();
    let raw = format!("samples_per_update,round,update_seconds,products_seconds\n{raw}");
    files::create_folder(&folder, &[("small.csv".to_owned(), raw)])
}

/// Returns two overlapping classes, standardised as a table is.
fn table() -> Result<Dataset> {
    let (train, test) = (samples(SAMPLES, 1)?, samples(TESTED, 2)?);
    let split = Split::from(train.clone());
    let normalisation = Normalisation::fit(Some(Normalise::Standard), &split, Shape::Flat(INPUTS))?;
    let classes = ["no", "yes"].map(str::to_owned).to_vec();
    let data = Dataset::given("table", Shape::Flat(INPUTS), classes, train, test);
    Ok(Dataset { normalisation, ..data })
}

fn samples(len: usize, seed: u32) -> Result<Samples> {
    let mut state = seed;
    let mut number = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223); // Numerical Recipes
        (state >> 8) as f32 / (1 << 24) as f32
    };
    let classes: Vec<u32> = (0..len).map(|index| (index % OUTPUTS) as u32).collect();
    let features = classes.iter().flat_map(|&class| [class as f32 * 0.3; INPUTS]);
    let values = features.map(|middle| middle + number()).collect();
    Samples::new(Values::Floats(values), Labels::Class(classes), INPUTS)
}

/// A number of samples per update, and its measurements.
struct Subject {
    samples: usize,
    products: Products,
    turns: Vec<Turn>,
}

/// Medians of one round, in seconds.
struct Turn {
    update: f64,
    products: f64,
}

impl Subject {
    fn new(samples: usize) -> Self {
        Self { samples, products: Products::new(samples), turns: vec![] }
    }

    fn turn(&mut self, data: &Dataset, threads: usize) -> Result<()> {
        let task = Task {
            model: format!("{INPUTS}-{HIDDEN}-{OUTPUTS}"),
            update: format!("batch:{}", self.samples),
            optimizer: "sgd:lr=0.01".into(),
        };
        let laps = laps::run(&task, data, EPOCHS)?;
        let updates = SAMPLES.div_ceil(self.samples) as f64;
        let update = median(laps.seconds.into_iter().skip(1).collect()) / updates;
        let mut team = Team::new(threads).map_err(|error| {
            Error::failure(format!("the system does not start {threads} threads: {error}"))
        })?;
        let times = (0..REPEATS).map(|_| self.products.time(&mut team)).collect();
        self.turns.push(Turn { update, products: median(times) });
        Ok(())
    }

    fn row(&self) -> String {
        let mut updates: Vec<f64> = self.turns.iter().map(|turn| turn.update * 1e6).collect();
        updates.sort_by(f64::total_cmp);
        let (first, last) = (updates[0], updates[updates.len() - 1]);
        let update = median(updates);
        let products = median(self.turns.iter().map(|turn| turn.products * 1e6).collect());
        let difference = update - products;
        format!(
            "| {} | {update:.2} | {first:.2}..{last:.2} | {products:.2} | {difference:.2} |",
            self.samples
        )
    }

    fn raw(&self) -> String {
        let line = |(round, turn): (usize, &Turn)| {
            format!("{},{},{},{}\n", self.samples, round + 1, turn.update, turn.products)
        };
        self.turns.iter().enumerate().map(line).collect()
    }
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// Buffers of an update's products. `x` `[samples, INPUTS]`, `h` and `dh` `[samples, HIDDEN]`, `y` and `dy` `[samples, OUTPUTS]`.
struct Products {
    samples: usize,
    x: Buffer,
    h: Buffer,
    y: Buffer,
    dy: Buffer,
    dh: Buffer,
    weights: [Buffer; 2],
    biases: [Buffer; 2],
    sums: Buffer,
}

impl Products {
    fn new(samples: usize) -> Self {
        let filled = |rows: usize, cols: usize| {
            let mut buffer = Buffer::zeros(rows * padded(cols));
            buffer.iter_mut().zip(0_u32..).for_each(|(x, i)| *x = (i % 7) as f32 * 0.01 - 0.02);
            buffer
        };
        Self {
            samples,
            x: filled(samples, INPUTS),
            h: filled(samples, HIDDEN),
            y: filled(samples, OUTPUTS),
            dy: filled(samples, OUTPUTS),
            dh: filled(samples, HIDDEN),
            weights: [filled(INPUTS, HIDDEN), filled(HIDDEN, OUTPUTS)],
            biases: [filled(1, HIDDEN), filled(1, OUTPUTS)],
            sums: filled(1, HIDDEN),
        }
    }

    /// Returns the seconds of one update's products, forward and backward, the weights' step within them.
    fn time(&mut self, team: &mut Team) -> f64 {
        let clock = Instant::now();
        let (rows, count) = (self.samples, self.samples as f32);
        let ([first, second], [bias, end]) = (&mut self.weights, &self.biases);
        let x = Matrix::new(&self.x, rows, INPUTS);
        let weight = Matrix::new(first, INPUTS, HIDDEN);
        matrix::linear(team, x, weight, bias, true, MatrixMut::new(&mut self.h, rows, HIDDEN));
        let h = Matrix::new(&self.h, rows, HIDDEN);
        let weight = Matrix::new(second, HIDDEN, OUTPUTS);
        matrix::linear(team, h, weight, end, false, MatrixMut::new(&mut self.y, rows, OUTPUTS));
        let dy = Matrix::new(&self.dy, rows, OUTPUTS);
        let dh = MatrixMut::new(&mut self.dh, rows, HIDDEN);
        matrix::input_gradient(team, dy, Matrix::new(second, HIDDEN, OUTPUTS), Some(h), dh);
        matrix::column_sums(team, dy, Start::Fresh, &mut self.sums);
        let to = MatrixMut::new(second, HIDDEN, OUTPUTS);
        matrix::update_weights(team, h, dy, count, &Descent, to, []);
        let dh = Matrix::new(&self.dh, rows, HIDDEN);
        matrix::column_sums(team, dh, Start::Fresh, &mut self.sums);
        let to = MatrixMut::new(first, INPUTS, HIDDEN);
        matrix::update_weights(team, x, dh, count, &Descent, to, []);
        clock.elapsed().as_secs_f64()
    }
}

/// w ← w - rate · g, with a rate at which the weights stay as they are for all repetitions.
#[derive(Clone, Copy)]
struct Descent;

impl Elementwise<0> for Descent {
    #[inline(always)]
    fn apply<L: Math>(&self, gradient: L, weight: L, _: &mut [L; 0]) -> L {
        gradient.mul_add(L::splat(-1e-9), weight)
    }
}
