//! Processor that a trial runs on.

use crate::spec;
use crate::{Error, Result};
use std::fmt;
use std::str::FromStr;

/// Processor that a trial runs on. Bits differ between processors, so it belongs to the recipe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Device {
    /// Processor cores.
    #[default]
    Cpu,
    /// A graphics card: the fastest, or the first whose name contains this text.
    Gpu(Option<String>),
}

impl FromStr for Device {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        match (text.to_lowercase().as_str(), text.split_once(':')) {
            ("cpu", _) => Ok(Self::Cpu),
            ("gpu", _) => Ok(Self::Gpu(None)),
            (_, Some((kind, name))) if kind.eq_ignore_ascii_case("gpu") && !name.trim().is_empty() => {
                Ok(Self::Gpu(Some(name.trim().to_owned())))
            }
            (other, _) => Err(spec::unknown("device", other, &["cpu", "gpu", "gpu:NAME"])),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Gpu(None) => f.write_str("gpu"),
            Self::Gpu(Some(name)) => write!(f, "gpu:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_survive_a_round_trip_and_others_are_refused() {
        for text in ["cpu", "gpu", "gpu:NVIDIA H100"] {
            assert_eq!(text.parse::<Device>().unwrap().to_string(), text);
        }
        assert_eq!(Device::default(), " CPU ".parse().unwrap());
        for text in ["gpu:", "gpu: ", "tpu", "cpu:0", ""] {
            assert_eq!(text.parse::<Device>().unwrap_err().exit_code(), 2, "{text}");
        }
    }

    #[test]
    fn names_of_pytorch_lead_to_the_graphics_card() {
        for text in ["cuda", "mps"] {
            let error = text.parse::<Device>().unwrap_err();
            assert!(error.to_string().contains("--device gpu"), "{error}");
        }
    }
}
