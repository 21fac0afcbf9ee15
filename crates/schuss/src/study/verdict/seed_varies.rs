//! Parts of a trial that depend on its seed, in words.

use crate::record::ResampledRecord;
use crate::record::numbers::list;

/// Returns what a seed varies.
pub(super) fn words(resampled: Option<&ResampledRecord>) -> String {
    let splits = match resampled {
        None => return "initial weights and order of samples".to_owned(),
        Some(ResampledRecord { folds: Some(folds), .. }) => {
            format!("the held-out fold ({})", repeated(folds))
        }
        Some(ResampledRecord { folds: None, splits }) => {
            let all: Vec<String> =
                std::iter::once("training".to_owned()).chain(splits.iter().rev().cloned()).collect();
            format!("the split into {} samples", list(&all))
        }
    };
    format!("initial weights, order of samples and {splits}")
}

/// Returns `5x2` as `5 folds, repeated twice`.
fn repeated(folds: &str) -> String {
    match folds.split_once('x') {
        None => format!("{folds} folds"),
        Some((folds, "2")) => format!("{folds} folds, repeated twice"),
        Some((folds, repeats)) => format!("{folds} folds, repeated {repeats} times"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_seed_varies_is_said_with_the_splits_that_it_draws() {
        let of = |folds: Option<&str>, splits: &[&str]| {
            let splits = splits.iter().map(ToString::to_string).collect();
            words(Some(&ResampledRecord { folds: folds.map(str::to_owned), splits }))
        };
        assert_eq!(words(None), "initial weights and order of samples");
        assert_eq!(
            of(None, &["test", "validation"]),
            "initial weights, order of samples and the split into training, validation and test samples"
        );
        assert!(of(Some("5x2"), &["test"]).ends_with("the held-out fold (5 folds, repeated twice)"));
        assert!(of(Some("10"), &["test"]).ends_with("the held-out fold (10 folds)"));
    }
}
