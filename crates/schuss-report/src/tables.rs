//! Contents of the result tables, for both terminal and page.

use crate::{
    recipes::{self, Recipe, recipes},
    text::{self, NONE},
    tuning,
};
use schuss::record::{
    Best, Divergence, Exhibit, Group, ReferenceRecord, Spread, Status, Summary, SurfaceRecord, TargetRecord,
    Timing, TrialRecord,
};

/// Table of text cells; the first `names` columns name the row, the others are figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) title: String,
    /// Units and other remarks.
    pub(crate) note: String,
    pub(crate) names: usize,
    pub(crate) head: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
    /// True if the table lists by trial what another table summarises over seeds.
    pub(crate) folded: bool,
    /// True if the table is a detail that may be omitted.
    pub(crate) detail: bool,
}

/// Returns the non-empty tables of the trials of a run besides that of the verdict, most important first.
pub(crate) fn tables(summary: &Summary) -> Vec<Table> {
    let recipes = recipes(summary, &[]);
    let several = recipes.iter().any(|recipe| recipe.runs.len() > 1);
    let mut tables = Vec::new();
    if several {
        tables.extend([results_over_seeds(summary, &recipes), speed_over_seeds(&recipes)]);
    }
    let memory = Table { detail: true, ..memory(summary) };
    let by_trial = [results(summary), speed(summary), memory, printed(summary)];
    tables.extend(by_trial.map(|table| Table { folded: several, ..table }));
    tables.extend(summary.tuning.as_ref().map(tuning::table));
    tables.retain(|table| !table.rows.is_empty());
    tables
}

/// Returns the non-empty tables of surfaces and exhibits.
pub(crate) fn exhibits(summary: &Summary) -> Vec<Table> {
    let all = std::iter::once(paths(summary)).chain(summary.exhibits.iter().map(exhibit));
    all.filter(|table| !table.rows.is_empty() && !table.head.is_empty()).collect()
}

/// Converts an exhibit of a study to a table, padding each row to the length of the head.
fn exhibit(exhibit: &Exhibit) -> Table {
    let row = |cells: &Vec<String>| {
        let mut row = cells.clone();
        row.resize(exhibit.header.len(), String::new());
        row
    };
    Table {
        title: exhibit.title.clone(),
        note: exhibit.text.clone(),
        names: 1,
        head: exhibit.header.clone(),
        rows: exhibit.rows.iter().map(row).collect(),
        folded: false,
        detail: false,
    }
}

