use super::*;
use crate::Access;
use crate::random::Purpose;
use crate::split::hold_out::hold_out;
use crate::{Values, digits};

fn floats(len: usize) -> Samples {
    let values = (0..len * 3).map(|i| i as f32 / 7.0).collect();
    let labels = Labels::Real { values: (0..len * 2).map(|i| i as f32).collect(), width: 2 };
    Samples::new(Values::Floats(values), labels, 3).unwrap()
}

fn dataset(train: impl Into<Split>, test: impl Into<Split>) -> Dataset {
    let none = Samples::default;
    let (train, test) = (train.into(), test.into());
    Dataset { train, test, ..Dataset::given("table", Shape::Flat(3), vec![], none(), none()) }
}

#[test]
fn counts_that_disagree_are_refused() {
    assert!(Samples::images(vec![0; 5], vec![0, 1], 2).is_err());
}

#[test]
fn streamed_samples_are_the_resident_ones_to_the_last_bit_of_the_fingerprint() {
    let resident = floats(2_500);
    let streamed = Split::Streamed(Arc::new(resident.clone()));
    assert_eq!(
        streamed.read(&[2_499, 0, 7]).unwrap(),
        Split::from(resident.clone()).read(&[2_499, 0, 7]).unwrap()
    );
    let of = |train: Split| dataset(train, floats(5)).fingerprint().unwrap();
    assert_eq!(of(streamed), of(resident.into()));
    assert_ne!(of(floats(2_499).into()), of(floats(2_500).into()));
}

#[test]
fn what_is_beyond_the_last_sample_is_a_data_error() {
    let resident = Split::from(floats(4));
    let streamed = Split::Streamed(Arc::new(floats(4)));
    for split in [resident, streamed] {
        assert_eq!(split.read(&[0, 4]).unwrap_err().exit_code(), 3);
    }
}

#[test]
fn blocks_of_a_fingerprint_cover_all_of_a_small_split_and_both_ends_of_a_large_one() {
    assert!(fingerprinted(3_000).eq([0, 1_024, 2_048]));
    let large: Vec<u64> = fingerprinted(100_000_000).collect();
    assert_eq!((large.len(), large[0]), (64, 0));
    assert!(large.windows(2).all(|pair| pair[1] - pair[0] > BLOCK));
    assert!((100_000_000 - 64 - BLOCK..=100_000_000 - BLOCK).contains(&large[63]));
}

#[test]
fn a_data_set_knows_what_is_to_be_told_of_its_samples() {
    let digits = digits::generate(&digits::Digits { train: 3, test: 2, ..Default::default() });
    assert_eq!(digits.target_kind(), TargetKind::Class(10));
    assert_eq!(dataset(floats(3), floats(2)).target_kind(), TargetKind::Real(2));
    let streamed = Split::Streamed(Arc::new(floats(3)));
    assert_eq!(dataset(streamed, floats(2)).target_kind(), TargetKind::Real(2));
    assert_eq!(floats(3).access(), Access::Random);
}

#[test]
fn classes_that_training_never_sees_and_a_single_class_are_warned_of() {
    let of = |classes: &[u32]| Samples::images(vec![0; classes.len()], classes.to_vec(), 1).unwrap();
    let names = ["a", "b", "c"].map(String::from).to_vec();
    let data =
        |train: &[u32], test: &[u32]| Dataset::given("x", Shape::Flat(1), names.clone(), of(train), of(test));
    assert!(data(&[0, 1], &[1, 1]).warnings().unwrap().is_empty());
    let warnings = data(&[0, 0], &[0, 2, 1]).warnings().unwrap();
    assert!(warnings[0].ends_with("never sees: `b` (1), `c` (1)"), "{warnings:?}");
    assert!(warnings[1].contains("one class"), "{warnings:?}");
}

/// Samples whose values cannot be read.
struct Unread(Labels);

impl Store for Unread {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn access(&self) -> Access {
        Access::Random
    }

    fn labels(&self) -> Option<std::borrow::Cow<'_, Labels>> {
        Some(std::borrow::Cow::Borrowed(&self.0))
    }

    fn read(&self, _: &[u64], _: &mut Samples) -> Result<()> {
        Err(Error::data("never read"))
    }
}

#[test]
fn classes_of_streamed_samples_are_looked_at_without_reading_them_where_they_are_known() {
    let of = |classes: &[u32]| Split::Streamed(Arc::new(Unread(Labels::Class(classes.to_vec()))));
    let (classes, none) = (["a", "b"].map(String::from).to_vec(), Samples::default);
    let given = Dataset::given("x", Shape::Flat(1), classes, none(), none());
    let data = Dataset { train: of(&[0; 8]), test: of(&[1, 0, 1]), ..given };
    let warnings = data.warnings().unwrap();
    assert!(warnings[0].contains("the test split") && warnings[0].ends_with("`b` (2)"), "{warnings:?}");
    let divided = hold_out(of(&[0, 0, 0, 0, 1, 1, 1, 1]), 0.5, 1, Purpose::Test).unwrap();
    assert_eq!([divided.rest, divided.held].map(|split| split.class_counts(2).unwrap()), [[2, 2], [2, 2]]);
}
