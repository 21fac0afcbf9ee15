//! Linear and logarithmic scales from values to pixels, and their ticks.

/// Smallest and largest of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Bounds {
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Spacing of values along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spacing {
    Linear,
    Log,
}

impl Spacing {
    /// Returns logarithmic spacing if the largest of the positive values is more than `ratio` times the smallest.
    pub(crate) fn for_values(values: impl Iterator<Item = f64>, ratio: f64) -> Self {
        match positive_range(values) {
            Some(Bounds { low, high }) if high > ratio * low => Self::Log,
            _ => Self::Linear,
        }
    }
}

/// Returns the smallest and largest of the positive finite values.
fn positive_range(values: impl Iterator<Item = f64>) -> Option<Bounds> {
    range(values.filter(|value| *value > 0.0))
}

/// Returns the smallest and largest of the finite values.
pub(crate) fn range(values: impl Iterator<Item = f64>) -> Option<Bounds> {
    values.filter(|value| value.is_finite()).fold(None, |range, value| match range {
        None => Some(Bounds { low: value, high: value }),
        Some(Bounds { low, high }) => Some(Bounds { low: low.min(value), high: high.max(value) }),
    })
}

/// Pixels reserved for the value 0 at the start of a logarithmic scale.
const ZERO_GAP: f64 = 26.0;

/// Map from a range of values to a range of pixels; values outside the range are clamped to its edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    spacing: Spacing,
    low: f64,
    high: f64,
    start: f64,
    end: f64,
    /// Position of values ≤ 0 on a logarithmic scale.
    zero: f64,
}

impl Scale {
    /// Creates a linear scale over exactly this range.
    pub(crate) fn linear(bounds: Bounds, start: f64, end: f64) -> Self {
        let Bounds { low, high } = bounds;
        let high = if high > low { high } else { low + low.abs().max(1.0) };
        Self { spacing: Spacing::Linear, low, high, start, end, zero: start }
    }

    /// Creates a logarithmic scale over the positive values, with a position before its start for 0 if it occurs.
    pub(crate) fn log(values: &[f64], start: f64, end: f64) -> Self {
        let bounds = positive_range(values.iter().copied());
        let Bounds { low, high } = bounds.unwrap_or(Bounds { low: 0.1, high: 1.0 });
        let high = if high > low { high } else { low * 10.0 };
        let gap = if values.contains(&0.0) { ZERO_GAP.copysign(end - start) } else { 0.0 };
        Self { spacing: Spacing::Log, low, high, start: start + gap, end, zero: start }
    }

    /// Returns the pixel of a value; none if it is not finite.
    pub(crate) fn position(&self, value: f64) -> Option<f64> {
        let fraction = match self.spacing {
            _ if !value.is_finite() => return None,
            Spacing::Log if value <= 0.0 => return Some(self.zero),
            Spacing::Log => (value / self.low).ln() / (self.high / self.low).ln(),
            Spacing::Linear => (value - self.low) / (self.high - self.low),
        };
        Some(self.start + fraction.clamp(0.0, 1.0) * (self.end - self.start))
    }

    /// Returns round values to label, at least `step` and about `apart` pixels apart, all within the range.
    pub(crate) fn ticks(&self, step: f64, apart: f64) -> Vec<f64> {
        match self.spacing {
            Spacing::Linear => self.linear_ticks(step, apart),
            Spacing::Log => self.log_ticks(step),
        }
    }

    fn linear_ticks(&self, least: f64, apart: f64) -> Vec<f64> {
        let wanted = ((self.end - self.start).abs() / apart).clamp(2.0, 8.0);
        let step = round_step((self.high - self.low) / wanted).max(least);
        let first = (self.low / step - 1e-9).ceil() as i64;
        let last = (self.high / step + 1e-9).floor() as i64;
        (first..=last).map(|i| tidy(i as f64 * step)).collect()
    }

    fn log_ticks(&self, least: f64) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let factors: &[f64] = if decades < 1.1 {
            &[1.0, 2.0, 3.0, 5.0, 7.0]
        } else if decades < 2.3 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let stride = (decades / 8.0).ceil().max(1.0) as usize;
        let (first, last) = (self.low.log10().floor() as i32, self.high.log10().ceil() as i32);
        let inside = |tick: &f64| *tick >= self.low * (1.0 - 1e-9) && *tick <= self.high * (1.0 + 1e-9);
        let mut ticks: Vec<f64> = (first..=last)
            .step_by(stride)
            .flat_map(|decade| factors.iter().map(move |factor| tidy(factor * 10f64.powi(decade))))
            .filter(inside)
            .filter(|tick| *tick >= least)
            .collect();
        if self.zero != self.start {
            ticks.insert(0, 0.0);
        }
        ticks
    }

    /// Describes spacing, range of values and range of pixels, for scripts that read values back from the chart.
    pub(crate) fn describe(&self) -> String {
        let kind = if self.spacing == Spacing::Log { "log" } else { "lin" };
        let zero = if self.zero == self.start { String::new() } else { format!(",{}", self.zero) };
        format!("{kind},{},{},{},{}{zero}", self.low, self.high, self.start, self.end)
    }
}

/// Returns the smallest of 1, 2, 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|factor| factor * power >= step * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// Removes rounding errors: 0.30000000000000004 becomes 0.3.
fn tidy(value: f64) -> f64 {
    format!("{value:.10e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(low: f64, high: f64, end: f64) -> Scale {
        Scale::linear(Bounds { low, high }, 0.0, end)
    }

    #[test]
    fn ticks_are_round_and_within_the_range() {
        assert_eq!(linear(0.0, 1.0, 400.0).ticks(0.0, 60.0), [0.0, 0.2, 0.4, 0.6, 0.8, 1.0],);
        assert_eq!(linear(0.0, 3.0, 400.0).ticks(1.0, 60.0), [0.0, 1.0, 2.0, 3.0]);
        assert_eq!(Scale::log(&[0.03, 2.5], 0.0, 300.0).ticks(0.0, 60.0), [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]);
        assert_eq!(Scale::log(&[10.0, 6e5], 0.0, 300.0).ticks(1.0, 60.0), [10.0, 100.0, 1e3, 1e4, 1e5]);
    }

    #[test]
    fn zero_has_a_place_of_its_own_on_a_log_scale() {
        let scale = Scale::log(&[0.0, 1.0, 1e3], 100.0, 400.0);
        assert_eq!(scale.position(0.0), Some(100.0));
        assert!(scale.position(1.0) > Some(110.0));
        assert_eq!(scale.ticks(1.0, 60.0)[0], 0.0);
    }

    #[test]
    fn degenerate_ranges_and_numbers_that_are_not_finite_do_no_harm() {
        for scale in [
            linear(2.0, 2.0, 10.0),
            linear(0.0, 0.0, 10.0),
            Scale::log(&[], 0.0, 10.0),
            Scale::log(&[f64::NAN, -1.0, 3.0], 0.0, 10.0),
        ] {
            assert_eq!(scale.position(f64::NAN), None);
            assert!(scale.position(3.0).is_some_and(|px| (0.0..=10.0).contains(&px)), "{scale:?}");
            assert!(scale.ticks(0.0, 60.0).len() < 20);
        }
    }
}
