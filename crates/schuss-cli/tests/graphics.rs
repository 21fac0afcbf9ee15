//! The command on a graphics card, mostly a program that imitates one.
#![cfg(feature = "gpu")]

mod common;

use common::{Place, Ran, SMALL};
use std::fs;
use std::process::Stdio;
use std::time::Duration;

/// Returns `gpu:NAME` of the first card. Where there is none, the test is said to be skipped.
fn card(place: &Place, test: &str) -> Option<String> {
    let doctor = place.run(&["doctor", "--json", "--threads", "1"]).json();
    let name = doctor["graphics_cards"][0]["name"].as_str().map(|name| format!("gpu:{name}"));
    if name.is_none() {
        eprintln!("SKIPPED {test}: no driver offers a graphics card");
    }
    name
}

fn model(place: &Place, run: &str) -> Vec<u8> {
    let folder = fs::read_dir(place.join(run).join("trials")).unwrap().next().unwrap().unwrap().path();
    fs::read(folder.join("model.safetensors")).unwrap()
}

#[test]
fn a_run_on_a_card_names_it_and_has_the_same_weights_again_and_after_a_kill() {
    let place = Place::new();
    let Some(card) = card(&place, "a_run_on_a_card_names_it_and_has_the_same_weights_again_and_after_a_kill")
    else {
        return;
    };
    let run = |out| {
        [
            &[
                "train",
                "--device",
                &card,
                "--epochs",
                "40",
                "--checkpoint-every",
                "0.05s",
                "--json",
                "--out",
                out,
            ],
            SMALL,
        ]
        .concat()
    };
    let whole = place.run(&run("whole"));
    assert_eq!(whole.code, 0, "{}", whole.stderr);
    let trial = &whole.json()["trials"][0];
    assert_eq!(trial["recipe"]["device"], card.as_str());
    assert!(trial["arithmetic"].as_str().unwrap().starts_with("wgsl-1 "), "{trial}");
    let again = place.run(&run("again"));
    assert!(again.code == 0 && model(&place, "again") == model(&place, "whole"), "{}", again.stderr);

    let mut child =
        place.command(&run("killed")).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !place.join("killed").exists() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(150));
    child.kill().unwrap();
    child.wait().unwrap();
    let resumed = place.run(&["resume", "killed"]);
    assert!(resumed.code == 0 && model(&place, "killed") == model(&place, "whole"), "{}", resumed.stderr);
}

#[test]
fn a_run_of_a_card_continues_on_the_processor_only_if_asked_and_says_so() {
    let place = Place::new();
    let Some(card) = card(&place, "a_run_of_a_card_continues_on_the_processor_only_if_asked_and_says_so")
    else {
        return;
    };
    let begun = [&["train", "--device", &card, "--epochs", "2", "--out", "run"], SMALL].concat();
    assert_eq!(place.run(&begun).code, 0);
    let resumed = place.run(&["resume", "run", "--epochs", "3", "--device", "cpu"]);
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert!((resumed.stdout + &resumed.stderr).contains("the bits of neither"));
    place.run(&["resume", "run", "--epochs", "4"]).refused(1, "--device");
}

#[test]
fn what_no_card_can_do_is_refused_with_the_way_round() {
    let place = Place::new();
    place.small(&["train", "--device", "gpu:no such card"]).refused(2, "--device cpu");
    let Some(card) = card(&place, "what_no_card_can_do_is_refused_with_the_way_round") else { return };
    for words in
        [&["--optimizer", "l-bfgs"][..], &["--optimizer", "muon"], &["--model", "avg-pool:2,linear:10"]]
    {
        let command =
            [&["train", "--device", &card, "--data", "digits:train=40,test=10,size=8"], words].concat();
        place.run(&command).refused(2, "--device cpu");
    }
    place.small(&["train", "--device", &card, "--device-memory", "1KiB"]).refused(2, "1.0 kB");
    place.small(&["train", "--device", &card, "--matmul-precision", "high"]).refused(2, "leave it out");
    assert!(!place.join("runs").exists());
}

#[test]
fn recipes_on_both_devices_race_each_other() {
    let place = Place::new();
    let Some(card) = card(&place, "recipes_on_both_devices_race_each_other") else { return };
    let raced: Ran =
        place.small(&["compare", "--device", "cpu", "--device", &card, "--epochs", "1", "--json"]);
    assert_eq!(raced.code, 0, "{}", raced.stderr);
    let losses: Vec<f64> = raced.json()["trials"]
        .as_array()
        .unwrap()
        .iter()
        .map(|trial| trial["epochs"][1]["train_loss"].as_f64().unwrap())
        .collect();
    assert!(losses.len() == 2 && (losses[0] / losses[1] - 1.0).abs() < 1e-4, "{losses:?}");
}
