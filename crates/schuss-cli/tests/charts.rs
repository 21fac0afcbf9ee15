//! Chart files written by a run.

mod common;

use common::Place;
use std::collections::BTreeMap;

/// Returns the number of files in `charts` by extension.
fn charts(command: &str) -> BTreeMap<String, usize> {
    let place = Place::new();
    assert_eq!(place.small(&[command, "--epochs", "1"]).code, 0);
    let mut endings = BTreeMap::new();
    for file in std::fs::read_dir(place.join("runs").join(command).join("charts")).unwrap() {
        let path = file.unwrap().path();
        let ending = path.extension().unwrap().to_string_lossy().into_owned();
        *endings.entry(ending).or_default() += 1;
    }
    endings
}

#[test]
fn compare_draws_every_chart_as_svg_and_where_built_in_as_png_and_train_as_svg() {
    let (compared, trained) = (charts("compare"), charts("train"));
    let pngs = cfg!(feature = "png").then_some(compared["svg"]);
    assert_eq!(compared.get("png").copied(), pngs);
    assert_eq!(trained, BTreeMap::from([("svg".to_owned(), compared["svg"])]));
}
