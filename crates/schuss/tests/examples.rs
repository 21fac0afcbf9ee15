//! The examples run and print results.

use std::process::Command;

/// Command for an example built along with the tests; builds it if only this test was built.
fn command(example: &str) -> Command {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("examples").join(example);
    if built.exists() {
        return Command::new(built);
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--example", example]).current_dir(env!("CARGO_MANIFEST_DIR"));
    cargo
}

/// Output of an example.
fn output(example: &str) -> String {
    let output = command(example).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_first_example_trains_a_network_and_says_how_well() {
    let text = output("01-first-descent");
    assert!(text.contains("epoch 5: accuracy 0.9"), "{text}");
}

#[test]
fn an_optimizer_of_ones_own_races_adam() {
    let text = output("02-your-own-optimizer");
    assert!(text.contains("custom:name=normalised lr=0.002: accuracy 0.8"), "{text}");
    assert!(text.contains("adam:lr=0.001: accuracy 0.9"), "{text}");
}
