//! Tests of optimizer steps against other frameworks, on recorded streams of gradients: `golden/optim_steps`, and
//! `golden/square_steps` for rules whose steps are unique only at full rank.

mod dialects;

use super::updater::Updater;
use super::{Method, Reference};
use crate::network::{Layout, Model};
use crate::schedule::Schedule;
use crate::spec;
use safetensors::SafeTensors;
use schuss_kernels::naive::largest;
use schuss_kernels::{Buffer, Isa, Team};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// A folder of cases, and the network of its stream, whose tensors are flattened one by one in PyTorch's order.
#[derive(Clone, Copy)]
struct Setting {
    folder: &'static str,
    model: &'static str,
}

const SETTINGS: [Setting; 2] =
    [Setting { folder: "optim_steps", model: "3-16-4" }, Setting { folder: "square_steps", model: "4-4" }];
/// Number of elements in all tensors of `optim_steps`, and in those whose length is a multiple of 16; PyTorch rounds
/// the remainder differently.
const NUMBERS: usize = 132;
const WHOLE_VECTORS: usize = 128;
/// Updates between records, and number of records.
const EVERY: usize = 50;
const RECORDS: usize = 4;

/// Cases allowed an error above 1e-12 in f64: eigenvalues near ε = 1e-4 beside others of 1e4 are accurate to one part
/// in 1e8 in any implementation.
const ALLOWED_F64: [(&str, f64); 1] = [("optim_steps/shampoo", 1e-9)];

/// Cases allowed more than twice the original's error in f32, as a fraction of the largest weight of each record:
///
/// - `dog-*`: each step is as long as the distance moved so far, so weights grow to 9e3 and rounding errors grow with
///   them: from 2e-7 of the largest weight at the first record to 6e-7 at the last.
/// - `cautious`: the wrapper computes the rule's step as a difference of rounded weights, the original masks the step
///   itself.
const ALLOWED_F32: [(&str, f64); 3] =
    [("optim_steps/dog-optax", 6e-7), ("optim_steps/dog-reps", 6e-7), ("optim_steps/cautious", 1e-5)];

/// Metadata of a golden file.
#[derive(Deserialize)]
struct About {
    optimizer: String,
}

/// One recorded case.
struct Case {
    name: String,
    setting: Setting,
    method: Method,
    /// Weights after every 50 updates, one after the other.
    f32: Vec<f32>,
    f64: Vec<f64>,
    /// Weights to evaluate, if they differ from those trained; as in PyTorch, asgd is evaluated where it is trained.
    shown: Vec<f64>,
}

/// Initial weights, and 200 gradients and losses.
struct Stream {
    weights: Vec<f32>,
    gradients: Vec<Vec<f32>>,
    losses: Vec<f32>,
}

impl Setting {
    fn folder(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden").join(self.folder)
    }

    fn model(self) -> Model {
        self.model.parse().unwrap()
    }

    fn layout(self) -> Layout {
        let model = self.model();
        Layout::new(&model, model.inputs().unwrap()).unwrap()
    }

