//! Racers that share a plane: trials that kept their weights and whose loss is the same function of the weights.

use crate::Result;
use crate::instrument::Instrument;
use crate::recipe::Trial;
use crate::record::{Summary, Trace, TrialRecord};
use crate::session::Session;
use crate::study::plan::Study;

/// A trial, its weights along the way and the loss there.
pub(super) struct Racer<'a> {
    pub(super) trial: Trial,
    pub(super) points: Vec<&'a [f32]>,
    /// Epochs after which the points were reached.
    pub(super) epochs: Vec<u64>,
    pub(super) losses: Vec<f64>,
    /// True if its last points are left out, because its weights had exploded.
    pub(super) is_cut: bool,
}

/// Racers of a study that share a plane, of those with the first seed that kept their weights.
pub(super) struct Racers<'a> {
    pub(super) sharing: Vec<Racer<'a>>,
    /// Number of others, whose loss is another function of the weights.
    pub(super) others: usize,
}

impl<'a> Racers<'a> {
    /// Finds the racers of a study; their losses are not known yet.
    pub(super) fn of(study: &Study, traces: &'a [Trace], summary: &Summary) -> Self {
        let mut racers = Self { sharing: vec![], others: 0 };
        for (record, trace) in summary.trials.iter().zip(traces) {
            let Some(trial) = trial(study, record).filter(|_| !trace.path.is_empty()) else { continue };
            if racers.sharing.first().is_some_and(|first| !has_same_loss(&first.trial, &trial)) {
                racers.others += 1;
            } else {
                racers.sharing.push(Racer {
                    trial,
                    points: trace.path.points(),
                    epochs: trace.path.places(),
                    losses: vec![],
                    is_cut: false,
                });
            }
        }
        racers
    }
}

impl Racers<'_> {
    /// Measures the losses at all points, and leaves out the last ones of a racer whose weights have exploded there: their
    /// distances would make a dot of all other paths. If none improves, all finite points stay.
    pub(super) fn measure(&mut self, session: &mut Session) -> Result<()> {
        self.sharing.iter_mut().try_for_each(|racer| racer.measure(session))?;
        let some_improve = self.sharing.iter().any(|racer| sound(&racer.losses) > 1);
        let kept = if some_improve { sound } else { finite };
        self.sharing.iter_mut().for_each(|racer| racer.cut(kept(&racer.losses)));
        Ok(())
    }
}

impl Racer<'_> {
    fn measure(&mut self, session: &mut Session) -> Result<()> {
        let losses = self.points.iter().map(|weights| session.loss_at(weights));
        self.losses = losses.collect::<Result<_>>()?;
        Ok(())
    }

    fn cut(&mut self, len: usize) {
        self.is_cut = len < self.points.len();
        self.points.truncate(len);
        self.epochs.truncate(len);
        self.losses.truncate(len);
    }
}

/// Returns the number of points before the first whose loss is not finite.
fn finite(losses: &[f64]) -> usize {
    losses.iter().take_while(|loss| loss.is_finite()).count()
}

/// Returns the number of points up to the last whose loss is not above that of the first, all of them finite.
fn sound(losses: &[f64]) -> usize {
    let finite = finite(losses);
    let is_sound = |loss: &f64| *loss <= losses[0];
    losses[..finite].iter().rposition(is_sound).map_or(0, |last| last + 1)
}

/// Returns the trial of a record, if it has the first seed.
fn trial(study: &Study, record: &TrialRecord) -> Option<Trial> {
    let is_of_record = |trial: &Trial| trial.name == record.name && trial.seed == record.seed;
    let trial = study.runs().map(|(_, trial)| trial).find(is_of_record)?;
    Some(trial).filter(|trial| trial.seed == study.seeds[0])
}

/// Returns true if two trials minimise the same function of the weights.
fn has_same_loss(a: &Trial, b: &Trial) -> bool {
    a.model == b.model
        && a.recipe.loss == b.recipe.loss
        && a.noise == b.noise
        && a.target_scale == b.target_scale
}

/// Returns true if a trial keeps its weights for the plane.
pub(in crate::study) fn keeps_weights(trial: &Trial) -> bool {
    trial.instruments.iter().any(Instrument::keeps_weights)
}

/// Returns a warning if some racers of a study will not share the plane.
pub(in crate::study) fn warning(study: &Study) -> Option<String> {
    let mut racers = study.trials.iter().map(|planned| &planned.trial).filter(|trial| keeps_weights(trial));
    let first = racers.next()?;
    let others = racers.filter(|trial| !has_same_loss(first, trial)).count();
    (others > 0).then(|| {
        format!(
            "the plane leaves out {others} of {} recipes, which have another network or loss than `{}`",
            study.trials.len(),
            first.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::sound;

    #[test]
    fn points_end_with_the_last_whose_loss_is_not_above_that_before_training() {
        assert_eq!(sound(&[2.0, 1.0, 0.5]), 3);
        assert_eq!(sound(&[2.0, 9.0, 1.0]), 3, "a rise that does not last");
        assert_eq!(sound(&[2.0, 1.0, 2.1, 1e30]), 2);
        assert_eq!(sound(&[2.0, 1.0, f64::INFINITY, 1.0]), 2);
        assert_eq!((sound(&[]), sound(&[f64::NAN])), (0, 0));
    }
}
