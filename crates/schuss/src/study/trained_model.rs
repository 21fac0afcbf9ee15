//! A trained model and the data to evaluate it on or to predict with it.

use super::Workload;
use super::find_model::find_model;
use super::origin::Origin;
use crate::network::Predictor;
use crate::{Cause, Error, Place, Result};
use schuss_data::{Dataset, Split};
use std::path::{Path, PathBuf};

/// A model from a file, or from the run that trained it.
///
/// # Example
/// ```no_run
/// use schuss::network::Scores;
/// use schuss::study::TrainedModel;
///
/// # fn main() -> schuss::Result<()> {
/// let mut model = TrainedModel::open("runs/mine".as_ref(), 2)?;
/// let evaluated = model.evaluation_data(None)?; // what its run held out from training
/// if let Scores::Classes(scores) = model.predictor.evaluate(&evaluated.data)? {
///     println!("{} of {}", scores.confusion.correct(), scores.samples);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct TrainedModel {
    /// The network, ready to predict.
    pub predictor: Predictor,
    /// Path as given.
    path: PathBuf,
    /// Model file.
    file: PathBuf,
}

/// Data to evaluate a model on.
#[derive(Clone, Debug)]
pub struct EvaluationData {
    /// The data, with the classes of the model. Their test split is to be evaluated; they have no training split if
    /// all samples of a data set without a test split are in it.
    pub data: Dataset,
    /// Number of samples left out because the model was trained on them, if the data are known to be those of its run.
    pub left_out: Option<usize>,
}

impl TrainedModel {
    /// Opens a model file, or the only model in the folder of a run or trial, for `threads` threads. `path` may also be
    /// the name of a run in `runs`.
    ///
    /// # Errors
    /// Data errors that name the file or folder, usage errors for a run with several models or an invalid number of
    /// threads.
    pub fn open(path: &Path, threads: usize) -> Result<Self> {
        let file = find_model(path)?;
        Ok(Self { predictor: Predictor::load(&file, threads)?, path: path.to_owned(), file })
    }

    /// Loads the data to evaluate the model on, with the classes of the model: the `given` ones, by default those of
    /// its run. If they are those of its run, and the run held out a test split, only that is evaluated.
    ///
    /// # Errors
    /// A usage error if no data are given for a model outside a run folder, or if they do not match the model; a data
    /// error if the data of the run have changed since; and as for [`Workload::load`].
    pub fn evaluation_data(&self, given: Option<&Workload>) -> Result<EvaluationData> {
        let found = match (given, Origin::of(&self.file)) {
            (Some(workload), origin) => self.given(workload, origin.as_ref())?,
            (None, Some(origin)) => EvaluationData { data: of_run(&origin)?, left_out: None },
            (None, None) => {
                let what = "the model is not in a run folder, so the data to evaluate it on must be given";
                return Err(Error::usage(what).at(self.path.display()).advise("schuss eval MODEL DATA"));
            }
        };
        Ok(EvaluationData { data: self.predictor.about().match_to_evaluate(found.data)?, ..found })
    }

    /// Loads data for the model to predict, with the classes of the model; labels are not read from tables.
    ///
    /// # Errors
    /// As for [`Workload::load`], and a usage error for samples of another shape than the model takes.
    pub fn prediction_data(&self, given: &Workload) -> Result<Dataset> {
        let about = self.predictor.about();
        about.match_to_predict(given.load_for(about, false)?)
    }

    fn given(&self, workload: &Workload, origin: Option<&Origin>) -> Result<EvaluationData> {
        let held_out = match (origin, workload.data()) {
            (Some(origin), Some(spec)) => self.held_out(origin, spec)?,
            _ => None,
        };
        match held_out {
            Some(data) => {
                let seen = data.train.len() + data.validation.as_ref().map_or(0, Split::len);
                Ok(EvaluationData { data, left_out: Some(seen) })
            }
            None => {
                let data = workload.load_for(self.predictor.about(), true)?;
                Ok(EvaluationData { data, left_out: None })
            }
        }
    }

    /// Returns the data `spec` as the run split them, if they are those it was trained on and it held out a test split.
    fn held_out(&self, origin: &Origin, spec: &str) -> Result<Option<Dataset>> {
        let table = &self.predictor.about().table;
        match origin.data(Some(spec)) {
            Ok(data) if data.held_out.is_some() && origin.is_of(&data)? => {
                Ok(Some(origin.split(&data)?).filter(|data| data.table == *table))
            }
            _ => Ok(None),
        }
    }
}

