//! Code shared by the Rust peers: command line, data, sample order, timing and the JSON record.
//! The number of threads is `RAYON_NUM_THREADS`, which both frameworks respect.

use std::collections::HashMap;
use std::time::Instant;

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

pub const WIDTHS: [usize; 4] = [784, 400, 256, 10];
const TRAINING_SET: usize = 60_000;
const WARM_UP_UPDATES: usize = 100;

/// One workload; `update` and `optimizer` are schuss specs.
pub struct Work {
    pub mnist: String,
    update: String,
    optimizer: String,
    /// Samples per epoch, taken from the shuffled training set.
    samples: usize,
    epochs: usize,
    /// Samples per forward pass; gradients of larger updates are accumulated.
    microbatch: usize,
    pub seed: u64,
}

impl Work {
    /// Parses `FOLDER --update batch:100 --optimizer sgd:lr=0.1 ...`.
    pub fn from_arguments() -> Result<Self> {
        let mut arguments = std::env::args().skip(1);
        let mnist = arguments.next().ok_or("the first argument is the folder with MNIST's IDX files")?;
        let mut options = HashMap::new();
        while let (Some(key), Some(value)) = (arguments.next(), arguments.next()) {
            options.insert(key, value);
        }
        let mut take = |key: &str, default: &str| options.remove(key).unwrap_or_else(|| default.into());
        let work = Self {
            mnist,
            update: take("--update", "batch:100"),
            optimizer: take("--optimizer", "sgd:lr=0.1"),
            samples: take("--samples", "60000").parse()?,
            epochs: take("--epochs", "1").parse()?,
            microbatch: take("--microbatch", "1000").parse()?,
            seed: take("--seed", "1").parse()?,
        };
        match options.keys().next() {
            Some(unknown) => Err(format!("unknown option {unknown}").into()),
            None => Ok(work),
        }
    }

    pub fn samples_per_update(&self) -> Result<usize> {
        Ok(match self.update.as_str() {
            "epoch" => self.samples,
            "sample" => 1,
            batch => batch.trim_start_matches("batch:").parse()?,
        })
    }

    pub fn samples_per_pass(&self) -> Result<usize> {
        Ok(self.samples_per_update()?.min(self.microbatch))
    }

    /// Parses `sgd:lr=0.1,momentum=0.9` to ("sgd", lr, momentum or 0).
    pub fn optimizer(&self) -> Result<(&str, f64, f64)> {
        let (name, options) = self.optimizer.split_once(':').ok_or("an optimizer is written sgd:lr=0.1")?;
        let option =
            |key: &str| options.split(',').find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='));
        let rate = option("lr").ok_or("an optimizer needs lr")?.parse()?;
        Ok((name, rate, option("momentum").unwrap_or("0").parse()?))
    }
}

/// Reads the images, as f32 in 0..1, row by row, and their labels.
pub fn read_training_set(folder: &str) -> Result<(Vec<f32>, Vec<u8>)> {
    let images = std::fs::read(format!("{folder}/train-images-idx3-ubyte"))?;
    let labels = std::fs::read(format!("{folder}/train-labels-idx1-ubyte"))?;
    Ok((images[16..].iter().map(|&pixel| f32::from(pixel) / 255.0).collect(), labels[8..].to_vec()))
}

/// Returns the first `count` indices of a random permutation (Fisher-Yates, xorshift64*).
pub fn shuffled(state: &mut u64, count: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..TRAINING_SET as u32).collect();
    for i in 0..count {
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        let random = state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32;
        order.swap(i, i + (random as usize * (TRAINING_SET - i) >> 32));
    }
    order.truncate(count);
    order
}

/// Times the work on a new network, after a warm-up on another, and prints the record.
///
/// `new_training()` returns a function that makes one update on the given samples and returns their mean loss.
pub fn race<U: FnMut(&[u32]) -> Result<f64>>(
    peer: &str,
    version: &str,
    work: &Work,
    mut new_training: impl FnMut() -> Result<U>,
) -> Result<()> {
    let mut random = work.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let size = work.samples_per_update()?;
    let mut train_epoch = |update: &mut U, samples: usize| -> Result<f64> {
        let losses: Result<Vec<f64>> = shuffled(&mut random, samples).chunks(size).map(update).collect();
        let losses = losses?;
        Ok(losses.iter().sum::<f64>() / losses.len() as f64)
    };
    let started = Instant::now();
    train_epoch(&mut new_training()?, work.samples.min(WARM_UP_UPDATES * size))?;
    let warmup_seconds = started.elapsed().as_secs_f64();
    let mut update = new_training()?;
    let begun = Instant::now();
    let mut train_loss = 0.0;
    for _ in 0..work.epochs {
        train_loss = train_epoch(&mut update, work.samples)?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    print_record(peer, version, work, seconds, train_loss, warmup_seconds);
    Ok(())
}

/// Prints the record as one line of JSON.
fn print_record(peer: &str, version: &str, work: &Work, seconds: f64, train_loss: f64, warmup_seconds: f64) {
    let workload = format!("{} {}", work.update, work.optimizer);
    let threads = std::env::var("RAYON_NUM_THREADS").unwrap_or_else(|_| "null".into());
    let samples = work.samples * work.epochs;
    let epoch_seconds = seconds / samples as f64 * TRAINING_SET as f64;
    print!(r#"{{"peer": "{peer}", "version": "{version}", "workload": "{workload}", "threads": {threads}, "#);
    print!(r#""samples": {samples}, "seconds": {seconds}, "epoch_seconds": {epoch_seconds}, "#);
    println!(r#""train_loss": {train_loss}, "warmup_seconds": {warmup_seconds}}}"#);
}
