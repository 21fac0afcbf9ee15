//! schuss trains the same network with different update rules and optimizers, and reports which of them is fastest.
//!
//! # Terms
//!
//! - An [`UpdateRule`] says how many samples feed one weight update: all (`epoch`), some (`batch:100`), one
//!   (`sample`).
//! - An [optimizer](optim) turns the gradient of an update into new weights.
//! - A [`Recipe`] is both, plus everything else about *how* to train; a [`Trial`] adds data, network, [`Budget`] and
//!   seed: everything that can change a bit of the result.
//! - A [`Session`](session::Session) runs a trial; a [`Study`](study::Study) compares several.
//!
//! # Example
//!
//! ```
//! use schuss::optim::Adam;
//! use schuss::session::{Limits, Session};
//! use schuss::{Budget, Recipe, Trial, UpdateRule};
//!
//! # fn main() -> schuss::Result<()> {
//! let data = schuss::data::load("digits:train=1000,test=200")?;
//! let trial = Trial {
//!     model: "784-50-10".parse()?,
//!     recipe: Recipe {
//!         update: UpdateRule::Batch(20),
//!         optimizer: Adam { lr: 1e-3, ..Adam::default() }.into(), // or "adam:lr=0.001".parse()?
//!         ..Recipe::default()
//!     },
//!     budget: Budget { epochs: 3, ..Budget::default() },
//!     ..Trial::default()
//! };
//! let mut session = Session::new(&trial, &data, Limits::default())?;
//! let outcome = session.run()?;
//! assert_eq!(outcome.updates, 150);
//! assert!(outcome.evaluation.unwrap().accuracy.unwrap() > 0.5);
//! # Ok(())
//! # }
//! ```
//!
//! # Reproducibility
//!
//! A trial determines every bit of weights, optimizer state and metrics, for any number of threads, any microbatch and
//! every instruction set; see ARCHITECTURE.md for details.
#![forbid(unsafe_code)]

pub mod doctor;
pub mod files;
pub mod instrument;
mod json;
pub mod loss;
pub mod machine;
pub mod metrics;
pub mod network;
pub mod optim;
pub mod recipe;
pub mod record;
pub mod schedule;
pub mod session;
pub mod spec;
pub mod state;
pub mod study;

pub use recipe::{Budget, Recipe, Trial, UpdateRule};
pub use schuss_data as data;
pub use schuss_data::{Cause, Error, ErrorKind, Place, Result};
