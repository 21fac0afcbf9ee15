//! HTML report: one file that opens offline, works without scripts and loads no external resources.

mod parts;

use crate::{
    chart::{
        DIRECT_LABELS, Fineness,
        palette::{self, DARK, LIGHT},
    },
    closing::tuning_cost,
    figures::{Figure, Figures},
    recipes::{self, recipes},
    tables::{Table, exhibits, tables},
    text::{count, escape, list, percent, shorten, without_folders},
    verdict,
};
use parts::{Parts, definition};
use schuss::recipe::{ChoiceKey, Row};
use schuss::record::{Summary, SurfaceRecord, Trace, TrialRecord};
use schuss_data::text::listed;
use std::fmt::Write as _;

/// Maximum size of a page, in bytes.
pub const LARGEST: usize = 200_000;

/// Level of detail of a page.
#[derive(Clone, Copy)]
struct Detail {
    fineness: Fineness,
    /// Maximum number of charts in a section with one per trial or per surface.
    charts: usize,
    /// Maximum number of rows per table and items per list.
    rows: usize,
    /// Maximum length of a text from the user, in characters.
    text: usize,
}

/// Levels of detail, from everything to one that always fits.
const DETAILS: [Detail; 6] = [
    Detail { fineness: fineness(0.2, 200, 60), charts: 24, rows: 200, text: 20_000 },
    Detail { fineness: fineness(0.4, 120, 40), charts: 16, rows: 100, text: 4_000 },
    Detail { fineness: fineness(0.8, 80, 40), charts: 12, rows: 60, text: 800 },
    Detail { fineness: fineness(2.0, 50, 16), charts: 6, rows: 40, text: 200 },
    Detail { fineness: fineness(4.0, 30, 6), charts: 0, rows: 20, text: 80 },
    Detail { fineness: fineness(4.0, 30, 0), charts: 0, rows: 12, text: 40 },
];

const fn fineness(tolerance: f64, columns: usize, recipes: usize) -> Fineness {
    Fineness { tolerance, columns, recipes }
}

/// Returns the report of a run as one HTML page of at most [`LARGEST`] bytes.
///
/// `traces` are in the order of `summary.trials`; missing ones mean that nothing was recorded.
pub fn page(summary: &Summary, traces: &[Trace]) -> String {
    let page = |detail| Page { summary, detail, parts: Parts::new(detail) }.build(traces);
    let fits = |page: &String| page.len() <= LARGEST;
    let coarsest = || page(DETAILS[DETAILS.len() - 1]);
    DETAILS.into_iter().map(page).find(fits).unwrap_or_else(coarsest)
}

/// A page being built.
struct Page<'a> {
    summary: &'a Summary,
    detail: Detail,
    parts: Parts,
}

