//! Trained model given to a command.

use crate::progress::say;
use schuss::Result;
use schuss::data::Dataset;
use schuss::session::Limits;
use schuss::study::TrainedModel;
use std::path::Path;

/// Opens the model in the file, trial or run `path`, for use on all cores.
pub(crate) fn open(path: &Path) -> Result<TrainedModel> {
    TrainedModel::open(path, Limits::default().threads)
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
    use schuss::loss::Targets;
    use schuss::network::{ModelFile, save};
    use schuss::session::{Limits, Session};
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
        session.run().unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(
            folder.path().join("model.safetensors"),
            save(session.params(), &ModelFile::of(&trial, &data)).unwrap(),
        )
        .unwrap();
        folder
    }
}
