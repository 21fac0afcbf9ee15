//! The exact sign-flip test of paired differences.

/// Largest number of differences: beyond it the halves of the enumeration no longer fit into memory.
const MOST: usize = 40;

/// Returns the two-sided p-value: the share of all 2ⁿ ways of giving the differences signs for which the sum is at least
/// as far from zero as the observed one (Fisher, The Design of Experiments, 1935, section 21). It assumes nothing but
/// that each difference is as likely to have either sign. `None` for no difference or more than 40.
///
/// The sums of each half of the differences are sorted, and pairs of them counted.
pub(super) fn p_value(differences: &[f64]) -> Option<f64> {
    if differences.is_empty() || differences.len() > MOST {
        return None;
    }
    let observed = differences.iter().sum::<f64>().abs();
    let rounding = 1e-12 * differences.iter().map(|difference| difference.abs()).sum::<f64>();
    let (left, right) = differences.split_at(differences.len() / 2);
    let (left, mut right) = (signed_sums(left), signed_sums(right));
    right.sort_by(f64::total_cmp);
    // signs can all be reversed, so both tails are equal; sums within rounding of zero belong to both
    let far = left.iter().map(|sum| {
        let below = right.partition_point(|other| sum + other < observed - rounding);
        let beyond = right.partition_point(|other| sum + other <= -observed + rounding);
        (right.len() - below + beyond).min(right.len()) as f64
    });
    Some(far.sum::<f64>() / 0.5_f64.powi(-(differences.len() as i32)))
}

/// Returns the sums of `differences` with every choice of signs.
fn signed_sums(differences: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0];
    for difference in differences {
        sums = sums.iter().flat_map(|sum| [sum + difference, sum - difference]).collect();
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of scipy 1.17.1: `permutation_test(.., permutation_type="samples", n_resamples=inf)` of the mean.
    #[test]
    fn p_values_are_those_of_scipy() {
        assert_eq!(p_value(&[1.3, -0.2, 0.9, 0.4, 1.1, 0.5, -0.1]), Some(0.0625));
        assert_eq!(p_value(&[0.3, 0.2, 0.9, 0.4, 1.1, 0.5]), Some(0.03125));
    }

    #[test]
    fn five_differences_cannot_reach_the_level_and_six_can() {
        assert_eq!(p_value(&[1.0; 5]), Some(2.0 / 32.0));
        assert_eq!(p_value(&[1.0; 6]), Some(2.0 / 64.0));
        assert_eq!(p_value(&[0.0; 6]), Some(1.0));
        assert_eq!(p_value(&[]), None);
    }

    /// The naive twin tries all signs.
    #[test]
    fn counting_pairs_of_halves_is_trying_all_signs() {
        let values = [0.31, -0.12, 0.55, 0.07, -0.4, 0.2, 0.9, -0.33, 0.11];
        for n in 1..=values.len() {
            let observed = values[..n].iter().sum::<f64>().abs();
            let flipped = |signs: u32| {
                let sign = |i: usize| if signs >> i & 1 == 1 { -1.0 } else { 1.0 };
                (0..n).map(|i| sign(i) * values[i]).sum::<f64>().abs()
            };
            let far = (0..1 << n).filter(|signs| flipped(*signs) >= observed - 1e-12).count();
            assert_eq!(p_value(&values[..n]), Some(far as f64 / f64::from(1 << n)));
        }
    }
}
