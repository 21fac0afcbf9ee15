//! Trained model given to a command: its file, or the run that contains it.

use crate::progress::say;
use crate::terminal::printable;
use schuss::data::{Dataset, TargetKind};
use schuss::network::{ModelFile, Predictor};
use schuss::session::Limits;
use schuss::{Error, Result};
use schuss_data::text::plain_io;
use std::fs;
use std::path::{Path, PathBuf};

const FILE: &str = "model.safetensors";

/// Loads the model in the file, trial or run `path`, for use on all cores.
pub(crate) fn load(path: &Path) -> Result<Predictor> {
    Predictor::load(&find(path)?, Limits::default().threads)
}

/// Returns the file itself, or the only model in a trial or run folder; `path` may also name a run in `runs`.
pub(crate) fn find(path: &Path) -> Result<PathBuf> {
    let in_runs = Path::new("runs").join(path);
    let path = if !path.exists() && in_runs.is_dir() { &*in_runs } else { path };
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let mut models = in_folder(path).map_err(|error| {
        Error::data(format!("the folder of the model cannot be read: {}", plain_io(&error)))
            .at(path.display())
    })?;
    models.sort();
    match models.as_slice() {
        [] => Err(Error::data(format!("the folder holds no {FILE}"))
            .at(path.display())
            .advise("pass a model file, or the folder of a run or trial that trained one")),
        [model] => Ok(model.clone()),
        several => {
            let list: Vec<String> = several.iter().map(|model| model.display().to_string()).collect();
            Err(Error::usage(format!("the run holds {} models", several.len()))
                .at(path.display())
                .advise(format!("one of:\n        {}", list.join("\n        "))))
        }
    }
}

fn in_folder(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let (own, trials) = (path.join(FILE), path.join("trials"));
    if own.is_file() {
        return Ok(vec![own]);
    }
    if !trials.is_dir() {
        return Ok(vec![]);
    }
    let models = fs::read_dir(trials)?.map(|trial| Ok(trial?.path().join(FILE)));
    models.filter(|model| model.as_ref().map_or(true, |model| model.is_file())).collect()
}

/// Returns the data with labels mapped to the model's classes, if their samples have the model's shape. If `judges` is
/// set, all classes of the data must be known to the model.
pub(crate) fn fit(about: &ModelFile, data: Dataset, judges: bool) -> Result<Dataset> {
    let name = data.name.clone();
    let refuse = |what: String| {
        let advice = "use the data the model was trained on, or data of the same shape and classes";
        Err(Error::usage(what).at(&name).advise(advice))
    };
    if about.shape != data.shape {
        let (knows, has) = (about.shape, data.shape);
        return refuse(format!("the model takes samples of {knows}, but the data have {has}"));
    }
    if !about.targets.is_class() || data.classes.is_empty() {
        return Ok(data);
    }
    let unknown = data.classes.iter().find(|class| !about.classes.contains(class)).cloned();
    let named = data.in_classes(&about.classes)?;
    match unknown {
        Some(class) if judges && named.target_kind() == TargetKind::Nothing => {
            let (class, knows) = (printable(&class), about.classes.len());
            refuse(format!(
                "the data have a class `{class}`, which is none of the {knows} classes of the model"
            ))
        }
        _ => Ok(named),
    }
}

/// Beginnings of the notes on data that a model reads which are worth a line: warnings, and changes to images.
const SAID: [&str; 4] = ["warning: ", "size: ", "inverted: ", "transparency: "];

