//! Trials compared, and the statistics over them.

mod accumulation;
mod choices;
pub mod curve;
mod file;
mod folder;
mod plan;
pub mod record;
mod run;
mod statistics;
pub mod surface;

pub use choices::Choices;
pub use file::{Observe, StudyFile, TrialEntry, Workload};
pub use folder::{RunFolder, to_json};
pub use plan::{Axes, Planned, Study};
pub use run::{Finished, Watcher, run};
