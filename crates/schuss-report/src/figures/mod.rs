//! Charts of a run: conversion of records to the numbers that `chart` draws.

mod costs;
mod curves;
mod instruments;
mod seeds;
mod surfaces;
mod tuning;
mod updates;

use crate::{
    chart::{Drawing, Fineness},
    recipes::recipes,
};
use schuss::record::{Summary, Trace};

/// Chart with its title and caption.
pub(crate) struct Figure {
    /// File name without extension.
    pub(crate) slug: String,
    /// Subject of the title, if already given on the page.
    pub(crate) subject: String,
    pub(crate) title: String,
    pub(crate) caption: String,
    pub(crate) drawing: Drawing,
}

impl Figure {
    /// Returns the title of a standalone chart.
    pub(crate) fn full_title(&self) -> String {
        if self.subject.is_empty() { self.title.clone() } else { format!("{}: {}", self.subject, self.title) }
    }
}

/// Charts of a run, by section of the page.
pub(crate) struct Figures {
    /// For each metric, the same curve against epochs, updates and seconds.
    pub(crate) curves: Vec<[Figure; 3]>,
    /// Seconds per epoch, to the target and per further point of accuracy.
    pub(crate) costs: Vec<Figure>,
    /// Readings of instruments, one chart per layer.
    pub(crate) instruments: Vec<Figure>,
    /// Loss of every update, one chart per trial.
    pub(crate) updates: Vec<Figure>,
    /// Loss and time to the target against the learning rates probed.
    pub(crate) tuning: Vec<Figure>,
    /// For each error surface, its contours and related charts.
    pub(crate) surfaces: Vec<Vec<Figure>>,
}

impl Figures {
    pub(crate) fn new(summary: &Summary, traces: &[Trace], fineness: Fineness) -> Self {
        let mut recipes = recipes(summary, traces);
        recipes.truncate(fineness.recipes);
        Self {
            curves: curves::figures(summary, &recipes, fineness),
            costs: costs::figures(summary, &recipes, fineness),
            instruments: instruments::figures(summary, &recipes, fineness),
            updates: updates::figures(&recipes, fineness),
            tuning: tuning::figures(summary, fineness),
            surfaces: surfaces::figures(&summary.surfaces, fineness),
        }
    }

    /// Returns all charts, in the order of the page.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Figure> {
        let curves = self.curves.iter().flatten();
        let charts = [&self.costs, &self.tuning, &self.instruments, &self.updates].into_iter().flatten();
        curves.chain(charts).chain(self.surfaces.iter().flatten())
    }
}
