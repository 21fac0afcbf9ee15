//! Every loss, on a card and on the processor.

use super::{Card, GROUP, largest_error};
use crate::trace::TargetKind::{self, Class, Numbers};
use crate::trace::loss;
use schuss::loss::{Loss, Target};
use schuss_kernels::naive::Sample;

/// Values of outputs and of numeric targets.
#[derive(Clone, Copy)]
enum Values {
    /// Between −4 and 4.
    Any,
    /// Between 0 and 1.
    Shares,
    /// Between 0 and 6.
    Rates,
}
use Values::{Any, Rates, Shares};

/// Losses with the kind of their targets, and the values of outputs and targets.
const CASES: [(&str, TargetKind, Values, Values); 29] = [
    ("cross-entropy", Class, Any, Any),
    ("cross-entropy", Numbers, Any, Shares),
    ("cross-entropy:label_smoothing=0.1", Class, Any, Any),
    ("cross-entropy:class_weights=1:2:0.5:3:1:1", Class, Any, Any),
    ("nll", Class, Any, Any),
    ("nll:class_weights=1:2:0.5:3:1:1", Class, Any, Any),
    ("bce", Class, Any, Any),
    ("bce", Numbers, Any, Shares),
    ("bce:logits=false", Numbers, Shares, Shares),
    ("bce:pos_weight=3", Numbers, Any, Shares),
    ("bce:pos_weight=1:2:0.5:3:1:1", Class, Any, Any),
    ("multi-margin", Class, Any, Any),
    ("multi-margin:p=2,margin=0.5", Class, Any, Any),
    ("multi-margin:class_weights=1:2:0.5:3:1:1", Class, Any, Any),
    ("mse", Class, Any, Any),
    ("mse", Numbers, Any, Any),
    ("l1", Numbers, Any, Any),
    ("huber:delta=0.7", Numbers, Any, Any),
    ("smooth-l1:beta=2", Numbers, Any, Any),
    ("hinge", Class, Any, Any),
    ("squared-hinge", Class, Any, Any),
    ("hinge-embedding", Class, Any, Any),
    ("focal", Class, Any, Any),
    ("focal:alpha=-1,gamma=1.5", Class, Any, Any),
    ("kl", Numbers, Any, Shares),
    ("poisson", Numbers, Any, Rates),
    ("poisson:full=true", Numbers, Any, Rates),
    ("poisson:log_input=false", Numbers, Rates, Rates),
    ("cosine", Numbers, Any, Any),
];

const OUTPUTS: usize = 6;
const ROWS: usize = 40;

/// Rows of outputs, and as many of targets, of a case.
struct Data {
    outputs: Vec<f32>,
    targets: Vec<f32>,
}

impl Values {
    fn draw(self, sample: &mut Sample) -> Vec<f32> {
        let unit = sample.vector(ROWS * OUTPUTS, 1.0);
        let value = |x: f32| match self {
            Any => 4.0 * x,
            Shares => (0.5 + 0.5 * x).clamp(0.0, 1.0),
            Rates => 3.0 + 3.0 * x,
        };
        unit.into_iter().map(value).collect()
    }
}

impl Data {
    fn new(seed: usize, outputs: Values, targets: Values) -> Self {
        let mut sample = Sample::new(seed as u64);
        Self { outputs: outputs.draw(&mut sample), targets: targets.draw(&mut sample) }
    }
}

/// Returns the class of a row.
fn class_of(row: usize) -> usize {
    row * 5 % OUTPUTS
}

/// Loss, weight and gradient of all rows on the processor.
fn on_processor(loss: &Loss, targets: TargetKind, data: &Data) -> [Vec<f32>; 3] {
    let [mut values, mut weights, mut slopes] = [vec![], vec![], vec![0.0; ROWS * OUTPUTS]];
    let rows = data.outputs.chunks(OUTPUTS).zip(data.targets.chunks(OUTPUTS));
    for (row, ((z, t), slopes)) in rows.zip(slopes.chunks_mut(OUTPUTS)).enumerate() {
        let (class, target) = match targets {
            Class => (Some(class_of(row)), Target::Class(class_of(row))),
            Numbers => (None, Target::Row(t)),
        };
        values.push(loss.row(z, target, slopes) as f32);
        weights.push(class.map_or(1.0, |class| loss.weight(class)) as f32);
    }
    [values, weights, slopes]
}

