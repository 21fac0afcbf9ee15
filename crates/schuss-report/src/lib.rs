//! From records to pictures: result tables for the terminal, charts as SVG and PNG, and one page with all of it.
//!
//! Everything here is a pure function of a run's [`Summary`] and its [`Trace`]s: the same records give the same
//! bytes. Files are written by whoever calls [`write()`].
#![forbid(unsafe_code)]

mod chart;
mod figures;
pub mod html;
mod png;
mod recipes;
pub mod table;
mod tables;
mod text;
mod verdict;

pub use verdict::verdict;

use chart::Fineness;
use figures::Figures;
use schuss::study::record::{Summary, Trace};
use schuss_data::Result;
use std::path::{Path, PathBuf};

/// Writes `report.html` and `charts/*.{svg,png}` into a folder, by `write_file`, and returns their paths.
///
/// `traces` stand in the order of `summary.trials`; missing ones mean that nothing was kept.
pub fn write(
    folder: &Path,
    summary: &Summary,
    traces: &[Trace],
    write_file: &dyn Fn(&Path, &[u8]) -> Result<()>,
) -> Result<Vec<PathBuf>> {
    let mut written = Vec::new();
    let mut put = |path: PathBuf, bytes: &[u8]| {
        write_file(&path, bytes)?;
        written.push(path);
        Ok(())
    };
    put(folder.join("report.html"), html::page(summary, traces).as_bytes())?;
    let charts = folder.join("charts");
    let renderer = png::Renderer::new();
    let subtitle = format!("{} · {} · {}", summary.study.name, summary.data.origin, summary.workload.model);
    for figure in Figures::new(summary, traces, Fineness::FULL).all() {
        let svg = figure.drawing.standalone(&figure.full_title(), &subtitle, &figure.caption);
        put(charts.join(format!("{}.svg", figure.slug)), svg.as_bytes())?;
        put(charts.join(format!("{}.png", figure.slug)), &renderer.png(&svg)?)?;
    }
    Ok(written)
}
