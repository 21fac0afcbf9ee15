//! Synthetic records of runs with plausible curves, to test reports.

use schuss::record::*;
use schuss::study::Tie;

/// Shape of a synthetic trial.
pub(crate) struct Sketch {
    pub(crate) name: &'static str,
    pub(crate) update: &'static str,
    pub(crate) optimizer: &'static str,
    pub(crate) updates_per_epoch: u64,
    pub(crate) seconds: f64,
    /// Loss that training converges to; `rate` is the speed per epoch.
    pub(crate) floor: f64,
    pub(crate) rate: f64,
    /// Amount by which evaluation falls behind training in late epochs.
    pub(crate) overfit: f64,
    pub(crate) diverges: bool,
    pub(crate) reference: &'static [(u32, f64, f64)],
}

pub(crate) const SGD: Sketch = Sketch {
    name: "SGD",
    update: "batch:100",
    optimizer: "sgd:lr=0.0001",
    updates_per_epoch: 600,
    seconds: 0.61,
    floor: 2.1,
    rate: 0.05,
    overfit: 0.0,
    diverges: false,
    reference: &[(1, 2.299356, 0.1150), (2, 2.297, 0.1201)],
};
pub(crate) const MOMENTUM: Sketch = Sketch {
    name: "SGD with momentum",
    optimizer: "sgd:lr=0.0001,momentum=0.9",
    floor: 0.2,
    rate: 0.1,
    reference: &[(1, 2.295588, 0.2020), (2, 2.28, 0.4090)],
    ..SGD
};
pub(crate) const ADAM: Sketch = Sketch {
    name: "Adam",
    optimizer: "adam:lr=0.0001,beta1=0.9,beta2=0.999,eps=1e-8",
    seconds: 0.83,
    floor: 0.0,
    rate: 1.9,
    overfit: 0.05,
    reference: &[(1, 0.697506, 0.9141), (2, 0.28, 0.9338)],
    ..SGD
};

/// Returns deterministic noise, the same on every machine.
fn noise(i: u64, seed: u64) -> f64 {
    let mixed = (i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ seed.wrapping_mul(0xd1b5_4a32_d192_ed03);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 11) as f64 / (1u64 << 52) as f64 - 1.0
}

fn loss_at(sketch: &Sketch, epoch: f64) -> f64 {
    sketch.floor + (10f64.ln() - sketch.floor) / (1.0 + sketch.rate * epoch).powf(1.15)
}

pub(crate) fn trial(sketch: &Sketch, seed: u64, epochs: u32) -> (TrialRecord, Trace) {
    let rows: Vec<EpochRecord> = (0..=epochs).map(|epoch| row(sketch, seed, epoch)).collect();
    let last = rows[rows.len() - 1].clone();
    let train_seconds: f64 = rows.iter().map(|row| row.train_seconds).sum();
    let mut clock = 0.0;
    let reached = rows.iter().find(|row| {
        clock += row.train_seconds;
        row.eval_accuracy >= Some(0.96)
    });
    let target_at = reached.map(|row| row.updates);
    let record = TrialRecord {
        name: sketch.name.into(),
        config_id: format!("{:016x}", sketch.optimizer.len() + sketch.update.len() * 100),
        seed,
        held_out: None,
        network: "784-400-256-10".into(),
        recipe: recipe(sketch),
        arithmetic: "f32-fma-1".into(),
        strategy: "fused".into(),
        threads: 2,
        timing: Timing::Alone,
        slices: None,
        status: if sketch.diverges { Status::Diverged } else { Status::Finished },
        diverged: sketch.diverges.then(|| Divergence {
            update: 1_532,
            layer: "2.weight".into(),
            stability: None,
        }),
        learned: None,
        overfitted: false,
        overfitting: None,
        budget: BudgetRecord { epochs, max_updates: None, updates: last.updates },
        epoch_seconds: Some(sketch.seconds),
        updates: last.updates,
        samples: last.samples,
        train_seconds,
        wall_seconds: last.elapsed_seconds,
        load_wait_seconds: 0.0,
        samples_per_second: Some(last.samples as f64 / train_seconds.max(1e-9)),
        peak_rss_bytes: Some(71_303_168),
        memory: MemoryRecord {
            parameters: 1_681_448,
            gradients: 1_681_448,
            optimizer_state: if sketch.name == "Adam" { 3_362_896 } else { 0 },
            activations: 1_160_000,
            copy: 1_683_072,
            instruments: 0,
            data: 54_950_000,
        },
        target: Some(TargetRecord {
            metric: "eval_accuracy".into(),
            op: ">=".into(),
            value: 0.96,
            seconds: target_at.map(|_| clock),
            updates: target_at,
        }),
        evaluations: vec![],
        role: Role::Race,
        epochs: rows,
        test: None,
        model: Some("model.safetensors".into()),
        best: None,
        state: String::new(),
        losses: None,
        reconstructions: None,
        reference: sketch
            .reference
            .iter()
            .map(|&(epoch, loss, accuracy)| ReferenceRecord {
                epoch,
                loss: Some(loss),
                accuracy: Some(accuracy),
            })
            .collect(),
        reference_seconds: Some(2.0),
    };
    (record, Trace { losses: losses(sketch, seed, epochs), ..Trace::default() })
}

