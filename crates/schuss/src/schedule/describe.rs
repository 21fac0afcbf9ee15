//! Description of a schedule in words: the unit it counts in, and the course of the learning rate over the trial.

use super::{Curve, Knobs, Plateaus, Schedule};
use schuss_data::text::{brief, grouped};

/// Fraction of the peak learning rate below which weights hardly move.
const NOTHING: f64 = 1e-6;
/// Maximum number of updates at which the learning rate is evaluated.
const LOOKED_AT: u64 = 10_000;

/// Effect of a schedule on a trial, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outlook {
    /// Unit it counts in, and the course of the learning rate.
    pub line: String,
    /// Warnings about settings that are probably a mistake.
    pub warnings: Vec<String>,
}

/// A schedule together with the trial it drives.
pub(crate) struct CurveOverTrial<'a> {
    pub(crate) schedule: &'a Schedule,
    /// Knobs as typed, before the schedule.
    pub(crate) knobs: Knobs,
    /// Updates of the trial.
    pub(crate) updates: u64,
    /// Updates per epoch.
    pub(crate) per_epoch: u64,
    pub(crate) epochs: u32,
}

impl CurveOverTrial<'_> {
    /// Describes the effect of the schedule on the trial.
    pub(crate) fn outlook(&self) -> Outlook {
        Outlook { line: self.line(), warnings: self.warnings() }
    }

    fn line(&self) -> String {
        let per_epoch = match self.per_epoch {
            1 => "one per epoch".to_owned(),
            many => format!("{} per epoch", grouped(many)),
        };
        if let [only] = &self.schedule.parts[..]
            && only.plateau().is_some()
        {
            return format!("schedule: {}", self.fate().trim_start_matches("; "));
        }
        let mut line = format!("schedule: {} counts updates ({per_epoch})", self.schedule);
        let lengths = self.lengths().into_iter().map(|length| length.words(self.per_epoch));
        let lengths: Vec<String> = lengths.collect();
        if !lengths.is_empty() {
            line += &format!(": {}", lengths.join(", "));
        }
        line + &self.fate()
    }

    /// Lengths given to the curves, in updates.
    fn lengths(&self) -> Vec<Length> {
        self.schedule.parts.iter().flat_map(|part| part.curves()).flat_map(lengths).collect()
    }

    fn lr(&self, update: u64) -> f64 {
        self.schedule.at(update, self.knobs, &Plateaus::default()).lr
    }

    /// Updates to evaluate: all, or an evenly spaced subset, and the last.
    fn updates(&self) -> impl Iterator<Item = u64> {
        let apart = self.updates.div_ceil(LOOKED_AT) as usize;
        (0..self.updates).step_by(apart).chain([self.updates - 1])
    }

    fn highest(&self) -> f64 {
        self.updates().map(|update| self.lr(update)).fold(0.0, f64::max)
    }

    /// Describes the course of the learning rate.
    fn fate(&self) -> String {
        let mut plateaus = self.schedule.parts.iter().filter_map(|part| part.plateau());
        if let Some(plateau) = plateaus.next_back() {
            return format!(
                "; plateau counts evaluations at the ends of epochs, and multiplies the rate by {} after {} in a row without improvement",
                plateau.factor,
                plateau.patience + 1
            );
        }
        let (first, last) = (self.lr(0), self.lr(self.updates - 1));
        let [start, highest, end] = [first, self.highest(), last].map(|rate| brief(rate, 3));
        match () {
            () if highest == start && highest == end => format!("; the rate is {start} from start to end"),
            () if highest == start => format!("; the rate falls from {start} to {end} by the end"),
            () if highest == end => format!("; the rate rises from {start} to {end} by the end"),
            () => format!("; the rate rises from {start} to {highest} and falls to {end} by the end"),
        }
    }

    fn warnings(&self) -> Vec<String> {
        let lengths = self.lengths();
        let beyond = lengths.iter().filter_map(|length| self.beyond(length));
        self.dies().into_iter().chain(beyond).chain(self.patience()).collect()
    }

    /// Warns if the learning rate vanishes before the last epoch.
    fn dies(&self) -> Option<String> {
        let bound = NOTHING * self.highest();
        let last_epoch = self.updates.saturating_sub(self.per_epoch);
        let nothing = |update: &u64| self.lr(*update) < bound;
        let alive = self.updates().filter(|update| !nothing(update)).max()?;
        let first = self.updates().find(|update| *update > alive)?;
        (first < last_epoch).then(|| {
            format!(
                "from update {} of {} (epoch {}) on, the learning rate is below a millionth of its peak, so nothing more is learned: `{}` counts updates, not epochs; to count epochs, multiply its numbers by {}",
                grouped(first + 1),
                grouped(self.updates),
                brief(first as f64 / self.per_epoch as f64 + 1.0, 3),
                self.schedule,
                grouped(self.per_epoch),
            )
        })
    }

    /// Warns about a length that is never reached, or reached much too early.
    fn beyond(&self, length: &Length) -> Option<String> {
        let Length { key, updates, kind } = *length;
        let all = self.updates;
        let says = |what: &str| Some(format!("{key}={} {what}", grouped(updates)));
        match kind {
            LengthKind::Milestone | LengthKind::Every if updates >= all => {
                says(&format!("is beyond the {} updates of the trial: it is never reached", grouped(all)))
            }
            LengthKind::Rise if updates >= all => says(&format!(
                "is no shorter than the trial's {} updates: the rate never reaches its peak",
                grouped(all)
            )),
            LengthKind::Whole if updates > 2 * all => says(&format!(
                "is much longer than the {} updates of the trial, which ends before the rate is down",
                grouped(all)
            )),
            LengthKind::Whole if 2 * updates < all => {
                says(&format!("is much shorter than the {} updates of the trial", grouped(all)))
            }
            _ => None,
        }
    }

    fn patience(&self) -> Option<String> {
        let mut plateaus = self.schedule.parts.iter().filter_map(|part| part.plateau());
        let plateau = plateaus.find(|plateau| plateau.patience + 1 >= u64::from(self.epochs))?;
        Some(format!(
            "plateau waits for {} epochs without improvement, but the budget is only {}: it never cuts the rate",
            plateau.patience + 1,
            if self.epochs == 1 { "1 epoch".to_owned() } else { format!("{} epochs", self.epochs) }
        ))
    }
}

