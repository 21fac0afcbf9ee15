//! Paths of optimizers over error surfaces of two weights.

use super::Gallery;
use crate::Result;
use crate::record::Summary;
use crate::study::surface;

/// Adds the surfaces that the study names.
///
/// # Errors
/// A usage error for an unknown surface.
pub(super) fn draw(gallery: &Gallery, summary: &mut Summary) -> Result<()> {
    let names = gallery.study.surfaces.iter().take_while(|_| !gallery.control.interrupted());
    for name in names {
        summary.surfaces.push(surface::draw(name, gallery.study.seeds[0])?);
    }
    Ok(())
}
