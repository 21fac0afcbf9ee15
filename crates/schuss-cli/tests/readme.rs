//! The first command of README.md.

mod common;

use common::Place;
use serde_json::Value;
use std::process::Command;

const README: &str = include_str!("../../../README.md");

/// Returns the arguments of the first `cargo run --release --` line, without its comment.
fn first_command() -> Vec<&'static str> {
    let line = README.lines().find_map(|line| line.strip_prefix("cargo run --release -- ")).unwrap();
    line.split('#').next().unwrap().split_whitespace().collect()
}

#[test]
fn cargo_run_has_one_command_to_run() {
    let args = ["metadata", "--no-deps", "--offline", "--format-version", "1"];
    let output =
        Command::new(env!("CARGO")).args(args).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let list = |value: &Value| value.as_array().unwrap().clone();
    let default = list(&metadata["workspace_default_members"]);
    let packages = list(&metadata["packages"]).into_iter().filter(|package| default.contains(&package["id"]));
    let targets = packages.flat_map(|package| list(&package["targets"]));
    let commands: Vec<Value> =
        targets.filter(|target| list(&target["kind"]).contains(&"bin".into())).collect();
    let names: Vec<_> = commands.iter().map(|target| target["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["schuss"], "`cargo run` needs exactly one binary");
}

#[test]
fn the_first_command_ends_with_a_table_and_a_page() {
    let place = Place::new();
    let brief = ["--epochs", "1", "--data", "digits:train=1000,test=200"];
    let ran = place.run(&[&first_command()[..], &brief].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("report.html"), "{}", ran.stdout);
}
