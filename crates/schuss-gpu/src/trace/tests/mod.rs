//! Tests of traced arithmetic against the processor's.

mod activations;
mod card;
mod losses;
mod rules;

use card::{Card, GROUP};

/// Returns the largest |found − expected| / max(1, |expected|); equal infinities do not differ, nor do two NaNs.
fn largest_error(found: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(found.len(), expected.len());
    let same = |a: f32, b: f32| a == b || a.is_nan() && b.is_nan();
    let error = |(&a, &b): (&f32, &f32)| match same(a, b) {
        true => 0.0,
        false if a.is_finite() && b.is_finite() => (a - b).abs() / b.abs().max(1.0),
        false => f32::INFINITY,
    };
    found.iter().zip(expected).map(error).fold(0.0, f32::max)
}
