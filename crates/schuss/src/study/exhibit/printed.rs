//! Results that a lecture printed, shown beside the measured ones.

use crate::record::{ReferenceRecord, TrialRecord};
use crate::study::TrialEntry;

/// Results of one recipe in print.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Printed {
    /// Losses and accuracies.
    pub results: Vec<ReferenceRecord>,
    /// Seconds per epoch.
    pub seconds: Option<f64>,
}

impl Printed {
    /// Returns the results that a study file gives for a recipe.
    pub(in crate::study) fn of(entry: &TrialEntry) -> Self {
        Self { results: entry.reference.clone(), seconds: entry.reference_seconds }
    }

    /// Adds the results to the record of a trial.
    pub(in crate::study) fn enter(&self, record: &mut TrialRecord) {
        record.reference.clone_from(&self.results);
        record.reference_seconds = self.seconds;
    }
}
