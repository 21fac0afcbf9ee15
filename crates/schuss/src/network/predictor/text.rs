//! Predictions as text, formatted on all threads.

use super::numbers::Numbers;
use super::{Answered, ClassPrediction, NumberPrediction, Predictor};
use crate::Result;
use schuss_data::Split;
use std::ops::ControlFlow;

/// Blocks that a thread formats before their lines are visited.
const BLOCKS: usize = 4;

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
        let finish = |answered: &Answered, text: &mut String| {
            (0..answered.rows).try_for_each(|row| {
                line(&answered.class_prediction(row)?, text);
                Ok(())
            })
        };
        self.lines(split, finish, visit)
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
        let finish = |answered: &Answered, text: &mut String| {
            let mut numbers = Numbers::default();
            (0..answered.rows).try_for_each(|row| {
                numbers.clear();
                numbers.push(answered, row)?;
                line(&numbers.prediction(answered.first + row, 0), text);
                Ok(())
            })
        };
        self.lines(split, finish, visit)
    }

    /// Calls `finish` with every block, and `visit` with the text it has appended for some of them.
    fn lines(
        &mut self,
        split: &Split,
        finish: impl Fn(&Answered, &mut String) -> Result<()> + Sync,
        visit: &mut dyn FnMut(&str) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.each_share(split, BLOCKS, finish, |_, text| {
            let flow = if text.is_empty() { ControlFlow::Continue(()) } else { visit(text)? };
            text.clear();
            Ok(flow)
        })
    }
}