fn row(sketch: &Sketch, seed: u64, epoch: u32) -> EpochRecord {
    let updates = u64::from(epoch) * sketch.updates_per_epoch;
    let train = loss_at(sketch, f64::from(epoch)) * (1.0 + 0.004 * noise(updates, seed));
    let late = sketch.overfit * (f64::from(epoch) - 6.0).max(0.0) / 5.0;
    let eval = train * 0.97 + late + 0.02;
    let finite = !(sketch.diverges && epoch > 2);
    let accuracy = 0.1 + 0.9 * (1.0 - eval / 2.33).max(0.0).powf(0.25) - 0.2 * late;
    EpochRecord {
        epoch,
        updates,
        samples: 60_000 * u64::from(epoch),
        train_loss: (epoch > 0 && finite).then_some(train),
        eval_loss: finite.then_some(eval),
        eval_accuracy: finite.then_some(accuracy),
        metrics: Default::default(),
        load_wait_seconds: 0.0,
        train_seconds: if epoch > 0 { sketch.seconds * (1.0 + 0.03 * noise(updates, seed)) } else { 0.0 },
        elapsed_seconds: f64::from(epoch) * (sketch.seconds + 0.1),
    }
}

fn losses(sketch: &Sketch, seed: u64, epochs: u32) -> Vec<f32> {
    let jitter = if sketch.update == "sample" { 1.9 } else { 0.25 };
    let one = |i: u64| {
        let epoch = i as f64 / sketch.updates_per_epoch as f64;
        (loss_at(sketch, epoch) * (jitter * noise(i, seed)).exp()) as f32
    };
    (0..u64::from(epochs) * sketch.updates_per_epoch).map(one).collect()
}

fn recipe(sketch: &Sketch) -> RecipeRecord {
    let mut record = RecipeRecord::default();
    for (key, text) in [
        ("update", sketch.update),
        ("order", "shuffled"),
        ("optimizer", sketch.optimizer),
        ("schedule", "constant"),
        ("loss", "cross-entropy"),
        ("init", "torch"),
        ("targets", "class"),
        ("matmul_precision", "highest"),
    ] {
        record.set(key, text);
    }
    record
}

/// Returns a run of two autoencoders, one of which removes noise.
pub(crate) fn autoencoders(seeds: u64) -> (Summary, Vec<Trace>) {
    let sketches = [(ADAM, None), (Sketch { name: "denoising", ..MOMENTUM }, Some("gaussian:std=0.3"))];
    let runs =
        (1..=seeds).flat_map(|seed| sketches.iter().map(move |(sketch, noise)| (sketch, *noise, seed)));
    let (trials, traces) = runs.map(|(sketch, noise, seed)| reconstructing(sketch, noise, seed)).unzip();
    (summary(trials), traces)
}