/// Loads the data that a run was trained on.
fn of_run(origin: &Origin) -> Result<Dataset> {
    let data = origin.data(None)?;
    if origin.is_of(&data)? {
        return origin.split(&data);
    }
    Err(Error::data("the data differ from those that the run was trained on")
        .because(Cause::Changed)
        .at(Place::data(&data.name))
        .advise("give the data to evaluate on: schuss eval MODEL DATA"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Scores;
    use crate::session::{Control, Limits};
    use crate::study::{Study, StudyFile, run};
    use std::fs;
    use tempfile::TempDir;

    /// Writes a table of 60 rows in two classes, with `extra` at its end.
    fn write_table(path: &Path, extra: &str) {
        let row = |i: usize| format!("{},{},{}\n", i % 7, i % 11, ["x", "y"][usize::from(i % 7 > 3)]);
        let rows: String = (0..60).map(row).collect();
        fs::write(path, format!("a,b,kind\n{rows}{extra}")).unwrap();
    }

    fn workload(data: &str) -> Workload {
        Workload::of(data)
    }

    /// Trains a model on the table in `place`, or on other `data`, in the run folder `run`.
    fn trained(place: &TempDir, data: Option<&str>) -> TrainedModel {
        let (table, out) = (place.path().join("table.csv"), place.path().join("run"));
        write_table(&table, "");
        let data = data.unwrap_or(table.to_str().unwrap());
        let text = format!("recipe = {{ epochs = 1 }}\nworkload = {{ data = '{data}', model = 'in-4-out' }}");
        let file = StudyFile::parse(&text, "").unwrap();
        let data = file.data(None).unwrap();
        let study = Study::resolve("run", &file, &data).unwrap();
        let done = run(&study, &data, Limits::default(), Some(&out), "", &Control::default(), &mut ());
        assert!(done.unwrap().error.is_none());
        TrainedModel::open(&out, 1).unwrap()
    }

    fn samples(model: &mut TrainedModel, data: &EvaluationData) -> u64 {
        match model.predictor.evaluate(&data.data).unwrap() {
            Scores::Classes(scores) => scores.samples,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_model_is_evaluated_on_the_rows_that_its_run_held_out_even_if_their_file_is_named() {
        let place = TempDir::new().unwrap();
        let mut model = trained(&place, None);
        let own = model.evaluation_data(None).unwrap();
        assert_eq!((samples(&mut model, &own), own.left_out), (12, None));
        let named = workload(place.path().join("table.csv").to_str().unwrap());
        let named = model.evaluation_data(Some(&named)).unwrap();
        assert_eq!((samples(&mut model, &named), named.left_out), (12, Some(48)));
    }

    #[test]
    fn all_rows_of_another_table_are_evaluated_and_predicted() {
        let place = TempDir::new().unwrap();
        let mut model = trained(&place, None);
        let path = place.path().join("other.csv");
        write_table(&path, "3,4,x\n");
        let other = workload(path.to_str().unwrap());
        let evaluated = model.evaluation_data(Some(&other)).unwrap();
        assert_eq!((samples(&mut model, &evaluated), evaluated.left_out), (61, None));
        let predicted = model.prediction_data(&other).unwrap();
        assert!(predicted.test.len() == 61 && predicted.target_kind() == schuss_data::TargetKind::Nothing);
    }

    #[test]
    fn data_that_changed_since_the_run_must_be_named() {
        let place = TempDir::new().unwrap();
        let model = trained(&place, None);
        write_table(&place.path().join("table.csv"), "3,4,x\n");
        let error = model.evaluation_data(None).unwrap_err();
        assert!(error.exit_code() == 3 && error.what.contains("the data differ"), "{error}");
    }

    #[test]
    fn a_model_outside_a_run_folder_needs_data() {
        let place = TempDir::new().unwrap();
        let digits = "digits:train=40,test=10,size=8";
        let model = trained(&place, Some(digits));
        let copy = place.path().join("copy.safetensors");
        fs::copy(&model.file, &copy).unwrap();
        let model = TrainedModel::open(&copy, 1).unwrap();
        let error = model.evaluation_data(None).unwrap_err();
        assert!(error.exit_code() == 2 && error.place == Some(Box::new((&copy).into())), "{error}");
        let given = model.evaluation_data(Some(&workload(digits))).unwrap();
        assert_eq!((given.data.test.len(), given.left_out), (10, None));
        let error = model.evaluation_data(Some(&workload("digits:train=40,test=10,size=9"))).unwrap_err();
        assert!(error.exit_code() == 2 && error.what.contains("1 x 9 x 9"), "{error}");
    }
}
