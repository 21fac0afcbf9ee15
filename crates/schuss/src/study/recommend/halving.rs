//! Successive halving on the clock: every rung gives each candidate that is left the same time, and the best third goes on.

use super::candidates::Candidate;
use super::plan::{Plan, Rung};
use crate::recipe::Trial;
use crate::record::{EvaluationPoint, Status};
use crate::session::{Control, Event, Limits, Outcome, Session};
use crate::{Cause, Error, Result};
use schuss_data::Dataset;
use std::time::{Duration, Instant};

/// A candidate, and its training so far.
pub(super) struct Entrant {
    pub(super) candidate: Candidate,
    /// Training in progress; `None` before it, and after the candidate has dropped out.
    session: Option<Session>,
    pub(super) track: Track,
}

/// Share of a loss that is not worth training longer for.
const WORTHWHILE: f64 = 0.005;

/// Returns true if a loss is not above the lowest by more than is worth training longer for.
pub(super) fn is_near(loss: f64, lowest: f64) -> bool {
    loss - lowest <= WORTHWHILE * lowest.abs()
}

/// Course of a candidate's training.
#[derive(Default)]
pub(super) struct Track {
    /// First evaluation after an update whose loss is near the lowest.
    pub(super) best: Option<EvaluationPoint>,
    /// Updates and seconds of training.
    pub(super) updates: u64,
    pub(super) train_seconds: f64,
    /// Time of its turns, evaluations included.
    pub(super) spent: Duration,
    /// Number of evaluations.
    evaluations: usize,
    /// Outcome, if it has ended by itself.
    pub(super) ended: Option<Status>,
    /// Reason why it cannot be tried.
    pub(super) refused: Option<Error>,
}

impl Track {
    fn take(&mut self, point: &EvaluationPoint) {
        (self.updates, self.train_seconds) = (point.updates, point.train_seconds);
        self.evaluations += 1;
        let loss = |point: &EvaluationPoint| point.eval_loss.filter(|loss| loss.is_finite());
        let lowest = self.best.as_ref().and_then(loss).unwrap_or(f64::INFINITY);
        if point.updates > 0 && loss(point).is_some_and(|loss| !is_near(lowest, loss)) {
            self.best = Some(point.clone());
        }
    }

    /// Returns the loss that it is judged by: that near the lowest, infinite if there is none or it diverged.
    pub(super) fn loss(&self) -> f64 {
        let is_valid = self.ended != Some(Status::Diverged);
        let best = self.best.as_ref().filter(|_| is_valid).and_then(|best| best.eval_loss);
        best.unwrap_or(f64::INFINITY)
    }

    /// Returns true if more training would hardly lower the loss: the lowest was in the first third, some evaluations ago.
    fn is_settled(&self) -> bool {
        const FEWEST: usize = 12;
        let best = self.best.as_ref().map_or(u64::MAX, |best| best.updates);
        self.evaluations >= FEWEST && best.saturating_mul(3) < self.updates
    }
}

impl Entrant {
    pub(super) fn new(candidate: Candidate) -> Self {
        Self { candidate, session: None, track: Track::default() }
    }

