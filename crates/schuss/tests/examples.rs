//! The examples run, as their first lines say.

use std::process::Command;

#[test]
fn the_first_example_trains_a_network_and_says_how_well() {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--example", "01-first-descent"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = cargo.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("epoch 5: accuracy 0.9"), "{text}{problems}");
}