    fn stream(self) -> Stream {
        let bytes = std::fs::read(self.folder().join("stream.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let (weights, gradients) = (floats(&file, "weights"), floats(&file, "gradients"));
        let gradients = gradients.chunks_exact(weights.len()).map(<[f32]>::to_vec).collect();
        Stream { weights, gradients, losses: floats(&file, "losses") }
    }
}

/// Returns the values of a tensor of 4-byte floats; empty if there is no such tensor.
fn floats(file: &SafeTensors, name: &str) -> Vec<f32> {
    let tensor = file.tensor(name);
    tensor.map_or(vec![], |t| t.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

fn doubles(file: &SafeTensors, name: &str) -> Vec<f64> {
    let tensor = file.tensor(name);
    tensor.map_or(vec![], |t| t.data().as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect())
}

/// Returns every recorded case whose chain has only `wanted` names.
fn cases(wanted: impl Fn(&str) -> bool) -> Vec<Case> {
    let in_setting = |setting: Setting| {
        let files = std::fs::read_dir(setting.folder()).unwrap().map(|file| file.unwrap().path());
        let cases = files.filter(|path| !path.ends_with("stream.safetensors"));
        cases.filter_map(|path| case(setting, &path, &wanted)).collect::<Vec<_>>()
    };
    let mut cases: Vec<Case> = SETTINGS.into_iter().flat_map(in_setting).collect();
    cases.sort_by(|a, b| a.name.cmp(&b.name));
    cases
}

fn case(setting: Setting, path: &Path, wanted: &impl Fn(&str) -> bool) -> Option<Case> {
    let bytes = std::fs::read(path).unwrap();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let about = &header.metadata().as_ref().unwrap()["golden"];
    let about: About = serde_json::from_str(about).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let (items, last) = spec::chain(&about.optimizer);
    let mut names = items.into_iter().chain([last]).map(|item| item.split(':').next().unwrap());
    names.all(wanted).then(|| Case {
        name: format!("{}/{}", setting.folder, path.file_stem().unwrap().to_string_lossy()),
        setting,
        method: method(&about.optimizer),
        f32: floats(&file, "f32"),
        f64: doubles(&file, "f64"),
        shown: if about.optimizer.starts_with("asgd") { vec![] } else { doubles(&file, "shown") },
    })
}

/// Parses the optimizer of a case; PyTorch's Muon updates matrices and nothing else.
fn method(optimizer: &str) -> Method {
    let text = if optimizer.starts_with("muon") {
        format!("weights@{optimizer}/bias@freeze")
    } else {
        optimizer.to_owned()
    };
    text.parse().unwrap_or_else(|error| panic!("{optimizer}: {error}"))
}

/// Returns the weights after every 50 updates, computed with the f32 vectors of `isa`.
fn f32_weights(case: &Case, isa: Isa) -> Vec<f32> {
    let (Stream { weights, gradients, losses }, layout) = (case.setting.stream(), case.setting.layout());
    let (mut w, mut g) = (laid_out(&layout, &weights), Buffer::zeros(layout.len()));
    let mut team = Team::with_isa(1, isa).unwrap();
    let mut updater =
        Updater::new::<Team>(case.method.descent(), &Schedule::default(), 0, &layout, &w).unwrap();
    let mut seen = vec![];
    for (update, (gradient, loss)) in (1..).zip(gradients.iter().zip(losses)) {
        g.copy_from_slice(&laid_out(&layout, gradient));
        updater.advance();
        updater.step(&mut team, &mut g, 1.0, &mut w, f64::from(loss));
        if update % EVERY == 0 {
            seen.extend(layout.entries().iter().flat_map(|entry| entry.places()).map(|place| w[place]));
        }
    }
    seen
}

/// Copies values in PyTorch's order into the layout of the parameters.
fn laid_out(layout: &Layout, values: &[f32]) -> Buffer {
    let mut buffer = Buffer::zeros(layout.len());
    let places = layout.entries().iter().flat_map(|entry| entry.places());
    places.zip(values).for_each(|(place, &value)| buffer[place] = value);
    buffer
}

/// Returns the weights after every 50 updates of the f64 reference, and the weights to evaluate.
fn f64_weights(case: &Case) -> [Vec<f64>; 2] {
    let Stream { weights, gradients, losses } = case.setting.stream();
    let mut w: Vec<f64> = weights.into_iter().map(f64::from).collect();
    let mut reference = Reference::of_model(&case.method, &case.setting.model(), &w).unwrap();
    let (mut seen, mut shown) = (vec![], vec![]);
    for (update, (gradient, loss)) in (1..).zip(gradients.iter().zip(losses)) {
        let gradient: Vec<f64> = gradient.iter().copied().map(f64::from).collect();
        reference.step_at(&gradient, f64::from(loss), &mut w);
        if update % EVERY == 0 {
            seen.extend(&w);
            shown.extend(reference.shown(&w));
        }
    }
    [seen, shown]
}

/// Returns the largest distance of f32 weights from the exact ones.
fn distance(found: &[f32], exact: &[f64]) -> f64 {
    assert_eq!(found.len(), exact.len());
    largest(found.iter().zip(exact).map(|(&found, exact)| (f64::from(found) - exact).abs()))
}

/// Returns the error that the table allows for a case.
fn allowed(table: &[(&str, f64)], name: &str) -> Option<f64> {
    table.iter().find(|(case, _)| *case == name).map(|(_, distance)| *distance)
}

#[test]
fn every_sgd_step_has_pytorchs_bits_on_every_instruction_set() {
    let cases = cases(|name| name == "sgd");
    assert!(cases.len() >= 8, "only {} cases", cases.len());
    for case in cases {
        for isa in Isa::available() {
            let found = f32_weights(&case, isa);
            assert_eq!(
                (found.len(), case.f32.len()),
                (RECORDS * NUMBERS, RECORDS * NUMBERS),
                "{}",
                case.name
            );
            for (found, expected) in found.chunks(NUMBERS).zip(case.f32.chunks(NUMBERS)) {
                assert_eq!(
                    found[..WHOLE_VECTORS],
                    expected[..WHOLE_VECTORS],
                    "{} on {}",
                    case.name,
                    isa.name()
                );
            }
        }
    }
}

/// The last bits depend on where a library rounds, so results may differ from those recorded; the test compares the
/// distances of both from the exact weights.
#[test]
fn f32_steps_are_no_further_from_exact_weights_than_twice_the_originals() {
    let mut worst = (0.0, String::new());
    for case in cases(|_| true).iter().filter(|case| !case.f32.is_empty()) {
        for isa in Isa::available() {
            let found = f32_weights(case, isa);
            let len = found.len() / RECORDS;
            assert_eq!([case.f32.len(), case.f64.len()], [found.len(); 2], "{}", case.name);
            let records = found.chunks(len).zip(case.f32.chunks(len).zip(case.f64.chunks(len)));
            for (record, (found, (original, exact))) in records.enumerate() {
                let (ours, theirs) = (distance(found, exact), distance(original, exact));
                let share = allowed(&ALLOWED_F32, &case.name);
                let size = largest(exact.iter().map(|weight| weight.abs()));
                let ratio = ours / share.map_or(2.0 * theirs + 1e-9, |share| share * size);
                let text = format!(
                    "{} on {}, record {record}: {ours:e}, original {theirs:e}",
                    case.name,
                    isa.name()
                );
                if ratio.is_nan() || ratio > worst.0 {
                    worst = (ratio, text);
                }
            }
        }
    }
    assert!(worst.0 <= 1.0, "{} from exact", worst.1);
}

#[test]
fn the_f64_reference_agrees_with_every_original_in_f64() {
    let mut far = vec![];
    for case in cases(|_| true) {
        let [found, shown] = f64_weights(&case);
        assert_eq!(found.len(), case.f64.len(), "{}", case.name);
        assert!(case.shown.is_empty() || shown.len() == case.shown.len(), "{}", case.name);
        let weights = found.iter().zip(&case.f64).chain(shown.iter().zip(&case.shown));
        let errors = weights.map(|(found, exact)| (found - exact).abs() / exact.abs().max(1.0));
        let error = largest(errors);
        if error.is_nan() || error > allowed(&ALLOWED_F64, &case.name).unwrap_or(1e-12) {
            far.push(format!("{} off by {error:e}", case.name));
        }
    }
    assert!(far.is_empty(), "{far:#?}");
}
