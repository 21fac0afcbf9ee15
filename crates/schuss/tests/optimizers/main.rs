//! Table-driven tests: every rule, its flags and the chains around it, against every guarantee of an optimizer.

#[path = "../common/mod.rs"]
mod common;
mod hills;
mod refusals;
mod sessions;
mod table;

use common::twin::{Twin, samples};
use common::{ONE_THREAD, golden, initial_params, save_params};
use hills::{BOWL, Hill, ROSENBROCK};
use safetensors::SafeTensors;
use schuss::Trial;
use schuss::network::{Params, Plan};
use schuss::optim::{Method, Reference, Rule, Stepper, Transform, Wrapper};
use schuss::record::Status;
use schuss::session::Limits;
use schuss_kernels::naive::largest;
use sessions::{alone, digits, on_digits, on_wide, resumed, run, unkilled, wide};
use std::collections::BTreeSet;
use table::{Claim, ROWS, Row};

/// Calls `check` with every row and reports its errors.
fn for_every_row(check: impl Fn(&Row) -> Result<(), String>) {
    let wrong: Vec<String> = ROWS
        .iter()
        .filter_map(|row| check(row).err().map(|text| format!("{}: {text}", row.spec())))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn holds(condition: bool, text: impl FnOnce() -> String) -> Result<(), String> {
    if condition { Ok(()) } else { Err(text()) }
}

#[test]
fn every_rule_transform_and_wrapper_has_a_row() {
    let specs: Vec<String> = ROWS.iter().map(Row::spec).collect();
    let items: BTreeSet<&str> = specs.iter().flat_map(|spec| spec.split(['+', '/', '@'])).collect();
    let seen: BTreeSet<&str> = items.iter().filter_map(|item| item.split(':').next()).collect();
    for name in [Rule::NAMES, Transform::NAMES, Wrapper::NAMES, &["sam"]].concat() {
        assert!(seen.contains(name), "{name} has no row in the table");
    }
}

/// Checks that the f64 reference of a row descends a hill as far as the table requires.
fn descends(row: &Row, hill: &Hill, claim: Claim) -> Result<(), String> {
    let Ok(reach) = claim else { return Ok(()) };
    let method: Method = row.at(reach.lr).parse().map_err(|error| format!("{error}"))?;
    let share = hill.descend(&method, reach.updates);
    holds(share <= reach.share, || format!("{share:e} is left, not {:e}", reach.share))
}

#[test]
fn every_rule_descends_an_ill_conditioned_bowl() {
    for_every_row(|row| descends(row, &BOWL, row.bowl));
}

#[test]
fn every_rule_finds_its_way_through_rosenbrocks_valley() {
    for_every_row(|row| descends(row, &ROSENBROCK, row.rosenbrock));
}

#[test]
fn every_rule_trains_a_small_network() {
    for_every_row(|row| {
        let Ok(reach) = row.net else { return Ok(()) };
        let share = alone(&on_digits(&row.spec(), reach.updates as u64), digits()).share();
        holds(share <= reach.share, || format!("{share} of the loss is left, not {}", reach.share))
    });
}

/// Initial weights and gradients of the recorded stream.
fn stream() -> (Vec<f32>, Vec<Vec<f32>>) {
    let bytes = std::fs::read(golden().join("optim_steps/stream.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let floats = |name| -> Vec<f32> {
        let tensor = file.tensor(name).unwrap();
        tensor.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
    };
    let weights = floats("weights");
    let gradients = floats("gradients").chunks_exact(weights.len()).map(<[f32]>::to_vec).collect();
    (weights, gradients)
}

/// Copies numbers in PyTorch's order into parameters with the layout of `params`.
fn laid_out(params: &Params, values: &[f32]) -> Params {
    let (mut params, mut rest) = (Params::zeros(params.layout().clone()), values);
    for entry in params.layout().clone().entries() {
        let (own, behind) = rest.split_at(entry.len());
        params.set_tensor(entry, own.iter().copied());
        rest = behind;
    }
    params
}

#[test]
fn f32_stays_with_the_f64_reference_over_50_recorded_gradients() {
    let (start, gradients) = stream();
    let model = "3-16-4".parse().unwrap();
    let layout = Plan::new(&model, 3, 4).unwrap().layout;
    for_every_row(|row| {
        if row.rounding_decides.is_some() {
            return Ok(());
        }
        let method = row.spec().parse().unwrap();
        let mut weights = laid_out(&Params::zeros(layout.clone()), &start);
        let mut exact: Vec<f64> = start.iter().map(|&w| f64::from(w)).collect();
        let mut stepper = Stepper::new(&method, &weights, 1).unwrap();
        let mut reference = Reference::of_model(&method, &model, &exact).unwrap();
        for gradient in &gradients[..50] {
            let mut laid_out = laid_out(&weights, gradient).values().to_vec();
            stepper.step(&mut laid_out, 1.0, &mut weights);
            let gradient: Vec<f64> = gradient.iter().map(|&g| f64::from(g)).collect();
            reference.step_at(&gradient, 1.0, &mut exact);
        }
        let found: Vec<f32> = layout.entries().iter().flat_map(|entry| weights.tensor(entry)).collect();
        assert_eq!(found.len(), exact.len());
        let pairs = found.into_iter().zip(&exact);
        let off = pairs.map(|(found, exact)| (f64::from(found) - exact).abs() / exact.abs().max(1.0));
        let off = largest(off);
        holds(off <= 1e-5, || format!("off by {off:e}"))
    });
}

/// Every kind of update: all samples, many, one.
const UPDATES: [&str; 3] = ["epoch", "batch:32", "sample"];

#[test]
fn threads_and_microbatches_change_no_bit_under_any_update_rule() {
    let limits = [(2, None), (3, Some(7)), (1, Some(5))];
    for_every_row(|row| {
        for update in UPDATES {
            let trial = on_wide(&row.spec(), update);
            let expected = alone(&trial, wide()).bits();
            for (threads, microbatch) in limits {
                let limits = Limits { threads, microbatch, ..ONE_THREAD };
                let found = run(&trial, wide(), limits).bits();
                holds(found == expected, || format!("{update}, {limits:?}"))?;
            }
        }
        Ok(())
    });
}

#[test]
fn what_is_saved_and_loaded_goes_on_to_the_same_bits() {
    for_every_row(|row| {
        let trial = on_digits(&row.spec(), 12);
        let expected = unkilled(&trial, digits(), 5);
        for n in [1, 2, 3] {
            let found = resumed(&trial, digits(), 3, 5, n);
            holds(found.as_ref() == Some(&expected), || format!("killed at checkpoint {n}"))?;
        }
        Ok(())
    });
}

/// Blocks of 84 updates, evaluations within them, and more than one epoch.
#[test]
fn delayed_updates_are_saved_with_what_they_owe() {
    for optimizer in ["sgd:lr=0.02", "sgd:lr=0.01,momentum=0.9,nesterov=true,weight_decay=0.001"] {
        for update in ["sample", "batch:4"] {
            let mut trial = common::trial("64-130-10", update, optimizer, 2);
            trial.budget.max_updates = Some(1_000);
            let expected = unkilled(&trial, digits(), 50);
            let kills: Vec<_> = (1..).map_while(|n| resumed(&trial, digits(), 30, 50, n)).collect();
            assert!(kills.len() > 5, "{optimizer}, {update}: only {} checkpoints", kills.len());
            assert!(
                kills.iter().all(|found| *found == expected),
                "{optimizer}, {update}: {kills:?}, {expected}"
            );
        }
    }
}

/// The same optimizer after a no-op transform, which forces gradients to be stored in full.
fn staged(spec: &str) -> String {
    const NOTHING: &str = "clip-value:1e30+";
    let group = |group: &str| match group.split_once('@') {
        Some((select, chain)) => format!("{select}@{NOTHING}{chain}"),
        None => format!("{NOTHING}{group}"),
    };
    spec.split('/').map(group).collect::<Vec<_>>().join("/")
}

#[test]
fn every_strategy_that_applies_gives_the_same_bits() {
    let mut seen = BTreeSet::new();
    for row in ROWS.iter().filter(|row| !row.spec().starts_with("sam")) {
        let spec = row.spec();
        let whole = alone(&on_wide(&spec, "batch:32"), wide());
        let parts = run(&on_wide(&spec, "batch:32"), wide(), Limits { microbatch: Some(7), ..ONE_THREAD });
        let staged = alone(&on_wide(&staged(&spec), "batch:32"), wide());
        for other in [&parts, &staged] {
            assert!(other.bits() == whole.bits(), "{spec}: {} and {}", other.strategy, whole.strategy);
        }
        seen.extend([whole.strategy, parts.strategy, staged.strategy]);
    }
    assert_eq!(seen, BTreeSet::from(["fused", "in-backward", "staged"]));
}

/// Delayed updates sum in a different order.
#[test]
fn delayed_updates_of_single_samples_agree_with_straight_ones() {
    let rows: Vec<_> =
        ROWS.iter().map(|row| (row.spec(), alone(&on_wide(&row.spec(), "sample"), wide()))).collect();
    let delayed: Vec<_> = rows.iter().filter(|(_, done)| done.strategy == "blocked-sample").collect();
    assert!(delayed.len() >= 4 && delayed.iter().all(|(spec, _)| spec.starts_with("sgd")));
    for (spec, done) in delayed {
        let straight = alone(&on_wide(&staged(spec), "sample"), wide());
        let values = done.params.values().iter().zip(straight.params.values());
        let off = largest(values.map(|(a, b)| f64::from((a - b).abs())));
        assert!(off < 2e-6, "{spec}: off by {off:e}");
    }
}

/// A trial whose learning rate overflows from update 61 on.
fn explodes(row: &Row) -> Trial {
    let mut trial = on_digits(&row.spec(), 90);
    trial.recipe.schedule = "step:step_size=60,gamma=1e60".parse().unwrap();
    trial
}

#[test]
fn a_divergence_leaves_the_weights_of_the_last_report_point() {
    for_every_row(|row| {
        let end = alone(&explodes(row), digits());
        if row.outlives_any_rate.is_some() {
            return holds(end.outcome.status == Status::Finished, || "diverged after all".into());
        }
        holds(end.outcome.status == Status::Diverged, || "did not diverge".into())?;
        let before = alone(&on_digits(&row.spec(), 60), digits());
        holds(end.bits() == before.bits(), || "other weights".into())
    });
}

#[test]
fn what_is_kept_begins_at_weights_that_are_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("start.safetensors");
    for_every_row(|row| {
        let drawn = on_digits(&row.spec(), 10);
        save_params(&initial_params(&drawn, digits()), &path);
        let mut loaded = drawn.clone();
        loaded.recipe.init = "zeros".parse().unwrap();
        loaded.init_from = Some(path.clone());
        let same = alone(&loaded, digits()).bits() == alone(&drawn, digits()).bits();
        holds(same, || "another way from the same weights".into())
    });
}

#[test]
fn the_weights_that_are_shown_are_those_evaluated() {
    let test = samples(&digits().test);
    for_every_row(|row| {
        let done = alone(&on_digits(&row.spec(), 20), digits());
        let reported = done.outcome.evaluation.unwrap().loss;
        let found = Twin::of(&done.params).loss(&test);
        holds((reported - found).abs() < 1e-5, || format!("loss {reported} reported, {found} recomputed"))
    });
}

/// Evaluation weights after each of the first updates.
fn path(spec: &str, updates: u64) -> Vec<Vec<f32>> {
    let after = |updates| alone(&on_digits(spec, updates), digits()).params.values().to_vec();
    (1..=updates).map(after).collect()
}

/// Element of an averaged weight vector, computed from the weights after every update.
type Average = fn(&[Vec<f32>], usize) -> f64;

#[test]
fn averages_are_those_of_the_weights_on_the_way() {
    let way = path("adam:lr=0.01", 8);
    let averages: [(&str, Average); 2] = [
        ("adam:lr=0.01+swa:start=4,every=2", |way, i| {
            [3, 5, 7].map(|t: usize| f64::from(way[t][i])).iter().sum::<f64>() / 3.0
        }),
        ("adam:lr=0.01+ema:0.7", |way, i| {
            way[1..].iter().fold(f64::from(way[0][i]), |mean, w| 0.7 * mean + 0.3 * f64::from(w[i]))
        }),
    ];
    for (spec, average) in averages {
        let shown = alone(&on_digits(spec, 8), digits()).params;
        for (i, &shown) in shown.values().iter().enumerate() {
            let expected = average(&way, i);
            assert!((f64::from(shown) - expected).abs() < 1e-6, "{spec}: {shown}, not {expected}");
        }
    }
}