/// Returns a shader that writes losses and weights of all cases to `c`, and their slopes to `d`, of outputs `a` and of
/// targets and then knobs `b`.
fn shader(texts: &str) -> String {
    let count = CASES.len() * ROWS * OUTPUTS;
    let calls: Vec<String> = (0..CASES.len())
        .map(|case| {
            format!("case {case}u: {{ c[2u * row] = f{case}(row); c[2u * row + 1u] = f{case}_weight(row); }}")
        })
        .collect();
    format!(
        "fn knob(index: u32) -> f32 {{ return b[{count}u + index]; }}
        fn output(row: u32, index: u32) -> f32 {{ return a[row * {OUTPUTS}u + index]; }}
        fn target_at(row: u32, index: u32) -> f32 {{ return b[row * {OUTPUTS}u + index]; }}
        fn class_of(row: u32) -> u32 {{ return (row % {ROWS}u) * 5u % {OUTPUTS}u; }}
        fn set_slope(row: u32, index: u32, slope: f32) {{ d[row * {OUTPUTS}u + index] = slope; }}
        {texts}
        @compute @workgroup_size({GROUP})
        fn main(@builtin(global_invocation_id) id: vec3<u32>) {{
            let row = id.x;
            switch row / {ROWS}u {{ {} default: {{ }} }}
        }}",
        calls.join("\n")
    )
}

/// All cases, for one run of a shader.
#[derive(Default)]
struct All {
    texts: String,
    knobs: Vec<f32>,
    outputs: Vec<f32>,
    targets: Vec<f32>,
    /// Loss, weight and gradient of the rows of every case, on the processor.
    expected: Vec<[Vec<f32>; 3]>,
}

impl All {
    fn new() -> Self {
        let mut all = Self::default();
        for (case, (spec, targets, of_outputs, of_targets)) in CASES.into_iter().enumerate() {
            let (known, data) = (spec.parse().unwrap(), Data::new(case, of_outputs, of_targets));
            let traced = loss(&known, targets, OUTPUTS, &format!("f{case}"), all.knobs.len()).unwrap();
            all.texts.push_str(&traced.text);
            all.knobs.extend(traced.knobs);
            all.expected.push(on_processor(&known, targets, &data));
            all.outputs.extend(data.outputs);
            all.targets.extend(data.targets);
        }
        all
    }
}

/// Returns every other number, from `first` on.
fn every_other(numbers: &[f32], first: usize) -> Vec<f32> {
    numbers.iter().copied().skip(first).step_by(2).collect()
}

#[test]
fn every_loss_stands_in_a_case() {
    let tested = |name: &&&str| CASES.iter().any(|case| case.0.split(':').next() == Some(**name));
    let missing: Vec<_> = Loss::NAMES.iter().filter(|name| !tested(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_loss_its_weight_and_its_gradient_are_those_of_the_processor() {
    let Some(card) = Card::find("losses") else { return };
    let (all, rows) = (All::new(), CASES.len() * ROWS);
    let [scores, slopes] = [vec![0.0; 2 * rows], vec![0.0; rows * OUTPUTS]];
    let buffers = [all.outputs, [all.targets, all.knobs].concat(), scores, slopes];
    let [_, _, scores, slopes] = card.run(&shader(&all.texts), buffers, rows.div_ceil(GROUP));
    let found = scores.chunks(2 * ROWS).zip(slopes.chunks(ROWS * OUTPUTS));
    for ((case, expected), (scores, slopes)) in CASES.iter().zip(&all.expected).zip(found) {
        let found = [every_other(scores, 0), every_other(scores, 1), slopes.to_vec()];
        let errors: Vec<f32> =
            found.iter().zip(expected).map(|(found, expected)| largest_error(found, expected)).collect();
        assert!(errors.iter().all(|error| *error <= 4e-6), "{}: {errors:?}", case.0);
    }
}

#[test]
fn outputs_go_through_loops_so_that_the_text_does_not_grow_with_them() {
    let [few, many] = [10, 5_000].map(|outputs| loss(&Loss::default(), Class, outputs, "f", 0).unwrap().text);
    assert!(few.len().abs_diff(many.len()) < 20 && many.contains("5000u"));
}
