//! Precision of the matrix products of a step.

use crate::Error;
use crate::spec;
use schuss_kernels::{Precision, bf16};
use std::fmt;
use std::str::FromStr;

/// `highest` (f32), `high` or `medium`, as in `torch.set_float32_matmul_precision`. The lower settings permit less
/// precision where that is faster, but do not require it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MatmulPrecision(pub(crate) Precision);

impl MatmulPrecision {
    /// Returns a warning if this machine cannot make use of the setting.
    pub fn warning(self) -> Option<String> {
        let unable = self.0 != Precision::Highest && bf16::Unit::detect().is_none();
        unable.then(|| {
            format!(
                "matmul precision `{self}` needs AMX, which this machine does not have: products stay in f32"
            )
        })
    }
}

impl FromStr for MatmulPrecision {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let name = text.trim().to_lowercase();
        let names = Precision::ALL.map(Precision::name);
        let found = Precision::ALL.into_iter().find(|precision| precision.name() == name);
        found.map(Self).ok_or_else(|| spec::unknown("matmul precision", &name, &names))
    }
}

impl fmt::Display for MatmulPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precisions_are_pytorchs_words_and_others_are_refused_with_the_nearest() {
        for text in ["highest", "high", "medium"] {
            assert_eq!(text.parse::<MatmulPrecision>().unwrap().to_string(), text);
        }
        assert_eq!(MatmulPrecision::default().to_string(), "highest");
        let error = "hihg".parse::<MatmulPrecision>().unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().contains("did you mean `high`?"), "{error}");
    }
}
