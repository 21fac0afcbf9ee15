//! Image folders, from files to a trained network.

mod common;

use common::Place;
use schuss_data::{ImageShape, write_picture};
use std::fs;

/// Writes `per_class` colour images of 30 x 40 pixels for each of `classes`, from dark for the first to bright for the
/// last.
fn write_classes(place: &Place, folder: &str, classes: &[&str], per_class: u8) {
    for (class, shade) in classes.iter().zip([0, 120, 200]) {
        let folder = place.join(folder).join(class);
        fs::create_dir_all(&folder).unwrap();
        for number in 0..per_class {
            let pixels: Vec<u8> = (0..3 * 30 * 40).map(|at| shade + (at % 50) as u8 + number % 5).collect();
            let shape = ImageShape { channels: 3, height: 30, width: 40 };
            fs::write(folder.join(format!("{number}.png")), write_picture(&pixels, shape).unwrap()).unwrap();
        }
    }
}

#[test]
fn time_and_memory_of_training_on_large_pictures_are_said_up_front() {
    let place = Place::new();
    write_classes(&place, "pictures", &["dark", "bright"], 10);
    let args = ["train", "--data", "pictures/", "--model", "linear:2", "--epochs", "2", "--size"];
    let ran = place.run(&[&args[..], &["224"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let line = ran.stderr.lines().find(|line| line.starts_with("expected: about ")).expect(&ran.stderr);
    assert!(line.contains(" s for 2 epochs, "), "{line}");
    assert!(line.ends_with(" of memory besides the data (150,528 numbers per sample)"), "{line}");
    let small = place.run(&[&args[..], &["28"]].concat());
    assert!(small.code == 0 && !small.stderr.contains("expected: "), "{}", small.stderr);
}

#[test]
fn pictures_of_some_of_the_classes_are_judged_by_the_names_of_their_folders() {
    let place = Place::new();
    write_classes(&place, "pictures", &["dark", "bright"], 20);
    write_classes(&place, "dark-only", &["dark"], 5);
    write_classes(&place, "new", &["unsorted"], 5);
    let args = ["train", "--data", "pictures/", "--model", "linear:2", "--size", "8", "--update", "batch:4"];
    let trained = place.run(&[&args[..], &["--optimizer", "adam:lr=0.01"]].concat());
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let judged = place.run(&["eval", "runs/train", "dark-only/", "--json"]);
    assert_eq!(judged.code, 0, "{}", judged.stderr);
    assert_eq!(judged.json()["accuracy"], 1.0, "`dark` is class 1 of the model and 0 of the folder");
    place.run(&["eval", "runs/train", "new/"]).refused(2, "a class `unsorted`");
    let sized = place.run(&["predict", "runs/train", "new/", "--size", "8"]);
    assert_eq!((sized.code, sized.stdout.lines().count()), (0, 5), "{}", sized.stderr);
    let predicted = place.run(&["predict", "runs/train", "new/"]);
    assert!(predicted.stderr.contains("size: 5 of the pictures scaled to 8 x 8"), "{}", predicted.stderr);
    assert!(
        predicted.code == 0 && predicted.stdout.lines().all(|line| line.contains("\tdark\t")),
        "{}",
        predicted.stdout
    );
}

#[test]
fn several_pictures_are_answered_by_their_names_and_data_one_at_a_time() {
    let place = Place::new();
    write_classes(&place, "pictures", &["dark", "bright"], 20);
    let args = ["train", "--data", "pictures/", "--model", "linear:2", "--size", "8", "--update", "batch:4"];
    let trained = place.run(&[&args[..], &["--optimizer", "adam:lr=0.01"]].concat());
    assert_eq!(trained.code, 0, "{}", trained.stderr);
    let files = ["pictures/dark/1.png", "pictures/bright/2.png"];
    let predict = |more: &[&str]| place.run(&[&["predict", "runs/train"], more].concat());
    let predicted = predict(&files);
    let lines: Vec<&str> = predicted.stdout.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("pictures/dark/1.png\tdark\t"), "{}", predicted.stdout);
    assert!(lines[1].starts_with("pictures/bright/2.png\tbright\t"), "{}", predicted.stdout);
    let predicted = predict(&[&files[..], &["--json"]].concat()).stdout;
    assert!(
        predicted.lines().zip(files).all(|(line, file)| line.contains(&format!("\"file\":\"{file}\""))),
        "{predicted}"
    );
    predict(&["pictures/dark/1.png", "pictures/"]).refused(2, "only images can be given several at a time");
}
