//! Holm's adjustment of several p-values.

/// Returns the p-values adjusted so that the probability of one or more false positives among `tests` tests stays at
/// the level (Holm, A Simple Sequentially Rejective Multiple Test Procedure, 1979). The i-th lowest, from 0, is
/// multiplied by `tests` − i, and none is lower than one before it. Tests without a p-value count as not significant.
pub(super) fn adjusted(p_values: &[Option<f64>], tests: usize) -> Vec<Option<f64>> {
    let mut order: Vec<usize> = (0..p_values.len()).filter(|index| p_values[*index].is_some()).collect();
    order.sort_by(|a, b| p_values[*a].unwrap_or(1.0).total_cmp(&p_values[*b].unwrap_or(1.0)));
    let mut adjusted = vec![None; p_values.len()];
    let mut highest = 0.0_f64;
    for (rank, index) in order.into_iter().enumerate() {
        let factor = tests.saturating_sub(rank).max(1) as f64;
        highest = highest.max(p_values[index].unwrap_or(1.0) * factor).min(1.0);
        adjusted[index] = Some(highest);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: 4 · 0.005, 3 · 0.01, 2 · 0.03, and 1 · 0.04 raised to the one before.
    #[test]
    fn the_lowest_of_four_is_multiplied_by_four_and_none_falls_below_a_lower_one() {
        let found = adjusted(&[0.01, 0.04, 0.03, 0.005].map(Some), 4);
        for (found, expected) in found.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((found.unwrap() - expected).abs() < 1e-15);
        }
    }

    #[test]
    fn tests_that_say_nothing_count_all_the_same() {
        assert_eq!(adjusted(&[None, Some(0.01)], 2), [None, Some(0.02)]);
        assert_eq!(adjusted(&[Some(0.5), Some(0.9)], 3), [Some(1.0), Some(1.0)]);
    }
}
