//! Record of a learning rate that was looked for.

use super::{Bounds, IntervalKind, ProbePoint, TuningCost};
use serde::{Deserialize, Serialize};

/// Learning rate found for a recipe, and how sure it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RateRecord {
    /// Optimizer at the best rate, else as it was given.
    pub optimizer: String,
    /// Best rate; `None` if it cannot be told.
    pub rate: Option<f64>,
    /// Interval of the seeds' own best rates; `None` if the rate cannot be told.
    pub interval: Option<Bounds>,
    /// Kind of the interval: of the median, or the range for few seeds.
    pub interval_kind: IntervalKind,
    /// Rates at which the loss is at most 10 % above the lowest; `None` if the rate cannot be told.
    pub good_rates: Option<Bounds>,
    /// Lowest rate above the best at which a trial diverged or ended above the loss before training; `None` if none did.
    pub diverges_from: Option<f64>,
    /// Reason why no rate can be told.
    pub cannot_tell: Option<String>,
    /// Smallest and largest rate tried.
    pub tried: Bounds,
    /// Seeds of the probes of the last rung.
    pub seeds: Vec<u64>,
    /// Cost of all probes.
    pub cost: TuningCost,
    /// Probes, in order.
    pub probes: Vec<ProbePoint>,
}
