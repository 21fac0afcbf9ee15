//! Which charts a run has: from records to the numbers that `chart` draws.

mod costs;
mod curves;
mod surfaces;
mod updates;

use crate::{
    chart::{Drawing, Fineness},
    recipes::recipes,
};
use schuss::study::record::{Summary, Trace};

/// A chart with the words that belong to it.
pub(crate) struct Figure {
    /// File name without its ending.
    pub(crate) slug: String,
    /// What the title is about, where the page says so already.
    pub(crate) subject: String,
    pub(crate) title: String,
    pub(crate) caption: String,
    pub(crate) drawing: Drawing,
}

impl Figure {
    /// The title of a chart that stands alone.
    pub(crate) fn full_title(&self) -> String {
        if self.subject.is_empty() { self.title.clone() } else { format!("{}: {}", self.subject, self.title) }
    }
}

/// The charts of a run, by section of the page.
pub(crate) struct Figures {
    /// Per metric, the same curve against epochs, updates and seconds.
    pub(crate) curves: Vec<[Figure; 3]>,
    /// What epochs, the target and further points of accuracy took.
    pub(crate) costs: Vec<Figure>,
    /// The loss after every single update, one per trial.
    pub(crate) updates: Vec<Figure>,
    /// Per error surface, its contours and what belongs to them.
    pub(crate) surfaces: Vec<Vec<Figure>>,
}

impl Figures {
    pub(crate) fn new(summary: &Summary, traces: &[Trace], fineness: Fineness) -> Self {
        let mut recipes = recipes(summary, traces);
        recipes.truncate(fineness.recipes);
        Self {
            curves: curves::figures(summary, &recipes, fineness),
            costs: costs::figures(summary, &recipes, fineness),
            updates: updates::figures(&recipes, fineness),
            surfaces: surfaces::figures(&summary.surfaces, fineness),
        }
    }

    /// Every chart, in the order of the page.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Figure> {
        let curves = self.curves.iter().flatten();
        curves.chain(&self.costs).chain(&self.updates).chain(self.surfaces.iter().flatten())
    }
}