/// Prints warnings about the data, and changes to its images, on stderr.
pub(crate) fn say_warnings(data: &Dataset) {
    let is_said = |note: &&String| SAID.iter().any(|start| note.starts_with(start));
    data.notes.iter().filter(is_said).for_each(|note| say(true, note));
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use schuss::loss::Targets;
    use schuss::network::save;
    use schuss::session::Session;
    use schuss::{Budget, Recipe, Trial};
    use tempfile::TempDir;

    /// Returns the folder of a model trained briefly on a few digits.
    pub(crate) fn trained() -> TempDir {
        trained_as(Trial { model: "784-20-10".parse().unwrap(), ..Trial::default() })
    }

    /// Returns the folder of a briefly trained autoencoder.
    pub(crate) fn trained_autoencoder() -> TempDir {
        let recipe = Recipe { loss: "mse".parse().unwrap(), ..Recipe::default() };
        let model = "linear:20,relu,linear:784,sigmoid".parse().unwrap();
        trained_as(Trial { model, targets: Targets::Input, recipe, ..Trial::default() })
    }

    fn trained_as(trial: Trial) -> TempDir {
        let data = schuss::data::load("digits:train=1000,test=10").unwrap();
        let trial = Trial { budget: Budget { epochs: 2, ..Budget::default() }, ..trial };
        let mut session = Session::new(&trial, &data, Limits::default()).unwrap();
        session.run(&Default::default(), &mut ()).unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join(FILE), save(session.params(), &ModelFile::of(&trial, &data)).unwrap())
            .unwrap();
        folder
    }

    fn run_with(trials: &[&str]) -> TempDir {
        let run = TempDir::new().unwrap();
        fs::create_dir_all(run.path().join("trials/09-diverged-1")).unwrap();
        for trial in trials {
            let folder = run.path().join("trials").join(trial);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(FILE), b"").unwrap();
        }
        run
    }

    #[test]
    fn a_run_with_one_model_stands_for_it_and_so_does_its_trial() {
        let run = run_with(&["01-sgd-1"]);
        let model = run.path().join("trials/01-sgd-1").join(FILE);
        for path in [run.path(), &run.path().join("trials/01-sgd-1"), &model] {
            assert_eq!(find(path).unwrap(), model);
        }
    }

    #[test]
    fn a_run_with_several_models_is_a_usage_error_that_lists_them() {
        let run = run_with(&["02-adam-1", "01-sgd-1"]);
        let error = find(run.path()).unwrap_err();
        assert!(error.exit_code() == 2 && error.what.contains("2 models"), "{error}");
        let advice = error.advice.unwrap();
        assert!(advice.find("01-sgd-1").unwrap() < advice.find("02-adam-1").unwrap(), "{advice}");
    }

    #[test]
    fn a_folder_without_a_model_is_a_data_error() {
        assert_eq!(find(run_with(&[]).path()).unwrap_err().exit_code(), 3);
        assert_eq!(find(TempDir::new().unwrap().path()).unwrap_err().exit_code(), 3);
    }

    #[test]
    fn data_that_does_not_fit_is_a_usage_error_that_says_both() {
        let data = schuss::data::load("digits:train=10,test=10,size=14").unwrap();
        let shape = schuss::data::ImageShape { channels: 1, height: 28, width: 28 }.into();
        let classes = data.classes.clone();
        let normalisation = data.normalisation.clone();
        let (targets, loss) = (Targets::Class, schuss::loss::Loss::default());
        let (model, table) = ("784-10".into(), None);
        let offsets = data.offsets.clone();
        let about = ModelFile {
            model,
            classes,
            labels: vec![],
            shape,
            normalisation,
            preparation: None,
            table,
            offsets,
            targets,
            scale: None,
            loss,
        };
        let refused = |about: &ModelFile, judges| fit(about, data.clone(), judges).unwrap_err();
        let error = refused(&about, false);
        assert!(
            error.exit_code() == 2
                && error.what.contains("1 x 28 x 28")
                && error.what.contains("1 x 14 x 14")
        );
        let few = ModelFile { classes: vec!["0".into(), "1".into()], shape: data.shape, ..about.clone() };
        assert!(refused(&few, true).what.contains("a class `2`, which is none of the 2"));
        assert_eq!(fit(&few, data.clone(), false).unwrap().target_kind(), TargetKind::Nothing);
        assert!(fit(&ModelFile { targets: Targets::Input, ..few }, data.clone(), true).is_ok());
        assert!(fit(&ModelFile { shape: data.shape, ..about }, data, true).is_ok());
    }
}
