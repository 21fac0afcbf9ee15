//! Studies: comparison of trials, with statistics over their seeds.

mod accumulation;
mod alike;
mod checkpoint;
mod choices;
pub mod curve;
mod file;
mod folder;
mod learning;
mod metrics;
mod origin;
mod plan;
mod run;
mod statistics;
pub mod surface;
mod trial_folder;

pub use choices::Choices;
pub use file::{Observe, StudyFile, TrialEntry, Workload};
pub use folder::{REPORT, RunFolder, to_json};
pub use origin::Origin;
pub use plan::{Axes, Planned, Study};
pub use run::{Begun, Finished, Watcher, run};