fn reconstructing(sketch: &Sketch, noise: Option<&str>, seed: u64) -> (TrialRecord, Trace) {
    let (mut record, mut trace) = trial(sketch, seed, 3);
    record.recipe.set("loss", "mse");
    record.recipe.set("targets", "input");
    noise.iter().for_each(|noise| record.recipe.set("noise", noise));
    (record.target, record.reference, record.reference_seconds) = (None, vec![], None);
    record.reconstructions = Some("trials/01/reconstructions.png".into());
    for row in &mut record.epochs {
        row.eval_accuracy = None;
        let mse = row.eval_loss.unwrap_or(1.0) / 100.0;
        let quality = [("mse", mse), ("psnr", -10.0 * mse.log10()), ("ssim", 1.0 - 20.0 * mse)];
        row.metrics = quality.map(|(name, value)| (name.to_owned(), Some(value))).into();
    }
    let rows = [Some("input"), noise.map(|_| "with noise"), Some("reconstruction")];
    trace.reconstructions = Some(Sheet { png: vec![137; 400], rows: rows.into_iter().flatten().collect() });
    (record, trace)
}

/// Returns a run of these trials.
pub(crate) fn summary(trials: Vec<TrialRecord>) -> Summary {
    let mut summary = records(trials);
    summary.verdict = Some(Verdict::of(&summary, Tie::default()));
    summary
}

fn records(trials: Vec<TrialRecord>) -> Summary {
    Summary {
        schema: 1,
        schuss: Release { version: "0.1.0".into(), commit: Some("0123abc".into()) },
        study: StudyRecord {
            name: "lecture-25".into(),
            title: "Momentum and Adam: which way down is fastest?".into(),
            notes: vec![
                "Three copies of one network, with the same initial weights and the same order of samples, differ in nothing but the optimizer. The lecture used three different random networks.".into(),
            ],
            looks: vec![],
            own_budgets: false,
            untuned: false,
            merged: false,
        },
        command: "schuss compare lecture-25".into(),
        run: "runs/lecture-25".into(),
        directory: String::new(),
        began: "2026-11-21T09:30:00Z".into(),
        workload: WorkloadRecord { data: "mnist".into(), model: "784-400-256-10".into(), parameters: 419_210 },
        data: DataRecord {
            chance: Some(Chance { train: 0.1124, validation: None, test: 0.1135 }),
            labels: vec![],
            fingerprint: "xxh3:8a1f03c2d4e5f607".into(),
            origin: "MNIST".into(),
            counts: Counts { train: 60_000, validation: None, test: 10_000 },
            classes: 10,
            eval_split: "test".into(),
            resampled: None,
        },
        machine: Machine { cpu: "Example CPU".into(), cores: 2, isa: "avx512".into(), os: "linux x86_64".into() },
        warnings: vec!["one seed per recipe: figures of another seed differ".into()],
        groups: groups(&trials),
        trials: trials.into(),
        tuning: None,
        verdict: None,
        surfaces: Vec::new(),
        exhibits: Vec::new(),
    }
}