/// Returns the columns that name a trial: recipe, and seed if seeds differ.
fn name_columns(summary: &Summary) -> Vec<String> {
    let seeds_differ = summary.trials.windows(2).any(|pair| pair[0].seed != pair[1].seed);
    let names = if seeds_differ { &["recipe", "seed"][..] } else { &["recipe"] };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Creates a table with one row per trial: its name, then the result of `figures`.
fn per_trial(
    summary: &Summary,
    title: String,
    note: String,
    head: &[String],
    figures: impl Fn(&TrialRecord) -> Vec<String>,
) -> Table {
    let names = name_columns(summary);
    let row = |trial: &TrialRecord| {
        let mut row = vec![trial.name.clone()];
        if names.len() > 1 {
            row.push(trial.seed.to_string());
        }
        row.extend(figures(trial));
        row
    };
    let rows = summary.trials.iter().map(row).collect();
    Table {
        title,
        note,
        names: names.len(),
        head: [&names, head].concat(),
        rows,
        folded: false,
        detail: false,
    }
}

pub(crate) fn owned<const N: usize>(words: [&str; N]) -> [String; N] {
    words.map(str::to_owned)
}

fn results(summary: &Summary) -> Table {
    let split = &summary.data.eval_split;
    let measured = Measured::of(summary);
    let mut head = vec!["status".to_owned(), "train loss".to_owned(), format!("{split} loss")];
    let mut note = format!(
        "train loss: running, the mean over the last epoch of each update's loss before it; {split} loss{}: \
         frozen, over the whole {split} split after the last update",
        if measured.accuracy { " and accuracy" } else { "" },
    );
    if measured.accuracy {
        head.push("accuracy %".to_owned());
    }
    if measured.labels {
        head.extend(LABELS.map(|(_, head)| head.to_owned()));
        note += LABELS_NOTE;
    }
    if measured.accuracy {
        note += &chance_note(summary);
    }
    if measured.quality {
        head.extend(QUALITY.map(|(_, head)| head.to_owned()));
        note += QUALITY_NOTE;
    }
    if measured.deviation {
        head.extend(DEVIATION.map(|(_, head)| head.to_owned()));
        note += DEVIATION_NOTE;
    }
    head.push("lowest loss (epoch)".to_owned());
    note += "; lowest loss: of all evaluations, ↑ where it rose for good afterwards while the training loss still fell \
             (over-fitting)";
    if measured.test {
        head.extend(measured.test_head());
        note += "; test: after the last update, over the test split, which was not used before";
        let chance = summary.trials.iter().find_map(|trial| trial.test.as_ref()?.chance);
        note += &chance.map_or_else(String::new, |chance| {
            format!(" (there {} has {} %)", summary.most_common(), text::percent(chance))
        });
    }
    per_trial(summary, measured.title(), note, &head, |trial| {
        let mut row = vec![
            status(trial),
            text::or_none(recipes::train_loss(trial), text::loss),
            text::or_none(recipes::eval_loss(trial), text::loss),
        ];
        if measured.accuracy {
            row.push(text::or_none(recipes::eval_accuracy(trial), text::percent));
        }
        if measured.labels {
            row.extend(LABELS.map(|(name, _)| text::or_none(recipes::quality(trial, name), text::percent)));
        }
        if measured.quality {
            row.extend(QUALITY.map(|(name, _)| text::or_none(recipes::quality(trial, name), text::loss)));
        }
        if measured.deviation {
            row.extend(DEVIATION.map(|(name, _)| text::or_none(recipes::quality(trial, name), text::loss)));
        }
        row.push(best(trial));
        if measured.test {
            row.push(text::or_none(trial.test.as_ref().map(|test| test.loss), text::loss));
            let accuracy = trial.test.as_ref().and_then(|test| test.accuracy);
            row.extend(measured.accuracy.then(|| text::or_none(accuracy, text::percent)));
        }
        row
    })
}

/// Returns a note with the baseline of accuracies.
fn chance_note(summary: &Summary) -> String {
    summary.chance().map_or_else(String::new, |chance| {
        format!(
            "; always predicting {} has an accuracy of {} %",
            summary.most_common(),
            text::percent(chance)
        )
    })
}

/// Metrics of several labels: names and column heads.
const LABELS: [(&str, &str); 2] = [("label_accuracy", "labels right %"), ("f1_macro", "F1 %")];

const LABELS_NOTE: &str = "; accuracy: samples all of whose labels are right; labels right: of all labels; F1: the mean of the labels' F1 scores";

/// Metrics of reconstructions: names and column heads.
const QUALITY: [(&str, &str); 3] = [("mse", "MSE"), ("psnr", "PSNR dB"), ("ssim", "SSIM")];

const QUALITY_NOTE: &str =
    "; MSE, PSNR and SSIM: quality of reconstructions; lower MSE is better, higher PSNR and SSIM";

/// Metrics of predicted numbers: names and column heads.
const DEVIATION: [(&str, &str); 2] = [("r2", "r²"), ("mae", "MAE")];

const DEVIATION_NOTE: &str =
    "; r²: share of the variance explained, 1 is all of it; MAE: mean absolute error";

/// Metrics measured by a run besides losses.
#[derive(Clone, Copy)]
struct Measured {
    accuracy: bool,
    labels: bool,
    quality: bool,
    deviation: bool,
    /// True if the test split was evaluated once, at the end, and curves use another split.
    test: bool,
}

impl Measured {
    fn of(summary: &Summary) -> Self {
        let has = |name: &str| {
            let mut rows = summary.trials.iter().flat_map(|trial| &trial.epochs);
            rows.any(|row| row.metrics.contains_key(name))
        };
        let test =
            summary.data.eval_split != "test" && summary.trials.iter().any(|trial| trial.test.is_some());
        let accuracy = recipes::predict_classes(summary);
        Self { accuracy, labels: has("f1_macro"), quality: has("mse"), deviation: has("r2"), test }
    }

    fn title(self) -> String {
        let measures = [
            (true, "loss"),
            (self.accuracy, "accuracy"),
            (self.deviation, "error of predicted numbers"),
            (self.quality, "quality of reconstruction"),
        ];
        let words: Vec<String> =
            measures.iter().filter(|(has, _)| *has).map(|(_, word)| (*word).to_owned()).collect();
        text::capital(&text::list(&words))
    }

    /// Returns the column heads of the test split.
    fn test_head(self) -> Vec<String> {
        let accuracy = self.accuracy.then(|| "test accuracy %".to_owned());
        std::iter::once("test loss".to_owned()).chain(accuracy).collect()
    }
}

/// Returns the status of a trial, with layer and update if it diverged.
pub(crate) fn status(trial: &TrialRecord) -> String {
    let word = match trial.status {
        Status::Finished => "finished",
        Status::Target => "target reached",
        Status::Stopped => "stopped",
        Status::Diverged => "diverged",
        Status::Interrupted => "interrupted",
        Status::Failed => "failed",
    };
    match &trial.diverged {
        Some(Divergence { update, layer, .. }) => {
            let layer = layer.split('.').next().unwrap_or(layer);
            format!("{word} in layer {layer} at update {}", text::count(*update))
        }
        None if trial.learned == Some(false) => format!("{word}, did not learn"),
        None => word.to_owned(),
    }
}

/// Returns the lowest loss of all evaluations and its epoch.
fn best(trial: &TrialRecord) -> String {
    let Some(Best { epoch, eval_loss, .. }) = trial.best.as_ref().map(|best| best.best) else {
        return NONE.to_owned();
    };
    let rose = if trial.overfitted { " ↑" } else { "" };
    format!("{} ({epoch}){rose}", text::loss(eval_loss))
}

fn speed(summary: &Summary) -> Table {
    let shared = summary.trials.iter().any(|trial| trial.timing == Timing::Shared);
    let head = owned(["s/epoch", "s to target", "train s", "wall s", "samples/s", "updates"]);
    let mut note =
        "s/epoch: median over full epochs; train: without evaluation and files; wall: everything".to_owned();
    let targets = targets(summary);
    if !targets.is_empty() {
        note = format!("target: {}; {note}", targets.join(", "));
    }
    if shared {
        note += "; other trials ran at the same time, so seconds cannot be compared";
    }
    per_trial(summary, "Time".to_owned(), note, &head, |trial| {
        vec![
            text::or_none(recipes::epoch_seconds(trial), text::seconds),
            to_target(trial),
            text::seconds(trial.train_seconds),
            text::seconds(trial.wall_seconds),
            text::or_none(trial.samples_per_second, |rate| text::significant(rate, 3)),
            text::count(trial.updates),
        ]
    })
}

/// Returns the distinct targets of a run, in words.
fn targets(summary: &Summary) -> Vec<String> {
    let mut targets: Vec<String> = Vec::new();
    for target in summary.trials.iter().filter_map(|trial| trial.target.as_ref()) {
        let words = target_words(target, &summary.data.eval_split);
        if !targets.contains(&words) {
            targets.push(words);
        }
    }
    targets
}

/// Returns a target in words: `test accuracy ≥ 96 %`.
pub(crate) fn target_words(target: &TargetRecord, split: &str) -> String {
    target.bound().words(split)
}

fn to_target(trial: &TrialRecord) -> String {
    match &trial.target {
        None => NONE.to_owned(),
        Some(target) if trial.status == Status::Diverged => text::or_none(target.seconds, text::seconds),
        Some(target) => target.seconds.map_or_else(|| "not reached".to_owned(), text::seconds),
    }
}

fn memory(summary: &Summary) -> Table {
    let measured = summary.trials.iter().any(|trial| trial.memory.instruments > 0);
    let mut head = owned(["parameters", "gradients", "optimizer state", "activations", "copy"]).to_vec();
    head.extend(measured.then(|| "instruments".to_owned()));
    head.extend(owned(["data", "peak RSS"]));
    let note = "MB = 10⁶ bytes; copy: weights and state at the last report point; peak RSS: the process's largest resident memory during the trial".to_owned();
    per_trial(summary, "Memory in MB".to_owned(), note, &head, |trial| {
        let memory = &trial.memory;
        let training =
            [memory.parameters, memory.gradients, memory.optimizer_state, memory.activations, memory.copy];
        let buffers = training.into_iter().chain(measured.then_some(memory.instruments)).chain([memory.data]);
        let mut row: Vec<String> = buffers.map(|bytes| text::megabytes(bytes as u64)).collect();
        row.push(trial.peak_rss_bytes.map_or_else(|| NONE.to_owned(), text::megabytes));
        row
    })
}

/// Creates a table with one row per recipe: its name, number of seeds, then the result of `figures`.
fn per_recipe(
    recipes: &[Recipe],
    title: &str,
    note: &str,
    head: Vec<String>,
    figures: impl Fn(&Group) -> Vec<String>,
) -> Table {
    let row = |recipe: &Recipe| {
        let group = recipe.group?;
        let (survivors, all) = (recipe.survivors(), group.seeds.len());
        let seeds = if survivors == all { all.to_string() } else { format!("{survivors} of {all}") };
        let name = vec![recipe.name.clone(), seeds];
        Some([name, figures(group)].concat())
    };
    Table {
        title: title.to_owned(),
        note: note.to_owned(),
        names: 1,
        head: [owned(["recipe", "seeds"]).to_vec(), head].concat(),
        rows: recipes.iter().filter_map(row).collect(),
        folded: false,
        detail: false,
    }
}

fn results_over_seeds(summary: &Summary, recipes: &[Recipe]) -> Table {
    let split = &summary.data.eval_split;
    let measured = Measured::of(summary);
    let mut head = vec!["train loss".to_owned(), format!("{split} loss")];
    head.extend(measured.accuracy.then(|| "accuracy %".to_owned()));
    if measured.labels {
        head.extend(LABELS.map(|(_, head)| head.to_owned()));
    }
    if measured.quality {
        head.extend(QUALITY.map(|(_, head)| head.to_owned()));
    }
    if measured.deviation {
        head.extend(DEVIATION.map(|(_, head)| head.to_owned()));
    }
    if measured.test {
        head.extend(measured.test_head());
    }
    let mut note =
        "median [low, high]: the true median lies between them with a probability of at least 95 %; below six seeds \
         the range"
            .to_owned();
    if measured.accuracy {
        note += &chance_note(summary);
    }
    per_recipe(recipes, &format!("{} over seeds", measured.title()), &note, head, |group| {
        let mut row = vec![spread(group.train_loss, text::loss), spread(group.eval_loss, text::loss)];
        row.extend(measured.accuracy.then(|| spread(group.eval_accuracy, text::percent)));
        if measured.labels {
            row.extend(LABELS.map(|(name, _)| spread(group.metrics.get(name).copied(), text::percent)));
        }
        if measured.quality {
            row.extend(QUALITY.map(|(name, _)| spread(group.metrics.get(name).copied(), text::loss)));
        }
        if measured.deviation {
            row.extend(DEVIATION.map(|(name, _)| spread(group.metrics.get(name).copied(), text::loss)));
        }
        if measured.test {
            row.push(spread(group.test_loss, text::loss));
            row.extend(measured.accuracy.then(|| spread(group.test_accuracy, text::percent)));
        }
        row
    })
}

fn speed_over_seeds(recipes: &[Recipe]) -> Table {
    let head = owned(["s/epoch", "samples/s"]).to_vec();
    let note = "median [low, high] as above";
    per_recipe(recipes, "Time over seeds", note, head, |group| {
        vec![spread(group.epoch_seconds, text::seconds), spread(group.samples_per_second, text::seconds)]
    })
}

fn spread(spread: Option<Spread>, number: fn(f64) -> String) -> String {
    match spread {
        None => NONE.to_owned(),
        Some(Spread { median, n: 1, .. }) => number(median),
        Some(Spread { median, low, high, .. }) => {
            format!("{} [{}, {}]", number(median), number(low), number(high))
        }
    }
}

/// Creates a table of the figures printed in a lecture beside ours.
fn printed(summary: &Summary) -> Table {
    let names = name_columns(summary);
    let head =
        owned(["epoch", "loss: lecture", "ours", "accuracy %: lecture", "ours", "s/epoch: lecture", "ours"]);
    let mut rows = Vec::new();
    for trial in &summary.trials {
        let seconds_only = (trial.reference.is_empty() && trial.reference_seconds.is_some()).then_some(None);
        let references = trial.reference.iter().map(Some).chain(seconds_only);
        for (i, reference) in references.enumerate() {
            let mut row = vec![trial.name.clone()];
            if names.len() > 1 {
                row.push(trial.seed.to_string());
            }
            row.extend(printed_figures(trial, reference));
            row.extend(printed_seconds(trial, i == 0));
            rows.push(row);
        }
    }
    Table {
        title: "Comparison with the lecture's figures".to_owned(),
        note:
            "loss: running training loss of that epoch; accuracy: on the test split after it; the lecture's \
               seconds are from its own machine"
                .to_owned(),
        names: names.len(),
        head: [names, head.to_vec()].concat(),
        rows,
        folded: false,
        detail: false,
    }
}

fn printed_figures(trial: &TrialRecord, reference: Option<&ReferenceRecord>) -> Vec<String> {
    let Some(reference) = reference else { return vec![NONE.to_owned(); 5] };
    let ours = trial.epochs.iter().find(|row| row.epoch == reference.epoch);
    let loss = |loss: Option<f64>| text::or_none(loss, text::loss);
    let percent = |accuracy: Option<f64>| text::or_none(accuracy, text::percent);
    vec![
        reference.epoch.to_string(),
        loss(reference.loss),
        loss(ours.and_then(|row| row.train_loss)),
        percent(reference.accuracy),
        percent(ours.and_then(|row| row.eval_accuracy)),
    ]
}

/// Returns the seconds per epoch, in the first row of a trial only since they belong to the trial.
fn printed_seconds(trial: &TrialRecord, first: bool) -> [String; 2] {
    match trial.reference_seconds.filter(|_| first) {
        None => [String::new(), String::new()],
        Some(seconds) => {
            [text::seconds(seconds), text::or_none(recipes::epoch_seconds(trial), text::seconds)]
        }
    }
}

/// Creates a table of the end points of paths over error surfaces.
fn paths(summary: &Summary) -> Table {
    let mut rows = Vec::new();
    for surface in &summary.surfaces {
        for path in &surface.paths {
            rows.push(vec![
                surface.name.clone(),
                path.name.clone(),
                path.start.clone(),
                text::count(path.steps(path.points.len().saturating_sub(1))),
                path.values.last().map_or_else(|| NONE.to_owned(), |value| text::loss(*value)),
                path.verdict.clone(),
            ]);
        }
    }
    Table {
        title: "Paths over the error surfaces".to_owned(),
        note: "J: error after the last update".to_owned(),
        names: 3,
        head: owned(["surface", "optimizer", "start", steps(&summary.surfaces), "J", "where it ended"])
            .to_vec(),
        rows,
        folded: false,
        detail: false,
    }
}

/// Returns what all paths are counted in.
fn steps(surfaces: &[SurfaceRecord]) -> &str {
    let first = surfaces.first().map_or("updates", |surface| surface.along.as_str());
    if surfaces.iter().all(|surface| surface.along == first) { first } else { "steps" }
}