impl Page<'_> {
    fn build(mut self, traces: &[Trace]) -> String {
        let figures = Figures::new(self.summary, traces, self.detail.fineness);
        self.head();
        self.introduction();
        self.result();
        self.reconstructions(traces);
        self.curves(&figures.curves);
        self.costs(&figures.costs);
        self.tuning(&figures.tuning);
        self.instruments(&figures.instruments);
        self.updates(&figures.updates);
        self.surfaces(&figures.surfaces);
        self.details();
        let script = include_str!("script.js");
        let _ = writeln!(self.parts.html, "</main><script>{script}</script></body></html>");
        self.parts.html
    }

    fn head(&mut self) {
        let title = escape(&shorten(&crate::title(self.summary), self.detail.text));
        let _ = write!(
            self.parts.html,
            "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
             style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\
             <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
             <meta name=\"color-scheme\" content=\"light dark\"><title>{title}</title><style>{}</style></head><body><main>",
            style_sheet()
        );
    }

    fn introduction(&mut self) {
        let summary = self.summary;
        let study = &summary.study;
        self.parts.open("<header>");
        self.parts.paragraph("kicker", &format!("schuss · {}", study.name));
        self.parts.heading(1, &crate::title(summary));
        for (i, sentence) in verdict::verdict(summary).iter().enumerate() {
            self.parts.paragraph(if i == 0 { "lead" } else { "verdict" }, sentence);
            if i == 0 {
                verdict::tables(summary).iter().for_each(|table| self.parts.table(table));
            }
        }
        self.parts.facts(&facts(summary));
        self.parts.open("</header>");
        if !summary.warnings.is_empty() {
            self.parts.open("<aside class=\"warnings\" aria-label=\"Warnings\">");
            self.parts.paragraphs("", &summary.warnings);
            self.parts.open("</aside>");
        }
        if !study.notes.is_empty() {
            self.parts.open("<section class=\"notes\" aria-label=\"Notes\">");
            self.parts.paragraphs("", &study.notes);
            self.parts.open("</section>");
        }
    }

    fn result(&mut self) {
        let tables = [tables(self.summary), exhibits(self.summary)].concat();
        if tables.is_empty() {
            return;
        }
        self.parts.section("Result");
        let (folded, open): (Vec<_>, Vec<_>) = tables.iter().partition(|table| table.folded);
        open.into_iter().for_each(|table| self.parts.table(table));
        if !folded.is_empty() {
            self.parts.open("<details><summary>Individual trials</summary>");
            folded.into_iter().for_each(|table| self.parts.table(table));
            self.parts.open("</details>");
        }
        self.parts.open("</section>");
    }

    /// Adds sample reconstructions of autoencoders.
    fn reconstructions(&mut self, traces: &[Trace]) {
        let trials = self.summary.trials.iter().zip(traces);
        let sheets: Vec<_> =
            trials.filter_map(|(trial, trace)| Some((trial, trace.reconstructions.as_ref()?))).collect();
        if sheets.is_empty() {
            return;
        }
        let shown = sheets.len().min(self.detail.charts);
        self.parts.section("Reconstructions");
        self.parts.paragraph("note", "The first images of the evaluation split at the end of training.");
        self.parts.open("<div class=\"pair\">");
        for (trial, sheet) in &sheets[..shown] {
            self.parts.sheet(&recipes::trial_name(self.summary, trial), sheet);
        }
        self.parts.open("</div>");
        self.parts.left_out(sheets.len() - shown, "picture");
        self.parts.open("</section>");
    }

    fn curves(&mut self, curves: &[[Figure; 3]]) {
        if curves.is_empty() {
            return;
        }
        self.parts.section("Training curves");
        let recipes = recipes(self.summary, &[]);
        let shown = recipes.len().min(self.detail.fineness.recipes);
        let legend: Vec<(&str, usize)> =
            recipes.iter().take(shown).map(|recipe| (recipe.name.as_str(), recipe.style)).collect();
        self.parts.legend(&legend, recipes.len() <= DIRECT_LABELS);
        self.parts.left_out(recipes.len() - shown, "recipe");
        self.parts.tabs(&["epochs", "updates", "seconds"]);
        self.parts.open("<div class=\"pair curves\">");
        for metric in curves {
            for (figure, along) in metric.iter().zip(["epochs", "updates", "seconds"]) {
                self.parts.figure(&format!("along along-{along}"), figure);
            }
        }
        self.parts.open("</div></section>");
    }

    fn costs(&mut self, costs: &[Figure]) {
        self.charts("Training time", "pair", "", costs);
    }

    fn tuning(&mut self, charts: &[Figure]) {
        let note = self.summary.tuning.as_ref().map(tuning_cost).unwrap_or_default();
        self.charts("Tuning", "pair", &note, charts);
    }

    fn instruments(&mut self, instruments: &[Figure]) {
        let note = "What instruments read of the trained weights at the ends of epochs.";
        self.charts("Instruments", "many", note, instruments);
    }

    fn updates(&mut self, updates: &[Figure]) {
        let note = "The loss of each update on its own samples just before the update, all points, on the same scale.";
        self.charts("Loss of every update", "many", note, updates);
    }

    fn charts(&mut self, title: &str, layout: &str, note: &str, figures: &[Figure]) {
        if figures.is_empty() {
            return;
        }
        let shown = figures.len().min(self.detail.charts.max(3));
        self.parts.section(title);
        if !note.is_empty() {
            self.parts.paragraph("note", note);
        }
        let _ = write!(self.parts.html, "<div class=\"{layout}\">");
        figures[..shown].iter().for_each(|figure| self.parts.figure("", figure));
        self.parts.open("</div>");
        self.parts.left_out(figures.len() - shown, "chart");
        self.parts.open("</section>");
    }

    fn surfaces(&mut self, surfaces: &[Vec<Figure>]) {
        if surfaces.is_empty() {
            return;
        }
        let shown = surfaces.len().min(self.detail.charts);
        self.parts.section("Error surfaces");
        for (surface, figures) in self.summary.surfaces.iter().zip(surfaces).take(shown) {
            self.surface(surface, figures);
        }
        self.parts.left_out(surfaces.len() - shown, "surface");
        self.parts.open("</section>");
    }

    fn surface(&mut self, surface: &SurfaceRecord, figures: &[Figure]) {
        self.parts.heading(3, &surface.title);
        self.parts.paragraph("", &surface.lesson);
        let (wide, narrow) = figures.split_at(2.min(figures.len()));
        self.parts.open("<div class=\"pair\">");
        wide.iter().for_each(|figure| self.parts.figure("", figure));
        self.parts.open("</div><div class=\"many\">");
        narrow.iter().for_each(|figure| self.parts.figure("", figure));
        self.parts.open("</div>");
    }

    fn details(&mut self) {
        let summary = self.summary;
        self.parts.section("Setup");
        self.parts.heading(3, "Command to repeat the run");
        self.parts.code(&summary.command);
        if !summary.trials.is_empty() {
            let (table, same) = resolved_recipes(summary);
            table.iter().for_each(|table| self.parts.table(table));
            self.parts.heading(3, if table.is_some() { "The same in every recipe" } else { "The recipe" });
            self.parts.definitions(&same);
        }
        self.parts.heading(3, "Data, network and machine");
        self.parts.definitions(&setting(summary));
        self.parts.open("</section>");
    }
}