/// Computes statistics over seeds, accurate enough for display.
fn groups(trials: &[TrialRecord]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for trial in trials {
        if groups.iter().any(|group| group.config_id == trial.config_id && group.name == trial.name) {
            continue;
        }
        let same: Vec<&TrialRecord> = trials.iter().filter(|other| other.name == trial.name).collect();
        let spread = |of: &dyn Fn(&TrialRecord) -> Option<f64>| {
            let mut values: Vec<f64> = same.iter().filter_map(|trial| of(trial)).collect();
            values.sort_by(f64::total_cmp);
            let n = values.len();
            (n == same.len()).then(|| Spread {
                median: values[n / 2],
                low: values[0],
                high: values[n - 1],
                n,
            })
        };
        groups.push(Group {
            config_id: trial.config_id.clone(),
            name: trial.name.clone(),
            seeds: same.iter().map(|trial| trial.seed).collect(),
            epoch_seconds: spread(&|trial| trial.epochs.last().map(|row| row.train_seconds)),
            target_seconds: spread(&|trial| trial.target.as_ref()?.seconds),
            train_loss: spread(&|trial| trial.epochs.last()?.train_loss),
            eval_loss: spread(&|trial| trial.epochs.last()?.eval_loss),
            eval_accuracy: spread(&|trial| trial.epochs.last()?.eval_accuracy),
            test_loss: None,
            test_accuracy: None,
            samples_per_second: spread(&|trial| trial.samples_per_second),
            metrics: ["mse", "psnr", "ssim"]
                .iter()
                .filter_map(|name| {
                    let value = |trial: &TrialRecord| *trial.epochs.last()?.metrics.get(*name)?;
                    Some(((*name).to_owned(), spread(&value)?))
                })
                .collect(),
        });
    }
    groups
}

/// Returns a run like lecture 25, over these seeds.
pub(crate) fn lecture_25(seeds: u64) -> (Summary, Vec<Trace>) {
    let sketches = [SGD, MOMENTUM, ADAM];
    let runs = sketches.iter().flat_map(|sketch| (1..=seeds).map(|seed| trial(sketch, seed, 10)));
    let (trials, mut traces): (Vec<_>, Vec<_>) = runs.unzip();
    traces.iter_mut().for_each(|trace: &mut Trace| trace.losses.clear());
    (summary(trials), traces)
}

/// Returns a run like lecture 24: update counts that span decades, every loss recorded, one trial that diverges.
pub(crate) fn lecture_24() -> (Summary, Vec<Trace>) {
    let batch =
        Sketch { name: "batch:100", optimizer: "sgd:lr=0.1", floor: 0.0, rate: 3.0, overfit: 0.06, ..ADAM };
    let sketches = [
        Sketch {
            name: "epoch",
            update: "epoch",
            updates_per_epoch: 1,
            floor: 1.9,
            rate: 0.01,
            seconds: 0.5,
            optimizer: "sgd:lr=0.1",
            reference: &[(10, 2.268807, 0.4612)],
            ..SGD
        },
        Sketch { reference: &[(1, 0.576344, 0.9270), (9, 0.047407, 0.9781)], ..batch },
        Sketch {
            name: "sample, lr 0.01",
            update: "sample",
            optimizer: "sgd:lr=0.01",
            updates_per_epoch: 60_000,
            seconds: 3.1,
            rate: 7.0,
            reference: &[(1, 0.3, 0.96)],
            ..batch
        },
        Sketch {
            name: "sample, lr 0.1",
            update: "sample",
            optimizer: "sgd:lr=0.1",
            updates_per_epoch: 60_000,
            seconds: 3.1,
            rate: 1.5,
            diverges: true,
            reference: &[],
            ..batch
        },
    ];
    let (trials, traces): (Vec<_>, Vec<_>) = sketches.iter().map(|sketch| trial(sketch, 1, 10)).unzip();
    (summary(trials), traces)
}

/// Returns a saddle and a surface with several minima, with paths of gradient descent and Adam.
pub(crate) fn surfaces() -> Vec<SurfaceRecord> {
    let saddle = |[x, y]: [f64; 2]| x * x / 2.0 - y * y / 2.0 + y.powi(4) / 4.0;
    let hills = |[x, y]: [f64; 2]| (x * x + y - 11.0).powi(2) + (x + y * y - 7.0).powi(2);
    vec![
        surface(
            "saddle",
            "J = w₁²/2 − w₂²/2 + w₂⁴/4",
            2.0,
            vec![[0.0, 1.0], [0.0, -1.0]],
            [-1.6, 0.001],
            saddle,
            0.1,
        ),
        surface(
            "hills",
            "J = (w₁² + w₂ − 11)² + (w₁ + w₂² − 7)²",
            5.0,
            vec![[3.0, 2.0], [-2.805, 3.131]],
            [-0.5, -1.0],
            hills,
            0.01,
        ),
    ]
}

