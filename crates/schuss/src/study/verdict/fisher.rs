//! Fisher's exact test of two counts.

/// Trials of a recipe that reached the target, and trials that did not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) reached: usize,
    pub(super) missed: usize,
}

impl Counts {
    pub(super) fn total(self) -> usize {
        self.reached + self.missed
    }

    /// Returns counts of the same share in `total` trials.
    pub(super) fn of_total(self, total: usize) -> Self {
        let reached = (self.share() * total as f64).round() as usize;
        Self { reached, missed: total - reached }
    }

    /// Returns the share that reached the target; 0 of none.
    pub(super) fn share(self) -> f64 {
        self.reached as f64 / self.total().max(1) as f64
    }
}

/// Returns the two-sided p-value of Fisher's exact test: given how many trials reached the target in all, the
/// probability of counts that are no more likely than these (Fisher 1934; as R's `fisher.test` and scipy).
pub(super) fn p_value(a: Counts, b: Counts) -> f64 {
    let (n, reached) = (a.total() + b.total(), a.reached + b.reached);
    let lowest = reached.saturating_sub(b.total());
    let highest = reached.min(a.total());
    // hypergeometric: C(n_a, k) C(n_b, reached − k) / C(n, reached)
    let logs = log_factorials(n);
    let log_choose = |n: usize, k: usize| logs[n] - logs[k] - logs[n - k];
    let log =
        |k: usize| log_choose(a.total(), k) + log_choose(b.total(), reached - k) - log_choose(n, reached);
    let observed = log(a.reached);
    let logs = (lowest..=highest).map(log);
    let as_rare: f64 = logs.clone().filter(|log| *log <= observed + 1e-7).map(f64::exp).sum();
    as_rare / logs.map(f64::exp).sum::<f64>()
}

/// Returns ln 0!, ..., ln n!.
fn log_factorials(n: usize) -> Vec<f64> {
    let mut log = 0.0;
    let next = |k: usize| {
        log += (k.max(1) as f64).ln();
        log
    };
    (0..=n).map(next).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn p(a: [usize; 2], b: [usize; 2]) -> f64 {
        let counts = |[reached, missed]: [usize; 2]| Counts { reached, missed };
        p_value(counts(a), counts(b))
    }

    /// Values of scipy 1.17.1: `fisher_exact`.
    #[test]
    fn p_values_are_those_of_scipy() {
        let known = [
            ([5, 0], [0, 5], 0.007_936_507_936_507_938),
            ([4, 0], [0, 4], 0.028_571_428_571_428_567),
            ([3, 0], [0, 3], 0.1),
            ([5, 1], [2, 4], 0.242_424_242_424_242_43),
            ([10, 0], [6, 4], 0.086_687_306_501_547_99),
            ([3, 2], [3, 2], 1.0),
            ([8, 2], [1, 5], 0.034_965_034_965_034_975),
            ([600, 400], [550, 450], 0.026635537710441002),
        ];
        for (a, b, expected) in known {
            assert!((p(a, b) - expected).abs() < 1e-12, "{a:?} {b:?} {}", p(a, b));
        }
    }

    /// The naive twin deals the hits to the trials in every possible way.
    #[test]
    fn it_is_the_share_of_deals_that_are_as_rare() {
        let (n_a, n_b, hits) = (4, 5, 4);
        let mut ways = [0.0; 6];
        for deal in 0_u32..1 << (n_a + n_b) {
            if deal.count_ones() == hits {
                ways[(deal & 0b1111).count_ones() as usize] += 1.0;
            }
        }
        let all: f64 = ways.iter().sum();
        for k in 0..=4 {
            let naive = ways.iter().filter(|w| **w <= ways[k]).sum::<f64>() / all;
            let found = p([k, n_a - k], [4 - k, n_b + k - 4]);
            assert!((found - naive).abs() < 1e-12, "{k} {found} {naive}");
        }
    }
}
