//! Matching of data to a model, by the shape of their samples and the names of their classes.

use super::ModelFile;
use crate::{Cause, Error, Place, Result};
use schuss_data::text::printable;
use schuss_data::{Dataset, TargetKind};

impl ModelFile {
    /// Returns data to evaluate the model on, with their labels mapped to the model's classes by name.
    ///
    /// # Errors
    /// A usage error for samples of another shape than the model takes, or a class that it does not know.
    pub fn match_to_evaluate(&self, data: Dataset) -> Result<Dataset> {
        let unknown = data.classes.iter().find(|class| !self.classes.contains(class)).cloned();
        let name = data.name.clone();
        let matched = self.match_to_predict(data)?;
        match unknown {
            Some(class) if self.targets.is_class() && matched.target_kind() == TargetKind::Nothing => {
                let (class, known) = (printable(&class), self.classes.len());
                Err(mismatch(
                    format!(
                        "the data have a class `{class}`, which is none of the {known} classes of the model"
                    ),
                    &name,
                ))
            }
            _ => Ok(matched),
        }
    }

    /// Returns data for the model to predict, with their labels mapped to its classes by name, or without labels if it
    /// does not know all of their classes.
    ///
    /// # Errors
    /// A usage error for samples of another shape than the model takes.
    pub fn match_to_predict(&self, data: Dataset) -> Result<Dataset> {
        self.check_shape(&data)?;
        if self.targets.is_class() { data.in_classes(&self.classes) } else { Ok(data) }
    }

    /// Refuses data with samples of another shape than the model takes.
    pub(super) fn check_shape(&self, data: &Dataset) -> Result<()> {
        if self.shape == data.shape {
            return Ok(());
        }
        let (takes, have) = (self.shape, data.shape);
        let what = format!("the model takes samples of {takes}, but the data have {have}");
        Err(mismatch(what, &data.name))
    }
}

fn mismatch(what: String, name: &str) -> Error {
    Error::usage(what)
        .because(Cause::Mismatch)
        .at(Place::data(name))
        .advise("use the data the model was trained on, or data of the same shape and classes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::Targets;
    use crate::recipe::Trial;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(ToString::to_string).collect()
    }

    /// Returns a few digits of 14 x 14 pixels and a model for them.
    fn digits() -> (Dataset, ModelFile) {
        let data = schuss_data::load("digits:train=10,test=10,size=14").unwrap();
        let about = ModelFile::of(&Trial::default(), &data);
        (data, about)
    }

    #[test]
    fn data_of_another_shape_are_a_usage_error_that_names_both_shapes() {
        let (data, about) = digits();
        let larger = schuss_data::ImageShape { channels: 1, height: 28, width: 28 }.into();
        let error = ModelFile { shape: larger, ..about }.match_to_predict(data).unwrap_err();
        let says = |part: &str| error.what.contains(part);
        assert!(error.exit_code() == 2 && says("1 x 28 x 28") && says("1 x 14 x 14"), "{error}");
    }

    #[test]
    fn a_class_that_the_model_does_not_know_is_refused_for_evaluation_and_its_labels_are_dropped_for_prediction()
     {
        let (data, about) = digits();
        let few = ModelFile { classes: names(&["0", "1"]), ..about };
        let error = few.match_to_evaluate(data.clone()).unwrap_err();
        assert!(error.what.contains("a class `2`, which is none of the 2 classes"), "{error}");
        assert_eq!(few.match_to_predict(data.clone()).unwrap().target_kind(), TargetKind::Nothing);
        let autoencoder = ModelFile { targets: Targets::Input, ..few };
        assert!(autoencoder.match_to_evaluate(data).is_ok(), "it has no classes");
    }

    #[test]
    fn labels_become_those_of_the_model_by_the_names_of_their_classes() {
        let (data, about) = digits();
        let own = data.test.read(&[0, 1, 2]).unwrap().classes().to_vec();
        let reversed = ModelFile { classes: about.classes.iter().rev().cloned().collect(), ..about };
        let matched = reversed.match_to_evaluate(data).unwrap();
        assert_eq!(matched.classes, reversed.classes);
        let expected: Vec<u32> = own.iter().map(|class| 9 - class).collect();
        assert_eq!(matched.test.read(&[0, 1, 2]).unwrap().classes(), expected);
    }
}
