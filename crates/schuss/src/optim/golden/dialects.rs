//! Tests of every rule of every dialect against its framework, with only the required arguments given:
//! `golden/dialects`.

use super::*;
use crate::optim::Dialect;

/// Metadata of a golden file.
#[derive(Deserialize)]
struct Recorded {
    optimizer: String,
    dialect: String,
    /// Schedule of the learning rate.
    schedule: String,
}

/// Tolerance between Burn, which computes in f32, and f64.
const SINGLE: f64 = 2e-5;

fn recorded() -> Vec<(Recorded, Vec<f64>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../golden/dialects");
    let read = |path: PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let about = serde_json::from_str(&header.metadata().as_ref().unwrap()["golden"]).unwrap();
        (about, doubles(&SafeTensors::deserialize(&bytes).unwrap(), "f64"))
    };
    std::fs::read_dir(folder).unwrap().map(|file| read(file.unwrap().path())).collect()
}

fn follow(recorded: &Recorded, dialect: Dialect) -> Vec<f64> {
    let (setting, schedule) = (SETTINGS[0], recorded.schedule.parse().unwrap());
    let Stream { weights, gradients, .. } = setting.stream();
    let mut w: Vec<f64> = weights.into_iter().map(f64::from).collect();
    let method = Method::read(&recorded.optimizer, dialect).unwrap();
    let mut reference = Reference::scheduled(&method, &schedule, &setting.model(), &w).unwrap();
    let mut seen = vec![];
    for (update, gradient) in (1..).zip(gradients) {
        reference.step(&gradient.into_iter().map(f64::from).collect::<Vec<_>>(), &mut w);
        if update % EVERY == 0 {
            seen.extend(&w);
        }
    }
    seen
}

#[test]
fn every_dialect_takes_the_steps_of_its_system() {
    let mut far = vec![];
    for (recorded, theirs) in recorded() {
        let dialect: Dialect = recorded.dialect.parse().unwrap();
        let allowed = if dialect == Dialect::Burn { SINGLE } else { 1e-12 };
        let ours = follow(&recorded, dialect);
        assert_eq!(ours.len(), theirs.len());
        let gaps =
            ours.iter().zip(&theirs).map(|(ours, theirs)| (ours - theirs).abs() / theirs.abs().max(1.0));
        let gap = largest(gaps);
        if gap.is_nan() || gap > allowed {
            far.push(format!("{dialect}: {} off by {gap:e}", recorded.optimizer));
        }
    }
    assert!(far.is_empty(), "{far:#?}");
}

#[test]
fn every_rule_of_a_dialect_is_shown_by_a_trajectory() {
    let shown = |(recorded, _): (Recorded, _)| {
        (recorded.dialect, recorded.optimizer.split(':').next().unwrap().to_owned())
    };
    let mut shown: Vec<_> = recorded().into_iter().map(shown).collect();
    shown.sort();
    shown.dedup();
    let rows = Dialect::ALL.iter().flat_map(|(_, dialect)| dialect.counterparts());
    let mut rows: Vec<_> = rows.map(|row| (row.dialect.to_string(), row.rule.to_owned())).collect();
    rows.sort();
    assert_eq!(shown, rows);
}

#[test]
fn keys_that_are_typed_win_and_the_canonical_text_needs_no_dialect() {
    for (text, dialect, canonical) in [
        ("adam", Dialect::Keras, "adam:lr=0.001,eps=1e-7,eps_hat=true"),
        ("adam:eps=0.01", Dialect::Keras, "adam:lr=0.001,eps=0.01,eps_hat=true"),
        ("sgd:0.3", Dialect::Sklearn, "sgd:lr=0.3,momentum=0.9,nesterov=true,classic=true"),
        (
            "bias@sgd/adamw",
            Dialect::Burn,
            "bias@sgd:lr=0.1,dampening=0.1/adamw:lr=0.001,eps=0.00001,weight_decay=0.0001",
        ),
        ("muon", Dialect::Optax, "hidden@muon:lr=0.001/adamw:lr=0.001,weight_decay=0.0001"),
    ] {
        let method = Method::read(text, dialect).unwrap();
        assert_eq!(method.to_string(), canonical);
        assert_eq!(canonical.parse::<Method>().unwrap(), method);
    }
}
