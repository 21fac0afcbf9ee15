//! Reports of runs: result tables for the terminal, charts as SVG and PNG, and an HTML page with all of them.
//!
//! Everything here is a pure function of a run's [`Summary`] and its [`Trace`]s: the same records give the same
//! bytes. Nothing is written to disk.
#![forbid(unsafe_code)]

mod chart;
mod closing;
mod figures;
pub mod html;
#[cfg(feature = "png")]
mod png;
mod recipes;
pub mod table;
mod tables;
mod text;
mod tuning;
mod verdict;

pub use chart::growth::GrowthChart;
pub use closing::closing;
pub use text::shell_word;
pub use verdict::verdict;

use chart::Fineness;
use figures::Figures;
use schuss::record::{Summary, Trace};
use schuss_data::Result;

/// Returns the title of a run: its own title, else the name of its study, else recipe and data.
fn title(summary: &Summary) -> String {
    let study = &summary.study;
    let made_of_flags = ["compare", "train"].contains(&study.name.as_str());
    match (study.title.as_str(), recipes::recipes(summary, &[]).as_slice()) {
        ("", [first, others @ ..]) if made_of_flags => {
            let what =
                if others.is_empty() { first.name.clone() } else { format!("{} recipes", 1 + others.len()) };
            format!("{what} on {}", data_name(&summary.workload.data))
        }
        ("", _) => text::without_folders(&study.name),
        (title, _) => text::without_folders(title),
    }
}

/// Returns the name of the data: `digits` for `digits:train=100`, the file name for a path.
fn data_name(data: &str) -> String {
    let data = text::without_folders(data);
    data.split_once(':').map_or(data.as_str(), |(name, _)| name).to_owned()
}

/// File formats of charts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Formats {
    /// SVG only, which takes a millisecond in all.
    Svg,
    /// SVG, and the same rendered as PNG, which takes about a hundredth of a second per chart; in builds with the
    /// feature `png`.
    SvgAndPng,
}

/// Name and contents of a file.
pub type NamedFile = (String, Vec<u8>);

/// Returns every chart of a run as a file. `traces` are in the order of `summary.trials`; missing ones mean that
/// nothing was recorded.
///
/// # Errors
/// If a chart cannot be rendered as PNG, or this build cannot draw PNG.
pub fn charts(summary: &Summary, traces: &[Trace], formats: Formats) -> Result<Vec<NamedFile>> {
    let origin = text::without_folders(&summary.data.origin);
    let subtitle = [title(summary), origin, summary.workload.model.clone()].join(" · ");
    let figures = Figures::new(summary, traces, Fineness::FULL);
    let svgs = figures.all().map(|figure| {
        let svg = figure.drawing.standalone(&figure.full_title(), &subtitle, &figure.caption);
        (figure.slug.clone(), svg)
    });
    let svgs: Vec<(String, String)> = svgs.collect();
    let mut files = match formats {
        Formats::Svg => Vec::new(),
        Formats::SvgAndPng => pngs(&svgs)?,
    };
    files.extend(svgs.into_iter().map(|(slug, svg)| (format!("{slug}.svg"), svg.into_bytes())));
    Ok(files)
}

#[cfg(feature = "png")]
fn pngs(svgs: &[(String, String)]) -> Result<Vec<NamedFile>> {
    use rayon::prelude::*;
    let renderer = png::Renderer::new();
    svgs.par_iter().map(|(slug, svg)| Ok((format!("{slug}.png"), renderer.png(svg)?))).collect()
}

#[cfg(not(feature = "png"))]
fn pngs(_: &[(String, String)]) -> Result<Vec<NamedFile>> {
    Err(schuss_data::Error::usage("this schuss was built without PNG charts")
        .because(schuss_data::Cause::NotBuiltIn { feature: "png" })
        .at(schuss_data::Place::api("feature `png`"))
        .advise("cargo build --release --features png, or the charts as SVG"))
}
