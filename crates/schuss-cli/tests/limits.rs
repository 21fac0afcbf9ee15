//! Results do not depend on memory, threads or instruction set.

mod common;

use common::{Place, Ran};
use serde_json::Value;

#[test]
fn at_every_precision_a_trial_has_the_same_bits_for_any_memory_and_threads() {
    let place = Place::new();
    let packed = place.run(&["data", "pack", "digits:train=600,test=100", "packed.schuss"]);
    assert_eq!(packed.code, 0, "{}", packed.stderr);
    for precision in ["highest", "high", "medium"] {
        let mut states = vec![];
        for (memory, threads) in [("6MiB", "1"), ("12MiB", "2"), ("16MiB", "1"), ("1GiB", "2")] {
            let words = [
                "train",
                "--data",
                "packed.schuss",
                "--model",
                "784-40-20-10",
                "--update",
                "batch:250",
                "--epochs",
                "2",
                "--matmul-precision",
                precision,
                "--memory",
                memory,
                "--threads",
                threads,
                "--json",
            ];
            let json = Ran::of(&place.command(&words).env("SCHUSS_AMX", "emulated").output().unwrap()).json();
            let trial = &json["trials"][0];
            states.push((trial["arithmetic"].to_string(), trial["state"].to_string()));
        }
        assert!(states.iter().all(|state| *state == states[0]), "{precision}: {states:?}");
        let is_bf16 = states[0].0.contains("bf16");
        assert_eq!(is_bf16, precision != "highest", "{precision}: {}", states[0].0);
    }
}

/// Returns the instruction sets of this machine.
fn instruction_sets() -> Vec<&'static str> {
    let mut sets = vec!["portable"];
    #[cfg(target_arch = "x86_64")]
    {
        sets.extend(std::is_x86_feature_detected!("avx2").then_some("avx2"));
        sets.extend(std::is_x86_feature_detected!("avx512f").then_some("avx512"));
    }
    sets
}

/// Returns the results of a diverged trial on `isa` under `memory`: its state, and its epochs without times.
fn left_by_divergence(place: &Place, isa: &str, memory: &str) -> (String, Vec<[Value; 4]>) {
    let words = [
        "train",
        "--data",
        "packed.schuss",
        "--model",
        "784-40-20-10",
        "--update",
        "batch:250",
        "--epochs",
        "6",
        "--optimizer",
        "sgd:lr=1e20",
        "--eval-every",
        "1",
        "--memory",
        memory,
        "--json",
    ];
    let ran = Ran::of(&place.command(&words).env("SCHUSS_ISA", isa).output().unwrap());
    assert_eq!(ran.code, 4, "{isa}, {memory}: {}", ran.stderr);
    let trial = &ran.json()["trials"][0];
    let rows = trial["epochs"].as_array().unwrap().iter();
    let names = ["epoch", "samples", "eval_loss", "eval_accuracy"];
    (trial["state"].to_string(), rows.map(|row| names.map(|name| row[name].clone())).collect())
}

#[test]
fn a_diverged_trial_leaves_the_same_for_any_memory_and_on_every_instruction_set() {
    let place = Place::new();
    let packed = place.run(&["data", "pack", "digits:train=600,test=100", "packed.schuss"]);
    assert_eq!(packed.code, 0, "{}", packed.stderr);
    let expected = left_by_divergence(&place, "portable", "1GiB");
    for isa in instruction_sets() {
        for memory in ["6MiB", "12MiB", "1GiB"] {
            let found = left_by_divergence(&place, isa, memory);
            assert_eq!(found, expected, "{isa}, {memory}");
        }
    }
}
