//! Exhibits: what a study shows beside the results of its trials. One file per exhibit, one row in the table.

mod accumulation;
pub(super) mod plane;
mod printed;
mod surfaces;

pub use printed::Printed;

use super::plan::Study;
use crate::Result;
use crate::record::Summary;
use crate::session::{Control, Limits};
use schuss_data::Dataset;

/// Study that exhibits belong to, and the means to draw them.
pub(super) struct Gallery<'a> {
    pub(super) study: &'a Study,
    pub(super) data: &'a Dataset,
    pub(super) limits: Limits,
    pub(super) control: &'a Control,
}

/// Exhibits drawn before the trials run; each adds to the summary what the study asks for.
const EXHIBITS: [fn(&Gallery, &mut Summary) -> Result<()>; 2] = [surfaces::draw, accumulation::draw];

impl Gallery<'_> {
    /// Draws all exhibits until interrupted.
    ///
    /// # Errors
    /// Any error of an exhibit.
    pub(super) fn draw(&self, summary: &mut Summary) -> Result<()> {
        let mut exhibits = EXHIBITS.iter().take_while(|_| !self.control.interrupted());
        exhibits.try_for_each(|draw| draw(self, summary))
    }
}
