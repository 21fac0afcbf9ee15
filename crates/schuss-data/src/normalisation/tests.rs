use super::*;
use crate::{ImageShape, Labels, Samples};
use std::sync::Arc;

fn floats(rows: &[[f32; 2]]) -> Split {
    Samples::new(Values::Floats(rows.concat()), Labels::Absent(rows.len()), 2).unwrap().into()
}

fn grey(pixels: &[u8]) -> Split {
    Samples::images(pixels.to_vec(), vec![0; pixels.len() / 2], 2).unwrap().into()
}

fn written(normalisation: &Normalisation, row: Row, len: usize) -> Vec<f32> {
    let mut to = vec![9.0; len];
    normalisation.write(row, &mut to);
    to
}

const IMAGE: Shape = Shape::Image(ImageShape { channels: 2, height: 1, width: 1 });

#[test]
fn pixels_become_fractions_of_255_and_nothing_behind_them_is_touched() {
    let row = Row::Bytes(&[255, 128]);
    assert_eq!(written(&Normalisation::Unit, row, 3), [1.0, 128.0 / 255.0, 9.0]);
    assert_eq!(written(&Normalisation::None, row, 3), [255.0, 128.0, 9.0]);
}

#[test]
fn standard_features_have_mean_0_and_deviation_1_and_constant_ones_are_0() {
    let train = floats(&[[1.0, 5.0], [3.0, 5.0], [5.0, 5.0], [7.0, 5.0]]);
    let found = Normalisation::fit(None, &train, Shape::Flat(2)).unwrap();
    let deviation = 5.0_f32.sqrt();
    assert_eq!(found, Normalisation::Standard(Affine { mean: vec![4.0, 5.0], scale: vec![deviation, 1.0] }));
    assert_eq!(written(&found, Row::Floats(&[6.0, 5.0]), 2), [2.0 / deviation, 0.0]);
    assert_eq!(Normalisation::fit(None, &grey(&[0, 255]), IMAGE).unwrap(), Normalisation::Unit);
}

#[test]
fn a_small_deviation_beside_a_large_mean_is_not_lost() {
    let rows: Vec<[f32; 2]> = (0..1_000).map(|i| [16_777_000.0 + (i % 2) as f32, 0.0]).collect();
    let Normalisation::Standard(found) = Normalisation::fit(None, &floats(&rows), Shape::Flat(2)).unwrap()
    else {
        panic!("floats are standardised")
    };
    assert_eq!(found.scale, [0.5, 1.0]);
}

#[test]
fn streamed_samples_give_the_numbers_of_resident_ones() {
    let rows: Vec<[f32; 2]> = (0..3_000).map(|i| [(i as f32).sqrt(), 1.0 / (i + 1) as f32]).collect();
    let resident = floats(&rows);
    let streamed = Split::Streamed(Arc::new(resident.resident().unwrap().clone()));
    let fit = |split: &Split| Normalisation::fit(None, split, Shape::Flat(2)).unwrap();
    assert_eq!(fit(&resident), fit(&streamed));
}

#[test]
fn channels_share_mean_and_deviation_and_presets_are_the_usual_numbers() {
    let shape = Shape::Image(ImageShape { channels: 1, height: 1, width: 2 });
    let fit =
        |choice: &str| Normalisation::fit(Some(choice.parse().unwrap()), &grey(&[0, 255, 255, 0]), shape);
    let halves = Affine { mean: vec![0.5], scale: vec![0.5] };
    assert_eq!(fit("channel").unwrap(), Normalisation::Channel(halves));
    let black = written(&fit("mnist").unwrap(), Row::Bytes(&[0, 0]), 2);
    assert_eq!(black, [-0.1307_f32 / 0.3081; 2]);
    assert_eq!(fit("imagenet").unwrap_err().exit_code(), 2);
    assert_eq!("units".parse::<Normalise>().unwrap_err().exit_code(), 2);
}

#[test]
fn what_is_for_pixels_or_images_is_refused_for_tables() {
    let train = floats(&[[1.0, 2.0]]);
    for choice in [Normalise::Unit, Normalise::Channel, Normalise::Mnist] {
        assert_eq!(Normalisation::fit(Some(choice), &train, Shape::Flat(2)).unwrap_err().exit_code(), 2);
    }
}

#[test]
fn numbers_from_a_file_that_do_not_fit_are_refused() {
    let affine = |mean: &[f32], scale: &[f32]| Affine { mean: mean.to_vec(), scale: scale.to_vec() };
    let good = Normalisation::Standard(affine(&[0.0; 2], &[1.0; 2]));
    assert!(good.check(Shape::Flat(2)).is_ok() && good.check(Shape::Flat(3)).is_err());
    for bad in [affine(&[0.0], &[1.0]), affine(&[0.0; 2], &[0.0, 1.0]), affine(&[f32::NAN; 2], &[1.0; 2])] {
        assert!(Normalisation::Channel(bad).check(IMAGE).is_err());
    }
}