/// A length in updates, with the key it was given under.
struct Length {
    key: &'static str,
    updates: u64,
    kind: LengthKind,
}

/// Role of a length.
#[derive(Clone, Copy, PartialEq, Eq)]
enum LengthKind {
    /// Interval of a repeated event.
    Every,
    /// Time of a single event.
    Milestone,
    /// Duration of the rise of the rate.
    Rise,
    /// Duration of the whole curve.
    Whole,
}

impl Length {
    fn words(&self, per_epoch: u64) -> String {
        let epochs = brief(self.updates as f64 / per_epoch as f64, 3);
        let noun = if epochs == "1" { "epoch" } else { "epochs" };
        match self.kind {
            LengthKind::Every => format!("a step every {} updates, {epochs} {noun}", grouped(self.updates)),
            LengthKind::Milestone => format!("a step after {epochs} {noun}"),
            LengthKind::Rise | LengthKind::Whole => {
                format!("{}={} is {epochs} {noun}", self.key, self.updates)
            }
        }
    }
}

fn lengths(curve: &Curve) -> Vec<Length> {
    let one = |key, updates: Option<u64>, kind| {
        updates.map(|updates| Length { key, updates, kind }).into_iter().collect::<Vec<_>>()
    };
    let many = |key, list: &[u64]| {
        list.iter().map(|&updates| Length { key, updates, kind: LengthKind::Milestone }).collect::<Vec<_>>()
    };
    match curve {
        Curve::Step(step) => one("step_size", Some(step.step_size), LengthKind::Every),
        Curve::CosineRestarts(cosine) => one("t_0", Some(cosine.t_0), LengthKind::Every),
        Curve::Cyclic(cyclic) => one("step_size_up", Some(cyclic.step_size_up), LengthKind::Rise),
        Curve::Multistep(multistep) => many("milestones", &multistep.milestones),
        Curve::Piecewise(piecewise) => many("boundaries", &piecewise.boundaries),
        Curve::Warmup(warmup) => one("total_iters", Some(warmup.total_iters), LengthKind::Rise),
        Curve::Noam(noam) => one("warmup_steps", Some(noam.warmup_steps), LengthKind::Rise),
        Curve::Cosine(cosine) => one("t_max", cosine.t_max, LengthKind::Whole),
        Curve::OneCycle(cycle) => one("total_steps", cycle.total_steps, LengthKind::Whole),
        Curve::Rex(rex) => one("total_steps", rex.total_steps, LengthKind::Whole),
        Curve::Polynomial(polynomial) => one("total_iters", Some(polynomial.total_iters), LengthKind::Whole),
        _ => vec![],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Budget, Recipe, Trial, UpdateRule};

    /// Outlook on a trial of 5 epochs of 100 updates.
    fn outlook(schedule: &str) -> Outlook {
        let recipe = Recipe {
            update: UpdateRule::Batch(10),
            schedule: schedule.parse().unwrap(),
            ..Recipe::default()
        };
        let budget = Budget { epochs: 5, ..Budget::default() };
        Trial { recipe, budget, ..Trial::default() }.resolved(1_000).outlook(1_000).unwrap()
    }

    #[test]
    fn a_step_counts_updates_and_what_becomes_of_the_rate_is_said() {
        let Outlook { line, warnings } = outlook("step:step_size=30,gamma=0.1");
        assert!(
            line.contains("counts updates (100 per epoch): a step every 30 updates, 0.3 epochs"),
            "{line}"
        );
        assert!(line.contains("the rate falls from 0.1 to 1e-17 by the end"), "{line}");
        assert!(
            warnings[0].contains("below a millionth") && warnings[0].contains("multiply"),
            "{warnings:?}"
        );
    }

    #[test]
    fn a_plateau_alone_counts_evaluations_and_no_updates() {
        let line = outlook("plateau:patience=2").line;
        assert!(line.starts_with("schedule: plateau counts evaluations at the ends of epochs"), "{line}");
        assert!(!line.contains("counts updates"), "{line}");
    }

    #[test]
    fn what_a_schedule_never_reaches_is_warned_of() {
        let warned = |schedule: &str| outlook(schedule).warnings.join("; ");
        assert!(warned("multistep:milestones=300:900").contains("milestones=900 is beyond the 500 updates"));
        assert!(warned("step:step_size=600").contains("never reached"));
        assert!(warned("warmup:500").contains("never reaches its peak"));
        assert!(
            warned("cosine:t_max=100").contains("much shorter")
                && warned("cosine:t_max=5000").contains("longer")
        );
        assert!(warned("plateau:patience=10").contains("never cuts the rate"));
        assert_eq!(warned("cosine") + &warned("warmup:50+cosine") + &warned("plateau:patience=2"), "");
    }

    #[test]
    fn a_rate_that_rises_first_is_said_to() {
        let line = outlook("warmup:50+cosine").line;
        assert!(
            line.contains("total_iters=50 is 0.5 epochs") && line.contains("the rate rises from 0"),
            "{line}"
        );
        assert_eq!(Trial::default().outlook(1_000), None);
    }
}
