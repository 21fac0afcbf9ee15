//! Fuzz targets that read bytes as specs and study files.

use schuss::network::Noise;
use schuss::network::{Init, Model};
use schuss::optim::Method;
use schuss::recipe::UpdateRule;
use schuss::schedule::Schedule;
use schuss::session::Cadence;
use schuss::study::{Study, StudyFile};
use schuss_data::{DataSource, Dataset};
use std::fmt::Display;
use std::str::{FromStr, from_utf8};
use std::sync::LazyLock;

/// Parses the text as every kind of spec.
pub(crate) fn spec(bytes: &[u8]) {
    let Ok(text) = from_utf8(bytes) else { return };
    choice::<Method>(text);
    choice::<Schedule>(text);
    choice::<Model>(text);
    choice::<UpdateRule>(text);
    choice::<Noise>(text);
    choice::<Init>(text);
    choice::<DataSource>(text);
    choice::<Cadence>(text);
}

/// Asserts that an accepted text survives a round trip and that others are usage errors.
fn choice<T: FromStr<Err = schuss::Error> + Display>(text: &str) {
    match text.parse::<T>() {
        Ok(value) => {
            let canonical = value.to_string();
            assert_eq!(canonical.parse::<T>().map(|again| again.to_string()), Ok(canonical));
        }
        Err(error) => assert_eq!(error.exit_code(), 2, "{error}"),
    }
}

/// Parses a study file and resolves it on a few digits.
pub(crate) fn study(bytes: &[u8]) {
    static DIGITS: LazyLock<Dataset> = LazyLock::new(|| {
        schuss_data::load("digits:train=20,test=10,size=8").expect("digits can always be drawn")
    });
    let Ok(text) = from_utf8(bytes) else { return };
    let resolved = StudyFile::parse(text, "study").and_then(|file| Study::resolve("study", &file, &DIGITS));
    assert!(resolved.err().is_none_or(|error| error.exit_code() == 2));
}
