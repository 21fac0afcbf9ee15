//! Training epochs of the lecture's network in library sessions, as samples per second, without evaluation.
#![allow(missing_docs)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use schuss_bench::laps::{self, Task};
use std::time::Duration;

/// Data for a short epoch, whose last update is partial as in a real one.
const DATA: &str = "digits:train=2050,test=10";

const UPDATES: [&str; 3] = ["batch:100", "epoch", "sample"];
/// Optimizers at learning rates where training stays finite for any number of epochs that criterion chooses.
const OPTIMIZERS: [(&str, &str); 3] =
    [("sgd", "sgd:lr=0.001"), ("momentum", "sgd:lr=0.0001,momentum=0.9"), ("adam", "adam:lr=0.00001")];

fn steps(criterion: &mut Criterion) {
    let data = schuss::data::load(DATA).unwrap();
    let mut group = criterion.benchmark_group("784-400-256-10");
    group
        .throughput(Throughput::Elements(data.train.len() as u64))
        .measurement_time(Duration::from_secs(3))
        .warm_up_time(Duration::from_millis(500))
        .sample_size(20);
    for update in UPDATES {
        let optimizers = if update == "epoch" { &OPTIMIZERS[..1] } else { &OPTIMIZERS };
        for (name, optimizer) in optimizers {
            let task = Task {
                model: "784-400-256-10".into(),
                update: update.into(),
                optimizer: (*optimizer).into(),
            };
            group.bench_function(format!("{update}/{name}"), |b| b.iter_custom(|n| train(&task, &data, n)));
        }
    }
}

/// Returns the training time of `epochs` epochs, after an extra first one that warms caches.
fn train(task: &Task, data: &schuss::data::Dataset, epochs: u64) -> Duration {
    let epochs = u32::try_from(epochs).unwrap_or(u32::MAX - 1);
    let laps = laps::run(task, data, epochs + 1).unwrap();
    Duration::from_secs_f64(laps.seconds.iter().skip(1).sum())
}

criterion_group!(benches, steps);
criterion_main!(benches);
