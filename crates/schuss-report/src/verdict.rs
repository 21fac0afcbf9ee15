//! The verdict of a run in sentences, and as a table.

use crate::recipes::LONGEST_NAME;
use crate::tables::{Table, owned};
use crate::text::{self, NONE, loss, percent, seconds, shorten, significant};
use schuss::record::{
    Interval, IntervalKind, Measure, PairOutcome, PairVerdict, PathRecord, RecipeVerdict, Summary,
    SurfaceRecord, Verdict,
};
use schuss::study::Tie;
use std::borrow::Cow;

/// Returns the verdict, most important sentence first. Empty if nothing was run.
pub fn verdict(summary: &Summary) -> Vec<String> {
    let surfaces = summary.surfaces.iter().filter_map(lowest_on_surface);
    recorded(summary).sentences.iter().cloned().chain(surfaces).collect()
}

/// Returns the recorded verdict, or makes it if the run is of a version without verdicts.
pub(crate) fn recorded(summary: &Summary) -> Cow<'_, Verdict> {
    match &summary.verdict {
        Some(verdict) => Cow::Borrowed(verdict),
        None => Cow::Owned(Verdict::of(summary, Tie::default())),
    }
}

/// Returns a sentence on the paths that ended lowest and highest on a surface.
fn lowest_on_surface(surface: &SurfaceRecord) -> Option<String> {
    let end = |path: &PathRecord| path.values.last().copied().unwrap_or(f64::NAN);
    let mut ends: Vec<&PathRecord> = surface.paths.iter().filter(|path| end(path).is_finite()).collect();
    ends.sort_by(|a, b| end(a).total_cmp(&end(b)));
    let (lowest, highest) = (ends.first()?, ends.last()?);
    let say = |path: &PathRecord| format!("{} from {} (J = {})", path.name, path.start, loss(end(path)));
    Some(match ends.len() {
        1 => format!("{}: {} ended there.", surface.title, say(lowest)),
        _ => format!("{}: {} ended lowest, {} highest.", surface.title, say(lowest), say(highest)),
    })
}

/// Creates the table of the verdict and, if rates were tuned, that of the verdict at the same rate.
pub(crate) fn tables(summary: &Summary) -> Vec<Table> {
    let verdict = recorded(summary);
    let title = if verdict.same_rate.is_some() { "Verdict, each at its best" } else { "Verdict" };
    let same_rate = verdict.same_rate.iter().filter_map(|same_rate| table(same_rate, SAME_RATE, summary));
    table(&verdict, title, summary).into_iter().chain(same_rate).collect()
}

const SAME_RATE: &str = "Verdict at the same learning rate";

/// Creates the table of a verdict, best recipe first; `None` for a single trial.
fn table(verdict: &Verdict, title: &str, summary: &Summary) -> Option<Table> {
    let trials: usize = verdict.recipes.iter().map(|recipe| recipe.trials).sum();
    if trials < 2 {
        return None;
    }
    let overlaps = summary.data.resampled.is_some();
    let columns = Columns { verdict, split: &summary.data.eval_split, overlaps };
    let rows = verdict.ranked().into_iter().map(|recipe| columns.row(recipe));
    Some(Table {
        title: title.to_owned(),
        note: columns.note(),
        names: 1,
        head: columns.head(),
        rows: rows.collect(),
        folded: false,
        detail: false,
    })
}

/// Columns of the table of a verdict.
struct Columns<'a> {
    verdict: &'a Verdict,
    split: &'a str,
    /// True if the splits of different seeds share samples.
    overlaps: bool,
}

