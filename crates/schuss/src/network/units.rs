//! Units of regression targets: conversion of stored numbers to the scale of the outputs, and back.

use schuss_data::{Offsets, Scale};

/// Units of each output.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Units(Vec<Unit>);

/// Units of one output.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Unit {
    /// Offset subtracted from a number before it was stored.
    offset: f64,
    /// Mean of the stored numbers.
    mean: f64,
    /// Standard deviation of the stored numbers.
    deviation: f64,
}

impl Units {
    /// Returns the units of `outputs` numbers stored minus `offsets`, standardised if a `scale` is given. None if
    /// outputs are compared with the stored numbers.
    pub(crate) fn new(outputs: usize, scale: Option<&Scale>, offsets: &Offsets) -> Option<Self> {
        let unit = |output: usize| {
            let offset = offsets.label(output);
            match scale {
                Some(Scale { mean, deviation }) => {
                    Unit { offset, mean: mean[output], deviation: deviation[output] }
                }
                None => Unit { offset, mean: -offset, deviation: 1.0 },
            }
        };
        let has_any = scale.is_some() || !offsets.labels.is_empty();
        has_any.then(|| Self((0..outputs).map(unit).collect()))
    }

    /// Converts a `stored` number to the scale of `output`.
    pub(crate) fn wanted(&self, output: usize, stored: f32) -> f32 {
        let Unit { mean, deviation, .. } = self.0[output];
        ((f64::from(stored) - mean) / deviation) as f32
    }

    /// Converts a `value` of `output` to the units of the data, rounded to the digits that 32 bits hold.
    pub(crate) fn original(&self, output: usize, value: f32) -> f64 {
        let Unit { offset, mean, deviation } = self.0[output];
        let (exact, rest) = (offset + (mean + deviation * f64::from(value)), offset + mean);
        if offset == 0.0 {
            return f64::from(exact as f32);
        }
        let digits = (-(deviation.max(exact - rest).abs() * f64::from(f32::EPSILON)).log10()).ceil();
        let unit = 10_f64.powi(digits.clamp(-300.0, 300.0) as i32);
        let rounded = (exact * unit).round() / unit;
        if rounded.is_finite() { rounded } else { exact }
    }

    /// Returns the factors that convert each output's loss to original units, if the loss grows with the unit to this
    /// `power`.
    pub(crate) fn factors(&self, power: i32) -> Vec<f64> {
        self.0.iter().map(|unit| unit.deviation.powi(power)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_the_way_there_and_back_whatever_their_size() {
        let offsets = |label: f64| Offsets { values: vec![], labels: vec![label] };
        let scale = |mean, deviation| Some(Scale { mean: vec![mean], deviation: vec![deviation] });
        for (offset, scale, number) in [
            (0.0, scale(3e5, 1e5), 412_000.0),
            (0.0, scale(2e-9, 1e-9), 3.5e-9),
            (5e6, scale(0.1, 0.05), 5_000_000.15),
            (1_764_230_400.0, None, 1_764_230_417.0),
            (-5e6, scale(0.1, 0.05), -4_999_999.85),
        ] {
            let units = Units::new(1, scale.as_ref(), &offsets(offset)).unwrap();
            let original = units.original(0, units.wanted(0, (number - offset) as f32));
            let wide = if scale.is_some() { 1e-7 * (number - offset).abs() } else { 64.0 };
            assert!((original - number).abs() <= wide, "{original}, not {number}");
        }
        assert_eq!(Units::new(1, None, &Offsets::default()), None);
    }
}
