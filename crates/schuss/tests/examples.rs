//! The examples run: `cargo test` has built them beside this test.

use std::process::Command;

#[test]
fn the_first_example_trains_a_network_and_says_how_well() {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("examples/01-first-descent");
    let output = Command::new(&built).output().unwrap_or_else(|error| panic!("{}: {error}", built.display()));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("epoch 5: accuracy 0.9"), "{text}");
}