fn surface(
    name: &str,
    equation: &str,
    reach: f64,
    minima: Vec<[f64; 2]>,
    start: [f64; 2],
    j: impl Fn([f64; 2]) -> f64 + Copy,
    lr: f64,
) -> SurfaceRecord {
    let size = 81;
    let at = |i: usize| -reach + 2.0 * reach * i as f64 / (size - 1) as f64;
    SurfaceRecord {
        name: name.into(),
        title: format!("A surface called {name}"),
        equation: equation.into(),
        lesson: "Where the gradient nearly vanishes plain descent stands almost still; what remembers earlier steps walks on.".into(),
        w1: [-reach, reach],
        w2: [-reach, reach],
        size,
        values: (0..size * size).map(|i| j([at(i % size), at(i / size)])).collect(),
        minima,
        paths: vec![descend("GD", start, j, lr, 0.0), descend("momentum", start, j, lr, 0.8), adam(start, j, lr * 3.0)],
        along: "updates".into(),
    }
}

fn gradient(j: impl Fn([f64; 2]) -> f64, [x, y]: [f64; 2]) -> [f64; 2] {
    let h = 1e-5;
    [(j([x + h, y]) - j([x - h, y])) / (2.0 * h), (j([x, y + h]) - j([x, y - h])) / (2.0 * h)]
}

fn descend(
    name: &str,
    start: [f64; 2],
    j: impl Fn([f64; 2]) -> f64 + Copy,
    lr: f64,
    momentum: f64,
) -> PathRecord {
    let (mut w, mut v) = (start, [0.0; 2]);
    let mut points = vec![w];
    for _ in 0..60 {
        let g = gradient(j, w);
        for i in 0..2 {
            v[i] = momentum * v[i] + g[i];
            w[i] -= lr * v[i];
        }
        points.push(w);
    }
    path(name, points, j)
}

fn adam(start: [f64; 2], j: impl Fn([f64; 2]) -> f64 + Copy, lr: f64) -> PathRecord {
    let (mut w, mut m, mut v) = (start, [0.0; 2], [0.0; 2]);
    let mut record = path("Adam", vec![w], j);
    for t in 1..=60 {
        let g = gradient(j, w);
        let (mut m_hat, mut v_hat, mut step) = ([0.0; 2], [0.0; 2], [0.0; 2]);
        for i in 0..2 {
            m[i] = 0.9 * m[i] + 0.1 * g[i];
            v[i] = 0.999 * v[i] + 0.001 * g[i] * g[i];
            m_hat[i] = m[i] / (1.0 - 0.9f64.powi(t));
            v_hat[i] = v[i] / (1.0 - 0.999f64.powi(t));
            step[i] = lr / (v_hat[i].sqrt() + 1e-8);
            w[i] -= step[i] * m_hat[i];
        }
        record.points.push(w);
        record.values.push(j(w));
        record.m_hat.push(m_hat);
        record.v_hat.push(v_hat);
        record.effective_step.push(step);
    }
    record
}

fn path(name: &str, points: Vec<[f64; 2]>, j: impl Fn([f64; 2]) -> f64) -> PathRecord {
    let values: Vec<f64> = points.iter().map(|point| j(*point)).collect();
    PathRecord {
        name: name.into(),
        optimizer: format!("{}:lr=0.1", name.to_lowercase()),
        start: "west".into(),
        values,
        points,
        reached: Vec::new(),
        m_hat: Vec::new(),
        v_hat: Vec::new(),
        effective_step: Vec::new(),
        verdict: format!("{name} came within 0.01 of the minimum after 40 updates."),
    }
}
