//! Interval between checkpoints.

use crate::{Error, Result};
use schuss_data::text::parse_time;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// Interval between checkpoints, in addition to those at the ends of epochs: `30s`, `1e` (which adds none), `500u`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Cadence {
    /// Time since the last checkpoint.
    Seconds(Duration),
    /// Number of epochs; there is no checkpoint at the ends of other epochs.
    Epochs(u32),
    /// Number of updates.
    Updates(u64),
}

impl Default for Cadence {
    /// Every 30 seconds.
    fn default() -> Self {
        Self::Seconds(Duration::from_secs(30))
    }
}

impl FromStr for Cadence {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = || {
            Error::usage(format!("`{text}` is not an interval between checkpoints"))
                .advise("use 30s or 10m (time), 1e (epochs) or 500u (updates)")
        };
        let (number, unit) =
            text.trim().split_at_checked(text.trim().len().saturating_sub(1)).ok_or_else(refuse)?;
        let cadence = match unit {
            "e" => number.parse().ok().filter(|epochs| *epochs > 0).map(Self::Epochs),
            "u" => number.parse().ok().filter(|updates| *updates > 0).map(Self::Updates),
            _ => parse_time(text).ok().map(Self::Seconds),
        };
        cadence.ok_or_else(refuse)
    }
}

impl TryFrom<String> for Cadence {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Cadence> for String {
    fn from(cadence: Cadence) -> Self {
        cadence.to_string()
    }
}

impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(seconds) => write!(f, "{}s", seconds.as_secs_f64()),
            Self::Epochs(epochs) => write!(f, "{epochs}e"),
            Self::Updates(updates) => write!(f, "{updates}u"),
        }
    }
}

/// Shortest time between checkpoints at the ends of epochs, unless the interval is shorter.
const BETWEEN_EPOCHS: Duration = Duration::from_secs(1);

impl Cadence {
    /// Returns the time of the next checkpoint after `last`, if the interval is in seconds.
    pub(super) fn due(&self, last: Instant) -> Option<Instant> {
        match self {
            Self::Seconds(seconds) => last.checked_add(*seconds),
            Self::Epochs(_) | Self::Updates(_) => None,
        }
    }

    /// Returns true if a checkpoint is due at the end of an epoch, so long after the last one. Ends of short epochs would have
    /// the disk written to all the time.
    pub(super) fn is_at_epoch(&self, epoch: u32, since_last: Duration) -> bool {
        match self {
            Self::Epochs(every) => epoch.is_multiple_of(*every),
            Self::Seconds(seconds) => since_last >= (*seconds).min(BETWEEN_EPOCHS),
            Self::Updates(_) => true,
        }
    }

    /// Returns true if a checkpoint is due after an update.
    pub(super) fn falls_on(&self, update: u64) -> bool {
        matches!(self, Self::Updates(every) if update > 0 && update.is_multiple_of(*every))
    }

    /// Returns true if a checkpoint is due after one of the updates from `before + 1` to `now`.
    pub(super) fn falls_between(&self, before: u64, now: u64) -> bool {
        matches!(self, Self::Updates(every) if before / every < now / every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cadences_are_read_as_they_are_written() {
        for text in ["30s", "0.05s", "1e", "500u"] {
            assert_eq!(text.parse::<Cadence>().unwrap().to_string(), text);
        }
        assert_eq!("10m".parse::<Cadence>().unwrap().to_string(), "600s");
    }

    #[test]
    fn what_is_no_cadence_is_refused_with_examples() {
        for text in ["", "s", "30", "0s", "-1s", "nans", "infs", "0e", "1.5e", "0u", "5x", "é"] {
            let error = text.parse::<Cadence>().unwrap_err();
            assert_eq!(error.exit_code(), 2, "{text}");
            assert!(error.to_string().contains("30s"), "{error}");
        }
    }

    #[test]
    fn updates_that_come_in_blocks_are_kept_behind_the_block_that_holds_one_that_counts() {
        let every = Cadence::Updates(100);
        assert!(
            every.falls_between(84, 168) && every.falls_between(99, 100) && !every.falls_between(100, 184)
        );
        assert!(every.falls_on(200) && !every.falls_on(0) && !every.falls_on(201));
    }

    #[test]
    fn ends_of_short_epochs_are_kept_once_a_second_or_as_often_as_the_interval_says() {
        let ms = Duration::from_millis;
        let usual = Cadence::default();
        assert!(!usual.is_at_epoch(1, ms(900)) && usual.is_at_epoch(1, ms(1_000)));
        let often = Cadence::Seconds(ms(50));
        assert!(!often.is_at_epoch(1, ms(40)) && often.is_at_epoch(1, ms(50)));
        assert!(Cadence::Epochs(2).is_at_epoch(4, ms(0)) && !Cadence::Epochs(2).is_at_epoch(3, ms(9_000)));
        assert!(Cadence::Updates(500).is_at_epoch(1, ms(0)));
    }
}
