//! The model file that a path stands for.

use super::trial_folder::MODEL;
use crate::{Cause, Error, Result};
use schuss_data::text::plain_io;
use std::fs;
use std::path::{Path, PathBuf};

/// Returns `path` itself if it is a file, or the only model file in the folder of a run or trial. `path` may also be the
/// name of a run in `runs`.
///
/// # Errors
/// A data error if the folder cannot be read or holds no model, a usage error that lists them if it holds several.
pub(super) fn find_model(path: &Path) -> Result<PathBuf> {
    let in_runs = Path::new("runs").join(path);
    let path = if !path.exists() && in_runs.is_dir() { &*in_runs } else { path };
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let mut models = in_folder(path).map_err(|error| {
        Error::data(format!("the folder of the model cannot be read: {}", plain_io(&error)))
            .with_source(error)
            .at(path.display())
    })?;
    models.sort();
    match models.as_slice() {
        [] => Err(Error::data(format!("the folder holds no {MODEL}"))
            .because(Cause::NotFound)
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
    let (own, trials) = (path.join(MODEL), path.join("trials"));
    if own.is_file() {
        return Ok(vec![own]);
    }
    if !trials.is_dir() {
        return Ok(vec![]);
    }
    let models = fs::read_dir(trials)?.map(|trial| Ok(trial?.path().join(MODEL)));
    models.filter(|model| model.as_ref().map_or(true, |model| model.is_file())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tempfile::TempDir;

    fn run_with(trials: &[&str]) -> TempDir {
        let run = TempDir::new().unwrap();
        fs::create_dir_all(run.path().join("trials/09-diverged-1")).unwrap();
        for trial in trials {
            let folder = run.path().join("trials").join(trial);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(MODEL), b"").unwrap();
        }
        run
    }

    #[test]
    fn a_run_with_one_model_stands_for_it_and_so_does_its_trial() {
        let run = run_with(&["01-sgd-1"]);
        let model = run.path().join("trials/01-sgd-1").join(MODEL);
        for path in [run.path(), &run.path().join("trials/01-sgd-1"), &model] {
            assert_eq!(find_model(path).unwrap(), model);
        }
    }

    #[test]
    fn a_run_with_several_models_is_a_usage_error_that_lists_them() {
        let run = run_with(&["02-adam-1", "01-sgd-1"]);
        let error = find_model(run.path()).unwrap_err();
        assert!(error.exit_code() == 2 && error.what.contains("2 models"), "{error}");
        let advice = error.advice.unwrap();
        assert!(advice.find("01-sgd-1").unwrap() < advice.find("02-adam-1").unwrap(), "{advice}");
    }

    #[test]
    fn a_folder_without_a_model_is_a_data_error() {
        assert_eq!(find_model(run_with(&[]).path()).unwrap_err().exit_code(), 3);
        assert_eq!(find_model(TempDir::new().unwrap().path()).unwrap_err().exit_code(), 3);
    }
}
