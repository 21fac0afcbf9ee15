//! Predictions as text, formatted on all threads.

use super::{Answered, ClassPrediction, NumberPrediction, Predictor};
use crate::{Error, Result};
use schuss_data::Split;
use schuss_kernels::Team;
use std::ops::ControlFlow;

/// Cost of a line in multiply-adds.
const LINE_WORK: usize = 1 << 10;

/// Lines of consecutive samples, and the error that ended them.
#[derive(Default)]
struct Part {
    text: String,
    error: Option<Error>,
}

impl Predictor {
    /// Predicts the class of every sample of `split` and calls `visit` with the lines that `line` appends for them, in
    /// order and many at a time, until `visit` breaks. `line` runs on all threads.
    ///
    /// # Errors
    /// As for [`Self::predict_classes`]; the lines before the sample in error are visited.
    pub fn class_lines(
        &mut self,
        split: &Split,
        line: &(dyn Fn(&ClassPrediction, &mut String) + Sync),
        visit: &mut dyn FnMut(&str) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.check_classes()?;
        let add = |batch: &Answered, row, text: &mut String| {
            line(&batch.class_prediction(row)?, text);
            Ok(())
        };
        self.lines(split, Self::score, add, visit)
    }

    /// Predicts the numbers for every sample of `split` and calls `visit` with the lines that `line` appends for them,
    /// in order and many at a time, until `visit` breaks. `line` runs on all threads.
    ///
    /// # Errors
    /// As for [`Self::predict_numbers`]; the lines before the sample in error are visited.
    pub fn number_lines(
        &mut self,
        split: &Split,
        line: &(dyn Fn(&NumberPrediction, &mut String) + Sync),
        visit: &mut dyn FnMut(&str) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.check_numbers()?;
        let add = |batch: &Answered, row, text: &mut String| {
            let raw = batch.raw(row)?;
            let target = raw.target.map(|stored| batch.original(stored));
            let numbers = batch.numbers(raw.predicted);
            line(&NumberPrediction { index: raw.index, target: target.as_deref(), numbers: &numbers }, text);
            Ok(())
        };
        self.lines(split, Self::answer, add, visit)
    }

    /// Calls `add` for every row of a batch, and `visit` with the text it has appended.
    fn lines(
        &mut self,
        split: &Split,
        forward: impl Fn(&mut Self, usize),
        add: impl Fn(&Answered, usize, &mut String) -> Result<()> + Sync,
        visit: &mut dyn FnMut(&str) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut parts: Vec<Part> = (0..self.team.parts()).map(|_| Part::default()).collect();
        self.each_batch(split, forward, |team, batch| {
            format(team, &batch, &mut parts, &add);
            parts.iter_mut().try_fold(ControlFlow::Continue(()), |flow, part| match flow {
                ControlFlow::Continue(()) => part.deliver(visit),
                ended => Ok(ended),
            })
        })
    }
}

/// Fills every part with the lines of its share of the batch.
fn format(
    team: &mut Team,
    batch: &Answered,
    parts: &mut [Part],
    add: &(impl Fn(&Answered, usize, &mut String) -> Result<()> + Sync),
) {
    let (rows, count) = (batch.rows, parts.len());
    team.for_chunks(rows * LINE_WORK, parts, 1, |index, part| {
        let Some(part) = part.first_mut() else { return };
        part.text.clear();
        let mut share = rows * index / count..rows * (index + 1) / count;
        part.error = share.try_for_each(|row| add(batch, row, &mut part.text)).err();
    });
}

impl Part {
    /// Calls `visit` with the lines, then returns the error that ended them.
    fn deliver(&mut self, visit: &mut dyn FnMut(&str) -> Result<ControlFlow<()>>) -> Result<ControlFlow<()>> {
        let flow = if self.text.is_empty() { ControlFlow::Continue(()) } else { visit(&self.text)? };
        match self.error.take() {
            Some(error) if flow.is_continue() => Err(error),
            _ => Ok(flow),
        }
    }
}
