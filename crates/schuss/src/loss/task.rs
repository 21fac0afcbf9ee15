//! Task of a network that is trained with a loss.

use super::{Answer, Loss, Targets};
use crate::metrics::{LabelTask, Task};
use schuss_data::Shape;

impl Loss {
    /// Returns the task of a network with this many outputs; `labels` are the names of the labels if the samples have
    /// several.
    pub(crate) fn task(&self, targets: Targets, outputs: usize, labels: &[String], shape: Shape) -> Task {
        let are_numbers = targets == Targets::Real && self.answer(targets) == Answer::AsItIs;
        let bound = self.label_bound().filter(|_| targets == Targets::Real && !labels.is_empty());
        Task {
            classes: targets.is_class().then_some(outputs),
            labels: bound.map(|bound| LabelTask { names: labels.to_vec(), bound }),
            numbers: are_numbers.then_some(outputs),
            image: shape.image().filter(|_| targets == Targets::Input),
        }
    }
}
