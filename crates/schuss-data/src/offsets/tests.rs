use super::*;
use crate::format::pack;
use crate::reader::{LoadedSplit, Missing, ReadOptions};
use crate::split::survey;
use crate::testing::{npy, samples, saved};
use crate::{DataSource, Dataset, Normalisation, Normalise, Request, Values};
use std::path::Path;

fn offset(numbers: &[f64]) -> f64 {
    let mut spread = Spread::default();
    numbers.iter().for_each(|&number| spread.see(number));
    spread.offset()
}

#[test]
fn only_large_numbers_close_together_that_32_bits_do_not_hold_need_an_offset() {
    assert_eq!(offset(&[1_764_230_401.0, 1_764_230_460.0, 1_764_230_400.0]), 1_764_230_400.0);
    assert_eq!(offset(&[5_000_000.0, 5_000_000.2]), 5_000_000.0);
    assert_eq!(offset(&[-7e9 - 0.5, -7e9]), -7e9 - 0.5);
    let held: [&[f64]; 5] = [
        &[0.1, 0.2, 25.0],
        &[1_000_001.0, 1_000_002.0],
        &[1_764_230_401.0, 0.0],
        &[1e9 + 0.1, 1e9 + 0.1],
        &[],
    ];
    for held in held {
        assert_eq!(offset(held), 0.0, "{held:?}");
    }
}

#[test]
fn offsets_from_a_file_must_be_finite_and_as_many_as_there_are_features() {
    let offsets = |values: &[f64]| Offsets { values: values.to_vec(), labels: vec![] };
    assert!(offsets(&[]).check(3).is_ok() && offsets(&[0.0, 1.0, 2.0]).check(3).is_ok());
    assert!(offsets(&[1.0]).check(3).is_err() && offsets(&[0.0, f64::NAN, 1.0]).check(3).is_err());
    assert_eq!(list([0.0, 0.0].into_iter()), Vec::<f64>::new());
}

const ROWS: i32 = 60;
const SECONDS: f64 = 1_764_230_400.0;
const METRES: f64 = 5_000_000.0;

/// Returns a time in seconds, a place in metres, and a small number.
fn row(row: i32) -> [f64; 3] {
    let at = f64::from(row * 7 % ROWS);
    [SECONDS + at, METRES + at / 300.0, at / 8.0]
}

fn csv(rows: impl Iterator<Item = i32>) -> String {
    let line = |at: i32| {
        let [second, place, small] = row(at);
        format!("{second},{place},{small},{}\n", ["early", "late"][usize::from(at * 7 % ROWS >= ROWS / 2)])
    };
    "second,place,small,when\n".to_owned() + &rows.map(line).collect::<String>()
}

fn array(rows: i32) -> Vec<u8> {
    npy(
        "<f8",
        &format!("({rows}, 3)"),
        &(0..rows).flat_map(row).flat_map(f64::to_le_bytes).collect::<Vec<_>>(),
    )
}

fn load(path: &Path, request: Request) -> Dataset {
    path.display().to_string().parse::<DataSource>().unwrap().load(&request).unwrap()
}

fn asking(memory: u64) -> Request {
    Request { ask: ReadOptions { memory, ..ReadOptions::default() }, ..Request::default() }
}

/// Returns the stored values of all samples.
fn stored(part: &LoadedSplit) -> Vec<f32> {
    samples(part).values().clone().into_floats()
}

#[test]
fn seconds_and_metres_keep_their_digits_in_memory_and_streamed() {
    let expected: Vec<f32> = (0..ROWS)
        .flat_map(|at| [row(at)[0] - SECONDS, row(at)[1] - METRES, row(at)[2]])
        .map(|number| number as f32)
        .collect();
    for (name, bytes) in [("t.csv", csv(0..ROWS).into_bytes()), ("t.npy", array(ROWS))] {
        let (_folder, path) = saved(name, bytes);
        for memory in [1 << 20, 500] {
            let ask = ReadOptions { memory, ..ReadOptions::default() };
            let found = crate::reader::open(&path, &ask).unwrap();
            assert_eq!(matches!(found.train, LoadedSplit::Resident(_)), memory > 500, "{name}");
            assert_eq!(found.offsets.values, [SECONDS, METRES, 0.0], "{name}");
            assert_eq!(stored(&found.train), expected, "{name} within {memory} bytes");
            let said = found.notes.iter().any(|note| note.contains("less 1764230400"));
            assert!(said, "{:?}", found.notes);
        }
    }
}

#[test]
fn whole_numbers_of_64_bits_and_the_first_index_moving_fastest_keep_theirs_too() {
    let start = 1_764_230_400_000_000_000_i64;
    let columns = [0, 7].map(|more| (0..4).map(move |at| start + more + at * 4_096).collect::<Vec<_>>());
    let bytes: Vec<u8> = columns.iter().flatten().flat_map(|number| number.to_le_bytes()).collect();
    let file = npy("<i8", "(4, 2)", &bytes);
    let text = file.iter().map(|&byte| char::from(byte)).collect::<String>();
    let file: Vec<u8> = text.replace("False", "True ").chars().map(|letter| letter as u8).collect();
    let (_folder, path) = saved("t.npy", file);
    let found = crate::reader::open(&path, &ReadOptions::default()).unwrap();
    assert_eq!(stored(&found.train), [0.0, 0.0, 4_096.0, 4_096.0, 8_192.0, 8_192.0, 12_288.0, 12_288.0]);
}