fn style_sheet() -> String {
    format!(
        "{}{}{}@media(prefers-color-scheme:dark){{@media screen{{{}}}}}",
        include_str!("style.css"),
        palette::shapes(),
        palette::colours(&LIGHT),
        palette::colours(&DARK)
    )
}

/// Returns the basic facts of a run: data, network, seeds, date and machine.
fn facts(summary: &Summary) -> Vec<String> {
    let mut facts = Vec::new();
    if !summary.trials.is_empty() {
        let counts = summary.data.counts;
        let held_out =
            counts.validation.map(|validation| format!(", {} validation", count(validation as u64)));
        facts.push(format!(
            "{}: {} training{} and {} test samples",
            without_folders(&summary.data.origin),
            count(counts.train as u64),
            held_out.unwrap_or_default(),
            count(counts.test as u64),
        ));
        facts.push(format!("curves show the {} split", summary.data.eval_split));
        facts.push(format!(
            "network {}, {} parameters",
            summary.workload.model,
            count(summary.workload.parameters as u64)
        ));
        let mut seeds: Vec<u64> = summary.trials.iter().map(|trial| trial.seed).collect();
        seeds.sort_unstable();
        seeds.dedup();
        facts.push(seed_words(&seeds));
    }
    facts.extend(summary.began.split_once('T').map(|(day, _)| day.to_owned()));
    facts.push(format!("{}, {} cores", summary.machine.cpu, summary.machine.cores));
    facts
}

fn seed_words(seeds: &[u64]) -> String {
    match seeds {
        [one] => format!("seed {one}"),
        few if few.len() <= 12 => {
            format!("seeds {}", list(&few.iter().map(u64::to_string).collect::<Vec<_>>()))
        }
        many => format!("{} seeds", count(many.len() as u64)),
    }
}

