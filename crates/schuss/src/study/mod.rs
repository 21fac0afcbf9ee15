//! Studies: comparison of trials, with statistics over their seeds.

mod alike;
mod axes;
mod checkpoint;
pub mod curve;
mod exhibit;
mod file;
mod find_model;
mod folder;
mod learning;
mod merge;
mod metrics;
mod origin;
mod plan;
mod recommend;
mod run;
mod seeds;
mod statistics;
pub mod surface;
mod trained_model;
mod trial_folder;
pub mod tune;
mod verdict;

pub use crate::recipe::{Choices, Workload};
pub use axes::Axes;
pub use exhibit::Printed;
pub use file::{Observe, StudyFile, TrialEntry};
pub use folder::{REPORT, RunFolder, to_json};
pub use plan::{Planned, Study};
pub use recommend::{Question, Recommended};
pub use run::{Begun, Finished, Watcher, run};
pub use seeds::Seeds;
pub use trained_model::{EvaluationData, TrainedModel};
pub use tune::Tune;
pub use verdict::Tie;