impl Columns<'_> {
    fn is_race(&self) -> bool {
        self.verdict.recipes.len() > 1
    }

    fn is_time(&self) -> bool {
        self.verdict.by.is_time()
    }

    fn head(&self) -> Vec<String> {
        let (measure, compared) = match self.verdict.by {
            Measure::TrainSeconds => ("s to target".to_owned(), "times slower"),
            Measure::Updates => ("updates to target".to_owned(), "times slower"),
            Measure::EvalLoss => (format!("{} loss", self.split), "higher by"),
            Measure::EvalAccuracy => ("accuracy %".to_owned(), "lower by, points"),
        };
        let mut head = owned(["recipe", if self.is_time() { "reached" } else { "seeds" }]).to_vec();
        head.push(measure);
        head.extend(self.is_time().then(|| "expected".to_owned()));
        if self.is_race() {
            head.extend(owned(["P(best) %", compared, "p", "leader is"]));
        }
        head
    }

    fn row(&self, recipe: &RecipeVerdict) -> Vec<String> {
        let mut row = vec![shorten(&recipe.name, LONGEST_NAME), self.reached(recipe), self.median(recipe)];
        if self.is_time() {
            row.push(text::or_none(recipe.expected, |time| self.number(time)));
        }
        if self.is_race() {
            row.push(text::or_none(recipe.p_best, |p| significant(100.0 * p, 3)));
            row.extend(self.against_leader(recipe));
        }
        row
    }

    fn reached(&self, recipe: &RecipeVerdict) -> String {
        if self.is_time() || recipe.reached < recipe.trials {
            format!("{} of {}", recipe.reached, recipe.trials)
        } else {
            recipe.trials.to_string()
        }
    }

    fn number(&self, value: f64) -> String {
        match self.verdict.by {
            Measure::TrainSeconds => seconds(value),
            Measure::Updates => text::plain(value),
            Measure::EvalLoss => loss(value),
            Measure::EvalAccuracy => percent(value),
        }
    }

    fn median(&self, recipe: &RecipeVerdict) -> String {
        match (recipe.median, recipe.interval) {
            (None, None) => NONE.to_owned(),
            (None, Some(Interval { low, .. })) if recipe.reached == 0 => format!("> {}", self.number(low)),
            (None, Some(Interval { low, .. })) => format!("∞ [{}, ∞]", self.number(low)),
            (Some(median), Some(Interval { low, high })) if recipe.trials > 1 => {
                let high = high.map_or_else(|| "∞".to_owned(), |high| self.number(high));
                format!("{} [{}, {high}]", self.number(median), self.number(low))
            }
            (Some(median), _) => self.number(median),
        }
    }

    /// Returns the cells that compare a recipe with the leader: ratio or difference, p-value, outcome.
    fn against_leader(&self, recipe: &RecipeVerdict) -> [String; 3] {
        let none = || [NONE, NONE, NONE].map(str::to_owned);
        let Some(leader) = &self.verdict.leader else { return none() };
        if *leader == recipe.name {
            return [
                NONE.to_owned(),
                NONE.to_owned(),
                if self.verdict.sure { "sure" } else { "not sure" }.to_owned(),
            ];
        }
        let Some(pair) = self.verdict.pair(leader, &recipe.name) else { return none() };
        let p = text::or_none(pair.p, |p| if p < 0.001 { "< 0.001".to_owned() } else { significant(p, 2) });
        [self.compared(&pair), p, outcome(pair.outcome).to_owned()]
    }

    fn compared(&self, pair: &PairVerdict) -> String {
        let points = self.verdict.by == Measure::EvalAccuracy;
        let scale = if points { -100.0 } else { 1.0 };
        let Some(mean) = pair.ratio.or(pair.difference) else { return NONE.to_owned() };
        let number = |value: f64| significant(scale * value, 3);
        pair.interval.map_or_else(
            || number(mean),
            |[low, high]| {
                let [low, high] = if points { [high, low] } else { [low, high] };
                format!("{} [{}, {}]", number(mean), number(low), number(high))
            },
        )
    }

    fn note(&self) -> String {
        let is_range = |recipe: &RecipeVerdict| recipe.interval_kind == IntervalKind::Range;
        let several = self.verdict.recipes.iter().any(|recipe| recipe.trials > 1);
        let interval = match self.verdict.recipes.iter().any(is_range) {
            false => "95 % interval",
            true if self.overlaps => "range over seeds, whose splits overlap",
            true if self.verdict.spending.is_some() => "95 % interval, or range over fewer than eight seeds",
            true => "range over seeds (fewer than six have no 95 % interval)",
        };
        let mut notes = vec![];
        let misses = if self.is_time() { "; a miss is later than any time" } else { "" };
        notes.extend(several.then(|| format!("median [low, high]: {interval}{misses}")));
        notes.extend(self.is_time().then(|| "expected: with restarts after a miss".to_owned()));
        if self.is_race() {
            notes.push("P(best): share of resampled seeds; against the leader: mean with its 95 % interval, p-value adjusted for all pairs".to_owned());
        }
        notes.join("; ")
    }
}

fn outcome(outcome: PairOutcome) -> &'static str {
    match outcome {
        PairOutcome::Faster => "faster",
        PairOutcome::Slower => "slower",
        PairOutcome::Better => "better",
        PairOutcome::Worse => "worse",
        PairOutcome::Equal => "equal",
        PairOutcome::Undecided => "undecided",
    }
}