/// Name and value of a setting.
type Choice = (&'static str, String);

/// Returns the settings of all recipes as spec text: a table of those that differ, if there are several recipes, and a
/// list of those that are the same in all.
fn resolved_recipes(summary: &Summary) -> (Option<Table>, Vec<Choice>) {
    let recipes = recipes(summary, &[]);
    let choices: Vec<_> = recipes.iter().map(|recipe| choices(&recipe.name, recipe.runs[0].trial)).collect();
    let differs = |column: &usize| choices.iter().any(|row| row[*column].1 != choices[0][*column].1);
    let all = 0..choices.first().map_or(0, Vec::len);
    let (differing, same): (Vec<usize>, Vec<usize>) = all.partition(differs);
    let same = same.into_iter().map(|column| choices[0][column].clone());
    let same = same.filter(|choice| !is_unset(choice));
    let table = (recipes.len() > 1).then(|| Table {
        title: "How the recipes differ".to_owned(),
        note: "Resolved settings, including defaults. Each value can be passed to the flag of the same name."
            .to_owned(),
        names: differing.len(),
        head: differing.iter().map(|&column| choices[0][column].0.to_owned()).collect(),
        rows: choices
            .iter()
            .map(|row| differing.iter().map(|&column| row[column].1.clone()).collect())
            .collect(),
        folded: false,
        detail: false,
    });
    (table, same.collect())
}

/// Returns the settings of a trial with their column heads.
fn choices(name: &str, trial: &TrialRecord) -> Vec<Choice> {
    let recorded = ChoiceKey::by_group().into_iter().map(ChoiceKey::row).filter(|row| row.is_recorded);
    let choice = |row: &Row| (row.key, trial.recipe.get(row.key).unwrap_or_else(|| row.unset.to_owned()));
    let names = [("recipe", name.to_owned()), ("model", trial.network.clone())];
    let run = [
        ("arithmetic", trial.arithmetic.clone()),
        ("strategy", trial.strategy.clone()),
        ("threads", trial.threads.to_string()),
    ];
    names.into_iter().chain(recorded.map(choice)).chain(run).collect()
}

/// Returns true for a choice that is not made, which is no news if no recipe makes it.
fn is_unset((key, text): &Choice) -> bool {
    ChoiceKey::named(key).is_some_and(|key| key.row().unset == text)
}

/// Returns the number of classes, or the labels, with the share of the most common; none for other targets.
fn answers(summary: &Summary) -> Option<(&'static str, String)> {
    let data = &summary.data;
    let share = summary.chance().map_or_else(String::new, |chance| {
        let (most_common, split) = (summary.most_common(), &data.eval_split);
        format!("; {most_common} has {} % of the {split} split", percent(chance))
    });
    match (data.labels.len(), data.classes) {
        (0, 0) => None,
        (0, classes) => Some(("classes", format!("{}{share}", count(classes as u64)))),
        (labels, _) => Some(("labels", format!("{}{share}", listed(data.labels.iter().cloned(), labels)))),
    }
}

/// Returns data, network, machine and program, as pairs of term and description.
fn setting(summary: &Summary) -> Vec<Choice> {
    let (data, machine, release) = (&summary.data, &summary.machine, &summary.schuss);
    let mut setting = Vec::new();
    if !summary.trials.is_empty() {
        setting.extend([
            ("data", definition(&[&without_folders(&summary.workload.data), &without_folders(&data.origin)])),
            ("fingerprint", data.fingerprint.clone()),
            (
                "samples",
                format!(
                    "{} to train on{}, {} in the test split",
                    count(data.counts.train as u64),
                    data.counts.validation.map_or_else(String::new, |held_out| {
                        format!(", {} in the validation split", count(held_out as u64))
                    }),
                    count(data.counts.test as u64)
                ),
            ),
        ]);
        setting.extend(answers(summary));
        setting.extend([
            ("evaluated on", format!("the {} split", data.eval_split)),
            (
                "network",
                format!(
                    "{}, {} parameters",
                    summary.workload.model,
                    count(summary.workload.parameters as u64)
                ),
            ),
        ]);
    }
    if summary.trials.is_empty() && data.classes > 0 {
        setting.push(("classes", data.classes.to_string()));
    }
    let cores = format!("{} cores", machine.cores);
    if !summary.began.is_empty() {
        setting.push(("began", summary.began.replace('T', " ").replace('Z', " UTC")));
    }
    setting.push(("machine", definition(&[&machine.cpu, &cores, &machine.isa, &machine.os])));
    let commit = release.commit.as_deref().unwrap_or_default();
    setting.push(("schuss", definition(&[&release.version, commit])));
    setting
}