    /// Trains for so long, creation of the session included.
    fn train(&mut self, time: Duration, field: &Field) -> Result<()> {
        let began = Instant::now();
        if self.track.refused.is_some() || self.track.ended.is_some() || self.track.is_settled() {
            return Ok(());
        }
        if self.session.is_none() {
            match Session::new(&self.trial(), field.data, field.limits) {
                Ok(session) => self.session = Some(session),
                Err(error) if matches!(*error.cause, Cause::TooLarge { .. }) => {
                    self.track.refused = Some(error)
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(session) = &mut self.session {
            let left = time.saturating_sub(began.elapsed());
            let ended = turn(session, &mut self.track, left, field.control)?;
            self.track.ended =
                ended.filter(|ended| ended.status != Status::Interrupted).map(|ended| ended.status);
        }
        self.track.spent += began.elapsed();
        Ok(())
    }

    fn trial(&self) -> Trial {
        self.candidate.planned.trial.clone()
    }
}

/// Trains for a while, and keeps track.
fn turn(
    session: &mut Session,
    track: &mut Track,
    time: Duration,
    control: &Control,
) -> Result<Option<Outcome>> {
    let mut sink = |event: &Event| -> Result<()> {
        if let Event::Evaluation(point) = event {
            track.take(point);
        }
        Ok(())
    };
    session.turn_with(control, &mut sink, time)
}

/// What candidates train on.
pub(super) struct Field<'a> {
    /// Data with the validation split in place of the test split, which no candidate can reach.
    pub(super) data: &'a Dataset,
    pub(super) limits: Limits,
    pub(super) control: &'a Control,
}

impl Field<'_> {
    /// Returns the time that a candidate takes up to its first evaluation after an update, or `most` if that is longer.
    ///
    /// # Errors
    /// Any error of a session.
    pub(super) fn pilot(&self, candidate: &Candidate, most: Duration) -> Result<Duration> {
        const STEP: Duration = Duration::from_millis(2);
        let (began, mut track) = (Instant::now(), Track::default());
        let mut session = Session::new(&candidate.planned.trial, self.data, self.limits)?;
        while track.evaluations < 2 && began.elapsed() < most {
            let ended = turn(&mut session, &mut track, STEP, self.control)?;
            if ended.is_some() || self.control.interrupted() {
                break;
            }
        }
        Ok(began.elapsed())
    }

    /// Searches the best candidates. Returns all of them, those that came furthest first, and of these the one with the lowest
    /// loss. `looked` is called after every rung with those that are left, best first.
    ///
    /// # Errors
    /// Any error of a session, except that one needs too much memory: that candidate is left out.
    pub(super) fn search(
        &self,
        candidates: Vec<Candidate>,
        plan: &Plan,
        mut looked: impl FnMut(&[Entrant], usize),
    ) -> Result<Vec<Entrant>> {
        let mut live: Vec<Entrant> = candidates.into_iter().map(Entrant::new).collect();
        let mut out: Vec<Entrant> = vec![];
        for (level, rung) in plan.rungs.iter().enumerate() {
            let next = plan.rungs.get(level + 1).map_or(rung.candidates, |next| next.candidates);
            self.climb(&mut live, *rung, next)?;
            if self.control.interrupted() {
                break;
            }
            let dropped = drop_out(&mut live, next);
            looked(&live, level);
            out.splice(0..0, dropped);
        }
        sort(&mut live);
        live.extend(out);
        Ok(live)
    }

    /// Trains every candidate for the time of a rung. Sessions of those that cannot be among the `next` are dropped on the
    /// way, so that few are in memory.
    fn climb(&self, live: &mut [Entrant], rung: Rung, next: usize) -> Result<()> {
        let ends = Instant::now() + rung.time * live.len() as u32;
        for index in 0..live.len() {
            if self.control.interrupted() {
                return Ok(());
            }
            let left = ends.saturating_duration_since(Instant::now());
            live[index].train(rung.turn(left, live.len() - index), self)?;
            release(&mut live[..=index], next);
        }
        Ok(())
    }
}

/// Drops the sessions of candidates that others are better than: `next` networks, or one linear one.
fn release(tried: &mut [Entrant], next: usize) {
    for (is_linear, places) in [(true, 1), (false, next)] {
        let of_kind = tried.iter_mut().filter(|entrant| entrant.candidate.is_linear == is_linear);
        let mut of_kind: Vec<&mut Entrant> = of_kind.collect();
        of_kind.sort_by(|a, b| a.track.loss().total_cmp(&b.track.loss()));
        of_kind.into_iter().skip(places).for_each(|entrant| entrant.session = None);
    }
}

fn sort(entrants: &mut [Entrant]) {
    entrants.sort_by(|a, b| a.track.loss().total_cmp(&b.track.loss()));
}

/// Keeps the best `next` networks and the best linear one, sorted; returns the others.
fn drop_out(live: &mut Vec<Entrant>, next: usize) -> Vec<Entrant> {
    sort(live);
    let (mut linear, mut networks) = (0, 0);
    let stays = |entrant: &Entrant| {
        let (place, places) =
            if entrant.candidate.is_linear { (&mut linear, 1) } else { (&mut networks, next) };
        *place += 1;
        *place <= places
    };
    let (stay, dropped) = std::mem::take(live).into_iter().partition(stays);
    *live = stay;
    dropped
}

/// Returns the error for candidates none of which could be tried.
pub(super) fn first_refusal(entrants: &mut [Entrant]) -> Option<Error> {
    entrants.iter_mut().find_map(|entrant| entrant.track.refused.take())
}