#[test]
fn numbers_that_32_bits_hold_are_stored_as_they_are() {
    let (_folder, path) = saved("t.csv", "a,b,kind\n1000001,0.1,x\n1000002,0.2,y\n1000003,0.4,x\n");
    let found = crate::reader::open(&path, &ReadOptions::default()).unwrap();
    assert!(found.offsets.is_empty());
    assert_eq!(stored(&found.train), [1_000_001.0, 0.1, 1_000_002.0, 0.2, 1_000_003.0, 0.4]);
}

#[test]
fn a_model_takes_its_own_offsets_off_new_files() {
    let offsets = Offsets { values: vec![SECONDS - 9.0, 0.0, 1.0], labels: vec![] };
    let (_one, text) = saved("t.csv", csv(0..2));
    let (_other, file) = saved("t.npy", array(2));
    for path in [text, file] {
        let ask = ReadOptions { offsets: Centring::By(offsets.clone()), ..ReadOptions::default() };
        let found = crate::reader::open(&path, &ask).unwrap();
        assert_eq!(found.offsets, offsets);
        assert_eq!(stored(&found.train)[..3], [9.0, 5_000_000.0, -1.0]);
    }
}

#[test]
fn without_a_normalisation_numbers_stay_as_they_are_and_what_is_lost_is_said() {
    let (_folder, path) = saved("t.csv", csv(0..ROWS));
    let request = Request { normalisation: Some(Normalise::None), ..asking(1 << 20) };
    let data = load(&path, request);
    assert!(data.offsets.is_empty());
    let said = data.notes.iter().find(|note| note.contains("lose the last digits")).unwrap();
    assert!(said.contains("`second`") && said.contains("`place`") && !said.contains("`small`"), "{said}");
}

#[test]
fn a_pack_keeps_offsets_and_gives_its_samples_less_those_of_a_model_or_none() {
    let (folder, path) = saved("t.csv", csv(0..ROWS));
    let data = load(&path, asking(1 << 20));
    let packed = folder.path().join("t.schuss");
    pack::write(&data.contents(1 << 20).unwrap(), 1, &mut std::fs::File::create(&packed).unwrap()).unwrap();
    let first = |request: Request, split: fn(&Dataset) -> &crate::Split| {
        let data = load(&packed, request);
        let Values::Floats(floats) = split(&data).read(&[0]).unwrap().values().clone() else {
            panic!("bytes")
        };
        (data.offsets.clone(), [floats[0], floats[1]].map(f64::from))
    };
    let test: fn(&Dataset) -> &crate::Split = |data| &data.test;
    for memory in [1 << 20, 100] {
        let (offsets, [second, place]) = first(asking(memory), test);
        assert_eq!(offsets, data.offsets);
        let model = Offsets { values: vec![SECONDS - 600.0, METRES + 1.0, 0.0], labels: vec![] };
        let ask = ReadOptions { offsets: Centring::By(model.clone()), ..asking(memory).ask };
        let (offsets, shifted) = first(Request { ask, ..Request::default() }, test);
        assert_eq!(offsets, model);
        assert_eq!(shifted, [second + 600.0, f64::from((place - 1.0) as f32)]);
        let raw = Request { normalisation: Some(Normalise::None), ..asking(memory) };
        let (offsets, whole) = first(raw, test);
        assert!(offsets.is_empty() && (whole[0] - SECONDS - second).abs() <= 64.0, "{whole:?}");
    }
}

#[test]
fn missing_numbers_and_normalisation_follow_as_for_any_column() {
    let text = csv(0..ROWS).replacen("1764230400,", ",", 1);
    let (_folder, path) = saved("t.csv", text);
    let mut request = asking(1 << 20);
    request.ask.missing = Missing::Mean;
    let data = load(&path, request);
    let Normalisation::Standard(affine) = &data.normalisation else { panic!("standard") };
    assert!((affine.mean[0] - 29.5).abs() < 5.0 && (affine.scale[0] - 17.3).abs() < 2.0, "{affine:?}");
    let floats = data.train.read(&[]).unwrap();
    assert_eq!(floats.features(), 3);
    let ranges = &survey(&data).unwrap()[0].features;
    assert!(ranges[0].lowest >= SECONDS && ranges[0].highest <= SECONDS + 60.0, "as in the file: {ranges:?}");
    assert!((ranges[1].mean() - METRES - 0.098).abs() < 0.05, "{ranges:?}");
}

#[test]
fn a_fingerprint_tells_the_same_differences_at_other_times_apart() {
    let later = csv(0..ROWS).replace("1764230", "1764231");
    let [one, other] = [csv(0..ROWS), later].map(|text| {
        let (_folder, path) = saved("t.csv", text);
        load(&path, asking(1 << 20)).fingerprint().unwrap()
    });
    assert_ne!(one, other);
}

#[test]
fn targets_keep_their_digits_even_where_features_stay_as_they_are() {
    let rows = (0..40).map(|at| format!("{at},{}\n", METRES + f64::from(at) / 300.0)).collect::<String>();
    let (_folder, path) = saved("t.csv", "x,place\n".to_owned() + &rows);
    for normalisation in [None, Some(Normalise::None)] {
        let data = load(&path, Request { normalisation, ..asking(1 << 20) });
        assert_eq!((&data.offsets.labels[..], data.offsets.values.len()), (&[METRES][..], 0));
        assert!((data.scale.deviation[0] - 0.038).abs() < 0.01, "{:?}", data.scale);
        let targets = &survey(&data).unwrap()[0].targets[0];
        assert!(targets.lowest >= METRES && targets.highest < METRES + 0.2, "as in the file: {targets:?}");
    }
}
